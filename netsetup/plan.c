/*
 * From what is there to what is wanted, as a list of operations. See plan.h.
 *
 * The order is chosen so that a run that dies half-way has opened as little as possible: devices
 * first, rules next, and forwarding, which concerns the whole machine, last.
 *
 * A machine that forwards IPv6 does not listen to routers any more, and the kernel throws away the
 * default routes that it has from them, unless the interface's accept_ra is 2. So before forwarding
 * is turned on, accept_ra becomes 2 where it is 1 and something came from a router.
 *
 * Where IPv6 is off (facts->ipv6), the lab is complete with IPv4 alone.
 *
 * "Someone else's" means: a link with one of our names that is no TUN, or that we did not make and
 * that has other addresses or another owner; or another link that has an address in one of our
 * subnets, whose traffic our routes would draw away.
 */
#include "plan.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "firewalld.h"
#include "rule.h"
#include "run/self.h"

/* Node i of the lab as it is by default: 10.0.i.1/24, and fd00:i::1/64. */
static void set_node(struct lab_node *n, unsigned i)
{
    struct addr v6 = {.b = {0xfd, 0, 0, (uint8_t)i, [15] = 1}};

    snprintf(n->ifname, sizeof(n->ifname), "tun%u", i);
    n->addr[0] = (struct netlink_addr){.addr = addr_v4(0x0a000001 + (i << 8)), .prefix_len = 24};
    n->addr[1] = (struct netlink_addr){.addr = v6, .prefix_len = 64};
    n->addrs = 2;
}

void lab_default(struct lab *lab, int64_t owner)
{
    memset(lab, 0, sizeof(*lab));
    lab->nodes = 2;
    for (unsigned i = 0; i < lab->nodes; i++)
        set_node(&lab->node[i], i);
    lab->owner = owner;
    lab->group = -1;
}

enum family family_of(const struct addr *addr)
{
    return addr_is_v4(addr) ? FAMILY_IPV4 : FAMILY_IPV6;
}

struct addr addr_network(const struct addr *addr, unsigned prefix_len)
{
    unsigned kept = prefix_len + (addr_is_v4(addr) ? 96 : 0); /* of the mapped form */
    struct addr net = *addr;

    for (unsigned i = 0; i < 16; i++) {
        unsigned bits = kept > 8 * i ? kept - 8 * i : 0;

        if (bits < 8)
            net.b[i] &= (uint8_t)(0xff00 >> bits);
    }
    return net;
}

struct addr lab_node_addr(const struct lab *lab, unsigned i, unsigned a)
{
    const struct netlink_addr *kernel = &lab->node[i].addr[a];
    struct addr node = addr_network(&kernel->addr, kernel->prefix_len);

    if (kernel->has_peer)
        return kernel->peer;
    node.b[15] |= i == 0 ? 7 : 5;
    return node;
}

void lab_point_to_point(struct lab *lab)
{
    for (unsigned i = 0; i < lab->nodes; i++)
        for (unsigned a = 0; a < lab->node[i].addrs; a++) {
            struct netlink_addr *kernel = &lab->node[i].addr[a];

            kernel->peer = lab_node_addr(lab, i, a);
            kernel->has_peer = true;
            kernel->prefix_len = addr_is_v4(&kernel->addr) ? 32 : 128;
        }
}

bool lab_node_addr_of(const struct lab *lab, unsigned i, enum family family, struct addr *ret)
{
    for (unsigned a = 0; a < lab->node[i].addrs; a++)
        if (family_of(&lab->node[i].addr[a].addr) == family) {
            *ret = lab_node_addr(lab, i, a);
            return true;
        }
    return false;
}

bool lab_speaks(const struct lab *lab, const struct facts *facts, enum family family)
{
    if (family == FAMILY_IPV6 && !facts->ipv6)
        return false;
    for (unsigned i = 0; i < lab->nodes; i++)
        for (unsigned a = 0; a < lab->node[i].addrs; a++)
            if (family_of(&lab->node[i].addr[a].addr) == family)
                return true;
    return false;
}

