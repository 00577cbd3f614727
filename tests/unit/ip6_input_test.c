/*
 * IPv6, ICMPv6 and UDP of one node with addresses of both versions: what is for it, what it
 * answers, and what it passes over in silence. The node is fd00:0:0:1::5, also fd00:0:0:2::5 and
 * 10.0.1.5; packets come from fd00::7 unless a test says otherwise.
 */
#include "tcp_kit.h"

#include "packet6_kit.h"

#define SECOND kit6_addr(0xfd00, 2, 5)

static void begin_node(void)
{
    defaults();
    over_ipv6(true);
    rig.cfg.local[1] = SECOND;
    rig.cfg.local[2] = addr_v4(KIT_PEER);
    rig.cfg.prefix_len[1] = 64;
    rig.cfg.prefix_len[2] = 24;
    rig.cfg.locals = 3;
    rig.cfg.mtu = 1500;
    begin();
}

static enum reason rig_packet(const struct kit_packet *p)
{
    return rig_input(p->b, p->len);
}

static struct kit_packet echo(struct addr src, struct addr dst)
{
    return kit6_icmp(src, dst, ICMP6_ECHO, 0, 0x70001, "hello", 5);
}

/* ---- addresses ---- */

/* [RFC 4291 2.5.2], [RFC 4291 2.5.3], [RFC 4291 2.7]: who may speak to us, and to whom we listen.
 */
static void rfc4291_2_5_martians(void **state)
{
    const struct {
        struct addr src, dst;
        enum reason why;
    } cases[] = {
        {KIT6_HOST, KIT6_PEER, REASON_NONE},
        {KIT6_HOST, SECOND, REASON_NONE},
        {kit6_addr(0x2001, 0, 1), KIT6_PEER, REASON_NONE},
        {KIT6_LINK_LOCAL, KIT6_PEER, REASON_NONE}, /* a message of ICMPv6 */
        {KIT6_NONE, KIT6_PEER, REASON_IP_SOURCE},
        {kit6_addr(0, 0, 1), KIT6_PEER, REASON_IP_SOURCE},
        {kit6_addr(0xff02, 0, 1), KIT6_PEER, REASON_IP_SOURCE},
        {KIT6_PEER, KIT6_PEER, REASON_IP_LAND},
        {SECOND, KIT6_PEER, REASON_IP_LAND},
        {KIT6_HOST, kit6_addr(0xfd00, 1, 6), REASON_IP_NOT_OURS},
        {KIT6_HOST, kit6_addr(0xff02, 0, 1), REASON_IP_BROADCAST},
        {KIT6_HOST, kit6_addr(0, 0, 1), REASON_IP_BROADCAST},
    };

    (void)state;
    begin_node();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct kit_packet p = echo(cases[i].src, cases[i].dst);

        rig_reason("the verdict", rig_packet(&p), cases[i].why);
        assert_int_equal(rig_take(), cases[i].why == REASON_NONE);
    }
    end();
}

/* What only one link knows cannot be the end of a connection of ours. */
static void link_local_transports(void **state)
{
    struct stack_open how = {.remote = KIT6_LINK_LOCAL, .remote_port = 80};
    struct kit_packet p = kit6_udp(KIT6_LINK_LOCAL, KIT6_PEER, 5000, 9, NULL, 0);
    struct conn_id id;

    (void)state;
    begin_node();
    rig_reason("the verdict", rig_packet(&p), REASON_IP6_LINK_LOCAL);
    expect_nothing();
    assert_int_equal(stack_open(rig.st, &how, &id), -EINVAL);
    end();
}

/* [RFC 6724 5]: the source is of the destination's version, and the nearest of these.
 * RFC 8200 8.3-a, RFC 8504 6.6-a. */
