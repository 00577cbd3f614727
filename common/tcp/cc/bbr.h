/*
 * BBR, version 3 (draft-ietf-ccwg-bbr-06): the window and the rate from a model of the path, not
 * from the last loss.
 *
 * A path has a bottleneck: it delivers at some rate, bw, and an empty one takes some time, min_rtt.
 * Their product, the BDP, is what fills the path without a queue. Both are measured: the rate as
 * the largest delivery rate of the last two cycles (max_bw), the time as the shortest round trip of
 * ten seconds. They cannot be measured at once, since the one needs a full path and the other an
 * empty queue; so BBR takes turns:
 *
 *   Startup    doubles the rate each round trip until it does not become faster, or 2% are lost
 *   Drain      lets the queue that this made drain
 *   ProbeBW    DOWN    a little slower, until there is no queue, and some headroom for others
 *              CRUISE  at the rate of the path, for 2 to 3 s or as long as Reno would take
 *              REFILL  for a round trip, to fill the path before
 *              UP      a quarter faster, to see whether there is more
 *   ProbeRTT   every 5 s without a shorter round trip: half of the BDP in flight for 200 ms
 *
 * Losses count where they are more than 2% of what flies. While probing they set a limit for the
 * long term (inflight_longterm), which later probes raise with care; at other times they shrink one
 * for the short term (bw_shortterm, inflight_shortterm), to what was delivered in the last round
 * trip, and to 0.7 of it was at the most. The short term is forgotten at each REFILL.
 *
 *   bbr_model.c  what the path is believed to be
 *   bbr.c        the states, and what follows from them
 *
 * Names are the draft's. A mark of a router counts as a loss (RFC 3168 section 5); the draft leaves
 * that open. Gains are in percent.
 */
#ifndef TCP_CC_BBR_H
#define TCP_CC_BBR_H

#include "tcp/cc/cc.h"

#define BBR_UNKNOWN     UINT32_MAX /* "Infinity": no limit, no round trip yet */
#define BBR_BW_UNKNOWN  UINT64_MAX
#define BBR_RTT_UNKNOWN INT64_MAX

enum {
    BBR_LOSS_THRESH = 2,        /* percent of what was in flight */
    BBR_BETA = 70,              /* percent */
    BBR_HEADROOM = 15,          /* percent of inflight_longterm */
    BBR_MIN_PIPE = 4,           /* MinPipeCwnd: segments */
    BBR_STARTUP_GAIN = 277,     /* percent */
    BBR_PACING_MARGIN = 1,      /* percent */
    BBR_STARTUP_LOSSES = 6,     /* BBRStartupFullLossCnt: ranges */
    BBR_EXTRA_ACKED_ROUNDS = 5, /* of each half of that filter */
};

enum bbr_state {
    BBR_STARTUP,
    BBR_DRAIN,
    BBR_DOWN,
    BBR_CRUISE,
    BBR_REFILL,
    BBR_UP,
    BBR_PROBE_RTT,
    BBR_NONE, /* undo_state: none */
};

/* What the acknowledgments that come now were caused by. */
enum bbr_ack_phase {
    BBR_ACKS_INIT,
    BBR_ACKS_REFILLING,
    BBR_ACKS_STARTING, /* PROBE_STARTING: sent before UP */
    BBR_ACKS_FEEDBACK, /* PROBE_FEEDBACK: sent in UP */
    BBR_ACKS_STOPPING, /* PROBE_STOPPING: the last of them */
};

struct bbr {
    /* the rate, bytes per second */
    uint64_t max_bw[2]; /* of this cycle and of the one before */
    uint64_t bw, bw_latest, bw_shortterm, full_bw;
    /* bytes that had been delivered at some instant: when a round ends */
    uint64_t next_round_delivered, loss_round_delivered;
    uint64_t limited_from, limited_until; /* sent in ProbeRTT: slow on purpose */
    /* time, ns */
    int64_t min_rtt, min_rtt_stamp, probe_rtt_min_delay, probe_rtt_min_stamp, probe_rtt_done_stamp;
    int64_t cycle_stamp, bw_probe_wait, extra_acked_start;
    /* bytes */
    uint64_t extra_acked_delivered;
    uint32_t extra_acked[2];
    uint32_t inflight_latest, inflight_shortterm, inflight_longterm, prior_cwnd;
    uint32_t probe_up_acked, probe_up_acked_per_inc;
    /* before the last loss */
    uint64_t undo_bw_shortterm;
    uint32_t undo_inflight_shortterm, undo_inflight_longterm;

    uint32_t round_count, rounds_since_probe_up, drain_start_round;
    uint16_t loss_events;                 /* ranges lost in this round */
    uint8_t state, undo_state, ack_phase; /* the enums above */
    uint8_t full_bw_count, probe_up_rounds, extra_acked_rounds;
    bool begun : 1;
    bool full_bw_now : 1, full_bw_reached : 1;
    bool round_start : 1, loss_round_start : 1, loss_in_round : 1;
    bool bw_probe_sample : 1; /* is_bw_probe_sample: acknowledgments tell of a probe */
    bool prev_probe_too_high : 1, prev_probe_precautionary : 1;
    bool probe_rtt_expired : 1, probe_rtt_round_done : 1;
    bool idle_restart : 1;
    bool in_recovery : 1;
};

_Static_assert(sizeof(struct bbr) <= CC_PRIV_WORDS * sizeof(uint64_t), "it has its place");

/* ---- bbr_model.c ---- */

uint64_t bbr_max_bw(const struct bbr *b);

/* `percent` of the BDP, bytes; the initial window as long as nothing is known. */
uint32_t bbr_bdp(const struct bbr *b, uint64_t bw, uint32_t percent, uint32_t mss);

/* Is what the sample says of the rate only what we sent by choice? */
bool bbr_limited(const struct bbr *b, const struct cc_sample *s);

/* Beginning of an acknowledgment: rounds, and what the last round trip delivered. */
void bbr_model_begin(struct bbr *b, const struct cc *cc, const struct cc_sample *s);
/* Its end. */
void bbr_model_end(struct bbr *b, const struct cc_sample *s);

/* Something was lost, or marked: for the first time in a round, remember what was before. */
void bbr_note_loss(struct bbr *b, const struct cc *cc, const struct cc_sample *s);
void bbr_save(struct bbr *b, const struct cc *cc);
void bbr_save_cwnd(struct bbr *b, const struct cc *cc);

/* Is `lost` of what was in flight too much? */
bool bbr_too_much(uint64_t lost, uint32_t tx_in_flight, bool sack);
/* How much was in flight when the losses became too many, within the range that was lost. */
uint32_t bbr_inflight_at_loss(const struct rate_sample *rate);

void bbr_start_round(struct bbr *b, const struct cc_sample *s);
void bbr_reset_full_bw(struct bbr *b);
void bbr_reset_congestion(struct bbr *b);
void bbr_reset_shortterm(struct bbr *b);
void bbr_advance_max_bw(struct bbr *b);
bool bbr_probing(const struct bbr *b);

#endif
