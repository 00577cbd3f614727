/*
 * What to send next, and why.
 *
 * tcp_output is called until it returns false, after all input of a batch was processed and the
 * applications have acted, so that one segment does for several debts: data carries the
 * acknowledgment, and one acknowledgment answers many segments. The order is: a reset; SYN; the
 * duplicate and challenge ACKs, which nothing else can stand for; what is lost; a probe of the
 * window or of the tail; a probe of the path's MTU; new data with the FIN; word of urgent data; an
 * acknowledgment that is still owed; a keep-alive.
 *
 * RTX runs whenever something is outstanding (RFC 6298 5.1), and as the persist timer while a
 * window too small to send into is all that holds data back (RFC 9293 section 3.8.6.1).
 */
#include "base/bytes.h"
#include "base/seq.h"
#include "base/time.h"
#include "tcp/control.h"
#include "tcp/ecn.h"
#include "tcp/keepalive.h"
#include "tcp/nagle.h"
#include "tcp/option.h"
#include "tcp/sack.h"
#include "tcp/super.h"
#include "tcp/urgent.h"

/* One call's worth of context. */
struct out {
    struct tcp *t;
    struct tcb *c;
    int64_t now;
    struct tcp_hdr *hdr;
    struct pkt *p;
};

void tcp_restart_rtx(struct tcb *c, int64_t now)
{
    c->timer[TIMER_RTX] = c->snd_una != c->snd_nxt ? now + c->rtt.rto : TIME_NEVER;
}

/* A segment at `seq`. With ACK set it pays every debt that an acknowledgment can pay. */
static bool begin(struct out *o, uint32_t seq, uint8_t flags, enum reason why)
{
    struct tcb *c = o->c;

    *o->hdr = (struct tcp_hdr){.seq = seq, .flags = flags};
    option_fill(o->t, c, o->now, flags, &o->hdr->opt);
    o->p->why = (uint16_t)why;
    c->segs_out++;
    o->hdr->wnd = tcp_window_offer(o->t, c, flags & TCP_SYN);
    if (flags & TCP_ACK) {
        o->hdr->ack = c->rcv_nxt;
        c->ack_now = false;
        c->last_ack = c->rcv_nxt;
        c->timer[TIMER_DELACK] = TIME_NEVER;
        sack_reported(c);
    }
    if ((flags & (TCP_SYN | TCP_RST | TCP_ACK)) == TCP_ACK)
        o->hdr->flags |= ecn_ack_flags(c);
    urgent_mark(c, o->hdr);
    return true;
}

static bool send_reset(struct out *o)
{
    struct tcb *c = o->c;

    c->send_rst = false;
    begin(o, tcb_bare_seq(c), TCP_RST | TCP_ACK, REASON_SEND_RST);
    o->hdr->wnd = 0;
    return true;
}

/* SYN, or SYN-ACK in SYN-RECEIVED. */
static bool send_syn(struct out *o)
{
    struct tcb *c = o->c;
    bool answers = c->state == TCP_SYN_RECEIVED, timed = c->timer[TIMER_RTX] != TIME_NEVER;
    enum reason first = answers ? REASON_SEND_SYN_ACK : REASON_SEND_SYN;
    enum reason later = answers ? REASON_SEND_SYN_ACK_AGAIN : REASON_SEND_SYN_AGAIN;

    begin(o, c->iss, (answers ? TCP_SYN | TCP_ACK : TCP_SYN) | ecn_syn_flags(o->t, c),
          c->syn_again ? later : first);
    c->send_syn = c->syn_again = false;
    if (timed) {
        c->retransmits++;
        rtt_cancel(&c->rtt);
    } else {
        rtt_start(&c->rtt, o->now, c->iss + 1);
        c->timer[TIMER_RTX] = o->now + c->rtt.rto;
    }
    return true;
}

