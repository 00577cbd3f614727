#include "run/trace_packet.h"

#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"

enum {
    HEADERS_MAX = IPV4_HEADER_MAX + TCP_HEADER_MAX, /* more than IPv6's and TCP's */
    PLACES_MAX = 64,                                /* bytes of text for the SACK blocks */
};

#define FNV_BASIS UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME UINT64_C(0x100000001b3)

/* FNV-1a: not for secrets, but good enough to tell packets apart. */
static uint64_t mix(uint64_t h, const uint8_t *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        h = (h ^ b[i]) * FNV_PRIME;
    return h;
}

static bool is_icmp(const struct trace_packet *p)
{
    return p->ip.proto == IP_PROTO_ICMP || p->ip.proto == IP_PROTO_ICMP6;
}

/*
 * The id, over everything that is the same at both ends. Of what is behind the IP header the first
 * bytes count but for the checksum, which may be left to the device; in TCP those are the header
 * with its options, and so the timestamp.
 */
static uint64_t packet_id(const struct trace_packet *p, const uint8_t *l4, size_t have)
{
    size_t n = p->is_tcp ? p->tcp.header_len : 8, sum = p->is_tcp ? 16 : 6;
    uint8_t len[4];
    uint64_t h = mix(mix(FNV_BASIS, p->ip.src.b, 16), p->ip.dst.b, 16);

    put32(len, p->len);
    h = mix(mix(h, len, sizeof(len)), &p->ip.proto, 1);
    put16(len, (uint16_t)p->ip.id);
    put16(len + 2, p->ip.frag_off);
    h = mix(h, len, sizeof(len));
    n = n < have ? n : have;
    if (is_icmp(p) || n < sum + 2)
        return mix(h, l4, n);
    return mix(mix(h, l4, sum), l4 + sum + 2, n - sum - 2);
}

/* Headers are read as leniently as checksums allow: the stack says itself what is wrong with them.
 */
void trace_packet_read(struct trace_packet *ret, const struct pkt *p, bool out)
{
    uint8_t b[HEADERS_MAX];
    size_t have = pkt_flatten(p, b, sizeof(b)), l4;

    *ret = (struct trace_packet){.out = out, .len = p->len, .why = (enum reason)p->why};
    if (!ip_parse_quote(b, have, &ret->ip))
        return;
    ret->is_ip = true;
    l4 = ret->ip.header_len;
    ret->data_len = p->len > l4 ? p->len - (uint32_t)l4 : 0;
    if (ip_is_fragment(&ret->ip) || have < l4 + 4) {
        ret->id = packet_id(ret, b + l4, 0);
        return;
    }
    if (!is_icmp(ret)) {
        ret->sport = get16(b + l4);
        ret->dport = get16(b + l4 + 2);
    }
    if (ret->ip.proto == IP_PROTO_TCP &&
        tcp_parse(&ret->ip, b + l4, have - l4, PKT_CSUM_VALID, &ret->tcp) == REASON_NONE) {
        ret->is_tcp = true;
        ret->data_len -= ret->tcp.header_len;
    }
    ret->id = packet_id(ret, b + l4, have - l4);
}

static const char *segment_name(const struct trace_packet *p)
{
    uint8_t flags = p->tcp.flags;

    if (flags & TCP_RST)
        return "recv.rst";
    if (flags & TCP_SYN)
        return flags & TCP_ACK ? "recv.syn_ack" : "recv.syn";
    if (flags & TCP_FIN)
        return "recv.fin";
    return p->data_len ? "recv.data" : "recv.ack";
}

const char *trace_packet_name(const struct trace_packet *p)
{
    if (p->is_tcp)
        return segment_name(p);
    if (!p->is_ip)
        return "recv.other";
    switch ((enum ip_proto)p->ip.proto) {
    case IP_PROTO_ICMP:
    case IP_PROTO_ICMP6:
        return "recv.icmp";
    case IP_PROTO_UDP:
        return "recv.udp";
    case IP_PROTO_TCP:
        return "recv.tcp";
    }
    return "recv.other";
}

