/*
 * CUBIC (RFC 9438): the window as a function of time, not of round trips.
 *
 * After a loss at W_max the window is 0.7 of what it was. From there it follows a cubic curve whose
 * flat part is at W_max: it comes back there fast, stays near for a while, since that is about what
 * the path took, and then looks for more, faster and faster:
 *
 *     W_cubic(t) = C * (t - K)^3 + W_max        segments, seconds; C = 0.4
 *     K = cbrt((W_max - cwnd_epoch) / C)        so that W_cubic(0) = cwnd_epoch
 *
 * The curve knows nothing of the round trip, so that flows with long ones get their share. Where
 * round trips are short, Reno is faster; W_est is what Reno would have with the same loss rate, and
 * cwnd is never less than that (section 4.3). Two flows become equal sooner if the one that has to
 * shrink a second time aims at less than it had (fast convergence, section 4.7).
 *
 * Time does not pass while something else than cwnd holds the sender back (section 4.2, 5.8).
 * Everything is in bytes, milliseconds and integers: the core has no floating point.
 */
#include <string.h>

#include "base/bytes.h"
#include "base/time.h"
#include "tcp/cc/hystart.h"

enum {
    /* C = 4/10 segments/s^3, beta_cubic = 7/10, so alpha_cubic = 3 * (1 - b) / (1 + b) = 9/17 */
    C_NUM = 4,
    C_DEN = 10,
    BETA_NUM = 7,
    BETA_DEN = 10,
    ALPHA_NUM = 9,
    ALPHA_DEN = 17,
    EST_UNIT = 1024, /* W_est is kept in 1/1024 bytes */
    MS_MAX = 100000, /* ms: farther from K the curve is beyond every window */
};

/* One way from a loss to the next. */
struct epoch {
    int64_t start; /* epoch_start: ns */
    bool begun;
    bool from_here;      /* K = 0 and W_max is where congestion avoidance begins */
    uint64_t w_est;      /* W_est: bytes * EST_UNIT */
    uint32_t w_max;      /* W_max: bytes; 0: not known */
    uint32_t k;          /* K: ms */
    uint32_t cwnd_prior; /* cwnd when ssthresh was last set: bytes */
};

struct cubic {
    int64_t last_ack; /* ns */
    struct epoch epoch;
    struct epoch prior;                  /* before the last reduction */
    uint32_t prior_cwnd, prior_ssthresh; /* the same */
    uint32_t rest;                       /* bytes * bytes that did not make a byte of growth */
    bool timed_out;                      /* a timeout is being repaired */
    struct hystart hystart;
};

_Static_assert(sizeof(struct cubic) <= CC_PRIV_WORDS * sizeof(uint64_t), "it has its place");

static void cubic_init(struct cc *cc, uint32_t mss)
{
    *cc = (struct cc){.cwnd = cc_initial_window(mss), .ssthresh = CC_WINDOW_MAX};
}

/* The largest integer whose cube is not above n; bit by bit, 22 steps. */
static uint32_t cube_root(uint64_t n)
{
    uint64_t root = 0;

    for (int bit = 21; bit >= 0; bit--) {
        uint64_t next = root | UINT64_C(1) << bit;

        if (next * next * next <= n)
            root = next;
    }
    return (uint32_t)root;
}

/* K of section 4.2 in ms: cbrt(d / C) s for d segments is cbrt(d * 10^9 / C) ms. */
static uint32_t time_to(uint32_t bytes, uint32_t mss)
{
    return cube_root(bytes * (UINT64_C(1000000000) / C_NUM * C_DEN) / mss);
}

/* W_cubic at `t` ms of the epoch, in bytes. */
static int64_t w_cubic(const struct epoch *e, int64_t t, uint32_t mss)
{
    int64_t d = time_max(-MS_MAX, time_min(MS_MAX, t - e->k));

    return e->w_max + d * d * d / 1000 * mss * C_NUM / C_DEN / 1000000;
}

/* Congestion avoidance begins: from below W_max, or from here where that is unknown or passed. */
static void begin_epoch(struct cubic *m, const struct cc *cc, const struct cc_sample *s)
{
    struct epoch *e = &m->epoch;

    if (e->from_here || e->w_max < cc->cwnd)
        e->w_max = cc->cwnd;
    e->k = time_to(e->w_max - cc->cwnd, s->mss);
    e->start = s->now;
    e->w_est = (uint64_t)cc->cwnd * EST_UNIT;
    if (!e->cwnd_prior)
        e->cwnd_prior = cc->cwnd; /* section 4.10: slow start ended without a loss */
    e->begun = true;
    e->from_here = false;
    m->rest = 0;
}

/* Section 4.3: what Reno would have. Above cwnd_prior it grows as Reno itself does. */
static uint32_t reno_friendly(struct epoch *e, const struct cc *cc, const struct cc_sample *s)
{
    uint64_t step = (uint64_t)s->mss * s->acked * EST_UNIT;

    if (e->w_est < (uint64_t)e->cwnd_prior * EST_UNIT)
        step = step * ALPHA_NUM / ALPHA_DEN;
    e->w_est += step / cc->cwnd;
    return (uint32_t)(e->w_est / EST_UNIT);
}

