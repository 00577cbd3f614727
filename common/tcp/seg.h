/*
 * A segment on its way through the steps of SEGMENT ARRIVES (RFC 9293 section 3.10.7.4), and the
 * steps: input.c is the parent that calls them, ack.c and text.c hold the longer ones. A step
 * returns REASON_NONE to go on with the next, or the reason why the segment's way ends here.
 */
#ifndef TCP_SEG_H
#define TCP_SEG_H

#include "tcp/tcp.h"

struct seg {
    struct tcp *t;
    struct tcb *c;
    int64_t now;
    uint32_t seq;      /* of the first byte in data, or of the SYN */
    uint32_t ack, wnd; /* the window in bytes */
    uint8_t flags;
    bool bare;         /* it came with neither data nor SYN nor FIN */
    uint32_t segments; /* that it stands for, see super.h */
    struct slice data;
    const struct tcp_hdr *hdr;
    bool *ret_reply;
    struct tcp_hdr *ret_rst;
};

/* SEG.LEN: sequence space, SYN and FIN included. */
static inline uint32_t seg_len(const struct seg *s)
{
    return s->data.len + !!(s->flags & TCP_SYN) + !!(s->flags & TCP_FIN);
}

/* seg.c: owe a challenge ACK, unless this second has had its share. Returns why. */
enum reason seg_challenge(struct seg *s, enum reason why);
/* seg.c: answer with <SEQ=SEG.ACK><CTL=RST>, unless it is a reset itself. Returns why. */
enum reason seg_reply_reset(struct seg *s, enum reason why);

/* ack.c: the fifth step, the ACK field. */
enum reason ack_step(struct seg *s);
/* ack.c: what an acceptable acknowledgment does, in any state. */
void ack_process(struct seg *s);
/* ack.c: our SYN is acknowledged: on to ESTABLISHED. */
void ack_establish(struct seg *s);

/* urgent.c: the sixth step, the URG bit. */
void urgent_step(struct seg *s);

/* text.c: the seventh step, the segment text. */
enum reason text_step(struct seg *s);
/* text.c: the eighth step, the FIN bit. */
void text_fin(struct seg *s);

#endif
