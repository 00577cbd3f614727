/*
 * Source routes of connections (RFC 9293 section 3.9.2.1): those that an application gives, those
 * that segments came by, and those that are refused.
 */
#include "tcp_kit.h"

#include "packet_kit.h"

enum {
    G1 = 0x0a000201,
    G2 = 0x0a000301,
    G3 = 0x0a000401,
    REMOTE_V4 = KIT_HOST,
    LOCAL_V4 = KIT_PEER,
};

/* A node that accepts source routes, with a listener. */
static void begin_routed(void)
{
    defaults();
    rig.cfg.accept_source_routes = true;
    begin();
    app_listen(4);
}

/* A finished route by these gateways; a gateway of 0 ends it. */
static struct ip_options came_by(bool strict, uint32_t g1, uint32_t g2, uint32_t g3)
{
    struct ip_route r = {.strict = strict, .hop = {0, g1, g2, g3}};
    struct addr last;
    struct ip_options o = {.len = 0};

    r.hops = (uint8_t)(g3 ? 3 : g2 ? 2 : 1);
    last = addr_v4(r.hop[r.hops]);
    ip_options_route(&o, &r, &last);
    o.b[2] = (uint8_t)(o.b[1] + 1);
    ip_options_end(&o);
    return o;
}

/* The remote node sends a segment with these IP options. */
static enum reason rig_routed(uint8_t flags, uint32_t seq, uint32_t ack, uint32_t len,
                              struct ip_options options)
{
    struct tcp_hdr hdr = {.sport = flow.remote_port,
                          .dport = flow.local_port,
                          .seq = flow.irs + seq,
                          .ack = flags & ACK ? flow.iss + ack : 0,
                          .wnd = FULL_WND,
                          .flags = flags};
    struct ip_hdr ip = {.src = REMOTE_ADDR,
                        .dst = LOCAL_ADDR,
                        .version = 4,
                        .ttl = 64,
                        .proto = IP_PROTO_TCP,
                        .options = options.b,
                        .options_len = options.len};
    uint8_t b[DEVICE_BUF], data[DEVICE_BUF];
    struct slice s = {NULL, data, len};
    size_t n;

    if (flags & SYN)
        hdr.opt = mss_only;
    pattern_fill(data, seq, len);
    n = IPV4_HEADER_MIN + (size_t)options.len;
    n += tcp_build(b + n, &ip.src, &ip.dst, &hdr, 0, &s, len ? 1 : 0);
    memcpy(b + n, data, len);
    ip_build(b, &ip, n + len - IPV4_HEADER_MIN - options.len);
    return rig_input(b, (uint32_t)n + len);
}

#define inject_by(o, flags, seq, ack, len)                                                         \
    AT(rig_reason("the verdict", rig_routed(flags, seq, ack, len, o), REASON_NONE))

/*
 * The next segment, which leaves by these gateways; 0 ends them, and none at all is the straight
 * way. Its checksum is over the remote node's address, wherever the first hop is.
 */
static void rig_leaves_by(uint8_t flags, uint32_t seq, uint32_t ack, uint32_t len, uint32_t g1,
                          uint32_t g2, uint32_t g3)
{
    const uint32_t want[] = {g1, g2, g3};
    struct addr remote = REMOTE_ADDR;
    unsigned hops = g3 ? 3 : g2 ? 2 : g1 ? 1 : 0;

    if (!rig_take())
        fail_msg("%s: nothing was sent", rig_where());
    rig_same("first hop", addr_v4_value(&rig.ip.dst), hops ? g1 : REMOTE_V4);
    rig_same("bytes of options", rig.ip.options_len, hops ? 4 + 4 * hops : 0);
    for (unsigned i = 1; i < hops; i++)
        rig_same("a hop", get32(rig.ip.options + 4 * i - 1), want[i]);
    if (hops) {
        rig_same("length", rig.ip.options[1], 3 + 4 * hops);
        rig_same("pointer", rig.ip.options[2], 4);
        rig_same("the end", get32(rig.ip.options + 4 * hops - 1), REMOTE_V4);
    }
    rig.ip.dst = remote;
    rig_reason("what left", tcp_parse(&rig.ip, rig.data, rig.len, 0, &rig.seg), REASON_NONE);
    if (flags & SYN)
        flow.iss = rig.seg.seq;
    rig_same("flags", rig.seg.flags & ~PSH, flags);
    rig_same("seq", rig.seg.seq - flow.iss, seq);
    if (flags & ACK)
        rig_same("ack", rig.seg.ack - flow.irs, ack);
    rig_same("payload", rig.len - rig.seg.header_len, len);
}

