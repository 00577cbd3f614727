/* Listeners, opens and connections on the same port, and on nodes with several addresses. */
#include "tcp_kit.h"

#define SECOND_ADDR addr_v4(0x0a000106) /* 10.0.1.6 */

/* A node with two addresses. */
static void begin_two(void)
{
    defaults();
    rig.cfg.local[1] = SECOND_ADDR;
    rig.cfg.locals = 2;
    begin();
}

/* From the remote node to one of the two; numbers are absolute. */
static enum reason to_address(const struct addr *local, uint8_t flags, uint32_t seq, uint32_t ack)
{
    struct addr remote = REMOTE_ADDR;
    struct tcp_hdr hdr = {.sport = flow.remote_port,
                          .dport = flow.local_port,
                          .seq = seq,
                          .ack = ack,
                          .wnd = FULL_WND,
                          .flags = flags};

    return rig_segment(&remote, local, &hdr, NULL, 0);
}

/* MUST-41: a passive open makes a listener of its own or fails; what is there is not disturbed. */
static void a_listener_disturbs_nothing(void **state)
{
    struct flow open;

    (void)state;
    defaults();
    begin();
    open_passive();
    app_send(100);
    expect(ACK, 1, 1, 100);
    open = flow;
    assert_int_equal(stack_listen(rig.st, NULL, LOCAL_PORT, 4, NULL), -EADDRINUSE);
    expect_nothing();
    expect_state(TCP_ESTABLISHED);
    flow.remote_port++; /* the listener is the one that was there */
    inject(SYN, 0, 0, FULL_WND, 0);
    expect_syn_ack();
    inject(ACK, 1, 1, FULL_WND, 0);
    expect_event(EV_ACCEPTED);
    assert_int_equal(stack_unlisten(rig.st, rig.listener), 0);
    app_listen(4); /* another, beside the two connections */
    expect_nothing();
    expect_no_event();
    flow = open;
    expect_state(TCP_ESTABLISHED);
    inject(ACK, 1, 101, FULL_WND, 50);
    app_read(50);
    assert_int_equal(tcb()->snd_una, tcb()->snd_nxt);
    end();
}

/* MUST-42: a listener on the port from which an open is under way, in SYN-SENT or SYN-RECEIVED. */
static void a_listener_beside_an_open(void **state)
{
    struct flow active;

    (void)state;
    for (unsigned received = 0; received < 2; received++) {
        defaults();
        begin();
        app_open();
        expect_syn();
        if (received) {
            inject(SYN, 0, 0, FULL_WND, 0);
            expect(SYN | ACK, 0, 1, 0);
        }
        expect_state(received ? TCP_SYN_RECEIVED : TCP_SYN_SENT);
        active = flow;
        app_listen(4);
        expect_state(received ? TCP_SYN_RECEIVED : TCP_SYN_SENT);
        expect_nothing();
        flow.remote_port++;
        inject(SYN, 0, 0, FULL_WND, 0);
        expect_syn_ack();
        inject(ACK, 1, 1, FULL_WND, 0);
        expect_event(EV_ACCEPTED);
        flow = active;
        if (received) {
            inject(ACK, 1, 1, FULL_WND, 0);
        } else {
            inject(SYN | ACK, 0, 1, FULL_WND, 0);
            expect(ACK, 1, 1, 0);
        }
        expect_event(EV_CONNECTED);
        expect_state(TCP_ESTABLISHED);
        end();
    }
}

/* ... and the other way round: an open from the port of a listener, which goes on listening. */
static void an_open_beside_a_listener(void **state)
{
    (void)state;
    defaults();
    begin();
    app_listen(4);
    open_active();
    flow.remote_port++;
    inject(SYN, 0, 0, FULL_WND, 0);
    expect_syn_ack();
    inject(ACK, 1, 1, FULL_WND, 0);
    expect_event(EV_ACCEPTED);
    end();
}

/* MUST-43, MUST-44, MUST-45: the address that an open asks for, or else IP's choice; and that one
 * in each segment of the connection.
 * RFC 1122 3.2.1.3-b, 3.3.4.2-b. */
