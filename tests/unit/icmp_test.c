/* ICMP messages: echo, errors and the packets that they quote. */
#include <stdlib.h>

#include "wire/icmp.h"
#include "wire_check.h"

static const uint8_t echo[13] = {0x08, 0x00, 0xcd, 0x33, 0x01, 0x02, 0x00,
                                 0x03, 'a',  'b',  'c',  'd',  'e'};

enum {
    QUOTE_AT = 8,          /* where the quote begins */
    ERROR_LEN = 8 + 20 + 8 /* an error that quotes as much as RFC 792 asks for */
};

static void fix_checksum(uint8_t *b, size_t len)
{
    put16(b + 2, 0);
    put16(b + 2, checksum_residue(0, b, len));
}

static enum reason parse(const char *step, const uint8_t *b, size_t len, struct icmp_hdr *ret_icmp)
{
    enum reason why;

    memset(ret_icmp, UNTOUCHED, sizeof(*ret_icmp));
    why = icmp_parse(exact_copy(b, len), len, ret_icmp);
    if (why != REASON_NONE)
        expect_untouched(step, ret_icmp, sizeof(*ret_icmp));
    return why;
}

/* "Port unreachable" about a UDP datagram of 100 bytes of which 8 are quoted. */
static void make_error(uint8_t b[ERROR_LEN])
{
    struct ip_hdr ip = {.src = addr_v4(0x0a000007),
                        .dst = addr_v4(0x0a000105),
                        .version = 4,
                        .ttl = 64,
                        .proto = IP_PROTO_UDP};
    struct slice quote = {.base = b + QUOTE_AT, .len = ERROR_LEN - QUOTE_AT};

    ip_build(b + QUOTE_AT, &ip, 108);
    memcpy(b + QUOTE_AT + 20, "\x30\x39\x1b\x39\x00\x6c\x12\x34", 8);
    icmp_build(b, ICMP_UNREACHABLE, ICMP_UNREACH_PORT, 0, &quote, 1);
}

static void test_an_echo_is_read(void **state)
{
    struct icmp_hdr icmp;

    (void)state;
    expect_reason("echo", parse("echo", echo, 13, &icmp), REASON_NONE);
    assert_int_equal(icmp.type, ICMP_ECHO);
    assert_int_equal(icmp.code, 0);
    assert_int_equal(icmp.rest, 0x01020003);
    assert_false(icmp.is_error);
    assert_false(icmp.has_quote);
}

static void test_every_shorter_message_has_a_reason(void **state)
{
    struct icmp_hdr icmp;

    (void)state;
    for (size_t len = 0; len < 8; len++)
        expect_reason("header cut", parse("header cut", echo, len, &icmp), REASON_ICMP_SHORT);
    for (size_t len = 8; len < 13; len++)
        expect_reason("data cut", parse("data cut", echo, len, &icmp), REASON_ICMP_CHECKSUM);
    for (unsigned bit = 0; bit < 13 * 8; bit++) {
        uint8_t b[13];

        memcpy(b, echo, 13);
        b[bit / 8] ^= (uint8_t)(1 << bit % 8);
        expect_reason("flipped", parse("flipped", b, 13, &icmp), REASON_ICMP_CHECKSUM);
    }
}

static void test_errors_are_the_five_types_that_quote(void **state)
{
    (void)state;
    for (unsigned type = 0; type < 256; type++) {
        uint8_t b[ERROR_LEN];
        struct icmp_hdr icmp;
        bool want = type == 3 || type == 4 || type == 5 || type == 11 || type == 12;

        make_error(b);
        b[0] = (uint8_t)type;
        fix_checksum(b, ERROR_LEN);
        expect_reason("type", parse("type", b, ERROR_LEN, &icmp), REASON_NONE);
        assert_int_equal(icmp.is_error, want);
        assert_int_equal(icmp.has_quote, want);
    }
}

static void test_a_quote_is_read(void **state)
{
    uint8_t b[ERROR_LEN];
    struct icmp_hdr icmp;
    struct addr src = addr_v4(0x0a000007), dst = addr_v4(0x0a000105);

    (void)state;
    make_error(b);
    expect_reason("error", parse("error", b, ERROR_LEN, &icmp), REASON_NONE);
    assert_true(icmp.has_quote);
    assert_true(addr_eq(&icmp.quote.src, &src) && addr_eq(&icmp.quote.dst, &dst));
    assert_int_equal(icmp.quote.proto, IP_PROTO_UDP);
    assert_int_equal(icmp.quote.total_len, 128);
    assert_int_equal(icmp.quote_l4_len, 8);
    assert_int_equal(get16(icmp.quote_l4), 12345);
    assert_int_equal(get16(icmp.quote_l4 + 2), 6969);
}

static void test_a_cut_quote_is_no_quote(void **state)
{
    uint8_t b[ERROR_LEN];
    struct icmp_hdr icmp;

    (void)state;
    for (size_t len = 8; len < ERROR_LEN; len++) {
        make_error(b);
        fix_checksum(b, len);
        expect_reason("cut quote", parse("cut quote", b, len, &icmp), REASON_NONE);
        assert_true(icmp.is_error);
        assert_false(icmp.has_quote);
    }
}

struct quote_step {
    const char *what;
    uint8_t at; /* in the quoted header */
    uint8_t value;
    bool want;
};

