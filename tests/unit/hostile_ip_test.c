/*
 * Broken and hostile IPv4 packets at a node: lengths, options, addresses, tunnels. Where a packet
 * can be, it is a reset that would end the honest connection if it were read wrongly.
 */
#include "hostile_kit.h"

/* One of each kind that a node reads; each does something if it is whole. */
static struct kit_packet sample(unsigned kind)
{
    switch (kind) {
    case 0:
        return icmp_to_node(ICMP_ECHO, 0, 1, "0123456789", 10);
    case 1:
        return kit_udp(5000, 6000, "0123456789", 10);
    case 2:
        return kit_tcp((struct kit_tcp){.flags = SYN, .opt = "\x02\x04\x05\xb4", .opt_len = 4});
    default:
        return deadly(NULL, 0, 0);
    }
}

enum { SAMPLES = 4 };

/* BAD: packets of 0 to 19 bytes, and a total length beyond the packet: each kind cut everywhere. */
static void cut_everywhere(void **state)
{
    (void)state;
    begin_hostile();
    for (unsigned kind = 0; kind < SAMPLES; kind++) {
        struct kit_packet good = sample(kind);

        for (uint32_t len = 0; len < good.len; len++) {
            struct kit_packet p = good;

            p.len = len;
            strike(&p, len < 20 ? REASON_IP_EMPTY : REASON_IP_TOTAL_LENGTH);
        }
        still_well();
    }
    end();
}

/* BAD: every version, every header length, total lengths under the header, behind the packet.
 * RFC 1122 3.2.1.1-a. */
static void impossible_headers(void **state)
{
    (void)state;
    begin_hostile();
    for (unsigned first = 0; first < 256; first++) {
        struct kit_packet p = deadly(NULL, 0, 0);
        unsigned version = first >> 4, words = first & 15;

        p.b[0] = (uint8_t)first;
        if (version == 4 && words >= 5 && words <= 10)
            continue; /* that may be */
        kit_ip4_fix(&p);
        strike(&p, version == 6   ? REASON_IP_TOTAL_LENGTH
                   : version != 4 ? REASON_IP_VERSION
                                  : REASON_IP_HEADER_LENGTH);
    }
    for (unsigned total = 0; total < 65536; total += total < 60 ? 1 : 997) {
        struct kit_packet p = deadly(NULL, 0, 0);

        if (total >= 20 && total <= p.len)
            continue;
        put16(p.b + 2, (uint16_t)total);
        kit_ip4_fix(&p);
        strike(&p, REASON_IP_TOTAL_LENGTH);
    }
    still_well();
    end();
}

/* BAD: bytes behind the total length are not of the packet, even where they look like one. */
static void bytes_behind_the_packet(void **state)
{
    struct kit_packet p, behind;

    (void)state;
    begin_hostile();
    p = icmp_to_node(ICMP_ECHO, 0, 1, NULL, 0);
    behind = deadly(NULL, 0, 0);
    memcpy(p.b + p.len, behind.b, behind.len);
    p.len += behind.len;
    strike(&p, REASON_NONE);
    assert_int_equal(hostile_answers(1), 1);
    assert_int_equal(rig.len, 8); /* nor do they come back */
    still_well();
    end();
}

/* BAD: a wrong header checksum, with each single bit of the header wrong; a TTL of 0.
 * RFC 1122 3.1-c, 3.2.1.2-a. */
static void damaged_headers(void **state)
{
    (void)state;
    begin_hostile();
    for (unsigned bit = 8; bit < 160; bit++) { /* the first byte is in impossible_headers */
        struct kit_packet p = deadly(NULL, 0, 0);

        p.b[bit / 8] ^= (uint8_t)(1 << bit % 8);
        if (bit / 8 == 2 || bit / 8 == 3)
            strike(&p, get16(p.b + 2) < 20 || get16(p.b + 2) > p.len ? REASON_IP_TOTAL_LENGTH
                                                                     : REASON_IP_CHECKSUM);
        else
            strike(&p, REASON_IP_CHECKSUM);
    }
    still_well();
    end();
}

/* ---- options ---- */

/* The packet with these bytes of IP options, a multiple of 4. */
static struct kit_packet with_options(struct kit_packet p, const void *opt, uint32_t len)
{
    memmove(p.b + 20 + len, p.b + 20, p.len - 20);
    memcpy(p.b + 20, opt, len);
    p.len += len;
    p.b[0] = (uint8_t)(0x45 + len / 4);
    put16(p.b + 2, (uint16_t)p.len);
    kit_ip4_fix(&p);
    return p;
}

