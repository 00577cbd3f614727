/*
 * The UDP header: bytes to a legal value and back.
 *
 * A checksum field of zero says that the sender made none, which IPv4 allows and IPv6 does not (RFC
 * 8200 section 8.1). A sum that comes out as zero is therefore written as ffff, the other form of
 * the same number.
 */
#include "wire/udp.h"

#include <assert.h>

#include "base/bytes.h"
#include "wire/checksum.h"

/* Is the checksum of the datagram b[0..len) right, as far as anyone can tell? */
static bool checksum_is_good(const struct ip_hdr *ip, const uint8_t *b, uint16_t len,
                             uint16_t marks)
{
    if (marks & (PKT_CSUM_VALID | PKT_CSUM_PARTIAL))
        return true;
    if (get16(b + 6) == 0)
        return addr_is_v4(&ip->src);
    return checksum_residue(ip_pseudo_sum(&ip->src, &ip->dst, IP_PROTO_UDP, len), b, len) == 0;
}

enum reason udp_parse(const struct ip_hdr *ip, const uint8_t *b, size_t len, uint16_t marks,
                      struct udp_hdr *ret_udp)
{
    struct udp_hdr udp;

    if (len < UDP_HEADER)
        return REASON_UDP_LENGTH;
    udp.sport = get16(b);
    udp.dport = get16(b + 2);
    udp.len = get16(b + 4);
    udp.no_checksum = get16(b + 6) == 0;
    if (udp.len < UDP_HEADER || udp.len > len)
        return REASON_UDP_LENGTH;
    if (!checksum_is_good(ip, b, udp.len, marks))
        return REASON_UDP_CHECKSUM;
    if (udp.sport == 0 || udp.dport == 0)
        return REASON_UDP_PORT_ZERO;
    *ret_udp = udp;
    return REASON_NONE;
}

/* What goes into the checksum field, while it holds zero; folded, but not inverted, for a device.
 */
static uint16_t field_sum(uint32_t sum, uint16_t marks, const uint8_t room[UDP_HEADER],
                          const struct slice *payload, unsigned n)
{
    uint16_t check;

    if (marks & PKT_CSUM_PARTIAL)
        return (uint16_t)~checksum_finish(sum);
    check = checksum_parts(checksum_add(sum, room, UDP_HEADER), payload, n);
    return check ? check : 0xffff;
}

void udp_finish(uint8_t room[UDP_HEADER], uint32_t pseudo, uint16_t marks,
                const struct slice *payload, unsigned n)
{
    size_t len = UDP_HEADER;

    for (unsigned i = 0; i < n; i++)
        len += payload[i].len;
    assert(len <= UINT16_MAX);
    put16(room + 4, (uint16_t)len);
    put16(room + 6, 0);
    put16(room + 6, field_sum(pseudo + (uint32_t)len, marks, room, payload, n));
}

void udp_build(uint8_t room[UDP_HEADER], const struct addr *src, const struct addr *dst,
               const struct udp_hdr *udp, const struct slice *payload, unsigned n)
{
    put16(room, udp->sport);
    put16(room + 2, udp->dport);
    udp_finish(room, ip_pseudo_sum(src, dst, IP_PROTO_UDP, 0), 0, payload, n);
}
