#include "ip/icmp.h"

#include <string.h>

#include "base/bytes.h"
#include "base/chunk.h"
#include "base/time.h"

enum {
    ERRORS_PER_SECOND = 100,
};

/* The message of a packet of ours, whose addresses and payload are in place. */
static void write_message(struct ip_out *o, uint8_t type, uint8_t code, uint32_t rest)
{
    o->l4_len = ICMP_HEADER;
    o->proto = addr_is_v4(&o->src) ? IP_PROTO_ICMP : IP_PROTO_ICMP6;
    if (addr_is_v4(&o->src))
        icmp_build(o->l4, type, code, rest, &o->data, 1);
    else
        icmp6_build(o->l4, &o->src, &o->dst, type, code, rest, &o->data, 1);
}

static enum reason echo_reply(struct ip_node *n, int64_t now, const struct ip_hdr *ip,
                              const struct icmp_hdr *icmp, struct slice message)
{
    struct slice asked = slice_sub(message, ICMP_HEADER, message.len - ICMP_HEADER), data;
    struct ip_out *o;

    if (!slice_keep(asked, n->small, 0, &data))
        return REASON_NO_BUFFER;
    o = ip_out_push(n);
    if (!o) {
        buf_unref(data.buf);
        return REASON_IP_OUT_FULL;
    }
    ip_out_answer(o, ip); /* RFC 1122 section 3.2.2.6 */
    ip_options_reflect(&o->options, ip, (uint32_t)(now / MSEC));
    o->tos = ip->tos & 0xfc;
    o->why = REASON_SEND_ECHO_REPLY;
    o->data = data;
    write_message(o, ip->version == 4 ? ICMP_ECHO_REPLY : ICMP6_ECHO_REPLY, 0, icmp->rest);
    return REASON_NONE;
}

/*
 * Is the quoted packet one that somebody of ours has sent and will hear of: a segment, a datagram,
 * or an echo request?
 */
static bool is_somebodys(const struct icmp_hdr *icmp)
{
    switch (icmp->quote.proto) {
    case IP_PROTO_TCP:
    case IP_PROTO_UDP:
        return true;
    case IP_PROTO_ICMP:
        return icmp->quote.version == 4 && icmp->quote_l4[0] == ICMP_ECHO;
    case IP_PROTO_ICMP6:
        return icmp->quote.version == 6 && icmp->quote_l4[0] == ICMP6_ECHO;
    default: /* a byte off the wire, not an enum */
        return false;
    }
}

/* What a packet says that was too big is for the path first, if TCP does not know better. */
static enum reason heed_size(struct ip_node *n, int64_t now, const struct ip_hdr *quote,
                             uint32_t mtu)
{
    enum reason why = pmtu_heed(&n->pmtu, now, quote, mtu);

    if (why == REASON_NONE)
        n->counts[REASON_ICMP_PMTU]++;
    return why;
}

/*
 * Whom does the quoted packet belong to? Ports stand in the first 4 bytes of TCP and UDP alike;
 * identifier and sequence number of an echo request in the next 4.
 */
static enum reason read_error(struct ip_node *n, int64_t now, const struct ip_hdr *ip,
                              const struct icmp_hdr *icmp, struct icmp_meaning meaning,
                              struct icmp_error *ret_error)
{
    const uint8_t *ports = icmp->quote_l4;
    uint32_t mtu = icmp->quote.version == 4 ? icmp->rest & 0xffff : icmp->rest;
    enum reason why = REASON_ICMP_QUOTE;

