/* Addresses on a command line: what is taken, what is not, and what the message says then. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "run/address.h"

static void expect_address(const struct addr *a, const char *want)
{
    char text[ADDR_TEXT_MAX];

    assert_string_equal(addr_format(a, text), want);
}

static void addresses_of_both_versions(void **state)
{
    static const char *const bad[] = {"",           "10.0.0",       "10.0.0.256",
                                      "fd00::1::2", "fe80::1%tun0", "::ffff:10.0.0.1",
                                      "[fd00::1]",  "fd00::1/64",   "12345::"};
    struct addr a;

    (void)state;
    assert_int_equal(parse_addr("10.0.1.5", &a), 0);
    expect_address(&a, "10.0.1.5");
    assert_int_equal(parse_addr("FD00:0::0:5", &a), 0);
    expect_address(&a, "fd00::5");
    assert_int_equal(parse_addr4("fd00::5", &a), -EINVAL);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(parse_addr(bad[i], &a), -EINVAL);
        expect_address(&a, "fd00::5");
    }
}

/* RFC 1122 3.2.1.3-e, 3.2.2.9-a, 3.3.1.6-a. */
static void subnets_of_both_versions(void **state)
{
    static const struct {
        const char *text, *why;
    } bad[] = {
        {"", "needs a prefix length behind"},
        {"10.0.0.1", "needs a prefix length behind"},
        {"/24", "does not begin with an address"},
        {"10.0.0/24", "does not begin with an address"},
        {"10.0.0.256/24", "does not begin with an address"},
        {"10.0.0.1.10.0.0.1.10.0.0.1.10.0.0.1.10.0.0.1.10.0/24", "does not begin with an address"},
        {"10.0.0.1/", "prefix length from 1 to 30"},
        {"10.0.0.1/0", "prefix length from 1 to 30"},
        {"10.0.0.1/31", "prefix length from 1 to 30"},
        {"10.0.0.1/024", "prefix length from 1 to 30"},
        {"10.0.0.1/24x", "prefix length from 1 to 30"},
        {"10.0.0.1/-1", "prefix length from 1 to 30"},
        {"10.0.0.1/99999999999999999999", "prefix length from 1 to 30"},
        {"10.0.0.0/24", "names the subnet itself"},
        {"10.0.0.255/24", "broadcast"},
        {"0.0.0.0/8", "reserved"},
        {"127.0.0.1/8", "reserved"},
        {"224.0.0.1/24", "reserved"},
        {"255.255.255.255/24", "reserved"},
        {"fd00::1/127", "prefix length from 1 to 126"},
        {"fd00::1/0", "prefix length from 1 to 126"},
        {"fd00::/64", "names the subnet itself"},
        {"fd00::100/120", "names the subnet itself"},
        {"::1/64", "reserved"},
        {"ff02::1/64", "reserved"},
        {"fe80::1/64", "link-local"},
    };
    struct cidr c;
    const char *why;

    (void)state;
    assert_int_equal(parse_cidr("10.0.0.1/24", &c, &why), 0);
    expect_address(&c.addr, "10.0.0.1");
    assert_int_equal(c.prefix_len, 24);
    assert_int_equal(parse_cidr("10.0.0.1/1", &c, &why), 0);
    assert_int_equal(parse_cidr("10.0.0.1/30", &c, &why), 0);
    assert_int_equal(parse_cidr("fd00::1/126", &c, &why), 0);
    assert_int_equal(parse_cidr("fd00::1/64", &c, &why), 0);
    assert_int_equal(c.prefix_len, 64);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(parse_cidr(bad[i].text, &c, &why), -EINVAL);
        if (!strstr(why, bad[i].why))
            fail_msg("%s: expected \"%s\", got \"%s\"", bad[i].text, bad[i].why, why);
        assert_int_equal(c.prefix_len, 64);
    }
}

static void host_numbers(void **state)
{
    static const struct {
        const char *net;
        uint32_t number;
        const char *host; /* NULL: there is none */
    } cases[] = {
        {"10.0.0.1/24", 7, "10.0.0.7"},
        {"10.0.0.7/24", 7, NULL},
        {"10.0.0.1/29", 6, "10.0.0.6"},
        {"10.0.0.1/29", 7, NULL},
        {"fd00::1/64", 7, "fd00::7"},
        {"fd00:1:2:3:4:5:6:7/64", 5, "fd00:1:2:3::5"},
        {"fd00:1:2:3:4:5:6:7/60", 5, "fd00:1:2::5"},
        {"fd00::7/64", 7, NULL},
        {"fd00::1/126", 3, "fd00::3"},
        {"fd00::1/126", 4, NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cidr net;
        struct addr a;
        const char *why;

        assert_int_equal(parse_cidr(cases[i].net, &net, &why), 0);
        assert_int_equal(cidr_host_number(&net, cases[i].number, &a), cases[i].host != NULL);
        if (cases[i].host)
            expect_address(&a, cases[i].host);
    }
}

/* Each of the version in turn, others left out; none of a version that is not there. */
static void addresses_take_turns(void **state)
{
    static const char *const all[] = {"10.0.0.7", "fd00::7", "10.0.0.8", "10.0.0.9"};
    static const char *const turns[] = {"10.0.0.7", "10.0.0.8", "10.0.0.9", "10.0.0.7", "10.0.0.8"};
    struct cidr_list list = {.n = 4};
    struct addr v4 = addr_v4(0x0a000105), v6;
    uint32_t turn = 0;

    (void)state;
    assert_int_equal(parse_addr("fd00:1::5", &v6), 0);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(parse_addr(all[i], &list.at[i].addr), 0);
    assert_int_equal(cidrs_like(&list, &v4), 3);
    assert_int_equal(cidrs_like(&list, &v6), 1);
    for (unsigned i = 0; i < 5; i++)
        expect_address(cidrs_next(&list, &v4, &turn), turns[i]);
    expect_address(cidrs_next(&list, &v6, &turn), "fd00::7");
    list.n = 1;
    assert_null(cidrs_next(&list, &v6, &turn));
    assert_int_equal(cidrs_like(&list, &v6), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_of_both_versions),
        cmocka_unit_test(subnets_of_both_versions),
        cmocka_unit_test(host_numbers),
        cmocka_unit_test(addresses_take_turns),
    };

    return cmocka_run_group_tests_name("address", tests, NULL, NULL);
}
