#include "app/echo.h"

#include <errno.h>

enum {
    ECHO_READ = 16384, /* bytes at a time: what the smallest useful send queue takes whole */
};

struct echo_conn {
    struct app app;
    struct echo *service;
    struct slice held; /* received and not yet sent; len 0: none */
};

/* Take the next slice from the connection. False if there is none now, or never again. */
static bool echo_take(struct echo_conn *c, struct stack *st, struct conn_id conn)
{
    int n = stack_receive(st, conn, ECHO_READ, &c->held);

    if (n > 0)
        return true;
    c->held.len = 0;
    if (n == 0)
        stack_close(st, conn);
    return false;
}

/* Move bytes from the receive queue to the send queue until one of them is empty or full. */
static void echo_pump(struct echo_conn *c, struct stack *st, struct conn_id conn)
{
    while (c->held.len || echo_take(c, st, conn)) {
        int r = stack_send(st, conn, c->held);

        if (r == -EAGAIN || r == -ENOBUFS)
            return;
        if (r < 0)
            buf_unref(c->held.buf);
        else
            c->service->bytes += c->held.len;
        c->held.len = 0;
    }
}

static void echo_conn_free(struct echo_conn *c)
{
    if (c->held.len)
        buf_unref(c->held.buf);
    pool_put(&c->service->conns, c);
}

static void echo_conn_event(struct app *a, struct stack *st, const struct stack_event *ev)
{
    struct echo_conn *c = (struct echo_conn *)a;

    switch (ev->kind) {
    case EV_CONNECTED:
    case EV_ACCEPTED:
    case EV_READABLE:
    case EV_WRITABLE:
    case EV_PEER_CLOSED:
        echo_pump(c, st, ev->conn);
        break;
    case EV_CLOSED:
        echo_conn_free(c);
        break;
    case EV_URGENT:
    case EV_ERROR:
    case EV_DATAGRAM:
    case EV_DATAGRAM_ERROR:
        break;
    }
}

/* An event for the listener's own pointer: only a new connection has it. */
static void echo_event(struct app *a, struct stack *st, const struct stack_event *ev)
{
    static const struct app_ops ops = {"echo", echo_conn_event};
    struct echo *e = (struct echo *)a;
    struct echo_conn *c;

    if (ev->kind != EV_ACCEPTED)
        return;
    e->accepted++;
    c = pool_get(&e->conns);
    if (!c) {
        e->full++;
        stack_release(st, ev->conn);
        return;
    }
    *c = (struct echo_conn){.app = {&ops}, .service = e};
    stack_set_user(st, ev->conn, c);
    echo_pump(c, st, ev->conn);
}

size_t echo_bytes(uint32_t conns)
{
    return pool_bytes(conns, sizeof(struct echo_conn));
}

void echo_init(struct echo *e, void *mem, size_t mem_size)
{
    static const struct app_ops ops = {"echo", echo_event};

    *e = (struct echo){.app = {&ops}};
    pool_init(&e->conns, mem, mem_size, sizeof(struct echo_conn));
}
