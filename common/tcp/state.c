/*
 * Changes of state, and the end of a connection.
 *
 * An end is told to the application once, by TCP_EVENT_CLOSED. After an orderly close the TCB
 * lives on until what arrived was read; after a reset or a timeout everything is dropped at once.
 */
#include "tcp/state.h"

#include <assert.h>

#include "base/time.h"
#include "tcp/tcp.h"

static_assert(REASON_COUNT <= UINT8_MAX, "reasons are kept in 8 bits");

const char *tcp_state_name(enum tcp_state s)
{
    static const char *const names[] = {
        "CLOSED",     "LISTEN",     "SYN-SENT", "SYN-RECEIVED", "ESTABLISHED", "FIN-WAIT-1",
        "FIN-WAIT-2", "CLOSE-WAIT", "CLOSING",  "LAST-ACK",     "TIME-WAIT",
    };

    assert(s <= TCP_TIME_WAIT);
    return names[s];
}

/* Leave the end to be told, once. */
static void leave_end(struct tcp *t, struct tcb *c, int64_t now, enum reason why)
{
    if (c->end_reason)
        return;
    c->end_reason = (uint8_t)why;
    c->events |= TCP_EVENT_CLOSED;
    tcp_note(t, c, now, why, 0);
}

/* TIME-WAIT lasts 2 MSL (MUST-13). */
void tcp_arm_linger(const struct tcp *t, struct tcb *c, int64_t now)
{
    int64_t *timer = &c->timer[TIMER_LINGER];

    if (c->state == TCP_TIME_WAIT)
        *timer = now + 2 * t->cfg.msl_ns;
    else if (c->state == TCP_FIN_WAIT_2 && c->released)
        *timer = now + t->cfg.fin_wait_2_ns;
}

void tcp_set_state(struct tcp *t, struct tcb *c, int64_t now, enum tcp_state to)
{
    enum tcp_state from = (enum tcp_state)c->state;

    c->state = (uint8_t)to;
    c->established |= to == TCP_ESTABLISHED;
    tcp_arm_linger(t, c, now);
    t->counts[REASON_STATE]++;
    if (t->note && from != to)
        t->note(t->note_arg, c, now, REASON_STATE, from, 0);
    if (to == TCP_FIN_WAIT_2 || to == TCP_TIME_WAIT)
        flight_end(t, c); /* nothing more will be sent */
    if (to == TCP_TIME_WAIT) {
        c->timer[TIMER_RTX] = c->timer[TIMER_DELACK] = TIME_NEVER;
        leave_end(t, c, now, REASON_END_ORDERLY);
    }
}

void tcp_drop_queues(struct tcp *t, struct tcb *c)
{
    chunkq_drop(&c->snd_q, t->cells, c->snd_q.bytes, NULL);
    chunkq_drop(&c->rcv_q, t->cells, c->rcv_q.bytes, NULL);
    c->snd_cursor = (struct chunk_cursor){0};
    reasm_clear(&c->reasm, t->cells);
}

void tcp_end(struct tcp *t, struct tcb *c, int64_t now, enum reason why)
{
    bool embryo = c->passive && c->state == TCP_SYN_RECEIVED;

    if (why != REASON_END_ORDERLY)
        tcp_drop_queues(t, c);
    flight_end(t, c);
    tcp_set_state(t, c, now, TCP_CLOSED);
    for (unsigned i = 0; i < TIMER_COUNT; i++)
        c->timer[i] = TIME_NEVER;
    if (embryo)
        c->released = true; /* the listener lives on, and nobody was told of this connection */
    else
        leave_end(t, c, now, why);
}

bool tcp_finished(const struct tcb *c)
{
    return c->state == TCP_CLOSED && !c->send_rst && (c->released || !c->events);
}
