/*
 * Between the devices: our rules, forwarding, routes and the reverse-path filter. Where a packet
 * would go is not computed here: the kernel is asked, with the ip command.
 */
#include <jansson.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device.h"
#include "doctor.h"
#include "exec.h"
#include "firewalld.h"

enum {
    ADDRS_MAX = 512, /* addresses of the machine that are looked through */
};

/* ---- rules and forwarding ---- */

bool examine_room(struct hop *h)
{
    char count[SYSCTL_VALUE_MAX], max[SYSCTL_VALUE_MAX];

    if (sysctl_read("net/netfilter/nf_conntrack_count", count) < 0 ||
        sysctl_read("net/netfilter/nf_conntrack_max", max) < 0 || atoi(max) == 0 ||
        atoi(count) < atoi(max))
        return false;
    hop_broken(h,
               "connection tracking sees the packets, and its table is full: %s of %s; what is "
               "new is dropped",
               count, max);
    hop_mend(h, "sysctl -w net.netfilter.nf_conntrack_max=%ld", 2L * atoi(count));
    return true;
}

static void examine_family_rules(struct exam *e, enum family family)
{
    const char *tool = firewall_tool(family), *said = e->s->firewall_said[family];
    enum firewall_kind kind = e->s->facts.firewall[family].kind;

    for (unsigned i = 0; i < e->s->lab.nodes; i++) {
        struct hop *h =
            exam_hop(e, family == FAMILY_IPV6 ? "tracking6" : "tracking", e->s->lab.node[i].ifname);

        if (kind == FIREWALL_NONE || kind == FIREWALL_UNKNOWN) {
            if (examine_room(h))
                continue;
            hop_note(h, "connection tracking sees the packets: %s%s", said[0] ? said : tool,
                     said[0] ? "" : " is not installed");
        } else if (!e->s->facts.device[i].rule[family]) {
            hop_broken(h, "connection tracking sees the packets, for the NOTRACK rule is missing; "
                          "what it takes for invalid, or has no room for, is dropped");
            hop_mend_up(e, h);
        } else {
            hop_ok(h, "kept out by our rule (%s)", firewall_name(family, kind));
        }
    }
}

/* Without a zone the default one is the TUN's, which lets nothing pass between zones. */
static void examine_zones(struct exam *e)
{
    for (unsigned i = 0; e->s->facts.firewalld && i < e->s->lab.nodes; i++) {
        struct hop *h = exam_hop(e, "zone", e->s->lab.node[i].ifname);

        if (e->s->facts.device[i].trusted) {
            hop_ok(h, "firewalld trusts it");
            continue;
        }
        hop_broken(h, "not in firewalld's zone " FIREWALLD_ZONE ", so firewalld drops its packets");
        hop_mend_up(e, h);
    }
}

void examine_rules(struct exam *e)
{
    examine_zones(e);
    for (enum family f = 0; f < FAMILIES; f++)
        if (lab_speaks(&e->s->lab, &e->s->facts, f))
            examine_family_rules(e, f);
}

/* An interface may be excepted from forwarding: IPv4 asks the one where the packet comes in. */
static void examine_switch(struct exam *e, unsigned i)
{
    const char *ifname = e->s->lab.node[i].ifname;
    char name[SYSCTL_NAME_MAX], value[SYSCTL_VALUE_MAX];
    struct hop *h;

    snprintf(name, sizeof(name), "net/ipv4/conf/%s/forwarding", ifname);
    if (sysctl_read(name, value) < 0 || strcmp(value, "0") != 0)
        return;
    h = exam_hop(e, "forwarding", ifname);
    hop_broken(h, "/proc/sys/%s is 0: nothing that comes in on %s is forwarded", name, ifname);
    hop_mend(h, "sysctl -w %s=1", name);
}

