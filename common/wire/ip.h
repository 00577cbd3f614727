/*
 * The IP header as a value: parsed once, and then it can only be legal.
 *
 * One struct serves both versions, with addresses of 16 bytes: nobody above has to ask which
 * version a packet is of, but where the versions differ in what they mean.
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
    IP_PROTO_ICMP6 = 58,
};

/* What may follow in an IPv6 packet besides protocols (RFC 8200 section 4). */
enum ip6_next {
    IP6_HOP_BY_HOP = 0,
    IP6_ROUTING = 43,
    IP6_FRAGMENT = 44,
    IP6_NONE = 59,
    IP6_DESTINATION = 60,
};

enum {
    IPV4_HEADER_MIN = 20, /* bytes */
    IPV4_HEADER_MAX = 60,
    IPV4_PACKET_MAX = 65535,
    IP_TTL_DEFAULT = 64,
    IPV4_FRAG_UNIT = 8, /* bytes: fragments begin at multiples of it */
    IPV4_MTU_MIN = 68,
    IPV6_HEADER = 40, /* bytes, without extension headers */
    IPV6_FRAGMENT_HEADER = 8,
    IPV6_PAYLOAD_MAX = 65535, /* bytes behind the fixed header */
    IPV6_MTU_MIN = 1280,
    IPV6_FLOW_MAX = 0xfffff, /* a flow label has 20 bits */
};

struct ip_hdr {
    struct addr src, dst;
    uint8_t version; /* 4 or 6 */
    uint8_t tos;     /* DSCP in the upper six bits, ECN in the lower two: IPv6's traffic class */
    uint8_t ttl;     /* IPv6: hop limit */
    uint8_t proto;   /* of what stands behind header_len */
    uint32_t flow;   /* IPv6: flow label; 0: none */
    /* fragments: an IPv6 packet has these in a header of their own, or is none */
    uint32_t id;
    bool df, mf;       /* a router may not make fragments of IPv6: df is set */
    uint16_t frag_off; /* bytes */
    uint16_t frag_at;  /* IPv6: where the fragment header stands in the packet, bytes; 0: none */
    uint16_t proto_at; /* IPv6: where the number `proto` stands in the packet, bytes */
    /*
     * bytes, options and extension headers included; but in a fragment the headers up to the
     * fragment header and with it: what comes behind it is to be put together first
     */
    uint16_t header_len;
    uint32_t total_len;     /* bytes, header included */
    const uint8_t *options; /* IPv4 */
    uint8_t options_len;    /* bytes */
    struct ip_option_places at;
};

/* Codes of ICMPv6's parameter problem (RFC 4443 section 3.4, RFC 7112 section 5). */
enum icmp6_problem_code {
    ICMP6_PROBLEM_FIELD = 0,
    ICMP6_PROBLEM_NEXT = 1,
    ICMP6_PROBLEM_OPTION = 2,
    ICMP6_PROBLEM_CHAIN = 3,
};

/*
 * What ICMP owes the sender of a packet that ip_parse has refused (RFC 1122 section 3.2.2.5, RFC
 * 8200 section 4).
 */
struct ip_problem {
    bool owed;
    bool multicast_too; /* also where the packet was for many (RFC 4443 section 2.4 e.3) */
    uint8_t code;       /* of the parameter problem: enum icmp6_problem_code; of IPv4's 0 */
    uint32_t pointer;   /* the byte of the packet that is wrong */
};

/*
 * Parse and check the header at b[0..len), as RFC 1122 section 3.2.1 and RFC 8200 ask: version,
 * lengths, IPv4's header checksum, the walk over options and extension headers. Bytes behind
 * total_len are ignored.
 * Returns REASON_NONE and fills *ret_ip, or the reason for the drop and leaves it alone.
 */
enum reason ip_parse(const uint8_t *b, size_t len, struct ip_hdr *ret_ip);

/*
 * What the refusal of b[0..len) owes its sender. If something, *ret_ip has what is known of its
 * header: version, addresses, total_len, and the protocol for as far as the headers can be passed.
 */
struct ip_problem ip_problem(const uint8_t *b, size_t len, struct ip_hdr *ret_ip);

/*
 * Read the header at b[0..len) as an ICMP error quotes it: version and header length are checked,
 * and nothing else, because what stands in a quote is stale (TTL, checksum) and cut (total_len may
 * be more than there is). Options that are broken are as good as not there; extension headers have
 * to be whole. Returns whether *ret_ip was filled.
 */
bool ip_parse_quote(const uint8_t *b, size_t len, struct ip_hdr *ret_ip);

/*
 * The length in bytes of the header that ip_build writes: 20 + options_len, or 40, and 48 for a
 * fragment of IPv6. By version, options_len, mf and frag_off.
 */
size_t ip_build_len(const struct ip_hdr *ip);

/*
 * Write a header for `payload_len` bytes behind it: IPv4 with its checksum, from version, tos, ttl,
 * proto, id, df, mf, frag_off, src, dst and options (options_len a multiple of 4); IPv6 from the
 * same and flow, with a fragment header where mf or frag_off is set. The lengths in *ip are not
 * read. room must have ip_build_len bytes. Returns the header's length in bytes.
 */
size_t ip_build(uint8_t *room, const struct ip_hdr *ip, size_t payload_len);

/*
 * The same for IPv4 without options, DF set and identification 0 (RFC 6864): what leaves whole, and
 * so nearly all that leaves. room must have IPV4_HEADER_MIN bytes.
 */
void ip_build_plain4(uint8_t *room, const struct addr *src, const struct addr *dst, uint8_t proto,
                     uint8_t tos, uint8_t ttl, size_t payload_len);

/* The sum of these two addresses as they stand in a packet: the mapped form's prefix does not. */
static inline uint32_t ip_addrs_sum(const struct addr *a, const struct addr *b)
{
    uint32_t sum = 0, a4, b4;

    if (addr_is_v4(a)) { /* and so is b */
        a4 = get32(a->b + ADDR_V4_AT);
        b4 = get32(b->b + ADDR_V4_AT);
        return (a4 >> 16) + (a4 & 0xffff) + (b4 >> 16) + (b4 & 0xffff);
    }
    for (size_t i = 0; i < sizeof(a->b); i += 2)
        sum += get16(a->b + i) + get16(b->b + i);
    return sum;
}

/*
 * The sum over the pseudo-header of TCP, UDP and ICMPv6 (RFC 9293 section 3.1, RFC 8200 section
 * 8.1), not folded, not inverted.
 */
static inline uint32_t ip_pseudo_sum(const struct addr *src, const struct addr *dst, uint8_t proto,
                                     uint32_t len)
{
    return ip_addrs_sum(src, dst) + proto + (len >> 16) + (len & 0xffff);
}

/* Is it a fragment: MF set or an offset? One that is the whole packet is none (RFC 6946). */
static inline bool ip_is_fragment(const struct ip_hdr *ip)
{
    return ip->mf || ip->frag_off != 0;
}

#endif