static void rfc6724_5_choice_of_the_source(void **state)
{
    const struct {
        struct addr remote, source;
    } cases[] = {
        {KIT6_HOST, KIT6_PEER},
        {kit6_addr(0xfd00, 1, 99), KIT6_PEER},
        {kit6_addr(0xfd00, 2, 99), SECOND},
        {kit6_addr(0xfd00, 3, 99), SECOND}, /* 63 bits are the same, not 62 */
        {kit6_addr(0x2001, 2, 5), KIT6_PEER},
        {addr_v4(KIT_HOST), addr_v4(KIT_PEER)},
    };

    (void)state;
    begin_node();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct stack_open how = {.remote = cases[i].remote, .remote_port = 80};
        struct conn_id id;

        assert_int_equal(stack_open(rig.st, &how, &id), 0);
        assert_true(rig_take());
        assert_true(addr_eq(&rig.ip.src, &cases[i].source));
        assert_int_equal(rig.ip.version, addr_is_v4(&cases[i].remote) ? 4 : 6);
        assert_int_equal(tcp_parse(&rig.ip, rig.data, rig.len, 0, &rig.seg), REASON_NONE);
        assert_int_equal(rig.seg.opt.mss, rig.ip.version == 4 ? 1460 : 1440);
    }
    end();
}

/* The bits behind our own prefix say nothing about nearness. */
static void the_prefix_bounds_nearness(void **state)
{
    struct addr remote = kit6_addr(0xfd00, 2, 4);

    (void)state;
    begin_node();
    rig.st->ip.prefix_len[1] = 16;
    assert_true(addr_eq(ip_source_for(&rig.st->ip, &remote), &rig.cfg.local[0]));
    rig.st->ip.prefix_len[1] = 63;
    assert_true(addr_eq(ip_source_for(&rig.st->ip, &remote), &rig.cfg.local[1]));
    end();
}

/* MUST-44: no address of the remote end's version, no connection. */
static void no_address_of_that_version(void **state)
{
    struct addr six = KIT6_PEER, four = addr_v4(KIT_PEER);
    struct stack_open how = {.remote = KIT6_HOST, .remote_port = 80};
    struct stack_datagram d = {.addr = KIT6_HOST, .port = 80};
    struct conn_id id;
    int udp;

    (void)state;
    defaults();
    over_ipv6(false);
    begin();
    udp = stack_udp_bind(rig.st, 7, NULL);
    assert_int_equal(stack_open(rig.st, &how, &id), -EADDRNOTAVAIL);
    assert_int_equal(stack_udp_send(rig.st, udp, &d), -EADDRNOTAVAIL);
    how.local = &four;
    assert_int_equal(stack_open(rig.st, &how, &id), -EADDRNOTAVAIL);
    end();
    begin_node();
    how.local = &four; /* ours, but of the other version */
    assert_int_equal(stack_open(rig.st, &how, &id), -EADDRNOTAVAIL);
    how.local = &six;
    assert_int_equal(stack_open(rig.st, &how, &id), 0);
    end();
}

/* [RFC 8200 5]: a link with a smaller MTU carries no IPv6. */
static void rfc8200_5_least_mtu(void **state)
{
    (void)state;
    begin_node();
    for (uint32_t mtu = 1279; mtu <= 1280; mtu++) {
        struct stack_config cfg = rig.cfg;
        size_t size = (stack_bytes(&cfg) + 63) / 64 * 64;
        void *room = aligned_alloc(64, size);

        assert_non_null(room);
        memset(room, 0, size);
        cfg.mtu = mtu;
        assert_int_equal(stack_create(&cfg, room, size) != NULL, mtu == 1280);
        free(room);
    }
    end();
}

/* ---- ICMPv6 ---- */

/* [RFC 4443 4.2]: what was asked comes back, from whom it was asked.
 * RFC 4443 2.2-a, 2.3-a, 4.2-a, RFC 8200 5-a, RFC 8504 5.8-a. */
