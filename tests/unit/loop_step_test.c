/* The loop with a clock that moves in steps, and what a path has lost. */
#include "loop_kit.h"

enum {
    STEP = 20, /* ms */
};

static int64_t instant[64]; /* the instants of turns */

static bool note_instant(void *arg, struct loop *l)
{
    (void)arg;
    instant[turns] = l->now;
    l->wake = l->now;
    return ++turns >= last_turn;
}

/* The loop would come back at once, and comes back with the next step; each is gone through. */
static void a_step_is_gone_through_once(void **state)
{
    (void)state;
    loop.step = STEP * MSEC;
    loop.decide = note_instant;
    last_turn = 4;
    loop_start(&loop);
    assert_int_equal(loop.now % (STEP * MSEC), 0);
    assert_in_range(clock_now() - loop.now, 0, STEP * MSEC);
    assert_int_equal(run_loop(), 0);
    for (unsigned i = 1; i < 4; i++)
        assert_int_equal(instant[i] - instant[i - 1], STEP * MSEC);
    assert_int_equal(fake.ticks, 4);
}

static bool be_late(void *arg, struct loop *l)
{
    if (turns == 0)
        usleep(5 * STEP * 1000);
    return note_instant(arg, l);
}

/* Late by five steps: none is left out. */
static void a_loop_that_is_late_makes_up_for_it(void **state)
{
    (void)state;
    loop.step = STEP * MSEC;
    loop.decide = be_late;
    last_turn = 7;
    loop_start(&loop);
    assert_int_equal(run_loop(), 0);
    for (unsigned i = 1; i < 7; i++)
        assert_int_equal(instant[i] - instant[i - 1], STEP * MSEC);
}

static bool take_long(void *arg, struct loop *l)
{
    if (turns == 1)
        usleep(2 * STEP * 1000);
    return note_instant(arg, l);
}

/* What is more than one turn's work is done at one instant, though it takes longer than a step. */
static void a_step_is_gone_through_to_its_end(void **state)
{
    (void)state;
    loop.step = STEP * MSEC;
    loop.decide = take_long;
    dev.to_read = 3 * LOOP_READ_BATCH + 1;
    last_turn = 4;
    loop_start(&loop);
    assert_int_equal(run_loop(), 0);
    assert_int_equal(instant[3], instant[0]);
    assert_int_equal(fake.inputs, 3 * LOOP_READ_BATCH + 1);
}

/* A packet that arrives within a step is read then, but nothing is done about it until the next. */
static void within_a_step_there_is_only_reading(void **state)
{
    (void)state;
    loop.step = STEP * MSEC;
    loop_start(&loop);
    loop.settled = loop.now;
    instant[1] = loop.now;
    dev.to_read = 1;
    loop.decide = note_instant;
    last_turn = 1;
    assert_int_equal(run_loop(), 0);
    assert_int_equal(fake.inputs, 1);
    assert_int_equal(instant[0], instant[1] + STEP * MSEC);
    assert_int_equal(fake.ticks, 1);
}

/* What a path has lost is no packet for the node. */
static int dev_lost;

static int dev_read_lost(struct device *d, int64_t now, struct pkt *ret)
{
    int r = dev_read(d, now, ret);

    return r == 1 && dev_lost-- > 0 ? DEVICE_LOST : r;
}

static void what_was_lost_on_its_way_is_not_input(void **state)
{
    static const struct device_ops ops = {"losing",     dev_read_lost, dev_write,
                                          dev_deadline, dev_fd,        dev_close};

    (void)state;
    dev.dev.ops = &ops;
    dev_lost = 2;
    dev.to_read = 5;
    assert_int_equal(run_loop(), 0);
    assert_int_equal(fake.inputs, 3);
    assert_int_equal(fake_pool.in_use, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_step_is_gone_through_once, setup, teardown),
        cmocka_unit_test_setup_teardown(a_loop_that_is_late_makes_up_for_it, setup, teardown),
        cmocka_unit_test_setup_teardown(a_step_is_gone_through_to_its_end, setup, teardown),
        cmocka_unit_test_setup_teardown(within_a_step_there_is_only_reading, setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_lost_on_its_way_is_not_input, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
