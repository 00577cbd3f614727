/*
 * The IP header as a value: parsed once, and then it can only be legal.
 *
 * One struct serves both versions, with addresses of 16 bytes. IPv6 is recognised and refused with
 * a reason of its own until its parser arrives.
 */
#ifndef WIRE_IP_H
#define WIRE_IP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/addr.h"
#include "wire/ip_option.h"
#include "wire/reason.h"

enum ip_proto {
    IP_PROTO_ICMP = 1,
    IP_PROTO_TCP = 6,
    IP_PROTO_UDP = 17,
};

enum {
    IPV4_HEADER_MIN = 20, /* bytes */
    IPV4_HEADER_MAX = 60,
    IPV4_PACKET_MAX = 65535,
    IP_TTL_DEFAULT = 64,
    IPV4_FRAG_UNIT = 8, /* bytes: fragments begin at multiples of it */
    IPV4_MTU_MIN = 68,
};

struct ip_hdr {
    struct addr src, dst;
    uint8_t version; /* 4 */
    uint8_t tos;     /* DSCP in the upper six bits, ECN in the lower two */
    uint8_t ttl;
    uint8_t proto;
    uint16_t id;
    bool df, mf;
    uint16_t frag_off;   /* bytes */
    uint16_t header_len; /* bytes, options included */
    uint16_t total_len;  /* bytes, header included */
    const uint8_t *options;
    uint8_t options_len; /* bytes */
    struct ip_option_places at;
};

/*
 * Parse and check the header at b[0..len), as RFC 1122 section 3.2.1 asks: version, lengths, header
 * checksum, the walk over the options. Bytes behind total_len are ignored.
 * Returns REASON_NONE and fills *ret_ip, or the reason for the drop and leaves it alone.
 */
enum reason ip_parse(const uint8_t *b, size_t len, struct ip_hdr *ret_ip);

/*
 * Read the header at b[0..len) as an ICMP error quotes it: version and header length are checked,
 * and nothing else, because what stands in a quote is stale (TTL, checksum) and cut (total_len may
 * be more than there is). Options that are broken are as good as not there. Returns whether *ret_ip
 * was filled.
 */
bool ip_parse_quote(const uint8_t *b, size_t len, struct ip_hdr *ret_ip);

/*
 * Write an IPv4 header for `payload_len` bytes behind it, checksum included, from version, tos,
 * ttl, proto, id, df, mf, frag_off, src, dst and options (options_len a multiple of 4); the lengths
 * in *ip are not read. room must have 20 + options_len bytes. Returns the header's length in bytes.
 */
size_t ip_build(uint8_t *room, const struct ip_hdr *ip, size_t payload_len);

/* The sum over the pseudo-header of TCP and UDP (RFC 9293 section 3.1), not folded, not inverted.
 */
uint32_t ip_pseudo_sum(const struct addr *src, const struct addr *dst, uint8_t proto, uint32_t len);

/* Is there a fragment: MF set or an offset? */
static inline bool ip_is_fragment(const struct ip_hdr *ip)
{
    return ip->mf || ip->frag_off != 0;
}

#endif
