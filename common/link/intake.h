/*
 * Intake: where a device puts the packets it reads.
 *
 * Packets are read straight into a buffer of the pool, and stay where the read put them. A packet
 * of a few dozen bytes does not deserve a buffer of its own, so the device keeps a reference on the
 * buffer it is filling and puts one packet behind the other while the rest still has room for the
 * largest; each packet handed out holds a reference of its own. When all of those have come back,
 * the buffer is filled again from its beginning, while it is still warm in the cache.
 *
 * When the pool is empty, packets are still read, into a buffer that the intake keeps for that and
 * lends until the next read: acknowledgments and resets must get through then more than ever, or
 * nothing would be given back. What the stack wants to keep of them it copies.
 */
#ifndef LINK_INTAKE_H
#define LINK_INTAKE_H

#include <stdint.h>

#include "base/buf.h"

enum {
    INTAKE_ALIGN = 16, /* bytes: where packets begin in a buffer */
};

struct intake {
    struct buf_pool *pool;
    struct buf *cur;   /* the buffer that is being filled, or NULL */
    struct buf *spare; /* kept for an empty pool */
    uint64_t lent;     /* packets read into it */
};

/* 0, or -ENOBUFS if the pool has no buffer to spare even now. */
int intake_init(struct intake *in, struct buf_pool *pool);

/*
 * Room for a packet of at least `need` bytes (at most the pool's buffer size); *ret_room is how
 * many there are.
 */
uint8_t *intake_room(struct intake *in, uint32_t need, uint32_t *ret_room);

/*
 * The first `len` bytes of the room now hold a packet: hand it out as *ret_pkt, one part with its
 * own reference (or a NULL buf, if its bytes are lent until the next read), no marks.
 */
void intake_take(struct intake *in, uint32_t len, struct pkt *ret_pkt);

/* Give back the buffer that is being filled and the spare one. */
void intake_close(struct intake *in);

#endif
