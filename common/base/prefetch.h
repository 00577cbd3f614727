/*
 * Memory that will be needed soon. Among a million connections nothing of one is in a cache when
 * its turn comes. Asked for at once, all its lines come in the time of one; else each is only
 * missed, and waited for, when something is read from it.
 */
#ifndef BASE_PREFETCH_H
#define BASE_PREFETCH_H

#include <stddef.h>
#include <stdint.h>

enum {
    CACHE_LINE = 64, /* bytes, on most machines; elsewhere this only helps less, or asks twice */
};

static inline void prefetch(const void *start, size_t bytes)
{
    const uint8_t *at = start;

#pragma GCC unroll 16
    for (size_t i = 0; i < bytes; i += CACHE_LINE)
        __builtin_prefetch(at + i, 1);
    __builtin_prefetch(at + bytes - 1, 1);
}

#endif
