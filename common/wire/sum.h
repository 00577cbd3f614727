/*
 * The Internet checksum of a header while it is written: each word is added up on its way into
 * memory, so nothing has to be read again.
 *
 * Sums are of words of 4 bytes as this machine has them in memory, in 8 bytes, where so many
 * carries fit that none is lost; see checksum.c for why both are allowed.
 */
#ifndef WIRE_SUM_H
#define WIRE_SUM_H

#include <stdint.h>
#include <string.h>

#include "base/bytes.h"

/* Write these 4 bytes. Returns what they add to the sum. */
static inline uint64_t sum_put32(uint8_t *p, uint32_t v)
{
    v = big32(v);
    memcpy(p, &v, sizeof(v));
    return v;
}

/* The same for 4 bytes of an address, as they stand there. */
static inline uint64_t sum_copy4(uint8_t *p, const uint8_t from[4])
{
    uint32_t v;

    memcpy(&v, from, sizeof(v));
    memcpy(p, &v, sizeof(v));
    return v;
}

/* Folded to 16 bits, as a number: what checksum.h takes for a sum. */
static inline uint32_t sum_network(uint64_t sum)
{
    uint32_t words = (uint32_t)((sum + (sum << 32 | sum >> 32)) >> 32);

    return big16((uint16_t)((words + (words << 16 | words >> 16)) >> 16));
}

#endif
