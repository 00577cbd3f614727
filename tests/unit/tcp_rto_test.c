/* The retransmission time-out (RFC 6298): its value, its back-off, and R2 (RFC 9293 3.8.3). */
#include "tcp_kit.h"

/*
 * A handshake that takes `rtt`, without losses: srtt = rtt, rttvar = rtt / 2. R1's reports have
 * tests of their own, in tcp_patience_test.c.
 */
static void begin_with_rtt(int64_t rtt)
{
    defaults();
    rig.cfg.tcp.conn.soft_errors = false;
    begin();
    app_listen(1);
    rig_inject(SYN, 0, 0, FULL_WND, 0, &mss_only);
    rig_expect_syn(SYN | ACK);
    advance(rtt);
    inject(ACK, 1, 1, FULL_WND, 0);
    rig_event(EV_ACCEPTED);
}

/* Data segments first .. last - 1 leave now, each full. */
static void rig_expect_segments(uint32_t first, uint32_t last)
{
    for (uint32_t i = first; i < last; i++)
        rig_expect(ACK, 1 + i * MSS, 1, MSS);
}

#define expect_segments(a, b) AT(rig_expect_segments(a, b))
#define ack_segments(n)       inject(ACK, 1, 1 + (n)*MSS, FULL_WND, 0)

/* ---- the time-out's value ---- */

/* MUST-18: RFC 6298 2.2: RTO = R + 4 * R/2 after the first sample. */
static void rto_of_the_first_sample(void **state)
{
    (void)state;
    begin_with_rtt(100 * MSEC);
    assert_int_equal(tcb()->rtt.srtt, 100 * MSEC);
    assert_int_equal(tcb()->rtt.rttvar, 50 * MSEC);
    app_send(10);
    expect(ACK, 1, 1, 10);
    expect_silence(300 * MSEC);
    expect(ACK, 1, 1, 10);
    expect_why(REASON_SEND_RTO);
    end();
}

/* MUST-18: RFC 6298 2.3: rttvar = 3/4 rttvar + 1/4 |srtt - R'|, then srtt = 7/8 srtt + 1/8 R'. */
static void rto_of_the_second_sample(void **state)
{
    (void)state;
    begin_with_rtt(100 * MSEC);
    app_send(10);
    expect(ACK, 1, 1, 10);
    advance(180 * MSEC);
    inject(ACK, 1, 11, FULL_WND, 0);
    assert_int_equal(tcb()->rtt.rttvar, 50 * MSEC * 3 / 4 + 80 * MSEC / 4);
    assert_int_equal(tcb()->rtt.srtt, 110 * MSEC);
    app_send(10);
    expect(ACK, 11, 1, 10);
    expect_silence(110 * MSEC + 4 * (37500 + 20000) * USEC);
    expect(ACK, 11, 1, 10);
    end();
}

/* RFC 6298 2.4 and 2.5: bounds. */
static void rto_bounds(void **state)
{
    (void)state;
    begin_with_rtt(1 * MSEC);
    app_send(10);
    expect(ACK, 1, 1, 10);
    expect_silence(200 * MSEC);
    expect(ACK, 1, 1, 10);
    end();
    defaults();
    rig.cfg.tcp.rto_min_ns = 1 * SEC;
    begin();
    open_passive();
    app_send(10);
    expect(ACK, 1, 1, 10);
    expect_silence(1 * SEC);
    expect(ACK, 1, 1, 10);
    end();
}

/* MUST-18: RFC 6298 5.3: each acknowledgment of something new starts the timer anew. */
static void the_timer_restarts(void **state)
{
    (void)state;
    begin_with_rtt(100 * MSEC);
    app_send(2 * MSS);
    expect_segments(0, 2);
    advance(290 * MSEC);
    ack_segments(1);
    assert_true(tcb()->timer[TIMER_RTX] > rig.now + 200 * MSEC);
    expect_nothing();
    advance(tcb()->timer[TIMER_RTX] - rig.now - 1);
    expect_nothing();
    advance(1);
    expect_segments(1, 2);
    end();
}