static void rfc4443_4_2_echo(void **state)
{
    static uint8_t big[1452];
    const struct addr ours[] = {KIT6_PEER, SECOND};

    (void)state;
    begin_node();
    pattern_fill(big, 0, sizeof(big));
    for (uint32_t len = 0; len <= 1452; len += 121) {
        struct kit_packet p =
            kit6_icmp(KIT6_HOST, ours[len % 2], ICMP6_ECHO, 0, 0x12345678, big, len);
        struct addr host = KIT6_HOST;
        struct icmp_hdr icmp;

        p.b[0] = 0x6b; /* traffic class b8 and what comes of it: no ECN mark goes back */
        p.b[1] = 0x90;
        rig_reason("the verdict", rig_packet(&p), REASON_NONE);
        assert_true(rig_take());
        expect_why(REASON_SEND_ECHO_REPLY);
        assert_true(addr_eq(&rig.ip.src, &ours[len % 2]) && addr_eq(&rig.ip.dst, &host));
        assert_int_equal(rig.ip.ttl, 64);
        assert_int_equal(rig.ip.tos, 0xb8);
        assert_int_equal(icmp6_parse(&rig.ip, rig.data, rig.len, 0, &icmp), REASON_NONE);
        assert_true(icmp.type == ICMP6_ECHO_REPLY && icmp.code == 0 && icmp.rest == 0x12345678);
        assert_int_equal(rig.len, 8 + len);
        assert_memory_equal(rig.data + 8, big, len);
    }
    end();
}

/* What a kernel says to its neighbours by itself is known, and counted by what it is. */
static void the_kernel_talks_to_its_neighbours(void **state)
{
    static const uint8_t alert[8] = {58, 0, 5, 2}, zeros[16];
    const struct addr group = kit6_addr(0xff02, 0, 0x16), nodes = kit6_addr(0xff02, 0, 1);
    struct kit_packet p;

    (void)state;
    begin_node();
    p = kit6_icmp(KIT6_LINK_LOCAL, KIT6_ALL_ROUTERS, 133, 0, 0, NULL, 0);
    rig_reason("solicitation", rig_packet(&p), REASON_ICMP6_ROUTER);
    p = kit6_icmp(KIT6_NONE, KIT6_ALL_ROUTERS, 133, 0, 0, NULL, 0);
    rig_reason("... without an address", rig_packet(&p), REASON_ICMP6_ROUTER);
    p = kit6_icmp(KIT6_NONE, group, 143, 0, 0, NULL, 0);
    kit6_insert(&p, 0, alert, 8);
    rig_reason("report", rig_packet(&p), REASON_ICMP6_MLD);
    p = kit6_icmp(KIT6_NONE, nodes, 135, 0, 0, zeros, 16);
    rig_reason("duplicate address detection", rig_packet(&p), REASON_ICMP6_NEIGHBOR);
    p = kit6_icmp(KIT6_LINK_LOCAL, KIT6_PEER, 135, 0, 0, zeros, 16);
    rig_reason("who has our address", rig_packet(&p), REASON_ICMP6_NEIGHBOR);
    p = kit6_icmp(KIT6_LINK_LOCAL, KIT6_PEER, 137, 0, 0, zeros, 16);
    rig_reason("redirect", rig_packet(&p), REASON_ICMP6_REDIRECT);
    p = kit6_icmp(KIT6_LINK_LOCAL, group, 128, 0, 0, NULL, 0);
    rig_reason("an echo for many is none of these", rig_packet(&p), REASON_IP_BROADCAST);
    expect_nothing();
    end();
}

/* ICMP is IPv4's, and ICMPv6 is IPv6's. */
static void each_version_has_its_own(void **state)
{
    struct kit_packet p = kit_icmp(8, 0, 1, NULL, 0), q = echo(KIT6_HOST, KIT6_PEER);

    (void)state;
    begin_node();
    put32(p.b + 12, KIT_HOST);
    put32(p.b + 16, KIT_PEER);
    p.b[9] = 58;
    kit_ip4_fix(&p);
    rig_reason("ICMPv6 in IPv4", rig_packet(&p), REASON_IP_PROTOCOL);
    assert_true(rig_take());
    expect_why(REASON_SEND_UNREACHABLE);
    q.b[6] = 1;
    rig_reason("ICMP in IPv6", rig_packet(&q), REASON_IP_PROTOCOL);
    assert_true(rig_take());
    expect_why(REASON_SEND_PARAM_PROBLEM);
    end();
}

