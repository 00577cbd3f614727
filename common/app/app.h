/*
 * An application is driven by events and does no I/O of its own: it is given a stack event, and
 * makes user calls in answer. The `user` pointer of every listener, connection and UDP socket
 * points to a struct app, as the first member of whatever the application keeps.
 */
#ifndef APP_APP_H
#define APP_APP_H

#include "stack/stack.h"

struct app;

struct app_ops {
    const char *name;
    void (*event)(struct app *a, struct stack *st, const struct stack_event *ev);
};

struct app {
    const struct app_ops *ops;
};

/* Pull every event that the stack has and hand each to its application. Returns how many. */
static inline unsigned app_dispatch(struct stack *st)
{
    struct stack_event ev;
    unsigned n = 0;

    for (; stack_event(st, &ev); n++) {
        struct app *a = ev.user;
        if (a)
            a->ops->event(a, st, &ev);
    }
    return n;
}

#endif
