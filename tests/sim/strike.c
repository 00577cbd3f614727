/*
 * Packets that none of the nodes has sent: forged ones for a live connection, as somebody sends who
 * knows the addresses, ports and windows of a connection but misses its numbers by a little, and
 * the router's word that a packet is too large for the path behind it.
 *
 * Each forged packet hits the stack at once, while the TCB is known, so what it would take to be
 * believed is known as well, and is just missed. It must do nothing to the connection and be
 * counted as a drop; the checker sees to both.
 */
#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "base/seq.h"
#include "stack/internal.h"
#include "tests/sim/world.h"
#include "wire/icmp.h"

enum strike_kind {
    STRIKE_RST_IN_WINDOW,
    STRIKE_RST_OUTSIDE,
    STRIKE_SYN,
    STRIKE_ACK_FUTURE,
    STRIKE_ACK_OLD,
    STRIKE_DATA_BEYOND,
    STRIKE_DATA_BELOW,
    STRIKE_DATA_STALE,  /* its timestamp is old */
    STRIKE_UNREACHABLE, /* ICMP, about a segment that is not in flight */
    STRIKE_TOO_LARGE,
    STRIKE_FRAGMENT, /* of a reset that would be believed if all of it came */
    STRIKE_KINDS,
};

enum {
    TEXT_MAX = 64, /* bytes */
    ROUTER_TTL = 64,
};

/* A live connection of this node, drawn from the dice, or NULL. */
static const struct conn *pick(struct world *w, unsigned node)
{
    const struct stack *st = w->node[node].st;
    uint32_t at;

    if (st->fresh_slots == 0)
        return NULL;
    at = (uint32_t)dice_below(&w->strike_dice, st->fresh_slots);
    for (uint32_t i = 0; i < st->fresh_slots; i++) {
        const struct conn *conn = &st->conns[(at + i) % st->fresh_slots];

        if (conn->in_use && conn->tcb.state >= TCP_ESTABLISHED)
            return conn;
    }
    return NULL;
}

static uint32_t below(struct world *w, uint32_t n)
{
    return (uint32_t)dice_below(&w->strike_dice, n ? n : 1);
}

/* How far a strike is beside what would be believed: often by nothing more than it must. */
static uint32_t beside(struct world *w)
{
    return below(w, 2) ? 0 : below(w, 1 << 20);
}

/* The header of a strike, and in *ret_len how much text it brings; false if it is not possible. */
static bool forge(struct world *w, const struct tcb *t, enum strike_kind kind,
                  struct tcp_hdr *ret_hdr, uint32_t *ret_len)
{
    uint32_t wnd = tcb_rcv_wnd(t);
    struct tcp_hdr h = {
        .sport = t->remote_port,
        .dport = t->local_port,
        .seq = t->rcv_nxt,
        .ack = t->snd_nxt,
        .wnd = 1000,
        .flags = TCP_ACK,
        .opt = {.has_timestamp = t->ts_ok, .ts_val = t->ts_recent + beside(w)},
    };

    *ret_len = 0;
    switch (kind) {
    case STRIKE_RST_IN_WINDOW:
        h.flags = TCP_RST;
        h.seq += 1 + below(w, wnd - 1);
        if (wnd < 2)
            return false;
        break;
    case STRIKE_RST_OUTSIDE:
        h.flags = TCP_RST;
        h.seq = below(w, 2) ? t->rcv_adv + (wnd == 0) + beside(w) : t->rcv_nxt - 1 - beside(w);
        break;
    case STRIKE_SYN:
        h.flags = TCP_SYN;
        h.seq += below(w, 2 * wnd) - wnd / 2;
        if (t->state == TCP_TIME_WAIT)
            return false; /* may begin a new connection (MAY-2) */
        break;
    case STRIKE_ACK_FUTURE:
        h.ack += 1 + beside(w);
        *ret_len = below(w, TEXT_MAX);
        break;
    case STRIKE_ACK_OLD:
        h.ack = t->snd_una - t->max_snd_wnd - 1 - beside(w);
        *ret_len = below(w, TEXT_MAX);
        break;
    case STRIKE_DATA_BEYOND:
        h.seq = t->rcv_adv + beside(w);
        *ret_len = below(w, TEXT_MAX);
        if (wnd == 0)
            return false;
        break;
    case STRIKE_DATA_BELOW:
        *ret_len = 2 + below(w, TEXT_MAX); /* of one octet alone the acknowledgment counts */
        h.seq -= *ret_len + beside(w);
        break;
    case STRIKE_DATA_STALE:
        *ret_len = 1 + below(w, TEXT_MAX);
        h.opt.ts_val = t->ts_recent - 1 - beside(w);
        if (!t->ts_ok)
            return false;
        break;
    case STRIKE_UNREACHABLE:
    case STRIKE_TOO_LARGE:
    case STRIKE_FRAGMENT:
    case STRIKE_KINDS:
        return false;
    }
    *ret_hdr = h;
    return true;
}

