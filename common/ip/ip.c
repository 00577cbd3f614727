#include "ip/ip.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "ip/train.h"
#include "wire/udp.h"

bool ip_is_local(const struct ip_node *n, const struct addr *a)
{
    for (unsigned i = 0; i < n->locals; i++)
        if (addr_eq(&n->local[i], a))
            return true;
    return false;
}

/* The broadcast address of an IPv4 subnet, or its number, which old hosts took for one (RFC 1122
 * 3.3.6). */
static bool is_broadcast_of(const struct addr *local, uint8_t prefix_len, uint32_t value)
{
    uint32_t hosts;

    if (!addr_is_v4(local) || prefix_len > 30)
        return false;
    hosts = prefix_len ? UINT32_MAX >> prefix_len : UINT32_MAX;
    if ((value & ~hosts) != (addr_v4_value(local) & ~hosts))
        return false;
    return (value & hosts) == hosts || (value & hosts) == 0;
}

static bool is_directed_broadcast(const struct ip_node *n, const struct addr *a)
{
    if (!addr_is_v4(a))
        return false;
    for (unsigned i = 0; i < n->locals; i++)
        if (is_broadcast_of(&n->local[i], n->prefix_len[i], addr_v4_value(a)))
            return true;
    return false;
}

/* The same of IPv4 in one look: all that is at or above 224.0.0.0 is for many, or for nobody. */
static bool is_unicast4(const struct ip_node *n, const struct addr *a)
{
    uint32_t value = addr_v4_value(a);

    return value != 0 && value >> 24 != 127 && value >> 28 < 0xe && !is_directed_broadcast(n, a);
}

/* Not one of the addresses that no single host has. */
static bool is_unicast(const struct ip_node *n, const struct addr *a)
{
    if (addr_is_v4(a))
        return is_unicast4(n, a);
    return !addr_is_unspecified(a) && !addr_is_loopback(a) && !addr_is_multicast(a);
}

/* How many of their first bits are the same, `most` at most. */
static unsigned common_bits(const struct addr *a, const struct addr *b, unsigned most)
{
    unsigned n = 0;

    while (n < most && !((a->b[n / 8] ^ b->b[n / 8]) >> (7 - n % 8) & 1))
        n++;
    return n;
}

const struct addr *ip_source_for(const struct ip_node *n, const struct addr *remote)
{
    unsigned before = addr_is_v4(remote) ? 96 : 0; /* bits of the mapped form that say nothing */
    const struct addr *best = NULL;
    unsigned best_bits = 0;

    for (unsigned i = 0; i < n->locals; i++) {
        const struct addr *a = &n->local[i];
        unsigned bits;

        if (addr_is_v4(a) != addr_is_v4(remote))
            continue;
        bits = common_bits(a, remote, before + n->prefix_len[i]);
        if (!best || bits > best_bits) {
            best = a;
            best_bits = bits;
        }
    }
    return best;
}

uint32_t ip_flow_label(const struct ip_node *n, const struct addr *local, uint16_t local_port,
                       const struct addr *remote, uint16_t remote_port)
{
    uint8_t ends[36];

    if (addr_is_v4(local))
        return 0;
    memcpy(ends, local->b, 16);
    memcpy(ends + 16, remote->b, 16);
    put16(ends + 32, local_port);
    put16(ends + 34, remote_port);
    return 1 + (uint32_t)(unguessable_hash(&n->random, ends, sizeof(ends)) % IPV6_FLOW_MAX);
}

/* One host's, and not ours (MUST-46). */
bool ip_valid_remote(const struct ip_node *n, const struct addr *a)
{
    return is_unicast(n, a) && !ip_is_local(n, a) && !addr_is_link_local6(a);
}

uint32_t ip_mtu_to(const struct ip_node *n, const struct addr *remote)
{
    return pmtu_of(&n->pmtu, remote);
}

bool ip_valid_route(const struct ip_node *n, const struct ip_route *r)
{
    if (r->hops > IP_ROUTE_HOPS_MAX)
        return false;
    for (unsigned i = 0; i < r->hops; i++) {
        struct addr hop = addr_v4(r->hop[i]);

        if (!ip_valid_remote(n, &hop))
            return false;
    }
    return true;
}

