/* Sequence numbers, around every edge of the number space. */
#include "base/seq.h"

#include "wire_check.h"

enum {
    AROUND = 40, /* numbers to each side of an edge */
};

static const uint32_t edges[] = {0, 0x7fffffff, 0x80000000, 0xc0000000, 0x12345678};

/* By the definition: the distance from a to b, going forward, without conversions to signed. */
static bool before(uint32_t a, uint32_t b)
{
    uint64_t forward = b >= a ? (uint64_t)b - a : (UINT64_C(1) << 32) + b - a;

    return forward > 0 && forward < UINT64_C(1) << 31;
}

static void expect_order(uint32_t a, uint32_t b)
{
    bool lt = before(a, b), gt = before(b, a), same = a == b;

    if (seq_lt(a, b) != lt || seq_gt(a, b) != gt || seq_leq(a, b) != (lt || same) ||
        seq_geq(a, b) != (gt || same))
        fail_msg("%08x and %08x are not ordered as they should be", a, b);
    if (seq_min(a, b) != (lt ? a : b) || seq_max(a, b) != (gt ? a : b))
        fail_msg("%08x and %08x: wrong minimum or maximum", a, b);
}

/* Numbers within half the space, on both sides of the wrap and of the sign. */
static void test_every_pair_around_every_edge(void **state)
{
    (void)state;
    for (unsigned e = 0; e < sizeof(edges) / sizeof(edges[0]); e++)
        for (uint32_t i = 0; i <= 2 * AROUND; i++)
            for (uint32_t k = 0; k <= 2 * AROUND; k++)
                expect_order(edges[e] + i - AROUND, edges[e] + k - AROUND);
}

/* The largest distance at which the order is defined, and one less, from everywhere. */
static void test_distances_up_to_half_the_space(void **state)
{
    (void)state;
    for (unsigned e = 0; e < sizeof(edges) / sizeof(edges[0]); e++)
        for (uint32_t i = 0; i <= 2 * AROUND; i++)
            for (uint32_t d = 1; d <= AROUND; d++) {
                uint32_t a = edges[e] + i - AROUND;

                expect_order(a, a + 0x80000000 - d);
                expect_order(a + 0x80000000 - d, a);
            }
}

static void test_windows_across_the_wrap(void **state)
{
    (void)state;
    for (uint32_t start = 0xffffffff - AROUND; start != AROUND; start++) {
        for (uint32_t len = 1; len <= 1u << 30; len *= 2) {
            assert_true(seq_lt(start, start + len) && seq_gt(start + len, start));
            assert_true(seq_leq(start, start) && seq_geq(start, start));
            assert_true(seq_lt(start + len - 1, start + len));
            assert_false(seq_lt(start + len, start + len));
            assert_int_equal(seq_max(start, start + len), start + len);
            assert_int_equal(seq_min(start + len, start), start);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_pair_around_every_edge),
        cmocka_unit_test(test_distances_up_to_half_the_space),
        cmocka_unit_test(test_windows_across_the_wrap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
