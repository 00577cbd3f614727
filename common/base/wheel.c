#include "base/wheel.h"

#include <assert.h>
#include <string.h>

#include "base/prefetch.h"
#include "base/time.h"

enum {
    SLOT_LOG = 6,
};

static uint64_t tick_of(int64_t ns)
{
    return (uint64_t)ns >> WHEEL_TICK_LOG;
}

/* The lowest set bit's number; bits must not be 0. */
static unsigned lowest_bit(uint64_t bits)
{
    return (unsigned)__builtin_ctzll(bits);
}

void wheel_init(struct wheel *w, int64_t now)
{
    assert(now >= 0);
    w->tick = tick_of(now);
    w->idle_until = TIME_NEVER;
    memset(w->used, 0, sizeof(w->used));
    memset(w->last, 0, sizeof(w->last));
    memset(w->came, 0, sizeof(w->came));
    for (unsigned l = 0; l <= WHEEL_DUE; l++)
        for (unsigned s = 0; s < WHEEL_SLOTS; s++)
            list_init(&w->slot[l][s]);
}

/* The level at which `tick` first differs from the wheel's, seen from above. */
static unsigned level_of(const struct wheel *w, uint64_t tick)
{
    uint64_t differs = tick ^ w->tick;
    unsigned level = 0;

    while (level < WHEEL_LEVELS - 1 && differs >> (SLOT_LOG * (level + 1)))
        level++;
    return level;
}

/* What was the last but so many in its slot gets to know `t`, which is the last one now. */
static void remember(struct wheel *w, struct wheel_timer *t)
{
    struct wheel_timer **last = w->last[t->slot];

    t->mark = w->came[t->slot]++ % WHEEL_FAR;
    t->far = 0;
    if (last[t->mark])
        last[t->mark]->far = (int32_t)(((intptr_t)t - (intptr_t)last[t->mark]) / 8);
    last[t->mark] = t;
}

/* `t` is not in its slot any more. */
static void forget(struct wheel *w, const struct wheel_timer *t)
{
    if (w->last[t->slot][t->mark] == t)
        w->last[t->slot][t->mark] = NULL;
}

/* Into that slot, behind all others. */
static void put(struct wheel *w, struct wheel_timer *t, unsigned level, unsigned slot)
{
    t->slot = (uint16_t)(level * WHEEL_SLOTS + slot);
    list_append(&w->slot[level][slot], &t->node);
    remember(w, t);
    w->used[level] |= UINT64_C(1) << slot;
}

static void place(struct wheel *w, struct wheel_timer *t)
{
    uint64_t tick = tick_of(t->deadline);
    int64_t looked_at = t->deadline;
    unsigned level;

    if (tick < w->tick)
        tick = w->tick;
    level = level_of(w, tick);
    if (level > 0) /* when its slot begins */
        looked_at = (int64_t)(tick >> (SLOT_LOG * level) << (SLOT_LOG * level) << WHEEL_TICK_LOG);
    w->idle_until = time_min(w->idle_until, looked_at);
    put(w, t, level, (unsigned)(tick >> (SLOT_LOG * level)) % WHEEL_SLOTS);
}

void wheel_clear(struct wheel *w, struct wheel_timer *t)
{
    unsigned level = t->slot / WHEEL_SLOTS, slot = t->slot % WHEEL_SLOTS;

    if (!wheel_is_set(t))
        return;
    list_remove(&t->node);
    forget(w, t);
    if (list_empty(&w->slot[level][slot]))
        w->used[level] &= ~(UINT64_C(1) << slot);
}

/* The first tick of that slot, of those that the wheel has not come past at this level. */
static uint64_t begin_of(const struct wheel *w, unsigned level, unsigned slot)
{
    uint64_t window = w->tick >> (SLOT_LOG * (level + 1));

    return (window << SLOT_LOG | slot) << (SLOT_LOG * level);
}

/* Will its slot be looked at in time for `deadline`? */
static bool stands_well(const struct wheel *w, const struct wheel_timer *t, int64_t deadline)
{
    unsigned level = t->slot / WHEEL_SLOTS, slot = t->slot % WHEEL_SLOTS;

    if (!wheel_is_set(t) || level == WHEEL_DUE)
        return false;
    return deadline >= t->deadline || tick_of(deadline) >= begin_of(w, level, slot);
}

