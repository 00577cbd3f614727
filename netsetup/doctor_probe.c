/*
 * What the marked packets met: for each that did not arrive, who may have dropped it, and the
 * command that lets the lab's packets pass there without touching anybody's rules: one that accepts
 * them, in front of the others.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "doctor.h"
#include "probe.h"

static void add_probe(struct probing *p, const struct exam *e, unsigned from, unsigned to,
                      enum family family)
{
    const struct lab *lab = &e->s->lab;
    struct probe probe = {.last_seen = -1};
    bool src = false, dst = false;

    snprintf(probe.in, sizeof(probe.in), "%s", lab->node[from].ifname);
    snprintf(probe.out, sizeof(probe.out), "%s", lab->node[to].ifname);
    src = lab_node_addr_of(lab, from, family, &probe.src);
    dst = lab_node_addr_of(lab, to, family, &probe.dst);
    if (src && dst && p->probes < PROBES_MAX)
        p->probe[p->probes++] = probe;
}

static void add_probes(struct probing *p, const struct exam *e)
{
    for (unsigned i = 1; i < e->s->lab.nodes; i++) {
        if (!device_works(e, 0) || !device_works(e, i))
            continue;
        for (enum family f = 0; f < FAMILIES; f++) {
            if (!lab_speaks(&e->s->lab, &e->s->facts, f))
                continue;
            add_probe(p, e, 0, i, f);
            add_probe(p, e, i, 0, f);
        }
    }
}

/* ---- what to do ---- */

/* The program that keeps that chain, if it is iptables'. */
static const char *tool_of(const struct exam *e, const struct chain *c, char out[32])
{
    enum family family = c->v4 ? FAMILY_IPV4 : FAMILY_IPV6;
    bool usual = e->s->facts.firewall[family].kind ==
                 (c->legacy ? FIREWALL_IPTABLES_LEGACY : FIREWALL_IPTABLES_NFT);

    snprintf(out, 32, "%s%s", firewall_tool(family), usual ? "" : c->legacy ? "-legacy" : "-nft");
    return out;
}

/* Whether iptables made it: its tables and chains have these names. */
static bool is_iptables(const struct chain *c)
{
    static const char *const tables[] = {"raw", "mangle", "nat", "filter", "security"};
    bool known = false;

    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
        known |= strcmp(c->table, tables[i]) == 0;
    return c->legacy ||
           (known && strncmp(c->family, "ip", 2) == 0 && c->name[0] >= 'A' && c->name[0] <= 'Z');
}

static void mend_iptables(const struct exam *e, const struct probing *p, const struct probe *probe,
                          const struct chain *c, char out[MEND_MAX])
{
    bool docker = p->docker && c->hook == HOOK_FORWARD && strcmp(c->table, "filter") == 0 && c->v4;
    char tool[32], match[64];

    tool_of(e, c, tool);
    if (c->hook == HOOK_PREROUTING)
        snprintf(match, sizeof(match), "-i %s", probe->in);
    else if (c->hook == HOOK_FORWARD)
        snprintf(match, sizeof(match), "-i %s -o %s", probe->in, probe->out);
    else
        snprintf(match, sizeof(match), "-o %s", probe->out);
    if (strcmp(c->table, "raw") == 0)
        snprintf(out, MEND_MAX,
                 "%s -w -t raw -I %s %s -j ACCEPT && %s -w -t raw -I %s %s -j NOTRACK", tool,
                 c->name, match, tool, c->name, match);
    else
        snprintf(out, MEND_MAX, "%s -w -t %s -I %s %s -j ACCEPT", tool, c->table,
                 docker ? "DOCKER-USER" : c->name, match);
}

static void mend_chain(const struct exam *e, const struct probing *p, const struct probe *probe,
                       const struct chain *c, char out[MEND_MAX])
{
    char match[96];

    if (is_iptables(c)) {
        mend_iptables(e, p, probe, c, out);
        return;
    }
    if (strcmp(c->table, "firewalld") == 0) {
        snprintf(out, MEND_MAX, "%s up", say_self());
        return;
    }
    if (c->hook == HOOK_FORWARD)
        snprintf(match, sizeof(match), "iifname \"%s\" oifname \"%s\"", probe->in, probe->out);
    else if (c->hook == HOOK_POSTROUTING)
        snprintf(match, sizeof(match), "oifname \"%s\"", probe->out);
    else
        snprintf(match, sizeof(match), "iifname \"%s\"", probe->in);
    snprintf(out, MEND_MAX, "nft 'insert rule %s %s %s %s accept'", c->family, c->table, c->name,
             match);
}

/* Who that is, for people. */
static void name_chain(const struct exam *e, const struct probing *p, const struct chain *c,
                       char out[HOP_TEXT_MAX])
{
    bool filter = c->hook == HOOK_FORWARD && strcmp(c->table, "filter") == 0;
    char tool[32];

    if (is_iptables(c))
        snprintf(out, HOP_TEXT_MAX, "%stable %s of %s, chain %s",
                 filter && p->docker ? "Docker's or another's rule in " : "", c->table,
                 tool_of(e, c, tool), c->name);
    else
        snprintf(out, HOP_TEXT_MAX, "table %s %s of nftables, chain %s", c->family, c->table,
                 c->name);
    if (filter && p->ufw && is_iptables(c))
        strncat(out, " (ufw's)", HOP_TEXT_MAX - strlen(out) - 1);
}

