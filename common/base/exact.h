/*
 * Division without rest, by a divisor that many are divided by, as an object's offset is by the
 * size of all: a multiplication by the inverse of its odd part modulo 2^64.
 */
#ifndef BASE_EXACT_H
#define BASE_EXACT_H

#include <stdint.h>

struct exact {
    uint64_t inverse; /* of the divisor's odd part */
    unsigned twos;    /* how often 2 is in it */
};

/* By `divisor`, which is not 0. Each step doubles the bits that are right, 3 at first. */
static inline struct exact exact_by(uint64_t divisor)
{
    unsigned twos = (unsigned)__builtin_ctzll(divisor);
    uint64_t odd = divisor >> twos, inverse = odd;

    for (unsigned bits = 3; bits < 64; bits *= 2)
        inverse *= 2 - odd * inverse;
    return (struct exact){inverse, twos};
}

/* The quotient; where there is a rest, more than every quotient of a multiple. */
static inline uint64_t exact_quotient(struct exact by, uint64_t n)
{
    uint64_t q = n * by.inverse;

    return q >> by.twos | q << (-by.twos & 63);
}

#endif
