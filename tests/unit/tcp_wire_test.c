/* The TCP header: what is refused and why, at each edge; there and back again. */
#include <stdlib.h>

#include "tcp_wire_kit.h"

static void test_a_syn_is_read(void **state)
{
    struct tcp_hdr tcp;

    (void)state;
    expect_reason("SYN", parse("SYN", syn, 40, 0, &tcp), REASON_NONE);
    assert_true(tcp.sport == 50000 && tcp.dport == 8000);
    assert_true(tcp.seq == 0xfffffff0 && tcp.ack == 0);
    assert_true(tcp.wnd == 64240 && tcp.urg == 0);
    assert_int_equal(tcp.flags, TCP_SYN);
    assert_int_equal(tcp.header_len, 40);
    assert_true(tcp.opt.has_mss && tcp.opt.mss == 1460);
    assert_true(tcp.opt.has_wscale && tcp.opt.wscale == 7);
    assert_true(tcp.opt.sack_ok && tcp.opt.sack_n == 0);
    assert_true(tcp.opt.has_timestamp && tcp.opt.ts_val == 0x11223344 && tcp.opt.ts_ecr == 0);
}

static void test_every_shorter_segment_has_a_reason(void **state)
{
    struct tcp_hdr tcp;

    (void)state;
    for (uint16_t marks = 0; marks <= 3; marks++) {
        for (size_t len = 0; len < 20; len++)
            expect_reason("under 20", parse("under 20", syn, len, marks, &tcp), REASON_TCP_SHORT);
        for (size_t len = 20; len < 40; len++)
            expect_reason("cut", parse("cut", syn, len, marks, &tcp), REASON_TCP_DATA_OFFSET);
    }
}

struct byte_step {
    const char *what;
    uint8_t at, value;
    enum reason want;
};

static void test_each_field_at_its_edges(void **state)
{
    static const struct byte_step steps[] = {
        {"data offset 0", 12, 0x00, REASON_TCP_DATA_OFFSET},
        {"data offset 4", 12, 0x40, REASON_TCP_DATA_OFFSET},
        {"data offset 5", 12, 0x50, REASON_NONE},
        {"data offset 9 cuts the window scale off", 12, 0x90, REASON_NONE},
        {"data offset 10, all of the segment", 12, 0xa0, REASON_NONE},
        {"data offset 11, beyond it", 12, 0xb0, REASON_TCP_DATA_OFFSET},
        {"data offset 15", 12, 0xf0, REASON_TCP_DATA_OFFSET},
        {"reserved bits", 12, 0xaf, REASON_NONE},
        {"no flag", 13, 0, REASON_TCP_FLAGS},
        {"all flags", 13, 0xff, REASON_TCP_FLAGS},
        {"SYN+FIN", 13, TCP_SYN | TCP_FIN, REASON_TCP_FLAGS},
        {"SYN+RST", 13, TCP_SYN | TCP_RST, REASON_TCP_FLAGS},
        {"SYN+FIN+ACK", 13, TCP_SYN | TCP_FIN | TCP_ACK, REASON_TCP_FLAGS},
        {"SYN+RST+ACK", 13, TCP_SYN | TCP_RST | TCP_ACK, REASON_TCP_FLAGS},
        {"SYN+ACK", 13, TCP_SYN | TCP_ACK, REASON_NONE},
        {"SYN+ECE+CWR", 13, TCP_SYN | TCP_ECE | TCP_CWR, REASON_NONE},
        {"SYN+PSH+URG", 13, TCP_SYN | TCP_PSH | TCP_URG, REASON_NONE},
        {"FIN alone", 13, TCP_FIN, REASON_NONE},
        {"RST alone", 13, TCP_RST, REASON_NONE},
        {"FIN+RST", 13, TCP_FIN | TCP_RST, REASON_NONE},
        {"PSH+URG alone", 13, TCP_PSH | TCP_URG, REASON_NONE},
        {"options in an ACK", 13, TCP_ACK, REASON_NONE},
        {"urgent pointer without URG", 18, 0xff, REASON_NONE},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        uint8_t b[40];
        struct tcp_hdr tcp;

        memcpy(b, syn, 40);
        b[steps[i].at] = steps[i].value;
        fix_checksum(b, 40);
        expect_reason(steps[i].what, parse(steps[i].what, b, 40, 0, &tcp), steps[i].want);
    }
}

