/* The checksum against the plain reading of RFC 1071. */
#include <stdlib.h>

#include "wire_check.h"

/* The sum as the RFC says it, a word at a time. */
static uint32_t naive_add(uint32_t sum, const uint8_t *b, size_t len)
{
    uint64_t s = sum;

    for (size_t i = 0; i < len; i++)
        s += i % 2 == 0 ? (uint64_t)b[i] << 8 : b[i];
    while (s >> 16)
        s = (s & 0xffff) + (s >> 16);
    return (uint32_t)s;
}

static void test_the_example_of_rfc_1071(void **state)
{
    static const uint8_t b[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};

    (void)state;
    assert_int_equal(checksum_add(0, b, sizeof(b)), 0xddf2);
    assert_int_equal(checksum_finish(0xddf2), 0x220d);
}

static void test_every_length_and_alignment(void **state)
{
    static const uint32_t sums[] = {0, 1, 0xfffe, 0xffff, 0x10000, 0x1fffe, 0xffff0000, 0xffffffff};
    uint8_t b[7 + 130];
    uint64_t rng = 2;

    (void)state;
    for (size_t at = 0; at < 8; at++) {
        for (size_t len = 0; len <= 130; len++) {
            random_fill(&rng, b, sizeof(b));
            for (size_t k = 0; k < sizeof(sums) / sizeof(sums[0]); k++) {
                const uint8_t *copy = exact_copy(b + at, len);

                expect_number("random bytes", checksum_add(sums[k], copy, len),
                              naive_add(sums[k], b + at, len));
                expect_number("aligned elsewhere", checksum_add(sums[k], b + at, len),
                              naive_add(sums[k], b + at, len));
            }
        }
    }
}

static void test_headers_of_every_length(void **state)
{
    uint8_t b[2 + 64];
    uint64_t rng = 3;

    (void)state;
    for (size_t len = 0; len <= 64; len += 4) {
        random_fill(&rng, b, sizeof(b));
        expect_number("random bytes", checksum_finish(checksum_header(0x1fffe, b + 1, len)),
                      checksum_finish(naive_add(0x1fffe, b + 1, len)));
        memset(b, 0xff, sizeof(b));
        expect_number("all ones", checksum_finish(checksum_header(0xffffffff, b + 2, len)),
                      checksum_finish(naive_add(0xffffffff, b + 2, len)));
    }
}

static void test_bytes_that_carry_most(void **state)
{
    static uint8_t b[65536];

    (void)state;
    for (size_t len = 0; len <= 65536; len = len < 200 ? len + 1 : len * 2 - len % 2) {
        memset(b, 0xff, len);
        expect_number("all ones", checksum_add(0, b, len), naive_add(0, b, len));
        memset(b, 0, len);
        expect_number("all zeros", checksum_add(0, b, len), 0);
        expect_number("all zeros, field", checksum_finish(checksum_add(0, b, len)), 0xffff);
    }
    memset(b, 0xff, sizeof(b));
    expect_number("64 KiB of ones", checksum_add(0xffffffff, b, 65536), 0xffff);
    expect_number("65,535 ones", checksum_add(0, b, 65535), naive_add(0, b, 65535));
}

static void test_finish_folds_every_carry(void **state)
{
    (void)state;
    assert_int_equal(checksum_finish(0), 0xffff);
    assert_int_equal(checksum_finish(0xffff), 0);
    assert_int_equal(checksum_finish(0x10000), 0xfffe);
    assert_int_equal(checksum_finish(0x1ffff), 0xfffe);
    assert_int_equal(checksum_finish(0xffffffff), 0);
    assert_int_equal(checksum_finish(0xfffeffff), 1);
}

static void test_parts_count_as_one_piece(void **state)
{
    static uint8_t b[2000];
    struct slice part[20];
    uint64_t rng = 3;

    (void)state;
    for (int round = 0; round < 20000; round++) {
        uint32_t len = random_below(&rng, round % 100 == 0 ? 2000 : 100);
        uint32_t sum = (uint32_t)random64(&rng);
        unsigned n;

        random_fill(&rng, b, len);
        n = random_slices(&rng, b, len, part, 20);
        expect_number("random parts", checksum_parts(sum, part, n),
                      checksum_finish(naive_add(sum, b, len)));
    }
    expect_number("no parts", checksum_parts(0x1234, NULL, 0), checksum_finish(0x1234));
    part[0] = (struct slice){0};
    expect_number("an empty part without bytes", checksum_parts(7, part, 1), checksum_finish(7));
}

static void test_what_was_summed_has_no_residue(void **state)
{
    uint8_t b[64];
    uint64_t rng = 4;

    (void)state;
    for (int round = 0; round < 10000; round++) {
        size_t len = 2 + random_below(&rng, 62);
        uint32_t sum = (uint32_t)random64(&rng);
        uint32_t bit;

        random_fill(&rng, b, len);
        put16(b, 0);
        put16(b, checksum_residue(sum, b, len));
        expect_number("residue", checksum_residue(sum, b, len), 0);
        assert_true(checksum_good(sum, b, len));
        bit = random_below(&rng, (uint32_t)len * 8);
        b[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_not_equal(checksum_residue(sum, b, len), 0);
        assert_false(checksum_good(sum, b, len));
    }
}

/* The same question in one look for a header of 20 bytes, at any alignment. */
static void test_a_plain_header_is_good_or_not(void **state)
{
    uint8_t room[28];
    uint64_t rng = 5;

    (void)state;
    for (int round = 0; round < 20000; round++) {
        uint8_t *b = room + round % 8;
        uint32_t bit = random_below(&rng, 160);

        random_fill(&rng, b, 20);
        if (round % 3 == 0)
            memset(b, round % 2 ? 0xff : 0, 10 + random_below(&rng, 10));
        b[0] = 0x45;
        assert_int_equal(checksum_plain_good(b), checksum_residue(0, b, 20) == 0);
        put16(b + 10, 0);
        put16(b + 10, checksum_residue(0, b, 20));
        assert_true(checksum_plain_good(b));
        b[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(checksum_plain_good(b));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_example_of_rfc_1071),
        cmocka_unit_test(test_every_length_and_alignment),
        cmocka_unit_test(test_headers_of_every_length),
        cmocka_unit_test(test_bytes_that_carry_most),
        cmocka_unit_test(test_finish_folds_every_carry),
        cmocka_unit_test(test_parts_count_as_one_piece),
        cmocka_unit_test(test_what_was_summed_has_no_residue),
        cmocka_unit_test(test_a_plain_header_is_good_or_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
