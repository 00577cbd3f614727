/*
 * Congestion window validation (RFC 7661): what to think of a window that is not used.
 *
 * cwnd says what the path took when it was last filled. An application that sends less for a while
 * learns nothing new; such a window does not grow (a module sees to that itself), and it is
 * "non-validated" while what the path was really seen to carry, pipeACK, is less than half of it.
 * It may be kept for five minutes, because most pauses are short; then half of the difference is
 * given up every five minutes. And if something is lost while it is not validated, the window that
 * was too large is the one in use, and not the one that was never tried.
 *
 * pipeACK is the largest number of bytes that were delivered in one round trip, over the last
 * second or the last three round trips, whichever is longer.
 */
#ifndef TCP_CC_CWV_H
#define TCP_CC_CWV_H

#include "tcp/cc/cc.h"

struct cwv {
    uint64_t round_began; /* bytes that had been delivered when this round trip began */
    uint32_t now, before; /* the largest round trip in this period and in the one before: bytes */
    int64_t period_began; /* ns */
    int64_t unused_since; /* ns: since when the window is not validated; 0: it is */
    bool begun;
};

#define CWV_KEPT (300 * SEC) /* the non-validated period */

/* pipeACK: bytes; UINT32_MAX while no round trip was measured. */
uint32_t cwv_pipe_ack(const struct cwv *v);

/* An acknowledgment has told s. cwnd shrinks where it was not used for too long. */
void cwv_on_ack(struct cwv *v, struct cc *cc, const struct cc_sample *s);

/* Section 4.4.1: a loss is about to be told to the module; cwnd becomes what was really used. */
void cwv_on_loss(const struct cwv *v, struct cc *cc, const struct cc_sample *s);

/* The connection was idle for so long that cwnd begins anew (RFC 5681 section 4.1). */
void cwv_restart(struct cc *cc, uint32_t mss);

#endif
