#include "tcp/path.h"

#include "base/bytes.h"
#include "base/seq.h"
#include "base/time.h"
#include "tcp/mss.h"
#include "tcp/plpmtud.h"

/* What an acknowledgment may be late by where round trips do not vary, ns. */
static const int64_t grain = 2 * MSEC;

struct path_mtu *path_find(const struct tcp *t, const struct tcb *c)
{
    return *t->path_changes ? t->path(t->path_arg, &c->remote, false) : NULL;
}

/* Without probes, what is old is as good as unknown (RFC 1191 section 6.3). */
uint32_t path_mtu_to(const struct tcp *t, const struct tcb *c)
{
    const struct path_mtu *p = path_find(t, c);

    return p && (!p->aged || t->cfg.plpmtud) ? p->mtu : UINT32_MAX;
}

void path_follow(struct tcp *t, struct tcb *c)
{
    uint16_t before = c->snd_mss;

    if (c->path_seen == *t->path_changes || !tcb_synchronized(c))
        return;
    c->path_seen = *t->path_changes;
    mss_settle(c, path_mtu_to(t, c));
    /* bytes, but a segment at least; and two of them after a loss (RFC 5681 equation 4) */
    c->cc.cwnd = max32(c->cc.cwnd, c->snd_mss);
    c->cc.ssthresh = max32(c->cc.ssthresh, 2 * (uint32_t)c->snd_mss);
    if (!c->flight || c->snd_mss >= before)
        return;
    c->flight->path.proven = 0;
    c->flight->path.larger = c->snd_una != c->snd_nxt;
    c->flight->path.larger_to = c->snd_nxt;
}

void path_changed(struct tcp *t, struct tcb *c)
{
    t->path_changed(t->path_arg);
    path_follow(t, c);
}

/* All that is in flight leaves again in the size of now (RFC 1191 section 6.5). */
static void send_smaller(struct tcp *t, struct tcb *c, int64_t now, uint32_t mtu)
{
    c->flight->path.larger = false;
    c->flight->timer[FLIGHT_PTO] = TIME_NEVER; /* it is the tail that leaves again */
    plpmtud_forget(c->flight);
    recovery_too_big(c->flight, c->snd_nxt);
    tcp_restart_rtx(c, now);
    c->output_due = true;
    tcp_note(t, c, now, REASON_ICMP_PMTU, mtu);
}

static void drop_claim(struct flight *f)
{
    f->path.claimed = false;
    f->timer[FLIGHT_CLAIM] = TIME_NEVER;
}

/* Segments become smaller: for everybody who sends there. */
static void believe(struct tcp *t, struct tcb *c, int64_t now, uint32_t mtu)
{
    drop_claim(c->flight);
    path_mtu_lower(t->path(t->path_arg, &c->remote, true), now, mtu, t->path_age);
    path_changed(t, c);
    send_smaller(t, c, now, mtu);
}

/*
 * RFC 5927 section 7.2, with the wait that an acknowledgment may take instead of RTO, which is much
 * longer. Of several claims the largest counts: routers agree, and forgers are not to win by less.
 */
static enum reason claim(struct tcp *t, struct tcb *c, int64_t now, uint32_t seq, uint32_t mtu)
{
    struct flight *f = c->flight;
    int64_t wait = time_min(c->rtt.rto, c->rtt.srtt + time_max(grain, 4 * c->rtt.rttvar));

    if (f->path.claimed) {
        f->path.claim_mtu = max32(f->path.claim_mtu, mtu);
        return REASON_NONE;
    }
    f->path.claimed = true;
    f->path.claim_mtu = mtu;
    f->path.claim_seq = seq;
    f->timer[FLIGHT_CLAIM] = now + (c->rtt.srtt ? wait : c->rtt.rto);
    tcp_note(t, c, now, REASON_MTU_CLAIMED, mtu);
    return REASON_NONE;
}

static bool is_doubtful(const struct tcb *c, uint32_t mtu)
{
    return mtu < c->flight->path.proven || (addr_is_v4(&c->remote) && mtu < PATH_MTU_DOUBTFUL4);
}

enum reason path_too_big(struct tcp *t, struct tcb *c, int64_t now, const struct icmp_error *e)
{
    struct flight *f = c->flight;
    uint32_t mtu = e->mtu || !addr_is_v4(&c->remote) ? e->mtu : path_mtu_plateau_under(e->size);

    mtu = max32(mtu, path_mtu_least(&c->remote));
    if (!e->df || mtu >= e->size || !f)
        return REASON_ICMP_MTU;
    if (plpmtud_refused(t, c, now, e->seq, mtu))
        return REASON_NONE;
    if (mss_of_mtu(c, mtu) < c->snd_mss) {
        if (is_doubtful(c, mtu))
            return claim(t, c, now, e->seq, mtu);
        believe(t, c, now, mtu);
        return REASON_NONE;
    }
    if (!f->path.larger || seq_geq(e->seq, f->path.larger_to) ||
        e->size <= mss_packet(c, c->snd_mss))
        return REASON_ICMP_MTU;
    send_smaller(t, c, now, mtu);
    return REASON_NONE;
}

/* A full segment, or more than that, has arrived: packets of this size pass. */
void path_on_ack(struct tcp *t, struct tcb *c, int64_t now, uint32_t acked)
{
    struct path_view *v = &c->flight->path;

    if (v->larger && seq_geq(c->snd_una, v->larger_to))
        v->larger = false;
    if (acked >= c->snd_mss) { /* else not even the division is worth it */
        if (!v->larger)
            v->proven = max32(v->proven, mss_packet(c, c->snd_mss));
        v->passed = min32(v->passed + acked / c->snd_mss, UINT16_MAX);
    }
    if (!v->claimed || seq_leq(c->snd_una, v->claim_seq))
        return;
    drop_claim(c->flight);
    tcp_note(t, c, now, REASON_MTU_REFUTED, v->claim_mtu);
}

static bool has_arrived(const struct flight *f, uint32_t seq)
{
    const struct range *g = board_first(&f->board);

    while (g && seq_leq(g->end, seq))
        g = board_next(&f->board, g);
    return g && g->sacked && seq_leq(g->start, seq);
}

void path_claim_expired(struct tcp *t, struct tcb *c, int64_t now)
{
    struct path_view *v = &c->flight->path;

    if (!v->claimed)
        return;
    if (!has_arrived(c->flight, v->claim_seq)) {
        believe(t, c, now, v->claim_mtu);
        return;
    }
    drop_claim(c->flight);
    tcp_note(t, c, now, REASON_MTU_REFUTED, v->claim_mtu);
}
