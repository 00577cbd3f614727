/*
 * A line for each of many things, without flooding a terminal: ten of a kind in a second are said
 * one by one, and the rest of that second's in one line at its end, "... and 990 more".
 */
#ifndef RUN_PACE_H
#define RUN_PACE_H

#include "run/report.h"

enum {
    PACE_LINES = 10, /* of a kind in a second */
};

struct pace {
    const char *what; /* "closed in order": completes "... and 990 more" */
    int64_t since;    /* ns: when the second began */
    unsigned said, more;
};

/* May this one be said at `now`? If not, it is counted. */
bool pace_may(struct pace *p, int64_t now);

/* Say what was counted, if the second is over. Returns when to come back, or TIME_NEVER. */
int64_t pace_turn(struct pace *p, const struct report *r, int64_t now);

#endif
