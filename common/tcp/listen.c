/*
 * CLOSED and LISTEN: what answers a segment for which there is no connection yet (RFC 9293
 * sections 3.10.7.1 and 3.10.7.2).
 */
#include "base/seq.h"
#include "tcp/tcp.h"

bool tcp_reset_for(const struct tcp_hdr *seg, uint32_t data_len, struct tcp_hdr *ret_rst)
{
    uint32_t len = data_len + !!(seg->flags & TCP_SYN) + !!(seg->flags & TCP_FIN);

    if (seg->flags & TCP_RST)
        return false;
    *ret_rst = (struct tcp_hdr){.sport = seg->dport, .dport = seg->sport, .flags = TCP_RST};
    if (seg->flags & TCP_ACK) {
        ret_rst->seq = seg->ack;
    } else {
        ret_rst->flags |= TCP_ACK;
        ret_rst->ack = seg->seq + len;
    }
    return true;
}

enum reason tcp_listen_verdict(const struct tcp_hdr *seg)
{
    if (seg->flags & TCP_RST)
        return REASON_TCP_LISTEN_OTHER;
    if (seg->flags & TCP_ACK)
        return REASON_TCP_LISTEN_ACK;
    return seg->flags & TCP_SYN ? REASON_NONE : REASON_TCP_LISTEN_OTHER;
}

/*
 * RFC 6191 section 2 (SHLD-4): a timestamp beyond all that the old connection saw proves that the
 * SYN is new; so does the mere presence of one, where the old connection spoke none. Otherwise its
 * sequence number must lie beyond the old ones (MAY-2).
 */
bool tcp_time_wait_reusable(const struct tcp *t, const struct tcb *c, const struct tcp_hdr *seg)
{
    bool stamped = t->cfg.timestamps && seg->opt.has_timestamp;

    if (c->state != TCP_TIME_WAIT || (seg->flags & (TCP_SYN | TCP_ACK | TCP_RST)) != TCP_SYN)
        return false;
    if (stamped && (!c->ts_ok || seq_gt(seg->opt.ts_val, c->ts_recent)))
        return true;
    if (stamped && seq_lt(seg->opt.ts_val, c->ts_recent))
        return false;
    return seq_gt(seg->seq, c->rcv_nxt);
}
