/*
 * A stack that is a few arrays, for tests of what stands above it: the test says what arrives and
 * how much may be sent, and looks at what was sent. Include it in one file of a test program; its
 * functions take the place of the real ones.
 */
#ifndef TESTS_UNIT_FAKE_STACK_H
#define TESTS_UNIT_FAKE_STACK_H

#include <errno.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "app/app.h"
#include "stack/stack.h"

enum {
    FAKE_CONNS = 8,
    FAKE_RX = 1 << 17,
    FAKE_TX = 1 << 20,
    FAKE_HELD = 4096,
    FAKE_EVENTS = 256,
    FAKE_PACKETS = 1024,
};

struct fake_conn {
    bool live, eof, closed, released, aborted;
    bool blocked; /* a send was refused since the last look */
    void *user;
    uint8_t rx[FAKE_RX];
    uint32_t rx_n, rx_at;
    uint8_t tx[FAKE_TX];
    uint32_t tx_n;
    uint32_t urgent;             /* bytes of tx that are marked */
    uint32_t space;              /* bytes that sends may still take */
    struct buf *held[FAKE_HELD]; /* references that sends brought, until fake_ack */
    uint32_t held_n;
};

struct stack {
    struct fake_conn conn[FAKE_CONNS];
    struct stack_event event[FAKE_EVENTS];
    unsigned events, events_at;
    struct stack_datagram dgram_in[16], dgram_out[16];
    unsigned dgrams_in, dgrams_in_at, dgrams_out;
    int udp_error; /* what the next stack_udp_send says */
    struct stack_totals totals;
    uint64_t copied;
    uint64_t counts[REASON_COUNT];
    unsigned listed; /* connections that stack_next_conn tells, all alike */
    /* doors */
    unsigned inputs, ticks, out_n, out_at;
    bool expects;      /* packets are to be announced */
    unsigned expected; /* that were, and have not come */
    unsigned expected_most;
    int64_t first_input_at; /* ns */
    int64_t input_at;       /* of the latest */
    struct slice payload;   /* of each packet that leaves, if there is one */
    int64_t deadline;
};

static struct stack fake;
static struct buf_pool fake_pool;

static inline void fake_reset(void)
{
    static void *mem;
    size_t size = buf_pool_bytes(256, 65536);

    free(mem);
    mem = aligned_alloc(64, (size + 63) / 64 * 64);
    memset(&fake, 0, sizeof(fake));
    fake.deadline = TIME_NEVER;
    buf_pool_init(&fake_pool, mem, size, 65536);
}

static inline struct conn_id fake_id(uint32_t slot)
{
    return (struct conn_id){slot, 1};
}

/* A connection appears: its event goes to `a`, as a listener's would. */
static inline struct fake_conn *fake_accept(uint32_t slot, struct app *a)
{
    struct fake_conn *c = &fake.conn[slot];
    struct stack_event ev = {.kind = EV_ACCEPTED, .conn = fake_id(slot), .user = a};

    memset(c, 0, sizeof(*c));
    c->live = true;
    c->space = FAKE_TX;
    c->user = a;
    a->ops->event(a, &fake, &ev);
    return c;
}

static inline void fake_tell(uint32_t slot, enum stack_event_kind kind, enum reason why)
{
    struct app *a = fake.conn[slot].user;
    struct stack_event ev = {.kind = kind, .conn = fake_id(slot), .why = why, .user = a};

    a->ops->event(a, &fake, &ev);
    if (kind == EV_CLOSED)
        fake.conn[slot].live = false;
}

/* Bytes arrive, and the application is told. */
static inline void fake_arrive(uint32_t slot, const void *bytes, size_t n)
{
    struct fake_conn *c = &fake.conn[slot];

    memcpy(c->rx + c->rx_n, bytes, n);
    c->rx_n += (uint32_t)n;
    fake_tell(slot, EV_READABLE, REASON_NONE);
}

static inline void fake_eof(uint32_t slot)
{
    fake.conn[slot].eof = true;
    fake_tell(slot, EV_PEER_CLOSED, REASON_NONE);
}

/* The remote node acknowledges everything: references are dropped, the queue is empty. */
static inline void fake_ack(uint32_t slot, uint32_t space)
{
    struct fake_conn *c = &fake.conn[slot];

    while (c->held_n)
        buf_unref(c->held[--c->held_n]);
    c->space = space;
    if (c->blocked) {
        c->blocked = false;
        fake_tell(slot, EV_WRITABLE, REASON_NONE);
    }
}

static inline struct fake_conn *fake_get(struct conn_id conn)
{
    struct fake_conn *c = &fake.conn[conn.slot];

    return c->live && !c->released ? c : NULL;
}

/* ---- user calls ---- */

uint32_t stack_send_space(const struct stack *st, struct conn_id conn)
{
    (void)st;
    return fake_get(conn) ? fake.conn[conn.slot].space : 0;
}

