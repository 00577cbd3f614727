/*
 * ICMP messages and the packets that errors quote. What is found lies inside the message; the
 * message built again with the same contents parses to the same value.
 */
#include "tests/fuzz/wire.h"
#include "wire/icmp.h"

static void check_quote(const struct icmp_hdr *icmp, const uint8_t *b, size_t len)
{
    const struct ip_hdr *q = &icmp->quote;

    FUZZ_CHECK(icmp->is_error, "a message that is no error quotes a packet");
    FUZZ_CHECK(q->frag_off == 0, "the quote of a later fragment was taken");
    FUZZ_CHECK(q->header_len >= IPV4_HEADER_MIN && icmp->quote_l4_len >= ICMP_QUOTE_MIN,
               "a quote of %u and %zu bytes", q->header_len, icmp->quote_l4_len);
    FUZZ_CHECK(icmp->quote_l4 == b + ICMP_HEADER + q->header_len, "a quote that lies elsewhere");
    FUZZ_CHECK(ICMP_HEADER + q->header_len + icmp->quote_l4_len <= len, "a quote beyond the end");
}

static enum reason parse(const struct ip_hdr *ip, const uint8_t *b, size_t len,
                         struct icmp_hdr *ret_icmp)
{
    return ip->version == 6 ? icmp6_parse(ip, b, len, 0, ret_icmp) : icmp_parse(b, len, ret_icmp);
}

static void check_rebuilt(const struct ip_hdr *ip, const struct icmp_hdr *icmp, const uint8_t *b,
                          size_t len)
{
    uint8_t *again = wire_copy(b, len);
    struct slice inside = {NULL, b + ICMP_HEADER, (uint32_t)(len - ICMP_HEADER)};
    struct icmp_hdr back;
    enum reason why;

    if (ip->version == 6)
        icmp6_build(again, &ip->src, &ip->dst, icmp->type, icmp->code, icmp->rest, &inside, 1);
    else
        icmp_build(again, icmp->type, icmp->code, icmp->rest, &inside, 1);
    why = parse(ip, again, len, &back);
    FUZZ_CHECK(why == REASON_NONE, "what was built is refused: %s", reason_text(why)->sentence);
    FUZZ_CHECK(back.type == icmp->type && back.code == icmp->code && back.rest == icmp->rest,
               "another header");
    FUZZ_CHECK(back.is_error == icmp->is_error && back.has_quote == icmp->has_quote &&
                   back.quote_l4_len == icmp->quote_l4_len,
               "another quote");
    free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct script s = {data, size};
    unsigned repair = script_8(&s);
    uint8_t *b = wire_copy(s.b, s.len);
    bool v6 = repair & REPAIR_IPV6;
    struct ip_hdr ip = wire_ends(v6 ? IP_PROTO_ICMP6 : IP_PROTO_ICMP, repair);
    struct icmp_hdr icmp;
    enum reason why;

    if (repair & REPAIR_LENGTHS && s.len > ICMP_HEADER)
        wire_repair_ip(b + ICMP_HEADER, s.len - ICMP_HEADER, repair);
    if (repair & REPAIR_CHECKSUM)
        wire_repair_sum(b, s.len, 2,
                        v6 ? ip_pseudo_sum(&ip.src, &ip.dst, ip.proto, (uint32_t)s.len) : 0);
    why = parse(&ip, b, s.len, &icmp);
    if (why == REASON_NONE) {
        if (icmp.has_quote)
            check_quote(&icmp, b, s.len);
        check_rebuilt(&ip, &icmp, b, s.len);
    } else {
        wire_check_refusal(why);
    }
    free(b);
    return 0;
}
