#include "link/vnet.h"

enum {
    TCP_CSUM_OFFSET = 16, /* bytes: where the checksum stands in a TCP header, ... */
    UDP_CSUM_OFFSET = 6,  /* ... and in that of UDP */
    LINE = 64,            /* bytes of a cache line */
};

#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5 /* in the system's headers since Linux 6.2 */
#endif

/*
 * The length of the headers is a hint: the kernel copies so many bytes to where it looks at them,
 * and the rest to pages, from their first byte on. Copying to the beginning of a page is faster by
 * a twentieth from the beginning of a cache line; so up to there the text counts as header.
 */
static uint32_t header_hint(const struct pkt *p)
{
    uint32_t skew = p->parts > 1 ? (uint32_t)((uintptr_t)p->part[1].base % LINE) : 0;
    uint32_t extra = skew ? LINE - skew : 0;

    return p->part[0].len + (extra && p->part[1].len > extra ? extra : 0);
}

void vnet_fill(struct virtio_net_hdr *ret_hdr, const struct pkt *p)
{
    *ret_hdr = (struct virtio_net_hdr){.gso_type = VIRTIO_NET_HDR_GSO_NONE};
    if (p->marks & PKT_CSUM_PARTIAL) {
        ret_hdr->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
        ret_hdr->csum_start = p->csum_start;
        ret_hdr->csum_offset = p->marks & PKT_DATAGRAMS ? UDP_CSUM_OFFSET : TCP_CSUM_OFFSET;
    }
    if (p->gso_size == 0)
        return;
    if (p->marks & PKT_DATAGRAMS)
        ret_hdr->gso_type = VIRTIO_NET_HDR_GSO_UDP_L4;
    else
        ret_hdr->gso_type =
            p->part[0].base[0] >> 4 == 4 ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6;
    ret_hdr->gso_size = p->gso_size;
    ret_hdr->hdr_len = (uint16_t)header_hint(p);
}

void vnet_take(const struct virtio_net_hdr *hdr, struct pkt *p)
{
    unsigned type = hdr->gso_type & ~(unsigned)VIRTIO_NET_HDR_GSO_ECN;

    if (hdr->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
        p->marks |= PKT_CSUM_PARTIAL;
        p->csum_start = hdr->csum_start;
    } else if (hdr->flags & VIRTIO_NET_HDR_F_DATA_VALID) {
        p->marks |= PKT_CSUM_VALID;
    }
    if (type == VIRTIO_NET_HDR_GSO_TCPV4 || type == VIRTIO_NET_HDR_GSO_TCPV6) {
        p->gso_size = hdr->gso_size;
    } else if (type == VIRTIO_NET_HDR_GSO_UDP_L4) {
        p->gso_size = hdr->gso_size;
        p->marks |= PKT_DATAGRAMS;
    }
}
