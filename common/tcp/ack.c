/*
 * The fifth step of SEGMENT ARRIVES: the ACK field (RFC 9293 section 3.10.7.4).
 *
 * What is acknowledged leaves the send queue; the send window follows; then values travel one way:
 * acknowledgment, sample, recovery (what is lost), congestion control (how much may fly).
 */
#include "base/bytes.h"
#include "base/seq.h"
#include "base/time.h"
#include "tcp/control.h"
#include "tcp/ecn.h"
#include "tcp/keepalive.h"
#include "tcp/sack.h"
#include "tcp/seg.h"
#include "tcp/timestamp.h"
#include "tcp/urgent.h"
#include "tcp/usual.h"

/* The SYN is acknowledged: on to ESTABLISHED. */
void ack_establish(struct seg *s)
{
    struct tcb *c = s->c;

    if (c->rtt.backoff > 1 &&
        !s->t->cfg
             .initial_window) /* RFC 5681 3.1; one lost SYN is forgiven by RFC 6928 section 2 */
        c->cc.cwnd = c->snd_mss;
    if (c->rtt.backoff > 0)
        rtt_syn_lost(&c->rtt, &s->t->cfg);
    c->snd_wnd = c->max_snd_wnd = s->wnd;
    c->snd_wl1 = s->seq;
    c->snd_wl2 = s->ack;
    c->events |= TCP_EVENT_OPENED;
    c->send_syn = false; /* one that was to be sent again, in the same batch */
    tcp_set_state(s->t, c, s->now, TCP_ESTABLISHED);
    if (c->fin_queued)
        tcp_set_state(s->t, c, s->now, TCP_FIN_WAIT_1); /* CLOSE was called before */
}

/*
 * RFC 5681 section 2: what counts as a duplicate acknowledgment. One that keeps the window closed
 * answers a probe: what may have been lost lies outside of the window, or it would not be closed.
 */
static bool is_duplicate(const struct seg *s)
{
    const struct tcb *c = s->c;

    return c->snd_una != c->snd_nxt && s->bare && s->ack == c->snd_una && s->wnd == c->snd_wnd &&
           s->wnd > 0;
}

/* The remote end lives, and the network between us, too: R1 and R2 begin anew at `since`. */
static void answered(struct tcb *c, int64_t since)
{
    c->progress_at = since;
    c->rtx_count = 0;
    c->r1_told = false;
    c->soft_error = REASON_NONE;
}

/* The shortest round trip there was is not longer than this, ns; 0: nothing is known of it. */
static void note_min_rtt(struct tcb *c, int64_t at_most)
{
    if (!at_most || (c->min_rtt_us && at_most >= (int64_t)c->min_rtt_us * USEC))
        return;
    c->min_rtt_us = (uint32_t)time_max(1, time_min(at_most / USEC, UINT32_MAX));
}

/* SND.UNA moves to SEG.ACK: what is acknowledged leaves the queue. */
static inline void advance_una(struct tcp *t, struct tcb *c, int64_t now, uint32_t ack)
{
    uint32_t bytes = min32(ack - tcb_snd_base(c), c->snd_q.bytes);

    chunkq_drop(&c->snd_q, t->cells, bytes, &c->snd_cursor);
    c->snd_una = ack;
    urgent_acked(c);
    c->bytes_acked += bytes;
    answered(c, now);
    if (c->want_space && tcp_send_space(t, c) > 0) {
        c->want_space = false;
        c->events |= TCP_EVENT_WRITABLE;
    }
}

static inline void take_window(struct tcb *c, uint32_t seq, uint32_t ack, uint32_t wnd)
{
    c->snd_wnd = wnd;
    c->snd_wl1 = seq;
    c->snd_wl2 = ack;
    c->max_snd_wnd = max32(c->max_snd_wnd, wnd);
}

/* Was it sent before the segment that last told the window? */
static inline bool is_older(const struct tcb *c, uint32_t seq, uint32_t ack)
{
    return seq_lt(seq, c->snd_wl1) || (seq == c->snd_wl1 && seq_lt(ack, c->snd_wl2));
}