void examine_forwarding(struct exam *e)
{
    for (enum family f = 0; f < FAMILIES; f++) {
        struct hop *h;

        if (!lab_speaks(&e->s->lab, &e->s->facts, f))
            continue;
        h = exam_hop(e, f == FAMILY_IPV6 ? "forwarding6" : "forwarding", "");
        if (e->s->facts.forwarding[f] == 1) {
            hop_ok(h, "on");
            continue;
        }
        hop_broken(h, "%s is 0: the kernel drops what is for somebody else",
                   f == FAMILY_IPV6 ? "net.ipv6.conf.all.forwarding" : "net.ipv4.ip_forward");
        hop_mend_up(e, h);
    }
    for (unsigned i = 0; e->s->facts.forwarding[FAMILY_IPV4] == 1 && i < e->s->lab.nodes; i++)
        if (device_works(e, i))
            examine_switch(e, i);
}

/* ---- routes ---- */

struct lookup {
    char dev[NETLINK_NAME_MAX]; /* "" if there is no way */
    bool local;                 /* the machine itself has that address */
    char said[160];             /* why there is no way */
};

/* ip -j route get DST */
static void look_up(enum family family, const char *dst, struct lookup *ret)
{
    const char *argv[] = {"ip", family == FAMILY_IPV6 ? "-6" : "-4", "-j", "route", "get", dst,
                          NULL};
    char out[2048] = "";
    const char *dev, *type;
    json_t *root, *route;

    memset(ret, 0, sizeof(*ret));
    if (exec_run(argv, out, sizeof(out)) != 0) {
        const char *words = strstr(out, "answers: ");

        snprintf(ret->said, sizeof(ret->said), "%.*s", (int)strcspn(words ? words + 9 : out, "\n"),
                 words ? words + 9 : out);
        return;
    }
    root = json_loads(out, 0, NULL);
    route = json_array_get(root, 0);
    dev = json_string_value(json_object_get(route, "dev"));
    type = json_string_value(json_object_get(route, "type"));
    ret->local = type && strcmp(type, "local") == 0;
    snprintf(ret->dev, sizeof(ret->dev), "%s", dev ? dev : "");
    json_decref(root);
}

/* The machine has the node's own address. */
static void mend_local(const struct exam *e, struct hop *h, const struct addr *node)
{
    static struct netlink_addr list[ADDRS_MAX];
    char text[ADDR_TEXT_MAX], ifname[IF_NAMESIZE] = "lo";
    unsigned prefix_len = addr_is_v4(node) ? 32 : 128;
    size_t n = 0;

    netlink_addr_list(e->s->nl, 0, list, ADDRS_MAX, &n);
    for (size_t i = 0; i < n && i < ADDRS_MAX; i++)
        if (addr_eq(&list[i].addr, node) && if_indextoname((unsigned)list[i].index, ifname))
            prefix_len = list[i].prefix_len;
    hop_mend(h, "ip address delete %s/%u dev %s", addr_format(node, text), prefix_len, ifname);
}

/* The command that leads to node `to` again: the route that the address brings, or one that wins.
 */
static void mend_route(const struct exam *e, struct hop *h, unsigned to, unsigned a,
                       const struct lookup *l)
{
    const struct lab_node *n = &e->s->lab.node[to];
    struct addr node = lab_node_addr(&e->s->lab, to, a);
    bool v6 = family_of(&node) == FAMILY_IPV6;
    char dst[ADDR_TEXT_MAX], kernel[ADDR_TEXT_MAX];
    struct addr net = addr_network(n->addr[a].has_peer ? &n->addr[a].peer : &n->addr[a].addr,
                                   n->addr[a].prefix_len);

    if (l->local)
        mend_local(e, h, &node);
    else if (l->dev[0] || strstr(l->said, "nvalid") || strstr(l->said, "ermission") ||
             strstr(l->said, "to host"))
        hop_mend(h, "ip %sroute replace %s/%d dev %s", v6 ? "-6 " : "", addr_format(&node, dst),
                 v6 ? 128 : 32, n->ifname);
    else if (v6)
        hop_mend(h, "ip -6 route replace %s/%u dev %s proto kernel metric 256",
                 addr_format(&net, dst), n->addr[a].prefix_len, n->ifname);
    else
        hop_mend(h, "ip route replace %s/%u dev %s proto kernel scope link src %s",
                 addr_format(&net, dst), n->addr[a].prefix_len, n->ifname,
                 addr_format(&n->addr[a].addr, kernel));
}

