/* Closing: every way through the state diagram of RFC 9293 figure 5, and what ends it early. */
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

/* ---- the orderly ways ---- */

/* MUST-13. */
static void active_close(void **state)
{
    (void)state;
    begin_open();
    app_close();
    expect(FIN | ACK, 1, 1, 0);
    expect_why(REASON_SEND_FIN);
    expect_state(TCP_FIN_WAIT_1);
    inject(ACK, 1, 2, FULL_WND, 0);
    expect_state(TCP_FIN_WAIT_2);
    expect_no_event();
    inject(FIN | ACK, 1, 2, FULL_WND, 0);
    expect_state(TCP_TIME_WAIT);
    expect(ACK, 2, 2, 0);
    expect_event(EV_PEER_CLOSED);
    expect_closed(REASON_END_ORDERLY);
    expect_nothing();
    expect_silence(TIME_WAIT_S * SEC - 1);
    expect_state(TCP_TIME_WAIT); /* one nanosecond before 2 MSL are over */
    advance(1);
    expect_state(TCP_CLOSED);
    expect_nothing();
    counted(TIME_WAIT_EXPIRED, 1);
    end();
}

/* FIN and the acknowledgment of ours in one segment: from FIN-WAIT-1 to TIME-WAIT at once. */
static void three_segments_close(void **state)
{
    (void)state;
    begin_open();
    app_close();
    expect(FIN | ACK, 1, 1, 0);
    inject(FIN | ACK, 1, 2, FULL_WND, 0);
    expect(ACK, 2, 2, 0);
    expect_state(TCP_TIME_WAIT);
    end();
}

/* What is said at the end of a connection counts its last segment, too. */
static void the_end_is_told_behind_the_last_acknowledgment(void **state)
{
    (void)state;
    begin_open();
    app_close();
    expect(FIN | ACK, 1, 1, 0);
    inject(FIN | ACK, 1, 2, FULL_WND, 0);
    expect_state(TCP_TIME_WAIT);
    expect_event(EV_PEER_CLOSED);
    expect_no_event();
    expect(ACK, 2, 2, 0);
    expect_closed(REASON_END_ORDERLY);
    end();
}

static void passive_close(void **state)
{
    (void)state;
    begin_open();
    inject(FIN | ACK, 1, 1, FULL_WND, 0);
    expect(ACK, 1, 2, 0);
    expect_state(TCP_CLOSE_WAIT);
    expect_event(EV_PEER_CLOSED);
    expect_no_event();
    app_read_says(0);
    app_close();
    expect(FIN | ACK, 1, 2, 0);
    expect_state(TCP_LAST_ACK);
    expect_no_event();
    inject(ACK, 2, 2, FULL_WND, 0);
    expect_state(TCP_CLOSED);
    expect_closed(REASON_END_ORDERLY);
    expect_nothing();
    end();
}

static void simultaneous_close(void **state)
{
    (void)state;
    begin_open();
    app_close();
    expect(FIN | ACK, 1, 1, 0);
    inject(FIN | ACK, 1, 1, FULL_WND, 0);
    expect(ACK, 2, 2, 0);
    expect_state(TCP_CLOSING);
    expect_event(EV_PEER_CLOSED);
    inject(ACK, 2, 2, FULL_WND, 0);
    expect_state(TCP_TIME_WAIT);
    expect_closed(REASON_END_ORDERLY);
    expect_nothing();
    end();
}

/* We have closed, and go on receiving. */
static void half_close_by_us(void **state)
{
    (void)state;
    begin_open();
    go(TCP_FIN_WAIT_2);
    assert_int_equal(stack_send_copy(rig.st, flow.id, "x", 1), -EPIPE);
    inject(ACK, 1, 2, FULL_WND, 1000);
    inject(ACK, 1001, 2, FULL_WND, 500);
    expect_event(EV_READABLE);
    app_read(1500);
    advance(3600 * SEC); /* however long it takes: somebody reads */
    expect(ACK, 2, 1501, 0);
    expect_state(TCP_FIN_WAIT_2);
    inject(FIN | ACK, 1501, 2, FULL_WND, 100);
    expect(ACK, 2, 1602, 0);
    app_read(100);
    app_read_says(0);
    end();
}

/* The remote node has closed, and we go on sending. */
static void half_close_by_the_remote(void **state)
{
    (void)state;
    begin_open();
    go(TCP_CLOSE_WAIT);
    app_send(2000);
    expect(ACK, 1, 2, MSS);
    inject(ACK, 2, 1 + MSS, FULL_WND, 0);
    expect(ACK, 1 + MSS, 2, 2000 - MSS);
    inject(ACK, 2, 2001, FULL_WND, 0);
    app_send(10);
    app_close();
    expect(FIN | ACK, 2001, 2, 10);
    assert_int_equal(stack_send_copy(rig.st, flow.id, "x", 1), -EPIPE);
    inject(ACK, 2, 2012, FULL_WND, 0);
    expect_closed(REASON_END_ORDERLY);
    end();
}

