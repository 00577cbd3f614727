/*
 * Our rules in nf_tables itself, where there is no iptables, or where it is asked for: for each
 * family a table of our own, "twintun", with a chain that hooks in where iptables' raw table does,
 * and for the way out another, where its nat table does.
 */
#ifndef NETSETUP_NFTRULES_H
#define NETSETUP_NFTRULES_H

#include <stdbool.h>
#include <stdint.h>

#include "rule.h"

#define NFT_TABLE "twintun"

/* What nft calls the family: "ip" or "ip6". */
const char *nftrules_family(enum family family);

/* Our chain: "prerouting", or for MASQUERADE rules "postrouting". */
const char *nftrules_chain(bool masquerade);

/* Whether nft is there and may be used. */
bool nftrules_usable(void);

/* The same contracts as the functions of firewall.h that these serve. */
int nftrules_present(const struct rule *r, char *said);
int nftrules_add(const struct rule *r, char *said);
int nftrules_delete(const struct rule *r, char *said);
int nftrules_counters(const struct rule *r, uint64_t *ret_packets, uint64_t *ret_bytes);

/* The command that adds the rule, and the table and chain if they are not there. Returns out. */
const char *nftrules_text(const struct rule *r, char out[OP_TEXT_MAX]);

#endif
