/*
 * Timeouts (RFC 9293 section 3.10.8, RFC 6298 section 5). Deadlines stand in tcb->timer; tcb.h says
 * who owns which.
 */
#include "base/time.h"
#include "tcp/tcp.h"

int64_t tcp_deadline(const struct tcb *c)
{
    int64_t first = TIME_NEVER;

    for (unsigned i = 0; i < TIMER_COUNT; i++)
        first = time_min(first, c->timer[i]);
    return first;
}

/* R2 of RFC 9293 section 3.8.3: for how long may the remote end stay silent? */
static bool silent_too_long(const struct tcb *c, int64_t now)
{
    int64_t r2 = tcb_synchronized(c) ? c->set->r2_ns : c->set->r2_syn_ns;

    return now - c->progress_at >= r2;
}

/* Everything in flight counts as lost, and congestion control begins anew (RFC 5681 section 3.1).
 */
static void retransmit_all(struct tcp *t, struct tcb *c, int64_t now)
{
    struct cc_sample s = tcp_cc_sample(c, now);

    /* ssthresh is halved once, not for each time-out of the same segment */
    s.in_recovery = c->recovery.phase == RECOVERY_RTO && c->rtt.backoff > 0;
    t->cfg.cc->on_rto(&c->cc, &s);
    recovery_on_rto(&c->recovery, c->snd_una, c->snd_nxt);
}

static void rtx_expired(struct tcp *t, struct tcb *c, int64_t now)
{
    bool outstanding = c->snd_nxt != c->snd_una;

    if (silent_too_long(c, now) || tcp_icmp_hopeless(c)) {
        /* what the network has said meanwhile explains the silence */
        tcp_end(t, c, now, c->soft_error ? REASON_END_UNREACHABLE : REASON_END_TIMED_OUT);
        return;
    }
    if (!tcb_synchronized(c)) {
        tcp_note(t, c, now, REASON_RTO_EXPIRED, c->rtt.rto);
        c->send_syn = true;
    } else if (!outstanding || c->snd_wnd == 0) {
        tcp_note(t, c, now, REASON_PERSIST_EXPIRED, c->rtt.rto);
        c->probe_due = true;
    } else {
        tcp_note(t, c, now, REASON_RTO_EXPIRED, c->rtt.rto);
        retransmit_all(t, c, now);
    }
    rtt_cancel(&c->rtt);
    rtt_backoff(&c->rtt, &t->cfg);
    c->timer[TIMER_RTX] = now + c->rtt.rto;
    c->output_due = true;
}

static void linger_expired(struct tcp *t, struct tcb *c, int64_t now)
{
    bool time_wait = c->state == TCP_TIME_WAIT;

    tcp_note(t, c, now, time_wait ? REASON_TIME_WAIT_EXPIRED : REASON_FIN_WAIT_2_EXPIRED, 0);
    tcp_end(t, c, now, REASON_END_ORDERLY);
}

static bool expire(struct tcb *c, enum tcp_timer timer, int64_t now)
{
    if (c->timer[timer] > now)
        return false;
    c->timer[timer] = TIME_NEVER;
    return true;
}

void tcp_tick(struct tcp *t, struct tcb *c, int64_t now)
{
    if (expire(c, TIMER_DELACK, now)) {
        tcp_note(t, c, now, REASON_DELACK_EXPIRED, 0);
        tcp_ack_now(c, REASON_SEND_ACK_DELAYED);
    }
    if (expire(c, TIMER_RTX, now))
        rtx_expired(t, c, now);
    if (expire(c, TIMER_LINGER, now))
        linger_expired(t, c, now);
}
