#include "base/pool.h"

#include <assert.h>
#include <string.h>

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
    size_t fit = mem_size / object_bytes(object_size);

    assert(((uintptr_t)mem & 7) == 0);
    *p = (struct pool){
        .mem = mem,
        .size = object_bytes(object_size),
        .count = fit > UINT32_MAX ? UINT32_MAX : (uint32_t)fit,
    };
    return p->count;
}

void *pool_get(struct pool *p)
{
    void *object;

    if (p->free) {
        object = p->free;
        memcpy(&p->free, object, sizeof(p->free));
    } else if (p->fresh < p->count) {
        object = p->mem + p->size * p->fresh++;
    } else {
        p->exhausted++;
        return NULL;
    }
    p->in_use++;
    if (p->in_use > p->peak)
        p->peak = p->in_use;
    return object;
}

void pool_put(struct pool *p, void *object)
{
    const uint8_t *at = object;

    assert(p->in_use > 0);
    assert(at >= p->mem && at < p->mem + p->size * p->fresh);
    assert((size_t)(at - p->mem) % p->size == 0);
    memcpy(object, &p->free, sizeof(p->free));
    p->free = object;
    p->in_use--;
}
