/*
 * What is there now: the facts that a plan starts from. Nothing is changed by looking, not even by
 * the tools that are asked.
 */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "device.h"
#include "firewalld.h"
#include "nodes.h"
#include "setup.h"

enum {
    ADDRS_MAX = 512,      /* addresses of the machine that are compared with ours */
    ADVERTISED_MAX = 512, /* links that are asked whether they hear a router */
    IPV6_MTU_MIN = 1280,  /* RFC 8200 section 5; below it the kernel takes IPv6 off a link */
};

/* fe80::/10, which the kernel gives every link that it sets up. */
static bool is_link_local(const struct addr *a)
{
    return a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80;
}

/* Whether an address of another link lies in the subnet of `ours`, or the other way round. */
static bool overlaps(const struct netlink_addr *ours, const struct netlink_addr *other)
{
    unsigned len = ours->prefix_len < other->prefix_len ? ours->prefix_len : other->prefix_len;
    enum family family = family_of(&ours->addr);
    const struct addr *a = ours->has_peer ? &ours->peer : &ours->addr;
    const struct addr *b = other->has_peer ? &other->peer : &other->addr;

    if (family_of(&other->addr) != family)
        return false;
    if (family == FAMILY_IPV4)
        len += 96; /* of its mapped form */
    if (memcmp(a->b, b->b, len / 8) != 0)
        return false;
    return len % 8 == 0 || (a->b[len / 8] ^ b->b[len / 8]) >> (8 - len % 8) == 0;
}

/* What address `a` of the machine means for the node's address `i`. Returns whether it is that. */
static bool note_for(const struct lab_node *n, unsigned i, const struct netlink_addr *a,
                     struct device_facts *d)
{
    const struct netlink_addr *ours = &n->addr[i];
    struct addr_facts *f = &d->addr[i];

    if (d->exists && a->index == d->link.index) {
        bool it = addr_eq(&a->addr, &ours->addr) && a->prefix_len == ours->prefix_len &&
                  a->has_peer == ours->has_peer && (!a->has_peer || addr_eq(&a->peer, &ours->peer));

        f->there |= it;
        return it;
    }
    if (overlaps(ours, a)) {
        f->overlap = true;
        if (!if_indextoname((unsigned)a->index, f->overlap_ifname))
            snprintf(f->overlap_ifname, sizeof(f->overlap_ifname), "link %d", a->index);
    }
    return false;
}

static void note_addr(const struct lab_node *n, const struct netlink_addr *a,
                      struct device_facts *d)
{
    bool wanted = false;

    for (unsigned i = 0; i < n->addrs; i++)
        wanted |= note_for(n, i, a, d);
    if (d->exists && a->index == d->link.index && !wanted && !is_link_local(&a->addr)) {
        d->has_other = true;
        d->other = *a;
    }
}

static int look_at_device(struct setup *s, unsigned i, const struct netlink_addr *addrs, size_t n)
{
    const struct lab_node *node = &s->lab.node[i];
    struct device_facts *d = &s->facts.device[i];
    int r = netlink_link_get(s->nl, node->ifname, &d->link);

    if (r < 0 && r != -ENODEV)
        return r;
    d->exists = r == 0;
    d->ours = d->exists && journal_made_device(s->journal, node->ifname, d->link.index);
    for (size_t a = 0; a < n; a++)
        note_addr(node, &addrs[a], d);
    return 0;
}

/* Who keeps our rules: whom the caller has chosen, or who has them now, or who is there. */
static enum firewall_kind choose_kind(const struct setup *s, enum family family)
{
    if (s->backend_chosen && s->any_iptables)
        return firewall_detect_iptables(family);
    if (s->backend_chosen)
        return s->backend;
    for (unsigned i = 0; i < s->journal->ops; i++)
        if (s->journal->op[i].kind == OP_RULE && s->journal->op[i].family == family)
            return s->journal->op[i].firewall;
    return firewall_detect(family);
}

static bool can_ask(const struct firewall_facts *f)
{
    return f->kind != FIREWALL_NONE && f->kind != FIREWALL_UNKNOWN;
}

/* Whether a rule is there. If it cannot be said, nor can it be of others: the kind says that. */
static bool has_rule(struct setup *s, const struct rule *r)
{
    struct firewall_facts *f = &s->facts.firewall[r->family];
    int there = can_ask(f) ? firewall_rule_present(r, s->firewall_said[r->family]) : 0;

    if (there < 0)
        f->kind = there == -EPERM ? FIREWALL_UNKNOWN : FIREWALL_NONE;
    return there == 1;
}

