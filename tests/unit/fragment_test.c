/*
 * Putting fragments together, by itself: what comes out, what is refused, when it is given up, and
 * how much of it there may be.
 */
#include "ip/fragment.h"

#include <stdlib.h>

#include "base/time.h"
#include "packet_kit.h"
#include "wire_check.h"

enum {
    PLACES = 4,
    LARGEST = 65535 - 20, /* bytes of data behind a header without options */
    MORE = 1,
    LAST = 0,
};

static struct fragments frags;
static uint64_t counts[REASON_COUNT];
static int64_t now;
static void *memory;

/* What is changed in the header of the next fragments; zeros are sensible values. */
static struct {
    uint32_t src, dst;
    uint8_t proto, tos;
    uint32_t options; /* bytes */
} with;

/* What came out, if something did. */
static uint8_t whole[65536];
static uint32_t whole_len;
static struct ip_hdr whole_ip;
static struct buf *kept[PLACES];
static unsigned keep; /* how many wholes are still to be kept */

static void begin(void)
{
    memory = aligned_alloc(16, (fragment_bytes(PLACES) + 15) / 16 * 16);
    assert_non_null(memory);
    memset(memory, 0xdb, fragment_bytes(PLACES)); /* nobody may rely on zeros */
    memset(counts, 0, sizeof(counts));
    memset(&with, 0, sizeof(with));
    fragment_init(&frags, memory, PLACES, counts);
    now = SEC;
}

/* Let everything go, and see that nothing was lost or kept. */
static void end(void)
{
    struct slice first;

    now += 2 * FRAGMENT_TIMEOUT;
    while (fragment_expire(&frags, now, &first))
        buf_unref(first.buf);
    assert_int_equal(frags.partials.in_use, 0);
    assert_int_equal(frags.bufs.in_use, 0);
    assert_int_equal(fragment_deadline(&frags), TIME_NEVER);
    free(memory);
}

/* Byte `at` of the data of datagram `id`. */
static uint8_t byte(uint32_t id, uint32_t at)
{
    return (uint8_t)(at * 31 + (at >> 8) * 7 + id);
}

static void take_whole(struct slice s)
{
    assert_true(s.len <= sizeof(whole));
    memcpy(whole, s.base, s.len);
    whole_len = s.len;
    expect_reason("the whole", ip_parse(whole, whole_len, &whole_ip), REASON_NONE);
    assert_int_equal(whole_ip.total_len, whole_len);
    assert_false(ip_is_fragment(&whole_ip));
    if (keep > 0)
        kept[--keep] = s.buf;
    else
        buf_unref(s.buf);
}

static enum reason give_bytes(uint16_t id, uint32_t off, const uint8_t *data, uint32_t len, int more)
{
    uint32_t header = 20 + with.options;
    uint8_t *b = calloc(1, header + len + 1); /* exactly so long: a step beyond is seen */
    struct slice packet = {NULL, b, header + len}, out;
    struct ip_hdr ip;
    enum reason why;

    b[0] = (uint8_t)(0x40 | header / 4);
    b[1] = with.tos;
    put16(b + 2, (uint16_t)(header + len));
    put16(b + 4, id);
    put16(b + 6, (uint16_t)((more ? 0x2000 : 0) | off / 8));
    b[8] = 64;
    b[9] = with.proto ? with.proto : IP_PROTO_UDP;
    put32(b + 12, with.src ? with.src : KIT_HOST);
    put32(b + 16, with.dst ? with.dst : KIT_PEER);
    memset(b + 20, IP_OPT_NOP, with.options);
    put16(b + 10, checksum_residue(0, b, header));
    memcpy(b + header, data, len);
    expect_reason("the fragment's header", ip_parse(b, packet.len, &ip), REASON_NONE);
    whole_len = 0;
    why = fragment_input(&frags, now, &ip, packet, &out);
    free(b);
    if (out.base)
        take_whole(out);
    return why;
}

static enum reason give(uint16_t id, uint32_t off, uint32_t len, int more)
{
    static uint8_t data[65536];

    for (uint32_t i = 0; i < len; i++)
        data[i] = byte(id, off + i);
    return give_bytes(id, off, data, len, more);
}

