/* The plan: from facts to operations, and when there is none because something is someone else's.
 */
#include "netsetup/plan.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

static struct lab lab;
static struct facts facts;
static struct plan plan;
static char why[REFUSAL_TEXT_MAX];

/* A machine on which nothing of the lab is there, with an empty nft rule set. */
static int bare_machine(void **state)
{
    (void)state;
    lab_default(&lab, 1000);
    memset(&facts, 0, sizeof(facts));
    facts.firewall = FIREWALL_IPTABLES_NFT;
    why[0] = '\0';
    return 0;
}

/* Node i's TUN as `up` leaves it. */
static void complete_device(unsigned i)
{
    struct device_facts *d = &facts.device[i];

    *d = (struct device_facts){.exists = true, .ours = true, .has_addr = true, .rule = true};
    d->link.is_tun = d->link.up = d->link.persist = true;
    d->link.owner = 1000;
    d->link.group = -1;
}

/* Compare the plan's kinds with a string of letters: Device, Address, Up, Chain, Rule, Sysctl. */
static void assert_plan(unsigned parts, const char *kinds)
{
    char got[PLAN_OPS_MAX + 1] = "";

    assert_int_equal(plan_up(&lab, parts, &facts, &plan, why), 0);
    for (unsigned i = 0; i < plan.ops; i++)
        got[i] = "DAUCRS"[plan.op[i].kind];
    assert_string_equal(got, kinds);
}

static void assert_refused(unsigned parts, const char *text)
{
    assert_int_equal(plan_up(&lab, parts, &facts, &plan, why), -EEXIST);
    if (!strstr(why, text))
        fail_msg("expected \"%s\" in \"%s\"", text, why);
    assert_non_null(strstr(why, "nothing was changed"));
    assert_null(strchr(why, '\n'));
}

static void everything_on_a_bare_machine(void **state)
{
    char text[OP_TEXT_MAX];

    (void)state;
    assert_plan(PART_ALL, "DAUDAUCRRS");
    assert_string_equal(op_do_text(&plan.op[0], text), "ip tuntap add dev tun0 mode tun user 1000");
    assert_string_equal(op_do_text(&plan.op[4], text), "ip address add 10.0.1.1/24 dev tun1");
    assert_string_equal(op_do_text(&plan.op[5], text), "ip link set dev tun1 up");
    assert_string_equal(op_do_text(&plan.op[6], text), "");
    assert_string_equal(op_do_text(&plan.op[7], text),
                        "iptables -w -t raw -A PREROUTING -i tun0 -m comment --comment twintun "
                        "-j NOTRACK");
    assert_string_equal(op_do_text(&plan.op[9], text), "sysctl -w net.ipv4.ip_forward=1");
    assert_string_equal(op_undo_text(&plan.op[0], text), "ip link delete dev tun0");
    assert_string_equal(op_undo_text(&plan.op[6], text), "nft delete table ip raw");
    assert_string_equal(op_undo_text(&plan.op[9], text), "sysctl -w net.ipv4.ip_forward=0");
}

static void nothing_when_complete(void **state)
{
    (void)state;
    complete_device(0);
    complete_device(1);
    facts.raw_table = facts.raw_chain = true;
    facts.ip_forward = 1;
    assert_plan(PART_ALL, "");
    assert_true(plan_is_up(&lab, &facts));
}

static void only_what_is_missing(void **state)
{
    (void)state;
    complete_device(0);
    complete_device(1);
    facts.raw_table = facts.raw_chain = true;
    facts.device[1].has_addr = false;
    assert_plan(PART_ALL, "AS");
    assert_false(plan_is_up(&lab, &facts));
    facts.device[0].link.up = false;
    facts.device[1].rule = false;
    assert_plan(PART_ALL, "UARS");
    facts.ip_forward = -1; /* unreadable: better to try and say what is wrong */
    assert_plan(PART_FORWARDING, "S");
}

static void each_missing_thing_means_not_up(void **state)
{
    (void)state;
    for (int i = 0; i < 7; i++) {
        complete_device(0);
        complete_device(1);
        facts.ip_forward = 1;
        facts.firewall = FIREWALL_IPTABLES_LEGACY;
        assert_true(plan_is_up(&lab, &facts));
        if (i == 0)
            facts.device[1].exists = false;
        else if (i == 1)
            facts.device[0].link.up = false;
        else if (i == 2)
            facts.device[0].has_addr = false;
        else if (i == 3)
            facts.device[1].rule = false;
        else if (i == 4)
            facts.ip_forward = 0;
        else if (i == 5)
            facts.device[1].link.is_tun = false;
        else
            facts.ip_forward = -1;
        assert_false(plan_is_up(&lab, &facts));
    }
    complete_device(1);
    facts.ip_forward = 1;
    facts.device[1].rule = false; /* not a fault where no rules can be had or seen */
    facts.firewall = FIREWALL_NONE;
    assert_true(plan_is_up(&lab, &facts));
    facts.firewall = FIREWALL_UNKNOWN;
    assert_true(plan_is_up(&lab, &facts));
}

