#include "tcp/recovery/board.h"

#include <assert.h>
#include <string.h>

#include "base/seq.h"

/* ---- walking ---- */

static struct range *by_seq(const struct board *b, const struct list *at)
{
    return at == &b->by_seq ? NULL : container_of(at, struct range, by_seq);
}

static struct range *by_time(const struct board *b, const struct list *at)
{
    return at == &b->by_time ? NULL : container_of(at, struct range, by_time);
}

struct range *board_first(const struct board *b)
{
    return by_seq(b, b->by_seq.next);
}

struct range *board_next(const struct board *b, const struct range *g)
{
    return by_seq(b, g->by_seq.next);
}

struct range *board_last(const struct board *b)
{
    return by_seq(b, b->by_seq.prev);
}

struct range *board_before(const struct board *b, const struct range *g)
{
    return by_seq(b, g->by_seq.prev);
}

struct range *board_oldest(const struct board *b)
{
    return by_time(b, b->by_time.next);
}

struct range *board_later(const struct board *b, const struct range *g)
{
    return by_time(b, g->by_time.next);
}

/* The first range that ends behind `seq`, or NULL; mostly it is near one of the ends. */
static struct range *find(const struct board *b, uint32_t seq)
{
    struct range *g = board_last(b), *before;

    if (!g || seq_leq(g->end, seq))
        return NULL;
    if (seq - board_first(b)->start < g->end - seq) {
        for (g = board_first(b); seq_leq(g->end, seq);)
            g = board_next(b, g);
        return g;
    }
    while ((before = board_before(b, g)) && seq_gt(before->end, seq))
        g = before;
    return g;
}

/* ---- sums ---- */

static uint32_t *sum_of(struct board *b, const struct range *g)
{
    if (g->sacked)
        return &b->sacked;
    if (g->lost)
        return &b->lost;
    return g->sent > 1 ? &b->resent : &b->fresh;
}

static void count(struct board *b, const struct range *g)
{
    *sum_of(b, g) += range_len(g);
}

static void uncount(struct board *b, const struct range *g)
{
    assert(*sum_of(b, g) >= range_len(g));
    *sum_of(b, g) -= range_len(g);
}

/* ---- ranges, and where they come from ---- */

static void insert_behind(struct list *at, struct list *node)
{
    list_append(at->next, node); /* before what follows */
}

static struct range *own(struct board *b, unsigned i)
{
    static_assert(BOARD_MORE == BOARD_OWN - 1, "and the first");
    return i == 0 ? &b->first : &b->more[i - 1];
}

/* In front: what was used last is in the cache. */
static void spare(struct board *b, struct range *g)
{
    insert_behind(&b->spare, &g->by_seq);
    b->spares++;
}

/* It flies no more. */
static void land(struct range *g)
{
    if (list_on(&g->by_time))
        list_remove(&g->by_time);
}

/* A range on no list can be used again, by this board or by others. */
static inline void recycle(struct board *b, struct range *g)
{
    if (board_owns(b, g))
        spare(b, g);
    else
        pool_put(b->pool, g);
}

/* A range that is not counted leaves the lists. */
static void drop(struct board *b, struct range *g)
{
    land(g);
    list_remove(&g->by_seq);
    b->n--;
    recycle(b, g);
}

/*
 * Two neighbours become one, which is `g`. Where both fly the later counts: the other is at worst
 * waited for a little longer. Where one flies, neither is lost any more, until a timer says so;
 * else what was just sent again would be lost at once, and be sent for ever.
 */
static void merge(struct board *b, struct range *g, struct range *next)
{
    bool both = g->sacked && next->sacked, flies = list_on(&g->by_time) || list_on(&next->by_time);
    bool lost = !both && !flies && (g->lost || next->lost);
    bool later = list_on(&next->by_time) && (!list_on(&g->by_time) || next->sent_at >= g->sent_at);

    uncount(b, g);
    uncount(b, next);
    if (!g->lost)
        g->why = next->why;
    g->lost = lost;
    g->sacked = both;
    g->probe = g->probe && next->probe;
    g->sent = g->sent > next->sent ? g->sent : next->sent;
    if (lost || later)
        land(g);
    if (!lost && later)
        insert_behind(&next->by_time, &g->by_time);
    if (g->overtaken_at < next->overtaken_at)
        g->overtaken_at = next->overtaken_at;
    if (later) {
        g->sent_at = next->sent_at;
        g->mark = next->mark;
    }
    g->end = next->end;
    drop(b, next);
    count(b, g);
}

/* There is no range left: make one of two that differ least. */
static void squeeze(struct board *b)
{
    struct range *g = board_first(b), *next;

    assert(b->n >= 2);
    for (; (next = board_next(b, g)); g = next)
        if (!g->sacked && !next->sacked && g->lost == next->lost)
            break;
    if (!next)
        g = board_first(b);
    merge(b, g, board_next(b, g));
}

