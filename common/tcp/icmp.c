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
 * "Fragmentation needed" makes this connection's segments smaller, at once, and sends again what is
 * in flight (RFC 1191 section 6.4); it counts as no congestion. It is believed if the packet that
 * it quotes is larger than the size it allows, and the segments that come of it are smaller than
 * those we send. A packet that cannot be made smaller, a SYN, is a hard case. The path may grow
 * again; who wants to probe for that, or to remember sizes for the next connection, begins here.
 */
#include "base/bytes.h"
#include "base/seq.h"
#include "tcp/mss.h"

/* RFC 1191 section 7.1: sizes that links have, for routers that do not say theirs. */
static const uint16_t plateaus[] = {32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296, 68};

enum {
    PLATEAUS = sizeof(plateaus) / sizeof(plateaus[0]),
};

/* The largest that is under `size` bytes, and 68 at least. */
static uint32_t plateau_under(uint32_t size)
{
    unsigned i = 0;

    while (i < PLATEAUS - 1 && plateaus[i] >= size)
        i++;
    return plateaus[i];
}

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

/* MUST-54: the path takes packets of e->mtu bytes. */
static enum reason too_big(struct tcp *t, struct tcb *c, int64_t now, const struct icmp_error *e)
{
    bool v4 = addr_is_v4(&c->remote);
    uint32_t mtu = v4 ? e->mtu : max32(e->mtu, IPV6_MTU_MIN); /* RFC 8201 section 4 */

    if (!e->df || mtu >= e->size)
        return REASON_ICMP_MTU;
    if (!tcb_synchronized(c) || e->size <= IPV4_MTU_MIN)
        return hard_error(t, c, now, REASON_ICMP_HARD_FRAGMENT);
    mtu = mtu ? mtu : plateau_under(e->size);
    if (!mss_lower(c, mtu))
        return REASON_ICMP_MTU;
    if (c->flight)
        recovery_too_big(c->flight, c->snd_nxt);
    tcp_restart_rtx(c, now);
    c->output_due = true;
    tcp_note(t, c, now, REASON_ICMP_PMTU, mtu);
    return REASON_NONE;
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
