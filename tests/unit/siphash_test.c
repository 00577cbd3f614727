/* Our SipHash against libsodium's, and that each byte of what is hashed counts. */
#include <setjmp.h>
#include <sodium/crypto_shorthash.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/siphash.h"

enum {
    BYTES = 36,
};

static const uint8_t key[SIPHASH_KEY] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 255};

static uint64_t ours(const uint8_t *b, unsigned len, unsigned rounds, unsigned last)
{
    uint64_t block[BYTES / 8], rest = 0;

    memcpy(block, b, len / 8 * 8);
    memcpy(&rest, b + len / 8 * 8, len % 8);
    return siphash(key, block, len / 8, rest | (uint64_t)len << 56, rounds, last);
}

static void test_two_and_four_rounds_are_libsodiums(void **state)
{
    uint8_t b[BYTES], out[crypto_shorthash_BYTES];
    uint64_t theirs;

    (void)state;
    for (unsigned i = 0; i < BYTES; i++)
        b[i] = (uint8_t)(i * 37 + 200);
    for (unsigned len = 0; len <= BYTES; len++) {
        crypto_shorthash(out, b, len, key);
        memcpy(&theirs, out, sizeof(theirs));
        assert_true(ours(b, len, 2, 4) == theirs);
    }
}

static void test_each_bit_counts_with_one_and_three(void **state)
{
    uint8_t b[BYTES] = {0};
    uint64_t zero = ours(b, BYTES, 1, 3);

    (void)state;
    for (unsigned bit = 0; bit < 8 * BYTES; bit++) {
        b[bit / 8] = (uint8_t)(1 << bit % 8);
        assert_true((ours(b, BYTES, 1, 3) ^ zero) & 0xffff);
        assert_true(ours(b, BYTES, 1, 3) >> 32 != zero >> 32);
        b[bit / 8] = 0;
    }
    assert_true(ours(b, 12, 1, 3) != ours(b, 20, 1, 3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_and_four_rounds_are_libsodiums),
        cmocka_unit_test(test_each_bit_counts_with_one_and_three),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
