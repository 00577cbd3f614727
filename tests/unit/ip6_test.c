/* The IPv6 header and its extension headers: what is refused and why; there and back again. */
#include "packet6_kit.h"
#include "wire/ip.h"
#include "wire_check.h"

/* Parse an exact copy; if it fails, the result must be as it was. */
static enum reason parse(const struct kit_packet *p, struct ip_hdr *ret_ip)
{
    enum reason why;

    memset(ret_ip, UNTOUCHED, sizeof(*ret_ip));
    why = ip_parse(exact_copy(p->b, p->len), p->len, ret_ip);
    if (why != REASON_NONE)
        expect_untouched("refused", ret_ip, sizeof(*ret_ip));
    return why;
}

static struct kit_packet datagram(void)
{
    return kit6_udp(KIT6_HOST, KIT6_PEER, 5000, 9, "hello", 5);
}

/* [RFC 8200 3]
 * RFC 8200 3-a, 3-b, RFC 8504 5.1-a. */
static void rfc8200_3_a_plain_header_is_read(void **state)
{
    struct kit_packet p = datagram();
    struct addr src = KIT6_HOST, dst = KIT6_PEER;
    struct ip_hdr ip;

    (void)state;
    put32(p.b, 0x6b9abcde); /* traffic class b9, flow label abcde */
    expect_reason("plain", parse(&p, &ip), REASON_NONE);
    assert_true(addr_eq(&ip.src, &src) && addr_eq(&ip.dst, &dst));
    assert_int_equal(ip.version, 6);
    assert_int_equal(ip.tos, 0xb9);
    assert_int_equal(ip.flow, 0xabcde);
    assert_int_equal(ip.ttl, 64);
    assert_int_equal(ip.proto, IP_PROTO_UDP);
    assert_int_equal(ip.proto_at, 6);
    assert_int_equal(ip.header_len, 40);
    assert_int_equal(ip.total_len, 53);
    assert_true(ip.df && !ip_is_fragment(&ip) && ip.frag_at == 0);
    p.b[7] = 0; /* a packet's end does not ask for hops that are left */
    expect_reason("hop limit 0", parse(&p, &ip), REASON_NONE);
}

static void test_every_shorter_packet_has_a_reason(void **state)
{
    struct kit_packet p = datagram();
    struct ip_hdr ip;

    (void)state;
    for (p.len = 1; p.len < 53; p.len++)
        expect_reason("cut", parse(&p, &ip), p.len < 40 ? REASON_IP_EMPTY : REASON_IP_TOTAL_LENGTH);
    p.len = 57; /* behind the payload length there may be anything */
    expect_reason("padded", parse(&p, &ip), REASON_NONE);
    assert_int_equal(ip.total_len, 53);
}

/* [RFC 4291 2.5.5.2]: above the wire such an address would be taken for one of IPv4. */
static void rfc4291_2_5_5_2_mapped_addresses_are_refused(void **state)
{
    struct addr mapped = addr_v4(0x0a000007), host = KIT6_HOST;
    struct kit_packet p = datagram();
    struct ip_hdr ip;

    (void)state;
    memcpy(p.b + 8, mapped.b, 16);
    expect_reason("source", parse(&p, &ip), REASON_IP6_MAPPED);
    assert_false(ip_parse_quote(p.b, p.len, &ip));
    memcpy(p.b + 8, host.b, 16);
    memcpy(p.b + 24, mapped.b, 16);
    expect_reason("destination", parse(&p, &ip), REASON_IP6_MAPPED);
    assert_false(ip_parse_quote(p.b, p.len, &ip));
}

/* ---- extension headers ---- */

#define EXT(...) {__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})

/* One header in front of a datagram, what becomes of it, and what is owed. */
struct ext_step {
    const char *what;
    uint8_t next, b[24];
    uint32_t len;
    enum reason want;
    int code; /* of the parameter problem, or -1 */
    uint32_t pointer;
    bool multicast_too;
};

