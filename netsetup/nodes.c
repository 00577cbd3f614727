/* The lab's nodes from a command line, or from what an earlier `up` has left. See nodes.h. */
#include "nodes.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "holder.h"
#include "run/address.h"

/* One address of the list, which ends at `len`. */
static int add_address(struct lab_node *n, const char *text, size_t len, char why[NODES_WHY_MAX])
{
    char one[ADDR_TEXT_MAX + 8];
    const char *cause;
    struct cidr cidr;

    if (n->addrs == LAB_ADDRS_MAX) {
        snprintf(why, NODES_WHY_MAX, "%s has more than %d addresses", n->ifname, LAB_ADDRS_MAX);
        return -EINVAL;
    }
    snprintf(one, sizeof(one), "%.*s", len < sizeof(one) ? (int)len : 0, text);
    if (parse_cidr(one, &cidr, &cause) < 0) {
        snprintf(why, NODES_WHY_MAX, "'%.*s' %s", (int)(len < 60 ? len : 60), text, cause);
        return -EINVAL;
    }
    n->addr[n->addrs++] = (struct netlink_addr){.addr = cidr.addr, .prefix_len = cidr.prefix_len};
    return 0;
}

/* A name that the kernel takes. */
static bool is_name(const char *text, size_t len)
{
    if (len == 0 || len >= NETLINK_NAME_MAX || (len == 1 && text[0] == '.') ||
        (len == 2 && memcmp(text, "..", 2) == 0))
        return false;
    for (size_t i = 0; i < len; i++)
        if (!isgraph((unsigned char)text[i]) || strchr("/:%\"'", text[i]))
            return false;
    return true;
}

/* One word: "tun0=10.0.0.1/24,fd00::1/64" */
static int add_node(struct lab *lab, const char *word, size_t len, char why[NODES_WHY_MAX])
{
    const char *equals = memchr(word, '=', len), *at = equals ? equals + 1 : NULL;
    struct lab_node *n = &lab->node[lab->nodes];
    int r = 0;

    if (!equals || !is_name(word, (size_t)(equals - word))) {
        snprintf(why, NODES_WHY_MAX, "'%.*s' is not DEVICE=ADDRESS/PREFIX[,ADDRESS/PREFIX]...",
                 (int)(len < 60 ? len : 60), word);
        return -EINVAL;
    }
    if (lab->nodes == LAB_NODES_MAX) {
        snprintf(why, NODES_WHY_MAX, "more than %d nodes", LAB_NODES_MAX);
        return -EINVAL;
    }
    memset(n, 0, sizeof(*n));
    memcpy(n->ifname, word, (size_t)(equals - word));
    for (unsigned i = 0; i < lab->nodes; i++)
        if (strcmp(lab->node[i].ifname, n->ifname) == 0) {
            snprintf(why, NODES_WHY_MAX, "%s is there twice", n->ifname);
            return -EINVAL;
        }
    lab->nodes++;
    while (r == 0 && at) {
        size_t rest = (size_t)(word + len - at);
        const char *comma = memchr(at, ',', rest);

        r = add_address(n, at, comma ? (size_t)(comma - at) : rest, why);
        at = comma ? comma + 1 : NULL;
    }
    return r;
}

int nodes_parse(const char *text, struct lab *lab, char why[NODES_WHY_MAX])
{
    int r = 0;

    lab->nodes = 0;
    while (r == 0 && *(text += strspn(text, " \t\n"))) {
        size_t len = strcspn(text, " \t\n");

        r = add_node(lab, text, len, why);
        text += len;
    }
    if (r == 0 && lab->nodes == 0) {
        snprintf(why, NODES_WHY_MAX, "no node is named");
        return -EINVAL;
    }
    return r;
}

static struct lab_node *node_called(struct lab *lab, const char *ifname)
{
    for (unsigned i = 0; i < lab->nodes; i++)
        if (strcmp(lab->node[i].ifname, ifname) == 0)
            return &lab->node[i];
    if (lab->nodes == LAB_NODES_MAX)
        return NULL;
    memset(&lab->node[lab->nodes], 0, sizeof(lab->node[0]));
    snprintf(lab->node[lab->nodes].ifname, NETLINK_NAME_MAX, "%s", ifname);
    return &lab->node[lab->nodes++];
}

static bool has_address(const struct lab *lab, const char *ifname, const struct netlink_addr *a)
{
    for (unsigned i = 0; i < lab->nodes; i++)
        for (unsigned k = 0; k < lab->node[i].addrs; k++)
            if (strcmp(lab->node[i].ifname, ifname) == 0 &&
                addr_eq(&lab->node[i].addr[k].addr, &a->addr) &&
                lab->node[i].addr[k].prefix_len == a->prefix_len)
                return true;
    return false;
}

/* Whether all of `part` is in `lab`: then it is the usual lab, of which something was there. */
static bool is_part_of(const struct lab *lab, const struct lab *part)
{
    for (unsigned i = 0; i < part->nodes; i++)
        for (unsigned k = 0; k < part->node[i].addrs; k++)
            if (!has_address(lab, part->node[i].ifname, &part->node[i].addr[k]))
                return false;
    return true;
}

/* A device that was there already, with its address, is in no journal; such a lab must be named. */
bool nodes_remembered(const struct journal *j, const char *holder, struct lab *lab)
{
    struct lab found = *lab;

    found.nodes = 0;
    for (unsigned i = 0; i < j->ops; i++) {
        const struct op *op = &j->op[i];
        struct lab_node *n;

        if (op->kind != OP_ADDRESS || !op_is_held_by(op, holder))
            continue;
        n = node_called(&found, op->ifname);
        if (n && n->addrs < LAB_ADDRS_MAX)
            n->addr[n->addrs++] = (struct netlink_addr){.addr = op->addr.addr,
                                                        .prefix_len = op->addr.prefix_len,
                                                        .has_peer = op->addr.has_peer,
                                                        .peer = op->addr.peer};
    }
    if (is_part_of(lab, &found))
        return false;
    *lab = found;
    return true;
}

void way_out_remembered(const struct journal *j, struct lab *lab)
{
    for (unsigned i = 0; i < j->ops; i++) {
        const struct op *op = &j->op[i];

        if (op->kind != OP_RULE)
            continue;
        if (op->masquerade && !lab->internet[0])
            snprintf(lab->internet, sizeof(lab->internet), "%s", op->ifname);
        lab->narrow |= op->masquerade || op->addr.prefix_len;
    }
    lab->narrow |= lab->internet[0] != '\0';
}