#define leaves_by(g1, g2, g3, flags, seq, ack, len)                                                \
    AT(rig_leaves_by(flags, seq, ack, len, g1, g2, g3))

/* MUST-51: what an active open says holds for every segment, and can be changed or taken back.
 * MUST-16: the option's bytes are deducted from what a segment carries.
 * RFC 1122 3.2.1.8-a, 3.2.1.8c-a. */
static void an_open_by_a_route(void **state)
{
    struct stack_open how = {.remote = REMOTE_ADDR, .remote_port = REMOTE_PORT};
    struct tcp_settings s;

    (void)state;
    defaults();
    begin();
    s = rig.cfg.tcp.conn;
    s.route = (struct ip_route){.hops = 3, .strict = true, .hop = {G1, G2, G3}};
    how.settings = &s;
    how.local_port = LOCAL_PORT;
    assert_int_equal(stack_open(rig.st, &how, &flow.id), 0);
    leaves_by(G1, G2, G3, SYN, 0, 0, 0);
    assert_int_equal(rig.ip.options[0], IP_OPT_STRICT_ROUTE);
    advance(SEC);
    leaves_by(G1, G2, G3, SYN, 0, 0, 0);
    inject_opt(SYN | ACK, 0, 1, FULL_WND, .has_mss = true, .mss = MSS);
    leaves_by(G1, G2, G3, ACK, 1, 1, 0);
    app_send(2 * MSS);
    leaves_by(G1, G2, G3, ACK, 1, 1, MSS - 16);
    assert_int_equal(rig.ip.total_len, 1500);
    leaves_by(G1, G2, G3, ACK, 1 + MSS - 16, 1, MSS - 16);
    s.route = (struct ip_route){.hops = 1, .hop = {G2}};
    assert_int_equal(stack_set(rig.st, flow.id, &s), 0);
    inject(ACK, 1, 1 + 2 * (MSS - 16), FULL_WND, 0);
    leaves_by(G2, 0, 0, ACK, 1 + 2 * (MSS - 16), 1, 32);
    assert_int_equal(rig.ip.options[0], IP_OPT_LOOSE_ROUTE);
    assert_int_equal(tcb()->snd_mss, MSS - 8);
    s.route.hops = 0;
    assert_int_equal(stack_set(rig.st, flow.id, &s), 0);
    assert_int_equal(tcb()->snd_mss, MSS);
    app_abort();
    leaves_by(0, 0, 0, RST | ACK, 1 + 2 * MSS, 1, 0);
    end();
}

/* Every number of hops fits into a packet; one that is none is refused. */
static void routes_that_can_be_set(void **state)
{
    static const uint32_t bad[] = {0, 0x7f000001, 0xe0000001, 0xffffffff, 0x0a0001ff, LOCAL_V4};
    struct tcp_settings s;

    (void)state;
    defaults();
    begin();
    open_passive();
    s = rig.cfg.tcp.conn;
    for (uint8_t hops = 1; hops <= IP_ROUTE_HOPS_MAX; hops++) {
        s.route.hops = hops;
        s.route.hop[hops - 1] = G1 + hops;
        assert_int_equal(stack_set(rig.st, flow.id, &s), 0);
        assert_int_equal(tcb()->snd_mss, MSS - 4 - 4 * hops);
    }
    app_send(MSS);
    assert_true(rig_take());
    assert_int_equal(rig.ip.total_len, 1500);
    s.route.hops++;
    assert_int_equal(stack_set(rig.st, flow.id, &s), -EINVAL);
    s.route.hops = 2;
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        s.route.hop[1] = bad[i];
        assert_int_equal(stack_set(rig.st, flow.id, &s), -EINVAL);
    }
    end();
}

/* MUST-53: a SYN's route, reversed, is that of the whole connection, from the SYN-ACK on.
 * RFC 1122 3.2.1.8c-b, 3.2.1.8c-c. */
