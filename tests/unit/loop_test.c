/* The loop, the operator's descriptors, and the common command line. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "loop_kit.h"
#include "run/operator.h"

/* ---- The loop ---- */

static void a_turn_reads_a_batch_and_gives_the_buffers_back(void **state)
{
    (void)state;
    dev.to_read = LOOP_READ_BATCH + 3;
    assert_int_equal(run_loop(), 0);
    assert_int_equal(fake.inputs, LOOP_READ_BATCH);
    assert_int_equal(fake.ticks, 1);
    assert_int_equal(dev.to_read, 3);
    assert_int_equal(fake_pool.in_use, 0);
}

/* Where the stack wants that, all are known before the first is input, and no more of them. */
static void a_batch_is_announced_before_it_is_input(void **state)
{
    (void)state;
    fake.expects = true;
    dev.to_read = LOOP_READ_BATCH + 3;
    assert_int_equal(run_loop(), 0);
    assert_int_equal(fake.expected_most, LOOP_READ_BATCH);
    assert_int_equal(fake.expected, 0);
    assert_int_equal(fake.inputs, LOOP_READ_BATCH);
    assert_int_equal(dev.to_read, 3);
    assert_int_equal(fake_pool.in_use, 0);
}

static void lent_bytes_are_input_before_the_next_read(void **state)
{
    (void)state;
    fake.expects = true;
    dev.to_read = LOOP_READ_BATCH;
    dev.lent = 3;
    assert_int_equal(run_loop(), 0);
    assert_int_equal(dev.unseen, 0);
    assert_int_equal(fake.expected_most, LOOP_READ_BATCH - 3);
    assert_int_equal(fake.inputs, LOOP_READ_BATCH);
    assert_int_equal(fake_pool.in_use, 0);
}

/* What was read before the device was gone is still input. */
static void an_error_does_not_lose_what_was_read(void **state)
{
    (void)state;
    fake.expects = true;
    dev.to_read = 3;
    dev.read_error = -ENODEV;
    assert_int_equal(run_loop(), -ENODEV);
    assert_int_equal(fake.inputs, 3);
    assert_int_equal(fake_pool.in_use, 0);
}

/* All of it, but not at once: who reads it is given a millisecond for each 128 packets. */
static void everything_leaves_before_the_program_does(void **state)
{
    int64_t began = clock_now();

    (void)state;
    fake.out_n = LOOP_WRITE_BATCH * 2 + 1;
    assert_int_equal(run_loop(), 0);
    assert_int_equal(dev.written_n, LOOP_WRITE_BATCH * 2 + 1);
    assert_true(clock_now() - began >= 4 * MSEC);
}

/* Who resets lets what came before be read, and then hears who asks; others just leave. */
static void who_resets_listens(void **state)
{
    (void)state;
    for (int resets = 1; resets >= 0; resets--) {
        fake_reset();
        turns = dev.to_read = dev.written_n = 0;
        fake.out_n = dev.asks = 3;
        dev.empty_reads = last_turn = 2; /* nothing comes in the turns before */
        dev_comes(LOOP_READ_BATCH + 2);
        loop.resetting = resets;
        assert_int_equal(run_loop(), 0);
        assert_int_equal(dev.written_n, 3);
        assert_int_equal(fake.inputs, resets ? LOOP_READ_BATCH + 3 : 0);
        assert_int_equal(dev.unread, resets ? 0 : LOOP_READ_BATCH + 2);
    }
}

static void a_refused_packet_goes_first_when_the_device_is_ready(void **state)
{
    (void)state;
    fake.out_n = 5;
    dev.refusals = 1;
    last_turn = 3;
    assert_int_equal(run_loop(), 0);
    assert_int_equal(dev.written_n, 5);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(dev.written[i], i);
}

/* While a refused packet waits, acknowledgments may come and the stack let go of its bytes. */
static bool count_references(void *arg, struct loop *l)
{
    unsigned *most = arg;
    const struct buf *b = fake.payload.buf;

    if (b->refs > *most)
        *most = b->refs;
    return leave_after(NULL, l);
}

