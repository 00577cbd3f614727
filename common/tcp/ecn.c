/*
 * Both SYNs have to say that ECN is spoken: ECE and CWR in the first, ECE alone in the answer. A
 * SYN that was not answered in time is sent again without them, because there are firewalls that
 * drop them; then ECN is not spoken.
 *
 * As sender we let routers mark new text and nothing else: not what is sent again, nor probes of a
 * window, nor packets without text (sections 6.1.4 to 6.1.6). A loss of these would pass unnoticed,
 * or they may be forgeries that the receiver ignores.
 *
 * As receiver we repeat ECE in every acknowledgment from the first mark on until text with CWR
 * says that the sender knows. As sender we answer ECE as we answer a loss, but send nothing again,
 * and once for what is in flight: everything up to ecn_end, SND.NXT at the reduction, was sent
 * before it. ECE in an acknowledgment at or below ecn_end says nothing new, since the CWR stands
 * behind that. A loss found by other means counts for the same flight just as well.
 */
#include "tcp/ecn.h"

#include "base/seq.h"

enum {
    BOTH = TCP_ECE | TCP_CWR,
};

uint8_t ecn_syn_flags(const struct tcp *t, const struct tcb *c)
{
    if (c->state == TCP_SYN_RECEIVED)
        return c->ecn_ok ? TCP_ECE : 0;
    return t->cfg.ecn && c->rtt.backoff == 0 ? BOTH : 0;
}

static bool says_yes(const struct tcp_hdr *syn)
{
    return (syn->flags & BOTH) == (syn->flags & TCP_ACK ? TCP_ECE : BOTH);
}

/* An answer with both flags comes from an end that mirrors bits it does not know. */
void ecn_take_syn(const struct tcp *t, struct tcb *c, const struct tcp_hdr *syn)
{
    c->ecn_ok = t->cfg.ecn && c->rtt.backoff == 0 && says_yes(syn);
}

void ecn_take_syn_again(struct tcb *c, const struct tcp_hdr *syn)
{
    c->ecn_ok = c->ecn_ok && says_yes(syn);
}

void ecn_text_arrived(struct tcb *c, const struct tcp_hdr *seg, uint32_t len)
{
    if (!c->ecn_ok || len == 0)
        return;
    if (seg->flags & TCP_CWR)
        c->ecn_echo = false;
    if (ecn_is_mark(c, seg, len))
        c->ecn_echo = true;
}

bool ecn_demands(struct tcb *c, const struct tcp_hdr *seg)
{
    if (c->ecn_limited && seq_gt(c->snd_una, c->ecn_end))
        c->ecn_limited = false;
    return ecn_echoed(c, seg) && !c->ecn_limited;
}

bool ecn_was_reduced(const struct tcb *c, uint32_t seq)
{
    return c->ecn_limited && seq_lt(seq, c->ecn_end);
}

void ecn_reduced(struct tcb *c)
{
    if (!c->ecn_ok)
        return;
    c->ecn_cwr = true;
    c->ecn_limited = true;
    c->ecn_end = c->snd_nxt;
}

void ecn_taken_back(struct tcb *c)
{
    c->ecn_cwr = false;
    c->ecn_limited = false;
}

void ecn_new_text(struct tcb *c, struct tcp_hdr *hdr, struct pkt *p)
{
    if (!c->ecn_ok)
        return;
    p->ecn = ECN_ECT0;
    if (c->ecn_cwr)
        hdr->flags |= TCP_CWR;
    c->ecn_cwr = false;
}