/* Whether the plan has anything to do with address `a`. */
static bool is_wanted(const struct facts *facts, const struct netlink_addr *a)
{
    return facts->ipv6 || family_of(&a->addr) == FAMILY_IPV4;
}

enum {
    TUN_MTU = 1500, /* what the kernel gives a new one */
};

/* ---- refusals ---- */

/* Not ours to put an address or a rule on; `why` says so. */
static bool is_foreign(const struct lab_node *n, const struct device_facts *d,
                       char why[REFUSAL_TEXT_MAX])
{
    char text[ADDR_TEXT_MAX];

    if (!d->exists)
        return false;
    if (!d->link.is_tun) {
        snprintf(
            why, REFUSAL_TEXT_MAX,
            "%s exists and is not a TUN device; nothing was changed: rename or remove it first",
            n->ifname);
        return true;
    }
    if (d->has_other && !d->ours) {
        snprintf(why, REFUSAL_TEXT_MAX,
                 "%s is someone else's, with the address %s/%u; nothing was changed: if nobody "
                 "needs it, remove it with 'ip link delete %s'",
                 n->ifname, addr_format(&d->other.addr, text), d->other.prefix_len, n->ifname);
        return true;
    }
    return false;
}

/* Whether another link has one of this node's subnets, whose address is not on the TUN yet. */
static bool overlaps(const struct facts *facts, const struct lab_node *n,
                     const struct device_facts *d, char why[REFUSAL_TEXT_MAX])
{
    char text[ADDR_TEXT_MAX];

    for (unsigned a = 0; a < n->addrs; a++) {
        if (!is_wanted(facts, &n->addr[a]) || d->addr[a].there || !d->addr[a].overlap)
            continue;
        snprintf(why, REFUSAL_TEXT_MAX,
                 "%s has an address in %s's subnet, %s/%u; nothing was changed: bring that "
                 "interface down, or work in a namespace (unshare -n)",
                 d->addr[a].overlap_ifname, n->ifname, addr_format(&n->addr[a].addr, text),
                 n->addr[a].prefix_len);
        return true;
    }
    return false;
}

/* Reasons that forbid making or completing the device itself. */
static bool is_taken(const struct lab *lab, const struct facts *facts, const struct lab_node *n,
                     const struct device_facts *d, char why[REFUSAL_TEXT_MAX])
{
    char self[SELF_MAX];

    if (d->exists && d->link.owner >= 0 && d->link.owner != lab->owner) {
        snprintf(why, REFUSAL_TEXT_MAX,
                 "%s belongs to user id %" PRId64 ", not %" PRId64
                 "; nothing was changed: %s%s%s first, or choose that user with --user",
                 n->ifname, d->link.owner, lab->owner, d->ours ? "run '" : "remove it",
                 d->ours ? self_call("netsetup", self) : "", d->ours ? " down'" : "");
        return true;
    }
    if (d->exists && d->link.group != lab->group && (d->link.group >= 0 || lab->group >= 0)) {
        snprintf(why, REFUSAL_TEXT_MAX,
                 "%s is for group id %" PRId64 ", not %" PRId64
                 " (-1: none); nothing was changed: remove it first, or choose that group",
                 n->ifname, d->link.group, lab->group);
        return true;
    }
    if (d->exists && lab->queues && !d->link.queues) {
        snprintf(why, REFUSAL_TEXT_MAX,
                 "%s was made for one descriptor; nothing was changed: remove it first, or leave "
                 "--queues off",
                 n->ifname);
        return true;
    }
    return overlaps(facts, n, d, why);
}

