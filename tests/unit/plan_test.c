/* The plan: from facts to operations, and when there is none because something is someone else's.
 */
#include "netsetup/plan.h"

#include "plan_kit.h"

static void set_firewalls(enum firewall_kind kind)
{
    for (enum family f = 0; f < FAMILIES; f++)
        facts.firewall[f].kind = kind;
}

static void set_raw(bool table, bool chain)
{
    for (enum family f = 0; f < FAMILIES; f++) {
        facts.firewall[f].raw_table = table;
        facts.firewall[f].raw_chain = chain;
    }
}

static void assert_refused(unsigned parts, const char *text)
{
    assert_int_equal(plan_up(&lab, parts, &facts, &plan, why), -EEXIST);
    if (!strstr(why, text))
        fail_msg("expected \"%s\" in \"%s\"", text, why);
    assert_non_null(strstr(why, "nothing was changed"));
    assert_null(strchr(why, '\n'));
}

static void forward_all(void)
{
    facts.forwarding[FAMILY_IPV4] = facts.forwarding[FAMILY_IPV6] = 1;
}

static void everything_on_a_bare_machine(void **state)
{
    (void)state;
    assert_plan(PART_ALL, "DAAUDAAUCRRCRRSS");
    assert_string_equal(does(0), "ip tuntap add dev tun0 mode tun user 1000");
    assert_string_equal(does(1), "ip address add 10.0.0.1/24 dev tun0");
    assert_string_equal(does(2), "ip address add fd00::1/64 dev tun0 nodad");
    assert_string_equal(does(5), "ip address add 10.0.1.1/24 dev tun1");
    assert_string_equal(does(6), "ip address add fd00:1::1/64 dev tun1 nodad");
    assert_string_equal(does(7), "ip link set dev tun1 up");
    assert_string_equal(does(8), "");
    assert_string_equal(does(9), "iptables -w -t raw -A PREROUTING -i tun0 -m comment --comment "
                                 "twintun -j NOTRACK");
    assert_string_equal(does(13), "ip6tables -w -t raw -A PREROUTING -i tun1 -m comment --comment "
                                  "twintun -j NOTRACK");
    assert_string_equal(does(14), "sysctl -w net.ipv4.ip_forward=1");
    assert_string_equal(does(15), "sysctl -w net.ipv6.conf.all.forwarding=1");
    assert_string_equal(undoes(0), "ip link delete dev tun0");
    assert_string_equal(undoes(2), "ip address delete fd00::1/64 dev tun0");
    assert_string_equal(undoes(8), "nft delete table ip raw");
    assert_string_equal(undoes(11), "nft delete table ip6 raw");
    assert_string_equal(undoes(13), "ip6tables -w -t raw -D PREROUTING -i tun1 -m comment "
                                    "--comment twintun -j NOTRACK");
    assert_string_equal(undoes(14), "sysctl -w net.ipv4.ip_forward=0");
    assert_string_equal(undoes(15), "sysctl -w net.ipv6.conf.all.forwarding=0");
}

static void nothing_when_complete(void **state)
{
    (void)state;
    complete_device(0);
    complete_device(1);
    set_raw(true, true);
    forward_all();
    assert_plan(PART_ALL, "");
    assert_true(plan_is_up(&lab, &facts));
}

static void only_what_is_missing(void **state)
{
    (void)state;
    complete_device(0);
    complete_device(1);
    set_raw(true, true);
    facts.device[1].addr[0].there = false;
    assert_plan(PART_ALL, "ASS");
    assert_false(plan_is_up(&lab, &facts));
    facts.device[0].link.up = false;
    facts.device[1].rule[FAMILY_IPV4] = false;
    assert_plan(PART_ALL, "UARSS");
    facts.device[1].addr[0].there = true;
    facts.device[1].addr[1].there = false;
    facts.device[0].rule[FAMILY_IPV6] = false;
    assert_plan(PART_ALL, "UARRSS");
    assert_string_equal(does(1), "ip address add fd00:1::1/64 dev tun1 nodad");
    assert_int_equal(plan.op[3].family, FAMILY_IPV6);
    facts.forwarding[FAMILY_IPV4] = -1; /* unreadable: better to try and say what is wrong */
    facts.forwarding[FAMILY_IPV6] = 1;
    assert_plan(PART_FORWARDING, "S");
}

/* Take away thing `i` of a lab that is complete. Returns false when there is none of that number.
 */
