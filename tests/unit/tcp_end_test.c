/*
 * How a connection ends for its application: released, told of the end, reset, aborted (RFC 9293
 * sections 3.6.1 and 3.10.5).
 */
#include "tcp_kit.h"

enum {
    TIME_WAIT_S = 60, /* 2 MSL */
};

static void begin_open(void)
{
    defaults();
    begin();
    open_passive();
}

/* ---- release: nobody is interested any more ---- */

/* MAY-1. */
static void release_is_a_close(void **state)
{
    struct conn_id dead;

    (void)state;
    begin_open();
    dead = flow.id;
    app_release();
    assert_int_equal(stack_close(rig.st, dead), -EBADF);
    expect(FIN | ACK, 1, 1, 0);
    inject(FIN | ACK, 1, 2, FULL_WND, 0);
    expect(ACK, 2, 2, 0);
    expect_state(TCP_TIME_WAIT);
    expect_no_event();
    advance(TIME_WAIT_S * SEC);
    expect_state(TCP_CLOSED);
    expect_no_event();
    assert_int_equal(stack_totals(rig.st)->conns, 0);
    end();
}

/* SHLD-3: unread data, in order or not, turns a release into a reset. */
static void release_with_unread_data(void **state)
{
    static const struct {
        enum tcp_state from;
        uint32_t seq, data;
    } cases[] = {
        {TCP_ESTABLISHED, 1, 100},
        {TCP_ESTABLISHED, 11, 100},
        {TCP_FIN_WAIT_2, 1, 100},
    };

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        begin_open();
        go(cases[i].from);
        inject(ACK, cases[i].seq, cases[i].from == TCP_FIN_WAIT_2 ? 2 : 1, FULL_WND, 100);
        app_release();
        assert_true(rig_take_tcp());
        if (cases[i].seq != 1)
            assert_true(rig_take_tcp() || rig.seg.flags & RST);
        assert_true(rig.seg.flags & RST);
        assert_int_equal(rig.seg.seq, flow.iss + (cases[i].from == TCP_FIN_WAIT_2 ? 2 : 1));
        expect_nothing();
        expect_state(TCP_CLOSED);
        expect_no_event();
        end();
    }
    begin_open();
    inject(FIN | ACK, 1, 1, FULL_WND, 100);
    expect(ACK, 1, 102, 0);
    app_release(); /* in CLOSE-WAIT */
    expect(RST | ACK, 1, 102, 0);
    end();
}

/* SHLD-3: and so does data that arrives afterwards, in FIN-WAIT-1 and FIN-WAIT-2. */
static void data_after_release(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        begin_open();
        app_release();
        expect(FIN | ACK, 1, 1, 0);
        if (i)
            inject(ACK, 1, 2, FULL_WND, 0);
        inject_drop(REASON_TCP_DATA_AFTER_CLOSE, ACK, 1, 1 + i, FULL_WND, 10);
        expect(RST | ACK, 2, 1, 0);
        expect_nothing();
        expect_state(TCP_CLOSED);
        expect_no_event();
        end();
    }
    /* what was read before the release and comes again is no new data */
    begin_open();
    inject(ACK, 1, 1, FULL_WND, 10);
    app_read(10);
    app_release();
    expect(FIN | ACK, 1, 11, 0);
    inject(ACK, 1, 1, FULL_WND, 10);
    expect(ACK, 2, 11, 0);
    expect_state(TCP_FIN_WAIT_1);
    end();
}

/* Nobody waits for ever for the FIN of a remote node that forgot it, if nobody reads. */
static void fin_wait_2_ends_after_release(void **state)
{
    (void)state;
    begin_open();
    go(TCP_FIN_WAIT_2);
    advance(1000 * SEC);
    expect_state(TCP_FIN_WAIT_2);
    app_release();
    advance(60 * SEC - 1);
    expect_state(TCP_FIN_WAIT_2);
    advance(1);
    expect_state(TCP_CLOSED);
    counted(FIN_WAIT_2_EXPIRED, 1);
    expect_nothing();
    end();
    begin_open();
    app_release();
    expect(FIN | ACK, 1, 1, 0);
    advance(100 * MSEC);
    inject(ACK, 1, 2, FULL_WND, 0);
    advance(60 * SEC - 1);
    expect_state(TCP_FIN_WAIT_2);
    advance(1);
    expect_state(TCP_CLOSED);
    end();
}

/* ---- the end and the application ---- */

/* The end of an orderly close is told when everything was read; the data outlives TIME-WAIT. */
static void the_end_waits_for_unread_data(void **state)
{
    (void)state;
    begin_open();
    app_close();
    expect(FIN | ACK, 1, 1, 0);
    inject(FIN | ACK, 1, 2, FULL_WND, 1000);
    expect(ACK, 2, 1002, 0);
    expect_event(EV_READABLE);
    expect_event(EV_PEER_CLOSED);
    expect_no_event();
    app_read(500);
    expect_no_event();
    advance(2 * TIME_WAIT_S * SEC);
    expect_no_event();
    expect_state(TCP_CLOSED);
    app_read(500);
    expect_closed(REASON_END_ORDERLY);
    app_read_says(0);
    expect_no_event();
    app_read_says(-EBADF);
    end();
    begin_open();
    inject(FIN | ACK, 1, 1, FULL_WND, 10);
    app_close();
    expect(FIN | ACK, 1, 12, 0);
    inject(ACK, 12, 2, FULL_WND, 0);
    expect_event(EV_READABLE);
    expect_event(EV_PEER_CLOSED);
    expect_no_event();
    app_read(10);
    expect_closed(REASON_END_ORDERLY);
    end();
}