/* More interfaces than we can keep from losing what they have from a router. */
static bool is_too_much(const struct lab *lab, const struct facts *facts,
                        char why[REFUSAL_TEXT_MAX])
{
    if (facts->ra_links <= RA_LINKS_MAX || !lab_speaks(lab, facts, FAMILY_IPV6) ||
        facts->forwarding[FAMILY_IPV6] == 1)
        return false;
    snprintf(why, REFUSAL_TEXT_MAX,
             "%u interfaces have their IPv6 routes from routers, whom a machine that forwards does "
             "not hear; nothing was changed: set accept_ra to 2 on those that shall, turn "
             "forwarding on yourself, 'sysctl -w net.ipv6.conf.all.forwarding=1', and run this "
             "again",
             facts->ra_links);
    return true;
}

/* ---- the list ---- */

struct op *plan_add(struct plan *plan, enum op_kind kind, const char *ifname)
{
    struct op *op = &plan->op[plan->ops++];

    memset(op, 0, sizeof(*op));
    op->kind = kind;
    snprintf(op->ifname, sizeof(op->ifname), "%s", ifname);
    return op;
}

static void plan_device(struct plan *plan, const struct lab *lab, const struct facts *facts,
                        unsigned i)
{
    const struct lab_node *n = &lab->node[i];
    const struct device_facts *d = &facts->device[i];

    if (!d->exists) {
        struct op *op = plan_add(plan, OP_DEVICE, n->ifname);

        op->owner = lab->owner;
        op->group = lab->group;
        op->queues = lab->queues;
    }
    if (lab->mtu && lab->mtu != (d->exists ? d->link.mtu : TUN_MTU))
        plan_add(plan, OP_MTU, n->ifname)->mtu = lab->mtu;
    for (unsigned a = 0; a < n->addrs; a++)
        if (is_wanted(facts, &n->addr[a]) && !(d->exists && d->addr[a].there))
            plan_add(plan, OP_ADDRESS, n->ifname)->addr = n->addr[a];
    if (!d->exists || !d->link.up)
        plan_add(plan, OP_LINK_UP, n->ifname);
}

static void plan_zones(struct plan *plan, const struct lab *lab, const struct facts *facts)
{
    for (unsigned i = 0; i < lab->nodes; i++) {
        const struct device_facts *d = &facts->device[i];

        if (!d->trusted)
            snprintf(plan_add(plan, OP_ZONE, lab->node[i].ifname)->zone, ZONE_MAX, "%s", d->zone);
    }
}

static struct op *add_sysctl(struct plan *plan, const char *name, const char *value)
{
    struct op *op = plan_add(plan, OP_SYSCTL, "");

    snprintf(op->want.name, sizeof(op->want.name), "%s", name);
    snprintf(op->want.value, sizeof(op->want.value), "%s", value);
    return op;
}

static void plan_forwarding(struct plan *plan, const struct lab *lab, const struct facts *facts)
{
    char name[SYSCTL_NAME_MAX];
    struct op *op;

    if (lab_speaks(lab, facts, FAMILY_IPV4) && facts->forwarding[FAMILY_IPV4] != 1)
        add_sysctl(plan, "net/ipv4/ip_forward", "1");
    if (!lab_speaks(lab, facts, FAMILY_IPV6) || facts->forwarding[FAMILY_IPV6] == 1)
        return;
    for (unsigned i = 0; i < facts->ra_links; i++) {
        snprintf(name, sizeof(name), "net/ipv6/conf/%s/accept_ra", facts->ra[i].ifname);
        op = add_sysctl(plan, name, "2");
        snprintf(op->ifname, sizeof(op->ifname), "%s", facts->ra[i].ifname);
        op->index = facts->ra[i].index;
    }
    add_sysctl(plan, "net/ipv6/conf/all/forwarding", "1");
}

