/*
 * The way out, which `up --internet` makes: the interface, its rules, forwarding for what comes
 * back there, and the chain FORWARD. No packet is sent to the outside, so a filter of somebody
 * else's in nftables, or further away, is not found.
 */
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "device.h"
#include "doctor.h"

static void mend_up(const struct exam *e, struct hop *h)
{
    hop_mend(h, "%s up --internet %s", say_self(), e->s->lab.internet);
}

/* Whether the interface can carry anything. */
static bool examine_interface(struct exam *e)
{
    const char *ifname = e->s->lab.internet;
    struct hop *h = exam_hop(e, "internet", ifname);
    struct netlink_link link;

    if (netlink_link_get(e->s->nl, ifname, &link) < 0) {
        hop_broken(h, "the interface of the way out is not there any more");
        hop_mend(h, "%s down && %s up", say_self(), say_self());
    } else if (!link.up) {
        hop_broken(h, "the interface of the way out is down");
        hop_mend(h, "ip link set dev %s up", ifname);
    } else {
        hop_ok(h, "up");
    }
    return h->verdict == HOP_OK;
}

/* The answers come in there. */
static void examine_forwarding_back(struct exam *e)
{
    const char *ifname = e->s->lab.internet;
    char name[SYSCTL_NAME_MAX], value[SYSCTL_VALUE_MAX];
    struct hop *h;

    snprintf(name, sizeof(name), "net/ipv4/conf/%s/forwarding", ifname);
    if (e->s->facts.forwarding[FAMILY_IPV4] != 1 || sysctl_read(name, value) < 0 ||
        strcmp(value, "0") != 0)
        return;
    h = exam_hop(e, "forwarding", ifname);
    hop_broken(h, "/proc/sys/%s is 0: what the outside answers is not forwarded", name);
    hop_mend(h, "sysctl -w %s=1", name);
}

static void examine_translation(struct exam *e, enum family family)
{
    struct hop *h = exam_hop(e, family == FAMILY_IPV6 ? "nat6" : "nat", e->s->lab.internet);
    struct netlink_addr net[LAB_NETS_MAX];
    unsigned nets = rule_networks(&e->s->lab, &e->s->facts, net);
    char text[RULE_NET_TEXT_MAX], command[OP_TEXT_MAX];

    for (unsigned i = 0; i < e->s->lab.nodes; i++) {
        struct rule wide = {.family = family,
                            .kind = e->s->facts.firewall[family].kind,
                            .ifname = e->s->lab.node[i].ifname};

        if (!e->s->facts.device[i].wide[family])
            continue;
        hop_broken(h,
                   "a NOTRACK rule keeps all that comes in on %s out of connection tracking, "
                   "so nothing is translated",
                   wide.ifname);
        hop_mend(h, "%s", rule_delete_text(&wide, command));
        return;
    }
    for (unsigned k = 0; k < nets && k < LAB_NETS_MAX; k++) {
        if (family_of(&net[k].addr) != family || e->s->facts.masquerade[k])
            continue;
        if (family == FAMILY_IPV6) {
            hop_note(h, "no MASQUERADE rule for %s: IPv6 does not lead out",
                     rule_net_text(&net[k], text));
            return;
        }
        hop_broken(h, "the MASQUERADE rule for %s is missing, so the outside cannot answer",
                   rule_net_text(&net[k], text));
        mend_up(e, h);
        return;
    }
    if (examine_room(h))
        return;
    hop_ok(h, "what leaves there has the machine's address (%s)",
           firewall_name(family, e->s->facts.firewall[family].kind));
}

static void examine_filter(struct exam *e, enum family family, unsigned i)
{
    const char *tun = e->s->lab.node[i].ifname, *out = e->s->lab.internet;
    const char *tool = firewall_tool(family);
    enum firewall_kind kind = firewall_detect_iptables(family);
    char way[HOP_WAY_MAX];
    struct hop *h;

    if ((kind != FIREWALL_IPTABLES_NFT && kind != FIREWALL_IPTABLES_LEGACY) ||
        firewall_forward_drops(family, kind, tun, out) != 1)
        return;
    snprintf(way, sizeof(way), "%s > %s", tun, out);
    h = exam_hop(e, family == FAMILY_IPV6 ? "filter6" : "filter", way);
    hop_broken(h, "%s's chain FORWARD drops by default", tool);
    hop_mend(h, "%s -I FORWARD -i %s -o %s -j ACCEPT; %s -I FORWARD -i %s -o %s -j ACCEPT", tool,
             tun, out, tool, out, tun);
}

void examine_outside(struct exam *e)
{
    if (!e->s->lab.internet[0] || !examine_interface(e))
        return;
    examine_forwarding_back(e);
    for (enum family f = 0; f < FAMILIES; f++) {
        if (!lab_speaks(&e->s->lab, &e->s->facts, f))
            continue;
        examine_translation(e, f);
        for (unsigned i = 0; i < e->s->lab.nodes; i++)
            examine_filter(e, f, i);
    }
}
