/*
 * Packets: from the IP header to the one who is concerned, and back. This is where ip/ and tcp/,
 * which do not know each other, meet.
 */
#include "base/prefetch.h"
#include "stack/internal.h"
#include "tcp/flight.h"

/* What a connection's settings say about the IP header of all that it sends (MUST-48, SHLD-22). */
static uint8_t tos_of(const struct tcp_settings *set)
{
    return (uint8_t)(set->dscp << 2);
}

/* A reset that answers a segment with this header, for connection c or, with NULL, for none. */
static void push_reset(struct stack *st, const struct ip_hdr *ip, const struct tcp_hdr *rst,
                       const struct conn *c)
{
    const struct ip_route *route = c ? route_of(st, c) : NULL;
    struct ip_out *o = ip_out_push(&st->ip);

    if (!o) {
        st->counts[REASON_IP_OUT_FULL]++;
        return;
    }
    ip_out_answer(o, ip);
    o->proto = IP_PROTO_TCP;
    o->df = true;
    o->flow = ip_flow_label(&st->ip, &ip->dst, rst->sport, &ip->src, rst->dport);
    if (c) {
        o->tos = tos_of(c->tcb.set);
        o->ttl = c->tcb.set->ttl;
    }
    if (route) {
        o->options.len = 0;
        o->dst = ip_options_route(&o->options, route, &ip->src);
    }
    o->why = REASON_SEND_RST_ANSWER;
    o->l4_len = TCP_HEADER_MIN;
    tcp_build(o->l4, &ip->dst, &ip->src, rst, 0, NULL, 0);
}

/* A segment that belongs to no connection, or to the one that is returned. */
static struct conn *input_stranger(struct stack *st, const struct ip_hdr *ip,
                                   const struct tcp_hdr *hdr, uint32_t data_len, struct conn *old,
                                   enum reason *ret_why)
{
    struct stranger who;

    *ret_why = accept_stranger(st, ip, hdr, data_len, old, &who);
    if (who.reply)
        push_reset(st, ip, &who.rst, NULL);
    return who.conn;
}

/*
 * Whose segment it is, in *ret_conn; NULL: no connection's. The reason is that it is another
 * stack's.
 */
static enum reason find_conn(struct stack *st, const struct ip_hdr *ip, const struct tcp_hdr *hdr,
                             const struct slice *packet, const struct pkt *p,
                             struct conn **ret_conn)
{
    *ret_conn = flow_find(st, &ip->dst, hdr->dport, &ip->src, hdr->sport);
    if (!*ret_conn)
        return share_flow(st, &ip->dst, hdr->dport, &ip->src, hdr->sport, *packet, p);
    flow_remember(st, ip, packet->base + ip->header_len, *ret_conn);
    return REASON_NONE;
}

/*
 * A segment that may begin a connection, or complete its handshake: for no connection, for one in
 * TIME-WAIT or for one of a listener. *c becomes the one that it is for.
 */
static enum reason admit(struct stack *st, const struct ip_hdr *ip, const struct tcp_hdr *hdr,
                         uint32_t data_len, struct conn **c)
{
    struct conn *old = NULL;
    enum reason why = REASON_NONE;

    if (*c && tcp_time_wait_reusable(&st->tcp, &(*c)->tcb, hdr) &&
        accept_possible(st, &ip->dst, hdr->dport)) {
        old = *c;
        *c = NULL;
    }
    if (!*c)
        *c = input_stranger(st, ip, hdr, data_len, old, &why);
    else if ((*c)->listener && (*c)->tcb.state == TCP_SYN_RECEIVED)
        why = accept_embryo(st, ip, hdr, c);
    return why;
}

/* The bytes behind the IP header. */
static struct slice behind(const struct ip_hdr *ip, const struct slice *packet)
{
    return slice_sub(*packet, ip->header_len, ip->total_len - ip->header_len);
}