/* RFC 1122 section 3.2.1.8c: a route must end here, and there must be a way back. */
static enum reason accept_route(const struct ip_node *n, const struct ip_hdr *ip)
{
    struct ip_route back;
    enum reason why;

    if (!ip->at.route)
        return REASON_NONE;
    if (!n->accept_source_routes)
        return REASON_IP_SOURCE_ROUTE;
    why = ip_route_back(ip, &back);
    if (why)
        return why;
    return ip_valid_route(n, &back) ? REASON_NONE : REASON_IP_ROUTE_ADDRESS;
}

/* Addresses that are no single host's end here, before any transport sees them (MUST-57, MUST-63).
 */
enum reason ip_accept(const struct ip_node *n, const struct ip_hdr *ip)
{
    if (ip_is_local(n, &ip->src))
        return REASON_IP_LAND;
    if (!is_unicast(n, &ip->src))
        return REASON_IP_SOURCE;
    if (addr_is_link_local6(&ip->src) && ip->proto != IP_PROTO_ICMP6)
        return REASON_IP6_LINK_LOCAL;
    if (ip_is_local(n, &ip->dst))
        return accept_route(n, ip);
    return is_unicast(n, &ip->dst) ? REASON_IP_NOT_OURS : REASON_IP_BROADCAST;
}

struct ip_out *ip_out_push(struct ip_node *n)
{
    struct ip_out *o;

    if (n->out_tail - n->out_head == IP_OUT_RING)
        return NULL;
    o = &n->out[n->out_tail++ % IP_OUT_RING];
    *o = (struct ip_out){0};
    return o;
}

void ip_out_answer(struct ip_out *o, const struct ip_hdr *ip)
{
    struct ip_route back;

    o->src = ip->dst;
    o->dst = ip->src;
    if (ip->at.route && ip_route_back(ip, &back) == REASON_NONE && back.hops)
        o->dst = ip_options_route(&o->options, &back, &ip->src);
}

/*
 * None twice within the life of a packet, and nothing that says how many there were (RFC 6864
 * section 4, RFC 7739).
 */
static uint32_t next_id(struct ip_node *n, uint8_t version)
{
    return unguessable_order(&n->random, n->identified++, version == 4 ? 16 : 32);
}

void ip_finish(struct ip_node *n, struct pkt *p, struct ip_hdr *ip, uint32_t l4_len)
{
    uint32_t payload = p->len - p->part[0].len;
    size_t header_len;

    assert(p->part[0].base == p->room);
    ip->version = addr_is_v4(&ip->src) ? 4 : 6;
    ip->ttl = ip->ttl ? ip->ttl : n->ttl; /* MUST-49 */
    if (!ip_is_fragment(ip))              /* RFC 6864: whole, it needs none */
        ip->id = ip->df || ip->version == 6 ? 0 : next_id(n, 4);
    header_len = ip_build(p->room, ip, l4_len + payload);
    pkt_set_header_len(p, (uint32_t)header_len + l4_len);
}

void ip_finish_plain4(const struct ip_node *n, struct pkt *p, const struct addr *src,
                      const struct addr *dst, uint8_t proto, uint8_t tos, uint8_t ttl,
                      uint32_t l4_len)
{
    uint32_t payload = p->len - p->part[0].len;

    ip_build_plain4(p->room, src, dst, proto, tos, ttl ? ttl : n->ttl, l4_len + payload);
    pkt_set_header_len(p, IPV4_HEADER_MIN + l4_len);
}

/* Bytes off .. off + len - 1 of what stands behind the IP header; returns how many are not data. */
static uint32_t put_part(const struct ip_out *o, struct pkt *p, uint32_t header_len, uint32_t off,
                         uint32_t len)
{
    uint32_t l4 = off < o->l4_len ? min32(o->l4_len - off, len) : 0;

    pkt_begin(p, 0);
    if (l4 > 0)
        memcpy(p->room + header_len, o->l4 + off, l4);
    if (len > l4)
        pkt_add(p, slice_sub(o->now, off + l4 - o->l4_len, len - l4));
    return l4;
}

/*
 * The next fragment of a packet that is too large to leave whole (RFC 791 section 3.2); IPv6 makes
 * them as large as the path takes (RFC 8201 section 5.1). Returns whether it was the last.
 */
