/*
 * What ip.c calls for a packet of version 6, and the walk over extension headers. Nobody else has
 * to: ip_parse, ip_parse_quote and ip_build are the doors for both versions.
 */
#ifndef WIRE_IP6_H
#define WIRE_IP6_H

#include "wire/ip.h"

enum {
    IP6_HEADERS_MAX = 8, /* extension headers in one packet */
    IP6_OPTIONS_MAX = 8, /* options in one of them, padding not counted (RFC 8504 section 5.3) */
};

/* As ip_parse; a packet that is refused may leave something owed in *ret_problem. */
enum reason ip6_parse(const uint8_t *b, size_t len, struct ip_hdr *ret_ip,
                      struct ip_problem *ret_problem);

/* As ip_parse_quote. */
bool ip6_parse_quote(const uint8_t *b, size_t len, struct ip_hdr *ret_ip);

/* Fill *ret_ip from the fixed header, which is whole. */
void ip6_read_fixed(const uint8_t *b, struct ip_hdr *ret_ip);

/* As ip_build. */
size_t ip6_build(uint8_t *room, const struct ip_hdr *ip, size_t payload_len);

/*
 * ip6_ext.c: walk over the extension headers of the packet b[0..len), whose fixed header is read in
 * *ip: fills proto, proto_at, header_len and what is known of a fragment. Returns REASON_NONE or
 * the reason for the drop, perhaps with something owed in *problem, which begins as zeros.
 */
enum reason ip6_walk(const uint8_t *b, size_t len, struct ip_hdr *ip, struct ip_problem *problem);

/* ip6_ext.c: fill in the same for as far as the headers are whole, and judge none of them. */
void ip6_skip(const uint8_t *b, size_t len, struct ip_hdr *ip);

#endif
