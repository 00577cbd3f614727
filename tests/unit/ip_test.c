/* The IPv4 header: what is refused and why, at each edge; there and back again. */
#include <stdlib.h>

#include "wire/ip.h"
#include "wire_check.h"

/* A header without options and 40 bytes of payload, checked with tcpdump. */
static const uint8_t plain[60] = {0x45, 0x00, 0x00, 0x3c, 0x12, 0x34, 0x40, 0x00, 0x40, 0x06,
                                  0x13, 0x7d, 0x0a, 0x00, 0x00, 0x07, 0x0a, 0x00, 0x01, 0x05};

static void fix_checksum(uint8_t *b)
{
    put16(b + 10, 0);
    put16(b + 10, checksum_residue(0, b, (size_t)(b[0] & 15) * 4));
}

/* Parse an exact copy; if it fails, the result must be as it was. */
static enum reason parse(const char *step, const uint8_t *b, size_t len, struct ip_hdr *ret_ip)
{
    enum reason why;

    memset(ret_ip, UNTOUCHED, sizeof(*ret_ip));
    why = ip_parse(exact_copy(b, len), len, ret_ip);
    if (why != REASON_NONE)
        expect_untouched(step, ret_ip, sizeof(*ret_ip));
    return why;
}

static void test_a_plain_header_is_read(void **state)
{
    struct ip_hdr ip;
    struct addr src = addr_v4(0x0a000007), dst = addr_v4(0x0a000105);

    (void)state;
    expect_reason("plain", parse("plain", plain, 60, &ip), REASON_NONE);
    assert_true(addr_eq(&ip.src, &src) && addr_eq(&ip.dst, &dst));
    assert_int_equal(ip.version, 4);
    assert_int_equal(ip.tos, 0);
    assert_int_equal(ip.ttl, 64);
    assert_int_equal(ip.proto, IP_PROTO_TCP);
    assert_int_equal(ip.id, 0x1234);
    assert_true(ip.df && !ip.mf);
    assert_int_equal(ip.frag_off, 0);
    assert_false(ip_is_fragment(&ip));
    assert_int_equal(ip.header_len, 20);
    assert_int_equal(ip.total_len, 60);
    assert_int_equal(ip.options_len, 0);
}

static void test_every_shorter_packet_has_a_reason(void **state)
{
    struct ip_hdr ip;

    (void)state;
    for (size_t len = 0; len < 20; len++)
        expect_reason("under 20 bytes", parse("under 20 bytes", plain, len, &ip), REASON_IP_EMPTY);
    for (size_t len = 20; len < 60; len++)
        expect_reason("cut", parse("cut", plain, len, &ip), REASON_IP_TOTAL_LENGTH);
}

static void test_bytes_behind_the_total_length_are_ignored(void **state)
{
    struct ip_hdr ip;
    uint8_t b[64] = {0};

    (void)state;
    memcpy(b, plain, 60);
    expect_reason("4 more bytes", parse("4 more bytes", b, 64, &ip), REASON_NONE);
    assert_int_equal(ip.total_len, 60);
}

/* One byte of the plain header changed, the checksum made right again. */
struct byte_step {
    const char *what;
    uint8_t at, value;
    enum reason want;
};

