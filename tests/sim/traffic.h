/*
 * The applications of the simulation. Each connection has two ends; each end writes a stream of
 * known bytes in pieces of random size with random pauses, reads what comes in pieces of random
 * size with random pauses or does not read for a long time, and closes when its dice say so. Every
 * byte read is compared with the byte that must stand there.
 *
 * An end that waits for the other's end of stream before it closes its own makes a half-closed
 * connection; only one of two ends may wait. An end may also quit: close, abort or release at any
 * moment, the handshake included. Then the other end may lose bytes, but it must learn of it, or at
 * least give up what it cannot deliver; where it has nothing to deliver, RFC 9293 lets it wait for
 * ever, and its application aborts after a while.
 */
#ifndef SIM_TRAFFIC_H
#define SIM_TRAFFIC_H

#include <stdbool.h>
#include <stdint.h>

#include "stack/stack.h"
#include "tests/sim/check.h"
#include "tests/sim/node.h"
#include "tests/sim/rand.h"

enum quit {
    QUIT_NEVER,
    QUIT_CLOSE, /* whatever is written by then is all */
    QUIT_ABORT,
    QUIT_RELEASE,
};

struct end_plan {
    uint64_t total;      /* bytes to write */
    uint32_t write_max;  /* bytes in one write, at most */
    uint32_t read_max;   /* bytes in one read, at most */
    uint32_t pause;      /* parts per million: pauses after a write or a read */
    int64_t pause_max;   /* ns */
    int64_t read_after;  /* ns from being connected to the first read */
    uint32_t fiddle;     /* parts per million: changes a setting after a write */
    uint32_t urgent;     /* parts per million of the writes are urgent */
    int64_t close_delay; /* ns between the last write and the close */
    bool wait_for_eof;   /* close only when the other end has */
    bool release;        /* give the handle away once all is read and closed */
    bool early;          /* write before the connection is up */
    uint32_t quit;       /* enum quit ... */
    int64_t quit_after;  /* ns from having a handle */
    uint64_t key;        /* of the stream it writes */
    uint64_t luck;       /* of its dice */
};

struct end {
    struct end_plan plan;
    struct node *node;
    struct check *check;
    struct flow *flow; /* what the checker knows of what this end sends */
    struct dice dice;
    struct conn_id conn;
    struct end *other;
    bool has_conn, up, closed, eof; /* has a handle; connected; closed our half; the other its */
    bool over;                      /* EV_CLOSED came, or we let go of it ... */
    int64_t over_at;                /* ... then, ns */
    bool quitted, gave_up;          /* ended by us, as planned; because the other end is gone */
    bool vanished;                  /* its node is silent for ever */
    enum reason why;                /* of EV_CLOSED */
    uint64_t written, read;         /* bytes */
    uint64_t urgent_seen;           /* bytes: how far the other end's urgent data goes */
    int64_t write_at, read_at, close_at, quit_at; /* ns; TIME_NEVER: waits for an event */
    int64_t patience_at;                          /* ns: when to give up; TIME_NEVER */
};

void end_init(struct end *e, const struct end_plan *plan, struct node *node, struct end *other,
              struct check *c, struct flow *flow);

/* It has called open, or it was accepted: it has a handle. */
void end_has(struct end *e, int64_t now, struct conn_id conn);
/* What a connection does after it is up: events first, then whatever is due. */
void end_up(struct end *e, int64_t now);
void end_event(struct end *e, int64_t now, const struct stack_event *ev);
void end_run(struct end *e, int64_t now);
/* When end_run has something to do, or TIME_NEVER. */
int64_t end_next(const struct end *e);

/* The node of this end is silent from now on. */
void end_vanish(struct end *e, int64_t now);

/* Everything this end had to do has been done, and rightly; complains to the checker if not. */
void end_verify(const struct end *e);

#endif
