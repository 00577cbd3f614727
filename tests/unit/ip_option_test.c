/* IP options: where they stand, source routes there and back, and what an echo takes over. */
#include "wire/ip.h"
#include "wire_check.h"

enum {
    SRC = 0x0a000007,
    DST = 0x0a000105,
    G1 = 0x0a000201,
    G2 = 0x0a000301,
    G3 = 0x0a000401,
};

/* Put options behind a header and parse it, as it arrives. */
static enum reason parse(const uint8_t *options, size_t len, struct ip_hdr *ret_ip)
{
    uint8_t padded[IPV4_OPTIONS_MAX] = {0}, b[IPV4_HEADER_MAX];
    struct ip_hdr ip = {.version = 4,
                        .ttl = 64,
                        .src = addr_v4(SRC),
                        .dst = addr_v4(DST),
                        .options = padded,
                        .options_len = (uint8_t)((len + 3) / 4 * 4)};
    size_t n;

    memcpy(padded, options, len);
    n = ip_build(b, &ip, 0);
    return ip_parse(exact_copy(b, n), n, ret_ip);
}

/* MUST-50: what is not known is stepped over, and what is behind it is found. */
static void test_places(void **state)
{
    static const uint8_t b[] = {1, 200, 3,  0, 130, 4, 0, 0, 7, 7, 4,   0, 0, 0,
                                0, 1,   68, 8, 5,   0, 0, 0, 0, 0, 131, 3, 4};
    struct ip_hdr ip;

    (void)state;
    expect_reason("options", parse(b, sizeof(b), &ip), REASON_NONE);
    assert_int_equal(ip.at.record, 9);
    assert_int_equal(ip.at.timestamp, 17);
    assert_int_equal(ip.at.route, 25);
    expect_reason("none", parse(b, 0, &ip), REASON_NONE);
    assert_true(!ip.at.record && !ip.at.timestamp && !ip.at.route);
}

struct route_step {
    const char *what;
    uint8_t b[16];
    size_t len;
    enum reason why; /* of the parser */
};

static void test_routes_that_make_no_sense(void **state)
{
    static const struct route_step steps[] = {
        {"empty", {131, 3, 4}, 3, REASON_NONE},
        {"not begun", {131, 7, 4, 10, 0, 0, 1}, 7, REASON_NONE},
        {"finished", {131, 7, 8, 10, 0, 0, 1}, 7, REASON_NONE},
        {"strict", {137, 7, 8, 10, 0, 0, 1}, 7, REASON_NONE},
        {"length 2", {131, 2}, 2, REASON_IP_ROUTE},
        {"length 4", {131, 4, 4, 0}, 4, REASON_IP_ROUTE},
        {"length 6", {131, 6, 4, 10, 0, 0}, 6, REASON_IP_ROUTE},
        {"length 8", {131, 8, 4, 10, 0, 0, 1, 0}, 8, REASON_IP_ROUTE},
        {"pointer 0", {131, 7, 0, 10, 0, 0, 1}, 7, REASON_IP_ROUTE},
        {"pointer 3", {131, 7, 3, 10, 0, 0, 1}, 7, REASON_IP_ROUTE},
        {"pointer 5", {131, 7, 5, 10, 0, 0, 1}, 7, REASON_IP_ROUTE},
        {"pointer 7", {131, 7, 7, 10, 0, 0, 1}, 7, REASON_IP_ROUTE},
        {"pointer two behind", {131, 7, 12, 10, 0, 0, 1}, 7, REASON_IP_ROUTE},
        {"pointer 255", {131, 7, 255, 10, 0, 0, 1}, 7, REASON_IP_ROUTE},
        {"two loose ones", {131, 3, 4, 131, 3, 4}, 6, REASON_IP_ROUTE},
        {"loose and strict", {131, 3, 4, 1, 137, 3, 4}, 7, REASON_IP_ROUTE},
        {"strict and loose", {137, 3, 4, 131, 3, 4}, 6, REASON_IP_ROUTE},
        {"cut short", {131, 11, 4, 10, 0, 0, 1, 10}, 8, REASON_IP_OPTION},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        struct ip_hdr ip;

        expect_reason(steps[i].what, parse(steps[i].b, steps[i].len, &ip), steps[i].why);
        if (!steps[i].why)
            assert_int_equal(ip.at.route, 1);
    }
}

static void put_route(uint8_t b[16], uint8_t kind, uint8_t hops, uint8_t pointer, uint32_t h0,
                      uint32_t h1, uint32_t h2)
{
    memset(b, 0, 16);
    b[0] = kind;
    b[1] = (uint8_t)(3 + 4 * hops);
    b[2] = pointer;
    put32(b + 3, h0);
    put32(b + 7, h1);
    put32(b + 11, h2);
}

