/*
 * Segments as a node reads them, and what its stack made of them: an independent reading of the
 * steps of RFC 9293 section 3.10.7.4 for synchronized states, from the TCB as it was before. And
 * books about which bytes have arrived, so that what is lost in reassembly is missed at once and
 * not only when the other side sends it again.
 */
#include "base/bytes.h"
#include "base/seq.h"
#include "base/time.h"
#include "stack/internal.h"
#include "tests/sim/check.h"

void check_batch(struct check *c)
{
    c->batch_n = 0;
}

/* ---- Books about what has arrived ---- */

static bool fin_taken(const struct tcb *t)
{
    return t->fin_arrived && t->rcv_nxt == t->rcv_fin + 1;
}

/* They are right when nothing waits out of order. */
static void books_begin(struct flow *f, const struct tcb *t)
{
    f->nxt = t->rcv_nxt - fin_taken(t);
    f->spans = 0;
    f->counting = !t->reasm.first;
}

static void books_remove(struct flow *f, unsigned i)
{
    f->span[i] = f->span[--f->spans];
}

/* Bytes start .. end - 1 have arrived and were taken. */
static void books_add(struct flow *f, uint32_t start, uint32_t end)
{
    bool moved = true;

    if (f->spans == CHECK_SPANS) {
        f->counting = false;
        return;
    }
    if (seq_lt(start, end))
        f->span[f->spans++] = (struct span){start, end};
    while (moved) {
        moved = false;
        for (unsigned i = 0; i < f->spans; i++) {
            if (seq_gt(f->span[i].start, f->nxt))
                continue;
            f->nxt = seq_max(f->nxt, f->span[i].end);
            books_remove(f, i--);
            moved = true;
        }
    }
}

/* ---- Before ---- */

static void learn(struct arrival *a, int64_t now, bool taken)
{
    const struct tcp_hdr *tcp = &a->tcp;
    struct flow *me = a->back; /* the flow that the reader sends */
    unsigned shift = !(tcp->flags & TCP_SYN) && a->own->syn.has_wscale && me->syn.has_wscale
                         ? a->own->syn.wscale
                         : 0;
    uint32_t edge = tcp->ack + ((uint32_t)tcp->wnd << shift);

    me->agains = 0;
    if (taken) /* an old duplicate may be anybody's */
        me->heard_at = now;
    if (tcp->opt.has_timestamp && (!me->ts_told || seq_gt(tcp->opt.ts_val, me->told_ts)))
        me->told_ts = tcp->opt.ts_val;
    me->ts_told |= tcp->opt.has_timestamp;
    if (!(tcp->flags & TCP_ACK) || (tcp->flags & TCP_RST))
        return;
    me->told_edge = me->told ? seq_max(me->told_edge, edge) : edge;
    me->told_ack = me->told ? seq_max(me->told_ack, tcp->ack) : tcp->ack;
    me->told = true;
}

static void remember(struct arrival *a, const struct conn *conn)
{
    const struct tcb *t = &conn->tcb;

    a->conn = conn;
    a->state = t->state;
    a->released = t->released;
    a->rcv_nxt = t->rcv_nxt;
    a->rcv_adv = t->rcv_adv;
    a->snd_una = t->snd_una;
    a->snd_nxt = t->snd_nxt;
    a->max_snd_wnd = t->max_snd_wnd;
    a->ts_ok = t->ts_ok;
    a->ts_recent = t->ts_recent;
    a->last_ack = t->last_ack;
    a->phase = flight_phase(t->flight);
    a->cwnd = t->cc.cwnd;
    a->reduced = t->ecn_limited;
}

static const struct conn *receiver(const struct check *c, unsigned node)
{
    const struct arrival *a = &c->arrival;

    return flow_find(c->stack[node], &a->local, a->tcp.dport, &a->remote, a->tcp.sport);
}

