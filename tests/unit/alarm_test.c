/* The timer that wakes the loop, and how seldom it is set. */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "run/alarm.h"
#include "run/clock.h"

static unsigned settings; /* calls of timerfd_settime */
static bool refused;

/* In place of the C library's. */
int timerfd_settime(int fd, int flags, const struct itimerspec *when, struct itimerspec *old)
{
    settings++;
    return refused ? -1 : (int)syscall(SYS_timerfd_settime, fd, flags, when, old);
}

static struct alarm_clock alarm_clock;

static int begin(void **state)
{
    (void)state;
    settings = 0;
    refused = false;
    alarm_open(&alarm_clock);
    return 0;
}

static int end(void **state)
{
    (void)state;
    alarm_close(&alarm_clock);
    return 0;
}

/* Does it ring within so many ms? */
static bool rings(int ms)
{
    struct pollfd p = {.fd = alarm_clock.fd, .events = POLLIN};

    return poll(&p, 1, ms) == 1;
}

static void it_rings_at_its_time(void **state)
{
    int64_t at = clock_now() + 20 * MSEC;

    (void)state;
    assert_true(alarm_set(&alarm_clock, at));
    assert_true(rings(10000));
    assert_true(clock_now() >= at);
}

static void a_time_that_has_passed_rings_at_once(void **state)
{
    (void)state;
    assert_true(alarm_set(&alarm_clock, clock_now() - SEC));
    assert_true(rings(10000));
}

static void what_is_put_off_does_not_set_it_again(void **state)
{
    int64_t at = clock_now() + 20 * MSEC;

    (void)state;
    for (unsigned i = 0; i < 10; i++)
        assert_true(alarm_set(&alarm_clock, at + i * SEC));
    assert_int_equal(settings, 1);
    assert_true(rings(10000));
}

static void what_is_sooner_sets_it(void **state)
{
    int64_t now = clock_now();

    (void)state;
    assert_true(alarm_set(&alarm_clock, now + 3600 * SEC));
    assert_false(rings(0));
    assert_true(alarm_set(&alarm_clock, now + 20 * MSEC));
    assert_int_equal(settings, 2);
    assert_true(rings(10000));
}

static void when_it_has_rung_it_is_set_anew(void **state)
{
    (void)state;
    assert_true(alarm_set(&alarm_clock, clock_now()));
    assert_true(rings(10000));
    alarm_rung(&alarm_clock);
    assert_false(rings(0));
    assert_true(alarm_set(&alarm_clock, clock_now() + MSEC));
    assert_true(rings(10000));
}

/* Woken for another reason: it has not rung, and is still set. */
static void one_that_has_not_rung_stays_set(void **state)
{
    (void)state;
    assert_true(alarm_set(&alarm_clock, clock_now() + 50 * MSEC));
    alarm_rung(&alarm_clock);
    assert_true(alarm_set(&alarm_clock, clock_now() + SEC));
    assert_int_equal(settings, 1);
    assert_true(rings(900));
}

static void never_needs_no_timer(void **state)
{
    (void)state;
    assert_true(alarm_set(&alarm_clock, TIME_NEVER));
    assert_int_equal(settings, 0);
}

static void without_a_timer_the_caller_is_told(void **state)
{
    (void)state;
    refused = true;
    assert_false(alarm_set(&alarm_clock, clock_now()));
    assert_false(alarm_set(&alarm_clock, clock_now()));
    alarm_close(&alarm_clock);
    refused = false;
    assert_false(alarm_set(&alarm_clock, clock_now()));
    assert_true(alarm_set(&alarm_clock, TIME_NEVER));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_rings_at_its_time),
        TEST(a_time_that_has_passed_rings_at_once),
        TEST(what_is_put_off_does_not_set_it_again),
        TEST(what_is_sooner_sets_it),
        TEST(when_it_has_rung_it_is_set_anew),
        TEST(one_that_has_not_rung_stays_set),
        TEST(never_needs_no_timer),
        TEST(without_a_timer_the_caller_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
