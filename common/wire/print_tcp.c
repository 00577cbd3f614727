/*
 * A TCP segment as text, and the flows that make its numbers relative.
 *
 * A flow is entered by the first of its segments that carries an ACK, because that one tells both
 * ends' numbers at once: in a handshake the SYN-ACK. A SYN-ACK on a flow that is known begins it
 * anew. The end with the lower port is called lo, so that both directions find the same flow.
 */
#include "base/bytes.h"
#include "wire/print_parts.h"
#include "wire/tcp.h"

/* What has to be subtracted from a segment's numbers. */
struct base {
    uint32_t seq, ack;
};

static uint32_t hash_flow(const struct print_flow *f)
{
    uint32_t h = (uint32_t)f->lo_port << 16 | f->hi_port;

    for (unsigned i = 0; i < sizeof(f->lo.b); i += 4)
        h = (h ^ get32(f->lo.b + i) ^ get32(f->hi.b + i) << 1) * 0x9e3779b1U;
    return h >> 16;
}

static bool same_flow(const struct print_flow *a, const struct print_flow *b)
{
    return a->age != 0 && a->lo_port == b->lo_port && a->hi_port == b->hi_port &&
           addr_eq(&a->lo, &b->lo) && addr_eq(&a->hi, &b->hi);
}

/* The place of the flow `key`: its own (*ret_known), or an empty or the oldest one of its set. */
static struct print_flow *find_flow(struct print_flows *flows, const struct print_flow *key,
                                    bool *ret_known)
{
    struct print_flow *set = flows->flow[hash_flow(key) % PRINT_FLOW_SETS];
    struct print_flow *oldest = &set[0];

    *ret_known = false;
    for (unsigned i = 0; i < PRINT_FLOW_WAYS; i++) {
        if (same_flow(&set[i], key)) {
            *ret_known = true;
            return &set[i];
        }
        if (set[i].age == 0)
            return &set[i];
        if (flows->clock - set[i].age > flows->clock - oldest->age)
            oldest = &set[i];
    }
    return oldest;
}

/* Is the sender of this segment the end called hi? */
static bool from_hi(const struct ip_hdr *ip, uint16_t sport, uint16_t dport)
{
    if (sport != dport)
        return sport > dport;
    return memcmp(ip->src.b, ip->dst.b, sizeof(ip->src.b)) > 0;
}

/*
 * Look up the flow of the segment at b, which carries an ACK, and enter it if it is new. Returns
 * the bases for the options' numbers; *ret_relative says whether the header's are printed so too.
 */
static struct base flow_base(struct print_flows *flows, const struct ip_hdr *ip, const uint8_t *b,
                             bool *ret_relative)
{
    uint16_t sport = get16(b), dport = get16(b + 2);
    uint32_t seq = get32(b + 4), before_ack = get32(b + 8) - 1;
    bool hi = from_hi(ip, sport, dport), known;
    struct print_flow key = {
        .lo = hi ? ip->dst : ip->src,
        .hi = hi ? ip->src : ip->dst,
        .lo_port = hi ? dport : sport,
        .hi_port = hi ? sport : dport,
    };
    struct print_flow *f = find_flow(flows, &key, &known);

    *ret_relative = known && !(b[13] & TCP_SYN);
    if (!*ret_relative) {
        key.lo_seq = hi ? before_ack : seq;
        key.hi_seq = hi ? seq : before_ack;
        *f = key;
    }
    if (++flows->clock == 0)
        flows->clock = 1; /* 0 means that a place is empty */
    f->age = flows->clock;
    return hi ? (struct base){.seq = f->hi_seq, .ack = f->lo_seq}
              : (struct base){.seq = f->lo_seq, .ack = f->hi_seq};
}

/* "S.", in the order of the bits */
static void print_flags(struct text *t, uint8_t flags)
{
    static const char letter[] = "FSRP.UEW";

    text_add(t, "Flags [%s", flags ? "" : "none");
    for (unsigned i = 0; i < 8; i++)
        if (flags & 1U << i)
            text_add(t, "%c", letter[i]);
    text_add(t, "]");
}

static void print_sack(struct text *t, const uint8_t *b, size_t len, uint32_t base)
{
    text_add(t, "sack %zu ", len / 8);
    for (size_t i = 0; i + 8 <= len; i += 8)
        text_add(t, "{%u:%u}", get32(b + i) - base, get32(b + i + 4) - base);
}

