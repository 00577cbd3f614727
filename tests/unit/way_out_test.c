/* The plan of a way out: narrow NOTRACK rules, MASQUERADE, and who holds that. */
#include "plan_kit.h"

static void go_out(void)
{
    snprintf(lab.internet, sizeof(lab.internet), "eth0");
    lab.internet_chosen = lab.narrow = true;
}

/* Each TUN has a narrow rule for each network, and the way out one for each. */
static void a_way_out(void **state)
{
    (void)state;
    go_out();
    assert_plan(PART_RULES, "CRRRRCRRCRRRRCRR");
    assert_string_equal(does(1), "iptables -w -t raw -A PREROUTING -d 10.0.0.0/24 -i tun0 -m "
                                 "comment --comment twintun -j NOTRACK");
    assert_string_equal(does(4), "iptables -w -t raw -A PREROUTING -d 10.0.1.0/24 -i tun1 -m "
                                 "comment --comment twintun -j NOTRACK");
    assert_string_equal(does(6), "iptables -w -t nat -A POSTROUTING -s 10.0.0.0/24 -o eth0 -m "
                                 "comment --comment twintun -j MASQUERADE");
    assert_string_equal(does(15), "ip6tables -w -t nat -A POSTROUTING -s fd00:1::/64 -o eth0 -m "
                                  "comment --comment twintun -j MASQUERADE");
    assert_string_equal(undoes(5), "nft delete table ip nat");
    assert_string_equal(undoes(6), "iptables -w -t nat -D POSTROUTING -s 10.0.0.0/24 -o eth0 -m "
                                   "comment --comment twintun -j MASQUERADE");
    facts.firewall[FAMILY_IPV4].raw_table = facts.firewall[FAMILY_IPV4].raw_chain = true;
    facts.firewall[FAMILY_IPV6].nat_table = facts.firewall[FAMILY_IPV6].nat_chain = true;
    assert_plan(PART_RULES, "RRRRCRRCRRRRRR");
    facts.device[0].rule_to[0] = true; /* 10.0.0.0/24; then fd00::/64, 10.0.1.0/24, fd00:1::/64 */
    facts.masquerade[3] = true;
    assert_plan(PART_RULES, "RRRCRRCRRRRR");
}

/* nft's chains are in one table of ours, which goes with the first of them. */
static void a_way_out_of_nft(void **state)
{
    (void)state;
    go_out();
    facts.firewall[FAMILY_IPV4].kind = FIREWALL_NFTABLES;
    facts.firewall[FAMILY_IPV6].kind = FIREWALL_NFTABLES;
    assert_plan(PART_RULES, "CRRRRCRRCRRRRCRR");
    assert_string_equal(does(6), "nft 'add table ip twintun; add chain ip twintun postrouting { "
                                 "type nat hook postrouting priority 100; }; add rule ip twintun "
                                 "postrouting ip saddr 10.0.0.0/24 oifname \"eth0\" counter "
                                 "masquerade comment \"twintun\"'");
    assert_true(plan.op[0].table_too);
    assert_false(plan.op[5].table_too);
    assert_string_equal(undoes(0), "nft delete table ip twintun");
    assert_string_equal(undoes(5), "nft delete chain ip twintun postrouting");
}

static void a_way_out_is_up_when_all_is_there(void **state)
{
    (void)state;
    go_out();
    complete_device(0);
    complete_device(1);
    facts.forwarding[FAMILY_IPV4] = facts.forwarding[FAMILY_IPV6] = 1;
    memset(facts.masquerade, true, sizeof(facts.masquerade));
    memset(facts.device[0].rule_to, true, sizeof(facts.device[0].rule_to));
    memset(facts.device[1].rule_to, true, sizeof(facts.device[1].rule_to));
    assert_plan(PART_ALL, "");
    assert_true(plan_is_up(&lab, &facts));
    facts.masquerade[1] = false; /* IPv6's cannot be had everywhere */
    assert_true(plan_is_up(&lab, &facts));
    facts.masquerade[2] = false;
    assert_false(plan_is_up(&lab, &facts));
}

static void assert_refused(const char *text)
{
    assert_int_equal(plan_up(&lab, PART_ALL, &facts, &plan, why), -EEXIST);
    assert_non_null(strstr(why, text));
    assert_non_null(strstr(why, "nothing was changed"));
}

static void no_way_out(void **state)
{
    (void)state;
    go_out();
    facts.device[1].wide[FAMILY_IPV6] = true;
    assert_refused("'ip6tables -w -t raw -D PREROUTING -i tun1 -m comment");
    facts.device[1].wide[FAMILY_IPV6] = false;
    lab.nodes = LAB_NODES_MAX;
    for (unsigned i = 2; i < LAB_NODES_MAX; i++) {
        lab.node[i] = lab.node[0];
        for (unsigned a = 0; a < lab.node[i].addrs; a++)
            lab.node[i].addr[a].addr.b[14] = (uint8_t)i;
        snprintf(lab.node[i].ifname, sizeof(lab.node[i].ifname), "tun%u", i);
    }
    assert_refused("more than 8 networks");
}

/* Who has not asked for the way out does not hold it. */
static void whose_way_out(void **state)
{
    struct op op = {.kind = OP_RULE, .masquerade = true, .ifname = "eth0"};

    (void)state;
    go_out();
    assert_true(lab_needs(&lab, PART_RULES, &op));
    lab.internet_chosen = false;
    assert_false(lab_needs(&lab, PART_RULES, &op));
    op.kind = OP_CHAIN;
    assert_false(lab_needs(&lab, PART_RULES, &op));
    op.masquerade = false;
    assert_true(lab_needs(&lab, PART_RULES, &op));
}

#define TEST(f) cmocka_unit_test_setup(f, bare_machine)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_way_out),  TEST(a_way_out_of_nft), TEST(a_way_out_is_up_when_all_is_there),
        TEST(no_way_out), TEST(whose_way_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