/* ---- findings ---- */

/* Append `text`, with `between` in front unless it is the first. What has no room is left off. */
static void append(char *out, size_t size, const char *between, const char *text)
{
    size_t used = strlen(out), need = strlen(text) + (used ? strlen(between) : 0);

    if (used + need >= size)
        return;
    if (used)
        strcat(out, between);
    strcat(out, text);
}

static void suspect(struct exam *e, const struct probing *p, const struct probe *probe,
                    struct hop *h, const struct chain *const *suspects, unsigned n)
{
    char who[HOP_TEXT_MAX / 2] = "", one[HOP_TEXT_MAX];

    for (unsigned i = 0; i < n; i++) {
        name_chain(e, p, suspects[i], one);
        append(who, sizeof(who), ", or ", one);
        mend_chain(e, p, probe, suspects[i], one);
        append(h->mend, sizeof(h->mend), " && ", one);
    }
    hop_broken(h, "%s drops what is from %s for %s", who, probe->in, probe->out);
}

/* Whether something on the way that was looked at before explains that it is lost here. */
static bool is_explained(const struct exam *e, const char *const names[], size_t n)
{
    for (unsigned i = 0; i < e->hops; i++)
        for (size_t k = 0; k < n && e->hop[i].verdict == HOP_BROKEN; k++)
            if (strncmp(e->hop[i].name, names[k], strlen(names[k])) == 0)
                return true;
    return false;
}

static void lost(struct exam *e, const struct probing *p, const struct probe *probe, struct hop *h)
{
    static const char *const routing_names[] = {"route", "forwarding", "reverse-path", "address"};
    static const char *const tracking_names[] = {"tracking"};
    const struct chain *suspects[CHAINS_MAX];
    bool routing, tracking;
    unsigned n = probe_suspects(p, probe, suspects, &routing, &tracking);

    if (routing && is_explained(e, routing_names, 4)) {
        hop_note(h, "last seen where the kernel routes; see above");
    } else if (n) {
        suspect(e, p, probe, h, suspects, n);
    } else if (tracking && is_explained(e, tracking_names, 1)) {
        hop_note(h, "last seen where connection tracking looks at it; see above");
    } else if (tracking) {
        hop_broken(h, "connection tracking drops it: its table may be full");
        hop_mend(h, "sysctl -w net.netfilter.nf_conntrack_max=$((2 * $(sysctl -n "
                    "net.netfilter.nf_conntrack_max)))");
    } else if (routing) {
        hop_broken(h, "the kernel drops it where it routes; a rule of policy routing may say so");
        hop_mend(h, "ip rule add pref 1 to all lookup main");
    } else if (probe->last_seen < 0) {
        hop_broken(h, "it does not even come in: traffic control, or a program (XDP), drops it");
        hop_mend(h, "tc qdisc delete dev %s clsact", probe->in);
    } else {
        hop_broken(h, "it is lost after it was last seen, and nobody seems to be there");
        hop_mend(h, "nft list ruleset");
    }
}

static void tell(struct exam *e, const struct probing *p, const struct probe *probe)
{
    char way[HOP_WAY_MAX], src[ADDR_TEXT_MAX], dst[ADDR_TEXT_MAX];
    struct hop *h;

    snprintf(way, sizeof(way), "%s > %s", probe->in, probe->out);
    h = exam_hop(e, addr_is_v4(&probe->src) ? "packet" : "packet6", way);
    if (probe->error)
        hop_note(h, "no packet could be sent from %s: %s", probe->in, strerror(-probe->error));
    else if (probe_arrived(p, probe))
        hop_ok(h, "one from %s for %s came through", addr_format(&probe->src, src),
               addr_format(&probe->dst, dst));
    else
        lost(e, p, probe, h);
}

void examine_probes(struct exam *e)
{
    static struct probing p;
    int r;

    memset(&p, 0, sizeof(p));
    add_probes(&p, e);
    if (!p.probes)
        return;
    r = probe_prepare(&p);
    if (r == 0)
        r = probe_send(&p);
    if (r == 0) {
        for (unsigned i = 0; i < p.probes; i++)
            tell(e, &p, &p.probe[i]);
        return;
    }
    hop_note(exam_hop(e, "packet", ""), "none was sent, because %s",
             r == -ENOENT ? "nft, which counts it on its way, is not installed"
                          : "nft cannot count it here");
    for (enum family f = 0; f < FAMILIES; f++) {
        char text[COMMAND_TEXT_MAX];
        struct hop *h;

        if (!e->s->facts.firewall[f].forward_drops)
            continue;
        h = exam_hop(e, f == FAMILY_IPV6 ? "filter6" : "filter", "");
        hop_broken(h, "%s's chain FORWARD drops by default", firewall_tool(f));
        hop_mend(h, "%s", forward_command(&e->s->lab, f, text));
    }
}
