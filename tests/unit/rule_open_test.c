/* Opening: whose address a connection has, and what was asked of one that does not open. */
#include "tcp_kit.h"

static struct addr second_local(void)
{
    return addr_v4(0x0a000106);
}

static void begin_multihomed(void)
{
    defaults();
    rig.cfg.local[1] = second_local();
    rig.cfg.locals = 2;
    begin();
}

static void open_from(const struct addr *local)
{
    struct stack_open how = {.local = local,
                             .local_port = flow.local_port,
                             .remote = REMOTE_ADDR,
                             .remote_port = flow.remote_port};

    assert_int_equal(stack_open(rig.st, &how, &flow.id), 0);
}

static void expect_source(const struct addr *want)
{
    assert_true(addr_eq(&rig.ip.src, want));
}

/* The remote node's segment to that address. */
static void inject_to(const struct addr *local, uint8_t flags, uint32_t seq, uint32_t ack)
{
    struct addr remote = REMOTE_ADDR;
    struct tcp_hdr hdr = {.sport = flow.remote_port,
                          .dport = flow.local_port,
                          .seq = flow.irs + seq,
                          .ack = flags & ACK ? flow.iss + ack : 0,
                          .wnd = FULL_WND,
                          .flags = flags};

    assert_int_equal(rig_segment(&remote, local, &hdr, NULL, 0), REASON_NONE);
}

/* Everything that a connection sends: data, the same again, the FIN, and a reset at last. */
static void check_all_come_from(const struct addr *local)
{
    app_send(10);
    expect(ACK, 1, 1, 10);
    expect_source(local);
    advance(4 * SEC);
    expect(ACK, 1, 1, 10);
    expect_source(local);
    inject_to(local, ACK, 1, 11);
    app_close();
    expect(FIN | ACK, 11, 1, 0);
    expect_source(local);
    app_abort();
    expect(RST | ACK, 12, 1, 0);
    expect_source(local);
}

/* MUST-43, MUST-45: an active OPEN may name one of our addresses; the connection keeps it. */
static void an_open_from_an_address(void **state)
{
    struct addr second = second_local();

    (void)state;
    begin_multihomed();
    open_from(&second);
    expect_syn();
    expect_source(&second);
    inject_to(&second, SYN | ACK, 0, 1);
    expect(ACK, 1, 1, 0);
    expect_source(&second);
    expect_event(EV_CONNECTED);
    check_all_come_from(&second);
    end();
}

/* MUST-44: where none is named, the source is chosen before the SYN leaves, and is one of ours. */
static void an_open_from_anywhere(void **state)
{
    struct stack_conn_status s;

    (void)state;
    begin_multihomed();
    open_from(NULL);
    assert_int_equal(stack_status(rig.st, flow.id, &s), 0);
    assert_true(addr_eq(&s.local, &rig.cfg.local[0]));
    expect_syn();
    expect_source(&rig.cfg.local[0]);
    inject_to(&rig.cfg.local[0], SYN | ACK, 0, 1);
    expect(ACK, 1, 1, 0);
    expect_event(EV_CONNECTED);
    check_all_come_from(&rig.cfg.local[0]);
    end();
}

/* MUST-43, MUST-45: a listener for all addresses answers from the one that was asked. */
static void a_listener_answers_from_the_address_asked(void **state)
{
    struct addr second = second_local();

    (void)state;
    begin_multihomed();
    app_listen(1);
    inject_to(&second, SYN, 0, 0);
    expect_syn_ack();
    expect_source(&second);
    advance(SEC);
    expect(SYN | ACK, 0, 1, 0);
    expect_source(&second);
    inject_to(&second, ACK, 1, 1);
    expect_event(EV_ACCEPTED);
    check_all_come_from(&second);
    end();
}

