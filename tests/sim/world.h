/*
 * One run: a seed becomes two nodes, a path each way and some connections (scenario.c), and then
 * time passes from one event to the next until everything is over (world.c). Time is an integer
 * that the world owns; nothing asks a clock, so a seed replays to the last bit.
 *
 * After each event the checker has looked at every packet and every change of state. When the
 * faults stop, at `calm_at`, everything must come to its end before `end_by`.
 */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/sim/check.h"
#include "tests/sim/net.h"
#include "tests/sim/node.h"
#include "tests/sim/traffic.h"
#include "wire/print.h"

struct world_conn {
    struct end end[2]; /* [0] at the opener */
    unsigned opener;   /* node number */
    bool both_open;    /* simultaneous open */
    int64_t open_at;   /* ns; TIME_NEVER once done */
};

struct scenario {
    const char *name; /* of the kind of network */
    struct node_config node[2];
    struct path_config path[2]; /* [i] leads away from node i */
    unsigned conns;
    uint32_t backlog;
    int64_t calm_after; /* ns */
    bool wrap;          /* choose the start of time so that connection 0's numbers wrap */
};

struct world {
    uint64_t seed;
    bool verbose;
    int64_t origin, now, calm_at, end_by; /* ns */
    struct scenario sc;
    struct node node[2];
    struct path path[2];
    struct world_conn conn[CHECK_CONNS];
    struct check check;
    uint64_t hash; /* over every packet's bytes and instant, and every event */
    uint64_t packets, steps;
    struct print_flows flows; /* for lines of packets */
};

struct world_result {
    bool failed;
    char why[240];
    uint64_t hash, packets, payload;
    int64_t lasted; /* ns of virtual time */
    const char *name;
};

/* What a seed stands for: everything in *ret_sc and the plans of the connections. */
void scenario_draw(uint64_t seed, struct scenario *ret_sc, struct world_conn conn[CHECK_CONNS]);

/* Play a seed from beginning to end. With `verbose`, each packet is a line on standard output. */
void world_play(uint64_t seed, bool verbose, struct world_result *ret_result);

#endif
