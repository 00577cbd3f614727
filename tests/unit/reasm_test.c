/*
 * Reassembly, against a map that says for each sequence number which byte came first. What holds
 * after each call: what was there is still there, what is new came from the segment, and all of the
 * segment is there if the call said so. So limits need no model of their own.
 */
#include "tcp/reasm.h"

#include <stdalign.h>

#include "base/seq.h"
#include "packet_kit.h"
#include "wire_check.h"

enum {
    SPAN = 1 << 13, /* sequence numbers that the map covers */
    CELLS = 4096,
    SMALL = 512,
    SMALLS = 1500,
    LARGE = 1500,
    LARGES = 200,
    FIVE = 5,
    STEPS = 150, /* in each random round */
};

static struct pool cells;
static struct buf_pool small, large;
static struct reasm_mem mem = {&cells, &small, 0};
static alignas(16) uint8_t cell_memory[CELLS * REASM_CELL];

static struct reasm reasm;
static uint32_t origin;   /* the sequence number of map[0] */
static int16_t map[SPAN]; /* the byte, or -1 */
static bool chunks_full, ranges_full;

static void start_map(uint32_t seq, uint32_t span)
{
    origin = seq;
    for (uint32_t i = 0; i < span; i++)
        map[i] = -1;
}

static int setup(void **state)
{
    (void)state;
    assert_int_equal(pool_init(&cells, cell_memory, sizeof(cell_memory), REASM_CELL), CELLS);
    kit_pool(&small, SMALLS, SMALL);
    kit_pool(&large, LARGES, LARGE);
    reasm = (struct reasm){0};
    start_map(0, SPAN);
    return 0;
}

/* Everything that was taken has come back. */
static int teardown(void **state)
{
    (void)state;
    reasm_clear(&reasm, &cells);
    return cells.in_use || small.in_use || large.in_use || reasm.ranges || reasm.chunks ? -1 : 0;
}

/* The bytes of one range: as before, or new and those of s at seq. Returns how many. */
static uint32_t check_range(const struct reasm_range *g, uint32_t seq, struct slice s)
{
    uint32_t at = g->start, chunks = 0;

    for (const struct chunk *c = g->head; c; c = c == g->tail ? NULL : c->next) {
        assert_true(c->s.len > 0);
        chunks++;
        for (uint32_t i = 0; i < c->s.len; i++, at++) {
            int16_t *m = &map[at - origin];

            if (at - origin >= SPAN || (*m < 0 && at - seq >= s.len))
                fail_msg("a byte at %u that nobody sent", at);
            if (*m < 0)
                *m = s.base[at - seq];
            if (c->s.base[i] != *m)
                fail_msg("at %u is %d, not %d, which came first", at, c->s.base[i], *m);
        }
    }
    assert_int_equal(at, g->end);
    assert_int_equal(chunks, g->chunks);
    return g->end - g->start;
}

/* The structure is as reasm.h says, and every byte is the first that came. */
static void check(uint32_t seq, struct slice s, uint32_t span)
{
    uint32_t ranges = 0, chunks = 0, bytes = 0, mapped = 0;

    for (const struct reasm_range *g = reasm.first; g; g = g->next) {
        assert_true(seq_lt(g->start, g->end));
        assert_true(!g->next || seq_lt(g->end, g->next->start));
        bytes += check_range(g, seq, s);
        chunks += g->chunks;
        ranges++;
    }
    for (uint32_t i = 0; i < span; i++)
        mapped += map[i] >= 0;
    assert_int_equal(bytes, mapped); /* nothing that was there is gone */
    assert_int_equal(ranges, reasm.ranges);
    assert_int_equal(chunks, reasm.chunks);
    assert_true(ranges <= REASM_RANGES_MAX && chunks <= reasm_chunks_max(mem.window));
    ranges_full |= ranges == REASM_RANGES_MAX;
    chunks_full |= chunks == REASM_CHUNKS_MAX;
}