/* ---- errors that are owed ---- */

/* Take the error that quotes this packet, from its beginning, for as far as it goes. */
static void take_error(uint8_t type, uint8_t code, uint32_t rest, const struct kit_packet *of)
{
    uint32_t quoted = min32(of->len, IPV6_MTU_MIN - 48);
    struct addr host = KIT6_HOST;
    struct icmp_hdr icmp;

    if (!rig_take())
        fail_msg("%s: nothing was sent", rig_where());
    assert_int_equal(rig.ip.proto, IP_PROTO_ICMP6);
    assert_int_equal(icmp6_parse(&rig.ip, rig.data, rig.len, 0, &icmp), REASON_NONE);
    rig_same("type", icmp.type, type);
    rig_same("code", icmp.code, code);
    rig_same("rest", icmp.rest, rest);
    assert_true(addr_eq(&rig.ip.dst, &host));
    rig_same("bytes quoted", rig.len - 8, quoted);
    assert_memory_equal(rig.data + 8, of->b, quoted);
    expect_nothing();
}

/* [RFC 4443 3.1]: port unreachable, with as much of the packet as fits into 1,280 bytes.
 * RFC 4443 2.2-a, 2.4c-a, 3.1-a, RFC 8504 5.8-a. */
static void rfc4443_3_1_port_unreachable(void **state)
{
    static const uint8_t pad[8] = {0, 0, 1, 4};
    static uint8_t big[1452];

    (void)state;
    begin_node();
    pattern_fill(big, 0, sizeof(big));
    for (uint32_t len = 0; len <= 1440; len += 120) {
        struct kit_packet p = kit6_udp(KIT6_HOST, SECOND, 5000, 6000, big, len);
        struct addr second = SECOND;

        kit6_insert(&p, 60, pad, 8);
        rig_reason("the verdict", rig_packet(&p), REASON_UDP_NO_SOCKET);
        take_error(ICMP6_UNREACHABLE, ICMP6_UNREACH_PORT, 0, &p);
        expect_why(REASON_SEND_UNREACHABLE);
        assert_true(addr_eq(&rig.ip.src, &second));
    }
    end();
}

/* [RFC 8200 4]: a protocol that is not served is a number in some header that makes no sense.
 * RFC 8200 4-c, 4.7-a, RFC 8504 5.2-a, RFC 4443 3.4-a. */
static void rfc8200_4_unknown_next_header(void **state)
{
    static const uint8_t pad[8] = {0, 0, 1, 4}, later[8] = {0};
    struct kit_packet p = kit6(KIT6_HOST, KIT6_PEER, 99, NULL, 20);

    (void)state;
    begin_node();
    rig_reason("the verdict", rig_packet(&p), REASON_IP_PROTOCOL);
    take_error(ICMP6_PARAM_PROBLEM, 1, 6, &p);
    expect_why(REASON_SEND_PARAM_PROBLEM);
    kit6_insert(&p, 44, later, 8);
    kit6_insert(&p, 0, pad, 8);
    rig_reason("the verdict", rig_packet(&p), REASON_IP_PROTOCOL);
    take_error(ICMP6_PARAM_PROBLEM, 1, 48, &p);
    p = kit6(KIT6_HOST, KIT6_PEER, 59, NULL, 20);
    rig_reason("no next header", rig_packet(&p), REASON_IP6_NO_NEXT);
    expect_nothing();
    end();
}

/* [RFC 8200 4.2], [RFC 4443 2.4]: who is told of an option that may not be skipped.
 * RFC 8200 4.2-b, RFC 4443 2.4e-b. */
