/*
 * What a release may take (settings.linger_ns): for ever, no time at all, or a time, in which what
 * is queued is delivered and after which the connection is reset.
 */
#include "tcp_kit.h"

static const int64_t linger = 10 * SEC;

static void begin_lingering(int64_t ns)
{
    defaults();
    rig.cfg.tcp.conn.linger_ns = ns;
    rig.cfg.tcp.conn.soft_errors = false;
    begin();
}

/* A reset leaves, it is the last thing that does, and nothing is told or kept. */
static void rig_reset(uint32_t seq, uint32_t ack)
{
    rig_expect(RST | ACK, seq, ack, 0);
    rig_reason("the reason", rig.why, REASON_SEND_RST);
    rig_expect_nothing();
    rig_no_event();
    rig_state(TCP_CLOSED);
    rig_same("connections", stack_totals(rig.st)->conns, 0);
}

#define expect_reset(seq, ack) AT(rig_reset(seq, ack))

static void rig_wait(int64_t ns)
{
    int64_t until = rig.now + ns;

    while (rig.now < until) {
        advance(time_min(until - rig.now, 100 * MSEC));
        while (rig_take_tcp())
            rig_same("flags", rig.seg.flags & RST, 0);
    }
}

/* Time passes; whatever leaves is no reset. */
#define wait_without_reset(ns) AT(rig_wait(ns))

/* Off, the default: delivery takes what it takes, within R2. */
static void off(void **state)
{
    (void)state;
    begin_lingering(TIME_NEVER);
    open_passive();
    app_send(100);
    app_release();
    expect(FIN | ACK, 1, 1, 100);
    wait_without_reset(99 * SEC);
    expect_state(TCP_FIN_WAIT_1);
    inject(ACK, 1, 102, FULL_WND, 0);
    expect_state(TCP_FIN_WAIT_2);
    end();
}

/* Zero: reset at once, whatever is queued, in every state that has a remote end to tell. */
static void zero(void **state)
{
    static const struct {
        enum tcp_state state;
        uint32_t seq, ack; /* of the reset; 0: none */
    } at[] = {
        {TCP_ESTABLISHED, 1, 1}, {TCP_FIN_WAIT_1, 2, 1}, {TCP_FIN_WAIT_2, 2, 1},
        {TCP_CLOSE_WAIT, 1, 2},  {TCP_CLOSING, 0, 0},    {TCP_LAST_ACK, 0, 0},
    };

    (void)state;
    for (unsigned i = 0; i < 6; i++) {
        begin_lingering(0);
        open_passive();
        rig.what = tcp_state_name(at[i].state);
        go(at[i].state);
        if (at[i].state == TCP_ESTABLISHED || at[i].state == TCP_CLOSE_WAIT)
            app_send(5000);
        app_release();
        if (at[i].seq)
            expect_reset(at[i].seq, at[i].ack);
        expect_nothing();
        expect_state(TCP_CLOSED);
        end();
    }
}

/* Zero, in TIME-WAIT: all was delivered, and old segments still have to die out. */
static void zero_in_time_wait(void **state)
{
    (void)state;
    begin_lingering(0);
    open_passive();
    go(TCP_TIME_WAIT);
    app_release();
    expect_nothing();
    advance(2 * rig.cfg.tcp.msl_ns - 1);
    expect_state(TCP_TIME_WAIT);
    advance(1);
    expect_state(TCP_CLOSED);
    end();
}

/* Zero, on a connection that is not established: SYN-SENT just ends; SYN-RECEIVED is reset. */
static void zero_before_the_handshake(void **state)
{
    (void)state;
    begin_lingering(0);
    app_open();
    expect_syn();
    app_release();
    expect_nothing();
    expect_no_event();
    expect_state(TCP_CLOSED);
    end();
    begin_lingering(0);
    app_open();
    expect_syn();
    inject(SYN, 0, 0, FULL_WND, 0); /* both open at the same time */
    expect(SYN | ACK, 0, 1, 0);
    app_release();
    expect_reset(1, 1);
    end();
}

/* Zero, after a close whose FIN still waits behind data: the remote end has to know. */
static void zero_with_data_before_the_fin(void **state)
{
    static const enum tcp_state states[] = {TCP_CLOSING, TCP_LAST_ACK};

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        begin_lingering(0);
        open_passive_with(&mss_only, FULL_WND, 10);
        app_send(100);
        expect(ACK, 1, 1, 10);
        if (states[i] == TCP_CLOSING)
            app_close();
        inject(FIN | ACK, 1, 1, 10, 0);
        expect(ACK, 11, 2, 0);
        expect_event(EV_PEER_CLOSED);
        if (states[i] == TCP_LAST_ACK)
            app_close();
        expect_state(states[i]);
        app_release();
        expect_reset(11, 2);
        end();
    }
}

