#include "app/bulk.h"

#include <errno.h>
#include <string.h>

enum {
    BULK_SEND = 16384, /* bytes offered at a time */
    BULK_READ = 65536,
};

void bulk_fill(uint8_t out[BULK_PERIOD])
{
    uint32_t x = 0x2545f491; /* xorshift; any start but 0 */

    for (unsigned i = 0; i < BULK_PERIOD; i++) {
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        out[i] = (uint8_t)(x >> 24);
    }
}

/* The next bytes to send: at most BULK_SEND, and not across the end of the period. */
static struct slice bulk_next(const struct bulk_flow *f)
{
    uint32_t at = (uint32_t)(f->sent % BULK_PERIOD);
    uint64_t left = f->to_send - f->sent;
    uint32_t len = BULK_PERIOD - at;

    if (len > BULK_SEND)
        len = BULK_SEND;
    if (len > left)
        len = (uint32_t)left;
    return (struct slice){NULL, f->bulk->pattern + at, len};
}

static void bulk_send(struct bulk_flow *f, struct stack *st)
{
    while (f->sent < f->to_send) {
        struct slice s = bulk_next(f);

        if (stack_send(st, f->conn, s) < 0)
            return;
        f->sent += s.len;
    }
    if (!f->hold)
        stack_close(st, f->conn);
}

/* Compare received bytes with the pattern, piece by piece to the end of the period. */
static void bulk_check(struct bulk_flow *f, const uint8_t *p, uint32_t len)
{
    while (len && !f->wrong) {
        uint32_t at = (uint32_t)(f->received % BULK_PERIOD);
        uint32_t n = len < BULK_PERIOD - at ? len : BULK_PERIOD - at;

        if (memcmp(p, f->bulk->pattern + at, n) != 0) {
            f->wrong = true;
            return;
        }
        f->received += n;
        f->bulk->arrived += n;
        p += n;
        len -= n;
    }
}

static void bulk_receive(struct bulk_flow *f, struct stack *st)
{
    struct slice s;
    int n;

    while ((n = stack_receive(st, f->conn, BULK_READ, &s)) > 0) {
        bulk_check(f, s.base, s.len);
        buf_unref(s.buf);
    }
}

static void bulk_over(struct bulk_flow *f, struct stack *st, enum reason why)
{
    struct bulk *b = f->bulk;

    bulk_receive(f, st);
    f->over = true;
    f->why = why;
    b->open--;
    if (f->connected)
        b->connected--;
    b->ended++;
    b->bytes_sent += f->sent;
    b->bytes_received += f->received;
    if (why != REASON_END_ORDERLY || !bulk_complete(f))
        b->bad++;
    if (f->pooled)
        pool_put(&b->flows, f);
}

static void bulk_connected(struct bulk_flow *f, struct stack *st)
{
    struct bulk *b = f->bulk;

    f->connected = true;
    b->connected++;
    if (b->connected > b->peak)
        b->peak = b->connected;
    bulk_send(f, st);
}

static void bulk_flow_event(struct app *a, struct stack *st, const struct stack_event *ev)
{
    struct bulk_flow *f = (struct bulk_flow *)a;

    f->conn = ev->conn;
    switch (ev->kind) {
    case EV_ACCEPTED:
    case EV_CONNECTED:
        bulk_connected(f, st);
        break;
    case EV_WRITABLE:
        bulk_send(f, st);
        break;
    case EV_READABLE:
    case EV_PEER_CLOSED:
        bulk_receive(f, st);
        break;
    case EV_CLOSED:
        bulk_over(f, st, ev->why);
        break;
    case EV_URGENT:
    case EV_ERROR:
    case EV_DATAGRAM:
    case EV_DATAGRAM_ERROR:
        break;
    }
}

static void bulk_event(struct app *a, struct stack *st, const struct stack_event *ev)
{
    struct bulk *b = (struct bulk *)a;
    struct bulk_flow *f;

    if (ev->kind != EV_ACCEPTED)
        return;
    f = pool_get(&b->flows);
    if (!f) {
        b->full++;
        stack_release(st, ev->conn);
        return;
    }
    bulk_flow_init(b, f, b->to_send, UINT64_MAX);
    f->pooled = true;
    stack_set_user(st, ev->conn, f);
    bulk_flow_event(&f->app, st, ev);
}

void bulk_flow_init(struct bulk *b, struct bulk_flow *f, uint64_t to_send, uint64_t expect)
{
    static const struct app_ops ops = {"bulk", bulk_flow_event};

    *f = (struct bulk_flow){.app = {&ops}, .bulk = b, .to_send = to_send, .expect = expect};
    b->open++;
}

void bulk_finish(struct bulk_flow *f, struct stack *st)
{
    f->hold = false;
    if (f->connected && !f->over)
        bulk_send(f, st);
}

bool bulk_complete(const struct bulk_flow *f)
{
    return f->sent == f->to_send && !f->wrong &&
           (f->expect == UINT64_MAX || f->received == f->expect);
}

size_t bulk_bytes(uint32_t flows)
{
    return pool_bytes(flows, sizeof(struct bulk_flow));
}

void bulk_init(struct bulk *b, void *mem, size_t mem_size)
{
    static const struct app_ops ops = {"bulk", bulk_event};

    memset(b, 0, offsetof(struct bulk, pattern));
    b->app.ops = &ops;
    bulk_fill(b->pattern);
    pool_init(&b->flows, mem, mem_size, sizeof(struct bulk_flow));
}
