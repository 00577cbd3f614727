/*
 * Many connections at once, as a test of the other end and of ourselves: each sends so many bytes
 * of a known pattern and expects them back. All of them are open at one time before the first one
 * closes. A run that makes no progress says what is missing, and gives up after the time that a
 * connection may take to open.
 */
#ifndef RUN_LOAD_H
#define RUN_LOAD_H

#include "app/bulk.h"
#include "run/life.h"

struct load {
    struct life life;
    struct node *node;
    struct bulk bulk;
    struct bulk_flow *flow; /* `count` of them */
    uint32_t count;
    uint32_t total;  /* those of other threads included */
    bool tallied;    /* this thread's retransmits are */
    uint32_t source; /* our addresses take turns, see cidrs_next */
    uint32_t opened; /* told to open; flow[0..opened) */
    uint32_t closed; /* told to close */
    uint64_t bytes;  /* each way, on each connection */
    int64_t began_at, all_open_at;
    uint64_t progress;    /* grows with every step of any connection */
    int64_t progress_at;  /* when it last did */
    bool stuck_told;      /* since then */
    bool gave_up;         /* for want of progress */
    uint64_t retransmits; /* of connections that are over */
    int open_error;       /* of stack_open; 0: none */
    enum reason why;      /* of the first connection that ended badly, and not by us */
};

/*
 * Can there be `count` connections (0: --connections was not given)? What is wrong is said. Room
 * for them is added to *opt. NODE_GO_ON or a code.
 */
int load_check(const struct program *prog, struct node_options *opt, uint32_t count);

/* Returns the exit code. `far` as in dial_run. */
int load_run(struct load *l, struct node *n, struct node *far, uint32_t count, uint64_t bytes);

/* The same in opt->queues threads, each with its part of them, nodes and all. */
int load_run_team(const struct program *prog, const struct node_options *opt, uint32_t count,
                  uint64_t bytes);

#endif