static void test_each_field_at_its_edges(void **state)
{
    static const struct byte_step steps[] = {
        {"version 0", 0, 0x05, REASON_IP_VERSION},
        {"version 3", 0, 0x35, REASON_IP_VERSION},
        {"version 5", 0, 0x55, REASON_IP_VERSION},
        {"version 6", 0, 0x60, REASON_IP_TOTAL_LENGTH},
        {"version 7", 0, 0x75, REASON_IP_VERSION},
        {"version 15", 0, 0xf5, REASON_IP_VERSION},
        {"header of 0 words", 0, 0x40, REASON_IP_HEADER_LENGTH},
        {"header of 4 words", 0, 0x44, REASON_IP_HEADER_LENGTH},
        {"header of 5 words", 0, 0x45, REASON_NONE},
        {"header of 15 words, as long as the packet", 0, 0x4f, REASON_NONE},
        {"total length 0", 3, 0, REASON_IP_TOTAL_LENGTH},
        {"total length 19", 3, 19, REASON_IP_TOTAL_LENGTH},
        {"total length 20", 3, 20, REASON_NONE},
        {"total length 59", 3, 59, REASON_NONE},
        {"total length 61", 3, 61, REASON_IP_TOTAL_LENGTH},
        {"total length 316", 2, 1, REASON_IP_TOTAL_LENGTH},
        {"TTL 0", 8, 0, REASON_NONE},
        {"TTL 1", 8, 1, REASON_NONE},
        {"the reserved flag", 6, 0xc0, REASON_NONE},
        {"an unknown protocol", 9, 4, REASON_NONE},
        {"source 255.0.0.7, for the floor above", 12, 255, REASON_NONE},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        uint8_t b[60];
        struct ip_hdr ip;

        memcpy(b, plain, 60);
        b[steps[i].at] = steps[i].value;
        fix_checksum(b);
        expect_reason(steps[i].what, parse(steps[i].what, b, 60, &ip), steps[i].want);
    }
}

static void test_header_beyond_the_packet(void **state)
{
    uint8_t b[60];
    struct ip_hdr ip;

    (void)state;
    memcpy(b, plain, 60);
    b[0] = 0x46;
    put16(b + 2, 24);
    fix_checksum(b);
    expect_reason("24 of 24", parse("24 of 24", b, 24, &ip), REASON_NONE);
    expect_reason("24 of 23", parse("24 of 23", b, 23, &ip), REASON_IP_HEADER_LENGTH);
    put16(b + 2, 23);
    fix_checksum(b);
    expect_reason("total under header", parse("total under header", b, 24, &ip),
                  REASON_IP_TOTAL_LENGTH);
}

/* RFC 1122 3.2.1.2-a. */
static void test_any_flipped_bit_is_noticed(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < 20 * 8; bit++) {
        uint8_t b[60];
        struct ip_hdr ip;

        memcpy(b, plain, 60);
        b[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_not_equal(parse("flipped", b, 60, &ip), REASON_NONE);
    }
}

static void test_fragments(void **state)
{
    static const struct {
        uint16_t field;
        bool df, mf;
        uint16_t off;
    } steps[] = {
        {0x0000, false, false, 0}, {0x4000, true, false, 0},     {0x2000, false, true, 0},
        {0x0001, false, false, 8}, {0x2001, false, true, 8},     {0x1fff, false, false, 65528},
        {0x6000, true, true, 0},   {0x3fff, false, true, 65528},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        uint8_t b[60];
        struct ip_hdr ip;

        memcpy(b, plain, 60);
        put16(b + 6, steps[i].field);
        fix_checksum(b);
        expect_reason("fragment", parse("fragment", b, 60, &ip), REASON_NONE);
        assert_int_equal(ip.df, steps[i].df);
        assert_int_equal(ip.mf, steps[i].mf);
        assert_int_equal(ip.frag_off, steps[i].off);
        assert_int_equal(ip_is_fragment(&ip), steps[i].mf || steps[i].off > 0);
    }
}

struct option_step {
    const char *what;
    uint8_t b[8]; /* the option bytes of a header of 28 */
    enum reason want;
};

