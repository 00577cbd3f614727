/*
 * The timer wheel, against a model that looks at every timer: which is due, in which order, and
 * when to come back.
 */
#include "base/wheel.h"

#include <stdlib.h>

#include "base/list.h"
#include "base/time.h"
#include "wire_check.h"

enum {
    TIMERS = 3 * WHEEL_CHUNK,
    ROUNDS = 20,
    STEPS = 5000, /* in each round: 100,000 in all */
};

#define YEAR (INT64_C(31557600) * SEC)

static struct wheel wheel;
static struct object {
    uint8_t before[5];
    struct wheel_timer timer;
    uint8_t behind[11];
} objects[TIMERS];
static void *entries; /* of the wheel's memory */

/* What the model knows about a timer. */
static struct {
    bool set;
    int64_t deadline;
    uint64_t tick; /* of the deadline, or when it was set if that was later */
} model[TIMERS];
static uint64_t present;

static int number_of(const struct wheel_timer *t)
{
    return (int)(container_of(t, struct object, timer) - objects);
}

static uint64_t tick_of(int64_t ns)
{
    return (uint64_t)ns >> WHEEL_TICK_LOG;
}

static void start(int64_t now)
{
    memset(objects, 0, sizeof(objects));
    memset(model, 0, sizeof(model));
    present = tick_of(now);
    free(entries);
    entries = calloc(1, wheel_bytes(TIMERS));
    assert_non_null(entries);
    wheel_init(&wheel, now, entries, &objects[0].timer, sizeof(objects[0]), TIMERS);
}

static void set(uint32_t i, int64_t deadline)
{
    uint64_t tick = deadline < 0 ? 0 : tick_of(deadline);

    wheel_set(&wheel, &objects[i].timer, deadline);
    model[i].set = deadline != TIME_NEVER;
    model[i].deadline = deadline;
    model[i].tick = tick > present ? tick : present;
}

static void clear(uint32_t i)
{
    wheel_clear(&wheel, &objects[i].timer);
    model[i].set = false;
}

/* Is `i` due, and nothing that must come before it? */
static bool may_expire(int i, int64_t now)
{
    if (!model[i].set || model[i].deadline > now)
        return false;
    for (int j = 0; j < TIMERS; j++)
        if (model[j].set && model[j].deadline <= now && model[j].tick < model[i].tick)
            return false;
    return true;
}

static bool any_due(int64_t now)
{
    for (int i = 0; i < TIMERS; i++)
        if (model[i].set && model[i].deadline <= now)
            return true;
    return false;
}

static int64_t first_deadline(void)
{
    int64_t first = TIME_NEVER;

    for (int i = 0; i < TIMERS; i++)
        if (model[i].set)
            first = time_min(first, model[i].deadline);
    return first;
}

/* One call of wheel_expire, every other time only where a look does not do; false if it gave none.
 */
static bool expire(int64_t now)
{
    static bool looks;
    bool any = any_due(now);
    struct wheel_timer *t = NULL;

    looks = !looks;
    if (!looks || !wheel_pass(&wheel, now))
        t = wheel_expire(&wheel, now);
    if (!any && !t) {
        present = tick_of(now) > present ? tick_of(now) : present;
        return false;
    }
    if (!any || !t || !may_expire(number_of(t), now))
        fail_msg("at %lld expired %d", (long long)now, t ? number_of(t) : -1);
    present = model[number_of(t)].tick;
    model[number_of(t)].set = false;
    return true;
}

static void check(int64_t now)
{
    int64_t first = first_deadline(), back = wheel_deadline(&wheel);
    bool any = false;

    for (int i = 0; i < TIMERS; i++) {
        assert_int_equal(wheel_is_set(&objects[i].timer), model[i].set);
        if (model[i].set)
            assert_true(wheel_deadline_of(&wheel, &objects[i].timer) ==
                        time_max(model[i].deadline, 0));
        any |= model[i].set;
    }
    if (back > time_max(first, 0))
        fail_msg("come back at %lld, but %lld is due", (long long)back, (long long)first);
    if (!any)
        assert_true(back == TIME_NEVER);
    if (first > now && any && back < 0)
        fail_msg("come back at %lld", (long long)back);
}