static bool break_thing(int i)
{
    switch (i) {
    case 0:
        facts.device[1].exists = false;
        return true;
    case 1:
        facts.device[0].link.up = false;
        return true;
    case 2:
    case 3:
        facts.device[0].addr[i - 2].there = false;
        return true;
    case 4:
    case 5:
        facts.device[1].rule[i - 4] = false;
        return true;
    case 6:
    case 7:
        facts.forwarding[i - 6] = 0;
        return true;
    case 8:
        facts.device[1].link.is_tun = false;
        return true;
    case 9:
        facts.forwarding[FAMILY_IPV4] = -1;
        return true;
    default:
        return false;
    }
}

static void each_missing_thing_means_not_up(void **state)
{
    bool broken = true;

    (void)state;
    set_firewalls(FIREWALL_IPTABLES_LEGACY);
    for (int i = 0; broken; i++) {
        complete_device(0);
        complete_device(1);
        forward_all();
        assert_true(plan_is_up(&lab, &facts));
        broken = break_thing(i);
        assert_true(plan_is_up(&lab, &facts) == !broken);
    }
    for (enum family f = 0; f < FAMILIES; f++) {
        complete_device(1);
        facts.device[1].rule[f] = false; /* not a fault where no rules can be had or seen */
        assert_false(plan_is_up(&lab, &facts));
        facts.firewall[f].kind = FIREWALL_NONE;
        assert_true(plan_is_up(&lab, &facts));
        facts.firewall[f].kind = FIREWALL_UNKNOWN;
        assert_true(plan_is_up(&lab, &facts));
        facts.firewall[f].kind = FIREWALL_IPTABLES_NFT;
    }
}

static void parts(void **state)
{
    (void)state;
    assert_plan(PART_DEVICES, "DAAUDAAU");
    assert_plan(PART_RULES, "CRRCRR");
    assert_plan(PART_FORWARDING, "SS");
    assert_plan(PART_RULES | PART_FORWARDING, "CRRCRRSS");
    for (enum op_kind k = 0; k < OP_KINDS; k++)
        assert_true(op_part(k) & PART_ALL);
}

static void the_chain_is_ours_only_if_missing(void **state)
{
    (void)state;
    assert_plan(PART_RULES, "CRRCRR");
    assert_true(plan.op[0].table_too);
    assert_true(plan.op[3].table_too);
    facts.firewall[FAMILY_IPV4].raw_table = true; /* the other family's table is another */
    assert_plan(PART_RULES, "CRRCRR");
    assert_false(plan.op[0].table_too);
    assert_true(plan.op[3].table_too);
    assert_int_equal(plan.op[3].family, FAMILY_IPV6);
    assert_int_equal(plan.ops, plan_changes(&plan) + 2);
    facts.firewall[FAMILY_IPV4].raw_chain = true;
    assert_plan(PART_RULES, "RRCRR");
    set_raw(true, false);
    for (enum family f = 0; f < FAMILIES; f++)
        facts.device[0].rule[f] = facts.device[1].rule[f] = true;
    assert_plan(PART_RULES, "");
    facts.device[1].rule[FAMILY_IPV6] = false;
    set_firewalls(FIREWALL_IPTABLES_LEGACY);
    assert_plan(PART_RULES, "R");
    assert_int_equal(plan.op[0].firewall, FIREWALL_IPTABLES_LEGACY);
    assert_int_equal(plan.op[0].family, FAMILY_IPV6);
    set_firewalls(FIREWALL_NONE);
    assert_plan(PART_RULES, "");
}

/* Each family has its tool: one may be missing, or of the other variant. */
static void the_tools_are_two(void **state)
{
    (void)state;
    facts.firewall[FAMILY_IPV6].kind = FIREWALL_NONE;
    assert_plan(PART_RULES, "CRR");
    assert_int_equal(plan.op[1].family, FAMILY_IPV4);
    facts.firewall[FAMILY_IPV6].kind = FIREWALL_IPTABLES_LEGACY;
    assert_plan(PART_RULES, "CRRRR");
    assert_int_equal(plan.op[2].firewall, FIREWALL_IPTABLES_NFT);
    assert_int_equal(plan.op[3].firewall, FIREWALL_IPTABLES_LEGACY);
    facts.firewall[FAMILY_IPV4].kind = FIREWALL_NONE;
    assert_plan(PART_RULES, "RR");
    assert_int_equal(plan.op[0].family, FAMILY_IPV6);
}

/* ---- IPv6 ---- */

