/* Other nodes than the usual two: from the command line, and as the journal has them. */
#include "netsetup/nodes.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

#include "netsetup/holder.h"

static struct lab lab;
static char why[NODES_WHY_MAX];

static void a_list_is_read(void **state)
{
    char text[ADDR_TEXT_MAX];

    (void)state;
    lab_default(&lab, 0);
    assert_int_equal(nodes_parse("  a=10.9.0.1/24,fd09::1/64 b=10.9.1.1/30\tc= ", &lab, why),
                     -EINVAL);
    assert_int_equal(nodes_parse("  a=10.9.0.1/24,fd09::1/64\tb=10.9.1.1/30 ", &lab, why), 0);
    assert_int_equal(lab.nodes, 2);
    assert_string_equal(lab.node[0].ifname, "a");
    assert_int_equal(lab.node[0].addrs, 2);
    assert_string_equal(addr_format(&lab.node[0].addr[1].addr, text), "fd09::1");
    assert_int_equal(lab.node[0].addr[1].prefix_len, 64);
    assert_int_equal(lab.node[1].addrs, 1);
    assert_int_equal(lab.node[1].addr[0].prefix_len, 30);
    assert_int_equal(lab.group, -1);
}

static void refused(const char *text, const char *cause)
{
    lab_default(&lab, 0);
    assert_int_equal(nodes_parse(text, &lab, why), -EINVAL);
    if (!strstr(why, cause))
        fail_msg("'%s': wanted '%s' in '%s'", text, cause, why);
}

static void what_is_no_list(void **state)
{
    (void)state;
    refused("", "no node");
    refused("tun0", "is not DEVICE=");
    refused("=10.0.0.1/24", "is not DEVICE=");
    refused("a/b=10.0.0.1/24", "is not DEVICE=");
    refused("..=10.0.0.1/24", "is not DEVICE=");
    refused("a-name-of-16-byt=10.0.0.1/24", "is not DEVICE=");
    refused("tun0=10.0.0.1/24 tun0=10.0.1.1/24", "twice");
    refused("tun0=10.0.0.1", "'10.0.0.1' ");
    refused("tun0=10.0.0.1/24,,10.0.1.1/24", "'' ");
    refused("tun0=10.0.0.1/24,10.0.1.1/24,10.0.2.1/24,10.0.3.1/24,10.0.4.1/24", "more than 4");
    refused("a=10.0.0.1/24 b=10.0.1.1/24 c=10.0.2.1/24 d=10.0.3.1/24 e=10.0.4.1/24 f=10.0.5.1/24 "
            "g=10.0.6.1/24 h=10.0.7.1/24 i=10.0.8.1/24",
            "more than 8");
}

static void the_journal_remembers(void **state)
{
    static struct journal j;
    struct op *op = j.op;

    (void)state;
    lab_default(&lab, 0);
    assert_false(nodes_remembered(&j, LAB_NAME, &lab));
    for (; j.ops < 3; j.ops++, op++) {
        *op = (struct op){.kind = OP_ADDRESS, .addr = {.prefix_len = 24}};
        snprintf(op->ifname, sizeof(op->ifname), "%s", j.ops < 2 ? "a" : "b");
        op->addr.addr = addr_v4(0x0a090001 + j.ops);
        op_hold(op, "other");
    }
    assert_false(nodes_remembered(&j, LAB_NAME, &lab));
    assert_string_equal(lab.node[0].ifname, "tun0");
    assert_true(nodes_remembered(&j, "other", &lab));
    assert_int_equal(lab.nodes, 2);
    assert_int_equal(lab.node[0].addrs, 2);
    assert_string_equal(lab.node[1].ifname, "b");
    lab_default(&lab, 0); /* a part of the usual lab is that lab */
    j.ops = 1;
    snprintf(j.op[0].ifname, sizeof(j.op[0].ifname), "tun1");
    j.op[0].addr = lab.node[1].addr[0];
    assert_false(nodes_remembered(&j, "other", &lab));
    j.op[0].addr.prefix_len = 25; /* but not with another subnet */
    assert_true(nodes_remembered(&j, "other", &lab));
    assert_int_equal(lab.nodes, 1);
}

static void the_way_out_is_remembered(void **state)
{
    static struct journal j = {.ops = 1, .op = {{.kind = OP_RULE, .ifname = "tun0"}}};

    (void)state;
    lab_default(&lab, 0);
    way_out_remembered(&j, &lab);
    assert_string_equal(lab.internet, "");
    assert_false(lab.narrow);
    j.op[0].addr.prefix_len = 24;
    way_out_remembered(&j, &lab);
    assert_string_equal(lab.internet, "");
    assert_true(lab.narrow);
    lab_default(&lab, 0);
    j.op[0].masquerade = true;
    snprintf(j.op[0].ifname, sizeof(j.op[0].ifname), "eth0");
    way_out_remembered(&j, &lab);
    assert_string_equal(lab.internet, "eth0");
    assert_false(lab.internet_chosen);
    assert_true(lab.narrow);
    snprintf(lab.internet, sizeof(lab.internet), "eth1"); /* the caller's choice goes first */
    way_out_remembered(&j, &lab);
    assert_string_equal(lab.internet, "eth1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_is_read),
        cmocka_unit_test(what_is_no_list),
        cmocka_unit_test(the_journal_remembers),
        cmocka_unit_test(the_way_out_is_remembered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
