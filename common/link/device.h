/*
 * A device carries IP packets between a stack and something else: a TUN (the only one with a file
 * descriptor), an in-memory wire, or a wrapper around any of them that captures, prints or impairs
 * what passes. A wrapper holds the device it wraps and is used in its place.
 *
 * Errors are negative errno values. A device belongs to one thread.
 */
#ifndef LINK_DEVICE_H
#define LINK_DEVICE_H

#include <stdint.h>

#include "base/buf.h"
#include "base/time.h"

struct device;

/* What a read of a device gives, if it is no error. */
enum device_read {
    DEVICE_NOTHING,
    DEVICE_PACKET,
    /* A packet that an impairment has taken, for wrappers that show packets: no node may see it.
     * Its reference passes to the caller all the same. */
    DEVICE_LOST,
};

struct device_ops {
    const char *kind; /* "tun", "wire", "capture", ... */
    /*
     * Read one packet without waiting: 1 and *ret_pkt (one part, with a reference that passes to
     * the caller, or with a NULL buf and bytes that are lent until the next read, when the buffer
     * budget is used up), 0 if there is none, DEVICE_LOST, or an error.
     */
    int (*read)(struct device *d, int64_t now, struct pkt *ret_pkt);
    /* Write one packet: 0, -EAGAIN if the device cannot take it now, or an error. */
    int (*write)(struct device *d, int64_t now, const struct pkt *p);
    /*
     * When the device itself has something to do (a delayed packet, a capture to be written out),
     * or TIME_NEVER. Whoever owns it then reads, whether or not the descriptor is readable.
     */
    int64_t (*deadline)(const struct device *d);
    /* The descriptor to wait on for reading, or -1. */
    int (*fd)(const struct device *d);
    /* Give back everything, wrapped devices included. */
    void (*close)(struct device *d);
};

/* What a stack may leave to a device, and finds left undone in what it reads. */
enum device_offload {
    DEVICE_CSUM = 1,  /* the transport checksum: packets have the marks of enum pkt_marks */
    DEVICE_TSO4 = 2,  /* cutting of super-segments (struct pkt's gso_size) of TCP over IPv4 */
    DEVICE_TSO6 = 4,  /* ... and over IPv6 */
    DEVICE_USO = 8,   /* cutting of super-datagrams of UDP, over both (PKT_DATAGRAMS) */
    DEVICE_JOIN = 16, /* in: single segments are joined as they are read (link/join.h) */
};

enum {
    DEVICE_PACKET_MAX = 65535, /* bytes of a packet, headers included, that is a super-segment */
};

struct device {
    const struct device_ops *ops;
    uint32_t mtu;     /* bytes of an IP packet */
    unsigned offload; /* of enum device_offload */
    char name[16];
};

static inline int device_read(struct device *d, int64_t now, struct pkt *ret_pkt)
{
    return d->ops->read(d, now, ret_pkt);
}

static inline int device_write(struct device *d, int64_t now, const struct pkt *p)
{
    return d->ops->write(d, now, p);
}

static inline int64_t device_deadline(const struct device *d)
{
    return d->ops->deadline(d);
}

static inline int device_fd(const struct device *d)
{
    return d->ops->fd(d);
}

static inline void device_close(struct device *d)
{
    d->ops->close(d);
}

#endif
