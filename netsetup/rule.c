/* Our rules, as pure functions. See rule.h. */
#include "rule.h"

#include <stdio.h>
#include <string.h>

#include "nftrules.h"

struct rule rule_of(const struct op *op)
{
    return (struct rule){.family = op->family,
                         .kind = op->firewall,
                         .masquerade = op->masquerade,
                         .ifname = op->ifname,
                         .net = op->addr};
}

/* ---- which ---- */

static bool is_listed(const struct netlink_addr *list, unsigned n, const struct netlink_addr *net)
{
    for (unsigned i = 0; i < n && i < LAB_NETS_MAX; i++)
        if (list[i].prefix_len == net->prefix_len && addr_eq(&list[i].addr, &net->addr))
            return true;
    return false;
}

unsigned rule_networks(const struct lab *lab, const struct facts *facts, struct netlink_addr *out)
{
    unsigned n = 0;

    for (unsigned i = 0; i < lab->nodes; i++)
        for (unsigned a = 0; a < lab->node[i].addrs; a++) {
            const struct netlink_addr *k = &lab->node[i].addr[a];
            struct netlink_addr net = {.prefix_len = k->prefix_len};

            net.addr = addr_network(k->has_peer ? &k->peer : &k->addr, k->prefix_len);
            if ((family_of(&net.addr) == FAMILY_IPV6 && !facts->ipv6) || is_listed(out, n, &net))
                continue;
            if (n < LAB_NETS_MAX)
                out[n] = net;
            n++;
        }
    return n;
}

/* The chain that the tool is about to make for the first rule. */
static void add_chain(struct plan *plan, const struct firewall_facts *fw, const struct rule *r)
{
    struct op *op;
    bool own = r->kind == FIREWALL_NFTABLES;

    if (r->kind != FIREWALL_IPTABLES_NFT && !own)
        return;
    op = plan_add(plan, OP_CHAIN, "");
    op->family = r->family;
    op->firewall = r->kind;
    op->masquerade = r->masquerade;
    op->table_too = r->masquerade ? !own && !fw->nat_table : !fw->raw_table;
}

/* Append a rule that is missing; *chain: the chain is there, or in the plan. */
static void add_rule(struct plan *plan, const struct firewall_facts *fw, const struct rule *r,
                     bool *chain)
{
    struct op *op;

    if (!*chain)
        add_chain(plan, fw, r);
    *chain = true;
    op = plan_add(plan, OP_RULE, r->ifname);
    op->family = r->family;
    op->firewall = r->kind;
    op->masquerade = r->masquerade;
    op->addr = r->net;
}

void rule_plan(struct plan *plan, const struct lab *lab, const struct facts *facts,
               enum family family)
{
    const struct firewall_facts *fw = &facts->firewall[family];
    struct netlink_addr net[LAB_NETS_MAX];
    unsigned nets = rule_networks(lab, facts, net);
    struct rule r = {.family = family, .kind = fw->kind};
    bool chain = fw->raw_chain, nat_chain = fw->nat_chain;

    if (fw->kind == FIREWALL_NONE || !lab_speaks(lab, facts, family))
        return;
    for (unsigned i = 0; i < lab->nodes; i++) {
        r.ifname = lab->node[i].ifname;
        if (!lab->narrow && !facts->device[i].rule[family])
            add_rule(plan, fw, &r, &chain);
        for (unsigned k = 0; lab->narrow && k < nets && k < LAB_NETS_MAX; k++) {
            if (family_of(&net[k].addr) != family || facts->device[i].rule_to[k])
                continue;
            r.net = net[k];
            add_rule(plan, fw, &r, &chain);
        }
    }
    r.masquerade = true;
    r.ifname = lab->internet;
    for (unsigned k = 0; lab->internet[0] && k < nets && k < LAB_NETS_MAX; k++) {
        if (family_of(&net[k].addr) != family || facts->masquerade[k])
            continue;
        r.net = net[k];
        add_rule(plan, fw, &r, &nat_chain);
    }
}

bool rule_all_there(const struct lab *lab, const struct facts *facts, enum family family)
{
    enum firewall_kind kind = facts->firewall[family].kind;
    struct netlink_addr net[LAB_NETS_MAX];
    unsigned nets = rule_networks(lab, facts, net);

    /* the way out is for IPv4; of IPv6 it is what the machine can give */
    for (unsigned k = 0; lab->internet[0] && k < nets && k < LAB_NETS_MAX; k++)
        if (family == FAMILY_IPV4 && family_of(&net[k].addr) == family &&
            kind != FIREWALL_UNKNOWN && !facts->masquerade[k])
            return false;
    for (unsigned i = 0; kind != FIREWALL_NONE && kind != FIREWALL_UNKNOWN && i < lab->nodes; i++)
        if (!facts->device[i].rule[family])
            return false;
    return true;
}

