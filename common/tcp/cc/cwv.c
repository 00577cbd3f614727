#include "tcp/cc/cwv.h"

#include "base/bytes.h"
#include "base/time.h"

uint32_t cwv_pipe_ack(const struct cwv *v)
{
    uint32_t most = max32(v->now, v->before);

    return most ? most : UINT32_MAX;
}

/* A round trip ends: how much did it deliver? */
static void measure(struct cwv *v, const struct cc_sample *s)
{
    uint64_t bytes = s->rate.total_delivered - v->round_began;

    if (v->begun)
        v->now = max32(v->now, (uint32_t)(bytes < UINT32_MAX ? bytes : UINT32_MAX));
    v->begun = true;
    v->round_began = s->rate.total_delivered;
    if (s->now - v->period_began < time_max(SEC, 3 * s->srtt))
        return;
    v->period_began = s->now;
    v->before = v->now;
    v->now = 0;
}

/* ssthresh as RFC 7661 4.4.3 has it: three quarters of what cwnd was, so that it is found again. */
static void remember(struct cc *cc)
{
    cc->ssthresh = max32(cc->ssthresh, (uint32_t)((uint64_t)cc->cwnd * 3 / 4));
}

void cwv_on_ack(struct cwv *v, struct cc *cc, const struct cc_sample *s)
{
    if (s->rate.round_start)
        measure(v, s);
    if (cwv_pipe_ack(v) >= cc->cwnd / 2) {
        v->unused_since = 0;
        return;
    }
    if (!v->unused_since)
        v->unused_since = s->now;
    if (s->now - v->unused_since < CWV_KEPT)
        return;
    v->unused_since = s->now;
    remember(cc);
    cc->cwnd = max32(cc->cwnd / 2, min32(cc->cwnd, cc_initial_window(s->mss)));
}

void cwv_on_loss(const struct cwv *v, struct cc *cc, const struct cc_sample *s)
{
    if (cwv_pipe_ack(v) >= cc->cwnd / 2)
        return;
    cc->cwnd = max32(s->mss, min32(cc->cwnd, max32(cwv_pipe_ack(v), s->in_flight)));
}

void cwv_restart(struct cc *cc, uint32_t mss)
{
    remember(cc);
    cc->cwnd = min32(cc->cwnd, cc_initial_window(mss));
}
