/*
 * Impairment: a wrapper around any device that makes the way to it and from it as bad as one likes.
 * What happens to each packet is the decision of a path (link/path.h), one for each direction.
 *
 *   stack - [capture] - [printer] - [impairment] - TUN or in-memory wire
 *
 * It stands right above the device, so a capture and the packet lines show what the node sends when
 * it sends it, and what it receives when it receives it. What was decided about the packet is in
 * `verdict` then, for whoever shows packets. What is lost on its way in is shown, too, when it
 * would have come without jitter and queue: for such a packet read returns DEVICE_LOST, and it goes
 * no further than to those who show it.
 *
 * The same seed is the same dice: they are thrown for each packet anew, from the seed and from who
 * the packet is (link/identity.h), so no packet's fate depends on when others come. What the queue
 * before a rate does, and `down`, do depend on the time.
 *
 * In flight, packets lie in memory that is given at start; the one that finds it full is lost, with
 * a reason of its own. On their way in they are copied into a buffer of the node's when they come
 * out, so that what is in flight is not taken from the node's budget.
 */
#ifndef LINK_IMPAIR_H
#define LINK_IMPAIR_H

#include "link/device.h"
#include "link/identity.h"
#include "link/inbox.h"
#include "link/intake.h"
#include "link/rules.h"
#include "link/verdict.h"

enum {
    IMPAIR_PACKETS = 4096,     /* in flight, in each direction */
    IMPAIR_PACKET_MAX = 65535, /* bytes */
};

struct impair_side {
    struct path path;
    struct inbox inbox;
    bool silent;                  /* what is too large is not answered */
    bool bad[PACKET_KINDS];       /* each kind has bursts of its own, for the same reason */
    int64_t at_least;             /* ns of delay: in lock-step, a step */
    uint64_t packets;             /* that came to the path */
    uint64_t count[REASON_COUNT]; /* what was decided about them */
};

struct impair {
    struct device dev;
    struct device *inner;
    struct impair_side side[IMPAIR_DIRECTIONS];
    struct identity identity;
    uint64_t seed;
    struct intake intake;
    struct verdict verdict;
    int64_t retry_at; /* when to try again what the device did not take; 0: it takes all */
    bool begun;       /* the instant is known that the times in rules are counted from */
    uint8_t flat[IMPAIR_PACKET_MAX + 1];
};

/* Bytes of memory for what is in flight. */
size_t impair_bytes(void);

/*
 * Make *m, which is full of zeros and large, a device in the place of `inner`, which it closes when
 * it is closed. `mem` is impair_bytes() of memory aligned to 8 bytes, not touched before it is
 * needed. Packets are read into bufs of `pool`. What comes in is late by `step` ns at least. 0, or
 * -ENOBUFS if the pool has no buffer to spare even now.
 */
int impair_init(struct impair *m, struct device *inner, const struct rules *rules, uint64_t seed,
                void *mem, struct buf_pool *pool, int64_t step);

/*
 * Before it is closed: write what is due on its way out. When to come back for the rest, or
 * TIME_NEVER.
 */
int64_t impair_flush(struct impair *m, int64_t now);

#endif
