/*
 * Outlets: what is put comes out whole and in order, whatever the reader does, and nothing here
 * ever waits longer than it says; an alarm ends a test that does.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/rng.h"
#include "link/outlet.h"

enum {
    LIMIT = 256 * 1024, /* of the outlets here */
    PIPE = 64 * 1024,   /* of a pipe that was not asked for more */
    RECORD = 1000,
    ALARM = 20, /* s */
};

static struct outlet out;
static int ends[2];
static uint8_t got[1 << 20];

static int begin(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    alarm(ALARM);
    return pipe(ends);
}

static int end(void **state)
{
    (void)state;
    outlet_close(&out);
    close(ends[0]);
    close(ends[1]);
    alarm(0);
    return 0;
}

static void open_pipe(bool lines)
{
    assert_int_equal(outlet_open(&out, ends[1], false, lines, LIMIT), 0);
}

/* Make the outlet use the caller's descriptor, as where /proc does not let it open its own. */
static void use_shared(void)
{
    assert_true(out.owned && out.nonblocking);
    close(out.fd);
    out.fd = ends[1];
    out.owned = out.nonblocking = false;
}

/* Records of RECORD bytes, each with its number, until there is no room. How many fit. */
static uint32_t fill(uint32_t first)
{
    uint8_t record[RECORD];
    uint32_t n = first;

    for (;; n++) {
        int r;

        memset(record, (int)(n % 251), sizeof(record));
        memcpy(record, &n, sizeof(n));
        r = outlet_put(&out, record, sizeof(record));
        if (r == -EAGAIN)
            return n - first;
        assert_int_equal(r, 0);
    }
}

/* Read n bytes from the pipe. */
static void take(size_t n)
{
    for (size_t at = 0; at < n;) {
        ssize_t r = read(ends[0], got + at, n - at);

        assert_true(r > 0);
        at += (size_t)r;
    }
}

static void expect_records(uint32_t first, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        uint8_t record[RECORD];
        uint32_t number = first + i;

        take(RECORD);
        memset(record, (int)(number % 251), sizeof(record));
        memcpy(record, &number, sizeof(number));
        assert_memory_equal(got, record, RECORD);
        outlet_flush(&out);
    }
}

static void test_a_stopped_reader_stops_nobody(void **state)
{
    uint32_t n;

    (void)state;
    open_pipe(false);
    n = fill(0);
    assert_in_range(n, (LIMIT + PIPE) / RECORD - 5, (LIMIT + PIPE) / RECORD);
    assert_int_equal(out.refused, 1);
    assert_int_equal(fcntl(ends[1], F_GETFL) & O_NONBLOCK, 0); /* not ours to change */
    expect_records(0, n);
    assert_int_equal(outlet_pending(&out), 0);
}

/* The same with no descriptor of its own: never more than a writable pipe takes. */
static void test_a_shared_descriptor(void **state)
{
    uint32_t n;

    (void)state;
    open_pipe(false);
    use_shared();
    n = fill(0);
    assert_in_range(n, LIMIT / RECORD, (LIMIT + PIPE) / RECORD);
    expect_records(0, n);
    assert_int_equal(outlet_pending(&out), 0);
    assert_int_equal(fcntl(ends[1], F_GETFL) & O_NONBLOCK, 0);
}

static void test_a_socket(void **state)
{
    int pair[2];
    uint32_t n;

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    dup2(pair[0], ends[0]);
    dup2(pair[1], ends[1]);
    close(pair[0]);
    close(pair[1]);
    open_pipe(false);
    n = fill(0);
    assert_in_range(n, LIMIT / RECORD, 100000);
    expect_records(0, n);
    assert_int_equal(outlet_pending(&out), 0);
}

/* Room comes back byte by byte as the reader takes them, over many times the buffer's size. */
static void test_whole_or_not_at_all(void **state)
{
    uint32_t next = 0, taken = 0;
    struct rng rng = {.state = 1};

    (void)state;
    open_pipe(false);
    for (int i = 0; i < 300; i++) {
        uint32_t some;

        next += fill(next);
        some = (uint32_t)rng_below(&rng, next - taken) + 1;
        expect_records(taken, some);
        taken += some;
    }
    expect_records(taken, next - taken);
    assert_int_equal(outlet_pending(&out), 0);
    assert_true(next > 10 * LIMIT / RECORD);
}

static void test_a_file_takes_everything(void **state)
{
    FILE *f = tmpfile();
    uint8_t record[RECORD] = {0};

    (void)state;
    assert_non_null(f);
    assert_int_equal(outlet_open(&out, fileno(f), false, false, LIMIT), 0);
    for (uint32_t i = 0; i < 5000; i++) {
        assert_int_equal(outlet_put(&out, record, sizeof(record)), 0);
        assert_false(outlet_hold(&out, i));
    }
    assert_int_equal(outlet_drain(&out), 0);
    assert_int_equal(lseek(fileno(f), 0, SEEK_END), 5000 * RECORD);
    fclose(f);
}

/* Two programs may write lines to the same pipe: each of our writes is one of whole lines. */
static void test_lines_stay_whole(void **state)
{
    char line[300];
    unsigned n = 0;
    ssize_t len;

    (void)state;
    open_pipe(true);
    memset(line, 'x', sizeof(line));
    while (n < 600) {
        line[50 + n % 250 - 1] = '\n';
        assert_int_equal(outlet_put(&out, line, 50 + n % 250), 0);
        line[50 + n % 250 - 1] = 'x';
        n++;
    }
    outlet_flush(&out);
    while (outlet_pending(&out) > 0) {
        size_t before = outlet_pending(&out);

        assert_int_equal(out.buf[out.head - 1], '\n');
        len = read(ends[0], got, PIPE_BUF);
        assert_true(len > 0);
        outlet_flush(&out);
        assert_true(outlet_pending(&out) <= before);
    }
}

