/*
 * The applications of the simulation. Each connection has two ends; each end writes a stream of
 * known bytes in pieces of random size with random pauses, reads what comes in pieces of random
 * size with random pauses, and closes when its dice say so. Every byte read is compared with the
 * byte that must stand there.
 *
 * An end that waits for the other's end of stream before it closes its own makes a half-closed
 * connection; only one of two ends may wait.
 */
#ifndef SIM_TRAFFIC_H
#define SIM_TRAFFIC_H

#include <stdbool.h>
#include <stdint.h>

#include "stack/stack.h"
#include "tests/sim/check.h"
#include "tests/sim/node.h"
#include "tests/sim/rand.h"

struct end_plan {
    uint64_t total;      /* bytes to write */
    uint32_t write_max;  /* bytes in one write, at most */
    uint32_t read_max;   /* bytes in one read, at most */
    uint32_t pause;      /* parts per million: pauses after a write or a read */
    int64_t pause_max;   /* ns */
    int64_t close_delay; /* ns between the last write and the close */
    bool wait_for_eof;   /* close only when the other end has */
    bool release;        /* give the handle away once all is read and closed */
    int64_t abort_after; /* ns from the opening, or TIME_NEVER */
};

struct end {
    struct end_plan plan;
    struct node *node;
    struct check *check;
    struct dice dice;
    struct conn_id conn;
    struct end *other;
    uint64_t key;           /* of the stream this end writes */
    bool up, closed, eof;   /* connected; closed our half; the other closed its */
    bool over;              /* EV_CLOSED came, or we let go of it */
    bool aborted;           /* by us */
    enum reason why;        /* of EV_CLOSED */
    uint64_t written, read; /* bytes */
    int64_t write_at, read_at, close_at, abort_at; /* ns; TIME_NEVER: waits for an event */
};

/* What a connection does after it is up: events first, then whatever is due. */
void end_up(struct end *e, int64_t now, struct conn_id conn);
void end_event(struct end *e, int64_t now, const struct stack_event *ev);
void end_run(struct end *e, int64_t now);
/* When end_run has something to do, or TIME_NEVER. */
int64_t end_next(const struct end *e);

/* Everything this end had to do has been done, and rightly; complains to the checker if not. */
void end_verify(const struct end *e);

#endif
