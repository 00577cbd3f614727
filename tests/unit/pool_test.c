/* Pools of objects of one size. */
#include "base/pool.h"

#include <stdalign.h>

#include "stop_check.h"
#include "wire_check.h"

enum {
    COUNT = 7,
};

static alignas(16) uint8_t memory[4096];

static void test_memory_of_exactly_n_objects_gives_n(void **state)
{
    (void)state;
    for (size_t size = 1; size <= 64; size++) {
        size_t bytes = pool_bytes(COUNT, size);
        struct pool p;

        assert_true(bytes >= COUNT * size);
        assert_int_equal(pool_init(&p, memory, bytes - 1, size), COUNT - 1);
        assert_int_equal(pool_init(&p, memory, bytes, size), COUNT);
        assert_int_equal(pool_init(&p, memory, bytes + 1, size), COUNT);
        assert_int_equal(pool_init(&p, memory, 0, size), 0);
        assert_null(pool_get(&p));
        assert_int_equal(p.exhausted, 1);
    }
}

static void test_objects_do_not_overlap_and_are_aligned(void **state)
{
    (void)state;
    for (size_t size = 1; size <= 64; size++) {
        uint8_t *o[COUNT];
        struct pool p;

        pool_init(&p, memory, pool_bytes(COUNT, size), size);
        for (int i = 0; i < COUNT; i++) {
            o[i] = pool_get(&p);
            assert_int_equal((uintptr_t)o[i] % 8, 0);
            assert_true(o[i] >= memory && o[i] + size <= memory + pool_bytes(COUNT, size));
            memset(o[i], i + 1, size);
        }
        assert_null(pool_get(&p));
        for (int i = 0; i < COUNT; i++)
            for (size_t k = 0; k < size; k++)
                assert_int_equal(o[i][k], i + 1);
    }
}

/* Of whatever size: objects are numbered, and what is not where one begins has no number of one. */
static void test_the_number_of_an_object(void **state)
{
    (void)state;
    for (size_t size = 1; size <= 256; size++) {
        struct pool p;
        uint32_t count = pool_init(&p, memory, sizeof(memory), size);

        for (size_t off = 0; off < sizeof(memory); off++) {
            uint64_t n = pool_number(&p, memory + off);

            if (off % p.size == 0)
                assert_int_equal(n, off / p.size);
            else
                assert_true(n >= count);
        }
        assert_true(pool_number(&p, (void *)((uintptr_t)memory - 8)) >= count);
    }
}

static void test_memory_is_untouched_before_it_is_needed(void **state)
{
    struct pool p;

    (void)state;
    memset(memory, UNTOUCHED, sizeof(memory));
    pool_init(&p, memory, sizeof(memory), 24);
    for (int i = 0; i < 10; i++) {
        void *a = pool_get(&p), *b = pool_get(&p);

        pool_put(&p, a);
        pool_put(&p, b);
    }
    expect_untouched("two objects in use at most", memory + 2 * 24, sizeof(memory) - 2 * 24);
}

/* Whatever is in use at once is distinct, and its bytes stay what their owner wrote. */
static void test_random_use_keeps_count(void **state)
{
    uint64_t rng = 1, *held[COUNT] = {0}, exhausted = 0;
    uint32_t in_use = 0, peak = 0;
    struct pool p;

    (void)state;
    pool_init(&p, memory, pool_bytes(COUNT - 2, sizeof(uint64_t)), sizeof(uint64_t));
    for (uint64_t step = 0; step < 100000; step++) {
        uint32_t i = random_below(&rng, COUNT);

        if (held[i]) {
            assert_int_equal(*held[i] % COUNT, i);
            pool_put(&p, held[i]);
            held[i] = NULL;
            in_use--;
        } else if ((held[i] = pool_get(&p))) {
            *held[i] = step * COUNT + i;
            in_use++;
        } else {
            exhausted++;
            assert_int_equal(in_use, COUNT - 2);
        }
        peak = max32(peak, in_use);
        assert_int_equal(p.in_use, in_use);
        assert_int_equal(p.peak, peak);
        assert_int_equal(p.exhausted, exhausted);
    }
    assert_true(exhausted > 0);
}

static void put_twice(void)
{
    struct pool p;
    void *o;

    pool_init(&p, memory, sizeof(memory), 24);
    o = pool_get(&p);
    pool_put(&p, o);
    pool_put(&p, o);
}

static void put_from_elsewhere(void)
{
    struct pool p;

    pool_init(&p, memory, 240, 24);
    pool_get(&p);
    pool_put(&p, memory + 240);
}

static void put_never_given(void)
{
    struct pool p;

    pool_init(&p, memory, 240, 24);
    pool_get(&p);
    pool_put(&p, memory + 24);
}

static void put_the_inside(void)
{
    struct pool p;

    pool_init(&p, memory, 240, 24);
    pool_get(&p);
    pool_put(&p, memory + 8);
}

static void init_unaligned(void)
{
    struct pool p;

    pool_init(&p, memory + 4, 240, 24);
}

static void test_our_own_bugs_stop_the_program(void **state)
{
    (void)state;
    expect_stop(put_twice);
    expect_stop(put_from_elsewhere);
    expect_stop(put_never_given);
    expect_stop(put_the_inside);
    expect_stop(init_unaligned);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory_of_exactly_n_objects_gives_n),
        cmocka_unit_test(test_objects_do_not_overlap_and_are_aligned),
        cmocka_unit_test(test_the_number_of_an_object),
        cmocka_unit_test(test_memory_is_untouched_before_it_is_needed),
        cmocka_unit_test(test_random_use_keeps_count),
        cmocka_unit_test(test_our_own_bugs_stop_the_program),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