static void without_ipv6(void **state)
{
    (void)state;
    facts.ipv6 = false;
    facts.forwarding[FAMILY_IPV6] = -1;
    assert_plan(PART_ALL, "DAUDAUCRRS");
    complete_device(0);
    complete_device(1);
    for (unsigned i = 0; i < 2; i++) {
        facts.device[i].addr[1] = (struct addr_facts){.overlap = true, .overlap_ifname = "eth0"};
        facts.device[i].rule[FAMILY_IPV6] = false;
    }
    facts.forwarding[FAMILY_IPV4] = 1;
    assert_plan(PART_ALL, "");
    assert_true(plan_is_up(&lab, &facts));
    facts.ipv6 = true;
    facts.device[0].addr[1].overlap = facts.device[1].addr[1].overlap = false;
    assert_false(plan_is_up(&lab, &facts));
    assert_plan(PART_ALL, "AACRRS");
}

static void a_lab_of_one_family(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        lab.node[i].addr[0] = lab.node[i].addr[1];
        lab.node[i].addrs = 1;
    }
    assert_false(lab_speaks(&lab, &facts, FAMILY_IPV4));
    assert_plan(PART_ALL, "DAUDAUCRRS");
    assert_string_equal(does(7), "ip6tables -w -t raw -A PREROUTING -i tun0 -m comment --comment "
                                 "twintun -j NOTRACK");
    assert_string_equal(does(9), "sysctl -w net.ipv6.conf.all.forwarding=1");
}

/* What hears a router goes on to hear it: accept_ra comes before the switch that would end it. */
static void routers_are_still_heard(void **state)
{
    (void)state;
    complete_device(0);
    complete_device(1);
    facts.forwarding[FAMILY_IPV4] = 1;
    facts.ra[0] = (struct ra_link){.ifname = "eth0", .index = 2};
    facts.ra[1] = (struct ra_link){.ifname = "wlan0.5", .index = 3};
    facts.ra_links = 2;
    assert_plan(PART_ALL, "SSS");
    assert_string_equal(does(0), "sysctl -w net.ipv6.conf.eth0.accept_ra=2");
    assert_string_equal(does(1), "sysctl -w net/ipv6/conf/wlan0.5/accept_ra=2");
    assert_string_equal(does(2), "sysctl -w net.ipv6.conf.all.forwarding=1");
    assert_string_equal(plan.op[1].ifname, "wlan0.5");
    assert_int_equal(plan.op[1].index, 3);
    assert_false(op_same_thing(&plan.op[0], &plan.op[1]));
    facts.forwarding[FAMILY_IPV6] = 1; /* then it is as its owner wants it */
    assert_plan(PART_ALL, "");
    facts.forwarding[FAMILY_IPV6] = 0;
    facts.ra_links = RA_LINKS_MAX + 1;
    assert_refused(PART_ALL, "17 interfaces have their IPv6 routes from routers");
    assert_plan(PART_DEVICES | PART_RULES, "");
    facts.ipv6 = false; /* nor does this concern a lab without IPv6 */
    assert_plan(PART_ALL, "");
}

static void what_is_not_a_tun(void **state)
{
    (void)state;
    facts.device[1].exists = true;
    assert_refused(PART_ALL, "tun1 exists and is not a TUN device");
    assert_refused(PART_RULES, "tun1");
    assert_plan(PART_FORWARDING, "SS"); /* no business of forwarding */
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
    assert_plan(PART_DEVICES, "DAAU");
    assert_string_equal(plan.op[0].ifname, "tun1");
}

/* A packet's size, a group, several descriptors: made so, changed where it can be, or refused. */
static void a_lab_of_another_kind(void **state)
{
    char text[OP_TEXT_MAX];

    (void)state;
    lab.mtu = 9000;
    lab.group = 7;
    lab.queues = true;
    assert_plan(PART_DEVICES, "DMAAUDMAAU");
    assert_string_equal(op_do_text(&plan.op[0], text),
                        "ip tuntap add dev tun0 mode tun user 1000 group 7 multi_queue");
    assert_string_equal(op_do_text(&plan.op[1], text), "ip link set dev tun0 mtu 9000");
    lab.owner = -1;
    assert_plan(PART_DEVICES, "DMAAUDMAAU");
    assert_string_equal(op_do_text(&plan.op[5], text),
                        "ip tuntap add dev tun1 mode tun group 7 multi_queue");
    lab.mtu = 1500;
    assert_plan(PART_DEVICES, "DAAUDAAU");
    bare_machine(NULL);
    complete_device(0);
    complete_device(1);
    facts.device[0].link.mtu = facts.device[1].link.mtu = 1500;
    facts.forwarding[FAMILY_IPV4] = facts.forwarding[FAMILY_IPV6] = 1;
    assert_true(plan_is_up(&lab, &facts));
    lab.mtu = 2000;
    assert_false(plan_is_up(&lab, &facts));
    assert_plan(PART_DEVICES, "MM");
    lab.group = 7;
    assert_refused(PART_DEVICES, "tun0 is for group id -1, not 7");
    lab.group = -1;
    lab.queues = true;
    assert_refused(PART_DEVICES, "tun0 was made for one descriptor");
    facts.device[0].link.queues = facts.device[1].link.queues = true;
    assert_plan(PART_DEVICES, "MM");
}