static void the_address_of_an_open(void **state)
{
    (void)state;
    for (unsigned asked = 0; asked < 2; asked++) {
        struct addr second = SECOND_ADDR, want = asked ? second : LOCAL_ADDR;
        struct stack_open how = {.local = asked ? &second : NULL,
                                 .local_port = LOCAL_PORT,
                                 .remote = REMOTE_ADDR,
                                 .remote_port = REMOTE_PORT};

        begin_two();
        assert_int_equal(stack_open(rig.st, &how, &flow.id), 0);
        expect_syn();
        assert_true(addr_eq(&rig.ip.src, &want));
        assert_int_equal(to_address(&want, SYN | ACK, flow.irs, flow.iss + 1), REASON_NONE);
        expect(ACK, 1, 1, 0);
        assert_true(addr_eq(&rig.ip.src, &want));
        app_send(10);
        expect(ACK, 1, 1, 10);
        assert_true(addr_eq(&rig.ip.src, &want));
        advance(2 * SEC); /* again */
        expect(ACK, 1, 1, 10);
        assert_true(addr_eq(&rig.ip.src, &want));
        app_abort();
        while (rig_take())
            assert_true(addr_eq(&rig.ip.src, &want));
        end();
    }
}

/* MUST-45: a listener of all addresses answers from the one that was asked, each for itself. */
static void the_address_of_an_answer(void **state)
{
    struct addr at[2] = {LOCAL_ADDR, SECOND_ADDR};
    struct conn_id id[2];

    (void)state;
    begin_two();
    app_listen(4);
    for (unsigned i = 0; i < 2; i++) { /* the same ports, and the same remote node */
        struct stack_conn_status status;
        struct stack_event e;

        assert_int_equal(to_address(&at[i], SYN, flow.irs, 0), REASON_NONE);
        expect_syn_ack();
        assert_true(addr_eq(&rig.ip.src, &at[i]));
        assert_int_equal(to_address(&at[i], ACK, flow.irs + 1, flow.iss + 1), REASON_NONE);
        assert_true(stack_event(rig.st, &e));
        id[i] = e.conn;
        assert_int_equal(stack_status(rig.st, id[i], &status), 0);
        assert_true(addr_eq(&status.local, &at[i]));
    }
    assert_int_not_equal(id[0].slot, id[1].slot);
    end();
}

/* The listener of an address that closes leaves that of all addresses to serve it. */
static void one_listener_closes(void **state)
{
    struct addr second = SECOND_ADDR;
    int exact;

    (void)state;
    begin_two();
    app_listen(4);
    exact = stack_listen(rig.st, &second, LOCAL_PORT, 4, &exact);
    assert_true(exact >= 0);
    assert_int_equal(to_address(&second, SYN, flow.irs, 0), REASON_NONE);
    expect_syn_ack();
    assert_int_equal(stack_unlisten(rig.st, exact), 0);
    expect(RST | ACK, 1, 1, 0);
    assert_true(addr_eq(&rig.ip.src, &second));
    flow.remote_port++;
    assert_int_equal(to_address(&second, SYN, flow.irs, 0), REASON_NONE);
    expect_syn_ack();
    end();
}

/* Closing a listener resets what was never accepted; a cookie that it sent completes nothing. */
static void a_cookie_of_a_closed_listener(void **state)
{
    (void)state;
    defaults();
    rig.cfg.tcp.syn_queue = 0;
    begin();
    app_listen(4);
    inject(SYN, 0, 0, FULL_WND, 0);
    expect_syn_ack();
    assert_int_equal(stack_unlisten(rig.st, rig.listener), 0);
    expect_nothing();
    inject_drop(REASON_TCP_NO_CONNECTION, ACK, 1, 1, FULL_WND, 0);
    expect(RST, 1, 0, 0);
    app_listen(4); /* nor that of the one before it */
    inject_drop(REASON_TCP_LISTEN_ACK, ACK, 1, 1, FULL_WND, 0);
    expect(RST, 1, 0, 0);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_listener_disturbs_nothing),
        cmocka_unit_test(a_listener_beside_an_open),
        cmocka_unit_test(an_open_beside_a_listener),
        cmocka_unit_test(the_address_of_an_open),
        cmocka_unit_test(the_address_of_an_answer),
        cmocka_unit_test(one_listener_closes),
        cmocka_unit_test(a_cookie_of_a_closed_listener),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
