/*
 * SEGMENT ARRIVES (RFC 9293 section 3.10.7) for a connection in any state but CLOSED and LISTEN.
 *
 * tcp_input is the one parent that branches. It calls the steps in the RFC's order; each returns
 * REASON_NONE to go on with the next, or the reason why the segment's way ends here. Nothing is
 * sent from here: what is owed stands in the TCB until the output is drained (MUST-58, MUST-59).
 */
#include <assert.h>

#include "base/bytes.h"
#include "base/seq.h"
#include "base/time.h"
#include "tcp/tcp.h"

enum {
    CHALLENGES_PER_SECOND = 100, /* RFC 5961 section 7; for all connections of a node together */
    MSS_FLOOR = 48,              /* bytes: smaller announcements would be an attack on our CPU */
};

/* A segment on its way through the steps. */
struct seg {
    struct tcp *t;
    struct tcb *c;
    int64_t now;
    uint32_t seq;      /* of the first byte in data, or of the SYN */
    uint32_t ack, wnd; /* the window in bytes */
    uint8_t flags;
    bool bare; /* it came with neither data nor SYN nor FIN */
    struct slice data;
    const struct tcp_hdr *hdr;
    bool *ret_reply;
    struct tcp_hdr *ret_rst;
};

void tcp_ack_now(struct tcb *c, enum reason why)
{
    if (!c->ack_now)
        c->ack_reason = (uint8_t)why;
    c->ack_now = true;
    c->output_due = true;
}

/* SEG.LEN: sequence space, SYN and FIN included. */
static uint32_t seg_len(const struct seg *s)
{
    return s->data.len + !!(s->flags & TCP_SYN) + !!(s->flags & TCP_FIN);
}

/* Owe a challenge ACK, unless this second has had its share (RFC 5961 section 7). */
static enum reason challenge(struct seg *s, enum reason why)
{
    struct tcp *t = s->t;

    if (s->now - t->challenge_window >= SEC) {
        t->challenge_window = s->now;
        t->challenges = 0;
    }
    if (t->challenges < CHALLENGES_PER_SECOND) {
        t->challenges++;
        s->c->challenge = true;
        s->c->output_due = true;
    }
    return why;
}

/* <SEQ=SEG.ACK><CTL=RST> */
static enum reason reply_reset(struct seg *s, enum reason why)
{
    if (!(s->flags & TCP_RST)) {
        *s->ret_rst = (struct tcp_hdr){.sport = s->hdr->dport,
                                       .dport = s->hdr->sport,
                                       .seq = s->ack,
                                       .flags = TCP_RST};
        *s->ret_reply = true;
    }
    return why;
}

/* ---- first: the sequence number (3.10.7.4) ---- */

static bool in_window(const struct tcb *c, uint32_t seq)
{
    return seq - c->rcv_nxt < tcb_rcv_wnd(c);
}

/* The four cases of the RFC's table; a segment that covers the whole window is acceptable, too. */
static bool acceptable(const struct tcb *c, uint32_t seq, uint32_t len)
{
    uint32_t wnd = tcb_rcv_wnd(c);

    if (len == 0)
        return wnd == 0 ? seq == c->rcv_nxt : in_window(c, seq);
    return wnd > 0 && seq_lt(seq, c->rcv_adv) && seq_gt(seq + len, c->rcv_nxt);
}

/* What an unacceptable segment gets: an ACK, unless it is a reset. */
static enum reason unacceptable(struct seg *s)
{
    struct tcb *c = s->c;

    if (s->flags & TCP_RST)
        return REASON_TCP_SEQUENCE;
    if (c->state == TCP_TIME_WAIT && (s->flags & TCP_FIN))
        tcp_arm_linger(s->t, c, s->now); /* a FIN again: wait for another 2 MSL */
    if (s->flags & TCP_SYN)
        return challenge(s, REASON_TCP_SYN_CHALLENGED); /* RFC 5961 section 4.2 */
    if (seg_len(s) == 0)
        return challenge(s, REASON_TCP_SEQUENCE); /* limited, or two such ends would never stop */
    tcp_ack_now(c, REASON_SEND_ACK_NOW);
    return REASON_TCP_SEQUENCE;
}

