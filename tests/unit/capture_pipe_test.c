/* Captures into a pipe: live, and with a reader that is slow or has stopped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "tests/unit/capture_kit.h"

/* A batch goes down a live pipe at once; standard output stays open afterwards. */
static void test_live_pipe(void **state)
{
    struct kit_packet p = kit_udp(1, 2, "x", 1);
    int ends[2], saved = dup(STDOUT_FILENO);
    static uint8_t got[4096];
    struct capture_file f;
    struct capture c;
    struct pkt in;
    ssize_t n;

    (void)state;
    fflush(stdout);
    assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
    dup2(ends[1], STDOUT_FILENO);
    assert_int_equal(capture_file_open(&f, "-", 0), 0);
    capture_init(&c, &w.side[0].dev, &f);
    send(&c.dev, 0, &p, REASON_SEND_UDP);
    receive(far_end, 0);
    device_read(&c.dev, 0, &in);
    n = read(ends[0], got, sizeof(got));
    capture_file_close(&f);
    assert_int_equal(write(STDOUT_FILENO, "x", 1), 1);
    dup2(saved, STDOUT_FILENO);
    close(saved);
    close(ends[0]);
    close(ends[1]);
    assert_in_range(n, 100, sizeof(got));
    close_all();
}

/* Copy what the pipe holds, and what the capture then puts there, into the file of `path`. */
static void copy_pipe(struct capture_file *f, int pipe_end)
{
    static uint8_t got[65536];
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ssize_t n;

    assert_true(fd >= 0);
    while ((n = read(pipe_end, got, sizeof(got))) > 0) {
        assert_int_equal(write(fd, got, (size_t)n), n);
        capture_file_flush(f);
    }
    close(fd);
}

/*
 * A reader that has stopped: packets pass, are left out and counted. When it reads again, the next
 * packet says how many are missing before it.
 */
static void test_stopped_reader(void **state)
{
    struct kit_packet p = kit_udp(1, 2, NULL, 1400);
    struct capture_file f;
    char name[32], missing[8] = {0};
    unsigned sent = 0;
    struct capture c;
    int ends[2];
    size_t len;

    (void)state;
    close_all();
    create_wire();
    assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
    snprintf(name, sizeof(name), "/dev/fd/%d", ends[1]);
    assert_int_equal(capture_file_open(&f, name, 0), 0);
    capture_init(&c, &w.side[0].dev, &f);
    for (; f.dropped < 0x123; sent++) {
        send(&c.dev, 0, &p, REASON_SEND_UDP);
        receive(far_end, 0);
    }
    assert_int_equal(f.packets + f.dropped, sent);
    copy_pipe(&f, ends[0]);
    load();
    assert_int_equal(blocks, 2 + f.packets);
    send(&c.dev, 0, &p, REASON_SEND_UDP);
    receive(far_end, 0);
    send(&c.dev, 0, &p, REASON_SEND_UDP);
    receive(far_end, 0);
    capture_file_flush(&f);
    copy_pipe(&f, ends[0]);
    load();
    assert_int_equal(blocks, 2);
    missing[0] = 0x23;
    missing[1] = 0x01;
    expect_option(block[0], packet_options(block[0]), 4, 0, missing, 8);
    assert_null(option(block[1], packet_options(block[1]), 4, 0, &len));
    device_close(&c.dev);
    device_close(far_end);
    assert_int_equal(capture_file_close(&f), 0);
    assert_int_equal(f.unread, 0);
    close(ends[0]);
    close(ends[1]);
}

/* While the reader is behind, nothing is read from the device, for a while, and the node sleeps. */
static void test_slow_reader_holds_reading(void **state)
{
    struct kit_packet p = kit_udp(1, 2, NULL, 1400);
    struct capture_file f;
    struct capture c;
    struct pkt in;
    char name[32];
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    snprintf(name, sizeof(name), "/dev/fd/%d", ends[1]);
    assert_int_equal(capture_file_open(&f, name, 0), 0);
    capture_init(&c, &w.side[0].dev, &f);
    while (outlet_pending(&f.out) <= CAPTURE_BUFFER / 2) {
        send(&c.dev, 0, &p, REASON_SEND_UDP);
        receive(far_end, 0);
    }
    send(far_end, 0, &p, REASON_NONE);
    assert_int_equal(device_read(&c.dev, SEC, &in), 0);
    assert_int_equal(device_read(&c.dev, SEC + OUTLET_CREDIT - 1, &in), 0);
    receive(&c.dev, SEC + OUTLET_CREDIT);
    assert_int_equal(device_read(&c.dev, 10 * SEC, &in), 0);
    assert_true(device_deadline(&c.dev) == 10 * SEC + CAPTURE_RETRY * MSEC);
    assert_int_equal(f.dropped, 0);
    close(ends[0]);
    close(ends[1]);
    assert_int_equal(capture_file_close(&f), -EPIPE);
    close_all();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CAPTURING(test_live_pipe),
        CAPTURING(test_stopped_reader),
        CAPTURING(test_slow_reader_holds_reading),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests_name("capture_pipe", tests, NULL, NULL);
}
