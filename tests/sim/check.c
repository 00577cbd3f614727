#include "tests/sim/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/seq.h"
#include "tests/sim/rand.h"

void check_init(struct check *c)
{
    memset(c, 0, sizeof(*c));
}

void check_fail(struct check *c, const char *format, ...)
{
    va_list args;

    if (c->failed)
        return;
    c->failed = true;
    va_start(args, format);
    vsnprintf(c->why, sizeof(c->why), format, args);
    va_end(args);
}

/* ---- Streams: byte number i is byte i % 8 of a mixed word, so that none need be stored ---- */

static uint8_t stream_byte(uint64_t key, uint64_t i)
{
    return (uint8_t)(dice_mix(key + i / 8 * 2 + 1) >> (i % 8 * 8));
}

void stream_fill(uint64_t key, uint64_t off, uint8_t *out, uint32_t len)
{
    uint32_t i = 0;

    for (; i < len && (off + i) % 8; i++)
        out[i] = stream_byte(key, off + i);
    for (; i + 8 <= len; i += 8) {
        uint64_t w = dice_mix(key + (off + i) / 8 * 2 + 1);
        for (unsigned k = 0; k < 8; k++)
            out[i + k] = (uint8_t)(w >> (k * 8));
    }
    for (; i < len; i++)
        out[i] = stream_byte(key, off + i);
}

bool stream_matches(uint64_t key, uint64_t off, const uint8_t *b, uint32_t len)
{
    uint8_t want[512];

    for (uint32_t i = 0; i < len; i += sizeof(want)) {
        uint32_t n = min32(len - i, sizeof(want));
        stream_fill(key, off + i, want, n);
        if (memcmp(want, b + i, n) != 0)
            return false;
    }
    return true;
}

/* ---- States ---- */

#define TO(s) (1U << TCP_##s)

/* RFC 9293 figure 5, with the aborts and the deletion of the TCB that its text adds. */
static const unsigned legal[] = {
    [TCP_CLOSED] = TO(LISTEN) | TO(SYN_SENT) | TO(SYN_RECEIVED),
    [TCP_LISTEN] = TO(SYN_SENT) | TO(SYN_RECEIVED) | TO(CLOSED),
    [TCP_SYN_SENT] = TO(SYN_RECEIVED) | TO(ESTABLISHED) | TO(CLOSED),
    [TCP_SYN_RECEIVED] =
        TO(ESTABLISHED) | TO(FIN_WAIT_1) | TO(CLOSE_WAIT) | TO(LISTEN) | TO(CLOSED),
    [TCP_ESTABLISHED] = TO(FIN_WAIT_1) | TO(CLOSE_WAIT) | TO(CLOSED),
    [TCP_FIN_WAIT_1] = TO(FIN_WAIT_2) | TO(CLOSING) | TO(TIME_WAIT) | TO(CLOSED),
    [TCP_FIN_WAIT_2] = TO(TIME_WAIT) | TO(CLOSED),
    [TCP_CLOSE_WAIT] = TO(LAST_ACK) | TO(CLOSED),
    [TCP_CLOSING] = TO(TIME_WAIT) | TO(CLOSED),
    [TCP_LAST_ACK] = TO(CLOSED),
    [TCP_TIME_WAIT] = TO(CLOSED),
};

void check_note(struct check *c, unsigned node, const struct stack_note *n)
{
    enum tcp_state *now;

    if (n->reason != REASON_STATE)
        return;
    if (n->conn >= CHECK_SLOTS) {
        check_fail(c, "a note about slot %u", n->conn);
        return;
    }
    now = &c->state[node][n->conn];
    if (!(legal[n->from] & 1U << n->to))
        check_fail(c, "slot %u went from %s to %s", n->conn, tcp_state_name(n->from),
                   tcp_state_name(n->to));
    /* A slot that is free may start from CLOSED or, behind a listener, from LISTEN. */
    if (n->from != *now && !(*now == TCP_CLOSED && n->from == TCP_LISTEN))
        check_fail(c, "slot %u was in %s, and leaves %s", n->conn, tcp_state_name(*now),
                   tcp_state_name(n->from));
    *now = n->to;
}

