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
 * A slot's timers lead from one to the next, and where there are very many none of them is in a
 * cache when its turn comes. So each knows, where that is simple, which one was put behind it some
 * places later, and memory of that is asked for in time.
 *
 * Timers that expire at one call come in the order of their deadlines' ticks, and within one tick
 * in the order in which they came there, so a simulation repeats itself. Those of the present tick
 * are looked at once in a call: the due ones go to a slot of their own first.
 */
#ifndef BASE_WHEEL_H
#define BASE_WHEEL_H

#include <stdint.h>

#include "base/list.h"

enum {
    WHEEL_LEVELS = 8, /* 2^16 ns * 64^8 covers every deadline */
    WHEEL_DUE =
        WHEEL_LEVELS, /* and one more, of one slot: timers found due and not given out yet */
    WHEEL_SLOTS = 64,
    WHEEL_TICK_LOG = 16, /* a tick is 2^16 ns */
    WHEEL_FAR = 8,       /* places from a timer to the one that it knows; a power of two */
};

struct wheel_timer {
    struct list node;
    int64_t deadline; /* ns */
    uint16_t slot;    /* level * WHEEL_SLOTS + slot, while it is set */
    uint16_t mark;    /* where wheel.last has it, if it is among the last of its slot */
    int32_t far;      /* bytes / 8 to the one WHEEL_FAR places behind it when that came; 0: none */
};

struct wheel {
    uint64_t tick;                /* the present tick: no timer stands before it */
    int64_t idle_until;           /* ns: before that nothing is due, and no timer moves down */
    uint64_t used[WHEEL_DUE + 1]; /* a bit for each slot that is not empty */
    struct list slot[WHEEL_DUE + 1][WHEEL_SLOTS];
    struct wheel_timer *last[(WHEEL_DUE + 1) * WHEEL_SLOTS][WHEEL_FAR]; /* that came; or NULL */
    uint8_t came[(WHEEL_DUE + 1) * WHEEL_SLOTS]; /* how many, of which the lower bits count */
};

/* An empty wheel at the instant `now`. */
void wheel_init(struct wheel *w, int64_t now);

/*
 * Set the timer for `deadline`, whether it is set already or not. A deadline in the past is due;
 * TIME_NEVER is as if it were cleared, but wheel_is_set finds that out late.
 */
void wheel_set(struct wheel *w, struct wheel_timer *t, int64_t deadline);

/* Clear the timer; nothing happens if it is not set. */
void wheel_clear(struct wheel *w, struct wheel_timer *t);

static inline bool wheel_is_set(const struct wheel_timer *t)
{
    return list_on(&t->node);
}

/* Clear and return one timer whose deadline is at or before `now`, or NULL if none is left. */
struct wheel_timer *wheel_expire(struct wheel *w, int64_t now);

/*
 * A timer that will be due soon after `t`, which has just come, or `t` itself where none is known.
 * It is a guess: it may be due later, be clear by now, or be no timer any more.
 */
static inline const struct wheel_timer *wheel_later(const struct wheel_timer *t)
{
    return (const void *)((uintptr_t)t + 8 * (uintptr_t)(intptr_t)t->far);
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
