/*
 * What ICMP errors do to a connection (RFC 9293 section 3.9.2.2, RFC 5461, RFC 5927).
 *
 * Anybody can write an ICMP error. What tells a router's from a stranger's is the quoted segment:
 * the floors below have found the connection by its addresses and ports; here its sequence number
 * must be in flight, which a router knows, and a stranger has to guess (RFC 5927 section 4.1). The
 * checksums in the quote prove nothing (who can write the quote can write them), and are often not
 * there, or stale; so they are not looked at.
 *
 * A soft error is told, and no more (MUST-56). A hard error ends a connection that is being opened
 * (SHLD-26). One that is open is not given up at once for a packet that may be forged: the error is
 * told, and ends the connection when silence confirms it, that is, when RTX expires after R1
 * retransmissions in which the remote end said nothing (RFC 5927 section 5.2). Whoever wants the
 * letter of SHLD-26 sets icmp_hard_aborts. Progress that the remote end makes has it all forgotten.
 *
 * What is too big for its path is path.h's affair, but for a packet that cannot be made smaller, a
 * SYN, which is a hard case.
 */
#include "base/bytes.h"
#include "base/seq.h"
#include "tcp/tcp.h"

static enum reason hard_error(struct tcp *t, struct tcb *c, int64_t now, enum reason why)
{
    tcp_report(t, c, now, why);
    if (!tcb_synchronized(c) || t->cfg.icmp_hard_aborts)
        tcp_end(t, c, now, REASON_END_UNREACHABLE); /* SHLD-26 */
    return REASON_NONE;
}

bool tcp_icmp_hopeless(const struct tcb *c)
{
    bool hard =
        c->soft_error == REASON_ICMP_HARD_PROTOCOL || c->soft_error == REASON_ICMP_HARD_PORT ||
        c->soft_error == REASON_ICMP_HARD_FRAGMENT || c->soft_error == REASON_ICMP_HARD_PROHIBITED;

    return hard && c->rtx_count >= c->set->r1;
}

/* MUST-54: a packet that cannot be made smaller is a hard case. */
static enum reason too_big(struct tcp *t, struct tcb *c, int64_t now, const struct icmp_error *e)
{
    uint32_t mtu = addr_is_v4(&c->remote) ? e->mtu : max32(e->mtu, IPV6_MTU_MIN);

    if (e->df && mtu < e->size && (!tcb_synchronized(c) || e->size <= IPV4_MTU_MIN))
        return hard_error(t, c, now, REASON_ICMP_HARD_FRAGMENT);
    return path_too_big(t, c, now, e);
}

enum reason tcp_icmp_error(struct tcp *t, struct tcb *c, int64_t now, const struct icmp_error *e)
{
    if (seq_lt(e->seq, c->snd_una) || seq_geq(e->seq, c->snd_nxt))
        return REASON_ICMP_SEQUENCE;
    switch (e->meaning.class) {
    case ICMP_SOFT:
        tcp_report(t, c, now, e->meaning.why); /* SHLD-25, MUST-56 */
        return REASON_NONE;
    case ICMP_HARD:
        return hard_error(t, c, now, e->meaning.why);
    case ICMP_TOO_BIG:
        return too_big(t, c, now, e);
    case ICMP_IGNORED:
        break;
    }
    return e->meaning.why;
}
