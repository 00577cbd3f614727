/*
 * Time: every instant and every duration in twintun is an int64_t count of nanoseconds.
 *
 * Instants count from an origin that only the owner of the clock knows (the machine's monotonic
 * clock, or zero in a simulation), so code may subtract and compare them and nothing else. The core
 * never asks for the time: whoever calls it passes `now`, the instant at which the packet was read.
 */
#ifndef BASE_TIME_H
#define BASE_TIME_H

#include <stdint.h>

#define USEC       INT64_C(1000)
#define MSEC       INT64_C(1000000)
#define SEC        INT64_C(1000000000)
#define TIME_NEVER INT64_MAX /* a deadline that does not come */

/* The instant `ns` behind `t`, or TIME_NEVER where that is beyond every instant. */
static inline int64_t time_after(int64_t t, int64_t ns)
{
    return t > 0 && ns > TIME_NEVER - t ? TIME_NEVER : ns == TIME_NEVER ? TIME_NEVER : t + ns;
}

static inline int64_t time_min(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static inline int64_t time_max(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

#endif
