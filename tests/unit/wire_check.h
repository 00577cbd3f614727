/*
 * What the tests of parsers share: bytes with nothing behind them, a seeded generator, and checks
 * that name the step which failed.
 */
#ifndef TESTS_UNIT_WIRE_CHECK_H
#define TESTS_UNIT_WIRE_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "wire/checksum.h"
#include "wire/reason.h"

enum {
    MUTATIONS = 100000, /* random packets that each parser must survive */
    GUARDED = 1 << 17,  /* bytes in front of the page that cannot be read */
};

/* splitmix64: the same numbers in every run. */
static inline uint64_t random64(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* 0 to n - 1 */
static inline uint32_t random_below(uint64_t *state, uint32_t n)
{
    return (uint32_t)(random64(state) % n);
}

static inline void random_fill(uint64_t *state, uint8_t *out, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = (uint8_t)random64(state);
}

/*
 * A copy of b[0..n) whose next byte lies in a page that cannot be read, so that reading one byte
 * too many is a crash in every build. The next call writes over it.
 */
static inline uint8_t *exact_copy(const uint8_t *b, size_t n)
{
    static uint8_t *end;
    uint8_t *copy;

    assert_true(n <= GUARDED);
    if (!end) {
        size_t page = (size_t)sysconf(_SC_PAGESIZE);
        uint8_t *mem =
            mmap(NULL, GUARDED + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        assert_true(mem != MAP_FAILED);
        end = mem + GUARDED;
        assert_int_equal(mprotect(end, page, PROT_NONE), 0);
    }
    copy = end - n;
    if (n > 0)
        memcpy(copy, b, n);
    return copy;
}

/* Change 1 to 4 of the bytes b[0..n). */
static inline void mutate(uint64_t *state, uint8_t *b, size_t n)
{
    for (uint32_t k = 1 + random_below(state, 4); k > 0 && n > 0; k--)
        b[random_below(state, (uint32_t)n)] = (uint8_t)random64(state);
}

static inline void expect_reason(const char *step, enum reason got, enum reason want)
{
    if (got != want)
        fail_msg("%s: got %s, want %s", step, reason_text(got)->name, reason_text(want)->name);
}

static inline void expect_number(const char *step, uint64_t got, uint64_t want)
{
    if (got != want)
        fail_msg("%s: got %llu (0x%llx), want %llu (0x%llx)", step, (unsigned long long)got,
                 (unsigned long long)got, (unsigned long long)want, (unsigned long long)want);
}

/* A value that a parser must leave alone when it fails: filled before, looked at after. */
#define UNTOUCHED 0xa5

static inline void expect_untouched(const char *step, const void *value, size_t size)
{
    const uint8_t *b = value;

    for (size_t i = 0; i < size; i++)
        if (b[i] != UNTOUCHED)
            fail_msg("%s: the result was touched at byte %zu", step, i);
}

/* Cut b[0..len) into at most `max` slices at random places, some of them empty. Returns how many.
 */
static inline unsigned random_slices(uint64_t *state, const uint8_t *b, uint32_t len,
                                     struct slice *out, unsigned max)
{
    unsigned n = 1 + random_below(state, max);
    uint32_t at = 0;

    for (unsigned i = 0; i < n; i++) {
        uint32_t rest = len - at;
        uint32_t take = i + 1 == n ? rest : random_below(state, rest + 1);

        out[i] = (struct slice){.base = b + at, .len = take};
        at += take;
    }
    return n;
}

#endif
