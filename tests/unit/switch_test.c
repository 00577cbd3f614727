/* The table of what can be switched off, and what stands in it. */
#include "tcp/config.h"

#include <string.h>

#include "wire_check.h"

/* Each row names a bool of the configuration, which is on by default, and one that no other has. */
static void each_switch_is_on_and_its_own(void **state)
{
    struct tcp_config cfg, all;
    const struct tcp_switch *s;
    unsigned n = 0;

    (void)state;
    tcp_config_default(&all);
    for (; (s = tcp_switch_at(n)); n++) {
        cfg = all;
        assert_true(*tcp_switch_of(s, &cfg));
        *tcp_switch_of(s, &cfg) = false;
        for (unsigned i = 0; tcp_switch_at(i); i++)
            assert_int_equal(*tcp_switch_of(tcp_switch_at(i), &cfg), i != n);
        assert_ptr_equal(tcp_switch_find(s->name, strlen(s->name)), s);
        assert_true(strlen(s->sentence) > 10 && strncmp(s->rfc, "RFC ", 4) == 0);
    }
    assert_true(n >= 16);
    assert_null(tcp_switch_at(n));
}

static void a_switch_is_found_by_its_whole_name(void **state)
{
    struct tcp_config cfg;

    (void)state;
    tcp_config_default(&cfg);
    assert_ptr_equal(tcp_switch_of(tcp_switch_find("rack,prr", 4), &cfg), &cfg.rack);
    assert_ptr_equal(tcp_switch_of(tcp_switch_find("nagle", 5), &cfg), &cfg.conn.nagle);
    assert_null(tcp_switch_find("rac", 3));
    assert_null(tcp_switch_find("rack,", 5));
    assert_null(tcp_switch_find("", 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_switch_is_on_and_its_own),
        cmocka_unit_test(a_switch_is_found_by_its_whole_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
