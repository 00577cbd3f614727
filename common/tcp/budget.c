/*
 * How much of the buffers one connection may have.
 *
 * All connections share the pools, and their windows together promise more than there is: as long
 * as most are idle, that is what makes each of them fast. So that some who never read cannot take
 * everything, a queue may grow to an eighth of what is free at the moment. N queues that take all
 * they may leave 8 / (8 + N) of the pools free, so the next connection always finds its share; with
 * few connections the share is far above every configured limit, and nothing is felt of it.
 *
 * A quarter of the cells is kept for what arrives in order: sends that took the last one would wait
 * for acknowledgments that could not be heard any more, because no byte beside them could be kept.
 *
 * What arrives out of order may use one half of a pool and no more: it can wait for a missing byte
 * for ever, and whoever sent it can send it again.
 */
#include "base/bytes.h"
#include "tcp/tcp.h"

enum {
    SHARE = 8,         /* a queue gets one of so many parts of what is free */
    UNKNOWN = 1 << 30, /* bytes: the share of a pool that is not known is no limit */
};

uint32_t tcp_budget_queue(const struct tcp *t, uint32_t configured)
{
    uint64_t share = buf_pool_free(t->small) / SHARE;

    share += t->large ? buf_pool_free(t->large) / SHARE : UNKNOWN;
    if (share < TCP_QUEUE_FLOOR)
        share = TCP_QUEUE_FLOOR;
    return share < configured ? (uint32_t)share : configured;
}

uint32_t tcp_budget_send_cells(const struct pool *cells)
{
    uint32_t kept = (cells->count + 3) / 4, free = cells->count - cells->in_use;

    return free > kept ? free - kept : 0;
}

bool tcp_budget_out_of_order(const struct tcp *t, struct slice s)
{
    bool copied = !s.buf || s.len <= CHUNK_COPY_BREAK;
    const struct buf_pool *pool = copied ? t->small : s.buf->pool;

    return pool->in_use <= pool->count / 2 && t->cells->in_use <= t->cells->count / 2;
}
