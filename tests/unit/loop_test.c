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

#include "fake_stack.h"
#include "run/clock.h"
#include "run/loop.h"
#include "run/operator.h"

/* ---- A device that is two counters ---- */

struct fake_device {
    struct device dev;
    unsigned to_read;  /* packets that wait */
    unsigned refusals; /* writes that are to be told -EAGAIN */
    int write_error;   /* what other writes are told */
    int read_error;    /* what a read says when nothing waits */
    unsigned written_n;
    uint8_t written[FAKE_PACKETS];
    int pipe[2]; /* something to poll that is always writable */
};

static struct fake_device dev;

static int dev_read(struct device *d, int64_t now, struct pkt *ret)
{
    (void)d, (void)now;
    if (dev.to_read == 0)
        return dev.read_error;
    dev.to_read--;
    ret->parts = 1;
    ret->len = 0;
    ret->part[0] = (struct slice){buf_get(&fake_pool), NULL, 0};
    return 1;
}

static int dev_write(struct device *d, int64_t now, const struct pkt *p)
{
    (void)d, (void)now;
    if (dev.refusals) {
        dev.refusals--;
        return -EAGAIN;
    }
    if (dev.write_error)
        return dev.write_error;
    dev.written[dev.written_n++] = p->part[0].base[0];
    return 0;
}

static int64_t dev_deadline(const struct device *d)
{
    (void)d;
    return TIME_NEVER;
}

static int dev_fd(const struct device *d)
{
    (void)d;
    return dev.pipe[1];
}

static void dev_close(struct device *d)
{
    (void)d;
}

/* ---- A console of two arrays ---- */

struct fake_console {
    struct console console;
    bool wants, ended;
    uint8_t in[1 << 18];
    uint32_t in_n;
    struct slice out; /* what the next pull gives; len 0: nothing */
    unsigned repeat;  /* how often it gives it */
};

static struct fake_console con;

static bool con_wants(struct console *c)
{
    (void)c;
    return con.wants;
}

static void con_push(struct console *c, struct stack *st, struct slice s)
{
    (void)c, (void)st;
    memcpy(con.in + con.in_n, s.base, s.len);
    con.in_n += s.len;
    buf_unref(s.buf);
}

static void con_end(struct console *c, struct stack *st)
{
    (void)c, (void)st;
    con.ended = true;
}

static int con_pull(struct console *c, struct stack *st, struct slice *ret)
{
    (void)c, (void)st;
    if (con.out.len == 0 || con.repeat == 0)
        return -EAGAIN;
    con.repeat--;
    *ret = con.out;
    buf_ref(ret->buf);
    return (int)ret->len;
}

static struct loop loop;
static unsigned turns, last_turn;

static bool leave_after(void *arg, struct loop *l)
{
    (void)arg;
    l->wake = l->now;
    return ++turns >= last_turn;
}

static int setup(void **state)
{
    static const struct device_ops ops = {"fake",       dev_read, dev_write,
                                          dev_deadline, dev_fd,   dev_close};
    static const struct console_ops console = {con_wants, con_push, con_end, con_pull};

    (void)state;
    fake_reset();
    dev = (struct fake_device){.dev = {.ops = &ops, .mtu = 1500}};
    assert_int_equal(pipe(dev.pipe), 0);
    con.console.ops = &console;
    con.wants = true;
    con.ended = false;
    con.in_n = 0;
    con.out = (struct slice){NULL, NULL, 0};
    con.repeat = 1;
    loop_init(&loop);
    loop.decide = leave_after;
    loop_add(&loop, &fake, &dev.dev);
    turns = 0;
    last_turn = 1;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    close(dev.pipe[0]);
    close(dev.pipe[1]);
    return 0;
}

/* ---- A clock in steps ---- */

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
    assert_int_equal(loop_run(&loop), 0);
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
    assert_int_equal(loop_run(&loop), 0);
    for (unsigned i = 1; i < 7; i++)
        assert_int_equal(instant[i] - instant[i - 1], STEP * MSEC);
}