static void rfc8200_4_2_options_are_answered(void **state)
{
    static const uint8_t type[] = {0x3e, 0x7e, 0xbe, 0xfe};
    const struct addr dst[] = {KIT6_PEER, kit6_addr(0xff02, 0, 1), kit6_addr(0xfd00, 9, 9)};

    (void)state;
    begin_node();
    for (unsigned t = 0; t < 4; t++) {
        for (unsigned d = 0; d < 3; d++) {
            uint8_t option[8] = {0, 0, type[t], 4};
            struct kit_packet p = kit6_udp(KIT6_HOST, dst[d], 5000, 6000, "hello", 5);
            bool told = t >= 2 && (d == 0 || (d == 1 && t == 2));

            kit6_insert(&p, 60, option, 8);
            rig_packet(&p);
            if (told)
                take_error(ICMP6_PARAM_PROBLEM, 2, 42, &p);
            else if (t > 0)
                expect_nothing();
            drain();
        }
    }
    end();
}

/* [RFC 5095 3], [RFC 7112 5]
 * RFC 8200 4.4-b, 4.5-k, RFC 4443 3.4-a. */
static void other_headers_are_answered(void **state)
{
    static const uint8_t routing[24] = {0, 2, 0, 1, 0, 0, 0, 0, 0xfd}, first[8] = {0, 0, 0, 1};
    struct kit_packet p = kit6_udp(KIT6_HOST, KIT6_PEER, 5000, 6000, "hello", 5), q;

    (void)state;
    begin_node();
    q = p;
    kit6_insert(&q, 43, routing, 24);
    rig_reason("the verdict", rig_packet(&q), REASON_IP6_ROUTING);
    take_error(ICMP6_PARAM_PROBLEM, 0, 42, &q);
    q = kit6(KIT6_HOST, KIT6_PEER, 6, NULL, 16);
    kit6_insert(&q, 44, first, 8);
    rig_reason("the verdict", rig_packet(&q), REASON_IP6_FIRST_FRAGMENT);
    take_error(ICMP6_PARAM_PROBLEM, 3, 0, &q);
    end();
}

/* [RFC 4443 2.4] e: never about an error or a redirect, nor to or about what is no single host.
 * RFC 4443 2.4e-a, 2.4e-b, 2.4e-c. */
static void rfc4443_2_4_no_errors_about(void **state)
{
    static const uint8_t bad[8] = {0, 0, 0xfe, 4};
    static const uint8_t types[] = {1, 2, 3, 4, 100, 127, 137};
    struct kit_packet quote = kit6_udp(KIT6_PEER, KIT6_HOST, 9, 5000, NULL, 0), p;

    (void)state;
    begin_node();
    for (size_t i = 0; i < sizeof(types); i++) {
        p = kit6_icmp(KIT6_HOST, KIT6_PEER, types[i], 0, 0, quote.b, quote.len);
        kit6_insert(&p, 60, bad, 8);
        rig_reason("the verdict", rig_packet(&p), REASON_IP6_OPTION);
        expect_nothing();
    }
    p = echo(KIT6_HOST, KIT6_PEER);
    kit6_insert(&p, 60, bad, 8);
    rig_reason("the verdict", rig_packet(&p), REASON_IP6_OPTION);
    take_error(ICMP6_PARAM_PROBLEM, 2, 42, &p); /* about a question there may be one */
    p = kit6(kit6_addr(0xff02, 0, 1), KIT6_PEER, 99, NULL, 20);
    rig_reason("from many", rig_packet(&p), REASON_IP_SOURCE);
    p = kit6(KIT6_NONE, KIT6_PEER, 99, NULL, 20);
    rig_reason("from nobody", rig_packet(&p), REASON_IP_SOURCE);
    p = kit6(KIT6_HOST, kit6_addr(0xff02, 0, 1), 99, NULL, 20);
    rig_reason("to many", rig_packet(&p), REASON_IP_BROADCAST);
    expect_nothing();
    end();
}

/* [RFC 4443 2.4] f: within the same limit as IPv4's.
 * RFC 4443 2.4f-a. */
static void rfc4443_2_4_errors_are_limited(void **state)
{
    struct kit_packet p = kit6_udp(KIT6_HOST, KIT6_PEER, 5000, 6000, NULL, 0);
    unsigned n = 0;

    (void)state;
    begin_node();
    for (unsigned i = 0; i < 150; i++) {
        rig_packet(&p);
        n += rig_take();
    }
    assert_int_equal(n, 100);
    end();
}