/* The FIN follows everything that is queued, however long that takes. */
static void close_with_data_queued(void **state)
{
    (void)state;
    defaults();
    begin();
    open_passive_with(&mss_only, FULL_WND, 2 * MSS);
    app_send(5 * MSS);
    app_close();
    app_close(); /* twice does no harm */
    for (uint32_t i = 0; i < 4; i += 2) {
        expect(ACK, 1 + i * MSS, 1, MSS);
        expect(ACK, 1 + (i + 1) * MSS, 1, MSS);
        expect_nothing();
        inject(ACK, 1, 1 + (i + 2) * MSS, 2 * MSS, 0);
    }
    expect(FIN | ACK, 1 + 4 * MSS, 1, MSS);
    inject(ACK, 1, 2 + 5 * MSS, 2 * MSS, 0);
    expect_state(TCP_FIN_WAIT_2);
    end();
}

/* The FIN does not fit into the window any more: it waits. */
static void a_fin_needs_window(void **state)
{
    (void)state;
    defaults();
    begin();
    open_passive_with(&mss_only, FULL_WND, 10);
    app_send(10);
    app_close();
    expect(ACK, 1, 1, 10);
    expect_nothing();
    inject(ACK, 1, 11, 10, 0);
    expect(FIN | ACK, 11, 1, 0);
    end();
}

/* ---- FINs that come with data, early, again ---- */

static void fin_with_data(void **state)
{
    (void)state;
    begin_open();
    inject(FIN | ACK, 1, 1, FULL_WND, 100);
    expect(ACK, 1, 102, 0);
    expect_event(EV_READABLE);
    expect_event(EV_PEER_CLOSED);
    app_read(100);
    app_read_says(0);
    end();
}

static void fin_out_of_order(void **state)
{
    (void)state;
    for (uint32_t len = 0; len < 200; len += 100) {
        begin_open();
        inject(FIN | ACK, 101, 1, FULL_WND, len);
        expect(ACK, 1, 1, 0); /* a duplicate: there is a hole */
        expect_nothing();
        expect_state(TCP_ESTABLISHED);
        expect_no_event();
        inject(ACK, 1, 1, FULL_WND, 100);
        expect(ACK, 1, 102 + len, 0);
        expect_nothing();
        expect_state(TCP_CLOSE_WAIT);
        app_read(100 + len);
        app_read_says(0);
        end();
    }
}

/* The FIN arrives again together with the bytes before it. */
static void fin_retransmitted_with_its_data(void **state)
{
    (void)state;
    begin_open();
    inject(FIN | ACK, 101, 1, FULL_WND, 0);
    expect(ACK, 1, 1, 0);
    inject(FIN | ACK, 1, 1, FULL_WND, 100);
    expect(ACK, 1, 102, 0);
    expect_state(TCP_CLOSE_WAIT);
    inject(FIN | ACK, 1, 1, FULL_WND, 100);
    expect(ACK, 1, 102, 0);
    inject(FIN | ACK, 101, 1, FULL_WND, 0);
    expect(ACK, 1, 102, 0);
    expect_state(TCP_CLOSE_WAIT);
    app_read(100);
    app_read_says(0);
    end();
}

/* Old data with a new FIN behind it. */
static void fin_behind_old_data(void **state)
{
    (void)state;
    begin_open();
    inject(ACK, 1, 1, FULL_WND, 100);
    inject(FIN | ACK, 51, 1, FULL_WND, 50);
    expect(ACK, 1, 102, 0);
    app_read(100);
    app_read_says(0);
    end();
}

/* A FIN again in CLOSE-WAIT, CLOSING and LAST-ACK: remain, and acknowledge. */
static void fin_again(void **state)
{
    static const enum tcp_state states[] = {TCP_CLOSE_WAIT, TCP_CLOSING, TCP_LAST_ACK};

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        begin_open();
        go(states[i]);
        inject(FIN | ACK, 1, 1, FULL_WND, 0);
        expect(ACK, states[i] == TCP_CLOSE_WAIT ? 1 : 2, 2, 0);
        expect_nothing();
        expect_state(states[i]);
        end();
    }
}

/* 3.10.7.4, seventh: text behind a FIN cannot be; it is ignored, in every state. */
static void data_behind_the_fin(void **state)
{
    static const enum tcp_state states[] = {TCP_CLOSE_WAIT, TCP_CLOSING, TCP_LAST_ACK,
                                            TCP_TIME_WAIT};

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        begin_open();
        go(states[i]);
        inject(ACK, 2, 1, FULL_WND, 100);
        expect_state(states[i]);
        app_read_says(0);
        assert_int_equal(tcb()->rcv_nxt, flow.irs + 2);
        end();
    }
    begin_open();
    inject(FIN | ACK, 101, 1, FULL_WND, 0);
    expect(ACK, 1, 1, 0);
    inject(ACK, 151, 1, FULL_WND, 10);
    expect(ACK, 1, 1, 0);
    inject(ACK, 1, 1, FULL_WND, 150); /* 50 bytes lie behind the FIN that is known */
    expect(ACK, 1, 102, 0);
    app_read(100);
    app_read_says(0);
    expect_state(TCP_CLOSE_WAIT);
    end();
}

