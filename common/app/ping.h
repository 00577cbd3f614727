/*
 * ping: an echo request now and then, a line for each reply, and at the end how many were lost and
 * how long the others took. What a line looks like is what other pings print, because scripts read
 * it.
 *
 * Requests go out on a fixed beat, whether they are answered or not. After the last one there is a
 * time to wait: as given; else twice the longest round trip so far, an interval at least; or
 * PING_PATIENCE if nobody has answered at all.
 *
 * It does no I/O and has no clock: its owner calls ping_turn.
 */
#ifndef APP_PING_H
#define APP_PING_H

#include "app/lines.h"

#define PING_PATIENCE (10 * SEC)

enum {
    PING_WINDOW = 1024, /* requests whose time of leaving is kept */
    PING_DATA = 65527,  /* bytes of the largest request */
};

struct ping_how {
    struct addr remote;
    uint32_t count;   /* requests; 0: until it is stopped */
    uint32_t size;    /* bytes of data */
    int64_t interval; /* ns */
    int64_t wait;     /* ns, for the last replies; 0: see above */
    bool quiet;       /* nothing is said between the beginning and the end */
    struct udp_settings settings;
};

struct ping {
    struct lines lines; /* with its app and its console */
    struct ping_how how;
    int udp; /* the socket, or -1 */
    bool begun, stopped, done;
    int64_t began_at, next_at, last_at; /* of the first request, the next, the last */
    uint32_t sent, received, duplicates, errors;
    uint32_t wrong;     /* replies whose data is not the request's */
    uint32_t gone;      /* requests that nothing more is expected of */
    int64_t min, max;   /* ns */
    double sum, square; /* of all round trips: ns, and ns squared */
    uint32_t ended_at;  /* `sent` when it was told to stop */
    int64_t sent_at[PING_WINDOW];
    bool answered[PING_WINDOW];
    uint8_t data[PING_DATA];
};

/* Open its socket. 0, or what stack_udp_open and stack_udp_set say. */
int ping_start(struct ping *p, struct stack *st, const struct ping_how *how);

/* Once per turn: read, send. Returns when to call again at the latest; `done` says that it is over.
 */
int64_t ping_turn(struct ping *p, struct stack *st, int64_t now);

/* No more requests; the next turn is the last, and says what there was. */
void ping_stop(struct ping *p);

/* What was lost, in percent. */
unsigned ping_loss(const struct ping *p);
/* Average and mean deviation of the round trips, ns; 0 without any. */
int64_t ping_average(const struct ping *p);
int64_t ping_deviation(const struct ping *p);

#endif