static void the_way_back(void **state)
{
    (void)state;
    begin_routed();
    inject_by(came_by(false, G1, G2, G3), SYN, 0, 0, 0);
    leaves_by(G3, G2, G1, SYN | ACK, 0, 1, 0);
    assert_int_equal(rig.ip.options[0], IP_OPT_LOOSE_ROUTE);
    advance(SEC);
    leaves_by(G3, G2, G1, SYN | ACK, 0, 1, 0);
    inject_drop(REASON_TCP_SYN_RECEIVED_ACK, ACK, 1, 2, FULL_WND, 0);
    leaves_by(G3, G2, G1, RST, 2, 0, 0);
    inject(ACK, 1, 1, FULL_WND, 0); /* by no route: the kept one stays */
    expect_event(EV_ACCEPTED);
    app_send(MSS);
    leaves_by(G3, G2, G1, ACK, 1, 1, MSS - 16);
    inject(RST, 5, 0, FULL_WND, 0);
    leaves_by(G3, G2, G1, ACK, 1 + MSS - 16, 1, 0);
    inject(ACK, 1, 1 + MSS - 16, FULL_WND, 0);
    leaves_by(G3, G2, G1, ACK, 1 + MSS - 16, 1, 16);
    app_close();
    leaves_by(G3, G2, G1, FIN | ACK, 1 + MSS, 1, 0);
    /* the slot's next connection has none of it */
    app_abort();
    drain();
    flow.remote_port++;
    inject(SYN, 0, 0, FULL_WND, 0);
    leaves_by(0, 0, 0, SYN | ACK, 0, 1, 0);
    end();
}

/* SHLD-24: a later segment's other route overrides; not that of a segment that was dropped. */
static void a_later_route(void **state)
{
    (void)state;
    begin_routed();
    inject_by(came_by(true, G1, 0, 0), SYN, 0, 0, 0);
    leaves_by(G1, 0, 0, SYN | ACK, 0, 1, 0);
    assert_int_equal(rig.ip.options[0], IP_OPT_STRICT_ROUTE);
    inject_by(came_by(false, G2, G3, 0), ACK, 1, 1, 0);
    expect_event(EV_ACCEPTED);
    app_send(10);
    leaves_by(G3, G2, 0, ACK, 1, 1, 10);
    assert_int_equal(rig.ip.options[0], IP_OPT_LOOSE_ROUTE);
    assert_int_equal(tcb()->snd_mss, MSS - 12);
    assert_int_equal(rig_routed(ACK, 1, 12, 0, came_by(false, G1, 0, 0)), REASON_TCP_ACK_FUTURE);
    leaves_by(G3, G2, 0, ACK, 11, 1, 0);
    assert_int_equal(rig_routed(ACK, 0x40000000, 1, 10, came_by(false, G1, 0, 0)),
                     REASON_TCP_SEQUENCE);
    leaves_by(G3, G2, 0, ACK, 11, 1, 0);
    end();
}

/* MUST-52: the application's route wins over one that came with a segment. */
static void whose_route_wins(void **state)
{
    struct stack_open how = {.remote = REMOTE_ADDR, .remote_port = REMOTE_PORT};
    struct tcp_settings s;

    (void)state;
    begin_routed();
    s = rig.cfg.tcp.conn;
    s.route = (struct ip_route){.hops = 1, .hop = {G1}};
    how.settings = &s;
    how.local_port = LOCAL_PORT;
    assert_int_equal(stack_open(rig.st, &how, &flow.id), 0);
    leaves_by(G1, 0, 0, SYN, 0, 0, 0);
    inject_by(came_by(false, G2, G3, 0), SYN | ACK, 0, 1, 0);
    leaves_by(G1, 0, 0, ACK, 1, 1, 0);
    assert_int_equal(tcb()->snd_mss, MSS - 8);
    inject_by(came_by(false, G3, 0, 0), ACK, 1, 1, 10);
    app_send(10);
    leaves_by(G1, 0, 0, ACK, 1, 11, 10);
    s.route.hops = 0; /* without one of its own, the one that came last serves */
    assert_int_equal(stack_set(rig.st, flow.id, &s), 0);
    app_abort();
    leaves_by(G3, 0, 0, RST | ACK, 11, 11, 0);
    end();
}

