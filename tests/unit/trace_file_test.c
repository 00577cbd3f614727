/*
 * The trace of a node: its file, what of it survives when there is no room, and what it shows of
 * two real stacks on a wire, read back from the JSON.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "run/trace_file.h"
#include "tests/unit/trace_check.h"

enum {
    PID = 7,
    TID = 3,
};

static char folder[] = "/tmp/trace_file_test.XXXXXX";
static char path[2][64]; /* of the trace, and of a copy */
static struct trace_file file;

static int begin_group(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    if (!mkdtemp(folder))
        return -1;
    for (unsigned i = 0; i < 2; i++)
        snprintf(path[i], sizeof(path[i]), "%s/%u.json", folder, i);
    return 0;
}

static int end_group(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++)
        unlink(path[i]);
    return rmdir(folder);
}

/* ---- the file ---- */

static void put_one(struct trace_file *f, const char *name, int64_t at)
{
    trace_event(f, TRACE_INSTANT, name, PID, TID, at);
    trace_arg_text(f, "text", name);
    trace_arg_number(f, "number", -at);
    trace_arg_ms(f, "ms", -at);
    trace_put(f, TRACE_LOSABLE, PID, at);
}

/* Whatever bytes a name has, what is read back is JSON, and the instant is exact. */
static void an_event_is_read_back(void **state)
{
    static const char name[] = "tun\"0\\ \n\t\x01\x7f end";
    json_t *events, *e;
    bool whole;

    (void)state;
    assert_int_equal(trace_file_open(&file, path[0]), 0);
    put_one(&file, name, INT64_C(1234567891234567));
    put_one(&file, "\xff\xc3", 5);
    assert_int_equal(trace_file_close(&file, PID, 9), 0);
    events = tc_load(path[0], &whole);
    assert_true(whole);
    assert_int_equal(json_array_size(events), 3);
    e = json_array_get(events, 0);
    assert_string_equal(tc_string(e, "name"), name);
    assert_string_equal(json_string_value(tc_arg(e, "text")), name);
    assert_int_equal(json_integer_value(tc_arg(e, "number")), -1234567891234567);
    assert_true(tc_number(e, "ts") == 1234567891234.567);
    assert_true(json_number_value(tc_arg(e, "ms")) == -1234567891.234567);
    assert_int_equal(tc_number(e, "pid"), PID);
    assert_int_equal(tc_number(e, "tid"), TID);
    assert_string_equal(tc_string(json_array_get(events, 1), "name"), "\u00ff\u00c3");
    e = json_array_get(events, 2);
    assert_string_equal(tc_string(e, "name"), "trace.end");
    assert_int_equal(json_integer_value(tc_arg(e, "events")), 3);
    assert_int_equal(json_integer_value(tc_arg(e, "lost")), 0);
    json_decref(events);
}

/* A reader that has the pipe open and does not read. */
static int stuck_reader(void)
{
    int fd;

    unlink(path[0]);
    assert_int_equal(mkfifo(path[0], 0600), 0);
    fd = open(path[0], O_RDONLY | O_NONBLOCK);
    assert_true(fd >= 0);
    assert_int_equal(trace_file_open(&file, path[0]), 0);
    return fd;
}

static size_t copy_all(int fd, FILE *to)
{
    static char piece[65536];
    size_t all = 0;
    ssize_t n;

    while ((n = read(fd, piece, sizeof(piece))) > 0) {
        fwrite(piece, 1, (size_t)n, to);
        all += (size_t)n;
        outlet_flush(&file.out);
    }
    return all;
}

/* Nothing waits for a reader; what it misses is counted, said in its place, and at the end. */
static void what_a_stuck_reader_misses_is_said(void **state)
{
    int fd = stuck_reader();
    FILE *copy = fopen(path[1], "w");
    unsigned long puts = 0, lost_said = 0;
    json_t *events, *e;
    bool whole;
    size_t i;

    (void)state;
    while (file.lost < 1000) {
        put_one(&file, "first", (int64_t)puts++);
        trace_file_flush(&file, (int64_t)puts);
    }
    copy_all(fd, copy);
    put_one(&file, "later", (int64_t)puts++);
    while (file.lost < 1500)
        put_one(&file, "more", (int64_t)puts++);
    copy_all(fd, copy);
    put_one(&file, "last", (int64_t)puts++);
    copy_all(fd, copy);
    assert_int_equal(trace_file_close(&file, PID, (int64_t)puts), 0);
    copy_all(fd, copy);
    close(fd);
    fclose(copy);
    events = tc_load(path[1], &whole);
    assert_true(whole);
    json_array_foreach(events, i, e)
    {
        if (strcmp(tc_string(e, "name"), "trace.lost") == 0)
            lost_said += (unsigned long)json_integer_value(tc_arg(e, "lost"));
    }
    assert_int_equal(lost_said, 1500);
    e = json_array_get(events, json_array_size(events) - 1);
    assert_string_equal(tc_string(e, "name"), "trace.end");
    assert_int_equal(json_integer_value(tc_arg(e, "lost")), 1500);
    assert_int_equal(json_integer_value(tc_arg(e, "events")), json_array_size(events));
    assert_int_equal(json_array_size(events), puts - 1500 + 3); /* two trace.lost, trace.end */
    json_decref(events);
    unlink(path[0]);
}

/* What others need finds room where there is none for the rest. */
static void what_is_needed_has_room_kept(void **state)
{
    int fd = stuck_reader();

    (void)state;
    while (file.lost < 1)
        put_one(&file, "filler", 1);
    for (unsigned i = 0; i < 100; i++) {
        trace_event(&file, TRACE_BEGIN, "needed", PID, TID, 2);
        assert_true(trace_put(&file, TRACE_NEEDED, PID, 2));
        put_one(&file, "filler", 3);
    }
    assert_int_equal(file.lost, 101);
    close(fd);
    trace_file_close(&file, PID, 4);
    unlink(path[0]);
}

static void a_full_disk_ends_the_trace_and_is_told_once(void **state)
{
    (void)state;
    assert_int_equal(trace_file_open(&file, "/dev/full"), 0);
    put_one(&file, "one", 1);
    trace_file_flush(&file, SEC);
    assert_int_equal(trace_file_error(&file), -ENOSPC);
    assert_int_equal(trace_file_error(&file), 0);
    put_one(&file, "two", 2);
    assert_int_equal(file.lost, 1);
    assert_int_equal(trace_file_close(&file, PID, 3), 0);
    assert_int_equal(trace_file_open(&file, "/nowhere/trace.json"), -ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_is_read_back),
        cmocka_unit_test(what_a_stuck_reader_misses_is_said),
        cmocka_unit_test(what_is_needed_has_room_kept),
        cmocka_unit_test(a_full_disk_ends_the_trace_and_is_told_once),
    };

    return cmocka_run_group_tests(tests, begin_group, end_group);
}
