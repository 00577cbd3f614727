#include "base/pool.h"

#include <assert.h>

static size_t object_bytes(size_t object_size)
{
    size_t least = object_size < sizeof(void *) ? sizeof(void *) : object_size;

    return (least + 7) & ~(size_t)7;
}

size_t pool_bytes(uint32_t count, size_t object_size)
{
    return count * object_bytes(object_size);
}

uint32_t pool_init(struct pool *p, void *mem, size_t mem_size, size_t object_size)
{
    size_t size = object_bytes(object_size), fit = mem_size / size;

    assert(((uintptr_t)mem & 7) == 0);
    *p = (struct pool){
        .mem = mem,
        .size = size,
        .by = exact_by(size),
        .count = fit > UINT32_MAX ? UINT32_MAX : (uint32_t)fit,
    };
    return p->count;
}

/* More than ever before are in use now: else one that came back would have been there. */
void *pool_get_fresh(struct pool *p)
{
    if (p->fresh == p->count) {
        p->exhausted++;
        return NULL;
    }
    p->peak = ++p->in_use;
    return p->mem + p->size * p->fresh++;
}