static void the_bytes_of_a_refused_packet_are_held(void **state)
{
    struct buf *b = buf_get(&fake_pool);
    unsigned most = 0;

    (void)state;
    fake.payload = (struct slice){b, b->data, 10};
    fake.out_n = 1;
    dev.refusals = 1;
    last_turn = 3;
    loop.decide = count_references;
    loop.arg = &most;
    assert_int_equal(run_loop(), 0);
    assert_int_equal(dev.written_n, 1);
    assert_int_equal(most, 2);
    assert_int_equal(b->refs, 1);
    buf_unref(b);
}

static void nothing_is_drained_past_a_refused_packet(void **state)
{
    (void)state;
    fake.out_n = 5;
    dev.refusals = 1000;
    assert_int_equal(run_loop(), 0); /* and it leaves all the same */
    assert_int_equal(fake.out_at, 1);
    assert_int_equal(dev.written_n, 0);
}

static void a_packet_that_the_device_cannot_have_is_counted_and_gone(void **state)
{
    (void)state;
    fake.out_n = 2;
    dev.write_error = -ENETDOWN;
    assert_int_equal(run_loop(), 0);
    assert_int_equal(loop.node[0].write_lost, 2);
    assert_int_equal(loop.node[0].write_error, -ENETDOWN);
}

static void a_device_that_is_gone_ends_the_loop(void **state)
{
    (void)state;
    dev.read_error = -ENODEV;
    assert_int_equal(run_loop(), -ENODEV);
}

static bool leave_after_waits(void *arg, struct loop *l)
{
    (void)arg, (void)l;
    return ++turns >= last_turn;
}

static void a_deadline_wakes_it(void **state)
{
    (void)state;
    fake.deadline = clock_now() + 20 * MSEC;
    loop.decide = leave_after_waits;
    last_turn = 2;
    assert_int_equal(run_loop(), 0);
    assert_true(loop.now >= fake.deadline);
}

static struct stack_event seen;

static void see(void *arg, struct stack *st, const struct stack_event *ev)
{
    (void)arg, (void)st;
    seen = *ev;
}

static void events_are_seen_by_the_program_too(void **state)
{
    (void)state;
    fake.event[fake.events++] = (struct stack_event){.kind = EV_CLOSED, .why = REASON_END_RESET};
    loop.node[0].event = see;
    assert_int_equal(run_loop(), 0);
    assert_int_equal(seen.kind, EV_CLOSED);
    assert_int_equal(seen.why, REASON_END_RESET);
}

static int end_pull(struct console *c, struct stack *st, struct slice *ret)
{
    (void)c, (void)ret;
    st->event[st->events++] = (struct stack_event){.kind = EV_CLOSED, .why = REASON_END_ORDERLY};
    return -EAGAIN;
}

static void an_end_that_the_operators_reading_brings_is_seen_in_the_same_turn(void **state)
{
    static const struct console_ops ops = {con_wants, con_push, con_end, end_pull};
    struct operator op;

    (void)state;
    con.console.ops = &ops;
    operator_open(&op, &con.console, &fake, &fake_pool, dev.pipe[0], -1);
    loop.op = &op;
    loop.node[0].event = see;
    seen.kind = EV_WRITABLE;
    assert_int_equal(run_loop(), 0);
    assert_int_equal(seen.kind, EV_CLOSED);
    operator_close(&op);
}

static bool sleep_once(void *arg, struct loop *l)
{
    (void)arg, (void)l;
    return ++turns == 2;
}

static void it_sleeps_until_the_stacks_deadline(void **state)
{
    int64_t began = clock_now(), slept;

    (void)state;
    fake.deadline = began + 30 * MSEC;
    loop.decide = sleep_once;
    assert_int_equal(run_loop(), 0);
    slept = clock_now() - began;
    assert_true(slept >= 30 * MSEC && slept < 3 * SEC);
}

static bool wake_much_later(void *arg, struct loop *l)
{
    (void)arg;
    l->wake = l->now + 5 * SEC;
    return dev.to_read == 0;
}

static void it_does_not_sleep_while_there_is_more_to_read(void **state)
{
    int64_t began = clock_now();

    (void)state;
    dev.to_read = 3 * LOOP_READ_BATCH;
    loop.decide = wake_much_later;
    assert_int_equal(run_loop(), 0);
    assert_true(clock_now() - began < 4 * SEC);
}

