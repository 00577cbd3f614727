/*
 * Buffers, slices and packets: bytes that are referred to, not copied.
 *
 * A `buf` is a run of bytes with a reference count, out of a pool that was reserved at start. A
 * device reads a packet into one; whoever wants to keep some of its bytes (a receive queue, an echo
 * on its way back) takes a reference, and the buffer returns to its pool with the last of them.
 * Counts are not atomic: a pool belongs to one thread.
 *
 * A `slice` names bytes inside a buf. Its `buf` is NULL when the bytes outlive everything (a
 * constant); then there is nothing to count.
 *
 * A `pkt` is one packet between a stack and a device: parts to be gathered by writev, and marks
 * about work that is left to the device (checksum, segmentation), which mean what the virtio-net
 * header means. Coming in, it has one part, the whole packet.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf_pool;

struct buf {
    struct buf *next_free;
    struct buf_pool *pool;
    uint32_t refs;
    uint32_t size; /* bytes in data */
    uint32_t used; /* bytes of data taken so far, for those who fill a buffer piece by piece */
    uint8_t data[];
};

struct buf_pool {
    uint8_t *mem;
    struct buf *free;
    size_t stride;      /* bytes from one buf to the next */
    uint32_t size;      /* bytes of data in each */
    uint32_t count;     /* bufs in all */
    uint32_t fresh;     /* how many were ever handed out: memory behind them is untouched */
    uint32_t in_use;    /* now */
    uint32_t yielding;  /* of those: how many are given up as soon as others need them */
    uint32_t peak;      /* the most that were in use */
    uint64_t exhausted; /* how often buf_get found none */
    uint64_t copied;    /* bytes of packets and of applications that were copied into its bufs, or
                         * on their way out by a device that reads into them */
};

struct slice {
    struct buf *buf; /* NULL: bytes that outlive all users */
    const uint8_t *base;
    uint32_t len; /* bytes */
};

enum {
    PKT_PARTS_MAX = 64, /* slices in one packet, headers included */
    PKT_ROOM = 128,     /* bytes for headers: the largest IPv4 and TCP headers need 120 */
};

enum pkt_marks {
    PKT_CSUM_PARTIAL = 1, /* the transport checksum field holds the pseudo-header's sum only */
    PKT_CSUM_VALID = 2,   /* in: the device vouches for the transport checksum */
    PKT_DATAGRAMS = 4,    /* UDP: gso_size bytes are a datagram's data, not a segment's */
};

struct pkt {
    uint32_t len;        /* bytes in all parts together */
    uint16_t marks;      /* of enum pkt_marks */
    uint16_t gso_size;   /* payload bytes per segment of a super-segment; 0: an ordinary packet */
    uint16_t csum_start; /* with PKT_CSUM_PARTIAL: where the summed bytes begin */
    uint16_t why;        /* out: the reason it leaves, an enum reason */
    uint8_t ecn;         /* out: the two ECN bits of its IP header (RFC 3168 section 5) */
    uint32_t conn;       /* out: slot of the connection it belongs to + 1, or 0; for observers */
    unsigned parts;
    struct slice part[PKT_PARTS_MAX];
    uint8_t room[PKT_ROOM]; /* lent to the stack for headers */
};

/*
 * Make a pool of bufs with `size` bytes of data each out of mem[mem_size], which must be aligned to
 * 16 bytes and is not touched before it is needed. Returns how many bufs fit.
 */
uint32_t buf_pool_init(struct buf_pool *pool, void *mem, size_t mem_size, uint32_t size);

/* Bytes of memory that buf_pool_init needs for `count` bufs of `size` bytes. */
size_t buf_pool_bytes(uint32_t count, uint32_t size);

/* Bytes of data in the bufs that nobody has. */
static inline uint64_t buf_pool_free(const struct buf_pool *pool)
{
    return (uint64_t)(pool->count - pool->in_use) * pool->size;
}

/* The same where none has come back: it is buf_get that calls it. */
struct buf *buf_get_fresh(struct buf_pool *pool);

/* A buf with one reference and used = 0, or NULL, which is counted. */
static inline struct buf *buf_get(struct buf_pool *pool)
{
    struct buf *b = pool->free;

    if (!b)
        return buf_get_fresh(pool);
    assert(b->refs == 0 && b->pool == pool);
    pool->free = b->next_free;
    b->refs = 1;
    b->used = 0;
    pool->in_use++;
    return b;
}

/* One reference less; the last one returns it to its pool. NULL is allowed, as in struct slice. */
static inline void buf_unref(struct buf *b)
{
    struct buf_pool *pool;

    if (!b)
        return;
    assert(b->refs > 0);
    if (--b->refs > 0)
        return;
    pool = b->pool;
    assert((uintptr_t)b - (uintptr_t)pool->mem < pool->fresh * pool->stride && pool->in_use > 0);
    pool->in_use--;
    b->next_free = pool->free;
    pool->free = b;
}

static inline struct buf *buf_ref(struct buf *b)
{
    if (b)
        b->refs++;
    return b;
}

/* The part of `s` from byte `off` on, `len` bytes; it shares the reference of `s`. */
static inline struct slice slice_sub(struct slice s, uint32_t off, uint32_t len)
{
    assert(off <= s.len && len <= s.len - off);
    if (off > 0) /* an empty slice may have no bytes to point to */
        s.base += off;
    s.len = len;
    return s;
}

/*
 * A slice with a reference of its own to the bytes of `s`, or to a copy in a buf of `small` where
 * s.buf is NULL (bytes lent for the moment) or s.len is at most copy_break. False if there is no
 * buf, or if lent bytes do not fit into one; *ret_slice is untouched then.
 */
bool slice_keep(struct slice s, struct buf_pool *small, uint32_t copy_break,
                struct slice *ret_slice);

/* Start an outgoing packet whose headers (`len` bytes) stand in its own room. */
void pkt_begin(struct pkt *p, uint32_t header_len);
/* The headers in the packet's own room turned out to be this long. */
void pkt_set_header_len(struct pkt *p, uint32_t header_len);
/* Add payload by reference; the packet does not take a reference. */
static inline void pkt_add(struct pkt *p, struct slice s)
{
    if (s.len == 0)
        return;
    assert(p->parts < PKT_PARTS_MAX && s.len <= UINT32_MAX - p->len);
    p->part[p->parts++] = s;
    p->len += s.len;
}
/* Leave out the last `len` bytes of payload; there are as many. */
void pkt_cut(struct pkt *p, uint32_t len);
/* Copy the packet's bytes into out[size]; returns how many, at most size. */
uint32_t pkt_flatten(const struct pkt *p, uint8_t *out, uint32_t size);

#endif
