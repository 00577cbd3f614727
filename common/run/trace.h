/*
 * Trace: what a node does, as a picture in time. It is a wrapper around the node's device and an
 * observer of its stack at once, and writes what it sees into a trace_file:
 *
 *   a process for each node
 *     a track for each connection: its states as slices, and on it what happened, with its reason
 *     two tracks for its segments: those that we sent, those that came
 *     a track for each of its timers that ever ran, from armed to expired or cleared
 *     its numbers as counters: windows, round trips, ...
 *     two tracks for packets that belong to no connection
 *
 * A segment that was sent lasts as long as the device took to take it; one that came, until the
 * stack was done with it. An arrow goes from the one to the other. It has no other name than the
 * packet's own contents (trace_packet.c), so the traces of two nodes, which are two files of two
 * processes, fit together when they are joined.
 *
 * Times are those of the machine's clock at the moment of the event, not the loop's `now`, so a
 * cause stands before its effect, also where two processes run at once.
 *
 * What a connection's status says is compared with what the file shows whenever the stack says that
 * something has touched the connection. If there was no room for a change, it is tried again the
 * next time; so what the file shows may be late or coarse, and is counted as lost, but never wrong.
 */
#ifndef RUN_TRACE_H
#define RUN_TRACE_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "link/device.h"
#include "link/verdict.h"
#include "run/trace_file.h"
#include "run/trace_packet.h"
#include "stack/stack.h"

enum {
    TRACE_LABEL = 80,        /* bytes of a connection's name */
    TRACE_TRACKS = 16,       /* places for tracks of each connection */
    TRACE_COUNTERS = 16,     /* places for numbers of each connection */
    TRACE_SENT = 4096,       /* ids of sent packets that are remembered */
    TRACE_CONNS_MAX = 16384, /* slots of a stack that are told apart; others are not shown */
};

/* The tracks of a connection by their place; of the node itself only the second and third. */
enum trace_track {
    TRACE_TRACK_STATE,
    TRACE_TRACK_OUT,
    TRACE_TRACK_IN,
    TRACE_TRACK_TIMER, /* the first of them */
};

static_assert((int)TRACE_TRACK_TIMER + (int)STACK_TIMERS_MAX <= (int)TRACE_TRACKS,
              "each timer has a track");

/* A timer, as the file shows it. */
struct trace_timer {
    int64_t at; /* ns: when it expires, or TIME_NEVER: it does not run */
    bool open;  /* a slice has begun */
    uint32_t moved;
};

/* A connection, as the file shows it. */
struct trace_conn {
    uint32_t tid; /* its first track; 0: the place was never used */
    bool over;    /* it was seen to be CLOSED: the next in this slot is another */
    uint8_t state;
    bool state_open;       /* a slice has begun */
    uint16_t named;        /* tracks that have their names in the file, a bit each */
    enum reason expired;   /* the last timer event, ... */
    int64_t expired_at;    /* ... and its instant */
    struct trace_seen seq; /* where sequence numbers begin */
    int64_t value[TRACE_COUNTERS];
    int64_t round_trip; /* ns, the last that was measured */
    struct trace_timer timer[STACK_TIMERS_MAX];
    char label[TRACE_LABEL];
};

/* The packet that the stack is at. */
struct trace_arrival {
    bool pending;
    int64_t at;    /* ns: when it had been read */
    uint32_t slot; /* + 1 of the connection it is for; 0: not known, or none */
    enum reason dropped;
    struct verdict verdict; /* of an impaired path about it */
    struct trace_packet packet;
};

struct trace {
    struct device dev;
    struct device *inner;
    struct trace_file *file;
    struct stack *st;
    int64_t (*clock)(void);
    const struct verdict *verdict; /* what an impairment below says of each packet, or NULL */
    uint32_t pid, next_tid;
    uint32_t slots;  /* of `conns` that were ever used */
    uint16_t naming; /* tracks of one connection whose names are in the making, a bit each */
    struct trace_conn *conns;
    struct trace_conn node; /* the tracks of what is no connection's */
    struct trace_arrival in;
    uint64_t sent[TRACE_SENT]; /* ids of packets that have left, each in its place */
};

/*
 * Make *t a device in the place of `inner`, which it closes when it is closed; the file, shared or
 * not, stays the caller's. `process` names the node, whose address is `local`. The clock is asked
 * for every event, in ns, and must never go back. 0, or -ENOMEM.
 */
int trace_init(struct trace *t, struct device *inner, struct trace_file *file, const char *process,
               const struct addr *local, int64_t (*clock)(void));

/* Observe this stack from now on; nobody else may. */
void trace_watch(struct trace *t, struct stack *st);

/* The end: slices that are open end here. Before the file is closed. */
void trace_finish(struct trace *t);

#endif
