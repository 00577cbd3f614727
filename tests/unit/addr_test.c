/* Addresses: the mapped form, the kinds, the text form (with inet_ntop as a second opinion). */
#include <arpa/inet.h>

#include "wire/addr.h"
#include "wire_check.h"

/* Letters of the kinds that an address is of; see kinds_of. */
struct kind_step {
    const char *text;
    const char *kinds;
};

static struct addr parse(const char *text)
{
    struct addr a;
    uint8_t v4[4];

    if (inet_pton(AF_INET, text, v4) == 1)
        return addr_v4_bytes(v4);
    assert_int_equal(inet_pton(AF_INET6, text, a.b), 1);
    return a;
}

static void kinds_of(const struct addr *a, char out[6])
{
    if (addr_is_v4(a))
        *out++ = '4';
    if (addr_is_unspecified(a))
        *out++ = 'U';
    if (addr_is_loopback(a))
        *out++ = 'L';
    if (addr_is_multicast(a))
        *out++ = 'M';
    if (addr_is_limited_broadcast(a))
        *out++ = 'B';
    *out = '\0';
}

/* RFC 8504 6.1-a: what kind of address it is (RFC 4291 section 2.4). */
static void test_each_kind_at_its_edges(void **state)
{
    static const struct kind_step steps[] = {
        {"0.0.0.0", "4U"},
        {"0.0.0.1", "4"},
        {"10.0.0.7", "4"},
        {"126.255.255.255", "4"},
        {"127.0.0.0", "4L"},
        {"127.255.255.255", "4L"},
        {"128.0.0.0", "4"},
        {"223.255.255.255", "4"},
        {"224.0.0.0", "4M"},
        {"239.255.255.255", "4M"},
        {"240.0.0.0", "4"},
        {"255.255.255.254", "4"},
        {"255.255.255.255", "4B"},
        {"::", "U"},
        {"::1", "L"},
        {"::2", ""},
        {"::100", ""},
        {"1::", ""},
        {"feff:ffff::1", ""},
        {"ff00::", "M"},
        {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "M"},
        {"::fffe:127.0.0.1", ""},
        {"1::ffff:127.0.0.1", ""},
        {"::ffff:127.0.0.1", "4L"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        struct addr a = parse(steps[i].text);
        char kinds[7];

        kinds_of(&a, kinds);
        if (strcmp(kinds, steps[i].kinds) != 0)
            fail_msg("%s: is of '%s', want '%s'", steps[i].text, kinds, steps[i].kinds);
    }
}

static void test_number_and_bytes_agree(void **state)
{
    static const uint8_t mapped[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 1, 5};
    struct addr a = addr_v4(0x0a000105), b = addr_v4_bytes(mapped + 12);
    uint64_t rng = 5;

    (void)state;
    assert_memory_equal(a.b, mapped, 16);
    assert_true(addr_eq(&a, &b));
    for (int i = 0; i < 1000; i++) {
        uint32_t v = (uint32_t)random64(&rng);

        a = addr_v4(v);
        assert_true(addr_is_v4(&a));
        assert_int_equal(addr_v4_value(&a), v);
    }
    b = addr_v4(addr_v4_value(&a) ^ 1);
    assert_false(addr_eq(&a, &b));
}

/* RFC 8504 6.1-a: how it is written (RFC 4291 section 2.2). */
static void test_text_forms(void **state)
{
    static const char *const texts[] = {
        "0.0.0.0",
        "10.0.0.7",
        "255.255.255.255",
        "100.9.10.99",
        "::",
        "::1",
        "1::",
        "fe80::1",
        "2001:db8::1",
        "2001:db8:0:1:1:1:1:1", /* one zero group is not shortened */
        "2001:db8::1:0:0:1",    /* of equal runs the first */
        "2001:0:0:1::1",        /* the longest run */
        "1:2:3:4:5:6::",        /* a run at the end */
        "::3:4:5:6:7:8",        /* a run at the start */
        "0:2:3:4:5:6:7:0",      /* single zeros at both ends */
        "abcd:ef01:2345:6789:a:b:c:d",
        "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct addr a = parse(texts[i]);
        char out[ADDR_TEXT_MAX];

        assert_ptr_equal(addr_format(&a, out), out);
        assert_string_equal(out, texts[i]);
    }
}

static void test_random_addresses_read_as_inet_ntop_writes_them(void **state)
{
    uint64_t rng = 6;

    (void)state;
    for (int round = 0; round < 100000; round++) {
        char out[ADDR_TEXT_MAX], want[INET6_ADDRSTRLEN];
        struct addr a;

        random_fill(&rng, a.b, sizeof(a.b));
        a.b[0] |= 0x10; /* no embedded IPv4 address, which inet_ntop writes in its own way */
        for (size_t g = 2; g < 16; g += 2)
            if (random_below(&rng, 2))
                put16(a.b + g, (uint16_t)random_below(&rng, 2));
        assert_non_null(inet_ntop(AF_INET6, a.b, want, sizeof(want)));
        assert_string_equal(addr_format(&a, out), want);
        assert_non_null(inet_ntop(AF_INET, a.b, want, sizeof(want)));
        a = addr_v4_bytes(a.b);
        assert_string_equal(addr_format(&a, out), want);
    }
}

/* [RFC 5952 6] */
static void rfc5952_6_a_port_behind_it(void **state)
{
    char out[ADDR_PORT_TEXT_MAX];
    struct addr a = {.b = {0xfd, [15] = 7}}, longest;

    (void)state;
    assert_string_equal(addr_port_format(&a, 80, out), "[fd00::7]:80");
    memset(longest.b, 0xff, sizeof(longest.b));
    assert_string_equal(addr_port_format(&longest, 65535, out),
                        "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535");
    a = addr_v4(0x0a000007);
    assert_string_equal(addr_port_format(&a, 0, out), "10.0.0.7:0");
}

/* RFC 8504 6.1-a: RFC 4291 section 2.5.6. */
static void test_link_local(void **state)
{
    static const struct {
        uint8_t first, second;
        bool is;
    } cases[] = {{0xfe, 0x80, true},  {0xfe, 0xbf, true},  {0xfe, 0x7f, false},
                 {0xfe, 0xc0, false}, {0xff, 0x80, false}, {0, 0, false}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct addr a = {.b = {cases[i].first, cases[i].second}};

        assert_int_equal(addr_is_link_local6(&a), cases[i].is);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_kind_at_its_edges),
        cmocka_unit_test(test_number_and_bytes_agree),
        cmocka_unit_test(test_text_forms),
        cmocka_unit_test(test_random_addresses_read_as_inet_ntop_writes_them),
        cmocka_unit_test(rfc5952_6_a_port_behind_it),
        cmocka_unit_test(test_link_local),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
