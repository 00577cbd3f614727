/*
 * The rules: NOTRACK for each TUN and family, in raw/PREROUTING, so that connection tracking does
 * not see the lab's packets; and MASQUERADE in nat/POSTROUTING for the way out. Everything the rest
 * of netsetup knows of packet filters is here. IPv6 has a tool, tables and rules of its own, which
 * need not be of the same variant.
 *
 * A rule is only ever named by its full specification with the project's comment, never by its
 * number, so somebody else's rule cannot be meant.
 */
#ifndef NETSETUP_FIREWALL_H
#define NETSETUP_FIREWALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rule.h"

enum {
    FIREWALL_TEXT_MAX = 200, /* bytes of what a tool said, first line */
};

/* The family's tool: "iptables" or "ip6tables". */
const char *firewall_tool(enum family family);

/*
 * What the installed tool is: iptables if there is one, or else nft; FIREWALL_NONE without either.
 */
enum firewall_kind firewall_detect(enum family family);
/* The same without nft. */
enum firewall_kind firewall_detect_iptables(enum family family);
/* What was found is kept; from now on it may have changed, for much time has gone by. */
void firewall_ask_again(void);
const char *firewall_name(enum family family, enum firewall_kind kind); /* "iptables (nft)" */

/*
 * 1 if our rule is there, 0 if not; -EPERM, or -EIO with the tool's words in `said`.
 * Never creates a table.
 */
int firewall_rule_present(const struct rule *r, char *said);

/* Add it at the end, or take one away. 0, or a negative errno with the tool's words in `said`. */
int firewall_rule_add(const struct rule *r, char *said);
int firewall_rule_delete(const struct rule *r, char *said);

/* What our rule has counted. 0, -ENOENT, or as above. */
int firewall_rule_counters(const struct rule *r, uint64_t *ret_packets, uint64_t *ret_bytes);

/*
 * Whether the chain FORWARD drops what no rule accepts, and has no rule that accepts all, or each
 * way between the two devices. 1, 0, or a negative errno. Never creates a table.
 */
int firewall_forward_drops(enum family family, enum firewall_kind kind, const char *a,
                           const char *b);

/*
 * Whether the table and the chain that the kind's rules are in exist in nf_tables: raw and
 * PREROUTING, or for MASQUERADE rules (`nat`) nat and POSTROUTING, for iptables; our own for nft. 0
 * or an errno.
 */
int rawtable_look(enum family family, enum firewall_kind kind, bool nat, bool *ret_table,
                  bool *ret_chain);

/*
 * Remove the chain, and the table if `table_too`, as far as they are empty and as iptables makes
 * them: the kernel itself refuses when anything is inside. 0, also when they are not there;
 * -EBUSY when they are in use and were left; or a negative errno.
 */
int rawtable_remove(enum family family, enum firewall_kind kind, bool nat, bool table_too);

/* Whether firewalld has its table in nf_tables here, or its chain in those of iptables. */
bool rawtable_has_firewalld(void);
/* The same in the legacy variant. */
bool firewall_has_firewalld(void);

#endif