    if (!icmp->has_quote || !ip_is_local(n, &icmp->quote.src))
        return why;
    if (meaning.class == ICMP_TOO_BIG && icmp->quote.version == 6 && mtu < IPV6_MTU_MIN)
        return REASON_ICMP_MTU; /* RFC 8201 4-a: there is no such link */
    if (meaning.class == ICMP_TOO_BIG && icmp->quote.proto != IP_PROTO_TCP)
        why = heed_size(n, now, &icmp->quote, mtu);
    if (!is_somebodys(icmp))
        return why;
    if (icmp->quote.proto != IP_PROTO_TCP && icmp->quote.proto != IP_PROTO_UDP)
        ports += 4;
    *ret_error = (struct icmp_error){
        .meaning = meaning,
        .proto = icmp->quote.proto,
        .type = icmp->type,
        .code = icmp->code,
        .from = ip->src,
        .local = icmp->quote.src,
        .remote = ip_route_end(&icmp->quote),
        .local_port = get16(ports),
        .remote_port = get16(ports + 2),
        .seq = get32(icmp->quote_l4 + 4),
        .size = icmp->quote.total_len,
        .df = icmp->quote.df,
        .mtu = mtu,
    };
    return REASON_NONE;
}

static enum reason input4(struct ip_node *n, int64_t now, const struct ip_hdr *ip,
                          struct slice message, struct icmp_error *ret_error)
{
    struct icmp_hdr icmp;
    enum reason why = icmp_parse(message.base, message.len, &icmp);
    struct icmp_meaning meaning;

    if (why)
        return why;
    if (icmp.type == ICMP_ECHO)
        return echo_reply(n, now, ip, &icmp, message);
    meaning = icmp_meaning(icmp.type, icmp.code);
    if (meaning.class == ICMP_IGNORED)
        return meaning.why;
    return read_error(n, now, ip, &icmp, meaning, ret_error);
}

/* RFC 4443 section 4.2: who is asked answers. */
static enum reason input6(struct ip_node *n, int64_t now, const struct ip_hdr *ip,
                          struct slice message, struct icmp_error *ret_error)
{
    struct icmp_hdr icmp;
    enum reason why = icmp6_parse(ip, message.base, message.len, 0, &icmp);
    struct icmp_meaning meaning;

    if (why || (why = icmp6_unasked(icmp.type)))
        return why;
    if (icmp.type == ICMP6_ECHO)
        return echo_reply(n, now, ip, &icmp, message);
    meaning = icmp6_meaning(icmp.type, icmp.code);
    if (meaning.class == ICMP_IGNORED)
        return meaning.why;
    return read_error(n, now, ip, &icmp, meaning, ret_error);
}

enum reason icmp_input(struct ip_node *n, int64_t now, const struct ip_hdr *ip,
                       struct slice message, bool *ret_has_error, struct icmp_error *ret_error)
{
    enum reason why;

    ret_error->proto = 0; /* which stays so if there is none */
    why = ip->version == 4 ? input4(n, now, ip, message, ret_error)
                           : input6(n, now, ip, message, ret_error);
    *ret_has_error = why == REASON_NONE && ret_error->proto;
    return why;
}

static bool may_send_error(struct ip_node *n, int64_t now)
{
    if (now - n->errors_since >= SEC || n->errors_since == 0) {
        n->errors_since = now;
        n->errors_left = ERRORS_PER_SECOND;
    }
    if (n->errors_left == 0)
        return false;
    n->errors_left--;
    return true;
}

/* What an error says. */
struct saying {
    uint8_t type, code;
    uint32_t rest;
    enum reason why;
};

/*
 * May there be an error about this packet? Never about another error or a redirect, nor about what
 * may be one (RFC 1122 section 3.2.2, RFC 4443 section 2.4 e).
 */
static bool may_err_about(const struct ip_hdr *ip, struct slice packet)
{
    uint8_t type;

    if (ip->proto != IP_PROTO_ICMP && ip->proto != IP_PROTO_ICMP6)
        return true;
    if (packet.len <= ip->header_len || ip->frag_off != 0)
        return false;
    type = packet.base[ip->header_len];
    if (ip->version == 4)
        return type == ICMP_ECHO;
    return type >= ICMP6_ECHO && type != ICMP6_REDIRECT;
}

