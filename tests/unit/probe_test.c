/* Where a packet was lost, from where it was last seen; and the addresses that it goes between. */
#include "netsetup/probe.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

/* Stages in front of and behind a raw chain, tracking, and a filter. */
static const struct probing way = {
    .hook = {HOOK_PREROUTING, HOOK_PREROUTING, HOOK_PREROUTING, HOOK_PREROUTING, HOOK_PREROUTING,
             HOOK_FORWARD, HOOK_FORWARD, HOOK_FORWARD, HOOK_POSTROUTING},
    .prio = {-2000, -299, -201, -199, 2000, -2000, 1, 2000, 2000},
    .stages = 9,
    .chain = {{.hook = HOOK_PREROUTING, .prio = -300, .v4 = true, .name = "raw"},
              {.hook = HOOK_FORWARD, .prio = 0, .v4 = true, .name = "filter"},
              {.hook = HOOK_FORWARD, .prio = 0, .v6 = true, .name = "filter6"},
              {.hook = HOOK_FORWARD, .prio = 0, .v4 = true, .v6 = true, .name = "both"},
              {.hook = HOOK_INGRESS, .prio = 0, .v4 = true, .v6 = true, .name = "ingress"}},
    .chains = 5,
};

/* The suspects' names, with a comma behind each. */
static const char *suspects(int last_seen, bool v6, bool *ret_routing, bool *ret_tracking)
{
    const struct chain *who[CHAINS_MAX];
    struct probe probe = {.last_seen = last_seen, .src = addr_v4(0x0a000007)};
    static char text[256];
    unsigned n;

    if (v6)
        probe.src = (struct addr){.b = {0xfd, [15] = 7}};
    n = probe_suspects(&way, &probe, who, ret_routing, ret_tracking);
    text[0] = '\0';
    for (unsigned i = 0; i < n; i++) {
        strcat(text, who[i]->name);
        strcat(text, ",");
    }
    return text;
}

static void between_two_stages(void **state)
{
    bool routing, tracking;

    (void)state;
    assert_string_equal(suspects(0, false, &routing, &tracking), "raw,");
    assert_false(routing || tracking);
    assert_string_equal(suspects(0, true, &routing, &tracking), "");
    assert_string_equal(suspects(1, false, &routing, &tracking), "");
    assert_false(tracking);
    assert_string_equal(suspects(2, false, &routing, &tracking), "");
    assert_true(tracking);
    assert_string_equal(suspects(4, false, &routing, &tracking), "");
    assert_true(routing);
    assert_string_equal(suspects(5, false, &routing, &tracking), "filter,both,");
    assert_false(routing || tracking);
    assert_string_equal(suspects(5, true, &routing, &tracking), "filter6,both,");
    assert_string_equal(suspects(-1, false, &routing, &tracking), "ingress,");
    assert_false(routing || tracking);
}

static void arrived_is_the_last_stage(void **state)
{
    struct probe probe = {.last_seen = 8};

    (void)state;
    assert_true(probe_arrived(&way, &probe));
    probe.last_seen = 7;
    assert_false(probe_arrived(&way, &probe));
}

static void addresses_of_nodes(void **state)
{
    char text[ADDR_TEXT_MAX];
    struct addr a, b = addr_v4(0x0a0a0aff);
    struct lab lab;

    (void)state;
    lab_default(&lab, 0);
    a = lab_node_addr(&lab, 0, 0);
    assert_string_equal(addr_format(&a, text), "10.0.0.7");
    assert_true(lab_node_addr_of(&lab, 1, FAMILY_IPV6, &a));
    assert_string_equal(addr_format(&a, text), "fd00:1::5");
    lab.node[1].addrs = 1;
    assert_false(lab_node_addr_of(&lab, 1, FAMILY_IPV6, &a));
    a = addr_network(&b, 31);
    assert_string_equal(addr_format(&a, text), "10.10.10.254");
    a = addr_network(&b, 9);
    assert_string_equal(addr_format(&a, text), "10.0.0.0");
    a = addr_network(&b, 32);
    assert_string_equal(addr_format(&a, text), "10.10.10.255");
    a = addr_network(&b, 0);
    assert_string_equal(addr_format(&a, text), "0.0.0.0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(between_two_stages),
        cmocka_unit_test(arrived_is_the_last_stage),
        cmocka_unit_test(addresses_of_nodes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