static void test_a_reader_that_is_gone(void **state)
{
    (void)state;
    open_pipe(false);
    assert_int_equal(outlet_put(&out, "x", 1), 0);
    close(ends[0]);
    outlet_flush(&out);
    assert_int_equal(out.error, -EPIPE);
    assert_int_equal(outlet_put(&out, "x", 1), -EPIPE);
    assert_int_equal(outlet_pending(&out), 0);
    assert_int_equal(out.refused, 0);
    assert_false(outlet_hold(&out, 0));
    assert_int_equal(outlet_drain(&out), 0);
}

/* A descriptor that is for reading stays so. */
static void test_not_for_writing(void **state)
{
    int fd = open("/dev/null", O_RDONLY);

    (void)state;
    assert_int_equal(outlet_open(&out, fd, false, false, LIMIT), 0);
    assert_int_equal(outlet_put(&out, "x", 1), 0);
    outlet_flush(&out);
    assert_int_equal(out.error, -EBADF);
    close(fd);
}

/* ---- the reader's pace ---- */

static void put_bytes(size_t n)
{
    static const uint8_t zeros[LIMIT];

    assert_int_equal(outlet_put(&out, zeros, n), 0);
}

static void test_held_from_the_middle(void **state)
{
    (void)state;
    open_pipe(false);
    put_bytes(PIPE);
    outlet_flush(&out);
    put_bytes(LIMIT / 2);
    assert_false(outlet_hold(&out, 0));
    put_bytes(1);
    assert_true(outlet_hold(&out, 0));
    take(PIPE_BUF);
    assert_false(outlet_hold(&out, 1)); /* the reader has made room */
}

/* Held for as long as the credit lasts, all holds together, and then no more. */
static void test_credit(void **state)
{
    (void)state;
    open_pipe(false);
    put_bytes(PIPE);
    outlet_flush(&out);
    put_bytes(LIMIT / 2 + 1);
    assert_true(outlet_hold(&out, 1 * SEC));
    assert_true(outlet_hold(&out, 1 * SEC + OUTLET_CREDIT - 1));
    assert_false(outlet_hold(&out, 1 * SEC + OUTLET_CREDIT));
    assert_false(outlet_hold(&out, 100 * SEC)); /* time alone earns nothing */
    take(PIPE_BUF);
    outlet_flush(&out);
    put_bytes(PIPE_BUF);
    assert_true(outlet_hold(&out, 200 * SEC)); /* but what the reader takes does */
    assert_true(outlet_hold(&out, 200 * SEC + PIPE_BUF * OUTLET_EARN - 1));
    assert_false(outlet_hold(&out, 200 * SEC + PIPE_BUF * OUTLET_EARN));
}

/* Time that passes while nothing is held costs nothing. */
static void test_credit_counts_only_holding(void **state)
{
    (void)state;
    open_pipe(false);
    put_bytes(PIPE);
    outlet_flush(&out);
    put_bytes(LIMIT / 2 + 1);
    assert_true(outlet_hold(&out, 0));
    take(PIPE_BUF);
    assert_false(outlet_hold(&out, 1));
    put_bytes(PIPE_BUF);
    assert_true(outlet_hold(&out, 500 * SEC));
    assert_true(outlet_hold(&out, 501 * SEC));
}

static void test_drain_gives_up(void **state)
{
    (void)state;
    open_pipe(false);
    put_bytes(PIPE);
    outlet_flush(&out);
    put_bytes(1000);
    alarm(OUTLET_STUCK / 1000 + 2);
    assert_int_equal(outlet_drain(&out), 1000);
}

/* A reader who begins late and is slow gets everything. */
static void test_drain_waits(void **state)
{
    pid_t reader;
    int status;

    (void)state;
    open_pipe(false);
    put_bytes(LIMIT);
    reader = fork();
    if (reader == 0) {
        size_t n = 0;
        ssize_t r;

        close(ends[1]);
        outlet_close(&out);
        usleep(300000);
        while ((r = read(ends[0], got, 8192)) > 0) {
            n += (size_t)r;
            usleep(10000);
        }
        _exit(n == LIMIT ? 0 : 1);
    }
    assert_int_equal(outlet_drain(&out), 0);
    assert_int_equal(outlet_close(&out), 0);
    close(ends[1]);
    assert_int_equal(waitpid(reader, &status, 0), reader);
    assert_int_equal(status, 0);
}

static void test_widen(void **state)
{
    (void)state;
    open_pipe(false);
    outlet_widen(&out);
    if (fcntl(ends[0], F_SETPIPE_SZ, OUTLET_PIPE) < 0)
        skip(); /* this user has too many large pipes already */
    assert_int_equal(fcntl(ends[0], F_GETPIPE_SZ), OUTLET_PIPE);
}

#define WITH_PIPE(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_PIPE(test_a_stopped_reader_stops_nobody),
        WITH_PIPE(test_a_shared_descriptor),
        WITH_PIPE(test_a_socket),
        WITH_PIPE(test_whole_or_not_at_all),
        WITH_PIPE(test_a_file_takes_everything),
        WITH_PIPE(test_lines_stay_whole),
        WITH_PIPE(test_a_reader_that_is_gone),
        WITH_PIPE(test_not_for_writing),
        WITH_PIPE(test_held_from_the_middle),
        WITH_PIPE(test_credit),
        WITH_PIPE(test_credit_counts_only_holding),
        WITH_PIPE(test_drain_gives_up),
        WITH_PIPE(test_drain_waits),
        WITH_PIPE(test_widen),
    };

    return cmocka_run_group_tests_name("outlet", tests, NULL, NULL);
}
