#include "app/netcat.h"

#include <errno.h>
#include <stddef.h>

enum {
    NETCAT_READ = 65536, /* bytes pulled at a time */
};

static struct netcat *of_console(struct console *c)
{
    return (struct netcat *)(void *)((char *)c - offsetof(struct netcat, console));
}

/* Give the held slice to the stack, and close behind it if the input has ended. */
static void netcat_flush(struct netcat *n, struct stack *st)
{
    if (!n->connected || n->closed)
        return;
    if (n->held.len) {
        int r = stack_send(st, n->conn, n->held);

        if (r == -EAGAIN || r == -ENOBUFS)
            return;
        if (r < 0)
            buf_unref(n->held.buf);
        else
            n->bytes_out += n->held.len;
        if (r == 0 && n->urgent)
            stack_urgent(st, n->conn);
        n->held.len = 0;
    }
    if (n->input_ended)
        stack_close(st, n->conn);
}

/* The handle is about to die: keep what has arrived, as far as there is room for it. */
static void netcat_keep(struct netcat *n, struct stack *st)
{
    struct slice s;
    int r;

    while ((r = stack_receive(st, n->conn, NETCAT_READ, &s)) > 0) {
        if (n->kept_n < NETCAT_KEPT_MAX) {
            n->kept[n->kept_n++] = s;
            continue;
        }
        n->lost += (uint64_t)r;
        buf_unref(s.buf);
    }
}

static void netcat_closed(struct netcat *n, struct stack *st, enum reason why)
{
    n->closed = true;
    n->why = why;
    netcat_keep(n, st);
    if (n->held.len)
        buf_unref(n->held.buf);
    n->held.len = 0;
}

static void netcat_event(struct app *a, struct stack *st, const struct stack_event *ev)
{
    struct netcat *n = (struct netcat *)a;

    switch (ev->kind) {
    case EV_CONNECTED:
    case EV_ACCEPTED:
        if (n->connected) { /* behind a listener: one session only, others are let go */
            stack_release(st, ev->conn);
            break;
        }
        n->conn = ev->conn;
        n->connected = true;
        netcat_flush(n, st);
        break;
    case EV_WRITABLE:
        netcat_flush(n, st);
        break;
    case EV_CLOSED:
        n->conn = ev->conn;
        netcat_closed(n, st, ev->why);
        break;
    case EV_READABLE:    /* pulled when there is room to show it */
    case EV_PEER_CLOSED: /* seen by the pull that reads to the end */
    case EV_URGENT:
    case EV_ERROR:
    case EV_DATAGRAM:
    case EV_DATAGRAM_ERROR:
        break;
    }
}

static bool netcat_wants(struct console *c)
{
    const struct netcat *n = of_console(c);

    return n->connected && !n->closed && !n->input_ended && n->held.len == 0;
}

static void netcat_push(struct console *c, struct stack *st, struct slice s)
{
    struct netcat *n = of_console(c);

    n->held = s;
    netcat_flush(n, st);
}

static void netcat_end(struct console *c, struct stack *st)
{
    struct netcat *n = of_console(c);

    n->input_ended = true;
    netcat_flush(n, st);
}

static int netcat_pull(struct console *c, struct stack *st, struct slice *ret_slice)
{
    struct netcat *n = of_console(c);
    int r;

    if (n->kept_first < n->kept_n) {
        *ret_slice = n->kept[n->kept_first++];
        n->bytes_in += ret_slice->len;
        return (int)ret_slice->len;
    }
    if (!n->connected || n->closed || n->eof)
        return -EAGAIN;
    r = stack_receive(st, n->conn, NETCAT_READ, ret_slice);
    if (r > 0)
        n->bytes_in += (uint64_t)r;
    n->eof = r == 0;
    return r > 0 ? r : -EAGAIN;
}

bool netcat_done(const struct netcat *n)
{
    return n->closed && n->kept_first == n->kept_n;
}

void netcat_init(struct netcat *n)
{
    static const struct app_ops app = {"netcat", netcat_event};
    static const struct console_ops console = {netcat_wants, netcat_push, netcat_end, netcat_pull};

    n->app.ops = &app;
    n->console.ops = &console;
    n->connected = n->input_ended = n->urgent = n->closed = n->eof = false;
    n->why = REASON_NONE;
    n->held = (struct slice){NULL, NULL, 0};
    n->bytes_in = n->bytes_out = n->lost = 0;
    n->kept_first = n->kept_n = 0;
}
