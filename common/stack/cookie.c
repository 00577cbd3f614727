/*
 * SYN cookies (RFC 4987 section 3.6): when a listener has no room for one more half-open
 * connection, its SYN-ACK carries in the initial sequence number all that has to be known when the
 * handshake is completed, and nothing is kept here. So a flood of SYNs costs time, but no memory
 * and no honest client's place.
 *
 *      31                                4   3   2     0
 *     +-----------------------------------+-----+-------+
 *     | keyed hash                        | era | MSS   |
 *     +-----------------------------------+-----+-------+
 *
 * The hash (SipHash-2-4 with a key of its own) goes over addresses, ports, the SYN's sequence
 * number, the era and what is remembered of the SYN (tcp/cookie.h), so one guess in 2^28 is right.
 * An era lasts 64 seconds; its number's lowest bit tells in which of two a cookie was made. A
 * cookie is good in its era and the next: for 64 seconds at least, and for less than 128.
 *
 * The price: a lost SYN-ACK is sent again only when the SYN is; a client that waits for our first
 * word, and whose last segment of the handshake was lost, waits in vain; and without timestamps
 * there is neither window scaling nor SACK. So cookies are sent under pressure only, and believed
 * only while some that were sent may still be good.
 */
#include <assert.h>

#include "base/bytes.h"
#include "base/time.h"
#include "stack/internal.h"
#include "tcp/cookie.h"
#include "tcp/mss.h"

enum {
    ERA_SECONDS = 64,
    ERA_SHIFT = MEMO_MSS_BITS, /* where the era's bit stands */
    HASH_SHIFT = ERA_SHIFT + 1,
};

static const uint32_t low_bits = (UINT32_C(1) << HASH_SHIFT) - 1;

static uint64_t era_of(int64_t now)
{
    return (uint64_t)(now / (ERA_SECONDS * SEC));
}

/* Both ends of a segment for us, and what only its handshake knows. */
static uint32_t cookie_of(const struct stack *st, const struct ip_hdr *ip,
                          const struct tcp_hdr *hdr, uint32_t irs, uint64_t era,
                          struct tcp_memo memo)
{
    uint8_t more[FLOW_HASH_MORE_MAX];
    uint32_t h;

    static_assert(sizeof(more) == 4 + 8 + 2, "the sequence number, the era and the memo");
    put32(more, irs);
    put32(more + 4, (uint32_t)(era >> 32));
    put32(more + 8, (uint32_t)era);
    more[12] = memo.mss;
    more[13] = memo.options;
    h = (uint32_t)flow_hash(st, KEY_COOKIE, &ip->dst, hdr->dport, &ip->src, hdr->sport, more,
                            sizeof(more));
    return (h & ~low_bits) | (uint32_t)(era & 1) << ERA_SHIFT | memo.mss;
}

enum reason cookie_answer(struct stack *st, struct listener *l, const struct ip_hdr *ip,
                          const struct tcp_hdr *syn)
{
    struct tcb scratch;
    struct tcp_hdr hdr, asked = *syn;
    struct tcp_memo memo;
    struct ip_out *o = ip_out_push(&st->ip);

    if (!o)
        return REASON_IP_OUT_FULL;
    /* the answer that a connection would give, from one that nobody keeps */
    flow_init(st, &scratch, &ip->dst, syn->dport, &ip->src, syn->sport);
    if (l->has_settings)
        scratch.set = &l->settings;
    tcp_answer(&st->tcp, &scratch, st->now, syn, &hdr);
    if (!asked.opt.has_mss)
        asked.opt.mss = mss_default(&ip->src);
    asked.opt.has_mss = true;
    memo = tcp_memo_keep(&asked, &hdr);
    hdr.seq = cookie_of(st, ip, syn, syn->seq, era_of(st->now), memo);
    hdr.sport = syn->dport;
    hdr.dport = syn->sport;
    ip_out_answer(o, ip);
    o->proto = IP_PROTO_TCP;
    o->tos = (uint8_t)(scratch.set->dscp << 2); /* MUST-48, MUST-49 */
    o->ttl = scratch.set->ttl;
    o->df = true;
    o->flow = ip_flow_label(&st->ip, &ip->dst, syn->dport, &ip->src, syn->sport);
    o->why = REASON_SEND_SYN_ACK_COOKIE;
    static_assert(sizeof(o->l4) >= TCP_HEADER_MIN + 20, "MSS, SACK-permitted, timestamps, scale");
    assert(tcp_header_len(&hdr.opt) <= sizeof(o->l4));
    o->l4_len = (uint8_t)tcp_build(o->l4, &ip->dst, &ip->src, &hdr, 0, NULL, 0);
    l->cookies_until = (int64_t)(era_of(st->now) + 2) * ERA_SECONDS * SEC;
    return REASON_NONE;
}

bool cookie_expected(const struct stack *st, const struct listener *l)
{
    return st->now < l->cookies_until;
}

bool cookie_check(const struct stack *st, const struct listener *l, const struct ip_hdr *ip,
                  const struct tcp_hdr *ack, struct tcp_hdr *ret_syn)
{
    uint32_t iss = ack->ack - 1;
    uint64_t era = era_of(st->now);
    struct tcp_memo memo;

    if (!cookie_expected(st, l) || (ack->flags & (TCP_SYN | TCP_ACK | TCP_RST)) != TCP_ACK)
        return false;
    if ((iss >> ERA_SHIFT & 1) != (era & 1))
        era--;
    memo = tcp_memo_recall(ack, iss & ((1 << MEMO_MSS_BITS) - 1));
    if (iss != cookie_of(st, ip, ack, ack->seq - 1, era, memo))
        return false;
    tcp_memo_syn(memo, ack, ret_syn);
    return true;
}
