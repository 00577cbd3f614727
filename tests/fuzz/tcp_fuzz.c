/*
 * The TCP header and its options. What tcp_parse takes is legal, and built again it parses to the
 * same value; so does what answers it where there is no connection.
 */
#include "tcp/tcp.h"
#include "tests/fuzz/wire.h"

static const uint8_t text[] = "text behind the header";

static void check_legal(const struct tcp_hdr *tcp, const uint8_t *b, size_t len)
{
    FUZZ_CHECK(tcp->sport == get16(b) && tcp->dport == get16(b + 2) && tcp->seq == get32(b + 4) &&
                   tcp->ack == get32(b + 8) && tcp->flags == b[13] && tcp->wnd == get16(b + 14) &&
                   tcp->urg == get16(b + 18),
               "not what stands there");
    FUZZ_CHECK(wire_options_fit(b + TCP_HEADER_MIN, (size_t)tcp->header_len - TCP_HEADER_MIN),
               "an option beyond the header");
    FUZZ_CHECK(tcp->header_len >= TCP_HEADER_MIN && tcp->header_len <= len,
               "a header of %u bytes in %zu", tcp->header_len, len);
    FUZZ_CHECK(tcp->sport && tcp->dport && tcp->flags, "a port or all flags are 0");
    FUZZ_CHECK(!(tcp->flags & TCP_SYN) || !(tcp->flags & (TCP_FIN | TCP_RST)), "flags %02x",
               tcp->flags);
    FUZZ_CHECK(tcp->opt.wscale <= TCP_WSCALE_MAX && tcp->opt.sack_n <= TCP_SACK_MAX,
               "a shift of %u, %u blocks", tcp->opt.wscale, tcp->opt.sack_n);
}

static void check_same_options(const struct tcp_options *a, const struct tcp_options *b)
{
    FUZZ_CHECK(a->has_mss == b->has_mss && a->mss == b->mss, "another MSS");
    FUZZ_CHECK(a->has_wscale == b->has_wscale && a->wscale == b->wscale, "another window scale");
    FUZZ_CHECK(a->has_timestamp == b->has_timestamp && a->ts_val == b->ts_val &&
                   a->ts_ecr == b->ts_ecr,
               "other timestamps");
    FUZZ_CHECK(a->sack_ok == b->sack_ok && a->sack_n == b->sack_n, "another SACK");
    for (unsigned i = 0; i < a->sack_n; i++)
        FUZZ_CHECK(a->sack[i].start == b->sack[i].start && a->sack[i].end == b->sack[i].end,
                   "another block %u", i);
}

static void check_rebuilt(const struct ip_hdr *ip, const struct tcp_hdr *tcp)
{
    struct slice data = {NULL, text, sizeof(text)};
    uint8_t b[TCP_HEADER_MAX + sizeof(text)];
    size_t n = tcp_header_len(&tcp->opt);
    struct tcp_hdr back;
    enum reason why;

    if (n > TCP_HEADER_MAX)
        return; /* they were packed closer than we lay options out */
    FUZZ_CHECK(tcp_build(b, &ip->src, &ip->dst, tcp, 0, &data, 1) == n, "not %zu bytes", n);
    memcpy(b + n, text, sizeof(text));
    why = tcp_parse(ip, b, n + sizeof(text), 0, &back);
    FUZZ_CHECK(why == REASON_NONE, "what was built is refused: %s", reason_text(why)->sentence);
    FUZZ_CHECK(back.header_len == n, "a header of %u bytes, not %zu", back.header_len, n);
    FUZZ_CHECK(back.sport == tcp->sport && back.dport == tcp->dport && back.seq == tcp->seq &&
                   back.ack == tcp->ack && back.flags == tcp->flags && back.wnd == tcp->wnd &&
                   back.urg == tcp->urg,
               "another header");
    check_same_options(&back.opt, &tcp->opt);
}

/* A reset answers no reset, acknowledges what came, and is itself legal. */
static void check_answer(const struct ip_hdr *ip, const struct tcp_hdr *tcp, uint32_t data_len)
{
    struct tcp_hdr rst;
    enum reason why = tcp_listen_verdict(tcp);

    FUZZ_CHECK(why != REASON_NONE || (tcp->flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN,
               "a listener takes flags %02x", tcp->flags);
    if (why != REASON_NONE)
        wire_check_refusal(why);
    if (!tcp_reset_for(tcp, data_len, &rst)) {
        FUZZ_CHECK(tcp->flags & TCP_RST, "no reset answers flags %02x", tcp->flags);
        return;
    }
    FUZZ_CHECK(!(tcp->flags & TCP_RST), "a reset answers a reset");
    FUZZ_CHECK(rst.flags & TCP_RST && rst.sport == tcp->dport && rst.dport == tcp->sport,
               "an answer with flags %02x", rst.flags);
    FUZZ_CHECK(!(tcp->flags & TCP_ACK) || rst.seq == tcp->ack, "a reset that nobody takes");
    check_rebuilt(ip, &rst);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct script s = {data, size};
    unsigned how = script_8(&s);
    uint8_t *b = wire_copy(s.b, s.len);
    struct ip_hdr ip = wire_ends(IP_PROTO_TCP, how);
    struct tcp_hdr tcp;
    enum reason why;

    if (how & REPAIR_LENGTHS && s.len >= TCP_HEADER_MIN) {
        size_t words = s.len / 4 < 15 ? s.len / 4 : 15; /* all of it is header, if it can be */

        b[12] = (uint8_t)((b[12] & 15) | words << 4);
    }
    if (how & REPAIR_CHECKSUM)
        wire_repair_sum(b, s.len, 16,
                        ip_pseudo_sum(&ip.src, &ip.dst, IP_PROTO_TCP, (uint32_t)s.len));
    why = tcp_parse(&ip, b, s.len, (uint16_t)(how >> WIRE_MARKS_SHIFT & 3), &tcp);
    if (why == REASON_NONE) {
        check_legal(&tcp, b, s.len);
        check_rebuilt(&ip, &tcp);
        check_answer(&ip, &tcp, (uint32_t)(s.len - tcp.header_len));
    } else {
        wire_check_refusal(why);
    }
    free(b);
    return 0;
}
