/* Packets as they leave a node. */
#include "base/bytes.h"
#include "base/seq.h"
#include "base/time.h"
#include "stack/internal.h"
#include "tests/sim/check.h"

enum {
    CHALLENGES_MAX = 200, /* in a second that begins anywhere: two of the stack's own seconds */
};

/* The longest interval between two repetitions; there it need not grow any more (RFC 6298 2.5). */
static const int64_t backoff_max = 60 * SEC;

/* A RST that answers must answer something, and that was no RST (RFC 9293 section 3.10.7.1). */
static void check_rst_answer(struct check *c, const struct tcp_hdr *tcp)
{
    for (unsigned i = 0; i < c->batch_n; i++)
        if (c->batch[i].sport == tcp->dport && c->batch[i].dport == tcp->sport && !c->batch[i].rst)
            return;
    check_fail(c, "port %u: a RST that answers nothing but RSTs", tcp->sport);
}

/* Which of the four: a SYN or its answer, for the first time or again. Cookies have no memory. */
static void check_syn_reason(struct check *c, struct flow *f, const struct tcp_hdr *tcp,
                             enum reason why)
{
    bool answers = tcp->flags & TCP_ACK, again = answers ? f->syn_answered : f->syn_seen;
    enum reason first = answers ? REASON_SEND_SYN_ACK : REASON_SEND_SYN;
    enum reason later = answers ? REASON_SEND_SYN_ACK_AGAIN : REASON_SEND_SYN_AGAIN;

    if (f->cookies == 0 && why != (again ? later : first))
        check_fail(c, "port %u: %s for a SYN%s that leaves %s", tcp->sport, reason_text(why)->name,
                   answers ? "-ACK" : "", again ? "again" : "for the first time");
    f->syn_answered |= answers;
}

static void check_syn(struct check *c, struct flow *f, const struct flow *back,
                      const struct tcp_hdr *tcp, enum reason why)
{
    struct syn_words w = {
        .has_wscale = tcp->opt.has_wscale,
        .has_timestamp = tcp->opt.has_timestamp,
        .wscale = tcp->opt.wscale,
        .ece = tcp->flags & TCP_ECE,
        .cwr = tcp->flags & TCP_CWR,
        .mss = tcp->opt.has_mss ? tcp->opt.mss : TCP_MSS_DEFAULT4,
        .isn = tcp->seq,
    };
    bool cookie = why == REASON_SEND_SYN_ACK_COOKIE || f->cookies > 0;

    if (cookie && f->cookies < CHECK_COOKIES)
        f->cookie[f->cookies++] = w;
    check_syn_reason(c, f, tcp, why);
    w.ece |= f->syn_seen && f->syn.ece; /* the one that said so may be the one that arrives */
    w.cwr |= f->syn_seen && f->syn.cwr;
    if (f->syn_seen && f->syn.isn != tcp->seq && !cookie)
        check_fail(c, "port %u: a second SYN with another number", tcp->sport);
    if (cookie && back->acked)
        return; /* the other side has chosen */
    f->syn = w;
    if (!f->syn_seen || cookie) {
        f->sent_end = tcp->seq + 1;
        check_begins(f);
    }
    f->syn_seen = true;
}

/* The first acknowledgment says which of several SYN-ACKs is the beginning. */
static void choose_cookie(struct flow *f, uint32_t ack)
{
    for (unsigned i = 0; i < f->cookies; i++)
        if (f->cookie[i].isn + 1 == ack) {
            f->syn = f->cookie[i];
            f->sent_end = ack;
            check_begins(f);
            return;
        }
}

/*
 * Acknowledgments only grow, and so does the right edge of the window (RFC 9293 SHLD-14), but for
 * less than a unit of a scaled window, and then what was promised still holds (RFC 7323 2.4).
 */
