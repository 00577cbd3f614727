/*
 * Captures: the file's bytes, read back by a small reader of our own and, where they are installed,
 * by tshark and tcpdump; and what happens when it cannot be written.
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
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/capture_kit.h"

/* Take what waits at the far end out of the way. */
static void drain(void)
{
    struct pkt in;

    while (device_read(far_end, 0, &in) == 1)
        buf_unref(in.part[0].buf);
}

static void expect_packet(unsigned n, uint32_t iface, int64_t at, const struct kit_packet *p,
                          uint8_t direction)
{
    const uint8_t *b = block[n];
    const char flags[4] = {(char)direction, 0, 0, 0};

    assert_true(n < blocks);
    assert_int_equal(le32(b), 6);
    assert_int_equal(le32(b + 8), iface);
    assert_true(((uint64_t)le32(b + 12) << 32 | le32(b + 16)) == (uint64_t)(at + WALL));
    assert_int_equal(le32(b + 20), p->len);
    assert_int_equal(le32(b + 24), p->len);
    assert_memory_equal(b + 28, p->b, p->len);
    expect_option(b, packet_options(b), 2, 0, flags, 4);
}

/* ---- the tests ---- */

static void test_headers(void **state)
{
    (void)state;
    close_all();
    load();
    assert_int_equal(blocks, 2);
    assert_int_equal(le32(block[0]), 0x0a0d0d0a);
    assert_int_equal(le32(block[0] + 8), 0x1a2b3c4d);
    assert_int_equal(le32(block[0] + 12), 1);
    expect_option(block[0], 24, 4, 0, "twintun", 7);
    assert_int_equal(le32(block[1]), 1);
    assert_int_equal(le32(block[1] + 8), 101);
    expect_option(block[1], 16, 2, 0, "tun0", 4);
    expect_option(block[1], 16, 9, 0, "\x09", 1);
}

static void test_packets_of_both_directions(void **state)
{
    struct kit_packet out = kit_tcp((struct kit_tcp){.flags = 2});
    struct kit_packet in = kit_udp(1, 2, "odd", 3);
    size_t len;

    (void)state;
    send(node(), 5, &out, REASON_SEND_SYN);
    send(far_end, 0, &in, REASON_NONE);
    receive(node(), 3 * SEC + 7);
    drain();
    close_all();
    load();
    assert_int_equal(blocks, 4);
    expect_packet(2, 0, 5, &out, 2);
    expect_option(block[2], packet_options(block[2]), 1, 0,
                  "send.syn: opens a connection (RFC 9293 3.5)", 43);
    expect_packet(3, 0, 3 * SEC + 7, &in, 1);
    assert_null(option(block[3], packet_options(block[3]), 1, 0, &len));
    assert_int_equal(file.packets, 2);
}

/* Every reason has a comment that fits. */
static void test_all_reasons(void **state)
{
    struct kit_packet p = kit_udp(1, 2, "x", 1);
    char want[CAPTURE_COMMENT_MAX];
    unsigned n = 2;

    (void)state;
    for (unsigned r = 1; r < REASON_COUNT; r++) {
        send(node(), 0, &p, (enum reason)r);
        drain();
    }
    close_all();
    load();
    for (unsigned r = 1; r < REASON_COUNT; r++, n++) {
        const struct reason_text *t = reason_text((enum reason)r);

        snprintf(want, sizeof(want), "%s: %s (%s)", t->name, t->sentence, t->source);
        expect_option(block[n], packet_options(block[n]), 1, 0, want, strlen(want));
    }
}

static void test_super_segment(void **state)
{
    static const char comment[] = "super-segment: the device cuts it every 1000 bytes";
    struct kit_packet p = kit_tcp((struct kit_tcp){.flags = 0x10, .data = 3000});
    struct pkt out;

    (void)state;
    kit_pkt(&p, &out);
    out.why = REASON_SEND_DATA;
    out.gso_size = 1000;
    out.marks = PKT_CSUM_PARTIAL;
    assert_int_equal(device_write(node(), 0, &out), 0);
    receive(far_end, 0);
    close_all();
    load();
    expect_packet(2, 0, 0, &p, 2);
    expect_option(block[2], packet_options(block[2]), 1, 1, comment, sizeof(comment) - 1);
}

