/*
 * The IP header. What ip_parse takes lies inside the packet, reads the same as a quote, and is
 * built again into a header that parses to the same value.
 */
#include "tests/fuzz/wire.h"

static void check_inside6(const struct ip_hdr *ip, size_t len)
{
    FUZZ_CHECK(ip->header_len >= IPV6_HEADER && ip->header_len <= ip->total_len &&
                   ip->total_len <= len,
               "%u of %u of %zu bytes", ip->header_len, ip->total_len, len);
    FUZZ_CHECK(!addr_is_v4(&ip->src) && !addr_is_v4(&ip->dst), "an address that is IPv4's");
    FUZZ_CHECK(ip->proto_at < ip->header_len && ip->flow <= IPV6_FLOW_MAX, "%u at %u, flow %x",
               ip->proto, ip->proto_at, ip->flow);
    FUZZ_CHECK(ip->frag_at == 0 || (ip->frag_at >= IPV6_HEADER &&
                                    ip->frag_at + IPV6_FRAGMENT_HEADER <= ip->header_len),
               "a fragment header at %u", ip->frag_at);
    FUZZ_CHECK(!ip_is_fragment(ip) || ip->frag_at + IPV6_FRAGMENT_HEADER == ip->header_len,
               "a fragment's header of %u bytes", ip->header_len);
}

static void check_inside(const struct ip_hdr *ip, const uint8_t *b, size_t len)
{
    if (ip->version == 6) {
        check_inside6(ip, len);
        return;
    }
    FUZZ_CHECK(ip->version == 4, "version %u", ip->version);
    FUZZ_CHECK(ip->header_len >= IPV4_HEADER_MIN && ip->header_len <= IPV4_HEADER_MAX,
               "a header of %u bytes", ip->header_len);
    FUZZ_CHECK(ip->header_len <= ip->total_len && ip->total_len <= len, "%u of %u of %zu bytes",
               ip->header_len, ip->total_len, len);
    FUZZ_CHECK(ip->options_len == ip->header_len - IPV4_HEADER_MIN, "options of %u bytes",
               ip->options_len);
    FUZZ_CHECK(ip->options == b + IPV4_HEADER_MIN, "options that lie elsewhere");
    FUZZ_CHECK(wire_options_fit(ip->options, ip->options_len), "an option beyond the header");
    FUZZ_CHECK(addr_is_v4(&ip->src) && addr_is_v4(&ip->dst), "an address that is not IPv4");
}

static void check_same(const struct ip_hdr *a, const struct ip_hdr *b)
{
    FUZZ_CHECK(addr_eq(&a->src, &b->src) && addr_eq(&a->dst, &b->dst), "other addresses");
    FUZZ_CHECK(a->tos == b->tos && a->ttl == b->ttl && a->proto == b->proto && a->id == b->id,
               "another TOS, TTL, protocol or identification");
    FUZZ_CHECK(a->flow == b->flow && a->version == b->version, "another flow or version");
    FUZZ_CHECK(a->df == b->df && a->mf == b->mf && a->frag_off == b->frag_off, "another fragment");
    FUZZ_CHECK(a->header_len == b->header_len && a->total_len == b->total_len, "other lengths");
    FUZZ_CHECK(a->options_len == b->options_len &&
                   (!a->options_len || memcmp(a->options, b->options, a->options_len) == 0),
               "other options");
}

static void check_rebuilt(const struct ip_hdr *ip, const uint8_t *b)
{
    uint8_t *again = wire_copy(b, ip->total_len);
    struct ip_hdr back;
    enum reason why;
    size_t n;

    if (ip->header_len != ip_build_len(ip)) { /* we build no other extension headers */
        free(again);
        return;
    }
    memset(again, 0xdb, ip->header_len);
    n = ip_build(again, ip, (size_t)ip->total_len - ip->header_len);
    FUZZ_CHECK(n == ip->header_len, "built %zu bytes, not %u", n, ip->header_len);
    why = ip_parse(again, ip->total_len, &back);
    FUZZ_CHECK(why == REASON_NONE, "what was built is refused: %s", reason_text(why)->sentence);
    check_same(ip, &back);
    if (ip->version == 4) {
        again[6] |= b[6] & 0x80;       /* a bit that means nothing */
        memcpy(again + 10, b + 10, 2); /* of zero there are two forms */
    } else if (ip->header_len > IPV6_HEADER) {
        again[IPV6_HEADER + 1] = b[IPV6_HEADER + 1];
        again[IPV6_HEADER + 3] |= b[IPV6_HEADER + 3] & 6;
    }
    FUZZ_CHECK(memcmp(again, b, ip->header_len) == 0, "built another header");
    free(again);
}

/* What is owed for a refusal points into the packet. */
static void check_owed(const uint8_t *b, size_t len)
{
    struct ip_hdr ip;
    struct ip_problem owed = ip_problem(b, len, &ip);

    if (owed.owed)
        FUZZ_CHECK(ip.total_len <= len &&
                       owed.pointer < (ip.version == 6 ? ip.total_len : ip.header_len),
                   "byte %u of %u of %zu", owed.pointer, ip.total_len, len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct script s = {data, size};
    unsigned repair = script_8(&s);
    uint8_t *b = wire_copy(s.b, s.len);
    struct ip_hdr ip, quote;
    enum reason why;

    wire_repair_ip(b, s.len, repair);
    why = ip_parse(b, s.len, &ip);
    if (why == REASON_NONE) {
        check_inside(&ip, b, s.len);
        FUZZ_CHECK(ip_parse_quote(b, s.len, &quote), "a good header is no good quote");
        check_same(&ip, &quote);
        check_rebuilt(&ip, b);
    } else {
        wire_check_refusal(why);
        check_owed(b, s.len);
        if (ip_parse_quote(b, s.len, &quote))
            FUZZ_CHECK(quote.header_len >= IPV4_HEADER_MIN && quote.header_len <= s.len,
                       "a quoted header of %u bytes in %zu", quote.header_len, s.len);
    }
    free(b);
    return 0;
}
