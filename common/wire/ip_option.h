/*
 * The options of an IPv4 header (RFC 791 section 3.1, RFC 1122 section 3.2.1.8): where those stand
 * that mean something to a host, source routes as values, and what an answer to an echo request
 * takes over.
 */
#ifndef WIRE_IP_OPTION_H
#define WIRE_IP_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/addr.h"
#include "wire/reason.h"

struct ip_hdr;

enum {
    IPV4_OPTIONS_MAX = 40, /* bytes */
    IP_ROUTE_HOPS_MAX = 9, /* addresses that fit into a source route */
};

enum ip_option {
    IP_OPT_END = 0,
    IP_OPT_NOP = 1,
    IP_OPT_RECORD = 7,
    IP_OPT_TIMESTAMP = 68,
    IP_OPT_LOOSE_ROUTE = 131,
    IP_OPT_STRICT_ROUTE = 137,
};

/* Where options begin among the bytes of a header's options, + 1; 0: not there. */
struct ip_option_places {
    uint8_t route, record, timestamp;
};

/* A source route: the gateways that a packet passes on its way, in their order. */
struct ip_route {
    uint8_t hops;                    /* 0: none, packets go their own way */
    bool strict;                     /* no other gateway between them */
    uint32_t hop[IP_ROUTE_HOPS_MAX]; /* IPv4 addresses as numbers in host order */
};

/* Options on their way into a header. */
struct ip_options {
    uint8_t b[IPV4_OPTIONS_MAX];
    uint8_t len; /* bytes */
};

/*
 * Walk over the options b[0..len): each must lie inside; unknown ones are skipped by their length
 * (RFC 9293 MUST-50). There may be one source route, and its length and pointer must make sense
 * (RFC 1122 section 3.2.1.8c). Returns REASON_NONE and fills *ret_places, or the reason for the
 * drop.
 */
enum reason ip_options_walk(const uint8_t *b, size_t len, struct ip_option_places *ret_places);

/*
 * Where in the options b[0..len), which ip_options_walk has refused, something is wrong: the length
 * of the option that does not fit, or its kind where there is no length, or the beginning of a
 * source route that makes no sense (RFC 1122 section 3.2.2.5).
 */
size_t ip_options_wrong(const uint8_t *b, size_t len);

/*
 * The route back to the sender of a packet with a source route that has passed every hop of it:
 * what was recorded, reversed, without the sender itself if it stands there (RFC 1122 section
 * 3.2.1.8c, case B). REASON_IP_ROUTE_UNFINISHED if it has not; *ret_route is untouched then.
 * Without a source route, or with one of no hops, *ret_route has none.
 */
enum reason ip_route_back(const struct ip_hdr *ip, struct ip_route *ret_route);

/* Where the packet with this header goes in the end: a source route's last address, or dst. */
struct addr ip_route_end(const struct ip_hdr *ip);

/* Bytes of options that a header with this route has. */
static inline uint8_t ip_route_len(const struct ip_route *r)
{
    return r->hops ? (uint8_t)(4 + 4 * r->hops) : 0;
}

/*
 * Add the option of a source route with hops to empty options. Returns the first hop: the header's
 * destination, in place of `end`, which goes into the option.
 */
struct addr ip_options_route(struct ip_options *o, const struct ip_route *r,
                             const struct addr *end);

/*
 * Take over, in the answer to an echo request, its Record Route and its Timestamp, each with an
 * entry of ours as far as there is room (RFC 1122 section 3.2.2.6, RFC 9293 MAY-10, MAY-11). `ms`
 * is any clock of ours in milliseconds; it goes with the mark of one that does not count from
 * midnight.
 */
void ip_options_reflect(struct ip_options *o, const struct ip_hdr *asked, uint32_t ms);

/*
 * Those of the options that go into every fragment of a packet, not only into the first (RFC 791
 * section 3.1: the copied flag), filled up.
 */
void ip_options_copied(const struct ip_options *o, struct ip_options *ret_copied);

/* Fill up to a multiple of 4 bytes with the end of the list. */
void ip_options_end(struct ip_options *o);

#endif