/* What the device refuses has not passed. */
static void test_refused_write(void **state)
{
    struct kit_packet p = kit_udp(1, 2, NULL, 2000);
    struct pkt out;

    (void)state;
    kit_pkt(&p, &out);
    assert_int_equal(device_write(node(), 0, &out), -EMSGSIZE);
    close_all();
    load();
    assert_int_equal(blocks, 2);
}

/* The file is up to date when the node would go to sleep, and the node is told to come back. */
static void test_written_out_with_each_batch(void **state)
{
    struct kit_packet p = kit_udp(1, 2, "x", 1);
    struct pkt in;

    (void)state;
    assert_int_equal(device_read(node(), 0, &in), 0);
    assert_true(device_deadline(node()) == TIME_NEVER);
    send(node(), 0, &p, REASON_SEND_UDP);
    load();
    assert_int_equal(blocks, 2);
    assert_true(device_deadline(node()) == 0);
    assert_int_equal(device_read(node(), 0, &in), 0);
    load();
    assert_int_equal(blocks, 3);
    assert_true(device_deadline(node()) == TIME_NEVER);
    drain();
    close_all();
}

/* More than fits into memory at once. */
static void test_many(void **state)
{
    unsigned n = 500;
    struct kit_packet p;

    (void)state;
    for (uint32_t i = 0; i < n; i++) {
        p = kit_udp(1, 2, NULL, i);
        send(node(), i, &p, REASON_SEND_UDP);
        receive(far_end, 0);
    }
    close_all();
    load();
    assert_int_equal(blocks, n + 2);
    for (uint32_t i = 0; i < n; i++) {
        p = kit_udp(1, 2, NULL, i);
        expect_packet(2 + i, 0, i, &p, 2);
    }
}

static void test_two_devices_in_one_file(void **state)
{
    struct kit_packet p = kit_udp(1, 2, "x", 1);
    struct capture far_cap;

    (void)state;
    capture_init(&far_cap, far_end, &file);
    send(node(), 1, &p, REASON_SEND_UDP);
    receive(&far_cap.dev, 2);
    close_all();
    load();
    assert_int_equal(blocks, 5);
    expect_option(block[2], 16, 2, 0, "far", 3);
    expect_packet(3, 0, 1, &p, 2);
    expect_packet(4, 1, 2, &p, 1);
}

static void test_cannot_open(void **state)
{
    struct capture_file f;

    (void)state;
    assert_int_equal(capture_file_open(&f, "/nonexistent/file", 0), -ENOENT);
    assert_int_equal(capture_file_open(&f, "/", 0), -EISDIR);
    close_all();
}

/* The capture ends, says so once, and the node goes on. */
static void expect_end(struct capture_file *f, struct capture *c, int error)
{
    struct kit_packet p = kit_udp(1, 2, NULL, 1000);
    struct pkt in;

    for (unsigned i = 0; i < 300; i++) {
        send(&c->dev, 0, &p, REASON_SEND_UDP);
        receive(far_end, 0);
        assert_int_equal(device_read(&c->dev, 0, &in), 0);
    }
    assert_true(device_deadline(&c->dev) == TIME_NEVER);
    assert_int_equal(capture_file_error(f), error);
    assert_int_equal(capture_file_error(f), 0);
    assert_int_equal(capture_file_close(f), 0);
}

static void test_disk_full(void **state)
{
    struct capture_file f;
    struct capture c;

    (void)state;
    assert_int_equal(capture_file_open(&f, "/dev/full", 0), 0);
    capture_init(&c, &w.side[0].dev, &f);
    expect_end(&f, &c, -ENOSPC);
    assert_int_equal(capture_file_open(&f, "/dev/full", 0), 0);
    assert_int_equal(capture_file_close(&f), -ENOSPC);
    close_all();
}

static void test_reader_gone(void **state)
{
    struct capture_file f;
    struct capture c;
    char name[32];
    int ends[2];

    (void)state;
    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(pipe(ends), 0);
    snprintf(name, sizeof(name), "/dev/fd/%d", ends[1]);
    assert_int_equal(capture_file_open(&f, name, 0), 0);
    close(ends[0]);
    close(ends[1]);
    capture_init(&c, &w.side[0].dev, &f);
    expect_end(&f, &c, -EPIPE);
    close_all();
}

