/* What several steps do to answer a segment; nothing is sent from here, it is only owed. */
#include "tcp/seg.h"

#include "base/time.h"

enum {
    CHALLENGES_PER_SECOND = 100, /* per connection */
};

void tcp_ack_now(struct tcb *c, enum reason why)
{
    if (!c->ack_now)
        c->ack_reason = (uint8_t)why;
    c->ack_now = true;
    c->output_due = true;
}

/*
 * Owe a challenge ACK, unless this second has had its share (RFC 5961 section 7). The limit is each
 * connection's own: one for all would tell strangers whether a segment of theirs hit a connection,
 * and would let them use up the answer that another one needs (U-6).
 */
enum reason seg_challenge(struct seg *s, enum reason why)
{
    struct tcb *c = s->c;

    uint32_t now_ms = (uint32_t)(s->now / MSEC);

    if (now_ms - c->challenge_window >= 1000) {
        c->challenge_window = now_ms;
        c->challenges = 0;
    }
    if (c->challenges < CHALLENGES_PER_SECOND) {
        c->challenges++;
        c->challenge = true;
        c->output_due = true;
    }
    return why;
}

/* <SEQ=SEG.ACK><CTL=RST> */
enum reason seg_reply_reset(struct seg *s, enum reason why)
{
    if (!(s->flags & TCP_RST)) {
        *s->ret_rst = (struct tcp_hdr){.sport = s->hdr->dport,
                                       .dport = s->hdr->sport,
                                       .seq = s->ack,
                                       .flags = TCP_RST};
        *s->ret_reply = true;
    }
    return why;
}
