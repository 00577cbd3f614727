/*
 * Congestion control: how much may fly. A module sees numbers, never a connection.
 *
 * A module is a table of functions over a struct cc, registered in cc.c. It is told of each
 * acknowledgment, of a loss that recovery found, of a retransmission timeout and of the end of
 * recovery; it answers by changing cwnd and ssthresh.
 */
#ifndef TCP_CC_CC_H
#define TCP_CC_CC_H

#include <stdbool.h>
#include <stdint.h>

struct cc {
    uint32_t cwnd;     /* bytes */
    uint32_t ssthresh; /* bytes */
    uint64_t priv[2];  /* the module's own, zero at first */
};

struct cc_sample {
    int64_t now;        /* ns */
    int64_t rtt;        /* ns, or 0 if this acknowledgment gave no sample */
    uint32_t acked;     /* bytes newly acknowledged */
    uint32_t in_flight; /* bytes in flight before it */
    uint32_t mss;       /* bytes of payload in a full segment */
    bool cwnd_limited;  /* did cwnd keep data from being sent since the last one? */
    bool in_recovery;   /* a loss was being repaired before it; in on_rto: of the same timeout */
};

struct cc_ops {
    const char *name;
    void (*init)(struct cc *cc, uint32_t mss);
    void (*on_ack)(struct cc *cc, const struct cc_sample *s);
    void (*on_loss)(struct cc *cc, const struct cc_sample *s);
    void (*on_recovered)(struct cc *cc, const struct cc_sample *s);
    void (*on_rto)(struct cc *cc, const struct cc_sample *s);
};

extern const struct cc_ops cc_reno;

/* The module of that name, or NULL. cc_next walks them all: NULL gives the first, and ends it. */
const struct cc_ops *cc_find(const char *name);
const struct cc_ops *cc_next(const struct cc_ops *after);

/* The initial window of RFC 6928: 10 segments, but at most 14,600 bytes or two segments. */
uint32_t cc_initial_window(uint32_t mss);

#endif
