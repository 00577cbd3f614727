/*
 * Dice for a modelled network: SplitMix64, one word of state, so that a seed alone replays
 * everything. Each part of a model has dice of its own, so that a change in one does not shift the
 * others. They are not secret.
 */
#ifndef BASE_DICE_H
#define BASE_DICE_H

#include <stdbool.h>
#include <stdint.h>

struct dice {
    uint64_t state;
};

/* A 64-bit permutation without visible pattern: also what a test's stream bytes are made of. */
static inline uint64_t dice_mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static inline uint64_t dice_next(struct dice *d)
{
    d->state += UINT64_C(0x9e3779b97f4a7c15);
    return dice_mix(d->state);
}

/* Dice for part number `part` of the run with this seed. */
static inline struct dice dice_for(uint64_t seed, uint64_t part)
{
    return (struct dice){dice_mix(seed * UINT64_C(0x9e3779b97f4a7c15) + part + 1)};
}

/* 0 to n - 1; n is not 0. The bias is below 2^-32 for the small n used here. */
static inline uint64_t dice_below(struct dice *d, uint64_t n)
{
    return dice_next(d) % n;
}

/* from to to, both included */
static inline uint64_t dice_range(struct dice *d, uint64_t from, uint64_t to)
{
    return from + dice_below(d, to - from + 1);
}

/* True in `ppm` of a million throws. */
static inline bool dice_chance(struct dice *d, uint32_t ppm)
{
    return ppm && dice_below(d, 1000000) < ppm;
}

#endif
