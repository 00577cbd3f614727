/* Pools of buffers, slices and packets. */
#include "stop_check.h"
#include "wire_check.h"

enum {
    COUNT = 5,
    SIZE = 100,
};

static _Alignas(16) uint8_t memory[4096];

static struct buf_pool make_pool(void)
{
    struct buf_pool pool;

    assert_int_equal(buf_pool_init(&pool, memory, buf_pool_bytes(COUNT, SIZE), SIZE), COUNT);
    return pool;
}

static void test_memory_of_exactly_n_bufs_gives_n(void **state)
{
    struct buf_pool pool;
    size_t bytes = buf_pool_bytes(COUNT, SIZE);

    (void)state;
    assert_int_equal(buf_pool_init(&pool, memory, bytes - 1, SIZE), COUNT - 1);
    assert_int_equal(buf_pool_init(&pool, memory, bytes, SIZE), COUNT);
    assert_int_equal(buf_pool_init(&pool, memory, bytes + 1, SIZE), COUNT);
    assert_int_equal(buf_pool_init(&pool, memory, 0, SIZE), 0);
    assert_null(buf_get(&pool));
    assert_int_equal(pool.exhausted, 1);
}

static void test_bufs_do_not_overlap_and_are_aligned(void **state)
{
    struct buf_pool pool = make_pool();
    struct buf *b[COUNT];

    (void)state;
    for (int i = 0; i < COUNT; i++) {
        b[i] = buf_get(&pool);
        assert_non_null(b[i]);
        assert_int_equal((uintptr_t)b[i] % 16, 0);
        assert_int_equal(b[i]->size, SIZE);
        memset(b[i]->data, i + 1, SIZE);
    }
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(b[i]->refs, 1);
        assert_ptr_equal(b[i]->pool, &pool);
        for (int k = 0; k < SIZE; k++)
            assert_int_equal(b[i]->data[k], i + 1);
        assert_true(b[i]->data + SIZE <= memory + sizeof(memory));
    }
}

static void test_an_empty_pool_says_so_and_recovers(void **state)
{
    struct buf_pool pool = make_pool();
    struct buf *b[COUNT];

    (void)state;
    for (int i = 0; i < COUNT; i++)
        b[i] = buf_get(&pool);
    assert_null(buf_get(&pool));
    assert_null(buf_get(&pool));
    assert_int_equal(pool.exhausted, 2);
    assert_int_equal(pool.in_use, COUNT);
    buf_unref(b[3]);
    assert_int_equal(pool.in_use, COUNT - 1);
    assert_ptr_equal(buf_get(&pool), b[3]);
    assert_int_equal(pool.peak, COUNT);
}

static void test_the_last_reference_returns_a_buf(void **state)
{
    struct buf_pool pool = make_pool();
    struct buf *b = buf_get(&pool);

    (void)state;
    b->used = 7;
    assert_ptr_equal(buf_ref(b), b);
    buf_unref(b);
    assert_int_equal(pool.in_use, 1);
    buf_unref(b);
    assert_int_equal(pool.in_use, 0);
    assert_ptr_equal(buf_get(&pool), b);
    assert_int_equal(b->used, 0);
    assert_int_equal(b->refs, 1);
    buf_unref(NULL);
    assert_null(buf_ref(NULL));
}

static void test_memory_is_untouched_before_it_is_needed(void **state)
{
    struct buf_pool pool;

    (void)state;
    memset(memory, UNTOUCHED, sizeof(memory));
    pool = make_pool();
    for (int i = 0; i < 10; i++) {
        struct buf *a = buf_get(&pool), *b = buf_get(&pool);

        buf_unref(a);
        buf_unref(b);
    }
    assert_int_equal(pool.fresh, 2);
    expect_untouched("two bufs in use at most", memory + 2 * pool.stride,
                     sizeof(memory) - 2 * pool.stride);
}

static void test_random_use_keeps_count(void **state)
{
    struct buf_pool pool = make_pool();
    struct buf *held[COUNT * 3] = {0};
    uint64_t rng = 1;

    (void)state;
    for (int step = 0; step < 100000; step++) {
        struct buf **at = &held[random_below(&rng, COUNT * 3)];
        struct buf *other = held[random_below(&rng, COUNT * 3)];
        uint32_t distinct = 0;

        if (*at) {
            buf_unref(*at);
            *at = NULL;
        } else {
            *at = random_below(&rng, 2) ? buf_ref(other) : buf_get(&pool);
        }
        for (int i = 0; i < COUNT * 3; i++) {
            int k = 0;

            while (held[k] != held[i])
                k++;
            distinct += held[i] && k == i;
        }
        assert_int_equal(pool.in_use, distinct);
    }
}

static void drop_twice(void)
{
    struct buf_pool pool = make_pool();
    struct buf *b = buf_get(&pool);

    buf_unref(b);
    buf_unref(b);
}

static void slice_too_long(void)
{
    slice_sub((struct slice){.base = memory, .len = 10}, 4, 7);
}

