/*
 * One marked packet, and where it was last seen on its way through the kernel.
 *
 * The way has stages: a counter in front of and behind each place where somebody may filter, in the
 * order in which the kernel passes them. The counters are rules of nf_tables, which see what the
 * iptables of either variant leave over, too. They are in a table that belongs to an nft which ends
 * with us, and goes with it.
 */
#ifndef NETSETUP_PROBE_H
#define NETSETUP_PROBE_H

#include <stdbool.h>
#include <stdint.h>

#include "plan.h"
#include "wire/addr.h"

enum {
    STAGES_MAX = 64,
    PROBES_MAX = 32,
    CHAINS_MAX = 96,
    CHAIN_NAME_MAX = 64,
};

/* Where chains hook in, in the packet's order. */
enum hook {
    HOOK_INGRESS, /* netdev: before IP */
    HOOK_PREROUTING,
    HOOK_FORWARD,
    HOOK_POSTROUTING,
    HOOKS,
};

/* A chain that somebody has there. */
struct chain {
    enum hook hook;
    int prio;
    bool v4, v6;
    bool legacy; /* of the legacy variant of iptables, which nf_tables does not know */
    char family[8];
    char table[CHAIN_NAME_MAX];
    char name[CHAIN_NAME_MAX];
};

struct probe {
    char in[NETLINK_NAME_MAX], out[NETLINK_NAME_MAX];
    struct addr src, dst;
    int error;     /* it could not be sent: a negative errno */
    int last_seen; /* stage; -1: not even at the first */
};

struct probing {
    enum hook hook[STAGES_MAX]; /* of each stage */
    int prio[STAGES_MAX];
    unsigned stages;
    struct chain chain[CHAINS_MAX];
    unsigned chains;
    bool docker, ufw; /* their chains are there */
    struct probe probe[PROBES_MAX];
    unsigned probes;
};

/*
 * Find the chains and lay out the stages; then send p->probe[] and fill in what became of them. 0;
 * -ENOENT without nft; -EOPNOTSUPP if it cannot be used here; or another negative errno.
 */
int probe_prepare(struct probing *p);
int probe_send(struct probing *p);

/* Whether it has passed everything up to the device where it leaves. */
bool probe_arrived(const struct probing *p, const struct probe *probe);

/*
 * The chains that may have dropped it: those between the stage where it was last seen and the next.
 * Returns how many; *ret_routing says that it was lost between two hooks, where the kernel routes,
 * and *ret_tracking that connection tracking may have been it.
 */
unsigned probe_suspects(const struct probing *p, const struct probe *probe,
                        const struct chain *ret[CHAINS_MAX], bool *ret_routing, bool *ret_tracking);

#endif
