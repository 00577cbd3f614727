#include "ip/icmp.h"

#include <string.h>

#include "base/bytes.h"
#include "base/time.h"

enum {
    ERRORS_PER_SECOND = 100,
};

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
    o->proto = IP_PROTO_ICMP;
    o->tos = ip->tos & 0xfc;
    o->why = REASON_SEND_ECHO_REPLY;
    o->data = data;
    o->l4_len = ICMP_HEADER;
    icmp_build(o->l4, ICMP_ECHO_REPLY, 0, icmp->rest, &data, 1);
    return REASON_NONE;
}

/* Whom does the quoted packet belong to? Ports stand in the first 4 bytes of TCP and UDP alike. */
static enum reason read_error(struct ip_node *n, const struct icmp_hdr *icmp,
                              struct icmp_error *ret_error)
{
    uint8_t proto = icmp->quote.proto;

    if (!icmp->has_quote || !ip_is_local(n, &icmp->quote.src))
        return REASON_ICMP_QUOTE;
    if (proto != IP_PROTO_TCP && proto != IP_PROTO_UDP)
        return REASON_ICMP_QUOTE;
    *ret_error = (struct icmp_error){
        .meaning = icmp_meaning(icmp->type, icmp->code),
        .proto = proto,
        .local = icmp->quote.src,
        .remote = ip_route_end(&icmp->quote),
        .local_port = get16(icmp->quote_l4),
        .remote_port = get16(icmp->quote_l4 + 2),
        .seq = get32(icmp->quote_l4 + 4),
        .size = icmp->quote.total_len,
        .df = icmp->quote.df,
        .mtu = icmp->rest & 0xffff,
    };
    return REASON_NONE;
}

enum reason icmp_input(struct ip_node *n, int64_t now, const struct ip_hdr *ip,
                       struct slice message, bool *ret_has_error, struct icmp_error *ret_error)
{
    struct icmp_hdr icmp;
    enum reason why = icmp_parse(message.base, message.len, &icmp);
    struct icmp_meaning meaning;

    *ret_has_error = false;
    if (why)
        return why;
    if (icmp.type == ICMP_ECHO)
        return echo_reply(n, now, ip, &icmp, message);
    meaning = icmp_meaning(icmp.type, icmp.code);
    if (meaning.class == ICMP_IGNORED)
        return meaning.why;
    why = read_error(n, &icmp, ret_error);
    *ret_has_error = why == REASON_NONE;
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

/*
 * May there be an error about this packet? Never about another error (RFC 1122 section 3.2.2), nor
 * about an ICMP message that may be one; a request to echo is none.
 */
static bool may_err_about(const struct ip_hdr *ip, struct slice packet)
{
    return ip->proto != IP_PROTO_ICMP ||
           (packet.len > ip->header_len && packet.base[ip->header_len] == ICMP_ECHO);
}

/* An error about `packet`, whose header is `ip`. */
static void send_error(struct ip_node *n, int64_t now, const struct ip_hdr *ip, struct slice packet,
                       enum icmp_type type, uint8_t code, enum reason why)
{
    /* the quote: the header and 8 bytes behind it, as RFC 792 has it, and no more than can leave */
    uint32_t room = n->mtu - IPV4_HEADER_MIN - ICMP_HEADER;
    uint32_t quote_len = min32(min32(packet.len, ip->header_len + ICMP_QUOTE_MIN), room);
    struct slice quote;
    struct ip_out *o;

    if (!may_err_about(ip, packet) || !may_send_error(n, now))
        return;
    if (!slice_keep(slice_sub(packet, 0, quote_len), n->small, quote_len, &quote))
        return;
    o = ip_out_push(n);
    if (!o) {
        n->counts[REASON_IP_OUT_FULL]++;
        buf_unref(quote.buf);
        return;
    }
    o->src = ip->dst;
    o->dst = ip->src;
    o->proto = IP_PROTO_ICMP;
    o->tos = 0xc0; /* RFC 1812 section 4.3.2.5: internetwork control */
    o->why = (uint16_t)why;
    o->data = quote;
    o->l4_len = ICMP_HEADER;
    icmp_build(o->l4, (uint8_t)type, code, 0, &quote, 1);
}

void icmp_send_unreachable(struct ip_node *n, int64_t now, const struct ip_hdr *ip,
                           struct slice packet, enum icmp_unreachable_code code)
{
    send_error(n, now, ip, packet, ICMP_UNREACHABLE, (uint8_t)code, REASON_SEND_UNREACHABLE);
}

void icmp_send_fragment_timeout(struct ip_node *n, int64_t now, const struct ip_hdr *ip,
                                struct slice first)
{
    send_error(n, now, ip, first, ICMP_TIME_EXCEEDED, ICMP_EXCEEDED_REASSEMBLY,
               REASON_SEND_TIME_EXCEEDED);
}
