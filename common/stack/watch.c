/*
 * For an observer that looks at connections: when to look, and what is not in their status.
 *
 * Whatever touches a connection (a segment, a timer, a user call, a segment that leaves) ends in
 * stack_settle, and there the observer is called. So it sees each value that lasted, and nothing in
 * the protocol knows of it.
 */
#include "stack/internal.h"
#include "tcp/flight.h"
#include "tcp/keepalive.h"

void stack_watch(struct stack *st, void (*look)(void *arg, uint32_t slot), void *arg)
{
    st->look = look;
    st->look_arg = arg;
}

bool stack_slot_status(const struct stack *st, uint32_t slot, struct stack_conn_status *ret_status)
{
    uint32_t cursor = slot;

    return slot < st->fresh_slots && st->conns[slot].in_use &&
           stack_next_conn(st, &cursor, ret_status);
}

/* What RTX waits for, as output.c arms it. */
static bool is_probing(const struct tcb *c)
{
    return tcb_synchronized(c) && (c->snd_nxt == c->snd_una || c->snd_wnd == 0);
}

/* One of those of what is in flight. */
static struct stack_timer flight_timer(enum flight_timer timer, int64_t at)
{
    switch (timer) {
    case FLIGHT_REO:
        return (struct stack_timer){"REO", "what may only have been overtaken", "RFC 8985 6.2", at};
    case FLIGHT_PTO:
        return (struct stack_timer){"PTO", "a word of the tail", "RFC 8985 7.2", at};
    case FLIGHT_IDLE:
        return (struct stack_timer){"IDLE", "more to send", "RFC 5681 4.1", at};
    case FLIGHT_PACE:
        return (struct stack_timer){"PACE", "the next segment's time", "RFC 9002 7.7", at};
    case FLIGHT_CLAIM:
        return (struct stack_timer){"CLAIM", "a segment that is said to be too big", "RFC 5927 7.2",
                                    at};
    case FLIGHT_TIMERS:
        break;
    }
    return (struct stack_timer){"", "", "", TIME_NEVER};
}

static unsigned own_timers(const struct tcb *c, struct stack_timer *ret_timer)
{
    bool probing = is_probing(c);

    ret_timer[0] =
        (struct stack_timer){"RTX", probing ? "a window that opens" : "an acknowledgment",
                             probing ? "RFC 9293 3.8.6.1" : "RFC 6298 5", c->timer[TIMER_RTX]};
    ret_timer[1] = (struct stack_timer){"DELACK", "more to acknowledge", "RFC 9293 3.8.6.3",
                                        c->timer[TIMER_DELACK]};
    ret_timer[2] = (struct stack_timer){"LINGER", "the connection's end", "RFC 9293 3.6.1",
                                        c->timer[TIMER_LINGER]};
    ret_timer[3] = (struct stack_timer){"KEEP-ALIVE", "any sign of life", "RFC 9293 3.8.4",
                                        keepalive_deadline(c)};
    return 4;
}

unsigned stack_timers(const struct stack *st, uint32_t slot,
                      struct stack_timer ret_timer[STACK_TIMERS_MAX])
{
    const struct tcb *c;
    unsigned n;

    static_assert(4 + (int)FLIGHT_TIMERS <= (int)STACK_TIMERS_MAX, "there is room for all");
    if (slot >= st->fresh_slots || !st->conns[slot].in_use)
        return 0;
    c = &st->conns[slot].tcb;
    n = own_timers(c, ret_timer);
    for (unsigned i = 0; i < FLIGHT_TIMERS; i++) {
        int64_t at = c->flight ? c->flight->timer[i] : TIME_NEVER;

        ret_timer[n++] = flight_timer((enum flight_timer)i, at);
    }
    return n;
}
