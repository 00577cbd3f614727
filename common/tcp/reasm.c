#include "tcp/reasm.h"

#include <assert.h>

#include "base/bytes.h"
#include "base/seq.h"

uint32_t reasm_chunks_max(uint32_t window)
{
    return min32(UINT16_MAX, max32(REASM_CHUNKS_MAX, window / REASM_CHUNK));
}

/* The most of `s` that can be kept at the cost of one chunk: a copy goes to one small buf each. */
static uint32_t piece_len(const struct reasm_mem *mem, struct slice s)
{
    return s.buf && s.len > CHUNK_COPY_BREAK ? s.len : min32(s.len, mem->small->size);
}

/* Append the bytes to the range; they begin where it ends. False if some found no place. */
static bool range_append(struct reasm *r, const struct reasm_mem *mem, struct reasm_range *g,
                         struct slice s)
{
    while (s.len > 0 && r->chunks < reasm_chunks_max(mem->window)) {
        struct chunkq q = {g->head, g->tail, 0};
        uint32_t len = piece_len(mem, s);
        uint32_t kept = chunkq_keep(&q, mem->cells, mem->small, slice_sub(s, 0, len));

        if (q.tail != g->tail) {
            g->chunks++;
            r->chunks++;
        }
        g->head = q.head;
        g->tail = q.tail;
        g->end += kept;
        s = slice_sub(s, kept, s.len - kept);
        if (kept < len)
            break;
    }
    return s.len == 0;
}

/* `next` begins where `g` ends: make them one. */
static void range_join_next(struct reasm *r, struct pool *cells, struct reasm_range *g)
{
    struct reasm_range *next = g->next;

    assert(g->end == next->start);
    g->tail->next = next->head;
    g->tail = next->tail;
    g->end = next->end;
    g->chunks += next->chunks;
    g->next = next->next;
    pool_put(cells, next);
    r->ranges--;
}

/* A new range behind `prev` (NULL: in front of all), or NULL if there is no place for it. */
static struct reasm_range *range_new(struct reasm *r, const struct reasm_mem *mem,
                                     struct reasm_range *prev, uint32_t seq, struct slice s)
{
    struct reasm_range **link = prev ? &prev->next : &r->first, *g;

    if (r->ranges == REASM_RANGES_MAX || !(g = pool_get(mem->cells)))
        return NULL;
    *g = (struct reasm_range){.start = seq, .end = seq};
    range_append(r, mem, g, s);
    if (g->end == seq) {
        pool_put(mem->cells, g);
        return NULL;
    }
    g->next = *link;
    *link = g;
    r->ranges++;
    return g;
}

/*
 * Bytes for a gap: they end at or before the range behind `prev`. Returns the range they went to,
 * or NULL if some of them found no place.
 */
static struct reasm_range *fill_gap(struct reasm *r, const struct reasm_mem *mem,
                                    struct reasm_range *prev, uint32_t seq, struct slice s)
{
    struct reasm_range *g = prev;

    if (prev && prev->end == seq)
        range_append(r, mem, prev, s);
    else
        g = range_new(r, mem, prev, seq, s);
    if (!g || g->end != seq + s.len)
        return NULL;
    if (g->next && g->next->start == g->end)
        range_join_next(r, mem->cells, g);
    return g;
}

static bool insert(struct reasm *r, const struct reasm_mem *mem, uint32_t seq, struct slice s)
{
    struct reasm_range *prev = NULL, *next = r->first;
    uint32_t end = seq + s.len, at = seq;

    while (seq_lt(at, end)) {
        while (next && seq_leq(next->start, at)) {
            at = seq_max(at, next->end);
            prev = next;
            next = next->next;
        }
        if (seq_geq(at, end))
            break;
        uint32_t stop = next ? seq_min(end, next->start) : end;
        prev = fill_gap(r, mem, prev, at, slice_sub(s, at - seq, stop - at));
        if (!prev)
            return false;
        at = prev->end;
        next = prev->next;
    }
    return true;
}