/* A segment for the connection `c`; with NULL, whose it is has still to be found out. */
static enum reason input_tcp(struct stack *st, const struct ip_hdr *ip, const struct slice *packet,
                             const struct pkt *p, struct conn *c)
{
    struct slice data = behind(ip, packet);
    struct tcp_hdr hdr, rst;
    bool reply = false;
    enum reason why = tcp_parse(ip, data.base, data.len, p->marks, &hdr);

    if (why)
        return why;
    hdr.seg_size = p->gso_size;
    data = slice_sub(data, hdr.header_len, data.len - hdr.header_len);
    if (!c && (why = find_conn(st, ip, &hdr, packet, p, &c)))
        return why;
    if (!c || c->listener || c->tcb.state == TCP_TIME_WAIT)
        why = admit(st, ip, &hdr, data.len, &c);
    if (!c || why)
        return why;
    why = tcp_input(&st->tcp, &c->tcb, st->now, &hdr, data, &reply, &rst);
    if (reply)
        push_reset(st, ip, &rst, c);
    if (why == REASON_NONE) { /* of segments that were taken, not of forged ones */
        c->rcv_tos = ip->tos; /* MAY-9 */
        if (ip->at.route)
            route_take(st, c, ip);
    }
    stack_settle(st, c);
    return why;
}

/* An error about a datagram or an echo request of ours (RFC 1122 section 4.1.3.3). */
static enum reason input_udp_error(struct stack *st, const struct icmp_error *e)
{
    int socket;
    enum reason why = udp_icmp_error(&st->udp, e, &socket);

    if (why == REASON_NONE) {
        st->udp_erred |= UINT64_C(1) << socket;
        st->counts[e->meaning.why]++;
    }
    return why;
}

static enum reason input_echo_reply(struct stack *st, const struct ip_hdr *ip, struct slice message)
{
    int socket;
    enum reason why = echo_input(&st->udp, &st->ip, ip, message, 0, &socket);

    if (why == REASON_NONE)
        st->udp_pending |= UINT64_C(1) << socket;
    return why;
}

static enum reason input_icmp(struct stack *st, const struct ip_hdr *ip, struct slice packet,
                              struct slice message, const struct pkt *p)
{
    struct icmp_error e;
    bool has_error;
    struct conn *c;
    enum reason why;

    if (echo_is_reply(ip, message))
        return input_echo_reply(st, ip, message);
    why = icmp_input(&st->ip, st->now, ip, message, &has_error, &e);
    if (!has_error)
        return why;
    if (e.proto != IP_PROTO_TCP)
        return input_udp_error(st, &e);
    c = flow_find(st, &e.local, e.local_port, &e.remote, e.remote_port);
    if (!c) {
        why = share_flow(st, &e.local, e.local_port, &e.remote, e.remote_port, packet, p);
        return why ? why : REASON_ICMP_QUOTE;
    }
    why = tcp_icmp_error(&st->tcp, &c->tcb, st->now, &e);
    stack_settle(st, c);
    return why;
}

static enum reason input_udp(struct stack *st, const struct ip_hdr *ip, struct slice packet,
                             struct slice segment, const struct pkt *p)
{
    int socket;
    enum reason why = udp_input(&st->udp, &st->ip, ip, segment, p, &socket);

    if (why == REASON_NONE)
        st->udp_pending |= UINT64_C(1) << socket;
    else if (why == REASON_UDP_NO_SOCKET)
        icmp_send_unreachable(&st->ip, st->now, ip, packet, ICMP_UNREACH_PORT);
    return why;
}

/* What the refusal of a packet's headers owes its sender, if it was for us. */
static void answer_problem(struct stack *st, struct slice packet)
{
    struct ip_hdr ip;
    struct ip_problem owed = ip_problem(packet.base, packet.len, &ip);
    enum reason why;

    if (!owed.owed)
        return;
    why = ip_accept(&st->ip, &ip);
    if (why == REASON_NONE || (why == REASON_IP_BROADCAST && owed.multicast_too))
        icmp_send_problem(&st->ip, st->now, &ip, packet, &owed);
}

/*
 * RFC 1122 3.3.5-b: the sender of a packet whose source route goes on from here is told that it
 * ends, once for all its fragments.
 */
static void answer_route(struct stack *st, const struct ip_hdr *ip, struct slice packet)
{
    struct ip_route back;

    if (ip->frag_off == 0 && ip_route_back(ip, &back) == REASON_IP_ROUTE_UNFINISHED)
        icmp_send_unreachable(&st->ip, st->now, ip, packet, ICMP_UNREACH_SRCROUTE);
}

/*
 * A packet that is not for us, for this reason; or for a better one, if it is what a kernel says to
 * its neighbours by itself.
 */
static enum reason why_not_ours(const struct ip_hdr *ip, struct slice packet, enum reason why)
{
    enum reason better = REASON_NONE;

