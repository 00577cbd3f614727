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
 * ssthresh / RecoverFS of what was delivered, less `out`, what was sent already. Whole segments,
 * rounded up as the examples do: what is sent ahead of its share is counted in prr_out.
 */
static uint64_t proportional(const struct prr *p, const struct prr_ack *a, uint64_t out)
{
    uint64_t share = (p->delivered * a->ssthresh + p->recover_fs - 1) / p->recover_fs;

    return share > out ? (share - out + a->mss - 1) / a->mss * a->mss : 0;
}

/* CRB, or on a safe ACK SSRB; in any case no further than `room`, to ssthresh. */
static uint64_t bounded(const struct prr *p, const struct prr_ack *a, uint64_t out, uint64_t room)
{
    uint64_t owed = p->delivered > out ? p->delivered - out : 0;

    if (owed < a->delivered)
        owed = a->delivered;
    if (a->safe)
        owed += a->mss;
    return owed < room ? owed : room;
}

/*
 * RFC 9937 section 6: SndCnt. The first one is a segment at least, so that the fast retransmit
 * leaves.
 */
static uint64_t released(const struct prr *p, const struct prr_ack *a)
{
    uint64_t out = p->out + p->unspent, inflight = (uint64_t)a->inflight + p->unspent;
    uint64_t count = inflight > a->ssthresh ? proportional(p, a, out)
                                            : bounded(p, a, out, a->ssthresh - inflight);

    return out == 0 && count < a->mss ? a->mss : count;
}

uint32_t prr_on_ack(struct prr *p, const struct prr_ack *a)
{
    uint64_t unspent = p->unspent;

    if (a->delivered > 0 || p->out + unspent == 0) {
        p->delivered += a->delivered;
        unspent += released(p, a);
    }
    p->unspent = (uint32_t)(unspent < UINT32_MAX / 2 ? unspent : UINT32_MAX / 2);
    return a->inflight + p->unspent;
}

void prr_sent(struct prr *p, uint32_t len)
{
    p->out += len;
    p->unspent -= min32(p->unspent, len);
}
