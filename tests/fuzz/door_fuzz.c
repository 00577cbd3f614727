/*
 * One stack, and a script of packets, time and user calls. Random packets do not get far: their
 * checksums are wrong, their ports are nobody's, their numbers lie outside every window. So the
 * script says how a packet differs from one that would be right: checksums are put right, and
 * numbers are counted from those of the live connection that the packet is for. The first bytes
 * choose the configuration (subject.c); then each operation is a byte and what it needs.
 *
 * The remote end (remote.c) sends the byte that stands at each sequence number, whatever else it
 * does, so what our application reads can be compared; only packets that are raw bytes end that.
 */
#include <string.h>

#include "tcp/ecn.h"
#include "tests/fuzz/caller.h"
#include "tests/fuzz/remote.h"

enum {
    OPS_MAX = 80,
    STEPS_MAX = 24,    /* deadlines in one operation */
    ROUNDS_MAX = 3000, /* deadlines until everything has ended */
};

struct door {
    struct subject n;
    struct caller app;
    struct outlook out;
    struct remote remote;
    struct forge f;
    int64_t now;
    size_t route_len; /* bytes of `way` in the next segment */
    uint16_t pieces;  /* the next segment's in fragments have this identification, or the next */
    bool abort_at_end;
};

static struct door d;

/* ---- packets in ---- */

static void give_cut(uint16_t marks, uint16_t size)
{
    uint32_t len = d.f.len < FORGE_MAX ? d.f.len : FORGE_MAX;

    outlook_input(&d.out, d.f.b, len);
    subject_input(&d.n, d.now, d.f.b, len, marks, size);
}

static void give(uint16_t marks)
{
    give_cut(marks, 0);
}

/* A loose source route that was followed to its end. */
static const uint8_t way[] = {131, 11, 12, 10, 0, 2, 1, 10, 0, 3, 1};

/* The packet in two fragments, in any order, of which one may not come. */
static void give_pieces(struct script *s, uint16_t id)
{
    unsigned how = script_8(s);
    uint32_t data = d.f.len - d.f.l4, cut = min32((1 + (how >> 4)) * 8, data / 8 * 8);
    struct forge whole = d.f;

    for (unsigned i = 0; i < 2; i++) {
        bool second = (i ^ how) & 1;

        if (how & (second ? 2 : 4))
            continue;
        forge_piece(&d.f, &whole, second ? cut : 0, second ? data - cut : cut,
                    (uint16_t)(id + (how >> 3 & 1)));
        give(0);
    }
}

static void give_segment(unsigned flow, const struct forge_tcp *t)
{
    forge_ip(&d.f, remote_addr(flow), remote_local_addr(&d.remote, flow), IP_PROTO_TCP);
    if (d.route_len)
        forge_ip_options(&d.f, way, d.route_len);
    forge_tcp(&d.f, t);
    forge_end(&d.f);
}

static uint32_t text_len(uint8_t b)
{
    return b < 128 ? b : (b - 120u) * 16;
}

/* A segment that fits, with text and flags. */
static void op_next(struct script *s)
{
    static const uint8_t flags[] = {0, TCP_PSH, TCP_FIN, TCP_URG};
    unsigned how = script_8(s), flow = how % 8 % REMOTE_FLOWS;
    struct forge_tcp t = remote_expected(&d.remote, d.now, flow);

    t.flags |= flags[how >> 6];
    t.urg = (uint16_t)(how & TCP_URG ? 3 : 1);
    t.data = text_len(script_8(s));
    if (how & 8)
        t.seq += t.data + 1 + (how >> 4 & 3) * 100; /* beyond a gap */
    if ((t.data & 7) == 6)
        d.route_len = sizeof(way);
    give_segment(flow, &t);
    d.route_len = 0;
    if ((t.data & 7) == 5) { /* a router has marked it */
        d.f.b[1] = (uint8_t)(d.f.v6 ? ECN_CE << 4 : ECN_CE);
        forge_end(&d.f);
    }
    if ((t.data & 7) == 4) { /* two halves that were not one packet's would be other bytes */
        give_pieces(s, d.pieces);
        d.pieces += 2;
    } else {
        give(0);
    }
}

static uint32_t offset(struct script *s, unsigned scale)
{
    int32_t v = (int16_t)script_16(s);

    return (uint32_t)v * (scale ? UINT32_C(65536) : 1);
}

