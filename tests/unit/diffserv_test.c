/*
 * The Diffserv field and the TTL of what a connection sends (RFC 9293 sections 3.9.1.9 and 3.9.2),
 * and the Diffserv field of what it is sent.
 */
#include "tcp_kit.h"

static void set_dscp(uint8_t dscp, uint8_t ttl)
{
    struct tcp_settings s;

    assert_int_equal(stack_settings(rig.st, flow.id, &s), 0);
    s.dscp = dscp;
    s.ttl = ttl;
    assert_int_equal(stack_set(rig.st, flow.id, &s), 0);
}

/* The packet that was taken last has this Diffserv field, no ECN, and this TTL. */
static void rig_marked(uint8_t dscp, uint8_t ttl)
{
    rig_same("the TOS byte", rig.ip.tos, dscp << 2);
    rig_same("the TTL", rig.ip.ttl, ttl);
}

#define marked(dscp, ttl) AT(rig_marked(dscp, ttl))

/* MUST-48, MUST-49, SHLD-22: what the open says stands in every segment, whatever it is for.
 * RFC 1122 3.2.1.6-a, 3.2.1.7-c. */
static void from_the_first_segment_to_the_last(void **state)
{
    struct stack_open how = {.remote = REMOTE_ADDR, .remote_port = REMOTE_PORT};
    struct tcp_settings s;

    (void)state;
    defaults();
    begin();
    s = rig.cfg.tcp.conn;
    s.dscp = 46;
    s.ttl = 9;
    how.settings = &s;
    how.local_port = LOCAL_PORT;
    assert_int_equal(stack_open(rig.st, &how, &flow.id), 0);
    expect_syn();
    marked(46, 9);
    advance(SEC);
    expect(SYN, 0, 0, 0);
    marked(46, 9);
    inject_opt(SYN | ACK, 0, 1, FULL_WND, .has_mss = true, .mss = MSS);
    expect(ACK, 1, 1, 0);
    marked(46, 9);
    app_send(10);
    expect(ACK, 1, 1, 10);
    marked(46, 9);
    advance(3 * SEC);
    expect(ACK, 1, 1, 10);
    expect_why(REASON_SEND_RTO);
    marked(46, 9);
    inject(ACK, 1, 11, FULL_WND, 0);
    inject(RST, 5, 0, FULL_WND, 0);
    expect(ACK, 11, 1, 0);
    expect_why(REASON_SEND_ACK_CHALLENGE);
    marked(46, 9);
    app_abort();
    expect(RST | ACK, 11, 1, 0);
    marked(46, 9);
    end();
}

/* MUST-48, MUST-49: a listener's settings stand in the SYN-ACK already, and in a reset that answers
 * a wrong acknowledgment of it. */
static void a_listeners_connections(void **state)
{
    struct tcp_settings s;

    (void)state;
    defaults();
    begin();
    app_listen(4);
    s = rig.cfg.tcp.conn;
    s.dscp = 8;
    s.ttl = 255;
    assert_int_equal(stack_listener_set(rig.st, rig.listener, &s), 0);
    inject(SYN, 0, 0, FULL_WND, 0);
    expect_syn_ack();
    marked(8, 255);
    inject_drop(REASON_TCP_SYN_RECEIVED_ACK, ACK, 1, 2, FULL_WND, 0);
    expect(RST, 2, 0, 0);
    marked(8, 255);
    inject(ACK, 1, 1, FULL_WND, 0);
    expect_event(EV_ACCEPTED);
    end();
}

/* SHLD-21, SHLD-22: a change acts at once, on what waits and on what is sent again; each value of
 * the field goes to IP as it is. */
static void a_change_acts_at_once(void **state)
{
    (void)state;
    defaults();
    begin();
    open_passive();
    app_send(10);
    set_dscp(1, 1);
    expect(ACK, 1, 1, 10);
    marked(1, 1);
    set_dscp(2, 2);
    advance(SEC);
    expect(ACK, 1, 1, 10);
    expect_why(REASON_SEND_RTO);
    marked(2, 2);
    inject(ACK, 1, 11, FULL_WND, 0);
    for (uint8_t dscp = 0; dscp < 64; dscp++) {
        set_dscp(dscp, (uint8_t)(255 - dscp));
        inject(ACK, 2, 11, FULL_WND, 1); /* a gap: owes a duplicate ACK */
        expect(ACK, 11, 1, 0);
        marked(dscp, (uint8_t)(255 - dscp));
    }
    end();
}

/* MUST-49: without a TTL of its own a connection has the node's, which is configured.
 * RFC 1122 3.2.1.7-a, 3.2.1.7-d. */
static void the_nodes_ttl(void **state)
{
    (void)state;
    defaults();
    rig.cfg.ttl = 17;
    begin();
    open_passive();
    marked(0, 17);
    set_dscp(0, 200);
    app_send(1);
    expect(ACK, 1, 1, 1);
    marked(0, 200);
    set_dscp(0, 0);
    app_send(1);
    inject(ACK, 1, 2, FULL_WND, 0);
    expect(ACK, 2, 1, 1);
    marked(0, 17);
    end();
}

/* A segment of the remote node's with this TOS byte. */
static enum reason inject_marked(uint8_t flags, uint32_t seq, uint32_t ack, uint8_t tos)
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
                        .tos = tos,
                        .ttl = 64,
                        .proto = IP_PROTO_TCP};
    uint8_t b[64];
    size_t len = ip_build(b, &ip, TCP_HEADER_MIN);

    return rig_input(b, (uint32_t)(len + tcp_build(b + len, &ip.src, &ip.dst, &hdr, 0, NULL, 0)));
}

static unsigned told(void)
{
    struct stack_conn_status s;

    assert_int_equal(stack_status(rig.st, flow.id, &s), 0);
    return s.rcv_dscp;
}

/* MAY-9: the field of the last segment that was taken can be asked for; that of a forged one, which
 * was dropped, is not told.
 * RFC 1122 3.2.1.6-b. */
static void what_was_received_last(void **state)
{
    (void)state;
    defaults();
    begin();
    app_listen(4);
    assert_int_equal(inject_marked(SYN, 0, 0, 40 << 2), REASON_NONE);
    expect_syn_ack();
    assert_int_equal(inject_marked(ACK, 1, 1, 40 << 2), REASON_NONE);
    expect_event(EV_ACCEPTED);
    assert_int_equal(told(), 40);
    inject_marked(ACK, 1, 1, 63 << 2 | 1);
    assert_int_equal(told(), 63);
    assert_int_equal(inject_marked(ACK, 1, 2, 5 << 2), REASON_TCP_ACK_FUTURE);
    assert_int_equal(told(), 63);
    inject_marked(ACK, 1, 1, 0);
    assert_int_equal(told(), 0);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(from_the_first_segment_to_the_last),
        cmocka_unit_test(a_listeners_connections),
        cmocka_unit_test(a_change_acts_at_once),
        cmocka_unit_test(the_nodes_ttl),
        cmocka_unit_test(what_was_received_last),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
