#include "base/wheel.h"

#include <assert.h>
#include <string.h>

#include "base/prefetch.h"
#include "base/time.h"

enum {
    SLOT_LOG = 6,
    SLOT_COUNT = (WHEEL_DUE + 1) * WHEEL_SLOTS,
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

/*
 * Chunk 0; full ones; for each slot that is not empty, of which there are no more than timers, one
 * that is not full; and the one whose entries are moved elsewhere.
 */
static size_t chunks_of(uint32_t timers)
{
    return timers / WHEEL_CHUNK + (timers < SLOT_COUNT ? timers : SLOT_COUNT) + 2;
}

size_t wheel_bytes(uint32_t timers)
{
    return chunks_of(timers) *
           (WHEEL_CHUNK * sizeof(struct wheel_entry) + sizeof(struct wheel_link));
}

void wheel_init(struct wheel *w, int64_t now, void *mem, struct wheel_timer *first, size_t stride,
                uint32_t count)
{
    assert(now >= 0);
    *w = (struct wheel){
        .tick = tick_of(now),
        .idle_until = TIME_NEVER,
        .entry = mem,
        .link = (void *)((struct wheel_entry *)mem + chunks_of(count) * WHEEL_CHUNK),
        .fresh = 1,
        .timers = (uint8_t *)first,
        .stride = stride,
        .by_stride = exact_by(stride),
    };
}

static struct wheel_timer *timer_of(const struct wheel *w, uint32_t number)
{
    return (void *)(w->timers + number * w->stride);
}

static uint32_t number_of(const struct wheel *w, const struct wheel_timer *t)
{
    return (uint32_t)exact_quotient(w->by_stride, (uint64_t)((const uint8_t *)t - w->timers));
}

static uint32_t get_chunk(struct wheel *w)
{
    uint32_t chunk = w->free;

    if (!chunk)
        return w->fresh++;
    w->free = w->link[chunk].next;
    return chunk;
}

static void put_chunk(struct wheel *w, uint32_t chunk)
{
    w->link[chunk].next = w->free;
    w->free = chunk;
}

/* Behind all others of that slot. */
static void append(struct wheel *w, unsigned slot, struct wheel_entry e)
{
    struct wheel_slot *s = &w->slot[slot];
    struct wheel_timer *t = timer_of(w, e.number);
    uint32_t at = s->last + 1;

    if (at % WHEEL_CHUNK == 0 || !s->last) {
        uint32_t chunk = get_chunk(w), before = s->last / WHEEL_CHUNK;

        if (before)
            w->link[before].next = chunk;
        else
            s->first = chunk * WHEEL_CHUNK;
        w->link[chunk].prev = before;
        at = chunk * WHEEL_CHUNK;
        w->used[slot / WHEEL_SLOTS] |= UINT64_C(1) << slot % WHEEL_SLOTS;
    }
    s->last = at;
    w->entry[at] = e;
    t->at = at;
    t->slot = (uint16_t)slot;
}

/* The last one of that slot goes. */
static void drop_last(struct wheel *w, unsigned slot)
{
    struct wheel_slot *s = &w->slot[slot];
    uint32_t chunk = s->last / WHEEL_CHUNK;

    if (s->last == s->first) {
        *s = (struct wheel_slot){0};
        w->used[slot / WHEEL_SLOTS] &= ~(UINT64_C(1) << slot % WHEEL_SLOTS);
    } else if (s->last-- % WHEEL_CHUNK) {
        return;
    } else {
        s->last = w->link[chunk].prev * WHEEL_CHUNK + WHEEL_CHUNK - 1;
    }
    put_chunk(w, chunk);
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

/* Where it belongs. */
static void place(struct wheel *w, struct wheel_entry e)
{
    uint64_t tick = tick_of(e.deadline);
    int64_t looked_at = e.deadline;
    unsigned level;

    if (tick < w->tick)
        tick = w->tick;
    level = level_of(w, tick);
    if (level > 0) /* when its slot begins */
        looked_at = (int64_t)(tick >> (SLOT_LOG * level) << (SLOT_LOG * level) << WHEEL_TICK_LOG);
    w->idle_until = time_min(w->idle_until, looked_at);
    append(w, level * WHEEL_SLOTS + (unsigned)(tick >> (SLOT_LOG * level)) % WHEEL_SLOTS, e);
}

/* The slot's last one takes its place. */
void wheel_clear(struct wheel *w, struct wheel_timer *t)
{
    uint32_t last;

    if (!wheel_is_set(t))
        return;
    last = w->slot[t->slot].last;
    w->entry[t->at] = w->entry[last];
    timer_of(w, w->entry[last].number)->at = t->at;
    drop_last(w, t->slot);
    t->at = 0;
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

    return wheel_is_set(t) && level != WHEEL_DUE && tick_of(deadline) >= begin_of(w, level, slot);
}

void wheel_set(struct wheel *w, struct wheel_timer *t, int64_t deadline)
{
    deadline = time_max(deadline, 0);
    if (deadline != TIME_NEVER && stands_well(w, t, deadline)) {
        w->entry[t->at].deadline = deadline;
        w->idle_until = time_min(w->idle_until, deadline);
        return;
    }
    wheel_clear(w, t);
    if (deadline != TIME_NEVER)
        place(w, (struct wheel_entry){deadline, number_of(w, t)});
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

/*
 * The wheel has come to this slot: all that stands there goes where it belongs now, and what is due
 * in the present tick, but for what is left of that tick, where the due ones are.
 */
static void sort_out(struct wheel *w, unsigned level, int64_t now)
{
    unsigned slot = (unsigned)(w->tick >> (SLOT_LOG * level)) % WHEEL_SLOTS;
    struct wheel_slot *s = &w->slot[level * WHEEL_SLOTS + slot], old = *s;
    uint32_t at = old.first, next;

    *s = (struct wheel_slot){0};
    w->used[level] &= ~(UINT64_C(1) << slot);
    for (bool more = true; more; at = next) {
        struct wheel_entry e = w->entry[at];

        __builtin_prefetch(timer_of(w, w->entry[wheel_behind(w, at, WHEEL_AHEAD)].number), 1);
        if (level == 0 && e.deadline <= now && tick_of(e.deadline) <= w->tick)
            append(w, WHEEL_DUE * WHEEL_SLOTS, e);
        else
            place(w, e);
        more = at != old.last;
        next = wheel_behind(w, at, 1);
        if (!more || next % WHEEL_CHUNK == 0)
            put_chunk(w, at / WHEEL_CHUNK);
    }
}

/* Clear and return the first of those that were found due, or NULL. */
static struct wheel_timer *take_due(struct wheel *w)
{
    struct wheel_slot *s = &w->slot[WHEEL_DUE * WHEEL_SLOTS];
    uint32_t at = s->first;
    struct wheel_timer *t;

    if (!w->used[WHEEL_DUE])
        return NULL;
    t = timer_of(w, w->entry[at].number);
    t->at = 0;
    if (at == s->last) {
        drop_last(w, WHEEL_DUE * WHEEL_SLOTS);
        return t;
    }
    s->first = wheel_behind(w, at, 1);
    if (s->first % WHEEL_CHUNK == 0)
        put_chunk(w, at / WHEEL_CHUNK);
    return t;
}

/* Until when nothing is due and no timer moves down, those apart that were found due. */
static int64_t next_look(const struct wheel *w)
{
    unsigned level = 0;
    uint64_t tick = nearest(w, &level);
    int64_t first = TIME_NEVER;
    const struct wheel_slot *s;

    if (tick == UINT64_MAX)
        return TIME_NEVER;
    if (level > 0)
        return (int64_t)(tick << WHEEL_TICK_LOG);
    s = &w->slot[tick % WHEEL_SLOTS];
    for (uint32_t at = s->first;; at = wheel_behind(w, at, 1)) {
        first = time_min(first, w->entry[at].deadline);
        if (at == s->last) /* all may have been put off */
            return time_min(first, (int64_t)((tick + 1) << WHEEL_TICK_LOG));
    }
}

struct wheel_timer *wheel_expire(struct wheel *w, int64_t now)
{
    struct wheel_timer *t = take_due(w);
    uint64_t tick, now_tick = tick_of(now);
    unsigned level = 0;

    if (t || wheel_pass(w, now))
        return t;
    while (!t && (tick = nearest(w, &level)) <= now_tick) {
        w->tick = tick;
        sort_out(w, level, now);
        t = take_due(w);
        if (level == 0 && tick == now_tick)
            break;
    }
    /* No slot begins before now_tick, so no timer's place depends on the step (see level_of). */
    if (!t && now_tick > w->tick)
        w->tick = now_tick;
    w->idle_until = next_look(w);
    return t;
}

int64_t wheel_deadline(const struct wheel *w)
{
    return w->used[WHEEL_DUE] ? 0 : next_look(w);
}
