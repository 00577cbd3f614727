/*
 * BBR's model of the path: sections 5.3.1.2 and 5.5 of the draft.
 */
#include "base/bytes.h"
#include "base/time.h"
#include "tcp/cc/bbr.h"

static const int64_t probe_rtt_interval = 5 * SEC, min_rtt_filter = 10 * SEC;

static uint64_t max64(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* ---- the bandwidth ---- */

uint64_t bbr_max_bw(const struct bbr *b)
{
    return max64(b->max_bw[0], b->max_bw[1]);
}

/* 5.5.6: a cycle without any sample is not one. */
void bbr_advance_max_bw(struct bbr *b)
{
    if (!b->max_bw[0])
        return;
    b->max_bw[1] = b->max_bw[0];
    b->max_bw[0] = 0;
}

/* 5.3.4.3: what is sent in ProbeRTT counts as limited by the application. */
bool bbr_limited(const struct bbr *b, const struct cc_sample *s)
{
    uint64_t sent = s->rate.prior_delivered;

    return s->rate.app_limited ||
           (b->limited_until && sent >= b->limited_from && sent <= b->limited_until);
}

/* 5.5.5 */
static void update_max_bw(struct bbr *b, const struct cc_sample *s)
{
    uint64_t bw = s->rate.bandwidth;

    if (bw > 0 && (bw >= bbr_max_bw(b) || !bbr_limited(b, s)))
        b->max_bw[0] = max64(b->max_bw[0], bw);
}

uint32_t bbr_bdp(const struct bbr *b, uint64_t bw, uint32_t percent, uint32_t mss)
{
    uint64_t bytes;

    if (b->min_rtt == BBR_RTT_UNKNOWN || !bw)
        return cc_initial_window(mss);
    bytes = bw * (uint64_t)(b->min_rtt / USEC) / 1000000 * percent / 100;
    return (uint32_t)(bytes < CC_WINDOW_MAX ? bytes : CC_WINDOW_MAX);
}

/* ---- full? (5.3.1.2) ---- */

void bbr_reset_full_bw(struct bbr *b)
{
    b->full_bw = 0;
    b->full_bw_count = 0;
    b->full_bw_now = false;
}

/* Three rounds without a quarter more. */
static void check_full_bw(struct bbr *b, const struct cc_sample *s)
{
    uint64_t bw = s->rate.bandwidth;

    if (b->full_bw_now || !b->round_start || !bw || bbr_limited(b, s))
        return;
    if (bw >= b->full_bw + b->full_bw / 4) {
        bbr_reset_full_bw(b);
        b->full_bw = bw;
        return;
    }
    b->full_bw_now = ++b->full_bw_count >= 3;
    if (b->full_bw_now)
        b->full_bw_reached = true;
}

/* ---- rounds (5.5.1) ---- */

void bbr_start_round(struct bbr *b, const struct cc_sample *s)
{
    b->next_round_delivered = s->rate.total_delivered;
}

static void update_round(struct bbr *b, const struct cc_sample *s)
{
    b->round_start = s->acked && s->rate.prior_delivered >= b->next_round_delivered;
    if (!b->round_start)
        return;
    bbr_start_round(b, s);
    b->round_count++;
    b->rounds_since_probe_up++;
}

/* ---- acknowledgments that come in heaps (5.5.9) ---- */

static void update_extra_acked(struct bbr *b, const struct cc *cc, const struct cc_sample *s)
{
    int64_t interval = time_min(s->now - b->extra_acked_start, 1000 * SEC);
    uint64_t expected = b->bw / 1000 * (uint64_t)(interval / USEC) / 1000, extra;

    if (b->round_start &&
        ++b->extra_acked_rounds >= (b->full_bw_reached ? BBR_EXTRA_ACKED_ROUNDS : 1)) {
        b->extra_acked[1] = b->extra_acked[0];
        b->extra_acked[0] = 0;
        b->extra_acked_rounds = 0;
    }
    if (b->extra_acked_delivered <= expected) {
        b->extra_acked_delivered = 0;
        b->extra_acked_start = s->now;
        expected = 0;
    }
    b->extra_acked_delivered += s->acked;
    extra = b->extra_acked_delivered - expected;
    b->extra_acked[0] = max32(b->extra_acked[0], (uint32_t)(extra < cc->cwnd ? extra : cc->cwnd));
}

/* ---- losses (5.5.10) ---- */

bool bbr_too_much(uint64_t lost, uint32_t tx_in_flight, bool sack)
{
    return lost * 100 > (uint64_t)tx_in_flight * BBR_LOSS_THRESH || (lost > 0 && !sack);
}

uint32_t bbr_inflight_at_loss(const struct rate_sample *rate)
{
    int64_t before = (int64_t)rate->loss_tx_in_flight - rate->loss_size;
    int64_t lost = (int64_t)rate->loss_since - rate->loss_size;
    int64_t prefix = (before * BBR_LOSS_THRESH - lost * 100) / (100 - BBR_LOSS_THRESH);

    return (uint32_t)time_max(0, before + prefix);
}

/* 5.6.4.4: the last window that neither a repair nor ProbeRTT had changed. */
void bbr_save_cwnd(struct bbr *b, const struct cc *cc)
{
    if (!b->in_recovery && b->state != BBR_PROBE_RTT)
        b->prior_cwnd = cc->cwnd;
    else
        b->prior_cwnd = max32(b->prior_cwnd, cc->cwnd);
}

/* 5.5.11.1 */
void bbr_save(struct bbr *b, const struct cc *cc)
{
    bbr_save_cwnd(b, cc);
    b->undo_state = BBR_NONE;
    b->undo_bw_shortterm = b->bw_shortterm;
    b->undo_inflight_shortterm = b->inflight_shortterm;
    b->undo_inflight_longterm = b->inflight_longterm;
}

void bbr_note_loss(struct bbr *b, const struct cc *cc, const struct cc_sample *s)
{
    if (!b->loss_in_round) {
        b->loss_round_delivered = s->rate.total_delivered;
        bbr_save(b, cc);
    }
    b->loss_in_round = true;
    b->loss_events = (uint16_t)min32(UINT16_MAX, b->loss_events + s->rate.losses);
}

bool bbr_probing(const struct bbr *b)
{
    return b->state == BBR_STARTUP || b->state == BBR_REFILL || b->state == BBR_UP;
}

void bbr_reset_congestion(struct bbr *b)
{
    b->loss_in_round = false;
    b->bw_latest = 0;
    b->inflight_latest = 0;
}

void bbr_reset_shortterm(struct bbr *b)
{
    b->bw_shortterm = BBR_BW_UNKNOWN;
    b->inflight_shortterm = BBR_UNKNOWN;
}

/* Once for each round with a loss: down to what arrives, and by three tenths at the most. */
static void adapt_lower_bounds(struct bbr *b, const struct cc *cc)
{
    if (bbr_probing(b) || !b->loss_in_round)
        return;
    if (b->bw_shortterm == BBR_BW_UNKNOWN)
        b->bw_shortterm = bbr_max_bw(b);
    if (b->inflight_shortterm == BBR_UNKNOWN)
        b->inflight_shortterm = cc->cwnd;
    b->bw_shortterm = max64(b->bw_latest, b->bw_shortterm / 100 * BBR_BETA);
    b->inflight_shortterm =
        max32(b->inflight_latest, (uint32_t)((uint64_t)b->inflight_shortterm * BBR_BETA / 100));
}

static void update_latest(struct bbr *b, const struct cc_sample *s)
{
    uint64_t bytes = s->rate.interval ? s->rate.delivered : 0;

    b->loss_round_start = false;
    b->bw_latest = max64(b->bw_latest, s->rate.bandwidth);
    b->inflight_latest =
        max32(b->inflight_latest, (uint32_t)(bytes < CC_WINDOW_MAX ? bytes : CC_WINDOW_MAX));
    if (s->acked && s->rate.prior_delivered >= b->loss_round_delivered) {
        b->loss_round_delivered = s->rate.total_delivered;
        b->loss_round_start = true;
    }
}

static void update_congestion(struct bbr *b, const struct cc *cc, const struct cc_sample *s)
{
    update_round(b, s);
    update_max_bw(b, s);
    if (!b->loss_round_start)
        return;
    adapt_lower_bounds(b, cc);
    b->loss_in_round = false;
}

/* ---- the round trip (5.3.4.3) ---- */

static void update_min_rtt(struct bbr *b, const struct cc_sample *s)
{
    b->probe_rtt_expired = s->now > b->probe_rtt_min_stamp + probe_rtt_interval;
    if (s->rtt > 0 && (s->rtt < b->probe_rtt_min_delay || b->probe_rtt_expired)) {
        b->probe_rtt_min_delay = s->rtt;
        b->probe_rtt_min_stamp = s->now;
    }
    if (b->probe_rtt_min_delay < b->min_rtt || s->now > b->min_rtt_stamp + min_rtt_filter) {
        b->min_rtt = b->probe_rtt_min_delay;
        b->min_rtt_stamp = b->probe_rtt_min_stamp;
    }
}

/* ---- an acknowledgment ---- */

void bbr_model_begin(struct bbr *b, const struct cc *cc, const struct cc_sample *s)
{
    update_latest(b, s);
    update_congestion(b, cc, s);
    update_extra_acked(b, cc, s);
    check_full_bw(b, s);
    update_min_rtt(b, s);
}

void bbr_model_end(struct bbr *b, const struct cc_sample *s)
{
    if (b->loss_round_start) {
        b->bw_latest = s->rate.bandwidth;
        b->inflight_latest = s->rate.interval ? (uint32_t)s->rate.delivered : 0;
        b->loss_events = 0;
    }
    b->bw = bbr_max_bw(b) < b->bw_shortterm ? bbr_max_bw(b) : b->bw_shortterm;
}