static void look_at_device_rules(struct setup *s, enum family family, unsigned i)
{
    struct rule r = {.family = family,
                     .kind = s->facts.firewall[family].kind,
                     .ifname = s->lab.node[i].ifname};
    struct device_facts *d = &s->facts.device[i];
    struct netlink_addr net[LAB_NETS_MAX];
    unsigned nets = rule_networks(&s->lab, &s->facts, net);

    if (!s->lab.narrow) {
        d->rule[family] = has_rule(s, &r);
        return;
    }
    d->wide[family] = has_rule(s, &r);
    d->rule[family] = true;
    for (unsigned k = 0; k < nets && k < LAB_NETS_MAX; k++) {
        if (family_of(&net[k].addr) != family)
            continue;
        r.net = net[k];
        d->rule_to[k] = has_rule(s, &r);
        d->rule[family] &= d->rule_to[k];
    }
}

static void look_at_way_out(struct setup *s, enum family family)
{
    struct rule r = {.family = family,
                     .kind = s->facts.firewall[family].kind,
                     .masquerade = true,
                     .ifname = s->lab.internet};
    struct netlink_addr net[LAB_NETS_MAX];
    unsigned nets = rule_networks(&s->lab, &s->facts, net);

    for (unsigned k = 0; k < nets && k < LAB_NETS_MAX; k++) {
        if (family_of(&net[k].addr) != family)
            continue;
        r.net = net[k];
        s->facts.masquerade[k] = has_rule(s, &r);
    }
}

/* Of what cannot be seen we say that it is there: then we did not make it. */
static void look_at_tables(struct setup *s, enum family family)
{
    struct firewall_facts *f = &s->facts.firewall[family];

    if (rawtable_look(family, f->kind, false, &f->raw_table, &f->raw_chain) < 0)
        f->raw_table = f->raw_chain = true;
    if (rawtable_look(family, f->kind, true, &f->nat_table, &f->nat_chain) < 0)
        f->nat_table = f->nat_chain = true;
}

static void look_at_rules(struct setup *s, enum family family)
{
    struct firewall_facts *f = &s->facts.firewall[family];
    char *said = s->firewall_said[family];
    enum firewall_kind filter;

    f->kind = choose_kind(s, family);
    for (unsigned i = 0; i < s->lab.nodes && can_ask(f); i++)
        look_at_device_rules(s, family, i);
    if (s->lab.internet[0])
        look_at_way_out(s, family);
    if (f->kind != FIREWALL_NONE)
        said[0] = '\0';
    if (f->kind == FIREWALL_IPTABLES_NFT || f->kind == FIREWALL_NFTABLES)
        look_at_tables(s, family);
    filter = f->kind == FIREWALL_UNKNOWN ? f->kind : firewall_detect(family);
    if (s->lab.nodes > 1 && (filter == FIREWALL_IPTABLES_NFT || filter == FIREWALL_IPTABLES_LEGACY))
        f->forward_drops = firewall_forward_drops(family, filter, s->lab.node[0].ifname,
                                                  s->lab.node[1].ifname) == 1;
}

static void look_at_firewalld(struct setup *s)
{
    for (unsigned i = 0; i < s->lab.nodes; i++) {
        struct device_facts *d = &s->facts.device[i];

        s->facts.firewalld = firewalld_zone_of(s->lab.node[i].ifname, d->zone) == 0;
        if (!s->facts.firewalld)
            return;
        d->trusted = strcmp(d->zone, FIREWALLD_ZONE) == 0;
    }
}

/* ---- IPv6 ---- */

/* A switch of the machine: 0, 1, or -1 when it cannot be read. */
static int switch_now(const char *name)
{
    char value[SYSCTL_VALUE_MAX];

    return sysctl_read(name, value) < 0 ? -1 : strcmp(value, "0") != 0;
}

