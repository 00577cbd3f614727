/* The UDP header (RFC 768) as a value. */
#ifndef WIRE_UDP_H
#define WIRE_UDP_H

#include <stdint.h>

#include "base/buf.h"
#include "wire/ip.h"

enum {
    UDP_HEADER = 8, /* bytes */
};

struct udp_hdr {
    uint16_t sport, dport;
    uint16_t len;     /* bytes, header included */
    bool no_checksum; /* its sender made none */
};

/*
 * Parse the datagram b[0..len) that came in `ip`; `marks` are the packet's enum pkt_marks. Checks
 * the length (at least 8, at most len), the ports (neither is 0) and the checksum (RFC 1122 section
 * 4.1.3.4: a field of zero means none in IPv4). Returns REASON_NONE or the reason for the drop.
 */
enum reason udp_parse(const struct ip_hdr *ip, const uint8_t *b, size_t len, uint16_t marks,
                      struct udp_hdr *ret_udp);

/*
 * Write the 8 bytes of a header (of *udp only the ports are read) for n slices of payload, which
 * the checksum covers. A sum of 0 goes as ffff.
 */
void udp_build(uint8_t room[UDP_HEADER], const struct addr *src, const struct addr *dst,
               const struct udp_hdr *udp, const struct slice *payload, unsigned n);

/*
 * Length and checksum of a header whose ports stand in it; `pseudo` is the sum of the pseudo-header
 * without the length. With PKT_CSUM_PARTIAL in `marks` the device goes on from that sum.
 */
void udp_finish(uint8_t room[UDP_HEADER], uint32_t pseudo, uint16_t marks,
                const struct slice *payload, unsigned n);

#endif
