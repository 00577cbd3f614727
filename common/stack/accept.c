/*
 * Listeners: what becomes of segments that belong to no connection (RFC 9293 sections 3.10.7.1 and
 * 3.10.7.2), and of the connections that nobody was told of yet.
 *
 * A listener has two queues, each with a limit of its own:
 *
 *   SYN queue      half-open connections, tcp_config.syn_queue of them. When it is full, or the
 *                  table nearly so, a SYN is answered with a cookie and takes no room (cookie.c);
 *                  where cookies are switched off, the oldest half-open connection goes.
 *   accept queue   complete ones that EV_ACCEPTED has not told of yet, as many as stack_listen's
 *                  backlog. When it is full, the application is too slow: SYNs and the last
 *                  segments of handshakes are ignored, and come again.
 *
 * A SYN may open anew what is in TIME-WAIT (MAY-2, RFC 6191). Then the old connection is put aside,
 * and ends when the new one's handshake is complete. If that is not to be, because the SYN was an
 * old duplicate, whose supposed sender answers our SYN-ACK with a reset, or does not answer, then
 * TIME-WAIT goes on as if nothing had been (RFC 9293 section 3.6.1). It was let in already, so it
 * does not count: neither the SYN queue's limit nor the table's spare part hold it back.
 *
 * A sixteenth of the table is for connections that are complete: nobody gets a place of it by
 * sending SYNs alone.
 */
#include "stack/internal.h"

enum {
    TABLE_SPARE = 16, /* this part of the table is not for SYNs */
    ISN_STEP = 65536, /* beyond the last number of one in TIME-WAIT */
};

static struct listener *find_listener(struct stack *st, const struct addr *local, uint16_t port)
{
    struct listener *any = NULL;

    for (unsigned i = 0; i < STACK_LISTENERS_MAX; i++) {
        struct listener *l = &st->listener[i];

        if (!l->in_use || l->port != port)
            continue;
        if (l->any_addr)
            any = l;
        else if (addr_eq(&l->addr, local))
            return l;
    }
    return any;
}

static bool accept_queue_full(const struct listener *l)
{
    return l->complete >= l->backlog;
}

static bool syn_queue_full(const struct stack *st, const struct listener *l)
{
    return l->half_open >= st->cfg.tcp.syn_queue;
}

/* Is what is left of the table for complete connections only, and nobody in TIME-WAIT to go? */
static bool table_scarce(struct stack *st)
{
    uint32_t max = st->cfg.max_conns;

    return st->totals.conns >= max - max / TABLE_SPARE && !flow_recycle(st);
}

bool accept_possible(struct stack *st, const struct addr *local, uint16_t port)
{
    const struct listener *l = find_listener(st, local, port);

    return l && !accept_queue_full(l);
}

void accept_count(struct stack *st, struct conn *c)
{
    struct listener *l;

    if (!c->listener || c->complete || !tcb_synchronized(&c->tcb))
        return;
    l = &st->listener[c->listener - 1];
    c->complete = true;
    l->half_open -= !c->exempt;
    l->complete++;
    if (c->resting) {
        struct conn *old = &st->conns[c->resting - 1];

        tcp_end(&st->tcp, &old->tcb, st->now, REASON_END_ORDERLY);
        stack_settle(st, old);
    }
}

void accept_forget(struct stack *st, struct conn *c)
{
    struct listener *l;

    if (!c->listener)
        return;
    l = &st->listener[c->listener - 1];
    if (c->complete)
        l->complete--;
    else
        l->half_open -= !c->exempt;
    c->listener = 0;
    c->complete = false;
}

/* A connection of this listener, in SYN-RECEIVED; the table is not full. */
static struct conn *accept_new(struct stack *st, struct listener *l, const struct ip_hdr *ip,
                               const struct tcp_hdr *syn, uint32_t iss, bool exempt)
{
    struct conn *c = flow_add(st, &ip->dst, syn->dport, &ip->src, syn->sport);

    c->rcv_tos = ip->tos;
    c->user = l->user;
    c->listener = (uint8_t)(l - st->listener + 1);
    if (l->has_settings)
        flow_set(st, c, &l->settings);
    route_settle(st, c);
    route_take(st, c, ip);
    c->exempt = exempt;
    l->half_open += !exempt;
    st->totals.accepted++;
    tcp_accept(&st->tcp, &c->tcb, st->now, iss ? iss : flow_isn(st, &c->tcb), syn);
    return c;
}

/*
 * MAY-2: a new connection in the place of one in TIME-WAIT, its numbers beyond the old ones. There
 * is a place in the table; the old one may have made it.
 */
static void accept_again(struct stack *st, struct listener *l, const struct ip_hdr *ip,
                         const struct tcp_hdr *syn, uint32_t iss, struct conn *old)
{
    bool rests = old->in_use; /* else its slot is free now */
    struct conn *c;

    if (rests)
        flow_unhash(st, old);
    c = accept_new(st, l, ip, syn, iss ? iss : 1, true);
    if (rests)
        flow_rest(st, old, c);
    stack_settle(st, c);
}

