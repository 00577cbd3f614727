#include "tcp/cc/rate.h"

#include "base/time.h"

/* OnPacketSent. After a pause the intervals begin anew. */
void rate_on_send(struct rate *r, struct rate_mark *m, int64_t now, uint32_t in_flight,
                  uint32_t len)
{
    if (in_flight == 0)
        r->first_sent_at = r->delivered_at = now;
    *m = (struct rate_mark){
        .delivered = r->delivered,
        .lost = r->lost,
        .delivered_at = r->delivered_at,
        .first_sent_at = r->first_sent_at,
        .sent_at = now,
        .tx_in_flight = in_flight + len,
        .app_limited = r->limited_until != 0,
    };
}

/* Was this one sent after the newest so far that the acknowledgment delivers (IsNewestPacket)? */
static bool is_newest(const struct rate_sample *s, const struct rate_mark *m)
{
    if (!s->taken || m->sent_at > s->sent_at)
        return true;
    return m->sent_at == s->sent_at && m->delivered >= s->prior_delivered;
}

/* UpdateRateSample */
void rate_on_delivered(struct rate *r, const struct rate_mark *m, int64_t now, uint32_t len)
{
    struct rate_sample *s = &r->next;

    r->delivered += len;
    r->delivered_at = now;
    if (!is_newest(s, m))
        return;
    s->taken = true;
    s->prior_delivered = m->delivered;
    s->prior_at = m->delivered_at;
    s->sent_at = m->sent_at;
    s->first_sent_at = m->first_sent_at;
    s->app_limited = m->app_limited;
    s->tx_in_flight = m->tx_in_flight;
    s->lost = m->lost; /* until rate_finish: what was lost before */
    r->first_sent_at = m->sent_at;
}

void rate_on_lost(struct rate *r, const struct rate_mark *m, uint32_t len)
{
    struct rate_sample *s = &r->next;
    uint64_t since;

    r->lost += len;
    s->losses++;
    since = r->lost - m->lost;
    /* since / tx_in_flight is at least what it was for the worst so far */
    if (since * s->loss_tx_in_flight < s->loss_since * m->tx_in_flight)
        return;
    s->loss_since = since;
    s->loss_tx_in_flight = m->tx_in_flight;
    s->loss_size = len;
}

/*
 * A round: from the first thing sent in it to that one's delivery. `prior` is what had been
 * delivered when the newest that is delivered now was sent.
 */
static inline bool begins_round(struct rate *r, uint64_t prior)
{
    if (prior < r->round_delivered)
        return false;
    r->round_delivered = r->delivered;
    return true;
}

/* What was sent while the application had too little to send may all have been delivered. */
static inline void end_limit(struct rate *r)
{
    if (r->limited_until && r->delivered > r->limited_until)
        r->limited_until = 0;
}

/* Without overflow where bytes * SEC fits into 64 bits, which is 18 GB; beyond, a little coarser.
 */
static uint64_t per_second(uint64_t bytes, int64_t interval)
{
    if (bytes < UINT64_MAX / SEC)
        return bytes * SEC / (uint64_t)interval;
    return bytes / (uint64_t)time_max(1, interval / SEC);
}

/* GenerateRateSample */
static void complete(struct rate *r, struct rate_sample *s, int64_t min_rtt)
{
    s->lost = r->lost - s->lost;
    s->round_start = begins_round(r, s->prior_delivered);
    s->delivered = r->delivered - s->prior_delivered;
    s->interval = time_max(s->sent_at - s->first_sent_at, r->delivered_at - s->prior_at);
    if (s->interval < min_rtt || s->interval <= 0)
        s->interval = 0;
    else if (!r->unasked) /* a division that takes as long as all the rest */
        s->bandwidth = per_second(s->delivered, s->interval);
}

/* Where nothing was delivered, or something was lost; of what is not `taken` only losses count. */
static void take_any(struct rate *r, struct rate_sample *ret)
{
    const struct rate_sample *s = &r->next;

    if (s->taken)
        *ret = *s;
    else
        *ret = (struct rate_sample){.loss_since = s->loss_since,
                                    .loss_tx_in_flight = s->loss_tx_in_flight,
                                    .loss_size = s->loss_size,
                                    .losses = s->losses};
    r->next = (struct rate_sample){0};
}

/* What was delivered is not cleared but said not to be taken: it is written whole the next time. */
void rate_finish(struct rate *r, int64_t min_rtt, struct rate_sample *ret)
{
    if (r->next.taken && !r->next.losses) {
        *ret = r->next;
        r->next.taken = false;
    } else {
        take_any(r, ret);
    }
    end_limit(r);
    ret->total_delivered = r->delivered;
    if (ret->taken)
        complete(r, ret, min_rtt);
}

void rate_on_whole(struct rate *r, const struct rate_mark *m, int64_t now, uint32_t len,
                   struct rate_sample *ret)
{
    r->delivered += len;
    r->delivered_at = now;
    r->first_sent_at = m->sent_at;
    ret->round_start = begins_round(r, m->delivered);
    ret->total_delivered = r->delivered;
    end_limit(r);
}

void rate_app_limited(struct rate *r, uint32_t in_flight)
{
    uint64_t until = r->delivered + in_flight;

    r->limited_until = until ? until : 1;
}
