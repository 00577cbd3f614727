/*
 * The operator's side of a console: real descriptors, usually standard input and output.
 *
 * Input is read into buffers of a pool and pushed by reference, a buffer being filled piece by
 * piece; nothing is read while the console does not want it. Output is pulled only when what was
 * pulled before is written, so a reader that does not read stops the flow as far as the remote
 * node.
 *
 * Neither may ever block the loop. Reading after poll said so does not. Writing to a pipe may: so
 * it is opened anew without blocking, which leaves alone the mode of the description that we share
 * with others; where that is not possible, no more is written at a time than a pipe that polls
 * writable is sure to take.
 *
 * A read that fails is not the end of the input: the console is told nothing, and whoever owns it
 * finds the error in in_error.
 */
#ifndef RUN_OPERATOR_H
#define RUN_OPERATOR_H

#include <poll.h>

#include "app/console.h"
#include "base/buf.h"

enum {
    OPERATOR_FDS = 2, /* descriptors to wait for, at most */
};

struct operator
{
    struct console *console;
    struct stack *st;
    struct buf_pool *pool;
    int in, out;        /* -1: closed; out -1: what is pulled is thrown away */
    uint32_t unit;      /* bytes of which a read takes whole multiples, where it can; 0: none */
    bool out_owned;     /* `out` was opened here */
    bool out_direct;    /* a write to it never blocks */
    bool in_regular;    /* `in` is a file: always readable */
    bool in_ready;      /* poll said so */
    bool in_waits;      /* the console wants bytes and there are none: wait for them */
    bool out_waits;     /* `out` takes nothing now: wait for it */
    bool in_ended;      /* the input's end was read */
    int in_error;       /* negative errno of a read that failed: there will be no more; 0: none */
    struct buf *fill;   /* the buffer that input goes to */
    struct slice show;  /* pulled and not yet written; len 0: none */
    struct slice shown; /* all of it, for its reference */
};

/* `out` -1: throw the console's output away. */
void operator_open(struct operator* o, struct console *console, struct stack *st,
                   struct buf_pool *pool, int in, int out);

/*
 * Move what can be moved now. 0, or a negative errno of the output: -EPIPE when its reader is gone.
 */
int operator_act(struct operator* o);

/* Fill fds[OPERATOR_FDS] with what to wait for; returns how many. */
unsigned operator_wait(struct operator* o, struct pollfd *fds);
/* Tell what poll said about them. */
void operator_woken(struct operator* o, const struct pollfd *fds, unsigned n);

/* Read no more, as if the input had ended. */
void operator_end(struct operator* o);

/* Is there pulled output that is not written yet? */
static inline bool operator_pending(const struct operator* o)
{
    return o->show.len != 0;
}

void operator_close(struct operator* o);

#endif
