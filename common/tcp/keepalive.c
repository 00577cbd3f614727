#include "tcp/keepalive.h"

#include "base/time.h"
#include "tcp/tcp.h"

/* Nothing is outstanding and nothing is held back by the window: RTX sees to either. */
static bool is_quiet(const struct tcb *c)
{
    return tcb_synchronized(c) && c->state != TCP_TIME_WAIT && c->timer[TIMER_RTX] == TIME_NEVER;
}

/*
 * MUST-26, MUST-27: so long after the last acknowledgment that came; and then, at another interval,
 * after the last keep-alive that left, however late that was. So each of them has its time to be
 * answered, also on a machine that slept. There is no timer to arm: settings act at once.
 */
int64_t keepalive_deadline(const struct tcb *c)
{
    const struct tcp_settings *set = c->set;

    if (!set->keepalive || !is_quiet(c))
        return TIME_NEVER;
    return time_after(c->quiet_since,
                      c->keepalives ? set->keepalive_interval_ns : set->keepalive_ns);
}

/* MUST-29: one that is not answered may have been lost, and says nothing; a row of them does. */
void tcp_keepalive_expired(struct tcp *t, struct tcb *c, int64_t now)
{
    if (c->keepalives >= c->set->keepalive_max) {
        tcp_end(t, c, now, REASON_END_KEEPALIVE);
        return;
    }
    tcp_note(t, c, now, REASON_KEEPALIVE_EXPIRED, c->keepalives);
    c->keepalives++;
    c->quiet_since = now;
    c->keepalive_due = true;
    c->output_due = true;
    if (c->last_ack != c->rcv_nxt)
        tcp_ack_now(c, REASON_SEND_ACK_DELAYED); /* who gets a keep-alive heeds nothing it says */
}

bool keepalive_owed(struct tcb *c)
{
    bool owed = c->keepalive_due && is_quiet(c);

    c->keepalive_due = false;
    return owed;
}
