/*
 * Queues of bytes by reference, against a flat array of the same bytes. Whoever pops a slice holds
 * it for a while and looks at its bytes again, so that a queue which writes into bytes that others
 * still see is found out.
 */
#include "base/chunk.h"

#include <stdalign.h>

#include "packet_kit.h"
#include "stop_check.h"
#include "wire_check.h"

enum {
    STEPS = 40000,
    CELLS = 60,
    TINY = 150,   /* chunks for the test that has one per byte */
    LARGE = 2048, /* bytes in a buf of a device */
    LARGES = 24,
    SMALL = 512, /* bytes in a small buf */
    SMALLS = 48,
    FLAT = CELLS * LARGE,
    HELD = 16,
};

static struct pool cells;
static struct buf_pool small, large;
static alignas(16) uint8_t cell_memory[TINY * sizeof(struct chunk)];
static uint8_t constant[LARGE];
static struct pkt packet;

/* A queue and what it should hold. */
static struct model {
    struct chunkq q;
    struct chunk_cursor cursor;
    uint8_t flat[FLAT];
    uint32_t len;
} models[2];

/* Slices that somebody popped, with a copy of what they said then. */
static struct {
    struct slice s;
    uint8_t bytes[LARGE];
} held[HELD];

static int setup(void **state)
{
    uint64_t rng = 99;

    (void)state;
    memset(models, 0, sizeof(models));
    memset(held, 0, sizeof(held));
    pool_init(&cells, cell_memory, pool_bytes(CELLS, sizeof(struct chunk)), sizeof(struct chunk));
    assert_int_equal(cells.count, CELLS);
    kit_pool(&small, SMALLS, SMALL);
    kit_pool(&large, LARGES, LARGE);
    random_fill(&rng, constant, sizeof(constant));
    return 0;
}

/* Everything that was taken has come back. */
static int teardown(void **state)
{
    (void)state;
    return cells.in_use || small.in_use || large.in_use ? -1 : 0;
}

static void add_model(struct model *m, const uint8_t *bytes, uint32_t len)
{
    assert_true(m->len + len <= FLAT);
    memcpy(m->flat + m->len, bytes, len);
    m->len += len;
}

static void drop_model(struct model *m, uint32_t len)
{
    m->len -= len;
    memmove(m->flat, m->flat + len, m->len);
}

static void check(const struct model *m)
{
    uint32_t at = 0;
    bool cursor_found = !m->cursor.at;
    const struct chunk *last = NULL;

    for (const struct chunk *c = m->q.head; c; c = c->next) {
        assert_true(c->s.len > 0 && at + c->s.len <= m->len);
        assert_memory_equal(c->s.base, m->flat + at, c->s.len);
        if (c == m->cursor.at) {
            assert_int_equal(m->cursor.off, at);
            cursor_found = true;
        }
        at += c->s.len;
        last = c;
    }
    assert_int_equal(at, m->len);
    assert_int_equal(m->q.bytes, m->len);
    assert_ptr_equal(m->q.tail, last);
    assert_true(cursor_found);
}

/* A slice of random bytes as a device would hand it on, with a reference of the caller's. */
static struct slice arrival(uint64_t *rng)
{
    struct buf *b = random_below(rng, 4) ? buf_get(&large) : NULL;
    uint32_t len = random_below(rng, 2) ? 1 + random_below(rng, 2 * CHUNK_COPY_BREAK)
                                        : 1 + random_below(rng, LARGE);
    uint32_t off = random_below(rng, LARGE - len + 1);

    if (!b)
        return (struct slice){NULL, constant + off, len};
    random_fill(rng, b->data, LARGE);
    b->used = off + len;
    return (struct slice){b, b->data + off, len};
}

static void push(struct model *m, struct slice s)
{
    if (chunkq_push(&m->q, &cells, s)) {
        add_model(m, s.base, s.len);
    } else {
        assert_int_equal(cells.in_use, CELLS);
        buf_unref(s.buf);
    }
}

/* As one slice, or as two that continue each other. */
static void step_push(struct model *m, uint64_t *rng)
{
    struct slice s = arrival(rng);
    uint32_t first = random_below(rng, 2) ? random_below(rng, s.len) : 0;

    if (first) {
        if (s.buf)
            buf_ref(s.buf);
        push(m, slice_sub(s, 0, first));
    }
    push(m, slice_sub(s, first, s.len - first));
}

