/*
 * ICMP messages: bytes to a value and back.
 *
 * An error carries the beginning of the packet that it is about. Only if that quote reaches into
 * the transport header can anybody tell whose packet it was; so the quote is read here, once, with
 * every length checked, and has_quote says whether it can be used. The quote of a later fragment
 * cannot: what stands behind its IP header are bytes of payload, in which the sender of a forged
 * error could write any ports it likes.
 *
 * A message without a usable quote is still a legal message, and the floor above decides about it.
 */
#include "wire/icmp.h"

#include "base/bytes.h"
#include "wire/checksum.h"

static bool type_is_error(uint8_t type)
{
    switch (type) {
    case ICMP_UNREACHABLE:
    case ICMP_SOURCE_QUENCH:
    case ICMP_REDIRECT:
    case ICMP_TIME_EXCEEDED:
    case ICMP_PARAM_PROBLEM:
        return true;
    default: /* a byte off the wire, not an enum */
        return false;
    }
}

/*
 * What lies behind its total length is not of
 * the packet (padding, RFC 4884 extensions) and is left out.
 */
void icmp_read_quote(uint8_t version, const uint8_t *b, size_t len, struct icmp_hdr *icmp)
{
    size_t there, said;

    if (!ip_parse_quote(b, len, &icmp->quote) || icmp->quote.version != version)
        return;
    there = len - icmp->quote.header_len;
    if (there < ICMP_QUOTE_MIN || icmp->quote.frag_off != 0)
        return;
    icmp->has_quote = true;
    icmp->quote_l4 = b + icmp->quote.header_len;
    icmp->quote_l4_len = there;
    if (icmp->quote.total_len < icmp->quote.header_len + (uint32_t)ICMP_QUOTE_MIN)
        return; /* some routers rewrite it: take what is there */
    said = (size_t)icmp->quote.total_len - icmp->quote.header_len;
    if (said < there)
        icmp->quote_l4_len = said;
}

enum reason icmp_parse(const uint8_t *b, size_t len, struct icmp_hdr *ret_icmp)
{
    struct icmp_hdr icmp = {0};

    if (len < ICMP_HEADER)
        return REASON_ICMP_SHORT;
    if (checksum_residue(0, b, len) != 0)
        return REASON_ICMP_CHECKSUM;
    icmp.type = b[0];
    icmp.code = b[1];
    icmp.rest = get32(b + 4);
    icmp.is_error = type_is_error(icmp.type);
    if (icmp.is_error)
        icmp_read_quote(4, b + ICMP_HEADER, len - ICMP_HEADER, &icmp);
    *ret_icmp = icmp;
    return REASON_NONE;
}

void icmp_build(uint8_t room[ICMP_HEADER], uint8_t type, uint8_t code, uint32_t rest,
                const struct slice *payload, unsigned n)
{
    room[0] = type;
    room[1] = code;
    put16(room + 2, 0);
    put32(room + 4, rest);
    put16(room + 2, checksum_parts(checksum_add(0, room, ICMP_HEADER), payload, n));
}
