/*
 * The board: what a connection has outstanding, as ranges of sequence numbers, each with what is
 * known about it (RFC 6675 calls it the scoreboard). A range is what was sent at one instant, or a
 * part of that: where a selective acknowledgment or a retransmission ends inside a range, it is
 * split, so a super-segment that was lost in part is an ordinary case.
 *
 * Each range is in one of four states, and the board keeps the sum of bytes in each, so that what
 * flies costs a constant to know (SetPipe of RFC 6675):
 *
 *   fresh    sent once, and nothing was heard of it
 *   resent   sent more than once, and the last one flies
 *   lost     taken for lost, and not yet sent again
 *   sacked   selectively acknowledged
 *
 * A retransmission of what was not taken for lost (a probe) counts once in the pipe, not twice.
 *
 * Ranges stand in a list by sequence number, and those that fly in another by the time of their
 * last transmission. They come from a pool that all connections share. A board holds
 * BOARD_RANGES_MAX of them at most, whatever selective acknowledgments somebody makes up; beyond
 * that, or when the pool is used up, neighbours become one range, which then knows less: it was
 * sent at the later of their times, and is neither sacked unless both are nor lost where one flies.
 * Some ranges are the board's own, so that this is always possible.
 */
#ifndef TCP_RECOVERY_BOARD_H
#define TCP_RECOVERY_BOARD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/pool.h"
#include "tcp/cc/rate.h"
#include "wire/reason.h"

enum {
    BOARD_OWN = 4,            /* ranges of its own, ... */
    BOARD_MORE = 3,           /* ... all but one of them */
    BOARD_RANGES_MAX = 1024,  /* of one connection */
    BOARD_JOIN_MAX = 1 << 16, /* bytes: what is sent at one instant is one range up to here */
};

struct range {
    struct list by_seq;
    struct list by_time;   /* while it flies */
    int64_t sent_at;       /* ns: the last time */
    int64_t overtaken_at;  /* ns: when what left later was first known to have arrived; or 0 */
    uint32_t start, end;   /* sequence numbers */
    struct rate_mark mark; /* of the last transmission */
    uint8_t sent;          /* how often; stays at 255 */
    uint8_t why;           /* enum reason: of the retransmission, while it is lost */
    bool sacked : 1, lost : 1;
    bool probe : 1; /* of the path's MTU, not sent again: its loss is its own (tcp/plpmtud.h) */
};

struct board {
    struct list by_seq, by_time; /* by_time: the oldest first */
    struct list spare;           /* ranges in no use, through by_seq */
    struct pool *pool;
    struct rate *rate;                    /* is told what leaves, arrives and is lost; or NULL */
    uint32_t fresh, resent, lost, sacked; /* bytes */
    uint32_t fack;                        /* the highest number that anything acknowledged, + 1 */
    uint16_t n, spares;                   /* ranges */
    uint8_t own_used;                     /* of its own: how many were ever taken, the first ones */
    struct range *more;                   /* all of its own but one, not touched before that */
    struct range first;                   /* that one, which is mostly all there is */
};

/* Is this range, which stands on it, its own? */
static inline bool board_owns(const struct board *b, const struct range *g)
{
    return g == &b->first || (g >= b->more && g < b->more + BOARD_MORE);
}

/* Who wants to hear of each range that was delivered, as it was before that. */
struct board_ear {
    void (*delivered)(void *arg, const struct range *g);
    void *arg;
};

/* An empty board, with BOARD_MORE ranges at `more`; what is sent first begins at `una`. */
void board_init(struct board *b, struct pool *ranges, struct range *more, uint32_t una);

/* Everything goes back to the pool. */
void board_clear(struct board *b);

/* [start, end) is sent for the first time; `start` is where the board ends. */
void board_sent(struct board *b, int64_t now, uint32_t start, uint32_t end);

/* The same for a probe of the path's MTU, which stays a range of its own. */
void board_sent_probe(struct board *b, int64_t now, uint32_t start, uint32_t end);

/* What is not sacked of [start, end) is sent again. */
void board_resent(struct board *b, int64_t now, uint32_t start, uint32_t end);

/* Everything below `una` is acknowledged. */
void board_ack(struct board *b, uint32_t una, const struct board_ear *ear);

/*
 * The same where all that is on the board is one range that is fresh, and all of it is
 * acknowledged: its place is in no use any more, but what stands there, but for lists, can still be
 * read.
 */
struct range *board_ack_whole(struct board *b);

/* Is it so, where nothing was sent again, lost or selectively acknowledged? */
static inline bool board_is_whole(const struct board *b, uint32_t una)
{
    return b->n == 1 && container_of(b->by_seq.next, struct range, by_seq)->end == una;
}

/* [start, end) is selectively acknowledged. */
void board_sack(struct board *b, uint32_t start, uint32_t end, const struct board_ear *ear);

/* This range, which flies, is lost. */
void board_lose(struct board *b, struct range *g, enum reason why);

/* What is not sacked of [start, end) is lost. Returns how many bytes had not been so before. */
uint32_t board_lose_span(struct board *b, uint32_t start, uint32_t end, enum reason why);

/*
 * What is taken for lost flies again: it had been late. Not so what cannot have been taken in any
 * case, because the window was closed or the packets too large.
 */
void board_regain(struct board *b);

/* The remote end has taken back what it had selectively acknowledged (RFC 2018 section 8). */
void board_forget_sacks(struct board *b);

/* Walk by sequence number: the first, the next; NULL ends it. */
struct range *board_first(const struct board *b);
struct range *board_next(const struct board *b, const struct range *g);
/* The same from the end. */
struct range *board_last(const struct board *b);
struct range *board_before(const struct board *b, const struct range *g);

/* Walk what flies by time, the oldest first. */
struct range *board_oldest(const struct board *b);
struct range *board_later(const struct board *b, const struct range *g);

/* The first bytes that are lost, with those behind them that are so for the same reason. */
bool board_first_lost(const struct board *b, uint32_t *ret_start, uint32_t *ret_end,
                      enum reason *ret_why);

/* Bytes that are believed to fly. */
static inline uint32_t board_pipe(const struct board *b)
{
    return b->fresh + b->resent;
}

static inline uint32_t range_len(const struct range *g)
{
    return g->end - g->start;
}

#endif
