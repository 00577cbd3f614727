/*
 * What stands in a node's TCBs, timers and pools after it has run: nothing is owed that could have
 * been sent, every timer has an owner and every owner its timer, and all memory is accounted for.
 */
#include "base/bytes.h"
#include "base/seq.h"
#include "base/time.h"
#include "stack/internal.h"
#include "tests/sim/check.h"

enum {
    COUNT_EVERY = 32, /* runs of nodes: counting cells walks every queue */
};

struct look {
    struct check *c;
    const struct stack *st;
    const struct tcb *t;
    int64_t now;
};

static void fail(const struct look *l, const char *what)
{
    check_fail(l->c, "port %u in %s: %s", l->t->local_port,
               tcp_state_name((enum tcp_state)l->t->state), what);
    /* the failure's kind is what it says, and not only the format */
    for (const char *p = what; *p; p++)
        l->c->how = l->c->how * 31 + (uint8_t)*p;
}

/* ---- Sequence numbers ---- */

static void look_at_numbers(const struct look *l)
{
    const struct tcb *t = l->t;
    uint32_t flight = t->snd_nxt - t->snd_una;

    if (seq_gt(t->snd_una, t->snd_nxt))
        fail(l, "SND.UNA is beyond SND.NXT");
    if (flight > t->snd_q.bytes + t->fin_sent + !tcb_synchronized(t))
        fail(l, "more is outstanding than there is to send");
    if (seq_gt(t->rcv_nxt, t->rcv_adv))
        fail(l, "RCV.NXT is beyond the window");
    if (seq_gt(t->last_ack, t->rcv_nxt))
        fail(l, "more was acknowledged than has arrived");
    if (t->bytes_acked > t->bytes_sent)
        fail(l, "more bytes acknowledged than sent");
}

/* The board is what is outstanding, without gaps, and its sums are right. */
static void look_at_board(const struct look *l)
{
    const struct tcb *t = l->t;
    const struct board *b = t->flight ? &t->flight->board : NULL;
    uint32_t at = t->snd_una, n = 0, pipe = 0, lost = 0, sacked = 0;

    if (!b) {
        if (t->snd_una != t->snd_nxt && tcb_synchronized(t))
            fail(l, "something is outstanding, and nothing known of it");
        return;
    }
    for (const struct range *g = board_first(b); g; g = board_next(b, g), n++) {
        if (g->start != at || seq_leq(g->end, g->start))
            fail(l, "the board has a gap");
        at = g->end;
        *(g->sacked ? &sacked : g->lost ? &lost : &pipe) += range_len(g);
    }
    if (at != t->snd_nxt)
        fail(l, "the board does not end at SND.NXT");
    if (n != b->n || pipe != board_pipe(b) || lost != b->lost || sacked != b->sacked)
        fail(l, "the board's sums are wrong");
    for (const struct range *g = board_oldest(b); g; g = board_later(b, g)) {
        const struct range *later = board_later(b, g);

        pipe -= range_len(g);
        if (g->lost || g->sacked || (later && later->sent_at < g->sent_at))
            fail(l, "the board's order by time is wrong");
    }
    if (pipe != 0)
        fail(l, "something flies that has no place in time");
}

static void look_at_reasm(const struct look *l)
{
    const struct tcb *t = l->t;
    const struct reasm_range *g = t->reasm.first;
    uint32_t at = t->rcv_nxt;
    unsigned ranges = 0;

    for (; g; g = g->next, ranges++) {
        if (seq_leq(g->start, at) || seq_geq(g->start, g->end))
            fail(l, "ranges touch, overlap or are out of order");
        if (seq_gt(g->end, t->rcv_adv))
            fail(l, "a range beyond the window");
        at = g->end;
    }
    if (ranges != t->reasm.ranges || ranges > REASM_RANGES_MAX ||
        t->reasm.chunks > reasm_chunks_max(tcp_window_buffer(&l->st->tcp, t)))
        fail(l, "ranges out of order are not counted, or too many");
}

/* ---- What may wait ---- */

static uint32_t unsent(const struct tcb *t)
{
    if (t->fin_sent)
        return 0;
    return tcb_data_end(t) - t->snd_nxt + t->fin_queued;
}

static bool sends_text(const struct tcb *t)
{
    return t->state == TCP_ESTABLISHED || t->state == TCP_FIN_WAIT_1 ||
           t->state == TCP_CLOSE_WAIT || t->state == TCP_CLOSING || t->state == TCP_LAST_ACK;
}

