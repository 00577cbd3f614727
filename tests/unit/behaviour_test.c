/*
 * What the suites of other stacks ask of an opening, a window, a loss and a close, as far as no
 * other test here asks it.
 */
#include "tcp_kit.h"

/* ---- opening ---- */

/* BAD: in SYN-RECEIVED, by either way, an ACK off by one is reset and the exact one is taken. */
static void acks_off_by_one(void **state)
{
    static const uint32_t wrong[] = {0, 2};

    (void)state;
    for (unsigned passive = 0; passive < 2; passive++) {
        defaults();
        begin();
        if (passive) {
            app_listen(1);
            inject(SYN, 0, 0, FULL_WND, 0);
        } else {
            app_open();
            expect_syn();
            inject(SYN, 0, 0, FULL_WND, 0);
        }
        expect_syn_ack();
        for (unsigned i = 0; i < 2; i++)
            for (uint32_t len = 0; len <= 10; len += 10) {
                inject_drop(REASON_TCP_SYN_RECEIVED_ACK, ACK, 1, wrong[i], FULL_WND, len);
                expect(RST, wrong[i], 0, 0);
                expect_nothing();
                expect_state(TCP_SYN_RECEIVED);
            }
        inject(ACK, 1, 1, FULL_WND, 0);
        expect_event(passive ? EV_ACCEPTED : EV_CONNECTED);
        expect_state(TCP_ESTABLISHED);
        end();
    }
}

/* BAD: a zero window in the SYN, with or without scaling, is honoured, and so is the large one
 * that follows: nothing but probes until then, then as much as cwnd lets out. */
static void a_zero_window_in_the_syn(void **state)
{
    static const struct tcp_options scaled = {.has_mss = true,
                                              .mss = MSS,
                                              .has_wscale = true,
                                              .wscale = 7};

    (void)state;
    for (unsigned scale = 0; scale < 2; scale++) {
        uint32_t sent = 0;

        defaults();
        begin();
        open_passive_with(scale ? &scaled : &mss_only, 0, 0);
        app_send(10 * MSS);
        expect_nothing();
        inject(ACK, 1, 1, scale ? FULL_WND / 128 : FULL_WND, 0);
        while (rig_take_tcp())
            sent += rig.len;
        assert_int_equal(sent, 10 * MSS);
        end();
    }
}

/* ---- windows ---- */

/* BAD: while data is in flight a segment is not split only because the window's rest is small;
 * with nothing in flight, or half the largest window there ever was, it is. */
static void no_splitting_in_flight(void **state)
{
    (void)state;
    defaults();
    rig.cfg.tcp.conn.nagle = false;
    begin();
    open_passive_with(&mss_only, 4 * MSS, 4 * MSS);
    app_send(3 * MSS);
    for (uint32_t i = 0; i < 3; i++)
        expect(ACK, 1 + i * MSS, 1, MSS);
    app_send(2 * MSS);
    expect(ACK, 1 + 3 * MSS, 1, MSS);
    for (uint32_t room = 1; room < MSS; room += 200) {
        inject(ACK, 1, 1, 4 * MSS + room, 0);
        expect_nothing();
    }
    inject(ACK, 1, 1 + MSS, 3 * MSS + 1400, 0); /* acknowledged, but hardly a wider edge */
    expect_nothing();
    inject(ACK, 1, 1 + MSS, 4 * MSS, 0);
    expect(ACK, 1 + 4 * MSS, 1, MSS);
    expect_nothing();
    end();
}

/* BAD: what lies beyond both edges is acknowledged and dropped; a pure RST there is silence; and
 * what lies across an edge is taken as far as it is inside: in each state that can receive. */
static void across_both_edges(void **state)
{
    static const enum tcp_state states[] = {TCP_ESTABLISHED, TCP_FIN_WAIT_1, TCP_FIN_WAIT_2};

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        uint32_t ack = i == 2 ? 2 : 1, nxt = i ? 2 : 1;

        defaults();
        rig.cfg.tcp.rcv_buf = 1000;
        begin();
        open_passive();
        go(states[i]);
        inject_drop(REASON_TCP_SEQUENCE, ACK, 1001, ack, FULL_WND, 10);
        expect(ACK, nxt, 1, 0);
        inject_drop(REASON_TCP_SEQUENCE, ACK, (uint32_t)-9, ack, FULL_WND, 10);
        expect(ACK, nxt, 1, 0);
        inject_drop(REASON_TCP_SEQUENCE, RST, 1001, 0, 0, 0);
        inject_drop(REASON_TCP_SEQUENCE, RST, 0, 0, 0, 0);
        expect_nothing();
        inject(ACK, 991, ack, FULL_WND, 20); /* ten bytes inside, ten behind the right edge */
        expect(ACK, nxt, 1, 0);
        inject(ACK, (uint32_t)-9, ack, FULL_WND, 1000); /* ten bytes before the left edge */
        expect(ACK, nxt, 1001, 0);
        app_read(1000);
        app_read_says(-EAGAIN);
        expect_state(states[i]);
        end();
    }
}

