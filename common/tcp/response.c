#include "tcp/response.h"

#include "base/bytes.h"
#include "base/seq.h"
#include "tcp/control.h"
#include "tcp/ecn.h"
#include "tcp/recovery/limited.h"
#include "tcp/tcp.h"
#include "tcp/timestamp.h"

static uint32_t outstanding(const struct tcb *c)
{
    return c->snd_nxt - c->snd_una;
}

/* ---- a reduction ---- */

void response_loss(struct tcp *t, struct tcb *c, bool reduces)
{
    struct response *r = &c->flight->response;

    frto_end(&r->frto);
    undo_end(&r->undo);
    if (t->cfg.undo && reduces)
        undo_begin(&r->undo, c->snd_una, c->snd_nxt, false);
}

/*
 * What is on the board is what the ACK that began the recovery has left there. Where none did, but
 * time, one segment leaves, and what follows is released by acknowledgments.
 */
void response_reduced(struct tcp *t, struct tcb *c, const struct ack_sample *s,
                      const struct recovery_verdict *v)
{
    struct flight *f = c->flight;
    struct prr_start start = {
        .outstanding = outstanding(c),
        .sacked = f->board.sacked,
        .newly_sacked = v ? v->sacked : 0,
        .newly_acked = s ? s->acked : 0,
    };

    if (!t->cfg.prr || !f->sack || t->cfg.cc->own_window)
        return;
    prr_begin(&f->response.prr, &start);
    if (!v)
        c->cc.cwnd = flight_pipe(f, c->snd_mss) + c->snd_mss;
}

void response_marked(struct tcb *c)
{
    if (c->flight)
        undo_end(&c->flight->response.undo);
}

/*
 * Where the timer expires again, and nothing was acknowledged since, F-RTO's question is still the
 * same one: the first segment alone was sent again, however often. Within the repair of a loss a
 * timeout is no episode of its own: an acknowledgment that comes after it may be that of an earlier
 * retransmission, and to undo it would mean that what had been lost before is not. The one that
 * lasts goes on, and only what shows that no retransmission was needed undoes it.
 */
void response_timeout(struct tcp *t, struct tcb *c)
{
    struct response *r = &c->flight->response;
    bool repairing = flight_phase(c->flight) != RECOVERY_OPEN;
    bool again = r->frto.step == FRTO_FIRST && r->frto.recover == c->snd_nxt;

    prr_end(&r->prr);
    if (!again && t->cfg.frto)
        frto_begin(&r->frto, c->snd_una, c->snd_una, c->snd_nxt, repairing);
    if (c->rtt.backoff == 0) {
        r->srtt_prev = c->rtt.srtt;
        r->rttvar_prev = c->rtt.rttvar;
    }
    r->adapt_from = c->snd_nxt;
    r->adapt_due = false;
    if (repairing)
        undo_extend(&r->undo, c->snd_nxt);
    else if (t->cfg.undo)
        undo_begin(&r->undo, c->snd_una, c->snd_nxt, true);
}

/* ---- it was for nothing ---- */

/*
 * RFC 4015 section 3.2. What was taken for lost flies again, so that new data follows (step 5);
 * congestion control has what it had (step 6); RTO will learn from the first round trip of what was
 * not sent before the timeout (step 8).
 *
 * For step 6 the RFC has cwnd = FlightSize + min(bytes_acked, IW), and slow start for the rest up
 * to what it was. Here it is what it was at once. The two are the same where acknowledgments come
 * one by one; where one covers more than an initial window, so much may leave in one burst, but
 * never more than the path carried before. Of two reductions in a row the last is taken back, and
 * the one before stands: that is as careful as after a loss.
 */
static void take_back(struct tcp *t, struct tcb *c, const struct ack_sample *s, struct cc_sample cs,
                      enum reason why, bool reduced)
{
    struct flight *f = c->flight;
    struct response *r = &f->response;

    tcp_note(t, c, s->now, why, 0);
    r->adapt_due = flight_phase(f) == RECOVERY_RTO || r->undo.timeout;
    undo_end(&r->undo);
    frto_end(&r->frto);
    prr_end(&r->prr);
    recovery_undone(f, s->una);
    cs.in_flight = outstanding(c);
    cs.pipe = flight_pipe(f, s->mss);
    if (!reduced)
        return;
    control_on_undo(t, c, &cs);
    ecn_taken_back(c);
}

/* F-RTO's word: was the timeout spurious? */
static bool ask_frto(struct tcp *t, struct tcb *c, const struct ack_sample *s,
                     const struct recovery_verdict *v)
{
    struct frto_ack a = {
        .una = s->una,
        .advances = s->acked > 0,
        .duplicate = s->duplicate,
        .sack = s->sack,
        .original = v->original,
        .above = v->above,
        .new_data = tcp_has_new(c),
    };

    switch (frto_on_ack(&c->flight->response.frto, &a)) {
    case FRTO_GO_ON:
    case FRTO_GIVE_UP:
        break;
    case FRTO_TRY:
        tcp_note(t, c, s->now, REASON_FRTO_TRIED, 0);
        break;
    case FRTO_SPURIOUS:
        return true;
    case FRTO_REAL:
        if (!t->cfg.cc->own_window)
            c->cc.cwnd = FRTO_REAL_SEGMENTS * s->mss;
        tcp_restart_rtx(c, s->now); /* what was held back leaves only now */
        break;
    }
    return false;
}

