/*
 * A machine as netsetup finds it, made up, and the plan for it: bare_machine() is the set-up of
 * each test, which then changes `facts` and `lab`.
 */
#ifndef TESTS_UNIT_PLAN_KIT_H
#define TESTS_UNIT_PLAN_KIT_H

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

#include "netsetup/rule.h"

static struct lab lab;
static struct facts facts;
static struct plan plan;
static char why[REFUSAL_TEXT_MAX];

/*
 * A machine on which nothing of the lab is there, with empty nft rule sets. The sets are each
 * family's own; IPv6 is on.
 */
static inline int bare_machine(void **state)
{
    (void)state;
    lab_default(&lab, 1000);
    memset(&facts, 0, sizeof(facts));
    facts.ipv6 = true;
    for (enum family f = 0; f < FAMILIES; f++)
        facts.firewall[f].kind = FIREWALL_IPTABLES_NFT;
    why[0] = '\0';
    return 0;
}

/* Node i's TUN as `up` leaves it. */
static inline void complete_device(unsigned i)
{
    struct device_facts *d = &facts.device[i];

    *d = (struct device_facts){.exists = true, .ours = true, .rule = {true, true}};
    d->addr[0].there = d->addr[1].there = true;
    d->link.is_tun = d->link.up = d->link.persist = true;
    d->link.owner = 1000;
    d->link.group = -1;
}

/* Compare the plan's kinds with a string of letters: Device, Address, Mtu, Up, Chain, Rule, Zone,
 * Sysctl.
 */
static inline void assert_plan(unsigned parts, const char *kinds)
{
    char got[PLAN_OPS_MAX + 1] = "";

    assert_int_equal(plan_up(&lab, parts, &facts, &plan, why), 0);
    for (unsigned i = 0; i < plan.ops; i++)
        got[i] = "DAMUCRZS"[plan.op[i].kind];
    assert_string_equal(got, kinds);
}

static inline const char *does(unsigned i)
{
    static char text[OP_TEXT_MAX];

    return op_do_text(&plan.op[i], text);
}

static inline const char *undoes(unsigned i)
{
    static char text[OP_TEXT_MAX];

    return op_undo_text(&plan.op[i], text);
}

#endif
