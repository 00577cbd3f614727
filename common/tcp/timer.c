/*
 * Timeouts (RFC 9293 section 3.10.8, RFC 6298 section 5). Deadlines stand in tcb->timer; tcb.h says
 * who owns which.
 */
#include "base/time.h"
#include "tcp/control.h"
#include "tcp/ecn.h"
#include "tcp/keepalive.h"

static inline int64_t r2_of(const struct tcb *c)
{
    return tcb_synchronized(c) ? c->set->r2_ns : c->set->r2_syn_ns;
}

/*
 * R2 of RFC 9293 section 3.8.3 (MUST-20 to MUST-23, RFC 5482): the instant at which the remote end
 * will have left something unanswered for too long. A duration, not a number of retransmissions,
 * and exact: it does not wait for RTX, nor RTX for it. Settings may change it at any time (U-1).
 */
static inline int64_t give_up_at(const struct tcb *c)
{
    if (c->timer[TIMER_RTX] == TIME_NEVER || c->snd_una == c->snd_nxt)
        return TIME_NEVER;
    return time_after(c->progress_at, r2_of(c));
}

int64_t tcp_deadline(const struct tcb *c)
{
    int64_t first = flight_deadline(c->flight);

    for (unsigned i = 0; i < TIMER_COUNT; i++)
        first = time_min(first, c->timer[i]);
    if (c->timer[TIMER_RTX] != TIME_NEVER)
        return first - c->progress_at < r2_of(c) ? first : time_min(first, give_up_at(c));
    if (c->set->keepalive)
        return time_min(first, keepalive_deadline(c));
    return first;
}

/*
 * R1 of section 3.8.3: so many retransmissions in a row mean trouble. The application is told
 * (SHLD-9), and IP is advised that the way to the remote end may be broken (MUST-20). SYNs and
 * probes of a closed window count like any segment (MUST-22), as long as nothing answers them.
 */
static void count_retransmission(struct tcp *t, struct tcb *c, int64_t now)
{
    if (c->rtx_count < UINT8_MAX)
        c->rtx_count++;
    if (c->rtx_count < c->set->r1 || c->r1_told)
        return;
    c->r1_told = true;
    c->advice_due = true;
    tcp_report(t, c, now, REASON_REPORT_R1);
}

/* Everything in flight counts as lost, and congestion control begins anew (RFC 5681 section 3.1).
 */
static void retransmit_all(struct tcp *t, struct tcb *c, int64_t now)
{
    struct cc_sample s;
    struct ack_sample as;

    tcp_cc_sample(c, now, &s);
    tcp_ack_sample(t, c, now, &as);
    /* ssthresh is halved once, not for each time-out of the same segment */
    s.in_recovery = flight_phase(c->flight) == RECOVERY_RTO && c->rtt.backoff > 0;
    response_timeout(t, c);
    recovery_on_rto(c->flight, &as);
    s.lost = s.pipe;
    s.pipe = flight_pipe(c->flight, c->snd_mss);
    s.lost -= s.lost < s.pipe ? s.lost : s.pipe;
    rate_finish(&c->flight->rate, s.min_rtt, &s.rate);
    control_on_rto(t, c, &s);
    ecn_reduced(c);
}

/* RTX is due, of what is outstanding or of a window that is closed (MUST-35, SHLD-30). */
static void rtx_expired(struct tcp *t, struct tcb *c, int64_t now)
{
    bool outstanding = c->snd_nxt != c->snd_una;

    if (tcp_icmp_hopeless(c)) {
        tcp_end(t, c, now, REASON_END_UNREACHABLE);
        return;
    }
    if (outstanding)
        count_retransmission(t, c, now);
    if (!tcb_synchronized(c)) {
        tcp_note(t, c, now, REASON_RTO_EXPIRED, c->rtt.rto);
        tcb_send_syn_again(c);
    } else if (!outstanding || c->snd_wnd == 0) {
        tcp_note(t, c, now, REASON_PERSIST_EXPIRED, c->rtt.rto);
        c->probe_due = true;
    } else {
        tcp_note(t, c, now, REASON_RTO_EXPIRED, c->rtt.rto);
        path_claim_expired(t, c, now);
        plpmtud_on_rto(t, c, now);
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

    if (!time_wait && c->state != TCP_FIN_WAIT_2) {
        tcp_note(t, c, now, REASON_LINGER_EXPIRED, 0);
        tcp_abort(t, c, now);
        return;
    }
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
    if (give_up_at(c) <= now)
        tcp_end(t, c, now, REASON_END_TIMED_OUT);
    flight_tick(t, c, now); /* a probe that is due goes before RTX, and puts it off */
    if (expire(c, TIMER_RTX, now))
        rtx_expired(t, c, now);
    if (keepalive_deadline(c) <= now)
        tcp_keepalive_expired(t, c, now);
    if (expire(c, TIMER_LINGER, now))
        linger_expired(t, c, now);
}
