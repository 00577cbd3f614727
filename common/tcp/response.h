/*
 * What a loss means for how much may be sent, and what follows when it was none. Between recovery
 * (what is lost) and congestion control (how much may fly) stand four small mechanisms, each of
 * them arithmetic in a file of its own under recovery/, and each a switch:
 *
 *   prr      in a recovery each acknowledgment releases its share (RFC 9937), unless congestion
 *            control keeps its own window then
 *   frto     after a timeout new data is sent instead of lost, to learn whether it is lost (RFC
 *            5682)
 *   undo     timestamps (RFC 3522) and D-SACK (RFC 3708) show that a reduction was for nothing
 *   limited  new data on the first two duplicate acknowledgments (RFC 3042)
 *
 * This file asks them, at five instants: a loss is detected, the timer expires, an acknowledgment
 * has come, something leaves, a recovery ends. When one of them says that nothing had been lost,
 * the response is that of RFC 4015: what was taken for lost flies again, congestion control gets
 * back what it had, sending goes on with new data, and the retransmission timeout learns.
 */
#ifndef TCP_RESPONSE_H
#define TCP_RESPONSE_H

#include <stdbool.h>
#include <stdint.h>

#include "tcp/recovery/frto.h"
#include "tcp/recovery/prr.h"
#include "tcp/recovery/undo.h"

struct ack_sample;
struct cc_sample;
struct recovery_verdict;
struct tcb;
struct tcp;
struct tcp_hdr;

/* A part of struct flight. */
struct response {
    int64_t srtt_prev, rttvar_prev; /* ns: before the timeout (RFC 4015 step 0) */
    struct prr prr;
    struct frto frto;
    struct undo undo;
    uint32_t adapt_from; /* an acknowledgment beyond it lets RTO learn ... */
    bool adapt_due;      /* ... once (RFC 4015 step 8) */
};

/*
 * A loss was detected. `reduces`: cwnd is about to be reduced for it; it is not where a router has
 * marked the same flight before.
 */
void response_loss(struct tcp *t, struct tcb *c, bool reduces);

/* It was reduced. From here on PRR decides. `s` and `v`: the ACK that showed the loss, or NULL. */
void response_reduced(struct tcp *t, struct tcb *c, const struct ack_sample *s,
                      const struct recovery_verdict *v);

/* The retransmission timer expired: cwnd is about to be reduced, and all to be taken for lost. */
void response_timeout(struct tcp *t, struct tcb *c);

/* A router said that there is congestion: there is nothing to undo. */
void response_marked(struct tcb *c);

/*
 * An acknowledgment has come, and recovery has judged it; `cs` is what congestion control is to be
 * told, `hdr` the segment. True: nothing had been lost, and all that followed is undone; a recovery
 * that still lasted is over.
 */
bool response_on_ack(struct tcp *t, struct tcb *c, const struct ack_sample *s,
                     const struct recovery_verdict *v, const struct cc_sample *cs,
                     const struct tcp_hdr *hdr);

/* Congestion control has been told, too: here is cwnd until the next acknowledgment. */
void response_release(struct tcb *c, const struct ack_sample *s, const struct recovery_verdict *v);

/* `len` of sequence space leaves at `seq`, for the first time or again. */
void response_sent(struct tcb *c, int64_t now, uint32_t seq, uint32_t len, bool again);

/* F-RTO: new data is to be sent before what is lost; and then nothing that is lost, either. */
bool response_prefers_new(const struct tcb *c);
bool response_holds_lost(const struct tcb *c);

/* New data was preferred, and none may be sent. */
void response_no_new_data(struct tcb *c);

/* How much new data cwnd has room for, bytes. */
uint32_t response_room(const struct tcp *t, const struct tcb *c);

#endif