static void step_push_copy(struct model *m, uint64_t *rng)
{
    uint8_t bytes[3 * SMALL];
    uint32_t len = 1 + random_below(rng, random_below(rng, 2) ? 40 : sizeof(bytes)), done;

    random_fill(rng, bytes, len);
    done = chunkq_push_copy(&m->q, &cells, &small, bytes, len);
    assert_true(done <= len);
    if (done < len)
        assert_true(cells.in_use == CELLS || small.in_use == SMALLS);
    add_model(m, bytes, done);
}

static void step_keep(struct model *m, uint64_t *rng)
{
    struct slice s = arrival(rng);
    uint32_t refs = s.buf ? s.buf->refs : 0, done = chunkq_keep(&m->q, &cells, &small, s);

    add_model(m, s.base, done);
    if (s.buf) {
        bool by_reference = s.len > CHUNK_COPY_BREAK && done;

        assert_int_equal(s.buf->refs, refs + by_reference);
        memset(s.buf->data, 0, by_reference ? 0 : LARGE); /* a copy does not look here again */
    }
    buf_unref(s.buf);
}

static void release(unsigned i)
{
    if (held[i].s.len)
        assert_memory_equal(held[i].s.base, held[i].bytes, held[i].s.len);
    buf_unref(held[i].s.buf);
    held[i].s = (struct slice){0};
}

static void step_pop(struct model *m, uint64_t *rng)
{
    uint32_t max = 1 + random_below(rng, LARGE);
    unsigned i = random_below(rng, HELD);

    release(i);
    if (!m->q.head)
        return;
    m->cursor = (struct chunk_cursor){0}; /* whoever pops keeps no cursor */
    held[i].s = chunkq_pop(&m->q, &cells, max);
    assert_true(held[i].s.len > 0 && held[i].s.len <= max);
    assert_memory_equal(held[i].s.base, m->flat, held[i].s.len);
    memcpy(held[i].bytes, held[i].s.base, held[i].s.len);
    drop_model(m, held[i].s.len);
}

static void step_drop(struct model *m, uint64_t *rng)
{
    uint32_t len = random_below(rng, random_below(rng, 2) ? m->len + 1 : min32(m->len, 600) + 1);

    chunkq_drop(&m->q, &cells, len, &m->cursor);
    drop_model(m, len);
}

static void step_gather(struct model *m, uint64_t *rng)
{
    static uint8_t out[FLAT];
    uint32_t off = random_below(rng, m->len + 1), len = random_below(rng, m->len - off + 1), done;

    if (random_below(rng, 2)) { /* the way an output goes: on from where the last one ended */
        off = m->cursor.at ? min32(m->cursor.off + 5, m->len) : 0;
        len = min32(m->len - off, 1460);
    }
    pkt_begin(&packet, 0);
    done = chunkq_gather(&m->q, &m->cursor, off, len, &packet);
    assert_true(done <= len && packet.parts <= PKT_PARTS_MAX);
    assert_true(done == len || packet.parts == PKT_PARTS_MAX);
    assert_int_equal(packet.len, done);
    pkt_flatten(&packet, out, done);
    assert_memory_equal(out, m->flat + off, done);
}

static void step_join(struct model *m, struct model *from)
{
    add_model(m, from->flat, from->len);
    from->len = 0;
    from->cursor = (struct chunk_cursor){0};
    chunkq_join(&m->q, &from->q);
}

static void random_step(uint64_t *rng)
{
    unsigned which = random_below(rng, 2);
    struct model *m = &models[which], *other = &models[!which];

    switch (random_below(rng, 12)) {
    case 0:
    case 1:
        step_push(m, rng);
        break;
    case 2:
    case 3:
        step_push_copy(m, rng);
        break;
    case 4:
    case 5:
        step_keep(m, rng);
        break;
    case 6:
        step_pop(m, rng);
        break;
    case 7:
        step_drop(m, rng);
        break;
    case 8:
        if (random_below(rng, 20) == 0)
            step_join(m, other);
        break;
    default:
        step_gather(m, rng);
    }
    check(m);
    check(other);
}

static void finish(void)
{
    for (unsigned i = 0; i < HELD; i++)
        release(i);
    for (unsigned i = 0; i < 2; i++) {
        chunkq_drop(&models[i].q, &cells, models[i].len, &models[i].cursor);
        drop_model(&models[i], models[i].len);
        assert_null(models[i].cursor.at);
        check(&models[i]);
    }
}

