/*
 * How fast does the network deliver (draft-ietf-ccwg-bbr section 4.1)?
 *
 * With each range of bytes that is sent goes a mark: what had been delivered by then, and when.
 * When the range is delivered, the difference is what was delivered meanwhile, and the time it took
 * gives a rate. Two intervals could be taken: that in which those bytes were sent, and that in
 * which they were acknowledged. The longer one counts, because acknowledgments may come in bursts,
 * and no rate can be higher than what was sent.
 *
 * A rate that was measured while the application had too little to send says what the application
 * needs, and not what the path takes. It is marked as such until all that was in flight then has
 * been delivered.
 *
 * Rounds are counted by what is delivered, too: one ends when something that was sent after its
 * beginning is delivered.
 */
#ifndef TCP_CC_RATE_H
#define TCP_CC_RATE_H

#include <stdbool.h>
#include <stdint.h>

/* Goes with what is sent. Ranges that left at the same instant may share the last one's. */
struct rate_mark {
    uint64_t delivered;    /* P.delivered */
    uint64_t lost;         /* P.lost */
    int64_t delivered_at;  /* P.delivered_time */
    int64_t first_sent_at; /* P.first_sent_time */
    int64_t sent_at;       /* P.sent_time */
    uint32_t tx_in_flight; /* P.tx_in_flight: bytes in flight with it included */
    bool app_limited;      /* P.is_app_limited */
};

/* What was delivered and lost since the last one: mostly, what one acknowledgment says. */
struct rate_sample {
    /* first, so that who has no use for the rest needs no more of it */
    uint32_t losses; /* of what was found lost: ranges */
    bool taken;      /* until rate_finish */

    bool app_limited;         /* RS.is_app_limited */
    bool round_start;         /* a round ends with it, and the next begins */
    uint64_t bandwidth;       /* RS.delivery_rate: bytes per second; 0: no sample */
    uint64_t delivered;       /* RS.delivered: bytes, in `interval` */
    uint64_t prior_delivered; /* RS.prior_delivered: of the newest that was delivered */
    uint64_t total_delivered; /* C.delivered after it */
    int64_t interval;         /* RS.interval: ns */
    uint64_t lost;            /* RS.lost: bytes, since the newest delivered was sent */
    uint32_t tx_in_flight;    /* RS.tx_in_flight: bytes in flight when it was sent */

    /* of what was found lost, the range that had most lost for what was in flight */
    uint64_t loss_since;        /* bytes lost since it was sent, it included; 0: nothing was lost */
    uint32_t loss_tx_in_flight; /* bytes in flight when it was sent */
    uint32_t loss_size;         /* bytes of it */

    /* until rate_finish */
    int64_t prior_at;               /* RS.prior_time */
    int64_t sent_at, first_sent_at; /* of the newest delivered, ns */
};

/* Of the connection, zeros at first. */
struct rate {
    uint64_t delivered;       /* C.delivered: bytes, in all */
    uint64_t lost;            /* C.lost: bytes, in all */
    uint64_t limited_until;   /* C.app_limited: application-limited until so much is delivered */
    uint64_t round_delivered; /* the round ends when what was sent beyond this is delivered */
    int64_t delivered_at;     /* C.delivered_time: ns, when `delivered` last grew */
    int64_t first_sent_at;    /* C.first_sent_time: ns, when the newest delivered was sent */
    bool unasked;             /* nobody wants to know the rate itself: `bandwidth` stays 0 */
    struct rate_sample next;  /* what rate_finish will complete */
};

/* `len` bytes leave, for the first time or again, with `in_flight` bytes in the network before. */
void rate_on_send(struct rate *r, struct rate_mark *m, int64_t now, uint32_t in_flight,
                  uint32_t len);

/* `len` bytes that left with this mark are delivered: acknowledged, cumulatively or selectively. */
void rate_on_delivered(struct rate *r, const struct rate_mark *m, int64_t now, uint32_t len);

/* `len` bytes that left with this mark are taken for lost. */
void rate_on_lost(struct rate *r, const struct rate_mark *m, uint32_t len);

/*
 * All that an acknowledgment, or a timer, delivers or shows to be lost has been told: the sample of
 * it. An interval under min_rtt (ns; 0: not known) gives no rate: acknowledgments were compressed.
 */
void rate_finish(struct rate *r, int64_t min_rtt, struct rate_sample *ret);

/*
 * Both at once, for an acknowledgment that delivers `len` bytes which left with this mark, and
 * nothing else, where nobody asks for the rate (rate_is_unasked). Of *ret only round_start and
 * total_delivered are filled in.
 */
void rate_on_whole(struct rate *r, const struct rate_mark *m, int64_t now, uint32_t len,
                   struct rate_sample *ret);

/* Does nobody ask, and is nothing to be told that rate_finish has not told yet? */
static inline bool rate_is_unasked(const struct rate *r)
{
    return r->unasked && !r->next.taken && !r->next.losses;
}

/* There is nothing to send now though cwnd has room, with `in_flight` bytes in the network. */
void rate_app_limited(struct rate *r, uint32_t in_flight);

#endif