/* BAD: options of length 0, 1 and overrunning; source routes, together and cut short. */
static void broken_options(void **state)
{
    static const struct {
        const char *what;
        uint8_t opt[8];
        enum reason why;
    } cases[] = {
        {"length 0", {7, 0, 4, 0}, REASON_IP_OPTION},
        {"length 1", {7, 1, 4, 0}, REASON_IP_OPTION},
        {"overrunning by one", {7, 9, 4}, REASON_IP_OPTION},
        {"overrunning by all", {7, 255, 4}, REASON_IP_OPTION},
        {"a kind as the last byte", {1, 1, 1, 1, 1, 1, 1, 7}, REASON_IP_OPTION},
        {"overrunning behind a good one", {148, 4, 0, 0, 68, 5, 5, 0}, REASON_IP_OPTION},
        {"a loose route", {131, 7, 4, 10, 0, 0, 1, 0}, REASON_IP_SOURCE_ROUTE},
        {"a strict route", {137, 7, 4, 10, 0, 0, 1, 0}, REASON_IP_SOURCE_ROUTE},
        {"both", {131, 3, 4, 137, 3, 4, 0, 0}, REASON_IP_ROUTE},
        {"a route that was gone", {131, 7, 8, 10, 0, 0, 7}, REASON_IP_SOURCE_ROUTE},
        {"a route with a pointer of 0", {131, 7, 0, 10, 0, 0, 7}, REASON_IP_ROUTE},
        {"a route with half an address", {137, 5, 4, 10, 0, 0, 0, 0}, REASON_IP_ROUTE},
        {"a route cut short", {131, 11, 4, 10, 0, 0, 1, 10}, REASON_IP_OPTION},
        {"a route of length 1", {137, 1}, REASON_IP_OPTION},
        {"a route, then one cut short", {131, 3, 4, 137, 8, 4}, REASON_IP_OPTION},
    };

    unsigned told = 0;

    (void)state;
    begin_hostile();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        rig.what = cases[i].what;
        for (unsigned kind = 0; kind < SAMPLES; kind++) {
            struct kit_packet p = with_options(sample(kind), cases[i].opt, 8);

            strike(&p, cases[i].why);
            told += hostile_answers(1); /* what is wrong with it, so many in a second */
        }
        still_well();
    }
    counted(SEND_PARAM_PROBLEM, told - 2 * SAMPLES);
    counted(SEND_UNREACHABLE, 2 * SAMPLES); /* two routes lead on from here */
    end();
}

/* ---- IP in IP ---- */

/* BAD: IP in IP is refused before anybody looks at the inner lengths, whatever they say. */
static void tunnels(void **state)
{
    static const struct {
        const char *what;
        unsigned at;
        uint8_t value;
    } cases[] = {
        {"nothing wrong", 0, 0x45},         {"the inner total length is 0", 3, 0},
        {"is under its header", 3, 19},     {"is beyond the packet", 2, 0xff},
        {"an inner header of 15", 0, 0x4f}, {"an inner header of 0", 0, 0x40},
        {"inner version 6", 0, 0x65},       {"itself IP in IP", 9, 4},
    };

    (void)state;
    begin_hostile();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct kit_packet inner = deadly(NULL, 0, 0), p;

        rig.what = cases[i].what;
        inner.b[cases[i].at] = cases[i].value;
        kit_ip4_fix(&inner);
        for (uint32_t len = 0; len <= inner.len; len += 5) {
            p = kit_ip4(KIT_HOST, KIT_PEER, 4, inner.b, len);
            strike(&p, REASON_IP_PROTOCOL);
            if (hostile_answers(1) == 1) /* "protocol unreachable", so many in a second */
                expect_why(REASON_SEND_UNREACHABLE);
        }
        still_well();
    }
    counted(SEND_UNREACHABLE, 8 * 9);
    end();
}

/* ---- addresses ---- */

/* BAD: from ourselves, from no single host, to somebody else: no kind of packet gets an answer.
 * RFC 1122 3.2.1.3-c, 3.2.1.3-d, 3.2.2-j, 4.1.3.6-a. */
static void impossible_addresses(void **state)
{
    static const struct {
        uint32_t src, dst;
        enum reason why;
    } cases[] = {
        {KIT_PEER, KIT_PEER, REASON_IP_LAND},        {0x00000000, KIT_PEER, REASON_IP_SOURCE},
        {0xffffffff, KIT_PEER, REASON_IP_SOURCE},    {0x0a0001ff, KIT_PEER, REASON_IP_SOURCE},
        {0xe0000001, KIT_PEER, REASON_IP_SOURCE},    {0xefffffff, KIT_PEER, REASON_IP_SOURCE},
        {0x7f000001, KIT_PEER, REASON_IP_SOURCE},    {0xf0000001, KIT_PEER, REASON_IP_SOURCE},
        {KIT_HOST, KIT_HOST, REASON_IP_NOT_OURS},    {KIT_HOST, 0x0a000106, REASON_IP_NOT_OURS},
        {KIT_HOST, 0x0a0001ff, REASON_IP_BROADCAST}, {KIT_HOST, 0xffffffff, REASON_IP_BROADCAST},
        {KIT_HOST, 0xe0000001, REASON_IP_BROADCAST}, {KIT_HOST, 0x7f000001, REASON_IP_BROADCAST},
    };

    (void)state;
    begin_hostile();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (unsigned kind = 0; kind < SAMPLES; kind++) {
            struct kit_packet p = sample(kind);

            put32(p.b + 12, cases[i].src);
            put32(p.b + 16, cases[i].dst);
            kit_ip4_fix(&p);
            if (kind == 1)
                kit_l4_fix(&p, 6);
            if (kind > 1)
                kit_l4_fix(&p, 16);
            strike(&p, cases[i].why);
            expect_nothing();
        }
        still_well();
    }
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cut_everywhere),          cmocka_unit_test(impossible_headers),
        cmocka_unit_test(bytes_behind_the_packet), cmocka_unit_test(damaged_headers),
        cmocka_unit_test(broken_options),          cmocka_unit_test(tunnels),
        cmocka_unit_test(impossible_addresses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
