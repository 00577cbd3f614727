/*
 * Loss recovery and congestion control, as far as an outsider can judge them: what is sent again
 * was not reported to have arrived, a lost tail is probed once, and new data leaves only as far as
 * the congestion window goes.
 *
 * What has been reported may be taken back (RFC 2018 section 8), so the reports are forgotten when
 * the retransmission timer has expired, and when an acknowledgment stops short of what was reported
 * behind it; what that acknowledgment reports itself counts.
 */
#include <limits.h>

#include "base/bytes.h"
#include "base/seq.h"
#include "stack/internal.h"
#include "tests/sim/check.h"

/* ---- What was reported ---- */

static void remove_span(struct flow *f, unsigned i)
{
    f->sacked[i] = f->sacked[--f->sacked_n];
}

/* All up to `ack` is acknowledged; a report that begins there or before it and ends behind it was
 * taken back, and who takes one back is not believed about the others. */
static void forget_acked(struct flow *f, uint32_t ack)
{
    for (unsigned i = 0; i < f->sacked_n; i++) {
        if (seq_leq(f->sacked[i].end, ack))
            remove_span(f, i--);
        else if (seq_leq(f->sacked[i].start, ack)) {
            f->sacked_n = 0;
            return;
        }
    }
}

/* A report, joined with those that it touches. */
static void add_report(struct flow *f, struct span s)
{
    for (unsigned i = 0; i < f->sacked_n; i++)
        if (seq_leq(f->sacked[i].start, s.end) && seq_leq(s.start, f->sacked[i].end)) {
            s.start = seq_min(s.start, f->sacked[i].start);
            s.end = seq_max(s.end, f->sacked[i].end);
            remove_span(f, i);
            i = UINT_MAX; /* begin anew: it may touch others now */
        }
    if (f->sacked_n < CHECK_SPANS)
        f->sacked[f->sacked_n++] = s;
}

void check_heard(struct check *c)
{
    const struct arrival *a = &c->arrival;
    const struct tcp_options *o = &a->tcp.opt;
    struct flow *f = a->back;

    f->tail_probes = 0;
    if (seq_lt(a->tcp.ack, a->snd_una))
        return; /* older than what we know */
    forget_acked(f, a->tcp.ack);
    for (unsigned i = 0; i < o->sack_n; i++)
        if (seq_gt(o->sack[i].start, a->tcp.ack) && seq_leq(o->sack[i].end, a->snd_nxt))
            add_report(f, (struct span){o->sack[i].start, o->sack[i].end});
}

/* ---- What is sent again ---- */

/* Is it sent again because acknowledgments showed that it is lost? */
static bool by_acknowledgments(enum reason why)
{
    return why == REASON_SEND_FAST_RETRANSMIT || why == REASON_SEND_RECOVERY ||
           why == REASON_SEND_SACK || why == REASON_SEND_RESCUE;
}

void check_again(struct check *c, struct flow *f, uint32_t start, uint32_t end, enum reason why)
{
    if (why == REASON_SEND_RTO)
        f->sacked_n = 0;
    if (!by_acknowledgments(why))
        return;
    for (unsigned i = 0; i < f->sacked_n; i++)
        if (seq_lt(f->sacked[i].start, end) && seq_gt(f->sacked[i].end, start))
            check_fail(c, "%s: %u to %u again, and %u to %u was reported to have arrived",
                       reason_text(why)->name, start - f->syn.isn, end - f->syn.isn,
                       f->sacked[i].start - f->syn.isn, f->sacked[i].end - f->syn.isn);
}

/* ---- Pacing ---- */

/*
 * A paced connection sends no more than its rate gives, but for bursts of two quanta and a segment
 * more, as the rate moves meanwhile: a quantum is a millisecond's worth and at least two segments
 * (tcp/control.h). The rate may have just changed, so the higher one of before and after counts.
 * Probes leave when they must.
 */
static void check_pace(struct check *c, struct flow *f, const struct conn *conn, uint32_t len,
                       enum reason why)
{
    const struct tcb *t = &conn->tcb;
    uint64_t rate = t->cc.pacing_rate > f->pace_rate ? t->cc.pacing_rate : f->pace_rate;
    int64_t quantum = (int64_t)(rate / 1000) + 2 * t->snd_mss, most = 2 * quantum + 2 * t->snd_mss;
    int64_t since = time_min(c->now - f->pace_at, SEC);

    if (f->pace_rate == 0 || since == SEC)
        f->pace_credit = most;
    else
        f->pace_credit += (int64_t)((uint64_t)since * (rate / 1000 + 1) / 1000000);
    f->pace_credit = time_min(f->pace_credit, most) - len;
    f->pace_at = c->now;
    f->pace_rate = t->cc.pacing_rate;
    if (f->pace_rate > 0 && f->pace_credit < 0 && why != REASON_SEND_PROBE)
        check_fail(c, "port %u: %lld bytes more than its pace of %llu a second", t->local_port,
                   -(long long)f->pace_credit, (unsigned long long)rate);
}

/* ---- What flies ---- */

/* One segment may fly whatever the window is, and a FIN counts as one byte more. */
static void check_window(struct check *c, const struct tcb *t, uint32_t len)
{
    uint32_t pipe = recovery_pipe(t->flight, t->snd_mss);

    if (pipe > t->snd_nxt - t->snd_una)
        check_fail(c, "port %u: %u bytes fly of %u that are outstanding", t->local_port, pipe,
                   t->snd_nxt - t->snd_una);
    if (pipe > t->cc.cwnd + t->fin_sent && pipe > len + 1)
        check_fail(c, "port %u: new data, and %u bytes fly in a window of %u", t->local_port, pipe,
                   t->cc.cwnd);
}

void check_flying(struct check *c, unsigned node, const void *of, uint32_t len, enum reason why)
{
    const struct conn *conn = of;
    struct flow *own, *back;

    if (why == REASON_SEND_DATA)
        check_window(c, &conn->tcb, len);
    if (c->stack[node]->cfg.tcp.pacing &&
        check_find_flows(c, conn->tcb.local_port, conn->tcb.remote_port, &own, &back))
        check_pace(c, own, conn, len, why);
}