bool trace_packet_is_for(const struct trace_packet *p, const struct addr *local,
                         uint16_t local_port, const struct addr *remote, uint16_t remote_port)
{
    return p->is_tcp && p->dport == local_port && p->sport == remote_port &&
           addr_eq(&p->ip.src, remote) && addr_eq(&p->ip.dst, local);
}

void trace_packet_learn(const struct trace_packet *p, struct trace_seen *seen)
{
    if (!p->is_tcp)
        return;
    if (p->tcp.flags & TCP_SYN) {
        *(p->out ? &seen->has_out : &seen->has_in) = true;
        *(p->out ? &seen->out : &seen->in) = p->tcp.seq;
    }
}

/* ---- arguments ---- */

void trace_reason_args(struct trace_file *f, enum reason why)
{
    trace_arg_text(f, "reason", reason_text(why)->sentence);
    trace_arg_text(f, "source", reason_text(why)->source);
}

/* "SA", in tcpdump's letters. */
static const char *flags_text(uint8_t flags, char out[9])
{
    static const struct {
        uint8_t bit;
        char letter;
    } letters[] = {{TCP_FIN, 'F'}, {TCP_SYN, 'S'}, {TCP_RST, 'R'}, {TCP_PSH, 'P'},
                   {TCP_ACK, '.'}, {TCP_URG, 'U'}, {TCP_ECE, 'E'}, {TCP_CWR, 'W'}};
    char *at = out;

    for (unsigned i = 0; i < sizeof(letters) / sizeof(letters[0]); i++) {
        if (flags & letters[i].bit)
            *at++ = letters[i].letter;
    }
    *at = '\0';
    return out;
}

static void sack_args(struct trace_file *f, const struct tcp_options *o, uint32_t base)
{
    char blocks[TCP_SACK_MAX * PLACES_MAX];
    struct text t;

    if (o->sack_n == 0)
        return;
    text_init(&t, blocks, sizeof(blocks));
    for (unsigned i = 0; i < o->sack_n; i++)
        text_add(&t, "%s%" PRIu32 ":%" PRIu32, i ? " " : "", o->sack[i].start - base,
                 o->sack[i].end - base);
    trace_arg_text(f, "sack", blocks);
}

/* Numbers count from the SYN of their direction, whose own is 0, if that was seen. */
static void segment_args(struct trace_file *f, const struct trace_packet *p,
                         const struct trace_seen *seen)
{
    uint32_t ours = seen->has_out ? seen->out : 0, theirs = seen->has_in ? seen->in : 0;
    const struct tcp_hdr *h = &p->tcp;
    char flags[9];

    trace_arg_text(f, "flags", flags_text(h->flags, flags));
    trace_arg_number(f, "seq", h->seq - (p->out ? ours : theirs));
    if (h->flags & TCP_ACK)
        trace_arg_number(f, "ack", h->ack - (p->out ? theirs : ours));
    trace_arg_number(f, "len", p->data_len);
    trace_arg_number(f, "win", h->wnd);
    sack_args(f, &h->opt, p->out ? theirs : ours);
    if (h->opt.has_timestamp) {
        trace_arg_number(f, "ts_val", h->opt.ts_val);
        trace_arg_number(f, "ts_ecr", h->opt.ts_ecr);
    }
}

void trace_packet_args(struct trace_file *f, const struct trace_packet *p,
                       const struct trace_seen *seen)
{
    static const char *const ecn[] = {"", "ECT(1)", "ECT(0)", "CE"};

    if (p->out)
        trace_reason_args(f, p->why);
    if (p->is_tcp)
        segment_args(f, p, seen);
    else
        trace_arg_number(f, "len", p->data_len);
    if (p->is_ip && p->ip.tos & 3)
        trace_arg_text(f, "ecn", ecn[p->ip.tos & 3]);
}

void trace_packet_ends(struct trace_file *f, const struct trace_packet *p)
{
    char text[ADDR_TEXT_MAX];

    if (!p->is_ip)
        return;
    trace_arg_text(f, "from", addr_format(&p->ip.src, text));
    trace_arg_text(f, "to", addr_format(&p->ip.dst, text));
    if (!p->sport)
        return;
    trace_arg_number(f, "sport", p->sport);
    trace_arg_number(f, "dport", p->dport);
}
