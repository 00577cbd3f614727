/*
 * For tests of captures: a node's device with a capture around it, the far end of its wire, and a
 * small reader of pcapng.
 */
#ifndef TESTS_UNIT_CAPTURE_KIT_H
#define TESTS_UNIT_CAPTURE_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <string.h>
#include <unistd.h>

#include "link/capture.h"
#include "link/wire.h"
#include "tests/unit/packet_kit.h"
#include "wire/reason.h"

enum {
    FILE_MAX = 1 << 23,
    BLOCKS_MAX = 8192,
};

#define WALL (INT64_C(1700000000) * SEC) /* at instant 0 it was 2023-11-14 22:13:20 UTC */

/* A node's device with a capture around it, and the far end of its wire. */
static struct buf_pool pool;
static struct wire_pair w;
static alignas(16) uint8_t wire_memory[1 << 20];
static struct capture_file file;
static struct capture cap;
static struct device *far_end;
static char path[64];

static inline struct device *node(void)
{
    return &cap.dev;
}

static void create_wire(void)
{
    struct wire_config cfg = {
        .mtu = 1500,
        .packet_max = 4096,
        .queue = 16,
        .name = {"tun0", "far"},
        .pool = {&pool, &pool},
    };

    kit_pool(&pool, 64, 4096);
    assert_in_range(wire_pair_bytes(&cfg), 1, sizeof(wire_memory));
    wire_pair_create(&w, &cfg, wire_memory);
    far_end = &w.side[1].dev;
}

static int begin(void **state)
{
    int fd;

    (void)state;
    create_wire();
    strcpy(path, "/tmp/capture_test.XXXXXX");
    fd = mkstemp(path);
    if (fd < 0)
        return -1;
    close(fd);
    if (capture_file_open(&file, path, WALL) < 0)
        return -1;
    capture_init(&cap, &w.side[0].dev, &file);
    return 0;
}

static int end(void **state)
{
    (void)state;
    unlink(path);
    return pool.in_use == 0 ? 0 : -1;
}

static void close_all(void)
{
    device_close(node());
    device_close(far_end);
    assert_int_equal(capture_file_close(&file), 0);
}

static void send(struct device *d, int64_t now, const struct kit_packet *p, enum reason why)
{
    struct pkt out;

    kit_pkt(p, &out);
    out.why = (uint16_t)why;
    assert_int_equal(device_write(d, now, &out), 0);
}

static void receive(struct device *d, int64_t now)
{
    struct pkt in;

    assert_int_equal(device_read(d, now, &in), 1);
    buf_unref(in.part[0].buf);
}

/* ---- a reader of pcapng ---- */

static uint8_t image[FILE_MAX];
static size_t image_len;
static const uint8_t *block[BLOCKS_MAX];
static unsigned blocks;

static uint32_t le32(const uint8_t *b)
{
    return (uint32_t)b[3] << 24 | (uint32_t)b[2] << 16 | (uint32_t)b[1] << 8 | b[0];
}

/* Read the file, and check that it is whole blocks, each with its length at both ends. */
static void load(void)
{
    FILE *f = fopen(path, "r");
    size_t at = 0;

    assert_non_null(f);
    image_len = fread(image, 1, sizeof(image), f);
    fclose(f);
    blocks = 0;
    while (at < image_len) {
        uint32_t len = le32(image + at + 4);

        assert_in_range(len, 12, image_len - at);
        assert_int_equal(len % 4, 0);
        assert_int_equal(le32(image + at + len - 4), len);
        assert_true(blocks < BLOCKS_MAX);
        block[blocks++] = image + at;
        at += len;
    }
}

/* The n-th option with this code in b's options, which begin at `at`; *ret_len its length. */
static const char *option(const uint8_t *b, size_t at, unsigned code, unsigned n, size_t *ret_len)
{
    for (;;) {
        unsigned c = b[at] | (unsigned)b[at + 1] << 8, len = b[at + 2] | (unsigned)b[at + 3] << 8;

        if (c == 0)
            return NULL;
        if (c == code && n-- == 0) {
            *ret_len = len;
            return (const char *)b + at + 4;
        }
        at += 4 + (len + 3) / 4 * 4;
        assert_in_range(at, 0, le32(b + 4) - 8);
    }
}

static void expect_option(const uint8_t *b, size_t at, unsigned code, unsigned n, const char *value,
                          size_t len)
{
    size_t got_len = 0;
    const char *got = option(b, at, code, n, &got_len);

    assert_non_null(got);
    assert_int_equal(got_len, len);
    assert_memory_equal(got, value, len);
}

static size_t packet_options(const uint8_t *b)
{
    return 28 + (le32(b + 20) + 3) / 4 * 4;
}

#define CAPTURING(f) cmocka_unit_test_setup_teardown(f, begin, end)

#endif