static void check_ack(struct check *c, struct flow *f, struct flow *back, const struct tcp_hdr *tcp)
{
    unsigned shift =
        !(tcp->flags & TCP_SYN) && f->syn.has_wscale && back->syn.has_wscale ? f->syn.wscale : 0;
    uint32_t edge = tcp->ack + ((uint32_t)tcp->wnd << shift);
    /* the window of a SYN-ACK that is sent again has no scale, whatever an ACK has said meanwhile
     */
    bool unsayable = (tcp->flags & TCP_SYN) && tcp->wnd == UINT16_MAX;

    if (!f->acked && back->cookies > 0)
        choose_cookie(back, tcp->ack);
    if (!back->syn_seen || seq_gt(tcp->ack, back->sent_end))
        check_fail(c, "port %u: acknowledges %u, beyond what was sent", tcp->sport,
                   tcp->ack - back->syn.isn);
    if (f->acked && seq_lt(tcp->ack, f->ack))
        check_fail(c, "port %u: the acknowledgment went back to %u from %u", tcp->sport,
                   tcp->ack - back->syn.isn, f->ack - back->syn.isn);
    if (f->acked && !unsayable && seq_lt(edge + (1U << shift) - 1, f->right_edge))
        check_fail(c, "port %u: the window's right edge went back to %u from %u", tcp->sport,
                   edge - back->syn.isn, f->right_edge - back->syn.isn);
    f->right_edge = f->acked ? seq_max(f->right_edge, edge) : edge;
    f->acked = true;
    f->ack = tcp->ack;
}

/* What it sends lies in the window that it was told of, and what is sent twice stays the same. */
static void check_text(struct check *c, const struct flow *f, const struct flow *back,
                       const struct tcp_hdr *tcp, const uint8_t *data, uint32_t len,
                       enum reason why)
{
    uint32_t end = tcp->seq + len, beyond = why == REASON_SEND_PROBE ? 1 : 0;

    if (!f->told)
        check_fail(c, "port %u: data before the other side's SYN", tcp->sport);
    if (seq_gt(end, f->told_edge + beyond))
        check_fail(c, "port %u: data up to %u, but the window ends at %u", tcp->sport,
                   end - f->syn.isn, f->told_edge - f->syn.isn);
    if (len + tcp->header_len - TCP_HEADER_MIN > back->syn.mss) /* MUST-16, RFC 6691 */
        check_fail(c, "port %u: %u bytes for an MSS of %u", tcp->sport, len, back->syn.mss);
    if (!stream_matches(f->key, tcp->seq - f->syn.isn - 1, data, len))
        check_fail(c, "port %u: the bytes at %u are not what was written", tcp->sport,
                   tcp->seq - f->syn.isn);
    if (f->fin_seen && seq_gt(end, f->fin))
        check_fail(c, "port %u: data behind its FIN", tcp->sport);
}

static void check_fin(struct check *c, struct flow *f, const struct tcp_hdr *tcp, uint32_t at)
{
    if (f->fin_seen && f->fin != at)
        check_fail(c, "port %u: a second FIN at another number", tcp->sport);
    if (!f->fin_seen && seq_lt(at, f->sent_end))
        check_fail(c, "port %u: a FIN before the end of its data", tcp->sport);
    f->fin_seen = true;
    f->fin = at;
}

/* May a segment that carries sequence space again leave for this reason? */
static bool is_again(enum reason why)
{
    switch (why) {
    case REASON_SEND_RTO:
    case REASON_SEND_FAST_RETRANSMIT:
    case REASON_SEND_RECOVERY:
    case REASON_SEND_SACK:
    case REASON_SEND_RESCUE:
    case REASON_SEND_RACK:
    case REASON_SEND_TLP:
    case REASON_SEND_REOPENED:
    case REASON_SEND_SMALLER:
    case REASON_SEND_MTU_AGAIN:
    case REASON_SEND_PROBE:
    case REASON_SEND_SYN:
    case REASON_SEND_SYN_AGAIN:
    case REASON_SEND_SYN_ACK:
    case REASON_SEND_SYN_ACK_AGAIN:
    case REASON_SEND_SYN_ACK_COOKIE:
        return true;
    default:
        return false;
    }
}

/* ... and one that carries it for the first time? */
static bool is_first(enum reason why)
{
    switch (why) {
    case REASON_SEND_DATA:
    case REASON_SEND_FIN:
    case REASON_SEND_TLP:
    case REASON_SEND_MTU_PROBE:
    case REASON_SEND_PROBE:
    case REASON_SEND_SYN:
    case REASON_SEND_SYN_AGAIN:
    case REASON_SEND_SYN_ACK:
    case REASON_SEND_SYN_ACK_AGAIN:
    case REASON_SEND_SYN_ACK_COOKIE:
        return true;
    default:
        return false;
    }
}

