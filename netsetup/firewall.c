/*
 * iptables, and ip6tables for IPv6, as the keeper of our rules, in both its variants.
 *
 * The program is asked which variant it is. A rule is removed with the variant that added it, even
 * if /usr/sbin/iptables means the other one by then. The legacy variant creates the kernel's raw
 * table, for good, when it is merely asked for a rule; so it is only asked when /proc says that the
 * table is there.
 */
#include "firewall.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "exec.h"
#include "firewalld.h"
#include "nftrules.h"

enum {
    TOOL_NAME_MAX = 24, /* bytes of "ip6tables-legacy" with its final zero, and some */
};

const char *firewall_tool(enum family family)
{
    return family == FAMILY_IPV6 ? "ip6tables" : "iptables";
}

static enum firewall_kind variant_of(const char *tool)
{
    const char *argv[] = {tool, "--version", NULL};
    char out[FIREWALL_TEXT_MAX];

    if (exec_run(argv, out, sizeof(out)) != 0)
        return FIREWALL_NONE;
    return strstr(out, "nf_tables") ? FIREWALL_IPTABLES_NFT : FIREWALL_IPTABLES_LEGACY;
}

/* Of each family's tool, once it was asked. */
static struct {
    bool known;
    enum firewall_kind kind;
} asked[FAMILIES];

void firewall_ask_again(void)
{
    for (enum family f = 0; f < FAMILIES; f++)
        asked[f].known = false;
}

enum firewall_kind firewall_detect_iptables(enum family family)
{
    if (!asked[family].known)
        asked[family].kind = variant_of(firewall_tool(family));
    asked[family].known = true;
    return asked[family].kind;
}

enum firewall_kind firewall_detect(enum family family)
{
    enum firewall_kind kind = firewall_detect_iptables(family);

    return kind == FIREWALL_NONE && nftrules_usable() ? FIREWALL_NFTABLES : kind;
}

const char *firewall_name(enum family family, enum firewall_kind kind)
{
    bool v6 = family == FAMILY_IPV6;

    switch (kind) {
    case FIREWALL_NONE:
        return "none";
    case FIREWALL_UNKNOWN:
        return "not readable";
    case FIREWALL_IPTABLES_NFT:
        return v6 ? "ip6tables (nft)" : "iptables (nft)";
    case FIREWALL_IPTABLES_LEGACY:
        return v6 ? "ip6tables (legacy)" : "iptables (legacy)";
    case FIREWALL_NFTABLES:
        return v6 ? "nftables (ip6)" : "nftables (ip)";
    }
    return "none";
}

/* The program that is the wanted variant; its name goes to out[TOOL_NAME_MAX]. Returns out. */
static const char *tool_for(enum family family, enum firewall_kind kind, char *out)
{
    bool usual = firewall_detect_iptables(family) == kind;

    snprintf(out, TOOL_NAME_MAX, "%s%s", firewall_tool(family),
             usual                           ? ""
             : kind == FIREWALL_IPTABLES_NFT ? "-nft"
                                             : "-legacy");
    return out;
}

/*
 * The legacy variant locks /run/xtables.lock, which only the machine's root can open. Root of a
 * namespace of their own has nobody to lock out and gets a lock elsewhere.
 */
static void choose_lock(void)
{
    if (access("/run/xtables.lock", W_OK) != 0 && access("/run", W_OK) != 0)
        setenv("XTABLES_LOCKFILE", "/dev/null", 0);
}

/* Keep the first line of `out`, without its end, in said[FIREWALL_TEXT_MAX]. */
static void keep_first_line(const char *out, char *said)
{
    snprintf(said, FIREWALL_TEXT_MAX, "%.*s", (int)strcspn(out, "\n"), out);
}

/* iptables VERB and our rule. The tool's exit code, or a negative errno. */
static int run_rule(const struct rule *r, const char *verb, char *said)
{
    char tool[TOOL_NAME_MAX], net[RULE_NET_TEXT_MAX], out[1024] = "";
    const char *argv[20] = {tool_for(r->family, r->kind, tool),
                            "-w",
                            "-t",
                            r->masquerade ? "nat" : "raw",
                            verb,
                            r->masquerade ? "POSTROUTING" : "PREROUTING",
                            r->masquerade ? "-o" : "-i",
                            r->ifname,
                            "-m",
                            "comment",
                            "--comment",
                            "twintun",
                            "-j",
                            r->masquerade ? "MASQUERADE" : "NOTRACK"};
    int code;

    if (r->net.prefix_len) {
        argv[14] = r->masquerade ? "-s" : "-d";
        argv[15] = rule_net_text(&r->net, net);
    }
    choose_lock();
    code = exec_run(argv, out, sizeof(out));
    if (code == -ENOENT)
        snprintf(out, sizeof(out), "%s is not installed", firewall_tool(r->family));
    keep_first_line(out, said);
    return code;
}

/* A tool's exit code as an errno. */
static int errno_of(int code, const char *said)
{
    if (code < 0)
        return code;
    if (strstr(said, "Permission denied") || strstr(said, "Operation not permitted"))
        return -EPERM;
    return code ? -EIO : 0;
}

/* Whether the kernel has instantiated this legacy table ("raw\n") in this namespace. */
static bool legacy_table_exists(enum family family, const char *table)
{
    FILE *f =
        fopen(family == FAMILY_IPV6 ? "/proc/net/ip6_tables_names" : "/proc/net/ip_tables_names",
              "re");
    char line[64];
    bool found = false;

    if (!f)
        return errno == EACCES; /* then the tool will say what is missing */
    while (!found && fgets(line, sizeof(line), f))
        found = strcmp(line, table) == 0;
    fclose(f);
    return found;
}

