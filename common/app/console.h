/*
 * A console is the side of an application that faces an operator: bytes typed go in, bytes to be
 * shown come out, both as slices. The application does no I/O; whoever owns the real input and
 * output (the run floor, a test) asks `wants` before reading, and calls `pull` when it can show
 * more. That is the back-pressure both ways: what is not wanted stays in the operator's pipe, what
 * cannot be shown stays in the receive queue and closes the window.
 */
#ifndef APP_CONSOLE_H
#define APP_CONSOLE_H

#include <stdbool.h>

#include "stack/stack.h"

struct console;

struct console_ops {
    /* Would `push` take bytes now? */
    bool (*wants)(struct console *c);
    /* Bytes typed; only after `wants` said yes. The reference on s.buf passes. */
    void (*push)(struct console *c, struct stack *st, struct slice s);
    /* The operator's input has ended; told once. */
    void (*end)(struct console *c, struct stack *st);
    /*
     * Bytes to show: their number and *ret_slice, whose reference passes to the caller and whose
     * bytes stay as they are until the next pull; or -EAGAIN when there are none now.
     */
    int (*pull)(struct console *c, struct stack *st, struct slice *ret_slice);
};

struct console {
    const struct console_ops *ops;
};

#endif