void wheel_set(struct wheel *w, struct wheel_timer *t, int64_t deadline)
{
    deadline = time_max(deadline, 0);
    if (stands_well(w, t, deadline)) {
        t->deadline = deadline;
        w->idle_until = time_min(w->idle_until, deadline);
        return;
    }
    wheel_clear(w, t);
    t->deadline = deadline;
    if (deadline != TIME_NEVER)
        place(w, t);
}

/* The first tick of the nearest slot that is not empty, or UINT64_MAX; *ret_level says whose. */
static uint64_t nearest(const struct wheel *w, unsigned *ret_level)
{
    for (unsigned l = 0; l < WHEEL_LEVELS; l++) {
        if (!w->used[l])
            continue;
        *ret_level = l;
        return begin_of(w, l, lowest_bit(w->used[l]));
    }
    return UINT64_MAX;
}

/* From the slot that is looked at to where it belongs, if anywhere. */
static void move(struct wheel *w, struct wheel_timer *t)
{
    wheel_clear(w, t);
    if (t->deadline != TIME_NEVER)
        place(w, t);
}

/* Move the wheel to `tick`, whose slot at `level` is the nearest, and its timers down. */
static void descend(struct wheel *w, uint64_t tick, unsigned level)
{
    unsigned slot = (unsigned)(tick >> (SLOT_LOG * level)) % WHEEL_SLOTS;
    struct list *head = &w->slot[level][slot];

    w->tick = tick;
    while (!list_empty(head)) {
        struct wheel_timer *t = container_of(head->next, struct wheel_timer, node);

        prefetch(wheel_later(t), sizeof(*t));
        move(w, t);
        assert(t->slot != level * WHEEL_SLOTS + slot || !wheel_is_set(t));
    }
}

/*
 * Those of the present tick that are due go where the due ones are, and those that were put off
 * where they belong. So it is known until when nobody has to look again.
 */
static void sort_out(struct wheel *w, int64_t now)
{
    struct list *head = &w->slot[0][w->tick % WHEEL_SLOTS];

    w->idle_until = TIME_NEVER;
    for (struct list *n = head->next, *next; n != head; n = next) {
        struct wheel_timer *t = container_of(n, struct wheel_timer, node);

        next = n->next;
        if (tick_of(t->deadline) > w->tick) {
            move(w, t);
        } else if (t->deadline <= now) {
            wheel_clear(w, t);
            put(w, t, WHEEL_DUE, 0);
        } else {
            w->idle_until = time_min(w->idle_until, t->deadline);
        }
    }
    if (list_empty(head))
        w->idle_until = wheel_deadline(w);
}

/* Clear and return the first timer of those that were found due, or NULL. */
static struct wheel_timer *take_due(struct wheel *w)
{
    struct wheel_timer *t;

    if (!w->used[WHEEL_DUE])
        return NULL;
    t = container_of(w->slot[WHEEL_DUE][0].next, struct wheel_timer, node);
    wheel_clear(w, t);
    return t;
}

struct wheel_timer *wheel_expire(struct wheel *w, int64_t now)
{
    struct wheel_timer *t = take_due(w);
    uint64_t tick, now_tick = tick_of(now);
    unsigned level = 0;

    if (t || wheel_pass(w, now))
        return t;
    while ((tick = nearest(w, &level)) <= now_tick) {
        if (level > 0) {
            descend(w, tick, level);
            continue;
        }
        w->tick = tick;
        sort_out(w, now);
        if ((t = take_due(w)) || tick == now_tick)
            return t;
    }
    /* No slot begins before now_tick, so no timer's place depends on the step (see level_of). */
    if (now_tick > w->tick)
        w->tick = now_tick;
    w->idle_until = wheel_deadline(w);
    return NULL;
}

int64_t wheel_deadline(const struct wheel *w)
{
    unsigned level = 0;
    uint64_t tick = nearest(w, &level);
    int64_t first = TIME_NEVER;

    if (w->used[WHEEL_DUE])
        return 0;
    if (tick == UINT64_MAX)
        return TIME_NEVER;
    if (level > 0)
        return (int64_t)(tick << WHEEL_TICK_LOG);
    const struct list *head = &w->slot[0][tick % WHEEL_SLOTS];
    for (const struct list *n = head->next; n != head; n = n->next) {
        const struct wheel_timer *t = container_of(n, const struct wheel_timer, node);

        prefetch(wheel_later(t), sizeof(*t));
        first = time_min(first, t->deadline);
    }
    return time_min(first, (int64_t)((tick + 1) << WHEEL_TICK_LOG)); /* some may be put off */
}
