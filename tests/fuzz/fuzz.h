/*
 * What all fuzzers share. A fuzzer is one function over bytes that anybody may have chosen:
 *
 *     NAME_fuzz.c   LLVMFuzzerTestOneInput, and behind it a program of its own
 *     replay.c      main where libFuzzer is not: the corpus, and seeded mutations of it
 *
 * An input is a script: a fuzzer takes what it has to decide from its front. A script that is at
 * its end answers zeros, so every string of bytes is a whole script, and one that was cut off is
 * close to the one it was cut from.
 *
 * What must hold is said by FUZZ_CHECK, in every build; it stops the program, because a fuzzer
 * finds what stops.
 */
#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/bytes.h"

/* Always 0; the same bytes do the same in every run and build. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_CHECK(holds, ...)                                                                     \
    do {                                                                                           \
        if (!(holds)) {                                                                            \
            fprintf(stderr, "%s:%d: ", __FILE__, __LINE__);                                        \
            fprintf(stderr, __VA_ARGS__);                                                          \
            fputc('\n', stderr);                                                                   \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

struct script {
    const uint8_t *b;
    size_t len; /* bytes left */
};

static inline bool script_ended(const struct script *s)
{
    return s->len == 0;
}

static inline uint8_t script_8(struct script *s)
{
    if (s->len == 0)
        return 0;
    s->len--;
    return *s->b++;
}

static inline uint16_t script_16(struct script *s)
{
    uint32_t high = script_8(s);

    return (uint16_t)(high << 8 | script_8(s));
}

static inline uint32_t script_32(struct script *s)
{
    uint32_t high = script_16(s);

    return high << 16 | script_16(s);
}

/* The next bytes as they stand, at most `len`; *ret_len says how many there are. */
static inline const uint8_t *script_bytes(struct script *s, size_t len, size_t *ret_len)
{
    const uint8_t *at = s->b;

    *ret_len = len < s->len ? len : s->len;
    s->b += *ret_len;
    s->len -= *ret_len;
    return at;
}

#endif