/*
 * SND.WND (3.10.7.4): only a segment that is not older than the last one may change it. One that
 * acknowledges something new is not older, even if it was sent again and its SEG.SEQ is below
 * SND.WL1; to leave SND.WND alone while SND.UNA moves would move the window's right edge to where
 * the remote end never put it (REC-1).
 */
static bool update_send_window(struct seg *s, bool acks_new)
{
    struct tcb *c = s->c;
    bool was_closed = tcb_synchronized(c) && c->snd_wnd == 0;

    if (!acks_new && is_older(c, s->seq, s->ack))
        return false;
    take_window(c, s->seq, s->ack, s->wnd);
    if (was_closed && c->snd_wnd > 0) {
        rtt_reset_backoff(&c->rtt, &s->t->cfg);
        if (c->flight)
            recovery_reopened(c->flight);
        tcp_restart_rtx(c, s->now); /* what is sent now must not wait for a late probe's timer */
    }
    return was_closed || c->snd_wnd == 0;
}

/*
 * MUST-37: an answer to a probe keeps the connection open, whatever R2 is; nothing is owed then
 * until the next probe leaves. Not so where nobody owns the connection any more: its data would be
 * held for ever (SHLD-17).
 */
static void probe_answered(struct tcb *c, int64_t now)
{
    int64_t next = c->timer[TIMER_RTX];

    if (!c->released)
        answered(c, c->snd_wnd == 0 && next != TIME_NEVER ? time_max(now, next) : now);
}

/*
 * How long the round trip was that this acknowledgment ends, ns; 0: it does not say (RFC 6298, RFC
 * 7323 section 4.1). Our own clock is finer than the one in timestamps, so what was timed counts
 * where there is something; that is once per round trip, as long as nothing is sent again. After
 * that the echo speaks, which is not ambiguous as Karn's rule fears (MUST-18); but where it comes
 * with a report of a duplicate (`dsack`), an acknowledgment of the first was lost, and the time of
 * that is in it. An echo counts whole milliseconds, so the time was shorter than one more of them.
 * Of a SYN that timed out nothing is measured: RFC 6298 5.7 says what follows.
 */
static inline int64_t round_trip(const struct tcp *t, struct tcb *c, int64_t now,
                                 const struct tcp_hdr *hdr, uint32_t flight, bool dsack)
{
    bool was_timed = c->rtt.timing, syn_lost = !tcb_synchronized(c) && c->rtt.backoff > 0;
    int64_t sample = rtt_ack(&c->rtt, &t->cfg, now, c->snd_una);

    note_min_rtt(c, sample);
    if (was_timed || !(sample = timestamp_round_trip(c, now, hdr)))
        return sample;
    note_min_rtt(c, sample + MSEC);
    if (syn_lost || dsack)
        return 0;
    rtt_echo(&c->rtt, &t->cfg, sample, max32(1, flight / (2u * c->snd_mss)));
    return sample;
}

/* When the segment had left that the echo of a timestamp answers; -1: there is none. */
static int64_t echo_at(const struct seg *s)
{
    int64_t age = timestamp_round_trip(s->c, s->now, s->hdr);

    return age ? s->now / MSEC * MSEC - age / MSEC * MSEC : -1;
}

/* Field by field: where there are no blocks, nothing looks at their places. */
void tcp_ack_sample(const struct tcp *t, const struct tcb *c, int64_t now, struct ack_sample *ret)
{
    ret->now = now;
    ret->una = c->snd_una;
    ret->nxt = c->snd_nxt;
    ret->acked = 0;
    ret->mss = c->snd_mss;
    ret->duplicate = ret->dsack = false;
    ret->twice = (struct tcp_sack_block){0};
    ret->sack = c->sack_ok;
    ret->rack = c->sack_ok && t->cfg.rack;
    ret->path.min_rtt = (int64_t)c->min_rtt_us * USEC;
    ret->path.srtt = c->rtt.srtt;
    ret->echo_at = -1;
    ret->blocks = 0;
}

