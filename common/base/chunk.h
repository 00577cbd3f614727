/*
 * Queues of bytes by reference: a send or receive queue is a list of slices, each in a cell of a
 * pool that all connections share. Nothing is copied, but for small pieces, where holding a large
 * buffer for a few bytes would waste memory: those are gathered in small bufs.
 */
#ifndef BASE_CHUNK_H
#define BASE_CHUNK_H

#include "base/buf.h"
#include "base/pool.h"
#include "base/prefetch.h"

enum {
    CHUNK_COPY_BREAK = 256, /* bytes: received pieces up to this size are copied */
};

struct chunk {
    struct chunk *next;
    struct slice s;
};

struct chunkq {
    struct chunk *head, *tail;
    uint32_t bytes;
};

/* Where in a queue the last gathering ended, so that the next need not walk from the head. */
struct chunk_cursor {
    struct chunk *at; /* NULL: unknown */
    uint32_t off;     /* bytes of the queue before this chunk */
};

/* What is first in the queue will soon be dropped. */
static inline void chunkq_prefetch(const struct chunkq *q)
{
    if (q->head)
        prefetch(q->head, sizeof(*q->head));
}

/*
 * Append s; its reference passes to the queue. What continues the last chunk in memory becomes a
 * part of it: fewer pieces are less work for the system, which copies each by itself. False if no
 * cell is left, s is still the caller's.
 */
bool chunkq_push(struct chunkq *q, struct pool *cells, struct slice s);

/* Append a copy of the bytes in bufs of `small`, filling up the last one. Returns bytes taken. */
uint32_t chunkq_push_copy(struct chunkq *q, struct pool *cells, struct buf_pool *small,
                          const uint8_t *bytes, uint32_t len);

/*
 * Append received bytes: by a reference of the queue's own, or as a copy where s.buf is NULL (bytes
 * lent for the moment) or s.len is at most CHUNK_COPY_BREAK. Returns bytes taken.
 */
uint32_t chunkq_keep(struct chunkq *q, struct pool *cells, struct buf_pool *small, struct slice s);

/* Take the first chunk, or its first `max` bytes; its reference passes to the caller. */
struct slice chunkq_pop(struct chunkq *q, struct pool *cells, uint32_t max);

/* Drop the first `len` bytes; the queue has as many. The cursor (or NULL) stays right. */
void chunkq_drop(struct chunkq *q, struct pool *cells, uint32_t len, struct chunk_cursor *cur);

/* Move everything from `from` to the end of `q`. */
void chunkq_join(struct chunkq *q, struct chunkq *from);

/*
 * Add bytes off .. off + len - 1 of the queue to the packet, as long as it has parts left. Returns
 * how many bytes were added.
 */
uint32_t chunkq_gather(const struct chunkq *q, struct chunk_cursor *cur, uint32_t off, uint32_t len,
                       struct pkt *p);

#endif
