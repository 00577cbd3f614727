/*
 * The table of connections: an array of slots, and a hash table over addresses and ports with a
 * keyed hash, so that nobody outside can aim at one bucket. Slots that were never needed are never
 * touched.
 *
 * In front of it stand hints: where a segment like this one was for last, found without the keyed
 * hash, which takes longer than all the rest of a lookup. A hint is a guess: whatever it says, the
 * connection there is compared, and where it is another one, or none, the table is asked. So who
 * makes two flows fall upon one hint gains no more than that they are looked up in the table, and
 * nothing has to be cleared when a connection goes.
 */
#include <assert.h>
#include <sodium/crypto_shorthash.h>
#include <string.h>

#include "base/bytes.h"
#include "base/prefetch.h"
#include "stack/internal.h"
#include "wire/plain.h"

enum {
    PORT_FIRST = 49152, /* of those that nobody has registered */
    PORT_COUNT = 65536 - PORT_FIRST,
    PORT_WIDE = 1024, /* of all that are free to take */
    PORT_WIDE_COUNT = STACK_PORTS,
    PORT_DRAWS = 16, /* in each of these */
};

static_assert(PORT_WIDE + PORT_WIDE_COUNT == 65536, "up to the last port");

uint64_t flow_hash(const struct stack *st, enum flow_key key, const struct addr *local,
                   uint16_t local_port, const struct addr *remote, uint16_t remote_port,
                   const uint8_t *more, unsigned more_len)
{
    uint8_t in[36 + FLOW_HASH_MORE_MAX], out[crypto_shorthash_BYTES];
    uint64_t h;

    static_assert(crypto_shorthash_KEYBYTES == 16 && STACK_SECRET == 64, "four keys");
    assert(more_len <= FLOW_HASH_MORE_MAX);
    memcpy(in, local->b, 16);
    memcpy(in + 16, remote->b, 16);
    put16(in + 32, local_port);
    put16(in + 34, remote_port);
    if (more_len)
        memcpy(in + 36, more, more_len);
    crypto_shorthash(out, in, 36 + more_len, st->cfg.secret + key);
    memcpy(&h, out, sizeof(h));
    return h;
}

uint64_t flow_ends_hash(const struct stack *st, const uint8_t *ends, unsigned len)
{
    uint8_t out[crypto_shorthash_BYTES];
    uint64_t h;

    crypto_shorthash(out, ends, len, st->cfg.secret + KEY_FLOW);
    memcpy(&h, out, sizeof(h));
    return h;
}

uint64_t flow_place_hash(const struct stack *st, const struct addr *local, uint16_t local_port,
                         const struct addr *remote, uint16_t remote_port)
{
    uint8_t ends[FLOW_ENDS_V6];
    unsigned n = addr_is_v4(local) ? 4 : 16;

    memcpy(ends, remote->b + 16 - n, n);
    memcpy(ends + n, local->b + 16 - n, n);
    put16(ends + 2 * n, remote_port);
    put16(ends + 2 * n + 2, local_port);
    return flow_ends_hash(st, ends, 2 * n + 4);
}

static bool is_flow(const struct tcb *c, const struct addr *local, uint16_t local_port,
                    const struct addr *remote, uint16_t remote_port)
{
    return c->local_port == local_port && c->remote_port == remote_port &&
           addr_eq(&c->remote, remote) && addr_eq(&c->local, local);
}

struct conn *flow_find(const struct stack *st, const struct addr *local, uint16_t local_port,
                       const struct addr *remote, uint16_t remote_port)
{
    uint64_t h = flow_place_hash(st, local, local_port, remote, remote_port);
    uint32_t at = *flow_bucket(st, h), tag = flow_tag(st, h);

    while (at) {
        struct conn *c = flow_at(st, at);

        if ((at & ~st->link_mask) == tag) {
            prefetch(c, sizeof(*c));
            if (is_flow(&c->tcb, local, local_port, remote, remote_port))
                return c;
        }
        at = c->hash_next;
    }
    return NULL;
}

static uint32_t ends_of(const struct ip_hdr *ip)
{
    return get32(ip->src.b + ADDR_V4_AT) ^ get32(ip->dst.b + ADDR_V4_AT);
}

/* The connection to which the hint leads, which may be any, or NULL. */
static inline struct conn *follow(const struct stack *st, uint32_t ends, uint32_t ports)
{
    uint32_t slot = flow_hint_slot(flow_hint_of(st, ends, ports), ports);
    struct conn *c;

    if (!slot)
        return NULL;
    c = &st->conns[slot - 1];
    prefetch(c, sizeof(*c));
    return c->hashed ? c : NULL;
}

