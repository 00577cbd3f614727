/* The printing device: its lines, with time, device, direction and reason. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "link/printer.h"
#include "link/wire.h"
#include "tests/unit/packet_kit.h"
#include "wire/reason.h"

enum {
    OUT_MAX = 512 * 1024, /* bytes that may wait for the reader */
};

#define WALL (INT64_C(1700000000) * SEC) /* at instant 0 it was 22:13:20 UTC */

static struct buf_pool pool;
static struct wire_pair w;
static alignas(16) uint8_t wire_memory[1 << 17];
static struct printer printer;
static char text[1 << 20];
static struct outlet out;
static int ends[2]; /* of the pipe that is printed to */

static void begin(unsigned level, uint32_t mtu)
{
    struct wire_config cfg = {.mtu = mtu,
                              .packet_max = mtu,
                              .queue = 16,
                              .name = {"tun0", "far"},
                              .pool = {&pool, &pool}};

    kit_pool(&pool, 8, 4000);
    wire_pair_create(&w, &cfg, wire_memory);
    assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
    assert_int_equal(outlet_open(&out, ends[1], false, true, OUT_MAX), 0);
    printer_init(&printer, &w.side[0].dev, &out, WALL, level);
}

/* What the pipe holds, and what the outlet then puts there. */
static void collect(void)
{
    size_t len = 0;

    for (;;) {
        ssize_t n = read(ends[0], text + len, sizeof(text) - 1 - len);

        if (n <= 0 && outlet_pending(&out) == 0)
            break;
        len += n > 0 ? (size_t)n : 0;
        outlet_flush(&out);
    }
    text[len] = '\0';
}

static void finish(void)
{
    device_close(&printer.dev);
    device_close(&w.side[1].dev);
    collect();
    outlet_close(&out);
    close(ends[0]);
    close(ends[1]);
}

static void expect_text(const char *want)
{
    finish();
    assert_string_equal(text, want);
}

static int send(struct device *d, int64_t now, const struct kit_packet *p, enum reason why)
{
    struct pkt pkt;

    kit_pkt(p, &pkt);
    pkt.why = (uint16_t)why;
    return device_write(d, now, &pkt);
}

static void test_lines(void **state)
{
    struct kit_packet syn = kit_tcp((struct kit_tcp){.flags = 2, .seq = 17});
    struct kit_packet udp = kit_udp(5000, 7, "odd", 3);
    struct kit_packet large = kit_udp(5000, 7, NULL, 1473);
    struct pkt in;

    (void)state;
    begin(1, 1500);
    assert_int_equal(send(&printer.dev, 123456789, &syn, REASON_SEND_SYN), 0);
    assert_int_equal(send(&printer.dev, 0, &large, REASON_SEND_UDP), -EMSGSIZE); /* no line */
    send(&w.side[1].dev, 0, &udp, REASON_NONE);
    assert_int_equal(device_read(&printer.dev, 41 * SEC, &in), 1);
    buf_unref(in.part[0].buf);
    udp.b[30] ^= 1;
    send(&w.side[1].dev, 0, &udp, REASON_NONE);
    assert_int_equal(device_read(&printer.dev, 41 * SEC, &in), 1);
    buf_unref(in.part[0].buf);
    assert_int_equal(device_read(&printer.dev, 42 * SEC, &in), 0);
    expect_text("22:13:20.123456 tun0 Out IP 10.0.0.7.49152 > 10.0.1.5.8000: Flags [S], seq 17, "
                "win 512, length 0  (send.syn)\n"
                "22:14:01.000000 tun0 In  IP 10.0.0.7.5000 > 10.0.1.5.7: UDP, length 3\n"
                "22:14:01.000000 tun0 In  IP 10.0.0.7.5000 > 10.0.1.5.7: UDP, length 3 "
                "[bad: the UDP checksum is wrong]\n");
}

static void test_hex(void **state)
{
    struct kit_packet udp = kit_udp(5000, 7, "odd", 3);

    (void)state;
    begin(2, 1500);
    udp.b[26] = udp.b[27] = 0;
    assert_int_equal(send(&printer.dev, 0, &udp, REASON_SEND_UDP), 0);
    expect_text(
        "22:13:20.000000 tun0 Out IP 10.0.0.7.5000 > 10.0.1.5.7: UDP, length 3  (send.udp)\n"
        "\t0x0000:  4500 001f 0001 0000 4011 65c2 0a00 0007  E.......@.e.....\n"
        "\t0x0010:  0a00 0105 1388 0007 000b 0000 6f64 64    ............odd\n");
}

/* A packet with more rows than are written at once is printed whole. */
static void test_hex_of_a_large_packet(void **state)
{
    struct kit_packet udp = kit_udp(5000, 7, NULL, 3972);
    unsigned rows = 0;

    (void)state;
    begin(2, 4000);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(send(&printer.dev, 0, &udp, REASON_SEND_UDP), 0);
    finish();
    for (const char *c = text; *c; c++)
        rows += *c == '\n';
    assert_int_equal(rows, 3 * (1 + 250));
}

