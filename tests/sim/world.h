/*
 * One run: a scenario becomes nodes, paths and connections, and then time passes from one event to
 * the next until everything is over. Time is an integer that the world owns; nothing asks a clock,
 * so a seed replays to the last bit.
 *
 * After each event the checker has looked at every packet, at every change of state, and into the
 * TCBs of the node that ran. When the faults stop, at `calm_at`, everything must come to its end
 * before `end_by`.
 */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/sim/scenario.h"
#include "wire/print.h"

struct world;

/* For whoever plays a world to measure something (lab.h). Either function may be NULL. */
struct world_watch {
    void *arg;
    /* A packet leaves a node: false makes it disappear on its way. */
    bool (*leaves)(void *arg, struct world *w, unsigned from, const uint8_t *b, uint32_t len,
                   enum reason why);
    /* A node has run. */
    void (*ran)(void *arg, struct world *w, unsigned node);
    int64_t until; /* ns since the start: the end, whatever is unfinished then; or TIME_NEVER */
};

struct world_options {
    bool verbose;                    /* each packet is a line on standard output */
    const struct faults *script;     /* with sc->listed: what goes wrong */
    struct faults *record;           /* or NULL: write down what goes wrong */
    const struct world_watch *watch; /* or NULL */
};

struct world {
    struct scenario sc;
    struct world_options how;
    int64_t origin, now, calm_at, end_by; /* ns */
    struct node node[NET_NODES];
    struct lane lane[NET_NODES][NET_NODES];
    struct end end[CHECK_CONNS][2];  /* [0] at the opener */
    int64_t open_at[CHECK_CONNS][2]; /* ns; TIME_NEVER once done */
    int64_t vanish_at, strike_at;    /* ns; TIME_NEVER */
    uint32_t strikes_left;
    unsigned gone; /* number + 1 of the node that has vanished, or 0 */
    struct dice strike_dice;
    uint16_t cuts; /* packets that were cut into fragments: the last identification */
    struct check check;
    uint64_t hash; /* over every packet's bytes and instant, and every event */
    uint64_t packets, steps;
    struct print_flows flows; /* for lines of packets */
};

struct world_result {
    bool failed;
    uint64_t how; /* the same for failures of the same kind */
    char why[240];
    uint64_t hash, packets, payload;
    int64_t lasted; /* ns of virtual time */
    char name[16];
};

/* Play a scenario from beginning to end. */
void world_play(const struct scenario *sc, const struct world_options *how,
                struct world_result *ret_result);

/* ---- between the files of the world ---- */

/* world.c: a packet that a node has written (`why`) goes on its way. */
void world_send(struct world *w, unsigned from, const uint8_t *b, uint32_t len, enum reason why);
/* world.c: put something into the trace's hash. */
void world_hash(struct world *w, uint64_t v);
/* world.c: a line about a node, when someone wants to see it. */
void world_say(const struct world *w, unsigned node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* opening.c */
void open_listen_all(struct world *w);
void open_due(struct world *w, unsigned node);
/* opening.c: the end that a listener's new connection belongs to, or NULL. */
struct end *open_accepted(struct world *w, unsigned node, const struct stack_event *ev);
int64_t open_shift_to_wrap(const struct scenario *sc, int64_t origin, struct dice *d);

/* strike.c: forge one packet for a live connection of this node; it must do nothing. */
void strike(struct world *w, unsigned node);
/* strike.c: what the router says when a packet is too large for the path behind it. */
void strike_too_large(struct world *w, const struct lane *l, const uint8_t *b, uint32_t len);

#endif
