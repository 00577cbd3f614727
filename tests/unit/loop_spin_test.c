/* The loop that waits awake (--busy-poll), and how seldom it asks the system for anything. */
#include <sched.h>

#include "loop_kit.h"
#include "run/operator.h"

enum {
    SLEEP = 50, /* us until something wakes it, which never is worth it */
};

/* ---- A clock of our own, so that nobody else on the machine is in the way ---- */

static int64_t clock_at; /* ns; it goes on by one microsecond whenever somebody looks */

/* In place of the C library's, as what follows. */
int clock_gettime(clockid_t id, struct timespec *ret)
{
    (void)id;
    clock_at += USEC;
    *ret = (struct timespec){.tv_sec = clock_at / SEC, .tv_nsec = clock_at % SEC};
    return 0;
}

/* ---- Waits are seen ---- */

static unsigned looks, sleeps; /* calls of ppoll that return at once, and others */
static int64_t slept_at;       /* the first of those began */
static short events_of_device; /* what the latest of either waited for */

int ppoll(struct pollfd *fds, nfds_t n, const struct timespec *time, const sigset_t *set)
{
    int r = poll(fds, n, 0);

    (void)set;
    events_of_device = fds[0].events;
    if (time && time->tv_sec == 0 && time->tv_nsec == 0) {
        looks++;
    } else {
        slept_at = sleeps++ ? slept_at : clock_now();
        clock_at += SLEEP * USEC;
    }
    return r;
}

static unsigned yields, yields_max; /* at so many the programs below leave */
static int64_t yield_takes;         /* ns that others run meanwhile */
static int64_t yielded_at[8];       /* when the first ones ended */

int sched_yield(void)
{
    clock_at += yield_takes;
    if (yields < sizeof(yielded_at) / sizeof(yielded_at[0]))
        yielded_at[yields] = clock_at;
    yields++;
    return 0;
}

/* The processor is taken away in the middle of this read, for so long. */
static unsigned taken_at_read;
static int64_t taken_for;

static int read_taken(struct device *d, int64_t now, struct pkt *ret)
{
    int r = dev_read(d, now, ret);

    if (dev.reads == taken_at_read)
        clock_at += taken_for;
    return r;
}

static int begin(void **state)
{
    static const struct device_ops ops = {"fake",       read_taken, dev_write,
                                          dev_deadline, dev_fd,     dev_close};

    looks = sleeps = yields = yields_max = taken_at_read = 0;
    slept_at = yield_takes = taken_for = 0;
    clock_at = (int64_t)1000000 * SEC;
    setup(state);
    dev.dev.ops = &ops;
    loop_start(&loop);
    return 0;
}

/* ---- Programs ---- */

static bool leave_after_turns(void *arg, struct loop *l)
{
    (void)arg, (void)l;
    return ++turns >= last_turn;
}

/* Looks would end a turn, too. */
static bool leave_after_turns_without_looks(void *arg, struct loop *l)
{
    l->look_at = l->now + 60 * SEC;
    return leave_after_turns(arg, l);
}

/* The second one begins when the spinning has ended. */
static void spin_for_two_turns(int64_t spin)
{
    loop.spin = spin;
    loop.decide = leave_after_turns_without_looks;
    last_turn = 2;
}

static bool leave_when_asleep(void *arg, struct loop *l)
{
    (void)arg, (void)l;
    return sleeps > 0;
}

static bool leave_after_yields(void *arg, struct loop *l)
{
    (void)arg, (void)l;
    return yields == yields_max;
}

static bool leave_with_input(void *arg, struct loop *l)
{
    (void)arg, (void)l;
    return con.in_n > 0 || sleeps > 0;
}

/* Another packet in each turn. */
static bool one_more(void *arg, struct loop *l)
{
    dev.to_read++;
    return leave_after_turns(arg, l);
}

/* ---- Spinning ---- */

static void without_it_a_loop_sleeps_after_a_turn(void **state)
{
    (void)state;
    loop.decide = leave_when_asleep;
    assert_int_equal(run_loop(), 0);
    assert_int_equal(looks, 0);
    assert_int_equal(sleeps, 1);
    assert_int_equal(fake.ticks, 2);
}

static void it_reads_on_until_a_packet_comes(void **state)
{
    (void)state;
    spin_for_two_turns(60 * SEC);
    dev.empty_reads = 1000;
    dev.to_read = 1;
    assert_int_equal(run_loop(), 0);
    assert_int_equal(fake.inputs, 1);
    assert_int_equal(fake.ticks, 2);
    assert_true(dev.reads > 1000);
    assert_int_equal(looks + sleeps, 0);
}

