/*
 * The IPv6 header: bytes to a legal value and back (RFC 8200 section 3).
 *
 * There is no checksum and nothing to choose from; what is not fixed stands in extension headers
 * (ip6_ext.c). A hop limit of zero is no reason for a drop at a packet's end (RFC 8200 section 3).
 *
 * Above this floor ::ffff:a.b.c.d means the IPv4 address a.b.c.d. Such an address in an IPv6
 * packet would be taken for one that came by IPv4, and let strangers pass for whom they are not; so
 * packets with one are refused here, where the two can still be told apart.
 */
#include "wire/ip6.h"

#include <assert.h>

#include "base/bytes.h"

enum {
    AT_PAYLOAD = 4, /* where the fields stand, bytes */
    AT_NEXT = 6,
    AT_HOPS = 7,
    AT_SRC = 8,
    AT_DST = 24,
};

void ip6_read_fixed(const uint8_t *b, struct ip_hdr *ret_ip)
{
    *ret_ip = (struct ip_hdr){
        .version = 6,
        .tos = (uint8_t)(get16(b) >> 4),
        .flow = get32(b) & IPV6_FLOW_MAX,
        .ttl = b[AT_HOPS],
        .proto = b[AT_NEXT],
        .proto_at = AT_NEXT,
        .df = true,
        .header_len = IPV6_HEADER,
        .total_len = (uint32_t)IPV6_HEADER + get16(b + AT_PAYLOAD),
    };
    memcpy(ret_ip->src.b, b + AT_SRC, sizeof(ret_ip->src.b));
    memcpy(ret_ip->dst.b, b + AT_DST, sizeof(ret_ip->dst.b));
}

enum reason ip6_parse(const uint8_t *b, size_t len, struct ip_hdr *ret_ip,
                      struct ip_problem *ret_problem)
{
    struct ip_hdr ip;
    enum reason why;

    *ret_problem = (struct ip_problem){0};
    if (len < IPV6_HEADER)
        return REASON_IP_EMPTY;
    ip6_read_fixed(b, &ip);
    if (ip.total_len > len)
        return REASON_IP_TOTAL_LENGTH;
    if (addr_is_v4(&ip.src) || addr_is_v4(&ip.dst))
        return REASON_IP6_MAPPED;
    why = ip6_walk(b, ip.total_len, &ip, ret_problem);
    if (why == REASON_NONE)
        *ret_ip = ip;
    return why;
}

bool ip6_parse_quote(const uint8_t *b, size_t len, struct ip_hdr *ret_ip)
{
    struct ip_problem ignored;
    struct ip_hdr ip;

    if (len < IPV6_HEADER)
        return false;
    ip6_read_fixed(b, &ip);
    if (addr_is_v4(&ip.src) || addr_is_v4(&ip.dst) || ip6_walk(b, len, &ip, &ignored))
        return false;
    *ret_ip = ip;
    return true;
}

size_t ip6_build(uint8_t *room, const struct ip_hdr *ip, size_t payload_len)
{
    size_t header_len = ip_build_len(ip);
    bool fragment = ip_is_fragment(ip);

    assert(ip->version == 6 && ip->flow <= IPV6_FLOW_MAX && ip->options_len == 0);
    assert(ip->frag_off % IPV4_FRAG_UNIT == 0);
    assert(!addr_is_v4(&ip->src) && !addr_is_v4(&ip->dst));
    assert(payload_len <= IPV6_PAYLOAD_MAX - (header_len - IPV6_HEADER));
    put32(room, UINT32_C(6) << 28 | (uint32_t)ip->tos << 20 | ip->flow);
    put16(room + AT_PAYLOAD, (uint16_t)(header_len - IPV6_HEADER + payload_len));
    room[AT_NEXT] = fragment ? IP6_FRAGMENT : ip->proto;
    room[AT_HOPS] = ip->ttl;
    memcpy(room + AT_SRC, ip->src.b, sizeof(ip->src.b));
    memcpy(room + AT_DST, ip->dst.b, sizeof(ip->dst.b));
    if (fragment) { /* RFC 8200 section 4.5 */
        uint8_t *f = room + IPV6_HEADER;

        f[0] = ip->proto;
        f[1] = 0;
        put16(f + 2, (uint16_t)(ip->frag_off | ip->mf));
        put32(f + 4, ip->id);
    }
    return header_len;
}