/* An option without a form of its own: its number, or its name if only its length is wrong. */
static void print_other(struct text *t, uint8_t kind, const uint8_t *b, size_t len)
{
    static const char *const name[] = {
        [TCP_OPT_MSS] = "mss",   [TCP_OPT_WSCALE] = "wscale", [TCP_OPT_SACK_OK] = "sackOK",
        [TCP_OPT_SACK] = "sack", [TCP_OPT_TIMESTAMP] = "TS",
    };

    if (kind < sizeof(name) / sizeof(name[0]) && name[kind]) {
        text_add(t, "%s[len %zu]", name[kind], len + 2);
        return;
    }
    text_add(t, "unknown-%u", kind);
    for (size_t i = 0; i < len; i++)
        text_add(t, "%s%02x", i == 0 ? " 0x" : "", b[i]);
}

/* One option with its value b[0..len), which is all there. */
static void print_option(struct text *t, uint8_t kind, const uint8_t *b, size_t len, uint32_t base)
{
    if (kind == TCP_OPT_MSS && len == 2)
        text_add(t, "mss %u", get16(b));
    else if (kind == TCP_OPT_WSCALE && len == 1)
        text_add(t, "wscale %u", b[0]);
    else if (kind == TCP_OPT_SACK_OK && len == 0)
        text_add(t, "sackOK");
    else if (kind == TCP_OPT_SACK && len % 8 == 0)
        print_sack(t, b, len, base);
    else if (kind == TCP_OPT_TIMESTAMP && len == 8)
        text_add(t, "TS val %u ecr %u", get32(b), get32(b + 4));
    else
        print_other(t, kind, b, len);
}

/* ", options [mss 1460,nop,wscale 7]", up to the end of the list or the first that is malformed */
static void print_options(struct text *t, const uint8_t *b, size_t len, uint32_t base)
{
    size_t i = 0;

    text_add(t, ", options [");
    while (i < len && b[i] != TCP_OPT_EOL) {
        if (i > 0)
            text_add(t, ",");
        if (b[i] == TCP_OPT_NOP) {
            text_add(t, "nop");
            i++;
        } else if (len - i >= 2 && b[i + 1] >= 2 && b[i + 1] <= len - i) {
            print_option(t, b[i], b + i + 2, (size_t)b[i + 1] - 2, base);
            i += b[i + 1];
        } else {
            text_add(t, "bad opt]");
            return;
        }
    }
    if (i < len)
        text_add(t, "%seol", i > 0 ? "," : "");
    text_add(t, "]");
}

/* The segment b[0..len), whose header of header_len bytes is all there. */
static void print_segment(struct text *t, struct print_flows *flows, const struct ip_hdr *ip,
                          const uint8_t *b, size_t len, size_t header_len)
{
    struct base base = {0, 0}, shown = {0, 0};
    uint32_t seq, data = (uint32_t)(len - header_len);
    uint8_t flags = b[13];
    bool relative;

    print_flags(t, flags);
    if (flags & TCP_ACK) {
        base = flow_base(flows, ip, b, &relative);
        if (relative)
            shown = base;
    }
    seq = get32(b + 4) - shown.seq;
    if (data > 0)
        text_add(t, ", seq %u:%u", seq, seq + data);
    else if (flags & (TCP_SYN | TCP_FIN | TCP_RST))
        text_add(t, ", seq %u", seq);
    if (flags & TCP_ACK)
        text_add(t, ", ack %u", get32(b + 8) - shown.ack);
    text_add(t, ", win %u", get16(b + 14));
    if (flags & TCP_URG)
        text_add(t, ", urg %u", get16(b + 18));
    if (header_len > TCP_HEADER_MIN)
        print_options(t, b + TCP_HEADER_MIN, header_len - TCP_HEADER_MIN, base.ack);
    text_add(t, ", length %u", data);
}

enum reason print_tcp(struct text *t, struct print_flows *flows, const struct print_body *body)
{
    size_t header_len = body->len < TCP_HEADER_MIN ? 0 : (size_t)(body->b[12] >> 4) * 4;
    struct tcp_hdr tcp;

    if (body->len >= 4)
        print_ports(t, body);
    else if (!body->extended)
        print_addrs(t, body->ip);
    if (header_len < TCP_HEADER_MIN || header_len > body->len)
        text_add(t, "TCP, %zu bytes", body->len);
    else
        print_segment(t, flows, body->ip, body->b, body->len, header_len);
    if (body->fragment)
        return body->len < TCP_HEADER_MIN ? REASON_TCP_SHORT : REASON_NONE;
    return tcp_parse(body->ip, body->b, body->len, body->marks, &tcp);
}
