#include "tests/fuzz/remote.h"

#include <string.h>

#include "tcp/timestamp.h"

enum {
    FIRST_PORT = 40000,
    FIRST_OWN_PORT = 50000,
};

uint32_t remote_addr(unsigned flow)
{
    return 0x0a000105 + (flow & 1) * 3;
}

uint16_t remote_to_port(unsigned flow)
{
    return (uint16_t)(flow < REMOTE_PASSIVE ? CALLER_PORT + (flow >> 1 & 1)
                                            : FIRST_OWN_PORT + flow);
}

uint16_t remote_port(unsigned flow)
{
    return (uint16_t)(FIRST_PORT + flow);
}

uint32_t remote_local_addr(const struct remote *r, unsigned flow)
{
    return subject_number(&r->n->cfg.local[flow == 3]);
}

/* Some wrap soon. */
uint32_t remote_isn(unsigned flow)
{
    static const uint32_t isn[REMOTE_FLOWS] = {0x1000,     0xffffffff, 0x7ffffff0,
                                               0xfffff000, 0,          0xffffff00};

    return isn[flow];
}

const struct tcb *remote_tcb(const struct remote *r, unsigned flow)
{
    struct addr local = subject_addr(r->n->v6, remote_local_addr(r, flow));
    struct addr remote = subject_addr(r->n->v6, remote_addr(flow));
    struct conn *c = flow_find(r->n->st, &local, remote_to_port(flow), &remote, remote_port(flow));

    return c ? &c->tcb : NULL;
}

static void put_option(struct forge_tcp *t, const uint8_t *opt, unsigned len)
{
    if (t->opt_len + len > FORGE_OPTIONS_MAX)
        return;
    memcpy(t->opt + t->opt_len, opt, len);
    t->opt_len += len;
}

static void timestamp_option(struct forge_tcp *t, uint32_t val, uint32_t ecr)
{
    uint8_t o[10] = {TCP_OPT_TIMESTAMP, 10};

    put32(o + 2, val);
    put32(o + 6, ecr);
    put_option(t, o, sizeof(o));
}

/* No connection, but perhaps a SYN-ACK that was sent for one, as a cookie: then answer that. */
static void expected_of_cookie(const struct remote *r, unsigned flow, struct forge_tcp *t)
{
    const uint8_t *sent;
    struct tcp_hdr tcp;
    struct ip_hdr ip;
    uint32_t len;

    for (unsigned i = 0; i < OUTLOOK_KEPT && (sent = outlook_kept(r->out, i, &len)); i++) {
        if (ip_parse(sent, len, &ip) != REASON_NONE || ip.proto != IP_PROTO_TCP ||
            tcp_parse(&ip, sent + ip.header_len, len - ip.header_len, 0, &tcp) != REASON_NONE)
            continue;
        if (tcp.flags != (TCP_SYN | TCP_ACK) || tcp.dport != remote_port(flow))
            continue;
        t->seq = tcp.ack;
        t->ack = tcp.seq + 1;
        if (tcp.opt.has_timestamp)
            timestamp_option(t, tcp.opt.ts_ecr + 1, tcp.opt.ts_val);
        return;
    }
}

struct forge_tcp remote_expected(const struct remote *r, int64_t now, unsigned flow)
{
    const struct tcb *c = remote_tcb(r, flow);
    struct forge_tcp t = {
        .sport = remote_port(flow),
        .dport = remote_to_port(flow),
        .seq = remote_isn(flow),
        .flags = TCP_ACK,
        .wnd = 8192,
    };

    if (!c) {
        expected_of_cookie(r, flow, &t);
        return t;
    }
    t.ack = c->snd_nxt;
    if (c->state != TCP_SYN_SENT)
        t.seq = c->rcv_nxt;
    if (c->ts_ok)
        timestamp_option(&t, c->ts_recent + 1, timestamp_clock(c, now));
    return t;
}

void remote_syn_options(struct forge_tcp *t, unsigned bits, uint8_t value)
{
    static const uint16_t mss[] = {1460, 536, 100, 0};
    uint8_t o[4] = {TCP_OPT_MSS, 4};

    if (!(bits & 1)) {
        put16(o + 2, mss[value & 3]);
        put_option(t, o, 4);
    }
    if (bits & 2)
        put_option(t, (const uint8_t[]){TCP_OPT_WSCALE, 3, value & 15}, 3);
    if (bits & 4)
        put_option(t, (const uint8_t[]){TCP_OPT_SACK_OK, 2}, 2);
    if (bits & 8)
        timestamp_option(t, value >> 4, 0);
}

/* SACK blocks, counted from what the connection has sent. */
static void sack_options(struct forge_tcp *t, const struct tcb *c, struct script *s, unsigned n)
{
    uint8_t o[2 + 4 * 8] = {TCP_OPT_SACK, (uint8_t)(2 + 8 * n)};

    for (unsigned i = 0; i < n; i++) {
        uint32_t from = (c ? c->snd_una : 0) + script_16(s) - 64;

        put32(o + 2 + 8 * i, from);
        put32(o + 6 + 8 * i, from + script_16(s));
    }
    put_option(t, o, 2 + 8 * n);
}

void remote_options(const struct remote *r, int64_t now, struct forge_tcp *t, unsigned flow,
                    struct script *s)
{
    unsigned how = script_8(s);
    const struct tcb *c = remote_tcb(r, flow);
    const uint8_t *raw;
    size_t n;

    switch (how & 7) {
    case 0:
        return;
    case 1: /* other timestamps, or none */
        t->opt_len = 0;
        if (c && how & 8)
            timestamp_option(t, c->ts_recent + script_16(s) - 32768,
                             timestamp_clock(c, now) - script_16(s));
        return;
    case 2:
    case 3:
        remote_syn_options(t, how >> 3, script_8(s));
        return;
    case 4:
    case 5:
        sack_options(t, c, s, 1 + (how >> 3 & 3));
        return;
    default:
        raw = script_bytes(s, how >> 3, &n);
        put_option(t, raw, (unsigned)n);
    }
}
