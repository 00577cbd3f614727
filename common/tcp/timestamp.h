/*
 * Timestamps (RFC 7323 sections 3 to 5): each segment says when it left (TSval), and says what the
 * remote end's clock was in the segment that it answers (TSecr).
 */
#ifndef TCP_TIMESTAMP_H
#define TCP_TIMESTAMP_H

#include "tcp/tcp.h"

/* The clock that this connection shows, in ms from an origin of its own: TSval at `now`. */
uint32_t timestamp_clock(const struct tcb *c, int64_t now);

/* The remote end's SYN: are timestamps spoken from now on (RFC 7323 section 3.2)? */
void timestamp_take_syn(const struct tcp *t, struct tcb *c, int64_t now, const struct tcp_hdr *syn);

/*
 * May the segment go on, as far as its timestamp says? REASON_NONE; or TCP_PAWS: it is older than
 * what came before it (section 5.3, R1); or TCP_NO_TIMESTAMP: it has none (section 3.2).
 */
enum reason timestamp_verdict(const struct tcb *c, int64_t now, const struct tcp_hdr *seg);

/* An acceptable segment's TSval becomes TS.Recent, if it is its turn (sections 4.3 and 5.5). */
void timestamp_update(struct tcb *c, int64_t now, const struct tcp_hdr *seg);

/*
 * The round trip in ns that the echo in an acknowledgment of something new shows, 1 at least; 0 if
 * there is no echo, or one that we cannot have sent (section 4.1).
 */
int64_t timestamp_round_trip(const struct tcb *c, int64_t now, const struct tcp_hdr *seg);

#endif