static void look_at_rtx(const struct look *l)
{
    const struct tcb *t = l->t;
    int64_t at = t->timer[TIMER_RTX];
    bool wanted = !tcb_synchronized(t) || t->snd_una != t->snd_nxt || (sends_text(t) && unsent(t));

    if (t->state == TCP_TIME_WAIT)
        wanted = false;
    if (wanted && at == TIME_NEVER)
        fail(l, "something is outstanding or held back, and no timer runs");
    if (!wanted && at != TIME_NEVER)
        fail(l, "the retransmission timer runs for nothing");
    if (at != TIME_NEVER && (at < l->now || at > l->now + l->st->cfg.tcp.rto_max_ns))
        fail(l, "the retransmission timer stands nowhere near");
}

static void look_at_timers(const struct look *l, const struct conn *conn)
{
    const struct tcb *t = l->t;
    int64_t delack = t->timer[TIMER_DELACK], first = tcp_deadline(t);
    bool lingers = t->state == TCP_TIME_WAIT || (t->state == TCP_FIN_WAIT_2 && t->released);

    look_at_rtx(l);
    if (delack != TIME_NEVER && (t->rcv_nxt == t->last_ack || t->state == TCP_TIME_WAIT))
        fail(l, "an acknowledgment is delayed that nobody is owed");
    if (delack != TIME_NEVER && (delack < l->now || delack >= l->now + 500 * MSEC))
        fail(l, "an acknowledgment is delayed by half a second");
    if (t->released && t->set->linger_ns != TIME_NEVER && t->state != TCP_CLOSED)
        lingers = true;
    if (lingers != (t->timer[TIMER_LINGER] != TIME_NEVER) &&
        !(t->released && t->set->linger_ns != TIME_NEVER))
        fail(l, lingers ? "would linger for ever" : "lingers for nothing");
    if (first != TIME_NEVER &&
        (!wheel_is_set(&conn->timer) || wheel_deadline_of(&l->st->wheel, &conn->timer) > first))
        fail(l, "the wheel does not know of a timer");
}

/* Nothing is owed once the output was drained. */
static void look_at_debts(const struct look *l)
{
    const struct tcb *t = l->t;

    if (t->ack_now || t->challenge || t->dup_ack_debt)
        fail(l, "an acknowledgment is owed and was not sent");
    if (t->output_due || t->send_rst || t->send_syn)
        fail(l, "a segment is due and was not sent");
    if (t->rcv_nxt - t->last_ack >= 2U * t->rcv_mss && t->state != TCP_SYN_SENT)
        fail(l, "two full segments are not acknowledged");
}

/* Is this connection still there, and owes an acknowledgment? */
static bool owes_ack(const struct look *l, const struct flow *own)
{
    const struct tcb *t = l->t;

    if (t->state == TCP_SYN_SENT || t->state == TCP_CLOSED)
        return false;
    if (t->state > TCP_SYN_RECEIVED && own->acked && own->ack != t->last_ack)
        fail(l, "the TCB does not know what it has acknowledged");
    return t->rcv_nxt != t->last_ack;
}

/* Bytes that have arrived are acknowledged in time: check_time looks at what is noted here. */
static void note_owing(struct look *l, unsigned node)
{
    bool owes[CHECK_CONNS][2] = {{false}};
    struct flow *own, *back;

    for (uint32_t i = 0; i < l->st->fresh_slots; i++) {
        l->t = &l->st->conns[i].tcb;
        if (l->st->conns[i].in_use &&
            check_find_flows(l->c, l->t->local_port, l->t->remote_port, &own, &back)) {
            size_t n = (size_t)(own - &l->c->flow[0][0]);
            owes[n / 2][n % 2] = owes_ack(l, own);
            if (own->dups_owed > 0 && l->t->state != TCP_CLOSED)
                fail(l, "what came out of order was not acknowledged");
        }
    }
    for (unsigned i = 0; i < CHECK_CONNS; i++)
        for (unsigned e = 0; e < 2; e++) {
            int64_t *since = &l->c->flow[i][e].owing_since;

            if (l->c->node[i][e] != node)
                continue;
            l->c->flow[i][e].dups_owed = 0;
            if (!owes[i][e])
                *since = TIME_NEVER;
            else if (*since == TIME_NEVER)
                *since = l->now;
        }
}

static void look_at_limits(const struct look *l)
{
    const struct tcb *t = l->t;
    const struct tcp_config *cfg = &l->st->cfg.tcp;
    uint32_t buffer = tcp_window_buffer(&l->st->tcp, t), most = buffer + buffer / 8 + 1;
    uint64_t read = t->bytes_received - t->rcv_q.bytes;

    if (buffer > max32(cfg->rcv_buf, cfg->rcv_buf_max))
        fail(l, "the receive buffer is larger than it may become");
    if (buffer > cfg->rcv_buf && read < (((uint64_t)1 << t->rcv_grown) - 1) * cfg->rcv_buf)
        fail(l, "the receive buffer grows faster than the application reads");
    if (t->snd_q.bytes > max32(cfg->snd_buf, cfg->snd_buf_max))
        fail(l, "the send queue is over its limit");
    if (t->rcv_q.bytes > most || t->rcv_q.bytes + tcb_rcv_wnd(t) > most)
        fail(l, "the receive queue and the window are over their limit");
    if (tcb_synchronized(t) && t->cc.cwnd < t->snd_mss)
        fail(l, "a congestion window below one segment");
}

