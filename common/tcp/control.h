/*
 * Congestion control's side of a connection: its numbers are gathered here for the module, and what
 * the module says about time is kept.
 *
 * Pacing. A module that sets pacing_rate has its segments leave at that rate, in small bursts:
 * bytes are spaced evenly on a clock of their own, pace_at, which may run ahead of time by a
 * quantum, what the rate gives in a millisecond, and at least two segments. Then nothing leaves
 * until time has caught up. So the timer runs a thousand times a second at the most, and a TUN is
 * as fast as without it.
 */
#ifndef TCP_CONTROL_H
#define TCP_CONTROL_H

#include "tcp/flight.h"
#include "tcp/tcp.h"

/* The size of a segment is known: the initial window. */
void control_init(const struct tcp *t, struct tcb *c);

/* What congestion control is told, in the order of cc.h. There is a flight. */
void control_on_undo(struct tcp *t, struct tcb *c, const struct cc_sample *s);
void control_on_recovered(struct tcp *t, struct tcb *c, const struct cc_sample *s);
void control_on_loss(struct tcp *t, struct tcb *c, const struct cc_sample *s);
void control_on_ack(struct tcp *t, struct tcb *c, const struct cc_sample *s);
void control_on_rto(struct tcp *t, struct tcb *c, const struct cc_sample *s);

/* Text is about to leave, and nothing is outstanding. */
void control_restart(struct tcp *t, struct tcb *c, int64_t now);

/* Nothing was outstanding for long: the flight is about to end. */
void control_idle(struct tcp *t, struct tcb *c);

/* Does the next segment have to wait? Then FLIGHT_PACE is armed. */
bool control_must_wait(const struct tcp *t, struct tcb *c, int64_t now);

/* How much may leave at once in segments of `one` byte or more each, before the next has to wait.
 */
uint32_t control_burst(const struct tcp *t, const struct tcb *c, int64_t now, uint32_t one);

/* `len` bytes of text leave. */
void control_sent(const struct tcp *t, struct tcb *c, int64_t now, uint32_t len);

#endif
