/*
 * ICMP messages (RFC 792, RFC 4443) as values: echo, and the errors with the packet that they
 * quote. One struct serves both versions; what a type means depends on the version.
 */
#ifndef WIRE_ICMP_H
#define WIRE_ICMP_H

#include <stdint.h>

#include "base/buf.h"
#include "wire/ip.h"

enum icmp_type {
    ICMP_ECHO_REPLY = 0,
    ICMP_UNREACHABLE = 3,
    ICMP_SOURCE_QUENCH = 4,
    ICMP_REDIRECT = 5,
    ICMP_ECHO = 8,
    ICMP_TIME_EXCEEDED = 11,
    ICMP_PARAM_PROBLEM = 12,
};

enum icmp_unreachable_code {
    ICMP_UNREACH_NET = 0,
    ICMP_UNREACH_HOST = 1,
    ICMP_UNREACH_PROTOCOL = 2,
    ICMP_UNREACH_PORT = 3,
    ICMP_UNREACH_NEEDFRAG = 4,
    ICMP_UNREACH_SRCROUTE = 5,
    ICMP_UNREACH_NET_PROHIBITED = 9,
    ICMP_UNREACH_HOST_PROHIBITED = 10,
    ICMP_UNREACH_PROHIBITED = 13,
};

enum icmp_exceeded_code {
    ICMP_EXCEEDED_TTL = 0,
    ICMP_EXCEEDED_REASSEMBLY = 1,
};

/* ICMPv6 (RFC 4443, RFC 2710, RFC 4861, RFC 3810): types under 128 are errors. */
enum icmp6_type {
    ICMP6_UNREACHABLE = 1,
    ICMP6_TOO_BIG = 2,
    ICMP6_TIME_EXCEEDED = 3,
    ICMP6_PARAM_PROBLEM = 4,
    ICMP6_ECHO = 128,
    ICMP6_ECHO_REPLY = 129,
    ICMP6_MLD_QUERY = 130,
    ICMP6_MLD_REPORT = 131,
    ICMP6_MLD_DONE = 132,
    ICMP6_ROUTER_SOLICITATION = 133,
    ICMP6_ROUTER_ADVERTISEMENT = 134,
    ICMP6_NEIGHBOR_SOLICITATION = 135,
    ICMP6_NEIGHBOR_ADVERTISEMENT = 136,
    ICMP6_REDIRECT = 137,
    ICMP6_MLD2_REPORT = 143,
};

enum icmp6_unreachable_code {
    ICMP6_UNREACH_ROUTE = 0,
    ICMP6_UNREACH_PROHIBITED = 1,
    ICMP6_UNREACH_SCOPE = 2,
    ICMP6_UNREACH_ADDRESS = 3,
    ICMP6_UNREACH_PORT = 4,
};

/* What an error means to the transport whose packet it quotes (RFC 9293 section 3.9.2.2). */
enum icmp_class {
    ICMP_IGNORED, /* nothing */
    ICMP_SOFT,    /* may pass: told, never a reason to give up (MUST-56) */
    ICMP_HARD,    /* will not pass by itself (SHLD-26) */
    ICMP_TOO_BIG, /* a packet was larger than a link of its path takes (RFC 1191, RFC 8201) */
};

struct icmp_meaning {
    enum icmp_class class;
    enum reason why; /* of kind EVENT, but of kind DROP with ICMP_IGNORED */
};

enum {
    ICMP_HEADER = 8,    /* bytes */
    ICMP_QUOTE_MIN = 8, /* bytes of the quoted packet behind its IP header, at least */
};

struct icmp_hdr {
    uint8_t type, code;
    uint32_t rest; /* bytes 4 to 7: identifier and sequence number, pointer, or MTU */
    bool is_error; /* of the types that quote a packet */
    /* the quoted packet of an error, if its header and 8 bytes of its transport header are whole */
    bool has_quote;
    struct ip_hdr quote;
    const uint8_t *quote_l4; /* at least 8 bytes */
    size_t quote_l4_len;     /* bytes */
};

/* An error about a packet of ours, for the transport that sent it. */
struct icmp_error {
    struct icmp_meaning meaning;
    uint8_t proto, type, code;
    struct addr from;                 /* who says so */
    struct addr local, remote;        /* ours, and where the packet was going */
    uint16_t local_port, remote_port; /* of an echo request: identifier and sequence number */
    uint32_t seq;                     /* TCP: the quoted sequence number */
    uint32_t size;                    /* bytes of the quoted packet, as its header says */
    bool df;                          /* it forbade fragments */
    uint32_t mtu; /* bytes, with ICMP_TOO_BIG; 0: an old router, which does not say (RFC 1191 5) */
};

/* Parse b[0..len): length and checksum. Returns REASON_NONE or the reason for the drop. */
enum reason icmp_parse(const uint8_t *b, size_t len, struct icmp_hdr *ret_icmp);

/* Write an 8-byte header whose checksum covers n slices behind it. */
void icmp_build(uint8_t room[ICMP_HEADER], uint8_t type, uint8_t code, uint32_t rest,
                const struct slice *payload, unsigned n);

/*
 * icmp6.c: the same for ICMPv6, whose checksum is over the addresses, too; `marks` are the packet's
 * enum pkt_marks.
 */
enum reason icmp6_parse(const struct ip_hdr *ip, const uint8_t *b, size_t len, uint16_t marks,
                        struct icmp_hdr *ret_icmp);
void icmp6_build(uint8_t room[ICMP_HEADER], const struct addr *src, const struct addr *dst,
                 uint8_t type, uint8_t code, uint32_t rest, const struct slice *payload,
                 unsigned n);

/*
 * Why a host that is no router and has no neighbours does nothing about this type of message, which
 * the kernel at the link's other end sends by itself (RFC 4861, RFC 3810); REASON_NONE for others.
 */
enum reason icmp6_unasked(uint8_t type);

/*
 * icmp.c: read the packet b[0..len) of this version that an error quotes, if it can be used, into
 * *icmp.
 */
void icmp_read_quote(uint8_t version, const uint8_t *b, size_t len, struct icmp_hdr *icmp);

/* icmp_meaning.c: what an error of this type and code means, in IPv4 and in IPv6. */
struct icmp_meaning icmp_meaning(uint8_t type, uint8_t code);
struct icmp_meaning icmp6_meaning(uint8_t type, uint8_t code);

#endif