/* A duration: every order of magnitude up to 2^top ns is as likely as the others. */
static int64_t spread(uint64_t *rng, uint32_t top)
{
    return (int64_t)(random64(rng) & ((UINT64_C(1) << random_below(rng, top + 1)) - 1));
}

static void drain(int64_t now, uint64_t *rng, uint32_t top)
{
    while (expire(now)) {
        check(now);
        if (random_below(rng, 4) == 0) /* whoever expires may set timers, also due ones */
            set(random_below(rng, TIMERS), now - 10 * MSEC + spread(rng, top));
        if (random_below(rng, 8) == 0)
            clear(random_below(rng, TIMERS));
    }
    check(now);
    if (wheel_deadline(&wheel) <= now)
        fail_msg("nothing is due at %lld, and yet the wheel says to come back at %lld",
                 (long long)now, (long long)wheel_deadline(&wheel));
}

static int64_t random_step(uint64_t *rng, int64_t now, uint32_t top)
{
    uint32_t i = random_below(rng, TIMERS);

    switch (random_below(rng, 10)) {
    case 0:
        clear(i);
        return now;
    case 8:
    case 9:
        if (model[i].set && model[i].deadline < INT64_MAX - YEAR) /* put off */
            set(i, random_below(rng, 8) ? time_max(now, model[i].deadline) + spread(rng, top)
                                        : TIME_NEVER);
        return now;
    case 1:
        return now + spread(rng, top);
    case 2: /* exactly when it says, or one before */
        return wheel_deadline(&wheel) < INT64_MAX / 2
                   ? time_max(now, wheel_deadline(&wheel) - random_below(rng, 2))
                   : now;
    case 3: /* exactly at the first deadline, or one before */
        return first_deadline() < INT64_MAX / 2
                   ? time_max(now, first_deadline() - random_below(rng, 2))
                   : now;
    case 4:
        set(i, random_below(rng, 8) ? now - spread(rng, 20) : TIME_NEVER);
        return now;
    default:
        set(i, now + spread(rng, top + 2));
        return now;
    }
}

/* From nanoseconds to years; each round has its own largest step. */
static void test_random_use_against_the_model(void **state)
{
    uint64_t rng = 1;

    (void)state;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        uint32_t top = 8 + round * 44 / (ROUNDS - 1); /* up to 2^52 ns a step */
        int64_t now = spread(&rng, 61);

        start(now);
        for (int step = 0; step < STEPS; step++) {
            now = random_step(&rng, now, top);
            assert_true(now >= 0 && now < INT64_MAX - YEAR);
            drain(now, &rng, top);
        }
    }
}

/* From instants around each level's boundary to deadlines around each level's boundary. */
static void test_the_tick_before_and_the_tick_at_every_boundary(void **state)
{
    (void)state;
    for (unsigned from = 0; from < 62; from++) {
        for (unsigned to = 0; to < 62; to++) {
            for (int near = 0; near < 9; near++) {
                int64_t now = (INT64_C(1) << from) - 1 + near / 3;
                int64_t deadline = now + (INT64_C(1) << to) - 1 + near % 3;

                start(now);
                set(0, deadline);
                set(1, deadline + 1);
                if (deadline > now) {
                    assert_false(expire(deadline - 1));
                    check(deadline - 1);
                }
                assert_true(expire(deadline));
                assert_false(expire(deadline));
                assert_true(expire(deadline + 1));
                check(deadline + 1);
            }
        }
    }
}

