/*
 * What a datagram socket can be told, and what it tells, as values: for ip/udp.h and for the
 * stack's door above it.
 */
#ifndef IP_DATAGRAM_H
#define IP_DATAGRAM_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/addr.h"
#include "wire/ip_option.h"

/* How a socket sends, and what it takes (RFC 1122 section 4.1.4). It begins with zeros. */
struct udp_settings {
    uint8_t ttl;               /* hops; 0: the node's */
    uint8_t dscp;              /* 0 to 63 */
    bool df;                   /* never in fragments: what the path does not take is -EMSGSIZE */
    bool checksum_needed;      /* datagrams without a checksum, as IPv4 allows them, are refused */
    struct ip_route route;     /* IPv4: the way of all that is sent; no hops: its own */
    struct ip_options options; /* IPv4: further ones, not ended; no source route among them */
};

/* An ICMP error about a datagram that a socket has sent (RFC 1122 section 4.1.3.3). */
struct udp_error {
    struct addr local, remote; /* of the datagram */
    uint16_t remote_port;      /* of an echo request: its sequence number */
    struct addr from;          /* who says so: a router on the way, or the remote node */
    uint8_t type, code;        /* of the ICMP message, in the version of its addresses */
    uint32_t mtu;              /* bytes, where a packet was too big; 0: not said */
    uint16_t why;              /* enum reason: what it means */
    bool hard;                 /* it will not pass by itself */
};

/* What is known of a socket. */
struct udp_status {
    struct addr local; /* unspecified: all of ours */
    uint16_t port;     /* of an echo socket: the identifier of its requests */
    struct addr remote;
    uint16_t remote_port; /* 0: it is not connected */
    uint32_t waiting;     /* datagrams */
    uint64_t sent, received, dropped, errors;
};

#endif
