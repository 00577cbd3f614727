/* The loop asleep, and who wakes it besides the device: each is heard, and nobody keeps it awake.
 */
#include <errno.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "accept_kit.h"
#include "loop_kit.h"

enum {
    SLEEP = 100,    /* ms that a sleep takes in which nothing happens */
    WAITS_MAX = 99, /* then the programs below give up */
    ASKERS = 3,
    STEP = 20, /* ms */
};

/* ---- Who sleeps sees the clock go on, and what happens meanwhile ---- */

static int64_t slept_for;      /* ns, so far */
static unsigned waits, sleeps; /* calls of ppoll, and those that found nothing when they began */
static void (*meanwhile)(unsigned sleep); /* happens in the sleep with this number, from 1 */

/* In place of the C library's, as what follows. */
int clock_gettime(clockid_t id, struct timespec *ret)
{
    int r = (int)syscall(SYS_clock_gettime, id, ret);
    int64_t t = ret->tv_sec * SEC + ret->tv_nsec + slept_for;

    *ret = (struct timespec){.tv_sec = t / SEC, .tv_nsec = t % SEC};
    return r;
}

int ppoll(struct pollfd *fds, nfds_t n, const struct timespec *time, const sigset_t *set)
{
    (void)set;
    waits++;
    if ((!time || time->tv_sec || time->tv_nsec) && poll(fds, n, 0) == 0) {
        sleeps++;
        if (meanwhile)
            meanwhile(sleeps);
        if (poll(fds, n, 0) == 0)
            slept_for += loop.step ? loop.step : SLEEP * MSEC;
    }
    return poll(fds, n, 0);
}

/* ---- Askers ---- */

static struct teller teller;
static int asker[ASKERS];
static unsigned answered; /* how many of them */

