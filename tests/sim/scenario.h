/*
 * What is played: nodes, the paths between them, the applications, and what goes wrong. A seed
 * draws all of it (scenario.c), and then a text may change single values by name (params.c); text
 * and seed together are a run that can be replayed and made smaller (shrink.c).
 */
#ifndef SIM_SCENARIO_H
#define SIM_SCENARIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/sim/check.h"
#include "tests/sim/net.h"
#include "tests/sim/node.h"
#include "tests/sim/traffic.h"

/* The start of time is chosen so that these wrap soon. */
enum wrap {
    WRAP_NONE,
    WRAP_NUMBERS,
    WRAP_TIMESTAMPS,
};

struct conn_plan {
    bool on;                /* it takes part at all */
    struct end_plan end[2]; /* [0] at the opener */
    uint32_t node[2];       /* where the ends are */
    bool both_open;         /* simultaneous open */
    int64_t open_at;        /* ns since the start */
};

struct scenario {
    uint64_t seed;
    const char *name; /* of the kind of network */
    uint32_t nodes;
    struct node_config node[NET_NODES];
    struct path_config path[NET_NODES][NET_NODES]; /* [from][to] */
    uint32_t conns;
    struct conn_plan conn[CHECK_CONNS];
    bool shared;        /* one listener for all connections, at node 0 */
    uint32_t backlog;   /* of each listener */
    int64_t calm_after; /* ns since the start: faults stop */
    uint32_t wrap;      /* enum wrap, of connection 0 */
    uint32_t vanish;    /* number + 1 of a node that falls silent for ever; 0: none ... */
    int64_t vanish_at;  /* ns since the start */
    uint32_t strikes;   /* forged packets for live connections (strike.c) ... */
    int64_t strike_gap; /* ns between two of them */
    bool funnel;        /* all packets to B take the path from A, with its rate and its queue */
    bool v6;            /* the nodes speak IPv6 */
    uint32_t cut;       /* bytes: a router makes fragments of what is larger; 0: none does */
    bool listed;        /* the network's faults are those of a list; no dice */
};

/* What a seed stands for. */
void scenario_draw(uint64_t seed, struct scenario *ret_sc);

/* The addresses, and no MTU under the least that the version of IP allows. */
void scenario_settle(struct scenario *sc);

/* ---- Values by name ---- */

/*
 * Change what the text names: words "NAME=VALUE" for values and "AB#12:lost" for faults,
 * which go to *faults in the order that a path wants. Returns NULL or the
 * word that means nothing.
 */
const char *params_apply(struct scenario *sc, struct faults *faults, const char *text);

/*
 * Write the words that make *sc out of what its seed draws, and the faults, to out[size]. If that
 * is shorter, the first word is "plain", which makes every value plain.
 */
void params_print(const struct scenario *sc, const struct faults *faults, char *out, size_t size);

/* All values in one order, for whoever wants to change them one by one. */
size_t params_count(const struct scenario *sc);
int64_t params_get(const struct scenario *sc, size_t i);
void params_set(struct scenario *sc, size_t i, int64_t value);
/* The value that does least: no fault, no pause, a switch as stacks have it. */
int64_t params_plain(const struct scenario *sc, size_t i);
/* Does value i do nothing: one of a connection that takes no part? */
bool params_idle(const struct scenario *sc, size_t i);
/* "NAME" of value i, to out[size]. */
void params_name(const struct scenario *sc, size_t i, char *out, size_t size);

#endif
