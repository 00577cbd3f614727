/*
 * The TCP header and its options: bytes to a legal value and back (RFC 9293 section 3.1).
 *
 * Parsing asks in a fixed order, and the first thing that is wrong is the reason for the drop:
 * lengths, because nothing can be read without them; the checksum, because nothing that was read
 * means anything without it; then ports, flags and options. Whether a legal segment makes sense in
 * some state (an option in a segment without SYN, a FIN without ACK, a tiny MSS) is asked above.
 *
 * Options are a list of kind, length, value. A table holds the length that each known kind must
 * have; the walk checks lengths, and only then are values read.
 *
 * Building lays options out in the usual compact way, each group filled to a multiple of 4 bytes
 * by NOPs in front, so that values stand aligned and no padding is needed at the end:
 *
 *     MSS                          4      MSS
 *     SACK permitted + timestamps  12     SOK TS
 *     SACK permitted               4      NOP NOP SOK
 *     timestamps                   12     NOP NOP TS
 *     window scale                 4      NOP WS
 *     SACK, n blocks               4+8n   NOP NOP SACK
 */
#include "wire/tcp.h"

#include <assert.h>

#include "base/bytes.h"
#include "wire/checksum.h"
#include "wire/sum.h"

enum {
    MSS_LEN = 4, /* bytes of each option, kind and length included */
    WSCALE_LEN = 3,
    SACK_OK_LEN = 2,
    TIMESTAMP_LEN = 10,
    SACK_LEN = 2, /* without blocks */
    SACK_BLOCK_LEN = 8,
};

/* What length the option must have; 0: any. SACK's is a rule, see length_is_legal. */
static const uint8_t fixed_len[] = {
    [TCP_OPT_MSS] = MSS_LEN,
    [TCP_OPT_WSCALE] = WSCALE_LEN,
    [TCP_OPT_SACK_OK] = SACK_OK_LEN,
    [TCP_OPT_TIMESTAMP] = TIMESTAMP_LEN,
};

/* May an option of this kind be `len` bytes long, where `room` bytes are left for it? */
static bool length_is_legal(uint8_t kind, size_t len, size_t room)
{
    if (len < 2 || len > room)
        return false;
    if (kind == TCP_OPT_SACK)
        return (len - SACK_LEN) % SACK_BLOCK_LEN == 0;
    return kind >= sizeof(fixed_len) || fixed_len[kind] == 0 || len == fixed_len[kind];
}

static void read_sack(const uint8_t *b, size_t len, struct tcp_options *opt)
{
    opt->sack_n = (uint8_t)((len - SACK_LEN) / SACK_BLOCK_LEN);
    assert(opt->sack_n <= TCP_SACK_MAX);
    for (unsigned i = 0; i < opt->sack_n; i++) {
        const uint8_t *block = b + SACK_LEN + (size_t)i * SACK_BLOCK_LEN;

        opt->sack[i].start = get32(block);
        opt->sack[i].end = get32(block + 4);
    }
}

/* Read the option b[0..len), whose length is legal. Of two of one kind, the later one counts. */
static void read_option(const uint8_t *b, size_t len, struct tcp_options *opt)
{
    switch (b[0]) {
    case TCP_OPT_MSS:
        opt->has_mss = true;
        opt->mss = get16(b + 2);
        break;
    case TCP_OPT_WSCALE:
        opt->has_wscale = true;
        opt->wscale = b[2] < TCP_WSCALE_MAX ? b[2] : TCP_WSCALE_MAX;
        break;
    case TCP_OPT_SACK_OK:
        opt->sack_ok = true;
        break;
    case TCP_OPT_SACK:
        read_sack(b, len, opt);
        break;
    case TCP_OPT_TIMESTAMP:
        opt->has_timestamp = true;
        opt->ts_val = get32(b + 2);
        opt->ts_ecr = get32(b + 6);
        break;
    default: /* a byte off the wire: unknown options are skipped (MUST-6) */
        break;
    }
}

/* How timestamps begin where they stand alone. */
static const uint32_t usual =
    TCP_OPT_NOP << 24 | TCP_OPT_NOP << 16 | TCP_OPT_TIMESTAMP << 8 | TIMESTAMP_LEN;

/* Timestamps alone, laid out as RFC 7323 appendix A recommends: nearly every segment has these. */
static inline bool are_usual(const uint8_t *b, size_t len)
{
    return len == 2 + TIMESTAMP_LEN && get32(b) == usual;
}

/* Read those. */
static inline void read_usual(const uint8_t *b, struct tcp_options *opt)
{
    *opt =
        (struct tcp_options){.has_timestamp = true, .ts_val = get32(b + 4), .ts_ecr = get32(b + 8)};
}

/* Read the options b[0..len) in one pass; false if the length of one is illegal (MUST-4, MUST-7,
 * MUST-64, MUST-68, MUST-69). */
static bool read_options(const uint8_t *b, size_t len, struct tcp_options *opt)
{
    size_t i = 0;

    while (i < len && b[i] != TCP_OPT_EOL) {
        if (b[i] == TCP_OPT_NOP) {
            i++;
            continue;
        }
        if (len - i < 2 || !length_is_legal(b[i], b[i + 1], len - i))
            return false;
        read_option(b + i, b[i + 1], opt);
        i += b[i + 1];
    }
    return true;
}