static bool insert_slice(uint32_t seq, struct slice s, uint32_t span)
{
    bool all = reasm_insert(&reasm, &mem, seq, s);

    check(seq, s, span);
    for (uint32_t i = 0; all && i < s.len; i++)
        assert_true(map[seq - origin + i] >= 0);
    return all;
}

/* `len` bytes of one value, lent for the moment. */
static bool insert(uint32_t seq, uint32_t len, uint8_t value, uint32_t span)
{
    static uint8_t bytes[SPAN];

    memset(bytes, value, len);
    return insert_slice(seq, (struct slice){NULL, bytes, len}, span);
}

/* Take from `nxt` on: exactly what the map has there without a gap. Returns how much. */
static uint32_t take(uint32_t nxt, uint32_t span)
{
    struct chunkq q = {0};
    uint32_t from = nxt - origin, want = 0, added = reasm_take(&reasm, &cells, nxt, &q), at = from;

    while (from + want < span && map[from + want] >= 0)
        want++;
    assert_int_equal(added, want);
    assert_int_equal(q.bytes, want);
    for (const struct chunk *c = q.head; c; c = c->next)
        for (uint32_t i = 0; i < c->s.len; i++, at++)
            if (c->s.base[i] != map[at])
                fail_msg("took %d at %u, not %d", c->s.base[i], at, map[at]);
    assert_int_equal(at, from + want);
    chunkq_drop(&q, &cells, q.bytes, NULL);
    /* what was old when it was taken is dropped, too, together with the range it stood in */
    for (uint32_t i = 0; i < from + want; i++)
        map[i] = -1;
    check(0, (struct slice){0}, span);
    return added;
}

/* ---- five segments ---- */

/* How far a segment reaches to the left and to the right of its own five bytes. */
static const struct {
    int left, right;
} shapes[] = {
    {0, 0},  /* touches both neighbours */
    {0, -1}, /* a gap behind it */
    {2, 0},  /* laps over its left neighbour */
    {3, 3},  /* laps over both, and over those that lap over them */
    {-2, 6}, /* a gap before it; covers all of its right neighbour, and one more */
};

enum {
    SHAPES = sizeof(shapes) / sizeof(shapes[0]),
    OWN = 5,     /* bytes */
    MARGIN = 10, /* bytes before the first and behind the last */
    SHORT = 2 * MARGIN + FIVE * OWN,
};

/* Segment `i` of the five, in one of its shapes. */
static void insert_shape(unsigned i, unsigned shape)
{
    uint32_t seq = origin + MARGIN + i * OWN - (uint32_t)shapes[shape].left;

    assert_true(insert(seq, (uint32_t)(OWN + shapes[shape].left + shapes[shape].right),
                       (uint8_t)(i + 1), SHORT));
}

static void run_permutation(const unsigned order[FIVE], const unsigned shape[FIVE])
{
    uint32_t start = 0;

    start_map(origin, SHORT);
    for (unsigned i = 0; i < FIVE; i++)
        insert_shape(order[i], shape[order[i]]);
    while (map[start] < 0)
        start++;
    take(origin + start + shape[order[0]], SHORT); /* at the first byte, or inside */
    reasm_clear(&reasm, &cells);
    assert_int_equal(cells.in_use, 0);
    assert_int_equal(small.in_use, 0);
}

static void permute(unsigned order[FIVE], unsigned fixed, const unsigned shape[FIVE])
{
    if (fixed == FIVE) {
        run_permutation(order, shape);
        return;
    }
    for (unsigned i = fixed; i < FIVE; i++) {
        unsigned was = order[fixed];

        order[fixed] = order[i];
        order[i] = was;
        permute(order, fixed + 1, shape);
        order[i] = order[fixed];
        order[fixed] = was;
    }
}