static void test_random_use_against_the_model(void **state)
{
    uint64_t rng = 1;

    (void)state;
    for (int step = 0; step < STEPS; step++)
        random_step(&rng);
    assert_true(cells.exhausted > 0); /* each limit was met */
    assert_true(small.exhausted > 0);
    assert_true(large.exhausted > 0);
    finish();
}

/* Copies fill the small buf up before they begin another; a byte at a time costs no cell each. */
static void test_small_copies_share_a_buf(void **state)
{
    struct chunkq q = {0};

    (void)state;
    for (uint32_t i = 0; i < SMALL; i++)
        assert_int_equal(chunkq_push_copy(&q, &cells, &small, constant + i, 1), 1);
    assert_true(cells.in_use == 1 && small.in_use == 1);
    assert_int_equal(chunkq_push_copy(&q, &cells, &small, constant, 1), 1);
    assert_true(cells.in_use == 2 && small.in_use == 2);
    chunkq_drop(&q, &cells, q.bytes, NULL);
}

/* While somebody else holds a part of the last buf, its room is not written to. */
static void test_a_shared_tail_is_not_filled(void **state)
{
    struct chunkq q = {0};
    struct slice s;

    (void)state;
    chunkq_push_copy(&q, &cells, &small, constant, 10);
    s = chunkq_pop(&q, &cells, 4);
    chunkq_push_copy(&q, &cells, &small, constant + 10, 10);
    assert_int_equal(small.in_use, 2);
    buf_unref(s.buf);
    chunkq_drop(&q, &cells, 10, NULL);
    chunkq_push_copy(&q, &cells, &small, constant + 20, 10);
    assert_int_equal(small.in_use, 1);
    assert_memory_equal(q.head->s.base, constant + 14, 16);
    chunkq_drop(&q, &cells, q.bytes, NULL);
}

/* Nor where the last chunk ends before the bytes that its buf once held. */
static void test_a_chunk_that_ends_inside_its_buf_is_not_filled(void **state)
{
    struct chunkq from = {0}, to = {0};
    uint8_t out[24];

    (void)state;
    chunkq_push_copy(&from, &cells, &small, constant, 10);
    assert_true(chunkq_push(&to, &cells, chunkq_pop(&from, &cells, 4)));
    chunkq_drop(&from, &cells, 6, NULL);
    assert_int_equal(to.tail->s.buf->refs, 1);
    chunkq_push_copy(&to, &cells, &small, constant + 4, 20);
    pkt_begin(&packet, 0);
    assert_int_equal(chunkq_gather(&to, &(struct chunk_cursor){0}, 0, 24, &packet), 24);
    assert_int_equal(pkt_flatten(&packet, out, sizeof(out)), 24);
    assert_memory_equal(out, constant, 24);
    chunkq_drop(&to, &cells, to.bytes, NULL);
}

static void test_keep_copies_up_to_the_copy_break(void **state)
{
    struct buf *b = buf_get(&large);
    struct chunkq q = {0};

    (void)state;
    chunkq_keep(&q, &cells, &small, (struct slice){b, b->data, CHUNK_COPY_BREAK});
    assert_int_equal(b->refs, 1);
    chunkq_keep(&q, &cells, &small, (struct slice){b, b->data, CHUNK_COPY_BREAK + 1});
    assert_int_equal(b->refs, 2);
    chunkq_keep(&q, &cells, &small, (struct slice){NULL, constant, CHUNK_COPY_BREAK + 1});
    assert_true(q.tail->s.base != constant);
    chunkq_drop(&q, &cells, q.bytes, NULL);
    buf_unref(b);
}

