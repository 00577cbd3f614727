/*
 * Bulk source and sink, for tests and measurements: a flow sends so many bytes of a known pattern,
 * checks that what it receives is the same pattern from its beginning, and counts both.
 *
 * The pattern's period has a large prime factor, so that no loss, repetition or exchange of packets
 * of any usual size goes unseen, and is a number of cache lines, which copies faster. It stands in
 * memory once and is sent by reference.
 */
#ifndef APP_BULK_H
#define APP_BULK_H

#include "app/app.h"
#include "base/pool.h"

enum {
    BULK_PERIOD = 64 * 1021, /* bytes */
};

struct bulk {
    struct app app;      /* what a listener is given: each connection gets a flow from `flows` */
    struct pool flows;   /* of struct bulk_flow */
    uint64_t to_send;    /* bytes that each accepted flow sends */
    uint64_t full;       /* connections let go because the pool was used up */
    uint32_t open;       /* flows that are not over */
    uint32_t connected;  /* flows whose handshake is complete, and that are not over */
    uint32_t peak;       /* the most that were connected at one time */
    uint32_t ended;      /* flows that are over */
    uint32_t bad;        /* of them: not closed in order, or with a wrong byte */
    uint64_t arrived;    /* bytes received and right, of all flows */
    uint64_t bytes_sent; /* of flows that are over */
    uint64_t bytes_received;
    uint8_t pattern[BULK_PERIOD];
};

struct bulk_flow {
    struct app app;
    struct bulk *bulk;
    struct conn_id conn;
    uint64_t to_send;  /* bytes in all */
    uint64_t sent;     /* taken by the stack */
    uint64_t expect;   /* bytes that must arrive, or UINT64_MAX: any number */
    uint64_t received; /* and right */
    bool hold;         /* do not close behind the last byte before bulk_finish */
    bool connected;
    bool pooled; /* from bulk->flows: goes back there when it is over */
    bool wrong;  /* a byte other than the pattern's arrived at offset `received` */
    bool over;   /* `why` says how the connection ended */
    enum reason why;
};

/* Memory for `flows` accepted connections is mem[mem_size], aligned to 16; may be none (NULL, 0) */
void bulk_init(struct bulk *b, void *mem, size_t mem_size);
size_t bulk_bytes(uint32_t flows);

/* Write the period of the pattern, and the byte at an offset of the stream. */
void bulk_fill(uint8_t out[BULK_PERIOD]);
static inline uint8_t bulk_byte(const struct bulk *b, uint64_t offset)
{
    return b->pattern[offset % BULK_PERIOD];
}

/*
 * Prepare a flow for an active open, whose `user` is &f->app. After stack_open, put the handle in
 * f->conn.
 */
void bulk_flow_init(struct bulk *b, struct bulk_flow *f, uint64_t to_send, uint64_t expect);

/* Let a flow with `hold` close once its bytes are sent. */
void bulk_finish(struct bulk_flow *f, struct stack *st);

/* Is everything sent and, as far as `expect` says, received? */
bool bulk_complete(const struct bulk_flow *f);

#endif
