/*
 * The TUN device: IP packets to and from the kernel, through the one descriptor that a node has.
 *
 * To the kernel a TUN is a network interface. What the node writes has arrived on that interface;
 * what the kernel routes out of it, the node reads. One read or write is one packet, without any
 * header in front (IFF_NO_PI).
 *
 * A TUN that exists (somebody made it persistent, owned by this user) is attached to and needs no
 * privilege; one that does not exist is created, which needs CAP_NET_ADMIN, and vanishes when it is
 * closed. Addresses, routes and the up flag are not set here.
 */
#ifndef LINK_TUN_H
#define LINK_TUN_H

#include <stdbool.h>
#include <stdint.h>

#include "link/device.h"
#include "link/intake.h"

/*
 * What the packets carry in front of them. Only plain packets for now; a virtio-net header, which
 * brings checksum and segmentation offload, will be a further flag.
 */
enum tun_flags {
    TUN_PLAIN = 0,
};

struct tun {
    struct device dev; /* dev.name is the interface's name, dev.mtu its MTU when last looked at */
    int fd;
    bool created; /* it did not exist and was created; it is down and has no address */
    struct intake intake;
};

/*
 * Attach to the TUN interface `name`, or create it, and make *t the device &t->dev that reads into
 * `pool`'s buffers. Returns 0, or with *t closed:
 *   -ENAMETOOLONG     the name is longer than 15 bytes
 *   -EILSEQ           the name is empty or has a byte that no interface name may have
 *   -ENOENT, -ENODEV, -ENXIO   there is no /dev/net/tun, or no driver behind it
 *   -EACCES           /dev/net/tun may not be opened
 *   -EPERM            no privilege to attach to this TUN or to create one
 *   -EBUSY            another process has it open
 *   -EINVAL           the name belongs to another kind of device, or to a TUN with several queues
 *   -EMSGSIZE         the interface's MTU is larger than the pool's buffers
 *   -EOPNOTSUPP       unknown flags
 * or whatever else the system said (-EMFILE, -ENOMEM).
 *
 * Device errors later on. Read: -ENODEV, the interface was deleted. Write: -EAGAIN, no memory or no
 * room just now; -ENETDOWN, the interface is down; -ENODEV, as above; -EINVAL, the bytes are no IP
 * packet. Packets with offload marks are not for a plain TUN; writing one is a bug and stops.
 */
int tun_open(struct tun *t, const char *name, unsigned flags, struct buf_pool *pool);

/* Cause and next step, without a full stop, for a negative errno that tun_open returned. */
const char *tun_explain(int error);

#endif