/* ---- errors that arrive ---- */

static enum reason rig_error_about(uint8_t type, uint8_t code, uint32_t rest, uint32_t seq)
{
    uint8_t segment[20] = {0};
    struct kit_packet of, p;

    put16(segment, flow.local_port);
    put16(segment + 2, flow.remote_port);
    put32(segment + 4, flow.iss + seq);
    of = kit6(KIT6_PEER, KIT6_HOST, 6, segment, sizeof(segment));
    put16(of.b + 4, 1460 - 40); /* the rest was cut off */
    p = kit6_icmp(kit6_addr(0xfd00, 7, 1), KIT6_PEER, type, code, rest, of.b, of.len);
    return rig_packet(&p);
}

/* MUST-54, SHLD-26, [RFC 5461 2]: hard errors end what is being opened, soft ones are told.
 * RFC 4443 2.4a-a, 3.1-b. */
static void errors_reach_their_connection(void **state)
{
    struct stack_event e;

    (void)state;
    begin_node();
    app_open();
    expect_syn();
    rig_reason("not in flight", rig_error_about(1, 4, 0, 1), REASON_ICMP_SEQUENCE);
    rig_reason("no route", rig_error_about(1, 0, 0, 0), REASON_NONE);
    assert_true(stack_event(rig.st, &e));
    assert_true(e.kind == EV_ERROR && e.why == REASON_ICMP_SOFT_NET);
    rig_reason("of a kind to come", rig_error_about(100, 3, 0, 0), REASON_NONE);
    assert_true(stack_event(rig.st, &e));
    assert_true(e.kind == EV_ERROR && e.why == REASON_ICMP_SOFT_UNKNOWN);
    rig_reason("no port", rig_error_about(1, 4, 0, 0), REASON_NONE);
    assert_true(stack_event(rig.st, &e));
    expect_closed(REASON_END_UNREACHABLE);
    rig_reason("nobody's", rig_error_about(1, 4, 0, 0), REASON_ICMP_QUOTE);
    end();
}

/* [RFC 8201 4]: a smaller MTU is believed, but none under 1,280 bytes.
 * RFC 4443 3.2-a, RFC 8201 4-a, 4-b. */
static void rfc8201_4_packet_too_big(void **state)
{
    (void)state;
    begin_node();
    open_passive();
    app_send(1440);
    expect(ACK, 1, 1, 1440);
    rig_reason("larger than what left", rig_error_about(2, 0, 1460, 1), REASON_ICMP_MTU);
    rig_reason("1,400 bytes", rig_error_about(2, 0, 1400, 1), REASON_NONE);
    expect(ACK, 1, 1, 1340);
    expect(ACK, 1341, 1, 100);
    rig_reason("none", rig_error_about(2, 0, 0, 1), REASON_ICMP_MTU);
    rig_reason("one byte too few", rig_error_about(2, 0, 1279, 1), REASON_ICMP_MTU);
    rig_reason("1,280 bytes", rig_error_about(2, 0, 1280, 1), REASON_NONE);
    expect(ACK, 1, 1, 1220);
    end();
}

/* ---- UDP ---- */

/* [RFC 8200 8.1]: a datagram without a checksum is refused, in IPv6.
 * RFC 8200 8.1-b, 8.1-c. */
static void rfc8200_8_1_udp(void **state)
{
    struct kit_packet p = kit6_udp(KIT6_HOST, SECOND, 5000, 6000, "hello", 5);
    struct stack_datagram d;
    struct addr host = KIT6_HOST;
    struct udp_hdr hdr;
    uint32_t label;
    int udp;

    (void)state;
    begin_node();
    udp = stack_udp_bind(rig.st, 6000, NULL);
    rig_reason("the verdict", rig_packet(&p), REASON_NONE);
    put16(p.b + 46, 0);
    rig_reason("without a checksum", rig_packet(&p), REASON_UDP_CHECKSUM);
    assert_int_equal(stack_udp_receive(rig.st, udp, &d), 0);
    assert_true(addr_eq(&d.addr, &host) && d.port == 5000 && d.data.len == 5);
    assert_int_equal(stack_udp_send(rig.st, udp, &d), 0);
    assert_true(rig_take());
    assert_int_equal(rig.ip.version, 6);
    assert_int_equal(udp_parse(&rig.ip, rig.data, rig.len, 0, &hdr), REASON_NONE);
    assert_memory_equal(rig.data + 8, "hello", 5);
    label = rig.ip.flow;
    assert_int_not_equal(label, 0);
    d.data = (struct slice){.base = NULL};
    assert_int_equal(stack_udp_send(rig.st, udp, &d), 0);
    assert_true(rig_take());
    assert_int_equal(rig.ip.flow, label);
    end();
}