/* Flags that no state admits. A FIN or PSH alone is for the states to judge. */
static bool flags_are_legal(uint8_t flags)
{
    return flags != 0 && !((flags & TCP_SYN) && (flags & (TCP_FIN | TCP_RST)));
}

static bool checksum_is_good(const struct ip_hdr *ip, const uint8_t *b, size_t len, uint16_t marks)
{
    uint32_t sum;

    if (marks & (PKT_CSUM_VALID | PKT_CSUM_PARTIAL))
        return true;
    sum = ip_pseudo_sum(&ip->src, &ip->dst, IP_PROTO_TCP, (uint32_t)len);
    return checksum_good(sum, b, len);
}

/* Of the fields that stand in every header: those that differ from segment to segment. */
static inline void read_varying(const uint8_t *b, struct tcp_hdr *tcp)
{
    tcp->seq = get32(b + 4);
    tcp->ack = get32(b + 8);
    tcp->flags = b[13];
    tcp->wnd = get16(b + 14);
}

/* All of them. */
static inline void read_fixed(const uint8_t *b, uint8_t header_len, uint8_t ecn,
                              struct tcp_hdr *tcp)
{
    tcp->header_len = header_len;
    tcp->ecn = ecn;
    tcp->seg_size = 0;
    tcp->sport = get16(b);
    tcp->dport = get16(b + 2);
    tcp->urg = get16(b + 18);
    read_varying(b, tcp);
}

/* Options of any kind, and then the rest of the header. */
static enum reason parse_options(const struct ip_hdr *ip, const uint8_t *b, uint8_t header_len,
                                 struct tcp_hdr *ret_tcp)
{
    struct tcp_options opt = {0};

    if (!read_options(b + TCP_HEADER_MIN, (size_t)header_len - TCP_HEADER_MIN, &opt))
        return REASON_TCP_OPTION;
    ret_tcp->opt = opt;
    read_fixed(b, header_len, ip->tos & 3, ret_tcp);
    return REASON_NONE;
}

bool tcp_is_plain(const uint8_t *b)
{
    return (b[12] & 0xf0) == TCP_HEADER_PLAIN / 4 << 4 && get32(b + TCP_HEADER_MIN) == usual;
}

void tcp_read_plain(const uint8_t *b, uint8_t ecn, struct tcp_hdr *ret_tcp)
{
    struct tcp_options *opt = &ret_tcp->opt;

    opt->has_timestamp = true;
    opt->has_mss = opt->has_wscale = opt->sack_ok = false;
    opt->sack_n = 0;
    opt->ts_val = get32(b + TCP_HEADER_MIN + 4);
    opt->ts_ecr = get32(b + TCP_HEADER_MIN + 8);
    ret_tcp->ecn = ecn;
    read_varying(b, ret_tcp);
}

/* Options are read whatever the flags are (MUST-3, MUST-5). */
enum reason tcp_parse(const struct ip_hdr *ip, const uint8_t *b, size_t len, uint16_t marks,
                      struct tcp_hdr *ret_tcp)
{
    uint8_t header_len;

    if (len < TCP_HEADER_MIN)
        return REASON_TCP_SHORT;
    header_len = (uint8_t)((b[12] >> 4) * 4);
    if (header_len < TCP_HEADER_MIN || header_len > len)
        return REASON_TCP_DATA_OFFSET;
    if (!checksum_is_good(ip, b, len, marks))
        return REASON_TCP_CHECKSUM;
    if (get16(b) == 0 || get16(b + 2) == 0)
        return REASON_TCP_PORT_ZERO;
    if (!flags_are_legal(b[13]))
        return REASON_TCP_FLAGS;
    if (!are_usual(b + TCP_HEADER_MIN, (size_t)header_len - TCP_HEADER_MIN))
        return parse_options(ip, b, header_len, ret_tcp);
    read_usual(b + TCP_HEADER_MIN, &ret_tcp->opt);
    read_fixed(b, header_len, ip->tos & 3, ret_tcp);
    return REASON_NONE;
}

size_t tcp_header_len(const struct tcp_options *opt)
{
    size_t len = TCP_HEADER_MIN;

    if (opt->has_mss)
        len += MSS_LEN;
    if (opt->has_timestamp)
        len += 2 + TIMESTAMP_LEN;
    else if (opt->sack_ok)
        len += 2 + SACK_OK_LEN;
    if (opt->has_wscale)
        len += 1 + WSCALE_LEN;
    if (opt->sack_n > 0)
        len += 2 + SACK_LEN + (size_t)opt->sack_n * SACK_BLOCK_LEN;
    return len;
}

/* Begin an option: kind and length. Returns where its value goes. */
static uint8_t *put_option(uint8_t *p, enum tcp_option_kind kind, size_t len)
{
    *p++ = (uint8_t)kind;
    *p++ = (uint8_t)len;
    return p;
}

