/*
 * The IP header: bytes to a legal value and back. Here IPv4 (RFC 791 section 3.1).
 *
 * Two readers share one reading of the fields. ip_parse is for a packet that has arrived: it
 * refuses, with a reason, everything that RFC 1122 section 3.2.1 wants discarded, so that nobody
 * above has to look again. A TTL that has come to 0 is nothing of that: it says how far a packet
 * may go on, and this one has arrived (RFC 1122 3.2.1.7-b). ip_parse_quote is for the copy of one
 * of our packets inside an ICMP error, which routers have cut, counted down and rewritten on the
 * way: it asks only what is needed to find the fields.
 *
 * Whether an address may be a source or is ours is not a question of the header; the IP floor asks
 * it.
 *
 * IPv6 is in a file of its own, and its functions are called here by the version.
 */
#include "wire/ip.h"

#include <assert.h>

#include "base/bytes.h"
#include "wire/checksum.h"
#include "wire/ip6.h"
#include "wire/sum.h"

enum {
    FLAG_DF = 0x4000,
    FLAG_MF = 0x2000,
    FRAG_MASK = 0x1fff,                   /* in units of 8 bytes */
    PLAIN = 4 << 4 | IPV4_HEADER_MIN / 4, /* what a header without options begins with */
};

/* Read the fields of the header at b, whose length the caller has checked. */
static inline void read_fields(const uint8_t *b, uint16_t header_len, struct ip_hdr *ret_ip)
{
    uint16_t frag = get16(b + 6);

    *ret_ip = (struct ip_hdr){
        .src = addr_v4_bytes(b + 12),
        .dst = addr_v4_bytes(b + 16),
        .version = 4,
        .tos = b[1],
        .ttl = b[8],
        .proto = b[9],
        .id = get16(b + 4),
        .df = frag & FLAG_DF,
        .mf = frag & FLAG_MF,
        .frag_off = (uint16_t)((frag & FRAG_MASK) * IPV4_FRAG_UNIT),
        .header_len = header_len,
        .total_len = get16(b + 2),
        .options = b + IPV4_HEADER_MIN,
        .options_len = (uint8_t)(header_len - IPV4_HEADER_MIN),
    };
}

/* Is there a whole header of a version that we speak, and are the lengths in it true? */
static enum reason check_lengths(const uint8_t *b, size_t len)
{
    size_t header_len, total_len;

    if (len < IPV4_HEADER_MIN)
        return REASON_IP_EMPTY;
    if (b[0] >> 4 != 4)
        return REASON_IP_VERSION;
    header_len = (size_t)(b[0] & 0x0f) * 4;
    if (header_len < IPV4_HEADER_MIN || header_len > len)
        return REASON_IP_HEADER_LENGTH;
    total_len = get16(b + 2);
    if (total_len < header_len || total_len > len)
        return REASON_IP_TOTAL_LENGTH;
    return REASON_NONE;
}

/* A header of any length. */
static enum reason parse_any4(const uint8_t *b, size_t len, struct ip_hdr *ret_ip)
{
    enum reason why = check_lengths(b, len);
    struct ip_option_places at;
    size_t header_len;

    if (why != REASON_NONE)
        return why;
    header_len = (size_t)(b[0] & 0x0f) * 4;
    if (checksum_finish(checksum_header(0, b, header_len)) != 0)
        return REASON_IP_CHECKSUM;
    why = ip_options_walk(b + IPV4_HEADER_MIN, header_len - IPV4_HEADER_MIN, &at);
    if (why != REASON_NONE)
        return why;
    read_fields(b, (uint16_t)header_len, ret_ip);
    ret_ip->at = at;
    return REASON_NONE;
}

/* Nearly all headers have no options: of those only the length and the sum can be wrong. */
static enum reason parse_plain4(const uint8_t *b, size_t len, struct ip_hdr *ret_ip)
{
    size_t total_len = get16(b + 2);

    if (total_len < IPV4_HEADER_MIN || total_len > len)
        return REASON_IP_TOTAL_LENGTH;
    if (!checksum_plain_good(b))
        return REASON_IP_CHECKSUM;
    read_fields(b, IPV4_HEADER_MIN, ret_ip);
    return REASON_NONE;
}

static bool is_v6(const uint8_t *b, size_t len)
{
    return len > 0 && b[0] >> 4 == 6;
}

enum reason ip_parse(const uint8_t *b, size_t len, struct ip_hdr *ret_ip)
{
    struct ip_problem problem;

    if (len >= IPV4_HEADER_MIN && b[0] == PLAIN)
        return parse_plain4(b, len, ret_ip);
    return is_v6(b, len) ? ip6_parse(b, len, ret_ip, &problem) : parse_any4(b, len, ret_ip);
}

/*
 * RFC 1122 3.2.2.5-a: options that make no sense are told, once for each packet: nobody is told
 * about a fragment other than the first (RFC 1122 section 3.2.2).
 */