static uint32_t forge_segment(struct world *w, const struct tcb *t, enum strike_kind kind,
                              uint8_t *out)
{
    struct ip_hdr ip = {.version = addr_is_v4(&t->local) ? 4 : 6,
                        .ttl = ROUTER_TTL,
                        .proto = IP_PROTO_TCP,
                        .df = true,
                        .src = t->remote,
                        .dst = t->local};
    uint8_t text[TEXT_MAX + 1]; /* STRIKE_DATA_BELOW has two at least */
    struct slice payload = {NULL, text, 0};
    struct tcp_hdr h;
    size_t ip_len = ip_build_len(&ip), tcp_len;

    if (!forge(w, t, kind, &h, &payload.len))
        return 0;
    assert(payload.len <= sizeof(text));
    memset(text, 0x55, sizeof(text));
    tcp_len = tcp_build(out + ip_len, &ip.src, &ip.dst, &h, 0, &payload, 1);
    memcpy(out + ip_len + tcp_len, text, payload.len);
    ip_build(out, &ip, tcp_len + payload.len);
    return (uint32_t)(ip_len + tcp_len + payload.len);
}

/*
 * An ICMP error of a router, at 10.0.255.1 or fd00:ff::1, that quotes the beginning of the packet
 * at `quote`: too big for `mtu`, or, with 0, for nobody at that port.
 */
static uint32_t build_error(const struct addr *to, uint16_t mtu, const uint8_t *quote, uint8_t *out)
{
    bool v4 = addr_is_v4(to);
    struct ip_hdr ip = {
        .version = v4 ? 4 : 6,
        .ttl = ROUTER_TTL,
        .proto = v4 ? IP_PROTO_ICMP : IP_PROTO_ICMP6,
        .src = v4 ? addr_v4(0x0a00ff01) : (struct addr){.b = {0xfd, [3] = 0xff, [15] = 1}},
        .dst = *to,
    };
    uint32_t header = (uint32_t)ip_build_len(&ip);
    struct slice quoted = {NULL, quote, header + ICMP_QUOTE_MIN};
    uint32_t len = ICMP_HEADER + quoted.len;

    if (v4)
        icmp_build(out + header, ICMP_UNREACHABLE, mtu ? ICMP_UNREACH_NEEDFRAG : ICMP_UNREACH_PORT,
                   mtu, &quoted, 1);
    else
        icmp6_build(out + header, &ip.src, to, mtu ? ICMP6_TOO_BIG : ICMP6_UNREACHABLE,
                    mtu ? 0 : ICMP6_UNREACH_PORT, mtu, &quoted, 1);
    memcpy(out + header + ICMP_HEADER, quote, quoted.len);
    return (uint32_t)ip_build(out, &ip, len) + len;
}

/* About a segment of this connection whose number is outside what is in flight (RFC 5927 4). */
static uint32_t forge_error(struct world *w, const struct tcb *t, enum strike_kind kind,
                            uint8_t *out)
{
    struct ip_hdr ip = {.version = addr_is_v4(&t->local) ? 4 : 6,
                        .ttl = ROUTER_TTL,
                        .proto = IP_PROTO_TCP,
                        .df = true,
                        .src = t->local,
                        .dst = t->remote};
    struct tcp_hdr h = {
        .sport = t->local_port,
        .dport = t->remote_port,
        .seq = below(w, 2) ? t->snd_nxt + beside(w) : t->snd_una - 1 - beside(w),
        .flags = TCP_ACK,
    };
    uint8_t quote[IPV6_HEADER + TCP_HEADER_MIN];

    tcp_build(quote + ip_build_len(&ip), &ip.src, &ip.dst, &h, 0, NULL, 0);
    ip_build(quote, &ip, 1000);
    return build_error(&t->local, kind == STRIKE_TOO_LARGE ? 300 : 0, quote, out);
}

