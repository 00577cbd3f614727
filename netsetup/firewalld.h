/*
 * firewalld, where it keeps the machine's firewall: the TUNs are put into its zone "trusted", at
 * run time only. Nothing permanent is changed and nothing is reloaded, which would wipe others'
 * rules.
 */
#ifndef NETSETUP_FIREWALLD_H
#define NETSETUP_FIREWALLD_H

#include "plan.h"

#define FIREWALLD_ZONE  "trusted"
#define FIREWALLD_CHAIN "FORWARD_ZONES" /* of table filter, where it works with iptables */

/*
 * The zone that an interface was put into; "" for none, when the default zone is its. 0; -ENOENT
 * if firewalld does not keep this network's firewall; or another negative errno: it does not run.
 */
int firewalld_zone_of(const char *ifname, char zone[ZONE_MAX]);

/* Put it into a zone; "" takes it out of the one that we put it into. Words go to `said`. */
int firewalld_put(const char *ifname, const char *zone, char *said);

#endif