/* Following wheel_deadline alone finds every timer at its instant, and with few wake-ups. */
static void test_coming_back_when_it_says_meets_every_deadline(void **state)
{
    uint64_t rng = 2;

    (void)state;
    for (int round = 0; round < 2000; round++) {
        int64_t now = spread(&rng, 60), deadline;
        int wakeups = 0;

        start(now);
        deadline = now + 1 + spread(&rng, 61);
        set(0, deadline);
        while (!expire(now)) {
            assert_true(wheel_deadline(&wheel) > now);
            now = wheel_deadline(&wheel);
            assert_true(now <= deadline);
            assert_true(++wakeups <= WHEEL_LEVELS + 1);
        }
        assert_true(now == deadline);
    }
}

/* However far the wheel jumps, all that was set below comes out, by tick and by order of setting.
 */
static void test_no_timer_is_lost_in_a_far_jump(void **state)
{
    uint64_t rng = 3;

    (void)state;
    for (uint32_t top = 1; top <= 61; top++) {
        int64_t now = spread(&rng, 60);

        start(now);
        for (uint32_t i = 0; i < TIMERS; i++)
            set(i, now + spread(&rng, top));
        for (int i = 0; i < TIMERS; i++)
            assert_true(expire(now + (INT64_C(1) << top)));
        assert_false(expire(now + (INT64_C(1) << top)));
        assert_true(wheel_deadline(&wheel) == TIME_NEVER);
    }
}

/* It is not seen before its deadline, nor behind those of later ticks, however late one looks. */
static void test_what_is_set_again_comes_when_it_is_due(void **state)
{
    const int64_t tick = INT64_C(1) << WHEEL_TICK_LOG, far = 100 * tick;

    (void)state;
    start(0);
    for (uint32_t i = 0; i < 3; i++)
        set(i, 5 * tick + i);
    set(0, 9 * tick);
    set(1, far + 3);
    set(2, TIME_NEVER);
    set(3, 7 * tick);
    set(4, far);
    set(4, 6 * tick); /* that far ahead */
    set(0, 10 * tick);
    set(0, 9 * tick);
    assert_false(expire(5 * tick + 4));
    assert_false(wheel_is_set(&objects[2].timer));
    check(5 * tick + 4);
    assert_ptr_equal(wheel_expire(&wheel, 10 * tick), &objects[4].timer);
    assert_ptr_equal(wheel_expire(&wheel, 10 * tick), &objects[3].timer);
    assert_ptr_equal(wheel_expire(&wheel, 10 * tick), &objects[0].timer);
    assert_null(wheel_expire(&wheel, 10 * tick));
    assert_null(wheel_expire(&wheel, far + 2));
    assert_ptr_equal(wheel_expire(&wheel, far + 3), &objects[1].timer);
}

static void test_never_does_not_come(void **state)
{
    (void)state;
    start(0);
    set(0, TIME_NEVER);
    assert_false(wheel_is_set(&objects[0].timer));
    set(0, YEAR);
    set(0, TIME_NEVER);
    assert_false(expire(100 * YEAR));
    check(100 * YEAR);
    assert_false(expire(INT64_MAX - 1));
    assert_true(wheel_deadline(&wheel) == TIME_NEVER);
    clear(0);
    clear(0);
    assert_true(wheel_deadline(&wheel) == TIME_NEVER);
    set(0, TIME_NEVER);
    set(0, INT64_MAX - 1);
    assert_true(expire(INT64_MAX - 1));
}

static void test_the_past_is_due_at_once(void **state)
{
    (void)state;
    start(YEAR);
    set(0, 0);
    set(1, INT64_MIN);
    set(2, YEAR);
    assert_true(expire(YEAR));
    assert_true(expire(YEAR));
    assert_true(expire(YEAR));
    assert_false(expire(YEAR));
}