/* A router marked what it might have dropped: as after a loss, but nothing is sent again (SHLD-8).
 */
static void mark_seen(struct seg *s, const struct cc_sample *cs)
{
    tcp_note(s->t, s->c, s->now, REASON_ECN_REDUCED, 0);
    control_on_loss(s->t, s->c, cs);
    ecn_reduced(s->c);
    response_marked(s->c);
}

/*
 * A loss was detected: one reduction for all that is lost of one window. `as` and `v` are the
 * acknowledgment that showed it, or NULL: it was time that did.
 */
static void loss_detected(struct tcp *t, struct tcb *c, const struct cc_sample *cs,
                          const struct ack_sample *as, const struct recovery_verdict *v)
{
    bool reduces = !ecn_was_reduced(c, c->snd_una);

    tcp_note(t, c, cs->now, REASON_LOSS_DETECTED, 0);
    response_loss(t, c, reduces);
    if (reduces)
        control_on_loss(t, c, cs);
    response_reduced(t, c, as, v);
    ecn_reduced(c);
    rtt_cancel(&c->rtt);
}

/* The probe of the tail was lost text, and repaired it (RFC 8985 section 7.4.2). */
static void probe_repaired(struct seg *s, const struct cc_sample *cs)
{
    struct tcb *c = s->c;

    tcp_note(s->t, c, s->now, REASON_TLP_REPAIRED, 0);
    response_marked(c);
    if (!ecn_was_reduced(c, c->snd_una))
        control_on_loss(s->t, c, cs);
    ecn_reduced(c);
}

/* What recovery has learnt of the acknowledgment, as congestion control sees it. */
static void complete(struct tcb *c, struct cc_sample *cs, const struct recovery_verdict *v)
{
    cs->acked = v->delivered;
    cs->lost = v->lost;
    cs->rtt = v->rtt ? v->rtt : cs->rtt;
    cs->srtt = c->rtt.srtt;
    cs->min_rtt = (int64_t)c->min_rtt_us * USEC;
    cs->pipe = flight_pipe(c->flight, c->snd_mss);
    rate_finish(&c->flight->rate, cs->min_rtt, &cs->rate);
}

void tcp_heed_losses(struct tcp *t, struct tcb *c, int64_t now, const struct recovery_verdict *v)
{
    struct cc_sample cs;

    tcp_cc_sample(c, now, &cs);
    complete(c, &cs, v);
    plpmtud_on_ack(t, c, now, v->mtu_probe_lost);
    if (v->entered)
        loss_detected(t, c, &cs, NULL, NULL);
    cs.in_recovery |= v->entered;
    if (cs.lost)
        control_on_ack(t, c, &cs);
}

/* What the acknowledgment means beyond that something has arrived. */
static void heed_verdict(struct seg *s, const struct ack_sample *as, struct cc_sample *cs,
                         const struct recovery_verdict *v, bool demanded)
{
    struct tcb *c = s->c;
    bool undone;

    if (v->reneged)
        tcp_note(s->t, c, s->now, REASON_SACK_RENEGED, 0);
    undone = !v->entered && response_on_ack(s->t, c, as, v, cs, s->hdr);
    if (undone)
        cs->cwnd_limited = false; /* it has back what it had, and no more */
    else if (v->finished) {
        cs->in_flight = c->snd_nxt - c->snd_una;
        control_on_recovered(s->t, c, cs);
    }
    if (v->finished && v->entered)
        tcp_note(s->t, c, s->now, REASON_LOSS_REPAIRED, 0);
    if (v->entered)
        loss_detected(s->t, c, cs, as, v);
    else if (v->probe_repaired)
        probe_repaired(s, cs);
    else if (demanded && !v->finished)
        mark_seen(s, cs);
    cs->in_recovery |= v->entered;
    if (cs->acked || cs->lost)
        control_on_ack(s->t, c, cs);
    response_release(c, as, v);
    if (v->finished && !v->entered && !undone)
        tcp_note(s->t, c, s->now, REASON_LOSS_REPAIRED, 0); /* who looks finds cwnd as it is now */
}