/* A reset to a stranger goes back the way that its cause came. */
static void resets_to_strangers(void **state)
{
    (void)state;
    begin_routed();
    flow.local_port++;
    assert_int_equal(rig_routed(SYN, 0, 0, 0, came_by(false, G1, G2, 0)), REASON_TCP_NO_CONNECTION);
    flow.iss = 0;
    if (!rig_take())
        fail_msg("no reset");
    assert_int_equal(addr_v4_value(&rig.ip.dst), G2);
    assert_int_equal(get32(rig.ip.options + 3), G1);
    assert_int_equal(get32(rig.ip.options + 7), REMOTE_V4);
    end();
}

/* Unless they are wanted, source routes are refused, in a SYN and in a connection (RFC 7126). */
static void refused_by_default(void **state)
{
    (void)state;
    defaults();
    begin();
    app_listen(4);
    for (unsigned strict = 0; strict < 2; strict++) {
        assert_int_equal(rig_routed(SYN, 0, 0, 0, came_by(strict, G1, 0, 0)),
                         REASON_IP_SOURCE_ROUTE);
        expect_nothing();
    }
    open_passive();
    assert_int_equal(rig_routed(ACK, 1, 1, 10, came_by(false, G1, 0, 0)), REASON_IP_SOURCE_ROUTE);
    expect_nothing();
    assert_int_equal(tcb()->rcv_nxt - flow.irs, 1);
    end();
}

/* What is refused even where they are wanted: we are no router, and there must be a way back. */
static void refused_in_any_case(void **state)
{
    static const uint32_t bad[] = {0x7f000001, 0xe0000001, 0xffffffff, 0x0a0001ff, LOCAL_V4, 0};
    struct ip_options o;

    (void)state;
    begin_routed();
    o = came_by(false, G1, G2, G3);
    for (uint8_t pointer = 4; pointer <= 12; pointer = (uint8_t)(pointer + 4)) {
        o.b[2] = pointer;
        assert_int_equal(rig_routed(SYN, 0, 0, 0, o), REASON_IP_ROUTE_UNFINISHED);
        assert_true(rig_take());
        expect_why(REASON_SEND_UNREACHABLE);
    }
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        o = came_by(false, G1, G2, G3);
        put32(o.b + 7, bad[i]);
        assert_int_equal(rig_routed(SYN, 0, 0, 0, o), REASON_IP_ROUTE_ADDRESS);
    }
    o = came_by(false, G1, G2, 0);
    o.b[2] = 20;
    expect_nothing();
    assert_int_equal(rig_routed(SYN, 0, 0, 0, o), REASON_IP_ROUTE);
    assert_true(rig_take());
    expect_why(REASON_SEND_PARAM_PROBLEM);
    o.len = 4;
    assert_int_equal(rig_routed(SYN, 0, 0, 0, o), REASON_IP_OPTION);
    assert_true(rig_take());
    expect_why(REASON_SEND_PARAM_PROBLEM);
    expect_nothing();
    assert_int_equal(stack_totals(rig.st)->conns, 0);
    end();
}

/* MUST-50: other options change nothing.
 * RFC 1122 3.2.1.8-c, 3.2.1.8b-b. */
static void other_options(void **state)
{
    static const struct ip_options o = {.len = 28,
                                        .b = {130, 11, 0, 0, 0,   0, 0, 0, 0, 0, 0, /* security */
                                              136, 4,  0, 1, /* stream identifier */
                                              148, 4,  0, 0, 222, 3, 9, 7, 3, 4, 1, 0}};

    (void)state;
    begin_routed();
    inject_by(o, SYN, 0, 0, 0);
    leaves_by(0, 0, 0, SYN | ACK, 0, 1, 0);
    inject_by(o, ACK, 1, 1, 100);
    expect_event(EV_ACCEPTED);
    app_read(100);
    app_send(MSS);
    leaves_by(0, 0, 0, ACK, 1, 101, MSS);
    end();
}

/* ---- ICMP ---- */

/* An error about a segment on its way by G1 quotes G1 as the destination; it finds the connection
 * by the end of the route. */