    if (ip->proto == IP_PROTO_ICMP6 && ip->version == 6 && ip->total_len > ip->header_len &&
        !ip_is_fragment(ip))
        better = icmp6_unasked(packet.base[ip->header_len]);
    return better ? better : why;
}

/* A packet that is for us and whole; of `p` the marks count. */
static enum reason input_whole(struct stack *st, const struct ip_hdr *ip, struct slice packet,
                               const struct pkt *p)
{
    struct slice inner = behind(ip, &packet);

    switch ((enum ip_proto)ip->proto) {
    case IP_PROTO_TCP:
        return input_tcp(st, ip, &packet, p, NULL);
    case IP_PROTO_UDP:
        return input_udp(st, ip, packet, inner, p);
    case IP_PROTO_ICMP:
    case IP_PROTO_ICMP6:
        if ((ip->proto == IP_PROTO_ICMP6) == (ip->version == 6))
            return input_icmp(st, ip, packet, inner, p);
        break;
    }
    if (ip->version == 6 && ip->proto == IP6_NONE)
        return REASON_IP6_NO_NEXT;
    icmp_send_unreachable(&st->ip, st->now, ip, packet, ICMP_UNREACH_PROTOCOL);
    return REASON_IP_PROTOCOL;
}

/*
 * A fragment; if it was the last that was missing, its packet goes on. TCP copies what it keeps of
 * it: a gap in its stream could otherwise hold every buffer that what fills the gap would need.
 */
static enum reason input_fragment(struct stack *st, const struct ip_hdr *ip, struct slice packet,
                                  const struct pkt *p)
{
    static const struct pkt unmarked; /* nobody vouches for what we have put together ourselves */
    struct ip_hdr header = {0};
    struct ip_problem owed;
    struct slice whole;
    struct buf *held;
    enum reason why = share_fragment(st, packet, p);

    if (why)
        return why;
    inet_expire(st);
    why = fragment_input(&st->fragments, st->now, ip, packet, &whole);
    owed = fragment_problem(ip, why);
    if (owed.owed)
        icmp_send_problem(&st->ip, st->now, ip, packet, &owed);
    if (why || !whole.base)
        return why;
    held = whole.buf;
    why = ip_parse(whole.base, whole.len, &header);
    if (header.proto == IP_PROTO_TCP)
        whole.buf = NULL;
    if (why)
        answer_problem(st, whole);
    else
        why = input_whole(st, &header, whole, &unmarked);
    buf_unref(held);
    return why;
}

/*
 * The connection that a whole packet without options is for, if that is easily found, or NULL. Its
 * addresses need not be looked at any more: no connection has some that ip_accept would refuse.
 */
static struct conn *known_conn(const struct stack *st, const struct ip_hdr *ip,
                               const struct slice *packet)
{
    if (ip->proto != IP_PROTO_TCP || ip_is_fragment(ip) || ip->options_len ||
        ip->total_len - ip->header_len < 4)
        return NULL;
    return flow_guess(st, ip, packet->base + ip->header_len);
}

enum reason inet_input(struct stack *st, const struct pkt *p)
{
    struct slice packet;
    struct ip_hdr ip;
    struct conn *c;
    enum reason why;

    if (predict_input(st, p, &why))
        return why;
    packet = p->part[0];
    why = ip_parse(packet.base, packet.len, &ip);
    if (why) {
        answer_problem(st, packet);
        return why;
    }
    c = known_conn(st, &ip, &packet);
    if (c)
        return input_tcp(st, &ip, &packet, p, c);
    why = ip_accept(&st->ip, &ip);
    if (why == REASON_IP_SOURCE_ROUTE || why == REASON_IP_ROUTE_UNFINISHED)
        answer_route(st, &ip, packet);
    if (why)
        return why_not_ours(&ip, packet, why);
    if (ip_is_fragment(&ip))
        return input_fragment(st, &ip, packet, p);
    return input_whole(st, &ip, packet, p);
}

void inet_expire(struct stack *st)
{
    struct slice first;
    struct ip_hdr ip;

    while (fragment_expire(&st->fragments, st->now, &first)) {
        if (!first.base)
            continue;
        if (ip_parse(first.base, first.len, &ip) == REASON_NONE)
            icmp_send_fragment_timeout(&st->ip, st->now, &ip, first);
        buf_unref(first.buf);
    }
}

