/*
 * The devices: is each there, a TUN, the right user's, up, with its addresses, large enough for
 * IPv6, and is a node attached? What follows from another finding is not said again.
 */
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "attached.h"
#include "doctor.h"
#include "run/self.h"

enum {
    IPV6_MTU_MIN = 1280, /* RFC 8200 section 5 */
    MTU_USUAL = 1500,
};

static const char *user_name(int64_t id, char out[32])
{
    const struct passwd *pw = id >= 0 ? getpwuid((uid_t)id) : NULL;

    if (id < 0)
        return "everybody";
    snprintf(out, 32, "%s", pw ? pw->pw_name : "");
    if (!pw)
        snprintf(out, 32, "user id %" PRId64, id);
    return out;
}

/* Whether the TUN is there and belongs to who runs the lab. */
static bool examine_owner(struct exam *e, unsigned i)
{
    const struct lab_node *n = &e->s->lab.node[i];
    const struct device_facts *d = &e->s->facts.device[i];
    struct hop *h = exam_hop(e, "device", n->ifname);
    char whose[32], wanted[32];

    if (!d->exists) {
        hop_broken(h, "%s is not there", n->ifname);
        hop_mend_up(e, h);
    } else if (!d->link.is_tun) {
        hop_broken(h, "%s is no TUN, but a device of another kind", n->ifname);
        hop_mend(h, "ip link delete dev %s && %s up", n->ifname, say_self());
    } else if (d->link.owner >= 0 && d->link.owner != e->s->lab.owner &&
               (!d->ours || e->s->owner_chosen)) {
        hop_broken(h, "the TUN is that of %s, not of %s, whose node may not open it",
                   user_name(d->link.owner, whose), user_name(e->s->lab.owner, wanted));
        hop_mend(h, "ip link delete dev %s && %s up --user %" PRId64, n->ifname, say_self(),
                 e->s->lab.owner);
    } else {
        hop_ok(h, "a TUN of %s", user_name(d->link.owner, whose));
    }
    return h->verdict == HOP_OK;
}

static void examine_link(struct exam *e, unsigned i)
{
    const char *ifname = e->s->lab.node[i].ifname;
    const struct netlink_link *l = &e->s->facts.device[i].link;
    struct hop *h = exam_hop(e, "link", ifname);

    if (!l->up) {
        hop_broken(h, "the link is down");
        hop_mend_up(e, h);
    } else {
        hop_ok(h, "up");
    }
    h = exam_hop(e, "mtu", ifname);
    if (l->mtu < IPV6_MTU_MIN) {
        hop_broken(h, "packets of at most %u bytes; below %d the kernel takes IPv6 off the link",
                   l->mtu, IPV6_MTU_MIN);
        hop_mend(h, "ip link set dev %s mtu %d && %s up", ifname, MTU_USUAL, say_self());
    } else {
        hop_ok(h, "%u bytes", l->mtu);
    }
}

static void examine_addresses(struct exam *e, unsigned i)
{
    const struct lab_node *n = &e->s->lab.node[i];
    struct hop *h = exam_hop(e, "address", n->ifname);
    char text[ADDR_TEXT_MAX];

    for (unsigned a = 0; a < n->addrs; a++) {
        if (e->s->facts.device[i].addr[a].there ||
            (family_of(&n->addr[a].addr) == FAMILY_IPV6 && !e->s->facts.ipv6))
            continue;
        hop_broken(h, "the kernel's address %s/%u is missing, and with it the route to the node",
                   addr_format(&n->addr[a].addr, text), n->addr[a].prefix_len);
        hop_mend_up(e, h);
        return;
    }
    hop_ok(h, "%s", e->s->facts.ipv6 ? "all are there" : "that of IPv4 is there");
}

/* The command that starts node i. */
static void mend_node(const struct exam *e, unsigned i, struct hop *h, int in_place_of)
{
    const struct lab *lab = &e->s->lab;
    const struct lab_node *n = &lab->node[i];
    unsigned other = i == 0 && lab->nodes > 1 ? 1 : 0;
    struct addr remote = lab_node_addr(lab, other, 0);
    char kernel[ADDR_TEXT_MAX], far[ADDR_TEXT_MAX], self[SELF_MAX], first[96] = "";

    if (in_place_of)
        snprintf(first, sizeof(first), "kill %d; while kill -0 %d; do sleep 0.1; done; ",
                 in_place_of, in_place_of);
    hop_mend(h, "%s%s %s %s/%u %s", first, self_call(i == 0 ? "host" : "peer", self), n->ifname,
             addr_format(&n->addr[0].addr, kernel), n->addr[0].prefix_len,
             addr_format(&remote, far));
}

/* As make build or make install call them. */
static bool is_node(const char *name)
{
    static const char prefix[] = "twintun-";

    if (strncmp(name, prefix, sizeof(prefix) - 1) == 0)
        name += sizeof(prefix) - 1;
    return strcmp(name, "host") == 0 || strcmp(name, "peer") == 0;
}

static void examine_node(struct exam *e, unsigned i)
{
    const char *ifname = e->s->lab.node[i].ifname;
    struct hop *h = exam_hop(e, "node", ifname);
    struct attached a;

    if (attached_find(ifname, &a) && !is_node(a.name)) {
        hop_broken(h, "busy: %s, process %d, holds it, which is no node of ours", a.name, a.pid);
        mend_node(e, i, h, a.pid);
    } else if (a.pid > 0 && e->s->facts.device[i].link.carrier) {
        hop_ok(h, "%s, process %d, is attached", a.name, a.pid);
    } else if (e->s->facts.device[i].link.carrier) {
        hop_ok(h, "a program is attached");
    } else {
        hop_broken(h, "no node is attached: nobody reads what the kernel sends there");
        mend_node(e, i, h, 0);
    }
}

/* Whose the nodes are: who is named, or whose the TUNs are that we have made. */
static int64_t owner_of_nodes(const struct exam *e)
{
    for (unsigned i = 0; !e->s->owner_chosen && i < e->s->lab.nodes; i++)
        if (e->s->facts.device[i].ours && e->s->facts.device[i].link.owner >= 0)
            return e->s->facts.device[i].link.owner;
    return e->s->lab.owner;
}

/* Who owns the TUNs needs the device file, too. */
static void examine_device_file(struct exam *e)
{
    struct hop *h = exam_hop(e, "privilege", "");
    int64_t owner = owner_of_nodes(e);
    struct stat st;

    if (stat("/dev/net/tun", &st) < 0) {
        hop_broken(h, "/dev/net/tun is missing");
        hop_mend(h, "modprobe tun");
    } else if (owner != 0 && owner != st.st_uid && (st.st_mode & 06) != 06) {
        hop_broken(h, "/dev/net/tun may not be opened by every user, so the owner's node may not");
        hop_mend(h, "chmod 666 /dev/net/tun");
    } else {
        hop_ok(h, "/dev/net/tun can be opened by the owner of the TUNs");
    }
}

void examine_devices(struct exam *e)
{
    examine_device_file(e);
    for (unsigned i = 0; i < e->s->lab.nodes; i++) {
        if (!examine_owner(e, i))
            continue;
        examine_link(e, i);
        examine_addresses(e, i);
        examine_node(e, i);
    }
    if (!e->s->facts.ipv6)
        hop_note(exam_hop(e, "ipv6", ""), "off: %s", e->s->facts.ipv6_off);
}

bool device_works(const struct exam *e, unsigned i)
{
    const struct device_facts *d = &e->s->facts.device[i];

    return d->exists && d->link.is_tun && d->link.up;
}
