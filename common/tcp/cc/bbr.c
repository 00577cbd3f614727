#include "tcp/cc/bbr.h"

#include "base/bytes.h"
#include "base/time.h"

static const int64_t probe_rtt_duration = 200 * MSEC;

/* 5.6.1: gains in percent, by state. */
static const struct {
    uint16_t pacing, cwnd;
} gains[] = {
    [BBR_STARTUP] = {BBR_STARTUP_GAIN, 200},
    [BBR_DRAIN] = {50, 200},
    [BBR_DOWN] = {90, 200},
    [BBR_CRUISE] = {100, 200},
    [BBR_REFILL] = {100, 200},
    [BBR_UP] = {125, 225},
    [BBR_PROBE_RTT] = {100, 50},
};

/* ---- how much ---- */

/* 5.6.3: what leaves at once, bytes. */
static uint32_t send_quantum(const struct cc *cc, uint32_t mss)
{
    uint64_t ms = cc->pacing_rate / 1000;

    return max32(ms < 65536 ? (uint32_t)ms : 65536, 2 * mss);
}

/* 5.6.4.2: QuantizationBudget */
static uint32_t quantize(const struct bbr *b, const struct cc *cc, uint32_t cap, uint32_t mss)
{
    cap = max32(cap, 3 * send_quantum(cc, mss));
    cap = max32(cap, BBR_MIN_PIPE * mss);
    return b->state == BBR_UP ? cap + 2 * mss : cap;
}

/* Inflight(): bytes in flight that `percent` of the BDP asks for. */
static uint32_t inflight(const struct bbr *b, const struct cc *cc, uint64_t bw, uint32_t percent,
                         uint32_t mss)
{
    return quantize(b, cc, bbr_bdp(b, bw, percent, mss), mss);
}

static uint32_t target_inflight(const struct bbr *b, const struct cc *cc, uint32_t mss)
{
    return min32(bbr_bdp(b, b->bw, 100, mss), cc->cwnd);
}

static uint32_t with_headroom(const struct bbr *b, uint32_t mss)
{
    uint32_t head;

    if (b->inflight_longterm == BBR_UNKNOWN)
        return BBR_UNKNOWN;
    head = max32(mss, (uint32_t)((uint64_t)b->inflight_longterm * BBR_HEADROOM / 100));
    return max32(b->inflight_longterm > head ? b->inflight_longterm - head : 0, BBR_MIN_PIPE * mss);
}

static uint32_t probe_rtt_cwnd(const struct bbr *b, uint32_t mss)
{
    return max32(bbr_bdp(b, b->bw, gains[BBR_PROBE_RTT].cwnd, mss), BBR_MIN_PIPE * mss);
}

/* ---- the states of ProbeBW (5.3.3) ---- */

static bool in_probe_bw(const struct bbr *b)
{
    return b->state >= BBR_DOWN && b->state <= BBR_UP;
}

/*
 * 5.3.3.8: 2 to 3 s, and a round trip more or less. Chance must come from somewhere: the low bits
 * of how long the cycle took and of what was delivered are as good as any for that flows do not
 * probe in step, and a run that is repeated has them again.
 */
static void pick_probe_wait(struct bbr *b, const struct cc_sample *s)
{
    uint64_t z = ((uint64_t)(s->now - b->cycle_stamp) ^ s->rate.total_delivered) *
                 UINT64_C(0x9e3779b97f4a7c15);

    b->rounds_since_probe_up = (uint32_t)(z >> 63);
    b->bw_probe_wait = 2 * SEC + (int64_t)(z >> 32) % SEC;
}

static void start_down(struct bbr *b, const struct cc_sample *s)
{
    bbr_reset_congestion(b);
    b->probe_up_acked_per_inc = BBR_UNKNOWN;
    pick_probe_wait(b, s);
    b->cycle_stamp = s->now;
    b->ack_phase = BBR_ACKS_STOPPING;
    bbr_start_round(b, s);
    b->state = BBR_DOWN;
}

static void start_refill(struct bbr *b, const struct cc_sample *s)
{
    bbr_reset_shortterm(b);
    b->probe_up_rounds = 0;
    b->probe_up_acked = 0;
    b->prev_probe_precautionary = false;
    b->ack_phase = BBR_ACKS_REFILLING;
    bbr_start_round(b, s);
    b->state = BBR_REFILL;
}

