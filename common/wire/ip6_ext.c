/*
 * The extension headers of an IPv6 packet (RFC 8200 section 4), walked in their order up to the
 * protocol behind them.
 *
 * A host takes them in any order and number (section 4.1), but for hop-by-hop options, which come
 * first or not at all. Nothing in them means anything to us, so the walk answers three questions:
 * is all of it there, may it be skipped, and if not, what is the sender to be told. The work is
 * bounded: so many headers, so many options in each (RFC 8504 section 5.3).
 *
 *   options        an unknown one says in its two highest bits what becomes of the packet (4.2):
 *                  00 skipped, 01 dropped, 10 dropped and answered, 11 answered unless it was for
 *                  many
 *   routing        passed if there is nowhere left to go, else dropped and answered; so type 0
 *                  leads nowhere (RFC 5095)
 *   fragment       what has to be put together ends the walk. One that is the whole packet is no
 *                  fragment (RFC 6946): the walk goes on.
 *
 * The first fragment of a packet must hold all of its headers (RFC 7112), so that whoever looks at
 * it sees what it is. Its walk goes on behind the fragment header to see whether that is so, and
 * what it finds there is judged when the packet is whole.
 */
#include "base/bytes.h"
#include "wire/ip6.h"

enum {
    OPTION_PAD1 = 0,
    OPTION_PADN = 1,
    OPTION_DROPS = 0xc0, /* any of these bits: the packet may not be taken without knowing it */
    OPTION_SILENT = 0x40,
    OPTION_NOT_FOR_MANY = 0xc0,
    FRAGMENT_MF = 1,
    FRAGMENT_OFF = 0xfff8, /* bytes */
};

struct walk {
    const uint8_t *b;
    size_t len;
    struct ip_hdr *ip;
    struct ip_problem *problem;
};

/* Is this the number of a header that the walk passes? */
static bool is_extension(uint8_t next)
{
    return next == IP6_HOP_BY_HOP || next == IP6_ROUTING || next == IP6_FRAGMENT ||
           next == IP6_DESTINATION;
}

static enum reason owe(struct walk *w, enum reason why, enum icmp6_problem_code code, size_t at)
{
    *w->problem = (struct ip_problem){
        .owed = true,
        .code = (uint8_t)code,
        .pointer = (uint32_t)at,
    };
    return why;
}

/* What becomes of a packet with this unknown option at b[at]. */
static enum reason judge_option(struct walk *w, size_t at)
{
    uint8_t bits = w->b[at] & OPTION_DROPS;

    if (bits == 0)
        return REASON_NONE;
    if (bits == OPTION_SILENT)
        return REASON_IP6_OPTION;
    (void)owe(w, REASON_IP6_OPTION, ICMP6_PROBLEM_OPTION, at);
    w->problem->multicast_too = bits != OPTION_NOT_FOR_MANY;
    return REASON_IP6_OPTION;
}

/* The options of the header b[from..end), which is whole. */
static enum reason walk_options(struct walk *w, size_t from, size_t end)
{
    unsigned options = 0;

    for (size_t at = from + 2; at < end;) {
        enum reason why = REASON_NONE;
        size_t len;

        if (w->b[at] == OPTION_PAD1) {
            at++;
            continue;
        }
        len = end - at < 2 ? SIZE_MAX : 2 + (size_t)w->b[at + 1];
        if (len > end - at)
            return REASON_IP6_OPTION_LENGTH;
        if (w->b[at] != OPTION_PADN) {
            if (++options > IP6_OPTIONS_MAX)
                return REASON_IP6_OPTION_LENGTH;
            why = judge_option(w, at);
        }
        if (why)
            return why;
        at += len;
    }
    return REASON_NONE;
}

/* RFC 8200 section 4.4, RFC 5095 section 3 */
static enum reason walk_routing(struct walk *w, size_t from)
{
    if (w->b[from + 3] == 0)
        return REASON_NONE;
    return owe(w, REASON_IP6_ROUTING, ICMP6_PROBLEM_FIELD, from + 2);
}