/* Sections 4.4 and 4.5: (target - cwnd) / cwnd for each segment that is acknowledged. */
static void grow_towards(struct cubic *m, struct cc *cc, int64_t target, uint32_t acked)
{
    uint64_t growth;

    target = time_min(target, (int64_t)cc->cwnd * 3 / 2);
    if (target <= cc->cwnd)
        return;
    growth = (uint64_t)(target - cc->cwnd) * min32(acked, cc->cwnd) + m->rest;
    m->rest = (uint32_t)(growth % cc->cwnd);
    cc->cwnd += (uint32_t)(growth / cc->cwnd);
}

static void avoid_congestion(struct cubic *m, struct cc *cc, const struct cc_sample *s)
{
    uint32_t est;
    int64_t t;

    if (!m->epoch.begun)
        begin_epoch(m, cc, s);
    t = (s->now - m->epoch.start) / MSEC;
    est = reno_friendly(&m->epoch, cc, s);
    if (w_cubic(&m->epoch, t, s->mss) < est)
        cc->cwnd = max32(cc->cwnd, est);
    else
        grow_towards(m, cc, w_cubic(&m->epoch, t + s->srtt / MSEC, s->mss), s->acked);
}

/* As long as cwnd is no more than ssthresh (section 4.10). */
static void slow_start(struct cubic *m, struct cc *cc, const struct cc_sample *s)
{
    uint32_t growth = m->timed_out ? min32(s->acked, s->mss) : hystart_growth(&m->hystart, cc, s);

    cc->cwnd += min32(growth, cc->ssthresh - cc->cwnd + s->mss);
    if (cc->ssthresh == CC_WINDOW_MAX && m->hystart.phase == HYSTART_DONE)
        cc->ssthresh = cc->cwnd;
}

static void cubic_on_ack(struct cc *cc, const struct cc_sample *s)
{
    struct cubic *m = cc->priv;
    int64_t since = s->now - m->last_ack;

    m->last_ack = s->now;
    if (m->epoch.begun && !s->cwnd_limited)
        m->epoch.start = time_min(s->now, m->epoch.start + since);
    if (s->in_recovery || s->ecn || !s->cwnd_limited || cc->cwnd >= CC_WINDOW_MAX)
        return;
    if (cc->cwnd <= cc->ssthresh) {
        m->epoch.begun = false;
        slow_start(m, cc, s);
    } else {
        avoid_congestion(m, cc, s);
    }
    cc->cwnd = min32(cc->cwnd, CC_WINDOW_MAX);
}

/*
 * Sections 4.6 and 4.7: 0.7 of what was in flight, and where the curve goes now. The window that
 * overflowed is what was in flight, not what it might have been.
 */
static void reduce(struct cubic *m, struct cc *cc, const struct cc_sample *s)
{
    struct epoch *e = &m->epoch;
    uint32_t flight = min32(s->in_flight, cc->cwnd);

    m->prior = *e;
    m->prior_cwnd = cc->cwnd;
    m->prior_ssthresh = cc->ssthresh;
    e->cwnd_prior = cc->cwnd;
    if (cc->cwnd < e->w_max)
        e->w_max = (uint32_t)((uint64_t)cc->cwnd * (BETA_DEN + BETA_NUM) / (2 * BETA_DEN));
    else
        e->w_max = cc->cwnd;
    e->begun = false;
    cc->ssthresh = max32((uint32_t)((uint64_t)flight * BETA_NUM / BETA_DEN), 2 * s->mss);
    hystart_end(&m->hystart);
}

static void cubic_on_loss(struct cc *cc, const struct cc_sample *s)
{
    struct cubic *m = cc->priv;

    reduce(m, cc, s);
    cc->cwnd = cc->ssthresh;
    m->timed_out = false;
}

/* As in Reno: no burst of what recovery held back (RFC 6582 section 3.2 step 3). */
static void cubic_on_recovered(struct cc *cc, const struct cc_sample *s)
{
    struct cubic *m = cc->priv;

    if (!m->timed_out)
        cc->cwnd = min32(cc->ssthresh, max32(s->in_flight, s->mss) + s->mss);
    m->timed_out = false;
}

/* Section 4.8. */
static void cubic_on_rto(struct cc *cc, const struct cc_sample *s)
{
    struct cubic *m = cc->priv;

    if (!s->in_recovery) /* once, not for each timeout of the same segment */
        reduce(m, cc, s);
    cc->cwnd = s->mss;
    m->epoch.from_here = true;
    m->timed_out = true;
}

/* Section 4.9: as before. */
static void cubic_on_undo(struct cc *cc, const struct cc_sample *s)
{
    struct cubic *m = cc->priv;

    (void)s;
    if (cc->cwnd >= m->prior_cwnd)
        return;
    m->epoch = m->prior;
    cc->cwnd = m->prior_cwnd;
    cc->ssthresh = m->prior_ssthresh;
    m->timed_out = false;
}

const struct cc_ops cc_cubic = {
    .name = "cubic",
    .help = "a window that follows a cubic curve of time (RFC 9438); the default",
    .priv_size = sizeof(struct cubic),
    .init = cubic_init,
    .on_ack = cubic_on_ack,
    .on_loss = cubic_on_loss,
    .on_recovered = cubic_on_recovered,
    .on_rto = cubic_on_rto,
    .on_undo = cubic_on_undo,
};