/* From here on `n` ranges are there to be taken. What points to ranges may be wrong after it. */
static void reserve(struct board *b, unsigned n)
{
    while (b->spares < n) {
        struct range *g = NULL;

        if (b->own_used < BOARD_OWN)
            g = own(b, b->own_used++);
        else if (b->n + b->spares < BOARD_RANGES_MAX)
            g = pool_get(b->pool);
        if (g)
            spare(b, g);
        else
            squeeze(b);
    }
}

/* Give back what reserve took and nobody needed. */
static void give_back(struct board *b)
{
    struct list *at = b->spare.next;

    while (at != &b->spare) {
        struct range *g = container_of(at, struct range, by_seq);

        at = at->next;
        if (board_owns(b, g))
            continue;
        list_remove(&g->by_seq);
        b->spares--;
        pool_put(b->pool, g);
    }
}

/* One of those that are reserved. */
static struct range *take(struct board *b)
{
    struct range *g = container_of(b->spare.next, struct range, by_seq);

    assert(b->spares > 0);
    list_remove(&g->by_seq);
    b->spares--;
    b->n++;
    return g;
}

/* `g` ends at `at` now; what was behind that is a range of its own. */
static void split(struct board *b, struct range *g, uint32_t at)
{
    struct range *h = take(b);
    bool flies = list_on(&g->by_time);

    assert(seq_lt(g->start, at) && seq_lt(at, g->end));
    *h = *g;
    h->by_seq = h->by_time = (struct list){0};
    h->start = g->end = at;
    insert_behind(&g->by_seq, &h->by_seq);
    if (flies)
        insert_behind(&g->by_time, &h->by_time);
}

/*
 * The first range of [start, end), with ranges split where these numbers fall into one; NULL: none
 * is there.
 */
static struct range *cut(struct board *b, uint32_t start, uint32_t end)
{
    struct range *g, *last;

    reserve(b, 2);
    g = find(b, start);
    if (g && seq_lt(g->start, start) && seq_lt(start, end)) {
        split(b, g, start);
        g = board_next(b, g);
    }
    last = find(b, end);
    if (last && seq_lt(last->start, end))
        split(b, last, end);
    give_back(b);
    return g && seq_lt(g->start, end) ? g : NULL;
}

/* ---- the life of a board ---- */

void board_init(struct board *b, struct pool *ranges, struct range *more, uint32_t una)
{
    memset(b, 0, offsetof(struct board, first));
    b->pool = ranges;
    b->more = more;
    b->fack = una;
    list_init(&b->by_seq);
    list_init(&b->by_time);
    list_init(&b->spare);
}

void board_clear(struct board *b)
{
    struct range *g;

    while ((g = board_first(b)))
        drop(b, g);
    b->fresh = b->resent = b->lost = b->sacked = 0;
}

/* ---- sending ---- */

/* Both fly, and left at the same instant: for all that will be asked they are one. */
static bool alike(const struct range *g, const struct range *next)
{
    return list_on(&g->by_time) && list_on(&next->by_time) && g->sent_at == next->sent_at &&
           (g->sent > 1) == (next->sent > 1) && g->probe == next->probe &&
           next->end - g->start <= BOARD_JOIN_MAX;
}

static void depart(struct board *b, struct range *g, int64_t now)
{
    struct range *before = board_before(b, g);

    if (b->rate)
        rate_on_send(b->rate, &g->mark, now, board_pipe(b), range_len(g));
    g->sent_at = now;
    g->overtaken_at = 0;
    list_append(&b->by_time, &g->by_time);
    count(b, g);
    if (before && alike(before, g))
        merge(b, before, g);
}

static void sent(struct board *b, int64_t now, uint32_t start, uint32_t end, bool probe)
{
    struct range *g;

    if (start == end)
        return;
    assert(!b->n || board_last(b)->end == start);
    reserve(b, 1);
    g = take(b);
    g->start = start;
    g->end = end;
    g->sent = 1;
    g->why = REASON_NONE;
    g->sacked = g->lost = false;
    g->probe = probe;
    list_append(&b->by_seq, &g->by_seq);
    if (b->n == 1)
        b->fack = start;
    depart(b, g, now);
}

void board_sent(struct board *b, int64_t now, uint32_t start, uint32_t end)
{
    sent(b, now, start, end, false);
}

void board_sent_probe(struct board *b, int64_t now, uint32_t start, uint32_t end)
{
    sent(b, now, start, end, true);
}

void board_resent(struct board *b, int64_t now, uint32_t start, uint32_t end)
{
    struct range *g = cut(b, start, end), *next;

    for (; g && seq_lt(g->start, end); g = next) {
        next = board_next(b, g);
        if (g->sacked)
            continue;
        uncount(b, g);
        land(g);
        g->lost = g->probe = false;
        g->sent = (uint8_t)(g->sent < UINT8_MAX ? g->sent + 1 : UINT8_MAX);
        depart(b, g, now);
    }
}

