/*
 * The form that nearly every segment over IPv4 has: an IP header without options, no fragment, TCP
 * with timestamps and no other option. Its fields stand at fixed places, so that who wants to know
 * whether a segment is usual (tcp/usual.h) need not read it field by field. Whatever has another
 * form, or is broken, is for ip_parse and tcp_parse, and so are all reasons.
 */
#ifndef WIRE_PLAIN_H
#define WIRE_PLAIN_H

#include "base/bytes.h"
#include "wire/ip.h"
#include "wire/tcp.h"

enum {
    PLAIN_TOS = 1, /* where fields stand, bytes */
    PLAIN_SRC = 12,
    PLAIN_DST = 16,
    PLAIN_PORTS = IPV4_HEADER_MIN,
    PLAIN_TEXT = IPV4_HEADER_MIN + TCP_HEADER_PLAIN,
};

/* Has b[0..len) this form, and are its lengths true? Sums, ports and flags are not looked at. */
bool plain_is(const uint8_t *b, size_t len);

/* How many bytes of text it has. */
static inline uint32_t plain_text_len(const uint8_t *b)
{
    return get16(b + 2) - (uint32_t)PLAIN_TEXT;
}

/* Its TCP header, as far as tcp_read_plain reads it. */
static inline void plain_read(const uint8_t *b, struct tcp_hdr *ret_tcp)
{
    tcp_read_plain(b + IPV4_HEADER_MIN, b[PLAIN_TOS] & 3, ret_tcp);
}

/* Do both sums come out right? By `marks` (enum pkt_marks) TCP's may not have to. */
bool plain_sums_good(const uint8_t *b, uint16_t marks);

#endif
