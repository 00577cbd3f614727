/*
 * A super-datagram holds whole datagrams: its length is a multiple of theirs, but for the last one
 * of the train. Its UDP length and the sum of its pseudo-header are about all of it; the device
 * puts both right for each datagram that it cuts.
 */
#include "ip/train.h"

#include "wire/udp.h"

bool train_fits(const struct ip_node *n, const struct ip_out *o)
{
    return ip_header_len(&o->src, o->options.len) + UDP_HEADER + o->each <= ip_mtu_to(n, &o->dst);
}

/* Bytes of data that one packet may hold of the train. */
static uint32_t super_data(const struct ip_node *n, const struct ip_out *o)
{
    uint32_t headers = ip_header_len(&o->src, 0) + UDP_HEADER;
    uint32_t room = n->super_udp > headers ? (n->super_udp - headers) / o->each : 0;

    return min32(room, TRAIN_SUPER_MAX) * o->each;
}

bool train_next(const struct ip_node *n, struct ip_out *o)
{
    uint32_t left = o->data.len - o->done;
    uint32_t most = o->options.len == 0 && train_fits(n, o) ? super_data(n, o) : 0;
    bool super = most > o->each && left > o->each;

    o->now = slice_sub(o->data, o->done, min32(left, super ? most : o->each));
    udp_finish(o->l4, o->pseudo, super ? PKT_CSUM_PARTIAL : 0, &o->now, 1);
    return super;
}

void train_mark(struct pkt *p, const struct ip_out *o)
{
    p->marks = PKT_CSUM_PARTIAL | PKT_DATAGRAMS;
    p->gso_size = (uint16_t)o->each;
    p->csum_start = (uint16_t)(p->part[0].len - UDP_HEADER);
}
