/*
 * Super-segments: several full segments of one connection, one behind the other, in one packet that
 * the device cuts (segmentation offload). Each of the segments it becomes has this packet's header
 * but for numbers, lengths and checksum, with PSH and FIN on the last alone.
 *
 * Nothing else knows of them. A super-segment is what would have left as single segments in the
 * same call: as many as the windows, pacing and what there is to send allow, and no more. What
 * comes back is about bytes; if some of it is lost, the board splits the range.
 */
#ifndef TCP_SUPER_H
#define TCP_SUPER_H

#include "base/bytes.h"
#include "tcp/tcp.h"

/*
 * The most text that may leave in one packet whose first byte is `seq`, where a segment has room
 * for `one`: a multiple of it, or no more than one where all segments must not have the same
 * header.
 */
uint32_t super_text_max(const struct tcp *t, const struct tcb *c, uint32_t seq, uint32_t one);

/* How many segments are `len` bytes of text, up to `one` in each. */
static inline uint32_t super_segments(uint32_t len, uint32_t one)
{
    return one && len > one ? (len + one - 1) / one : 1;
}

#endif
