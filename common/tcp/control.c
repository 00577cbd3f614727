#include "tcp/control.h"

#include "base/bytes.h"
#include "base/time.h"
#include "tcp/cc/cwv.h"

/* A module that has the window to itself has its own way with what was not used. */
static bool validates(const struct tcp *t)
{
    return t->cfg.cwv && !t->cfg.cc->own_window;
}

/*
 * FlightSize is what flew before the batch of which this acknowledgment is one: what those before
 * it have acknowledged could not be replaced yet. Field by field: rate_finish fills the rest, which
 * is the larger half.
 */
void tcp_cc_sample(const struct tcb *c, int64_t now, struct cc_sample *ret)
{
    const struct flight *f = c->flight;
    uint32_t outstanding = c->snd_nxt - c->snd_una;

    ret->now = now;
    ret->rtt = 0;
    ret->srtt = c->rtt.srtt;
    ret->min_rtt = (int64_t)c->min_rtt_us * USEC;
    ret->acked = ret->lost = 0;
    ret->in_flight = f ? max32(outstanding, f->size) : outstanding;
    ret->pipe = flight_pipe(f, c->snd_mss);
    ret->mss = c->snd_mss;
    ret->cwnd_limited = c->cwnd_limited;
    ret->in_recovery = flight_phase(f) == RECOVERY_FAST;
    ret->ecn = false;
    ret->sack = c->sack_ok;
    ret->hystart = f && f->hystart;
}

void control_init(const struct tcp *t, struct tcb *c)
{
    uint32_t segments = min32(t->cfg.initial_window, (uint32_t)CC_WINDOW_MAX / c->snd_mss);

    t->cfg.cc->init(&c->cc, c->snd_mss);
    if (segments)
        c->cc.cwnd = segments * c->snd_mss;
}

void control_on_undo(struct tcp *t, struct tcb *c, const struct cc_sample *s)
{
    if (t->cfg.cc->on_undo)
        t->cfg.cc->on_undo(&c->cc, s);
    c->cc.cwnd = max32(c->cc.cwnd, c->snd_mss); /* which may be more than it was then */
}

void control_on_recovered(struct tcp *t, struct tcb *c, const struct cc_sample *s)
{
    t->cfg.cc->on_recovered(&c->cc, s);
}

void control_on_loss(struct tcp *t, struct tcb *c, const struct cc_sample *s)
{
    if (validates(t))
        cwv_on_loss(&c->flight->cwv, &c->cc, s);
    t->cfg.cc->on_loss(&c->cc, s);
}

void control_on_ack(struct tcp *t, struct tcb *c, const struct cc_sample *s)
{
    t->cfg.cc->on_ack(&c->cc, s);
    if (validates(t))
        cwv_on_ack(&c->flight->cwv, &c->cc, s);
}

void control_on_rto(struct tcp *t, struct tcb *c, const struct cc_sample *s)
{
    if (validates(t))
        cwv_on_loss(&c->flight->cwv, &c->cc, s);
    t->cfg.cc->on_rto(&c->cc, s);
}

void control_restart(struct tcp *t, struct tcb *c, int64_t now)
{
    struct cc_sample s;

    if (!t->cfg.cc->on_restart)
        return;
    tcp_cc_sample(c, now, &s);
    s.rate = (struct rate_sample){.total_delivered = c->flight ? c->flight->rate.delivered : 0};
    t->cfg.cc->on_restart(&c->cc, &s);
}

void control_idle(struct tcp *t, struct tcb *c)
{
    if (t->cfg.cwv && t->cfg.cc != &cc_fixed)
        cwv_restart(&c->cc, c->snd_mss);
}

/* ---- pacing ---- */

static bool paces(const struct tcp *t, const struct tcb *c)
{
    return t->cfg.pacing && c->cc.pacing_rate > 0;
}

/* How long the rate needs for `bytes`, ns; for ever is half a minute. */
static int64_t time_for(const struct tcb *c, uint32_t bytes)
{
    uint64_t ns = (uint64_t)bytes * SEC / c->cc.pacing_rate;

    return ns < 30 * SEC ? (int64_t)ns : 30 * SEC;
}

/* By how much pace_at may run ahead of time. */
static int64_t quantum(const struct tcb *c)
{
    return time_max(MSEC, time_for(c, 2u * c->snd_mss));
}

/*
 * When all that has left would have left evenly. A slower pace than that of now may have put
 * pace_at far ahead, in which time this one would send a great deal: two quanta behind the last
 * segment are enough.
 */
static int64_t paced_until(const struct tcb *c)
{
    const struct flight *f = c->flight;

    return time_min(f->pace_at, f->paced_at + 2 * quantum(c));
}

bool control_must_wait(const struct tcp *t, struct tcb *c, int64_t now)
{
    struct flight *f = c->flight;
    int64_t until;

    if (!f || !paces(t, c))
        return false;
    until = paced_until(c);
    if (f->timer[FLIGHT_PACE] != TIME_NEVER) {
        f->timer[FLIGHT_PACE] = time_min(f->timer[FLIGHT_PACE], until);
        return true;
    }
    if (until < now + quantum(c))
        return false;
    f->timer[FLIGHT_PACE] = until;
    return true;
}

uint32_t control_burst(const struct tcp *t, const struct tcb *c, int64_t now, uint32_t one)
{
    int64_t each, ahead;

    if (!paces(t, c))
        return UINT32_MAX;
    each = time_max(1, time_for(c, one));
    ahead = now + quantum(c) - time_max(paced_until(c), now - quantum(c));
    return (uint32_t)time_min(UINT32_MAX, time_max(1, (ahead + each - 1) / each) * one);
}

/* What the timer was late by, up to a quantum, is made good. */
void control_sent(const struct tcp *t, struct tcb *c, int64_t now, uint32_t len)
{
    struct flight *f = c->flight;

    if (!paces(t, c))
        return;
    f->pace_at = time_max(paced_until(c), now - quantum(c)) + time_for(c, len);
    f->paced_at = now;
}