/*
 * Acknowledgment -> sample -> recovery (what is lost) -> congestion control (how much may fly).
 * `rtt` is the round trip that it ended, ns, 0: none.
 */
static void feed_recovery(struct seg *s, struct ack_sample *as, int64_t rtt)
{
    struct tcb *c = s->c;
    struct recovery_verdict v;
    struct cc_sample cs;
    bool demanded = ecn_demands(c, s->hdr);

    tcp_cc_sample(c, s->now, &cs);
    cs.in_flight = max32(c->snd_nxt - c->snd_una + as->acked, c->flight->size);
    cs.rtt = rtt;
    recovery_on_ack(c->flight, as, &v);
    path_on_ack(s->t, c, s->now, as->acked);
    if (c->flight->probe.active)
        plpmtud_on_ack(s->t, c, s->now, v.mtu_probe_lost);
    as->mss = cs.mss = c->snd_mss; /* it may have become larger: windows are counted in those */
    note_min_rtt(c, v.rtt);
    complete(c, &cs, &v);
    cs.ecn = ecn_echoed(c, s->hdr);
    if (as->acked == 0 && !s->t->cfg.rack)
        cs.cwnd_limited = false; /* a duplicate opens no window (RFC 3042 section 2) */
    heed_verdict(s, as, &cs, &v, demanded);
}

void ack_process(struct seg *s)
{
    struct tcb *c = s->c;
    struct ack_sample as;
    uint32_t acked = seq_gt(s->ack, c->snd_una) ? s->ack - c->snd_una : 0, in_flight;
    bool probed = false;
    int64_t rtt = 0;

    tcp_ack_sample(s->t, c, s->now, &as);
    as.acked = acked;
    sack_arrived(s->t, c, s->now, s->hdr, &as);
    as.duplicate = is_duplicate(s) && !as.dsack; /* what arrived twice is no loss */
    as.echo_at = echo_at(s);
    c->acked_ms = tcb_ms(s->now);
    keepalive_heard(c, s->now);
    if (acked) {
        in_flight = max32(c->snd_nxt - c->snd_una, c->flight ? c->flight->size : 0);
        advance_una(s->t, c, s->now, s->ack);
        rtt = round_trip(s->t, c, s->now, s->hdr, in_flight, as.dsack);
        if (rtt)
            tcp_note(s->t, c, s->now, REASON_RTT_SAMPLE, rtt);
    }
    if (seq_geq(s->ack, c->snd_una))
        probed = update_send_window(s, acked > 0);
    as.una = c->snd_una;
    if (c->flight)
        feed_recovery(s, &as, rtt);
    if (acked)
        tcp_restart_rtx(c, s->now); /* RFC 6298 5.2 and 5.3 */
    if (probed)
        probe_answered(c, s->now);
    flight_settle(s->t, c, s->now);
    c->output_due = true;
}

/* What flies has arrived in part, or somebody asks how fast. */
static void feed_arrival(struct seg *s, uint32_t acked, uint32_t in_flight, int64_t rtt)
{
    struct tcb *c = s->c;
    struct recovery_verdict v;
    struct ack_sample as;
    struct cc_sample cs;

    tcp_ack_sample(s->t, c, s->now, &as);
    tcp_cc_sample(c, s->now, &cs);
    as.acked = acked;
    cs.in_flight = in_flight;
    cs.rtt = rtt;
    recovery_on_arrival(c->flight, &as, &v);
    path_on_ack(s->t, c, s->now, acked);
    note_min_rtt(c, v.rtt);
    complete(c, &cs, &v);
    if (v.lost || !cs.acked)
        heed_verdict(s, &as, &cs, &v, false);
    else
        control_on_ack(s->t, c, &cs);
}

