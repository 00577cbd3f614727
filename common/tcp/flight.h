/*
 * What a connection knows of what it has in flight: the board, loss recovery, and what goes with
 * it. It comes with the first text that is sent, and goes when nothing has been outstanding for
 * long (FLIGHT_IDLE), when nothing more will be sent, and with the connection; so a connection that
 * is quiet costs nothing for it. The stack has one for each place in its table, so there is always
 * one.
 *
 * With it goes what congestion control knows beside ssthresh: after so long cwnd is no better than
 * a guess and begins anew (RFC 5681 section 4.1).
 */
#ifndef TCP_FLIGHT_H
#define TCP_FLIGHT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/prefetch.h"
#include "base/time.h"
#include "tcp/cc/cc.h"
#include "tcp/cc/cwv.h"
#include "tcp/cc/rate.h"
#include "tcp/path.h"
#include "tcp/plpmtud.h"
#include "tcp/recovery/board.h"
#include "tcp/recovery/rack.h"
#include "tcp/recovery/recovery.h"
#include "tcp/recovery/tlp.h"
#include "tcp/response.h"

struct tcp;
struct tcb;

/* Its timers; tcb.h lists them with the others. */
enum flight_timer {
    FLIGHT_REO,
    FLIGHT_PTO,
    FLIGHT_IDLE,
    FLIGHT_PACE,
    FLIGHT_CLAIM,
    FLIGHT_TIMERS,
};

enum {
    FLIGHT_CC = 160, /* bytes for congestion control; a module that needs more has them elsewhere */
};

/*
 * What most exchanges need, so that a million of them touch little memory: what every segment
 * needs stands together, at both ends of what only losses and pacing need.
 */
struct flight {
    struct recovery recovery;
    struct rack rack;
    struct tlp tlp;
    int64_t timer[FLIGHT_TIMERS]; /* deadlines, ns, or TIME_NEVER */
    int64_t pace_at;              /* ns: when what has left so far would have left evenly */
    uint32_t size;                /* FlightSize when all was sent that might be, bytes */
    uint32_t flow_label : 20;     /* of IPv6, which the floor above keeps here; 0: not yet */
    bool sack : 1;                /* selective acknowledgments are spoken */
    bool hystart : 1;             /* tcp_config's switch */
    struct board board;
    struct cwv cwv;
    struct rate rate; /* but its sample */
    int64_t paced_at; /* ns: when the last of what pace_at is about left */
    struct response response;
    struct path_view path;
    struct mtu_probe probe;
    uint64_t cc_priv[FLIGHT_CC / sizeof(uint64_t)];
};

/* What goes with it, elsewhere, and is not touched before it is needed. */
struct flight_more {
    struct range ranges[BOARD_MORE];
    uint64_t cc_priv[CC_PRIV_WORDS];
};

enum {
    FLIGHT_CC_USUAL = 32, /* bytes for congestion control that each acknowledgment touches */
};

/* It will be needed soon, but for what only losses and pacing need; `f` may be NULL. */
static inline void flight_prefetch(const struct flight *f)
{
    const size_t before = offsetof(struct flight, rate.next.bandwidth);
    const size_t behind = offsetof(struct flight, response.prr.recover_fs);

    if (!f)
        return;
    prefetch(f, before);
    prefetch((const uint8_t *)f + behind,
             offsetof(struct flight, cc_priv) + FLIGHT_CC_USUAL - behind);
}

/* The same of what says when something is due. */
static inline void flight_prefetch_timers(const struct flight *f)
{
    if (f)
        prefetch(f->timer, sizeof(f->timer));
}

/* Text is about to be sent: from here on there is one. */
void flight_begin(struct tcp *t, struct tcb *c);

/* There is none any more; what was outstanding is forgotten. */
void flight_end(struct tcp *t, struct tcb *c);

/* The first deadline, or TIME_NEVER; `f` may be NULL, in which case it is that. */
static inline int64_t flight_deadline(const struct flight *f)
{
    int64_t first = TIME_NEVER;

    for (unsigned i = 0; f && i < FLIGHT_TIMERS; i++)
        first = time_min(first, f->timer[i]);
    return first;
}

/* Something was sent or acknowledged: is the flight idle now, or its tail to be probed? */
void flight_settle(const struct tcp *t, struct tcb *c, int64_t now);

/* Run what is due. */
void flight_tick(struct tcp *t, struct tcb *c, int64_t now);

/* `f` may be NULL: then nothing is lost. */
static inline enum recovery_phase flight_phase(const struct flight *f)
{
    return f ? (enum recovery_phase)f->recovery.phase : RECOVERY_OPEN;
}

/*
 * Is nothing missing, was nothing sent again, and does nobody wait for an answer to anything but
 * what was sent? Then an acknowledgment of something new can mean nothing else than that.
 */
static inline bool flight_is_calm(const struct flight *f)
{
    const struct board *b = &f->board;
    const struct response *r = &f->response;

    return !(b->resent | b->lost | b->sacked | f->recovery.phase | f->tlp.probing |
             f->rack.in_dsack_round | r->frto.step | r->undo.active | r->adapt_due |
             r->prr.recover_fs);
}

/* Sequence space believed to be in flight; without selective acknowledgments recovery counts. */
static inline uint32_t flight_pipe(const struct flight *f, uint32_t mss)
{
    return f && f->sack ? board_pipe(&f->board) : recovery_pipe(f, mss);
}

#endif
