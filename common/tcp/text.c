/*
 * The seventh and eighth step of SEGMENT ARRIVES: the segment text and the FIN bit (RFC 9293
 * section 3.10.7.4). Bytes in order go to the receive queue, others wait in reasm.c; a FIN counts
 * when all before it is here.
 */
#include "base/bytes.h"
#include "base/seq.h"
#include "base/time.h"
#include "tcp/sack.h"
#include "tcp/usual.h"

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

enum {
    BURST_GAP = 2, /* ms: closer together than this is a burst */
};

/*
 * How long an acknowledgment may wait for a second segment, or for text to go with, ns (MUST-40).
 * In a burst a second one would come as close behind as this one came behind the one before,
 * `gap_ms`. If none does, this is the last: the sender, its window full, waits for this very
 * acknowledgment. Segments that come evenly, however slowly, are answered in pairs.
 */
static int64_t patience(const struct tcp *t, const struct tcb *c, uint32_t gap_ms)
{
    int64_t longest = t->cfg.delack_ns;

    if (c->data_segs_in <= 1 || gap_ms >= BURST_GAP)
        return longest;
    return time_min(longest, BURST_GAP * MSEC);
}

/* An acknowledgment for bytes that came in order: at once, or a little later (3.8.6.3, SHLD-18). */
static void owe_ack(const struct tcp *t, struct tcb *c, int64_t now, bool gap, uint32_t gap_ms)
{
    if (gap || !t->cfg.delayed_ack)
        tcp_ack_now(c, REASON_SEND_ACK_NOW); /* RFC 5681 section 4.2 */
    else if (c->rcv_nxt - c->last_ack >= 2u * c->rcv_mss)
        tcp_ack_now(c, REASON_SEND_ACK_SECOND); /* SHLD-19 */
    else if (c->timer[TIMER_DELACK] == TIME_NEVER)
        c->timer[TIMER_DELACK] = now + patience(t, c, gap_ms);
}

/* Windows promise more than there is: the share of the moment decides (budget.c). */
static bool has_share(const struct tcp *t, const struct tcb *c, uint32_t len)
{
    uint32_t bytes = c->rcv_q.bytes + len;

    return bytes <= TCP_QUEUE_FLOOR || bytes <= tcp_budget_queue(t, UINT32_MAX);
}

/* The next bytes; `gap`: some that lie behind them are here already. */
static inline enum reason in_order(struct tcp *t, struct tcb *c, int64_t now, struct slice data,
                                   bool gap, uint32_t gap_ms)
{
    uint32_t kept = 0, joined = 0;

    if (has_share(t, c, data.len))
        kept = chunkq_keep(&c->rcv_q, t->cells, t->small, data);
    c->rcv_nxt += kept;
    if (gap)
        joined = reasm_take(&c->reasm, t->cells, c->rcv_nxt, &c->rcv_q);
    c->rcv_nxt += joined;
    c->bytes_received += kept + joined;
    if (kept + joined) {
        c->events |= TCP_EVENT_READABLE;
        c->dup_ack_debt = 0; /* what they would repeat is old now */
        tcp_window_grow(t, c, now);
        owe_ack(t, c, now, gap, gap_ms);
    }
    return kept == data.len ? REASON_NONE : REASON_NO_BUFFER;
}

enum {
    DUPLICATES = 3, /* of one super-segment: as many as make its sender send again (RFC 5681 3.2) */
};

/*
 * RFC 5681 section 4.2: a duplicate ACK for each segment out of order, however late they leave. Of
 * many that came as one, a sender that hears of selective acknowledgments learns from a single
 * answer, and one that counts from three.
 */
static void owe_duplicate(struct seg *s)
{
    struct tcb *c = s->c;
    uint32_t owed = c->dup_ack_debt + (c->sack_ok ? 1 : min32(s->segments, DUPLICATES));

    c->dup_ack_debt = (uint16_t)min32(owed, UINT16_MAX);
    c->output_due = true;
}

/* Text of the largest segment that is known to come. */
static inline void learn_size(const struct tcp *t, struct tcb *c, const struct tcp_hdr *hdr,
                              uint32_t len)
{
    uint32_t size = hdr->seg_size ? min32(hdr->seg_size, len) : len;

    if (size > c->rcv_mss)
        c->rcv_mss = (uint16_t)max32(c->rcv_mss, min32(size, t->mtu_mss));
}

