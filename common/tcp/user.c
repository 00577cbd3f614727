/*
 * The user calls (RFC 9293 sections 3.9.1 and 3.10.1 to 3.10.6) for one TCB.
 */
#include <errno.h>

#include "base/bytes.h"
#include "base/time.h"
#include "tcp/mss.h"
#include "tcp/urgent.h"

enum {
    SEND_SLICE_MAX = 1 << 24, /* bytes of one send: a queue holds little more than its limit */
};

/* A new R2 counts at once (MUST-21). */
void tcp_set(struct tcb *c, int64_t now, const struct tcp_settings *s)
{
    (void)now;
    c->set = s;
    c->output_due = true; /* what Nagle held back may go now */
}

static void tcb_init(struct tcp *t, struct tcb *c, int64_t now, uint32_t iss)
{
    c->iss = c->snd_una = c->snd_up = iss;
    c->snd_nxt = iss + 1;
    mss_init(t, c);
    c->opened_at = c->progress_at = c->quiet_since = now;
    c->sent_ms = c->received_ms = c->acked_ms = tcb_ms(now);
    for (unsigned i = 0; i < TIMER_COUNT; i++)
        c->timer[i] = TIME_NEVER;
    rtt_init(&c->rtt, &t->cfg);
    tcp_window_init(t, c);
    c->send_syn = true;
    c->output_due = true;
}

void tcp_open(struct tcp *t, struct tcb *c, int64_t now, uint32_t iss)
{
    tcb_init(t, c, now, iss);
    tcp_set_state(t, c, now, TCP_SYN_SENT);
}

/* SYN-RECEIVED, and the way that led there (MUST-11). */
static void take_passively(struct tcp *t, struct tcb *c, int64_t now, uint32_t iss,
                           const struct tcp_hdr *syn)
{
    tcb_init(t, c, now, iss);
    c->passive = true;
    c->segs_in = 1; /* the SYN */
    tcp_take_syn(t, c, now, syn);
}

void tcp_accept(struct tcp *t, struct tcb *c, int64_t now, uint32_t iss, const struct tcp_hdr *syn)
{
    take_passively(t, c, now, iss, syn);
    tcp_set_state(t, c, now, TCP_SYN_RECEIVED);
}

void tcp_answer(struct tcp *t, struct tcb *scratch, int64_t now, const struct tcp_hdr *syn,
                struct tcp_hdr *ret_hdr)
{
    struct pkt unused; /* a SYN-ACK has no text */

    take_passively(t, scratch, now, 0, syn);
    scratch->state = TCP_SYN_RECEIVED; /* of which nobody is told: it is not there */
    tcp_output(t, scratch, now, ret_hdr, &unused);
}

bool tcp_may_send(const struct tcb *c)
{
    return !c->fin_queued && !c->released &&
           (c->state == TCP_SYN_SENT || c->state == TCP_SYN_RECEIVED ||
            c->state == TCP_ESTABLISHED || c->state == TCP_CLOSE_WAIT);
}

enum {
    COPY_CELLS_MAX = 1024, /* one copied send uses no more; a buf of `small` each */
};

/*
 * As much as may fly, and as much again, so that there is something to send when it has arrived:
 * then it is never the queue that keeps cwnd from growing.
 */
static uint32_t send_buffer(const struct tcp *t, const struct tcb *c)
{
    const struct tcp_config *cfg = &t->cfg;
    uint32_t wanted = min32(c->cc.cwnd, UINT32_MAX / 2) * 2;

    return max32(cfg->snd_buf, min32(wanted, cfg->snd_buf_max));
}

uint32_t tcp_send_space(const struct tcp *t, const struct tcb *c)
{
    uint32_t most = tcp_budget_queue(t, send_buffer(t, c));

    if (!tcp_may_send(c))
        return 0;
    return most - min32(most, c->snd_q.bytes);
}

/* 0 if something can be queued now, and how many bytes. */
static int send_check(const struct tcp *t, struct tcb *c, uint32_t *ret_space)
{
    flight_prefetch(c->flight);
    if (!tcp_may_send(c))
        return -EPIPE;
    *ret_space = tcp_send_space(t, c);
    if (*ret_space == 0) {
        c->want_space = true;
        return -EAGAIN;
    }
    return 0;
}

int tcp_send(struct tcp *t, struct tcb *c, struct slice s)
{
    uint32_t space;
    int r = send_check(t, c, &space);

    if (r < 0)
        return r;
    if (s.len == 0) {
        buf_unref(s.buf);
        return 0;
    }
    if (s.len > SEND_SLICE_MAX)
        return -EMSGSIZE;
    if (!tcp_budget_send_cells(t->cells) || !chunkq_push(&c->snd_q, t->cells, s)) {
        c->want_space = true;
        return -ENOBUFS;
    }
    c->output_due = true;
    return 0;
}