static void raise_longterm_slope(struct bbr *b, const struct cc *cc, uint32_t mss)
{
    uint32_t growth = UINT32_C(1) << b->probe_up_rounds;

    if (b->probe_up_rounds < 30)
        b->probe_up_rounds++;
    b->probe_up_acked_per_inc = max32(cc->cwnd / growth, mss);
}

static void start_up(struct bbr *b, const struct cc *cc, const struct cc_sample *s)
{
    b->ack_phase = BBR_ACKS_STARTING;
    bbr_start_round(b, s);
    bbr_reset_full_bw(b);
    b->full_bw = s->rate.bandwidth;
    b->state = BBR_UP;
    raise_longterm_slope(b, cc, s->mss);
}

/* 5.3.3.8: time to look for more; where Reno would have grown by its window, too. */
static bool time_to_probe(const struct bbr *b, const struct cc *cc, const struct cc_sample *s)
{
    uint32_t reno = target_inflight(b, cc, s->mss) / s->mss;

    return s->now > b->cycle_stamp + b->bw_probe_wait ||
           b->rounds_since_probe_up >= min32(reno, 63);
}

static bool time_to_cruise(const struct bbr *b, const struct cc *cc, const struct cc_sample *s)
{
    return s->pipe <= with_headroom(b, s->mss) &&
           s->pipe <= inflight(b, cc, bbr_max_bw(b), 100, s->mss);
}

static bool time_to_go_down(struct bbr *b, const struct cc *cc, const struct cc_sample *s)
{
    if (b->prev_probe_too_high && s->pipe >= b->inflight_longterm) {
        b->prev_probe_precautionary = true;
        return true;
    }
    if (s->cwnd_limited && cc->cwnd >= b->inflight_longterm) {
        bbr_reset_full_bw(b); /* that is what limits bw */
        b->full_bw = s->rate.bandwidth;
        return false;
    }
    return b->full_bw_now;
}

static void probe_longterm_upward(struct bbr *b, const struct cc *cc, const struct cc_sample *s)
{
    uint32_t delta;

    if (!s->cwnd_limited || cc->cwnd < b->inflight_longterm)
        return;
    b->probe_up_acked += s->acked;
    if (b->probe_up_acked >= b->probe_up_acked_per_inc) {
        delta = b->probe_up_acked / b->probe_up_acked_per_inc;
        b->probe_up_acked -= delta * b->probe_up_acked_per_inc;
        b->inflight_longterm = min32(CC_WINDOW_MAX, b->inflight_longterm + delta * s->mss);
    }
    if (b->round_start)
        raise_longterm_slope(b, cc, s->mss);
}

/* Where is this acknowledgment in the course of a probe? True: a state follows from it. */
static bool advance_ack_phase(struct bbr *b, const struct cc_sample *s)
{
    if (!b->round_start)
        return false;
    if (b->ack_phase == BBR_ACKS_STARTING)
        b->ack_phase = BBR_ACKS_FEEDBACK;
    if (b->ack_phase != BBR_ACKS_STOPPING)
        return false;
    b->bw_probe_sample = false;
    b->ack_phase = BBR_ACKS_INIT;
    if (!in_probe_bw(b))
        return false;
    if (!bbr_limited(b, s))
        bbr_advance_max_bw(b);
    if (!b->prev_probe_precautionary || b->prev_probe_too_high)
        return false;
    start_refill(b, s);
    return true;
}

static bool adapt_longterm(struct bbr *b, const struct cc *cc, const struct cc_sample *s)
{
    if (advance_ack_phase(b, s))
        return true;
    if (bbr_too_much(s->rate.lost, s->rate.tx_in_flight, s->sack))
        return false;
    if (b->inflight_longterm == BBR_UNKNOWN)
        return false;
    b->inflight_longterm = max32(b->inflight_longterm, s->rate.tx_in_flight);
    if (b->state == BBR_UP)
        probe_longterm_upward(b, cc, s);
    return false;
}