void check_before(struct check *c, unsigned node, const uint8_t *b, uint32_t len, bool corrupted)
{
    struct arrival *a = &c->arrival;
    const struct conn *conn;
    struct ip_hdr ip;

    *a = (struct arrival){0};
    if (corrupted || ip_parse(b, len, &ip) != REASON_NONE || ip.proto != IP_PROTO_TCP ||
        tcp_parse(&ip, b + ip.header_len, (size_t)(ip.total_len - ip.header_len), 0, &a->tcp) !=
            REASON_NONE)
        return;
    if (c->batch_n < CHECK_BATCH) {
        c->batch[c->batch_n].sport = a->tcp.sport;
        c->batch[c->batch_n].dport = a->tcp.dport;
        c->batch[c->batch_n++].rst = a->tcp.flags & TCP_RST;
    }
    if (!check_find_flows(c, a->tcp.sport, a->tcp.dport, &a->own, &a->back))
        return;
    a->known = true;
    a->local = ip.dst;
    a->remote = ip.src;
    a->len = (uint32_t)(ip.total_len - ip.header_len - a->tcp.header_len);
    conn = receiver(c, node);
    if (conn)
        remember(a, conn);
}

/* ---- After ---- */

static bool acceptable(const struct arrival *a)
{
    uint32_t wnd = a->rcv_adv - a->rcv_nxt, seq = a->tcp.seq;
    uint32_t space = a->len + !!(a->tcp.flags & TCP_SYN) + !!(a->tcp.flags & TCP_FIN);
    bool first_in = seq - a->rcv_nxt < wnd, last_in = seq + space - 1 - a->rcv_nxt < wnd;

    if (space == 0)
        return wnd == 0 ? seq == a->rcv_nxt : first_in;
    return wnd > 0 && (first_in || last_in);
}

/* Longer than the whole window, on both sides: the RFC's table forgets it, we take it. */
static bool covers(const struct arrival *a)
{
    return seq_lt(a->tcp.seq, a->rcv_nxt) && seq_gt(a->tcp.seq + a->len, a->rcv_adv);
}

/* Is its timestamp missing, or older than what came before (RFC 7323 sections 3.2 and 5.3)? */
static bool outdated(const struct arrival *a)
{
    if (!a->ts_ok || (a->tcp.flags & (TCP_RST | TCP_SYN)))
        return false;
    return !a->tcp.opt.has_timestamp || seq_lt(a->tcp.opt.ts_val, a->ts_recent);
}

/* It brings nothing new, but its acknowledgment counts (RFC 9293 appendix A.2). */
static bool is_last_octet(const struct arrival *a)
{
    return a->state >= TCP_ESTABLISHED && a->tcp.seq == a->rcv_nxt - 1 && a->len <= 1 &&
           (a->tcp.flags & (TCP_ACK | TCP_SYN | TCP_RST | TCP_FIN)) == TCP_ACK &&
           seq_leq(a->tcp.ack, a->snd_nxt) && seq_geq(a->tcp.ack, a->snd_una - a->max_snd_wnd) &&
           !outdated(a);
}

static bool is_over(const struct conn *conn)
{
    return !conn->in_use || conn->tcb.state == TCP_CLOSED;
}

static void must_do_nothing(struct check *c, const struct conn *conn, enum reason said,
                            const char *what)
{
    const struct arrival *a = &c->arrival;
    const struct tcb *t = &conn->tcb;

    if (said == REASON_NONE || is_over(conn) || t->state != a->state || t->rcv_nxt != a->rcv_nxt ||
        t->snd_una != a->snd_una || t->snd_nxt != a->snd_nxt || t->ts_recent != a->ts_recent)
        check_fail(c, "port %u: %s: %s in %s", a->tcp.dport, what, reason_text(said)->name,
                   tcp_state_name((enum tcp_state)a->state));
}