int plan_up(const struct lab *lab, unsigned parts, const struct facts *facts, struct plan *ret,
            char why[REFUSAL_TEXT_MAX])
{
    ret->ops = 0;
    for (unsigned i = 0; i < lab->nodes; i++) {
        const struct device_facts *d = &facts->device[i];

        if (parts & (PART_DEVICES | PART_RULES) && is_foreign(&lab->node[i], d, why))
            return -EEXIST;
        if (parts & PART_DEVICES && is_taken(lab, facts, &lab->node[i], d, why))
            return -EEXIST;
    }
    if (parts & PART_RULES && rule_refuses(lab, facts, why))
        return -EEXIST;
    if (parts & PART_FORWARDING && is_too_much(lab, facts, why))
        return -EEXIST;
    for (unsigned i = 0; parts & PART_DEVICES && i < lab->nodes; i++)
        plan_device(ret, lab, facts, i);
    for (enum family f = 0; parts & PART_RULES && f < FAMILIES; f++)
        rule_plan(ret, lab, facts, f);
    if (parts & PART_RULES && facts->firewalld)
        plan_zones(ret, lab, facts);
    if (parts & PART_FORWARDING)
        plan_forwarding(ret, lab, facts);
    return 0;
}

static bool device_is_up(const struct lab *lab, const struct lab_node *n, const struct facts *facts,
                         const struct device_facts *d)
{
    if (!d->exists || !d->link.is_tun || !d->link.up || (lab->mtu && d->link.mtu != lab->mtu))
        return false;
    for (unsigned a = 0; a < n->addrs; a++)
        if (is_wanted(facts, &n->addr[a]) && !d->addr[a].there)
            return false;
    return true;
}

bool plan_is_up(const struct lab *lab, const struct facts *facts)
{
    for (unsigned i = 0; i < lab->nodes; i++)
        if (!device_is_up(lab, &lab->node[i], facts, &facts->device[i]))
            return false;
    for (unsigned i = 0; facts->firewalld && i < lab->nodes; i++)
        if (!facts->device[i].trusted)
            return false;
    for (enum family f = 0; f < FAMILIES; f++) {
        if (!lab_speaks(lab, facts, f))
            continue;
        if (facts->forwarding[f] != 1 || !rule_all_there(lab, facts, f))
            return false;
    }
    return true;
}

/* ---- about one operation ---- */

bool op_is_change(enum op_kind kind)
{
    return kind != OP_CHAIN;
}

unsigned plan_changes(const struct plan *plan)
{
    unsigned n = 0;

    for (unsigned i = 0; i < plan->ops; i++)
        n += op_is_change(plan->op[i].kind);
    return n;
}

enum part op_part(enum op_kind kind)
{
    switch (kind) {
    case OP_DEVICE:
    case OP_ADDRESS:
    case OP_MTU:
    case OP_LINK_UP:
        return PART_DEVICES;
    case OP_CHAIN:
    case OP_RULE:
    case OP_ZONE:
        return PART_RULES;
    case OP_SYSCTL:
        return PART_FORWARDING;
    case OP_KINDS:
        break;
    }
    return 0;
}

bool lab_needs(const struct lab *lab, unsigned parts, const struct op *op)
{
    if (!(op_part(op->kind) & parts))
        return false;
    if (op->masquerade)
        return lab->internet_chosen &&
               (op->kind == OP_CHAIN || strcmp(op->ifname, lab->internet) == 0);
    if (op->kind == OP_CHAIN || op->kind == OP_SYSCTL)
        return true;
    for (unsigned i = 0; i < lab->nodes; i++)
        if (strcmp(lab->node[i].ifname, op->ifname) == 0)
            return true;
    return false;
}

bool op_same_thing(const struct op *a, const struct op *b)
{
    return a->kind == b->kind && strcmp(a->ifname, b->ifname) == 0 && a->family == b->family &&
           a->firewall == b->firewall && a->masquerade == b->masquerade &&
           strcmp(a->want.name, b->want.name) == 0 &&
           ((a->kind != OP_ADDRESS && a->kind != OP_RULE) ||
            (addr_eq(&a->addr.addr, &b->addr.addr) && a->addr.prefix_len == b->addr.prefix_len));
}