/*
 * As long as nothing is heard, each repetition waits twice as long as the one before (RFC 6298
 * 5.5), a window probe as well (RFC 9293 SHLD-30).
 */
static void check_backoff(struct check *c, struct flow *f, const struct tcp_hdr *tcp,
                          enum reason why)
{
    int64_t gap = c->now - f->again_at;

    bool syn = (tcp->flags & TCP_SYN) && why != REASON_SEND_SYN_ACK_COOKIE;

    if (why != REASON_SEND_RTO && why != REASON_SEND_PROBE && !syn)
        return;
    if (f->agains == 0 || f->again_seq != tcp->seq) {
        f->agains = 1;
    } else {
        if (f->agains >= 2 && gap < time_min(2 * f->again_gap, backoff_max))
            check_fail(c, "port %u: repeats after %lld us, and %lld us before", tcp->sport,
                       (long long)(gap / USEC), (long long)(f->again_gap / USEC));
        f->agains++;
        f->again_gap = gap;
    }
    f->again_seq = tcp->seq;
    f->again_at = c->now;
}

/* When what was sent, and whether again: what may be taken for a round trip. */
static void note_sent(struct check *c, struct flow *f, uint32_t start, uint32_t end, bool again)
{
    for (unsigned i = 0; again && i < CHECK_SENT; i++) {
        struct sent *s = &f->sent[i];

        if (seq_lt(s->start, end) && seq_gt(s->end, start))
            s->again = true;
    }
    if (!again || seq_gt(end, f->sent_end))
        f->sent[f->sends++ % CHECK_SENT] = (struct sent){c->now, start, end, again};
}

static void check_space(struct check *c, struct flow *f, const struct flow *back,
                        const struct tcp_hdr *tcp, const uint8_t *data, uint32_t len,
                        enum reason why)
{
    uint32_t end = tcp->seq + len + (tcp->flags & TCP_SYN ? 1 : 0);
    bool again = seq_lt(tcp->seq, f->sent_end) && !(tcp->flags & TCP_SYN);

    if (len > 0)
        check_text(c, f, back, tcp, data, len, why);
    if (tcp->flags & TCP_FIN)
        check_fin(c, f, tcp, end++);
    if (end == tcp->seq) {
        if (seq_gt(tcp->seq, f->sent_end))
            check_fail(c, "port %u: an acknowledgment beyond what it has sent", tcp->sport);
        if (is_again(why) || is_first(why))
            check_fail(c, "port %u: nothing in it, but %s", tcp->sport, reason_text(why)->name);
        return;
    }
    if (again ? !is_again(why) : !is_first(why))
        check_fail(c, "port %u: %s for what leaves %s", tcp->sport, reason_text(why)->name,
                   again ? "again" : "for the first time");
    check_backoff(c, f, tcp, why);
    if (again)
        check_again(c, f, c->leaving, tcp->seq, end, why);
    if (!(tcp->flags & TCP_SYN))
        check_leaves(c, f, tcp->seq, end, why);
    note_sent(c, f, tcp->seq, end, seq_lt(tcp->seq, f->sent_end) && f->sends > 0);
    if (seq_gt(end, f->sent_end))
        f->sent_end = end;
}

/* Each segment that begins before the end of urgent data says how far that goes (RFC 9293 3.8.5).
 */
static void check_urgent(struct check *c, const struct flow *f, const struct tcp_hdr *tcp)
{
    uint32_t end = f->syn.isn + 1 + (uint32_t)f->urgent_to;
    bool may = f->urgent_to > 0 && seq_lt(tcp->seq, end) && !(tcp->flags & TCP_SYN);
    bool acked = f->told && seq_geq(f->told_ack, end); /* so says a keep-alive nothing of it */
    bool says = tcp->flags & TCP_URG;

    if (says ? !may : may && !acked)
        check_fail(c, "port %u: URG is %s", tcp->sport, says ? "set for nothing" : "missing");
    else if (says && tcp->urg != UINT16_MAX && tcp->seq + tcp->urg != end)
        check_fail(c, "port %u: the urgent pointer says %u of %u", tcp->sport,
                   tcp->seq + tcp->urg - f->syn.isn, end - f->syn.isn);
}

