#include "tcp/cc/hystart.h"

#include "base/bytes.h"
#include "base/time.h"

enum {
    BURST_PLAIN = 2, /* L of RFC 3465: segments */
};

/* Section 4.2: a round ends, the next begins. */
static void next_round(struct hystart *h)
{
    h->last_min = h->current_min;
    h->current_min = 0;
    h->samples = 0;
    if (h->phase == HYSTART_CSS && ++h->css_rounds >= HYSTART_CSS_ROUNDS)
        h->phase = HYSTART_DONE;
}

static void take_sample(struct hystart *h, int64_t rtt)
{
    if (rtt <= 0)
        return;
    h->current_min = h->current_min ? time_min(h->current_min, rtt) : rtt;
    if (h->samples < HYSTART_SAMPLES)
        h->samples++;
}

/* Is this round's shortest round trip longer than the last one's by RttThresh? */
static bool delay_grows(const struct hystart *h)
{
    int64_t thresh = time_min(HYSTART_RTT_MAX, h->last_min / HYSTART_RTT_DIVISOR);

    return h->last_min && h->current_min >= h->last_min + time_max(HYSTART_RTT_MIN, thresh);
}

/* The phase that follows from what the round has shown so far. */
static void decide(struct hystart *h)
{
    if (h->samples < HYSTART_SAMPLES)
        return;
    if (h->phase == HYSTART_SLOW_START && delay_grows(h)) {
        h->phase = HYSTART_CSS;
        h->css_baseline = h->current_min;
        h->css_rounds = 0;
    } else if (h->phase == HYSTART_CSS && h->current_min < h->css_baseline) {
        h->phase = HYSTART_SLOW_START;
    }
}

uint32_t hystart_growth(struct hystart *h, const struct cc *cc, const struct cc_sample *s)
{
    uint32_t most = cc->pacing_rate ? s->acked : HYSTART_BURST * s->mss;

    if (!s->hystart)
        return min32(s->acked, BURST_PLAIN * s->mss);
    if (h->phase != HYSTART_DONE) {
        if (s->rate.round_start)
            next_round(h);
        take_sample(h, s->rtt);
        decide(h);
    }
    most = min32(s->acked, most);
    return h->phase == HYSTART_CSS ? most / HYSTART_CSS_DIVISOR : most;
}