static void come(unsigned i)
{
    struct sockaddr_un name;
    socklen_t len = teller_name("loop-asker-test", &name);

    asker[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(asker[i] >= 0);
    assert_int_equal(connect(asker[i], (struct sockaddr *)&name, len), 0);
}

static void ask(unsigned i)
{
    assert_int_equal(send(asker[i], "text\n", 5, 0), 5);
}

static bool has_answer(unsigned i)
{
    char word[3];

    return asker[i] >= 0 && recv(asker[i], word, 3, MSG_PEEK) == 3 && memcmp(word, "ok\n", 3) == 0;
}

/* Leave when so many have their answers. */
static bool until_answered(void *arg, struct loop *l)
{
    const unsigned *wanted = arg;

    (void)l;
    answered = 0;
    for (unsigned i = 0; i < ASKERS; i++)
        answered += has_answer(i);
    return answered >= *wanted || waits >= WAITS_MAX;
}

static void run_until_answered(unsigned wanted)
{
    loop.decide = until_answered;
    loop.arg = &wanted;
    loop_start(&loop);
    assert_int_equal(run_loop(), 0);
    assert_int_equal(answered, wanted);
}

static int begin(void **state)
{
    struct addr node = addr_v4(0x0a000105);
    int writable;

    setup(state);
    writable = dev.pipe[1];
    dev.pipe[1] = dev.pipe[0]; /* its device has nothing to say */
    dev.pipe[0] = writable;
    waits = sleeps = answered = 0;
    slept_for = 0;
    meanwhile = NULL;
    for (unsigned i = 0; i < ASKERS; i++)
        asker[i] = -1;
    loop.teller = &teller;
    return teller_open(&teller, "peer", "loop-asker-test", &node, &fake);
}

static int end(void **state)
{
    for (unsigned i = 0; i < ASKERS; i++) {
        if (asker[i] >= 0)
            close(asker[i]);
    }
    teller_close(&teller);
    return teardown(state);
}

static void first_then_second(unsigned sleep)
{
    if (sleep > 2)
        return;
    come(sleep - 1);
    ask(sleep - 1);
}

static void who_asks_while_it_sleeps_is_answered(void **state)
{
    (void)state;
    meanwhile = first_then_second;
    run_until_answered(2);
    assert_int_equal(sleeps, 2);
}

/* They come at once, and it is said only once that somebody has. */
static void all_at_once(unsigned sleep)
{
    for (unsigned i = 0; sleep == 1 && i < ASKERS; i++) {
        come(i);
        ask(i);
    }
}

static void all_who_come_at_once_are_answered(void **state)
{
    (void)state;
    meanwhile = all_at_once;
    run_until_answered(ASKERS);
    assert_int_equal(sleeps, 1);
}

/* The first one makes up his mind when the second is there already. */
static void one_behind_another(unsigned sleep)
{
    if (sleep == 1)
        come(0);
    if (sleep == 2) {
        come(1);
        ask(1);
    }
    if (sleep == 5)
        ask(0);
}

static void one_who_comes_while_another_is_served_is_answered_behind_him(void **state)
{
    (void)state;
    meanwhile = one_behind_another;
    run_until_answered(2);
    assert_int_equal(sleeps, 5);
}

static void who_was_there_before_it_ran_is_answered(void **state)
{
    (void)state;
    come(0);
    ask(0);
    run_until_answered(1);
    assert_int_equal(sleeps, 0);
    close(asker[0]);
    come(0);
    ask(0);
    run_until_answered(1); /* and by a loop that runs again */
}

static void with_steps_they_are_answered_too(void **state)
{
    (void)state;
    loop.step = STEP * MSEC;
    meanwhile = all_at_once;
    run_until_answered(ASKERS);
    assert_in_range(sleeps, 1, 20);
}

static void the_silent_first(unsigned sleep)
{
    if (sleep == 1)
        come(0);
    if (sleep == 2) {
        come(1);
        ask(1);
    }
}

/* He wakes it when he comes, and so does the next one, who is answered behind his half second. */
static void one_who_says_nothing_lets_it_sleep(void **state)
{
    (void)state;
    meanwhile = the_silent_first;
    run_until_answered(1);
    assert_true(has_answer(1));
    assert_in_range(slept_for, SEC / 2, SEC);
    assert_in_range(sleeps, SEC / 2 / (SLEEP * MSEC), SEC / 2 / (SLEEP * MSEC) + 4);
    assert_true(waits <= sleeps + 5);
}

/* ---- Without descriptors ---- */

static void none_free_until_the_tenth(unsigned sleep)
{
    if (sleep == 1) {
        come(0);
        ask(0);
    }
    accept_full = sleep < 10;
}

/* He waits, and it sleeps; nobody else has to come for him to be answered. */
static void one_for_whom_there_is_no_descriptor_is_answered_later(void **state)
{
    (void)state;
    meanwhile = none_free_until_the_tenth;
    run_until_answered(1);
    assert_true(sleeps > 10 && waits <= sleeps + 5);
}

static void nothing_to_wait_with_is_an_error(void **state)
{
    struct rlimit limit, none;
    int next = dup(0);

    (void)state;
    assert_true(next >= 0);
    close(next);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = (struct rlimit){(rlim_t)next, limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    assert_int_equal(loop_open(&loop), -EMFILE);
    loop_close(&loop);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(loop.seldom.fd, -1);
    assert_int_equal(loop.alarm.fd, -1);
}

/* ---- The bell ---- */

static void ring_in_the_third(unsigned sleep)
{
    if (sleep == 3)
        assert_int_equal(eventfd_write(loop.bell, 1), 0);
}

static bool leave_in_the_tenth(void *arg, struct loop *l)
{
    (void)arg, (void)l;
    return sleeps >= 10 || waits >= WAITS_MAX;
}

static void a_bell_wakes_it_once(void **state)
{
    (void)state;
    loop.bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    meanwhile = ring_in_the_third;
    loop.decide = leave_in_the_tenth;
    loop_start(&loop);
    assert_int_equal(run_loop(), 0);
    assert_int_equal(waits, sleeps);
    assert_int_equal(slept_for, 9 * SLEEP * MSEC);
    close(loop.bell);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_asks_while_it_sleeps_is_answered),
        TEST(all_who_come_at_once_are_answered),
        TEST(one_who_comes_while_another_is_served_is_answered_behind_him),
        TEST(who_was_there_before_it_ran_is_answered),
        TEST(with_steps_they_are_answered_too),
        TEST(one_who_says_nothing_lets_it_sleep),
        TEST(one_for_whom_there_is_no_descriptor_is_answered_later),
        TEST(nothing_to_wait_with_is_an_error),
        TEST(a_bell_wakes_it_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