/* So many bytes of text leave in the packet, `one` in each segment that it is or becomes. */
static void count_text(struct out *o, uint32_t sent, uint32_t one, enum reason why)
{
    struct tcb *c = o->c;
    uint32_t segments = why == REASON_SEND_MTU_PROBE ? 1 : super_segments(sent, one);

    if (segments > 1)
        o->p->gso_size = (uint16_t)one;
    c->bytes_sent += sent;
    c->segs_out += segments - 1;
    c->data_segs_out += segments;
    c->sent_ms = tcb_ms(o->now);
}

/*
 * Bytes seq .. seq + len - 1 of the queue go into the packet, or fewer, where it has no more parts:
 * then whole segments, for the last of many must not be small because of that. Returns how many.
 */
static uint32_t gather(struct out *o, uint32_t seq, uint32_t len, uint32_t one)
{
    struct tcb *c = o->c;
    uint32_t n = chunkq_gather(&c->snd_q, &c->snd_cursor, seq - tcb_snd_base(c), len, o->p);

    if (n == len || n <= one)
        return n;
    pkt_cut(o->p, n % one);
    return n - n % one;
}

/*
 * Send sequence space seq .. seq + len - 1: bytes of the queue, `one` in each segment, and the FIN
 * if the space reaches it. Less is sent where the packet has no more parts. Returns how much
 * (SHLD-27).
 */
static uint32_t send_space(struct out *o, uint32_t seq, uint32_t len, uint32_t one, enum reason why)
{
    struct tcb *c = o->c;
    uint32_t end = tcb_data_end(c), bytes = min32(len, end - seq), sent = 0;
    bool fin = len > bytes;

    begin(o, seq, TCP_ACK, why);
    if (bytes) {
        sent = gather(o, seq, bytes, one);
        count_text(o, sent, one, why);
        if (seq + sent == end)
            o->hdr->flags |= TCP_PSH; /* MUST-61 */
    }
    if (fin && sent == bytes) {
        o->hdr->flags |= TCP_FIN;
        c->fin_sent = true;
        sent++;
    }
    if (c->timer[TIMER_RTX] == TIME_NEVER)
        c->timer[TIMER_RTX] = o->now + c->rtt.rto;
    return sent;
}

/* What waits behind a gap for its acknowledgment says nothing of the path; the echo does better. */
static bool may_time(const struct tcb *c)
{
    return !c->ts_ok || flight_phase(c->flight) == RECOVERY_OPEN;
}

/* Something will leave for the first time: where nothing flew, window and pace may change. */
static void begin_to_send(struct out *o)
{
    struct tcb *c = o->c;

    flight_begin(o->t, c);
    if (c->snd_nxt != c->snd_una)
        return;
    control_restart(o->t, c, o->now);
    c->progress_at = o->now;
    c->timer[TIMER_RTX] = TIME_NEVER; /* no longer the persist timer */
}

/* The same for what leaves for the first time, after begin_to_send() or behind what flies. */
static bool send_new(struct out *o, uint32_t len, uint32_t one, enum reason why)
{
    struct tcb *c = o->c;
    uint32_t start = c->snd_nxt, sent = send_space(o, start, len, one, why);

    c->snd_nxt = start + sent;
    c->at_rest = false;
    if (why == REASON_SEND_MTU_PROBE)
        recovery_sent_probe(c->flight, o->now, start, c->snd_nxt);
    else
        recovery_sent_new(c->flight, o->now, start, c->snd_nxt);
    control_sent(o->t, c, o->now, sent);
    response_sent(c, o->now, start, sent, false);
    flight_settle(o->t, c, o->now);
    if (why != REASON_SEND_PROBE && o->p->parts > 1)
        ecn_new_text(c, o->hdr, o->p); /* also where it probes the tail */
    if (why != REASON_SEND_PROBE && may_time(c))
        rtt_start(&c->rtt, o->now, c->snd_nxt);
    return true;
}

