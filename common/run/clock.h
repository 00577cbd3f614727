/* The machine's monotonic clock: the one place where a node learns the time. */
#ifndef RUN_CLOCK_H
#define RUN_CLOCK_H

#include <stdint.h>
#include <time.h>

#include "base/time.h"

static inline int64_t clock_now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * SEC + ts.tv_nsec;
}

#endif