/* Kept for later, and answered by a duplicate ACK (SHLD-31, MAY-13). */
static enum reason out_of_order(struct seg *s)
{
    struct tcb *c = s->c;
    struct reasm_mem mem = {s->t->cells, s->t->small, tcp_window_buffer(s->t, c)};

    owe_duplicate(s);
    if (!tcp_budget_out_of_order(s->t, s->data) || !reasm_insert(&c->reasm, &mem, s->seq, s->data))
        return REASON_TCP_REASSEMBLY;
    return REASON_NONE;
}

/*
 * The remote end's stream ends here. What it sent before for numbers behind that was not meant, and
 * would be taken for text together with what fills the gap.
 */
static void note_fin(struct seg *s)
{
    struct tcb *c = s->c;

    c->fin_arrived = true;
    c->rcv_fin = s->seq + s->data.len;
    reasm_cut(&c->reasm, s->t->cells, c->rcv_fin);
    if (c->rcv_fin != c->rcv_nxt && s->data.len == 0)
        owe_duplicate(s);
}

/* The next bytes, all of them new and within the window, where nothing is missing: nearly always.
 */
static bool is_next(const struct seg *s)
{
    const struct tcb *c = s->c;

    return s->seq == c->rcv_nxt && !(s->flags & TCP_FIN) && !c->fin_arrived && !c->reasm.first &&
           seq_leq(s->seq + s->data.len, c->rcv_adv);
}

/* What else it may be: here already in part, beyond the window, the end. Is its FIN a new one? */
static bool take_apart(struct seg *s)
{
    struct tcb *c = s->c;
    bool new_fin;

    sack_note_duplicate(s->t, c, s->seq, s->data.len);
    trim(s);
    new_fin = (s->flags & TCP_FIN) && !c->fin_arrived;
    if (new_fin)
        note_fin(s);
    return new_fin;
}

/* Text came: how long after what came before, ms? */
static inline uint32_t heed_arrival(const struct tcp *t, struct tcb *c, int64_t now,
                                    const struct tcp_hdr *hdr, uint32_t len)
{
    uint32_t gap_ms = tcb_ms(now) - c->received_ms;

    c->received_ms += gap_ms;
    learn_size(t, c, hdr, len);
    return gap_ms;
}

enum reason text_usual(struct tcp *t, struct tcb *c, int64_t now, const struct tcp_hdr *hdr,
                       struct slice data)
{
    uint32_t gap_ms = heed_arrival(t, c, now, hdr, data.len);

    return in_order(t, c, now, data, false, gap_ms);
}

enum reason text_step(struct seg *s)
{
    struct tcb *c = s->c;
    bool had_data = s->data.len > 0, new_fin;
    uint32_t gap_ms;
    enum reason why;

    if (!tcb_takes_text(c))
        return REASON_NONE;
    new_fin = !is_next(s) && take_apart(s);
    if (s->data.len == 0) {
        if (had_data)
            tcp_ack_now(c, REASON_SEND_ACK_NOW); /* all of it was here before */
        return REASON_NONE;
    }
    if (c->released) {
        tcp_abort(s->t, c, s->now); /* 3.6.1, SHLD-3 */
        return REASON_TCP_DATA_AFTER_CLOSE;
    }
    gap_ms = heed_arrival(s->t, c, s->now, s->hdr, s->data.len);
    if (s->seq == c->rcv_nxt)
        why = in_order(s->t, c, s->now, s->data, c->reasm.first, gap_ms);
    else
        why = out_of_order(s);
    if (why && new_fin)
        c->fin_arrived = false; /* it comes again together with its text */
    return why;
}

/* ---- eighth: the FIN bit (3.10.7.4) ---- */

/* Everything before the FIN is here: it takes its sequence number (MUST-12). */
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

void text_fin(struct seg *s)
{
    struct tcb *c = s->c;

    if (!tcb_takes_text(c))
        return;
    if (c->fin_arrived && c->rcv_fin == c->rcv_nxt)
        take_fin(s);
}
