/*
 * Outlet: a bounded buffer in front of a descriptor whose reader may be slow, stopped or gone, and
 * must not stop us. Captures and everything that a node says leave through one.
 *
 * A write never waits. Where the descriptor is a pipe, a terminal or the like, it is opened anew
 * without blocking, which leaves alone the mode of the description that we share with others;
 * where that cannot be done, no more is written at a time than a pipe that polls writable is sure
 * to take. What cannot leave now stays in the buffer; what does not fit there is refused, and
 * whoever put it counts that. A regular file takes everything at once, so nothing is ever refused.
 *
 * So that a reader that is merely slow loses nothing, the owner of a device asks outlet_hold before
 * it reads: while half the buffer is full, the node reads nothing, and what arrives queues in the
 * kernel, which slows down whoever sends. There is a credit for that: it is used up by the time
 * that reading is held and earned by the bytes that the reader takes, so a reader that takes a
 * mebibyte in a second may slow the node down for ever, and one that is stopped does so for
 * OUTLET_CREDIT in all. The other half of the buffer is for what the node writes meanwhile.
 */
#ifndef LINK_OUTLET_H
#define LINK_OUTLET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/time.h"

enum {
    OUTLET_BATCH = 128 * 1024, /* bytes in the buffer with which writing is tried */
    OUTLET_PIPE = 1024 * 1024, /* bytes that a pipe is asked to hold */
    OUTLET_EARN = 1000,        /* ns of credit that a byte earns which the reader takes */
    OUTLET_HOLD = 2,           /* ms to wait for the reader in one turn */
    OUTLET_STUCK = 1000,       /* ms without a byte taken after which outlet_drain gives up */
    OUTLET_DRAIN = 10000,      /* ms after which it does in any case */
};

#define OUTLET_CREDIT (2 * SEC)

struct outlet {
    int fd;           /* -1: closed, or given up */
    bool owned;       /* fd is ours to close */
    bool lines;       /* text: lines are kept whole where the system can do that */
    bool file;        /* regular: takes everything */
    bool socket;      /* written with a flag that says not to wait */
    bool nonblocking; /* fd itself never waits */
    uint8_t *buf;     /* twice `limit` bytes: what moves to the front moves rarely */
    size_t limit;     /* bytes that may be pending */
    size_t head, tail;
    uint64_t refused;  /* puts for which there was no room */
    int error;         /* negative errno that ended it, or 0 */
    int64_t credit;    /* ns for which reading may still be held */
    int64_t held_at;   /* when it was held last, in the present hold; TIME_NEVER: it is not */
    int64_t waited_at; /* the turn in which we waited last */
};

/*
 * Begin an outlet that holds `limit` bytes, at least OUTLET_BATCH. With `owned`, fd becomes the
 * outlet's; otherwise it stays the caller's, open, with its mode unchanged. 0 or -ENOMEM.
 */
int outlet_open(struct outlet *o, int fd, bool owned, bool lines, size_t limit);

/* Ask a pipe to hold more than its usual 64 KiB, if it is one. */
void outlet_widen(struct outlet *o);

/* Bytes that wait for the reader. */
static inline size_t outlet_pending(const struct outlet *o)
{
    return o->tail - o->head;
}

/* Bytes that outlet_put is sure to take, after trying to write. */
size_t outlet_room(struct outlet *o);

/* All n bytes, or none: 0, -EAGAIN if there is no room, or the error that ended the outlet. */
int outlet_put(struct outlet *o, const void *bytes, size_t n);

/* Write what can be written without waiting. An error ends the outlet: see `error`. */
void outlet_flush(struct outlet *o);

/*
 * Whether the node should read nothing now because of the reader; waits for it OUTLET_HOLD at most,
 * once for each `now`. Held, the caller comes back soon with the time that it is then.
 */
bool outlet_hold(struct outlet *o, int64_t now);

/* Wait for the reader, within bounds. Returns how many bytes it did not take. */
size_t outlet_drain(struct outlet *o);

/* Give everything back; what is pending is lost. 0, or the error of closing a descriptor of ours.
 */
int outlet_close(struct outlet *o);

#endif