/* What it says is true where nothing else happens, across chunks, and a timer of some kind else. */
static void test_which_timer_comes_later_is_known(void **state)
{
    const struct wheel_timer *said[TIMERS], *t;
    unsigned n = 0;

    (void)state;
    start(0);
    for (uint32_t i = 0; i < TIMERS; i++)
        set(i, SEC + i);
    for (; (t = wheel_expire(&wheel, 2 * SEC)); n++) {
        if (n >= WHEEL_AHEAD)
            assert_ptr_equal(t, said[n - WHEEL_AHEAD]);
        said[n] = wheel_later(&wheel);
        assert_in_range(number_of(said[n]), 0, TIMERS - 1);
    }
    assert_int_equal(n, TIMERS);
}

/* Chunks were never more than there is memory for. */
static void check_memory(void)
{
    size_t chunk = WHEEL_CHUNK * sizeof(struct wheel_entry) + sizeof(struct wheel_link);

    assert_true(wheel.fresh * chunk <= wheel_bytes(TIMERS));
}

/* All of them in one slot, moved from one to the next, and cleared in whatever order. */
static void test_memory_does_for_all_in_one_slot(void **state)
{
    uint64_t rng = 4;
    uint32_t left = TIMERS;

    (void)state;
    start(0);
    for (int64_t level = 1; level < 400; level++) {
        for (uint32_t i = 0; i < TIMERS; i++)
            set(i, level * 7 * MSEC + i % 3);
        assert_false(expire(level * 7 * MSEC - 1));
    }
    while (left > 0) {
        uint32_t i = random_below(&rng, TIMERS);

        left -= model[i].set;
        clear(i);
        check(0);
    }
    check_memory();
    assert_true(wheel.fresh <= 2 * TIMERS / WHEEL_CHUNK + 3);
}

/* Each of them in a slot of its own, so in as many chunks; and then all from slot to slot. */
static void test_memory_does_for_as_many_slots(void **state)
{
    (void)state;
    start(0);
    for (uint32_t i = 0; i < TIMERS; i++)
        set(i, (int64_t)(1 + i / 8) << (WHEEL_TICK_LOG + 6 * (i % 8)));
    assert_int_equal(wheel.fresh, 1 + TIMERS);
    for (uint32_t i = 0; i < TIMERS; i++)
        assert_true(expire(INT64_MAX - 1));
    check_memory();
}

/* A look does until the first deadline, or until the slot begins from which a timer moves down. */
static void test_until_when_a_look_does(void **state)
{
    const int64_t tick = INT64_C(1) << WHEEL_TICK_LOG;

    (void)state;
    start(0);
    assert_true(wheel_pass(&wheel, YEAR));
    start(0);
    set(0, 10 * tick + 5);
    assert_true(wheel_pass(&wheel, 10 * tick + 4));
    assert_false(wheel_pass(&wheel, 10 * tick + 5));
    start(0);
    set(0, 100 * tick + 5); /* its slot is of 64 ticks */
    assert_true(wheel_pass(&wheel, 64 * tick - 1));
    assert_false(wheel_pass(&wheel, 64 * tick));
    assert_null(wheel_expire(&wheel, 64 * tick));
    assert_true(wheel_pass(&wheel, 100 * tick + 4));
    clear(0);
    assert_false(wheel_pass(&wheel, 100 * tick + 5)); /* which is not known yet */
    assert_null(wheel_expire(&wheel, 100 * tick + 5));
    assert_true(wheel_pass(&wheel, YEAR));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_until_when_a_look_does),
        cmocka_unit_test(test_random_use_against_the_model),
        cmocka_unit_test(test_the_tick_before_and_the_tick_at_every_boundary),
        cmocka_unit_test(test_coming_back_when_it_says_meets_every_deadline),
        cmocka_unit_test(test_no_timer_is_lost_in_a_far_jump),
        cmocka_unit_test(test_what_is_set_again_comes_when_it_is_due),
        cmocka_unit_test(test_never_does_not_come),
        cmocka_unit_test(test_the_past_is_due_at_once),
        cmocka_unit_test(test_which_timer_comes_later_is_known),
        cmocka_unit_test(test_memory_does_for_all_in_one_slot),
        cmocka_unit_test(test_memory_does_for_as_many_slots),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
