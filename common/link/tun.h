/*
 * The TUN device: IP packets to and from the kernel, through the one descriptor that a node has.
 *
 * To the kernel a TUN is a network interface. What the node writes has arrived on that interface;
 * what the kernel routes out of it, the node reads. One read or write is one packet, without the
 * driver's own header in front (IFF_NO_PI).
 *
 * Offload: where it is asked for, a virtio-net header of 10 bytes stands in front of each packet
 * (IFF_VNET_HDR), which says of a TCP packet that its checksum is not computed yet, and of how many
 * bytes the segments are that it is to be cut into. What the node writes so, the kernel carries
 * through in one piece; what the node reads may be such a packet as far as it has said that it
 * takes them (TUNSETOFFLOAD). If the reader behind the kernel takes none, the kernel cuts and sums.
 *
 * Where the kernel hands over single segments (their sender leaves it nothing, or they came from
 * elsewhere), reading joins those that follow each other, if that is asked for (link/join.h).
 *
 * A TUN that exists (somebody made it persistent, owned by this user) is attached to and needs no
 * privilege; one that does not exist is created, which needs CAP_NET_ADMIN, and vanishes when it is
 * closed. Addresses, routes and the up flag are not set here. A persistent TUN remembers what its
 * last reader took, so each attachment says it anew, and a close takes it back.
 */
#ifndef LINK_TUN_H
#define LINK_TUN_H

#include <stdbool.h>
#include <stdint.h>

#include "link/device.h"
#include "link/intake.h"
#include "link/join.h"

struct tun {
    struct device dev; /* dev.name is the interface's name, dev.mtu its MTU when last looked at */
    int fd;
    bool created; /* it did not exist and was created; it is down and has no address */
    bool several; /* it was made for several queues, of which this is one */
    bool headers; /* a virtio-net header stands in front of each packet */
    struct intake intake;
    struct join join;
    struct pkt next; /* read behind what was joined, and no part of it; no parts: there is none */
};

/*
 * Attach to the TUN interface `name`, or create it, and make *t the device &t->dev that reads into
 * `pool`'s buffers. `offload` is what is wanted, of enum device_offload; what the kernel has of it
 * is in t->dev.offload afterwards, and 0 if it has none. Segmentation needs DEVICE_CSUM. A TUN that
 * was made for several queues is attached to, too; then the kernel does not keep others from it.
 * Returns 0, or with *t closed:
 *   -ENAMETOOLONG     the name is longer than 15 bytes
 *   -EILSEQ           the name is empty or has a byte that no interface name may have
 *   -ENOENT, -ENODEV, -ENXIO   there is no /dev/net/tun, or no driver behind it
 *   -EACCES           /dev/net/tun may not be opened
 *   -EPERM            no privilege to attach to this TUN or to create one
 *   -EBUSY            another process has it open
 *   -EINVAL           the name belongs to another kind of device, or a queue of several was asked
 *                     for and the TUN was not made for that
 *   -EMSGSIZE         the pool's buffers are smaller than the interface's MTU, or than
 *                     DEVICE_PACKET_MAX where super-segments are read
 * or whatever else the system said (-EMFILE, -ENOMEM).
 *
 * Device errors later on. Read: -ENODEV, the interface was deleted. Write: -EAGAIN, no memory or no
 * room just now; -ENETDOWN, the interface is down; -ENODEV, as above; -EINVAL, the bytes are no IP
 * packet. Packets with marks of what dev.offload does not have are a bug, and stop.
 */
int tun_open(struct tun *t, const char *name, unsigned offload, struct buf_pool *pool);
/*
 * One queue of several, each opened so (IFF_MULTI_QUEUE). The kernel delivers what belongs to a
 * flow to the queue that its last packet was written to, and else to any.
 */
int tun_open_queue(struct tun *t, const char *name, unsigned offload, struct buf_pool *pool);

/* Cause and next step, without a full stop, for a negative errno that tun_open returned. */
const char *tun_explain(int error);

#endif
