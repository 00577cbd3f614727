/*
 * ICMPv6 messages: bytes to a value and back (RFC 4443).
 *
 * They differ from ICMP's in three things: the checksum covers a pseudo-header, all types under 128
 * are errors, known or not (section 2.1), and the neighbourhood of a link is managed by them, too.
 * What they quote is read as ICMP's is.
 */
#include "base/bytes.h"
#include "wire/checksum.h"
#include "wire/icmp.h"

enum {
    FIRST_INFORMATION = 128, /* the first type that is no error */
};

static bool checksum_is_good(const struct ip_hdr *ip, const uint8_t *b, size_t len, uint16_t marks)
{
    if (marks & (PKT_CSUM_VALID | PKT_CSUM_PARTIAL))
        return true;
    return checksum_residue(ip_pseudo_sum(&ip->src, &ip->dst, IP_PROTO_ICMP6, (uint32_t)len), b,
                            len) == 0;
}

enum reason icmp6_parse(const struct ip_hdr *ip, const uint8_t *b, size_t len, uint16_t marks,
                        struct icmp_hdr *ret_icmp)
{
    struct icmp_hdr icmp = {0};

    if (len < ICMP_HEADER)
        return REASON_ICMP_SHORT;
    if (!checksum_is_good(ip, b, len, marks))
        return REASON_ICMP_CHECKSUM;
    icmp.type = b[0];
    icmp.code = b[1];
    icmp.rest = get32(b + 4);
    icmp.is_error = icmp.type < FIRST_INFORMATION;
    if (icmp.is_error)
        icmp_read_quote(6, b + ICMP_HEADER, len - ICMP_HEADER, &icmp);
    *ret_icmp = icmp;
    return REASON_NONE;
}

void icmp6_build(uint8_t room[ICMP_HEADER], const struct addr *src, const struct addr *dst,
                 uint8_t type, uint8_t code, uint32_t rest, const struct slice *payload, unsigned n)
{
    uint32_t len = ICMP_HEADER, sum;

    for (unsigned i = 0; i < n; i++)
        len += payload[i].len;
    room[0] = type;
    room[1] = code;
    put16(room + 2, 0);
    put32(room + 4, rest);
    sum = checksum_add(ip_pseudo_sum(src, dst, IP_PROTO_ICMP6, len), room, ICMP_HEADER);
    put16(room + 2, checksum_parts(sum, payload, n));
}

enum reason icmp6_unasked(uint8_t type)
{
    switch (type) {
    case ICMP6_ROUTER_SOLICITATION:
    case ICMP6_ROUTER_ADVERTISEMENT:
        return REASON_ICMP6_ROUTER;
    case ICMP6_NEIGHBOR_SOLICITATION:
    case ICMP6_NEIGHBOR_ADVERTISEMENT:
        return REASON_ICMP6_NEIGHBOR;
    case ICMP6_REDIRECT:
        return REASON_ICMP6_REDIRECT;
    case ICMP6_MLD_QUERY:
    case ICMP6_MLD_REPORT:
    case ICMP6_MLD_DONE:
    case ICMP6_MLD2_REPORT:
        return REASON_ICMP6_MLD;
    default: /* a byte off the wire, not an enum */
        return REASON_NONE;
    }
}
