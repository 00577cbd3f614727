/* What is seldom ready, behind one descriptor. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "run/seldom.h"

enum { FIRST, SECOND };

static struct seldom seldom;
static int fd[SELDOM_MAX];

static int begin(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SELDOM_MAX; i++) {
        fd[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        assert_true(fd[i] >= 0);
    }
    return seldom_open(&seldom);
}

static int end(void **state)
{
    (void)state;
    seldom_close(&seldom);
    assert_int_equal(seldom.fd, -1);
    for (unsigned i = 0; i < SELDOM_MAX; i++)
        close(fd[i]);
    return 0;
}

static void happen(unsigned i)
{
    assert_int_equal(eventfd_write(fd[i], 1), 0);
}

static void take(unsigned i)
{
    eventfd_t n;

    assert_int_equal(eventfd_read(fd[i], &n), 0);
}

static bool wakes(void)
{
    struct pollfd p = {.fd = seldom.fd, .events = POLLIN};

    return poll(&p, 1, 0) == 1;
}

static void while_nothing_happens_it_sleeps(void **state)
{
    (void)state;
    assert_int_equal(seldom_add(&seldom, fd[FIRST], FIRST), 0);
    assert_int_equal(seldom_add_news(&seldom, fd[SECOND], SECOND), 0);
    assert_false(wakes());
    assert_int_equal(seldom_ready(&seldom), 0);
}

static void each_is_told_by_its_number(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SELDOM_MAX; i++)
        assert_int_equal(seldom_add(&seldom, fd[i], i), 0);
    for (unsigned i = 0; i < SELDOM_MAX; i++) {
        happen(i);
        assert_true(wakes());
        assert_int_equal(seldom_ready(&seldom), 1U << i);
        take(i);
        assert_false(wakes());
    }
}

static void all_at_once_are_told_at_once(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SELDOM_MAX; i++) {
        assert_int_equal(seldom_add(&seldom, fd[i], i), 0);
        happen(i);
    }
    assert_int_equal(seldom_ready(&seldom), (1U << SELDOM_MAX) - 1);
}

static void what_is_not_taken_is_told_again(void **state)
{
    (void)state;
    assert_int_equal(seldom_add(&seldom, fd[FIRST], FIRST), 0);
    happen(FIRST);
    for (unsigned i = 0; i < 3; i++) {
        assert_true(wakes());
        assert_int_equal(seldom_ready(&seldom), 1U << FIRST);
    }
}

static void news_are_told_once(void **state)
{
    (void)state;
    assert_int_equal(seldom_add_news(&seldom, fd[FIRST], FIRST), 0);
    for (unsigned i = 0; i < 3; i++) {
        happen(FIRST); /* and nobody has taken what was there before */
        assert_true(wakes());
        assert_int_equal(seldom_ready(&seldom), 1U << FIRST);
        assert_false(wakes());
        assert_int_equal(seldom_ready(&seldom), 0);
    }
}

static void news_of_before_are_told_too(void **state)
{
    (void)state;
    happen(FIRST);
    assert_int_equal(seldom_add_news(&seldom, fd[FIRST], FIRST), 0);
    assert_true(wakes());
    assert_int_equal(seldom_ready(&seldom), 1U << FIRST);
    assert_false(wakes());
}

static void news_that_others_have_taken_wake_nobody(void **state)
{
    (void)state;
    assert_int_equal(seldom_add_news(&seldom, fd[FIRST], FIRST), 0);
    happen(FIRST);
    take(FIRST);
    assert_false(wakes());
    assert_int_equal(seldom_ready(&seldom), 0);
}

static void who_is_not_there_is_left_out(void **state)
{
    (void)state;
    assert_int_equal(seldom_add(&seldom, -1, FIRST), 0);
    assert_int_equal(seldom_add_news(&seldom, -1, SECOND), 0);
    assert_false(wakes());
}

/* Two in one process, as threads have them: each is told. */
static void another_one_is_told_as_well(void **state)
{
    struct seldom other;

    (void)state;
    assert_int_equal(seldom_open(&other), 0);
    assert_int_equal(seldom_add_news(&seldom, fd[FIRST], FIRST), 0);
    assert_int_equal(seldom_add_news(&other, fd[FIRST], SECOND), 0);
    happen(FIRST);
    assert_int_equal(seldom_ready(&seldom), 1U << FIRST);
    assert_int_equal(seldom_ready(&other), 1U << SECOND);
    seldom_close(&other);
}

static void what_the_system_refuses_is_told(void **state)
{
    struct rlimit before, none;
    struct seldom other;

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = (struct rlimit){0, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    assert_int_equal(seldom_open(&other), -EMFILE);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(other.fd, -1);
    seldom_close(&other);
    assert_int_equal(seldom_add(&other, fd[FIRST], FIRST), -EBADF);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(while_nothing_happens_it_sleeps),
        TEST(each_is_told_by_its_number),
        TEST(all_at_once_are_told_at_once),
        TEST(what_is_not_taken_is_told_again),
        TEST(news_are_told_once),
        TEST(news_of_before_are_told_too),
        TEST(news_that_others_have_taken_wake_nobody),
        TEST(who_is_not_there_is_left_out),
        TEST(another_one_is_told_as_well),
        TEST(what_the_system_refuses_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