struct conn *flow_guess(const struct stack *st, const struct ip_hdr *ip, const uint8_t ports[4])
{
    struct conn *c = follow(st, ends_of(ip), get32(ports));

    if (!c || !is_flow(&c->tcb, &ip->dst, get16(ports + 2), &ip->src, get16(ports)))
        return NULL;
    return c;
}

struct conn *flow_guess_plain(const struct stack *st, const uint8_t *b)
{
    uint32_t src = get32(b + PLAIN_SRC), dst = get32(b + PLAIN_DST), ports = get32(b + PLAIN_PORTS);
    struct conn *c = follow(st, src ^ dst, ports);
    const struct tcb *t;

    if (!c)
        return NULL;
    t = &c->tcb;
    if (((uint32_t)t->remote_port << 16 | t->local_port) != ports ||
        get32(t->remote.b + ADDR_V4_AT) != src || get32(t->local.b + ADDR_V4_AT) != dst ||
        !addr_is_v4(&t->local) || !addr_is_v4(&t->remote))
        return NULL;
    return c;
}

void flow_remember(const struct stack *st, const struct ip_hdr *ip, const uint8_t ports[4],
                   const struct conn *c)
{
    uint32_t both = get32(ports);

    flow_hint_set(flow_hint_of(st, ends_of(ip), both), both, conn_slot(st, c) + 1);
}

static struct conn *take_slot(struct stack *st)
{
    struct conn *c;

    assert(!flow_full(st));
    if (!st->free_slot) {
        c = &st->conns[st->fresh_slots++];
        c->generation = 0; /* it is; but a page that is read before it is written costs twice */
        return c;
    }
    c = &st->conns[st->free_slot - 1];
    st->free_slot = c->hash_next;
    return c;
}

/* End the oldest connection of a list, without a word to anyone. */
static bool end_oldest(struct stack *st, struct list *list, enum reason why)
{
    struct conn *c;

    if (list_empty(list))
        return false;
    c = container_of(list->next, struct conn, place);
    st->counts[why]++;
    tcp_end(&st->tcp, &c->tcb, st->now, REASON_END_ORDERLY);
    stack_settle(st, c);
    return true;
}

bool flow_recycle(struct stack *st)
{
    return end_oldest(st, &st->time_wait, REASON_TIME_WAIT_RECYCLED);
}

bool flow_evict(struct stack *st, struct listener *l)
{
    return end_oldest(st, &l->embryos, REASON_EMBRYO_EVICTED);
}

void flow_init(const struct stack *st, struct tcb *c, const struct addr *local, uint16_t local_port,
               const struct addr *remote, uint16_t remote_port)
{
    *c = (struct tcb){
        .local = *local,
        .remote = *remote,
        .local_port = local_port,
        .remote_port = remote_port,
        .set = &st->tcp.cfg.conn,
        .ts_offset = flow_ts_offset(st, local, local_port, remote, remote_port),
    };
}

static void hash(struct stack *st, struct conn *c)
{
    const struct tcb *t = &c->tcb;
    uint64_t h = flow_place_hash(st, &t->local, t->local_port, &t->remote, t->remote_port);
    uint32_t *bucket = flow_bucket(st, h);

    c->hash_next = *bucket;
    *bucket = (conn_slot(st, c) + 1) | flow_tag(st, h);
    c->hashed = true;
}

struct conn *flow_add(struct stack *st, const struct addr *local, uint16_t local_port,
                      const struct addr *remote, uint16_t remote_port)
{
    struct conn *c = take_slot(st);
    uint32_t generation;

    generation = c->generation + 1;
    memset(c, 0, sizeof(*c));
    c->generation = generation;
    flow_init(st, &c->tcb, local, local_port, remote, remote_port);
    hash(st, c);
    c->in_use = true;
    st->totals.conns++;
    if (st->totals.conns > st->totals.conns_peak)
        st->totals.conns_peak = st->totals.conns;
    return c;
}

void flow_set(struct stack *st, struct conn *c, const struct tcp_settings *settings)
{
    struct tcp_settings *own = &st->settings[conn_slot(st, c)];

    *own = *settings;
    c->tcb.set = own;
}

static void unhash(struct stack *st, struct conn *c)
{
    const struct tcb *t = &c->tcb;
    uint64_t h = flow_place_hash(st, &t->local, t->local_port, &t->remote, t->remote_port);
    uint32_t *at = flow_bucket(st, h), link = (conn_slot(st, c) + 1) | flow_tag(st, h);

    while (*at != link) {
        assert(*at);
        at = &flow_at(st, *at)->hash_next;
    }
    *at = c->hash_next;
    c->hashed = false;
}

