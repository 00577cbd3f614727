#include "tcp/recovery/prr.h"

#include "base/bytes.h"

/*
 * What was reported before the recovery began is not delivered in it, and so does not take part in
 * the proportion; what the ACK that begins it reports does. At least one byte, so that there is a
 * proportion, whatever the remote end says.
 */
void prr_begin(struct prr *p, const struct prr_start *s)
{
    uint32_t before = s->sacked - min32(s->sacked, s->newly_sacked);
    uint32_t flight = s->outstanding - min32(s->outstanding, before) + s->newly_acked;

    *p = (struct prr){.recover_fs = max32(flight, 1)};
}

void prr_end(struct prr *p)
{
    *p = (struct prr){0};
}

/*
 * ssthresh / RecoverFS of what was delivered, less what was sent already. Whole segments, rounded
 * up as the examples do: what is sent ahead of its share is counted in prr_out.
 */
static uint64_t proportional(const struct prr *p, uint32_t ssthresh, uint32_t mss)
{
    uint64_t share = (p->delivered * ssthresh + p->recover_fs - 1) / p->recover_fs;

    return share > p->out ? (share - p->out + mss - 1) / mss * mss : 0;
}

/* CRB, or on a safe ACK SSRB; in any case no further than to ssthresh. */
static uint64_t bounded(const struct prr *p, const struct prr_ack *a)
{
    uint64_t owed = p->delivered > p->out ? p->delivered - p->out : 0;
    uint64_t room = a->ssthresh - a->inflight;

    if (owed < a->delivered)
        owed = a->delivered;
    if (a->safe)
        owed += a->mss;
    return owed < room ? owed : room;
}

/* RFC 9937 section 6: SndCnt. The first one is a segment at least, so that the fast retransmit
 * leaves. */
uint32_t prr_on_ack(struct prr *p, const struct prr_ack *a)
{
    uint64_t count;

    if (a->delivered == 0 && p->out > 0)
        return a->inflight;
    p->delivered += a->delivered;
    count = a->inflight > a->ssthresh ? proportional(p, a->ssthresh, a->mss) : bounded(p, a);
    if (p->out == 0 && count < a->mss)
        count = a->mss;
    return a->inflight + (uint32_t)(count < UINT32_MAX / 2 ? count : UINT32_MAX / 2);
}

void prr_sent(struct prr *p, uint32_t len)
{
    p->out += len;
}
