/*
 * Packets that will come soon. Among a million connections nothing of the one that a segment is for
 * is in a cache, and its parts lead from one to the next: the bucket of the table to the
 * connection, and that to what it has in flight. Each would be waited for in turn. But a node reads
 * packets in batches: so while one is handled, those behind it are followed one step further each,
 * and what the step needs was asked for some packets before.
 *
 *   asked       the bucket
 *   led         the connection, if it is the first of its bucket, or else the link to the next one
 *   known       the connection, if it was not the first
 *   flown       what it has in flight
 *
 * Steps are taken for a few packets at once: each begins with a page whose place has to be looked
 * up as well, and these lookups then go on side by side.
 *
 * Nothing is trusted and nothing decided here: bytes are looked at only where they are, memory is
 * asked for and not changed, and whose a segment is becomes a hint, which is a guess like all
 * others (flow.c), but saves the input the keyed hash that was made here. Who hands in other
 * packets than he announced, or none, has asked for memory in vain.
 *
 * A table that fits into a cache is looked up faster than all this takes, so small ones are left
 * out.
 */
#include "base/bytes.h"
#include "base/prefetch.h"
#include "stack/internal.h"
#include "tcp/flight.h"

enum {
    CONNS_LEAST = 1024,    /* connections: fewer are looked up as fast without */
    HINTED_MOST = 1 << 16, /* ... and of as many, few are where hints say */
    /* how many packets before its own a step is done, and a few later at the latest */
    AHEAD_LED = 16,
    AHEAD_KNOWN = 12,
    AHEAD_FLOWN = 8,
    GROUP = 4, /* packets for which steps are taken at once */
};

/*
 * The ends of a whole segment in a header that has no options (see flow_ends_hash), and how many
 * bytes they are; or NULL.
 */
static const uint8_t *ends_of(const struct slice *s, unsigned *ret_len)
{
    const uint8_t *b = s->base;

    if (s->len >= IPV4_HEADER_MIN + 4 && b[0] == (4 << 4 | IPV4_HEADER_MIN / 4) &&
        b[9] == IP_PROTO_TCP && (get16(b + 6) & 0x3fff) == 0) {
        *ret_len = FLOW_ENDS_V4;
        return b + 12;
    }
    if (s->len >= IPV6_HEADER + 4 && b[0] >> 4 == 6 && b[6] == IP_PROTO_TCP) {
        *ret_len = FLOW_ENDS_V6;
        return b + 8;
    }
    return NULL;
}

/* It is the connection in `slot`, less 1: its memory is wanted, and where it is will be asked. */
static void meet(const struct stack *st, struct expected *e, uint32_t slot)
{
    const struct conn *c = &st->conns[slot - 1];

    e->slot = slot;
    e->link = 0;
    prefetch(c, sizeof(*c));
}

/*
 * Follow the bucket's list while it is led on by connections that are here. One that has gone since
 * leads on among the free slots, of which there may be a million.
 */
static void follow(struct stack *st, struct expected *e, bool to_the_end)
{
    while (e->link) {
        const struct conn *c = flow_at(st, e->link);

        if ((e->link & ~st->link_mask) == flow_tag(st, e->hash)) {
            meet(st, e, (e->link & st->link_mask));
            flow_hint_set(e->hint, e->ports, e->slot);
            return;
        }
        if (!to_the_end) {
            __builtin_prefetch(&c->hash_next);
            return;
        }
        e->link = c->hashed ? c->hash_next : 0;
    }
}

static void be_led(struct stack *st, struct expected *e)
{
    if (!e->slot && e->hint) {
        e->link = *flow_bucket(st, e->hash);
        follow(st, e, false);
    }
}

static void be_flown(const struct stack *st, const struct expected *e)
{
    if (e->slot)
        flight_prefetch(st->conns[e->slot - 1].tcb.flight);
}

static struct expected *expected_at(struct expectation *x, uint32_t number)
{
    return &x->at[number % STACK_EXPECT_MAX];
}

/* Each step is done for those that are as near as that. */
static void go_on(struct stack *st)
{
    struct expectation *x = &st->expectation;

    while (x->led != x->end && x->led - x->first < AHEAD_LED)
        be_led(st, expected_at(x, x->led++));
    while (x->known != x->led && x->known - x->first < AHEAD_KNOWN)
        follow(st, expected_at(x, x->known++), true);
    while (x->flown != x->known && x->flown - x->first < AHEAD_FLOWN)
        be_flown(st, expected_at(x, x->flown++));
}

bool stack_expects(const struct stack *st)
{
    return st->totals.conns >= CONNS_LEAST;
}

void stack_expect(struct stack *st, const struct pkt *p)
{
    struct expectation *x = &st->expectation;
    struct expected *e = expected_at(x, x->end);
    const uint8_t *ends;
    unsigned len, address;

    if (!stack_expects(st) || x->end - x->first == STACK_EXPECT_MAX)
        return;
    *e = (struct expected){0};
    x->end++;
    if (!(ends = ends_of(&p->part[0], &len)))
        return;
    address = (len - 4) / 2;
    e->ports = get32(ends + 2 * address);
    e->hint = flow_hint_of(st, get32(ends + address - 4) ^ get32(ends + 2 * address - 4), e->ports);
    if (st->totals.conns < HINTED_MOST && (e->slot = flow_hint_slot(e->hint, e->ports))) {
        meet(st, e, e->slot);
        return;
    }
    e->hash = flow_ends_hash(st, ends, len);
    __builtin_prefetch(flow_bucket(st, e->hash));
}

void expect_came(struct stack *st)
{
    struct expectation *x = &st->expectation;

    if (x->led - x->first <= AHEAD_LED - GROUP || x->flown == x->first)
        go_on(st);
    x->first++;
}

void stack_expect_call(const struct stack *st, struct conn_id conn)
{
    if (conn.slot < st->fresh_slots)
        prefetch(&st->conns[conn.slot], sizeof(struct conn));
}
