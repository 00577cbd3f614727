/*
 * Intake: where a device puts the packets it reads.
 *
 * Packets are read straight into a buffer of the pool, and stay where the read put them. A packet
 * of a few dozen bytes does not deserve a buffer of its own, so the device keeps a reference on the
 * buffer it is filling and puts one packet behind the other while the rest still has room for the
 * largest; each packet handed out holds a reference of its own. When all of those have come back,
 * the buffer is filled again from its beginning, while it is still warm in the cache.
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
    struct buf *cur; /* the buffer that is being filled, or NULL */
};

void intake_init(struct intake *in, struct buf_pool *pool);

/*
 * Room for a packet of at least `need` bytes (at most the pool's buffer size); *ret_room is how
 * many there are. NULL, with *ret_room untouched, when the pool is empty.
 */
uint8_t *intake_room(struct intake *in, uint32_t need, uint32_t *ret_room);

/*
 * The first `len` bytes of the room now hold a packet: hand it out as *ret_pkt, one part with its
 * own reference, no marks.
 */
void intake_take(struct intake *in, uint32_t len, struct pkt *ret_pkt);

/* Give back the reference on the buffer that is being filled. */
void intake_close(struct intake *in);

#endif