/* ... beside what it acknowledges, which may end the connection or half of it. */
static void check_last_octet(struct check *c, const struct conn *conn, enum reason said)
{
    const struct arrival *a = &c->arrival;
    const struct tcb *t = &conn->tcb;

    if (said != REASON_TCP_SEQUENCE ||
        (!is_over(conn) &&
         (t->rcv_nxt != a->rcv_nxt || t->snd_una != seq_max(a->snd_una, a->tcp.ack) ||
          t->snd_nxt != a->snd_nxt || t->ts_recent != a->ts_recent)))
        check_fail(c, "port %u: more than the acknowledgment was taken: %s in %s", a->tcp.dport,
                   reason_text(said)->name, tcp_state_name((enum tcp_state)a->state));
}

/* RFC 5961 section 3.2: only a reset at exactly RCV.NXT ends a connection. */
static void check_rst(struct check *c, const struct conn *conn, enum reason said)
{
    const struct arrival *a = &c->arrival;

    if (a->state == TCP_TIME_WAIT || a->tcp.seq != a->rcv_nxt)
        must_do_nothing(c, conn, said, "a reset that is not at RCV.NXT was taken");
    else if (!is_over(conn))
        check_fail(c, "port %u: a reset at RCV.NXT was not taken", a->tcp.dport);
}

static bool takes_text(unsigned state)
{
    return state == TCP_ESTABLISHED || state == TCP_FIN_WAIT_1 || state == TCP_FIN_WAIT_2;
}

/*
 * One acknowledgment for each segment that came out of order (RFC 5681 section 4.2); what they
 * would repeat is old when RCV.NXT moves.
 */
static void note_order(struct arrival *a, const struct conn *conn, bool kept)
{
    if (conn->tcb.rcv_nxt != a->rcv_nxt)
        a->back->dups_owed = 0;
    else if (kept && seq_gt(a->tcp.seq, a->rcv_nxt))
        a->back->dups_owed++;
}

/* The segment is acceptable: every byte of it that is new is kept, and RCV.NXT is where it must. */
static void check_arrived(struct check *c, const struct conn *conn, enum reason said)
{
    struct arrival *a = &c->arrival;
    struct flow *f = a->own;
    const struct tcb *t = &conn->tcb;
    bool counts = f->counting && said == REASON_NONE;

    if (is_over(conn))
        return;
    if (a->len > 0 && takes_text(a->state) && !a->released)
        note_order(a, conn, counts);
    if (!counts) {
        books_begin(f, t);
        return;
    }
    if (a->len > 0 && takes_text(a->state) && !a->released)
        books_add(f, seq_max(a->tcp.seq, f->nxt), seq_min(a->tcp.seq + a->len, a->rcv_adv));
    if (f->counting && t->rcv_nxt - fin_taken(t) != f->nxt)
        check_fail(c, "port %u: bytes up to %u have arrived, and RCV.NXT is %u", a->tcp.dport,
                   f->nxt - f->syn.isn, t->rcv_nxt - fin_taken(t) - f->syn.isn);
}

/* TS.Recent is taken from the segment at the left edge (RFC 7323 section 4.3). */
static void check_recent(struct check *c, const struct conn *conn)
{
    const struct arrival *a = &c->arrival;
    bool its_turn = a->ts_ok && seq_leq(a->tcp.seq, a->last_ack);

    if (conn->tcb.ts_recent != (its_turn ? a->tcp.opt.ts_val : a->ts_recent) && !is_over(conn))
        check_fail(c, "port %u: TS.Recent is from another segment", a->tcp.dport);
}

