#include "tcp/recovery/recovery.h"

#include <assert.h>

#include "base/bytes.h"
#include "base/seq.h"

enum {
    DUPACK_THRESHOLD = 3, /* RFC 5681 section 3.2 */
};

void recovery_init(struct recovery *r, uint32_t iss)
{
    *r = (struct recovery){.lost_start = iss, .lost_end = iss, .recover = iss};
}

static void mark_first_lost(struct recovery *r, const struct ack_sample *s, enum reason why)
{
    r->why = (uint8_t)why;
    r->lost_start = s->una;
    r->lost_end = seq_min(s->una + s->mss, s->nxt);
}

/* RFC 6582 section 3.2 step 2: not for duplicates caused by what an earlier recovery sent. */
static enum recovery_action on_duplicate(struct recovery *r, const struct ack_sample *s)
{
    r->dupacks++;
    if (r->phase != RECOVERY_OPEN || r->dupacks != DUPACK_THRESHOLD)
        return RECOVERY_NONE;
    if (seq_leq(s->una, r->recover))
        return RECOVERY_NONE;
    r->phase = RECOVERY_FAST;
    r->recover = s->nxt;
    mark_first_lost(r, s, REASON_SEND_FAST_RETRANSMIT);
    return RECOVERY_ENTERED;
}

static enum recovery_action on_progress(struct recovery *r, const struct ack_sample *s)
{
    if (seq_lt(r->lost_start, s->una))
        r->lost_start = s->una;
    if (seq_lt(r->lost_end, r->lost_start))
        r->lost_end = r->lost_start;
    if (r->phase == RECOVERY_OPEN) {
        if (seq_lt(r->recover, s->una))
            r->recover = s->una - 1; /* what is behind is all the same; ahead it would be wrong */
        r->dupacks = 0;
        return RECOVERY_NONE;
    }
    if (seq_geq(s->una, r->recover)) {
        r->phase = RECOVERY_OPEN;
        r->dupacks = 0;
        return RECOVERY_FINISHED;
    }
    if (r->phase == RECOVERY_FAST) {
        /* A partial acknowledgment: the next segment is lost as well. What it covered beyond the
         * retransmission had left the network already. */
        uint32_t segments = (s->acked + s->mss - 1) / s->mss;

        r->dupacks -= min32(r->dupacks, segments - 1);
        mark_first_lost(r, s, REASON_SEND_RECOVERY);
    } else {
        r->dupacks = 0;
    }
    return RECOVERY_NONE;
}

enum recovery_action recovery_on_ack(struct recovery *r, const struct ack_sample *s)
{
    if (s->acked > 0)
        return on_progress(r, s);
    return s->duplicate ? on_duplicate(r, s) : RECOVERY_NONE;
}

void recovery_on_rto(struct recovery *r, uint32_t una, uint32_t nxt)
{
    r->phase = RECOVERY_RTO;
    r->why = REASON_SEND_RTO;
    r->recover = nxt;
    r->dupacks = 0;
    r->lost_start = una;
    r->lost_end = nxt;
}

void recovery_reopened(struct recovery *r, uint32_t una, uint32_t nxt)
{
    r->why = REASON_SEND_REOPENED;
    r->lost_start = una;
    r->lost_end = nxt;
}

void recovery_too_big(struct recovery *r, uint32_t una, uint32_t nxt)
{
    r->why = REASON_SEND_SMALLER;
    r->recover = nxt;
    r->lost_start = una;
    r->lost_end = nxt;
}

void recovery_sent(struct recovery *r, uint32_t len)
{
    assert(len <= r->lost_end - r->lost_start);
    r->lost_start += len;
}

/*
 * How many segments duplicates say have left. Before a recovery no more than two count (limited
 * transmit, RFC 3042); in one, no more than were in flight, however many somebody makes up.
 */
static uint32_t segments_left(const struct recovery *r, uint32_t flight, uint32_t mss)
{
    switch ((enum recovery_phase)r->phase) {
    case RECOVERY_OPEN:
        return min32(r->dupacks, DUPACK_THRESHOLD - 1);
    case RECOVERY_FAST:
        return min32(r->dupacks, flight / mss);
    case RECOVERY_RTO:
        break;
    }
    return 0;
}

uint32_t recovery_pipe(const struct recovery *r, uint32_t una, uint32_t nxt, uint32_t mss)
{
    uint32_t flight = nxt - una, gone = r->lost_end - r->lost_start;

    gone += segments_left(r, flight, mss) * mss;
    return flight > gone ? flight - gone : 0;
}
