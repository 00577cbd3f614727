/*
 * Many seeds: workers, each a process of its own that plays every so manieth seed, and what they
 * find. A worker that dies by a signal was killed by its seed, and is replaced by one that goes on
 * behind it.
 */
#ifndef SIM_RANGE_H
#define SIM_RANGE_H

#include "tests/sim/shrink.h"

enum {
    RANGE_JOBS_MAX = 16,
};

struct range_options {
    const char *program; /* as the replay command names it */
    uint64_t from, to;
    unsigned jobs;
    bool progress;  /* a line every ten seconds on standard error */
    bool first;     /* stop at the first failure, and do not make it small */
    unsigned plays; /* for that, at most */
};

/* Returns an exit code. */
int range_play(const struct range_options *o);

/* Make a failing run small and say how it is replayed. */
void range_shrink(const char *program, struct scenario *sc, struct faults *faults,
                  struct world_result *result, unsigned plays);

#endif