/* All that flies has arrived. */
static inline void feed_whole(struct tcp *t, struct tcb *c, int64_t now, uint32_t acked,
                              uint32_t in_flight)
{
    struct cc_sample cs;
    uint32_t delivered;
    int64_t rtt;

    delivered = recovery_on_whole(c->flight, now, &rtt, &cs.rate);
    path_on_ack(t, c, now, acked);
    note_min_rtt(c, rtt);
    tcp_cc_sample(c, now, &cs);
    cs.acked = delivered;
    cs.in_flight = in_flight;
    cs.rtt = rtt;
    control_on_ack(t, c, &cs);
}

/*
 * ack_process, and the way from there to congestion control, for an acknowledgment that is usual
 * (ack_is_usual): what it cannot say is not asked.
 */
void ack_usual(struct tcp *t, struct tcb *c, int64_t now, const struct tcp_hdr *hdr)
{
    uint32_t acked = hdr->ack - c->snd_una;
    uint32_t in_flight = max32(c->snd_nxt - c->snd_una, c->flight->size);
    int64_t rtt;

    c->acked_ms = tcb_ms(now);
    keepalive_heard(c, now);
    advance_una(t, c, now, hdr->ack);
    rtt = round_trip(t, c, now, hdr, in_flight, false);
    if (rtt)
        tcp_note(t, c, now, REASON_RTT_SAMPLE, rtt);
    take_window(c, hdr->seq, hdr->ack, (uint32_t)hdr->wnd << c->snd_wscale);
    if (recovery_is_whole(c->flight, c->snd_una))
        feed_whole(t, c, now, acked, in_flight);
    else
        feed_arrival(&(struct seg){.t = t, .c = c, .now = now, .hdr = hdr}, acked, in_flight, rtt);
    tcp_restart_rtx(c, now);
    flight_settle(t, c, now);
    c->output_due = true;
}

void ack_nothing(struct tcp *t, struct tcb *c, int64_t now, const struct tcp_hdr *hdr)
{
    uint32_t wnd = (uint32_t)hdr->wnd << c->snd_wscale;

    c->acked_ms = tcb_ms(now);
    keepalive_heard(c, now);
    if (!is_older(c, hdr->seq, hdr->ack))
        take_window(c, hdr->seq, hdr->ack, wnd);
    if (c->flight)
        c->flight->recovery.resorted = false;
    flight_settle(t, c, now);
    c->output_due = true;
}

/* Our FIN is acknowledged: on to the next state. */
static void fin_acked(struct seg *s)
{
    struct tcb *c = s->c;

    if (!c->fin_sent || c->snd_una != c->snd_nxt)
        return;
    if (c->state == TCP_FIN_WAIT_1)
        tcp_set_state(s->t, c, s->now, TCP_FIN_WAIT_2);
    else if (c->state == TCP_CLOSING)
        tcp_set_state(s->t, c, s->now, TCP_TIME_WAIT);
    else if (c->state == TCP_LAST_ACK)
        tcp_end(s->t, c, s->now, REASON_END_ORDERLY);
}

/* The fifth step itself (U-10). */
enum reason ack_step(struct seg *s)
{
    struct tcb *c = s->c;
    bool opening = c->state == TCP_SYN_RECEIVED;

    if (!(s->flags & TCP_ACK))
        return REASON_TCP_NO_ACK;
    if (opening && (seq_leq(s->ack, c->snd_una) || seq_gt(s->ack, c->snd_nxt)))
        return seg_reply_reset(s, REASON_TCP_SYN_RECEIVED_ACK);
    if (seq_gt(s->ack, c->snd_nxt))
        return seg_challenge(s, REASON_TCP_ACK_FUTURE);
    if (seq_lt(s->ack, c->snd_una - c->max_snd_wnd))
        return seg_challenge(s, REASON_TCP_ACK_OLD); /* RFC 5961 section 5.2, MAY-12 */
    if (ack_is_usual(c, s->hdr))
        ack_usual(s->t, c, s->now, s->hdr);
    else
        ack_process(s);
    if (opening)
        ack_establish(s);
    fin_acked(s);
    return REASON_NONE;
}