static void errors_about_routed_segments(void **state)
{
    uint8_t b[28 + 28 + 8] = {
        0}; /* the error's headers, the quoted header with its route, 8 bytes */
    struct ip_options o = {.len = 0};
    struct ip_route r = {.hops = 1, .hop = {G1}};
    struct addr remote = REMOTE_ADDR;
    struct ip_hdr quoted = {.src = LOCAL_ADDR, .version = 4, .ttl = 1, .proto = IP_PROTO_TCP};
    struct ip_hdr ip = {
        .src = addr_v4(G1), .dst = LOCAL_ADDR, .version = 4, .ttl = 64, .proto = IP_PROTO_ICMP};
    struct slice quote = {NULL, b + 28, 36};

    (void)state;
    begin_routed();
    inject_by(came_by(false, G1, 0, 0), SYN, 0, 0, 0);
    leaves_by(G1, 0, 0, SYN | ACK, 0, 1, 0);
    quoted.dst = ip_options_route(&o, &r, &remote);
    ip_options_end(&o);
    quoted.options = o.b;
    quoted.options_len = o.len;
    ip_build(b, &ip, 44);
    ip_build(b + 28, &quoted, 24);
    put16(b + 56, flow.local_port);
    put16(b + 58, flow.remote_port);
    put32(b + 60, flow.iss);
    icmp_build(b + 20, ICMP_UNREACHABLE, ICMP_UNREACH_SRCROUTE, 0, &quote, 1);
    assert_int_equal(rig_input(b, sizeof(b)), REASON_NONE);
    counted(ICMP_SOFT_SOURCE_ROUTE, 1);
    b[49] = 1; /* the quoted option is broken: the quote leads nowhere */
    icmp_build(b + 20, ICMP_UNREACHABLE, ICMP_UNREACH_SRCROUTE, 0, &quote, 1);
    assert_int_equal(rig_input(b, sizeof(b)), REASON_ICMP_QUOTE);
    end();
}

/* MAY-10, MAY-11 (RFC 1122 3.2.2.6): an echo's reply goes the way back, and takes both records
 * along, with our entries in them.
 * RFC 1122 3.2.1.8d-a, 3.2.1.8e-a, 3.2.2.6-g, 3.2.2.6-h. */
static void an_echo_with_options(void **state)
{
    uint8_t b[28 + 40] = {0};
    struct ip_options o = came_by(true, G1, G2, 0);
    struct ip_hdr ip = {
        .src = REMOTE_ADDR, .dst = LOCAL_ADDR, .version = 4, .ttl = 64, .proto = IP_PROTO_ICMP};

    (void)state;
    begin_routed();
    o.len = 11;
    memcpy(o.b + 11, "\x07\x07\x04\0\0\0\0\x44\x0c\x05\x01\0\0\0\0\0\0\0\0", 19);
    o.len = 30;
    ip_options_end(&o);
    ip.options = o.b;
    ip.options_len = o.len;
    icmp_build(b + 52, ICMP_ECHO, 0, 7, NULL, 0);
    ip_build(b, &ip, 8);
    assert_int_equal(rig_input(b, 60), REASON_NONE);
    assert_true(rig_take());
    expect_why(REASON_SEND_ECHO_REPLY);
    assert_int_equal(addr_v4_value(&rig.ip.dst), G2);
    assert_int_equal(rig.ip.options_len, 32);
    assert_memory_equal(rig.ip.options, "\x89\x0b\x04\x0a\x00\x02\x01\x0a\x00\x00\x07", 11);
    assert_memory_equal(rig.ip.options + 11, "\x07\x07\x08\x0a\x00\x01\x05", 7);
    assert_memory_equal(rig.ip.options + 18, "\x44\x0c\x0d\x01\x0a\x00\x01\x05", 8);
    assert_int_equal(get32(rig.ip.options + 26), 0x80000000 + 1000);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_open_by_a_route),   cmocka_unit_test(routes_that_can_be_set),
        cmocka_unit_test(the_way_back),         cmocka_unit_test(a_later_route),
        cmocka_unit_test(whose_route_wins),     cmocka_unit_test(resets_to_strangers),
        cmocka_unit_test(refused_by_default),   cmocka_unit_test(refused_in_any_case),
        cmocka_unit_test(other_options),        cmocka_unit_test(errors_about_routed_segments),
        cmocka_unit_test(an_echo_with_options),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