int stack_send(struct stack *st, struct conn_id conn, struct slice s)
{
    struct fake_conn *c = fake_get(conn);

    (void)st;
    if (!c)
        return -EBADF;
    if (c->closed)
        return -EPIPE;
    if (s.len > c->space) {
        c->blocked = true;
        return -EAGAIN;
    }
    memcpy(c->tx + c->tx_n, s.base, s.len);
    c->tx_n += s.len;
    c->space -= s.len;
    if (s.buf)
        c->held[c->held_n++] = s.buf;
    return 0;
}

int stack_receive(struct stack *st, struct conn_id conn, uint32_t max, struct slice *ret_slice)
{
    struct fake_conn *c = fake_get(conn);
    uint32_t n;
    struct buf *b;

    (void)st;
    if (!c)
        return -EBADF;
    n = c->rx_n - c->rx_at;
    if (n == 0)
        return c->eof ? 0 : -EAGAIN;
    if (n > max)
        n = max;
    if (n > 1400)
        n = 1400; /* as packets bring them */
    b = buf_get(&fake_pool);
    memcpy(b->data, c->rx + c->rx_at, n);
    c->rx_at += n;
    *ret_slice = (struct slice){b, b->data, n};
    return (int)n;
}

int stack_close(struct stack *st, struct conn_id conn)
{
    struct fake_conn *c = fake_get(conn);

    (void)st;
    if (!c)
        return -EBADF;
    c->closed = true;
    return 0;
}

int stack_release(struct stack *st, struct conn_id conn)
{
    struct fake_conn *c = fake_get(conn);

    (void)st;
    if (!c)
        return -EBADF;
    c->released = true;
    return 0;
}

int stack_abort(struct stack *st, struct conn_id conn)
{
    (void)st;
    fake.conn[conn.slot].aborted = true;
    return 0;
}

int stack_urgent(struct stack *st, struct conn_id conn)
{
    (void)st;
    fake.conn[conn.slot].urgent = fake.conn[conn.slot].tx_n;
    return 0;
}

int stack_set_user(struct stack *st, struct conn_id conn, void *user)
{
    (void)st;
    fake.conn[conn.slot].user = user;
    return 0;
}

int stack_status(const struct stack *st, struct conn_id conn, struct stack_conn_status *ret)
{
    (void)st;
    *ret = (struct stack_conn_status){.conn = conn,
                                      .state = TCP_ESTABLISHED,
                                      .local = addr_v4(0x0a000105),
                                      .remote = addr_v4(0x0a000007),
                                      .local_port = 8000,
                                      .age = 12345 * MSEC,
                                      .remote_port = (uint16_t)(50000 + conn.slot)};
    return 0;
}

bool stack_next_conn(const struct stack *st, uint32_t *cursor, struct stack_conn_status *ret)
{
    if (*cursor >= st->listed)
        return false;
    stack_status(st, fake_id((*cursor)++ % FAKE_CONNS), ret);
    return true;
}

const char *tcp_state_name(enum tcp_state s)
{
    return s == TCP_ESTABLISHED ? "ESTABLISHED" : "another";
}

int stack_udp_receive(struct stack *st, int udp, struct stack_datagram *ret)
{
    (void)udp;
    if (st->dgrams_in_at == st->dgrams_in)
        return -EAGAIN;
    *ret = st->dgram_in[st->dgrams_in_at++];
    return 0;
}

int stack_udp_receive_several(struct stack *st, int udp, struct stack_datagram *ret)
{
    return stack_udp_receive(st, udp, ret);
}

int stack_udp_send(struct stack *st, int udp, const struct stack_datagram *dgram)
{
    (void)udp;
    if (st->udp_error)
        return st->udp_error;
    st->dgram_out[st->dgrams_out++] = *dgram;
    return 0;
}

uint64_t stack_count(const struct stack *st, enum reason r)
{
    return st->counts[r];
}

const struct stack_totals *stack_totals(const struct stack *st)
{
    return &st->totals;
}

uint64_t stack_copied(const struct stack *st)
{
    return st->copied;
}

/* ---- doors ---- */

enum reason stack_input(struct stack *st, int64_t now, const struct pkt *p)
{
    (void)p;
    if (st->expected > 0)
        st->expected--;
    st->input_at = now;
    if (st->inputs++ == 0)
        st->first_input_at = now;
    return REASON_NONE;
}

bool stack_expects(const struct stack *st)
{
    return st->expects;
}

void stack_expect(struct stack *st, const struct pkt *p)
{
    (void)p;
    if (++st->expected > st->expected_most)
        st->expected_most = st->expected;
}

/* Packets of one byte each: 0, 1, 2, ..., and the payload by reference. */
bool stack_output(struct stack *st, int64_t now, struct pkt *p)
{
    (void)now;
    if (st->out_at == st->out_n)
        return false;
    p->room[0] = (uint8_t)st->out_at++;
    p->len = 1;
    p->parts = 1;
    p->part[0] = (struct slice){NULL, p->room, 1};
    pkt_add(p, st->payload);
    return true;
}

void stack_tick(struct stack *st, int64_t now)
{
    (void)now;
    st->ticks++;
}

int64_t stack_deadline(const struct stack *st)
{
    return st->deadline;
}

bool stack_event(struct stack *st, struct stack_event *ret)
{
    if (st->events_at == st->events)
        return false;
    *ret = st->event[st->events_at++];
    return true;
}

#endif
