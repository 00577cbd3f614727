/*
 * Reassembly against the plainest model there is: a byte and a mark for each sequence number of a
 * small stretch. The script inserts segments anywhere in it, lent or by reference, and takes what
 * has become whole; memory is short on purpose, so that a refusal can come at any point. After each
 * step ranges are in order and apart, every byte that is held is the one that came first, nothing
 * that was held is gone, and what was said to be kept is kept.
 */
#include <stdalign.h>
#include <string.h>

#include "base/seq.h"
#include "tcp/reasm.h"
#include "tests/fuzz/fuzz.h"

enum {
    SPAN = 1024,      /* sequence numbers of the stretch */
    CELLS_MAX = 256,  /* the input says how many of these there are */
    SMALL_MAX = 64,   /* and of these, */
    SMALL_SIZE = 512, /* of so many bytes */
    LARGES = 8,
    STEPS_MAX = 48,
};

static alignas(16) uint8_t cell_memory[CELLS_MAX * REASM_CELL];
static alignas(16) uint8_t small_memory[SMALL_MAX * (SMALL_SIZE + 64)];
static alignas(16) uint8_t large_memory[LARGES * (SPAN + 64)];

struct model {
    struct pool cells;
    struct buf_pool small, large;
    struct reasm reasm;
    uint32_t origin;    /* the sequence number of byte[0] */
    uint32_t nxt;       /* taken up to here, counted from origin */
    bool held[SPAN];    /* is the byte there? */
    uint8_t byte[SPAN]; /* the one that came first */
    uint8_t sent[SPAN]; /* of the segment that is being inserted */
};

static struct model m;

static void start(struct script *s)
{
    uint32_t cells = 1 + script_8(s) % CELLS_MAX, smalls = 1 + script_8(s) % SMALL_MAX;

    memset(m.held, 0, sizeof(m.held));
    m.reasm = (struct reasm){0};
    m.origin = UINT32_C(0) - script_16(s); /* the numbers wrap within the stretch, or do not */
    m.nxt = 0;
    pool_init(&m.cells, cell_memory, pool_bytes(cells, REASM_CELL), REASM_CELL);
    buf_pool_init(&m.small, small_memory, buf_pool_bytes(smalls, SMALL_SIZE), SMALL_SIZE);
    buf_pool_init(&m.large, large_memory, buf_pool_bytes(LARGES, SPAN), SPAN);
    FUZZ_CHECK(m.small.count == smalls && m.large.count == LARGES, "the pools are too small");
}

/* One range: its bytes are the first that came. Returns how many. */
static uint32_t check_range(const struct reasm_range *g)
{
    uint32_t at = g->start - m.origin, chunks = 0;

    for (const struct chunk *c = g->head; c; c = c == g->tail ? NULL : c->next) {
        FUZZ_CHECK(c->s.len > 0 && c->s.len <= SPAN && at + c->s.len <= SPAN,
                   "%u bytes at %u that nobody sent", c->s.len, at);
        chunks++;
        for (uint32_t i = 0; i < c->s.len; i++, at++)
            FUZZ_CHECK(m.held[at] && m.byte[at] == c->s.base[i], "another byte at %u", at);
    }
    FUZZ_CHECK(at == g->end - m.origin, "a range ends at %u, not %u", at, g->end - m.origin);
    FUZZ_CHECK(chunks == g->chunks, "%u chunks, not %u", chunks, g->chunks);
    return g->end - g->start;
}

static void check_all(void)
{
    uint32_t ranges = 0, chunks = 0, bytes = 0, held = 0;

    for (const struct reasm_range *g = m.reasm.first; g; g = g->next) {
        FUZZ_CHECK(seq_lt(g->start, g->end), "an empty range");
        FUZZ_CHECK(!g->next || seq_lt(g->end, g->next->start), "ranges touch");
        bytes += check_range(g);
        chunks += g->chunks;
        ranges++;
    }
    for (uint32_t i = 0; i < SPAN; i++)
        held += m.held[i];
    FUZZ_CHECK(bytes == held, "%u bytes are held, and there should be %u", bytes, held);
    FUZZ_CHECK(ranges == m.reasm.ranges && chunks == m.reasm.chunks, "ranges or chunks miscounted");
    FUZZ_CHECK(ranges <= REASM_RANGES_MAX && chunks <= REASM_CHUNKS_MAX, "over a limit");
    FUZZ_CHECK(m.cells.in_use == ranges + chunks, "%u cells for %u ranges and %u chunks",
               m.cells.in_use, ranges, chunks);
}