/*
 * Is the checksum left to the device? Where there is no text it costs nothing, and so whoever looks
 * at handshakes on the way sees it whole.
 */
static uint16_t marks_of(const struct stack *st, const struct pkt *p)
{
    return st->cfg.leave_checksum && p->parts > 1 ? PKT_CSUM_PARTIAL : 0;
}

/*
 * The TCP header of the connection's packet, behind an IP header of so many bytes. The checksum is
 * over where the segment goes in the end, not over the first hop. Returns its length.
 */
static inline uint32_t put_tcp(const struct tcb *tcb, struct pkt *p, struct tcp_hdr *hdr,
                               uint32_t ip_len)
{
    hdr->sport = tcb->local_port;
    hdr->dport = tcb->remote_port;
    p->csum_start = (uint16_t)ip_len;
    return (uint32_t)tcp_build(p->room + ip_len, &tcb->local, &tcb->remote, hdr, p->marks,
                               p->part + 1, p->parts - 1);
}

/* The flow label of all that the connection sends is the same, and hashed once for what flies. */
static uint32_t flow_label(const struct stack *st, const struct tcb *tcb)
{
    struct flight *f = tcb->flight;
    uint32_t label;

    if (f && f->flow_label)
        return f->flow_label;
    label = ip_flow_label(&st->ip, &tcb->local, tcb->local_port, &tcb->remote, tcb->remote_port);
    if (f)
        f->flow_label = label & IPV6_FLOW_MAX;
    return label;
}

/* Both headers, where the IP header is not IPv4's without options. */
static void put_headers(struct stack *st, const struct tcb *tcb, const struct ip_route *route,
                        struct pkt *p, struct tcp_hdr *hdr)
{
    struct ip_hdr ip = {.src = tcb->local, .dst = tcb->remote, .proto = IP_PROTO_TCP, .df = true};
    struct ip_options options;

    ip.tos = tos_of(tcb->set) | p->ecn;
    ip.ttl = tcb->set->ttl;
    ip.flow = flow_label(st, tcb);
    if (route) {
        options = (struct ip_options){0};
        ip.dst = ip_options_route(&options, route, &tcb->remote);
        ip_options_end(&options);
        ip.options = options.b;
        ip.options_len = options.len;
    }
    ip_finish(&st->ip, p, &ip, put_tcp(tcb, p, hdr, ip_header_len(&tcb->local, ip.options_len)));
}

/* The next segment of one connection (MUST-45, MAY-4). */
static bool output_tcp(struct stack *st, struct conn *c, struct pkt *p)
{
    const struct tcb *tcb = &c->tcb;
    const struct ip_route *route;
    struct tcp_hdr hdr;

    pkt_begin(p, 0);
    if (!tcp_output(&st->tcp, &c->tcb, st->now, &hdr, p))
        return false;
    route = route_of(st, c);
    p->marks = marks_of(st, p);
    p->conn = conn_slot(st, c) + 1;
    if (route || !addr_is_v4(&tcb->local))
        put_headers(st, tcb, route, p, &hdr);
    else
        ip_finish_plain4(&st->ip, p, &tcb->local, &tcb->remote, IP_PROTO_TCP,
                         tos_of(tcb->set) | p->ecn, tcb->set->ttl,
                         put_tcp(tcb, p, &hdr, IPV4_HEADER_MIN));
    return true;
}

/*
 * Whose turn it is, or NULL. A SYN goes before all others: its answer is what is waited for next,
 * and travels while they are sent.
 */
static inline struct conn *next_to_send(const struct stack *st)
{
    const struct list *l = list_empty(&st->opening) ? &st->output : &st->opening;

    return list_empty(l) ? NULL : container_of(l->next, struct conn, output);
}

bool inet_output(struct stack *st, struct pkt *p)
{
    struct conn *c;

    if (ip_out_pop(&st->ip, p, &st->held))
        return true;
    while ((c = next_to_send(st))) {
        const struct conn *next;
        bool sent;

        list_remove(&c->output);
        next = next_to_send(st);
        if (next)
            flight_prefetch(next->tcb.flight);
        if (tcp_output_is_idle(&st->tcp, &c->tcb)) {
            stack_look(st, c);
            continue;
        }
        sent = output_tcp(st, c, p);
        stack_settle_sent(st, c); /* behind the others, if there is more to send */
        if (sent)
            return true;
    }
    return false;
}
