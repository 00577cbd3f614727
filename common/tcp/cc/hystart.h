/*
 * HyStart++ (RFC 9406): the end of slow start before the path's queue overflows.
 *
 * Slow start doubles the window each round trip until something is lost, and then half a window is
 * lost at once. But before a queue overflows it fills, and the round trip becomes longer. If the
 * shortest round trip of a round is longer than that of the round before by an eighth, at least
 * 4 ms and at most 16 ms, slow start may have gone far enough. To be sure, it goes on at a quarter
 * of the speed for five rounds, in Conservative Slow Start (CSS). If a round trip is shorter again
 * meanwhile, that was jitter, and slow start goes on. Else congestion avoidance begins where it is.
 *
 * It is for the first slow start only; later ones end at ssthresh.
 */
#ifndef TCP_CC_HYSTART_H
#define TCP_CC_HYSTART_H

#include "tcp/cc/cc.h"

enum {
    HYSTART_SAMPLES = 8,     /* N_RTT_SAMPLE: of a round, before it says anything */
    HYSTART_CSS_DIVISOR = 4, /* CSS_GROWTH_DIVISOR */
    HYSTART_CSS_ROUNDS = 5,  /* CSS_ROUNDS */
    HYSTART_RTT_DIVISOR = 8, /* MIN_RTT_DIVISOR */
    HYSTART_BURST = 8,       /* L: segments by which one acknowledgment may open the window */
};

#define HYSTART_RTT_MIN (4 * MSEC)  /* MIN_RTT_THRESH */
#define HYSTART_RTT_MAX (16 * MSEC) /* MAX_RTT_THRESH */

enum hystart_phase {
    HYSTART_SLOW_START,
    HYSTART_CSS,
    HYSTART_DONE,
};

/* Zeros at first. */
struct hystart {
    int64_t last_min;     /* lastRoundMinRTT: ns; 0: not known */
    int64_t current_min;  /* currentRoundMinRTT: ns; 0: no sample yet */
    int64_t css_baseline; /* cssBaselineMinRtt: ns */
    uint8_t phase;        /* enum hystart_phase */
    uint8_t samples;      /* rttSampleCount */
    uint8_t css_rounds;   /* that ended in CSS */
};

/* A loss, a mark or a time-out: the first slow start is over. */
static inline void hystart_end(struct hystart *h)
{
    h->phase = HYSTART_DONE;
}

/*
 * An acknowledgment in slow start: by how many bytes cwnd may grow. Where it has had enough, phase
 * becomes HYSTART_DONE, and cwnd is where congestion avoidance begins. Without the switch, or
 * later, slow start grows as RFC 3465 has it, by two segments for each acknowledgment at the most.
 */
uint32_t hystart_growth(struct hystart *h, const struct cc *cc, const struct cc_sample *s);

#endif