/* `len` from `start` on leaves once more; less, where the packet has no more parts. */
static void send_again(struct out *o, uint32_t start, uint32_t len, enum reason why)
{
    struct tcb *c = o->c;

    uint32_t one = option_text_max(c);

    rtt_cancel(&c->rtt);
    c->retransmits += super_segments(len, one);
    len = send_space(o, start, len, one, why);
    control_sent(o->t, c, o->now, len);
    recovery_sent(c->flight, o->now, start, start + len);
    response_sent(c, o->now, start, len, true);
}

/* What a timeout sends leaves at once, and the next one is counted from there (RFC 6298 5.6). */
static bool answers_timeout(const struct flight *f)
{
    return f->recovery.phase == RECOVERY_RTO && f->recovery.at_once;
}

/*
 * A segment of text at `seq` may leave: how much may leave together with it, of `most` bytes and
 * within `room`? What would follow it in as many calls. A part of a segment goes with them where it
 * is `whole`: then nothing will be added to it.
 */
static uint32_t train(const struct out *o, uint32_t seq, uint32_t most, uint32_t room, bool whole)
{
    uint32_t one = option_text_max(o->c), max = super_text_max(o->t, o->c, seq, one), len;

    if (max <= one || most <= one)
        return min32(most, one);
    len = min32(min32(most, max), max32(room, one));
    len = min32(len, control_burst(o->t, o->c, o->now, one));
    return whole && len == most ? len : len - len % one;
}

/* What flies already takes its part of cwnd. */
static uint32_t room_of_cwnd(const struct tcb *c)
{
    uint32_t pipe = flight_pipe(c->flight, c->snd_mss);

    return c->cc.cwnd > pipe ? c->cc.cwnd - pipe : 0;
}

/* What was sent may be sent again within the window (SHLD-16) and cwnd. */
static bool send_lost(struct out *o)
{
    struct tcb *c = o->c;
    struct flight *f = c->flight;
    uint32_t start, end, len, most;
    enum reason why;

    if (!recovery_next(f, &start, &end, &why))
        return false;
    most = min32(end - start, tcb_window_from(c, start));
    len = min32(most, option_text_max(c));
    if (len == 0)
        return false;
    if (!recovery_may_send(f, len, c->cc.cwnd, c->snd_mss)) {
        c->cwnd_limited = true;
        return false;
    }
    if (!answers_timeout(f) && control_must_wait(o->t, c, o->now))
        return false;
    if (!answers_timeout(f))
        len = train(o, start, most, room_of_cwnd(c), most == end - start);
    send_again(o, start, len, why);
    if (start == c->snd_una && f->recovery.phase == RECOVERY_FAST && o->t->cfg.rack)
        tcp_restart_rtx(c, o->now); /* RACK has its time to find that this is lost, too */
    flight_settle(o->t, c, o->now);
    return true;
}

bool tcp_has_new(const struct tcb *c)
{
    return tcb_unsent(c) > 0 && tcb_window_from(c, c->snd_nxt) > 0;
}

/*
 * One octet, or the FIN, to learn whether the window is still closed; or, where the window is open
 * but smaller than what is worth a segment, as much as it takes (3.8.6.2.1, the override, MUST-36).
 */
static bool send_probe(struct out *o)
{
    struct tcb *c = o->c;
    uint32_t waiting = tcb_unsent(c), window = tcb_window_from(c, c->snd_nxt),
             one = option_text_max(c);

    c->probe_due = false;
    if (c->snd_una != c->snd_nxt) {
        recovery_sent(c->flight, o->now, c->snd_una,
                      c->snd_una + send_space(o, c->snd_una, 1, one, REASON_SEND_PROBE));
        return true;
    }
    if (!waiting)
        return false;
    begin_to_send(o);
    return send_new(o, max32(1, min32(min32(waiting, window), one)), one, REASON_SEND_PROBE);
}