int tcp_send_copy(struct tcp *t, struct tcb *c, const void *bytes, uint32_t len)
{
    uint32_t space, take, done;
    int r = send_check(t, c, &space);

    if (r < 0)
        return r;
    take = min32(len, space);
    take = min32(take, min32(tcp_budget_send_cells(t->cells), COPY_CELLS_MAX) * t->small->size);
    done = chunkq_push_copy(&c->snd_q, t->cells, t->small, bytes, take);
    if (done < len)
        c->want_space = true;
    if (done == 0 && len > 0)
        return -ENOBUFS;
    c->output_due = true;
    return (int)done;
}

/* What a call is told that finds nothing to read. */
static int nothing_to_receive(const struct tcb *c)
{
    bool opening = c->state == TCP_SYN_SENT || c->state == TCP_SYN_RECEIVED;

    if (c->end_reason && c->end_reason != REASON_END_ORDERLY)
        return -ECONNRESET; /* no end of the stream: something may be missing */
    return opening || tcb_takes_text(c) ? -EAGAIN : 0;
}

int tcp_receive(struct tcp *t, struct tcb *c, uint32_t max, struct slice *ret_slice)
{
    if (c->rcv_q.bytes == 0)
        return nothing_to_receive(c);
    if (max == 0)
        return -EINVAL;
    *ret_slice = chunkq_pop(&c->rcv_q, t->cells, max);
    urgent_read(c);
    if (tcb_takes_text(c) && tcp_window_update_due(t, c))
        tcp_ack_now(c, REASON_SEND_WINDOW_UPDATE);
    return (int)ret_slice->len;
}

int tcp_close(struct tcp *t, struct tcb *c, int64_t now)
{
    switch ((enum tcp_state)c->state) {
    case TCP_SYN_SENT:
        tcp_end(t, c, now, REASON_END_ABORTED);
        break;
    case TCP_SYN_RECEIVED:
        c->fin_queued = true; /* FIN-WAIT-1 follows with the handshake's end */
        break;
    case TCP_ESTABLISHED:
        c->fin_queued = true;
        tcp_set_state(t, c, now, TCP_FIN_WAIT_1);
        break;
    case TCP_CLOSE_WAIT:
        c->fin_queued = true;
        tcp_set_state(t, c, now, TCP_LAST_ACK);
        break;
    case TCP_CLOSED:
    case TCP_LISTEN:
    case TCP_FIN_WAIT_1:
    case TCP_FIN_WAIT_2:
    case TCP_CLOSING:
    case TCP_LAST_ACK:
    case TCP_TIME_WAIT:
        break; /* closing already */
    }
    c->output_due = true;
    return 0;
}

void tcp_abort(struct tcp *t, struct tcb *c, int64_t now)
{
    switch ((enum tcp_state)c->state) {
    case TCP_SYN_RECEIVED:
    case TCP_ESTABLISHED:
    case TCP_FIN_WAIT_1:
    case TCP_FIN_WAIT_2:
    case TCP_CLOSE_WAIT:
        c->send_rst = true;
        c->output_due = true;
        break;
    case TCP_CLOSING:
    case TCP_LAST_ACK:
        /* As long as the FIN waits behind data, these are FIN-WAIT-1 and CLOSE-WAIT to the RFC. */
        c->send_rst = !c->fin_sent;
        c->output_due = true;
        break;
    case TCP_CLOSED:
    case TCP_LISTEN:
    case TCP_SYN_SENT:
    case TCP_TIME_WAIT:
        break;
    }
    if (c->state != TCP_CLOSED)
        tcp_end(t, c, now, REASON_END_ABORTED);
    else
        tcp_drop_queues(t, c); /* what is unread would hold back the end that is still to be told */
}

/* A close after which nobody reads (MAY-1). */
void tcp_release(struct tcp *t, struct tcb *c, int64_t now)
{
    bool unread = c->rcv_q.bytes > 0 || c->reasm.first;
    bool at_once = c->set->linger_ns == 0 && c->state != TCP_TIME_WAIT;

    c->released = true;
    if (at_once || (unread && (tcb_takes_text(c) || c->state == TCP_CLOSE_WAIT)))
        tcp_abort(t, c, now); /* RFC 9293 3.6.1, SHLD-3 */
    else
        tcp_close(t, c, now);
    chunkq_drop(&c->rcv_q, t->cells, c->rcv_q.bytes, NULL);
    if (c->state == TCP_FIN_WAIT_2)
        tcp_arm_linger(t, c, now);
    else if (c->state != TCP_CLOSED && c->state != TCP_TIME_WAIT)
        c->timer[TIMER_LINGER] = time_after(now, c->set->linger_ns);
    c->events = 0;
}