/* What stands in memory right behind the last chunk, in the same buf, is no piece of its own. */
static void test_what_continues_the_last_chunk_joins_it(void **state)
{
    struct buf *b = buf_get(&large), *other = buf_get(&large);
    struct chunkq q = {0};

    (void)state;
    for (uint32_t i = 0; i < 4; i++)
        assert_true(chunkq_push(&q, &cells, (struct slice){buf_ref(b), b->data + 10 * i, 10}));
    assert_int_equal(cells.in_use, 1);
    assert_int_equal(b->refs, 2);
    assert_int_equal(q.head->s.len, 40);
    buf_unref(chunkq_pop(&q, &cells, 15).buf); /* its beginning may have left meanwhile */
    assert_true(chunkq_push(&q, &cells, (struct slice){buf_ref(b), b->data + 40, 1}));
    assert_int_equal(q.head->s.len, 26);
    assert_int_equal(q.bytes, 26);
    assert_true(chunkq_push(&q, &cells, (struct slice){buf_ref(b), b->data + 42, 1}));
    assert_true(chunkq_push(&q, &cells, (struct slice){buf_ref(b), b->data + 42, 1}));
    assert_true(chunkq_push(&q, &cells, (struct slice){NULL, b->data + 43, 1}));
    assert_int_equal(cells.in_use, 4);
    assert_true(chunkq_push(&q, &cells, (struct slice){buf_ref(other), other->data, 1}));
    assert_int_equal(cells.in_use, 5);
    chunkq_drop(&q, &cells, q.bytes, NULL);
    assert_int_equal(b->refs, 1);
    assert_int_equal(other->refs, 1);
    buf_unref(b);
    buf_unref(other);
}

/* It needs no cell, so it finds room where nothing else does. */
static void test_what_joins_needs_no_cell(void **state)
{
    struct chunkq q = {0};

    (void)state;
    for (uint32_t i = 0; i < CELLS; i++)
        assert_true(chunkq_push(&q, &cells, (struct slice){NULL, constant + 2 * i, 1}));
    assert_false(chunkq_push(&q, &cells, (struct slice){NULL, constant, 1}));
    assert_true(chunkq_push(&q, &cells, (struct slice){NULL, constant + 2 * CELLS - 1, 1}));
    assert_int_equal(q.bytes, CELLS + 1);
    chunkq_drop(&q, &cells, q.bytes, NULL);
}

/* One chunk per byte: a packet takes as many as it has parts left, and says so. */
static void test_a_packet_takes_no_more_parts_than_it_has(void **state)
{
    struct chunk_cursor cursor = {0};
    struct chunkq q = {0};

    (void)state;
    pool_init(&cells, cell_memory, sizeof(cell_memory), sizeof(struct chunk));
    for (uint32_t i = 0; i < TINY; i++)
        chunkq_push(&q, &cells, (struct slice){NULL, constant + 2 * i, 1}); /* with gaps */
    for (uint32_t at = 0; at < TINY;) {
        uint32_t want = min32(TINY - at, PKT_PARTS_MAX - 1), done;

        pkt_begin(&packet, 20);
        done = chunkq_gather(&q, &cursor, at, TINY - at, &packet);
        assert_int_equal(done, want);
        assert_int_equal(packet.parts, want + 1);
        at += done;
    }
    pkt_begin(&packet, 20);
    packet.parts = PKT_PARTS_MAX;
    assert_int_equal(chunkq_gather(&q, &cursor, 0, 5, &packet), 0);
    chunkq_drop(&q, &cells, q.bytes, &cursor);
}

static void drop_too_much(void)
{
    struct chunkq q = {0};

    chunkq_push(&q, &cells, (struct slice){NULL, constant, 5});
    chunkq_drop(&q, &cells, 6, NULL);
}

static void gather_too_much(void)
{
    struct chunk_cursor cursor = {0};
    struct chunkq q = {0};

    chunkq_push(&q, &cells, (struct slice){NULL, constant, 5});
    pkt_begin(&packet, 0);
    chunkq_gather(&q, &cursor, 3, 3, &packet);
}

static void push_nothing(void)
{
    struct chunkq q = {0};

    chunkq_push(&q, &cells, (struct slice){NULL, constant, 0});
}

static void test_our_own_bugs_stop_the_program(void **state)
{
    (void)state;
    expect_stop(drop_too_much);
    expect_stop(gather_too_much);
    expect_stop(push_nothing);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_random_use_against_the_model),
        TEST(test_small_copies_share_a_buf),
        TEST(test_a_shared_tail_is_not_filled),
        TEST(test_a_chunk_that_ends_inside_its_buf_is_not_filled),
        TEST(test_keep_copies_up_to_the_copy_break),
        TEST(test_a_packet_takes_no_more_parts_than_it_has),
        TEST(test_what_continues_the_last_chunk_joins_it),
        TEST(test_what_joins_needs_no_cell),
        TEST(test_our_own_bugs_stop_the_program),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