/* The last segment that is not known to have arrived, once more. */
static bool send_tail_again(struct out *o)
{
    struct tcb *c = o->c;
    const struct range *g = board_last(&c->flight->board);
    uint32_t start, len;

    while (g && g->sacked)
        g = board_before(&c->flight->board, g);
    if (!g)
        return false;
    start = g->end - min32(range_len(g), option_text_max(c));
    len = min32(g->end - start, tcb_window_from(c, start));
    if (len == 0)
        return false;
    send_again(o, start, len, REASON_SEND_TLP);
    return true;
}

/*
 * RFC 8985 section 7.3: new data, be it one segment beyond cwnd; where there is none, or no window,
 * the last segment again. Then it is RTX that waits for its answer. What is sent again in a
 * recovery decides nothing about a loss: that is known.
 */
static bool send_tail_probe(struct out *o)
{
    struct tcb *c = o->c;
    uint32_t one = option_text_max(c);
    uint32_t fresh = min32(tcb_unsent(c), min32(tcb_window_from(c, c->snd_nxt), one));
    bool open = c->flight->recovery.phase == RECOVERY_OPEN, again = fresh == 0;

    c->flight->tlp.due = false;
    if (c->snd_una == c->snd_nxt || c->snd_wnd == 0)
        return false;
    if (again ? !send_tail_again(o) : !send_new(o, fresh, one, REASON_SEND_TLP))
        return false;
    tlp_sent(&c->flight->tlp, c->snd_nxt, again && open);
    tcp_restart_rtx(c, o->now);
    flight_settle(o->t, c, o->now);
    return true;
}

/*
 * Rules (3) and (4) of NextSeg (RFC 6675 section 4): with nothing lost to send, and nothing new
 * that may leave, cwnd is used for what may be lost, so that acknowledgments go on. RACK and its
 * probes know better.
 */
static bool send_last_resort(struct out *o)
{
    struct tcb *c = o->c;
    struct flight *f = c->flight;
    uint32_t start, end, len;
    unsigned rule;

    if (!f || o->t->cfg.rack || flight_pipe(f, c->snd_mss) + c->snd_mss > c->cc.cwnd)
        return false;
    rule = recovery_last_resort(f, c->snd_una, option_text_max(c), &start, &end);
    if (!rule)
        return false;
    len = min32(min32(end - start, option_text_max(c)), tcb_window_from(c, start));
    if (len == 0 || control_must_wait(o->t, c, o->now))
        return false;
    recovery_resorted(f, rule);
    send_again(o, start, len, REASON_SEND_RESCUE);
    flight_settle(o->t, c, o->now);
    return true;
}

/* It is not cwnd that keeps data from being sent. */
static void nothing_to_send(struct tcb *c)
{
    uint32_t pipe = c->at_rest ? 0 : flight_pipe(c->flight, c->snd_mss);

    c->cwnd_limited = false;
    if (c->flight && !c->at_rest && !c->flight->board.lost && pipe < c->cc.cwnd)
        rate_app_limited(&c->flight->rate, pipe);
}

/*
 * Of `waiting`, in a window of so many bytes, `bytes` of text leave; and the FIN with them, if they
 * are the last and it has room, too.
 */
static uint32_t with_fin(const struct tcb *c, uint32_t waiting, uint32_t window, uint32_t bytes)
{
    return c->fin_queued && waiting == bytes + 1 && window > bytes ? waiting : bytes;
}