/* ---- What a node reads ---- */

void check_batch(struct check *c)
{
    c->batch_n = 0;
}

void check_input(struct check *c, const uint8_t *b, uint32_t len, bool corrupted, enum reason said)
{
    struct ip_hdr ip;
    struct tcp_hdr tcp;

    if (said != REASON_NONE && reason_text(said)->kind != REASON_KIND_DROP)
        check_fail(c, "stack_input said %s, which is no drop", reason_text(said)->name);
    if (corrupted) {
        if (said == REASON_NONE)
            check_fail(c, "a packet with one bit turned was taken");
        return;
    }
    if (ip_parse(b, len, &ip) != REASON_NONE ||
        tcp_parse(&ip, b + ip.header_len, (size_t)(ip.total_len - ip.header_len), 0, &tcp) !=
            REASON_NONE ||
        c->batch_n == CHECK_BATCH)
        return;
    c->batch[c->batch_n].sport = tcp.sport;
    c->batch[c->batch_n].dport = tcp.dport;
    c->batch[c->batch_n++].rst = tcp.flags & TCP_RST;
}

/* ---- What a node sends ---- */

/* A RST that answers must answer something, and that was no RST (RFC 9293 section 3.10.7.1). */
static void check_rst_answer(struct check *c, const struct tcp_hdr *tcp)
{
    for (unsigned i = 0; i < c->batch_n; i++)
        if (c->batch[i].sport == tcp->dport && c->batch[i].dport == tcp->sport && !c->batch[i].rst)
            return;
    check_fail(c, "port %u: a RST that answers nothing but RSTs", tcp->sport);
}

static void check_syn(struct check *c, struct flow *f, const struct tcp_hdr *tcp)
{
    if (f->syn_seen && f->isn != tcp->seq)
        check_fail(c, "port %u: a second SYN with another number", tcp->sport);
    f->isn = tcp->seq;
    f->mss = tcp->opt.has_mss ? tcp->opt.mss : TCP_MSS_DEFAULT4;
    f->wscale_offered = tcp->opt.has_wscale;
    f->wscale = tcp->opt.wscale;
    if (!f->syn_seen)
        f->sent_end = tcp->seq + 1;
    f->syn_seen = true;
}

/*
 * Acknowledgments only grow, and so does the right edge of the window (RFC 9293 SHLD-14), but for
 * less than a unit of a scaled window, and then what was promised still holds (RFC 7323 2.4).
 */
static void check_ack(struct check *c, struct flow *f, const struct flow *other,
                      const struct tcp_hdr *tcp)
{
    unsigned shift =
        !(tcp->flags & TCP_SYN) && f->wscale_offered && other->wscale_offered ? f->wscale : 0;
    uint32_t edge = tcp->ack + ((uint32_t)tcp->wnd << shift);

    if (!other->syn_seen || seq_gt(tcp->ack, other->sent_end))
        check_fail(c, "port %u: acknowledges %u, beyond what was sent", tcp->sport,
                   tcp->ack - other->isn);
    if (f->acked && seq_lt(tcp->ack, f->ack))
        check_fail(c, "port %u: the acknowledgment went back to %u from %u", tcp->sport,
                   tcp->ack - other->isn, f->ack - other->isn);
    if (f->acked && seq_lt(edge + (1U << shift) - 1, f->right_edge))
        check_fail(c, "port %u: the window's right edge went back to %u from %u", tcp->sport,
                   edge - other->isn, f->right_edge - other->isn);
    f->right_edge = f->acked ? seq_max(f->right_edge, edge) : edge;
    f->acked = true;
    f->ack = tcp->ack;
}

/* What it sends lies in the window, is what was written, and stays the same when sent again. */
static void check_payload(struct check *c, struct flow *f, const struct flow *other,
                          const struct tcp_hdr *tcp, const uint8_t *data, uint32_t len,
                          enum reason why)
{
    uint32_t end = tcp->seq + len + (tcp->flags & TCP_SYN ? 1 : 0);
    uint32_t beyond = why == REASON_SEND_PROBE ? 1 : 0;

