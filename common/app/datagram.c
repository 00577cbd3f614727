#include "app/datagram.h"

enum {
    CHARGEN_LINES_MAX = 6, /* in one datagram: RFC 864 allows 512 bytes */
};

bool datagram_answers_anyone(uint16_t port)
{
    switch (port) {
    case 7:  /* echo */
    case 13: /* daytime */
    case 17: /* quote of the day */
    case 19: /* chargen */
    case 37: /* time */
    case DATAGRAM_REVERSE_PORT:
        return true;
    default:
        return false;
    }
}

/* Exchange *s for a copy whose bytes are in reverse order. False if no buffer holds it. */
static bool datagram_reverse(struct datagram *d, struct slice *s)
{
    struct buf *b = buf_get(d->pool);

    if (!b)
        return false;
    if (b->size < s->len) {
        buf_unref(b);
        return false;
    }
    for (uint32_t i = 0; i < s->len; i++)
        b->data[i] = s->base[s->len - 1 - i];
    b->used = s->len;
    buf_unref(s->buf);
    s->buf = b;
    s->base = b->data;
    return true;
}

/* Exchange *s for one to six lines of the pattern. */
static void datagram_chargen(struct datagram *d, struct slice *s)
{
    uint32_t lines = 1 + d->turn % CHARGEN_LINES_MAX;
    uint32_t first = d->turn % (CHARGEN_LINES - CHARGEN_LINES_MAX);

    d->turn++;
    buf_unref(s->buf);
    *s = (struct slice){NULL, d->pattern + first * CHARGEN_LINE, lines * CHARGEN_LINE};
}

/* Turn the question in *s into the answer. False if there is none to send. */
static bool datagram_answer(struct datagram *d, struct slice *s)
{
    switch (d->kind) {
    case DATAGRAM_ECHO:
        return true;
    case DATAGRAM_DISCARD:
        return false;
    case DATAGRAM_CHARGEN:
        datagram_chargen(d, s);
        return true;
    case DATAGRAM_REVERSE:
        if (datagram_reverse(d, s))
            return true;
        d->dropped++;
        return false;
    }
    return false;
}

static void datagram_serve(struct datagram *d, struct stack *st, int udp,
                           struct stack_datagram *dgram)
{
    uint32_t n = stack_datagram_count(dgram);

    d->received += n;
    if (d->kind != DATAGRAM_DISCARD && datagram_answers_anyone(dgram->port)) {
        d->loops += n;
        buf_unref(dgram->data.buf);
        return;
    }
    if (!datagram_answer(d, &dgram->data)) {
        buf_unref(dgram->data.buf);
        return;
    }
    if (stack_udp_send(st, udp, dgram) < 0) {
        d->dropped += n;
        buf_unref(dgram->data.buf);
        return;
    }
    d->answered += n;
}

/* To those that answer each on its own they come one by one. */
static int datagram_next(const struct datagram *d, struct stack *st, int udp,
                         struct stack_datagram *ret_dgram)
{
    switch (d->kind) {
    case DATAGRAM_ECHO:
    case DATAGRAM_DISCARD:
        return stack_udp_receive_several(st, udp, ret_dgram);
    case DATAGRAM_CHARGEN:
    case DATAGRAM_REVERSE:
        break;
    }
    return stack_udp_receive(st, udp, ret_dgram);
}

static void datagram_event(struct app *a, struct stack *st, const struct stack_event *ev)
{
    struct stack_datagram dgram;

    if (ev->kind != EV_DATAGRAM)
        return;
    while (datagram_next((struct datagram *)a, st, ev->udp, &dgram) == 0)
        datagram_serve((struct datagram *)a, st, ev->udp, &dgram);
}

void datagram_init(struct datagram *d, enum datagram_kind kind, struct buf_pool *pool,
                   const uint8_t *pattern)
{
    static const struct app_ops ops = {"datagram", datagram_event};

    *d = (struct datagram){.app = {&ops}, .kind = kind, .pool = pool, .pattern = pattern};
}