static void examine_route(struct exam *e, const char *way, unsigned to, unsigned a)
{
    struct addr node = lab_node_addr(&e->s->lab, to, a);
    const char *ifname = e->s->lab.node[to].ifname;
    enum family family = family_of(&node);
    struct hop *h = exam_hop(e, family == FAMILY_IPV6 ? "route6" : "route", way);
    char text[ADDR_TEXT_MAX];
    struct lookup l;

    look_up(family, addr_format(&node, text), &l);
    if (l.local) {
        snprintf(l.dev, sizeof(l.dev), "lo");
        hop_broken(h, "%s is an address of the machine itself, so packets for it stay here", text);
    } else if (!l.dev[0]) {
        hop_broken(h, "no way leads to %s: %s", text, l.said);
    } else if (strcmp(l.dev, ifname) != 0) {
        hop_broken(h, "the way to %s leads through %s, not %s", text, l.dev, ifname);
    } else {
        hop_ok(h, "%s through %s", text, ifname);
        return;
    }
    mend_route(e, h, to, a, &l);
}

/* How strict the filter is on that device: the larger of its own setting and everybody's. */
static int reverse_path(const char *ifname)
{
    char name[SYSCTL_NAME_MAX], value[SYSCTL_VALUE_MAX];
    int own = 0, all = 0;

    snprintf(name, sizeof(name), "net/ipv4/conf/%s/rp_filter", ifname);
    if (sysctl_read(name, value) == 0)
        own = atoi(value);
    if (sysctl_read("net/ipv4/conf/all/rp_filter", value) == 0)
        all = atoi(value);
    return own > all ? own : all;
}

/*
 * What comes from a node is dropped if the way back to it leads elsewhere (1), or nowhere (2). The
 * kernel does not say that it would be the filter, so this is the filter's rule.
 */
static void examine_reverse(struct exam *e, const char *way, unsigned from, unsigned a)
{
    struct addr src = lab_node_addr(&e->s->lab, from, a);
    const char *ifname = e->s->lab.node[from].ifname;
    struct hop *h = exam_hop(e, "reverse-path", way);
    int strict = reverse_path(ifname);
    char text[ADDR_TEXT_MAX];
    struct lookup back;

    look_up(FAMILY_IPV4, addr_format(&src, text), &back);
    if (!((strict == 1 && strcmp(back.dev, ifname) != 0) || (strict == 2 && !back.dev[0]))) {
        hop_ok(h, "lets packets from %s in (rp_filter %d)", text, strict);
        return;
    }
    hop_broken(h,
               "rp_filter is %d on %s, and the way back to %s leads through %s: the kernel takes "
               "what comes from it for forged",
               strict, ifname, text, back.dev[0] ? back.dev : "nothing");
    mend_route(e, h, from, a, &back);
}

void examine_way(struct exam *e, unsigned from, unsigned to)
{
    const struct lab *lab = &e->s->lab;
    char way[HOP_WAY_MAX];

    if (!device_works(e, from) || !device_works(e, to))
        return;
    snprintf(way, sizeof(way), "%s > %s", lab->node[from].ifname, lab->node[to].ifname);
    for (unsigned a = 0; a < lab->node[to].addrs; a++) {
        enum family family = family_of(&lab->node[to].addr[a].addr);

        if (!lab_speaks(lab, &e->s->facts, family) || !e->s->facts.device[to].addr[a].there)
            continue; /* the address is missing, which is said */
        examine_route(e, way, to, a);
        if (family == FAMILY_IPV4 && a < lab->node[from].addrs &&
            family_of(&lab->node[from].addr[a].addr) == family &&
            e->s->facts.device[from].addr[a].there)
            examine_reverse(e, way, from, a);
    }
}
