/*
 * What the tests of packet lines share: one observer of packets, and the tcpdump that is installed
 * here to compare the stored lines with.
 */
#ifndef TESTS_UNIT_PRINT_KIT_H
#define TESTS_UNIT_PRINT_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/packet_kit.h"
#include "wire/print.h"
#include "wire/tcp.h"

enum {
    RECORDS_MAX = 64,
};

#define OPT(bytes) .opt = (bytes), .opt_len = sizeof(bytes) - 1

/* The packets of one test, all seen by one observer, for tcpdump to see as well. */
static struct print_flows flows;
static struct kit_packet record[RECORDS_MAX];
static const char *record_line[RECORDS_MAX];
static unsigned records;

static inline int begin(void **state)
{
    (void)state;
    memset(&flows, 0, sizeof(flows));
    records = 0;
    return 0;
}

/* A line that is ours alone. The packet is printed from memory that ends where it ends. */
static inline void expect_ours(struct kit_packet p, const char *line)
{
    uint8_t *exact = malloc(p.len + 1);
    char got[PRINT_LINE_MAX];
    size_t n;

    assert_non_null(exact);
    memcpy(exact + 1, p.b, p.len);
    n = print_packet(&flows, exact + 1, p.len, 0, got, sizeof(got));
    free(exact);
    assert_string_equal(got, line);
    assert_int_equal(n, strlen(line));
}

/* A line that tcpdump prints, too. */
static inline void expect(struct kit_packet p, const char *line)
{
    expect_ours(p, line);
    assert_true(records < RECORDS_MAX);
    record[records] = p;
    record_line[records++] = line;
}

static inline void put_u32(FILE *f, uint32_t v)
{
    fwrite(&v, sizeof(v), 1, f);
}

/* A capture in the classic format, which is simple enough to be written down here. */
static inline void write_records(const char *path)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    put_u32(f, 0xa1b2c3d4); /* in this machine's byte order */
    put_u32(f, 4 << 16 | 2);
    put_u32(f, 0);
    put_u32(f, 0);
    put_u32(f, 65535);
    put_u32(f, 101); /* raw IP */
    for (unsigned i = 0; i < records; i++) {
        put_u32(f, 1);
        put_u32(f, 0);
        put_u32(f, record[i].len);
        put_u32(f, record[i].len);
        fwrite(record[i].b, record[i].len, 1, f);
    }
    assert_int_equal(fclose(f), 0);
}

/* Does the tcpdump that is installed here print what is stored? */
static inline int end(void **state)
{
    char path[] = "/tmp/print_test.XXXXXX", command[128], line[PRINT_LINE_MAX];
    int fd = mkstemp(path);
    unsigned seen = 0;
    FILE *out;

    (void)state;
    if (fd < 0 || records == 0 || system("tcpdump --version >/dev/null 2>&1") != 0) {
        if (records)
            print_message("[  note  ] no tcpdump here: stored lines only\n");
        return 0;
    }
    close(fd);
    write_records(path);
    snprintf(command, sizeof(command), "tcpdump -t -n -r %s 2>/dev/null", path);
    out = popen(command, "r");
    while (out && fgets(line, sizeof(line), out)) {
        line[strcspn(line, "\n")] = '\0';
        if (seen < records && strcmp(line, record_line[seen]) != 0) {
            print_error("tcpdump: %s\nstored:  %s\n", line, record_line[seen]);
            return -1;
        }
        seen++;
    }
    unlink(path);
    return !out || pclose(out) != 0 || seen != records ? -1 : 0;
}

#define LINES(f) cmocka_unit_test_setup_teardown(f, begin, end)

#endif
