/*
 * Reno (RFC 5681): slow start below ssthresh, then one segment more per round trip; half of what
 * was in flight after a loss; one segment after a timeout. Growth counts acknowledged bytes
 * (RFC 3465; one segment at a time while a timeout is being repaired), and only where cwnd was what
 * held the sender back. The first slow start may end early (hystart.h).
 */
#include "base/bytes.h"
#include "tcp/cc/hystart.h"

struct reno {
    uint32_t acked;                      /* bytes, towards the next segment */
    uint32_t prior_cwnd, prior_ssthresh; /* before the last reduction */
    bool timed_out;                      /* a timeout is being repaired */
    struct hystart hystart;
};

_Static_assert(sizeof(struct reno) <= CC_PRIV_WORDS * sizeof(uint64_t), "it has its place");

static void reno_init(struct cc *cc, uint32_t mss)
{
    *cc = (struct cc){.cwnd = cc_initial_window(mss), .ssthresh = CC_WINDOW_MAX};
}

/*
 * RFC 5681 (4): half of the flight, but at least two segments. What limited transmit has sent
 * beyond cwnd does not count (section 3.2 step 2).
 */
static uint32_t half_flight(const struct cc *cc, const struct cc_sample *s)
{
    return max32(min32(s->in_flight, cc->cwnd) / 2, 2 * s->mss);
}

static void slow_start(struct cc *cc, struct reno *r, const struct cc_sample *s)
{
    uint32_t growth = r->timed_out ? min32(s->acked, s->mss) : hystart_growth(&r->hystart, cc, s);

    cc->cwnd += min32(growth, cc->ssthresh - cc->cwnd + s->mss);
    if (cc->ssthresh == CC_WINDOW_MAX && r->hystart.phase == HYSTART_DONE)
        cc->ssthresh = cc->cwnd;
}

/*
 * Slow start up to ssthresh, then congestion avoidance (MUST-19). At ssthresh it may be either
 * (RFC 5681 section 3.1); after a repair that is the segment that the halving of an odd number has
 * cost. Of what cwnd has room for, whole segments fly, and when they are acknowledged, a round trip
 * is over.
 */
static void reno_on_ack(struct cc *cc, const struct cc_sample *s)
{
    struct reno *r = cc->priv;
    uint32_t flight = cc->cwnd - cc->cwnd % s->mss;

    if (s->in_recovery || s->ecn || !s->cwnd_limited || cc->cwnd >= CC_WINDOW_MAX)
        return;
    if (cc->cwnd <= cc->ssthresh) {
        slow_start(cc, r, s);
        return;
    }
    r->acked += s->acked;
    if (r->acked >= flight) {
        r->acked -= flight;
        cc->cwnd += s->mss;
    }
}

/* Remember what was before, and reduce ssthresh. */
static void reduce(struct cc *cc, struct reno *r, const struct cc_sample *s)
{
    r->prior_cwnd = cc->cwnd;
    r->prior_ssthresh = cc->ssthresh;
    r->acked = 0;
    cc->ssthresh = half_flight(cc, s);
    hystart_end(&r->hystart);
}

static void reno_on_loss(struct cc *cc, const struct cc_sample *s)
{
    struct reno *r = cc->priv;

    reduce(cc, r, s);
    cc->cwnd = cc->ssthresh;
    r->timed_out = false;
}

/*
 * RFC 6582 section 3.2 step 3: no burst of what fast recovery held back. After a timeout nothing
 * was held back, and slow start goes on.
 */
static void reno_on_recovered(struct cc *cc, const struct cc_sample *s)
{
    struct reno *r = cc->priv;

    if (!r->timed_out)
        cc->cwnd = min32(cc->ssthresh, max32(s->in_flight, s->mss) + s->mss);
    r->timed_out = false;
}

static void reno_on_rto(struct cc *cc, const struct cc_sample *s)
{
    struct reno *r = cc->priv;

    if (!s->in_recovery) /* once, not for each timeout of the same segment */
        reduce(cc, r, s);
    cc->cwnd = s->mss;
    r->timed_out = true;
}

/* RFC 4015: as before. */
static void reno_on_undo(struct cc *cc, const struct cc_sample *s)
{
    struct reno *r = cc->priv;

    (void)s;
    cc->cwnd = max32(cc->cwnd, r->prior_cwnd);
    cc->ssthresh = max32(cc->ssthresh, r->prior_ssthresh);
    r->timed_out = false;
}

const struct cc_ops cc_reno = {
    .name = "reno",
    .help = "half a window after a loss, a segment more each round trip (RFC 5681)",
    .priv_size = sizeof(struct reno),
    .init = reno_init,
    .on_ack = reno_on_ack,
    .on_loss = reno_on_loss,
    .on_recovered = reno_on_recovered,
    .on_rto = reno_on_rto,
    .on_undo = reno_on_undo,
};