/*
 * RFC 1122 3.2.1.8c-c: the way back is the way that was recorded, from its end (RFC 1122
 * 3.2.1.8c).
 */
static void test_the_way_back(void **state)
{
    struct ip_route back = {.hops = 5};
    struct ip_hdr ip;
    uint8_t b[16];

    (void)state;
    put_route(b, IP_OPT_STRICT_ROUTE, 3, 16, G1, G2, G3);
    expect_reason("parse", parse(b, 15, &ip), REASON_NONE);
    expect_reason("back", ip_route_back(&ip, &back), REASON_NONE);
    assert_true(back.strict && back.hops == 3);
    assert_true(back.hop[0] == G3 && back.hop[1] == G2 && back.hop[2] == G1);
    /* case B: the sender wrote itself in front */
    put_route(b, IP_OPT_LOOSE_ROUTE, 3, 16, SRC, G2, G3);
    parse(b, 15, &ip);
    expect_reason("back", ip_route_back(&ip, &back), REASON_NONE);
    assert_true(!back.strict && back.hops == 2);
    assert_true(back.hop[0] == G3 && back.hop[1] == G2);
    /* it goes on from here, at the first hop and at the last */
    for (uint8_t pointer = 4; pointer < 16; pointer = (uint8_t)(pointer + 4)) {
        put_route(b, IP_OPT_LOOSE_ROUTE, 3, pointer, G1, G2, G3);
        parse(b, 15, &ip);
        expect_reason("unfinished", ip_route_back(&ip, &back), REASON_IP_ROUTE_UNFINISHED);
        assert_int_equal(back.hops, 2);
        assert_int_equal(get32(ip_route_end(&ip).b + 12), G3);
    }
    put_route(b, IP_OPT_LOOSE_ROUTE, 0, 4, 0, 0, 0);
    parse(b, 3, &ip);
    expect_reason("empty", ip_route_back(&ip, &back), REASON_NONE);
    assert_int_equal(back.hops, 0);
    parse(b, 0, &ip);
    expect_reason("none", ip_route_back(&ip, &back), REASON_NONE);
    assert_int_equal(back.hops, 0);
    assert_int_equal(get32(ip_route_end(&ip).b + 12), DST);
}

/*
 * RFC 1122 3.2.1.8c-d: what is sent is what the parser reads, for every number of hops; the end is
 * the last entry.
 */
static void test_routes_are_built(void **state)
{
    struct addr end = addr_v4(DST), first;

    (void)state;
    for (uint8_t hops = 1; hops <= IP_ROUTE_HOPS_MAX; hops++) {
        struct ip_route r = {.hops = hops, .strict = hops % 2};
        struct ip_options o = {.len = 0};
        struct ip_hdr ip;

        for (uint8_t i = 0; i < hops; i++)
            r.hop[i] = G1 + i;
        first = ip_options_route(&o, &r, &end);
        assert_int_equal(addr_v4_value(&first), G1);
        ip_options_end(&o);
        assert_int_equal(o.len, ip_route_len(&r));
        assert_int_equal(o.len, 4 + 4 * hops);
        expect_reason("built", parse(o.b, o.len, &ip), REASON_NONE);
        assert_int_equal(o.b[0], hops % 2 ? IP_OPT_STRICT_ROUTE : IP_OPT_LOOSE_ROUTE);
        assert_int_equal(o.b[2], 4);
        for (uint8_t i = 1; i < hops; i++)
            assert_int_equal(get32(o.b + 4 * i - 1), G1 + i);
        assert_int_equal(get32(o.b + 4 * hops - 1), DST);
        assert_int_equal(get32(ip_route_end(&ip).b + 12), DST);
    }
}

/* The option that the answer to a request with this option has; its length. */
static size_t reflected(const uint8_t *b, size_t len, uint8_t out[IPV4_OPTIONS_MAX])
{
    struct ip_options o = {.len = 0};
    struct ip_hdr ip;

    expect_reason("request", parse(b, len, &ip), REASON_NONE);
    ip_options_reflect(&o, &ip, 0x01020304);
    memcpy(out, o.b, IPV4_OPTIONS_MAX);
    return o.len;
}

