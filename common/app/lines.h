/*
 * For applications that only tell their operator something, and act when their owner gives them a
 * turn: lines that wait to be pulled, a console that wants no input, and no interest in events.
 *
 * The room is bounded, and whoever fills it looks whether there is some before it does something
 * that will be told of.
 */
#ifndef APP_LINES_H
#define APP_LINES_H

#include <stdbool.h>
#include <stdint.h>

#include "app/app.h"
#include "app/console.h"

enum {
    LINES_MAX = 16384, /* bytes that wait */
    LINES_PIECE = 512, /* bytes of what is added at a time, at most */
};

struct lines {
    struct app app; /* what stack_udp_open is given */
    struct console console;
    char text[2][LINES_MAX]; /* one is filled while the other is shown */
    unsigned filled;
    uint32_t len;  /* bytes of that one */
    uint64_t lost; /* pieces for which there was no room */
};

void lines_init(struct lines *l);

/* Add what printf would print, whole or not at all. */
void lines_add(struct lines *l, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Is there room for many more? */
static inline bool lines_room(const struct lines *l)
{
    return l->len < LINES_MAX / 2;
}

static inline bool lines_pending(const struct lines *l)
{
    return l->len > 0;
}

#endif
