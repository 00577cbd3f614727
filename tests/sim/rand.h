/* The simulator's dice are base/dice.h; this is what only drawing a scenario needs. */
#ifndef SIM_RAND_H
#define SIM_RAND_H

#include "base/dice.h"

/* from to to, small values as likely as large ones: the exponent is drawn, then the value. */
static inline uint64_t dice_spread(struct dice *d, uint64_t from, uint64_t to)
{
    uint64_t top = to;

    for (unsigned halve = (unsigned)dice_below(d, 12); halve > 0 && top / 2 > from; halve--)
        top /= 2;
    return dice_range(d, from, top);
}

#endif
