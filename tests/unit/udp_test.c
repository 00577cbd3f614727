/* The UDP header: lengths, ports, and the checksum with its two forms of zero. */
#include <stdlib.h>

#include "wire/udp.h"
#include "wire_check.h"

/* 10.0.0.7:5353 to 10.0.1.5:6969, "hello" */
static const uint8_t hello[13] = {0x14, 0xe9, 0x1b, 0x39, 0x00, 0x0d, 0x76,
                                  0xd4, 'h',  'e',  'l',  'l',  'o'};

static struct ip_hdr between(struct addr src, struct addr dst)
{
    return (struct ip_hdr){.src = src, .dst = dst, .version = 4, .proto = IP_PROTO_UDP};
}

static struct ip_hdr lab(void)
{
    return between(addr_v4(0x0a000007), addr_v4(0x0a000105));
}

static enum reason parse(const char *step, const uint8_t *b, size_t len, uint16_t marks,
                         struct udp_hdr *ret_udp)
{
    struct ip_hdr ip = lab();
    enum reason why;

    memset(ret_udp, UNTOUCHED, sizeof(*ret_udp));
    why = udp_parse(&ip, exact_copy(b, len), len, marks, ret_udp);
    if (why != REASON_NONE)
        expect_untouched(step, ret_udp, sizeof(*ret_udp));
    return why;
}

static void fix_checksum(uint8_t *b, size_t len)
{
    struct ip_hdr ip = lab();
    uint32_t pseudo = ip_pseudo_sum(&ip.src, &ip.dst, IP_PROTO_UDP, (uint32_t)len);

    put16(b + 6, 0);
    put16(b + 6, checksum_residue(pseudo, b, len));
}

static void test_a_datagram_is_read(void **state)
{
    struct udp_hdr udp;

    (void)state;
    expect_reason("hello", parse("hello", hello, 13, 0, &udp), REASON_NONE);
    assert_true(udp.sport == 5353 && udp.dport == 6969 && udp.len == 13);
}

static void test_every_shorter_datagram_has_a_reason(void **state)
{
    struct udp_hdr udp;

    (void)state;
    for (size_t len = 0; len < 13; len++)
        expect_reason("cut", parse("cut", hello, len, 0, &udp), REASON_UDP_LENGTH);
}

static void test_the_length_field_at_its_edges(void **state)
{
    static const struct {
        const char *what;
        uint16_t len;
        enum reason want;
    } steps[] = {
        {"0", 0, REASON_UDP_LENGTH},
        {"7", 7, REASON_UDP_LENGTH},
        {"8", 8, REASON_NONE},
        {"9", 9, REASON_NONE},
        {"12", 12, REASON_NONE},
        {"13", 13, REASON_NONE},
        {"14 of 13", 14, REASON_UDP_LENGTH},
        {"65,535", 65535, REASON_UDP_LENGTH},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        uint8_t b[13];
        struct udp_hdr udp;

        memcpy(b, hello, 13);
        put16(b + 4, steps[i].len);
        if (steps[i].len >= 8 && steps[i].len <= 13)
            fix_checksum(b, steps[i].len);
        expect_reason(steps[i].what, parse(steps[i].what, b, 13, 0, &udp), steps[i].want);
        if (steps[i].want == REASON_NONE)
            assert_int_equal(udp.len, steps[i].len);
    }
}

static void test_ports(void **state)
{
    uint8_t b[13];
    struct udp_hdr udp;

    (void)state;
    for (int at = 0; at <= 2; at += 2) {
        memcpy(b, hello, 13);
        put16(b + at, 0);
        fix_checksum(b, 13);
        expect_reason("port 0", parse("port 0", b, 13, 0, &udp), REASON_UDP_PORT_ZERO);
        put16(b + at, 1);
        fix_checksum(b, 13);
        expect_reason("port 1", parse("port 1", b, 13, 0, &udp), REASON_NONE);
    }
}