/* New data, as far as window, cwnd and silly-window avoidance allow (SHLD-15). */
static bool send_data(struct out *o)
{
    struct tcb *c = o->c;
    uint32_t waiting = tcb_unsent(c), window = tcb_window_from(c, c->snd_nxt);
    uint32_t text, most, one, bytes, room, len;

    if (!waiting || window == 0) {
        nothing_to_send(c);
        return false;
    }
    text = waiting - c->fin_queued;
    most = min32(text, window);
    one = option_text_max(c);
    bytes = min32(most, one);
    room = response_room(o->t, c);
    len = with_fin(c, waiting, window, bytes);
    if (!nagle_worth(c, bytes, one, len == waiting)) {
        c->cwnd_limited = c->cwnd_limited && bytes > room;
        return false;
    }
    if (bytes > room && flight_pipe(c->flight, c->snd_mss) > 0) {
        c->cwnd_limited = true;
        return false;
    }
    if (control_must_wait(o->t, c, o->now))
        return false;
    begin_to_send(o);
    if (most > one && !response_prefers_new(c)) {
        bytes = train(o, c->snd_nxt, most, response_room(o->t, c),
                      most == text && (c->fin_queued || !c->set->nagle));
        len = with_fin(c, waiting, window, bytes);
    }
    return send_new(o, len, one, bytes ? REASON_SEND_DATA : REASON_SEND_FIN);
}

/* New data in a packet that is larger than those that are known to pass (RFC 4821 section 7). */
static bool send_mtu_probe(struct out *o)
{
    struct tcb *c = o->c;
    uint32_t waiting = tcb_unsent(c), start = c->snd_nxt, text;

    if (!*o->t->path_changes) /* nobody has ever found that less passes than the device takes */
        return false;
    text = plpmtud_due(o->t, c, o->now, waiting - (waiting && c->fin_queued),
                       tcb_window_from(c, start), response_room(o->t, c));
    if (text == 0 || control_must_wait(o->t, c, o->now))
        return false;
    begin_to_send(o);
    send_new(o, text, option_text_max(c), REASON_SEND_MTU_PROBE);
    plpmtud_sent(o->t, c, o->now, start, text);
    return true;
}

/* Nothing is outstanding, and what waits cannot be sent: look again later (SHLD-29). */
static void arm_persist(struct tcb *c, int64_t now)
{
    if (c->snd_una == c->snd_nxt && tcb_unsent(c) && c->timer[TIMER_RTX] == TIME_NEVER) {
        c->progress_at = now;
        c->timer[TIMER_RTX] = now + c->rtt.rto;
    }
}

static bool send_from_queue(struct out *o)
{
    struct tcb *c = o->c;

    if (response_prefers_new(c)) {
        if (send_data(o))
            return true;
        if (control_must_wait(o->t, c, o->now))
            return false;
        response_no_new_data(c);
    }
    if (c->flight && c->flight->board.lost && c->snd_wnd > 0) /* new data waits for it */
        return !response_holds_lost(c) && send_lost(o);
    if (c->probe_due)
        return send_probe(o);
    if (c->flight && c->flight->tlp.due && send_tail_probe(o))
        return true;
    if (send_mtu_probe(o) || send_data(o) || send_last_resort(o))
        return true;
    arm_persist(c, o->now);
    return false;
}

static bool send_owed_ack(struct out *o)
{
    struct tcb *c = o->c;

    if (c->dup_ack_debt) {
        c->dup_ack_debt--;
        return begin(o, tcb_bare_seq(c), TCP_ACK, REASON_SEND_ACK_DUPLICATE);
    }
    if (c->challenge) {
        c->challenge = false;
        return begin(o, tcb_bare_seq(c), TCP_ACK, REASON_SEND_ACK_CHALLENGE);
    }
    return false;
}

/*
 * What the remote end has acknowledged already, and so has to acknowledge again: an empty segment
 * (SHLD-12), or one octet, for those who answer nothing less (MAY-6).
 */
static bool send_keepalive(struct out *o)
{
    static const uint8_t octet[1];

    if (o->c->set->keepalive_octet)
        pkt_add(o->p, (struct slice){NULL, octet, 1});
    return begin(o, o->c->snd_nxt - 1, TCP_ACK, REASON_SEND_KEEPALIVE);
}

