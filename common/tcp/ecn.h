/*
 * Explicit congestion notification (RFC 3168 section 6.1, RFC 9293 SHLD-8): routers mark packets
 * instead of dropping them, the receiver tells the sender, and the sender slows down.
 */
#ifndef TCP_ECN_H
#define TCP_ECN_H

#include "tcp/tcp.h"

/* The two ECN bits of an IP header. */
enum ecn_codepoint {
    ECN_NOT_ECT = 0,
    ECN_ECT1 = 1,
    ECN_ECT0 = 2,
    ECN_CE = 3,
};

/* What our SYN, or SYN-ACK in SYN-RECEIVED, says: ECE and CWR, ECE, or 0. */
uint8_t ecn_syn_flags(const struct tcp *t, const struct tcb *c);

/* The remote end's SYN or SYN-ACK: is ECN spoken from now on? */
void ecn_take_syn(const struct tcp *t, struct tcb *c, const struct tcp_hdr *syn);

/* ... and another one, in SYN-RECEIVED: both have to say so. */
void ecn_take_syn_again(struct tcb *c, const struct tcp_hdr *syn);

/* Has a router marked this segment, which brings `len` bytes of text? */
static inline bool ecn_is_mark(const struct tcb *c, const struct tcp_hdr *seg, uint32_t len)
{
    return c->ecn_ok && len > 0 && seg->ecn == ECN_CE;
}

/* `len` bytes of text came with this segment, which is acceptable in every way. */
void ecn_text_arrived(struct tcb *c, const struct tcp_hdr *seg, uint32_t len);

/* An acceptable acknowledgment says that a mark was seen: cwnd must not grow by it. */
static inline bool ecn_echoed(const struct tcb *c, const struct tcp_hdr *seg)
{
    return c->ecn_ok && (seg->flags & (TCP_ECE | TCP_SYN)) == TCP_ECE;
}

/* That acknowledgment has moved SND.UNA: is cwnd to be reduced for a mark? */
bool ecn_demands(struct tcb *c, const struct tcp_hdr *seg);

/* Was cwnd reduced already for what was in flight together with the segment at `seq`? */
bool ecn_was_reduced(const struct tcb *c, uint32_t seq);

/* cwnd has been reduced, for whatever reason: tell the remote end, and not twice for one flight. */
void ecn_reduced(struct tcb *c);

/* That reduction was taken back: there is nothing to tell, and a mark of the same flight counts. */
void ecn_taken_back(struct tcb *c);

/* Flags of a segment with ACK that leaves: ECE, while the remote end has to be told. */
static inline uint8_t ecn_ack_flags(const struct tcb *c)
{
    return c->ecn_echo ? TCP_ECE : 0;
}

/* New text leaves in this packet: routers may mark it, and it may say CWR. */
void ecn_new_text(struct tcb *c, struct tcp_hdr *hdr, struct pkt *p);

#endif
