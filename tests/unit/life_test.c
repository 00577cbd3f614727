/* A program's life: what it does when it is asked to stop, once, twice, and when nobody answers. */
#include "run/life.h"

#include "tcp_kit.h"

static const int64_t grace = 5 * SEC;

static struct node node;
static struct life life;

/* A node with one connection, established with a remote node that will not close. */
static void begin_life(void)
{
    defaults();
    begin();
    open_passive();
    node = (struct node){.st = rig.st, .report = {.program = "life_test", .quiet = true}};
    life = (struct life){.node = &node};
    loop_init(&life.loop);
    loop_add(&life.loop, rig.st, NULL);
}

/* One turn, in which signals have asked so often. */
static bool turn(unsigned asked)
{
    life.loop.now = rig.now;
    life.loop.asked = asked;
    return life_turn(&life);
}

/* The connection was reset, and the program ends after it has told so. */
static void expect_forced(void)
{
    assert_true(life.forced);
    expect(RST | ACK, 1, 1, 0);
    expect_closed(REASON_END_ABORTED);
    assert_true(turn(life.loop.asked));
}

static void nobody_asks(void **state)
{
    (void)state;
    begin_life();
    advance(3600 * SEC);
    assert_false(turn(0));
    assert_false(life.stopping);
    assert_int_equal(life.loop.wake, TIME_NEVER);
    expect_state(TCP_ESTABLISHED);
    end();
}

static void asked_once_it_waits_for_a_while(void **state)
{
    (void)state;
    begin_life();
    assert_false(turn(1));
    assert_true(life.stopping);
    assert_true(life.loop.busy); /* whoever closes must not wait for the next packet */
    assert_int_equal(life.loop.wake, rig.now + grace);
    advance(grace - 1);
    assert_false(turn(1));
    assert_false(life.forced);
    expect_nothing();
    advance(1);
    assert_false(turn(1));
    expect_forced();
    end();
}

static void asked_twice_it_stops_at_once(void **state)
{
    (void)state;
    begin_life();
    assert_false(turn(1));
    assert_false(life.forced);
    assert_false(turn(2));
    expect_forced();
    end();
}

/* The program itself wants to end, and somebody still reads: he gets all of it, however slowly. */
static void a_slow_reader_is_waited_for(void **state)
{
    (void)state;
    begin_life();
    life.quit = true;
    life.loop.op = &life.op;
    life.op.in = -1;
    life.op.show = (struct slice){NULL, (const uint8_t *)"x", 1};
    for (unsigned i = 0; i < 10; i++, advance(grace - 1))
        assert_false(turn(0));
    assert_false(life.forced);
    life.op.show.len = 0;
    advance(1);
    assert_false(turn(0));
    expect_forced();
    end();
}

/* ... but a signal is in a hurry. */
static void a_slow_reader_does_not_hold_up_a_signal(void **state)
{
    (void)state;
    begin_life();
    life.loop.op = &life.op;
    life.op.in = -1;
    life.op.show = (struct slice){NULL, (const uint8_t *)"x", 1};
    assert_false(turn(1));
    advance(grace);
    assert_false(turn(1));
    expect_forced();
    end();
}

static void what_counts_as_open(void **state)
{
    uint32_t witness = 0;

    (void)state;
    begin_life();
    assert_true(life_any_open(rig.st, &witness));
    life_close_all(rig.st);
    expect(FIN | ACK, 1, 1, 0);
    inject(ACK, 1, 2, FULL_WND, 0);
    expect_state(TCP_FIN_WAIT_2);
    assert_true(life_any_open(rig.st, &witness));
    inject(FIN | ACK, 1, 2, FULL_WND, 0);
    expect_state(TCP_TIME_WAIT);
    assert_false(life_any_open(rig.st, &witness));
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_asks),
        cmocka_unit_test(asked_once_it_waits_for_a_while),
        cmocka_unit_test(asked_twice_it_stops_at_once),
        cmocka_unit_test(a_slow_reader_is_waited_for),
        cmocka_unit_test(a_slow_reader_does_not_hold_up_a_signal),
        cmocka_unit_test(what_counts_as_open),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
