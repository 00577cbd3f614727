/*
 * Header prediction from the packet's first byte on: one look at its form, one at the hint of where
 * its connection was found last, the sums, one at what is usual there; and it is taken. What inet.c
 * would find out of such a packet, field by field, is nothing else.
 */
#include "stack/internal.h"
#include "tcp/usual.h"
#include "wire/plain.h"

bool predict_input(struct stack *st, const struct pkt *p, enum reason *ret_why)
{
    const uint8_t *b = p->part[0].base;
    struct tcp_hdr hdr;
    struct conn *c;
    uint32_t len;

    if (!plain_is(b, p->part[0].len) || !(c = flow_guess_plain(st, b)))
        return false;
    usual_prefetch(&c->tcb);
    if (!plain_sums_good(b, p->marks)) /* now, because what was fetched takes a while to come */
        return false;
    plain_read(b, &hdr);
    hdr.seg_size = p->gso_size;
    len = plain_text_len(b);
    if (!usual_is(&c->tcb, &hdr, len))
        return false;
    *ret_why =
        usual_input(&st->tcp, &c->tcb, st->now, &hdr, slice_sub(p->part[0], PLAIN_TEXT, len));
    if (*ret_why == REASON_NONE)
        c->rcv_tos = b[PLAIN_TOS]; /* MAY-9 */
    stack_settle(st, c);
    return true;
}