    if (len > 0 && !other->syn_seen)
        check_fail(c, "port %u: data before the other side's SYN", tcp->sport);
    if (len > 0 && seq_gt(end, other->right_edge + beyond))
        check_fail(c, "port %u: data up to %u, but the window ends at %u", tcp->sport, end - f->isn,
                   other->right_edge - f->isn);
    if (len > 0 && other->syn_seen && len > other->mss)
        check_fail(c, "port %u: %u bytes for an MSS of %u", tcp->sport, len, other->mss);
    if (len > 0 && !stream_matches(f->key, tcp->seq - f->isn - 1, data, len))
        check_fail(c, "port %u: the bytes at %u are not what was written", tcp->sport,
                   tcp->seq - f->isn);
    if (len > 0 && f->fin_seen && seq_gt(end, f->fin))
        check_fail(c, "port %u: data behind its FIN", tcp->sport);
    if (tcp->flags & TCP_FIN) {
        if (f->fin_seen && f->fin != end)
            check_fail(c, "port %u: a second FIN at another number", tcp->sport);
        if (!f->fin_seen && seq_lt(end, f->sent_end))
            check_fail(c, "port %u: a FIN before the end of its data", tcp->sport);
        f->fin_seen = true;
        f->fin = end++;
    }
    if (seq_gt(end, f->sent_end))
        f->sent_end = end;
}

/* The two flows of a segment, its own first; false if the ports are none of ours. */
static bool find_flows(struct check *c, const struct tcp_hdr *tcp, struct flow **ret_own,
                       struct flow **ret_other)
{
    bool opener = tcp->sport < CHECK_PORT_OTHER;
    unsigned i = (unsigned)(opener ? tcp->sport : tcp->dport) - CHECK_PORT;

    if (i >= CHECK_CONNS || (opener ? tcp->dport : tcp->sport) != CHECK_PORT_OTHER + i)
        return false;
    *ret_own = &c->flow[i][opener ? 0 : 1];
    *ret_other = &c->flow[i][opener ? 1 : 0];
    return true;
}

void check_output(struct check *c, uint32_t mtu, const uint8_t *b, uint32_t len, enum reason why)
{
    struct flow *own, *other;
    struct ip_hdr ip;
    struct tcp_hdr tcp;
    enum reason r = ip_parse(b, len, &ip);
    size_t l4_len;

    if (r != REASON_NONE || ip.total_len != len || ip.proto != IP_PROTO_TCP || len > mtu) {
        check_fail(c, "sent a bad packet of %u bytes: %s", len, reason_text(r)->sentence);
        return;
    }
    l4_len = (size_t)len - ip.header_len;
    r = tcp_parse(&ip, b + ip.header_len, l4_len, 0, &tcp);
    if (r != REASON_NONE) {
        check_fail(c, "sent a bad segment: %s", reason_text(r)->sentence);
        return;
    }
    c->segments++;
    c->payload += l4_len - tcp.header_len;
    if (reason_text(why)->kind != REASON_KIND_SEND)
        check_fail(c, "port %u: a segment leaves without a reason", tcp.sport);
    if (tcp.flags & TCP_RST) {
        if (why == REASON_SEND_RST_ANSWER)
            check_rst_answer(c, &tcp);
        return;
    }
    if (!find_flows(c, &tcp, &own, &other)) {
        check_fail(c, "a segment from port %u to %u", tcp.sport, tcp.dport);
        return;
    }
    if (tcp.flags & TCP_SYN)
        check_syn(c, own, &tcp);
    if (!own->syn_seen)
        check_fail(c, "port %u: a segment before its SYN", tcp.sport);
    if (tcp.flags & TCP_ACK)
        check_ack(c, own, other, &tcp);
    check_payload(c, own, other, &tcp, b + ip.header_len + tcp.header_len,
                  (uint32_t)(l4_len - tcp.header_len), why);
}
