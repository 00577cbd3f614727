/*
 * Loss recovery: which bytes are lost, and which to send again. What is outstanding stands on the
 * board (board.h); here is what an acknowledgment means for it.
 *
 * Bytes are taken for lost
 *
 *   with selective acknowledgments, when they are late by what has arrived that left after them
 *   (RACK, rack.h); without RACK, when enough that lies behind them has arrived: three pieces, or
 *   more than two segments (IsLost of RFC 6675), or, as the first segment, after three duplicates;
 *   without them, when three duplicate acknowledgments came: the first segment, and after each
 *   partial acknowledgment the next (NewReno, RFC 6582). A duplicate says that one segment has left
 *   the network, so each counts as one segment less in flight;
 *   when the retransmission timer expires: everything (RFC 6298 section 5); with RACK the first
 *   segment, and what is late by its clock (RFC 8985 section 6.3).
 *
 * A recovery lasts until all that was sent before it began is acknowledged. It is the hook for what
 * else has to do with its beginning, its acknowledgments, its end and a timeout.
 */
#ifndef TCP_RECOVERY_RECOVERY_H
#define TCP_RECOVERY_RECOVERY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/seq.h"
#include "tcp/recovery/rack.h"
#include "wire/reason.h"
#include "wire/tcp.h"

struct flight;

enum recovery_phase {
    RECOVERY_OPEN, /* nothing is known to be lost */
    RECOVERY_FAST, /* a loss that acknowledgments showed is being repaired */
    RECOVERY_RTO,  /* a timeout is being repaired */
};

struct recovery {
    uint32_t recover; /* snd_nxt when the loss was noticed */
    uint32_t dupacks; /* duplicate acknowledgments since snd_una last moved */
    uint32_t rescue;  /* RescueRxt: the tail may be sent again once what lies before is here */
    uint8_t phase;    /* enum recovery_phase */
    bool at_once;     /* one retransmission leaves, however much flies (RFC 6675 section 5, 4.3) */
    bool resorted;    /* the last resort was used since the last acknowledgment */
    bool whole : 1;   /* all that was in flight leaves again: no part of it is known to be lost */
    bool stepped : 1; /* in a recovery snd_una last moved by a few segments, and not in answer to an
                       * earlier sending: see newreno_duplicate */
};

/* What one acknowledgment says. */
struct ack_sample {
    int64_t now;                 /* ns */
    uint32_t una;                /* snd_una after it */
    uint32_t nxt;                /* snd_nxt */
    uint32_t acked;              /* sequence space newly acknowledged; 0 for a duplicate */
    uint32_t mss;                /* bytes */
    bool duplicate;              /* by the definition of RFC 5681 section 2 */
    bool dsack;                  /* it reports that something arrived twice, ... */
    struct tcp_sack_block twice; /* ... this */
    bool sack;                   /* selective acknowledgments are spoken, ... */
    bool rack;                   /* ... and RACK judges what is lost */
    struct rack_path path;       /* round trips so far */
    int64_t echo_at; /* ns, to the millisecond: when the segment had left that its timestamp
                      * answers; -1: it does not say */
    unsigned blocks;
    struct tcp_sack_block block[TCP_SACK_MAX]; /* what they say, as far as it can be true */
};

/* What it means. */
struct recovery_verdict {
    uint32_t delivered;  /* bytes that arrived, as we learn now, in whatever order */
    uint32_t sacked;     /* ... those of them that lie behind a gap */
    uint32_t lost;       /* bytes that are taken for lost from now on */
    int64_t rtt;         /* ns since the latest of what was delivered left, of what was sent once;
                          * 0: none was */
    bool entered;        /* a loss was detected: congestion control is to be told */
    bool finished;       /* all that was in flight at the loss is acknowledged */
    bool original;       /* since a timeout: something arrived that was in flight at it, and was not
                          * sent again */
    bool above;          /* ... something behind a gap that left after it */
    bool reneged;        /* the remote end has taken back what it had selectively acknowledged */
    bool mtu_probe_lost; /* a probe of the path's MTU was, which counts for no loss */
    bool probe_repaired; /* a tail loss probe was what had been lost: a loss to congestion control,
                          * but nothing is left to repair */
};

