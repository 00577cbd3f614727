#include "app/discard.h"

enum {
    DISCARD_READ = 65536, /* bytes asked for at a time */
};

uint64_t discard_drain(struct stack *st, struct conn_id conn)
{
    uint64_t bytes = 0;
    struct slice s;
    int n;

    while ((n = stack_receive(st, conn, DISCARD_READ, &s)) > 0) {
        bytes += (uint64_t)n;
        buf_unref(s.buf);
    }
    if (n == 0)
        stack_close(st, conn);
    return bytes;
}

static void discard_event(struct app *a, struct stack *st, const struct stack_event *ev)
{
    struct discard *d = (struct discard *)a;

    switch (ev->kind) {
    case EV_ACCEPTED:
    case EV_CONNECTED:
    case EV_READABLE:
    case EV_PEER_CLOSED:
        d->bytes += discard_drain(st, ev->conn);
        break;
    case EV_WRITABLE:
    case EV_CLOSED:
    case EV_URGENT:
    case EV_ERROR:
    case EV_DATAGRAM:
    case EV_DATAGRAM_ERROR:
        break;
    }
}

void discard_init(struct discard *d)
{
    static const struct app_ops ops = {"discard", discard_event};

    *d = (struct discard){.app = {&ops}};
}
