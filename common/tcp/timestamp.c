/*
 * The clock counts milliseconds, so its sign bit wraps after 24.8 days, well within the limits of
 * RFC 7323 section 5.4. Each pair of ends has an origin of its own, from a keyed hash, so that
 * nobody learns how long the node has been up (section 7.1); being the same for each connection of
 * these ends, the clock never runs backwards from one to the next (RFC 6191 needs that).
 *
 * TS.Recent is what we echo. It is taken from a segment only when that has passed every check, the
 * acknowledgment's included: a stranger who could set it far ahead would make everything honest
 * look old. It belongs to the segment that reached the left edge as of the last acknowledgment
 * sent, so what a delayed acknowledgment echoes is the first segment that it answers, and its delay
 * counts into the round trip; and a segment that fills a gap is what the acknowledgment echoes,
 * not the one behind it.
 *
 * After 24 days without a new one TS.Recent says nothing any more: the remote clock may have
 * wrapped (section 5.5).
 */
#include "tcp/timestamp.h"

#include "base/seq.h"
#include "base/time.h"

enum {
    RECENT_VALID = 24 * 24, /* hours */
};

uint32_t timestamp_clock(const struct tcb *c, int64_t now)
{
    return (uint32_t)(now / MSEC) + c->ts_offset;
}

/* Counted in 16 bits, around again after seven years. */
static uint16_t hours(int64_t now)
{
    return (uint16_t)(now / (3600 * SEC));
}

static bool recent_is_valid(const struct tcb *c, int64_t now)
{
    return (uint16_t)(hours(now) - c->ts_recent_at) <= RECENT_VALID;
}

static void set_recent(struct tcb *c, int64_t now, uint32_t ts_val)
{
    c->ts_recent = ts_val;
    c->ts_recent_at = hours(now);
}

void timestamp_take_syn(const struct tcp *t, struct tcb *c, int64_t now, const struct tcp_hdr *syn)
{
    c->ts_ok = t->cfg.timestamps && syn->opt.has_timestamp;
    if (c->ts_ok)
        set_recent(c, now, syn->opt.ts_val);
}

/*
 * A reset is exempt (section 5.3): it may come from an end that has lost its memory. So is a SYN
 * without timestamps, which belongs to a connection of its own and is answered as any SYN is.
 */
enum reason timestamp_verdict(const struct tcb *c, int64_t now, const struct tcp_hdr *seg)
{
    if (!c->ts_ok || (seg->flags & TCP_RST))
        return REASON_NONE;
    if (!seg->opt.has_timestamp)
        return seg->flags & TCP_SYN ? REASON_NONE : REASON_TCP_NO_TIMESTAMP;
    if (seq_lt(seg->opt.ts_val, c->ts_recent) && recent_is_valid(c, now))
        return REASON_TCP_PAWS;
    return REASON_NONE;
}

void timestamp_update(struct tcb *c, int64_t now, const struct tcp_hdr *seg)
{
    if (!c->ts_ok || !seg->opt.has_timestamp || seq_gt(seg->seq, c->last_ack))
        return;
    if (seq_geq(seg->opt.ts_val, c->ts_recent) || !recent_is_valid(c, now))
        set_recent(c, now, seg->opt.ts_val);
}

int64_t timestamp_round_trip(const struct tcb *c, int64_t now, const struct tcp_hdr *seg)
{
    uint32_t age = timestamp_clock(c, now) - seg->opt.ts_ecr;

    if (!c->ts_ok || !seg->opt.has_timestamp)
        return 0;
    if (age > now / MSEC - c->opened_at / MSEC)
        return 0; /* ahead of us, or from before this connection */
    return time_max(1, age * MSEC);
}