/* Bytes that the ranges hold now and did not before came from the segment at [off, off + len). */
static void note_new(uint32_t off, uint32_t len)
{
    for (const struct reasm_range *g = m.reasm.first; g; g = g->next) {
        uint32_t from = g->start - m.origin, to = g->end - m.origin;

        FUZZ_CHECK(from < to && to <= SPAN, "a range of [%u, %u)", from, to);
        for (uint32_t i = from > off ? from : off; i < to && i < off + len; i++) {
            if (!m.held[i])
                m.byte[i] = m.sent[i - off];
            m.held[i] = true;
        }
    }
}

/* A segment of `len` bytes at `off` that count up from `value`. */
static void insert_at(uint32_t off, uint32_t len, uint8_t value, bool lent)
{
    struct reasm_mem mem = {&m.cells, &m.small, 0};
    struct buf *b = lent ? NULL : buf_get(&m.large);
    struct slice bytes = {b, b ? b->data : m.sent, len};
    bool all;

    if (off < m.nxt) /* what was taken does not come again: tcp cuts it off */
        off = m.nxt;
    bytes.len = len = min32(len, SPAN - off);
    for (uint32_t i = 0; i < len; i++)
        m.sent[i] = (uint8_t)(value + i);
    if (b)
        memcpy(b->data, m.sent, len);
    all = reasm_insert(&m.reasm, &mem, m.origin + off, bytes);
    buf_unref(b);
    note_new(off, len);
    for (uint32_t i = off; all && i < off + len; i++)
        FUZZ_CHECK(m.held[i], "byte %u was said to be kept", i);
}

static void insert(struct script *s, bool lent)
{
    uint32_t off = script_16(s) % SPAN, len = script_16(s) % (SPAN + 1);

    insert_at(off, len, script_8(s), lent);
}

/* Many small segments at equal distances: ranges and chunks by the hundred. */
static void insert_comb(struct script *s)
{
    uint32_t off = script_8(s), len = 1 + script_8(s) % 4, teeth = script_8(s);
    uint32_t step = 1 + script_8(s) % 16;

    for (uint32_t i = 0; i < teeth && off + i * step < SPAN; i++)
        insert_at(off + i * step, len, (uint8_t)(i * 7), true);
}

static void take(struct script *s)
{
    uint32_t ahead = script_8(s), from, want = 0, added, at;
    struct chunkq q = {0};

    from = m.nxt = min32(m.nxt + ahead, SPAN); /* so far it came in order, past the ranges */
    while (from + want < SPAN && m.held[from + want])
        want++;
    added = reasm_take(&m.reasm, &m.cells, m.origin + from, &q);
    FUZZ_CHECK(added == want && q.bytes == want, "took %u bytes, %u were whole", added, want);
    at = from;
    for (const struct chunk *c = q.head; c; c = c->next)
        for (uint32_t i = 0; i < c->s.len; i++, at++)
            FUZZ_CHECK(c->s.base[i] == m.byte[at], "took another byte at %u", at);
    chunkq_drop(&q, &m.cells, q.bytes, NULL);
    m.nxt = from + want;
    memset(m.held, 0, m.nxt);
}

static void cut(struct script *s)
{
    uint32_t end = script_16(s) % SPAN;

    if (end < m.nxt)
        end = m.nxt;
    reasm_cut(&m.reasm, &m.cells, m.origin + end);
    memset(m.held + end, 0, SPAN - end);
}

static void step(struct script *s)
{
    unsigned op = script_8(s) % 8;

    if (op < 3)
        insert(s, true);
    else if (op < 5)
        insert(s, false);
    else if (op == 5)
        insert_comb(s);
    else if (op == 6)
        take(s);
    else
        cut(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct script s = {data, size};

    start(&s);
    for (unsigned i = 0; i < STEPS_MAX && !script_ended(&s); i++) {
        step(&s);
        check_all();
    }
    reasm_clear(&m.reasm, &m.cells);
    FUZZ_CHECK(!m.cells.in_use && !m.small.in_use && !m.large.in_use, "something was not returned");
    return 0;
}
