/*
 * A hierarchical timer wheel: setting, clearing and expiring a timer cost a constant, however many
 * there are.
 *
 * Level 0 has 64 slots of one tick (2^16 ns, about 66 us); each level above has slots 64 times as
 * wide. A timer stands in the level at which its deadline first differs from the wheel's present
 * tick, and moves down as that slot comes near. Deadlines themselves are exact: a timer of the
 * present tick that is not due yet stays, and the wheel says when to come back.
 *
 * A timer that is set again stays where it is if its slot begins early enough, and is put where it
 * belongs when that is looked at. So one that is put off, and is needed earlier again, costs next
 * to nothing.
 *
 * The timers themselves are parts of other objects, in an array of those, and are only told where
 * they stand. Where there are very many, none of these objects is in a cache; so all that the wheel
 * asks stands in entries of its own, a slot's one behind the other, in chunks. Of a timer that
 * moves nothing is read, and whose timers come next is known long before.
 *
 * Timers that expire at one call come in the order of their deadlines' ticks, and within one tick
 * in the order in which they came there, but that the last of a slot takes the place of one that
 * leaves it early. So a simulation repeats itself. Those of the present tick are looked at once in
 * a call: the due ones go to a slot of their own first.
 */
#ifndef BASE_WHEEL_H
#define BASE_WHEEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/exact.h"

enum {
    WHEEL_LEVELS = 8, /* 2^16 ns * 64^8 covers every deadline */
    WHEEL_DUE =
        WHEEL_LEVELS, /* and one more, of one slot: timers found due and not given out yet */
    WHEEL_SLOTS = 64,
    WHEEL_TICK_LOG = 16, /* a tick is 2^16 ns */
    WHEEL_CHUNK = 32,    /* entries */
    WHEEL_AHEAD = 8,     /* entries before their own turn memory of timers is asked for */
};

/* All 0: it is clear. */
struct wheel_timer {
    uint32_t at;   /* its entry, while it is set; or 0 */
    uint16_t slot; /* level * WHEEL_SLOTS + slot, while it is set */
};

struct wheel_entry {
    int64_t deadline; /* ns */
    uint32_t number;  /* whose */
};

struct wheel_link {
    uint32_t next, prev; /* chunks of a slot; or next the next free one */
};

struct wheel_slot {
    uint32_t first, last; /* of its entries; 0: it is empty */
};

struct wheel {
    uint64_t tick;                /* the present tick: no timer stands before it */
    int64_t idle_until;           /* ns: before that nothing is due, and no timer moves down */
    uint64_t used[WHEEL_DUE + 1]; /* a bit for each slot that is not empty */
    struct wheel_slot slot[(WHEEL_DUE + 1) * WHEEL_SLOTS];
    struct wheel_entry *entry; /* by chunk * WHEEL_CHUNK + place; chunk 0 is nobody's */
    struct wheel_link *link;   /* by chunk */
    uint32_t free, fresh;      /* the first free chunk, or 0; the first that was never used */
    uint8_t *timers;           /* the first; ... */
    size_t stride;             /* ... from one to the next, bytes */
    struct exact by_stride;
};

/* Bytes of memory for the entries of so many timers. */
size_t wheel_bytes(uint32_t timers);

/*
 * An empty wheel at the instant `now`, for the `count` timers of which *first is the first and
 * which are `stride` bytes apart. mem[wheel_bytes(count)], aligned to 8 bytes, is all zeros.
 */
void wheel_init(struct wheel *w, int64_t now, void *mem, struct wheel_timer *first, size_t stride,
                uint32_t count);

/*
 * Set the timer for `deadline`, whether it is set already or not. A deadline in the past is due;
 * TIME_NEVER is as if it were cleared.
 */
void wheel_set(struct wheel *w, struct wheel_timer *t, int64_t deadline);

/* Clear the timer; nothing happens if it is not set. */
void wheel_clear(struct wheel *w, struct wheel_timer *t);

static inline bool wheel_is_set(const struct wheel_timer *t)
{
    return t->at != 0;
}

/* ns: for when the timer, which is set, is set. */
static inline int64_t wheel_deadline_of(const struct wheel *w, const struct wheel_timer *t)
{
    return w->entry[t->at].deadline;
}

/* Clear and return one timer whose deadline is at or before `now`, or NULL if none is left. */
struct wheel_timer *wheel_expire(struct wheel *w, int64_t now);

/* Some places behind that one in its slot; where there is none, any. */
static inline uint32_t wheel_behind(const struct wheel *w, uint32_t at, uint32_t places)
{
    if (at % WHEEL_CHUNK + places < WHEEL_CHUNK)
        return at + places;
    return w->link[at / WHEEL_CHUNK].next * WHEEL_CHUNK + (at + places) % WHEEL_CHUNK;
}

/*
 * A timer that may well be the one which wheel_expire returns WHEEL_AHEAD calls later. It is a
 * guess: that one may be due later, or be clear by now. There is always one.
 */
static inline const struct wheel_timer *wheel_later(const struct wheel *w)
{
    uint32_t at = wheel_behind(w, w->slot[WHEEL_DUE * WHEEL_SLOTS].first, WHEEL_AHEAD - 1);

    return (const void *)(w->timers + w->entry[at].number * w->stride);
}

/*
 * Does wheel_expire find nothing, as can be seen at a look, because it was called not long ago? If
 * so, all is as it would be after that.
 */
static inline bool wheel_pass(struct wheel *w, int64_t now)
{
    uint64_t now_tick = (uint64_t)now >> WHEEL_TICK_LOG;

    if (now >= w->idle_until || w->used[WHEEL_DUE])
        return false;
    if (now_tick > w->tick)
        w->tick = now_tick;
    return true;
}

/* When to call wheel_expire next, or TIME_NEVER: never after the first deadline, maybe before. */
int64_t wheel_deadline(const struct wheel *w);

#endif
