/*
 * From what is there to what is wanted, as a list of operations. See plan.h.
 *
 * The order is chosen so that a run that dies half-way has opened as little as possible: devices
 * first, rules next, and forwarding, which concerns the whole machine, last.
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

#include "run/self.h"

static void set_node(struct lab_node *n, const char *ifname, uint32_t addr, uint8_t prefix_len)
{
    snprintf(n->ifname, sizeof(n->ifname), "%s", ifname);
    n->addr = (struct netlink_addr){.addr = addr_v4(addr), .prefix_len = prefix_len};
}

void lab_default(struct lab *lab, int64_t owner)
{
    memset(lab, 0, sizeof(*lab));
    set_node(&lab->node[0], "tun0", 0x0a000001, 24);
    set_node(&lab->node[1], "tun1", 0x0a000101, 24);
    lab->nodes = 2;
    lab->owner = owner;
}

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

/* Reasons that forbid making or completing the device itself. */
static bool is_taken(const struct lab *lab, const struct lab_node *n, const struct device_facts *d,
                     char why[REFUSAL_TEXT_MAX])
{
    char text[ADDR_TEXT_MAX], self[SELF_MAX];

    if (d->exists && d->link.owner >= 0 && d->link.owner != lab->owner) {
        snprintf(why, REFUSAL_TEXT_MAX,
                 "%s belongs to user id %" PRId64 ", not %" PRId64
                 "; nothing was changed: %s%s%s first, or choose that user with --user",
                 n->ifname, d->link.owner, lab->owner, d->ours ? "run '" : "remove it",
                 d->ours ? self_call("netsetup", self) : "", d->ours ? " down'" : "");
        return true;
    }
    if (d->overlap && !d->has_addr) {
        snprintf(why, REFUSAL_TEXT_MAX,
                 "%s has an address in %s's subnet, %s/%u; nothing was changed: bring that "
                 "interface down, or work in a namespace (unshare -n)",
                 d->overlap_ifname, n->ifname, addr_format(&n->addr.addr, text),
                 n->addr.prefix_len);
        return true;
    }
    return false;
}

/* ---- the list ---- */

static struct op *add_op(struct plan *plan, enum op_kind kind, const char *ifname)
{
    struct op *op = &plan->op[plan->ops++];

    memset(op, 0, sizeof(*op));
    op->kind = kind;
    snprintf(op->ifname, sizeof(op->ifname), "%s", ifname);
    return op;
}

static void plan_device(struct plan *plan, const struct lab *lab, const struct lab_node *n,
                        const struct device_facts *d)
{
    if (!d->exists)
        add_op(plan, OP_DEVICE, n->ifname)->owner = lab->owner;
    if (!d->exists || !d->has_addr)
        add_op(plan, OP_ADDRESS, n->ifname)->addr = n->addr;
    if (!d->exists || !d->link.up)
        add_op(plan, OP_LINK_UP, n->ifname);
}

static void plan_rules(struct plan *plan, const struct lab *lab, const struct facts *facts)
{
    bool chain = facts->firewall == FIREWALL_IPTABLES_NFT && !facts->raw_chain;

    if (facts->firewall == FIREWALL_NONE)
        return;
    for (unsigned i = 0; i < lab->nodes; i++) {
        if (facts->device[i].rule)
            continue;
        if (chain)
            add_op(plan, OP_CHAIN, "")->table_too = !facts->raw_table;
        chain = false;
        add_op(plan, OP_RULE, lab->node[i].ifname)->firewall = facts->firewall;
    }
}

static void plan_forwarding(struct plan *plan, const struct facts *facts)
{
    struct op *op;

    if (facts->ip_forward == 1)
        return;
    op = add_op(plan, OP_SYSCTL, "");
    snprintf(op->want.name, sizeof(op->want.name), "net/ipv4/ip_forward");
    snprintf(op->want.value, sizeof(op->want.value), "1");
}