void flow_rest(struct stack *st, struct conn *old, struct conn *c)
{
    assert(!old->hashed && c->hashed && !old->resting && !c->resting);
    old->resting = conn_slot(st, c) + 1;
    c->resting = conn_slot(st, old) + 1;
}

void flow_unhash(struct stack *st, struct conn *c)
{
    struct conn *other = c->resting ? &st->conns[c->resting - 1] : NULL;

    if (c->hashed)
        unhash(st, c);
    if (!other)
        return;
    c->resting = other->resting = 0;
    if (other->tcb.state == TCP_TIME_WAIT)
        hash(st, other);
}

void flow_remove(struct stack *st, struct conn *c)
{
    assert(c->in_use);
    flow_unhash(st, c);
    wheel_clear(&st->wheel, &c->timer);
    if (list_on(&c->output))
        list_remove(&c->output);
    stack_place(st, c, PLACE_NONE);
    accept_forget(st, c);
    c->in_use = false;
    c->generation++;
    c->hash_next = st->free_slot;
    st->free_slot = conn_slot(st, c) + 1;
    st->totals.conns--;
}

struct conn *flow_lookup(const struct stack *st, struct conn_id id)
{
    struct conn *c;

    if (id.slot >= st->fresh_slots)
        return NULL;
    c = &st->conns[id.slot];
    return c->in_use && c->generation == id.generation ? c : NULL;
}

/* ISN = M + F(local, remote, secret), M a clock of 4 microseconds (MUST-8, MUST-9, SHLD-1). */
uint32_t flow_isn(const struct stack *st, const struct tcb *c)
{
    uint64_t f =
        flow_hash(st, KEY_ISN, &c->local, c->local_port, &c->remote, c->remote_port, NULL, 0);

    return (st->cfg.isn_still ? 0 : (uint32_t)(st->now / (4 * USEC))) + (uint32_t)f;
}

/* The half of the hash that flow_isn leaves. */
uint32_t flow_ts_offset(const struct stack *st, const struct addr *local, uint16_t local_port,
                        const struct addr *remote, uint16_t remote_port)
{
    return (uint32_t)(flow_hash(st, KEY_ISN, local, local_port, remote, remote_port, NULL, 0) >>
                      32);
}

/* Is this connection still to be had, and by this stack? */
static bool is_free(const struct stack *st, const struct addr *local, uint16_t port,
                    const struct addr *remote, uint16_t remote_port)
{
    return share_is_ours(st, local, port, remote, remote_port) &&
           !flow_find(st, local, port, remote, remote_port);
}

/* A free port of first .. first + count - 1 in a few draws (RFC 6056 section 3.3.2), or 0. */
static uint16_t draw_port(struct stack *st, const struct addr *local, const struct addr *remote,
                          uint16_t remote_port, uint32_t first, uint32_t count)
{
    uint32_t draws = PORT_DRAWS * (st->share.all ? st->share.all : 1); /* others have their part */

    for (uint32_t i = 0; i < draws; i++) {
        uint16_t port = (uint16_t)(first + unguessable_below(&st->ip.random, count));

        if (is_free(st, local, port, remote, remote_port))
            return port;
    }
    return 0;
}

/*
 * The first free one of all ports, from a random one on and by a random step, which has no factor
 * with their number, so each comes once. (Step by step free ports would become rare in some places
 * and stay frequent in others, and the search long.)
 */
static uint16_t search_ports(struct stack *st, const struct addr *local, const struct addr *remote,
                             uint16_t remote_port)
{
    uint32_t at = unguessable_below(&st->ip.random, PORT_WIDE_COUNT), step;

    static_assert(PORT_WIDE_COUNT == 1024 * 3 * 3 * 7, "its prime factors are known");
    do {
        step = unguessable_below(&st->ip.random, PORT_WIDE_COUNT);
    } while (step % 2 == 0 || step % 3 == 0 || step % 7 == 0);
    for (uint32_t i = 0; i < PORT_WIDE_COUNT; i++) {
        uint16_t port = (uint16_t)(PORT_WIDE + at);

        if (is_free(st, local, port, remote, remote_port))
            return port;
        at = (at + step) % PORT_WIDE_COUNT;
    }
    return 0;
}

/*
 * Where the dynamic ports are nearly used up towards a remote port, all from 1024 on serve (RFC
 * 6056 section 3.2), and at last each of them is looked at.
 */
uint16_t flow_pick_port(struct stack *st, const struct addr *local, const struct addr *remote,
                        uint16_t remote_port)
{
    uint16_t port = draw_port(st, local, remote, remote_port, PORT_FIRST, PORT_COUNT);

    if (!port)
        port = draw_port(st, local, remote, remote_port, PORT_WIDE, PORT_WIDE_COUNT);
    return port ? port : search_ports(st, local, remote, remote_port);
}