bool rule_refuses(const struct lab *lab, const struct facts *facts, char why[REFUSAL_TEXT_MAX])
{
    struct netlink_addr net[LAB_NETS_MAX];
    char text[OP_TEXT_MAX];

    if (lab->narrow && rule_networks(lab, facts, net) > LAB_NETS_MAX) {
        snprintf(why, REFUSAL_TEXT_MAX,
                 "the lab has more than %d networks, which is too many beside a way out "
                 "(--internet); nothing was changed: use fewer, or take that down first",
                 LAB_NETS_MAX);
        return true;
    }
    for (unsigned i = 0; lab->internet[0] && i < lab->nodes; i++)
        for (enum family f = 0; f < FAMILIES; f++) {
            struct rule wide = {.family = f,
                                .kind = facts->firewall[f].kind,
                                .ifname = lab->node[i].ifname};

            if (!facts->device[i].wide[f])
                continue;
            snprintf(why, REFUSAL_TEXT_MAX,
                     "the NOTRACK rule for %s is for all that comes in there, and what is not "
                     "tracked cannot be translated; nothing was changed: take the lab down first, "
                     "or, if it is not up, '%s'",
                     lab->node[i].ifname, rule_delete_text(&wide, text));
            return true;
        }
    return false;
}

/* ---- as a person would write it ---- */

const char *rule_net_text(const struct netlink_addr *net, char out[RULE_NET_TEXT_MAX])
{
    char text[ADDR_TEXT_MAX];

    snprintf(out, RULE_NET_TEXT_MAX, "%s/%u", addr_format(&net->addr, text), net->prefix_len);
    return out;
}

static const char *iptables_text(const struct rule *r, const char *verb, char out[OP_TEXT_MAX])
{
    char net[RULE_NET_TEXT_MAX + 4] = "", text[RULE_NET_TEXT_MAX];

    if (r->net.prefix_len)
        snprintf(net, sizeof(net), " -%c %s", r->masquerade ? 's' : 'd',
                 rule_net_text(&r->net, text));
    snprintf(out, OP_TEXT_MAX, "%s -w -t %s %s %s%s -%c %s -m comment --comment twintun -j %s",
             r->family == FAMILY_IPV6 ? "ip6tables" : "iptables", r->masquerade ? "nat" : "raw",
             verb, r->masquerade ? "POSTROUTING" : "PREROUTING", net, r->masquerade ? 'o' : 'i',
             r->ifname, r->masquerade ? "MASQUERADE" : "NOTRACK");
    return out;
}

const char *rule_add_text(const struct rule *r, char out[OP_TEXT_MAX])
{
    return r->kind == FIREWALL_NFTABLES ? nftrules_text(r, out) : iptables_text(r, "-A", out);
}

const char *rule_delete_text(const struct rule *r, char out[OP_TEXT_MAX])
{
    const char *f = nftrules_family(r->family), *chain = nftrules_chain(r->masquerade);
    char net[ADDR_TEXT_MAX + 8] = "", text[ADDR_TEXT_MAX];

    if (r->kind != FIREWALL_NFTABLES)
        return iptables_text(r, "-D", out);
    if (r->net.prefix_len) /* nft leaves the length of a whole address off */
        snprintf(net, sizeof(net), "addr %s", addr_format(&r->net.addr, text));
    snprintf(out, OP_TEXT_MAX,
             "nft delete rule %s " NFT_TABLE " %s handle $(nft -a list chain %s " NFT_TABLE
             " %s | sed -n '/%s.*\"%s\"/s/.*handle //p')",
             f, chain, f, chain, net, r->ifname);
    return out;
}

const char *rule_chain_text(const struct op *op, char out[OP_TEXT_MAX])
{
    const char *f = nftrules_family(op->family);

    if (op->firewall == FIREWALL_NFTABLES && op->masquerade)
        snprintf(out, OP_TEXT_MAX, "nft delete chain %s " NFT_TABLE " %s", f, nftrules_chain(true));
    else if (op->firewall == FIREWALL_NFTABLES)
        snprintf(out, OP_TEXT_MAX, "nft delete table %s " NFT_TABLE, f);
    else
        snprintf(out, OP_TEXT_MAX, "nft delete %s %s %s%s", op->table_too ? "table" : "chain", f,
                 op->masquerade ? "nat" : "raw",
                 op->table_too    ? ""
                 : op->masquerade ? " POSTROUTING"
                                  : " PREROUTING");
    return out;
}
