#include "base/chunk.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"

/* Append the slice (buf, base, len). */
static inline bool push(struct chunkq *q, struct pool *cells, struct buf *buf, const uint8_t *base,
                        uint32_t len)
{
    struct chunk *c = pool_get(cells);

    if (!c)
        return false;
    assert(len > 0);
    c->next = NULL;
    c->s.buf = buf;
    c->s.base = base;
    c->s.len = len;
    if (q->tail)
        q->tail->next = c;
    else
        q->head = c;
    q->tail = c;
    q->bytes += len;
    return true;
}

/* Do these bytes stand right behind the queue's last one, in the same memory? */
static bool continues(const struct chunkq *q, struct slice s)
{
    const struct chunk *c = q->tail;

    return c && c->s.buf == s.buf && c->s.base + c->s.len == s.base;
}

bool chunkq_push(struct chunkq *q, struct pool *cells, struct slice s)
{
    if (!continues(q, s))
        return push(q, cells, s.buf, s.base, s.len);
    assert(s.len > 0);
    q->tail->s.len += s.len;
    q->bytes += s.len;
    buf_unref(s.buf); /* one reference holds all of it */
    return true;
}

/* How many bytes can be written right behind the queue's last byte, where nobody else looks. */
static uint32_t tail_room(const struct chunkq *q, const struct buf_pool *small)
{
    const struct chunk *c = q->tail;

    if (!c || !c->s.buf || c->s.buf->pool != small || c->s.buf->refs != 1)
        return 0;
    if (c->s.base + c->s.len != c->s.buf->data + c->s.buf->used)
        return 0;
    return c->s.buf->size - c->s.buf->used;
}

static void tail_fill(struct chunkq *q, const uint8_t *bytes, uint32_t len)
{
    struct buf *b = q->tail->s.buf;

    memcpy(b->data + b->used, bytes, len);
    b->used += len;
    q->tail->s.len += len;
    q->bytes += len;
}

uint32_t chunkq_push_copy(struct chunkq *q, struct pool *cells, struct buf_pool *small,
                          const uint8_t *bytes, uint32_t len)
{
    uint32_t done = min32(len, tail_room(q, small));

    if (done)
        tail_fill(q, bytes, done);
    while (done < len) {
        struct buf *b = buf_get(small);
        uint32_t n;

        if (!b)
            break;
        n = min32(len - done, b->size);
        memcpy(b->data, bytes + done, n);
        b->used = n;
        if (!push(q, cells, b, b->data, n)) {
            buf_unref(b);
            break;
        }
        done += n;
    }
    small->copied += done;
    return done;
}

uint32_t chunkq_keep(struct chunkq *q, struct pool *cells, struct buf_pool *small, struct slice s)
{
    if (!s.buf || s.len <= CHUNK_COPY_BREAK)
        return chunkq_push_copy(q, cells, small, s.base, s.len);
    if (!push(q, cells, s.buf, s.base, s.len))
        return 0;
    buf_ref(s.buf);
    return s.len;
}

/* The first chunk leaves the queue; its reference is the caller's. */
static inline void pop_whole(struct chunkq *q, struct pool *cells)
{
    struct chunk *c = q->head;

    q->bytes -= c->s.len;
    q->head = c->next;
    if (!q->head)
        q->tail = NULL;
    pool_put(cells, c);
}

/* The first bytes of the first chunk leave it; some stay. */
static inline void pop_front(struct chunkq *q, uint32_t len)
{
    q->head->s.base += len;
    q->head->s.len -= len;
    q->bytes -= len;
}

struct slice chunkq_pop(struct chunkq *q, struct pool *cells, uint32_t max)
{
    struct slice s = q->head->s;

    assert(max > 0);
    if (s.len <= max) {
        pop_whole(q, cells);
        return s;
    }
    pop_front(q, max);
    buf_ref(s.buf);
    s.len = max;
    return s;
}

void chunkq_drop(struct chunkq *q, struct pool *cells, uint32_t len, struct chunk_cursor *cur)
{
    assert(len <= q->bytes);
    while (len > 0) {
        struct chunk *c = q->head;
        struct buf *b = c->s.buf;
        uint32_t n = min32(len, c->s.len);

        if (cur && cur->at == c)
            *cur = (struct chunk_cursor){0};
        else if (cur && cur->at)
            cur->off -= n;
        len -= n;
        if (n < c->s.len) {
            pop_front(q, n);
        } else {
            pop_whole(q, cells);
            buf_unref(b);
        }
    }
}

void chunkq_join(struct chunkq *q, struct chunkq *from)
{
    if (!from->head)
        return;
    if (q->tail)
        q->tail->next = from->head;
    else
        q->head = from->head;
    q->tail = from->tail;
    q->bytes += from->bytes;
    *from = (struct chunkq){0};
}

uint32_t chunkq_gather(const struct chunkq *q, struct chunk_cursor *cur, uint32_t off, uint32_t len,
                       struct pkt *p)
{
    struct chunk *c = q->head;
    uint32_t at = 0, done = 0, n;

    assert(off + len <= q->bytes);
    if (cur->at && cur->off <= off) {
        c = cur->at;
        at = cur->off;
    }
    if (len == 0)
        return 0;
    while (p->parts < PKT_PARTS_MAX) {
        for (; off - at >= c->s.len; c = c->next)
            at += c->s.len;
        n = min32(len - done, c->s.len - (off - at));
        pkt_add(p, slice_sub(c->s, off - at, n));
        done += n;
        off += n;
        cur->at = c;
        cur->off = at;
        if (done == len)
            break;
    }
    return done;
}
