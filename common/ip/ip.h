/*
 * IP of one node: which packets are for it and sane, and the packets that leave without belonging
 * to a connection (answers to echo requests, ICMP errors, datagrams, resets for strangers).
 *
 * Those wait in a ring until output is drained. A full ring is a counted drop: what waits there is
 * either an answer that may be lost or a datagram.
 */
#ifndef IP_IP_H
#define IP_IP_H

#include "base/buf.h"
#include "base/unguessable.h"
#include "ip/pmtu.h"
#include "wire/ip.h"

enum {
    IP_LOCALS_MAX = 32,
    IP_OUT_RING = 512,  /* packets; a power of two */
    IP_OUT_L4_MAX = 40, /* bytes: a SYN-ACK with all its options is the longest */
};

/* A packet that waits to leave: its transport header ready-made, its payload by reference. */
struct ip_out {
    struct addr src, dst;
    struct slice data;               /* the reference is the ring's */
    uint32_t each;                   /* of a train (ip/train.h): bytes of each datagram; or 0 */
    uint32_t done;                   /* bytes of data that have left before `now` */
    uint32_t pseudo;                 /* of a train: the sum of the pseudo-header without length */
    struct slice now;                /* what of the data is leaving */
    uint16_t why;                    /* enum reason */
    uint8_t proto, tos, ttl, l4_len; /* ttl 0: the node's */
    uint32_t flow;                   /* IPv6: flow label, or 0 */
    bool df;                         /* only where the whole fits into the MTU */
    uint32_t id;                     /* of its fragments, if it leaves in some, and ... */
    uint32_t sent;                   /* ... bytes that have left, the transport header included */
    uint8_t l4[IP_OUT_L4_MAX];
    struct ip_options options; /* their end not yet filled up */
};

struct ip_node {
    struct addr local[IP_LOCALS_MAX];
    uint8_t prefix_len[IP_LOCALS_MAX]; /* of each one's subnet, bits of an address of its version */
    unsigned locals;
    uint8_t ttl;
    bool accept_source_routes;
    uint32_t mtu;              /* bytes */
    uint32_t super_udp;        /* bytes of a packet that the device cuts into datagrams; or 0 */
    struct unguessable random; /* identifications, flow labels, and ports for the floor above */
    uint32_t identified;       /* packets that were given an identification */
    struct buf_pool *small;
    uint64_t *counts; /* by enum reason */
    /* ICMP errors are limited: how many may still leave before the bucket is filled up again */
    int64_t errors_since; /* ns */
    uint32_t errors_left;
    struct pmtu pmtu;
    uint32_t out_head, out_tail; /* free-running */
    struct ip_out out[IP_OUT_RING];
};

bool ip_is_local(const struct ip_node *n, const struct addr *a);

/*
 * The address of ours that packets to `remote` leave with, if nobody has chosen one: of the same
 * version, and of these the one that has most bits in common with it, counted in our own prefix
 * (RFC 6724 section 5, rule 8); else the first. NULL: we have none of that version.
 */
const struct addr *ip_source_for(const struct ip_node *n, const struct addr *remote);

/*
 * The flow label of what goes between these ends (RFC 6437): the same for as long as they talk,
 * never 0, and no help to guess the label of others. Of IPv4 it is 0.
 */
uint32_t ip_flow_label(const struct ip_node *n, const struct addr *local, uint16_t local_port,
                       const struct addr *remote, uint16_t remote_port);

/*
 * Could `a` be the other end of a connection: unicast, specified, not ours (RFC 9293 MUST-46), not
 * link-local, since we have no such address to speak with it?
 */
bool ip_valid_remote(const struct ip_node *n, const struct addr *a);

/*
 * Bytes of the largest packet that goes to `remote` whole, as far as is known: what the path takes,
 * or the device (RFC 1122 section 3.3.3, EMTU_S). It is for UDP and ICMP; TCP knows by itself.
 */
uint32_t ip_mtu_to(const struct ip_node *n, const struct addr *remote);

/* Could this be a route of ours: each hop could be such an end? */
bool ip_valid_route(const struct ip_node *n, const struct ip_route *r);

/*
 * Is a packet with this header sane and for us (RFC 1122 section 3.2.1.3, RFC 4291)? Returns
 * REASON_NONE or the reason for the drop.
 */
enum reason ip_accept(const struct ip_node *n, const struct ip_hdr *ip);

/*
 * A free place at the ring's end, filled with zeros, or NULL: the ring is full, and the caller
 * counts or returns REASON_IP_OUT_FULL. The packet leaves when its owner has filled the place in.
 */
struct ip_out *ip_out_push(struct ip_node *n);

/*
 * The packet answers one with this header, which was accepted: from its destination to its source,
 * back by its source route if it has one.
 */
void ip_out_answer(struct ip_out *o, const struct ip_hdr *ip);

/*
 * The next packet of those in the ring: one of them, or, where that is larger than the path's MTU,
 * its next fragment. Its payload stays the ring's, or is the caller's with the last fragment, if
 * *ret_held is not NULL: drop it with buf_unref when the packet was written. False if the ring is
 * empty.
 */
bool ip_out_pop(struct ip_node *n, struct pkt *p, struct buf **ret_held);

/*
 * Write the IP header of a packet whose parts behind part[0] are in place: part[0] becomes the IP
 * header followed by the l4_len bytes that stand in p->room behind it already. Of *ip are taken
 * src, dst, tos, ttl (0: the node's), proto, df, flow and options (options_len a multiple of 4);
 * and for a fragment mf, frag_off and id. Its version is that of src. What was missing is filled
 * in.
 */
void ip_finish(struct ip_node *n, struct pkt *p, struct ip_hdr *ip, uint32_t l4_len);

/*
 * The same for a packet of IPv4 without options that may not be made into fragments: between these
 * addresses, tos and ttl (0: the node's) as said.
 */
void ip_finish_plain4(const struct ip_node *n, struct pkt *p, const struct addr *src,
                      const struct addr *dst, uint8_t proto, uint8_t tos, uint8_t ttl,
                      uint32_t l4_len);

/* The length in bytes of an IP header from `src` with so many bytes of options. */
static inline uint32_t ip_header_len(const struct addr *src, uint32_t options_len)
{
    return addr_is_v4(src) ? IPV4_HEADER_MIN + options_len : IPV6_HEADER;
}

/*
 * Negative advice (RFC 1122 section 3.3.1.4, RFC 9293 MUST-20): a transport sends and sends again
 * to a remote node, and hears nothing. A host with several gateways would try another; ours has one
 * link and nothing to choose from, so the advice is counted, for the operator to see.
 */
void ip_negative_advice(struct ip_node *n);

#endif
