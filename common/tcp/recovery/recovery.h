/*
 * Loss recovery: which bytes are lost. It keeps ranges of sequence numbers, not packets, so a
 * super-segment that was lost in part is an ordinary case.
 *
 * What is lost and not yet sent again is [lost_start, lost_end). Two things mark bytes as lost: a
 * retransmission timeout (everything in flight; RFC 6298 section 5) and three duplicate
 * acknowledgments (the first segment, and after each partial acknowledgment the next; NewReno, RFC
 * 6582). A duplicate acknowledgment says that one segment has left the network, so each counts as
 * one segment less in flight.
 */
#ifndef TCP_RECOVERY_RECOVERY_H
#define TCP_RECOVERY_RECOVERY_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/reason.h"

enum recovery_phase {
    RECOVERY_OPEN, /* nothing is known to be lost */
    RECOVERY_FAST, /* a loss that duplicate acknowledgments showed is being repaired */
    RECOVERY_RTO,  /* a timeout is being repaired */
};

struct recovery {
    uint32_t lost_start, lost_end; /* sequence numbers; equal when nothing is lost */
    uint32_t recover;              /* snd_nxt when the loss was noticed */
    uint32_t dupacks;              /* duplicate acknowledgments since snd_una last moved */
    uint8_t phase;                 /* enum recovery_phase */
    uint8_t why;                   /* enum reason: what the next retransmission is for */
};

/* What one acknowledgment says. */
struct ack_sample {
    uint32_t una;   /* snd_una after it */
    uint32_t nxt;   /* snd_nxt */
    uint32_t acked; /* sequence space newly acknowledged; 0 for a duplicate */
    uint32_t mss;   /* bytes */
    bool duplicate; /* by the definition of RFC 5681 section 2 */
};

enum recovery_action {
    RECOVERY_NONE,
    RECOVERY_ENTERED,  /* a loss was detected: congestion control is to be told */
    RECOVERY_FINISHED, /* all that was in flight at the loss is acknowledged */
};

void recovery_init(struct recovery *r, uint32_t iss);

enum recovery_action recovery_on_ack(struct recovery *r, const struct ack_sample *s);

/* The retransmission timer expired with [una, nxt) in flight: all of it counts as lost. */
void recovery_on_rto(struct recovery *r, uint32_t una, uint32_t nxt);

/*
 * The window opened over [una, nxt), which was sent while it was closed and cannot have been taken:
 * send it again, without a loss in the sense of congestion control.
 */
void recovery_reopened(struct recovery *r, uint32_t una, uint32_t nxt);

/*
 * Packets of [una, nxt) were larger than the path takes: send it again in smaller ones. It is no
 * congestion either (RFC 1191 section 6.4), and what duplicates this causes say of no loss.
 */
void recovery_too_big(struct recovery *r, uint32_t una, uint32_t nxt);

/* Is there something to send again? Then it begins at lost_start. */
static inline bool recovery_lost(const struct recovery *r)
{
    return r->lost_start != r->lost_end;
}

/* `len` of the lost bytes were sent again. */
void recovery_sent(struct recovery *r, uint32_t len);

/* Sequence space believed to be in flight. */
uint32_t recovery_pipe(const struct recovery *r, uint32_t una, uint32_t nxt, uint32_t mss);

#endif
