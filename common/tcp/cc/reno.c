/*
 * Reno (RFC 5681): slow start below ssthresh, then one segment more per round trip; half of what
 * was in flight after a loss; one segment after a timeout. Growth counts acknowledged bytes
 * (RFC 3465 with L = 2; 1 while a timeout is being repaired), and only where cwnd was what held the
 * sender back.
 *
 * priv[0] holds the bytes acknowledged towards the next segment in congestion avoidance; priv[1] is
 * 1 while a timeout is being repaired.
 */
#include "base/bytes.h"
#include "tcp/cc/cc.h"

enum {
    CWND_MAX = 1 << 30, /* bytes: the largest window that RFC 7323 can express */
};

static void reno_init(struct cc *cc, uint32_t mss)
{
    *cc = (struct cc){.cwnd = cc_initial_window(mss), .ssthresh = CWND_MAX};
}

/* RFC 5681 (4): half of the flight, but at least two segments. */
static uint32_t half_flight(const struct cc_sample *s)
{
    return max32(s->in_flight / 2, 2 * s->mss);
}

/* Slow start up to ssthresh, then congestion avoidance (MUST-19). */
static void reno_on_ack(struct cc *cc, const struct cc_sample *s)
{
    if (s->in_recovery || !s->cwnd_limited || cc->cwnd >= CWND_MAX)
        return;
    if (cc->cwnd < cc->ssthresh) {
        cc->cwnd += min32(s->acked, cc->priv[1] ? s->mss : 2 * s->mss);
        return;
    }
    cc->priv[0] += s->acked;
    if (cc->priv[0] >= cc->cwnd) {
        cc->priv[0] -= cc->cwnd;
        cc->cwnd += s->mss;
    }
}

static void reno_on_loss(struct cc *cc, const struct cc_sample *s)
{
    cc->ssthresh = half_flight(s);
    cc->cwnd = cc->ssthresh;
    cc->priv[0] = cc->priv[1] = 0;
}

/*
 * RFC 6582 section 3.2 step 3: no burst of what fast recovery held back. After a timeout nothing
 * was held back, and slow start goes on.
 */
static void reno_on_recovered(struct cc *cc, const struct cc_sample *s)
{
    if (s->in_recovery)
        cc->cwnd = min32(cc->ssthresh, max32(s->in_flight, s->mss) + s->mss);
    else
        reno_on_ack(cc, s);
    cc->priv[1] = 0;
}

static void reno_on_rto(struct cc *cc, const struct cc_sample *s)
{
    if (!s->in_recovery) /* once, not for each timeout of the same segment */
        cc->ssthresh = half_flight(s);
    cc->cwnd = s->mss;
    cc->priv[0] = 0;
    cc->priv[1] = 1;
}

const struct cc_ops cc_reno = {
    .name = "reno",
    .help = "half a window after a loss, a segment more each round trip (RFC 5681)",
    .init = reno_init,
    .on_ack = reno_on_ack,
    .on_loss = reno_on_loss,
    .on_recovered = reno_on_recovered,
    .on_rto = reno_on_rto,
};