/*
 * In SYN-RECEIVED the remote end's SYN may come again: ours was lost, or we opened together and
 * then it acknowledges ours (figure 8 in section 3.5). After a passive open nobody has cause to
 * acknowledge with a SYN: that is outside the window like any old segment.
 */
static enum reason syn_again(struct seg *s)
{
    if ((s->flags & TCP_ACK) && s->c->passive)
        return challenge(s, REASON_TCP_SYN_CHALLENGED);
    if (!(s->flags & TCP_ACK)) {
        s->c->send_syn = true;
        s->c->output_due = true;
        return REASON_TCP_SEQUENCE;
    }
    s->flags &= (uint8_t)~TCP_SYN;
    s->seq++;
    return REASON_NONE;
}

static enum reason step_sequence(struct seg *s)
{
    struct tcb *c = s->c;

    if (c->state == TCP_SYN_RECEIVED && (s->flags & TCP_SYN) && s->seq == c->irs) {
        enum reason why = syn_again(s);
        if (why)
            return why;
    }
    if (acceptable(c, s->seq, seg_len(s)))
        return REASON_NONE;
    if (tcb_rcv_wnd(c) > 0 || s->seq != c->rcv_nxt)
        return unacceptable(s);
    /* MUST-66: a closed window takes no data, but ACK, RST and URG of what probes it count. */
    s->data.len = 0;
    s->flags &= (uint8_t)~TCP_FIN;
    if (!(s->flags & TCP_RST))
        tcp_ack_now(c, REASON_SEND_ACK_NOW);
    return REASON_NONE;
}

/* ---- second: the RST bit (3.10.7.4, RFC 5961 section 3.2) ---- */

static enum reason step_rst(struct seg *s)
{
    struct tcb *c = s->c;

    if (!(s->flags & TCP_RST))
        return REASON_NONE;
    if (c->state == TCP_TIME_WAIT)
        return REASON_TCP_TIME_WAIT; /* RFC 1337: a reset does not end TIME-WAIT */
    if (s->seq != c->rcv_nxt)
        return challenge(s, REASON_TCP_RST_CHALLENGED);
    if (c->state == TCP_SYN_RECEIVED && !c->passive)
        tcp_end(s->t, c, s->now, REASON_END_REFUSED);
    else
        tcp_end(s->t, c, s->now, REASON_END_RESET);
    return REASON_NONE;
}

/* ---- fourth: the SYN bit (3.10.7.4, RFC 5961 section 4.2); the third, security, is history ----
 */

static enum reason step_syn(struct seg *s)
{
    struct tcb *c = s->c;

    if (!(s->flags & TCP_SYN))
        return REASON_NONE;
    if (c->state == TCP_SYN_RECEIVED && c->passive) {
        tcp_end(s->t, c, s->now, REASON_END_RESET); /* back to LISTEN */
        return REASON_TCP_SYN_CHALLENGED;
    }
    return challenge(s, REASON_TCP_SYN_CHALLENGED);
}

/* ---- fifth: the ACK field (3.10.7.4) ---- */

/* The SYN is acknowledged: on to ESTABLISHED. */
static void establish(struct seg *s)
{
    struct tcb *c = s->c;

    if (c->rtt.backoff > 1) /* RFC 5681 3.1; one lost SYN is forgiven by RFC 6928 section 2 */
        c->cc.cwnd = c->snd_mss;
    if (c->rtt.backoff > 0)
        rtt_syn_lost(&c->rtt, &s->t->cfg);
    c->snd_wnd = c->max_snd_wnd = s->wnd;
    c->snd_wl1 = s->seq;
    c->snd_wl2 = s->ack;
    c->events |= TCP_EVENT_OPENED;
    tcp_set_state(s->t, c, s->now, TCP_ESTABLISHED);
    if (c->fin_queued)
        tcp_set_state(s->t, c, s->now, TCP_FIN_WAIT_1); /* CLOSE was called before */
}

