#include "tcp/flight.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "base/time.h"
#include "tcp/control.h"
#include "tcp/tcp.h"

/* A flight that is idle for this long, or for RTO if that is longer, is given up. */
static const int64_t idle_ns = 10 * SEC;

void flight_begin(struct tcp *t, struct tcb *c)
{
    struct flight *f = c->flight;
    struct flight_more *more;

    if (f) {
        f->timer[FLIGHT_IDLE] = TIME_NEVER;
        return;
    }
    f = pool_get(t->flights);
    assert(f); /* there is one for each connection */
    more = &t->more[pool_number(t->flights, f)];
    memset(f, 0, offsetof(struct flight, board));
    memset(&f->cwv, 0, offsetof(struct flight, cc_priv) - offsetof(struct flight, cwv));
    f->sack = c->sack_ok;
    f->hystart = t->cfg.hystart;
    board_init(&f->board, t->ranges, more->ranges, c->snd_nxt);
    f->board.rate = &f->rate;
    f->rate.unasked = !t->cfg.cc->paced;
    recovery_init(&f->recovery, c->snd_nxt - 1); /* a loss at once is one */
    rack_init(&f->rack);
    for (unsigned i = 0; i < FLIGHT_TIMERS; i++)
        f->timer[i] = TIME_NEVER;
    c->flight = f;
    c->cc.priv = t->cfg.cc->priv_size <= FLIGHT_CC ? f->cc_priv : more->cc_priv;
    memset(c->cc.priv, 0, t->cfg.cc->priv_size);
}

void flight_end(struct tcp *t, struct tcb *c)
{
    if (!c->flight)
        return;
    board_clear(&c->flight->board);
    pool_put(t->flights, c->flight);
    c->flight = NULL;
    c->cc.priv = NULL;
    c->cc.pacing_rate = 0;
}

/*
 * RFC 8985 section 7.2: may the tail be probed? Not while something better says what is lost. In a
 * recovery, where the RFC leaves it to RTX, retransmissions and what flies behind them are a tail
 * as well: they are few, one acknowledgment may be all that answers them, and nothing else would
 * show its loss.
 */
static bool may_probe(const struct tcp *t, const struct tcb *c)
{
    const struct flight *f = c->flight;
    const struct board *b = &f->board;

    if (!t->cfg.tlp || !f->sack || c->snd_wnd == 0 || c->rtt.backoff > 0 || f->tlp.probing ||
        b->lost > 0)
        return false;
    if (f->recovery.phase == RECOVERY_FAST)
        return t->cfg.rack;
    return f->recovery.phase == RECOVERY_OPEN && b->sacked == 0;
}

void flight_settle(const struct tcp *t, struct tcb *c, int64_t now)
{
    struct flight *f = c->flight;
    bool lone;

    if (!f)
        return;
    f->timer[FLIGHT_PTO] = TIME_NEVER;
    if (c->snd_una == c->snd_nxt) {
        f->timer[FLIGHT_REO] = TIME_NEVER;
        f->timer[FLIGHT_IDLE] = time_max(now + time_max(idle_ns, c->rtt.rto), f->pace_at);
    } else if (may_probe(t, c)) {
        lone = c->snd_nxt - c->snd_una <= c->snd_mss && f->recovery.phase == RECOVERY_OPEN;
        f->timer[FLIGHT_PTO] = time_min(now + tlp_timeout(c->rtt.srtt, lone), c->timer[TIMER_RTX]);
    }
}

/* What was late is lost, unless its acknowledgment came meanwhile (RFC 8985 section 6.2). */
static void reordering_expired(struct tcp *t, struct tcb *c, int64_t now)
{
    struct ack_sample s;
    struct recovery_verdict v;

    tcp_ack_sample(t, c, now, &s);
    tcp_note(t, c, now, REASON_REO_EXPIRED, 0);
    recovery_on_reordering(c->flight, &s, &v);
    tcp_heed_losses(t, c, now, &v);
    c->output_due = true;
}

/*
 * RTX would be due at the same time or a little later: the probe has its time to be answered. While
 * an error waits to be believed that says that packets are too big, silence has a cause: a probe as
 * large would not arrive, and the answer to a smaller one would make a loss of it.
 */
static void probe_expired(struct tcp *t, struct tcb *c, int64_t now)
{
    if (c->flight->path.claimed) {
        c->flight->timer[FLIGHT_PTO] = c->flight->timer[FLIGHT_CLAIM];
        return;
    }
    tcp_note(t, c, now, REASON_PTO_EXPIRED, 0);
    c->flight->tlp.due = true;
    c->output_due = true;
    tcp_restart_rtx(c, now);
}

static bool expire(struct flight *f, enum flight_timer timer, int64_t now)
{
    if (!f || f->timer[timer] > now)
        return false;
    f->timer[timer] = TIME_NEVER;
    return true;
}

void flight_tick(struct tcp *t, struct tcb *c, int64_t now)
{
    if (expire(c->flight, FLIGHT_REO, now))
        reordering_expired(t, c, now);
    if (expire(c->flight, FLIGHT_CLAIM, now))
        path_claim_expired(t, c, now);
    if (expire(c->flight, FLIGHT_PTO, now))
        probe_expired(t, c, now);
    if (expire(c->flight, FLIGHT_PACE, now))
        c->output_due = true;
    if (expire(c->flight, FLIGHT_IDLE, now)) {
        control_idle(t, c);
        flight_end(t, c);
    }
}
