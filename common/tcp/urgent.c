#include "tcp/urgent.h"

#include <errno.h>

#include "tcp/seg.h"

enum {
    POINTER_MAX = 65535,
};

/*
 * Sending. Every segment that begins before SND.UP has the URG bit and the way from its own number
 * to SND.UP. Where that is further than the field can say it says the most it can: the end seems to
 * move on as the segments do, and comes to stand where it is at last, so that urgent data may be of
 * any length (MUST-31).
 *
 * The remote end is to know early, though window or congestion may hold back the bytes themselves.
 * If no segment with text can leave, an empty one carries the bit (to a closed window, too: MUST-66
 * has it heard there; MUST-30). */
int tcp_urgent(struct tcb *c)
{
    uint32_t end = tcb_data_end(c);

    if (!tcp_may_send(c))
        return -EPIPE;
    if (seq_leq(end, seq_max(c->snd_up, tcb_snd_base(c))))
        return 0; /* all of it is urgent already, or acknowledged */
    c->snd_up = end;
    c->urgent_due = true;
    c->output_due = true;
    return 0;
}

/* Up to the octet behind the urgent ones (MUST-62). */
void urgent_mark(struct tcb *c, struct tcp_hdr *hdr)
{
    if ((hdr->flags & (TCP_SYN | TCP_RST)) || !urgent_unacked(c) || seq_leq(c->snd_up, hdr->seq))
        return;
    hdr->flags |= TCP_URG;
    hdr->urg = (uint16_t)min32(c->snd_up - hdr->seq, POINTER_MAX);
    c->urgent_due = false;
}

bool urgent_owed(struct tcb *c, uint32_t seq)
{
    bool owed = c->urgent_due && seq_gt(c->snd_up, seq);

    c->urgent_due = false; /* if not now, segments that are sent again will say it */
    return owed;
}

/*
 * Receiving, the sixth step of SEGMENT ARRIVES (3.10.7.4, MUST-32, MUST-66). The pointer counts
 * from the segment's own number, whatever of its text we had already, and may point beyond the
 * text, and beyond the window. One that points nowhere new says nothing: zero, into what was read,
 * or before an earlier one (MUST-30).
 */
void urgent_step(struct seg *s)
{
    struct tcb *c = s->c;
    uint32_t up = s->hdr->seq + s->hdr->urg;

    if (!(s->hdr->flags & TCP_URG) || !tcb_takes_text(c))
        return;
    if (seq_leq(up, seq_max(c->rcv_up, tcb_read_at(c))))
        return;
    c->rcv_up = up;
    c->events |= TCP_EVENT_URGENT;
    tcp_note(s->t, c, s->now, REASON_URGENT, urgent_left(c));
}

/* From the next byte to be read (MUST-33). */
uint32_t urgent_left(const struct tcb *c)
{
    uint32_t at = tcb_read_at(c), left = seq_gt(c->rcv_up, at) ? c->rcv_up - at : 0;

    return tcb_takes_text(c) ? left : min32(left, c->rcv_q.bytes); /* nothing follows a FIN */
}