/* firewalld trusts each TUN, or is told to; that is one of the rules. */
static void firewalld_trusts(void **state)
{
    char text[OP_TEXT_MAX];

    (void)state;
    set_firewalls(FIREWALL_NONE);
    facts.firewalld = true;
    assert_plan(PART_RULES, "ZZ");
    assert_string_equal(op_do_text(&plan.op[0], text),
                        "firewall-cmd --zone=trusted --change-interface=tun0");
    assert_string_equal(op_undo_text(&plan.op[0], text),
                        "firewall-cmd --zone=trusted --remove-interface=tun0");
    snprintf(plan.op[0].zone, sizeof(plan.op[0].zone), "work");
    assert_string_equal(op_undo_text(&plan.op[0], text),
                        "firewall-cmd --zone=work --change-interface=tun0");
    assert_plan(PART_DEVICES, "DAAUDAAU");
    complete_device(0);
    complete_device(1);
    facts.forwarding[FAMILY_IPV4] = facts.forwarding[FAMILY_IPV6] = 1;
    facts.device[0].trusted = true;
    assert_plan(PART_RULES, "Z");
    assert_false(plan_is_up(&lab, &facts));
    facts.device[1].trusted = true;
    assert_true(plan_is_up(&lab, &facts));
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
    assert_plan(PART_RULES, "CRCR");
    facts.device[0].link.owner = -1; /* nobody's in particular: it will do */
    assert_plan(PART_DEVICES, "DAAU");
    complete_device(0);
    facts.device[0].link.owner = 0; /* root is a user like others */
    assert_refused(PART_DEVICES, "user id 0");
}

static void a_subnet_in_use(void **state)
{
    struct addr_facts *v4 = &facts.device[1].addr[0], *v6 = &facts.device[1].addr[1];

    (void)state;
    *v4 = (struct addr_facts){.overlap = true, .overlap_ifname = "eth0"};
    assert_refused(PART_ALL, "eth0 has an address in tun1's subnet, 10.0.1.1/24");
    assert_plan(PART_RULES, "CRRCRR");
    *v6 = (struct addr_facts){.overlap = true, .overlap_ifname = "eth6"};
    v4->overlap = false;
    assert_refused(PART_ALL, "eth6 has an address in tun1's subnet, fd00:1::1/64");
    complete_device(1); /* it is up already: then it is too late to refuse */
    v4->overlap = v6->overlap = true;
    assert_plan(PART_DEVICES, "DAAU");
    v6->there = false; /* but what is missing is refused */
    assert_refused(PART_ALL, "fd00:1::1/64");
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
    a = b = (struct op){.kind = OP_RULE, .ifname = "tun1"};
    assert_true(op_same_thing(&a, &b));
    b.family = FAMILY_IPV6;
    assert_false(op_same_thing(&a, &b));
    b = a;
    b.addr = (struct netlink_addr){.addr = addr_v4(0x0a000000), .prefix_len = 24};
    assert_false(op_same_thing(&a, &b));
    a = b;
    assert_true(op_same_thing(&a, &b));
    b.masquerade = true;
    assert_false(op_same_thing(&a, &b));
}

/* The largest lab, on a machine with most routers, fits the plan. */
static void many_nodes(void **state)
{
    (void)state;
    lab.nodes = LAB_NODES_MAX;
    for (unsigned i = 0; i < LAB_NODES_MAX; i++) {
        snprintf(lab.node[i].ifname, sizeof(lab.node[i].ifname), "tun%u", i);
        lab.node[i].addrs = LAB_ADDRS_MAX;
        for (unsigned a = 0; a < LAB_ADDRS_MAX; a++)
            lab.node[i].addr[a] = lab.node[0].addr[a % 2];
    }
    facts.ra_links = RA_LINKS_MAX;
    assert_int_equal(plan_up(&lab, PART_ALL, &facts, &plan, why), 0);
    assert_int_equal(plan.ops, (4 + LAB_ADDRS_MAX) * LAB_NODES_MAX + 4 + RA_LINKS_MAX);
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
        TEST(the_tools_are_two),
        TEST(without_ipv6),
        TEST(a_lab_of_one_family),
        TEST(routers_are_still_heard),
        TEST(what_is_not_a_tun),
        TEST(other_addresses),
        TEST(other_owners),
        TEST(firewalld_trusts),
        TEST(a_lab_of_another_kind),
        TEST(a_subnet_in_use),
        TEST(sameness),
        TEST(many_nodes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
