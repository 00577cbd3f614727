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

const char *nftrules_text(enum family family, const char *ifname, char out[OP_TEXT_MAX])
{
    const char *f = nftrules_family(family);

    snprintf(out, OP_TEXT_MAX,
             "nft 'add table %s " NFT_TABLE "; add chain %s " NFT_TABLE " " NFT_CHAIN
             " { type filter hook prerouting priority -300; }; add rule %s " NFT_TABLE " " NFT_CHAIN
             " iifname \"%s\" counter notrack comment \"twintun\"'",
             f, f, f, ifname);
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

/* Whether a rule, as JSON, is ours for `ifname`. */
static bool is_ours(const json_t *rule, const char *ifname)
{
    const char *comment = json_string_value(json_object_get(rule, "comment"));
    bool device = false, notrack = false;
    const json_t *e;
    size_t i;

    if (!comment || strcmp(comment, "twintun") != 0)
        return false;
    json_array_foreach(json_object_get(rule, "expr"), i, e)
    {
        const char *right =
            json_string_value(json_object_get(json_object_get(e, "match"), "right"));

        device |= right && strcmp(right, ifname) == 0;
        notrack |= json_object_get(e, "notrack") != NULL;
    }
    return device && notrack;
}

/* Our rule as JSON, for json_decref(); NULL if it is not there. */
static json_t *find(enum family family, const char *ifname)
{
    const char *argv[] = {"nft",     "-j",      "list", "chain", nftrules_family(family),
                          NFT_TABLE, NFT_CHAIN, NULL};
    char *out = malloc(LIST_BYTES);
    json_t *root = NULL, *found = NULL, *item;
    size_t i;

    if (out && exec_run(argv, out, LIST_BYTES) == 0)
        root = json_loads(out, 0, NULL);
    free(out);
    json_array_foreach(json_object_get(root, "nftables"), i, item)
    {
        json_t *rule = json_object_get(item, "rule");

        if (!found && rule && is_ours(rule, ifname))
            found = json_incref(rule);
    }
    json_decref(root);
    return found;
}

/* Not to be allowed to ask is not the same as that it is not there. */
int nftrules_present(enum family family, const char *ifname, char *said)
{
    const char *argv[] = {"nft", "list", "tables", NULL};
    int r = run(argv, said);
    json_t *rule;

    if (r < 0)
        return r;
    rule = find(family, ifname);
    json_decref(rule);
    return rule != NULL;
}

int nftrules_add(enum family family, const char *ifname, char *said)
{
    char text[OP_TEXT_MAX];
    const char *argv[] = {"nft", NULL, NULL};

    nftrules_text(family, ifname, text);
    text[strlen(text) - 1] = '\0'; /* without "nft '" and "'", which are the shell's */
    argv[1] = text + 5;
    return run(argv, said);
}

int nftrules_delete(enum family family, const char *ifname, char *said)
{
    json_t *rule = find(family, ifname);
    const char *argv[] = {"nft",    "delete", "rule", nftrules_family(family), NFT_TABLE, NFT_CHAIN,
                          "handle", NULL,     NULL};
    char handle[24];

    if (!rule)
        return 0;
    snprintf(handle, sizeof(handle), "%lld",
             (long long)json_integer_value(json_object_get(rule, "handle")));
    json_decref(rule);
    argv[7] = handle;
    return run(argv, said);
}

int nftrules_counters(enum family family, const char *ifname, uint64_t *ret_packets,
                      uint64_t *ret_bytes)
{
    json_t *rule = find(family, ifname);
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
