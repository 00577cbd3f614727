#include "tests/fuzz/outlook.h"

#include <string.h>

#include "base/seq.h"

#include "ip/train.h"
#include "wire/icmp.h"
#include "wire/print.h"
#include "wire/udp.h"

/* With FUZZ_TELL in the environment every packet is printed, for whoever looks into a finding. */
static void tell(const struct outlook *o, char way, const uint8_t *b, uint32_t len, uint16_t marks)
{
    static struct print_flows flows;
    static int wanted = -1;
    char line[PRINT_LINE_MAX];

    if (wanted < 0)
        wanted = getenv("FUZZ_TELL") != NULL;
    if (!wanted)
        return;
    print_packet(&flows, b, len, marks, line, sizeof(line));
    fprintf(stderr, "%c %.6f %s\n", way, (double)o->n->st->now / 1e9, line);
}

void outlook_start(struct outlook *o, struct subject *n)
{
    o->n = n;
    o->packets = 0;
    o->may_reset = o->may_error = false;
}

/* An ICMP message that is no echo request, or what may be the beginning of one. */
static bool is_error4(const uint8_t *b, uint32_t len)
{
    uint32_t header = (b[0] & 15U) * 4;

    return len < 20 || (b[9] == IP_PROTO_ICMP && (len <= header || b[header] != ICMP_ECHO));
}

/* An ICMPv6 error, or what may be the beginning of one. */
static bool is_error6(const struct ip_hdr *ip, const uint8_t *b)
{
    return ip->proto == IP_PROTO_ICMP6 &&
           (ip->total_len <= ip->header_len || b[ip->header_len] < 128);
}

void outlook_input(struct outlook *o, const uint8_t *b, uint32_t len)
{
    struct ip_hdr ip;
    struct tcp_hdr tcp;

    tell(o, '>', b, len, 0);
    if (ip_parse(b, len, &ip) != REASON_NONE) { /* what is wrong with its headers is told */
        o->may_error |= len > 0 && (b[0] >> 4 == 6 || !is_error4(b, len));
        return;
    }
    if (ip.version == 4 ? !is_error4(b, len) : !is_error6(&ip, b))
        o->may_error = true;
    if (ip.proto == IP_PROTO_TCP && ip_is_fragment(&ip))
        o->may_reset = true; /* whatever it becomes with others */
    else if (ip.proto == IP_PROTO_TCP &&
             tcp_parse(&ip, b + ip.header_len, (size_t)(ip.total_len - ip.header_len),
                       PKT_CSUM_VALID, &tcp) == REASON_NONE &&
             !(tcp.flags & TCP_RST))
        o->may_reset = true;
}

/* What a SACK block names is here: beyond a gap, or in the first one what came a second time. */
static void check_block(const struct tcb *c, const struct tcp_sack_block *b, bool first)
{
    uint32_t fin = c->fin_arrived ? c->rcv_fin : c->rcv_nxt; /* which has a number, too */

    FUZZ_CHECK(seq_lt(b->start, b->end), "an empty SACK block");
    if (first && (seq_leq(b->end, c->rcv_nxt) || c->fin_arrived))
        return; /* a FIN may have taken away what came twice */
    for (const struct reasm_range *g = c->reasm.first; g; g = g->next)
        if (seq_leq(g->start, b->start) && seq_leq(b->end, g->end + (fin == g->end)))
            return;
    if (b->start == fin && b->end == fin + 1)
        return;
    FUZZ_CHECK(false, "a SACK block of what is not here");
}

static void check_options(const struct tcb *c, const struct tcp_hdr *tcp)
{
    bool syn = tcp->flags & TCP_SYN;

    FUZZ_CHECK(syn == tcp->opt.has_mss, "MSS stands where it should not");
    FUZZ_CHECK(syn || (!tcp->opt.has_wscale && !tcp->opt.sack_ok), "an option that is a SYN's");
    if (!c || syn)
        return;
    FUZZ_CHECK(tcp->opt.has_timestamp == c->ts_ok, "timestamps where none are spoken, or none");
    FUZZ_CHECK(tcp->opt.sack_n == 0 || c->sack_ok, "SACK where it is not spoken");
    for (unsigned i = 0; i < tcp->opt.sack_n; i++)
        check_block(c, &tcp->opt.sack[i], i == 0);
}

static void check_segment(const struct outlook *o, const struct ip_hdr *ip, const uint8_t *b,
                          uint32_t len, const struct pkt *p)
{
    struct tcp_hdr tcp;
    enum reason r = tcp_parse(ip, b, len, 0, &tcp);
    const struct tcb *c = p->conn ? &o->n->st->conns[p->conn - 1].tcb : NULL;
    uint32_t data = len - tcp.header_len;

    FUZZ_CHECK(r == REASON_NONE, "sends a segment that is refused: %s", reason_text(r)->sentence);
    FUZZ_CHECK(p->why != REASON_SEND_RST_ANSWER || o->may_reset, "a reset that answers nothing");
    FUZZ_CHECK(!(tcp.flags & TCP_RST) || data == 0, "a reset with %u bytes", data);
    FUZZ_CHECK(data == 0 || c, "text that belongs to no connection");
    FUZZ_CHECK(data == 0 || (p->why == REASON_SEND_KEEPALIVE && data == 1) ||
                   subject_matches(b + tcp.header_len, tcp.seq + !!(tcp.flags & TCP_SYN), data),
               "other bytes than were written, within %u from %u on", data, tcp.seq);
    FUZZ_CHECK(!c || data <= (p->why == REASON_SEND_MTU_PROBE ? c->mss_limit : c->snd_mss),
               "%u bytes where %u may be sent", data, c->snd_mss);
    FUZZ_CHECK(!c || (tcp.sport == c->local_port && tcp.dport == c->remote_port), "other ports");
    FUZZ_CHECK(!c || !(tcp.flags & TCP_ACK) || tcp.ack == c->rcv_nxt, "acknowledges %u, not %u",
               tcp.ack, c->rcv_nxt);
    check_options(c, &tcp);
}