/* A listener of one address is not there for the others. */
static void a_listener_of_one_address(void **state)
{
    struct addr second = second_local(), first = LOCAL_ADDR, remote = REMOTE_ADDR;
    struct tcp_hdr syn = {.sport = REMOTE_PORT, .dport = LOCAL_PORT, .flags = SYN};

    (void)state;
    begin_multihomed();
    assert_true(stack_listen(rig.st, &second, LOCAL_PORT, 1, NULL) >= 0);
    assert_int_equal(rig_segment(&remote, &first, &syn, NULL, 0), REASON_TCP_NO_CONNECTION);
    assert_true(rig_take_tcp());
    assert_int_equal(rig.seg.flags, RST | ACK);
    assert_int_equal(rig_segment(&remote, &second, &syn, NULL, 0), REASON_NONE);
    assert_true(rig_take_tcp());
    assert_int_equal(rig.seg.flags, SYN | ACK);
    end();
}

/* MUST-57: whatever the segment, and whoever listens: what was sent to many is answered by none. */
static void segments_to_many_get_no_answer(void **state)
{
    static const uint32_t many[] = {0xffffffff, 0xe0000001, 0xefffffff, 0x0a0001ff, 0x0a000100};
    static const uint8_t flags[] = {SYN, SYN | ACK, ACK, FIN | ACK, FIN, RST, RST | ACK, PSH};
    struct addr remote = REMOTE_ADDR;

    (void)state;
    defaults();
    begin();
    open_passive();
    for (unsigned i = 0; i < 5; i++)
        for (unsigned f = 0; f < 8; f++)
            for (uint16_t other = 0; other < 2; other++) { /* of the connection, of a stranger */
                struct addr dst = addr_v4(many[i]);
                struct tcp_hdr hdr = {.sport = (uint16_t)(REMOTE_PORT + other),
                                      .dport = LOCAL_PORT,
                                      .seq = flow.irs + 1,
                                      .ack = flow.iss + 1,
                                      .wnd = FULL_WND,
                                      .flags = flags[f]};

                assert_int_equal(rig_segment(&remote, &dst, &hdr, (const uint8_t *)"x", 1),
                                 REASON_IP_BROADCAST);
            }
    expect_nothing();
    expect_no_event();
    expect_state(TCP_ESTABLISHED);
    end();
}

/* What was asked of a connection that is refused, or never answered, fails, and is let go. */
static void sends_and_receives_fail_with_the_opening(void **state)
{
    static const char text[10] = "0123456789";

    (void)state;
    for (unsigned refused = 0; refused < 2; refused++) {
        defaults();
        rig.cfg.tcp.conn.soft_errors = false;
        begin();
        app_open();
        expect_syn();
        app_send(1000);
        assert_int_equal(stack_send(rig.st, flow.id,
                                    (struct slice){NULL, (const uint8_t *)text, 10}),
                         0);
        app_read_says(-EAGAIN);
        if (refused)
            inject(RST | ACK, 0, 1, 0, 0);
        for (unsigned i = 0; i < 300; i++) {
            advance(SEC);
            while (rig_take_tcp())
                assert_int_equal(rig.seg.flags, SYN);
        }
        expect_closed(refused ? REASON_END_REFUSED : REASON_END_TIMED_OUT);
        expect_no_event(); /* the handle is dead now */
        app_read_says(-EBADF);
        assert_int_equal(stack_send_copy(rig.st, flow.id, "x", 1), -EBADF);
        assert_int_equal(rig.small.in_use, 0);
        assert_int_equal(rig.st->cells.in_use, 0);
        end();
    }
}

/* Before the end is told, the calls say what it was. */
static void calls_before_the_end_is_told(void **state)
{
    (void)state;
    defaults();
    begin();
    app_open();
    expect_syn();
    app_send(10);
    inject(RST | ACK, 0, 1, 0, 0);
    app_read_says(-ECONNRESET);
    assert_int_equal(stack_send_copy(rig.st, flow.id, "x", 1), -EPIPE);
    expect_closed(REASON_END_REFUSED);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_open_from_an_address),
        cmocka_unit_test(an_open_from_anywhere),
        cmocka_unit_test(a_listener_answers_from_the_address_asked),
        cmocka_unit_test(a_listener_of_one_address),
        cmocka_unit_test(segments_to_many_get_no_answer),
        cmocka_unit_test(sends_and_receives_fail_with_the_opening),
        cmocka_unit_test(calls_before_the_end_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