/* The first packet is not older than its turn, and those behind it not as old as the first. */
static void what_is_read_is_of_its_own_instant(void **state)
{
    int64_t began = loop.now;

    (void)state;
    spin_for_two_turns(60 * SEC);
    dev.empty_reads = 1000;
    dev.to_read = 2;
    assert_int_equal(run_loop(), 0);
    assert_int_equal(fake.inputs, 2);
    assert_true(began < fake.first_input_at && fake.first_input_at < fake.input_at);
    assert_true(fake.input_at <= loop.last && loop.last == loop.now);
}

static void after_its_time_it_sleeps(void **state)
{
    int64_t began = loop.now;

    (void)state;
    loop.spin = 2 * MSEC;
    loop.decide = leave_when_asleep;
    assert_int_equal(run_loop(), 0);
    assert_int_equal(sleeps, 1);
    assert_true(slept_at - began >= 2 * MSEC);
}

static void its_time_begins_anew_with_what_is_written(void **state)
{
    int64_t began = loop.now;

    (void)state;
    loop.last = began - 2 * SEC;
    spin_for_two_turns(SEC);
    fake.out_n = 1;
    dev.empty_reads = 100;
    dev.to_read = 1;
    assert_int_equal(run_loop(), 0);
    assert_int_equal(fake.inputs, 1);
    assert_int_equal(sleeps, 0);
}

static void a_deadline_ends_it(void **state)
{
    (void)state;
    spin_for_two_turns(60 * SEC);
    fake.deadline = loop.now + 2 * MSEC;
    assert_int_equal(run_loop(), 0);
    assert_true(loop.now >= fake.deadline);
    assert_true(loop.now < fake.deadline + 10 * SEC);
    assert_int_equal(looks + sleeps, 0);
}

static void while_the_device_takes_nothing_it_sleeps(void **state)
{
    (void)state;
    loop.spin = 60 * SEC;
    loop.decide = leave_after_turns;
    last_turn = 2;
    fake.out_n = 1;
    dev.refusals = 1;
    assert_int_equal(run_loop(), 0);
    assert_int_equal(sleeps, 1);
    assert_int_equal(events_of_device, POLLIN | POLLOUT);
}

static void what_people_type_is_seen_while_it_spins(void **state)
{
    struct operator op;
    int in[2];

    (void)state;
    assert_int_equal(pipe(in), 0);
    operator_open(&op, &con.console, &fake, &fake_pool, in[0], -1);
    assert_int_equal(write(in[1], "a", 1), 1);
    loop.op = &op;
    loop.spin = 60 * SEC;
    loop.decide = leave_with_input;
    assert_int_equal(run_loop(), 0);
    assert_int_equal(con.in_n, 1);
    assert_int_equal(sleeps, 0);
    operator_close(&op);
    close(in[0]);
    close(in[1]);
}

static void it_looks_at_people_from_time_to_time_only(void **state)
{
    int64_t began = loop.now;

    (void)state;
    loop.spin = 5 * MSEC;
    loop.decide = leave_when_asleep;
    assert_int_equal(run_loop(), 0);
    assert_in_range(looks, 1, (slept_at - began) / (LOOP_LOOK * USEC) + 1);
}

/* The one whose packet is awaited may have no other processor than ours. */
static void while_nothing_comes_the_processor_is_offered_to_others(void **state)
{
    (void)state;
    loop.spin = 5 * MSEC;
    loop.decide = leave_when_asleep;
    assert_int_equal(run_loop(), 0);
    assert_in_range(yields, 1, looks);
}

/* Others were there: it sleeps, though its time is not over, and what it waits for wakes it. */
static void where_others_take_it_the_loop_sleeps(void **state)
{
    int64_t began = loop.now;

    (void)state;
    loop.spin = 60 * SEC;
    loop.decide = leave_when_asleep;
    yield_takes = 4 * MSEC;
    assert_int_equal(run_loop(), 0);
    assert_int_equal(yields, 1);
    assert_in_range(slept_at - began, 4 * MSEC, 5 * MSEC);
}

static void so_it_does_when_the_processor_was_taken_away(void **state)
{
    int64_t began = loop.now;

    (void)state;
    loop.spin = 60 * SEC;
    loop.decide = leave_when_asleep;
    taken_at_read = 20;
    taken_for = LOOP_AWAY * USEC;
    assert_int_equal(run_loop(), 0);
    assert_int_equal(yields, 0);
    assert_in_range(dev.reads, 20, 21);
    assert_in_range(slept_at - began, LOOP_AWAY * USEC, LOOP_LOOK * USEC);
}

static void a_moment_less_is_nothing(void **state)
{
    (void)state;
    loop.spin = 5 * MSEC;
    loop.decide = leave_when_asleep;
    taken_at_read = 20;
    taken_for = yield_takes = LOOP_AWAY * USEC - 2 * USEC;
    assert_int_equal(run_loop(), 0);
    assert_in_range(yields, 5, 50);
    assert_true(slept_at - loop.last >= 5 * MSEC);
}

