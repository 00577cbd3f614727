/*
 * Loss: the retransmission time-out (RFC 6298), congestion control (RFC 5681), fast retransmit and
 * NewReno (RFC 6582).
 */
#include "tcp/recovery/recovery.h"
#include "tcp_kit.h"

/* A handshake that takes `rtt`, without losses: srtt = rtt, rttvar = rtt / 2. */
static void begin_with_rtt(int64_t rtt)
{
    defaults();
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

/* RFC 6298 2.2: RTO = R + 4 * R/2 after the first sample. */
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

/* RFC 6298 2.3: rttvar = 3/4 rttvar + 1/4 |srtt - R'|, then srtt = 7/8 srtt + 1/8 R'. */
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

/* RFC 6298 5.3: each acknowledgment of something new starts the timer anew. */
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

/* Karn (RFC 6298 section 3): what was sent twice gives no sample, and the back-off stays. */
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

/* RFC 6298 5.5: doubled each time, up to 60 s; after R2 of silence the connection is over. */
static void back_off_and_r2(void **state)
{
    int64_t wait = 300 * MSEC, since;

    (void)state;
    begin_with_rtt(100 * MSEC);
    app_send(10);
    expect(ACK, 1, 1, 10);
    since = rig.now;
    while (rig.now + wait - since < 100 * SEC) {
        expect_silence(wait);
        expect(ACK, 1, 1, 10);
        expect_nothing();
        wait = time_min(2 * wait, 60 * SEC);
    }
    advance(wait - 1);
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
        rig.cfg.tcp.r2_ns = 4500 * MSEC + i;
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

/* ---- slow start and congestion avoidance (RFC 5681 3.1, RFC 6928) ---- */

static void initial_window_and_slow_start(void **state)
{
    (void)state;
    begin_with_rtt(100 * MSEC);
    app_send(44 * MSS);
    expect_segments(0, 10);
    expect_nothing();
    ack_segments(2); /* two leave the network, two more may fly */
    expect_segments(10, 14);
    expect_nothing();
    for (uint32_t i = 4; i <= 10; i += 2)
        ack_segments(i);
    expect_segments(14, 30);
    expect_nothing();
    assert_int_equal(tcb()->cc.cwnd, 20 * MSS);
    end();
}

/* RFC 3465 with L = 2: one ACK for many segments opens the window by two. */
static void a_stretched_ack_opens_two_segments(void **state)
{
    (void)state;
    begin_with_rtt(100 * MSEC);
    app_send(30 * MSS);
    expect_segments(0, 10);
    expect_nothing();
    ack_segments(10);
    assert_int_equal(tcb()->cc.cwnd, 12 * MSS);
    end();
}

/* A window that was not used does not grow. */
static void an_unused_window_does_not_grow(void **state)
{
    (void)state;
    begin_with_rtt(100 * MSEC);
    for (uint32_t i = 0; i < 30; i++) {
        app_send(MSS);
        expect_segments(i, i + 1);
        expect_nothing();
        ack_segments(i + 1);
    }
    assert_int_equal(tcb()->cc.cwnd, 10 * MSS);
    end();
}

/* ---- after a time-out: all is lost, and comes again as cwnd allows ---- */

static void go_back_n(void **state)
{
    (void)state;
    begin_with_rtt(100 * MSEC);
    app_send(20 * MSS);
    expect_segments(0, 10);
    expect_nothing();
    expect_silence(300 * MSEC);
    expect_segments(0, 1); /* cwnd is one segment */
    expect_nothing();
    assert_int_equal(tcb()->cc.ssthresh, 5 * MSS);
    ack_segments(1);
    expect_segments(1, 3);
    expect_nothing();
    ack_segments(3); /* one ACK, one segment more (RFC 3465 2.3) */
    expect_segments(3, 6);
    expect_nothing();
    ack_segments(10); /* the rest had arrived */
    counted(LOSS_REPAIRED, 1);
    expect(ACK, 1 + 10 * MSS, 1, MSS);
    end();
}

/* Even a flight that never filled cwnd: slow start goes on after the time-out. */
static void go_back_n_of_a_small_flight(void **state)
{
    (void)state;
    begin_with_rtt(100 * MSEC);
    app_send(7 * MSS);
    expect_segments(0, 7);
    expect_silence(300 * MSEC);
    expect_segments(0, 1);
    expect_nothing();
    ack_segments(1);
    expect_segments(1, 3);
    expect_nothing();
    ack_segments(3);
    expect_segments(3, 6); /* ssthresh is 3.5 segments */
    end();
}

/* RFC 5681 (4): the second time-out of the same segment leaves ssthresh alone. */
static void ssthresh_is_halved_once(void **state)
{
    (void)state;
    begin_with_rtt(100 * MSEC);
    app_send(20 * MSS);
    expect_segments(0, 10);
    advance(300 * MSEC);
    expect_segments(0, 1);
    advance(600 * MSEC);
    expect_segments(0, 1);
    expect_nothing();
    assert_int_equal(tcb()->cc.ssthresh, 5 * MSS);
    assert_int_equal(tcb()->cc.cwnd, MSS);
    end();
}

/* A FIN is retransmitted as data is, in FIN-WAIT-1, CLOSING and LAST-ACK. */
static void a_lost_fin(void **state)
{
    (void)state;
    begin_with_rtt(100 * MSEC);
    app_send(10);
    app_close();
    expect(FIN | ACK, 1, 1, 10);
    expect_silence(300 * MSEC);
    expect(FIN | ACK, 1, 1, 10);
    inject(ACK, 1, 11, FULL_WND, 0); /* the data, without the FIN */
    expect_nothing();
    advance(10 * SEC);
    expect(FIN | ACK, 11, 1, 0);
    inject(FIN | ACK, 1, 11, FULL_WND, 0);
    expect(ACK, 12, 2, 0);
    expect_state(TCP_CLOSING);
    advance(20 * SEC);
    expect(FIN | ACK, 11, 2, 0);
    inject(ACK, 2, 12, FULL_WND, 0);
    expect_state(TCP_TIME_WAIT);
    expect_nothing();
    end();
    begin_with_rtt(100 * MSEC);
    go(TCP_LAST_ACK);
    expect_silence(300 * MSEC);
    expect(FIN | ACK, 1, 2, 0);
    end();
}

/* ---- fast retransmit and fast recovery (RFC 5681 3.2, RFC 6582) ---- */

/* Ten segments are in flight, ten more wait. */
static void to_ten_in_flight(void)
{
    begin_with_rtt(100 * MSEC);
    app_send(40 * MSS);
    expect_segments(0, 10);
    expect_nothing();
}

/* Two duplicates: limited transmit (RFC 3042), no retransmission. The third: the lost segment. */
static void fast_retransmit(void **state)
{
    (void)state;
    to_ten_in_flight();
    ack_segments(0);
    expect_segments(10, 11);
    expect_nothing();
    ack_segments(0);
    expect_segments(11, 12);
    expect_nothing();
    counted(LOSS_DETECTED, 0);
    ack_segments(0);
    expect_segments(0, 1);
    expect_why(REASON_SEND_FAST_RETRANSMIT);
    expect_nothing();
    counted(LOSS_DETECTED, 1);
    /* half of 12 in flight; 3 have left, so 9 - (1 sent again) fly: further duplicates open it */
    assert_int_equal(tcb()->cc.ssthresh, 6 * MSS);
    for (unsigned i = 0; i < 3; i++) {
        ack_segments(0);
        expect_nothing();
    }
    ack_segments(0);
    expect_segments(12, 13);
    expect_nothing();
    counted(LOSS_DETECTED, 1); /* seven duplicates, one loss */
    ack_segments(12);
    counted(LOSS_REPAIRED, 1);
    assert_int_equal(tcb()->cc.cwnd, 2 * MSS); /* one is in flight: no burst (RFC 6582 3.2) */
    end();
}

/* A partial acknowledgment: the next segment is lost as well, and goes at once. */
static void partial_acks(void **state)
{
    uint32_t cwnd;

    (void)state;
    to_ten_in_flight();
    for (unsigned i = 0; i < 3; i++)
        ack_segments(0);
    expect_segments(0, 1);
    while (rig_take())
        continue;
    cwnd = tcb()->cc.cwnd;
    ack_segments(4);
    expect_segments(4, 5);
    expect_why(REASON_SEND_RECOVERY);
    while (rig_take())
        continue;
    ack_segments(7);
    expect_segments(7, 8);
    expect_why(REASON_SEND_RECOVERY);
    assert_int_equal(tcb()->cc.cwnd, cwnd); /* one loss of a window, one reduction */
    counted(LOSS_DETECTED, 1);
    end();
}

/* RFC 6582 4.1: duplicates after a time-out are of its own making, and reduce nothing further. */
static void no_fast_retransmit_after_a_timeout(void **state)
{
    (void)state;
    to_ten_in_flight();
    advance(300 * MSEC);
    expect_segments(0, 1);
    for (unsigned i = 0; i < 5; i++)
        ack_segments(0);
    while (rig_take())
        continue;
    counted(LOSS_DETECTED, 0);
    assert_int_equal(tcb()->cc.ssthresh, 5 * MSS);
    end();
}

/* The retransmission itself is lost: the time-out repairs it. */
static void a_lost_retransmission(void **state)
{
    (void)state;
    to_ten_in_flight();
    for (unsigned i = 0; i < 9; i++)
        ack_segments(0);
    expect_segments(0, 1);
    while (rig_take())
        continue;
    advance(tcb()->timer[TIMER_RTX] - rig.now);
    expect_segments(0, 1);
    expect_why(REASON_SEND_RTO);
    end();
}

/* RFC 5681 section 2: another window, data, or nothing in flight: no duplicates. */
static void what_is_no_duplicate(void **state)
{
    (void)state;
    to_ten_in_flight();
    for (uint32_t i = 0; i < 4; i++)
        inject(ACK, 1, 1, FULL_WND - i - 1, 0);
    for (uint32_t i = 0; i < 4; i++)
        inject(ACK, 1 + i, 1, FULL_WND - 4, 1);
    expect_segments(10, 10);
    counted(LOSS_DETECTED, 0);
    assert_int_equal(tcb()->recovery.dupacks, 0);
    ack_segments(10);
    while (rig_take())
        continue;
    end();
    begin_with_rtt(100 * MSEC);
    for (unsigned i = 0; i < 5; i++)
        inject(ACK, 1, 1, FULL_WND, 0);
    app_send(MSS);
    expect_segments(0, 1);
    assert_int_equal(tcb()->recovery.dupacks, 0);
    end();
}

/* A loss long ago must not keep a later one from being noticed: numbers wrap. */
static void recovery_over_gigabytes(void **state)
{
    struct recovery r;
    struct ack_sample s = {.mss = MSS};

    (void)state;
    for (unsigned gib = 0; gib < 16; gib++) {
        recovery_init(&r, 0);
        s = (struct ack_sample){.mss = MSS, .una = 1, .nxt = 1};
        for (uint32_t i = 0; i < gib * 1024; i++) {
            s.una += 1 << 20;
            s.nxt = s.una + 10 * MSS;
            s.acked = 1 << 20;
            recovery_on_ack(&r, &s);
        }
        s.acked = 0;
        s.nxt = s.una + 10 * MSS;
        s.duplicate = true;
        assert_int_equal(recovery_on_ack(&r, &s), RECOVERY_NONE);
        assert_int_equal(recovery_on_ack(&r, &s), RECOVERY_NONE);
        assert_int_equal(recovery_on_ack(&r, &s), RECOVERY_ENTERED);
    }
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
        cmocka_unit_test(initial_window_and_slow_start),
        cmocka_unit_test(a_stretched_ack_opens_two_segments),
        cmocka_unit_test(an_unused_window_does_not_grow),
        cmocka_unit_test(go_back_n),
        cmocka_unit_test(go_back_n_of_a_small_flight),
        cmocka_unit_test(ssthresh_is_halved_once),
        cmocka_unit_test(a_lost_fin),
        cmocka_unit_test(fast_retransmit),
        cmocka_unit_test(partial_acks),
        cmocka_unit_test(no_fast_retransmit_after_a_timeout),
        cmocka_unit_test(a_lost_retransmission),
        cmocka_unit_test(what_is_no_duplicate),
        cmocka_unit_test(recovery_over_gigabytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
