/* ICMP messages (RFC 792) as values: echo, and the errors with the packet that they quote. */
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
};

enum {
    ICMP_HEADER = 8,    /* bytes */
    ICMP_QUOTE_MIN = 8, /* bytes of the quoted packet behind its IP header, at least */
};

struct icmp_hdr {
    uint8_t type, code;
    uint32_t rest; /* bytes 4 to 7: identifier and sequence number, pointer, or next-hop MTU */
    bool is_error; /* of the types that quote a packet */
    /* the quoted packet of an error, if its header and 8 bytes of its transport header are whole */
    bool has_quote;
    struct ip_hdr quote;
    const uint8_t *quote_l4; /* at least 8 bytes */
    size_t quote_l4_len;     /* bytes */
};

/* Parse b[0..len): length and checksum. Returns REASON_NONE or the reason for the drop. */
enum reason icmp_parse(const uint8_t *b, size_t len, struct icmp_hdr *ret_icmp);

/* Write an 8-byte header whose checksum covers n slices behind it. */
void icmp_build(uint8_t room[ICMP_HEADER], uint8_t type, uint8_t code, uint32_t rest,
                const struct slice *payload, unsigned n);

#endif