static void slice_from_too_far(void)
{
    slice_sub((struct slice){.base = memory, .len = 10}, 11, 0);
}

static void too_many_parts(void)
{
    static struct pkt p;

    pkt_begin(&p, 20);
    for (int i = 0; i < PKT_PARTS_MAX; i++)
        pkt_add(&p, (struct slice){.base = memory, .len = 1});
}

static void too_much_header(void)
{
    static struct pkt p;

    pkt_begin(&p, PKT_ROOM + 1);
}

static void test_our_own_bugs_stop_the_program(void **state)
{
    (void)state;
    expect_stop(drop_twice);
    expect_stop(slice_too_long);
    expect_stop(slice_from_too_far);
    expect_stop(too_many_parts);
    expect_stop(too_much_header);
}

static void test_slice_sub_at_both_edges(void **state)
{
    struct buf b;
    struct slice s = {.buf = &b, .base = memory, .len = 10}, t;

    (void)state;
    t = slice_sub(s, 0, 10);
    assert_true(t.buf == &b && t.base == memory && t.len == 10);
    t = slice_sub(s, 3, 7);
    assert_true(t.buf == &b && t.base == memory + 3 && t.len == 7);
    t = slice_sub(s, 10, 0);
    assert_true(t.base == memory + 10 && t.len == 0);
    t = slice_sub((struct slice){0}, 0, 0);
    assert_true(t.base == NULL && t.len == 0);
}

static void test_pkt_flatten_gathers_in_order_and_stops_at_size(void **state)
{
    static struct pkt p;
    static const uint8_t payload[] = "payload";
    uint8_t out[32];

    (void)state;
    memset(&p, 0xff, sizeof(p));
    pkt_begin(&p, 4);
    memcpy(p.room, "HEAD", 4);
    pkt_add(&p, (struct slice){.base = payload, .len = 3});
    pkt_add(&p, (struct slice){0});
    pkt_add(&p, (struct slice){.base = payload + 3, .len = 4});
    assert_int_equal(p.len, 11);
    assert_int_equal(p.parts, 3);
    assert_true(p.marks == 0 && p.gso_size == 0 && p.csum_start == 0 && p.why == 0 && p.conn == 0);
    for (uint32_t size = 0; size <= 12; size++) {
        uint32_t want = size < 11 ? size : 11;

        memset(out, UNTOUCHED, sizeof(out));
        assert_int_equal(pkt_flatten(&p, out, size), want);
        assert_memory_equal(out, "HEADpayload", want);
        expect_untouched("behind the end", out + want, sizeof(out) - want);
    }
}

static void test_pkt_takes_all_its_parts(void **state)
{
    static struct pkt p;

    (void)state;
    pkt_begin(&p, PKT_ROOM);
    for (int i = 1; i < PKT_PARTS_MAX; i++)
        pkt_add(&p, (struct slice){.base = memory, .len = 2});
    assert_int_equal(p.parts, PKT_PARTS_MAX);
    assert_int_equal(p.len, PKT_ROOM + 2 * (PKT_PARTS_MAX - 1));
}

static void cutting_the_end_off(void **state)
{
    static const uint8_t bytes[] = "abcdefghij";
    static struct pkt p;
    uint8_t got[16];

    (void)state;
    pkt_begin(&p, 2);
    memcpy(p.room, "HH", 2);
    for (uint32_t i = 0; i < 3; i++)
        pkt_add(&p, (struct slice){NULL, bytes + 3 * i, 3});
    pkt_cut(&p, 0);
    assert_int_equal(p.len, 11);
    pkt_cut(&p, 2); /* of a part */
    assert_int_equal(p.parts, 4);
    assert_int_equal(pkt_flatten(&p, got, sizeof(got)), 9);
    assert_memory_equal(got, "HHabcdefg", 9);
    pkt_cut(&p, 2); /* the rest of it, and of the one before */
    assert_int_equal(p.parts, 3);
    assert_int_equal(p.len, 7);
    pkt_cut(&p, 5); /* all but the headers */
    assert_int_equal(p.parts, 1);
    assert_int_equal(pkt_flatten(&p, got, sizeof(got)), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory_of_exactly_n_bufs_gives_n),
        cmocka_unit_test(test_bufs_do_not_overlap_and_are_aligned),
        cmocka_unit_test(test_an_empty_pool_says_so_and_recovers),
        cmocka_unit_test(test_the_last_reference_returns_a_buf),
        cmocka_unit_test(test_memory_is_untouched_before_it_is_needed),
        cmocka_unit_test(test_random_use_keeps_count),
        cmocka_unit_test(test_our_own_bugs_stop_the_program),
        cmocka_unit_test(test_slice_sub_at_both_edges),
        cmocka_unit_test(test_pkt_flatten_gathers_in_order_and_stops_at_size),
        cmocka_unit_test(test_pkt_takes_all_its_parts),
        cmocka_unit_test(cutting_the_end_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
