/*
 * Round-trip time and retransmission timeout (RFC 6298). One segment at a time is timed; a segment
 * that was sent again is not (Karn's rule, section 3). Timestamps, where they are spoken, take its
 * place then.
 */
#ifndef TCP_RTT_H
#define TCP_RTT_H

#include <stdbool.h>
#include <stdint.h>

#include "tcp/config.h"

struct rtt {
    int64_t srtt, rttvar; /* ns; srtt is 0 before the first measurement */
    int64_t rto;          /* ns, back-off included */
    int64_t sent_at;      /* ns: when the timed segment left */
    uint32_t seq;         /* the acknowledgment that ends the measurement */
    uint8_t backoff;      /* how often the timeout was doubled */
    bool timing;
    bool syn_lost; /* the SYN had to be sent again: see rtt_syn_lost */
};

void rtt_init(struct rtt *r, const struct tcp_config *cfg);

/* A segment that ends before `seq` left for the first time: time it, unless one is being timed. */
void rtt_start(struct rtt *r, int64_t now, uint32_t seq);

/* Something was sent again: what is being timed would be ambiguous. */
void rtt_cancel(struct rtt *r);

/*
 * Everything before `una` is acknowledged. Returns the sample in ns, or 0 if there is none. A
 * sample ends the back-off; an acknowledgment of what was sent twice does not.
 */
int64_t rtt_ack(struct rtt *r, const struct tcp_config *cfg, int64_t now, uint32_t una);

/*
 * A round trip of `sample` ns that a timestamp showed, one of about `samples` in the time of one
 * (RFC 7323 section 4.1, appendix G). It is never ambiguous, so it ends the back-off.
 */
void rtt_echo(struct rtt *r, const struct tcp_config *cfg, int64_t sample, uint32_t samples);

/*
 * The timeout had been spurious, and `sample` ns is the first round trip of what was sent since
 * (RFC 4015 section 3.2 step 8); srtt and rttvar were these before it, ns.
 */
void rtt_adapt(struct rtt *r, const struct tcp_config *cfg, int64_t srtt, int64_t rttvar,
               int64_t sample);

/* The timeout expired: double it, up to its limit (RFC 6298 5.5). */
void rtt_backoff(struct rtt *r, const struct tcp_config *cfg);

/* The handshake is over, but its SYN timed out: data begins with 3 s at least (RFC 6298 5.7). */
void rtt_syn_lost(struct rtt *r, const struct tcp_config *cfg);

/* The path works, whatever the back-off says: the closed window that caused it has opened. */
void rtt_reset_backoff(struct rtt *r, const struct tcp_config *cfg);

#endif