static struct ip_problem problem4(const uint8_t *b, size_t len, struct ip_hdr *ret_ip)
{
    struct ip_problem problem = {0};
    struct ip_option_places at;
    struct ip_hdr ip;

    if (check_lengths(b, len))
        return problem;
    read_fields(b, (uint16_t)((b[0] & 0x0f) * 4), &ip);
    if (ip.frag_off || checksum_residue(0, b, ip.header_len) != 0 ||
        ip_options_walk(ip.options, ip.options_len, &at) == REASON_NONE)
        return problem;
    *ret_ip = ip;
    problem.owed = true;
    problem.pointer = IPV4_HEADER_MIN + (uint32_t)ip_options_wrong(ip.options, ip.options_len);
    return problem;
}

struct ip_problem ip_problem(const uint8_t *b, size_t len, struct ip_hdr *ret_ip)
{
    struct ip_problem problem = {0};
    struct ip_hdr ip;

    if (!is_v6(b, len))
        return problem4(b, len, ret_ip);
    if (ip6_parse(b, len, &ip, &problem) && problem.owed) {
        ip6_read_fixed(b, ret_ip);
        ip6_skip(b, ret_ip->total_len, ret_ip);
    }
    return problem;
}

bool ip_parse_quote(const uint8_t *b, size_t len, struct ip_hdr *ret_ip)
{
    size_t header_len;

    if (is_v6(b, len))
        return ip6_parse_quote(b, len, ret_ip);
    if (len < IPV4_HEADER_MIN || b[0] >> 4 != 4)
        return false;
    header_len = (size_t)(b[0] & 0x0f) * 4;
    if (header_len < IPV4_HEADER_MIN || header_len > len)
        return false;
    read_fields(b, (uint16_t)header_len, ret_ip);
    (void)ip_options_walk(ret_ip->options, ret_ip->options_len, &ret_ip->at);
    return true;
}

/*
 * The words of a header, which are summed up on their way into it, and the checksum over them and
 * the options behind them, of which `sum` is the sum.
 */
static inline void put4(uint8_t *room, uint32_t first, uint32_t second, uint32_t third,
                        const struct addr *src, const struct addr *dst, uint32_t sum)
{
    uint64_t words = sum_put32(room, first) + sum_put32(room + 4, second) +
                     sum_put32(room + 8, third) + sum_copy4(room + 12, src->b + ADDR_V4_AT) +
                     sum_copy4(room + 16, dst->b + ADDR_V4_AT);

    put16(room + 10, checksum_finish(sum + sum_network(words)));
}

/* Version and length of the header, type of service and length of the packet. */
static inline uint32_t first4(uint32_t header_len, uint8_t tos, size_t payload_len)
{
    assert(payload_len <= IPV4_PACKET_MAX - header_len);
    return (4 << 4 | header_len / 4) << 24 | (uint32_t)tos << 16 |
           (uint16_t)(header_len + payload_len);
}

/* TTL and protocol; the checksum field is zero. */
static inline uint32_t third4(uint8_t ttl, uint8_t proto)
{
    return (uint32_t)ttl << 24 | (uint32_t)proto << 16;
}

static size_t build4(uint8_t *room, const struct ip_hdr *ip, size_t payload_len)
{
    uint32_t header_len = IPV4_HEADER_MIN + (uint32_t)ip->options_len;
    uint32_t second = ip->id << 16 | (ip->df ? FLAG_DF : 0) | (ip->mf ? FLAG_MF : 0) |
                      ip->frag_off / IPV4_FRAG_UNIT;
    uint32_t sum = 0;

    assert(ip->version == 4 && ip->frag_off % IPV4_FRAG_UNIT == 0);
    assert(ip->options_len <= IPV4_OPTIONS_MAX && ip->options_len % 4 == 0);
    assert(addr_is_v4(&ip->src) && addr_is_v4(&ip->dst));
    if (ip->options_len > 0) {
        memcpy(room + IPV4_HEADER_MIN, ip->options, ip->options_len);
        sum = checksum_header(0, ip->options, ip->options_len);
    }
    put4(room, first4(header_len, ip->tos, payload_len), second, third4(ip->ttl, ip->proto),
         &ip->src, &ip->dst, sum);
    return header_len;
}

void ip_build_plain4(uint8_t *room, const struct addr *src, const struct addr *dst, uint8_t proto,
                     uint8_t tos, uint8_t ttl, size_t payload_len)
{
    put4(room, first4(IPV4_HEADER_MIN, tos, payload_len), FLAG_DF, third4(ttl, proto), src, dst, 0);
}

size_t ip_build_len(const struct ip_hdr *ip)
{
    if (ip->version == 6)
        return IPV6_HEADER + (ip_is_fragment(ip) ? (size_t)IPV6_FRAGMENT_HEADER : 0);
    return IPV4_HEADER_MIN + (size_t)ip->options_len;
}

size_t ip_build(uint8_t *room, const struct ip_hdr *ip, size_t payload_len)
{
    return ip->version == 6 ? ip6_build(room, ip, payload_len) : build4(room, ip, payload_len);
}
