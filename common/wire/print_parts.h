/* What the files of the packet printer share: a printer for each protocol behind the IP header. */
#ifndef WIRE_PRINT_PARTS_H
#define WIRE_PRINT_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"
#include "wire/ip.h"
#include "wire/print.h"

/* What stands behind an IP header: b[0..len), and what the header said about it. */
struct print_body {
    const struct ip_hdr *ip;
    const uint8_t *b;
    size_t len;
    uint16_t marks;
    bool fragment; /* a first fragment: there is more, and the checksum cannot be told */
    bool extended; /* IPv6 extension headers came first; the addresses are printed already */
};

/* Each prints its part of the line and returns the reason for the drop, or REASON_NONE. */
enum reason print_tcp(struct text *t, struct print_flows *flows, const struct print_body *body);
enum reason print_udp(struct text *t, const struct print_body *body);
enum reason print_icmp(struct text *t, const struct print_body *body);
enum reason print_icmp6(struct text *t, const struct print_body *body);

/* print_ip6.c: an IPv6 packet, or as much of one as there is; returns the reason for the drop. */
enum reason print_ip6(struct text *t, struct print_flows *flows, const uint8_t *b, size_t len,
                      uint16_t marks);
/* What stands behind a header of either version, by its protocol. */
enum reason print_body(struct text *t, struct print_flows *flows, const struct print_body *body,
                       uint8_t proto);

/* "10.0.0.7 > 10.0.1.5: " */
void print_addrs(struct text *t, const struct ip_hdr *ip);
/* "10.0.0.7.49152 > 10.0.1.5.8000: ", from the first 4 bytes of the body */
void print_ports(struct text *t, const struct print_body *body);

#endif