static void check_step(const struct ext_step *s)
{
    struct kit_packet p = datagram();
    struct ip_problem owed;
    struct ip_hdr ip;

    kit6_insert(&p, s->next, s->b, s->len);
    expect_reason(s->what, parse(&p, &ip), s->want);
    if (s->want == REASON_NONE) {
        assert_int_equal(ip.proto, IP_PROTO_UDP);
        assert_int_equal(ip.proto_at, 40);
        assert_int_equal(ip.header_len, 40 + s->len);
        return;
    }
    owed = ip_problem(exact_copy(p.b, p.len), p.len, &ip);
    expect_number(s->what, owed.owed, s->code >= 0);
    if (s->code < 0)
        return;
    expect_number(s->what, owed.code, (uint64_t)s->code);
    expect_number(s->what, owed.pointer, s->pointer);
    expect_number(s->what, owed.multicast_too, s->multicast_too);
    assert_int_equal(ip.total_len, p.len);
}

/* [RFC 8200 4.2]: the two highest bits of an option that nobody knows say what is to be done.
 * RFC 8200 4.2-a, 4.2-b, 4.2-c, RFC 8504 5.3-a. */
static void rfc8200_4_2_options(void **state)
{
    static const struct ext_step steps[] = {
        {"padding", 60, EXT(0, 0, 1, 4, 0, 0, 0, 0), REASON_NONE, -1, 0, false},
        {"single bytes of padding", 60, EXT(0, 0, 0, 0, 0, 0, 0, 0), REASON_NONE, -1, 0, false},
        {"router alert", 0, EXT(0, 0, 5, 2, 0, 0, 1, 0), REASON_NONE, -1, 0, false},
        {"00: skip", 60, EXT(0, 0, 0x3e, 4, 0, 0, 0, 0), REASON_NONE, -1, 0, false},
        {"01: drop", 60, EXT(0, 0, 0x7e, 4, 0, 0, 0, 0), REASON_IP6_OPTION, -1, 0, false},
        {"10: tell", 60, EXT(0, 0, 0xbe, 4, 0, 0, 0, 0), REASON_IP6_OPTION, 2, 42, true},
        {"11: tell one", 60, EXT(0, 0, 0xfe, 4, 0, 0, 0, 0), REASON_IP6_OPTION, 2, 42, false},
        {"jumbo payload", 0, EXT(0, 0, 0xc2, 4, 0, 1, 0, 0), REASON_IP6_OPTION, 2, 42, false},
        {"behind padding", 0, EXT(0, 0, 1, 0, 0, 0xbe, 1, 0), REASON_IP6_OPTION, 2, 45, true},
        {"beyond the header", 60, EXT(0, 0, 1, 5, 0, 0, 0, 0), REASON_IP6_OPTION_LENGTH, -1, 0,
         false},
        {"without a length", 60, EXT(0, 0, 1, 3, 0, 0, 0, 1), REASON_IP6_OPTION_LENGTH, -1, 0,
         false},
        {"eight options", 60,
         EXT(0, 2, 2, 0, 2, 0, 2, 0, 2, 0, 2, 0, 2, 0, 2, 0, 2, 0, 1, 4, 0, 0, 0, 0), REASON_NONE,
         -1, 0, false},
        {"nine options", 60,
         EXT(0, 2, 2, 0, 2, 0, 2, 0, 2, 0, 2, 0, 2, 0, 2, 0, 2, 0, 2, 0, 0, 0, 0, 0),
         REASON_IP6_OPTION_LENGTH, -1, 0, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
        check_step(&steps[i]);
}

/* [RFC 8200 4.4], [RFC 5095 3]: passed where the way ends, never followed.
 * RFC 8200 4.4-a, 4.4-b, RFC 8504 5.2-b. */
static void rfc5095_3_routing(void **state)
{
    static const struct ext_step steps[] = {
        {"type 0, nothing left", 43, EXT(0, 0, 0, 0, 0, 0, 0, 0), REASON_NONE, -1, 0, false},
        {"type 0, one left", 43,
         EXT(0, 2, 0, 1, 0, 0, 0, 0, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9),
         REASON_IP6_ROUTING, 0, 42, false},
        {"type 253, nothing left", 43, EXT(0, 0, 253, 0, 0, 0, 0, 0), REASON_NONE, -1, 0, false},
        {"type 253, one left", 43, EXT(0, 0, 253, 1, 0, 0, 0, 0), REASON_IP6_ROUTING, 0, 42, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
        check_step(&steps[i]);
}

/* [RFC 8200 4.1]: any order, any number up to a limit, but hop-by-hop options first or not.
 * RFC 8200 4-a, 4-b, 4.1-a, RFC 8504 5.3-a. */
static void rfc8200_4_1_order(void **state)
{
    static const uint8_t pad[8] = {0, 0, 1, 4}, atomic[8] = {0}, ended[8] = {0, 0, 77, 0};
    static const struct {
        uint8_t kind;
        const uint8_t *b;
    } any[] = {{60, pad}, {43, ended}, {44, atomic}};
    struct kit_packet p = datagram();
    struct ip_problem owed;
    struct ip_hdr ip;

    (void)state;
    for (unsigned n = 1; n <= 9; n++) {
        kit6_insert(&p, 60, pad, 8);
        expect_reason("in a row", parse(&p, &ip), n <= 8 ? REASON_NONE : REASON_IP6_CHAIN);
    }
    p = datagram();
    kit6_insert(&p, 60, pad, 8);
    kit6_insert(&p, 44, atomic, 8);
    kit6_insert(&p, 43, ended, 8);
    kit6_insert(&p, 60, pad, 8);
    kit6_insert(&p, 0, pad, 8);
    expect_reason("in the usual order", parse(&p, &ip), REASON_NONE);
    assert_int_equal(ip.header_len, 80);
    assert_int_equal(ip.proto_at, 72);
    for (unsigned n = 0; n < 81; n++) { /* four in a row, of three kinds, but for one fragment */
        unsigned atomics = 0;

        p = datagram();
        for (unsigned i = 0, k = n; i < 4; i++, k /= 3) {
            kit6_insert(&p, any[k % 3].kind, any[k % 3].b, 8);
            atomics += k % 3 == 2;
        }
        expect_reason("any order", parse(&p, &ip), atomics > 1 ? REASON_IP6_CHAIN : REASON_NONE);
    }
    p = datagram();
    kit6_insert(&p, 0, pad, 8);
    kit6_insert(&p, 60, pad, 8);
    expect_reason("hop-by-hop second", parse(&p, &ip), REASON_IP6_HOP_BY_HOP);
    owed = ip_problem(p.b, p.len, &ip);
    assert_true(owed.owed && owed.code == 1 && owed.pointer == 40);
    p = datagram();
    p.b[6] = 60; /* the datagram's ports pass for a header of 19 * 8 bytes */
    expect_reason("longer than the packet", parse(&p, &ip), REASON_IP6_CHAIN);
    assert_false(ip_problem(p.b, p.len, &ip).owed);
    put16(p.b + 4, 7);
    expect_reason("seven bytes", parse(&p, &ip), REASON_IP6_CHAIN);
}

/* ---- fragments ---- */

static struct kit_packet fragment(uint16_t off, bool mf, const void *body, uint32_t len)
{
    uint8_t ext[8] = {0};
    struct kit_packet p = kit6(KIT6_HOST, KIT6_PEER, 17, body, len);

    put16(ext + 2, (uint16_t)(off | mf));
    put32(ext + 4, 0x12345678);
    kit6_insert(&p, 44, ext, 8);
    return p;
}

/* [RFC 8200 4.5] */
static void rfc8200_4_5_fragments_are_read(void **state)
{
    static const uint8_t pad[8] = {0, 0, 1, 4};
    struct kit_packet p = fragment(1480, true, NULL, 8);
    struct ip_hdr ip;

    (void)state;
    kit6_insert(&p, 60, pad, 8);
    expect_reason("a middle one", parse(&p, &ip), REASON_NONE);
    assert_true(ip_is_fragment(&ip) && ip.mf);
    assert_int_equal(ip.frag_off, 1480);
    assert_int_equal(ip.frag_at, 48);
    assert_int_equal(ip.id, 0x12345678);
    assert_int_equal(ip.proto, 17);
    assert_int_equal(ip.header_len, 56);
    p = fragment(65528, false, NULL, 1);
    expect_reason("the last possible", parse(&p, &ip), REASON_NONE);
    assert_int_equal(ip.frag_off, 65528);
    p = fragment(8, false, NULL, 8);
    p.b[43] = 0x0e; /* the two reserved bits */
    expect_reason("reserved bits", parse(&p, &ip), REASON_NONE);
    assert_int_equal(ip.frag_off, 8);
    assert_false(ip.mf);
}

/* BAD: the first fragment of a fragment, which would pass for a whole packet once it is put
 * together, behind other headers or not. */
static void fragments_of_fragments(void **state)
{
    static const uint8_t first[8] = {0, 0, 0, 1, 1, 2, 3, 4}, middle[8] = {0, 0, 5, 0x28},
                         atomic[8] = {0}, pad[8] = {0, 0, 1, 4};
    const uint8_t *inner[] = {first, middle, atomic};
    struct ip_hdr ip;

    (void)state;
    for (unsigned i = 0; i < 6; i++) {
        struct kit_packet p = datagram();

        kit6_insert(&p, 44, inner[i % 3], 8);
        if (i >= 3)
            kit6_insert(&p, 60, pad, 8);
        kit6_insert(&p, 44, first, 8);
        expect_reason("a fragment of a fragment", parse(&p, &ip), REASON_IP6_CHAIN);
        assert_false(ip_problem(p.b, p.len, &ip).owed);
    }
}

/* [RFC 6946 4]: the whole packet in one fragment is none. */
static void rfc6946_4_atomic_fragments(void **state)
{
    static const uint8_t ext[8] = {0, 0, 0, 0, 1, 2, 3, 4};
    struct kit_packet p = datagram();
    struct ip_hdr ip;

    (void)state;
    kit6_insert(&p, 44, ext, 8);
    expect_reason("atomic", parse(&p, &ip), REASON_NONE);
    assert_false(ip_is_fragment(&ip));
    assert_int_equal(ip.proto, 17);
    assert_int_equal(ip.header_len, 48);
    kit6_insert(&p, 44, ext, 8);
    expect_reason("two of them", parse(&p, &ip), REASON_IP6_CHAIN);
}

/* [RFC 7112 5]: all headers are in the first fragment.
 * RFC 8200 4.5-k. */
static void rfc7112_5_headers_in_the_first_fragment(void **state)
{
    static const uint8_t pad[16] = {17, 0, 1, 4, 0, 0, 0, 0, 0x13, 0x88, 0, 9};
    struct kit_packet p;
    struct ip_problem owed;
    struct ip_hdr ip;

    (void)state;
    p = fragment(0, true, NULL, 8);
    expect_reason("8 bytes of UDP", parse(&p, &ip), REASON_NONE);
    assert_int_equal(ip.header_len, 48);
    p = fragment(0, true, pad, 16);
    p.b[40] = 60;
    expect_reason("options, and 8 bytes of UDP", parse(&p, &ip), REASON_NONE);
    assert_int_equal(ip.proto, 60); /* what is put together begins here */
    assert_int_equal(ip.header_len, 48);
    p.b[40 + 8 + 2] = 0xfe;
    expect_reason("an option is judged in the whole", parse(&p, &ip), REASON_NONE);
    p = fragment(0, true, pad, 8);
    p.b[40] = 60;
    expect_reason("options, and nothing of UDP", parse(&p, &ip), REASON_IP6_FIRST_FRAGMENT);
    owed = ip_problem(p.b, p.len, &ip);
    assert_true(owed.owed && owed.code == 3 && owed.pointer == 0);
    p = fragment(0, true, NULL, 16);
    p.b[40] = 6;
    expect_reason("16 bytes of TCP", parse(&p, &ip), REASON_IP6_FIRST_FRAGMENT);
    p = fragment(0, true, NULL, 24);
    p.b[40] = 6;
    expect_reason("24 bytes of TCP", parse(&p, &ip), REASON_NONE);
    p = fragment(8, true, NULL, 8);
    p.b[40] = 60;
    expect_reason("a later one is not asked", parse(&p, &ip), REASON_NONE);
}

/* ---- building ---- */

static struct ip_hdr random_header(uint64_t *rng)
{
    struct ip_hdr ip = {
        .version = 6,
        .tos = (uint8_t)random64(rng),
        .ttl = (uint8_t)random64(rng),
        .proto = 17,
        .flow = random_below(rng, IPV6_FLOW_MAX + 1),
        .mf = random_below(rng, 2),
        .frag_off = (uint16_t)(random_below(rng, 2) ? random_below(rng, 8192) * 8 : 0),
        .id = (uint32_t)random64(rng),
    };

    random_fill(rng, ip.src.b, 16);
    random_fill(rng, ip.dst.b, 16);
    return ip;
}

/* RFC 8200 3-a, RFC 8504 5.1-a. */
static void test_what_is_built_is_read_back(void **state)
{
    static uint8_t packet[IPV6_HEADER + IPV6_PAYLOAD_MAX];
    uint64_t rng = 7;

    (void)state;
    for (int round = 0; round < 20000; round++) {
        struct ip_hdr in = random_header(&rng), out;
        size_t header = ip_is_fragment(&in) ? 48 : 40;
        size_t payload = 8 + random_below(&rng, 65536 - 16);

        memset(packet, UNTOUCHED, 64);
        assert_int_equal(ip_build_len(&in), header);
        assert_int_equal(ip_build(packet, &in, payload), header);
        expect_untouched("behind the header", packet + header, 64 - header);
        expect_reason("built", ip_parse(packet, header + payload, &out), REASON_NONE);
        assert_true(addr_eq(&in.src, &out.src) && addr_eq(&in.dst, &out.dst));
        assert_true(in.tos == out.tos && in.ttl == out.ttl && in.proto == out.proto);
        assert_true(in.flow == out.flow && in.mf == out.mf && in.frag_off == out.frag_off);
        assert_int_equal(out.id, header == 48 ? in.id : 0);
        assert_int_equal(out.header_len, header);
        assert_int_equal(out.total_len, header + payload);
    }
}

static void test_a_quote_is_read_leniently(void **state)
{
    static const uint8_t pad[8] = {0, 0, 1, 4};
    struct kit_packet p = datagram();
    struct ip_hdr ip;

    (void)state;
    kit6_insert(&p, 60, pad, 8);
    put16(p.b + 4, 65535); /* more than there is */
    assert_true(ip_parse_quote(exact_copy(p.b, 56), 56, &ip));
    assert_int_equal(ip.total_len, 65575);
    assert_int_equal(ip.header_len, 48);
    assert_int_equal(ip.proto, IP_PROTO_UDP);
    for (size_t len = 0; len < 48; len++)
        assert_false(ip_parse_quote(exact_copy(p.b, len), len, &ip));
}

static void test_random_changes_never_crash(void **state)
{
    static const uint8_t kinds[] = {0, 43, 44, 60};
    uint64_t rng = 8;

    (void)state;
    for (int round = 0; round < MUTATIONS; round++) {
        struct kit_packet p = datagram();
        struct ip_hdr ip;

        for (unsigned n = random_below(&rng, 4); n > 0; n--) {
            uint8_t ext[16] = {0, (uint8_t)random_below(&rng, 2), 1, 4};

            kit6_insert(&p, kinds[random_below(&rng, 4)], ext, ext[1] ? 16 : 8);
        }
        mutate(&rng, p.b, p.len);
        p.b[0] = 0x60;
        if (random_below(&rng, 4) == 0)
            p.len = random_below(&rng, p.len + 1);
        if (p.len > 40 && random_below(&rng, 4))
            put16(p.b + 4, (uint16_t)(p.len - 40));
        (void)ip_problem(exact_copy(p.b, p.len), p.len, &ip);
        (void)ip_parse_quote(exact_copy(p.b, p.len), p.len, &ip);
        if (parse(&p, &ip) != REASON_NONE)
            continue;
        assert_true(ip.header_len >= 40 && ip.header_len <= ip.total_len && ip.total_len <= p.len);
        assert_true(ip.proto_at < ip.header_len && ip.frag_at < ip.header_len);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc8200_3_a_plain_header_is_read),
        cmocka_unit_test(test_every_shorter_packet_has_a_reason),
        cmocka_unit_test(rfc4291_2_5_5_2_mapped_addresses_are_refused),
        cmocka_unit_test(rfc8200_4_2_options),
        cmocka_unit_test(rfc5095_3_routing),
        cmocka_unit_test(rfc8200_4_1_order),
        cmocka_unit_test(rfc8200_4_5_fragments_are_read),
        cmocka_unit_test(fragments_of_fragments),
        cmocka_unit_test(rfc6946_4_atomic_fragments),
        cmocka_unit_test(rfc7112_5_headers_in_the_first_fragment),
        cmocka_unit_test(test_what_is_built_is_read_back),
        cmocka_unit_test(test_a_quote_is_read_leniently),
        cmocka_unit_test(test_random_changes_never_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