static bool table_exists(const struct rule *r)
{
    return legacy_table_exists(r->family, r->masquerade ? "nat\n" : "raw\n");
}

int firewall_rule_present(const struct rule *r, char *said)
{
    int code;

    said[0] = '\0';
    if (r->kind == FIREWALL_NFTABLES)
        return nftrules_present(r, said);
    if (r->kind == FIREWALL_NONE || (r->kind == FIREWALL_IPTABLES_LEGACY && !table_exists(r)))
        return 0;
    code = run_rule(r, "-C", said);
    if (code == 0)
        return 1;
    return code == 1 && errno_of(code, said) != -EPERM ? 0 : errno_of(code, said);
}

int firewall_rule_add(const struct rule *r, char *said)
{
    if (r->kind == FIREWALL_NFTABLES)
        return nftrules_add(r, said);
    return errno_of(run_rule(r, "-A", said), said);
}

int firewall_rule_delete(const struct rule *r, char *said)
{
    if (r->kind == FIREWALL_NFTABLES)
        return nftrules_delete(r, said);
    return errno_of(run_rule(r, "-D", said), said);
}

/* Whether a line of `iptables -S -v` is our rule. */
static bool is_our_line(const char *line, const struct rule *r)
{
    char in[8 + NETLINK_NAME_MAX], net[RULE_NET_TEXT_MAX], about[RULE_NET_TEXT_MAX + 8] = "";

    snprintf(in, sizeof(in), " -%c %s ", r->masquerade ? 'o' : 'i', r->ifname);
    if (r->net.prefix_len)
        snprintf(about, sizeof(about), " -%c %s ", r->masquerade ? 's' : 'd',
                 rule_net_text(&r->net, net));
    else if (strstr(line, " -d "))
        return false;
    return strstr(line, in) && strstr(line, about) && strstr(line, "--comment twintun ") &&
           (strstr(line, "-j NOTRACK") || strstr(line, "-j CT --notrack") ||
            strstr(line, "-j MASQUERADE"));
}

/* Run a tool that lists rules. 0 and what it printed, for free(); or a negative errno. */
static int list_rules(const char *const argv[], char **ret)
{
    size_t size = 256 * 1024; /* about two thousand rules; ours may stand behind all of them */
    char *out = malloc(size);
    int r;

    if (!out)
        return -ENOMEM;
    choose_lock();
    r = errno_of(exec_run(argv, out, size), out);
    if (r < 0)
        free(out);
    else
        *ret = out;
    return r;
}

int firewall_rule_counters(const struct rule *rule, uint64_t *ret_packets, uint64_t *ret_bytes)
{
    char tool[TOOL_NAME_MAX];
    const char *argv[] = {tool_for(rule->family, rule->kind, tool),
                          "-w",
                          "-t",
                          rule->masquerade ? "nat" : "raw",
                          "-S",
                          rule->masquerade ? "POSTROUTING" : "PREROUTING",
                          "-v",
                          NULL};
    char *out, *rest = NULL;
    int r;

    if (rule->kind == FIREWALL_NFTABLES)
        return nftrules_counters(rule, ret_packets, ret_bytes);
    if (rule->kind == FIREWALL_IPTABLES_LEGACY && !table_exists(rule))
        return -ENOENT;
    r = list_rules(argv, &out);
    if (r < 0)
        return r;
    r = -ENOENT;
    for (char *l = strtok_r(out, "\n", &rest); l && r == -ENOENT; l = strtok_r(NULL, "\n", &rest)) {
        const char *c = strstr(l, " -c ");

        if (is_our_line(l, rule) && c &&
            sscanf(c, " -c %" SCNu64 " %" SCNu64, ret_packets, ret_bytes) == 2)
            r = 0;
    }
    free(out);
    return r;
}

bool firewall_has_firewalld(void)
{
    const char *argv[] = {"iptables", "-w", "-S", FIREWALLD_CHAIN, NULL};
    char out[FIREWALL_TEXT_MAX];

    if (firewall_detect_iptables(FAMILY_IPV4) != FIREWALL_IPTABLES_LEGACY ||
        !legacy_table_exists(FAMILY_IPV4, "filter\n"))
        return false;
    choose_lock();
    return exec_run(argv, out, sizeof(out)) == 0;
}

int firewall_forward_drops(enum family family, enum firewall_kind kind, const char *a,
                           const char *b)
{
    char tool[TOOL_NAME_MAX];
    const char *argv[] = {tool_for(family, kind, tool), "-w", "-S", "FORWARD", NULL};
    char accept[2][64 + 2 * NETLINK_NAME_MAX], *out, *rest = NULL;
    bool drops = false, all = false, way[2] = {false, false};
    int r;

    if (kind == FIREWALL_IPTABLES_LEGACY && !legacy_table_exists(family, "filter\n"))
        return 0;
    r = list_rules(argv, &out);
    if (r < 0)
        return r;
    snprintf(accept[0], sizeof(accept[0]), "-A FORWARD -i %s -o %s -j ACCEPT", a, b);
    snprintf(accept[1], sizeof(accept[1]), "-A FORWARD -i %s -o %s -j ACCEPT", b, a);
    for (char *l = strtok_r(out, "\n", &rest); l; l = strtok_r(NULL, "\n", &rest)) {
        drops |= strcmp(l, "-P FORWARD DROP") == 0;
        all |= strcmp(l, "-A FORWARD -j ACCEPT") == 0;
        way[0] |= strcmp(l, accept[0]) == 0;
        way[1] |= strcmp(l, accept[1]) == 0;
    }
    free(out);
    return drops && !all && !(way[0] && way[1]);
}