/* A segment with every field chosen, numbers relative to those of the connection. */
static void any_segment(struct script *s, unsigned *ret_flow, struct forge_tcp *ret_t)
{
    unsigned flow = script_8(s) % REMOTE_FLOWS, from = script_8(s);
    const struct tcb *c = remote_tcb(&d.remote, flow);
    struct forge_tcp t = remote_expected(&d.remote, d.now, flow);

    t.flags = script_8(s);
    if (c && (from & 3) == 1)
        t.seq = c->rcv_adv;
    else if (c && (from & 3) == 2)
        t.seq = c->irs;
    else if ((from & 3) == 3)
        t.seq = remote_isn(flow);
    if (c && (from >> 2 & 3) == 1)
        t.ack = c->snd_una;
    else if (c && (from >> 2 & 3) == 2)
        t.ack = c->iss;
    else if (c && (from >> 2 & 3) == 3)
        t.ack = tcb_data_end(c);
    if (from & 16)
        t.seq += offset(s, from & 128);
    if (from & 32)
        t.ack += offset(s, from & 128);
    if (from & 64) {
        t.wnd = script_16(s);
        t.urg = script_16(s);
    }
    remote_options(&d.remote, d.now, &t, flow, s);
    t.data = text_len(script_8(s));
    *ret_flow = flow;
    *ret_t = t;
}

static void op_segment(struct script *s)
{
    struct forge_tcp t;
    unsigned flow;

    any_segment(s, &flow, &t);
    give_segment(flow, &t);
    give(0);
}

/* The same, and then some bytes of it are others: in the headers with the checksums put right. */
static void op_damaged(struct script *s)
{
    struct forge_tcp t;
    unsigned flow, how;

    any_segment(s, &flow, &t);
    give_segment(flow, &t);
    how = script_8(s);
    for (unsigned i = 0; i < (how & 3) + 1; i++)
        d.f.b[script_8(s) % (d.f.len < 80 ? d.f.len : 80)] ^= script_8(s);
    if (how & 4) {
        if (!d.f.v6)
            d.f.l4 = (d.f.b[0] & 15) * 4 < (int)d.f.len ? (d.f.b[0] & 15u) * 4 : 20;
        forge_end(&d.f);
        d.app.forged = true;
    }
    if (how & 8)
        d.f.len = script_8(s);
    give((uint16_t)(how >> 4 & 3)); /* enum pkt_marks: the device may vouch for what is wrong */
    d.app.forged |= how >> 4 & 3;
}

/* Bytes as they stand, whole or behind an IP header that is right. */
static void op_raw(struct script *s, bool with_header)
{
    unsigned proto = script_8(s), n = script_8(s);
    size_t len;
    const uint8_t *b = script_bytes(s, n, &len);

    d.f.len = d.f.l4 = 0;
    if (with_header)
        forge_ip(&d.f, remote_addr(0), remote_local_addr(&d.remote, 0), (uint8_t)proto);
    forge_bytes(&d.f, b, len);
    if (with_header)
        forge_end(&d.f);
    d.app.forged = true;
    give(0);
}

/*
 * An ICMP error about something that we sent, or did not: most often "unreachable", with a code
 * that has a meaning and an MTU that could be one; else no path would ever be found too narrow.
 */
static void op_icmp_error(struct script *s)
{
    unsigned how = script_8(s), type = script_8(s), code = script_8(s);
    uint32_t rest = script_16(s), len = 0;
    const uint8_t *sent = outlook_kept(&d.out, how & 7, &len);
    uint8_t quote[SUBJECT_RX_SIZE];

    if (!sent)
        return;
    memcpy(quote, sent, len);
    len = min32(len, how & 8 ? (d.f.v6 ? 48 : 28) : how & 16 ? script_8(s) : len);
    if (how & 32 && len > 0)
        quote[script_8(s) % len] ^= script_8(s);
    forge_ip(&d.f, remote_addr(how >> 6), remote_local_addr(&d.remote, 0),
             d.f.v6 ? IP_PROTO_ICMP6 : IP_PROTO_ICMP);
    if (type & 128 && d.f.v6) {
        type = 1 + (type & 3);
        code &= 7;
        rest &= 0x7ff;
    } else if (type & 128) {
        type = ICMP_UNREACHABLE;
        code &= 7;
        rest &= 0x7ff;
    }
    forge_icmp(&d.f, (uint8_t)(type & 15), (uint8_t)code, rest, quote, len);
    forge_end(&d.f);
    give(0);
}

