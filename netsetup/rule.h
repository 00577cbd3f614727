/*
 * Our rules in the packet filter: which the lab wants, and how a person would write one.
 *
 * There are two kinds. A NOTRACK rule keeps what comes in on a TUN out of connection tracking. A
 * MASQUERADE rule gives what leaves through the interface of the way out the machine's own address,
 * for which connection tracking must see those packets; so when there is a way out, the NOTRACK
 * rules are narrow: one for each network of the lab, and for nothing else.
 */
#ifndef NETSETUP_RULE_H
#define NETSETUP_RULE_H

#include "plan.h"

enum {
    RULE_NET_TEXT_MAX = ADDR_TEXT_MAX + 8, /* bytes of "fd00:1::/64" with its final zero */
};

struct rule {
    enum family family;
    enum firewall_kind kind; /* who keeps it */
    bool masquerade;
    const char *ifname;      /* where the packets come in; of a MASQUERADE rule, where they leave */
    struct netlink_addr net; /* where they go to; or where from. Length 0: wherever that is */
};

/* The rule that an operation of kind OP_RULE is about; it points into the operation. */
struct rule rule_of(const struct op *op);

/*
 * The lab's networks, of which nothing is said twice, to out[LAB_NETS_MAX]. Returns how many there
 * are, also if they are more than that.
 */
unsigned rule_networks(const struct lab *lab, const struct facts *facts, struct netlink_addr *out);

/* Append what is missing of a family's rules. */
void rule_plan(struct plan *plan, const struct lab *lab, const struct facts *facts,
               enum family family);

/* Whether no rule is missing that can be there. */
bool rule_all_there(const struct lab *lab, const struct facts *facts, enum family family);

/* Why the way out cannot be made; false if it can, or is not wanted. */
bool rule_refuses(const struct lab *lab, const struct facts *facts, char why[REFUSAL_TEXT_MAX]);

/* A network as text. Returns out. */
const char *rule_net_text(const struct netlink_addr *net, char out[RULE_NET_TEXT_MAX]);

/* The command that adds or removes a rule, or removes the chain that came with it. Return out. */
const char *rule_add_text(const struct rule *r, char out[OP_TEXT_MAX]);
const char *rule_delete_text(const struct rule *r, char out[OP_TEXT_MAX]);
const char *rule_chain_text(const struct op *op, char out[OP_TEXT_MAX]);

#endif
