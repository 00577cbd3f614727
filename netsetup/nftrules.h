/*
 * Our rules in nf_tables itself, where there is no iptables, or where it is asked for: for each
 * family a table of our own, "twintun", with a chain that hooks in where iptables' raw table does.
 */
#ifndef NETSETUP_NFTRULES_H
#define NETSETUP_NFTRULES_H

#include <stdbool.h>
#include <stdint.h>

#include "plan.h"

#define NFT_TABLE "twintun"
#define NFT_CHAIN "prerouting"

/* What nft calls the family: "ip" or "ip6". */
const char *nftrules_family(enum family family);

/* Whether nft is there and may be used. */
bool nftrules_usable(void);

/* The same contracts as the functions of firewall.h that these serve. */
int nftrules_present(enum family family, const char *ifname, char *said);
int nftrules_add(enum family family, const char *ifname, char *said);
int nftrules_delete(enum family family, const char *ifname, char *said);
int nftrules_counters(enum family family, const char *ifname, uint64_t *ret_packets,
                      uint64_t *ret_bytes);

/* The command that adds the rule, and the table and chain if they are not there. Returns out. */
const char *nftrules_text(enum family family, const char *ifname, char out[OP_TEXT_MAX]);

#endif