static bool put_fragment(struct ip_node *n, struct ip_out *o, struct pkt *p, struct ip_hdr *ip)
{
    uint32_t left = o->l4_len + o->now.len - o->sent, room, len, l4;
    struct ip_options copied;

    if (o->sent == 0) {
        o->id = next_id(n, ip->version);
    } else {
        ip_options_copied(&o->options, &copied);
        ip->options = copied.b;
        ip->options_len = copied.len;
    }
    ip->mf = true; /* so that the header is a fragment's */
    room = ip_mtu_to(n, &o->dst) - (uint32_t)ip_build_len(ip);
    ip->mf = left > room;
    len = ip->mf ? room / IPV4_FRAG_UNIT * IPV4_FRAG_UNIT : left;
    ip->id = o->id;
    ip->frag_off = (uint16_t)o->sent;
    l4 = put_part(o, p, (uint32_t)ip_build_len(ip), o->sent, len);
    ip_finish(n, p, ip, l4);
    p->why = o->sent == 0 ? o->why : REASON_SEND_FRAGMENT;
    o->sent += len;
    return !ip->mf;
}

/* Does it leave whole? What may not be in fragments does. */
static bool leaves_whole(const struct ip_node *n, const struct ip_out *o)
{
    uint32_t len = ip_header_len(&o->src, o->options.len) + o->l4_len + o->now.len;

    return o->df || len <= ip_mtu_to(n, &o->dst);
}

/* What leaves next: o->now. True: it is a super-datagram. */
static bool begin_packet(const struct ip_node *n, struct ip_out *o)
{
    if (o->each)
        return train_next(n, o);
    o->now = o->data;
    return false;
}

/* What stands in front of it, whole: options are not ended yet. */
static struct ip_hdr header_of(struct ip_out *o)
{
    ip_options_end(&o->options);
    return (struct ip_hdr){
        .version = addr_is_v4(&o->src) ? 4 : 6,
        .src = o->src,
        .dst = o->dst,
        .tos = o->tos,
        .ttl = o->ttl,
        .proto = o->proto,
        .df = o->df,
        .flow = o->flow,
        .options = o->options.b,
        .options_len = o->options.len,
    };
}

static void put_whole(struct ip_node *n, struct ip_out *o, struct pkt *p, struct ip_hdr *ip)
{
    ip->df = ip->df || (o->each && train_fits(n, o));
    (void)put_part(o, p, (uint32_t)ip_build_len(ip), 0, o->l4_len + o->now.len);
    ip_finish(n, p, ip, o->l4_len);
    p->why = o->why;
}

/* An error would quote a super-datagram as it is, or one of those that it was cut into. */
static void note_sent(struct ip_node *n, const struct ip_out *o, const struct pkt *p,
                      const struct ip_hdr *ip)
{
    if (ip->version != 6 && !ip->df)
        return;
    pmtu_note_sent(&n->pmtu, &o->dst, p->len, ip_is_fragment(ip) ? ip->id : 0);
    if (p->gso_size)
        pmtu_note_sent(&n->pmtu, &o->dst, p->part[0].len + p->gso_size, 0);
}

/* The last of this packet has left. True: there is another one in this place of the ring. */
static bool goes_on(struct ip_out *o)
{
    o->done += o->now.len;
    o->sent = 0;
    return o->done < o->data.len;
}

bool ip_out_pop(struct ip_node *n, struct pkt *p, struct buf **ret_held)
{
    struct ip_out *o;
    struct ip_hdr ip;
    bool last = true, super = false;

    *ret_held = NULL;
    if (n->out_head == n->out_tail)
        return false;
    o = &n->out[n->out_head % IP_OUT_RING];
    ip = header_of(o);
    if (o->sent == 0)
        super = begin_packet(n, o);
    if (o->sent == 0 && (super || leaves_whole(n, o)))
        put_whole(n, o, p, &ip);
    else
        last = put_fragment(n, o, p, &ip);
    if (super)
        train_mark(p, o);
    note_sent(n, o, p, &ip);
    if (last && !goes_on(o)) {
        *ret_held = o->data.buf;
        n->out_head++;
    }
    return true;
}

void ip_negative_advice(struct ip_node *n)
{
    n->counts[REASON_ADVICE]++;
}