static bool until_asked(void *arg, struct loop *l)
{
    (void)arg;
    if (++turns == 1)
        raise(SIGTERM);
    return l->asked > 0;
}

static void a_signal_wakes_it_and_is_counted(void **state)
{
    struct signals s;

    (void)state;
    assert_int_equal(signals_open(&s), 0);
    loop.signals = &s;
    loop.decide = until_asked;
    assert_int_equal(run_loop(), 0);
    assert_int_equal(loop.asked, 1);
    raise(SIGINT);
    assert_int_equal(signals_read(&s), 2);
    signals_close(&s);
}

/* ---- The operator ---- */

struct pipes {
    int in[2], out[2];
    struct operator op;
};

static void open_pipes(struct pipes *p)
{
    assert_int_equal(pipe(p->in), 0);
    assert_int_equal(pipe(p->out), 0);
    operator_open(&p->op, &con.console, &fake, &fake_pool, p->in[0], p->out[1]);
}

static void close_pipes(struct pipes *p)
{
    operator_close(&p->op);
    for (unsigned i = 0; i < 2; i++) {
        close(p->in[i]);
        close(p->out[i]);
    }
    assert_int_equal(fake_pool.in_use, 0);
}

/* One turn: act, wait as the loop does (though not long), act. */
static int turn(struct operator* o)
{
    struct pollfd fds[OPERATOR_FDS];
    int r = operator_act(o);
    unsigned n = operator_wait(o, fds);

    poll(fds, n, 0);
    operator_woken(o, fds, n);
    return r < 0 ? r : operator_act(o);
}

static void typed_bytes_are_pushed_and_their_end_told_once(void **state)
{
    struct pipes p;

    (void)state;
    open_pipes(&p);
    assert_int_equal(turn(&p.op), 0); /* nothing typed: it does not block */
    assert_int_equal(write(p.in[1], "typed", 5), 5);
    assert_int_equal(turn(&p.op), 0);
    assert_int_equal(con.in_n, 5);
    assert_memory_equal(con.in, "typed", 5);
    assert_false(con.ended);
    close(p.in[1]);
    assert_int_equal(turn(&p.op), 0);
    assert_true(con.ended);
    con.ended = false;
    assert_int_equal(turn(&p.op), 0);
    assert_false(con.ended);
    p.in[1] = dup(p.in[0]);
    close_pipes(&p);
}

static void what_the_console_does_not_want_stays_in_the_pipe(void **state)
{
    struct pipes p;
    struct pollfd fds[OPERATOR_FDS];

    (void)state;
    open_pipes(&p);
    con.wants = false;
    assert_int_equal(write(p.in[1], "typed", 5), 5);
    assert_int_equal(turn(&p.op), 0);
    assert_int_equal(con.in_n, 0);
    assert_int_equal(operator_wait(&p.op, fds), 0); /* nor does it wake us for ever */
    con.wants = true;
    assert_int_equal(turn(&p.op), 0);
    assert_int_equal(con.in_n, 5);
    close_pipes(&p);
}

/* Whole reads, so that it has to be asked whether there is another, and the last one is not. */
static void what_a_pipe_holds_is_read_in_one_turn(void **state)
{
    static const uint8_t bytes[2 * 16384];
    struct pipes p;

    (void)state;
    open_pipes(&p);
    assert_int_equal(write(p.in[1], bytes, sizeof(bytes)), sizeof(bytes));
    assert_int_equal(turn(&p.op), 0);
    assert_int_equal(con.in_n, sizeof(bytes));
    assert_false(con.ended);
    close_pipes(&p);
}

static void a_file_is_read_to_its_end(void **state)
{
    char path[] = "/tmp/operator_XXXXXX";
    static uint8_t bytes[200000];
    struct operator op;
    int fd = mkstemp(path);

    (void)state;
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * 13 >> 3);
    assert_int_equal(write(fd, bytes, sizeof(bytes)), sizeof(bytes));
    lseek(fd, 0, SEEK_SET);
    operator_open(&op, &con.console, &fake, &fake_pool, fd, -1);
    assert_int_equal(operator_act(&op), 0);
    assert_int_equal(turn(&op), 0);
    assert_true(con.ended);
    assert_int_equal(con.in_n, sizeof(bytes));
    assert_memory_equal(con.in, bytes, sizeof(bytes));
    operator_close(&op);
    close(fd);
    unlink(path);
    assert_int_equal(fake_pool.in_use, 0);
}