/* A super-datagram: several whole datagrams, each of which fits, and so a packet as they are. */
static void check_super(const struct outlook *o, const struct ip_hdr *ip, uint32_t l4,
                        const struct pkt *p)
{
    uint32_t data = l4 - UDP_HEADER;

    FUZZ_CHECK(ip->proto == IP_PROTO_UDP && p->marks == (PKT_CSUM_PARTIAL | PKT_DATAGRAMS),
               "what is cut is no UDP, or nobody sums it");
    FUZZ_CHECK(p->len <= o->n->st->ip.super_udp && p->csum_start == ip->header_len,
               "%u bytes, and the sum begins at %u", p->len, p->csum_start);
    FUZZ_CHECK(data > p->gso_size && train_count(data, p->gso_size) <= TRAIN_SUPER_MAX,
               "%u bytes are cut every %u", data, p->gso_size);
    FUZZ_CHECK((uint32_t)ip->header_len + UDP_HEADER + p->gso_size <=
                   ip_mtu_to(&o->n->st->ip, &ip->dst),
               "datagrams of %u bytes leave whole", p->gso_size);
}

static void check_udp(const struct ip_hdr *ip, const uint8_t *b, uint32_t len, const struct pkt *p)
{
    struct udp_hdr udp;
    enum reason r = udp_parse(ip, b, len, p->marks, &udp);

    FUZZ_CHECK(r == REASON_NONE && udp.len == len, "a bad datagram: %s", reason_text(r)->sentence);
}

static void check_packet(const struct outlook *o, const uint8_t *b, uint32_t len,
                         const struct pkt *p)
{
    struct ip_hdr ip;
    struct icmp_hdr icmp;
    enum reason r = ip_parse(b, len, &ip);
    uint32_t l4 = len - ip.header_len;

    FUZZ_CHECK(r == REASON_NONE, "sends a packet that is refused: %s", reason_text(r)->sentence);
    FUZZ_CHECK(ip.total_len == len && len == p->len && (len <= o->n->cfg.mtu || p->gso_size),
               "%u bytes, %u said, MTU %u", len, ip.total_len, o->n->cfg.mtu);
    if (p->gso_size)
        check_super(o, &ip, l4, p);
    FUZZ_CHECK(p->why < REASON_COUNT && reason_text(p->why)->kind == REASON_KIND_SEND,
               "a packet leaves without a reason: %u", p->why);
    FUZZ_CHECK(ip_is_local(&o->n->st->ip, &ip.src), "a packet from somebody else's address");
    FUZZ_CHECK(ip_valid_remote(&o->n->st->ip, &ip.dst) ||
                   (ip.proto == IP_PROTO_ICMP6 && addr_is_link_local6(&ip.dst)),
               "a packet to nobody");
    FUZZ_CHECK((p->why != REASON_SEND_UNREACHABLE && p->why != REASON_SEND_PARAM_PROBLEM) ||
                   o->may_error,
               "an error about an error");
    ip.dst = ip_route_end(&ip); /* that the checksum is for */
    if (ip_is_fragment(&ip)) {
        FUZZ_CHECK(ip.proto != IP_PROTO_TCP && l4 > 0 && !(ip.mf && l4 % 8), "a bad fragment");
    } else if (ip.proto == IP_PROTO_TCP) {
        check_segment(o, &ip, b + ip.header_len, l4, p);
    } else if (ip.proto == IP_PROTO_UDP) {
        check_udp(&ip, b + ip.header_len, l4, p);
    } else if (ip.proto == IP_PROTO_ICMP) {
        r = icmp_parse(b + ip.header_len, l4, &icmp);
        FUZZ_CHECK(r == REASON_NONE, "a bad ICMP message: %s", reason_text(r)->sentence);
    } else if (ip.proto == IP_PROTO_ICMP6) {
        r = icmp6_parse(&ip, b + ip.header_len, l4, 0, &icmp);
        FUZZ_CHECK(r == REASON_NONE, "a bad ICMPv6 message: %s", reason_text(r)->sentence);
    }
}

const uint8_t *outlook_next(struct outlook *o, int64_t now, uint32_t *ret_len)
{
    unsigned i = o->packets % OUTLOOK_KEPT;
    struct pkt p;

    if (!stack_output(o->n->st, now, &p)) {
        o->may_reset = o->may_error = false;
        return NULL;
    }
    FUZZ_CHECK(p.len <= SUBJECT_RX_SIZE, "a packet of %u bytes", p.len);
    o->len[i] = pkt_flatten(&p, o->packet[i], sizeof(o->packet[i]));
    o->packets++;
    tell(o, '<', o->packet[i], o->len[i], 0);
    check_packet(o, o->packet[i], o->len[i], &p);
    *ret_len = o->len[i];
    return o->packet[i];
}

void outlook_drain(struct outlook *o, int64_t now)
{
    uint32_t len;

    for (unsigned i = 0; outlook_next(o, now, &len); i++)
        FUZZ_CHECK(i < OUTLOOK_DRAIN_MAX, "output without end");
    subject_check_drained(o->n);
}