/*
 * How much of the packet is quoted: of IPv4 the header and 8 bytes behind it, as RFC 792 has it; of
 * IPv6 as much as can leave on any link (RFC 4443 section 2.4 c).
 */
static uint32_t quote_len(const struct ip_node *n, const struct ip_hdr *ip, struct slice packet)
{
    uint32_t mtu = ip->version == 4 ? n->mtu : (uint32_t)IPV6_MTU_MIN;
    uint32_t room = mtu - ip_header_len(&ip->src, 0) - ICMP_HEADER;
    uint32_t most = ip->version == 4 ? ip->header_len + (uint32_t)ICMP_QUOTE_MIN : ip->total_len;

    if (!packet.buf) /* it will have to be copied */
        room = min32(room, n->small->size);
    return min32(min32(packet.len, most), room);
}

/* An error about `packet`, whose header is `ip`. */
static void send_error(struct ip_node *n, int64_t now, const struct ip_hdr *ip, struct slice packet,
                       struct saying say)
{
    const struct addr *from = ip_is_local(n, &ip->dst) ? &ip->dst : ip_source_for(n, &ip->src);
    struct slice quote;
    struct ip_out *o;

    if (!from || !may_err_about(ip, packet) || !may_send_error(n, now))
        return;
    quote = slice_sub(packet, 0, quote_len(n, ip, packet));
    if (!slice_keep(quote, n->small, CHUNK_COPY_BREAK, &quote))
        return;
    o = ip_out_push(n);
    if (!o) {
        n->counts[REASON_IP_OUT_FULL]++;
        buf_unref(quote.buf);
        return;
    }
    o->src = *from;
    o->dst = ip->src;
    o->tos = ip->version == 4 ? 0xc0 : 0; /* RFC 1812 section 4.3.2.5: internetwork control */
    o->why = (uint16_t)say.why;
    o->data = quote;
    write_message(o, say.type, say.code, say.rest);
}

void icmp_send_unreachable(struct ip_node *n, int64_t now, const struct ip_hdr *ip,
                           struct slice packet, enum icmp_unreachable_code code)
{
    struct saying say = {ICMP_UNREACHABLE, (uint8_t)code, 0, REASON_SEND_UNREACHABLE};

    if (ip->version == 6) {
        say.type = ICMP6_UNREACHABLE;
        say.code = code == ICMP_UNREACH_PORT ? ICMP6_UNREACH_PORT : ICMP6_UNREACH_PROHIBITED;
    }
    if (ip->version == 6 && code == ICMP_UNREACH_PROTOCOL) /* RFC 8200 section 4 */
        say = (struct saying){ICMP6_PARAM_PROBLEM, ICMP6_PROBLEM_NEXT, ip->proto_at,
                              REASON_SEND_PARAM_PROBLEM};
    send_error(n, now, ip, packet, say);
}

void icmp_send_problem(struct ip_node *n, int64_t now, const struct ip_hdr *ip, struct slice packet,
                       const struct ip_problem *problem)
{
    struct saying say = {ICMP6_PARAM_PROBLEM, problem->code, problem->pointer,
                         REASON_SEND_PARAM_PROBLEM};

    if (ip->version == 4) { /* RFC 792: the pointer is the first byte */
        say.type = ICMP_PARAM_PROBLEM;
        say.rest = problem->pointer << 24;
    }
    send_error(n, now, ip, packet, say);
}

void icmp_send_fragment_timeout(struct ip_node *n, int64_t now, const struct ip_hdr *ip,
                                struct slice first)
{
    struct saying say = {ICMP_TIME_EXCEEDED, ICMP_EXCEEDED_REASSEMBLY, 0,
                         REASON_SEND_TIME_EXCEEDED};

    if (ip->version == 6)
        say.type = ICMP6_TIME_EXCEEDED;
    send_error(n, now, ip, first, say);
}