/* The order that the top of this file tells (U-4). */
static bool output(struct out *o)
{
    struct tcb *c = o->c;

    if (c->send_rst)
        return send_reset(o);
    if (c->state == TCP_SYN_SENT || c->state == TCP_SYN_RECEIVED) {
        if (c->send_syn)
            return send_syn(o);
        if (c->state == TCP_SYN_SENT)
            return false;
    }
    if (c->state == TCP_CLOSED)
        return false;
    if (send_owed_ack(o))
        return true;
    if (tcb_sends_text(c) && send_from_queue(o))
        return true;
    if (tcb_sends_text(c) && urgent_owed(c, tcb_bare_seq(c)))
        return begin(o, tcb_bare_seq(c), TCP_ACK, REASON_SEND_URGENT);
    if (c->ack_now)
        return begin(o, tcb_bare_seq(c), TCP_ACK, (enum reason)c->ack_reason);
    return keepalive_owed(c) && send_keepalive(o);
}

/*
 * An established connection of which nothing is lost, late, urgent or to be probed, and that owes
 * nothing but an acknowledgment. It is nearly always so; then what output() goes through comes down
 * to new text, or that acknowledgment, and this says so in one look.
 */
static bool is_usual(const struct tcp *t, const struct tcb *c)
{
    const struct flight *f = c->flight;

    if (c->send_rst || c->probe_due || c->challenge || c->keepalive_due || c->urgent_due)
        return false;
    if (c->state != TCP_ESTABLISHED || c->dup_ack_debt || *t->path_changes)
        return false;
    return !f || c->at_rest ||
           (f->recovery.phase == RECOVERY_OPEN && !f->board.lost && !f->tlp.due &&
            !frto_active(&f->response.frto));
}

/* Nothing flies, and one segment takes all that waits: only pacing can hold it back. */
static bool leaves_alone(const struct tcb *c)
{
    uint32_t waiting = c->snd_q.bytes;

    return c->snd_una == c->snd_nxt && waiting && waiting <= min32(c->snd_wnd, option_text_max(c));
}

/* What output() comes to then. */
static bool output_usual(struct out *o)
{
    struct tcb *c = o->c;

    if (leaves_alone(c) && !control_must_wait(o->t, c, o->now)) {
        begin_to_send(o);
        return send_new(o, c->snd_q.bytes, option_text_max(c), REASON_SEND_DATA);
    }
    if (send_data(o))
        return true;
    arm_persist(c, o->now);
    return c->ack_now && begin(o, tcb_bare_seq(c), TCP_ACK, (enum reason)c->ack_reason);
}

/* What might be sent has been. */
static void all_sent(struct tcb *c, bool usual)
{
    c->output_due = false;
    if (c->at_rest)
        return;
    if (c->flight)
        c->flight->size = c->snd_nxt - c->snd_una;
    c->at_rest = usual && c->snd_nxt == c->snd_una && tcb_unsent(c) == 0;
}

/*
 * The door of this file: one segment for as many debts as it can pay (MUST-58). Would another call
 * find anything? Mostly not, and that can be seen without it: as usual, and nothing waits.
 */
bool tcp_output(struct tcp *t, struct tcb *c, int64_t now, struct tcp_hdr *ret_hdr, struct pkt *p)
{
    struct out o = {t, c, now, ret_hdr, p};
    bool usual = is_usual(t, c), sent;

    path_follow(t, c);
    sent = usual ? output_usual(&o) : output(&o);
    c->output_due = sent && !(usual && tcb_unsent(c) == 0);
    if (c->output_due)
        return true;
    if (sent)
        nothing_to_send(c);
    all_sent(c, usual);
    return sent;
}

bool tcp_output_is_idle(struct tcp *t, struct tcb *c)
{
    if (c->ack_now || tcb_unsent(c) || !is_usual(t, c))
        return false;
    path_follow(t, c);
    nothing_to_send(c);
    all_sent(c, true);
    return true;
}
