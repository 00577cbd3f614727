/* ICMPv6 messages: what is refused, what they quote, and building them. */
#include "packet6_kit.h"
#include "wire/icmp.h"
#include "wire_check.h"

static const struct ip_hdr *ends(void)
{
    static struct ip_hdr ip;

    ip = (struct ip_hdr){.src = KIT6_PEER, .dst = KIT6_HOST, .version = 6};
    return &ip;
}

static enum reason parse(const struct kit_packet *p, struct icmp_hdr *ret_icmp)
{
    size_t len = p->len - KIT6_HEADER;
    enum reason why;

    memset(ret_icmp, UNTOUCHED, sizeof(*ret_icmp));
    why = icmp6_parse(ends(), exact_copy(p->b + KIT6_HEADER, len), len, 0, ret_icmp);
    if (why != REASON_NONE)
        expect_untouched("refused", ret_icmp, sizeof(*ret_icmp));
    return why;
}

/* RFC 4443 2.3-a. */
static void rfc4443_2_3_the_checksum_covers_the_addresses(void **state)
{
    struct kit_packet p = kit6_icmp(KIT6_PEER, KIT6_HOST, 128, 0, 0x70001, "abcd", 4);
    struct addr other = kit6_addr(0xfd00, 0, 8);
    struct ip_hdr ip = *ends();
    struct icmp_hdr icmp;

    (void)state;
    expect_reason("good", parse(&p, &icmp), REASON_NONE);
    assert_int_equal(icmp.type, ICMP6_ECHO);
    assert_int_equal(icmp.rest, 0x70001);
    assert_false(icmp.is_error);
    ip.dst = other;
    assert_int_equal(icmp6_parse(&ip, p.b + 40, 12, 0, &icmp), REASON_ICMP_CHECKSUM);
    assert_int_equal(icmp6_parse(&ip, p.b + 40, 12, PKT_CSUM_VALID, &icmp), REASON_NONE);
    for (unsigned bit = 0; bit < 12 * 8; bit++) {
        struct kit_packet q = p;

        q.b[40 + bit / 8] ^= (uint8_t)(1 << bit % 8);
        expect_reason("flipped", parse(&q, &icmp), REASON_ICMP_CHECKSUM);
    }
    for (p.len = 40; p.len < 48; p.len++)
        expect_reason("short", parse(&p, &icmp), REASON_ICMP_SHORT);
}

/* [RFC 4443 2.1]: types under 128 are errors. */
static void rfc4443_2_1_errors_are_the_lower_half(void **state)
{
    struct kit_packet of = kit6_udp(KIT6_HOST, KIT6_PEER, 5000, 9, NULL, 0);

    (void)state;
    for (unsigned type = 0; type < 256; type++) {
        struct kit_packet p = kit6_icmp(KIT6_PEER, KIT6_HOST, (uint8_t)type, 0, 0, of.b, of.len);
        struct icmp_hdr icmp;

        expect_reason("any type", parse(&p, &icmp), REASON_NONE);
        assert_int_equal(icmp.is_error, type < 128);
        assert_int_equal(icmp.has_quote, type < 128);
    }
}

static void test_quotes(void **state)
{
    static const uint8_t pad[8] = {0, 0, 1, 4}, later[8] = {0, 0, 0, 8};
    struct kit_packet of = kit6_udp(KIT6_HOST, KIT6_PEER, 5000, 9, "hello", 5), p;
    struct icmp_hdr icmp;

    (void)state;
    for (uint32_t len = 0; len <= of.len; len++) {
        p = kit6_icmp(KIT6_PEER, KIT6_HOST, 1, 4, 0, of.b, len);
        expect_reason("cut", parse(&p, &icmp), REASON_NONE);
        assert_int_equal(icmp.has_quote, len >= 48);
    }
    assert_int_equal(icmp.quote_l4_len, 13);
    assert_int_equal(icmp.quote.total_len, 53);
    assert_int_equal(get16(icmp.quote_l4 + 2), 9);
    kit6_insert(&of, 60, pad, 8);
    p = kit6_icmp(KIT6_PEER, KIT6_HOST, 1, 4, 0, of.b, of.len);
    expect_reason("behind options", parse(&p, &icmp), REASON_NONE);
    assert_true(icmp.has_quote && icmp.quote.proto == 17);
    assert_int_equal(get16(icmp.quote_l4 + 2), 9);
    kit6_insert(&of, 44, later, 8);
    p = kit6_icmp(KIT6_PEER, KIT6_HOST, 1, 4, 0, of.b, of.len);
    expect_reason("of a later fragment", parse(&p, &icmp), REASON_NONE);
    assert_false(icmp.has_quote);
    of = kit_udp(5000, 9, NULL, 0);
    p = kit6_icmp(KIT6_PEER, KIT6_HOST, 1, 4, 0, of.b, of.len);
    expect_reason("of IPv4", parse(&p, &icmp), REASON_NONE);
    assert_false(icmp.has_quote);
}

static void test_what_is_built_is_read_back(void **state)
{
    uint64_t rng = 3;

    (void)state;
    for (int round = 0; round < 2000; round++) {
        uint8_t message[8 + 300];
        struct slice part[4];
        uint32_t len = random_below(&rng, 301), rest = (uint32_t)random64(&rng);
        unsigned n;
        struct icmp_hdr icmp;

        random_fill(&rng, message + 8, len);
        n = random_slices(&rng, message + 8, len, part, 4);
        icmp6_build(message, &ends()->src, &ends()->dst, 129, 3, rest, part, n);
        assert_int_equal(icmp6_parse(ends(), message, 8 + len, 0, &icmp), REASON_NONE);
        assert_true(icmp.type == 129 && icmp.code == 3 && icmp.rest == rest);
    }
}

static void test_what_the_kernel_says_by_itself(void **state)
{
    (void)state;
    assert_int_equal(icmp6_unasked(133), REASON_ICMP6_ROUTER);
    assert_int_equal(icmp6_unasked(134), REASON_ICMP6_ROUTER);
    assert_int_equal(icmp6_unasked(135), REASON_ICMP6_NEIGHBOR);
    assert_int_equal(icmp6_unasked(136), REASON_ICMP6_NEIGHBOR);
    assert_int_equal(icmp6_unasked(137), REASON_ICMP6_REDIRECT);
    for (uint8_t type = 130; type <= 132; type++)
        assert_int_equal(icmp6_unasked(type), REASON_ICMP6_MLD);
    assert_int_equal(icmp6_unasked(143), REASON_ICMP6_MLD);
    assert_int_equal(icmp6_unasked(128), REASON_NONE);
    assert_int_equal(icmp6_unasked(138), REASON_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc4443_2_3_the_checksum_covers_the_addresses),
        cmocka_unit_test(rfc4443_2_1_errors_are_the_lower_half),
        cmocka_unit_test(test_quotes),
        cmocka_unit_test(test_what_is_built_is_read_back),
        cmocka_unit_test(test_what_the_kernel_says_by_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
