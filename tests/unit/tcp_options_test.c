/* The TCP options in what is read: lengths, alignment, and what counts. */
#include "tcp_wire_kit.h"

/* Parse a segment whose options are o[0..len), len a multiple of 4. */
static enum reason parse_options(const char *step, const uint8_t *o, size_t len, uint8_t flags,
                                 struct tcp_hdr *ret_tcp)
{
    uint8_t b[60];

    memcpy(b, syn, 20);
    memcpy(b + 20, o, len);
    b[12] = (uint8_t)((20 + len) / 4 << 4);
    b[13] = flags;
    fix_checksum(b, 20 + len);
    return parse(step, b, 20 + len, 0, ret_tcp);
}

struct option_step {
    const char *what;
    uint8_t b[12];
    enum reason want;
};

/* MUST-4, MUST-6, MUST-7, MUST-68. */
static void test_option_lengths(void **state)
{
    static const struct option_step steps[] = {
        {"all end-of-list", {0}, REASON_NONE},
        {"all NOP", {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, REASON_NONE},
        {"unknown, length 0", {77, 0}, REASON_TCP_OPTION},
        {"unknown, length 1", {77, 1}, REASON_TCP_OPTION},
        {"unknown, length 2", {77, 2}, REASON_NONE},
        {"unknown, up to the end", {77, 12}, REASON_NONE},
        {"unknown, one beyond the end", {77, 13}, REASON_TCP_OPTION},
        {"unknown, length 255", {255, 255}, REASON_TCP_OPTION},
        {"kinds 6 and 7, obsolete", {6, 6, 0, 0, 0, 0, 7, 6}, REASON_NONE},
        {"kind as the last byte", {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 77}, REASON_TCP_OPTION},
        {"length 2 at the end", {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 77, 2}, REASON_NONE},
        {"length 3 at the end", {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 77, 3}, REASON_TCP_OPTION},
        {"NOP as the last byte", {77, 11, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, REASON_NONE},
        {"MSS, length 0", {2, 0}, REASON_TCP_OPTION},
        {"MSS, length 1", {2, 1}, REASON_TCP_OPTION},
        {"MSS, length 2", {2, 2}, REASON_TCP_OPTION},
        {"MSS, length 3", {2, 3}, REASON_TCP_OPTION},
        {"MSS, length 4", {2, 4}, REASON_NONE},
        {"MSS, length 5", {2, 5}, REASON_TCP_OPTION},
        {"MSS cut by the end", {1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 4, 5}, REASON_TCP_OPTION},
        {"window scale, length 2", {3, 2}, REASON_TCP_OPTION},
        {"window scale, length 3", {3, 3}, REASON_NONE},
        {"window scale, length 4", {3, 4}, REASON_TCP_OPTION},
        {"SACK permitted, length 1", {4, 1}, REASON_TCP_OPTION},
        {"SACK permitted, length 2", {4, 2}, REASON_NONE},
        {"SACK permitted, length 3", {4, 3}, REASON_TCP_OPTION},
        {"SACK, no block", {5, 2}, REASON_NONE},
        {"SACK, length 3", {5, 3}, REASON_TCP_OPTION},
        {"SACK, half a block", {5, 6}, REASON_TCP_OPTION},
        {"SACK, length 9", {5, 9}, REASON_TCP_OPTION},
        {"SACK, one block", {5, 10}, REASON_NONE},
        {"SACK, length 11", {5, 11}, REASON_TCP_OPTION},
        {"SACK, two blocks beyond the end", {5, 18}, REASON_TCP_OPTION},
        {"timestamps, length 2", {8, 2}, REASON_TCP_OPTION},
        {"timestamps, length 9", {8, 9}, REASON_TCP_OPTION},
        {"timestamps, length 10", {8, 10}, REASON_NONE},
        {"timestamps, length 11", {8, 11}, REASON_TCP_OPTION},
        {"timestamps cut by the end", {1, 1, 1, 8, 10}, REASON_TCP_OPTION},
        {"nonsense behind end-of-list", {1, 0, 2, 0, 77, 1}, REASON_NONE},
        {"nonsense as an option's value", {77, 6, 2, 0, 8, 1}, REASON_NONE},
    };
    static const uint8_t all_flags[] = {TCP_SYN, TCP_ACK, TCP_RST};

    (void)state;
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        for (size_t f = 0; f < sizeof(all_flags); f++) {
            struct tcp_hdr tcp;

            expect_reason(steps[i].what,
                          parse_options(steps[i].what, steps[i].b, 12, all_flags[f], &tcp),
                          steps[i].want);
        }
    }
}

/* MUST-6, MUST-68: also an option that nobody has thought of yet has a length, which is obeyed. */
static void test_every_kind_but_two_has_a_length(void **state)
{
    (void)state;
    for (unsigned kind = 2; kind < 256; kind++) {
        const uint8_t none[4] = {1, 1, 1, (uint8_t)kind}, zero[4] = {(uint8_t)kind, 0};
        const uint8_t one[4] = {(uint8_t)kind, 1};
        const uint8_t hides_mss[12] = {(uint8_t)kind, 6, 2, 4, 1, 1, 3, 3, 7, 0};
        struct tcp_hdr tcp;

        expect_reason("no length", parse_options("no length", none, 4, TCP_SYN, &tcp),
                      REASON_TCP_OPTION);
        expect_reason("length 0", parse_options("length 0", zero, 4, TCP_SYN, &tcp),
                      REASON_TCP_OPTION);
        expect_reason("length 1", parse_options("length 1", one, 4, TCP_SYN, &tcp),
                      REASON_TCP_OPTION);
        if (kind <= TCP_OPT_SACK || kind == TCP_OPT_TIMESTAMP)
            continue; /* these have lengths of their own */
        expect_reason("unknown", parse_options("unknown", hides_mss, 12, TCP_SYN, &tcp),
                      REASON_NONE);
        assert_false(tcp.opt.has_mss);
        expect_number("behind it", tcp.opt.wscale, 7);
    }
}

static void test_window_scale_counts_as_14_at_most(void **state)
{
    (void)state;
    for (unsigned shift = 0; shift < 256; shift++) {
        const uint8_t o[4] = {3, 3, (uint8_t)shift, 0};
        struct tcp_hdr tcp;

        expect_reason("scale", parse_options("scale", o, 4, TCP_SYN, &tcp), REASON_NONE);
        assert_true(tcp.opt.has_wscale);
        expect_number("scale", tcp.opt.wscale, shift < 14 ? shift : 14);
    }
}

static void test_any_mss_is_a_value(void **state)
{
    (void)state;
    for (unsigned mss = 0; mss < 65536; mss++) {
        const uint8_t o[4] = {2, 4, (uint8_t)(mss >> 8), (uint8_t)mss};
        struct tcp_hdr tcp;

        expect_reason("MSS", parse_options("MSS", o, 4, TCP_SYN, &tcp), REASON_NONE);
        assert_true(tcp.opt.has_mss);
        expect_number("MSS", tcp.opt.mss, mss);
    }
}

/* MUST-4, MUST-64. */
static void test_options_need_no_alignment(void **state)
{
    static const uint8_t o[28] = {1, 3, 3, 2, 1, 8, 10,  1,  2, 3, 4, 5, 6, 7,
                                  8, 4, 2, 2, 4, 5, 180, 77, 3, 9, 1, 1, 1, 0};
    struct tcp_hdr tcp;

    (void)state;
    expect_reason("odd places", parse_options("odd places", o, 28, TCP_SYN, &tcp), REASON_NONE);
    assert_true(tcp.opt.has_wscale && tcp.opt.wscale == 2);
    assert_true(tcp.opt.has_timestamp);
    assert_true(tcp.opt.ts_val == 0x01020304 && tcp.opt.ts_ecr == 0x05060708);
    assert_true(tcp.opt.sack_ok);
    assert_true(tcp.opt.has_mss && tcp.opt.mss == 1460);
}

/* MUST-4, MUST-69. */
static void test_nothing_is_read_behind_end_of_list(void **state)
{
    static const uint8_t o[12] = {1, 0, 2, 4, 5, 180, 4, 2, 3, 3, 7, 1};
    struct tcp_hdr tcp;

    (void)state;
    expect_reason("end", parse_options("end", o, 12, TCP_SYN, &tcp), REASON_NONE);
    assert_false(tcp.opt.has_mss || tcp.opt.sack_ok || tcp.opt.has_wscale);
}

static void test_sack_blocks(void **state)
{
    uint8_t o[40];
    struct tcp_hdr tcp;

    (void)state;
    for (unsigned n = 0; n <= 5; n++) {
        memset(o, 1, sizeof(o));
        for (uint32_t i = 0; i < 8; i++)
            put32(o + 4 + 4 * i, 0xfffffffc + i); /* across the wrap; as they stand, not judged */
        o[2] = 5;
        o[3] = (uint8_t)(2 + 8 * n);
        if (n < 4)
            o[4 + 8 * n] = 0; /* end-of-list */
        expect_reason("blocks", parse_options("blocks", o, 40, TCP_ACK, &tcp),
                      n <= 4 ? REASON_NONE : REASON_TCP_OPTION);
        if (n > 4)
            continue;
        assert_int_equal(tcp.opt.sack_n, n);
        for (uint32_t i = 0; i < n; i++) {
            assert_int_equal(tcp.opt.sack[i].start, 0xfffffffc + 2 * i);
            assert_int_equal(tcp.opt.sack[i].end, (uint32_t)(0xfffffffd + 2 * i));
        }
    }
}

static void test_of_two_options_of_a_kind_the_later_counts(void **state)
{
    static const uint8_t o[40] = {2, 4, 1, 1, 2, 4, 2, 2, 5, 18, 0, 0, 0, 1, 0, 0, 0, 2,
                                  0, 0, 0, 3, 0, 0, 0, 4, 5, 10, 0, 0, 0, 5, 0, 0, 0, 6};
    struct tcp_hdr tcp;

    (void)state;
    expect_reason("twice", parse_options("twice", o, 40, TCP_ACK, &tcp), REASON_NONE);
    assert_int_equal(tcp.opt.mss, 0x0202);
    assert_int_equal(tcp.opt.sack_n, 1);
    assert_int_equal(tcp.opt.sack[0].start, 5);
    assert_int_equal(tcp.opt.sack[0].end, 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_option_lengths),
        cmocka_unit_test(test_every_kind_but_two_has_a_length),
        cmocka_unit_test(test_window_scale_counts_as_14_at_most),
        cmocka_unit_test(test_any_mss_is_a_value),
        cmocka_unit_test(test_options_need_no_alignment),
        cmocka_unit_test(test_nothing_is_read_behind_end_of_list),
        cmocka_unit_test(test_sack_blocks),
        cmocka_unit_test(test_of_two_options_of_a_kind_the_later_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
