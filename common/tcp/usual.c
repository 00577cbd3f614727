#include "tcp/usual.h"

#include "tcp/ecn.h"
#include "tcp/super.h"
#include "tcp/timestamp.h"

/* It acknowledges nothing new: does it change nothing else either, and is nothing in flight? */
static inline bool says_nothing(const struct tcb *c, const struct tcp_hdr *hdr)
{
    const struct flight *f = c->flight;

    return c->snd_una == c->snd_nxt && c->snd_wnd && hdr->wnd && hdr->opt.sack_n == 0 &&
           !c->ecn_limited && (!f || (flight_is_usual(f) && !f->board.n && !f->rate.next.losses));
}

/* No older than the last one, where they are spoken (RFC 7323 section 5.3). */
static inline bool stamp_is_good(const struct tcb *c, const struct tcp_hdr *hdr)
{
    return !c->ts_ok || (hdr->opt.has_timestamp && seq_geq(hdr->opt.ts_val, c->ts_recent));
}

bool usual_is(const struct tcb *c, const struct tcp_hdr *hdr, uint32_t len)
{
    if (c->state != TCP_ESTABLISHED || (hdr->flags | TCP_PSH) != (TCP_ACK | TCP_PSH) ||
        hdr->seq != c->rcv_nxt || len > tcb_rcv_wnd(c) || hdr->ecn == ECN_CE || c->reasm.first ||
        c->fin_arrived || c->released || !stamp_is_good(c, hdr))
        return false;
    if (hdr->ack != c->snd_una)
        return seq_leq(hdr->ack, c->snd_nxt) && ack_is_usual(c, hdr);
    return len > 0 && says_nothing(c, hdr);
}

enum reason usual_input(struct tcp *t, struct tcb *c, int64_t now, const struct tcp_hdr *hdr,
                        struct slice data)
{
    uint32_t segments = super_segments(data.len, hdr->seg_size);

    c->segs_in += segments;
    if (hdr->ack != c->snd_una)
        ack_usual(t, c, now, hdr);
    else
        ack_nothing(t, c, now, hdr);
    timestamp_update(c, now, hdr);
    if (data.len == 0)
        return REASON_NONE;
    c->data_segs_in += segments;
    return text_usual(t, c, now, hdr, data);
}
