#include "tcp/rtt.h"

#include "base/seq.h"
#include "base/time.h"

enum {
    BACKOFF_MAX = 32,
};

/* G of RFC 6298: our clock counts nanoseconds, our timers are finer than this. */
static const int64_t granularity_ns = MSEC;

/* RFC 6298 5.7: what data begins with after the SYN was lost. */
static const int64_t syn_lost_ns = 3 * SEC;

static int64_t clamp(int64_t v, int64_t low, int64_t high)
{
    return time_min(time_max(v, low), high);
}

/* RFC 6298 2.3: RTO = SRTT + max(G, 4 * RTTVAR), doubled as often as the timer expired. */
static void compute_rto(struct rtt *r, const struct tcp_config *cfg)
{
    int64_t rto = r->syn_lost ? time_max(syn_lost_ns, cfg->rto_initial_ns) : cfg->rto_initial_ns;

    if (r->srtt)
        rto = clamp(r->srtt + time_max(granularity_ns, 4 * r->rttvar), cfg->rto_min_ns,
                    cfg->rto_max_ns);
    for (unsigned i = 0; i < r->backoff && rto < cfg->rto_max_ns; i++)
        rto *= 2;
    r->rto = time_min(rto, cfg->rto_max_ns);
}

void rtt_init(struct rtt *r, const struct tcp_config *cfg)
{
    *r = (struct rtt){0};
    compute_rto(r, cfg);
}

void rtt_start(struct rtt *r, int64_t now, uint32_t seq)
{
    if (r->timing)
        return;
    r->timing = true;
    r->sent_at = now;
    r->seq = seq;
}

void rtt_cancel(struct rtt *r)
{
    r->timing = false;
}

/*
 * RFC 6298 2.2 and 2.3, with alpha = 1/8 and beta = 1/4. They are meant for one sample per round
 * trip; each of `samples` gets that part of the weight (RFC 7323 appendix G). Inline, because for
 * one sample, which is what there mostly is, it divides by constants.
 */
static inline void measure(struct rtt *r, int64_t sample, uint32_t samples)
{
    if (!r->srtt) {
        r->srtt = sample;
        r->rttvar = sample / 2;
        return;
    }
    int64_t error = sample > r->srtt ? sample - r->srtt : r->srtt - sample;
    r->rttvar += (error - r->rttvar) / (4 * (int64_t)samples);
    r->srtt = time_max(1, r->srtt + (sample - r->srtt) / (8 * (int64_t)samples));
}

/* Only what was sent once is timed, so only that ends the back-off (MUST-18). */
int64_t rtt_ack(struct rtt *r, const struct tcp_config *cfg, int64_t now, uint32_t una)
{
    int64_t sample;

    if (!r->timing || seq_lt(una, r->seq))
        return 0;
    r->timing = false;
    sample = time_max(1, now - r->sent_at);
    measure(r, sample, 1);
    rtt_reset_backoff(r, cfg);
    return sample;
}

void rtt_echo(struct rtt *r, const struct tcp_config *cfg, int64_t sample, uint32_t samples)
{
    measure(r, sample, samples);
    rtt_reset_backoff(r, cfg);
}

void rtt_adapt(struct rtt *r, const struct tcp_config *cfg, int64_t srtt, int64_t rttvar,
               int64_t sample)
{
    r->srtt = time_max(srtt + 2 * granularity_ns, sample); /* SRTT_prev of step 0 */
    r->rttvar = time_max(rttvar, sample / 2);
    rtt_reset_backoff(r, cfg);
}

void rtt_backoff(struct rtt *r, const struct tcp_config *cfg)
{
    if (r->backoff < BACKOFF_MAX)
        r->backoff++;
    compute_rto(r, cfg);
}

void rtt_syn_lost(struct rtt *r, const struct tcp_config *cfg)
{
    r->syn_lost = true;
    rtt_reset_backoff(r, cfg);
}

void rtt_reset_backoff(struct rtt *r, const struct tcp_config *cfg)
{
    r->backoff = 0;
    compute_rto(r, cfg);
}