/* 5^5 combinations of shapes, each in all 120 orders, at and across the wrap. */
static void test_every_permutation_and_overlap_of_five_segments(void **state)
{
    unsigned combinations = 1;

    (void)state;
    for (unsigned i = 0; i < FIVE; i++)
        combinations *= SHAPES;
    for (unsigned n = 0; n < combinations; n++) {
        unsigned order[FIVE] = {0, 1, 2, 3, 4}, shape[FIVE], rest = n;

        for (unsigned i = 0; i < FIVE; i++) {
            shape[i] = rest % SHAPES;
            rest /= SHAPES;
        }
        origin = 0u - n % SHORT;
        permute(order, 0, shape);
    }
}

/* ---- at random, with memory that is now and then used up ---- */

static struct slice random_slice(uint64_t *rng)
{
    uint32_t len = 1 + random_below(rng, random_below(rng, 2) ? LARGE : 20);
    struct buf *b = random_below(rng, 3) ? buf_get(&large) : NULL;
    static uint8_t lent[LARGE];
    uint8_t *bytes = b ? b->data : lent;

    random_fill(rng, bytes, len);
    return (struct slice){b, bytes, len};
}

static void random_round(uint64_t *rng)
{
    unsigned refused = 0;

    start_map((uint32_t)random64(rng), SPAN);
    if (random_below(rng, 2))
        origin = 0u - random_below(rng, SPAN);
    for (int step = 0; step < STEPS; step++) {
        struct slice s = random_slice(rng);

        refused += !insert_slice(origin + random_below(rng, SPAN - LARGE), s, SPAN);
        buf_unref(s.buf);
        if (random_below(rng, 50) == 0)
            take(origin + random_below(rng, SPAN / 2), SPAN);
    }
    assert_true(refused < STEPS);
    reasm_clear(&reasm, &cells);
    assert_true(cells.in_use == 0 && small.in_use == 0 && large.in_use == 0);
}

static void test_random_use_against_the_map(void **state)
{
    uint64_t rng = 1, refused_cells = 0, refused_bufs = 0;

    (void)state;
    for (int round = 0; round < 40; round++) {
        bool scarce = round % 2;

        pool_init(&cells, cell_memory, scarce ? 16 * REASM_CELL : sizeof(cell_memory), REASM_CELL);
        buf_pool_init(&small, small.mem, buf_pool_bytes(scarce ? 5 : SMALLS, SMALL), SMALL);
        random_round(&rng);
        refused_cells += cells.exhausted;
        refused_bufs += small.exhausted;
    }
    assert_true(refused_cells > 0 && refused_bufs > 0);
}

/* ---- limits ---- */

/* Every other byte: one range each. The one too many is refused and harms nothing. */
static void test_the_limit_of_ranges(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < REASM_RANGES_MAX; i++)
        assert_true(insert(2 * i, 1, (uint8_t)i, SPAN));
    assert_true(ranges_full);
    assert_false(insert(2 * REASM_RANGES_MAX, 1, 1, SPAN));
    assert_int_equal(reasm.ranges, REASM_RANGES_MAX);
    /* what touches a range is still welcome, and makes room */
    assert_true(insert(2 * REASM_RANGES_MAX - 1, 1, 2, SPAN));
    assert_true(insert(1, 1, 3, SPAN));
    assert_int_equal(reasm.ranges, REASM_RANGES_MAX - 1);
    assert_true(insert(2 * REASM_RANGES_MAX + 1, 1, 4, SPAN));
    assert_int_equal(reasm.ranges, REASM_RANGES_MAX);
    assert_true(insert(0, SPAN, 5, SPAN));
    assert_int_equal(reasm.ranges, 1);
    assert_int_equal(take(0, SPAN), SPAN);
    assert_int_equal(cells.in_use, 0);
}

/* A segment that would begin a range too many stops there; behind a range it fills all gaps. */
static void test_a_segment_over_all_gaps_when_ranges_are_used_up(void **state)
{
    uint32_t end = 100 + 10 * REASM_RANGES_MAX;

    (void)state;
    for (uint32_t i = 0; i < REASM_RANGES_MAX; i++)
        assert_true(insert(100 + 10 * i, 1, (uint8_t)i, SPAN));
    assert_false(insert(50, end, 1, SPAN));
    assert_int_equal(reasm.ranges, REASM_RANGES_MAX);
    assert_true(insert(100, end, 2, SPAN));
    assert_int_equal(reasm.ranges, 1);
    assert_true(insert(50, end, 3, SPAN));
    assert_int_equal(take(50, SPAN), 50 + end);
}

