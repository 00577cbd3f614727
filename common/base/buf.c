/*
 * Pools of buffers, and packets put together out of slices.
 *
 * A pool is an array of bufs in memory that was mapped lazily. Two places supply a buf: the list of
 * those that came back, and `fresh`, the index up to which the array has been used so far. The list
 * comes first, and it is last-in first-out: the buf whose bytes are still in the cache is used
 * again, and memory that was never needed is never touched, so that a generous budget costs only
 * what the busiest moment took.
 *
 * Between pool and user a buf is in exactly one hand: refs is 0 on the free list and above 0
 * outside it. Both sides assert it, so that a reference dropped twice stops the program where it
 * happens, not where the bytes of somebody else change.
 */
#include "base/buf.h"

#include <assert.h>
#include <string.h>

enum {
    BUF_ALIGN = 16, /* bytes */
};

static size_t stride_of(uint32_t size)
{
    size_t need = offsetof(struct buf, data) + (size_t)size;

    return (need + BUF_ALIGN - 1) / BUF_ALIGN * BUF_ALIGN;
}

size_t buf_pool_bytes(uint32_t count, uint32_t size)
{
    return count * stride_of(size);
}

uint32_t buf_pool_init(struct buf_pool *pool, void *mem, size_t mem_size, uint32_t size)
{
    size_t stride = stride_of(size);
    size_t count = mem_size / stride;

    assert((uintptr_t)mem % BUF_ALIGN == 0);
    *pool = (struct buf_pool){
        .mem = mem,
        .stride = stride,
        .size = size,
        .count = count < UINT32_MAX ? (uint32_t)count : UINT32_MAX,
    };
    return pool->count;
}

/*
 * The next buf whose memory nobody has touched so far. More than ever before are in use now: else
 * one that came back would have been there.
 */
struct buf *buf_get_fresh(struct buf_pool *pool)
{
    struct buf *b;

    if (pool->fresh == pool->count) {
        pool->exhausted++;
        return NULL;
    }
    b = (void *)(pool->mem + pool->fresh++ * pool->stride);
    b->pool = pool;
    b->size = pool->size;
    b->refs = 1;
    b->used = 0;
    pool->peak = ++pool->in_use;
    return b;
}

bool slice_keep(struct slice s, struct buf_pool *small, uint32_t copy_break,
                struct slice *ret_slice)
{
    struct buf *b;

    if (s.buf && s.len > copy_break) {
        buf_ref(s.buf);
        *ret_slice = s;
        return true;
    }
    if (s.len > small->size || !(b = buf_get(small)))
        return false;
    if (s.len > 0)
        memcpy(b->data, s.base, s.len);
    b->used = s.len;
    small->copied += s.len;
    *ret_slice = (struct slice){b, b->data, s.len};
    return true;
}

void pkt_begin(struct pkt *p, uint32_t header_len)
{
    assert(header_len <= PKT_ROOM);
    p->len = header_len;
    p->marks = 0;
    p->gso_size = 0;
    p->csum_start = 0;
    p->why = 0;
    p->ecn = 0;
    p->conn = 0;
    p->parts = 1;
    p->part[0] = (struct slice){.base = p->room, .len = header_len};
}

void pkt_set_header_len(struct pkt *p, uint32_t header_len)
{
    assert(header_len <= PKT_ROOM && p->parts > 0);
    p->len += header_len - p->part[0].len;
    p->part[0].len = header_len;
}

void pkt_cut(struct pkt *p, uint32_t len)
{
    assert(len <= p->len - p->part[0].len);
    p->len -= len;
    while (len > 0) {
        struct slice *last = &p->part[p->parts - 1];
        uint32_t n = last->len < len ? last->len : len;

        last->len -= n;
        len -= n;
        if (last->len == 0)
            p->parts--;
    }
}

uint32_t pkt_flatten(const struct pkt *p, uint8_t *out, uint32_t size)
{
    uint32_t done = 0;

    for (unsigned i = 0; i < p->parts && done < size; i++) {
        uint32_t room = size - done;
        uint32_t n = p->part[i].len < room ? p->part[i].len : room;

        if (n > 0) /* memcpy wants real pointers, even for nothing */
            memcpy(out + done, p->part[i].base, n);
        done += n;
    }
    return done;
}
