/*
 * Datagrams that leave: from a socket into the ring of packets that belong to no connection.
 *
 * Everything that IP has is there for the application (RFC 1122 section 4.1.4): addresses, TTL,
 * DSCP, DF, options and a source route. Nothing is queued here: a datagram is in the ring or was
 * refused, and the caller knows which.
 */
#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "ip/train.h"
#include "ip/udp.h"

/* The other end of a datagram: its own, or that of the connected socket. */
static int remote_of(const struct udp_socket *s, const struct ip_node *n, const struct udp_dgram *d,
                     struct addr *ret_remote)
{
    if (addr_is_unspecified(&d->remote) && s->connected) {
        *ret_remote = s->remote;
        return 0;
    }
    if (addr_is_unspecified(&d->remote))
        return -EDESTADDRREQ;
    if (!ip_valid_remote(n, &d->remote))
        return -EINVAL;
    *ret_remote = d->remote;
    return 0;
}

/* Our end: the datagram's, the socket's, or chosen (RFC 1122 section 4.1.3.5); NULL: none fits. */
static const struct addr *local_of(const struct udp_socket *s, const struct ip_node *n,
                                   const struct udp_dgram *d, const struct addr *remote)
{
    const struct addr *local = &d->local;

    if (addr_is_unspecified(local))
        local = &s->local;
    if (addr_is_unspecified(local))
        local = ip_source_for(n, remote);
    if (!local || !ip_is_local(n, local) || addr_is_v4(local) != addr_is_v4(remote))
        return NULL;
    return local;
}

/* Bytes of options that the socket puts into a header, by this route: filled up. */
static uint32_t options_len(const struct udp_socket *s, const struct ip_route *r)
{
    return (s->set.options.len + (uint32_t)ip_route_len(r) + 3) / 4 * 4;
}

/* Bytes behind a transport header of l4_len bytes: what the version can carry at all. */
static uint32_t data_max(const struct addr *remote, uint32_t options, uint32_t l4_len)
{
    if (addr_is_v4(remote))
        return IPV4_PACKET_MAX - ip_header_len(remote, options) - l4_len;
    return IPV6_PAYLOAD_MAX - l4_len;
}

/* The same: what fits into one packet on its path. */
static uint32_t data_whole(const struct ip_node *n, const struct addr *remote, uint32_t options,
                           uint32_t l4_len)
{
    return ip_mtu_to(n, remote) - ip_header_len(remote, options) - l4_len;
}

/* Bytes of a datagram of d: of a train each is as long as the first. */
static uint32_t one_of(const struct udp_dgram *d)
{
    return d->each && d->each < d->data.len ? d->each : d->data.len;
}

int udp_begin(struct udp_socket *s, struct ip_node *n, const struct udp_dgram *d, uint8_t l4_len,
              struct ip_out **ret_out)
{
    const struct ip_route *route = d->route.hops ? &d->route : &s->set.route;
    const struct addr *local;
    struct addr remote;
    uint32_t options;
    struct ip_out *o;
    int r = remote_of(s, n, d, &remote);

    if (r)
        return r;
    local = local_of(s, n, d, &remote);
    if (!local)
        return -EADDRNOTAVAIL;
    options = addr_is_v4(&remote) ? options_len(s, route) : 0;
    if (!ip_valid_route(n, route) || options > IPV4_OPTIONS_MAX)
        return -EINVAL;
    if (one_of(d) > data_max(&remote, options, l4_len) ||
        (s->set.df && one_of(d) > data_whole(n, &remote, options, l4_len)))
        return -EMSGSIZE;
    r = s->error;
    s->error = 0;
    if (r)
        return r;
    o = ip_out_push(n);
    if (!o) {
        n->counts[REASON_IP_OUT_FULL]++;
        return -ENOBUFS;
    }
    o->src = *local;
    o->dst = remote;
    if (options && route->hops)
        o->dst = ip_options_route(&o->options, route, &remote);
    if (options) {
        memcpy(o->options.b + o->options.len, s->set.options.b, s->set.options.len);
        o->options.len = (uint8_t)(o->options.len + s->set.options.len);
    }
    o->ttl = s->set.ttl;
    o->tos = (uint8_t)(s->set.dscp << 2);
    o->df = s->set.df;
    o->data = d->data;
    o->each = one_of(d) < d->data.len ? d->each : 0;
    o->l4_len = l4_len;
    s->sent += train_count(d->data.len, o->each);
    *ret_out = o;
    return 0;
}

int udp_send(struct udp *u, struct ip_node *n, int socket, const struct udp_dgram *d)
{
    struct udp_socket *s = udp_lookup(u, socket);
    bool given = !addr_is_unspecified(&d->remote);
    const struct addr *remote;
    struct udp_hdr udp;
    struct ip_out *o;
    int r;

    if (!s || s->proto != IP_PROTO_UDP)
        return -EBADF;
    if (given && d->remote_port == 0)
        return -EINVAL;
    r = udp_begin(s, n, d, UDP_HEADER, &o);
    if (r)
        return r;
    remote = given ? &d->remote : &s->remote; /* in the end, not the first hop of a route */
    udp = (struct udp_hdr){.sport = s->port, .dport = given ? d->remote_port : s->remote_port};
    o->proto = IP_PROTO_UDP;
    o->why = REASON_SEND_UDP;
    o->flow = ip_flow_label(n, &o->src, udp.sport, remote, udp.dport);
    o->pseudo = ip_pseudo_sum(&o->src, remote, IP_PROTO_UDP, 0);
    put16(o->l4, udp.sport);
    put16(o->l4 + 2, udp.dport);
    if (!o->each)
        udp_finish(o->l4, o->pseudo, 0, &d->data, d->data.len ? 1 : 0);
    return 0;
}

int udp_room(struct udp *u, const struct ip_node *n, int socket, const struct addr *remote)
{
    const struct udp_socket *s = udp_lookup(u, socket);
    uint32_t options;

    if (!s)
        return -EBADF;
    if (!ip_valid_remote(n, remote))
        return -EINVAL;
    options = addr_is_v4(remote) ? options_len(s, &s->set.route) : 0;
    return (int)min32(data_whole(n, remote, options, UDP_HEADER),
                      data_max(remote, options, UDP_HEADER));
}