static void test_a_quote_may_be_stale_but_not_senseless(void **state)
{
    static const struct quote_step steps[] = {
        {"TTL 0", 8, 0, true},
        {"checksum changed on the way", 10, 0xaa, true},
        {"total length rewritten to 8", 3, 8, true},
        {"total length of 65,408", 2, 0xff, true},
        {"don't fragment", 6, 0x40, true},
        {"a first fragment", 6, 0x20, true},
        {"a later fragment", 7, 0x01, false},
        {"the last possible fragment", 6, 0x1f, false},
        {"version 6", 0, 0x65, false},
        {"header of 4 words", 0, 0x44, false},
        {"header of 6 words leaves 4 bytes", 0, 0x46, false},
        {"header beyond the message", 0, 0x4f, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        uint8_t b[ERROR_LEN];
        struct icmp_hdr icmp;

        make_error(b);
        b[QUOTE_AT + steps[i].at] = steps[i].value;
        fix_checksum(b, ERROR_LEN);
        expect_reason(steps[i].what, parse(steps[i].what, b, ERROR_LEN, &icmp), REASON_NONE);
        expect_number(steps[i].what, icmp.has_quote, steps[i].want);
    }
}

/* Options inside a quote are our own packet's affair, and nobody walks over them. */
static void test_a_quote_with_broken_options_is_read_behind_them(void **state)
{
    uint8_t b[8 + 28 + 8] = {0};
    struct icmp_hdr icmp;

    (void)state;
    make_error(b);
    b[QUOTE_AT] = 0x47;
    memcpy(b + QUOTE_AT + 20, "\x83\x00\x89\xff\x83\x07\x04\x89", 8);
    memcpy(b + QUOTE_AT + 28, "\x30\x39\x1b\x39\x00\x6c\x12\x34", 8);
    fix_checksum(b, sizeof(b));
    expect_reason("options", parse("options", b, sizeof(b), &icmp), REASON_NONE);
    assert_true(icmp.has_quote);
    assert_int_equal(get16(icmp.quote_l4), 12345);
    fix_checksum(b, sizeof(b) - 1);
    expect_reason("7 bytes", parse("7 bytes", b, sizeof(b) - 1, &icmp), REASON_NONE);
    assert_false(icmp.has_quote);
}

static void test_what_is_behind_the_quoted_packet_is_not_of_it(void **state)
{
    uint8_t b[ERROR_LEN + 100] = {0};
    struct icmp_hdr icmp;

    (void)state;
    make_error(b);
    put16(b + QUOTE_AT + 2, 20 + 8 + 3);
    fix_checksum(b, sizeof(b));
    expect_reason("padded", parse("padded", b, sizeof(b), &icmp), REASON_NONE);
    assert_int_equal(icmp.quote_l4_len, 11);
    put16(b + QUOTE_AT + 2, 20 + 7);
    fix_checksum(b, sizeof(b));
    expect_reason("senseless", parse("senseless", b, sizeof(b), &icmp), REASON_NONE);
    assert_int_equal(icmp.quote_l4_len, 108);
}

static void test_what_is_built_is_read_back(void **state)
{
    uint8_t b[8 + 300];
    uint64_t rng = 9;

    (void)state;
    for (int round = 0; round < 20000; round++) {
        uint32_t len = random_below(&rng, 301), rest = (uint32_t)random64(&rng);
        uint8_t type = random_below(&rng, 2) ? ICMP_ECHO : ICMP_ECHO_REPLY;
        struct slice part[8];
        struct icmp_hdr icmp;

        random_fill(&rng, b + 8, len);
        icmp_build(b, type, 7, rest, part, random_slices(&rng, b + 8, len, part, 8));
        expect_reason("built", parse("built", b, 8 + (size_t)len, &icmp), REASON_NONE);
        assert_true(icmp.type == type && icmp.code == 7 && icmp.rest == rest);
    }
    icmp_build(b, ICMP_ECHO, 0, 0x01020003, &(struct slice){.base = echo + 8, .len = 5}, 1);
    assert_memory_equal(b, echo, 8);
}

static void test_random_changes_never_crash(void **state)
{
    uint64_t rng = 10;

    (void)state;
    for (int round = 0; round < MUTATIONS; round++) {
        uint8_t b[ERROR_LEN + 40] = {0};
        size_t len = ERROR_LEN + random_below(&rng, 41);
        struct icmp_hdr icmp;

        make_error(b);
        mutate(&rng, b, len);
        if (random_below(&rng, 2))
            mutate(&rng, b + QUOTE_AT, 4);
        if (random_below(&rng, 4) == 0)
            len = random_below(&rng, (uint32_t)len + 1);
        if (len >= 8 && random_below(&rng, 8))
            fix_checksum(b, len);
        if (parse("mutated", b, len, &icmp) != REASON_NONE || !icmp.has_quote)
            continue;
        assert_true(icmp.is_error && icmp.quote_l4_len >= 8);
        assert_true(8 + icmp.quote.header_len + icmp.quote_l4_len <= len);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_echo_is_read),
        cmocka_unit_test(test_every_shorter_message_has_a_reason),
        cmocka_unit_test(test_errors_are_the_five_types_that_quote),
        cmocka_unit_test(test_a_quote_is_read),
        cmocka_unit_test(test_a_cut_quote_is_no_quote),
        cmocka_unit_test(test_a_quote_may_be_stale_but_not_senseless),
        cmocka_unit_test(test_a_quote_with_broken_options_is_read_behind_them),
        cmocka_unit_test(test_what_is_behind_the_quoted_packet_is_not_of_it),
        cmocka_unit_test(test_what_is_built_is_read_back),
        cmocka_unit_test(test_random_changes_never_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