/* ---- loss ---- */

/* BAD: each time-out waits twice as long as the one before, up to the largest, to the tick. */
static void each_wait_is_twice_the_last(void **state)
{
    int64_t wait;

    (void)state;
    defaults();
    rig.cfg.tcp.conn.r2_ns = TIME_NEVER;
    begin();
    open_passive();
    app_send(10);
    expect(ACK, 1, 1, 10);
    wait = tcb()->timer[TIMER_RTX] - rig.now;
    for (unsigned i = 0; i < 14; i++) {
        expect_silence(wait);
        expect(ACK, 1, 1, 10);
        expect_why(REASON_SEND_RTO);
        expect_nothing();
        wait = time_min(2 * wait, rig.cfg.tcp.rto_max_ns);
    }
    assert_int_equal(wait, rig.cfg.tcp.rto_max_ns);
    end();
}

/* BAD: timestamps never run backwards: over data, retransmissions, probes, challenges, long
 * pauses and the FIN, what leaves later bears the same or a later one. */
static void timestamps_do_not_run_backwards(void **state)
{
    const struct tcp_options offer = {.has_mss = true,
                                      .mss = MSS,
                                      .has_timestamp = true,
                                      .ts_val = 1};
    struct tcp_options opt = offer;
    uint32_t last, n = 0;

    (void)state;
    defaults();
    rig.cfg.tcp.timestamps = true;
    begin();
    app_listen(1);
    AT(rig_inject(SYN, 0, 0, FULL_WND, 0, &offer));
    expect_syn_ack();
    last = rig.seg.opt.ts_val;
    opt.has_mss = false;
    AT(rig_inject(ACK, 1, 1, FULL_WND, 0, &opt));
    expect_event(EV_ACCEPTED);
    for (unsigned i = 0; i < 200; i++) {
        uint32_t rcv = tcb()->rcv_nxt - flow.irs, snd = tcb()->snd_nxt - flow.iss;

        opt.ts_val = 1 + i;
        opt.ts_ecr = last;
        switch (i % 5) {
        case 0:
            app_send(100);
            break;
        case 1:
            AT(rig_inject(ACK, rcv, snd, i % 10 == 1 ? 0 : FULL_WND, 10, &opt));
            break;
        case 2:
            AT(rig_inject(SYN, rcv, 0, FULL_WND, 0, &opt));
            break;
        case 3:
            AT(rig_inject(ACK, rcv + 5, snd, FULL_WND, 10, &opt));
            break;
        default:
            break;
        }
        advance((i % 7) * 333 * MSEC);
        while (rig_take_tcp()) {
            assert_true(rig.seg.opt.has_timestamp);
            assert_true((int32_t)(rig.seg.opt.ts_val - last) >= 0);
            last = rig.seg.opt.ts_val;
            n++;
        }
    }

    assert_true(n > 100);
    expect_state(TCP_ESTABLISHED);
    end();
}

/* ---- closing ---- */

/* BAD: a released connection with unread bytes is reset, whether the end was closed before or not;
 * one whose bytes were all read closes in order. */
static void unread_data_at_close(void **state)
{
    (void)state;
    for (unsigned closed = 0; closed < 2; closed++)
        for (unsigned unread = 0; unread < 2; unread++) {
            defaults();
            begin();
            open_passive();
            inject(ACK, 1, 1, FULL_WND, 10);
            app_read(10 - unread);
            if (closed) {
                app_close();
                expect(FIN | ACK, 1, 11, 0);
            }
            app_release();
            if (unread)
                expect(RST | ACK, 1 + closed, 11, 0);
            else if (!closed)
                expect(FIN | ACK, 1, 11, 0);
            expect_nothing();
            expect_state(unread ? TCP_CLOSED : TCP_FIN_WAIT_1);
            end();
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(acks_off_by_one),
        cmocka_unit_test(a_zero_window_in_the_syn),
        cmocka_unit_test(no_splitting_in_flight),
        cmocka_unit_test(across_both_edges),
        cmocka_unit_test(each_wait_is_twice_the_last),
        cmocka_unit_test(timestamps_do_not_run_backwards),
        cmocka_unit_test(unread_data_at_close),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
