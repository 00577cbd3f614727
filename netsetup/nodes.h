/* Which devices and addresses the lab has, if not the usual ones. */
#ifndef NETSETUP_NODES_H
#define NETSETUP_NODES_H

#include "journal.h"
#include "plan.h"

enum {
    NODES_WHY_MAX = 160,
};

/*
 * "tun0=10.0.0.1/24,fd00::1/64 tun5=10.5.0.1/24": a device and the kernel's addresses on it, for
 * each node. Fills lab->node. 0, or -EINVAL and the cause.
 */
int nodes_parse(const char *text, struct lab *lab, char why[NODES_WHY_MAX]);

/* The same as the journal has it for that lab. False, and nothing is filled, if it has none. */
bool nodes_remembered(const struct journal *j, const char *holder, struct lab *lab);

/* The way out that is there already, if the caller asks for none; and whether rules are narrow. */
void way_out_remembered(const struct journal *j, struct lab *lab);

#endif