/* Backwards, byte by byte: each joins the range behind it, and costs a chunk of its own. */
static void test_the_limit_of_chunks(void **state)
{
    uint32_t taken = 0;

    (void)state;
    while (insert(SPAN - 1 - taken, 1, (uint8_t)taken, SPAN))
        taken++;
    assert_true(chunks_full);
    assert_int_equal(taken, REASM_CHUNKS_MAX);
    assert_int_equal(reasm.ranges, 1);
    assert_int_equal(cells.in_use, REASM_CHUNKS_MAX + 1);
    assert_int_equal(small.in_use, REASM_CHUNKS_MAX);
    assert_false(insert(5, 1, 1, SPAN));
    assert_true(insert(SPAN - 10, 10, 1, SPAN)); /* nothing new: nothing to refuse */
    assert_int_equal(take(SPAN - taken, SPAN), taken);
    assert_int_equal(cells.in_use, 0);
    assert_true(insert(5, 1, 1, SPAN));
}

/* Who promises a large window must be able to keep what comes. */
static void test_a_large_window_may_have_more_chunks(void **state)
{
    enum { MANY = 1300 };
    uint32_t taken = 0;

    (void)state;
    mem.window = MANY * REASM_CHUNK;
    while (insert(SPAN - 1 - taken, 1, (uint8_t)taken, SPAN))
        taken++;
    mem.window = 0;
    assert_int_equal(taken, MANY);
    assert_int_equal(reasm_chunks_max(MANY * REASM_CHUNK), MANY);
    assert_int_equal(reasm_chunks_max(65535), REASM_CHUNKS_MAX);
    assert_int_equal(reasm_chunks_max(UINT32_MAX), UINT16_MAX);
}

/* Forwards, byte by byte, they share bufs; a chunk is counted for each buf, however it was filled.
 */
static void test_tiny_segments_share_memory(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 10 * SMALL; i++)
        assert_true(insert(1 + i, 1, (uint8_t)i, SPAN));
    assert_int_equal(small.in_use, 10);
    assert_int_equal(reasm.chunks, 10);
    assert_int_equal(cells.in_use, 11);
}

/* One lent segment may fill several small bufs: each is a chunk, and each counts. */
static void test_a_long_lent_segment_counts_all_its_chunks(void **state)
{
    (void)state;
    assert_true(insert(100, 5 * SMALL + 1, 1, SPAN));
    assert_int_equal(reasm.chunks, 6);
    assert_int_equal(take(100, SPAN), 5 * SMALL + 1);
    assert_int_equal(reasm.chunks, 0);
}

/* Thousands of one-byte segments in random order: within the limits, whatever they do. */
static void test_tiny_segments_cost_bounded_memory(void **state)
{
    uint64_t rng = 2;

    (void)state;
    for (int i = 0; i < 5000; i++) {
        insert(random_below(&rng, SPAN), 1, (uint8_t)i, SPAN);
        insert(1000 + random_below(&rng, 2000), 1, (uint8_t)i, SPAN);
        assert_true(cells.in_use <= REASM_CHUNKS_MAX + REASM_RANGES_MAX);
        assert_true(small.in_use <= REASM_CHUNKS_MAX);
    }
    assert_true(ranges_full);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_every_permutation_and_overlap_of_five_segments),
        TEST(test_random_use_against_the_map),
        TEST(test_the_limit_of_ranges),
        TEST(test_a_segment_over_all_gaps_when_ranges_are_used_up),
        TEST(test_the_limit_of_chunks),
        TEST(test_a_large_window_may_have_more_chunks),
        TEST(test_tiny_segments_share_memory),
        TEST(test_a_long_lent_segment_counts_all_its_chunks),
        TEST(test_tiny_segments_cost_bounded_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