/* ---- Memory ---- */

static uint32_t chunks_of(const struct chunk *c)
{
    uint32_t n = 0;

    for (; c; c = c->next)
        n++;
    return n;
}

static uint32_t cells_of(const struct tcb *t)
{
    uint32_t n = chunks_of(t->snd_q.head) + chunks_of(t->rcv_q.head), out_of_order = 0;

    for (const struct reasm_range *g = t->reasm.first; g; g = g->next)
        out_of_order += chunks_of(g->head);
    return n + out_of_order + t->reasm.ranges;
}

/* Ranges that are not the board's own. */
static uint32_t shared_ranges(const struct board *b)
{
    return (uint32_t)b->n + b->spares - b->own_used;
}

static void look_at_memory(struct check *c, unsigned node, const struct stack *st)
{
    uint32_t cells = 0, conns = 0, flights = 0, ranges = 0, queued[STACK_LISTENERS_MAX][2] = {{0}};

    for (uint32_t i = 0; i < st->fresh_slots; i++) {
        const struct conn *conn = &st->conns[i];

        if (!conn->in_use)
            continue;
        conns++;
        cells += cells_of(&conn->tcb);
        flights += conn->tcb.flight != NULL;
        ranges += conn->tcb.flight ? shared_ranges(&conn->tcb.flight->board) : 0;
        if (conn->listener)
            queued[conn->listener - 1][conn->complete]++;
    }
    if (cells != st->cells.in_use)
        check_fail(c, "node %u: %u cells in queues, %u in use", node, cells, st->cells.in_use);
    if (flights != st->flights.in_use || ranges != st->ranges.in_use)
        check_fail(c, "node %u: %u flights and %u ranges, %u and %u in use", node, flights, ranges,
                   st->flights.in_use, st->ranges.in_use);
    if (conns != st->totals.conns || conns > st->cfg.max_conns)
        check_fail(c, "node %u: %u connections, %u counted", node, conns, st->totals.conns);
    for (unsigned i = 0; i < STACK_LISTENERS_MAX; i++) {
        const struct listener *l = &st->listener[i];

        if (l->half_open != queued[i][0] || l->complete != queued[i][1] ||
            l->half_open > st->cfg.tcp.syn_queue || l->complete > l->backlog)
            check_fail(c, "node %u: %u and %u connections wait for a listener, %u and %u counted",
                       node, queued[i][0], queued[i][1], l->half_open, l->complete);
    }
}

/* What an application may rely on in the numbers that STATUS gives. */
static void look_at_status(struct check *c, const struct stack *st)
{
    struct stack_conn_status s;
    uint32_t cursor = 0, n = 0;

    while (stack_next_conn(st, &cursor, &s)) {
        n++;
        if (s.bytes_acked > s.bytes_sent ||
            s.send_queued > max32(st->cfg.tcp.snd_buf, st->cfg.tcp.snd_buf_max) || s.age < 0)
            check_fail(c, "status: acknowledged more than sent, or queued more than allowed");
        if (s.bytes_retrans + s.unacked > s.bytes_sent)
            check_fail(c, "status: more bytes sent again and outstanding than sent");
    }
    if (n > st->totals.conns)
        check_fail(c, "status tells of more connections than there are");
}

void check_node(struct check *c, unsigned node, int64_t now)
{
    const struct stack *st = c->stack[node];
    struct look l = {.c = c, .st = st, .now = now};

    if (!list_empty(&st->output))
        check_fail(c, "node %u has something to send, and does not", node);
    note_owing(&l, node);
    for (uint32_t i = 0; i < st->fresh_slots; i++) {
        const struct conn *conn = &st->conns[i];

        l.t = &conn->tcb;
        if (!conn->in_use)
            continue;
        if (conn->tcb.state == TCP_CLOSED)
            continue;
        look_at_numbers(&l);
        look_at_board(&l);
        look_at_reasm(&l);
        look_at_timers(&l, conn);
        look_at_debts(&l);
        look_at_limits(&l);
    }
    if (c->nodes_checked++ % COUNT_EVERY == 0) {
        look_at_memory(c, node, st);
        look_at_status(c, st);
    }
}

void check_forget(struct check *c, unsigned node)
{
    for (unsigned i = 0; i < CHECK_CONNS; i++)
        for (unsigned e = 0; e < 2; e++)
            if (c->node[i][e] == node)
                c->flow[i][e].owing_since = TIME_NEVER;
}