/* Something of ours comes back, perhaps as if the remote end had sent it. */
static void op_echoed(struct script *s)
{
    unsigned how = script_8(s);
    uint32_t len = 0;
    const uint8_t *sent = outlook_kept(&d.out, how & 7, &len);

    if (!sent)
        return;
    d.f.len = 0;
    forge_bytes(&d.f, sent, len);
    d.f.l4 = d.f.v6 ? 40 : (d.f.b[0] & 15u) * 4;
    d.f.proto = d.f.b[6];
    if (how & 8) { /* to a listener of ours, from the address where it was sent */
        uint32_t n = d.f.v6 ? 16 : 4, src = d.f.v6 ? 8 : 12;
        uint8_t end[16];

        memcpy(end, d.f.b + src, n);
        memcpy(d.f.b + src, d.f.b + src + n, n);
        memcpy(d.f.b + src + n, end, n);
        if (how & 16) {
            memcpy(end, d.f.b + d.f.l4, 2);
            memcpy(d.f.b + d.f.l4, d.f.b + d.f.l4 + 2, 2);
            memcpy(d.f.b + d.f.l4 + 2, end, 2);
        }
        forge_end(&d.f);
    }
    give(0);
}

static void op_other(struct script *s)
{
    unsigned how = script_8(s);
    size_t len;
    const uint8_t *b = script_bytes(s, script_8(s), &len);

    forge_ip(&d.f, remote_addr(how & 1), remote_local_addr(&d.remote, 0),
             how & 2 ? (d.f.v6 ? IP_PROTO_ICMP6 : IP_PROTO_ICMP) : IP_PROTO_UDP);
    if (how & 4)
        forge_ip_options(&d.f, b, len < FORGE_OPTIONS_MAX ? len : FORGE_OPTIONS_MAX);
    if (how & 2)
        forge_icmp(&d.f,
                   how & 8 ? (d.f.v6 ? 128 : 8) : (uint8_t)(d.f.v6 ? 122 + (how >> 4) : how >> 4),
                   0, 1, b, len);
    else
        forge_udp(&d.f, (uint16_t)(1000 + how), (uint16_t)(CALLER_UDP_PORT + (how >> 3 & 3)), b,
                  len);
    forge_end(&d.f);
    if (how & 0x80 && (!(how & 2) || how & 8))
        give_pieces(s, 0);
    else if (how & 0x40 && !(how & 2)) /* the device says that it is several, summed or not */
        give_cut(how & 0x20 ? PKT_DATAGRAMS : PKT_DATAGRAMS | PKT_CSUM_PARTIAL, script_8(s));
    else
        give(0);
}

/* ---- time, output, user calls ---- */

/* Sleep over every deadline, or wake up at each, but not without end. */
static void op_time(struct script *s)
{
    unsigned how = script_8(s);
    int64_t until = d.now + (INT64_C(1) << (16 + (how & 31) % 24)); /* 65 us to 9 minutes */

    for (unsigned i = 0; how & 64 && i < STEPS_MAX; i++) {
        int64_t next = stack_deadline(d.n.st);

        if (next >= until)
            break;
        d.now = next > d.now ? next : d.now;
        stack_tick(d.n.st, d.now);
        caller_events(&d.app, 100);
        outlook_drain(&d.out, d.now);
    }
    d.now = until;
    stack_tick(d.n.st, d.now);
}

/* Until the next thing is due. */
static void op_deadline(void)
{
    int64_t next = stack_deadline(d.n.st);

    if (next == TIME_NEVER)
        return;
    d.now = next > d.now ? next : d.now;
    stack_tick(d.n.st, d.now);
}

static void op_output(unsigned most)
{
    uint32_t len;

    while (most-- > 0 && outlook_next(&d.out, d.now, &len))
        ;
}

static void active_open(unsigned flow)
{
    struct addr remote = subject_addr(d.n.v6, remote_addr(flow));

    caller_open(&d.app, remote_to_port(flow), &remote, remote_port(flow));
}

/* A whole handshake, with options as the script says. */
static void op_connect(struct script *s)
{
    unsigned how = script_8(s), flow = how % 8 % REMOTE_FLOWS;
    bool passive = flow < REMOTE_PASSIVE;
    struct forge_tcp t = remote_expected(&d.remote, d.now, flow);

    if (passive) {
        if (d.app.listener[flow >> 1 & 1] < 0)
            caller_listen(&d.app, flow >> 1 & 1, 4, false);
        t.flags = TCP_SYN;
        t.seq = remote_isn(flow);
        t.opt_len = 0;
    } else {
        active_open(flow);
        outlook_drain(&d.out, d.now);
        t = remote_expected(&d.remote, d.now, flow);
        t.flags = TCP_SYN | TCP_ACK;
        t.opt_len = 0;
    }
    remote_syn_options(&t, how >> 3 & 15, script_8(s));
    if (how & 128)
        t.flags |= passive ? TCP_ECE | TCP_CWR : TCP_ECE;
    give_segment(flow, &t);
    give(0);
    outlook_drain(&d.out, d.now);
    if (passive) {
        t = remote_expected(&d.remote, d.now, flow);
        give_segment(flow, &t);
        give(0);
    }
    caller_events(&d.app, 100);
}

