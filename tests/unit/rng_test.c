/* The seeded generator. */
#include "base/rng.h"

#include "wire_check.h"

/* The first numbers of splitmix64 as its authors' program gives them. */
static void test_known_numbers(void **state)
{
    static const uint64_t want[] = {
        UINT64_C(6457827717110365317),  UINT64_C(3203168211198807973),
        UINT64_C(9817491932198370423),  UINT64_C(4593380528125082431),
        UINT64_C(16408922859458223821),
    };
    struct rng r = {1234567}, zero = {0};

    (void)state;
    for (unsigned i = 0; i < sizeof(want) / sizeof(want[0]); i++)
        expect_number("seed 1234567", rng_next(&r), want[i]);
    expect_number("seed 0", rng_next(&zero), UINT64_C(0xe220a8397b1dcdaf));
}

static void test_the_same_seed_repeats_and_another_does_not(void **state)
{
    struct rng a = {42}, b = {42}, c = {43};
    unsigned same = 0;

    (void)state;
    for (int i = 0; i < 1000; i++) {
        uint64_t n = rng_next(&a);

        assert_true(n == rng_next(&b));
        same += n == rng_next(&c);
    }
    assert_int_equal(same, 0);
}

/* Every number under `below` comes, none beyond, each about as often as the others. */
static void test_below_is_even_and_within_its_bound(void **state)
{
    (void)state;
    for (uint32_t below = 1; below <= 40; below++) {
        struct rng r = {below};
        uint32_t seen[40] = {0}, rounds = 1000 * below;

        for (uint32_t i = 0; i < rounds; i++) {
            uint32_t n = rng_below(&r, below);

            assert_true(n < below);
            seen[n]++;
        }
        for (uint32_t n = 0; n < below; n++)
            assert_in_range(seen[n], 800, 1200); /* six standard deviations of sqrt(1000) */
    }
}

static void test_below_at_the_largest_bound(void **state)
{
    struct rng r = {5};
    uint32_t low = UINT32_MAX, high = 0;

    (void)state;
    for (int i = 0; i < 100000; i++) {
        uint32_t n = rng_below(&r, UINT32_MAX);

        low = n < low ? n : low;
        high = n > high ? n : high;
        assert_true(n < UINT32_MAX);
    }
    assert_true(low < UINT32_MAX / 1000 && high > UINT32_MAX - UINT32_MAX / 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_numbers),
        cmocka_unit_test(test_the_same_seed_repeats_and_another_does_not),
        cmocka_unit_test(test_below_is_even_and_within_its_bound),
        cmocka_unit_test(test_below_at_the_largest_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
