/*
 * Fragments, as attackers send them. A node does not put packets together yet: each fragment is
 * dropped and counted as it comes, whatever it would have become, and nothing of it is kept.
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

/* Dropped, counted, and nobody is told. */
static void rig_fragment(uint8_t proto, uint16_t id, uint32_t at, uint16_t flags, const void *data,
                         uint32_t len)
{
    struct kit_packet p = fragment(proto, id, at, flags, data, len);
    uint32_t cells, small, bufs;

    rig_strike(&p, REASON_IP_FRAGMENT);
    rig_expect_nothing();
    hostile_memory(&cells, &small, &bufs);
    rig_same("cells in use", cells, hostile.cells);
    rig_same("small bufs in use", small, hostile.small);
    rig_same("the device's bufs in use", bufs, hostile.bufs);
}

#define send_fragment(...) AT(rig_fragment(__VA_ARGS__))

static const uint8_t protocols[] = {IP_PROTO_ICMP, IP_PROTO_TCP, IP_PROTO_UDP, 4, 255};

enum { PROTOCOLS = sizeof(protocols) };

/* BAD: the second fragment begins inside the first one and ends before its end (teardrop). */
static void overlapping(void **state)
{
    (void)state;
    begin_hostile();
    for (unsigned i = 0; i < PROTOCOLS; i++) {
        send_fragment(protocols[i], 1, 0, MORE, NULL, 40);
        send_fragment(protocols[i], 1, 24, NO_MORE, NULL, 4);
        for (uint32_t at = 0; at <= 40; at += 8) /* every way in which two can lie */
            for (uint32_t len = 8; len <= 40; len += 8) {
                send_fragment(protocols[i], (uint16_t)(at + len), 16, MORE, NULL, 16);
                send_fragment(protocols[i], (uint16_t)(at + len), at, at ? NO_MORE : MORE, NULL,
                              len);
            }
        still_well();
    }
    counted(IP_FRAGMENT, PROTOCOLS * (2 + 6 * 5 * 2));
    end();
}

/* BAD: a last fragment that ends beyond 65,535 bytes (ping of death), alone and with the rest. */
static void beyond_the_largest_packet(void **state)
{
    (void)state;
    begin_hostile();
    for (unsigned i = 0; i < PROTOCOLS; i++) {
        for (uint32_t at = 0; at < 65536; at += 1480)
            send_fragment(protocols[i], 2, at, MORE, NULL, 1480);
        send_fragment(protocols[i], 2, 65528, NO_MORE, NULL, 1480);
        send_fragment(protocols[i], 3, 65528, NO_MORE, NULL, 8);
        send_fragment(protocols[i], 3, 65528, MORE, NULL, 0);
    }
    still_well();
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
        send_fragment(IP_PROTO_TCP, 4, 0, MORE, whole.b + 20, first);
        send_fragment(IP_PROTO_TCP, 4, first, NO_MORE, whole.b + 20 + first, 20 - first);
    }
    for (uint32_t first = 0; first < 8; first++) /* not even a multiple of 8 */
        send_fragment(IP_PROTO_TCP, 5, 0, MORE, whole.b + 20, first);
    send_fragment(IP_PROTO_TCP, 6, 0, MORE, whole.b + 20, 20);    /* whole, but for the mark */
    send_fragment(IP_PROTO_TCP, 7, 8, NO_MORE, whole.b + 28, 12); /* RFC 3128 */
    send_fragment(IP_PROTO_TCP, 8, 0, MORE | DF, whole.b + 20, 20);
    still_well();
    end();
}

/* BAD: two last fragments that disagree, the last before the first, the same one again. */
static void no_order(void **state)
{
    (void)state;
    begin_hostile();
    for (unsigned i = 0; i < PROTOCOLS; i++) {
        send_fragment(protocols[i], 9, 800, NO_MORE, NULL, 100);
        send_fragment(protocols[i], 9, 400, NO_MORE, NULL, 100);
        send_fragment(protocols[i], 9, 1600, NO_MORE, NULL, 100);
        send_fragment(protocols[i], 9, 0, MORE, NULL, 400);
        send_fragment(protocols[i], 10, 400, NO_MORE, NULL, 0);
        send_fragment(protocols[i], 10, 0, MORE, NULL, 400);
        send_fragment(protocols[i], 10, 0, MORE, NULL, 400);
        still_well();
    }
    end();
}

/* BAD: 2,000 datagrams of which only the first half comes; one in thousands of pieces of 8. */
static void never_completed(void **state)
{
    (void)state;
    begin_hostile();
    for (unsigned id = 0; id < 2000; id++)
        send_fragment(IP_PROTO_UDP, (uint16_t)id, 0, MORE, NULL, 1400);
    still_well();
    for (uint32_t at = 0; at < 65512; at += 8)
        send_fragment(IP_PROTO_UDP, 1, at, MORE, NULL, 8);
    send_fragment(IP_PROTO_UDP, 1, 65512, NO_MORE, NULL, 3);
    still_well();
    counted(IP_FRAGMENT, 2000 + 8189 + 1);
    counted(SEND_UNREACHABLE, 0);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(overlapping),          cmocka_unit_test(beyond_the_largest_packet),
        cmocka_unit_test(tiny_first_fragments), cmocka_unit_test(no_order),
        cmocka_unit_test(never_completed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