/* The range that holds the byte `seq` is the latest. */
static void touch(struct reasm *r, uint32_t seq)
{
    for (struct reasm_range *g = r->first; g && seq_leq(g->start, seq); g = g->next)
        if (seq_lt(seq, g->end))
            g->order = ++r->order;
}

bool reasm_insert(struct reasm *r, const struct reasm_mem *mem, uint32_t seq, struct slice s)
{
    bool all = insert(r, mem, seq, s);

    touch(r, seq);
    return all;
}

bool reasm_overlap(const struct reasm *r, uint32_t *start, uint32_t *end)
{
    for (const struct reasm_range *g = r->first; g && seq_lt(g->start, *end); g = g->next) {
        if (seq_leq(g->end, *start))
            continue;
        *start = seq_max(*start, g->start);
        *end = seq_min(*end, g->end);
        return true;
    }
    return false;
}

const struct reasm_range *reasm_latest(const struct reasm *r, const struct reasm_range *after)
{
    const struct reasm_range *best = NULL;

    for (const struct reasm_range *g = r->first; g; g = g->next)
        if ((!after || seq_lt(g->order, after->order)) && (!best || seq_gt(g->order, best->order)))
            best = g;
    return best;
}

static void range_clear(struct reasm_range *g, struct pool *cells)
{
    struct chunkq q = {g->head, g->tail, g->end - g->start};

    chunkq_drop(&q, cells, q.bytes, NULL);
    pool_put(cells, g);
}

uint32_t reasm_take(struct reasm *r, struct pool *cells, uint32_t nxt, struct chunkq *q)
{
    uint32_t added = 0;

    while (r->first && seq_leq(r->first->start, nxt + added)) {
        struct reasm_range *g = r->first;
        struct chunkq bytes = {g->head, g->tail, g->end - g->start};
        uint32_t stale = nxt + added - g->start;

        r->first = g->next;
        r->ranges--;
        r->chunks = (uint16_t)(r->chunks - g->chunks);
        if (stale >= bytes.bytes) {
            range_clear(g, cells);
            continue;
        }
        chunkq_drop(&bytes, cells, stale, NULL);
        added += bytes.bytes;
        chunkq_join(q, &bytes);
        pool_put(cells, g);
    }
    return added;
}

/* Keep the first `len` bytes of the range: at least one, and not all. */
static void range_cut(struct reasm *r, struct pool *cells, struct reasm_range *g, uint32_t len)
{
    struct chunk *last = g->head;
    uint32_t at = last->s.len, kept = 1;
    struct chunkq rest;

    for (; at < len; kept++) {
        last = last->next;
        at += last->s.len;
    }
    rest = (struct chunkq){last == g->tail ? NULL : last->next, g->tail, g->end - g->start - at};
    chunkq_drop(&rest, cells, rest.bytes, NULL);
    last->s.len -= at - len;
    last->next = NULL;
    r->chunks = (uint16_t)(r->chunks - (g->chunks - kept));
    g->tail = last;
    g->chunks = kept;
    g->end = g->start + len;
}

void reasm_cut(struct reasm *r, struct pool *cells, uint32_t end)
{
    struct reasm_range **link = &r->first;

    while (*link && seq_leq((*link)->end, end))
        link = &(*link)->next;
    if (*link && seq_lt((*link)->start, end)) {
        range_cut(r, cells, *link, end - (*link)->start);
        link = &(*link)->next;
    }
    while (*link) {
        struct reasm_range *g = *link;

        *link = g->next;
        r->ranges--;
        r->chunks = (uint16_t)(r->chunks - g->chunks);
        range_clear(g, cells);
    }
}

void reasm_clear(struct reasm *r, struct pool *cells)
{
    while (r->first) {
        struct reasm_range *g = r->first;

        r->first = g->next;
        range_clear(g, cells);
    }
    r->ranges = 0;
    r->chunks = 0;
}