/* A SYN for a listener: LISTEN -> SYN-RECEIVED, in a connection of its own. */
static enum reason accept_syn(struct stack *st, struct listener *l, const struct ip_hdr *ip,
                              const struct tcp_hdr *syn, struct conn *old)
{
    uint32_t iss = old ? old->tcb.snd_nxt + ISN_STEP : 0;

    if (accept_queue_full(l))
        return REASON_TCP_ACCEPT_QUEUE;
    if (!old) {
        if (st->cfg.tcp.syn_cookies && (syn_queue_full(st, l) || table_scarce(st)))
            return cookie_answer(st, l, ip, syn);
        if (syn_queue_full(st, l) && !flow_evict(st, l))
            return REASON_TCP_BACKLOG;
    }
    if (flow_full(st) && !flow_recycle(st) && !flow_evict(st, l))
        return REASON_TCP_TABLE_FULL;
    if (old)
        accept_again(st, l, ip, syn, iss, old);
    else
        stack_settle(st, accept_new(st, l, ip, syn, 0, false));
    return REASON_NONE;
}

/* An acknowledgment with a good cookie: the connection is made now, and the segment is its first.
 */
static enum reason accept_cookie(struct stack *st, struct listener *l, const struct ip_hdr *ip,
                                 const struct tcp_hdr *ack, const struct tcp_hdr *syn,
                                 struct conn **ret_conn)
{
    if (flow_full(st) && !flow_recycle(st) && !flow_evict(st, l))
        return REASON_TCP_TABLE_FULL;
    *ret_conn = accept_new(st, l, ip, syn, ack->ack - 1, true);
    tcp_note(&st->tcp, &(*ret_conn)->tcb, st->now, REASON_COOKIE_ACCEPTED, 0);
    return REASON_NONE;
}

/*
 * An acknowledgment for a listener that may have sent cookies. One without a good cookie is not
 * reset, though LISTEN asks for it: it may be an honest client's later segment, whose first, which
 * has the cookie, was lost or overtaken and comes again; a reset would end the client's connection.
 */
static enum reason accept_ack(struct stack *st, struct listener *l, const struct ip_hdr *ip,
                              const struct tcp_hdr *ack, struct conn **ret_conn)
{
    struct tcp_hdr syn;

    if (!cookie_expected(st, l) || (ack->flags & TCP_SYN))
        return REASON_TCP_LISTEN_ACK;
    if (accept_queue_full(l))
        return REASON_TCP_ACCEPT_QUEUE;
    if (cookie_check(st, l, ip, ack, &syn))
        return accept_cookie(st, l, ip, ack, &syn, ret_conn);
    return REASON_TCP_COOKIE;
}

enum reason accept_stranger(struct stack *st, const struct ip_hdr *ip, const struct tcp_hdr *hdr,
                            uint32_t data_len, struct conn *old, struct stranger *ret)
{
    struct listener *l = find_listener(st, &ip->dst, hdr->dport);
    enum reason why = l ? tcp_listen_verdict(hdr) : REASON_TCP_NO_CONNECTION;

    *ret = (struct stranger){0};
    if (why == REASON_NONE)
        return accept_syn(st, l, ip, hdr, old);
    if (why == REASON_TCP_LISTEN_OTHER)
        return why;
    if (why == REASON_TCP_LISTEN_ACK)
        why = accept_ack(st, l, ip, hdr, &ret->conn);
    if (why != REASON_TCP_LISTEN_ACK && why != REASON_TCP_NO_CONNECTION)
        return why;
    if (!tcp_reset_for(hdr, data_len, &ret->rst))
        return REASON_TCP_RST_NO_CONNECTION;
    ret->reply = true;
    return why;
}

enum reason accept_embryo(struct stack *st, const struct ip_hdr *ip, const struct tcp_hdr *hdr,
                          struct conn **c)
{
    struct listener *l = &st->listener[(*c)->listener - 1];
    struct tcp_hdr syn;

    if ((hdr->flags & (TCP_SYN | TCP_ACK | TCP_RST)) != TCP_ACK)
        return REASON_NONE;
    if (hdr->ack == (*c)->tcb.snd_nxt)
        return accept_queue_full(l) ? REASON_TCP_ACCEPT_QUEUE : REASON_NONE;
    if (!cookie_check(st, l, ip, hdr, &syn))
        return REASON_NONE;
    if (accept_queue_full(l))
        return REASON_TCP_ACCEPT_QUEUE;
    tcp_end(&st->tcp, &(*c)->tcb, st->now, REASON_END_ORDERLY);
    stack_settle(st, *c);
    if (flow_find(st, &ip->dst, hdr->dport, &ip->src, hdr->sport))
        return REASON_TCP_TIME_WAIT; /* what rested behind it is back */
    return accept_cookie(st, l, ip, hdr, &syn, c);
}