/*
 * Timestamps are in every segment if both SYNs had them (RFC 7323 section 3.2); our clock never
 * runs backwards, nor does what is echoed, and that was said by the other side.
 */
static void check_timestamp(struct check *c, struct flow *f, const struct flow *back,
                            const struct tcp_hdr *tcp)
{
    const struct tcp_options *o = &tcp->opt;
    bool answers = f->told && f->syn.has_timestamp && !(tcp->flags & TCP_SYN);

    if (answers && back->syn.has_timestamp && !o->has_timestamp)
        check_fail(c, "port %u: a segment without a timestamp", tcp->sport);
    if (!o->has_timestamp)
        return;
    if (f->ts_val && seq_lt(o->ts_val, f->ts_val))
        check_fail(c, "port %u: the timestamps run backwards", tcp->sport);
    if (f->ts_ecr && o->ts_ecr && seq_lt(o->ts_ecr, f->ts_ecr))
        check_fail(c, "port %u: the timestamps echoed run backwards", tcp->sport);
    if (answers && seq_gt(o->ts_ecr, f->told_ts))
        check_fail(c, "port %u: echoes a timestamp that it was never told", tcp->sport);
    f->ts_val = o->ts_val;
    f->ts_ecr = o->ts_ecr;
}

/* Has this byte of the flow arrived, by the books? Then *ret_end is how far that goes. */
static bool has_arrived(const struct flow *f, uint32_t at, uint32_t *ret_end)
{
    *ret_end = f->nxt;
    if (seq_lt(at, f->nxt))
        return true;
    for (unsigned i = 0; i < f->spans; i++)
        if (seq_leq(f->span[i].start, at) && seq_lt(at, f->span[i].end)) {
            *ret_end = f->span[i].end;
            return true;
        }
    *ret_end = at + 1;
    return f->fin_seen && at == f->fin;
}

/* What a block says has arrived, has (RFC 2018 section 3, RFC 2883). */
static void check_sack(struct check *c, const struct flow *back, const struct tcp_hdr *tcp)
{
    for (unsigned i = 0; i < tcp->opt.sack_n && back->counting; i++) {
        const struct tcp_sack_block *b = &tcp->opt.sack[i];
        uint32_t at = b->start, end;

        if (seq_geq(b->start, b->end) || (i > 0 && seq_leq(b->start, tcp->ack)))
            check_fail(c, "port %u: a block from %u to %u", tcp->sport, b->start - back->syn.isn,
                       b->end - back->syn.isn);
        for (; seq_lt(at, b->end) && has_arrived(back, at, &end); at = end)
            continue;
        if (seq_lt(at, b->end))
            check_fail(c, "port %u: a block says %u to %u have arrived, but not %u", tcp->sport,
                       b->start - back->syn.isn, b->end - back->syn.isn, at - back->syn.isn);
    }
}

/*
 * A keep-alive asks at a number that is acknowledged already, with one octet at most, and only when
 * nothing is outstanding and nothing was heard for long enough (RFC 9293 section 3.8.4, MUST-26).
 */
static void check_keepalive(struct check *c, unsigned node, const struct flow *f,
                            const struct tcp_hdr *tcp, uint32_t len)
{
    const struct tcp_settings *set = &c->stack[node]->cfg.tcp.conn;
    int64_t quiet = time_min(set->keepalive_ns, set->keepalive_interval_ns);

    if (!set->keepalive)
        check_fail(c, "port %u: a keep-alive that nobody wants", tcp->sport);
    if (tcp->seq + 1 != f->sent_end || len > 1 || f->told_ack != f->sent_end)
        check_fail(c, "port %u: a keep-alive at %u while %u of %u are acknowledged", tcp->sport,
                   tcp->seq - f->syn.isn, f->told_ack - f->syn.isn, f->sent_end - f->syn.isn);
    if (c->now - f->heard_at < quiet)
        check_fail(c, "port %u: a keep-alive after %lld ms", tcp->sport,
                   (long long)((c->now - f->heard_at) / MSEC));
}

static void check_challenge(struct check *c, struct flow *f, const struct tcp_hdr *tcp)
{
    if (f->challenges == 0 || c->now - f->challenge_began >= SEC) {
        f->challenge_began = c->now;
        f->challenges = 0;
    }
    if (++f->challenges > CHALLENGES_MAX)
        check_fail(c, "port %u: %u challenge ACKs in a second", tcp->sport, f->challenges);
}