/* RFC 5681 section 2: what counts as a duplicate acknowledgment. */
static bool is_duplicate(const struct seg *s)
{
    const struct tcb *c = s->c;

    return c->snd_una != c->snd_nxt && s->bare && s->ack == c->snd_una && s->wnd == c->snd_wnd;
}

/* SND.UNA moves to SEG.ACK: what is acknowledged leaves the queue. */
static void advance_una(struct seg *s)
{
    struct tcb *c = s->c;
    uint32_t bytes = min32(s->ack - tcb_snd_base(c), c->snd_q.bytes);

    chunkq_drop(&c->snd_q, s->t->cells, bytes, &c->snd_cursor);
    c->snd_una = s->ack;
    c->bytes_acked += bytes;
    c->progress_at = s->now;
    if (c->want_space && tcp_send_space(s->t, c) > 0) {
        c->want_space = false;
        c->events |= TCP_EVENT_WRITABLE;
    }
}

/*
 * SND.WND (3.10.7.4): only a segment that is not older than the last one may change it. One that
 * acknowledges something new is not older, even if it was sent again and its SEG.SEQ is below
 * SND.WL1; to leave SND.WND alone while SND.UNA moves would move the window's right edge to where
 * the remote end never put it.
 */
static void update_send_window(struct seg *s, bool acks_new)
{
    struct tcb *c = s->c;
    bool was_closed = tcb_synchronized(c) && c->snd_wnd == 0;
    bool older = seq_lt(s->seq, c->snd_wl1) || (s->seq == c->snd_wl1 && seq_lt(s->ack, c->snd_wl2));

    if (older && !acks_new)
        return;
    c->snd_wnd = s->wnd;
    c->snd_wl1 = s->seq;
    c->snd_wl2 = s->ack;
    c->max_snd_wnd = max32(c->max_snd_wnd, s->wnd);
    if (c->snd_wnd == 0)
        c->progress_at = s->now; /* MUST-37: an answer to a probe keeps the connection open */
    if (was_closed && c->snd_wnd > 0) {
        rtt_reset_backoff(&c->rtt, &s->t->cfg);
        if (c->snd_una != c->snd_nxt)
            recovery_reopened(&c->recovery, c->snd_una, c->snd_nxt);
        tcp_restart_rtx(c, s->now); /* what is sent now must not wait for a late probe's timer */
    }
}

struct cc_sample tcp_cc_sample(const struct tcb *c, int64_t now)
{
    return (struct cc_sample){
        .now = now,
        .in_flight = c->snd_nxt - c->snd_una,
        .mss = c->snd_mss,
        .cwnd_limited = c->cwnd_limited,
        .in_recovery = c->recovery.phase == RECOVERY_FAST,
    };
}

/* Acknowledgment -> sample -> recovery (what is lost) -> congestion control (how much may fly). */
static void feed_recovery(struct seg *s, uint32_t acked, bool duplicate, struct cc_sample cs)
{
    struct tcb *c = s->c;
    struct ack_sample as = {
        .una = c->snd_una,
        .nxt = c->snd_nxt,
        .acked = acked,
        .mss = c->snd_mss,
        .duplicate = duplicate,
    };

    switch (recovery_on_ack(&c->recovery, &as)) {
    case RECOVERY_ENTERED:
        tcp_note(s->t, c, s->now, REASON_LOSS_DETECTED, 0);
        s->t->cfg.cc->on_loss(&c->cc, &cs);
        rtt_cancel(&c->rtt);
        break;
    case RECOVERY_FINISHED:
        tcp_note(s->t, c, s->now, REASON_LOSS_REPAIRED, 0);
        cs.in_flight = c->snd_nxt - c->snd_una;
        s->t->cfg.cc->on_recovered(&c->cc, &cs);
        break;
    case RECOVERY_NONE:
        if (acked)
            s->t->cfg.cc->on_ack(&c->cc, &cs);
        break;
    }
}

