/*
 * SEGMENT ARRIVES (RFC 9293 section 3.10.7) for a connection in any state but CLOSED and LISTEN.
 *
 * tcp_input is the one parent that branches. It calls the steps in the RFC's order; each returns
 * REASON_NONE to go on with the next, or the reason why the segment's way ends here. Nothing is
 * sent from here: what is owed stands in the TCB until the output is drained (MUST-58, MUST-59).
 *
 * The fifth step is in ack.c, the sixth in urgent.c, the seventh and eighth are in text.c.
 */
#include <assert.h>

#include "base/seq.h"
#include "tcp/control.h"
#include "tcp/ecn.h"
#include "tcp/keepalive.h"
#include "tcp/option.h"
#include "tcp/sack.h"
#include "tcp/super.h"
#include "tcp/timestamp.h"
#include "tcp/usual.h"

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
static enum reason unacceptable(struct seg *s, enum reason why)
{
    if (s->flags & TCP_RST)
        return why;
    if (s->flags & TCP_SYN)
        return seg_challenge(s, REASON_TCP_SYN_CHALLENGED); /* RFC 5961 section 4.2 */
    if (s->seq == s->c->rcv_nxt - 1 && (s->flags & TCP_ACK) && s->ack == s->c->snd_nxt)
        keepalive_heard(s->c, s->now); /* theirs: no need to ask for ours */
    if (seg_len(s) == 0)
        return seg_challenge(s, why); /* limited, or two such ends would never stop */
    tcp_ack_now(s->c, REASON_SEND_ACK_NOW);
    return why;
}

/*
 * A segment that stands one before RCV.NXT and brings no more than that octet may be a probe of our
 * window, or come from an end that cannot know whether we took the octet of its probe. There is
 * nothing in it to take, but what it acknowledges counts: else two ends that probe each other's
 * window at the same time may never hear each other again (RFC 9293 appendix A.2).
 */
static void heed_last_octet(struct seg *s)
{
    const struct tcb *c = s->c;
    uint8_t others = TCP_SYN | TCP_RST | TCP_FIN;

    if (c->state >= TCP_ESTABLISHED && s->seq == c->rcv_nxt - 1 && s->data.len <= 1 &&
        (s->flags & (TCP_ACK | others)) == TCP_ACK)
        ack_step(s);
}

/*
 * In SYN-RECEIVED the remote end's SYN may come again: ours was lost, or we opened together and
 * then it acknowledges ours (figure 8 in section 3.5). After a passive open nobody has cause to
 * acknowledge with a SYN: that is outside the window like any old segment.
 */
static enum reason syn_again(struct seg *s)
{
    if ((s->flags & TCP_ACK) && s->c->passive)
        return seg_challenge(s, REASON_TCP_SYN_CHALLENGED);
    if (!(s->flags & TCP_ACK)) {
        option_take_syn_again(s->c, s->hdr);
        ecn_take_syn_again(s->c, s->hdr);
        tcb_send_syn_again(s->c);
        s->c->output_due = true;
        return REASON_TCP_SEQUENCE;
    }
    ecn_take_syn_again(s->c, s->hdr);
    s->flags &= (uint8_t)~TCP_SYN;
    s->seq++;
    return REASON_NONE;
}

/*
 * Before the sequence number comes the timestamp (RFC 7323 section 5.3): an old duplicate may well
 * stand in the window, once the numbers have wrapped.
 */
static enum reason step_timestamp(struct seg *s)
{
    enum reason why = timestamp_verdict(s->c, s->now, s->hdr);

    if (why != REASON_TCP_PAWS)
        return why;
    sack_note_duplicate(s->t, s->c, s->seq, s->data.len); /* RFC 2883 section 4.3 */
    return unacceptable(s, why);
}

static enum reason step_sequence(struct seg *s)
{
    struct tcb *c = s->c;
    enum reason why;

    if (c->state == TCP_SYN_RECEIVED && (s->flags & TCP_SYN) && s->seq == c->irs &&
        (why = syn_again(s)))
        return why;
    if (acceptable(c, s->seq, seg_len(s)))
        return REASON_NONE;
    if (tcb_rcv_wnd(c) > 0 || s->seq != c->rcv_nxt) {
        if (c->state == TCP_TIME_WAIT && (s->flags & (TCP_FIN | TCP_RST)) == TCP_FIN)
            tcp_arm_linger(s->t, c, s->now); /* a FIN again: wait for another 2 MSL */
        if (seq_leq(s->seq + s->data.len, c->rcv_nxt))
            sack_note_duplicate(s->t, c, s->seq, s->data.len);
        why = unacceptable(s, REASON_TCP_SEQUENCE);
        heed_last_octet(s);
        return why;
    }
    /* MUST-66: a closed window takes no data, but ACK, RST and URG of what probes it count. */
    s->data.len = 0;
    s->flags &= (uint8_t)~TCP_FIN;
    if (!(s->flags & TCP_RST))
        tcp_ack_now(c, REASON_SEND_ACK_NOW);
    return REASON_NONE;
}

/* ---- second: the RST bit (3.10.7.4, RFC 5961 section 3.2) ---- */

/* Exact, it is the end, whatever data it carries; elsewhere in the window it is asked about (U-5,
 * U-6, SHLD-2). */
static enum reason step_rst(struct seg *s)
{
    struct tcb *c = s->c;

