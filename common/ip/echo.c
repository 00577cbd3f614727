#include "ip/echo.h"

#include <errno.h>

int echo_send(struct udp *u, struct ip_node *n, int socket, const struct udp_dgram *d)
{
    struct udp_socket *s = udp_lookup(u, socket);
    const struct addr *remote;
    struct ip_out *o;
    uint32_t rest;
    int r;

    if (!s || s->proto != IP_PROTO_ICMP)
        return -EBADF;
    if (d->each)
        return -EINVAL; /* each has a number of its own */
    r = udp_begin(s, n, d, ICMP_HEADER, &o);
    if (r)
        return r;
    remote = addr_is_unspecified(&d->remote) ? &s->remote : &d->remote;
    rest = (uint32_t)s->port << 16 | d->remote_port;
    o->why = REASON_SEND_ECHO;
    o->flow = ip_flow_label(n, &o->src, s->port, remote, 0);
    if (addr_is_v4(remote)) {
        o->proto = IP_PROTO_ICMP;
        icmp_build(o->l4, ICMP_ECHO, 0, rest, &o->data, 1);
    } else {
        o->proto = IP_PROTO_ICMP6;
        icmp6_build(o->l4, &o->src, remote, ICMP6_ECHO, 0, rest, &o->data, 1);
    }
    return 0;
}

bool echo_is_reply(const struct ip_hdr *ip, struct slice message)
{
    return message.len >= ICMP_HEADER &&
           message.base[0] == (ip->version == 4 ? ICMP_ECHO_REPLY : ICMP6_ECHO_REPLY);
}

enum reason echo_input(struct udp *u, struct ip_node *n, const struct ip_hdr *ip,
                       struct slice message, uint16_t marks, int *ret_socket)
{
    struct icmp_hdr icmp;
    struct udp_socket *s;
    enum reason why = ip->version == 4 ? icmp_parse(message.base, message.len, &icmp)
                                       : icmp6_parse(ip, message.base, message.len, marks, &icmp);

    if (why)
        return why;
    s = udp_find(u, IP_PROTO_ICMP, &ip->dst, (uint16_t)(icmp.rest >> 16), &ip->src, 0);
    if (!s)
        return REASON_ICMP_REPLY_STRAY;
    message = slice_sub(message, ICMP_HEADER, message.len - ICMP_HEADER);
    why = udp_keep(s, n, ip, message, 0, (uint16_t)icmp.rest);
    if (why == REASON_NONE)
        *ret_socket = (int)(s - u->socket);
    return why;
}