static void check_segment(struct check *c, unsigned node, const struct tcp_hdr *tcp,
                          const uint8_t *data, uint32_t len, enum reason why)
{
    struct flow *own, *back;

    if (reason_text(why)->kind != REASON_KIND_SEND)
        check_fail(c, "port %u: a segment leaves without a reason", tcp->sport);
    if (tcp->flags & TCP_RST) {
        if (why == REASON_SEND_RST_ANSWER)
            check_rst_answer(c, tcp);
        return;
    }
    if (!check_find_flows(c, tcp->sport, tcp->dport, &own, &back)) {
        check_fail(c, "a segment from port %u to %u", tcp->sport, tcp->dport);
        return;
    }
    if (tcp->flags & TCP_SYN)
        check_syn(c, own, back, tcp, why);
    if (!own->syn_seen)
        check_fail(c, "port %u: a segment before its SYN", tcp->sport);
    if (tcp->flags & TCP_ACK)
        check_ack(c, own, back, tcp);
    own->dups_owed -= (tcp->flags & TCP_ACK) && own->dups_owed;
    check_urgent(c, own, tcp);
    check_timestamp(c, own, back, tcp);
    check_sack(c, back, tcp);
    check_ecn(c, own, back, tcp, len, why);
    if (why == REASON_SEND_ACK_CHALLENGE)
        check_challenge(c, own, tcp);
    if (why == REASON_SEND_KEEPALIVE)
        check_keepalive(c, node, own, tcp, len);
    else
        check_space(c, own, back, tcp, data, len, why);
}

/* DSCP and TTL are what was set (MUST-48, MUST-49), where it is a connection that sends. */
static void check_ip(struct check *c, unsigned node, const struct ip_hdr *ip, enum reason why)
{
    const struct stack_config *cfg = &c->stack[node]->cfg;
    uint8_t ttl = cfg->tcp.conn.ttl ? cfg->tcp.conn.ttl : cfg->ttl;

    if (why != REASON_SEND_RST_ANSWER && (ip->tos >> 2 != cfg->tcp.conn.dscp || ip->ttl != ttl))
        check_fail(c, "node %u: DSCP %u and TTL %u", node, ip->tos >> 2U, ip->ttl);
}

/* About fragments: they did not all come, or, in IPv6, one of them was forged badly. */
static bool is_owed_error(const struct ip_hdr *ip, enum reason why)
{
    bool v6 = ip->version == 6;

    return ip->proto == (v6 ? IP_PROTO_ICMP6 : IP_PROTO_ICMP) &&
           (why == REASON_SEND_TIME_EXCEEDED || (v6 && why == REASON_SEND_PARAM_PROBLEM));
}

void check_output(struct check *c, unsigned node, int64_t now, const uint8_t *b, uint32_t len,
                  enum reason why)
{
    struct ip_hdr ip;
    struct tcp_hdr tcp;
    enum reason r = ip_parse(b, len, &ip);
    size_t l4_len;

    c->now = now;
    if (r == REASON_NONE && is_owed_error(&ip, why))
        return;
    if (r != REASON_NONE || ip.total_len != len || ip.proto != IP_PROTO_TCP) {
        check_fail(c, "node %u: sent a bad packet of %u bytes: %s", node, len,
                   reason_text(r)->sentence);
        return;
    }
    l4_len = (size_t)len - ip.header_len;
    r = tcp_parse(&ip, b + ip.header_len, l4_len, 0, &tcp);
    if (r != REASON_NONE) {
        check_fail(c, "sent a bad segment: %s", reason_text(r)->sentence);
        return;
    }
    c->segments++;
    c->payload += l4_len - tcp.header_len;
    c->leaving = flow_find(c->stack[node], &ip.src, tcp.sport, &ip.dst, tcp.dport);
    check_ip(c, node, &ip, why);
    check_segment(c, node, &tcp, b + ip.header_len + tcp.header_len,
                  (uint32_t)(l4_len - tcp.header_len), why);
    if (l4_len > tcp.header_len && why != REASON_SEND_KEEPALIVE)
        check_flying(c, node, c->leaving, (uint32_t)(l4_len - tcp.header_len), why);
}