/* What `command`, with the file's name in the place of %s, prints. */
static void expect_output(const char *program, const char *options, const char *want)
{
    char command[256], got[2048];
    FILE *out;
    size_t n;

    snprintf(command, sizeof(command), "%s --version >/dev/null 2>&1", program);
    if (system(command) != 0) {
        print_message("[  note  ] no %s here\n", program);
        skip();
    }
    snprintf(command, sizeof(command), "%s -r %s %s 2>/dev/null", program, path, options);
    out = popen(command, "r");
    assert_non_null(out);
    n = fread(got, 1, sizeof(got) - 1, out);
    got[n] = '\0';
    assert_int_equal(pclose(out), 0);
    assert_string_equal(got, want);
}

static void write_example(void)
{
    struct kit_packet syn = kit_tcp((struct kit_tcp){.flags = 2, .seq = 17});
    struct kit_packet in = kit_udp(5000, 7, "odd", 3);

    send(node(), 1, &syn, REASON_SEND_SYN);
    drain();
    send(far_end, 0, &in, REASON_NONE);
    receive(node(), 2 * SEC);
    close_all();
}

/* Behind the reason, what an impairment below says of the packet. */
static void test_verdicts(void **state)
{
    static const char why[] = "send.syn: opens a connection (RFC 9293 3.5)";
    static const char late[] = "impair.delayed: its path kept it back by 1.500 ms (twintun)";
    static const char bit[] =
        "impair.corrupted: its path turned one bit of it, number 77 (twintun)";
    struct kit_packet syn = kit_tcp((struct kit_tcp){.flags = 2, .seq = 17});
    struct verdict verdict = {.why = {REASON_IMPAIR_DELAYED, REASON_IMPAIR_CORRUPTED},
                              .n = 2,
                              .late = 1500 * USEC,
                              .bit = 77};

    (void)state;
    cap.verdict = &verdict;
    send(node(), 1, &syn, REASON_SEND_SYN);
    drain();
    send(far_end, 0, &syn, REASON_NONE);
    verdict.n = 1;
    receive(node(), 2);
    close_all();
    load();
    assert_int_equal(blocks, 4);
    expect_option(block[2], packet_options(block[2]), 1, 0, why, sizeof(why) - 1);
    expect_option(block[2], packet_options(block[2]), 1, 1, late, sizeof(late) - 1);
    expect_option(block[2], packet_options(block[2]), 1, 2, bit, sizeof(bit) - 1);
    expect_option(block[3], packet_options(block[3]), 1, 0, late, sizeof(late) - 1);
}

static void test_tcpdump_reads_it(void **state)
{
    (void)state;
    write_example();
    expect_output("tcpdump", "-n -t",
                  "IP 10.0.0.7.49152 > 10.0.1.5.8000: Flags [S], seq 17, win 512, length 0\n"
                  "IP 10.0.0.7.5000 > 10.0.1.5.7: UDP, length 3\n");
}

static void test_tshark_reads_it(void **state)
{
    (void)state;
    write_example();
    expect_output("tshark",
                  "-T fields -E separator='|' -e frame.time_epoch -e frame.interface_name "
                  "-e frame.encap_type -e frame.comment",
                  "1700000000.000000001|tun0|7|send.syn: opens a connection (RFC 9293 3.5)\n"
                  "1700000002.000000000|tun0|7|\n");
    expect_output("tshark", "-Y frame.packet_flags_direction==1 -T fields -e ip.proto", "17\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CAPTURING(test_headers),
        CAPTURING(test_packets_of_both_directions),
        CAPTURING(test_all_reasons),
        CAPTURING(test_super_segment),
        CAPTURING(test_refused_write),
        CAPTURING(test_written_out_with_each_batch),
        CAPTURING(test_many),
        CAPTURING(test_two_devices_in_one_file),
        CAPTURING(test_cannot_open),
        CAPTURING(test_disk_full),
        CAPTURING(test_reader_gone),
        CAPTURING(test_verdicts),
        CAPTURING(test_tcpdump_reads_it),
        CAPTURING(test_tshark_reads_it),
    };

    return cmocka_run_group_tests_name("capture", tests, NULL, NULL);
}
