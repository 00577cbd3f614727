#include "tcp/flight.h"

#include <assert.h>

#include "base/bytes.h"
#include "base/time.h"
#include "tcp/control.h"
#include "tcp/tcp.h"

/* A flight that is idle for this long, or for RTO if that is longer, is given up. */
static const int64_t idle_ns = 10 * SEC;

void flight_begin(struct tcp *t, struct tcb *c)
{
    struct flight *f = c->flight;

    if (f) {
        f->timer[FLIGHT_IDLE] = TIME_NEVER;
        return;
    }
    f = pool_get(t->flights);
    assert(f); /* there is one for each connection */
    *f = (struct flight){.sack = c->sack_ok, .hystart = t->cfg.hystart};
    board_init(&f->board, t->ranges, c->snd_nxt);
    f->board.rate = &f->rate;
    recovery_init(&f->recovery, c->snd_nxt - 1); /* a loss at once is one */
    for (unsigned i = 0; i < FLIGHT_TIMERS; i++)
        f->timer[i] = TIME_NEVER;
    c->flight = f;
    c->cc.priv = f->cc_priv;
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

int64_t flight_deadline(const struct flight *f)
{
    int64_t first = TIME_NEVER;

    for (unsigned i = 0; f && i < FLIGHT_TIMERS; i++)
        first = time_min(first, f->timer[i]);
    return first;
}

void flight_settle(struct tcb *c, int64_t now)
{
    struct flight *f = c->flight;

    if (f && c->snd_una == c->snd_nxt)
        f->timer[FLIGHT_IDLE] = now + time_max(idle_ns, c->rtt.rto);
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
    if (expire(c->flight, FLIGHT_PACE, now))
        c->output_due = true;
    if (expire(c->flight, FLIGHT_IDLE, now)) {
        control_idle(t, c);
        flight_end(t, c);
    }
}