/* ---- TIME-WAIT ---- */

/* 3.10.7.4, eighth: a FIN again is acknowledged and starts 2 MSL anew. */
static void time_wait_restarts(void **state)
{
    (void)state;
    begin_open();
    go(TCP_TIME_WAIT);
    advance(59 * SEC);
    inject(FIN | ACK, 1, 2, FULL_WND, 0);
    expect(ACK, 2, 2, 0);
    advance(TIME_WAIT_S * SEC - 1);
    expect_state(TCP_TIME_WAIT);
    advance(1);
    expect_state(TCP_CLOSED);
    end();
}

/* Nothing else does; and nothing shortens it (RFC 1337). */
static void time_wait_is_not_disturbed(void **state)
{
    (void)state;
    begin_open();
    go(TCP_TIME_WAIT);
    advance(59 * SEC);
    inject(ACK, 2, 2, FULL_WND, 0);
    expect_nothing();
    inject_drop(REASON_TCP_TIME_WAIT, RST, 2, 0, 0, 0);
    inject_drop(REASON_TCP_TIME_WAIT, RST | ACK, 2, 2, 0, 0);
    inject_drop(REASON_TCP_SEQUENCE, RST, 1, 0, 0, 0);
    expect_nothing();
    expect_state(TCP_TIME_WAIT);
    inject_drop(REASON_TCP_SEQUENCE, ACK, 1, 2, FULL_WND, 0);
    expect(ACK, 2, 2, 0);
    advance(SEC - 1);
    expect_state(TCP_TIME_WAIT);
    advance(1);
    expect_state(TCP_CLOSED);
    end();
}

/* MAY-2: a SYN beyond the old numbers opens anew, ours going on beyond our old ones as well. */
static void a_syn_reuses_time_wait(void **state)
{
    uint32_t old_end;

    (void)state;
    begin_open();
    go(TCP_TIME_WAIT);
    old_end = tcb()->snd_nxt;
    inject_drop(REASON_TCP_SYN_CHALLENGED, SYN, 2, 0, FULL_WND, 0); /* not beyond */
    expect(ACK, 2, 2, 0);
    inject_drop(REASON_TCP_SYN_CHALLENGED, SYN, (uint32_t)-1000, 0, FULL_WND, 0);
    expect(ACK, 2, 2, 0);
    expect_state(TCP_TIME_WAIT);
    flow.irs += 3;
    assert_int_equal(inject(SYN, 0, 0, FULL_WND, 0), REASON_NONE);
    expect_syn_ack();
    assert_true((int32_t)(flow.iss - old_end) > 0);
    expect_state(TCP_SYN_RECEIVED);
    expect_closed(REASON_END_ORDERLY); /* of the old one, told late */
    inject(ACK, 1, 1, FULL_WND, 0);
    expect_event(EV_ACCEPTED);
    inject(ACK, 1, 1, FULL_WND, 10);
    app_read(10);
    end();
}

/* Without a listener, or with its accept queue full, TIME-WAIT goes on. */
static void a_syn_that_cannot_be_accepted_leaves_time_wait(void **state)
{
    struct flow old;

    (void)state;
    defaults();
    begin();
    app_listen(1);
    open_passive();
    go(TCP_TIME_WAIT);
    drain();
    old = flow;
    flow.remote_port++;
    inject(SYN, 0, 0, FULL_WND, 0);
    expect_syn_ack();
    inject(ACK, 1, 1, FULL_WND, 0); /* the backlog of one is used */
    flow = old;
    inject(SYN, 100, 0, FULL_WND, 0);
    expect_state(TCP_TIME_WAIT);
    drain();
    assert_int_equal(stack_unlisten(rig.st, rig.listener), 0);
    drain();
    inject(SYN, 100, 0, FULL_WND, 0);
    expect(ACK, 2, 2, 0);
    expect_state(TCP_TIME_WAIT);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(active_close),
        cmocka_unit_test(three_segments_close),
        cmocka_unit_test(the_end_is_told_behind_the_last_acknowledgment),
        cmocka_unit_test(passive_close),
        cmocka_unit_test(simultaneous_close),
        cmocka_unit_test(half_close_by_us),
        cmocka_unit_test(half_close_by_the_remote),
        cmocka_unit_test(close_with_data_queued),
        cmocka_unit_test(a_fin_needs_window),
        cmocka_unit_test(fin_with_data),
        cmocka_unit_test(fin_out_of_order),
        cmocka_unit_test(fin_retransmitted_with_its_data),
        cmocka_unit_test(fin_behind_old_data),
        cmocka_unit_test(fin_again),
        cmocka_unit_test(data_behind_the_fin),
        cmocka_unit_test(time_wait_restarts),
        cmocka_unit_test(time_wait_is_not_disturbed),
        cmocka_unit_test(a_syn_reuses_time_wait),
        cmocka_unit_test(a_syn_that_cannot_be_accepted_leaves_time_wait),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