/* A time: to the nanosecond, whatever is still on its way. */
static void a_time(void **state)
{
    (void)state;
    begin_lingering(linger);
    open_passive();
    app_send(100);
    expect(ACK, 1, 1, 100);
    app_release();
    expect(FIN | ACK, 101, 1, 0);
    wait_without_reset(linger - 1);
    expect_state(TCP_FIN_WAIT_1);
    counted(LINGER_EXPIRED, 0);
    advance(1);
    expect_reset(102, 1);
    counted(LINGER_EXPIRED, 1);
    end();
}

/* A time that suffices: nothing is reset, now or later. */
static void a_time_that_suffices(void **state)
{
    (void)state;
    begin_lingering(linger);
    open_passive();
    app_send(100);
    app_release();
    expect(FIN | ACK, 1, 1, 100);
    advance(100 * MSEC);
    inject(ACK, 1, 102, FULL_WND, 0);
    expect_state(TCP_FIN_WAIT_2); /* which has a limit of its own */
    wait_without_reset(rig.cfg.tcp.fin_wait_2_ns - SEC);
    expect_state(TCP_FIN_WAIT_2);
    inject(FIN | ACK, 1, 102, FULL_WND, 0);
    expect(ACK, 102, 2, 0);
    expect_state(TCP_TIME_WAIT);
    advance(2 * rig.cfg.tcp.msl_ns);
    expect_nothing();
    counted(LINGER_EXPIRED, 0);
    counted(TIME_WAIT_EXPIRED, 1);
    end();
}

/* With a close before: the time begins with the release. */
static void a_time_after_a_close(void **state)
{
    (void)state;
    begin_lingering(linger);
    open_passive();
    app_send(100);
    app_close();
    expect(FIN | ACK, 1, 1, 100);
    wait_without_reset(2 * linger);
    expect_state(TCP_FIN_WAIT_1);
    app_release();
    wait_without_reset(linger - 1);
    advance(1);
    expect_reset(102, 1);
    end();
}

/* The remote end closes meanwhile: that gives no more time, and is no delivery. */
static void a_time_over_changes_of_state(void **state)
{
    (void)state;
    begin_lingering(linger);
    open_passive();
    app_send(100);
    expect(ACK, 1, 1, 100);
    app_release();
    expect(FIN | ACK, 101, 1, 0);
    wait_without_reset(linger / 2);
    inject(FIN | ACK, 1, 51, FULL_WND, 0);
    expect(ACK, 102, 2, 0);
    expect_state(TCP_CLOSING);
    wait_without_reset(linger / 2 - 1);
    expect_state(TCP_CLOSING);
    advance(1);
    expect_nothing(); /* the FIN had left: section 3.10.5 has no reset there */
    expect_state(TCP_CLOSED);
    counted(LINGER_EXPIRED, 1);
    end();
}

/* A closed window: its probes are answered, but nobody owns the data for longer than that. */
static void a_time_before_a_closed_window(void **state)
{
    (void)state;
    begin_lingering(linger);
    open_passive();
    inject(ACK, 1, 1, 0, 0);
    app_send(100);
    app_release();
    for (unsigned i = 0; i < 9; i++) {
        advance(SEC);
        while (rig_take_tcp()) {
            rig_reason("the reason", rig.why, REASON_SEND_PROBE);
            inject(ACK, 1, 1, 0, 0);
        }
    }
    expect_state(TCP_FIN_WAIT_1);
    advance(SEC);
    expect_reset(1, 1);
    end();
}

/* Each connection's own, and the latest value counts. */
static void set_during_the_connection(void **state)
{
    struct tcp_settings s;

    (void)state;
    begin_lingering(0);
    open_passive();
    assert_int_equal(stack_settings(rig.st, flow.id, &s), 0);
    s.linger_ns = SEC;
    assert_int_equal(stack_set(rig.st, flow.id, &s), 0);
    app_send(100);
    app_release();
    expect(FIN | ACK, 1, 1, 100);
    wait_without_reset(SEC - 1);
    advance(1);
    expect_reset(102, 1);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(off),
        cmocka_unit_test(zero),
        cmocka_unit_test(zero_in_time_wait),
        cmocka_unit_test(zero_before_the_handshake),
        cmocka_unit_test(zero_with_data_before_the_fin),
        cmocka_unit_test(a_time),
        cmocka_unit_test(a_time_that_suffices),
        cmocka_unit_test(a_time_after_a_close),
        cmocka_unit_test(a_time_over_changes_of_state),
        cmocka_unit_test(a_time_before_a_closed_window),
        cmocka_unit_test(set_during_the_connection),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
