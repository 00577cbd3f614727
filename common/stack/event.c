/*
 * Events and the observer. Events are bits in each connection, so that what happens twice is told
 * once, and connections with something to tell stand in a list: nothing is allocated, nothing can
 * overflow.
 */
#include "stack/internal.h"

/*
 * The end of an orderly close waits until everything that arrived has been read, and until the last
 * acknowledgment has left: what is then said of the connection is all there is to say.
 */
static uint8_t tellable(const struct tcb *c)
{
    bool owes_ack = c->state == TCP_TIME_WAIT && c->ack_now;

    if (c->released)
        return 0;
    if (c->end_reason == REASON_END_ORDERLY && (c->rcv_q.bytes > 0 || owes_ack))
        return c->events & (uint8_t)~TCP_EVENT_CLOSED;
    return c->events;
}

bool event_tellable(const struct conn *c)
{
    return tellable(&c->tcb) != 0;
}

static enum stack_event_kind kind_of(const struct tcb *c, uint8_t bit)
{
    switch ((enum tcp_event)bit) {
    case TCP_EVENT_OPENED:
        return c->passive ? EV_ACCEPTED : EV_CONNECTED;
    case TCP_EVENT_URGENT:
        return EV_URGENT;
    case TCP_EVENT_READABLE:
        return EV_READABLE;
    case TCP_EVENT_WRITABLE:
        return EV_WRITABLE;
    case TCP_EVENT_PEER_CLOSED:
        return EV_PEER_CLOSED;
    case TCP_EVENT_ERROR:
        return EV_ERROR;
    case TCP_EVENT_CLOSED:
        break;
    }
    return EV_CLOSED;
}

/* The first socket among *pending has something to tell; it is told once. */
static bool udp_event(struct stack *st, uint64_t *pending, enum stack_event_kind kind,
                      struct stack_event *ret_event)
{
    for (int i = 0; *pending && i < STACK_UDP_MAX; i++) {
        uint64_t bit = UINT64_C(1) << i;

        if (!(*pending & bit))
            continue;
        *pending &= ~bit;
        *ret_event = (struct stack_event){.kind = kind, .udp = i, .user = st->udp.socket[i].user};
        return true;
    }
    return false;
}

/* Tell the first of these events. */
static void tell(struct stack *st, struct conn *c, uint8_t events, struct stack_event *ret_event)
{
    uint8_t bit = (uint8_t)(events & -events);

    c->tcb.events &= (uint8_t)~bit;
    *ret_event = (struct stack_event){
        .kind = kind_of(&c->tcb, bit),
        .conn = {conn_slot(st, c), c->generation},
        .user = c->user,
    };
    if (bit == TCP_EVENT_OPENED && c->listener) {
        accept_forget(st, c);
    } else if (bit == TCP_EVENT_ERROR) {
        ret_event->why = (enum reason)c->tcb.report;
    } else if (bit == TCP_EVENT_CLOSED) {
        ret_event->why = (enum reason)c->tcb.end_reason;
        st->dying = ret_event->conn; /* until then its status can still be asked */
        st->has_dying = true;
    }
}

void event_bury(struct stack *st)
{
    struct conn *c = flow_lookup(st, st->dying);

    st->has_dying = false;
    if (!c)
        return;
    c->tcb.released = true;
    c->generation++; /* the handle is dead, though TIME-WAIT may go on */
    stack_settle(st, c);
}

bool stack_event(struct stack *st, struct stack_event *ret_event)
{
    if (st->has_dying)
        event_bury(st);
    while (!list_empty(&st->event)) {
        struct conn *c = container_of(st->event.next, struct conn, place);
        uint8_t events = tellable(&c->tcb);

        stack_place(st, c, PLACE_NONE);
        if (events)
            tell(st, c, events, ret_event);
        if (c->tcb.state == TCP_ESTABLISHED && !c->tcb.events)
            stack_look(st, c); /* it was in its place on no list, and is now */
        else if (!st->has_dying)
            stack_settle_use(st, c);
        if (events)
            return true;
    }
    if (!(st->udp_pending | st->udp_erred))
        return false;
    return udp_event(st, &st->udp_pending, EV_DATAGRAM, ret_event) ||
           udp_event(st, &st->udp_erred, EV_DATAGRAM_ERROR, ret_event);
}

void event_tcp_note(void *arg, const struct tcb *c, int64_t at, enum reason why,
                    enum tcp_state from, int64_t value)
{
    struct stack *st = arg;
    struct stack_note n = {
        .at = at,
        .reason = why,
        .conn = conn_slot(st, container_of(c, struct conn, tcb)),
        .from = from,
        .to = (enum tcp_state)c->state,
        .value = value,
    };

    st->note(st->note_arg, &n);
}

void stack_observe(struct stack *st, void (*note)(void *arg, const struct stack_note *n), void *arg)
{
    st->note = note;
    st->note_arg = arg;
    st->tcp.note = note ? event_tcp_note : NULL;
    st->tcp.note_arg = st;
}
