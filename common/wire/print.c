/*
 * The line of a packet: version, addresses, and then whatever protocol is inside.
 *
 * What is printed is read from the bytes, not from the values that the parsers make, because a
 * malformed packet deserves a line too, and because options are printed in the order in which they
 * stand. The parsers are asked for one thing only: whether a node would take the packet, and if
 * not, why.
 */
#include "wire/print.h"

#include "base/bytes.h"
#include "wire/print_parts.h"
#include "wire/udp.h"

void print_addrs(struct text *t, const struct ip_hdr *ip)
{
    char src[ADDR_TEXT_MAX], dst[ADDR_TEXT_MAX];

    text_add(t, "%s > %s: ", addr_format(&ip->src, src), addr_format(&ip->dst, dst));
}

void print_ports(struct text *t, const struct print_body *body)
{
    char src[ADDR_TEXT_MAX], dst[ADDR_TEXT_MAX];
    unsigned sport = get16(body->b), dport = get16(body->b + 2);

    if (body->extended)
        text_add(t, "%u > %u: ", sport, dport);
    else
        text_add(t, "%s.%u > %s.%u: ", addr_format(&body->ip->src, src), sport,
                 addr_format(&body->ip->dst, dst), dport);
}

enum reason print_udp(struct text *t, const struct print_body *body)
{
    struct udp_hdr udp;
    unsigned said;

    if (body->len < UDP_HEADER) {
        if (!body->extended)
            print_addrs(t, body->ip);
        text_add(t, "UDP, %zu bytes", body->len);
        return REASON_UDP_LENGTH;
    }
    print_ports(t, body);
    said = get16(body->b + 4);
    text_add(t, "UDP, length %u", said < UDP_HEADER ? 0 : said - UDP_HEADER);
    return body->fragment ? REASON_NONE
                          : udp_parse(body->ip, body->b, body->len, body->marks, &udp);
}

/* What stands behind a header of either version. */
enum reason print_body(struct text *t, struct print_flows *flows, const struct print_body *body,
                       uint8_t proto)
{
    if (proto == IP_PROTO_TCP)
        return print_tcp(t, flows, body);
    if (proto == IP_PROTO_UDP)
        return print_udp(t, body);
    if (!body->extended)
        print_addrs(t, body->ip);
    if (proto == IP_PROTO_ICMP && body->ip->version == 4)
        return print_icmp(t, body);
    if (proto == IP_PROTO_ICMP6 && body->ip->version == 6)
        return print_icmp6(t, body);
    if (proto == IP6_NONE && body->ip->version == 6)
        text_add(t, "no next header");
    else
        text_add(t, " ip-proto-%u %zu", proto, body->len);
    return REASON_NONE;
}

/* Print an IPv4 packet, or as much of one as there is; returns the reason for the drop. */
static enum reason print_ip4(struct text *t, struct print_flows *flows, const uint8_t *b,
                             size_t len, uint16_t marks)
{
    struct print_body body = {.marks = marks};
    struct ip_hdr ip;
    enum reason why = ip_parse(b, len, &ip), inside;
    char src[ADDR_TEXT_MAX], dst[ADDR_TEXT_MAX];

    if (why != REASON_NONE && !ip_parse_quote(b, len, &ip)) {
        text_add(t, "IP, %zu bytes", len);
        return why;
    }
    text_add(t, "IP ");
    if (ip.total_len < ip.header_len || ip.total_len > len) {
        print_addrs(t, &ip);
        text_add(t, "%zu bytes, %u said", len, ip.total_len);
        return why;
    }
    if (ip.frag_off != 0) {
        text_add(t, "%s > %s: ip-proto-%u", addr_format(&ip.src, src), addr_format(&ip.dst, dst),
                 ip.proto);
        return why;
    }
    body.ip = &ip;
    body.b = b + ip.header_len;
    body.len = (size_t)ip.total_len - ip.header_len;
    body.fragment = ip.mf;
    inside = print_body(t, flows, &body, ip.proto);
    return why != REASON_NONE ? why : inside;
}

size_t print_packet(struct print_flows *flows, const uint8_t *b, size_t len, uint16_t marks,
                    char *out, size_t size)
{
    struct text t;
    enum reason why;

    text_init(&t, out, size);
    if (len > 0 && b[0] >> 4 == 6)
        why = print_ip6(&t, flows, b, len, marks);
    else
        why = print_ip4(&t, flows, b, len, marks);
    if (why != REASON_NONE)
        text_add(&t, " [bad: %s]", reason_text(why)->sentence);
    return t.len;
}

size_t print_hex(const uint8_t *b, size_t len, size_t offset, char out[PRINT_HEX_MAX])
{
    size_t n = len - offset;
    struct text t;

    text_init(&t, out, PRINT_HEX_MAX);
    if (offset >= len)
        return 0;
    if (n > PRINT_HEX_ROW)
        n = PRINT_HEX_ROW;
    text_add(&t, "\t0x%04zx:  ", offset);
    for (size_t i = 0; i < PRINT_HEX_ROW; i++) {
        if (i < n)
            text_add(&t, "%02x", b[offset + i]);
        else
            text_add(&t, "  ");
        if (i % 2 == 1)
            text_add(&t, " ");
    }
    text_add(&t, " ");
    for (size_t i = 0; i < n; i++) {
        uint8_t c = b[offset + i];

        text_add(&t, "%c", c > 0x20 && c < 0x7f ? c : '.');
    }
    return t.len;
}
