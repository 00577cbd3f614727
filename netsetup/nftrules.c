/*
 * nft, run with an argument vector. See nftrules.h.
 *
 * nf_tables knows a rule by a number that the kernel gives (its handle). Ours is found by what it
 * is: the comment, the interface and the statement; the number is asked for just before it is used,
 * and is never used twice, so nobody else's rule can be meant.
 */
#include "nftrules.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exec.h"
#include "firewall.h"

enum {
    LIST_BYTES = 1 << 18, /* of nft's JSON about our chain */
};

const char *nftrules_family(enum family family)
{
    return family == FAMILY_IPV6 ? "ip6" : "ip";
}

bool nftrules_usable(void)
{
    const char *argv[] = {"nft", "--version", NULL};
    char out[FIREWALL_TEXT_MAX];

    return exec_run(argv, out, sizeof(out)) == 0;
}

const char *nftrules_chain(bool masquerade)
{
    return masquerade ? "postrouting" : "prerouting";
}

const char *nftrules_text(const struct rule *r, char out[OP_TEXT_MAX])
{
    const char *f = nftrules_family(r->family), *chain = nftrules_chain(r->masquerade);
    char net[RULE_NET_TEXT_MAX + 16] = "", text[RULE_NET_TEXT_MAX];

    if (r->net.prefix_len)
        snprintf(net, sizeof(net), " %s %caddr %s", f, r->masquerade ? 's' : 'd',
                 rule_net_text(&r->net, text));
    snprintf(out, OP_TEXT_MAX,
             "nft 'add table %s " NFT_TABLE "; add chain %s " NFT_TABLE
             " %s { type %s priority %d; }; add rule %s " NFT_TABLE
             " %s%s %sifname \"%s\" counter %s comment \"twintun\"'",
             f, f, chain, r->masquerade ? "nat hook postrouting" : "filter hook prerouting",
             r->masquerade ? 100 : -300, f, chain, net, r->masquerade ? "o" : "i", r->ifname,
             r->masquerade ? "masquerade" : "notrack");
    return out;
}

/* Run nft; 0, or a negative errno with its words in `said`. */
static int run(const char *const argv[], char *said)
{
    char out[1024] = "";
    int r = exec_run(argv, out, sizeof(out));

    if (r == -ENOENT)
        snprintf(out, sizeof(out), "nft is not installed");
    snprintf(said, FIREWALL_TEXT_MAX, "%.*s", (int)strcspn(out, "\n"), out);
    if (r <= 0)
        return r;
    return strstr(said, "ermi") ? -EPERM : -EIO; /* permission, permitted */
}

/* Whether what an expression compares an address with is that network. */
static bool is_net(const json_t *right, const struct netlink_addr *net)
{
    const json_t *prefix = json_object_get(right, "prefix");
    bool v4 = addr_is_v4(&net->addr);
    const char *at = json_string_value(prefix ? json_object_get(prefix, "addr") : right);
    json_int_t len = prefix ? json_integer_value(json_object_get(prefix, "len")) : v4 ? 32 : 128;
    char text[ADDR_TEXT_MAX];

    return at && len == net->prefix_len && strcmp(at, addr_format(&net->addr, text)) == 0;
}

/* Whether a rule, as JSON, is that one of ours. */
static bool is_ours(const json_t *rule, const struct rule *r)
{
    const char *comment = json_string_value(json_object_get(rule, "comment"));
    bool device = false, verdict = false, net = r->net.prefix_len == 0;
    const json_t *e;
    size_t i;

    if (!comment || strcmp(comment, "twintun") != 0)
        return false;
    json_array_foreach(json_object_get(rule, "expr"), i, e)
    {
        const json_t *match = json_object_get(e, "match");
        const json_t *right = json_object_get(match, "right");

        if (json_object_get(json_object_get(match, "left"), "payload")) {
            if (!r->net.prefix_len || !is_net(right, &r->net))
                return false;
            net = true;
        } else if (json_is_string(right)) {
            device |= strcmp(json_string_value(right), r->ifname) == 0;
        }
        verdict |= json_object_get(e, r->masquerade ? "masquerade" : "notrack") != NULL;
    }
    return device && verdict && net;
}

/* Our rule as JSON, for json_decref(); NULL if it is not there. */
static json_t *find(const struct rule *r)
{
    const char *argv[] = {"nft",
                          "-j",
                          "list",
                          "chain",
                          nftrules_family(r->family),
                          NFT_TABLE,
                          nftrules_chain(r->masquerade),
                          NULL};
    char *out = malloc(LIST_BYTES);
    json_t *root = NULL, *found = NULL, *item;
    size_t i;

    if (out && exec_run(argv, out, LIST_BYTES) == 0)
        root = json_loads(out, 0, NULL);
    free(out);
    json_array_foreach(json_object_get(root, "nftables"), i, item)
    {
        json_t *rule = json_object_get(item, "rule");

        if (!found && rule && is_ours(rule, r))
            found = json_incref(rule);
    }
    json_decref(root);
    return found;
}

/* Not to be allowed to ask is not the same as that it is not there. */
int nftrules_present(const struct rule *r, char *said)
{
    const char *argv[] = {"nft", "list", "tables", NULL};
    int code = run(argv, said);
    json_t *rule;

    if (code < 0)
        return code;
    rule = find(r);
    json_decref(rule);
    return rule != NULL;
}

int nftrules_add(const struct rule *r, char *said)
{
    char text[OP_TEXT_MAX];
    const char *argv[] = {"nft", NULL, NULL};

    nftrules_text(r, text);
    text[strlen(text) - 1] = '\0'; /* without "nft '" and "'", which are the shell's */
    argv[1] = text + 5;
    return run(argv, said);
}

int nftrules_delete(const struct rule *r, char *said)
{
    json_t *rule = find(r);
    const char *argv[] = {"nft",     "delete",
                          "rule",    nftrules_family(r->family),
                          NFT_TABLE, nftrules_chain(r->masquerade),
                          "handle",  NULL,
                          NULL};
    char handle[24];

    if (!rule)
        return 0;
    snprintf(handle, sizeof(handle), "%lld",
             (long long)json_integer_value(json_object_get(rule, "handle")));
    json_decref(rule);
    argv[7] = handle;
    return run(argv, said);
}

int nftrules_counters(const struct rule *wanted, uint64_t *ret_packets, uint64_t *ret_bytes)
{
    json_t *rule = find(wanted);
    const json_t *e;
    int r = -ENOENT;
    size_t i;

    json_array_foreach(json_object_get(rule, "expr"), i, e)
    {
        const json_t *c = json_object_get(e, "counter");

        if (!c)
            continue;
        *ret_packets = (uint64_t)json_integer_value(json_object_get(c, "packets"));
        *ret_bytes = (uint64_t)json_integer_value(json_object_get(c, "bytes"));
        r = 0;
    }
    json_decref(rule);
    return r;
}