static void test_ports(void **state)
{
    uint8_t b[40];
    struct tcp_hdr tcp;

    (void)state;
    for (int at = 0; at <= 2; at += 2) {
        memcpy(b, syn, 40);
        put16(b + at, 0);
        fix_checksum(b, 40);
        expect_reason("port 0", parse("port 0", b, 40, 0, &tcp), REASON_TCP_PORT_ZERO);
        put16(b + at, 1);
        fix_checksum(b, 40);
        expect_reason("port 1", parse("port 1", b, 40, 0, &tcp), REASON_NONE);
        put16(b + at, 65535);
        fix_checksum(b, 40);
        expect_reason("port 65535", parse("port 65535", b, 40, 0, &tcp), REASON_NONE);
    }
}

static void test_the_first_wrong_thing_is_the_reason(void **state)
{
    uint8_t b[40];
    struct tcp_hdr tcp;

    (void)state;
    memcpy(b, syn, 40);
    b[12] = 0x40; /* everything is wrong; then one thing after the other is put right */
    b[16] ^= 1;
    put16(b + 2, 0);
    b[13] = 0;
    b[21] = 0;
    expect_reason("offset", parse("offset", b, 40, 0, &tcp), REASON_TCP_DATA_OFFSET);
    b[12] = 0xa0;
    expect_reason("checksum", parse("checksum", b, 40, 0, &tcp), REASON_TCP_CHECKSUM);
    fix_checksum(b, 40);
    expect_reason("ports", parse("ports", b, 40, 0, &tcp), REASON_TCP_PORT_ZERO);
    put16(b + 2, 8000);
    fix_checksum(b, 40);
    expect_reason("flags", parse("flags", b, 40, 0, &tcp), REASON_TCP_FLAGS);
    b[13] = TCP_SYN;
    fix_checksum(b, 40);
    expect_reason("options", parse("options", b, 40, 0, &tcp), REASON_TCP_OPTION);
    b[21] = 4;
    fix_checksum(b, 40);
    expect_reason("nothing", parse("nothing", b, 40, 0, &tcp), REASON_NONE);
}

