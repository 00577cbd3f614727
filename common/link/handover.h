/*
 * Packets from thread to thread, where several threads read one device's queues: from each to each
 * a ring of bytes with one writer and one reader, which needs no lock. A packet is copied into it,
 * because buffers belong to one thread. That is for few packets; the others never leave the thread
 * that read them.
 *
 * A member wraps its own queue of the device: a read takes what others have handed over and what
 * the queue has, by turns. A bell (eventfd) wakes a member that sleeps: who waits, waits on both
 * descriptors, and reads what the bell has.
 */
#ifndef LINK_HANDOVER_H
#define LINK_HANDOVER_H

#include <stdbool.h>

#include "link/device.h"
#include "link/intake.h"

enum {
    HANDOVER_MEMBERS_MAX = 64,
    HANDOVER_RING = 1 << 20, /* bytes in each ring; a power of two */
};

struct handover_ring;

struct handover {
    unsigned members;
    struct handover_ring *ring; /* from * members + to */
    int bell[HANDOVER_MEMBERS_MAX];
};

struct handover_device {
    struct device dev;
    struct device *below; /* this member's queue */
    struct handover *h;
    unsigned me;
    bool turn;     /* the queue's */
    unsigned from; /* whose ring is looked at first */
    struct intake intake;
};

/* Bytes of memory for so many members, filled with zeros; pages that are not used are not touched.
 */
size_t handover_bytes(unsigned members);
/* 0, or an error of eventfd. */
int handover_init(struct handover *h, unsigned members, void *mem);
void handover_end(struct handover *h);

/* Give one packet (one part) from one member to another. False: there is no room. */
bool handover_put(struct handover *h, unsigned from, unsigned to, const struct pkt *p);

/* Wake a member; any thread may. */
void handover_ring_bell(struct handover *h, unsigned member);
/* Wrap a queue; packets that come from others are put into bufs of `pool`. 0, or -ENOBUFS. */
int handover_wrap(struct handover_device *d, struct handover *h, unsigned me, struct device *below,
                  struct buf_pool *pool);

#endif
