/*
 * What the measuring programs share: an end to the program when the system refuses, a processor of
 * one's own, and the lines in which they say what they found, "KEY VALUE", for speed.sh.
 */
#ifndef BENCH_KIT_H
#define BENCH_KIT_H

#include <errno.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "run/clock.h"
#include "run/exit.h"

enum {
    KIT_LIFE = 120, /* s after which a program that was forgotten ends by itself */
};

static inline void kit_fail(const char *what)
{
    fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
    exit(EXIT_FAILED);
}

/*
 * Run on processor n (of those there are) only. Both ends of a measurement stand on different ones
 * always, or the scheduler's choice would be what is measured.
 */
static inline void kit_pin(unsigned n)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(n % (unsigned)(cpus > 0 ? cpus : 1), &set);
    if (sched_setaffinity(0, sizeof(set), &set) < 0)
        kit_fail("sched_setaffinity");
}

/* Bytes per ns are 8 Gbit/s. */
static inline void kit_say_rate(uint64_t bytes, int64_t ns)
{
    printf("gbps %.4f\n", 8.0 * (double)bytes / (double)ns);
}

/* Seconds as a decimal number, in ns. */
static inline int64_t kit_seconds(const char *text)
{
    double s = atof(text);

    if (s <= 0 || s > KIT_LIFE / 2) {
        fprintf(stderr, "bench: '%s' is no time between 0 and %d s\n", text, KIT_LIFE / 2);
        exit(EXIT_USAGE);
    }
    return (int64_t)(s * (double)SEC);
}

#endif