/* RFC 1122 4.1.3.4-a, 4.1.3.4-b. */
static void test_any_flipped_bit_is_noticed(void **state)
{
    struct udp_hdr udp;

    (void)state;
    for (unsigned bit = 0; bit < 13 * 8; bit++) {
        uint8_t b[13];

        memcpy(b, hello, 13);
        b[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_not_equal(parse("flipped", b, 13, 0, &udp), REASON_NONE);
    }
}

static void test_the_device_may_vouch_for_the_checksum(void **state)
{
    uint8_t b[13];
    struct udp_hdr udp;

    (void)state;
    memcpy(b, hello, 13);
    b[12] ^= 1;
    expect_reason("wrong", parse("wrong", b, 13, 0, &udp), REASON_UDP_CHECKSUM);
    expect_reason("valid", parse("valid", b, 13, PKT_CSUM_VALID, &udp), REASON_NONE);
    expect_reason("partial", parse("partial", b, 13, PKT_CSUM_PARTIAL, &udp), REASON_NONE);
}

/* RFC 8200 8.1-c. */
static void test_no_checksum_is_allowed_in_ipv4_only(void **state)
{
    struct ip_hdr ip6 =
        between((struct addr){.b = {0x20, 1, [15] = 1}}, (struct addr){.b = {0x20, 1, [15] = 2}});
    struct udp_hdr udp = {.sport = 1, .dport = 2};
    uint8_t b[13];

    (void)state;
    memcpy(b, hello, 13);
    put16(b + 6, 0);
    expect_reason("IPv4", parse("IPv4", b, 13, 0, &udp), REASON_NONE);
    expect_reason("IPv6", udp_parse(&ip6, b, 13, 0, &udp), REASON_UDP_CHECKSUM);
    udp_build(b, &ip6.src, &ip6.dst, &udp, &(struct slice){.base = b + 8, .len = 5}, 1);
    expect_reason("IPv6, built", udp_parse(&ip6, b, 13, 0, &udp), REASON_NONE);
}

/* RFC 8200 8.1-b. */
static void test_a_sum_of_zero_goes_as_ffff(void **state)
{
    struct ip_hdr ip = lab();
    struct udp_hdr udp = {.sport = 5353, .dport = 6969};
    uint8_t b[10] = {0};
    struct slice data = {.base = b + 8, .len = 2};

    (void)state;
    udp_build(b, &ip.src, &ip.dst, &udp, &data, 1);
    memcpy(b + 8, b + 6, 2); /* now everything sums up to ffff, and the field would be 0 */
    udp_build(b, &ip.src, &ip.dst, &udp, &data, 1);
    assert_int_equal(get16(b + 6), 0xffff);
    expect_reason("ffff", parse("ffff", b, 10, 0, &udp), REASON_NONE);
}

static void test_what_is_built_is_read_back(void **state)
{
    static uint8_t b[65535];
    uint64_t rng = 11;
    struct ip_hdr ip = lab();
    struct udp_hdr in = {.sport = 5353, .dport = 6969}, out;
    struct slice part[8];

    (void)state;
    for (int round = 0; round < 5000; round++) {
        uint32_t len = random_below(&rng, round % 100 == 0 ? 65528 : 600);

        ip = between(addr_v4((uint32_t)random64(&rng)), addr_v4((uint32_t)random64(&rng)));
        in.sport = (uint16_t)(1 + random_below(&rng, 65535));
        in.dport = (uint16_t)(1 + random_below(&rng, 65535));
        random_fill(&rng, b + 8, len);
        udp_build(b, &ip.src, &ip.dst, &in, part, random_slices(&rng, b + 8, len, part, 8));
        expect_reason("built", udp_parse(&ip, exact_copy(b, 8 + len), 8 + len, 0, &out),
                      REASON_NONE);
        assert_true(out.sport == in.sport && out.dport == in.dport && out.len == 8 + len);
        assert_int_not_equal(get16(b + 6), 0);
    }
    ip = lab();
    in = (struct udp_hdr){.sport = 5353, .dport = 6969};
    udp_build(b, &ip.src, &ip.dst, &in, &(struct slice){.base = hello + 8, .len = 5}, 1);
    assert_memory_equal(b, hello, 8);
    udp_build(b, &ip.src, &ip.dst, &in, NULL, 0);
    expect_reason("empty", parse("empty", b, 8, 0, &out), REASON_NONE);
}

static void test_random_changes_never_crash(void **state)
{
    uint64_t rng = 12;

    (void)state;
    for (int round = 0; round < MUTATIONS; round++) {
        uint8_t b[13];
        size_t len = 13;
        struct udp_hdr udp;

        memcpy(b, hello, 13);
        mutate(&rng, b, 8);
        if (random_below(&rng, 4) == 0)
            len = random_below(&rng, 14);
        if (len >= 8 && random_below(&rng, 8))
            fix_checksum(b, len);
        if (parse("mutated", b, len, (uint16_t)random_below(&rng, 4), &udp) != REASON_NONE)
            continue;
        assert_true(udp.len >= 8 && udp.len <= len && udp.sport != 0 && udp.dport != 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_datagram_is_read),
        cmocka_unit_test(test_every_shorter_datagram_has_a_reason),
        cmocka_unit_test(test_the_length_field_at_its_edges),
        cmocka_unit_test(test_ports),
        cmocka_unit_test(test_any_flipped_bit_is_noticed),
        cmocka_unit_test(test_the_device_may_vouch_for_the_checksum),
        cmocka_unit_test(test_no_checksum_is_allowed_in_ipv4_only),
        cmocka_unit_test(test_a_sum_of_zero_goes_as_ffff),
        cmocka_unit_test(test_what_is_built_is_read_back),
        cmocka_unit_test(test_random_changes_never_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
