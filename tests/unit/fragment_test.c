/* Putting fragments together, by itself: what comes out, and what is refused. */
#include "fragment_kit.h"

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

/* RFC 791 3.2, RFC 8200 4.5: whatever order they come in.
 * RFC 1122 3.2.1.4-a. */
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

/* RFC 1122 3.3.2: the largest there can be, in the smallest pieces there can be, shuffled.
 * RFC 1122 3.3.2-a, 3.3.2-b. */
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

/* RFC 791 3.2, RFC 8200 4.5: what belongs together has both addresses and the identification. */
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
}

/* RFC 791 3.2: in IPv4 the protocol, too, tells what belongs together. */
static void the_protocol_tells_apart(void **state)
{
    (void)state;
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
        {NOT_ECT, NOT_ECT, NOT_ECT},
        {ECT_0, ECT_0, ECT_0},
        {ECT_1, ECT_1, ECT_1},
        {CE, CE, CE},
        {CE, ECT_0, CE},
        {ECT_0, CE, CE},
        {CE, ECT_1, CE},
        {ECT_1, CE, CE},
        {CE, NOT_ECT, NONE},
        {NOT_ECT, CE, NONE},
        {ECT_0, NOT_ECT, NOT_ECT},
        {NOT_ECT, ECT_1, NOT_ECT},
        {ECT_0, ECT_1, ECT_0},
        {ECT_1, ECT_0, ECT_0},
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

/* RFC 791 3.2, RFC 8200 4.5: no data, or not a multiple of 8 before the end: that one is dropped.
 */
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

/* RFC 8200 4.5: an exact duplicate is the network's doing, and harms nothing.
 * RFC 8200 4.5-m. */
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

/* RFC 5722 4: every way in which two can lie, around the edges of the words that tell of them.
 * RFC 8200 4.5-l. */
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

int main(void)
{
    const struct CMUnitTest either[] = {
        cmocka_unit_test(every_order), cmocka_unit_test(what_belongs_together),
        cmocka_unit_test(marks),       cmocka_unit_test(lengths),
        cmocka_unit_test(duplicates),  cmocka_unit_test(not_quite_duplicates),
        cmocka_unit_test(overlaps),    cmocka_unit_test(what_is_refused_is_remembered),
        cmocka_unit_test(ends),
    };
    const struct CMUnitTest four[] = {
        cmocka_unit_test(the_largest_in_the_smallest_pieces),
        cmocka_unit_test(the_first_one_gives_the_header),
        cmocka_unit_test(the_protocol_tells_apart),
        cmocka_unit_test(too_large),
        cmocka_unit_test(tiny_fragments),
    };
    int failed = cmocka_run_group_tests(either, NULL, NULL);

    failed += cmocka_run_group_tests(four, NULL, NULL);
    return failed + cmocka_run_group_tests(either, use_6, NULL);
}
