#include "ip/ip.h"

#include <assert.h>
#include <string.h>

bool ip_is_local(const struct ip_node *n, const struct addr *a)
{
    for (unsigned i = 0; i < n->locals; i++)
        if (addr_eq(&n->local[i], a))
            return true;
    return false;
}

/* The subnet's broadcast address, or its number, which old hosts took for one (RFC 1122 3.3.6). */
static bool is_directed_broadcast(const struct ip_node *n, const struct addr *a)
{
    uint32_t hosts, value;

    if (!addr_is_v4(a) || !addr_is_v4(&n->local[0]) || n->prefix_len > 30)
        return false;
    hosts = n->prefix_len ? UINT32_MAX >> n->prefix_len : UINT32_MAX;
    value = addr_v4_value(a);
    if ((value & ~hosts) != (addr_v4_value(&n->local[0]) & ~hosts))
        return false;
    return (value & hosts) == hosts || (value & hosts) == 0;
}

/* Addresses that no single host has. */
static bool is_unicast(const struct ip_node *n, const struct addr *a)
{
    return !addr_is_unspecified(a) && !addr_is_loopback(a) && !addr_is_multicast(a) &&
           !addr_is_limited_broadcast(a) && !addr_is_class_e(a) && !is_directed_broadcast(n, a);
}

/* One host's, and not ours (MUST-46). */
bool ip_valid_remote(const struct ip_node *n, const struct addr *a)
{
    return is_unicast(n, a) && !ip_is_local(n, a);
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

void ip_finish(struct ip_node *n, struct pkt *p, const struct ip_hdr *how, uint32_t l4_len)
{
    uint32_t payload = p->len - p->part[0].len;
    struct ip_hdr ip = *how;
    size_t header_len;

    assert(p->part[0].base == p->room);
    ip.version = 4;
    ip.ttl = how->ttl ? how->ttl : n->ttl; /* MUST-49 */
    ip.id = how->df
                ? 0
                : (uint16_t)unguessable_next(&n->random); /* RFC 6864: only fragments need one */
    header_len = ip_build(p->room, &ip, l4_len + payload);
    pkt_set_header_len(p, (uint32_t)header_len + l4_len);
}

bool ip_out_pop(struct ip_node *n, struct pkt *p, struct buf **ret_held)
{
    struct ip_out *o;
    struct ip_hdr ip;

    if (n->out_head == n->out_tail)
        return false;
    o = &n->out[n->out_head++ % IP_OUT_RING];
    ip_options_end(&o->options);
    ip = (struct ip_hdr){
        .src = o->src,
        .dst = o->dst,
        .tos = o->tos,
        .ttl = o->ttl,
        .proto = o->proto,
        .df = o->df,
        .options = o->options.b,
        .options_len = o->options.len,
    };
    pkt_begin(p, 0);
    pkt_add(p, o->data);
    memcpy(p->room + IPV4_HEADER_MIN + ip.options_len, o->l4, o->l4_len);
    ip_finish(n, p, &ip, o->l4_len);
    p->why = o->why;
    *ret_held = o->data.buf;
    return true;
}

void ip_negative_advice(struct ip_node *n)
{
    n->counts[REASON_ADVICE]++;
}