/* MUST-3. */
static void test_any_flipped_bit_is_noticed(void **state)
{
    struct tcp_hdr tcp;

    (void)state;
    for (unsigned bit = 0; bit < 40 * 8; bit++) {
        uint8_t b[40];

        memcpy(b, syn, 40);
        b[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_not_equal(parse("flipped", b, 40, 0, &tcp), REASON_NONE);
    }
}

static void test_the_device_may_vouch_for_the_checksum_only(void **state)
{
    uint8_t b[40];
    struct tcp_hdr tcp;

    (void)state;
    memcpy(b, syn, 40);
    b[16] ^= 1;
    expect_reason("wrong", parse("wrong", b, 40, 0, &tcp), REASON_TCP_CHECKSUM);
    expect_reason("valid", parse("valid", b, 40, PKT_CSUM_VALID, &tcp), REASON_NONE);
    expect_reason("partial", parse("partial", b, 40, PKT_CSUM_PARTIAL, &tcp), REASON_NONE);
    b[21] = 1;
    expect_reason("option", parse("option", b, 40, PKT_CSUM_VALID, &tcp), REASON_TCP_OPTION);
    b[13] = 0;
    expect_reason("flags", parse("flags", b, 40, PKT_CSUM_VALID, &tcp), REASON_TCP_FLAGS);
}

/* ---- Building ---- */

static struct tcp_options random_options(uint64_t *rng)
{
    struct tcp_options opt = {
        .has_mss = random_below(rng, 2),
        .has_wscale = random_below(rng, 2),
        .has_timestamp = random_below(rng, 2),
        .sack_ok = random_below(rng, 2),
    };

    if (opt.has_mss)
        opt.mss = (uint16_t)random64(rng);
    if (opt.has_wscale)
        opt.wscale = (uint8_t)random_below(rng, 15);
    if (opt.has_timestamp) {
        opt.ts_val = (uint32_t)random64(rng);
        opt.ts_ecr = (uint32_t)random64(rng);
    }
    opt.sack_n = (uint8_t)random_below(rng, TCP_SACK_MAX + 1);
    while (tcp_header_len(&opt) > TCP_HEADER_MAX)
        opt.sack_n--;
    for (unsigned i = 0; i < opt.sack_n; i++) {
        opt.sack[i].start = (uint32_t)random64(rng);
        opt.sack[i].end = (uint32_t)random64(rng);
    }
    return opt;
}

static struct tcp_hdr random_header(uint64_t *rng)
{
    struct tcp_hdr tcp = {
        .sport = (uint16_t)(1 + random_below(rng, 65535)),
        .dport = (uint16_t)(1 + random_below(rng, 65535)),
        .seq = (uint32_t)random64(rng),
        .ack = (uint32_t)random64(rng),
        .wnd = (uint16_t)random64(rng),
        .urg = (uint16_t)random64(rng),
        .flags = (uint8_t)random64(rng),
        .opt = random_options(rng),
    };

    if (tcp.flags == 0)
        tcp.flags = TCP_ACK;
    if (tcp.flags & TCP_SYN)
        tcp.flags &= (uint8_t) ~(TCP_FIN | TCP_RST);
    return tcp;
}

static void expect_same_options(const struct tcp_options *a, const struct tcp_options *b)
{
    assert_true(a->has_mss == b->has_mss && a->mss == b->mss);
    assert_true(a->has_wscale == b->has_wscale && a->wscale == b->wscale);
    assert_true(a->has_timestamp == b->has_timestamp);
    assert_true(a->ts_val == b->ts_val && a->ts_ecr == b->ts_ecr);
    assert_true(a->sack_ok == b->sack_ok && a->sack_n == b->sack_n);
    assert_memory_equal(a->sack, b->sack, sizeof(a->sack));
}

static void expect_same(const struct tcp_hdr *a, const struct tcp_hdr *b)
{
    assert_true(a->sport == b->sport && a->dport == b->dport);
    assert_true(a->seq == b->seq && a->ack == b->ack);
    assert_true(a->wnd == b->wnd && a->urg == b->urg && a->flags == b->flags);
    expect_same_options(&a->opt, &b->opt);
}

/* MUST-2, MUST-4. */
static void test_the_syn_is_built_byte_for_byte(void **state)
{
    struct ip_hdr ip = lab();
    struct tcp_hdr tcp;
    uint8_t room[60];

    (void)state;
    expect_reason("SYN", parse("SYN", syn, 40, 0, &tcp), REASON_NONE);
    assert_int_equal(tcp_build(room, &ip.src, &ip.dst, &tcp, 0, NULL, 0), 40);
    assert_memory_equal(room, syn, 40);
}

struct layout_step {
    const char *what;
    struct tcp_options opt;
    size_t len; /* of the options */
    uint8_t want[12];
};

/* MUST-68, MUST-69. */
static void test_the_layout_of_options(void **state)
{
    static const struct layout_step steps[] = {
        {"none", {0}, 0, {0}},
        {"MSS", {.has_mss = true, .mss = 1460}, 4, {2, 4, 5, 180}},
        {"window scale", {.has_wscale = true, .wscale = 7}, 4, {1, 3, 3, 7}},
        {"SACK permitted", {.sack_ok = true}, 4, {1, 1, 4, 2}},
        {"timestamps",
         {.has_timestamp = true, .ts_val = 1, .ts_ecr = 2},
         12,
         {1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2}},
        {"both",
         {.sack_ok = true, .has_timestamp = true, .ts_val = 1, .ts_ecr = 2},
         12,
         {4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2}},
        {"a block",
         {.sack_n = 1, .sack = {{.start = 3, .end = 4}}},
         12,
         {1, 1, 5, 10, 0, 0, 0, 3, 0, 0, 0, 4}},
        {"MSS and window scale",
         {.has_mss = true, .mss = 1460, .has_wscale = true, .wscale = 14},
         8,
         {2, 4, 5, 180, 1, 3, 3, 14}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        struct ip_hdr ip = lab();
        struct tcp_hdr tcp = {.sport = 1, .dport = 2, .flags = TCP_SYN, .opt = steps[i].opt};
        uint8_t room[60];

        expect_number(steps[i].what, tcp_header_len(&tcp.opt), 20 + steps[i].len);
        expect_number(steps[i].what, tcp_build(room, &ip.src, &ip.dst, &tcp, 0, NULL, 0),
                      20 + steps[i].len);
        assert_memory_equal(room + 20, steps[i].want, steps[i].len);
    }
}

static void test_the_largest_header_fits(void **state)
{
    struct tcp_options four = {.sack_n = 4};
    struct tcp_options three = {.has_timestamp = true, .sack_n = 3};

    (void)state;
    assert_int_equal(tcp_header_len(&four), 56);
    assert_int_equal(tcp_header_len(&three), 60);
}

static void test_what_is_built_is_read_back(void **state)
{
    static uint8_t b[65535];
    uint64_t rng = 13;

    (void)state;
    for (int round = 0; round < 20000; round++) {
        struct ip_hdr ip = {.src = addr_v4((uint32_t)random64(&rng)),
                            .dst = addr_v4((uint32_t)random64(&rng))};
        struct tcp_hdr in = random_header(&rng), out;
        size_t header_len = tcp_header_len(&in.opt);
        uint32_t len = random_below(&rng, round % 100 == 0 ? 65475 : 600);
        struct slice part[8];
        unsigned n;

        random_fill(&rng, b + header_len, len);
        n = random_slices(&rng, b + header_len, len, part, 8);
        assert_int_equal(header_len % 4, 0);
        assert_int_equal(tcp_build(b, &ip.src, &ip.dst, &in, 0, part, n), header_len);
        expect_reason("built",
                      tcp_parse(&ip, exact_copy(b, header_len + len), header_len + len, 0, &out),
                      REASON_NONE);
        assert_int_equal(out.header_len, header_len);
        expect_same(&in, &out);
    }
}

static void test_ipv6_addresses_are_summed_whole(void **state)
{
    struct ip_hdr ip = {.src = {.b = {0x20, 1, 0x0d, 0xb8, [15] = 1}},
                        .dst = {.b = {0x20, 1, 0x0d, 0xb8, [15] = 2}}};
    struct tcp_hdr in = {.sport = 1, .dport = 2, .flags = TCP_SYN}, out;
    uint8_t b[20];

    (void)state;
    tcp_build(b, &ip.src, &ip.dst, &in, 0, NULL, 0);
    expect_reason("IPv6", tcp_parse(&ip, b, 20, 0, &out), REASON_NONE);
    ip.src.b[0] ^= 1;
    expect_reason("another source", tcp_parse(&ip, b, 20, 0, &out), REASON_TCP_CHECKSUM);
}

/* What a device does with PKT_CSUM_PARTIAL: sum up from the TCP header on, invert, store. */
static void test_a_device_completes_a_partial_checksum(void **state)
{
    uint8_t whole[60 + 500], partial[60 + 500];
    uint64_t rng = 14;

    (void)state;
    for (int round = 0; round < 10000; round++) {
        struct ip_hdr ip = lab();
        struct tcp_hdr tcp = random_header(&rng);
        size_t header_len = tcp_header_len(&tcp.opt);
        uint32_t len = random_below(&rng, 501);
        struct slice data = {.base = whole + header_len, .len = len};
        uint32_t pseudo = ip_pseudo_sum(&ip.src, &ip.dst, 6, (uint32_t)header_len + len);

        random_fill(&rng, whole + header_len, len);
        memcpy(partial, whole, header_len + len);
        tcp_build(whole, &ip.src, &ip.dst, &tcp, 0, &data, 1);
        tcp_build(partial, &ip.src, &ip.dst, &tcp, PKT_CSUM_PARTIAL, &data, 1);
        expect_number("folded, not inverted", get16(partial + 16), checksum_add(pseudo, NULL, 0));
        put16(partial + 16, checksum_residue(0, partial, header_len + len));
        assert_memory_equal(partial, whole, header_len + len);
    }
}

static void test_random_changes_never_crash(void **state)
{
    uint64_t rng = 15;

    (void)state;
    for (int round = 0; round < MUTATIONS; round++) {
        struct ip_hdr ip = lab();
        struct tcp_hdr in = random_header(&rng), out;
        uint8_t b[60];
        size_t len = tcp_build(b, &ip.src, &ip.dst, &in, 0, NULL, 0);

        mutate(&rng, b, len);
        if (random_below(&rng, 2))
            mutate(&rng, b + 20, len - 20);
        if (random_below(&rng, 4) == 0)
            len = random_below(&rng, (uint32_t)len + 1);
        if (len >= 20 && random_below(&rng, 8))
            fix_checksum(b, len);
        if (parse("mutated", b, len, (uint16_t)random_below(&rng, 4), &out) != REASON_NONE)
            continue;
        assert_true(out.header_len >= 20 && out.header_len <= len && out.header_len % 4 == 0);
        assert_true(out.sport != 0 && out.dport != 0 && out.flags != 0);
        assert_true(out.opt.sack_n <= TCP_SACK_MAX && out.opt.wscale <= TCP_WSCALE_MAX);
    }
}

/* A timestamp's option behind two NOPs, which is read in one look, or in front of them, which is
 * not. */
static void put_stamp(uint8_t *b, bool usual)
{
    static const uint8_t front[12] = {1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8};
    static const uint8_t back[12] = {8, 10, 1, 2, 3, 4, 5, 6, 7, 8, 1, 1};

    memcpy(b, usual ? front : back, 12);
}

/* Whatever else stands in the header, both are refused for the same reason, or say the same. */
static void test_both_readers_agree(void **state)
{
    uint64_t rng = 13;
    unsigned taken = 0;

    (void)state;
    for (int round = 0; round < 20000; round++) {
        uint8_t b[40];
        struct tcp_hdr one, other;
        uint16_t marks = (uint16_t)random_below(&rng, 4);
        size_t len = round % 4 ? 40 : random_below(&rng, 41);
        enum reason why;

        random_fill(&rng, b, sizeof(b));
        b[12] = round % 8 ? 0x80 : (uint8_t)random64(&rng);
        if (round % 16 == 1)
            put16(b + random_below(&rng, 2) * 2, 0);
        put_stamp(b + 20, true);
        if (round % 3 && len >= 20)
            fix_checksum(b, len);
        why = parse("usual", b, len, marks, &one);
        put_stamp(b + 20, false); /* whose words have the same sum */
        if (len >= 20 && len < 32)
            continue; /* the options are cut, and so not the same */
        expect_reason("unusual", parse("unusual", b, len, marks, &other), why);
        if (why || b[12] >> 4 != 8)
            continue;
        taken++;
        assert_true(one.opt.has_timestamp && one.opt.ts_val == 0x01020304 &&
                    one.opt.ts_ecr == 0x05060708);
        assert_true(other.opt.has_timestamp && other.opt.ts_val == one.opt.ts_val &&
                    other.opt.ts_ecr == one.opt.ts_ecr);
        assert_true(one.sport == other.sport && one.dport == other.dport && one.seq == other.seq &&
                    one.ack == other.ack && one.wnd == other.wnd && one.urg == other.urg);
        assert_true(one.flags == other.flags && one.header_len == 32 && other.header_len == 32 &&
                    one.ecn == other.ecn && one.seg_size == other.seg_size);
        assert_false(one.opt.has_mss || one.opt.has_wscale || one.opt.sack_ok || one.opt.sack_n ||
                     one.opt.mss || one.opt.wscale);
    }
    assert_true(taken > 3000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_syn_is_read),
        cmocka_unit_test(test_every_shorter_segment_has_a_reason),
        cmocka_unit_test(test_each_field_at_its_edges),
        cmocka_unit_test(test_ports),
        cmocka_unit_test(test_the_first_wrong_thing_is_the_reason),
        cmocka_unit_test(test_any_flipped_bit_is_noticed),
        cmocka_unit_test(test_the_device_may_vouch_for_the_checksum_only),
        cmocka_unit_test(test_the_syn_is_built_byte_for_byte),
        cmocka_unit_test(test_the_layout_of_options),
        cmocka_unit_test(test_the_largest_header_fits),
        cmocka_unit_test(test_what_is_built_is_read_back),
        cmocka_unit_test(test_ipv6_addresses_are_summed_whole),
        cmocka_unit_test(test_a_device_completes_a_partial_checksum),
        cmocka_unit_test(test_random_changes_never_crash),
        cmocka_unit_test(test_both_readers_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