static void a_read_that_fails_is_not_the_end_of_the_input(void **state)
{
    struct operator op;
    struct pollfd fds[OPERATOR_FDS];
    int fd = open("/", O_RDONLY | O_DIRECTORY);

    (void)state;
    con.wants = true;
    operator_open(&op, &con.console, &fake, &fake_pool, fd, -1);
    operator_act(&op);
    assert_int_equal(operator_wait(&op, fds), 1);
    fds[0].revents = POLLIN;
    operator_woken(&op, fds, 1);
    assert_int_equal(operator_act(&op), 0);
    assert_int_equal(op.in_error, -EISDIR);
    assert_false(con.ended);
    assert_int_equal(operator_wait(&op, fds), 0);
    operator_close(&op);
    close(fd);
}

static void shown_bytes_are_written(void **state)
{
    struct pipes p;
    char got[16];

    (void)state;
    open_pipes(&p);
    con.out = (struct slice){NULL, (const uint8_t *)"shown", 5};
    assert_int_equal(turn(&p.op), 0);
    assert_int_equal(read(p.out[0], got, sizeof(got)), 5);
    assert_memory_equal(got, "shown", 5);
    assert_false(operator_pending(&p.op));
    close_pipes(&p);
}

static void a_reader_that_does_not_read_stops_the_pulling(void **state)
{
    static uint8_t block[65536];
    static uint8_t got[65536];
    struct pollfd fds[OPERATOR_FDS];
    struct pipes p;

    (void)state;
    open_pipes(&p);
    con.wants = false;
    con.out = (struct slice){NULL, block, sizeof(block)};
    con.repeat = 100;
    assert_int_equal(operator_act(&p.op), 0); /* the pipe takes 64 KiB: it does not block */
    assert_true(con.repeat >= 97);
    assert_true(operator_pending(&p.op));
    assert_int_equal(operator_wait(&p.op, fds), 1);
    assert_int_equal(fds[0].events, POLLOUT);
    con.repeat = 0;
    while (operator_pending(&p.op)) {
        assert_true(read(p.out[0], got, sizeof(got)) > 0);
        assert_int_equal(operator_act(&p.op), 0);
    }
    close_pipes(&p);
}

static void a_reader_that_has_gone_is_an_error(void **state)
{
    struct pipes p;

    (void)state;
    signal(SIGPIPE, SIG_IGN);
    open_pipes(&p);
    close(p.out[0]);
    con.out = (struct slice){NULL, (const uint8_t *)"shown", 5};
    assert_int_equal(operator_act(&p.op), -EPIPE);
    p.out[0] = dup(p.in[0]);
    close_pipes(&p);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_turn_reads_a_batch_and_gives_the_buffers_back),
        T(a_batch_is_announced_before_it_is_input),
        T(lent_bytes_are_input_before_the_next_read),
        T(an_error_does_not_lose_what_was_read),
        T(everything_leaves_before_the_program_does),
        T(who_resets_listens),
        T(a_refused_packet_goes_first_when_the_device_is_ready),
        T(the_bytes_of_a_refused_packet_are_held),
        T(nothing_is_drained_past_a_refused_packet),
        T(a_packet_that_the_device_cannot_have_is_counted_and_gone),
        T(a_device_that_is_gone_ends_the_loop),
        T(a_deadline_wakes_it),
        T(events_are_seen_by_the_program_too),
        T(an_end_that_the_operators_reading_brings_is_seen_in_the_same_turn),
        T(it_sleeps_until_the_stacks_deadline),
        T(it_does_not_sleep_while_there_is_more_to_read),
        T(a_signal_wakes_it_and_is_counted),
        T(typed_bytes_are_pushed_and_their_end_told_once),
        T(what_the_console_does_not_want_stays_in_the_pipe),
        T(what_a_pipe_holds_is_read_in_one_turn),
        T(a_file_is_read_to_its_end),
        T(a_read_that_fails_is_not_the_end_of_the_input),
        T(shown_bytes_are_written),
        T(a_reader_that_does_not_read_stops_the_pulling),
        T(a_reader_that_has_gone_is_an_error),
    };

    return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
