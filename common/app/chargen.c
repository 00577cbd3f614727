#include "app/chargen.h"

#include "app/discard.h"

void chargen_fill(uint8_t out[CHARGEN_PATTERN])
{
    for (unsigned line = 0; line < CHARGEN_LINES; line++) {
        uint8_t *p = out + line * CHARGEN_LINE;

        for (unsigned i = 0; i < CHARGEN_LINE - 2; i++)
            p[i] = (uint8_t)(' ' + (line + i) % CHARGEN_LINES);
        p[CHARGEN_LINE - 2] = '\r';
        p[CHARGEN_LINE - 1] = '\n';
    }
}

/* Fill the send queue; EV_WRITABLE brings us back. */
static void chargen_pump(struct chargen *g, struct stack *st, struct conn_id conn)
{
    const struct slice turn = {NULL, g->pattern, CHARGEN_PATTERN};

    while (stack_send(st, conn, turn) == 0)
        ;
}

static void chargen_event(struct app *a, struct stack *st, const struct stack_event *ev)
{
    struct chargen *g = (struct chargen *)a;

    switch (ev->kind) {
    case EV_CONNECTED:
    case EV_ACCEPTED:
    case EV_WRITABLE:
        chargen_pump(g, st, ev->conn);
        break;
    case EV_READABLE:
    case EV_PEER_CLOSED:
        discard_drain(st, ev->conn);
        break;
    case EV_CLOSED:
    case EV_URGENT:
    case EV_ERROR:
    case EV_DATAGRAM:
    case EV_DATAGRAM_ERROR:
        break;
    }
}

void chargen_init(struct chargen *g)
{
    static const struct app_ops ops = {"chargen", chargen_event};

    g->app.ops = &ops;
    chargen_fill(g->pattern);
}