/* ---- TCP ---- */

/* [RFC 6437 3]: all that a connection sends has one flow label, and another has another.
 * RFC 8504 5.1-e. */
static void rfc6437_3_flow_labels(void **state)
{
    uint32_t first = 0;

    (void)state;
    begin_node();
    for (unsigned i = 0; i < 2; i++) {
        uint32_t label;

        flow = (struct flow){.local_port = LOCAL_PORT,
                             .remote_port = (uint16_t)(REMOTE_PORT + i),
                             .irs = REMOTE_ISS};
        open_passive();
        app_send(100);
        expect(ACK, 1, 1, 100);
        label = rig.ip.flow;
        assert_true(label > 0 && label <= IPV6_FLOW_MAX);
        assert_int_not_equal(label, first);
        first = label;
        inject(ACK, 1, 101, FULL_WND, 100);
        app_close();
        expect(FIN | ACK, 101, 101, 0);
        assert_int_equal(rig.ip.flow, label);
        inject(RST, 101, 0, 0, 0);
        inject(ACK, 101, 102, FULL_WND, 0); /* nobody's now: a reset answers it */
        assert_true(rig_take());
        expect_why(REASON_SEND_RST_ANSWER);
        assert_int_equal(rig.ip.flow, label);
        drain();
    }
    end();
}

/* MUST-15: a cookie remembers that a remote end which says nothing takes 1,220 bytes. */
static void a_cookie_over_ipv6(void **state)
{
    static const struct tcp_options none = {0};

    (void)state;
    defaults();
    over_ipv6(true);
    rig.cfg.tcp.syn_queue = 0;
    begin();
    app_listen(16);
    rig_reason("the SYN", rig_inject(SYN, 0, 0, FULL_WND, 0, &none), REASON_NONE);
    expect_syn_ack();
    expect_why(REASON_SEND_SYN_ACK_COOKIE);
    assert_int_not_equal(rig.ip.flow, 0);
    inject(ACK, 1, 1, FULL_WND, 0);
    expect_event(EV_ACCEPTED);
    app_send(2000);
    expect(ACK, 1, 1, 1220);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc4291_2_5_martians),
        cmocka_unit_test(link_local_transports),
        cmocka_unit_test(rfc6724_5_choice_of_the_source),
        cmocka_unit_test(the_prefix_bounds_nearness),
        cmocka_unit_test(no_address_of_that_version),
        cmocka_unit_test(rfc8200_5_least_mtu),
        cmocka_unit_test(rfc4443_4_2_echo),
        cmocka_unit_test(the_kernel_talks_to_its_neighbours),
        cmocka_unit_test(each_version_has_its_own),
        cmocka_unit_test(rfc4443_3_1_port_unreachable),
        cmocka_unit_test(rfc8200_4_unknown_next_header),
        cmocka_unit_test(rfc8200_4_2_options_are_answered),
        cmocka_unit_test(other_headers_are_answered),
        cmocka_unit_test(rfc4443_2_4_no_errors_about),
        cmocka_unit_test(rfc4443_2_4_errors_are_limited),
        cmocka_unit_test(errors_reach_their_connection),
        cmocka_unit_test(rfc8201_4_packet_too_big),
        cmocka_unit_test(rfc8200_8_1_udp),
        cmocka_unit_test(rfc6437_3_flow_labels),
        cmocka_unit_test(a_cookie_over_ipv6),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