static const char *address_text(const struct op *op, const char *verb, char out[OP_TEXT_MAX])
{
    char text[ADDR_TEXT_MAX];
    char far[ADDR_TEXT_MAX + 8] = "";
    bool nodad = family_of(&op->addr.addr) == FAMILY_IPV6 && strcmp(verb, "add") == 0;

    if (op->addr.has_peer)
        snprintf(far, sizeof(far), " peer %s", addr_format(&op->addr.peer, text));
    snprintf(out, OP_TEXT_MAX, "ip address %s %s%s/%u dev %s%s", verb,
             addr_format(&op->addr.addr, text), far, op->addr.prefix_len, op->ifname,
             nodad ? " nodad" : "");
    return out;
}

/*
 * "net/ipv4/ip_forward" as "sysctl -w net.ipv4.ip_forward=1". With slashes sysctl understands it,
 * too, and then the name of an interface may have a dot.
 */
static const char *sysctl_text(const struct saved_value *v, char out[OP_TEXT_MAX])
{
    snprintf(out, OP_TEXT_MAX, "sysctl -w %s=%s", v->name, v->value);
    if (strchr(v->name, '.'))
        return out;
    for (char *p = out; *p && *p != '='; p++)
        if (*p == '/')
            *p = '.';
    return out;
}

static const char *device_text(const struct op *op, char out[OP_TEXT_MAX])
{
    char user[32] = "", group[32] = "";

    if (op->owner >= 0)
        snprintf(user, sizeof(user), " user %" PRId64, op->owner);
    if (op->group >= 0)
        snprintf(group, sizeof(group), " group %" PRId64, op->group);
    snprintf(out, OP_TEXT_MAX, "ip tuntap add dev %s mode tun%s%s%s", op->ifname, user, group,
             op->queues ? " multi_queue" : "");
    return out;
}

const char *op_do_text(const struct op *op, char out[OP_TEXT_MAX])
{
    struct rule rule;

    out[0] = '\0';
    switch (op->kind) {
    case OP_DEVICE:
        return device_text(op, out);
    case OP_MTU:
        snprintf(out, OP_TEXT_MAX, "ip link set dev %s mtu %u", op->ifname, op->mtu);
        break;
    case OP_ADDRESS:
        return address_text(op, "add", out);
    case OP_LINK_UP:
        snprintf(out, OP_TEXT_MAX, "ip link set dev %s up", op->ifname);
        break;
    case OP_RULE:
        rule = rule_of(op);
        return rule_add_text(&rule, out);
    case OP_ZONE:
        snprintf(out, OP_TEXT_MAX, "firewall-cmd --zone=" FIREWALLD_ZONE " --change-interface=%s",
                 op->ifname);
        break;
    case OP_SYSCTL:
        return sysctl_text(&op->want, out);
    case OP_CHAIN: /* iptables makes it with the first rule */
    case OP_KINDS:
        break;
    }
    return out;
}

const char *op_undo_text(const struct op *op, char out[OP_TEXT_MAX])
{
    struct saved_value zero = op->want;
    struct rule rule;

    out[0] = '\0';
    switch (op->kind) {
    case OP_DEVICE:
        snprintf(out, OP_TEXT_MAX, "ip link delete dev %s", op->ifname);
        break;
    case OP_MTU:
        snprintf(out, OP_TEXT_MAX, "ip link set dev %s mtu %u", op->ifname, op->mtu_before);
        break;
    case OP_ADDRESS:
        return address_text(op, "delete", out);
    case OP_LINK_UP:
        snprintf(out, OP_TEXT_MAX, "ip link set dev %s down", op->ifname);
        break;
    case OP_CHAIN:
        return rule_chain_text(op, out);
    case OP_RULE:
        rule = rule_of(op);
        return rule_delete_text(&rule, out);
    case OP_ZONE:
        snprintf(out, OP_TEXT_MAX, "firewall-cmd --zone=%s --%s-interface=%s",
                 op->zone[0] ? op->zone : FIREWALLD_ZONE, op->zone[0] ? "change" : "remove",
                 op->ifname);
        break;
    case OP_SYSCTL:
        snprintf(zero.value, sizeof(zero.value), "%s", op->saved_count ? op->saved[0].value : "0");
        return sysctl_text(&zero, out);
    case OP_KINDS:
        break;
    }
    return out;
}