/* 5.3.3.9: UpdateProbeBWCyclePhase */
static void update_cycle(struct bbr *b, const struct cc *cc, const struct cc_sample *s)
{
    if (!b->full_bw_reached || adapt_longterm(b, cc, s))
        return;
    switch ((enum bbr_state)b->state) {
    case BBR_DOWN:
    case BBR_CRUISE:
        if (time_to_probe(b, cc, s))
            start_refill(b, s);
        else if (b->state == BBR_DOWN && time_to_cruise(b, cc, s))
            b->state = BBR_CRUISE;
        break;
    case BBR_REFILL:
        if (b->round_start) {
            b->bw_probe_sample = true;
            start_up(b, cc, s);
        }
        break;
    case BBR_UP:
        if (time_to_go_down(b, cc, s)) {
            b->prev_probe_too_high = false;
            start_down(b, s);
        }
        break;
    case BBR_STARTUP:
    case BBR_DRAIN:
    case BBR_PROBE_RTT:
    case BBR_NONE:
        break;
    }
}

/* ---- Startup and Drain (5.3.1, 5.3.2) ---- */

/* 5.3.1.3: for a round trip in recovery, more than 2% lost, in six pieces: the path is full. */
static void check_startup_loss(struct bbr *b, const struct cc_sample *s)
{
    if (b->state != BBR_STARTUP || b->full_bw_reached || !b->in_recovery || !b->loss_round_start)
        return;
    if (s->sack && b->loss_events < BBR_STARTUP_LOSSES)
        return;
    if (s->sack && !bbr_too_much(s->rate.lost, s->rate.tx_in_flight, true))
        return;
    b->undo_state = BBR_STARTUP;
    b->full_bw_reached = true;
    b->inflight_longterm = max32(bbr_bdp(b, b->bw, 100, s->mss), b->inflight_latest);
}

static void check_startup_and_drain(struct bbr *b, const struct cc *cc, const struct cc_sample *s)
{
    check_startup_loss(b, s);
    if (b->state == BBR_STARTUP && b->full_bw_reached) {
        b->state = BBR_DRAIN;
        b->drain_start_round = b->round_count;
    }
    if (b->state == BBR_DRAIN && (s->pipe <= inflight(b, cc, b->bw, 100, s->mss) ||
                                  b->round_count > b->drain_start_round + 3))
        start_down(b, s);
}

/* ---- ProbeRTT (5.3.4) ---- */

static void exit_probe_rtt(struct bbr *b, const struct cc_sample *s)
{
    bbr_reset_shortterm(b);
    if (b->full_bw_reached) {
        start_down(b, s);
        b->state = BBR_CRUISE; /* there is no queue now */
    } else {
        b->state = BBR_STARTUP;
    }
}

static void check_probe_rtt_done(struct bbr *b, struct cc *cc, const struct cc_sample *s)
{
    if (!b->probe_rtt_done_stamp || s->now <= b->probe_rtt_done_stamp)
        return;
    b->probe_rtt_min_stamp = s->now; /* the next one in five seconds */
    cc->cwnd = max32(cc->cwnd, b->prior_cwnd);
    exit_probe_rtt(b, s);
}

static void handle_probe_rtt(struct bbr *b, struct cc *cc, const struct cc_sample *s)
{
    b->limited_until = s->rate.total_delivered + s->pipe;
    if (!b->probe_rtt_done_stamp && s->pipe <= probe_rtt_cwnd(b, s->mss)) {
        b->probe_rtt_done_stamp = s->now + probe_rtt_duration;
        b->probe_rtt_round_done = false;
        bbr_start_round(b, s);
    } else if (b->probe_rtt_done_stamp) {
        if (b->round_start)
            b->probe_rtt_round_done = true;
        if (b->probe_rtt_round_done)
            check_probe_rtt_done(b, cc, s);
    }
}

static void check_probe_rtt(struct bbr *b, struct cc *cc, const struct cc_sample *s)
{
    if (b->state != BBR_PROBE_RTT && b->probe_rtt_expired && !b->idle_restart) {
        bbr_save_cwnd(b, cc);
        b->state = BBR_PROBE_RTT;
        b->probe_rtt_done_stamp = 0;
        b->limited_from = s->rate.total_delivered;
        b->ack_phase = BBR_ACKS_STOPPING;
        bbr_start_round(b, s);
    }
    if (b->state == BBR_PROBE_RTT)
        handle_probe_rtt(b, cc, s);
    if (s->acked)
        b->idle_restart = false;
}

/* ---- what follows (5.6) ---- */