/* What timestamps, D-SACKs and the mere arrival of everything say. */
static enum reason ask_undo(struct tcp *t, struct tcb *c, const struct ack_sample *s,
                            const struct tcp_hdr *hdr)
{
    struct undo *u = &c->flight->response.undo;
    enum reason why = REASON_NONE;

    if (s->dsack && t->cfg.dsack && undo_on_dsack(u, s->twice.start, s->twice.end))
        why = REASON_UNDO_DSACK;
    if (s->acked && undo_on_arrival(u, s->una))
        why = REASON_UNDO_ARRIVED;
    if (s->acked && c->ts_ok && hdr->opt.has_timestamp &&
        undo_on_echo(u, hdr->opt.ts_ecr, s->una == s->nxt, s->dsack))
        why = REASON_UNDO_ECHO;
    if (s->acked)
        undo_progress(u, s->una, s->nxt);
    return why;
}

/* RFC 4015 step 8. */
static void adapt_rto(struct tcp *t, struct tcb *c, const struct ack_sample *s, int64_t sample)
{
    struct response *r = &c->flight->response;

    if (!r->adapt_due || sample == 0 || !seq_gt(s->una, r->adapt_from))
        return;
    r->adapt_due = false;
    rtt_adapt(&c->rtt, &t->cfg, r->srtt_prev, r->rttvar_prev, sample);
}

static bool judge(struct tcp *t, struct tcb *c, const struct ack_sample *s,
                  const struct recovery_verdict *v, const struct cc_sample *cs,
                  const struct tcp_hdr *hdr)
{
    bool reduced = c->flight->response.undo.active; /* and nobody has said that it was right */
    bool late = ask_frto(t, c, s, v);
    enum reason why = ask_undo(t, c, s, hdr);

    adapt_rto(t, c, s, cs->rtt);
    if (late)
        why = REASON_UNDO_FRTO;
    if (why == REASON_NONE)
        return false;
    take_back(t, c, s, *cs, why, reduced);
    return true;
}

/* There was no reduction that could have been for nothing, and nothing is to be remembered. */
static bool is_calm(const struct response *r, const struct ack_sample *s)
{
    return !frto_active(&r->frto) && !r->undo.active && !r->adapt_due && !s->dsack;
}

bool response_on_ack(struct tcp *t, struct tcb *c, const struct ack_sample *s,
                     const struct recovery_verdict *v, const struct cc_sample *cs,
                     const struct tcp_hdr *hdr)
{
    if (is_calm(&c->flight->response, s))
        return false;
    return judge(t, c, s, v, cs, hdr);
}

/* ---- how much may be sent ---- */

/* RFC 9937 section 6: on each ACK of a recovery, and cwnd = ssthresh at its end. */
void response_release(struct tcb *c, const struct ack_sample *s, const struct recovery_verdict *v)
{
    struct flight *f = c->flight;
    struct prr *p = &f->response.prr;
    struct prr_ack a;

    if (!prr_active(p))
        return;
    a = (struct prr_ack){
        .delivered = v->delivered,
        .inflight = flight_pipe(f, s->mss),
        .ssthresh = c->cc.ssthresh,
        .mss = s->mss,
        .safe = s->acked > 0 && v->lost == 0,
    };
    if (flight_phase(f) == RECOVERY_FAST) {
        c->cc.cwnd = max32(prr_on_ack(p, &a), s->mss);
        return;
    }
    c->cc.cwnd = c->cc.ssthresh;
    prr_end(p);
}

void response_sent(struct tcb *c, int64_t now, uint32_t seq, uint32_t len, bool again)
{
    struct response *r = &c->flight->response;

    if (prr_active(&r->prr))
        prr_sent(&r->prr, len);
    if (!again)
        return;
    frto_resent(&r->frto, seq + len);
    undo_retransmitted(&r->undo, seq, len, c->ts_ok, timestamp_clock(c, now));
}

bool response_prefers_new(const struct tcb *c)
{
    return c->flight && frto_prefers_new(&c->flight->response.frto, c->snd_nxt, c->snd_mss);
}

bool response_holds_lost(const struct tcb *c)
{
    return c->flight->response.frto.step == FRTO_SECOND;
}

/* With one new segment out the question can still be answered. */
void response_no_new_data(struct tcb *c)
{
    struct frto *f = &c->flight->response.frto;

    if (c->snd_nxt == f->recover)
        frto_end(f);
}

/*
 * In a recovery, the pipe alone counts. Before one, RFC 3042 bounds what duplicates release; where
 * losses are found by time, there is no third duplicate that would end it, and what is newly
 * reported to have left may be replaced for as long as the reordering lasts.
 */
uint32_t response_room(const struct tcp *t, const struct tcb *c)
{
    const struct tcp_config *cfg = &t->cfg;
    uint32_t pipe = flight_pipe(c->flight, c->snd_mss);
    bool by_time = cfg->rack && c->sack_ok;

    if (flight_phase(c->flight) != RECOVERY_OPEN || (cfg->limited_transmit && by_time))
        return c->cc.cwnd > pipe ? c->cc.cwnd - pipe : 0;
    return limited_transmit(cfg->limited_transmit, c->cc.cwnd, pipe, outstanding(c), c->snd_mss);
}