    if (!(s->flags & TCP_RST))
        return REASON_NONE;
    if (c->state == TCP_TIME_WAIT)
        return REASON_TCP_TIME_WAIT; /* RFC 1337: a reset does not end TIME-WAIT */
    if (s->seq != c->rcv_nxt)
        return seg_challenge(s, REASON_TCP_RST_CHALLENGED);
    if (c->state == TCP_SYN_RECEIVED && !c->passive)
        tcp_end(s->t, c, s->now, REASON_END_REFUSED);
    else
        tcp_end(s->t, c, s->now, REASON_END_RESET);
    return REASON_NONE;
}

/* ---- fourth: the SYN bit (3.10.7.4, RFC 5961 section 4.2); the third, security, is history ----
 */

/* Whatever its number, it is asked about (U-8). */
static enum reason step_syn(struct seg *s)
{
    struct tcb *c = s->c;

    if (!(s->flags & TCP_SYN))
        return REASON_NONE;
    if (c->state == TCP_SYN_RECEIVED && c->passive) {
        tcp_end(s->t, c, s->now, REASON_END_RESET); /* back to LISTEN */
        return REASON_TCP_SYN_CHALLENGED;
    }
    return seg_challenge(s, REASON_TCP_SYN_CHALLENGED);
}

/* ---- SYN-SENT (3.10.7.3) ---- */

void tcp_take_syn(struct tcp *t, struct tcb *c, int64_t now, const struct tcp_hdr *syn)
{
    c->irs = syn->seq;
    c->rcv_nxt = c->last_ack = c->rcv_up = syn->seq + 1;
    option_take_syn(t, c, now, syn);
    ecn_take_syn(t, c, syn);
    control_init(t, c);
    tcp_window_init(t, c);
}

/* A SYN without ACK meets ours on the way; a reset counts if it acknowledges ours (MUST-10, U-3).
 */
static enum reason syn_sent(struct seg *s)
{
    struct tcb *c = s->c;
    bool acks_syn = s->flags & TCP_ACK;

    if (acks_syn && (seq_leq(s->ack, c->iss) || seq_gt(s->ack, c->snd_nxt)))
        return seg_reply_reset(s, REASON_TCP_SYN_SENT_ACK);
    if (s->flags & TCP_RST) {
        if (!acks_syn)
            return REASON_TCP_SYN_SENT_RST;
        tcp_end(s->t, c, s->now, REASON_END_REFUSED);
        return REASON_NONE;
    }
    if (!(s->flags & TCP_SYN))
        return REASON_TCP_SYN_SENT_OTHER;
    tcp_take_syn(s->t, c, s->now, s->hdr);
    if (acks_syn) {
        ack_process(s);
        ack_establish(s);
        tcp_ack_now(c, REASON_SEND_HANDSHAKE_ACK);
        s->flags &= (uint8_t)~TCP_SYN;
        s->seq++;
        urgent_step(s);
        return text_step(s); /* what the SYN-ACK may have brought */
    }
    /* Text behind a SYN alone is not acknowledged and so comes again. */
    rtt_cancel(&c->rtt);
    c->send_syn = true;
    c->syn_again = false; /* it acknowledges one now, and is another segment */
    c->output_due = true;
    tcp_set_state(s->t, c, s->now, TCP_SYN_RECEIVED);
    return REASON_NONE;
}

/* ---- the parent ---- */

/*
 * A step that gives a reason ends the segment's way (U-7, U-9). Those about a bit, or about what is
 * not spoken, are not called without it.
 */
static enum reason synchronized(struct seg *s)
{
    enum reason why;

    if ((why = step_timestamp(s)) || (why = step_sequence(s)))
        return why;
    if (s->flags & (TCP_RST | TCP_SYN)) {
        if ((why = step_rst(s)) || (why = step_syn(s)))
            return why;
        if (s->c->state == TCP_CLOSED) /* the RST did it */
            return REASON_NONE;
    }
    if ((why = ack_step(s)))
        return why;
    timestamp_update(s->c, s->now, s->hdr);
    if (ecn_is_mark(s->c, s->hdr, s->data.len))
        tcp_note(s->t, s->c, s->now, REASON_ECN_MARK, 0);
    if (s->c->ecn_ok)
        ecn_text_arrived(s->c, s->hdr, s->data.len);
    if (s->hdr->flags & TCP_URG)
        urgent_step(s);
    why = text_step(s);
    if (!why)
        text_fin(s);
    return why;
}

/* The window's field counts without a sign (MUST-1). */
enum reason tcp_input(struct tcp *t, struct tcb *c, int64_t now, const struct tcp_hdr *hdr,
                      struct slice data, bool *ret_reply, struct tcp_hdr *ret_rst)
{
    struct seg s;

    assert(c->state != TCP_CLOSED && c->state != TCP_LISTEN);
    usual_prefetch(c);
    *ret_reply = false;
    if (usual_is(c, hdr, data.len))
        return usual_input(t, c, now, hdr, data);
    s = (struct seg){
        .t = t,
        .c = c,
        .now = now,
        .seq = hdr->seq,
        .ack = hdr->ack,
        .wnd = (uint32_t)hdr->wnd << (hdr->flags & TCP_SYN ? 0 : c->snd_wscale),
        .flags = hdr->flags,
        .bare = data.len == 0 && !(hdr->flags & (TCP_SYN | TCP_FIN)),
        .segments = super_segments(data.len, hdr->seg_size),
        .data = data,
        .hdr = hdr,
        .ret_reply = ret_reply,
        .ret_rst = ret_rst,
    };
    c->segs_in += s.segments;
    c->data_segs_in += data.len > 0 ? s.segments : 0;
    return c->state == TCP_SYN_SENT ? syn_sent(&s) : synchronized(&s);
}