static void check_taken(struct check *c, const struct conn *conn, enum reason said)
{
    const struct arrival *a = &c->arrival;
    uint32_t una = seq_max(a->snd_una, a->tcp.ack);

    switch (said) {
    case REASON_TCP_SEQUENCE:
    case REASON_TCP_ACK_FUTURE:
    case REASON_TCP_ACK_OLD:
    case REASON_TCP_NO_ACK:
    case REASON_TCP_RST_CHALLENGED:
    case REASON_TCP_SYN_CHALLENGED:
    case REASON_TCP_PAWS:
    case REASON_TCP_NO_TIMESTAMP:
        check_fail(c, "port %u: %s to a segment that is acceptable, in %s", a->tcp.dport,
                   reason_text(said)->name, tcp_state_name((enum tcp_state)a->state));
        return;
    default:
        break;
    }
    if (!is_over(conn) && conn->tcb.snd_una != una)
        check_fail(c, "port %u: SND.UNA is %u, and %u is acknowledged", a->tcp.dport,
                   conn->tcb.snd_una - a->back->syn.isn, una - a->back->syn.isn);
    check_recent(c, conn);
    check_arrived(c, conn, said);
}

/* Steps one to five, for a connection in a synchronized state. */
static void check_steps(struct check *c, const struct conn *conn, enum reason said)
{
    const struct arrival *a = &c->arrival;
    bool probes = a->rcv_adv == a->rcv_nxt && a->tcp.seq == a->rcv_nxt;

    if (outdated(a))
        must_do_nothing(c, conn, said, "a segment with an old timestamp was taken");
    else if (!acceptable(a) && !covers(a) && !probes && is_last_octet(a))
        check_last_octet(c, conn, said);
    else if (!acceptable(a) && !covers(a) && !probes)
        must_do_nothing(c, conn, said, "a segment outside the window was taken");
    else if (a->tcp.flags & TCP_RST)
        check_rst(c, conn, said);
    else if (a->tcp.flags & TCP_SYN)
        must_do_nothing(c, conn, said, "a SYN in the window was taken");
    else if (!(a->tcp.flags & TCP_ACK))
        must_do_nothing(c, conn, said, "a segment without ACK was taken");
    else if (seq_gt(a->tcp.ack, a->snd_nxt))
        must_do_nothing(c, conn, said, "an acknowledgment of what was never sent was taken");
    else if (seq_lt(a->tcp.ack, a->snd_una - a->max_snd_wnd))
        must_do_nothing(c, conn, said, "an acknowledgment that is too old was taken");
    else
        check_taken(c, conn, said);
}

/* An acknowledgment was taken, also where its text was not. */
static void check_told(struct check *c, unsigned node, const struct conn *conn, enum reason said)
{
    if (said != REASON_NONE && said != REASON_TCP_REASSEMBLY && said != REASON_NO_BUFFER &&
        !(said == REASON_TCP_SEQUENCE && is_last_octet(&c->arrival)))
        return;
    check_heard(c, conn, said == REASON_NO_BUFFER);
    check_ecn_heard(c, conn, said);
    check_response(c, node, conn);
}

void check_after(struct check *c, unsigned node, bool corrupted, enum reason said)
{
    struct arrival *a = &c->arrival;
    const struct conn *conn = a->conn;

    if (said != REASON_NONE && reason_text(said)->kind != REASON_KIND_DROP)
        check_fail(c, "stack_input said %s, which is no drop", reason_text(said)->name);
    if (corrupted && said == REASON_NONE)
        check_fail(c, "a packet with one bit turned was taken");
    if (!a->known)
        return;
    if (!a->forged)
        learn(a, c->now, said == REASON_NONE);
    if (!conn) { /* a cookie that came back has made one, and may have brought text and a mark */
        conn = a->forged || (a->tcp.flags & TCP_SYN) ? NULL : receiver(c, node);
        if (conn && !is_over(conn))
            check_ecn_heard(c, conn, said);
        return;
    }
    if (!a->forged && (a->tcp.flags & TCP_ACK) && !is_over(conn))
        check_told(c, node, conn, said);
    if (a->state >= TCP_ESTABLISHED)
        check_steps(c, conn, said);
    else if (!is_over(conn))
        books_begin(a->own, &conn->tcb);
}
