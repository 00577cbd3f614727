/*
 * Explicit congestion notification (RFC 3168), as it shows on the wire: routers may mark new text
 * and nothing else (sections 6.1.4 to 6.1.6), and that only where both SYNs said so; CWR stands on
 * new text, once for each reason to slow down; and ECE in each acknowledgment from a mark on until
 * text with CWR has come (section 6.1.3), and in no other.
 */
#include "base/seq.h"
#include "stack/internal.h"
#include "tcp/ecn.h"
#include "tests/sim/check.h"

static bool is_spoken(const struct flow *own, const struct flow *back)
{
    return own->syn.ece && back->syn.ece && (own->syn.cwr || back->syn.cwr);
}

/* May it be marked? Then it has to say so, else it must not. */
static void check_codepoint(struct check *c, const struct flow *own, const struct flow *back,
                            const struct tcp_hdr *tcp, bool fresh)
{
    const struct conn *conn = c->leaving;
    bool speaks = conn && conn->tcb.ecn_ok;

    if (speaks && !is_spoken(own, back))
        check_fail(c, "port %u: speaks of marks, and the SYNs did not", tcp->sport);
    if (tcp->ecn != (speaks && fresh ? ECN_ECT0 : ECN_NOT_ECT))
        check_fail(c, "port %u: codepoint %u for %s", tcp->sport, tcp->ecn,
                   fresh ? "new text" : "what is not new text");
}

void check_ecn(struct check *c, struct flow *own, const struct flow *back,
               const struct tcp_hdr *tcp, uint32_t len, enum reason why)
{
    bool fresh = why != REASON_SEND_PROBE && len > 0 && seq_geq(tcp->seq, own->sent_end);
    bool cwr = tcp->flags & TCP_CWR, ece = tcp->flags & TCP_ECE;

    if (tcp->flags & TCP_SYN) {
        if (tcp->ecn != ECN_NOT_ECT)
            check_fail(c, "port %u: a SYN that may be marked", tcp->sport);
        return;
    }
    check_codepoint(c, own, back, tcp, fresh);
    if (cwr && !(fresh && own->may_say_cwr))
        check_fail(c, "port %u: CWR for nothing", tcp->sport);
    if (cwr || (len > 0 && seq_lt(tcp->seq, own->sent_end))) {
        own->may_say_cwr = !cwr; /* what leaves again does so for a loss */
        own->may_undo_cwr = false;
    }
    if ((tcp->flags & TCP_ACK) && ece != back->marked)
        check_fail(c, "port %u: ECE is %s", tcp->sport, ece ? "set for nothing" : "missing");
}

void check_ecn_slower(struct flow *own, bool slower)
{
    if (slower && !own->may_say_cwr)
        own->may_say_cwr = own->may_undo_cwr = true;
    if (!slower && own->may_undo_cwr)
        own->may_say_cwr = own->may_undo_cwr = false;
}

void check_ecn_heard(struct check *c, const void *of, enum reason said)
{
    const struct arrival *a = &c->arrival;
    const struct tcb *t = &((const struct conn *)of)->tcb;

    if ((a->tcp.flags & (TCP_ECE | TCP_SYN)) == TCP_ECE) {
        a->back->may_say_cwr = true;
        a->back->may_undo_cwr = false;
    }
    if (said == REASON_NO_BUFFER) { /* it may never have come to the stack */
        a->own->marked = t->ecn_echo;
        return;
    }
    if (a->len == 0 || !t->ecn_ok)
        return;
    if (a->tcp.flags & TCP_CWR)
        a->own->marked = false;
    if (a->tcp.ecn == ECN_CE)
        a->own->marked = true;
}
