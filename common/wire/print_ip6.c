/*
 * IPv6 packets as text: the fixed header, and a word for each extension header before what is
 * behind them.
 *
 * The words are read here, from the bytes, one header after the other, for as far as they are
 * whole; whether a node takes the packet is asked of the parser.
 */
#include "base/bytes.h"
#include "wire/ip6.h"
#include "wire/print_parts.h"

/* Walk over extension headers that are whole, and print them. */
struct parts {
    const uint8_t *b;
    size_t len;
    uint8_t next;
    bool fragment, later; /* a first fragment, or one behind it */
};

static void print_fragment(struct text *t, struct parts *p)
{
    uint16_t word = get16(p->b + 2);

    p->later = word >> 3 != 0;
    p->fragment = word & 1;
    text_add(t, "frag (%u|%zu)%s", word & 0xfff8, p->len - IPV6_FRAGMENT_HEADER,
             p->later ? "" : " ");
}

/* The routing header b[0..len), with the addresses that one of type 0 has. */
static void print_routing(struct text *t, const uint8_t *b, size_t len)
{
    text_add(t, "RT6 (len=%u, type=%u, segleft=%u", b[1], b[2], b[3]);
    for (size_t at = 8; b[2] == 0 && len - at >= 16; at += 16) {
        char hop[ADDR_TEXT_MAX];
        struct addr a;

        memcpy(a.b, b + at, sizeof(a.b));
        text_add(t, ", [%zu]%s", at / 16, addr_format(&a, hop));
    }
    text_add(t, ") ");
}

/* Is there one more that is whole? Then it is printed and passed. */
static bool print_extension(struct text *t, struct parts *p)
{
    size_t size = p->len < 8 ? SIZE_MAX : 8 + 8 * (size_t)p->b[1];

    if (p->next == IP6_FRAGMENT && p->len >= IPV6_FRAGMENT_HEADER)
        size = IPV6_FRAGMENT_HEADER;
    if (size > p->len || p->later)
        return false;
    if (p->next == IP6_HOP_BY_HOP)
        text_add(t, "HBH ");
    else if (p->next == IP6_DESTINATION)
        text_add(t, "DSTOPT ");
    else if (p->next == IP6_ROUTING)
        print_routing(t, p->b, size);
    else if (p->next == IP6_FRAGMENT)
        print_fragment(t, p);
    else
        return false;
    p->next = p->b[0];
    p->b += size;
    p->len -= size;
    return true;
}

static bool is_extension(uint8_t next)
{
    return next == IP6_HOP_BY_HOP || next == IP6_DESTINATION || next == IP6_ROUTING ||
           next == IP6_FRAGMENT;
}

enum reason print_ip6(struct text *t, struct print_flows *flows, const uint8_t *b, size_t len,
                      uint16_t marks)
{
    struct ip_hdr ip, fixed;
    struct print_body body = {.ip = &fixed, .marks = marks};
    struct parts p;
    enum reason why = ip_parse(b, len, &ip), inside;

    if (len < IPV6_HEADER) {
        text_add(t, "IP6, %zu bytes", len);
        return why;
    }
    ip6_read_fixed(b, &fixed);
    text_add(t, "IP6 ");
    if (fixed.total_len > len) {
        print_addrs(t, &fixed);
        text_add(t, "%zu bytes, %u said", len, fixed.total_len);
        return why;
    }
    p = (struct parts){b + IPV6_HEADER, fixed.total_len - IPV6_HEADER, fixed.proto, false, false};
    if (is_extension(p.next)) {
        print_addrs(t, &fixed);
        body.extended = true;
    }
    while (print_extension(t, &p))
        continue;
    if (p.later)
        return why;
    body.b = p.b;
    body.len = p.len;
    body.fragment = p.fragment;
    inside = print_body(t, flows, &body, p.next);
    return why != REASON_NONE ? why : inside;
}
