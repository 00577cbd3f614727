/*
 * Segments of the usual form (wire/plain.h): whatever is taken for one is a packet that the parsers
 * take as well, and read in the same way.
 */
#include "wire/plain.h"

#include "wire_check.h"

enum {
    TEXT_MAX = 80, /* bytes */
};

static const struct addr local = {{[10] = 0xff, 0xff, 10, 0, 1, 5}};
static const struct addr remote = {{[10] = 0xff, 0xff, 10, 0, 0, 7}};
static uint64_t rng = 11;

/* A segment of the usual form with `len` bytes of text at b; returns its length. */
static uint32_t build(uint8_t *b, uint32_t len, bool timestamp)
{
    static uint8_t bytes[TEXT_MAX];
    struct ip_hdr ip = {
        .src = remote, .dst = local, .version = 4, .ttl = 64, .proto = IP_PROTO_TCP, .df = true};
    struct tcp_hdr tcp = {.sport = 1000,
                          .dport = 80,
                          .seq = (uint32_t)random64(&rng),
                          .ack = (uint32_t)random64(&rng),
                          .wnd = (uint16_t)random64(&rng),
                          .flags = TCP_ACK,
                          .opt = {.has_timestamp = timestamp, .ts_val = 7, .ts_ecr = 8}};
    struct slice text = {.base = bytes, .len = len};
    uint32_t l4;

    random_fill(&rng, bytes, len);
    l4 = (uint32_t)tcp_build(b + IPV4_HEADER_MIN, &remote, &local, &tcp, 0, &text, len > 0);
    ip_build(b, &ip, l4 + len);
    memcpy(b + IPV4_HEADER_MIN + l4, bytes, len);
    return IPV4_HEADER_MIN + l4 + len;
}

/* Both say the same of b[0..len), which is taken for one. */
static void expect_same(const uint8_t *b, uint32_t len, uint16_t marks)
{
    struct tcp_hdr tcp, plain;
    struct ip_hdr ip;
    enum reason why;

    plain_read(b, &plain);
    assert_int_equal(ip_parse(b, len, &ip), REASON_NONE);
    assert_int_equal(ip.header_len, PLAIN_PORTS);
    assert_int_equal(ip.proto, IP_PROTO_TCP);
    assert_false(ip_is_fragment(&ip));
    assert_int_equal(ip.tos, b[PLAIN_TOS]);
    assert_int_equal(get32(b + PLAIN_SRC), addr_v4_value(&ip.src));
    assert_int_equal(get32(b + PLAIN_DST), addr_v4_value(&ip.dst));
    why = tcp_parse(&ip, b + ip.header_len, ip.total_len - ip.header_len, marks, &tcp);
    if (why == REASON_TCP_PORT_ZERO || why == REASON_TCP_FLAGS)
        return; /* of which nothing is said */
    assert_int_equal(why, REASON_NONE);
    assert_int_equal(plain_text_len(b), ip.total_len - ip.header_len - tcp.header_len);
    assert_int_equal(get16(b + PLAIN_PORTS), tcp.sport);
    assert_int_equal(get16(b + PLAIN_PORTS + 2), tcp.dport);
    assert_int_equal(plain.seq, tcp.seq);
    assert_int_equal(plain.ack, tcp.ack);
    assert_int_equal(plain.wnd, tcp.wnd);
    assert_int_equal(plain.flags, tcp.flags);
    assert_int_equal(plain.ecn, tcp.ecn);
    assert_int_equal(tcp.header_len, TCP_HEADER_PLAIN);
    assert_true(plain.opt.has_timestamp && tcp.opt.has_timestamp);
    assert_int_equal(plain.opt.ts_val, tcp.opt.ts_val);
    assert_int_equal(plain.opt.ts_ecr, tcp.opt.ts_ecr);
    assert_false(plain.opt.has_mss || plain.opt.has_wscale || plain.opt.sack_ok ||
                 plain.opt.sack_n);
}

static void test_usual_ones_are_recognized(void **state)
{
    uint8_t b[PLAIN_TEXT + TEXT_MAX + 1] = {0};

    (void)state;
    for (uint32_t n = 0; n <= TEXT_MAX; n++) {
        uint32_t len = build(b, n, true);
        const uint8_t *copy = exact_copy(b, len);

        assert_true(plain_is(copy, len));
        assert_true(plain_sums_good(copy, 0));
        expect_same(copy, len, 0);
        assert_true(plain_is(b, len + 1)); /* what is behind it is none of its own */
        expect_same(b, len + 1, 0);
        assert_false(plain_is(exact_copy(b, len - 1), len - 1));
        len = build(b, n, false);
        assert_false(plain_is(exact_copy(b, len), len));
    }
}

static void test_no_byte_is_read_that_is_not_there(void **state)
{
    uint8_t b[PLAIN_TEXT];

    (void)state;
    (void)build(b, 0, true);
    for (uint32_t n = 0; n < PLAIN_TEXT; n++)
        assert_false(plain_is(exact_copy(b, n), n));
}

/* Any single bit that is not right is noticed, or noticed to be another form. */
static void test_each_bit_counts(void **state)
{
    uint8_t b[PLAIN_TEXT + TEXT_MAX];
    uint32_t len = build(b, 13, true);

    (void)state;
    for (uint32_t bit = 0; bit < 8 * len; bit++) {
        b[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(plain_is(b, len) && plain_sums_good(b, 0));
        b[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    b[PLAIN_TEXT] ^= 1;
    assert_false(plain_sums_good(b, 0));
    assert_true(plain_sums_good(b, PKT_CSUM_VALID)); /* the device vouches for it */
    assert_true(plain_sums_good(b, PKT_CSUM_PARTIAL));
    b[8]--;
    assert_false(plain_sums_good(b, PKT_CSUM_VALID));
}

/* Sums put right again after a field has become another one: what is still taken is the same. */
static void repair(uint8_t *b, uint32_t len)
{
    uint32_t l4 = len - IPV4_HEADER_MIN, ends;

    put16(b + 10, 0);
    put16(b + 10, checksum_finish(checksum_add(0, b, IPV4_HEADER_MIN)));
    put16(b + 36, 0);
    ends = checksum_add(0, b + PLAIN_SRC, 8);
    put16(b + 36, checksum_finish(checksum_add(ends + IP_PROTO_TCP + l4, b + 20, l4)));
}

static void test_what_is_taken_is_what_parsers_take(void **state)
{
    uint8_t b[PLAIN_TEXT + TEXT_MAX];
    unsigned taken = 0;

    (void)state;
    for (unsigned i = 0; i < MUTATIONS; i++) {
        uint32_t len = build(b, random_below(&rng, TEXT_MAX), true);
        uint16_t marks = i % 4 ? 0 : PKT_CSUM_VALID;

        for (unsigned n = random_below(&rng, 3); n > 0; n--)
            b[random_below(&rng, PLAIN_TEXT)] = (uint8_t)random64(&rng);
        repair(b, len);
        if (!plain_is(exact_copy(b, len), len) || !plain_sums_good(b, marks))
            continue;
        expect_same(b, len, marks);
        taken++;
    }
    assert_true(taken > MUTATIONS / 2 && taken < MUTATIONS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_usual_ones_are_recognized),
        cmocka_unit_test(test_no_byte_is_read_that_is_not_there),
        cmocka_unit_test(test_each_bit_counts),
        cmocka_unit_test(test_what_is_taken_is_what_parsers_take),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