static void parts(void **state)
{
    (void)state;
    assert_plan(PART_DEVICES, "DAUDAU");
    assert_plan(PART_RULES, "CRR");
    assert_plan(PART_FORWARDING, "S");
    assert_plan(PART_RULES | PART_FORWARDING, "CRRS");
    for (enum op_kind k = 0; k < OP_KINDS; k++)
        assert_true(op_part(k) & PART_ALL);
}

static void the_chain_is_ours_only_if_missing(void **state)
{
    (void)state;
    assert_plan(PART_RULES, "CRR");
    assert_true(plan.op[0].table_too);
    facts.raw_table = true;
    assert_plan(PART_RULES, "CRR");
    assert_false(plan.op[0].table_too);
    assert_int_equal(plan.ops, plan_changes(&plan) + 1);
    facts.raw_chain = true;
    assert_plan(PART_RULES, "RR");
    facts.raw_chain = false;
    facts.device[0].rule = facts.device[1].rule = true;
    assert_plan(PART_RULES, "");
    facts.device[1].rule = false;
    facts.firewall = FIREWALL_IPTABLES_LEGACY;
    assert_plan(PART_RULES, "R");
    assert_int_equal(plan.op[0].firewall, FIREWALL_IPTABLES_LEGACY);
    facts.firewall = FIREWALL_NONE;
    assert_plan(PART_RULES, "");
}

static void what_is_not_a_tun(void **state)
{
    (void)state;
    facts.device[1].exists = true;
    assert_refused(PART_ALL, "tun1 exists and is not a TUN device");
    assert_refused(PART_RULES, "tun1");
    assert_plan(PART_FORWARDING, "S"); /* no business of forwarding */
}

static void other_addresses(void **state)
{
    (void)state;
    complete_device(0);
    facts.device[0].ours = false;
    facts.device[0].has_other = true;
    facts.device[0].other = (struct netlink_addr){.addr = addr_v4(0xc0a84d01), .prefix_len = 28};
    assert_refused(PART_ALL, "tun0 is someone else's, with the address 192.168.77.1/28");
    assert_refused(PART_RULES, "tun0");
    facts.device[0].ours = true; /* one that we made may get more addresses */
    assert_plan(PART_DEVICES, "DAU");
    assert_string_equal(plan.op[0].ifname, "tun1");
}

static void other_owners(void **state)
{
    (void)state;
    complete_device(0);
    facts.device[0].link.owner = 1001;
    assert_refused(PART_DEVICES, "tun0 belongs to user id 1001, not 1000");
    assert_non_null(strstr(why, "run 'netsetup down' first"));
    facts.device[0].ours = false;
    assert_refused(PART_DEVICES, "remove it first");
    assert_plan(PART_RULES, "CR");
    facts.device[0].link.owner = -1; /* nobody's in particular: it will do */
    assert_plan(PART_DEVICES, "DAU");
    complete_device(0);
    facts.device[0].link.owner = 0; /* root is a user like others */
    assert_refused(PART_DEVICES, "user id 0");
}

static void a_subnet_in_use(void **state)
{
    (void)state;
    facts.device[1].overlap = true;
    snprintf(facts.device[1].overlap_ifname, sizeof(facts.device[1].overlap_ifname), "eth0");
    assert_refused(PART_ALL, "eth0 has an address in tun1's subnet, 10.0.1.1/24");
    assert_plan(PART_RULES, "CRR");
    complete_device(1); /* it is up already: then it is too late to refuse */
    facts.device[1].overlap = true;
    assert_plan(PART_DEVICES, "DAU");
}

static void sameness(void **state)
{
    struct op a = {.kind = OP_ADDRESS, .ifname = "tun0", .index = 3};
    struct op b = a;

    (void)state;
    a.addr = (struct netlink_addr){.addr = addr_v4(0x0a000001), .prefix_len = 24};
    b.addr = a.addr;
    b.index = 9;
    assert_true(op_same_thing(&a, &b));
    b.addr.prefix_len = 16;
    assert_false(op_same_thing(&a, &b));
    b = (struct op){.kind = OP_LINK_UP, .ifname = "tun0"};
    assert_false(op_same_thing(&a, &b));
    a = (struct op){.kind = OP_LINK_UP, .ifname = "tun1"};
    assert_false(op_same_thing(&a, &b));
}

/* The largest lab fits the plan. */
static void many_nodes(void **state)
{
    (void)state;
    lab.nodes = LAB_NODES_MAX;
    for (unsigned i = 0; i < LAB_NODES_MAX; i++)
        snprintf(lab.node[i].ifname, sizeof(lab.node[i].ifname), "tun%u", i);
    assert_int_equal(plan_up(&lab, PART_ALL, &facts, &plan, why), 0);
    assert_int_equal(plan.ops, 4 * LAB_NODES_MAX + 2);
    assert_true(plan.ops <= PLAN_OPS_MAX);
}

#define TEST(f) cmocka_unit_test_setup(f, bare_machine)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(everything_on_a_bare_machine),
        TEST(nothing_when_complete),
        TEST(only_what_is_missing),
        TEST(each_missing_thing_means_not_up),
        TEST(parts),
        TEST(the_chain_is_ours_only_if_missing),
        TEST(what_is_not_a_tun),
        TEST(other_addresses),
        TEST(other_owners),
        TEST(a_subnet_in_use),
        TEST(sameness),
        TEST(many_nodes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
