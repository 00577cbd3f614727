#include "tests/fuzz/board_check.h"

#include <string.h>

#include "base/seq.h"
#include "tests/fuzz/fuzz.h"

enum {
    OVER = 0xdb,       /* what is written over that which was given back */
    RANGES_MAX = 1024, /* of the pool of a stack that is driven by a script */
};

/* Ranges of the pool that were found so far. */
struct found {
    const struct pool *pool;
    uint8_t seen[RANGES_MAX];
    uint32_t n, flights;
};

static void found_range(struct found *f, const struct board *b, const struct range *g)
{
    size_t at = (size_t)((const uint8_t *)g - f->pool->mem);

    if (b && board_owns(b, g))
        return;
    FUZZ_CHECK((const uint8_t *)g >= f->pool->mem && at / f->pool->size < f->pool->fresh &&
                   at % f->pool->size == 0,
               "a range that is nobody's");
    at /= f->pool->size;
    FUZZ_CHECK(at < RANGES_MAX && !f->seen[at], "range %zu stands twice", at);
    f->seen[at] = 1;
    f->n++;
}

static void check_range(const struct board *b, const struct range *g, uint32_t at)
{
    FUZZ_CHECK(g->start == at && seq_gt(g->end, g->start), "a range [%u, %u) behind %u",
               g->start - at, g->end - at, 0U);
    FUZZ_CHECK(g->sent > 0 && !(g->lost && g->sacked), "sent %u times, lost and sacked", g->sent);
    FUZZ_CHECK(list_on(&g->by_time) == (!g->lost && !g->sacked), "it flies, or does not");
    FUZZ_CHECK(!g->sacked || seq_leq(g->end, b->fack), "sacked beyond the highest that was");
}

static void check_by_time(const struct board *b)
{
    const struct range *g = board_oldest(b), *later;
    uint32_t flies = 0;

    for (; g; g = later) {
        later = board_later(b, g);
        FUZZ_CHECK(!later || g->sent_at <= later->sent_at, "the order by time is wrong");
        flies += range_len(g);
    }
    FUZZ_CHECK(flies == board_pipe(b), "%u bytes fly by time, %u by number", flies, board_pipe(b));
}

static void check_board(struct found *f, const struct tcb *c)
{
    const struct board *b = &c->flight->board;
    uint32_t at = c->snd_una, n = 0, fresh = 0, resent = 0, lost = 0, sacked = 0, spares = 0;

    for (const struct range *g = board_first(b); g; g = board_next(b, g), n++) {
        found_range(f, b, g);
        check_range(b, g, at);
        *(g->sacked ? &sacked : g->lost ? &lost : g->sent > 1 ? &resent : &fresh) += range_len(g);
        at = g->end;
    }
    FUZZ_CHECK(at == c->snd_nxt, "the board ends %u before SND.NXT", c->snd_nxt - at);
    FUZZ_CHECK(n == b->n && n <= BOARD_RANGES_MAX, "%u ranges, %u counted", n, b->n);
    FUZZ_CHECK(fresh == b->fresh && resent == b->resent && lost == b->lost && sacked == b->sacked,
               "sums of %u, %u, %u, %u, and counted are %u, %u, %u, %u", fresh, resent, lost,
               sacked, b->fresh, b->resent, b->lost, b->sacked);
    for (const struct list *l = b->spare.next; l != &b->spare; l = l->next, spares++)
        found_range(f, b, container_of(l, struct range, by_seq));
    FUZZ_CHECK(spares == b->spares && n + spares >= b->own_used, "%u spare ranges, %u counted",
               spares, b->spares);
    check_by_time(b);
}

/* The objects that came back since the last look stand in front; the third word is theirs. */
static void write_over(struct pool *p)
{
    uint8_t *o = p->free, known[8];

    memset(known, OVER, sizeof(known));
    while (o && memcmp(o + 16, known, sizeof(known)) != 0) {
        memset(o + sizeof(void *), OVER, p->size - sizeof(void *));
        memcpy(&o, o, sizeof(void *));
    }
}

static void check_free(struct found *f)
{
    const uint8_t *o = f->pool->free;

    for (; o; memcpy(&o, o, sizeof(void *)))
        found_range(f, NULL, (const void *)o);
    FUZZ_CHECK(f->n == f->pool->fresh, "%u ranges were handed out, and %u are known",
               f->pool->fresh, f->n);
}

void board_check(struct stack *st)
{
    struct found f = {.pool = &st->ranges};

    if (st->flights.fresh == 0)
        return;
    write_over(&st->ranges);
    write_over(&st->flights);
    for (uint32_t i = 0; i < st->fresh_slots; i++) {
        const struct conn *conn = &st->conns[i];

        if (!conn->in_use || !conn->tcb.flight)
            continue;
        f.flights++;
        if (conn->tcb.state != TCP_CLOSED)
            check_board(&f, &conn->tcb);
    }
    FUZZ_CHECK(f.flights == st->flights.in_use, "%u flights are taken, and %u are known",
               st->flights.in_use, f.flights);
    check_free(&f);
}