static void process_ack(struct seg *s)
{
    struct tcb *c = s->c;
    bool duplicate = is_duplicate(s);
    uint32_t acked = seq_gt(s->ack, c->snd_una) ? s->ack - c->snd_una : 0;
    struct cc_sample cs = tcp_cc_sample(c, s->now);

    if (acked) {
        advance_una(s);
        cs.acked = acked;
        cs.rtt = rtt_ack(&c->rtt, &s->t->cfg, s->now, c->snd_una);
        if (cs.rtt)
            tcp_note(s->t, c, s->now, REASON_RTT_SAMPLE, cs.rtt);
    }
    if (seq_geq(s->ack, c->snd_una))
        update_send_window(s, acked > 0);
    feed_recovery(s, acked, duplicate, cs);
    if (acked)
        tcp_restart_rtx(c, s->now); /* RFC 6298 5.2 and 5.3 */
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

static enum reason step_ack(struct seg *s)
{
    struct tcb *c = s->c;
    bool opening = c->state == TCP_SYN_RECEIVED;

    if (!(s->flags & TCP_ACK))
        return REASON_TCP_NO_ACK;
    if (opening && (seq_leq(s->ack, c->snd_una) || seq_gt(s->ack, c->snd_nxt)))
        return reply_reset(s, REASON_TCP_SYN_RECEIVED_ACK);
    if (seq_gt(s->ack, c->snd_nxt))
        return challenge(s, REASON_TCP_ACK_FUTURE);
    if (seq_lt(s->ack, c->snd_una - c->max_snd_wnd))
        return challenge(s, REASON_TCP_ACK_OLD); /* RFC 5961 section 5.2, MAY-12 */
    process_ack(s);
    if (opening)
        establish(s);
    fin_acked(s);
    return REASON_NONE;
}

/* ---- seventh: the segment text (3.10.7.4); the sixth, URG, is not served yet ---- */

static bool takes_text(const struct tcb *c)
{
    return c->state == TCP_ESTABLISHED || c->state == TCP_FIN_WAIT_1 || c->state == TCP_FIN_WAIT_2;
}

/* Cut off what we have, and what lies beyond the window or beyond a FIN that arrived. */
static void trim(struct seg *s)
{
    struct tcb *c = s->c;
    uint32_t edge = c->rcv_adv;

    if (c->fin_arrived && seq_lt(c->rcv_fin, edge))
        edge = c->rcv_fin;
    if (seq_gt(s->seq + s->data.len, edge)) {
        s->data.len = seq_lt(s->seq, edge) ? edge - s->seq : 0;
        s->flags &= (uint8_t)~TCP_FIN;
    }
    if (seq_lt(s->seq, c->rcv_nxt)) {
        uint32_t have = min32(c->rcv_nxt - s->seq, s->data.len);

        s->data = slice_sub(s->data, have, s->data.len - have);
        s->seq += have;
    }
}

/* An acknowledgment for bytes that came in order: at once, or a little later (3.8.6.3). */
static void owe_ack(struct seg *s, bool gap)
{
    struct tcb *c = s->c;
    const struct tcp_config *cfg = &s->t->cfg;

    if (gap || !cfg->delayed_ack)
        tcp_ack_now(c, REASON_SEND_ACK_NOW); /* RFC 5681 section 4.2 */
    else if (c->rcv_nxt - c->last_ack >= 2u * c->rcv_mss)
        tcp_ack_now(c, REASON_SEND_ACK_SECOND); /* SHLD-19 */
    else if (c->timer[TIMER_DELACK] == TIME_NEVER)
        c->timer[TIMER_DELACK] = s->now + cfg->delack_ns;
}

static enum reason in_order(struct seg *s)
{
    struct tcb *c = s->c;
    bool gap = c->reasm.first != NULL;
    uint32_t kept = chunkq_keep(&c->rcv_q, s->t->cells, s->t->small, s->data);
    uint32_t joined;

    c->rcv_nxt += kept;
    joined = reasm_take(&c->reasm, s->t->cells, c->rcv_nxt, &c->rcv_q);
    c->rcv_nxt += joined;
    c->bytes_received += kept + joined;
    if (kept + joined) {
        c->events |= TCP_EVENT_READABLE;
        c->dup_ack_debt = 0; /* what they would repeat is old now */
        owe_ack(s, gap);
    }
    return kept == s->data.len ? REASON_NONE : REASON_NO_BUFFER;
}

static enum reason out_of_order(struct seg *s)
{
    struct tcb *c = s->c;
    struct reasm_mem mem = {s->t->cells, s->t->small};

    if (c->dup_ack_debt < UINT16_MAX)
        c->dup_ack_debt++; /* RFC 5681 section 4.2: one for each, however late they leave */
    c->output_due = true;
    if (!reasm_insert(&c->reasm, &mem, s->seq, s->data))
        return REASON_TCP_REASSEMBLY;
    return REASON_NONE;
}

static enum reason step_text(struct seg *s)
{
    struct tcb *c = s->c;
    bool had_data = s->data.len > 0;

    if (!takes_text(c))
        return REASON_NONE;
    trim(s);
    if (s->data.len == 0) {
        if (had_data)
            tcp_ack_now(c, REASON_SEND_ACK_NOW); /* all of it was here before */
        return REASON_NONE;
    }
    if (c->released) {
        tcp_abort(s->t, c, s->now); /* 3.6.1, SHLD-3 */
        return REASON_TCP_DATA_AFTER_CLOSE;
    }
    c->rcv_mss = (uint16_t)max32(c->rcv_mss, min32(s->data.len, s->t->mtu_mss));
    return s->seq == c->rcv_nxt ? in_order(s) : out_of_order(s);
}

/* ---- eighth: the FIN bit (3.10.7.4) ---- */

/* Everything before the FIN is here: it takes its sequence number. */
static void take_fin(struct seg *s)
{
    struct tcb *c = s->c;

    if (c->rcv_adv == c->rcv_nxt)
        c->rcv_adv++;
    c->rcv_nxt++;
    c->dup_ack_debt = 0;
    c->events |= TCP_EVENT_PEER_CLOSED;
    tcp_ack_now(c, REASON_SEND_ACK_NOW);
    if (c->state == TCP_ESTABLISHED)
        tcp_set_state(s->t, c, s->now, TCP_CLOSE_WAIT);
    else if (c->state == TCP_FIN_WAIT_1)
        tcp_set_state(s->t, c, s->now, TCP_CLOSING);
    else if (c->state == TCP_FIN_WAIT_2)
        tcp_set_state(s->t, c, s->now, TCP_TIME_WAIT);
}

static void step_fin(struct seg *s)
{
    struct tcb *c = s->c;

    if (!takes_text(c))
        return;
    if ((s->flags & TCP_FIN) && !c->fin_arrived) {
        c->fin_arrived = true;
        c->rcv_fin = s->seq + s->data.len;
        if (c->rcv_fin != c->rcv_nxt && s->data.len == 0) {
            c->dup_ack_debt++;
            c->output_due = true;
        }
    }
    if (c->fin_arrived && c->rcv_fin == c->rcv_nxt)
        take_fin(s);
}

/* ---- SYN-SENT (3.10.7.3) ---- */

void tcp_take_syn(struct tcp *t, struct tcb *c, const struct tcp_hdr *syn)
{
    uint32_t mss = syn->opt.has_mss ? syn->opt.mss : TCP_MSS_DEFAULT4; /* MUST-15 */

    c->irs = syn->seq;
    c->rcv_nxt = c->last_ack = syn->seq + 1;
    c->snd_mss = (uint16_t)min32(max32(mss, MSS_FLOOR), t->mtu_mss); /* MUST-16 */
    if (t->cfg.wscale && syn->opt.has_wscale) {
        c->snd_wscale = syn->opt.wscale;
        c->rcv_wscale = tcp_window_scale(t->cfg.rcv_buf);
    }
    t->cfg.cc->init(&c->cc, c->snd_mss);
    tcp_window_init(t, c);
}

static enum reason syn_sent(struct seg *s)
{
    struct tcb *c = s->c;
    bool acks_syn = s->flags & TCP_ACK;

    if (acks_syn && (seq_leq(s->ack, c->iss) || seq_gt(s->ack, c->snd_nxt)))
        return reply_reset(s, REASON_TCP_SYN_SENT_ACK);
    if (s->flags & TCP_RST) {
        if (!acks_syn)
            return REASON_TCP_SYN_SENT_RST;
        tcp_end(s->t, c, s->now, REASON_END_REFUSED);
        return REASON_NONE;
    }
    if (!(s->flags & TCP_SYN))
        return REASON_TCP_SYN_SENT_OTHER;
    tcp_take_syn(s->t, c, s->hdr);
    if (acks_syn) {
        process_ack(s);
        establish(s);
        tcp_ack_now(c, REASON_SEND_HANDSHAKE_ACK);
        s->flags &= (uint8_t)~TCP_SYN;
        s->seq++;
        return step_text(s); /* what the SYN-ACK may have brought */
    }
    /* Text behind a SYN alone is not acknowledged and so comes again. */
    rtt_cancel(&c->rtt);
    c->send_syn = true;
    c->output_due = true;
    tcp_set_state(s->t, c, s->now, TCP_SYN_RECEIVED);
    return REASON_NONE;
}

/* ---- the parent ---- */

static enum reason synchronized(struct seg *s)
{
    enum reason why;

    if ((why = step_sequence(s)) || (why = step_rst(s)) || (why = step_syn(s)))
        return why;
    if (s->c->state == TCP_CLOSED) /* the RST did it */
        return REASON_NONE;
    if ((why = step_ack(s)))
        return why;
    why = step_text(s);
    if (!why)
        step_fin(s);
    return why;
}

enum reason tcp_input(struct tcp *t, struct tcb *c, int64_t now, const struct tcp_hdr *hdr,
                      struct slice data, bool *ret_reply, struct tcp_hdr *ret_rst)
{
    struct seg s = {
        .t = t,
        .c = c,
        .now = now,
        .seq = hdr->seq,
        .ack = hdr->ack,
        .wnd = (uint32_t)hdr->wnd << (hdr->flags & TCP_SYN ? 0 : c->snd_wscale),
        .flags = hdr->flags,
        .bare = data.len == 0 && !(hdr->flags & (TCP_SYN | TCP_FIN)),
        .data = data,
        .hdr = hdr,
        .ret_reply = ret_reply,
        .ret_rst = ret_rst,
    };

    assert(c->state != TCP_CLOSED && c->state != TCP_LISTEN);
    *ret_reply = false;
    c->segs_in++;
    return c->state == TCP_SYN_SENT ? syn_sent(&s) : synchronized(&s);
}

enum reason tcp_icmp_error(struct tcp *t, struct tcb *c, int64_t now, uint32_t seq, bool hard)
{
    if (seq_lt(seq, c->snd_una) || seq_geq(seq, c->snd_nxt))
        return REASON_ICMP_SEQUENCE; /* RFC 5927 section 4: not about anything in flight */
    if (hard && (c->state == TCP_SYN_SENT || c->state == TCP_SYN_RECEIVED))
        tcp_end(t, c, now, REASON_END_UNREACHABLE);
    else
        tcp_note(t, c, now, REASON_ICMP_SOFT, 0);
    return REASON_NONE;
}
