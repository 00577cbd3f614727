/*
 * Selective acknowledgments (RFC 2018) and reports of duplicates (D-SACK, RFC 2883).
 */
#ifndef TCP_SACK_H
#define TCP_SACK_H

#include "tcp/tcp.h"

/* ---- as receiver ---- */

/*
 * [seq, seq + len) arrived, and is about to be kept: note the first of it that is here already, to
 * be reported by the next acknowledgment.
 */
void sack_note_duplicate(const struct tcp *t, struct tcb *c, uint32_t seq, uint32_t len);

/* Is there anything to report? */
static inline bool sack_any(const struct tcb *c)
{
    return c->sack_ok && (c->reasm.first || c->dsack_len > 0);
}

/* How many blocks an acknowledgment would carry now; with timestamps 3 at most, else 4. */
unsigned sack_blocks(const struct tcb *c);

/* Fill in those blocks. */
void sack_fill(const struct tcb *c, struct tcp_options *opt);

/* An acknowledgment has left: a duplicate is reported once. */
static inline void sack_reported(struct tcb *c)
{
    c->dsack_len = 0;
}

/* ---- as sender ---- */

/*
 * Look through the blocks of an acceptable acknowledgment; those that cannot be true are counted
 * and count for nothing. The others go to the sample: what has arrived behind a gap, and whether
 * something arrived twice.
 */
void sack_arrived(struct tcp *t, const struct tcb *c, int64_t now, const struct tcp_hdr *seg,
                  struct ack_sample *s);

#endif
