/*
 * What arrived out of order: ranges of sequence numbers, each with its bytes by reference, in
 * ascending order, neither touching nor overlapping. Bytes that came first are kept where two
 * segments disagree. Work and memory per segment are bounded by the number of ranges.
 */
#ifndef TCP_REASM_H
#define TCP_REASM_H

#include "base/chunk.h"

enum {
    REASM_RANGES_MAX = 512,  /* per connection: a queue that overflows loses every second packet */
    REASM_CHUNKS_MAX = 1024, /* per connection: bounds what one-byte segments can cost */
    REASM_CHUNK = 512,       /* bytes: or one for so much of the window, if that is more */
};

struct reasm_range {
    struct reasm_range *next;
    struct chunk *head, *tail;
    uint32_t start, end; /* sequence numbers */
    uint32_t chunks;
    uint32_t order; /* when a segment last fell into it, by the reasm's count */
};

struct reasm {
    struct reasm_range *first;
    uint16_t ranges, chunks;
    uint32_t order; /* of the latest segment */
};

/* Cells of one pool hold ranges and chunks alike. */
enum {
    REASM_CELL = sizeof(struct reasm_range) > sizeof(struct chunk) ? sizeof(struct reasm_range)
                                                                   : sizeof(struct chunk),
};

/* Where the memory comes from. */
struct reasm_mem {
    struct pool *cells;
    struct buf_pool *small;
    uint32_t window; /* bytes that the connection may promise to take */
};

/* How many chunks a connection may have: what it promised to take must find its place. */
uint32_t reasm_chunks_max(uint32_t window);

/*
 * Keep what is new in the bytes of `s`, which begin at `seq`, as chunkq_keep does; the caller's
 * reference stays the caller's. Returns false if some of it found no place.
 */
bool reasm_insert(struct reasm *r, const struct reasm_mem *mem, uint32_t seq, struct slice s);

/*
 * The first bytes of [*start, *end) that are here: narrow it down to them. False if there are none.
 */
bool reasm_overlap(const struct reasm *r, uint32_t *start, uint32_t *end);

/*
 * The range into which the latest segment fell, or behind `after` the one before it in time; NULL
 * at the end.
 */
const struct reasm_range *reasm_latest(const struct reasm *r, const struct reasm_range *after);

/* Move what begins at or before `nxt` behind the queue's end. Returns how many bytes it added. */
uint32_t reasm_take(struct reasm *r, struct pool *cells, uint32_t nxt, struct chunkq *q);

/* Drop everything from the sequence number `end` on. */
void reasm_cut(struct reasm *r, struct pool *cells, uint32_t end);

/* Drop everything. */
void reasm_clear(struct reasm *r, struct pool *cells);

#endif
