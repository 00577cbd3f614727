/*
 * The in-memory wire: two devices in one process, joined back to back.
 *
 * It stands in for the two TUNs and the kernel between them, where there is no TUN to be had, in
 * benchmarks and in tests. Like the kernel it copies a packet on its way in and again on its way
 * out, keeps a bounded queue in front of each reader, and drops what finds that queue full. With
 * `forward` it also does to each packet what a router does: TTL one lower, header checksum adjusted
 * (RFC 1812 section 5.3.1), and no way through for what is not IPv4.
 *
 * There is no descriptor to wait on. While packets wait, the reader's deadline is in the past: its
 * owner comes back at once and reads.
 */
#ifndef LINK_WIRE_H
#define LINK_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "link/device.h"
#include "link/intake.h"

struct wire_config {
    uint32_t mtu;             /* bytes of an ordinary packet */
    uint32_t packet_max;      /* bytes of a super-segment; 0: no offload, mtu is the limit */
    uint32_t queue;           /* packets in front of each reader */
    bool forward;             /* do as a router does */
    const char *name[2];      /* of the two devices, at most 15 bytes */
    struct buf_pool *pool[2]; /* where each side reads into; its bufs hold the largest packet */
};

/* One side: what has been written on the other one and was not read here yet. */
struct wire_side {
    struct device dev;
    struct wire_side *far;
    struct intake intake;
    uint8_t *slots;      /* `count` of them, `stride` bytes each, used as a ring */
    size_t stride;       /* bytes from one slot to the next */
    uint32_t count;      /* slots */
    uint32_t head;       /* the slot to be read next */
    uint32_t queued;     /* packets waiting */
    uint32_t packet_max; /* bytes; 0: no offload */
    bool forward;
    /* what became of the packets for this side */
    uint64_t delivered; /* packets */
    uint64_t full;      /* dropped: the queue was full */
    uint64_t expired;   /* dropped: the TTL was used up */
    uint64_t no_route;  /* dropped: not a packet that a router of IPv4 forwards */
};

struct wire_pair {
    struct wire_side side[2];
};

/* Bytes of memory that the queues of such a pair need. */
size_t wire_pair_bytes(const struct wire_config *cfg);

/*
 * Make *w a pair of devices, &w->side[0].dev and &w->side[1].dev, with their queues in `mem`:
 * wire_pair_bytes of it, aligned to 16 bytes, not touched before it is needed. The pair, its memory
 * and its pools stay the caller's. 0, or -ENOBUFS if a pool has no buffer to spare even now.
 *
 * Device errors: write gives -EMSGSIZE for a packet that is too large, and 0 for one that is
 * dropped on the way, as any network would. Offload marks without packet_max are a bug and stop.
 */
int wire_pair_create(struct wire_pair *w, const struct wire_config *cfg, void *mem);

#endif
