/*
 * Congestion control: how much may fly. A module sees numbers, never a connection.
 *
 * A module is a table of functions over a struct cc, registered in cc.c. It answers by changing
 * cwnd, ssthresh and pacing_rate. For each acknowledgment it is told in this order, where it
 * applies:
 *
 *   on_undo       the last reduction was for nothing
 *   on_recovered  the loss is repaired
 *   on_loss       a loss was found, or a router has marked: once for all that was in flight then
 *   on_ack        always when something was delivered or lost, whatever was said before
 *
 * and besides of a retransmission timeout (on_rto) and of the first data after a pause
 * (on_restart). Functions that a module does not need are NULL.
 */
#ifndef TCP_CC_CC_H
#define TCP_CC_CC_H

#include <stdbool.h>
#include <stdint.h>

#include "tcp/cc/rate.h"

enum {
    CC_WINDOW_MAX = 1 << 30, /* bytes: the largest window that RFC 7323 can express */
    CC_PRIV_WORDS = 36,      /* of 8 bytes, for the module's own */
};

struct cc {
    uint32_t cwnd;        /* bytes */
    uint32_t ssthresh;    /* bytes; CC_WINDOW_MAX: not known yet */
    uint64_t pacing_rate; /* bytes per second; 0: do not pace */
    void *priv; /* the module's own; zeros at first, and again after the connection was idle
                 * for long. NULL in init */
};

struct cc_sample {
    int64_t now;             /* ns */
    int64_t rtt;             /* ns, or 0 if this acknowledgment gave no sample */
    int64_t srtt, min_rtt;   /* ns, or 0 before the first sample; min_rtt of all */
    uint32_t acked;          /* bytes newly delivered, cumulatively or selectively */
    uint32_t lost;           /* bytes newly found lost */
    uint32_t in_flight;      /* bytes outstanding before it: FlightSize of RFC 5681 */
    uint32_t pipe;           /* bytes believed to be in the network after it (RFC 6675) */
    uint32_t mss;            /* bytes of payload in a full segment */
    bool cwnd_limited;       /* did cwnd keep data from being sent since the last one? */
    bool in_recovery;        /* a loss is being repaired; in on_rto: again for the same segment */
    bool ecn;                /* the acknowledgment says that a router has marked */
    bool sack;               /* selective acknowledgments are spoken */
    bool hystart;            /* tcp_config's switch */
    struct rate_sample rate; /* of the delivery rate */
};

/* What a module that has a model believes of the path, for people. */
struct cc_model {
    uint64_t bw;                     /* bytes per second; 0: not known yet */
    int64_t min_rtt;                 /* ns; 0: not known yet */
    uint16_t pacing_gain, cwnd_gain; /* percent: of bw and of their product, at present */
};

struct cc_ops {
    const char *name;
    const char *help;   /* a sentence */
    uint16_t priv_size; /* bytes of its own, at most CC_PRIV_WORDS */
    bool paced;         /* sets pacing_rate, by the delivery rate: else nobody computes that */
    bool own_window;    /* cwnd is its own while a loss is repaired, too: no PRR */
    void (*init)(struct cc *cc, uint32_t mss);
    void (*on_ack)(struct cc *cc, const struct cc_sample *s);
    void (*on_loss)(struct cc *cc, const struct cc_sample *s);
    void (*on_recovered)(struct cc *cc, const struct cc_sample *s);
    void (*on_rto)(struct cc *cc, const struct cc_sample *s);
    void (*on_undo)(struct cc *cc, const struct cc_sample *s);    /* cwnd, ssthresh as before */
    void (*on_restart)(struct cc *cc, const struct cc_sample *s); /* sending again after a pause */
    void (*model)(const struct cc *cc, struct cc_model *ret_model);
};

extern const struct cc_ops cc_reno, cc_cubic, cc_bbr, cc_fixed;

/* The module of that name, or NULL. cc_next walks them all: NULL gives the first, and ends it. */
const struct cc_ops *cc_find(const char *name);
const struct cc_ops *cc_next(const struct cc_ops *after);

/* The initial window of RFC 6928: 10 segments, but at most 14,600 bytes or two segments. */
uint32_t cc_initial_window(uint32_t mss);

#endif
