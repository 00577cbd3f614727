/*
 * Urgent data (RFC 9293 section 3.8.5, RFC 6093): a place in each direction's stream up to which
 * the sending side wants it to be read at once. The bytes stay where they are in the stream;
 * what travels beside them is only how far they go.
 *
 * SND.UP and RCV.UP are sequence numbers and stand behind the last urgent byte (MUST-62). Without
 * urgent data they lag behind and mean nothing; each is dragged along with its stream, so that the
 * comparisons stay good when the numbers wrap.
 */
#ifndef TCP_URGENT_H
#define TCP_URGENT_H

#include "base/bytes.h"
#include "base/seq.h"
#include "tcp/tcb.h"
#include "wire/tcp.h"

/* The sequence number of the next byte that the application will read. */
static inline uint32_t tcb_read_at(const struct tcb *c)
{
    bool fin_taken = c->fin_arrived && c->rcv_nxt == c->rcv_fin + 1;

    return c->rcv_nxt - fin_taken - c->rcv_q.bytes;
}

/* SND.UNA moved: urgent data that is acknowledged is not urgent any more. */
static inline void urgent_acked(struct tcb *c)
{
    c->snd_up = seq_max(c->snd_up, c->snd_una);
}

/* The application has read. */
static inline void urgent_read(struct tcb *c)
{
    c->rcv_up = seq_max(c->rcv_up, tcb_read_at(c));
}

/* Bytes up to the end of urgent data that are not yet acknowledged; 0: none. */
static inline uint32_t urgent_unacked(const struct tcb *c)
{
    return seq_gt(c->snd_up, c->snd_una) ? c->snd_up - c->snd_una : 0;
}

/* Bytes up to the end of urgent data that are still to be read, arrived or not (MUST-33). */
uint32_t urgent_left(const struct tcb *c);

/* Say so in a segment that leaves. */
void urgent_mark(struct tcb *c, struct tcp_hdr *hdr);

/* Is a segment owed that says nothing else? To be asked when nothing else can be sent. */
bool urgent_owed(struct tcb *c, uint32_t seq);

#endif