/* 5.6.2: in Startup it only grows, whatever samples say. */
static void set_pacing_rate(struct bbr *b, struct cc *cc, uint32_t gain)
{
    uint64_t rate = b->bw / 100 * gain / 100 * (100 - BBR_PACING_MARGIN);

    if (rate && (b->full_bw_reached || rate > cc->pacing_rate))
        cc->pacing_rate = rate;
}

/* 5.6.4.7 */
static uint32_t volume_cap(const struct bbr *b, uint32_t mss)
{
    uint32_t cap = BBR_UNKNOWN;

    if (b->state == BBR_PROBE_RTT || b->state == BBR_CRUISE)
        cap = with_headroom(b, mss);
    else if (in_probe_bw(b))
        cap = b->inflight_longterm;
    return max32(min32(cap, b->inflight_shortterm), BBR_MIN_PIPE * mss);
}

/* 5.6.4.6 */
static void set_cwnd(struct bbr *b, struct cc *cc, const struct cc_sample *s)
{
    uint32_t extra = max32(b->extra_acked[0], b->extra_acked[1]);
    uint32_t most = bbr_bdp(b, b->bw, gains[b->state].cwnd, s->mss) + extra;

    most = quantize(b, cc, most, s->mss);
    if (b->full_bw_reached)
        cc->cwnd = min32(cc->cwnd + s->acked, most);
    else if (cc->cwnd < most || s->rate.total_delivered < cc_initial_window(s->mss))
        cc->cwnd += s->acked;
    cc->cwnd = max32(cc->cwnd, BBR_MIN_PIPE * s->mss);
    if (b->state == BBR_PROBE_RTT)
        cc->cwnd = min32(cc->cwnd, probe_rtt_cwnd(b, s->mss));
    cc->cwnd = min32(min32(cc->cwnd, volume_cap(b, s->mss)), CC_WINDOW_MAX);
}

/* ---- losses while probing (5.5.10.2) ---- */

static void inflight_too_high(struct bbr *b, const struct cc *cc, const struct cc_sample *s,
                              uint32_t in_flight)
{
    uint32_t least = (uint32_t)((uint64_t)target_inflight(b, cc, s->mss) * BBR_BETA / 100);

    b->prev_probe_too_high = true;
    b->bw_probe_sample = false; /* once for each probe */
    if (!bbr_limited(b, s))
        b->inflight_longterm = max32(in_flight, least);
    if (b->state == BBR_UP) {
        b->undo_state = BBR_UP;
        start_down(b, s);
    }
}

static void handle_lost(struct bbr *b, const struct cc *cc, const struct cc_sample *s)
{
    const struct rate_sample *r = &s->rate;

    bbr_note_loss(b, cc, s);
    if (b->bw_probe_sample && bbr_too_much(r->loss_since, r->loss_tx_in_flight, s->sack))
        inflight_too_high(b, cc, s, bbr_inflight_at_loss(r));
}

/* ---- what is told ---- */

static void bbr_init(struct cc *cc, uint32_t mss)
{
    *cc = (struct cc){.cwnd = cc_initial_window(mss), .ssthresh = CC_WINDOW_MAX};
}

/* 5.2.1, 5.6.2: the first that is heard of the path is the round trip of the handshake. */
static void begin(struct bbr *b, struct cc *cc, const struct cc_sample *s)
{
    int64_t srtt = s->srtt ? s->srtt : MSEC;

    *b = (struct bbr){
        .state = BBR_STARTUP,
        .undo_state = BBR_NONE,
        .min_rtt = s->min_rtt ? s->min_rtt : BBR_RTT_UNKNOWN,
        .min_rtt_stamp = s->now,
        .cycle_stamp = s->now,
        .probe_rtt_min_delay = s->min_rtt ? s->min_rtt : BBR_RTT_UNKNOWN,
        .probe_rtt_min_stamp = s->now,
        .extra_acked_start = s->now,
        .inflight_longterm = BBR_UNKNOWN,
        .begun = true,
    };
    bbr_reset_shortterm(b);
    cc->pacing_rate = (uint64_t)cc->cwnd * BBR_STARTUP_GAIN / 100 * SEC / (uint64_t)srtt;
}

