/*
 * Fragments, as attackers send them: each is dropped and counted, or waits for the rest in one of a
 * fixed number of places; whatever comes, nobody is answered before a packet is whole, and honest
 * packets pass, those in fragments, too.
 */
#include "hostile_kit.h"

enum {
    NO_MORE = 0,
    MORE = 0x2000,
    DF = 0x4000,
};

static struct kit_packet fragment(uint8_t proto, uint16_t id, uint32_t at, uint16_t flags,
                                  const void *data, uint32_t len)
{
    struct kit_packet p = kit_ip4(KIT_HOST, KIT_PEER, proto, data, len);

    put16(p.b + 4, id);
    put16(p.b + 6, (uint16_t)(at / 8 | flags));
    kit_ip4_fix(&p);
    return p;
}

/* No more memory than there is for fragments, and none of any other kind. */
static void rig_bounded(void)
{
    uint32_t cells, small, bufs;

    rig_expect_nothing();
    hostile_memory(&cells, &small, &bufs);
    rig_same("cells in use", cells, hostile.cells);
    rig_same("small bufs in use", small, hostile.small);
    rig_same("the device's bufs in use", bufs, hostile.bufs);
    assert_true(rig.st->fragments.partials.in_use <= rig.cfg.max_fragmented);
    assert_true(rig.st->fragments.bufs.in_use <= rig.cfg.max_fragmented);
}

static void rig_fragment(enum reason why, uint8_t proto, uint16_t id, uint32_t at, uint16_t flags,
                         const void *data, uint32_t len)
{
    struct kit_packet p = fragment(proto, id, at, flags, data, len);

    rig_strike(&p, why);
    rig_bounded();
}

/* The fragment is kept, or dropped for this reason, and nobody is told. */
#define keeps(...)      AT(rig_fragment(REASON_NONE, __VA_ARGS__))
#define drops(why, ...) AT(rig_fragment(REASON_##why, __VA_ARGS__))

static const uint8_t protocols[] = {IP_PROTO_ICMP, IP_PROTO_TCP, IP_PROTO_UDP, 4, 255};

enum { PROTOCOLS = sizeof(protocols) };

/* A ping in three fragments, with one of somebody else's between each two; it is answered. */
static void rig_ping_in_pieces(void)
{
    static uint16_t id = 30000;
    uint8_t message[8 + 3000] = {ICMP_ECHO, [4] = 0x12, 0x34};
    struct kit_packet p;

    pattern_fill(message + 8, 0, 3000);
    put16(message + 2, checksum_finish(checksum_add(0, message, sizeof(message))));
    id++;
    for (uint32_t at = 0; at < sizeof(message); at += 1200) {
        uint32_t len = min32(1200, (uint32_t)sizeof(message) - at);

        rig_expect_nothing();
        p = fragment(IP_PROTO_UDP, (uint16_t)(id + 10000), 800, MORE, NULL, 8);
        (void)rig_input(p.b, p.len);
        p = fragment(IP_PROTO_ICMP, id, at, at + len < sizeof(message) ? MORE : 0, message + at,
                     len);
        rig_reason("an honest fragment", hostile_input(&p), REASON_NONE);
    }
    if (hostile_answers(3) == 0)
        fail_msg("%s: a ping in fragments is not answered", rig_where());
}

#define well() (AT(rig_ping_in_pieces()), still_well())

/* BAD: the second fragment begins inside the first one and ends before its end (teardrop). */
static void overlapping(void **state)
{
    uint16_t id = 2;

    (void)state;
    begin_hostile();
    for (unsigned i = 0; i < PROTOCOLS; i++) {
        keeps(protocols[i], 1, 0, MORE, NULL, 40);
        drops(FRAGMENT_END, protocols[i], 1, 24, NO_MORE, NULL, 4);
        for (uint32_t at = 64; at <= 104; at += 8) /* every way in which two can lie */
            for (uint32_t len = 8; len <= 40; len += 8, id++) {
                keeps(protocols[i], id, 80, MORE, NULL, 16);
                if (at >= 96 || at + len <= 80) {
                    keeps(protocols[i], id, at, MORE, NULL, len);
                    continue;
                }
                if (at == 80 && len == 16) {
                    drops(FRAGMENT_DUPLICATE, protocols[i], id, at, MORE, NULL, len);
                    continue;
                }
                drops(FRAGMENT_OVERLAP, protocols[i], id, at, MORE, NULL, len);
                drops(FRAGMENT_REFUSED, protocols[i], id, 800, NO_MORE, NULL, len);
            }
        well();
    }
    counted(FRAGMENT_END, PROTOCOLS);
    end();
}

/* BAD: a last fragment that ends beyond 65,535 bytes (ping of death), alone and with the rest. */
static void beyond_the_largest_packet(void **state)
{
    (void)state;
    begin_hostile();
    for (unsigned i = 0; i < PROTOCOLS; i++) {
        for (uint32_t at = 0; at < 65120; at += 1480)
            keeps(protocols[i], 2, at, MORE, NULL, 1480);
        drops(FRAGMENT_TOO_LARGE, protocols[i], 2, 65120, MORE, NULL, 1480);
        drops(FRAGMENT_TOO_LARGE, protocols[i], 2, 65120, NO_MORE, NULL, 396);
        drops(FRAGMENT_TOO_LARGE, protocols[i], 2, 65528, NO_MORE, NULL, 1480);
        drops(FRAGMENT_TOO_LARGE, protocols[i], 3, 65528, NO_MORE, NULL, 8);
        drops(FRAGMENT_LENGTH, protocols[i], 3, 65528, MORE, NULL, 0);
    }
    well();
    end();
}