int plan_up(const struct lab *lab, unsigned parts, const struct facts *facts, struct plan *ret,
            char why[REFUSAL_TEXT_MAX])
{
    ret->ops = 0;
    for (unsigned i = 0; i < lab->nodes; i++) {
        const struct device_facts *d = &facts->device[i];

        if (parts & (PART_DEVICES | PART_RULES) && is_foreign(&lab->node[i], d, why))
            return -EEXIST;
        if (parts & PART_DEVICES && is_taken(lab, &lab->node[i], d, why))
            return -EEXIST;
    }
    for (unsigned i = 0; parts & PART_DEVICES && i < lab->nodes; i++)
        plan_device(ret, lab, &lab->node[i], &facts->device[i]);
    if (parts & PART_RULES)
        plan_rules(ret, lab, facts);
    if (parts & PART_FORWARDING)
        plan_forwarding(ret, facts);
    return 0;
}

bool plan_is_up(const struct lab *lab, const struct facts *facts)
{
    bool rules = facts->firewall != FIREWALL_NONE && facts->firewall != FIREWALL_UNKNOWN;

    for (unsigned i = 0; i < lab->nodes; i++) {
        const struct device_facts *d = &facts->device[i];

        if (!d->exists || !d->link.is_tun || !d->link.up || !d->has_addr || (rules && !d->rule))
            return false;
    }
    return facts->ip_forward == 1;
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
    case OP_LINK_UP:
        return PART_DEVICES;
    case OP_CHAIN:
    case OP_RULE:
        return PART_RULES;
    case OP_SYSCTL:
        return PART_FORWARDING;
    case OP_KINDS:
        break;
    }
    return 0;
}

bool op_same_thing(const struct op *a, const struct op *b)
{
    return a->kind == b->kind && strcmp(a->ifname, b->ifname) == 0 &&
           strcmp(a->want.name, b->want.name) == 0 &&
           (a->kind != OP_ADDRESS ||
            (addr_eq(&a->addr.addr, &b->addr.addr) && a->addr.prefix_len == b->addr.prefix_len));
}

static const char *rule_text(const struct op *op, const char *verb, char out[OP_TEXT_MAX])
{
    snprintf(out, OP_TEXT_MAX,
             "iptables -w -t raw %s PREROUTING -i %s -m comment --comment twintun -j NOTRACK", verb,
             op->ifname);
    return out;
}

static const char *address_text(const struct op *op, const char *verb, char out[OP_TEXT_MAX])
{
    char text[ADDR_TEXT_MAX];

    snprintf(out, OP_TEXT_MAX, "ip address %s %s/%u dev %s", verb,
             addr_format(&op->addr.addr, text), op->addr.prefix_len, op->ifname);
    return out;
}

/* "net/ipv4/ip_forward" as "sysctl -w net.ipv4.ip_forward=1"; only used where no part has a dot. */
static const char *sysctl_text(const struct saved_value *v, char out[OP_TEXT_MAX])
{
    snprintf(out, OP_TEXT_MAX, "sysctl -w %s=%s", v->name, v->value);
    for (char *p = out; *p && *p != '='; p++)
        if (*p == '/')
            *p = '.';
    return out;
}

const char *op_do_text(const struct op *op, char out[OP_TEXT_MAX])
{
    out[0] = '\0';
    switch (op->kind) {
    case OP_DEVICE:
        snprintf(out, OP_TEXT_MAX, "ip tuntap add dev %s mode tun user %" PRId64, op->ifname,
                 op->owner);
        break;
    case OP_ADDRESS:
        return address_text(op, "add", out);
    case OP_LINK_UP:
        snprintf(out, OP_TEXT_MAX, "ip link set dev %s up", op->ifname);
        break;
    case OP_RULE:
        return rule_text(op, "-A", out);
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

    out[0] = '\0';
    switch (op->kind) {
    case OP_DEVICE:
        snprintf(out, OP_TEXT_MAX, "ip link delete dev %s", op->ifname);
        break;
    case OP_ADDRESS:
        return address_text(op, "delete", out);
    case OP_LINK_UP:
        snprintf(out, OP_TEXT_MAX, "ip link set dev %s down", op->ifname);
        break;
    case OP_CHAIN:
        snprintf(out, OP_TEXT_MAX, "nft delete %s",
                 op->table_too ? "table ip raw" : "chain ip raw PREROUTING");
        break;
    case OP_RULE:
        return rule_text(op, "-D", out);
    case OP_SYSCTL:
        snprintf(zero.value, sizeof(zero.value), "%s", op->saved_count ? op->saved[0].value : "0");
        return sysctl_text(&zero, out);
    case OP_KINDS:
        break;
    }
    return out;
}
