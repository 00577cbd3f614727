/*
 * STATUS (RFC 9293 section 3.9.1.6): what is known about a connection, told in values that nothing
 * points into. Asking changes nothing, so a connection that is watched behaves like one that is
 * not.
 *
 * Much is not kept but follows from what is: what was sent again is what was sent, less what was
 * acknowledged and what is outstanding.
 */
#include <errno.h>

#include "base/bytes.h"
#include "stack/internal.h"
#include "tcp/keepalive.h"
#include "tcp/mss.h"
#include "tcp/urgent.h"

enum {
    SSTHRESH_NONE = 1 << 30, /* bytes: so large that slow start has no end */
};

/* Bytes of payload between SND.UNA and SND.NXT: without the SYN, and without the FIN. */
static uint32_t outstanding(const struct tcb *c)
{
    bool opening = c->snd_una == c->iss && c->bytes_acked == 0; /* the SYN is all there is */

    return opening || c->snd_nxt == c->snd_una ? 0 : c->snd_nxt - c->snd_una - c->fin_sent;
}

/* Queued bytes that were never sent. */
static uint32_t not_sent(const struct tcb *c)
{
    return c->snd_q.bytes - min32(c->snd_q.bytes, outstanding(c));
}

/* The timer that matters to people; NULL: none runs. */
static const char *timer_name(const struct tcb *c, int64_t *ret_at)
{
    if (c->state == TCP_TIME_WAIT || c->state == TCP_FIN_WAIT_2) {
        *ret_at = c->timer[TIMER_LINGER];
        if (*ret_at != TIME_NEVER)
            return "timewait";
    }
    *ret_at = c->timer[TIMER_RTX];
    if (*ret_at == TIME_NEVER) {
        *ret_at = keepalive_deadline(c);
        return *ret_at == TIME_NEVER ? NULL : "keepalive";
    }
    return tcb_synchronized(c) && (c->snd_nxt == c->snd_una || c->snd_wnd == 0) ? "persist" : "on";
}

/* A congestion window for each round trip, in bit/s; 0 before the first measurement. */
static uint64_t send_rate(const struct tcb *c)
{
    if (c->rtt.srtt < USEC)
        return c->rtt.srtt ? (uint64_t)c->cc.cwnd * 8 * 1000000 : 0;
    return (uint64_t)c->cc.cwnd * 8 * 1000000 / (uint64_t)(c->rtt.srtt / USEC);
}

/* ns since a clock of tcb_ms was set. */
static int64_t since(const struct stack *st, uint32_t ms)
{
    return (int64_t)(tcb_ms(st->now) - ms) * MSEC;
}

static void fill_flow(const struct stack *st, const struct tcb *t, struct stack_conn_status *s)
{
    s->send_queued = t->snd_q.bytes;
    s->receive_queued = t->rcv_q.bytes;
    s->send_urgent = urgent_unacked(t);
    s->receive_urgent = urgent_left(t);
    s->unacked = outstanding(t);
    s->not_sent = not_sent(t);
    s->out_of_order = t->reasm.ranges;
    s->bytes_sent = t->bytes_sent;
    s->bytes_retrans = t->bytes_sent - t->bytes_acked - s->unacked;
    s->bytes_acked = t->bytes_acked;
    s->bytes_received = t->bytes_received;
    s->segs_out = t->segs_out;
    s->segs_in = t->segs_in;
    s->data_segs_out = t->data_segs_out;
    s->data_segs_in = t->data_segs_in;
    s->retransmits = t->retransmits;
    s->last_sent = since(st, t->sent_ms);
    s->last_received = since(st, t->received_ms);
    s->last_ack = since(st, t->acked_ms);
}

static void fill_recovery(const struct tcb *t, struct stack_conn_status *s)
{
    const struct flight *f = t->flight;

    if (!f)
        return;
    s->lost = f->board.lost;
    s->sacked = f->board.sacked;
    s->resent = f->board.resent;
    s->reordering = f->rack.reordering;
    s->reord_seen = f->rack.reord_seen;
}

static void fill_model(const struct tcp_config *cfg, const struct tcb *t,
                       struct stack_conn_status *s)
{
    struct cc_model m = {0};

    if (t->flight && cfg->cc->model)
        cfg->cc->model(&t->cc, &m);
    s->bbr_bw = m.bw * 8;
    s->bbr_min_rtt = m.min_rtt;
    s->bbr_pacing_gain = m.pacing_gain;
    s->bbr_cwnd_gain = m.cwnd_gain;
}

static void fill_control(const struct stack *st, const struct tcb *t, struct stack_conn_status *s)
{
    const struct tcp_config *cfg = &st->cfg.tcp;
    int64_t timer_at;

    s->timer = timer_name(t, &timer_at);
    s->timer_left = s->timer ? time_max(0, timer_at - st->now) : 0;
    s->backoff = t->rtt.backoff;
    s->ts = t->ts_ok;
    s->sack = t->sack_ok;
    s->ecn = t->ecn_ok;
    s->cc = cfg->cc->name;
    s->snd_wscale = t->snd_wscale;
    s->rcv_wscale = t->rcv_wscale;
    s->srtt = t->rtt.srtt;
    s->rttvar = t->rtt.rttvar;
    s->rto = t->rtt.rto;
    s->min_rtt = (int64_t)t->min_rtt_us * USEC;
    s->ato = cfg->delayed_ack ? cfg->delack_ns : 0;
    s->cwnd = t->cc.cwnd;
    s->ssthresh = t->cc.ssthresh < SSTHRESH_NONE ? t->cc.ssthresh : 0;
    s->cwnd_limited = t->cwnd_limited;
    s->send_rate = send_rate(t);
    s->pacing_rate = cfg->pacing ? t->cc.pacing_rate * 8 : 0;
    s->snd_wnd = t->snd_wnd;
    s->rcv_wnd = tcb_rcv_wnd(t);
    s->mss = t->snd_mss;
    s->pmtu = paths_mtu_of(st, t);
    s->rcv_mss = t->rcv_mss;
    s->adv_mss = mss_announce(&st->tcp, t);
}

static void fill(const struct stack *st, const struct conn *c, struct stack_conn_status *ret_status)
{
    const struct tcb *t = &c->tcb;

    *ret_status = (struct stack_conn_status){
        .conn = {conn_slot(st, c), c->generation},
        .state = (enum tcp_state)t->state,
        .local = t->local,
        .remote = t->remote,
        .local_port = t->local_port,
        .remote_port = t->remote_port,
        .soft_error = (enum reason)t->soft_error,
        .dscp = t->set->dscp,
        .rcv_dscp = c->rcv_tos >> 2,
        .opened_at = t->opened_at,
        .age = st->now - t->opened_at,
    };
    fill_flow(st, t, ret_status);
    fill_recovery(t, ret_status);
    fill_model(&st->cfg.tcp, t, ret_status);
    fill_control(st, t, ret_status);
}

int stack_status(const struct stack *st, struct conn_id conn, struct stack_conn_status *ret_status)
{
    const struct conn *c = flow_lookup(st, conn);

    if (!c)
        return -EBADF;
    fill(st, c, ret_status);
    return 0;
}

bool stack_next_conn(const struct stack *st, uint32_t *cursor, struct stack_conn_status *ret_status)
{
    while (*cursor < st->fresh_slots) {
        const struct conn *c = &st->conns[(*cursor)++];

        if (!c->in_use)
            continue;
        fill(st, c, ret_status);
        return true;
    }
    return false;
}