static void test_options(void **state)
{
    static const struct option_step steps[] = {
        {"all end-of-list", {0}, REASON_NONE},
        {"all NOP", {1, 1, 1, 1, 1, 1, 1, 1}, REASON_NONE},
        {"router alert", {148, 4, 0, 0}, REASON_NONE},
        {"unknown, length 0", {200, 0}, REASON_IP_OPTION},
        {"unknown, length 1", {200, 1}, REASON_IP_OPTION},
        {"unknown, length 2", {200, 2}, REASON_NONE},
        {"unknown, up to the end", {200, 8}, REASON_NONE},
        {"unknown, one beyond the end", {200, 9}, REASON_IP_OPTION},
        {"unknown, length 255", {200, 255}, REASON_IP_OPTION},
        {"kind without length at the end", {1, 1, 1, 1, 1, 1, 1, 200}, REASON_IP_OPTION},
        {"length 2 at the end", {1, 1, 1, 1, 1, 1, 200, 2}, REASON_NONE},
        {"length 3 at the end", {1, 1, 1, 1, 1, 1, 200, 3}, REASON_IP_OPTION},
        {"loose source route", {131, 7, 4, 10, 0, 0, 1}, REASON_NONE},
        {"strict source route", {137, 7, 4, 10, 0, 0, 1}, REASON_NONE},
        {"loose and strict together", {131, 3, 4, 137, 3, 4}, REASON_IP_ROUTE},
        {"source route behind another", {200, 3, 0, 131, 3, 4}, REASON_NONE},
        {"source route cut short", {1, 1, 1, 1, 1, 131, 7, 4}, REASON_IP_OPTION},
        {"source route of length 1", {131, 1}, REASON_IP_OPTION},
        {"source route as the last byte", {1, 1, 1, 1, 1, 1, 1, 137}, REASON_IP_OPTION},
        {"source route behind end-of-list", {0, 131, 3, 4}, REASON_NONE},
        {"nonsense behind end-of-list", {1, 0, 200, 0}, REASON_NONE},
        {"source route as another's value", {200, 5, 131, 3, 4}, REASON_NONE},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        uint8_t b[28];
        struct ip_hdr ip;

        memcpy(b, plain, 20);
        memcpy(b + 20, steps[i].b, 8);
        b[0] = 0x47;
        put16(b + 2, 28);
        fix_checksum(b);
        expect_reason(steps[i].what, parse(steps[i].what, b, 28, &ip), steps[i].want);
        if (steps[i].want == REASON_NONE) {
            assert_int_equal(ip.header_len, 28);
            assert_int_equal(ip.options_len, 8);
            assert_memory_equal(ip.options, steps[i].b, 8);
        }
    }
}

static struct ip_hdr random_header(uint64_t *rng, uint8_t options[IPV4_OPTIONS_MAX])
{
    memset(options, 1, IPV4_OPTIONS_MAX); /* NOPs */
    return (struct ip_hdr){
        .src = addr_v4((uint32_t)random64(rng)),
        .dst = addr_v4((uint32_t)random64(rng)),
        .version = 4,
        .tos = (uint8_t)random64(rng),
        .ttl = (uint8_t)(1 + random_below(rng, 255)),
        .proto = (uint8_t)random64(rng),
        .id = (uint16_t)random64(rng),
        .df = random_below(rng, 2),
        .mf = random_below(rng, 2),
        .frag_off = (uint16_t)(random_below(rng, 8192) * 8),
        .options = options,
        .options_len = (uint8_t)(random_below(rng, 11) * 4),
    };
}

static void test_what_is_built_is_read_back(void **state)
{
    static uint8_t packet[IPV4_PACKET_MAX];
    uint8_t options[IPV4_OPTIONS_MAX];
    uint64_t rng = 7;

    (void)state;
    for (int round = 0; round < 20000; round++) {
        struct ip_hdr in = random_header(&rng, options), out;
        size_t header_len = 20 + (size_t)in.options_len;
        size_t payload = random_below(&rng, (uint32_t)(IPV4_PACKET_MAX - header_len) + 1);

        memset(packet, UNTOUCHED, 64);
        assert_int_equal(ip_build(packet, &in, payload), header_len);
        expect_untouched("behind the header", packet + header_len, 64 - header_len);
        expect_reason("built", ip_parse(packet, header_len + payload, &out), REASON_NONE);
        assert_true(addr_eq(&in.src, &out.src) && addr_eq(&in.dst, &out.dst));
        assert_true(in.tos == out.tos && in.ttl == out.ttl && in.proto == out.proto);
        assert_true(in.id == out.id && in.df == out.df && in.mf == out.mf);
        assert_int_equal(in.frag_off, out.frag_off);
        assert_int_equal(out.header_len, header_len);
        assert_int_equal(out.total_len, header_len + payload);
        assert_int_equal(out.options_len, in.options_len);
        assert_memory_equal(out.options, options, in.options_len);
    }
}

