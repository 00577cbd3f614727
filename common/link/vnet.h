/*
 * The virtio-net header: what is still to be done to a packet, in the 10 bytes that stand in front
 * of it on a TUN that was asked for them. It says the same as a packet's marks (base/buf.h), so
 * these two functions translate and decide nothing, but for the hint how long a super-segment's
 * headers are (vnet.c). Fields are in the machine's byte order.
 */
#ifndef LINK_VNET_H
#define LINK_VNET_H

#include <linux/virtio_net.h>

#include "base/buf.h"

/*
 * The header of a packet that is written. Its headers are its first part, and a checksum that is
 * left to the device is TCP's, or UDP's with PKT_DATAGRAMS.
 */
void vnet_fill(struct virtio_net_hdr *ret_hdr, const struct pkt *p);

/*
 * The marks of a packet that was read with this header: PKT_CSUM_PARTIAL, or PKT_CSUM_VALID, and
 * gso_size, with PKT_DATAGRAMS where it is about UDP. How long the packet's headers are it does not
 * say reliably: of one that was forwarded, the kernel may give the length of all of it.
 */
void vnet_take(const struct virtio_net_hdr *hdr, struct pkt *p);

#endif