/* A reset is told at once; what was not read is gone (3.10.7.4: all queues are flushed). */
static void a_reset_is_told_at_once(void **state)
{
    (void)state;
    begin_open();
    inject(ACK, 1, 1, FULL_WND, 1000);
    expect_event(EV_READABLE);
    inject(RST, 1001, 0, 0, 0);
    expect_closed(REASON_END_RESET);
    end();
}

/* MUST-12: a close, and an abort, of the remote node can be told apart. */
static void an_aborted_half_close(void **state)
{
    (void)state;
    begin_open();
    go(TCP_CLOSE_WAIT);
    inject(RST, 2, 0, 0, 0);
    expect_closed(REASON_END_RESET);
    expect_nothing();
    end();
}

/* 3.10.5: which states owe a reset to the remote node; its number is SND.NXT. */
static void abort_in_every_state(void **state)
{
    static const struct {
        enum tcp_state from;
        bool reset;
    } cases[] = {
        {TCP_ESTABLISHED, true}, {TCP_FIN_WAIT_1, true}, {TCP_FIN_WAIT_2, true},
        {TCP_CLOSE_WAIT, true},  {TCP_CLOSING, false},   {TCP_LAST_ACK, false},
        {TCP_TIME_WAIT, false},
    };

    (void)state;
    for (unsigned i = 0; i < 7; i++) {
        uint32_t nxt;

        begin_open();
        rig.line = (int)i;
        go(cases[i].from);
        nxt = tcb()->snd_nxt;
        app_abort();
        rig_state(TCP_CLOSED);
        if (cases[i].reset) {
            assert_true(rig_take_tcp());
            assert_int_equal(rig.seg.flags, RST | ACK);
            assert_int_equal(rig.seg.seq, nxt);
            expect_why(REASON_SEND_RST);
            assert_int_equal(rig.seg.wnd, 0);
        }
        expect_nothing();
        rig_closed(cases[i].from == TCP_TIME_WAIT ? REASON_END_ORDERLY : REASON_END_ABORTED);
        expect_no_event();
        end();
    }
}

/* Abort drops both queues, and their memory. */
static void abort_drops_the_queues(void **state)
{
    (void)state;
    begin_open();
    app_send(5000);
    inject(ACK, 1, 1, FULL_WND, 1000);
    inject(ACK, 2001, 1, FULL_WND, 1000);
    app_abort();
    assert_int_equal(rig.st->cells.in_use, 0);
    assert_int_equal(rig.device.in_use, 0);
    assert_int_equal(rig.small.in_use, 0);
    expect(RST | ACK, 1, 1001, 0);
    end();
}

/* After an abort late segments find no connection. */
static void segments_after_an_abort(void **state)
{
    (void)state;
    begin_open();
    app_abort();
    expect(RST | ACK, 1, 1, 0);
    inject_drop(REASON_TCP_LISTEN_ACK, ACK, 1, 1, FULL_WND, 10);
    expect(RST, 1, 0, 0);
    end();
}

/* The user calls of 3.10 in the states where they come too late. */
static void user_calls_after_the_end(void **state)
{
    static const enum tcp_state states[] = {TCP_FIN_WAIT_1, TCP_FIN_WAIT_2, TCP_CLOSING,
                                            TCP_LAST_ACK, TCP_TIME_WAIT};

    (void)state;
    for (unsigned i = 0; i < 5; i++) {
        bool open = states[i] == TCP_FIN_WAIT_1 || states[i] == TCP_FIN_WAIT_2;

        begin_open();
        go(states[i]);
        assert_int_equal(stack_send_copy(rig.st, flow.id, "x", 1), -EPIPE);
        assert_int_equal(stack_send_space(rig.st, flow.id), 0);
        app_read_says(open ? -EAGAIN : 0);
        app_close();
        expect_nothing();
        expect_state(states[i]);
        end();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(release_is_a_close),
        cmocka_unit_test(release_with_unread_data),
        cmocka_unit_test(data_after_release),
        cmocka_unit_test(fin_wait_2_ends_after_release),
        cmocka_unit_test(the_end_waits_for_unread_data),
        cmocka_unit_test(a_reset_is_told_at_once),
        cmocka_unit_test(an_aborted_half_close),
        cmocka_unit_test(abort_in_every_state),
        cmocka_unit_test(abort_drops_the_queues),
        cmocka_unit_test(segments_after_an_abort),
        cmocka_unit_test(user_calls_after_the_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
