/*
 * What is there now: the facts that a plan starts from. Nothing is changed by looking, not even by
 * the tools that are asked.
 */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "device.h"
#include "setup.h"

enum {
    ADDRS_MAX = 512, /* addresses of the machine that are compared with ours */
};

/* fe80::/10, which the kernel gives every link that it sets up. */
static bool is_link_local(const struct addr *a)
{
    return a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80;
}

/* Whether an IPv4 address of another link lies in the subnet of `ours`, or the other way round. */
static bool overlaps(const struct netlink_addr *ours, const struct netlink_addr *other)
{
    uint8_t len = ours->prefix_len < other->prefix_len ? ours->prefix_len : other->prefix_len;
    uint32_t mask = len ? UINT32_MAX << (32 - len) : 0;

    return addr_is_v4(&ours->addr) && addr_is_v4(&other->addr) &&
           ((addr_v4_value(&ours->addr) ^ addr_v4_value(&other->addr)) & mask) == 0;
}

static void note_addr(const struct lab_node *n, const struct netlink_addr *a,
                      struct device_facts *d)
{
    bool on_it = d->exists && a->index == d->link.index;
    bool wanted = addr_eq(&a->addr, &n->addr.addr) && a->prefix_len == n->addr.prefix_len;

    if (on_it && wanted) {
        d->has_addr = true;
    } else if (on_it && !is_link_local(&a->addr)) {
        d->has_other = true;
        d->other = *a;
    } else if (!on_it && overlaps(&n->addr, a)) {
        d->overlap = true;
        if (!if_indextoname((unsigned)a->index, d->overlap_ifname))
            snprintf(d->overlap_ifname, sizeof(d->overlap_ifname), "link %d", a->index);
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

static void look_at_rules(struct setup *s)
{
    struct facts *f = &s->facts;

    f->firewall = firewall_detect();
    for (unsigned i = 0; i < s->lab.nodes && f->firewall != FIREWALL_NONE; i++) {
        int r = firewall_rule_present(f->firewall, s->lab.node[i].ifname, s->firewall_said);

        f->device[i].rule = r == 1;
        if (r == -EPERM)
            f->firewall = FIREWALL_UNKNOWN;
        else if (r < 0)
            f->firewall = FIREWALL_NONE;
        if (r == -EPERM)
            break;
    }
    if (f->firewall != FIREWALL_NONE)
        s->firewall_said[0] = '\0';
    if (f->firewall == FIREWALL_IPTABLES_NFT && rawtable_look(&f->raw_table, &f->raw_chain) < 0)
        f->raw_table = f->raw_chain = true; /* then we did not make them */
    if (f->firewall == FIREWALL_IPTABLES_NFT || f->firewall == FIREWALL_IPTABLES_LEGACY)
        f->forward_drops =
            firewall_forward_drops(f->firewall, s->lab.node[0].ifname, s->lab.node[1].ifname) == 1;
}

int look(struct setup *s)
{
    static struct netlink_addr addrs[ADDRS_MAX];
    char value[SYSCTL_VALUE_MAX];
    size_t n;
    int r = netlink_addr_list(s->nl, 0, addrs, ADDRS_MAX, &n);

    memset(&s->facts, 0, sizeof(s->facts));
    for (unsigned i = 0; r == 0 && i < s->lab.nodes; i++)
        r = look_at_device(s, i, addrs, n < ADDRS_MAX ? n : ADDRS_MAX);
    if (r < 0)
        return r;
    look_at_rules(s);
    s->facts.ip_forward = -1;
    if (sysctl_read("net/ipv4/ip_forward", value) == 0)
        s->facts.ip_forward = strcmp(value, "0") != 0;
    return 0;
}
