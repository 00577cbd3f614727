/* What several steps do to answer a segment; nothing is sent from here, it is only owed. */
#include "tcp/seg.h"

#include "base/time.h"

enum {
    CHALLENGES_PER_SECOND = 100, /* RFC 5961 section 7; for all connections of a node together */
};

void tcp_ack_now(struct tcb *c, enum reason why)
{
    if (!c->ack_now)
        c->ack_reason = (uint8_t)why;
    c->ack_now = true;
    c->output_due = true;
}

/* Owe a challenge ACK, unless this second has had its share (RFC 5961 section 7). */
enum reason seg_challenge(struct seg *s, enum reason why)
{
    struct tcp *t = s->t;

    if (s->now - t->challenge_window >= SEC) {
        t->challenge_window = s->now;
        t->challenges = 0;
    }
    if (t->challenges < CHALLENGES_PER_SECOND) {
        t->challenges++;
        s->c->challenge = true;
        s->c->output_due = true;
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