/* RFC 6298 5.2: all is acknowledged, the timer is off. */
static void the_timer_stops(void **state)
{
    (void)state;
    begin_with_rtt(100 * MSEC);
    app_send(10);
    expect(ACK, 1, 1, 10);
    inject(ACK, 1, 11, FULL_WND, 0);
    assert_int_equal(tcb()->timer[TIMER_RTX], TIME_NEVER);
    advance(300 * SEC);
    expect_nothing();
    expect_no_event();
    end();
}

/* MUST-18: Karn (RFC 6298 section 3): what was sent twice gives no sample, and the back-off stays.
 */
static void karn(void **state)
{
    (void)state;
    begin_with_rtt(100 * MSEC);
    app_send(10);
    expect(ACK, 1, 1, 10);
    advance(300 * MSEC);
    expect(ACK, 1, 1, 10);
    inject(ACK, 1, 11, FULL_WND, 0);
    assert_int_equal(tcb()->rtt.srtt, 100 * MSEC);
    app_send(10);
    expect(ACK, 11, 1, 10);
    expect_silence(600 * MSEC);
    expect(ACK, 11, 1, 10);
    inject(ACK, 1, 21, FULL_WND, 0);
    app_send(10);
    expect(ACK, 21, 1, 10);
    advance(100 * MSEC);
    inject(ACK, 1, 31, FULL_WND, 0); /* a sample at last: no back-off any more */
    assert_int_equal(tcb()->rtt.srtt, 100 * MSEC);
    assert_true(tcb()->rtt.rto < 300 * MSEC);
    end();
}

/* MUST-19: RFC 6298 5.5: doubled each time, up to 60 s; after R2 of silence, and not later, it is
 * over. */
static void back_off_and_r2(void **state)
{
    int64_t wait = 300 * MSEC, since;

    (void)state;
    begin_with_rtt(100 * MSEC);
    app_send(10);
    expect(ACK, 1, 1, 10);
    since = rig.now;
    while (rig.now + wait - since < 300 * SEC) {
        expect_silence(wait);
        expect(ACK, 1, 1, 10);
        expect_nothing();
        wait = time_min(2 * wait, 60 * SEC);
    }
    advance(since + 300 * SEC - 1 - rig.now);
    expect_no_event();
    advance(1);
    expect_nothing();
    expect_closed(REASON_END_TIMED_OUT);
    end();
}

/* R2 to the nanosecond: 0.3 + 0.6 + 1.2 + 2.4 s after the first transmission is the time-out. */
static void r2_at_the_tick(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        defaults();
        rig.cfg.tcp.conn.r2_ns = 4500 * MSEC + i;
        rig.cfg.tcp.conn.soft_errors = false;
        begin();
        app_listen(1);
        rig_inject(SYN, 0, 0, FULL_WND, 0, &mss_only);
        rig_expect_syn(SYN | ACK);
        advance(100 * MSEC);
        inject(ACK, 1, 1, FULL_WND, 0);
        rig_event(EV_ACCEPTED);
        advance(1000 * SEC); /* an idle time does not count */
        app_send(10);
        expect(ACK, 1, 1, 10);
        for (int64_t wait = 300 * MSEC; wait < 2 * SEC; wait *= 2) {
            advance(wait);
            expect(ACK, 1, 1, 10);
        }
        advance(2400 * MSEC);
        if (i == 0)
            expect_closed(REASON_END_TIMED_OUT);
        else
            expect(ACK, 1, 1, 10);
        end();
    }
}

/* Acknowledgments of something new count as life, whatever the number of time-outs. */
static void progress_puts_r2_off(void **state)
{
    (void)state;
    begin_with_rtt(100 * MSEC);
    app_send(20);
    expect(ACK, 1, 1, 20);
    for (uint32_t i = 1; i < 10; i++) {
        advance(60 * SEC);
        while (rig_take())
            continue;
        inject(ACK, 1, 1 + i, FULL_WND, 0);
    }
    while (rig_take())
        continue;
    expect_no_event();
    expect_state(TCP_ESTABLISHED);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rto_of_the_first_sample),
        cmocka_unit_test(rto_of_the_second_sample),
        cmocka_unit_test(rto_bounds),
        cmocka_unit_test(the_timer_restarts),
        cmocka_unit_test(the_timer_stops),
        cmocka_unit_test(karn),
        cmocka_unit_test(back_off_and_r2),
        cmocka_unit_test(r2_at_the_tick),
        cmocka_unit_test(progress_puts_r2_off),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