static uint8_t *put_nops(uint8_t *p, unsigned n)
{
    while (n-- > 0)
        *p++ = TCP_OPT_NOP;
    return p;
}

/* "SACK permitted" and timestamps: each fills the two bytes that the other leaves. */
static uint8_t *put_sack_ok_and_timestamp(uint8_t *p, const struct tcp_options *opt)
{
    if (!opt->sack_ok || !opt->has_timestamp)
        p = put_nops(p, 2);
    if (opt->sack_ok)
        p = put_option(p, TCP_OPT_SACK_OK, SACK_OK_LEN);
    if (opt->has_timestamp) {
        p = put_option(p, TCP_OPT_TIMESTAMP, TIMESTAMP_LEN);
        put32(p, opt->ts_val);
        put32(p + 4, opt->ts_ecr);
        p += 8;
    }
    return p;
}

static uint8_t *put_sack(uint8_t *p, const struct tcp_options *opt)
{
    p = put_nops(p, 2);
    p = put_option(p, TCP_OPT_SACK, SACK_LEN + (size_t)opt->sack_n * SACK_BLOCK_LEN);
    for (unsigned i = 0; i < opt->sack_n; i++, p += SACK_BLOCK_LEN) {
        put32(p, opt->sack[i].start);
        put32(p + 4, opt->sack[i].end);
    }
    return p;
}

/* Is it timestamps that are to be written, and nothing else? Each option is in one of these bytes.
 */
static inline bool only_timestamps(const struct tcp_options *opt)
{
    static const struct tcp_options only = {.has_timestamp = true};

    return memcmp(opt, &only, offsetof(struct tcp_options, ts_val)) == 0;
}

/* Those, as read_usual reads them. Returns their sum. */
static inline uint64_t put_usual(uint8_t *p, const struct tcp_options *opt)
{
    return sum_put32(p, usual) + sum_put32(p + 4, opt->ts_val) + sum_put32(p + 8, opt->ts_ecr);
}

/* Options of any kind. Returns how many bytes they take. */
static size_t put_options(uint8_t *p, const struct tcp_options *opt)
{
    const uint8_t *begin = p;

    if (opt->has_mss) {
        p = put_option(p, TCP_OPT_MSS, MSS_LEN);
        put16(p, opt->mss);
        p += 2;
    }
    if (opt->sack_ok || opt->has_timestamp)
        p = put_sack_ok_and_timestamp(p, opt);
    if (opt->has_wscale) {
        p = put_option(put_nops(p, 1), TCP_OPT_WSCALE, WSCALE_LEN);
        *p++ = opt->wscale;
    }
    if (opt->sack_n > 0)
        p = put_sack(p, opt);
    assert(p + TCP_HEADER_MIN == begin + tcp_header_len(opt));
    return (size_t)(p - begin);
}

/* The fields that stand in every header, the checksum's with zero. Returns their sum. */
static inline uint64_t put_fixed(uint8_t *room, const struct tcp_hdr *tcp, size_t header_len)
{
    uint32_t len_and_flags = (uint32_t)header_len / 4 << 12 | tcp->flags;

    return sum_put32(room, (uint32_t)tcp->sport << 16 | tcp->dport) +
           sum_put32(room + 4, tcp->seq) + sum_put32(room + 8, tcp->ack) +
           sum_put32(room + 12, len_and_flags << 16 | tcp->wnd) + sum_put32(room + 16, tcp->urg);
}

/* What goes into the checksum field. */
static uint16_t field_sum(uint32_t pseudo, uint16_t marks, uint32_t header,
                          const struct slice *payload, unsigned n)
{
    if (marks & PKT_CSUM_PARTIAL) /* folded as ever, but not inverted: the device goes on from it */
        return (uint16_t)~checksum_finish(pseudo);
    return checksum_parts(pseudo + header, payload, n);
}

/* The checksum goes in last, over all the rest (MUST-2). */
size_t tcp_build(uint8_t *room, const struct addr *src, const struct addr *dst,
                 const struct tcp_hdr *tcp, uint16_t marks, const struct slice *payload, unsigned n)
{
    uint8_t *options = room + TCP_HEADER_MIN;
    size_t header_len = TCP_HEADER_MIN + 2 + TIMESTAMP_LEN, len;
    uint32_t pseudo, header = 0;
    uint64_t sum = 0;

    if (only_timestamps(&tcp->opt)) {
        sum = put_usual(options, &tcp->opt);
    } else {
        header_len = TCP_HEADER_MIN + put_options(options, &tcp->opt);
        header = checksum_header(0, options, header_len - TCP_HEADER_MIN);
    }
    assert(header_len <= TCP_HEADER_MAX && tcp->opt.wscale <= TCP_WSCALE_MAX);
    header += sum_network(sum + put_fixed(room, tcp, header_len));
    len = header_len;
    for (unsigned i = 0; i < n; i++)
        len += payload[i].len;
    pseudo = ip_pseudo_sum(src, dst, IP_PROTO_TCP, (uint32_t)len);
    put16(room + 16, field_sum(pseudo, marks, header, payload, n));
    return header_len;
}
