#include "ip/udp.h"

#include <errno.h>

#include "base/chunk.h"

static struct udp_socket *lookup(struct udp *u, int socket)
{
    if (socket < 0 || socket >= UDP_SOCKETS_MAX || u->socket[socket].port == 0)
        return NULL;
    return &u->socket[socket];
}

static int find_port(const struct udp *u, uint16_t port)
{
    for (int i = 0; i < UDP_SOCKETS_MAX; i++)
        if (u->socket[i].port == port)
            return i;
    return -1;
}

int udp_bind(struct udp *u, uint16_t port, void *user)
{
    int i;

    if (port == 0)
        return -EINVAL;
    if (find_port(u, port) >= 0)
        return -EADDRINUSE;
    i = find_port(u, 0);
    if (i < 0)
        return -ENFILE;
    u->socket[i].port = port;
    u->socket[i].user = user;
    u->socket[i].head = u->socket[i].tail = 0;
    return i;
}

int udp_close(struct udp *u, int socket)
{
    struct udp_socket *s = lookup(u, socket);

    if (!s)
        return -EBADF;
    for (; s->head != s->tail; s->head++)
        buf_unref(s->queue[s->head % UDP_QUEUE].data.buf);
    s->port = 0;
    return 0;
}

enum reason udp_input(struct udp *u, struct ip_node *n, const struct ip_hdr *ip,
                      struct slice segment, uint16_t marks, int *ret_socket)
{
    struct udp_hdr udp;
    struct udp_socket *s;
    struct udp_dgram *d;
    enum reason why = udp_parse(ip, segment.base, segment.len, marks, &udp);
    int i;

    if (why)
        return why;
    i = find_port(u, udp.dport);
    if (i < 0)
        return REASON_UDP_NO_SOCKET;
    s = &u->socket[i];
    if (s->tail - s->head == UDP_QUEUE)
        return REASON_UDP_QUEUE_FULL;
    d = &s->queue[s->tail % UDP_QUEUE];
    segment = slice_sub(segment, UDP_HEADER, udp.len - (uint32_t)UDP_HEADER);
    if (!slice_keep(segment, n->small, CHUNK_COPY_BREAK, &d->data))
        return REASON_NO_BUFFER;
    d->local = ip->dst;
    d->remote = ip->src;
    d->remote_port = udp.sport;
    s->tail++;
    *ret_socket = i;
    return REASON_NONE;
}

int udp_receive(struct udp *u, int socket, struct udp_dgram *ret_dgram)
{
    struct udp_socket *s = lookup(u, socket);

    if (!s)
        return -EBADF;
    if (s->head == s->tail)
        return -EAGAIN;
    *ret_dgram = s->queue[s->head++ % UDP_QUEUE];
    return 0;
}

int udp_send(struct udp *u, struct ip_node *n, int socket, const struct udp_dgram *d)
{
    struct udp_socket *s = lookup(u, socket);
    struct addr nowhere = {{0}};
    const struct addr *src =
        addr_eq(&d->local, &nowhere) ? ip_source_for(n, &d->remote) : &d->local;
    struct udp_hdr udp;
    struct ip_out *o;

    if (!s)
        return -EBADF;
    if (d->remote_port == 0 || !ip_valid_remote(n, &d->remote))
        return -EINVAL;
    if (!src || addr_is_v4(src) != addr_is_v4(&d->remote))
        return -EADDRNOTAVAIL;
    if (d->data.len > UDP_DATA_MAX)
        return -EMSGSIZE;
    o = ip_out_push(n);
    if (!o) {
        n->counts[REASON_IP_OUT_FULL]++;
        return -ENOBUFS;
    }
    o->src = *src;
    o->dst = d->remote;
    o->proto = IP_PROTO_UDP;
    o->flow = ip_flow_label(n, src, s->port, &d->remote, d->remote_port);
    o->why = REASON_SEND_UDP;
    o->data = d->data;
    o->l4_len = UDP_HEADER;
    udp = (struct udp_hdr){.sport = s->port, .dport = d->remote_port};
    udp_build(o->l4, &o->src, &o->dst, &udp, &d->data, d->data.len ? 1 : 0);
    return 0;
}