static void call_data(struct script *s, unsigned op)
{
    struct handle *h = caller_handle(&d.app, script_8(s));
    unsigned how = script_8(s);

    if (op == 0)
        caller_send(&d.app, h, text_len((uint8_t)how), true);
    else if (op == 1)
        caller_send(&d.app, h, text_len((uint8_t)how) * 2, false);
    else if (op == 2)
        caller_receive(&d.app, h, text_len((uint8_t)how), 1, true);
    else
        caller_receive(&d.app, h, 1 + text_len((uint8_t)how), 100, false);
}

static void call_connection(struct script *s)
{
    unsigned how = script_8(s);
    struct handle *h = caller_handle(&d.app, how >> 3);

    switch (how & 7) {
    case 0:
    case 1:
        caller_close(&d.app, h);
        break;
    case 2:
        caller_release(&d.app, h);
        break;
    case 3:
        caller_abort(&d.app, h);
        break;
    case 4:
        caller_urgent(&d.app, h);
        break;
    case 5:
        caller_set(&d.app, h, s);
        break;
    case 6:
        caller_let_go(&d.app);
        break;
    default:
        caller_ask(&d.app);
    }
}

static void call_node(struct script *s)
{
    unsigned how = script_8(s);
    struct addr to = subject_addr(d.n.v6, remote_addr(how & 7));

    switch (how & 7) {
    case 0:
    case 1:
        caller_listen(&d.app, how >> 3, how >> 4, how & 8);
        break;
    case 2:
        caller_unlisten(&d.app, how >> 3);
        break;
    case 3:
    case 4:
        active_open(REMOTE_PASSIVE + (how >> 3 & 1));
        break;
    case 5:
        caller_bind(&d.app, how >> 3);
        break;
    case 6:
        caller_unbind(&d.app, how >> 3);
        break;
    default:
        caller_datagram(&d.app, how >> 3, &to, (uint16_t)(how >> 5), text_len(script_8(s)));
    }
}

static void packet_op(struct script *s, unsigned op)
{
    if (op < 5)
        op_next(s);
    else if (op < 10)
        op_segment(s);
    else if (op == 10)
        op_damaged(s);
    else if (op == 11)
        op_raw(s, false);
    else if (op == 12)
        op_raw(s, true);
    else if (op == 13)
        op_icmp_error(s);
    else if (op == 14)
        op_echoed(s);
    else
        op_other(s);
}

static void step(struct script *s)
{
    unsigned op = script_8(s) & 31;

    if (op < 16)
        packet_op(s, op);
    else if (op < 18)
        op_time(s);
    else if (op == 18)
        op_deadline();
    else if (op < 21)
        outlook_drain(&d.out, d.now);
    else if (op == 21)
        op_output(1 + (script_8(s) & 3));
    else if (op == 22)
        op_connect(s);
    else if (op < 27)
        call_data(s, op - 23);
    else if (op < 29)
        call_connection(s);
    else if (op == 29)
        call_node(s);
    else
        caller_events(&d.app, op == 30 ? 1 : 100);
}

/* Everything is given up; then nothing is left after a bounded time. */
static void end(void)
{
    caller_events(&d.app, 100);
    caller_give_up(&d.app, d.abort_at_end);
    outlook_drain(&d.out, d.now);
    for (unsigned i = 0;; i++) {
        int64_t next = stack_deadline(d.n.st);

        if (next == TIME_NEVER)
            break;
        FUZZ_CHECK(i < ROUNDS_MAX, "it does not come to an end");
        d.now = next > d.now ? next : d.now;
        stack_tick(d.n.st, d.now);
        outlook_drain(&d.out, d.now);
    }
    subject_check(&d.n, NULL, 0);
    subject_check_over(&d.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct script s = {data, size};
    unsigned how = script_8(&s);

    d.now = how & 2 ? 0 : INT64_C(1) << 40;
    d.abort_at_end = how & 1;
    d.pieces = 2;
    d.n.v6 = d.f.v6 = (how & 12) == 12;
    subject_start(&d.n, 0, 0, &s);
    /* the sums of segments are not left to the device, so that they can be looked at */
    d.n.st->ip.super_udp = how & 16 ? SUBJECT_RX_SIZE : 0;
    caller_start(&d.app, &d.n);
    outlook_start(&d.out, &d.n);
    d.remote = (struct remote){&d.n, &d.out};
    for (unsigned i = 0; i < OPS_MAX && !script_ended(&s); i++) {
        step(&s);
        subject_check(&d.n, d.app.held, CALLER_SLICES);
    }
    end();
    return 0;
}
