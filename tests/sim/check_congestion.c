/*
 * Congestion control, as far as an outsider can judge it: new data leaves only as far as the
 * congestion window goes, what is sent again as well but for one segment at the beginning of each
 * repair, a paced connection does not run ahead of its pace, and for a loss a window is reduced
 * that at the end of the repair has not grown.
 *
 * How much flies is asked twice: of the stack, and of the checker's own books, which count only
 * what nobody could take for anything but flying (check_recovery.c).
 */
#include "base/bytes.h"
#include "base/seq.h"
#include "stack/internal.h"
#include "tests/sim/check.h"

/* ---- Pacing ---- */

/*
 * A paced connection sends no more than its rate gives, but for a burst: `pace_due` is when all
 * that was sent should have left. It may run ahead of the clock by a quantum, a millisecond or two
 * segments (tcp/control.h), and two segments more; and a quantum behind it is not made good, nor
 * does a segment wait longer than two behind the one before. The rate may have just changed, so
 * what is better for the sender counts, before or after. Probes leave when they must, and what the
 * retransmission timer sends.
 */
static void check_pace(struct check *c, struct flow *f, const struct conn *conn, uint32_t len,
                       enum reason why)
{
    const struct tcb *t = &conn->tcb;
    uint64_t rate = t->cc.pacing_rate, high = rate > f->pace_rate ? rate : f->pace_rate;
    uint64_t low = f->pace_rate && f->pace_rate < rate ? f->pace_rate : rate;
    int64_t segments, quantum, least, late;

    f->pace_rate = rate;
    if (rate == 0)
        return;
    segments = (int64_t)(2 * (uint64_t)max32(t->snd_mss, len) * SEC / low);
    least = time_max(MSEC, (int64_t)(2 * (uint64_t)t->snd_mss * SEC / high));
    quantum = time_max(MSEC, segments);
    f->pace_due = time_min(f->pace_due, f->paced_at + 2 * least);
    f->pace_due = time_max(f->pace_due, c->now - quantum) + (int64_t)(len * SEC / high);
    f->paced_at = c->now;
    late = f->pace_due - (c->now + quantum + segments);
    if (late > 0 && why != REASON_SEND_PROBE && why != REASON_SEND_RTO)
        check_fail(c, "port %u: %lld ns ahead of its pace of %llu bytes a second", t->local_port,
                   (long long)late, (unsigned long long)high);
}

/* ---- What flies ---- */

/* One segment may fly whatever the window is, and a FIN counts as one byte more. */
static bool over_window(const struct tcb *t, uint32_t flying, uint32_t len)
{
    return flying > t->cc.cwnd + t->fin_sent && flying > len + 1;
}

static void check_window(struct check *c, const struct tcb *t, uint32_t len)
{
    uint32_t pipe = recovery_pipe(t->flight, t->snd_mss);

    if (pipe > t->snd_nxt - t->snd_una)
        check_fail(c, "port %u: %u bytes fly of %u that are outstanding", t->local_port, pipe,
                   t->snd_nxt - t->snd_una);
    if (over_window(t, pipe, len))
        check_fail(c, "port %u: new data, and %u bytes fly in a window of %u", t->local_port, pipe,
                   t->cc.cwnd);
}

/*
 * The same by the checker's books, where selective acknowledgments say what does not fly any more.
 * When a loss is found, one segment leaves again whatever flies (RFC 6675 section 5, step 4.3), and
 * after a timeout.
 */
static void check_sure(struct check *c, struct flow *own, const struct tcb *t, uint32_t len,
                       enum reason why)
{
    uint32_t sure = check_sure_to_fly(own);
    bool lost = why == REASON_SEND_RACK || why == REASON_SEND_SACK || why == REASON_SEND_RTO;
    bool counts = lost || why == REASON_SEND_DATA || why == REASON_SEND_RESCUE ||
                  why == REASON_SEND_MTU_PROBE;

    if (!t->sack_ok || !counts || !over_window(t, sure, len))
        return;
    if (lost && own->repair.one_more)
        own->repair.one_more = false;
    else
        check_fail(c, "port %u: %s, and at least %u bytes fly in a window of %u", t->local_port,
                   reason_text(why)->name, sure, t->cc.cwnd);
}

void check_flying(struct check *c, unsigned node, const void *of, uint32_t len, enum reason why)
{
    const struct conn *conn = of;
    struct flow *own, *back;

    if (why == REASON_SEND_DATA || why == REASON_SEND_MTU_PROBE)
        check_window(c, &conn->tcb, len);
    if (!check_find_flows(c, conn->tcb.local_port, conn->tcb.remote_port, &own, &back))
        return;
    check_sure(c, own, &conn->tcb, len, why);
    if (c->stack[node]->cfg.tcp.pacing)
        check_pace(c, own, conn, len, why);
}

/* ---- What a loss means ---- */

void check_loss_note(struct check *c, unsigned node, const struct stack_note *n)
{
    const struct tcb *t = n->conn < CHECK_SLOTS ? &c->stack[node]->conns[n->conn].tcb : NULL;
    struct flow *own, *back;

    if (!t || !check_find_flows(c, t->local_port, t->remote_port, &own, &back))
        return;
    switch (n->reason) {
    case REASON_UNDO_FRTO:
    case REASON_UNDO_ECHO:
    case REASON_UNDO_DSACK:
    case REASON_UNDO_ARRIVED:
        c->arrival.undone = true;
        check_ecn_slower(own, false);
        break;
    case REASON_LOSS_DETECTED:
        check_ecn_slower(own, true);
        own->repair.one_more = true;
        own->repair.loss_to = own->sent_end;
        break;
    case REASON_TLP_REPAIRED:
        check_ecn_slower(own, true);
        break;
    case REASON_RTO_EXPIRED:
        own->repair.one_more = true;
        break;
    default:
        break;
    }
}

/*
 * Reno and CUBIC: a loss that begins a repair makes ssthresh 0.7 of the window or less (RFC 5681
 * section 3.1, RFC 9438 section 4.6), but not below two segments, unless that was done for the same
 * flight already; and when it is repaired, no more than that may fly.
 */
void check_response(struct check *c, unsigned node, const void *of)
{
    const struct arrival *a = &c->arrival;
    const struct tcb *t = &((const struct conn *)of)->tcb;
    const struct cc_ops *cc = c->stack[node]->cfg.tcp.cc;
    unsigned phase = flight_phase(t->flight);
    uint32_t most = max32(a->cwnd, a->snd_nxt - a->snd_una);

    if ((cc != &cc_reno && cc != &cc_cubic) || a->undone)
        return;
    most = max32((uint32_t)((uint64_t)most * 7 / 10), 2U * t->snd_mss);
    if (a->phase == RECOVERY_OPEN && phase == RECOVERY_FAST && !a->reduced && t->cc.ssthresh > most)
        check_fail(c, "port %u: a loss, and ssthresh is %u of a window of %u", t->local_port,
                   t->cc.ssthresh, a->cwnd);
    if (a->phase == RECOVERY_FAST && phase == RECOVERY_OPEN && t->cc.cwnd > t->cc.ssthresh)
        check_fail(c, "port %u: repaired, with a window of %u for an ssthresh of %u", t->local_port,
                   t->cc.cwnd, t->cc.ssthresh);
}