/* MAY-11: our address in the next free place; a full one and a senseless one are let be. */
static void test_record_route(void **state)
{
    uint8_t b[16] = {7, 11, 8, 10, 0, 0, 1, 0, 0, 0, 0}, out[IPV4_OPTIONS_MAX];

    (void)state;
    assert_int_equal(reflected(b, 11, out), 11);
    assert_int_equal(out[2], 12);
    assert_int_equal(get32(out + 3), 0x0a000001);
    assert_int_equal(get32(out + 7), DST);
    b[2] = 12; /* full */
    assert_int_equal(reflected(b, 11, out), 11);
    assert_memory_equal(out, b, 11);
    b[2] = 9; /* the next place is not all there */
    assert_int_equal(reflected(b, 11, out), 11);
    assert_memory_equal(out, b, 11);
    b[2] = 255;
    assert_int_equal(reflected(b, 11, out), 11);
    b[2] = 3;
    assert_int_equal(reflected(b, 11, out), 0);
    b[1] = 2;
    assert_int_equal(reflected(b, 2, out), 0);
}

/* MAY-10: a time, with our address or without, or only where we were asked for it. */
static void test_timestamp(void **state)
{
    uint8_t b[16] = {68, 12, 9, 0, 1, 2, 3, 4, 0, 0, 0, 0}, out[IPV4_OPTIONS_MAX];

    (void)state;
    assert_int_equal(reflected(b, 12, out), 12);
    assert_int_equal(out[2], 13);
    assert_int_equal(get32(out + 4), 0x01020304);
    assert_int_equal(get32(out + 8), 0x81020304); /* not counted from midnight */
    b[2] = 13;                                    /* full: counted, up to 15 */
    assert_int_equal(reflected(b, 12, out), 12);
    assert_int_equal(out[3], 0x10);
    b[2] = 10; /* one byte too few */
    assert_int_equal(reflected(b, 12, out), 12);
    assert_int_equal(out[3], 0x10);
    b[3] = 0xf0;
    assert_int_equal(reflected(b, 12, out), 12);
    assert_memory_equal(out, b, 12);
    b[2] = 5;
    b[3] = 0x01; /* with addresses */
    assert_int_equal(reflected(b, 12, out), 12);
    assert_int_equal(out[2], 13);
    assert_int_equal(get32(out + 4), DST);
    assert_int_equal(get32(out + 8), 0x81020304);
    b[2] = 9; /* half a place */
    assert_int_equal(reflected(b, 12, out), 12);
    assert_int_equal(out[3], 0x11);
    b[2] = 5;
    b[3] = 0x03; /* asked of somebody else */
    put32(b + 4, G1);
    assert_int_equal(reflected(b, 12, out), 12);
    assert_memory_equal(out, b, 12);
    put32(b + 4, DST); /* of us */
    assert_int_equal(reflected(b, 12, out), 12);
    assert_int_equal(out[2], 13);
    assert_int_equal(get32(out + 8), 0x81020304);
    b[3] = 0x02; /* no such flag */
    assert_int_equal(reflected(b, 12, out), 12);
    assert_memory_equal(out, b, 12);
    b[2] = 4;
    assert_int_equal(reflected(b, 12, out), 0);
    b[1] = 3;
    assert_int_equal(reflected(b, 3, out), 0);
}

/* Whatever the options are, nobody reads beyond them, and what is built fits. */
static void test_random_options(void **state)
{
    uint64_t rng = 11;

    (void)state;
    for (int round = 0; round < MUTATIONS; round++) {
        static const uint8_t kinds[] = {0, 1, 7, 68, 131, 137, 200};
        uint8_t b[IPV4_OPTIONS_MAX];
        size_t len = 4 * (size_t)random_below(&rng, 11), i = 0;
        struct ip_options o = {.len = 0};
        struct addr end = addr_v4(SRC);
        struct ip_route back;
        struct ip_hdr ip;

        random_fill(&rng, b, len);
        while (i + 3 < len) {
            b[i] = kinds[random_below(&rng, sizeof(kinds))];
            b[i + 1] = (uint8_t)(3 + 4 * random_below(&rng, 4));
            b[i + 2] = (uint8_t)(4 * random_below(&rng, 6));
            i += b[i] < 2 ? 1 : b[i + 1];
        }
        if (parse(b, len, &ip) != REASON_NONE)
            continue;
        (void)ip_route_end(&ip);
        if (ip_route_back(&ip, &back) == REASON_NONE && back.hops)
            (void)ip_options_route(&o, &back, &end);
        ip_options_reflect(&o, &ip, 1);
        ip_options_end(&o);
        assert_true(o.len <= IPV4_OPTIONS_MAX && o.len % 4 == 0);
        if (o.len)
            expect_reason("reflected", parse(o.b, o.len, &ip), REASON_NONE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_places),         cmocka_unit_test(test_routes_that_make_no_sense),
        cmocka_unit_test(test_the_way_back),   cmocka_unit_test(test_routes_are_built),
        cmocka_unit_test(test_record_route),   cmocka_unit_test(test_timestamp),
        cmocka_unit_test(test_random_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
