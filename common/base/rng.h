/*
 * A seeded generator (splitmix64): the same seed gives the same numbers on every machine. For
 * choices that a simulation must be able to repeat. It is not secret: what an outsider must not
 * guess comes from a keyed hash or from the system.
 */
#ifndef BASE_RNG_H
#define BASE_RNG_H

#include <stdint.h>

struct rng {
    uint64_t state;
};

static inline uint64_t rng_next(struct rng *r)
{
    uint64_t z = r->state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* A number in 0 .. below - 1; below must not be 0. */
static inline uint32_t rng_below(struct rng *r, uint32_t below)
{
    return (uint32_t)((rng_next(r) >> 32) * below >> 32);
}

#endif