static void bbr_on_ack(struct cc *cc, const struct cc_sample *s)
{
    struct bbr *b = cc->priv;

    if (!b->begun)
        begin(b, cc, s);
    if (s->lost)
        handle_lost(b, cc, s);
    bbr_model_begin(b, cc, s);
    check_startup_and_drain(b, cc, s);
    if (s->acked)
        update_cycle(b, cc, s);
    check_probe_rtt(b, cc, s);
    bbr_model_end(b, s);
    set_pacing_rate(b, cc, gains[b->state].pacing);
    set_cwnd(b, cc, s);
}

static void bbr_on_loss(struct cc *cc, const struct cc_sample *s)
{
    struct bbr *b = cc->priv;

    if (!b->begun)
        begin(b, cc, s);
    if (!s->ecn) {
        bbr_save(b, cc);
        b->in_recovery = true;
        return;
    }
    bbr_note_loss(b, cc, s);
    if (b->bw_probe_sample)
        inflight_too_high(b, cc, s, s->rate.tx_in_flight);
}

/* 5.6.4.4: what the model allows is bounded behind it anyway. */
static void bbr_on_recovered(struct cc *cc, const struct cc_sample *s)
{
    struct bbr *b = cc->priv;

    (void)s;
    cc->cwnd = max32(cc->cwnd, b->prior_cwnd);
    b->in_recovery = false;
}

static void bbr_on_rto(struct cc *cc, const struct cc_sample *s)
{
    struct bbr *b = cc->priv;

    if (!b->begun)
        begin(b, cc, s);
    bbr_save(b, cc);
    bbr_note_loss(b, cc, s);
    b->in_recovery = true;
    cc->cwnd = s->pipe + s->mss;
}

/* 5.5.11.2 */
static void bbr_on_undo(struct cc *cc, const struct cc_sample *s)
{
    struct bbr *b = cc->priv;
    enum bbr_state was = (enum bbr_state)b->undo_state;

    cc->cwnd = max32(cc->cwnd, b->prior_cwnd);
    b->in_recovery = b->loss_in_round = false;
    bbr_reset_full_bw(b);
    if (b->undo_bw_shortterm > b->bw_shortterm)
        b->bw_shortterm = b->undo_bw_shortterm;
    b->inflight_shortterm = max32(b->inflight_shortterm, b->undo_inflight_shortterm);
    b->inflight_longterm = max32(b->inflight_longterm, b->undo_inflight_longterm);
    b->undo_state = BBR_NONE;
    if (was == BBR_STARTUP && b->state != BBR_STARTUP) {
        b->full_bw_reached = false;
        if (b->state != BBR_PROBE_RTT)
            b->state = BBR_STARTUP;
    } else if (was == BBR_UP && b->state != BBR_UP && b->state != BBR_PROBE_RTT) {
        start_refill(b, s);
    }
}

/* 5.4.1: after a pause at the rate of the path at once, not in a burst. */
static void bbr_on_restart(struct cc *cc, const struct cc_sample *s)
{
    struct bbr *b = cc->priv;

    if (!b->begun) {
        begin(b, cc, s);
        return;
    }
    b->idle_restart = true;
    b->extra_acked_start = s->now;
    if (in_probe_bw(b))
        set_pacing_rate(b, cc, 100);
    else if (b->state == BBR_PROBE_RTT)
        check_probe_rtt_done(b, cc, s);
}

static void bbr_tell(const struct cc *cc, struct cc_model *ret_model)
{
    const struct bbr *b = cc->priv;

    if (!b->begun)
        return;
    *ret_model = (struct cc_model){
        .bw = b->bw,
        .min_rtt = b->min_rtt == BBR_RTT_UNKNOWN ? 0 : b->min_rtt,
        .pacing_gain = gains[b->state].pacing,
        .cwnd_gain = gains[b->state].cwnd,
    };
}

const struct cc_ops cc_bbr = {
    .name = "bbr",
    .help = "rate and window from a model of the path (BBR version 3)",
    .priv_size = sizeof(struct bbr),
    .paced = true,
    .own_window = true,
    .init = bbr_init,
    .on_ack = bbr_on_ack,
    .on_loss = bbr_on_loss,
    .on_recovered = bbr_on_recovered,
    .on_rto = bbr_on_rto,
    .on_undo = bbr_on_undo,
    .on_restart = bbr_on_restart,
    .model = bbr_tell,
};