void recovery_init(struct recovery *r, uint32_t una);

void recovery_on_ack(struct flight *f, const struct ack_sample *s, struct recovery_verdict *ret);

/*
 * The same where the flight is calm (flight_is_calm) and the acknowledgment only says that
 * something new has arrived: no blocks, no report of a duplicate. s->echo_at is not looked at. What
 * it may show is that something is late.
 */
void recovery_on_arrival(struct flight *f, const struct ack_sample *s,
                         struct recovery_verdict *ret);

/*
 * whole.c: the same where all that flies is one range, and all of it has arrived
 * (recovery_is_whole), as is usual where segments are small: nothing is left that could be late.
 * Returns the bytes that were delivered; *ret_rtt is the round trip, ns, and *ret_rate what
 * rate_on_whole says.
 */
uint32_t recovery_on_whole(struct flight *f, int64_t now, int64_t *ret_rtt,
                           struct rate_sample *ret_rate);

/* Is it so, of a calm flight and an acknowledgment up to `una`? */
bool recovery_is_whole(const struct flight *f, uint32_t una);

/*
 * Everything below `una` is acknowledged: what is behind is all the same to `recover`, but it would
 * be ahead once the numbers have wrapped.
 */
static inline void recovery_drag(struct recovery *r, uint32_t una)
{
    if (r->phase == RECOVERY_OPEN && seq_lt(r->recover, una))
        r->recover = una - 1;
}

/*
 * FLIGHT_REO expired: what was only late is lost now, if nothing has come meanwhile. `s` is the
 * sample of an acknowledgment that says nothing.
 */
void recovery_on_reordering(struct flight *f, const struct ack_sample *s,
                            struct recovery_verdict *ret);

/* The retransmission timer expired; the same for `s`. */
void recovery_on_rto(struct flight *f, const struct ack_sample *s);

/* Nothing had been lost: what was taken for lost flies again, and the recovery is over. */
void recovery_undone(struct flight *f, uint32_t una);

/*
 * The window opened over what was sent while it was closed and cannot have been taken: send it
 * again, without a loss in the sense of congestion control.
 */
void recovery_reopened(struct flight *f);

/*
 * What is in flight up to `nxt` was larger than the path takes: send it again in smaller packets.
 * It is no congestion either (RFC 1191 section 6.4), and what duplicates this causes say of no
 * loss.
 */
void recovery_too_big(struct flight *f, uint32_t nxt);

/*
 * The probe of the path's MTU was too large: its bytes are to be sent again, the same is no
 * congestion, and what duplicates up to `nxt` say is that it is missing.
 */
void recovery_probe_too_big(struct flight *f, uint32_t nxt);

/* Is there something to send again, [*ret_start, *ret_end)? */
bool recovery_next(const struct flight *f, uint32_t *ret_start, uint32_t *ret_end,
                   enum reason *ret_why);

/*
 * Is there something to send again that is not known to be lost (RFC 6675 section 4, NextSeg)? Rule
 * (3): the first that lies below what arrived, and was not sent again; (4): up to `most` bytes of
 * the tail, once in a recovery, after its first retransmission has arrived. It is for those who
 * have nothing else to send, in a recovery with selective acknowledgments; one for each
 * acknowledgment. Returns the rule, or 0.
 */
unsigned recovery_last_resort(const struct flight *f, uint32_t una, uint32_t most,
                              uint32_t *ret_start, uint32_t *ret_end);

/* It will be sent, by this rule. */
void recovery_resorted(struct flight *f, unsigned rule);

/* May `len` bytes be sent again now, with a congestion window of `cwnd`? */
bool recovery_may_send(const struct flight *f, uint32_t len, uint32_t cwnd, uint32_t mss);

/* [start, end) was sent for the first time. */
void recovery_sent_new(struct flight *f, int64_t now, uint32_t start, uint32_t end);

/* The same, as a probe of the path's MTU. */
void recovery_sent_probe(struct flight *f, int64_t now, uint32_t start, uint32_t end);

/* [start, end) was sent again. */
void recovery_sent(struct flight *f, int64_t now, uint32_t start, uint32_t end);

/* Sequence space believed to be in flight. */
uint32_t recovery_pipe(const struct flight *f, uint32_t mss);

#endif