/* BAD: a first fragment too small for the ports, flags that come in the second (RFC 1858). */
static void tiny_first_fragments(void **state)
{
    struct kit_packet whole;

    (void)state;
    begin_hostile();
    whole = deadly(NULL, 0, 0);
    for (uint32_t first = 8; first <= 16; first += 8) {
        drops(FRAGMENT_TINY, IP_PROTO_TCP, 4, 0, MORE, whole.b + 20, first);
        drops(FRAGMENT_TINY, IP_PROTO_TCP, 4, first, NO_MORE, whole.b + 20 + first, 20 - first);
    }
    for (uint32_t first = 0; first < 8; first++) /* not even a multiple of 8 */
        drops(FRAGMENT_LENGTH, IP_PROTO_TCP, 5, 0, MORE, whole.b + 20, first);
    drops(FRAGMENT_LENGTH, IP_PROTO_TCP, 6, 0, MORE, whole.b + 20,
          20); /* whole, but for the mark */
    drops(FRAGMENT_TINY, IP_PROTO_TCP, 7, 8, NO_MORE, whole.b + 28, 12); /* RFC 3128 */
    drops(FRAGMENT_LENGTH, IP_PROTO_TCP, 8, 0, MORE | DF, whole.b + 20, 20);
    counted(FRAGMENT_BEGUN, 0);
    well();
    end();
}

/* BAD: two last fragments that disagree, the last before the first, the same one again. */
static void no_order(void **state)
{
    (void)state;
    begin_hostile();
    for (unsigned i = 0; i < PROTOCOLS; i++) {
        keeps(protocols[i], 9, 800, NO_MORE, NULL, 100);
        drops(FRAGMENT_END, protocols[i], 9, 400, NO_MORE, NULL, 100);
        drops(FRAGMENT_REFUSED, protocols[i], 9, 1600, NO_MORE, NULL, 100);
        drops(FRAGMENT_REFUSED, protocols[i], 9, 0, MORE, NULL, 400);
        drops(FRAGMENT_LENGTH, protocols[i], 10, 400, NO_MORE, NULL, 0);
        keeps(protocols[i], 10, 0, MORE, NULL, 400);
        drops(FRAGMENT_DUPLICATE, protocols[i], 10, 0, MORE, NULL, 400);
        well();
    }
    end();
}

/* BAD: 8,192 datagrams of which only the first half comes; one in thousands of pieces of 8. */
static void never_completed(void **state)
{
    (void)state;
    begin_hostile();
    for (unsigned id = 0; id < 8192; id++) {
        keeps(IP_PROTO_UDP, (uint16_t)id, 0, MORE, NULL, 1400);
        if (id % 512 == 0)
            well();
    }
    well();
    for (uint32_t at = 0; at < 65512; at += 8)
        keeps(IP_PROTO_UDP, 1, at, MORE, NULL, 8);
    drops(UDP_LENGTH, IP_PROTO_UDP, 1, 65512, NO_MORE, NULL, 3); /* whole, and worth nothing */
    well();
    counted(SEND_UNREACHABLE, 0);
    counted(SEND_TIME_EXCEEDED, 0);
    end();
}

/* BAD: fragments without the first one, and the first without the others: the latter are told. */
static void given_up_in_time(void **state)
{
    struct icmp_hdr icmp;

    (void)state;
    begin_hostile();
    keeps(IP_PROTO_UDP, 1, 1400, NO_MORE, NULL, 1400);
    keeps(IP_PROTO_UDP, 2, 0, MORE, NULL, 1400);
    drops(FRAGMENT_TINY, IP_PROTO_TCP, 3, 0, MORE, NULL, 16);
    rig.now += FRAGMENT_TIMEOUT - 1;
    stack_tick(rig.st, rig.now); /* what the honest connection sends meanwhile is not of interest */
    counted(FRAGMENT_EXPIRED, 0);
    rig.now += 1;
    stack_tick(rig.st, rig.now);
    counted(FRAGMENT_EXPIRED, 2);
    assert_true(rig_take());
    rig_reason("what is told", rig.why, REASON_SEND_TIME_EXCEEDED);
    rig_reason("it", icmp_parse(rig.data, rig.len, &icmp), REASON_NONE);
    assert_true(icmp.type == ICMP_TIME_EXCEEDED && icmp.code == ICMP_EXCEEDED_REASSEMBLY);
    assert_true(icmp.has_quote && icmp.quote.id == 2 && icmp.quote.mf);
    assert_int_equal(rig.st->fragments.partials.in_use, 0);
    counted(SEND_TIME_EXCEEDED, 1);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(overlapping),          cmocka_unit_test(beyond_the_largest_packet),
        cmocka_unit_test(tiny_first_fragments), cmocka_unit_test(no_order),
        cmocka_unit_test(never_completed),      cmocka_unit_test(given_up_in_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
