/*
 * For tests of datagram sockets on a real stack, over IPv4 or IPv6 as rig.v6 says: what a remote
 * node sends, put together byte by byte, and the errors that somebody says about what we sent.
 */
#ifndef TESTS_UNIT_UDP_KIT_H
#define TESTS_UNIT_UDP_KIT_H

#include "packet6_kit.h"
#include "tcp_kit.h"

/* Of the router that errors come from: 10.0.9.1, fd00:0:0:9::1 */
#define UDP_ROUTER (rig.v6 ? kit6_addr(0xfd00, 9, 1) : addr_v4(UINT32_C(0x0a000901)))
/* Another remote node: 10.0.0.8, fd00::8 */
#define UDP_OTHER  (rig.v6 ? kit6_addr(0xfd00, 0, 8) : addr_v4(UINT32_C(0x0a000008)))
/* The node's second address: 10.0.2.5, fd00:0:0:2::5 */
#define UDP_SECOND (rig.v6 ? kit6_addr(0xfd00, 2, 5) : addr_v4(UINT32_C(0x0a000205)))

static inline void udp_begin_node(bool v6)
{
    defaults();
    over_ipv6(v6);
    rig.cfg.mtu = 1500;
    rig.cfg.local[1] = UDP_SECOND;
    rig.cfg.prefix_len[1] = v6 ? 64 : 24;
    rig.cfg.locals = 2;
    begin();
}

/* ... with a socket at port 6000; and who is far away. Returns the socket. */
static inline int udp_begin_bound(bool v6, struct addr *ret_far)
{
    udp_begin_node(v6);
    *ret_far = REMOTE_ADDR;
    return stack_udp_bind(rig.st, 6000, NULL);
}

static inline enum reason udp_packet(const struct kit_packet *p)
{
    return rig_input(p->b, p->len);
}

/* A datagram to one of our addresses. */
static inline struct kit_packet udp_from_to(struct addr src, struct addr dst, uint16_t sport,
                                            uint16_t dport, const void *data, uint32_t len)
{
    struct kit_packet p;

    if (rig.v6)
        return kit6_udp(src, dst, sport, dport, data, len);
    p = kit_udp(sport, dport, data, len);
    put32(p.b + 12, addr_v4_value(&src));
    put32(p.b + 16, addr_v4_value(&dst));
    kit_ip4_fix(&p);
    kit_l4_fix(&p, 6);
    return p;
}

static inline enum reason udp_comes(struct addr src, uint16_t sport, uint16_t dport,
                                    const char *text)
{
    struct kit_packet p = udp_from_to(src, LOCAL_ADDR, sport, dport, text, (uint32_t)strlen(text));

    return udp_packet(&p);
}

/* An ICMP message from `src` to our first address. */
static inline enum reason udp_icmp(struct addr src, uint8_t type, uint8_t code, uint32_t rest,
                                   const void *data, uint32_t len)
{
    struct kit_packet p;

    if (rig.v6) {
        p = kit6_icmp(src, LOCAL_ADDR, type, code, rest, data, len);
        return udp_packet(&p);
    }
    p = kit_icmp(type, code, rest, data, len);
    put32(p.b + 12, addr_v4_value(&src));
    put32(p.b + 16, KIT_PEER);
    kit_ip4_fix(&p);
    return udp_packet(&p);
}

/* The router says this about the packet that was taken last. */
static inline enum reason udp_error_about(uint8_t type, uint8_t code, uint32_t rest)
{
    uint32_t quoted = (uint32_t)rig.ip.header_len + (rig.len < 8 ? rig.len : 8);
    uint8_t quote[128];

    memcpy(quote, rig.bytes, quoted);
    return udp_icmp(UDP_ROUTER, type, code, rest, quote, quoted);
}

/* Port, or whatever, of each version. */
#define UDP_UNREACHABLE (rig.v6 ? ICMP6_UNREACHABLE : ICMP_UNREACHABLE)
#define UDP_NO_PORT     (rig.v6 ? ICMP6_UNREACH_PORT : ICMP_UNREACH_PORT)

/* Send `text` from the socket; `to` may be NULL, where it is connected. */
static inline int udp_sends(int udp, const struct addr *to, uint16_t port, const char *text)
{
    struct stack_datagram d = {.port = port};

    if (to)
        d.addr = *to;
    d.data = (struct slice){NULL, (const uint8_t *)text, (uint32_t)strlen(text)};
    return stack_udp_send(rig.st, udp, &d);
}

/* The next datagram has this text. */
static inline void udp_reads(int udp, const char *text, struct stack_datagram *ret)
{
    assert_int_equal(stack_udp_receive(rig.st, udp, ret), 0);
    assert_int_equal(ret->data.len, strlen(text));
    assert_memory_equal(ret->data.base, text, ret->data.len);
    buf_unref(ret->data.buf);
}

/* There is this event of the socket. */
static inline void udp_event_is(enum stack_event_kind kind, int udp)
{
    struct stack_event e;

    assert_true(stack_event(rig.st, &e));
    assert_int_equal(e.kind, kind);
    assert_int_equal(e.udp, udp);
}

#endif