/* A reader that has stopped: packets pass, and are counted; then a line says how many. */
static void test_stopped_reader(void **state)
{
    struct kit_packet udp = kit_udp(5000, 7, NULL, 3972);
    unsigned printed = 0;
    char want[80];
    struct pkt in;

    (void)state;
    begin(2, 4000);
    for (unsigned i = 0; i < 200; i++) {
        assert_int_equal(send(&printer.dev, 0, &udp, REASON_SEND_UDP), 0);
        assert_int_equal(device_read(&w.side[1].dev, 0, &in), 1);
        buf_unref(in.part[0].buf);
    }
    assert_in_range(printer.dropped, 100, 199);
    assert_int_equal(out.refused, 0); /* it is whole packets that are left out */
    assert_in_range(outlet_room(&out), PRINTER_SPARE, OUT_MAX);
    collect();
    for (const char *c = strstr(text, " Out "); c; c = strstr(c + 1, " Out "))
        printed++;
    assert_int_equal(printed + printer.dropped, 200);
    assert_int_equal(send(&printer.dev, 0, &udp, REASON_SEND_UDP), 0);
    collect();
    snprintf(want, sizeof(want), "(%u packets not printed: the reader is too slow)\n22:13:20",
             (unsigned)printer.dropped);
    assert_memory_equal(text, want, strlen(want));
    assert_int_equal(send(&printer.dev, 0, &udp, REASON_SEND_UDP), 0);
    collect();
    assert_memory_equal(text, "22:13:20", 8);
    finish();
}

/* While the reader is behind, nothing is read from the device; for a while. */
static void test_slow_reader_holds_reading(void **state)
{
    struct kit_packet udp = kit_udp(5000, 7, NULL, 3972);
    struct pkt in;

    (void)state;
    begin(2, 4000);
    while (outlet_pending(&out) <= OUT_MAX / 2) {
        assert_int_equal(send(&printer.dev, 0, &udp, REASON_SEND_UDP), 0);
        assert_int_equal(device_read(&w.side[1].dev, 0, &in), 1);
        buf_unref(in.part[0].buf);
    }
    send(&w.side[1].dev, 0, &udp, REASON_NONE);
    assert_int_equal(device_read(&printer.dev, 1, &in), 0);
    assert_int_equal(device_read(&printer.dev, OUTLET_CREDIT, &in), 0);
    assert_int_equal(device_read(&printer.dev, OUTLET_CREDIT + 1, &in), 1);
    buf_unref(in.part[0].buf);
    finish();
}

/* What an impairment below says; and what it has lost is passed on as lost. */
static struct verdict verdict;

static int losing_read(struct device *d, int64_t now, struct pkt *ret_pkt)
{
    int r = device_read(&w.side[0].dev, now, ret_pkt);

    (void)d;
    return r == 1 ? DEVICE_LOST : r;
}

static int losing_write(struct device *d, int64_t now, const struct pkt *p)
{
    (void)d;
    return device_write(&w.side[0].dev, now, p);
}

static void losing_close(struct device *d)
{
    (void)d;
    device_close(&w.side[0].dev);
}

static const struct device_ops losing_ops = {.read = losing_read,
                                             .write = losing_write,
                                             .close = losing_close};

static void test_verdicts(void **state)
{
    struct kit_packet udp = kit_udp(5000, 7, "odd", 3);
    struct device losing = {.ops = &losing_ops, .mtu = 1500, .name = "tun0"};
    struct pkt in;

    (void)state;
    begin(1, 1500);
    printer_init(&printer, &losing, &out, WALL, 1);
    printer.verdict = &verdict;
    verdict = (struct verdict){{REASON_IMPAIR_REORDERED, REASON_IMPAIR_MARKED}, 2, 0, 0};
    assert_int_equal(send(&printer.dev, 0, &udp, REASON_SEND_UDP), 0);
    verdict = (struct verdict){{REASON_IMPAIR_LOST}, 1, 0, 0};
    send(&w.side[1].dev, 0, &udp, REASON_NONE);
    assert_int_equal(device_read(&printer.dev, 0, &in), DEVICE_LOST);
    buf_unref(in.part[0].buf);
    assert_int_equal(device_read(&printer.dev, 0, &in), DEVICE_NOTHING);
    expect_text("22:13:20.000000 tun0 Out IP 10.0.0.7.5000 > 10.0.1.5.7: UDP, length 3  "
                "(send.udp)  (impair.reordered)  (impair.marked)\n"
                "22:13:20.000000 tun0 In  IP 10.0.0.7.5000 > 10.0.1.5.7: UDP, length 3  "
                "(impair.lost)\n");
}

/* What the device cuts into segments is said to be that. */
static void test_super_segment(void **state)
{
    struct kit_packet udp = kit_udp(5000, 7, "oddodd", 6);
    struct pkt pkt;

    (void)state;
    begin(1, 1500);
    kit_pkt(&udp, &pkt);
    pkt.gso_size = 3;
    assert_int_equal(device_write(&printer.dev, 0, &pkt), 0);
    expect_text("22:13:20.000000 tun0 Out IP 10.0.0.7.5000 > 10.0.1.5.7: UDP, length 6  "
                "(super-segment, cut every 3 bytes)\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_hex),
        cmocka_unit_test(test_hex_of_a_large_packet),
        cmocka_unit_test(test_stopped_reader),
        cmocka_unit_test(test_verdicts),
        cmocka_unit_test(test_super_segment),
        cmocka_unit_test(test_slow_reader_holds_reading),
    };

    setenv("TZ", "UTC", 1);
    tzset();
    return cmocka_run_group_tests_name("printer", tests, NULL, NULL);
}