/*
 * Fragments of a reset with the right number; they meet those of strikes before, in every way, and
 * never hold the bytes from 24 to 31.
 */
static uint32_t forge_fragment(struct world *w, const struct tcb *t, uint8_t *out)
{
    static const struct {
        uint16_t off, len;
        bool more;
    } parts[] = {{0, 24, true},   {0, 16, true},   {0, 8, true},   {8, 16, true},
                 {32, 28, false}, {32, 8, true},   {32, 24, true}, {40, 16, true},
                 {40, 20, false}, {32, 20, false}, {56, 4, false}, {65528, 4, false},
                 {32, 7, true},   {0, 24, false},  {16, 8, true}};
    size_t k = dice_below(&w->strike_dice, sizeof(parts) / sizeof(parts[0]));
    struct ip_hdr ip = {.version = addr_is_v4(&t->local) ? 4 : 6,
                        .ttl = ROUTER_TTL,
                        .proto = IP_PROTO_TCP,
                        .id = (uint16_t)(65000 + below(w, 4)),
                        .mf = parts[k].more,
                        .frag_off = parts[k].off,
                        .src = t->remote,
                        .dst = t->local};
    struct tcp_hdr h = {.sport = t->remote_port,
                        .dport = t->local_port,
                        .seq = t->rcv_nxt,
                        .flags = TCP_RST};
    uint8_t whole[TCP_HEADER_MIN + 40] = {0};
    struct slice text = {NULL, whole + TCP_HEADER_MIN, 40};
    size_t header;

    tcp_build(whole, &ip.src, &ip.dst, &h, 0, &text, 1);
    header = ip_build(out, &ip, parts[k].len);
    if (parts[k].off < sizeof(whole))
        memcpy(out + header, whole + parts[k].off, parts[k].len);
    return (uint32_t)header + parts[k].len;
}

void strike(struct world *w, unsigned node)
{
    enum strike_kind kind = (enum strike_kind)dice_below(&w->strike_dice, STRIKE_KINDS);
    const struct conn *conn = pick(w, node);
    uint8_t packet[256] = {0};
    struct tcb before;
    uint32_t len;
    enum reason said;

    if (!conn)
        return;
    before = conn->tcb;
    if (kind == STRIKE_UNREACHABLE || kind == STRIKE_TOO_LARGE)
        len = forge_error(w, &before, kind, packet);
    else if (kind == STRIKE_FRAGMENT)
        len = forge_fragment(w, &before, packet);
    else
        len = forge_segment(w, &before, kind, packet);
    if (len == 0)
        return;
    said = node_struck(&w->node[node], w->now, packet, len, &w->check);
    world_say(w, node, "is struck by forgery %d: %s", (int)kind, reason_text(said)->name);
    world_hash(w, (uint64_t)said);
    if (said == REASON_NONE && kind != STRIKE_FRAGMENT)
        check_fail(&w->check, "a forged packet of kind %d was believed", (int)kind);
    if (conn->tcb.state != before.state || conn->tcb.snd_una != before.snd_una ||
        conn->tcb.rcv_nxt != before.rcv_nxt || conn->tcb.snd_mss != before.snd_mss ||
        conn->tcb.snd_wnd != before.snd_wnd || conn->tcb.cc.cwnd != before.cc.cwnd ||
        conn->tcb.ts_recent != before.ts_recent)
        check_fail(&w->check, "a forged packet of kind %d changed the connection", (int)kind);
}

void strike_too_large(struct world *w, const struct lane *l, const uint8_t *b, uint32_t len)
{
    uint8_t packet[256];
    struct path_packet *k;
    uint32_t n;

    (void)len;
    n = build_error(&w->sc.node[l->from].stack.local[0], (uint16_t)l->path.cfg.mtu, b, packet);
    k = inbox_put(&w->node[l->from].inbox, w->now + l->path.cfg.delay, packet, n);
    k->from = l->to;
}