static void test_the_plain_header_is_built_byte_for_byte(void **state)
{
    uint8_t room[20];
    struct ip_hdr ip = {.src = addr_v4(0x0a000007),
                        .dst = addr_v4(0x0a000105),
                        .version = 4,
                        .ttl = 64,
                        .proto = IP_PROTO_TCP,
                        .id = 0x1234,
                        .df = true};

    (void)state;
    assert_int_equal(ip_build(room, &ip, 40), 20);
    assert_memory_equal(room, plain, 20);
}

/* The short way for what leaves whole writes what the long one does. */
static void test_the_short_way_is_the_same(void **state)
{
    uint8_t options[IPV4_OPTIONS_MAX], built[IPV4_HEADER_MIN], room[IPV4_HEADER_MIN + 4];
    uint64_t rng = 11;

    (void)state;
    for (int round = 0; round < 20000; round++) {
        struct ip_hdr ip = random_header(&rng, options);
        size_t payload = random_below(&rng, IPV4_PACKET_MAX - IPV4_HEADER_MIN + 1);

        ip.id = ip.frag_off = ip.options_len = 0;
        ip.df = true;
        ip.mf = false;
        memset(room, UNTOUCHED, sizeof(room));
        ip_build(built, &ip, payload);
        ip_build_plain4(room, &ip.src, &ip.dst, ip.proto, ip.tos, ip.ttl, payload);
        assert_memory_equal(room, built, IPV4_HEADER_MIN);
        expect_untouched("behind the header", room + IPV4_HEADER_MIN, 4);
    }
}

static void test_a_quote_is_read_leniently(void **state)
{
    uint8_t b[60];
    struct ip_hdr ip;

    (void)state;
    memcpy(b, plain, 60);
    put16(b + 2, 65535); /* more than there is */
    b[8] = 0;
    put16(b + 10, 0xdead);
    assert_true(ip_parse_quote(exact_copy(b, 20), 20, &ip));
    assert_int_equal(ip.total_len, 65535);
    assert_int_equal(ip.proto, IP_PROTO_TCP);
    memset(&ip, UNTOUCHED, sizeof(ip));
    for (size_t len = 0; len < 20; len++)
        assert_false(ip_parse_quote(exact_copy(b, len), len, &ip));
    b[0] = 0x44;
    assert_false(ip_parse_quote(exact_copy(b, 60), 60, &ip));
    b[0] = 0x55;
    assert_false(ip_parse_quote(exact_copy(b, 60), 60, &ip));
    b[0] = 0x4f;
    assert_false(ip_parse_quote(exact_copy(b, 59), 59, &ip));
    expect_untouched("quotes refused", &ip, sizeof(ip));
    assert_true(ip_parse_quote(exact_copy(b, 60), 60, &ip));
}

/* RFC 8200 8.1-a. */
static void test_pseudo_header(void **state)
{
    struct addr a4 = addr_v4(0x0a000007), b4 = addr_v4(0x0a000105);
    struct addr a6 = {.b = {0x20, 0x01, 0x0d, 0xb8, [15] = 1}};
    struct addr b6 = {.b = {0x20, 0x01, 0x0d, 0xb8, [15] = 2}};

    (void)state;
    assert_int_equal(ip_pseudo_sum(&a4, &b4, 6, 40), 0x0a00 + 7 + 0x0a00 + 0x105 + 6 + 40);
    assert_int_equal(ip_pseudo_sum(&a6, &b6, 17, 0x12345),
                     2 * (0x2001 + 0xdb8) + 3 + 17 + 1 + 0x2345);
}

