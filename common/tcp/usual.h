/*
 * Header prediction. Nearly every segment of an established connection is the next one, brings the
 * next bytes or acknowledges some, and does nothing else. It is recognized here before anything is
 * done; what the steps of SEGMENT ARRIVES would find out of it one by one is known then, and they
 * are left out. Each has what is common to both ways in one function, so no rule stands in two
 * places; and all that is not usual, however slightly, goes the whole way.
 */
#ifndef TCP_USUAL_H
#define TCP_USUAL_H

#include "base/seq.h"
#include "tcp/flight.h"
#include "tcp/seg.h"

/* Can nothing but text that arrives be a matter of what is in flight? */
static inline bool flight_is_usual(const struct flight *f)
{
    return flight_is_calm(f) && !(f->probe.active | f->path.larger | f->path.claimed);
}

/*
 * Does this acknowledgment, which is not of the future, only say that something new has arrived,
 * and does that mean nothing else? No window opens or closes, nothing was missing, and nobody waits
 * for an answer.
 */
static inline bool ack_is_usual(const struct tcb *c, const struct tcp_hdr *hdr)
{
    return c->state >= TCP_ESTABLISHED && seq_gt(hdr->ack, c->snd_una) && c->snd_wnd && hdr->wnd &&
           hdr->opt.sack_n == 0 && !c->ecn_limited && !(c->ecn_ok && hdr->flags & TCP_ECE) &&
           c->flight && flight_is_usual(c->flight);
}

/* ack.c: such a one is taken. */
void ack_usual(struct tcp *t, struct tcb *c, int64_t now, const struct tcp_hdr *hdr);

/* ack.c: one of nothing, with text, while nothing is in flight. */
void ack_nothing(struct tcp *t, struct tcb *c, int64_t now, const struct tcp_hdr *hdr);

/* text.c: the next bytes are taken, where nothing is missing and there is room for all of them. */
enum reason text_usual(struct tcp *t, struct tcb *c, int64_t now, const struct tcp_hdr *hdr,
                       struct slice data);

/*
 * Is this segment, with `len` bytes of text, a usual one? Nothing is changed by asking. What has to
 * be right: the state, and that nothing but ACK and PSH is set; the number, the next one, where no
 * gap is open and the end not known; the window has room; the timestamp, where they are spoken, is
 * no older than the last; no router has marked it; and the acknowledgment is one of something new,
 * that was sent, and usual itself, or, with text, none of anything, while nothing is in flight.
 */
bool usual_is(const struct tcb *c, const struct tcp_hdr *hdr, uint32_t len);

/*
 * SEGMENT ARRIVES for such a segment, with the arguments of tcp_input. Returns REASON_NONE, or that
 * there was no room.
 */
enum reason usual_input(struct tcp *t, struct tcb *c, int64_t now, const struct tcp_hdr *hdr,
                        struct slice data);

/* A segment of this connection is about to be looked at. */
static inline void usual_prefetch(const struct tcb *c)
{
    flight_prefetch(c->flight);
    chunkq_prefetch(&c->snd_q);
}

#endif