/* It tries again after a millisecond, and later each time; alone for as long, it begins anew. */
static void the_longer_others_are_there_the_longer_it_sleeps(void **state)
{
    (void)state;
    loop.spin = 60 * SEC;
    loop.decide = leave_after_yields;
    yield_takes = 4 * MSEC;
    yields_max = 4;
    assert_int_equal(run_loop(), 0);
    for (int i = 1; i < 4; i++)
        assert_in_range(yielded_at[i] - yielded_at[i - 1] - 4 * MSEC, (MSEC << i) / 2, MSEC << i);
    yield_takes = 0;
    yields_max = 200; /* 20 ms and more */
    assert_int_equal(run_loop(), 0);
    assert_int_equal(loop.shy, 8 * MSEC);
    yield_takes = 4 * MSEC;
    yields_max++;
    assert_int_equal(run_loop(), 0);
    assert_int_equal(loop.shy, MSEC);
}

static void at_most_for_an_eighth_of_a_second(void **state)
{
    (void)state;
    loop.spin = 60 * SEC;
    loop.decide = leave_after_yields;
    yield_takes = 4 * MSEC;
    yields_max = 20;
    assert_int_equal(run_loop(), 0);
    assert_int_equal(loop.shy, 128 * MSEC);
}

static void nor_does_a_busy_loop_look_in_each_turn(void **state)
{
    (void)state;
    dev.to_read = 20 * LOOP_READ_BATCH;
    loop.decide = leave_after_turns_without_looks;
    last_turn = 20;
    assert_int_equal(run_loop(), 0);
    assert_int_equal(fake.inputs, 20 * LOOP_READ_BATCH);
    assert_int_equal(looks + sleeps, 0);
}

/* ---- Reading ---- */

static void what_comes_alone_takes_one_read(void **state)
{
    (void)state;
    loop.decide = one_more;
    dev.to_read = 1;
    last_turn = LOOP_ALONE;
    assert_int_equal(run_loop(), 0);
    assert_int_equal(fake.inputs, LOOP_ALONE);
    assert_int_equal(dev.reads, LOOP_ALONE + 1); /* the first one looked for a second */
}

static void a_burst_behind_single_packets_is_found(void **state)
{
    (void)state;
    loop.decide = one_more;
    dev.to_read = 1;
    last_turn = LOOP_ALONE;
    assert_int_equal(run_loop(), 0);
    turns = 0;
    last_turn = 1;
    dev.to_read = LOOP_READ_BATCH;
    assert_int_equal(run_loop(), 0);
    assert_int_equal(fake.inputs, LOOP_ALONE + LOOP_READ_BATCH);
    dev.to_read = LOOP_READ_BATCH;
    turns = 0;
    assert_int_equal(run_loop(), 0); /* ... and the next is read whole */
    assert_int_equal(fake.inputs, LOOP_ALONE + 2 * LOOP_READ_BATCH);
}

/* A wire in memory cannot be waited for, so it is read to its end. */
static int no_fd(const struct device *d)
{
    (void)d;
    return -1;
}

static void a_device_without_descriptor_is_read_to_its_end(void **state)
{
    static const struct device_ops ops = {"wire",       dev_read, dev_write,
                                          dev_deadline, no_fd,    dev_close};

    (void)state;
    dev.dev.ops = &ops;
    loop.decide = one_more;
    dev.to_read = 1;
    last_turn = 3;
    assert_int_equal(run_loop(), 0);
    assert_int_equal(dev.reads, 6);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(without_it_a_loop_sleeps_after_a_turn),
        TEST(it_reads_on_until_a_packet_comes),
        TEST(what_is_read_is_of_its_own_instant),
        TEST(after_its_time_it_sleeps),
        TEST(its_time_begins_anew_with_what_is_written),
        TEST(a_deadline_ends_it),
        TEST(while_the_device_takes_nothing_it_sleeps),
        TEST(what_people_type_is_seen_while_it_spins),
        TEST(it_looks_at_people_from_time_to_time_only),
        TEST(while_nothing_comes_the_processor_is_offered_to_others),
        TEST(where_others_take_it_the_loop_sleeps),
        TEST(so_it_does_when_the_processor_was_taken_away),
        TEST(a_moment_less_is_nothing),
        TEST(the_longer_others_are_there_the_longer_it_sleeps),
        TEST(at_most_for_an_eighth_of_a_second),
        TEST(nor_does_a_busy_loop_look_in_each_turn),
        TEST(what_comes_alone_takes_one_read),
        TEST(a_burst_behind_single_packets_is_found),
        TEST(a_device_without_descriptor_is_read_to_its_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