/* RFC 8200 section 4.5 */
static enum reason read_fragment(struct walk *w, size_t from)
{
    uint16_t word = get16(w->b + from + 2);

    if (w->ip->frag_at)
        return REASON_IP6_CHAIN;
    w->ip->frag_at = (uint16_t)from;
    w->ip->frag_off = word & FRAGMENT_OFF;
    w->ip->mf = word & FRAGMENT_MF;
    w->ip->id = get32(w->b + from + 4);
    return REASON_NONE;
}

/*
 * Pass the extension header that comes next: its length first, then, with `judge`, what stands in
 * it.
 */
static enum reason pass(struct walk *w, bool judge)
{
    struct ip_hdr *ip = w->ip;
    size_t from = ip->header_len, left = w->len - from, len;
    uint8_t kind = ip->proto;
    enum reason why = REASON_NONE;

    if (left < 8)
        return REASON_IP6_CHAIN;
    len = kind == IP6_FRAGMENT ? (size_t)IPV6_FRAGMENT_HEADER : 8 * (1 + (size_t)w->b[from + 1]);
    if (len > left)
        return REASON_IP6_CHAIN;
    if (kind == IP6_FRAGMENT)
        why = read_fragment(w, from);
    else if (judge && kind == IP6_ROUTING)
        why = walk_routing(w, from);
    else if (judge)
        why = walk_options(w, from, from + len);
    ip->proto = w->b[from];
    ip->proto_at = (uint16_t)from;
    ip->header_len = (uint16_t)(from + len);
    return why;
}

/* Bytes that the header of a protocol has at least. */
static size_t upper_header(uint8_t proto)
{
    switch (proto) {
    case IP_PROTO_TCP:
        return 20;
    case IP_PROTO_UDP:
    case IP_PROTO_ICMP6:
        return 8;
    default: /* a byte off the wire, not an enum */
        return 0;
    }
}

/*
 * Are all headers of the packet in its first fragment, of which w->ip tells the beginning? And is
 * the packet one, not a fragment itself? Nobody takes apart what is a part already.
 */
static enum reason check_first(struct walk *w)
{
    struct ip_hdr rest = *w->ip;
    struct ip_problem none;
    struct walk ahead = {w->b, w->len, &rest, &none};

    for (unsigned n = 0; n < IP6_HEADERS_MAX && is_extension(rest.proto); n++) {
        if (rest.proto == IP6_FRAGMENT)
            return REASON_IP6_CHAIN;
        if (pass(&ahead, false))
            break;
    }
    if (!is_extension(rest.proto) && w->len - rest.header_len >= upper_header(rest.proto))
        return REASON_NONE;
    return owe(w, REASON_IP6_FIRST_FRAGMENT, ICMP6_PROBLEM_CHAIN, 0);
}

void ip6_skip(const uint8_t *b, size_t len, struct ip_hdr *ip)
{
    struct ip_problem none;
    struct walk w = {b, len, ip, &none};

    for (unsigned n = 0; n < IP6_HEADERS_MAX && is_extension(ip->proto) && !ip->frag_off; n++)
        if (pass(&w, false))
            break;
}

enum reason ip6_walk(const uint8_t *b, size_t len, struct ip_hdr *ip, struct ip_problem *problem)
{
    struct walk w = {b, len, ip, problem};
    enum reason why;

    for (unsigned n = 0; is_extension(ip->proto); n++) {
        if (n == IP6_HEADERS_MAX)
            return REASON_IP6_CHAIN;
        if (n > 0 && ip->proto == IP6_HOP_BY_HOP)
            return owe(&w, REASON_IP6_HOP_BY_HOP, ICMP6_PROBLEM_NEXT, ip->proto_at);
        why = pass(&w, true);
        if (why)
            return why;
        if (ip_is_fragment(ip))
            return ip->frag_off == 0 ? check_first(&w) : REASON_NONE;
    }
    return REASON_NONE;
}