/* Whether node i's TUN can have IPv6, or will when it is made; if not, why and what to do. */
static bool device_has_ipv6(struct setup *s, unsigned i)
{
    const struct device_facts *d = &s->facts.device[i];
    const char *conf = d->exists ? s->lab.node[i].ifname : "default";
    char name[SYSCTL_NAME_MAX];
    int off;

    snprintf(name, sizeof(name), "net/ipv6/conf/%s/disable_ipv6", conf);
    off = switch_now(name);
    if (off == -1 && d->exists && d->link.mtu < IPV6_MTU_MIN)
        snprintf(s->facts.ipv6_off, OFF_TEXT_MAX,
                 "the MTU of %s is %u, and IPv6 needs %d: ip link set dev %s mtu %d", conf,
                 d->link.mtu, IPV6_MTU_MIN, conf, IPV6_MTU_MIN);
    else if (off != 0)
        snprintf(s->facts.ipv6_off, OFF_TEXT_MAX,
                 "net.ipv6.conf.%s.disable_ipv6 is 1; to have it: sysctl -w "
                 "net.ipv6.conf.%s.disable_ipv6=0",
                 conf, conf);
    return off == 0;
}

static void look_at_ipv6(struct setup *s)
{
    struct facts *f = &s->facts;

    f->forwarding[FAMILY_IPV6] = switch_now("net/ipv6/conf/all/forwarding");
    if (f->forwarding[FAMILY_IPV6] == -1) {
        snprintf(f->ipv6_off, OFF_TEXT_MAX,
                 "this kernel has none, or was started with ipv6.disable=1");
        return;
    }
    for (unsigned i = 0; i < s->lab.nodes; i++)
        if (!device_has_ipv6(s, i))
            return;
    f->ipv6 =
        f->forwarding[FAMILY_IPV6] == 1 || !sysctl_is_read_only("net/ipv6/conf/all/forwarding");
    if (!f->ipv6)
        snprintf(f->ipv6_off, OFF_TEXT_MAX,
                 "net.ipv6.conf.all.forwarding is 0 and /proc/sys is read-only here; set it where "
                 "it is not (in a container: outside)");
}

/* Whether link `index` would stop to hear its router, once this machine forwards; then *ret. */
static bool is_ra_link(const struct setup *s, int index, struct ra_link *ret)
{
    char name[SYSCTL_NAME_MAX], value[SYSCTL_VALUE_MAX];

    ret->index = index;
    if (!if_indextoname((unsigned)index, ret->ifname))
        return false;
    for (unsigned i = 0; i < s->lab.nodes; i++)
        if (strcmp(ret->ifname, s->lab.node[i].ifname) == 0)
            return false;
    snprintf(name, sizeof(name), "net/ipv6/conf/%s/accept_ra", ret->ifname);
    return sysctl_read(name, value) == 0 && strcmp(value, "1") == 0;
}

static int look_at_routers(struct setup *s)
{
    static int index[ADVERTISED_MAX];
    struct facts *f = &s->facts;
    size_t n;
    int r = netlink_advertised_links(s->nl, index, ADVERTISED_MAX, &n);

    for (size_t i = 0; r == 0 && i < n && i < ADVERTISED_MAX; i++) {
        struct ra_link link;

        if (!is_ra_link(s, index[i], &link))
            continue;
        if (f->ra_links < RA_LINKS_MAX)
            f->ra[f->ra_links] = link;
        f->ra_links++;
    }
    return r;
}

int look(struct setup *s)
{
    static struct netlink_addr addrs[ADDRS_MAX];
    size_t n;
    int r;

    if (!s->nodes_chosen)
        nodes_remembered(s->journal, s->holder, &s->lab);
    way_out_remembered(s->journal, &s->lab);
    r = netlink_addr_list(s->nl, 0, addrs, ADDRS_MAX, &n);

    memset(&s->facts, 0, sizeof(s->facts));
    for (unsigned i = 0; r == 0 && i < s->lab.nodes; i++)
        r = look_at_device(s, i, addrs, n < ADDRS_MAX ? n : ADDRS_MAX);
    if (r < 0)
        return r;
    s->facts.forwarding[FAMILY_IPV4] = switch_now("net/ipv4/ip_forward");
    look_at_ipv6(s);
    for (enum family f = 0; f < FAMILIES; f++)
        if (lab_speaks(&s->lab, &s->facts, f))
            look_at_rules(s, f);
    look_at_firewalld(s);
    if (lab_speaks(&s->lab, &s->facts, FAMILY_IPV6) && s->facts.forwarding[FAMILY_IPV6] != 1)
        r = look_at_routers(s);
    return r;
}
