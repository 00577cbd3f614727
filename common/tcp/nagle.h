/*
 * Nagle's algorithm and the sender's silly-window avoidance (RFC 9293 sections 3.7.4 and
 * 3.8.6.2.1): what is less than a full segment waits while something is unacknowledged, for then an
 * acknowledgment will come, and by then there may be more.
 */
#ifndef TCP_NAGLE_H
#define TCP_NAGLE_H

#include "base/seq.h"
#include "tcp/tcb.h"

/*
 * Is a segment with `len` bytes worth it, where a full one has `one`? `all`: with it everything
 * that waits has left (MUST-17, MUST-38, MUST-60, SHLD-7, SHLD-28, MAY-16).
 */
static inline bool nagle_worth(const struct tcb *c, uint32_t len, uint32_t one, bool all)
{
    bool idle = c->snd_una == c->snd_nxt, urgent = seq_gt(c->snd_up, c->snd_nxt);
    bool may_be_small = idle || urgent || !c->set->nagle;

    if (len >= one)
        return true;
    if (all && (may_be_small || c->fin_queued))
        return true;
    return may_be_small && len > 0 && len >= c->max_snd_wnd / 2;
}

#endif