#define takes(id, off, len, more)                                                                  \
    expect_reason(#off " " #len, give((uint16_t)(id), off, len, more), REASON_NONE)
#define drops(why, id, off, len, more)                                                             \
    expect_reason(#off " " #len, give((uint16_t)(id), off, len, more), why)

/* The last fragment made the datagram whole, and this is it. */
static void is_whole(uint32_t id, uint32_t len)
{
    assert_int_equal(whole_len, whole_ip.header_len + len);
    for (uint32_t i = 0; i < len; i++)
        if (whole[whole_ip.header_len + i] != byte(id, i))
            fail_msg("byte %u of datagram %u is wrong", i, id);
    whole_len = 0;
}

static void is_not_whole(void)
{
    assert_int_equal(whole_len, 0);
}

/* ---- what comes out ---- */

/* The n'th order of five, all of them different for n in 0..119. */
static void order_of_five(unsigned n, unsigned order[5])
{
    unsigned left[5] = {0, 1, 2, 3, 4};

    for (unsigned i = 0; i < 5; i++) {
        unsigned pick = n % (5 - i);

        n /= 5 - i;
        order[i] = left[pick];
        memmove(left + pick, left + pick + 1, (4 - pick) * sizeof(*left));
    }
}

/* RFC 791 3.2, RFC 8200 4.5: whatever order they come in. */
static void every_order(void **state)
{
    static const uint32_t off[6] = {0, 24, 32, 1512, 1520, 1533};

    (void)state;
    begin();
    for (unsigned n = 0; n < 120; n++) {
        unsigned order[5];

        order_of_five(n, order);
        for (unsigned i = 0; i < 5; i++) {
            unsigned k = order[i];

            is_not_whole();
            takes(n, off[k], off[k + 1] - off[k], k < 4);
        }
        is_whole(n, 1533);
    }
    assert_int_equal(counts[REASON_FRAGMENT_BEGUN], 120);
    assert_int_equal(counts[REASON_FRAGMENT_KEPT], 600);
    assert_int_equal(counts[REASON_FRAGMENT_WHOLE], 120);
    assert_int_equal(counts[REASON_FRAGMENT_EVICTED] + counts[REASON_FRAGMENT_EXPIRED], 0);
    end();
}

/* RFC 1122 3.3.2: the largest there can be, in the smallest pieces there can be, shuffled. */
static void the_largest_in_the_smallest_pieces(void **state)
{
    enum { PIECES = (LARGEST + 7) / 8 };
    static uint16_t order[PIECES];
    uint64_t rng = 5;

    (void)state;
    begin();
    for (unsigned i = 0; i < PIECES; i++) {
        unsigned other = random_below(&rng, i + 1);

        order[i] = order[other];
        order[other] = (uint16_t)i;
    }
    for (unsigned i = 0; i < PIECES; i++) {
        uint32_t off = order[i] * 8U;

        is_not_whole();
        takes(7, off, off + 8 > LARGEST ? LARGEST - off : 8, off + 8 < LARGEST);
    }
    is_whole(7, LARGEST);
    assert_int_equal(whole_ip.total_len, 65535);
    end();
}

/* The whole has the first fragment's header: its options, its TTL, and lengths of its own. */
static void the_first_one_gives_the_header(void **state)
{
    (void)state;
    begin();
    takes(1, 8, 8, LAST);
    with.options = 12;
    with.tos = 0xb8;
    takes(1, 0, 8, MORE);
    is_whole(1, 16);
    assert_int_equal(whole_ip.header_len, 32);
    assert_int_equal(whole_ip.options_len, 12);
    assert_int_equal(whole_ip.tos, 0xb8);
    assert_int_equal(whole_ip.id, 1);
    assert_int_equal(addr_v4_value(&whole_ip.src), KIT_HOST);
    assert_int_equal(addr_v4_value(&whole_ip.dst), KIT_PEER);
    end();
}

/* RFC 791 3.2: what belongs together has source, destination, protocol and identification alike. */
static void what_belongs_together(void **state)
{
    (void)state;
    begin();
    takes(1, 0, 8, MORE);
    takes(2, 8, 8, LAST);
    with.src = KIT_HOST + 1;
    takes(1, 8, 8, LAST);
    with.src = 0;
    with.dst = KIT_PEER + 1;
    takes(1, 8, 8, LAST);
    is_not_whole();
    end();
    begin();
    takes(1, 0, 8, MORE);
    with.proto = IP_PROTO_ICMP;
    takes(1, 8, 8, LAST);
    is_not_whole();
    with.proto = 0;
    takes(1, 8, 8, LAST);
    is_whole(1, 16);
    end();
}

/* RFC 3168 5.3: a router's mark is not lost, nor given to what may not be marked. */
static void marks(void **state)
{
    enum { NOT_ECT, ECT_1, ECT_0, CE, NONE };
    static const struct {
        int a, b, both;
    } steps[] = {
        {NOT_ECT, NOT_ECT, NOT_ECT}, {ECT_0, ECT_0, ECT_0},   {ECT_1, ECT_1, ECT_1},
        {CE, CE, CE},                {CE, ECT_0, CE},         {ECT_0, CE, CE},
        {CE, ECT_1, CE},             {ECT_1, CE, CE},         {CE, NOT_ECT, NONE},
        {NOT_ECT, CE, NONE},         {ECT_0, NOT_ECT, NOT_ECT}, {NOT_ECT, ECT_1, NOT_ECT},
        {ECT_0, ECT_1, ECT_0},       {ECT_1, ECT_0, ECT_0},
    };

    (void)state;
    begin();
    for (unsigned i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        with.tos = (uint8_t)(0x28 | steps[i].a);
        takes(i, 0, 8, MORE);
        with.tos = (uint8_t)(0x28 | steps[i].b);
        if (steps[i].both == NONE) {
            drops(REASON_FRAGMENT_ECN, i, 8, 8, LAST);
            is_not_whole();
            continue;
        }
        takes(i, 8, 8, LAST);
        is_whole(i, 16);
        assert_int_equal(whole_ip.tos, 0x28 | steps[i].both);
    }
    assert_int_equal(counts[REASON_FRAGMENT_KEPT], 28 - 2);
    end();
}

/* ---- what is refused ---- */

/* RFC 791 3.2, RFC 8200 4.5: no data, or not a multiple of 8 before the end: that one is dropped. */
static void lengths(void **state)
{
    (void)state;
    begin();
    takes(1, 0, 8, MORE);
    drops(REASON_FRAGMENT_LENGTH, 1, 8, 0, MORE);
    drops(REASON_FRAGMENT_LENGTH, 1, 8, 0, LAST);
    for (uint32_t len = 1; len < 16; len++)
        if (len != 8)
            drops(REASON_FRAGMENT_LENGTH, 1, 8, len, MORE);
    takes(1, 8, 8, MORE);
    takes(1, 16, 1, LAST);
    is_whole(1, 17);
    end();
}

/* RFC 8200 4.5: the byte at the edge, and one beyond; headers count as well. */
static void too_large(void **state)
{
    (void)state;
    begin();
    drops(REASON_FRAGMENT_TOO_LARGE, 1, 65512, 4, LAST);
    drops(REASON_FRAGMENT_TOO_LARGE, 1, 65528, 1, LAST);
    drops(REASON_FRAGMENT_TOO_LARGE, 1, 65528, 1480, LAST);
    drops(REASON_FRAGMENT_TOO_LARGE, 1, 65512, 8, MORE);
    assert_int_equal(frags.partials.in_use, 0);
    takes(1, 65512, 3, LAST);
    takes(1, 0, 65512, MORE);
    is_whole(1, LARGEST);
    /* the first fragment's header is longer than the last one's, which could not know */
    takes(2, 65512, 3, LAST);
    takes(2, 65472, 40, MORE);
    with.options = 4;
    drops(REASON_FRAGMENT_TOO_LARGE, 2, 0, 65472, MORE);
    is_not_whole();
    drops(REASON_FRAGMENT_REFUSED, 2, 0, 65472, MORE);
    drops(REASON_FRAGMENT_TOO_LARGE, 3, 65512, 3, LAST);
    takes(3, 65504, 7, LAST);
    takes(3, 0, 65504, MORE);
    is_whole(3, LARGEST - 4);
    end();
}

/* RFC 1858 3, RFC 3128 2: TCP's header is not cut in two. */
static void tiny_fragments(void **state)
{
    (void)state;
    begin();
    with.proto = IP_PROTO_TCP;
    drops(REASON_FRAGMENT_TINY, 1, 0, 8, MORE);
    drops(REASON_FRAGMENT_TINY, 1, 0, 16, MORE);
    drops(REASON_FRAGMENT_TINY, 1, 8, 80, LAST);
    drops(REASON_FRAGMENT_TINY, 1, 16, 80, LAST);
    drops(REASON_FRAGMENT_TINY, 1, 16, 80, MORE);
    assert_int_equal(frags.partials.in_use, 0);
    takes(1, 0, 24, MORE);
    takes(1, 24, 4, LAST);
    is_whole(1, 28);
    with.proto = IP_PROTO_UDP; /* all of its header is in the first 8 bytes */
    takes(1, 0, 8, MORE);
    takes(1, 8, 1, LAST);
    is_whole(1, 9);
    end();
}

/* RFC 8200 4.5: an exact duplicate is the network's doing, and harms nothing. */
static void duplicates(void **state)
{
    (void)state;
    begin();
    takes(1, 0, 8, MORE);
    drops(REASON_FRAGMENT_DUPLICATE, 1, 0, 8, MORE);
    takes(1, 24, 5, LAST);
    drops(REASON_FRAGMENT_DUPLICATE, 1, 24, 5, LAST);
    drops(REASON_FRAGMENT_DUPLICATE, 1, 0, 8, MORE);
    takes(1, 8, 16, MORE);
    is_whole(1, 29);
    assert_int_equal(counts[REASON_FRAGMENT_KEPT], 3);
    end();
}

/* RFC 5722 4: almost a duplicate is an overlap: what two readers could read in two ways. */
static void not_quite_duplicates(void **state)
{
    uint8_t other[16] = {0};

    (void)state;
    begin();
    takes(1, 16, 16, MORE);
    drops(REASON_FRAGMENT_OVERLAP, 1, 16, 8, MORE); /* its first half */
    takes(2, 16, 16, MORE);
    drops(REASON_FRAGMENT_OVERLAP, 2, 24, 8, MORE); /* its second half */
    takes(3, 16, 16, MORE);
    drops(REASON_FRAGMENT_OVERLAP, 3, 16, 24, MORE); /* and more */
    takes(4, 16, 16, MORE);
    drops(REASON_FRAGMENT_OVERLAP, 4, 8, 24, MORE);
    end();
    begin();
    takes(1, 16, 8, MORE);
    takes(1, 24, 8, MORE);
    drops(REASON_FRAGMENT_OVERLAP, 1, 16, 16, MORE); /* two in one */
    takes(2, 16, 16, MORE);
    expect_reason("other bytes", give_bytes(2, 16, other, 16, MORE), REASON_FRAGMENT_OVERLAP);
    takes(3, 16, 16, MORE);
    drops(REASON_FRAGMENT_END, 3, 16, 16, LAST); /* and now it is the last */
    takes(4, 16, 16, LAST);
    drops(REASON_FRAGMENT_END, 4, 16, 16, MORE); /* and now it is not */
    end();
    begin();
    takes(1, 16, 13, LAST);
    drops(REASON_FRAGMENT_END, 1, 16, 12, LAST);
    end();
}

/* Two fragments, wherever they lie: they overlap, or both are kept. */
static void meet(uint16_t id, uint32_t a, uint32_t a_len, uint32_t b, uint32_t b_len)
{
    bool apart = a + a_len <= b || b + b_len <= a;

    takes(id, a, a_len, MORE);
    if (a == b && a_len == b_len) {
        drops(REASON_FRAGMENT_DUPLICATE, id, b, b_len, MORE);
    } else if (apart) {
        takes(id, b, b_len, MORE);
    } else {
        drops(REASON_FRAGMENT_OVERLAP, id, b, b_len, MORE);
        drops(REASON_FRAGMENT_REFUSED, id, b, b_len, MORE);
        drops(REASON_FRAGMENT_REFUSED, id, a, a_len, MORE);
        drops(REASON_FRAGMENT_REFUSED, id, 8000, 8, LAST);
    }
}

/* RFC 5722 4: every way in which two can lie, around the edges of the words that tell of them. */
static void overlaps(void **state)
{
    static const uint32_t around[] = {480, 488, 496, 504, 512, 520, 528, 536};
    uint16_t id = 0;

    (void)state;
    begin();
    for (unsigned i = 0; i < 7; i++)
        for (unsigned j = i + 1; j < 8; j++)
            for (unsigned k = 0; k < 7; k++)
                for (unsigned l = k + 1; l < 8; l++)
                    meet(id++, around[i], around[j] - around[i], around[k], around[l] - around[k]);
    for (uint32_t len = 512; len <= 2048; len += 512)
        for (uint32_t off = 0; off <= 4096; off += 512)
            meet(id++, 1024, 1024, off, len);
    end();
}

/* What was refused holds no bytes, is known for a minute, and then may come anew. */
static void what_is_refused_is_remembered(void **state)
{
    struct slice first;

    (void)state;
    begin();
    takes(1, 0, 16, MORE);
    now += SEC;
    drops(REASON_FRAGMENT_OVERLAP, 1, 8, 16, LAST);
    assert_int_equal(frags.bufs.in_use, 0);
    assert_int_equal(frags.partials.in_use, 1);
    drops(REASON_FRAGMENT_REFUSED, 1, 16, 8, LAST);
    now = SEC + FRAGMENT_TIMEOUT - 1;
    assert_false(fragment_expire(&frags, now, &first));
    drops(REASON_FRAGMENT_REFUSED, 1, 0, 16, MORE);
    now++;
    assert_false(fragment_expire(&frags, now, &first)); /* nobody is owed an error */
    assert_int_equal(frags.partials.in_use, 0);
    assert_int_equal(counts[REASON_FRAGMENT_EXPIRED], 0);
    takes(1, 0, 16, MORE);
    takes(1, 16, 8, LAST);
    is_whole(1, 24);
    end();
}

/* Where a datagram ends is said once. */
static void ends(void **state)
{
    (void)state;
    begin();
    takes(1, 800, 100, LAST);
    drops(REASON_FRAGMENT_END, 1, 400, 100, LAST);
    drops(REASON_FRAGMENT_REFUSED, 1, 0, 800, MORE);
    takes(2, 800, 100, LAST);
    drops(REASON_FRAGMENT_END, 2, 1600, 100, LAST);
    takes(3, 800, 100, LAST);
    drops(REASON_FRAGMENT_END, 3, 904, 8, MORE);
    takes(4, 800, 8, MORE);
    drops(REASON_FRAGMENT_END, 4, 400, 100, LAST); /* before what has come already */
    end();
    begin();
    takes(1, 800, 96, LAST);
    drops(REASON_FRAGMENT_END, 1, 792, 104, MORE); /* as long, but more to come */
    end();
}

/* ---- time ---- */

/* RFC 1122 3.3.2, RFC 8200 4.5: a minute from the first that came, and the first one is owed. */
static void a_minute(void **state)
{
    struct slice first;
    struct ip_hdr ip;

    (void)state;
    begin();
    takes(1, 16, 8, LAST);
    assert_int_equal(fragment_deadline(&frags), now + 60 * SEC);
    now += 30 * SEC;
    with.options = 8;
    takes(1, 0, 8, MORE);
    assert_int_equal(fragment_deadline(&frags), now + 30 * SEC);
    now += 30 * SEC - 1;
    assert_false(fragment_expire(&frags, now, &first));
    assert_true(fragment_expire(&frags, now + 1, &first));
    expect_reason("the first", ip_parse(first.base, first.len, &ip), REASON_NONE);
    assert_int_equal(first.len, 28 + 8);
    assert_int_equal(ip.total_len, 28 + 8);
    assert_true(ip.mf && ip.frag_off == 0 && ip.id == 1 && ip.options_len == 8);
    for (uint32_t i = 0; i < 8; i++)
        assert_int_equal(first.base[28 + i], byte(1, i));
    buf_unref(first.buf);
    assert_false(fragment_expire(&frags, now + 1, &first));
    assert_int_equal(counts[REASON_FRAGMENT_EXPIRED], 1);
    takes(1, 8, 8, MORE); /* a new datagram as far as we know */
    is_not_whole();
    end();
}

/* RFC 792: without the first fragment nobody is told. */
static void nobody_is_told_without_the_first(void **state)
{
    struct slice first = {.len = 77};

    (void)state;
    begin();
    takes(1, 16, 8, LAST);
    assert_true(fragment_expire(&frags, now + FRAGMENT_TIMEOUT, &first));
    assert_null(first.base);
    assert_null(first.buf);
    assert_int_equal(counts[REASON_FRAGMENT_EXPIRED], 1);
    end();
}

/* ---- room ---- */

/* The oldest makes room; what is newer is still put together. */
static void the_oldest_makes_room(void **state)
{
    (void)state;
    begin();
    for (uint16_t id = 0; id < PLACES; id++)
        takes(id, 0, 1000, MORE);
    takes(0, 1000, 8, MORE); /* being touched does not make it younger */
    takes(100, 0, 8, MORE);
    assert_int_equal(counts[REASON_FRAGMENT_EVICTED], 1);
    for (uint16_t id = 1; id < PLACES; id++) {
        takes(id, 1000, 8, LAST);
        is_whole(id, 1008);
    }
    takes(100, 8, 8, LAST);
    is_whole(100, 16);
    takes(0, 1008, 8, LAST); /* a stranger now */
    is_not_whole();
    end();
}

/* What was refused makes room like everything else, and is not counted twice. */
static void the_refused_make_room(void **state)
{
    (void)state;
    begin();
    for (uint16_t id = 0; id < 100; id++) {
        takes(id, 0, 16, MORE);
        drops(REASON_FRAGMENT_OVERLAP, id, 8, 8, MORE);
    }
    assert_int_equal(frags.partials.in_use, PLACES);
    assert_int_equal(counts[REASON_FRAGMENT_EVICTED], 0);
    takes(1000, 0, 16, MORE);
    takes(1000, 16, 8, LAST);
    is_whole(1000, 24);
    end();
}

/* BAD: a flood of datagrams that are never completed; honest ones pass in between. */
static void a_flood(void **state)
{
    (void)state;
    begin();
    for (uint32_t i = 0; i < 8192; i++) {
        takes(i, i % 2 * 1480, 1480, MORE);
        if (i % 64 == 0) {
            with.src = KIT_HOST + 1;
            takes(i, 0, 1480, MORE);
            takes(i, 1480, 1480, MORE);
            takes(i, 2960, 48, LAST);
            is_whole(i, 3008);
            with.src = 0;
        }
        assert_true(frags.partials.in_use <= PLACES && frags.bufs.in_use <= PLACES);
    }
    assert_int_equal(counts[REASON_FRAGMENT_BEGUN], 8192 + 128);
    assert_int_equal(counts[REASON_FRAGMENT_WHOLE], 128);
    assert_int_equal(counts[REASON_FRAGMENT_EVICTED], 8192 - frags.partials.in_use);
    end();
}

/* Wholes that somebody keeps hold buffers; with all of them kept, nothing can begin. */
static void what_is_kept_above(void **state)
{
    (void)state;
    begin();
    keep = PLACES;
    for (uint16_t id = 0; id < PLACES; id++) {
        takes(id, 0, 8, MORE);
        takes(id, 8, 8, LAST);
        is_whole(id, 16);
    }
    drops(REASON_FRAGMENT_BUFFER, 9, 0, 8, MORE);
    assert_int_equal(frags.partials.in_use, 0);
    buf_unref(kept[0]);
    takes(9, 0, 8, MORE);
    takes(10, 0, 8, MORE); /* in the place of 9 */
    assert_int_equal(counts[REASON_FRAGMENT_EVICTED], 1);
    takes(10, 8, 8, LAST);
    is_whole(10, 16);
    for (unsigned i = 1; i < PLACES; i++)
        buf_unref(kept[i]);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_order),
        cmocka_unit_test(the_largest_in_the_smallest_pieces),
        cmocka_unit_test(the_first_one_gives_the_header),
        cmocka_unit_test(what_belongs_together),
        cmocka_unit_test(marks),
        cmocka_unit_test(lengths),
        cmocka_unit_test(too_large),
        cmocka_unit_test(tiny_fragments),
        cmocka_unit_test(duplicates),
        cmocka_unit_test(not_quite_duplicates),
        cmocka_unit_test(overlaps),
        cmocka_unit_test(what_is_refused_is_remembered),
        cmocka_unit_test(ends),
        cmocka_unit_test(a_minute),
        cmocka_unit_test(nobody_is_told_without_the_first),
        cmocka_unit_test(the_oldest_makes_room),
        cmocka_unit_test(the_refused_make_room),
        cmocka_unit_test(a_flood),
        cmocka_unit_test(what_is_kept_above),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
