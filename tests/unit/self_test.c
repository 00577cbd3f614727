/* What the programs call themselves and each other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "run/self.h"

static void assert_calls(const char *typed, const char *own, const char *sibling)
{
    char out[SELF_MAX];

    self_is("host", typed);
    assert_string_equal(self_call("host", out), own);
    assert_string_equal(self_call("netsetup", out), sibling);
}

static void siblings_share_the_directory_and_the_prefix(void **state)
{
    (void)state;
    assert_calls("host", "host", "netsetup");
    assert_calls("build/bin/host", "build/bin/host", "build/bin/netsetup");
    assert_calls("twintun-host", "twintun-host", "twintun-netsetup");
    assert_calls("/usr/bin/twintun-host", "/usr/bin/twintun-host", "/usr/bin/twintun-netsetup");
}

static void a_link_with_another_name_tells_nothing_of_siblings(void **state)
{
    (void)state;
    assert_calls("build/bin/ghost", "build/bin/ghost", "netsetup");
    assert_calls("h", "h", "netsetup");
    assert_calls("host.old", "host.old", "netsetup");
}

static void without_a_word_it_is_the_bare_name(void **state)
{
    (void)state;
    assert_calls("", "host", "netsetup");
    assert_calls(NULL, "host", "netsetup");
}

static void a_word_that_is_too_long_is_left_out(void **state)
{
    char typed[2 * SELF_MAX];

    (void)state;
    memset(typed, 'x', sizeof(typed));
    strcpy(typed + sizeof(typed) - 6, "/host");
    assert_calls(typed, "host", "netsetup");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(siblings_share_the_directory_and_the_prefix),
        cmocka_unit_test(a_link_with_another_name_tells_nothing_of_siblings),
        cmocka_unit_test(without_a_word_it_is_the_bare_name),
        cmocka_unit_test(a_word_that_is_too_long_is_left_out),
    };

    return cmocka_run_group_tests_name("self", tests, NULL, NULL);
}