/* What is more than one turn's work is done at one instant. */
static void a_step_is_gone_through_to_its_end(void **state)
{
    (void)state;
    loop.step = STEP * MSEC;
    loop.decide = note_instant;
    dev.to_read = 3 * LOOP_READ_BATCH + 1;
    last_turn = 4;
    loop_start(&loop);
    assert_int_equal(loop_run(&loop), 0);
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
    assert_int_equal(loop_run(&loop), 0);
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
    assert_int_equal(loop_run(&loop), 0);
    assert_int_equal(fake.inputs, 3);
    assert_int_equal(fake_pool.in_use, 0);
}

/* ---- The loop ---- */

static void a_turn_reads_a_batch_and_gives_the_buffers_back(void **state)
{
    (void)state;
    dev.to_read = LOOP_READ_BATCH + 3;
    assert_int_equal(loop_run(&loop), 0);
    assert_int_equal(fake.inputs, LOOP_READ_BATCH);
    assert_int_equal(fake.ticks, 1);
    assert_int_equal(dev.to_read, 3);
    assert_int_equal(fake_pool.in_use, 0);
}

static void everything_leaves_before_the_program_does(void **state)
{
    (void)state;
    fake.out_n = LOOP_WRITE_BATCH * 2 + 1;
    assert_int_equal(loop_run(&loop), 0);
    assert_int_equal(dev.written_n, LOOP_WRITE_BATCH * 2 + 1);
}

static void a_refused_packet_goes_first_when_the_device_is_ready(void **state)
{
    (void)state;
    fake.out_n = 5;
    dev.refusals = 1;
    last_turn = 3;
    assert_int_equal(loop_run(&loop), 0);
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
    assert_int_equal(loop_run(&loop), 0);
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
    assert_int_equal(loop_run(&loop), 0); /* and it leaves all the same */
    assert_int_equal(fake.out_at, 1);
    assert_int_equal(dev.written_n, 0);
}

static void a_packet_that_the_device_cannot_have_is_counted_and_gone(void **state)
{
    (void)state;
    fake.out_n = 2;
    dev.write_error = -ENETDOWN;
    assert_int_equal(loop_run(&loop), 0);
    assert_int_equal(loop.node[0].write_lost, 2);
    assert_int_equal(loop.node[0].write_error, -ENETDOWN);
}

static void a_device_that_is_gone_ends_the_loop(void **state)
{
    (void)state;
    dev.read_error = -ENODEV;
    assert_int_equal(loop_run(&loop), -ENODEV);
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
    assert_int_equal(loop_run(&loop), 0);
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
    assert_int_equal(loop_run(&loop), 0);
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
    assert_int_equal(loop_run(&loop), 0);
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
    assert_int_equal(loop_run(&loop), 0);
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
    assert_int_equal(loop_run(&loop), 0);
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
        T(a_step_is_gone_through_once),
        T(a_loop_that_is_late_makes_up_for_it),
        T(a_step_is_gone_through_to_its_end),
        T(within_a_step_there_is_only_reading),
        T(what_was_lost_on_its_way_is_not_input),
        T(a_turn_reads_a_batch_and_gives_the_buffers_back),
        T(everything_leaves_before_the_program_does),
        T(a_refused_packet_goes_first_when_the_device_is_ready),
        T(the_bytes_of_a_refused_packet_are_held),
        T(nothing_is_drained_past_a_refused_packet),
        T(a_packet_that_the_device_cannot_have_is_counted_and_gone),
        T(a_device_that_is_gone_ends_the_loop),
        T(events_are_seen_by_the_program_too),
        T(an_end_that_the_operators_reading_brings_is_seen_in_the_same_turn),
        T(it_sleeps_until_the_stacks_deadline),
        T(it_does_not_sleep_while_there_is_more_to_read),
        T(a_signal_wakes_it_and_is_counted),
        T(typed_bytes_are_pushed_and_their_end_told_once),
        T(what_the_console_does_not_want_stays_in_the_pipe),
        T(a_file_is_read_to_its_end),
        T(a_read_that_fails_is_not_the_end_of_the_input),
        T(shown_bytes_are_written),
        T(a_reader_that_does_not_read_stops_the_pulling),
        T(a_reader_that_has_gone_is_an_error),
    };

    return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