static void test_random_changes_never_crash(void **state)
{
    uint64_t rng = 8;

    (void)state;
    for (int round = 0; round < MUTATIONS; round++) {
        uint8_t b[60], options[IPV4_OPTIONS_MAX];
        struct ip_hdr in = random_header(&rng, options), ip;
        size_t len = ip_build(b, &in, 0);

        mutate(&rng, b, len);
        if (random_below(&rng, 8))
            fix_checksum(b);
        if (random_below(&rng, 4) == 0)
            len = random_below(&rng, (uint32_t)len + 1);
        if (parse("mutated", b, len, &ip) != REASON_NONE)
            continue;
        assert_true(ip.header_len >= 20 && ip.header_len <= ip.total_len && ip.total_len <= len);
        assert_true(ip.version == 4 && ip.options_len + 20 == ip.header_len);
    }
}

/*
 * A header without options is read in one look, any other step by step. With options that say
 * nothing, the same header has to be refused for the same reason, or to say the same.
 */
static void test_both_readers_agree(void **state)
{
    uint64_t rng = 11;
    unsigned taken = 0;

    (void)state;
    for (int round = 0; round < 20000; round++) {
        uint8_t b[60], wide[64];
        struct ip_hdr one, other;
        size_t cut = random_below(&rng, 4) ? 0 : random_below(&rng, 45);
        enum reason why;

        memcpy(b, plain, 60);
        if (round % 4)
            b[1 + random_below(&rng, 19)] = (uint8_t)random64(&rng);
        if (round % 5 == 0)
            put16(b + 2, (uint16_t)random_below(&rng, 80));
        memcpy(wide, b, 20);
        memset(wide + 20, 1, 4);
        memcpy(wide + 24, b + 20, 40);
        wide[0] = 0x46;
        put16(wide + 2, (uint16_t)(get16(b + 2) + 4));
        if (round % 3) /* else it is wrong, or happens to be right */
            fix_checksum(b);
        fix_checksum(wide);
        if (checksum_residue(0, b, 20))
            put16(wide + 10, (uint16_t)(get16(wide + 10) ^ 1));
        if (cut > 40)
            cut = 40;
        why = parse("without options", b, 60 - cut, &one);
        if (get16(b + 2) > UINT16_MAX - 4)
            continue;
        expect_reason("with options", parse("with options", wide, 64 - cut, &other), why);
        if (why)
            continue;
        taken++;
        other.total_len -= 4;
        other.header_len -= 4;
        other.options = one.options;
        other.options_len = 0;
        assert_true(addr_eq(&one.src, &other.src) && addr_eq(&one.dst, &other.dst));
        assert_true(one.version == other.version && one.tos == other.tos && one.ttl == other.ttl &&
                    one.proto == other.proto && one.flow == other.flow && one.id == other.id);
        assert_true(one.df == other.df && one.mf == other.mf && one.frag_off == other.frag_off);
        assert_true(one.header_len == other.header_len && one.total_len == other.total_len);
        assert_true(one.options_len == 0 && !one.at.route && !one.at.record && !one.at.timestamp);
    }
    assert_true(taken > 5000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_plain_header_is_read),
        cmocka_unit_test(test_every_shorter_packet_has_a_reason),
        cmocka_unit_test(test_bytes_behind_the_total_length_are_ignored),
        cmocka_unit_test(test_each_field_at_its_edges),
        cmocka_unit_test(test_header_beyond_the_packet),
        cmocka_unit_test(test_any_flipped_bit_is_noticed),
        cmocka_unit_test(test_fragments),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_what_is_built_is_read_back),
        cmocka_unit_test(test_the_plain_header_is_built_byte_for_byte),
        cmocka_unit_test(test_the_short_way_is_the_same),
        cmocka_unit_test(test_a_quote_is_read_leniently),
        cmocka_unit_test(test_pseudo_header),
        cmocka_unit_test(test_random_changes_never_crash),
        cmocka_unit_test(test_both_readers_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
