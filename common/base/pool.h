/*
 * A pool of objects of one size in memory that was reserved at start. Memory behind an object is
 * touched when the object is first handed out, so a large pool that stays unused costs nothing.
 */
#ifndef BASE_POOL_H
#define BASE_POOL_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/exact.h"

struct pool {
    uint8_t *mem;
    void *free;         /* a list through the first word of each object that came back */
    size_t size;        /* bytes of one object, rounded up to 8 */
    struct exact by;    /* the size */
    uint32_t count;     /* objects in all */
    uint32_t fresh;     /* how many were ever handed out */
    uint32_t in_use;    /* now */
    uint32_t peak;      /* the most that were in use */
    uint64_t exhausted; /* how often pool_get found none */
};

/* Make a pool in mem[mem_size], aligned to 8 bytes. Returns how many objects fit. */
uint32_t pool_init(struct pool *p, void *mem, size_t mem_size, size_t object_size);

/* Bytes of memory for `count` objects. */
size_t pool_bytes(uint32_t count, size_t object_size);

/* The same where none has come back: it is pool_get that calls it. */
void *pool_get_fresh(struct pool *p);

/* An object, its bytes undefined, or NULL, which is counted. */
static inline void *pool_get(struct pool *p)
{
    void *object = p->free;

    if (!object)
        return pool_get_fresh(p);
    memcpy(&p->free, object, sizeof(p->free));
    p->in_use++;
    return object;
}

/*
 * The object's number, from 0 on, for what goes with it elsewhere; for what is no object's
 * beginning, one that is larger than every number there is.
 */
static inline uint64_t pool_number(const struct pool *p, const void *object)
{
    return exact_quotient(p->by, (uint64_t)((uintptr_t)object - (uintptr_t)p->mem));
}

static inline void pool_put(struct pool *p, void *object)
{
    assert(pool_number(p, object) < p->fresh && p->in_use > 0);
    memcpy(object, &p->free, sizeof(p->free));
    p->free = object;
    p->in_use--;
}

#endif
