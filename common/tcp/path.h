/*
 * The path's MTU as a connection goes by it (RFC 1191 section 6, RFC 8201 section 5.4): segments
 * follow what is known of the path, whoever has learnt it, and what an ICMP error says is looked at
 * here before anybody believes it.
 *
 * An error is about a segment in flight, or it is not read at all (icmp.h, RFC 5927 section 4.1).
 * Whether it is true, the segment itself will tell: what was too big does not arrive. So (RFC 5927
 * section 7.2) a size that is smaller than what has passed already is a claim, which waits for as
 * long as an acknowledgment of the segment may take. If that comes, the claim was false. If not,
 * segments become smaller, and what is in flight is sent again; that is no congestion, and neither
 * cwnd nor ssthresh change (RFC 1191 section 6.5, RFC 8201 section 5.4). A size that nothing larger
 * has passed yet, as at the beginning of a connection, is believed at once. Less than 552 bytes
 * over IPv4 are never believed at once: no link of today is like that, and small packets are what
 * an attacker would want. Nothing is believed under 88 bytes in IPv4 and 1,280 in IPv6.
 *
 * Other connections to the same destination follow when they send next; what they have in flight is
 * sent again when an error comes that is about it.
 */
#ifndef TCP_PATH_H
#define TCP_PATH_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/icmp.h"
#include "wire/path_mtu.h"

struct tcp;
struct tcb;

/* What a connection with something in flight knows of its path; part of its flight. */
struct path_view {
    uint32_t proven;    /* bytes of the largest packet that arrived at this path's MTU */
    uint32_t passed;    /* full segments since the last time-out */
    bool healthy;       /* there were enough of them before it, or none ever */
    bool larger;        /* what lies below `larger_to` left before segments became smaller */
    bool claimed;       /* an error waits for what becomes of its segment: */
    uint32_t claim_mtu; /* bytes */
    uint32_t claim_seq; /* of the segment */
    uint32_t larger_to;
};

/* What is known of the path, or NULL. */
struct path_mtu *path_find(const struct tcp *t, const struct tcb *c);

/* Bytes of the largest packet that passes, as far as is known; UINT32_MAX: nothing is. */
uint32_t path_mtu_to(const struct tcp *t, const struct tcb *c);

/* Something is to be sent: snd_mss follows the path. */
void path_follow(struct tcp *t, struct tcb *c);

/* Something in the path has changed; this connection follows at once. */
void path_changed(struct tcp *t, struct tcb *c);

/* MUST-54: an error says that the segment at e->seq, which is in flight, was too big. */
enum reason path_too_big(struct tcp *t, struct tcb *c, int64_t now, const struct icmp_error *e);

/* `acked` bytes were acknowledged, up to snd_una. */
void path_on_ack(struct tcp *t, struct tcb *c, int64_t now, uint32_t acked);

/* No acknowledgment of the segment has come that a claim is about: what it says is so. */
void path_claim_expired(struct tcp *t, struct tcb *c, int64_t now);

#endif