/* ---- acknowledgments ---- */

/* Of `g` what lies below `una` is acknowledged. */
static void ack_part(struct board *b, struct range *g, uint32_t una, const struct board_ear *ear)
{
    struct range part = *g;

    part.end = una;
    if (!part.sacked)
        ear->delivered(ear->arg, &part);
    uncount(b, g);
    g->start = una;
    count(b, g);
}

void board_ack(struct board *b, uint32_t una, const struct board_ear *ear)
{
    struct range *g;

    while ((g = board_first(b)) && seq_lt(g->start, una)) {
        if (seq_gt(g->end, una)) {
            ack_part(b, g, una, ear);
            break;
        }
        if (!g->sacked)
            ear->delivered(ear->arg, g);
        uncount(b, g);
        drop(b, g);
    }
    b->fack = seq_max(b->fack, una);
}

struct range *board_ack_whole(struct board *b)
{
    struct range *g = board_first(b);

    b->fresh = 0;
    b->fack = seq_max(b->fack, g->end);
    b->n = 0;
    list_init(&b->by_seq);
    list_init(&b->by_time);
    g->by_seq = g->by_time = (struct list){0};
    recycle(b, g);
    return g;
}

/* What is sacked has no more than its numbers, so neighbours are one. */
static struct range *join_sacked(struct board *b, struct range *g)
{
    struct range *before = board_before(b, g), *next = board_next(b, g);

    if (next && next->sacked)
        merge(b, g, next);
    if (!before || !before->sacked)
        return g;
    merge(b, before, g);
    return before;
}

void board_sack(struct board *b, uint32_t start, uint32_t end, const struct board_ear *ear)
{
    struct range *g = find(b, start);

    if (g && g->sacked && seq_leq(g->start, start) && seq_geq(g->end, end))
        return; /* it is said again */
    for (g = cut(b, start, end); g && seq_lt(g->start, end); g = board_next(b, g)) {
        if (g->sacked)
            continue;
        ear->delivered(ear->arg, g);
        uncount(b, g);
        land(g);
        g->lost = false;
        g->sacked = true;
        count(b, g);
        b->fack = seq_max(b->fack, g->end);
        g = join_sacked(b, g);
    }
}

/* Where they would stand by time is not known any more: in front, for they are old. */
void board_forget_sacks(struct board *b)
{
    struct range *g = board_first(b);

    for (; g; g = board_next(b, g)) {
        if (!g->sacked)
            continue;
        uncount(b, g);
        g->sacked = false;
        g->sent_at = board_oldest(b) ? board_oldest(b)->sent_at : g->sent_at;
        insert_behind(&b->by_time, &g->by_time);
        count(b, g);
    }
    b->fack = b->n ? board_first(b)->start : b->fack;
}

/* ---- losses ---- */

void board_lose(struct board *b, struct range *g, enum reason why)
{
    assert(!g->sacked && !g->lost);
    uncount(b, g);
    land(g);
    g->lost = true;
    g->why = (uint8_t)why;
    count(b, g);
    if (b->rate)
        rate_on_lost(b->rate, &g->mark, range_len(g));
}

uint32_t board_lose_span(struct board *b, uint32_t start, uint32_t end, enum reason why)
{
    uint32_t bytes = 0;
    struct range *g = cut(b, start, end);

    for (; g && seq_lt(g->start, end); g = board_next(b, g)) {
        g->why = (uint8_t)why;
        if (g->sacked || g->lost)
            continue;
        board_lose(b, g, why);
        bytes += range_len(g);
    }
    return bytes;
}

/* By time it stands before what left later; that is near the end of those that fly. */
static void fly_again(struct board *b, struct range *g)
{
    struct list *at = b->by_time.prev;

    while (at != &b->by_time && container_of(at, struct range, by_time)->sent_at > g->sent_at)
        at = at->prev;
    insert_behind(at, &g->by_time);
}

void board_regain(struct board *b)
{
    for (struct range *g = board_first(b); g; g = board_next(b, g)) {
        if (!g->lost || g->why == REASON_SEND_REOPENED || g->why == REASON_SEND_SMALLER ||
            g->why == REASON_SEND_MTU_AGAIN)
            continue;
        uncount(b, g);
        g->lost = false;
        fly_again(b, g);
        count(b, g);
    }
}

bool board_first_lost(const struct board *b, uint32_t *ret_start, uint32_t *ret_end,
                      enum reason *ret_why)
{
    const struct range *g = board_first(b);

    if (!b->lost)
        return false;
    while (!g->lost)
        g = board_next(b, g);
    *ret_start = g->start;
    *ret_end = g->end;
    *ret_why = (enum reason)g->why;
    while ((g = board_next(b, g)) && g->lost && g->why == *ret_why)
        *ret_end = g->end;
    return true;
}
