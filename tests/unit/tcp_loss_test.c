/*
 * Loss: congestion control and what follows a time-out (RFC 5681), fast retransmit and NewReno
 * (RFC 6582). tcp_rto_test.c is about the time-out itself.
 */
#include "flight_kit.h"

/* By default, as far as it does not need SACK; tcp_undo_test.c is about F-RTO. */
static void begin_flight(void)
{
    defaults();
    rig.cfg.tcp.frto = false;
    begin_with(&mss_only);
}

/* ---- slow start and congestion avoidance (RFC 5681 3.1, RFC 6928) ---- */

/* MUST-19. */
static void rfc5681_3_1_initial_window_and_slow_start(void **state)
{
    (void)state;
    begin_flight();
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
static void rfc3465_2_3_a_stretched_ack_opens_two_segments(void **state)
{
    (void)state;
    begin_flight();
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
    begin_flight();
    app_send(11 * MSS);
    expect_segments(0, 10); /* once it was used, */
    expect_nothing();
    ack_segments(10);
    expect_segments(10, 11);
    expect_nothing();
    assert_int_equal(tcb()->cc.cwnd, 12 * MSS);
    for (uint32_t i = 11; i < 40; i++) { /* and not any more */
        ack_segments(i);
        app_send(MSS);
        expect_segments(i, i + 1);
        expect_nothing();
    }
    assert_int_equal(tcb()->cc.cwnd, 12 * MSS);
    end();
}

/* ---- after a time-out: all is lost, and comes again as cwnd allows ---- */

static void go_back_n(void **state)
{
    (void)state;
    begin_flight();
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
    begin_flight();
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

/*
 * RFC 5681 (4): FlightSize is what flew before the batch. Nothing could be sent in the place of
 * what the acknowledgments before this one have freed.
 */
static void rfc5681_3_2_flight_size_of_a_batch(void **state)
{
    (void)state;
    ten_in_flight(0);
    advance(100 * MSEC);
    ack_segments(4);
    heard(4, SEGS(5, 8));
    again(4, SACK);
    assert_int_equal(tcb()->cc.ssthresh, 5 * MSS);
    end();
}

/* RFC 5681 (4): the second time-out of the same segment leaves ssthresh alone. */
static void rfc5681_3_1_ssthresh_is_halved_once(void **state)
{
    (void)state;
    begin_flight();
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
    begin_flight();
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
    begin_flight();
    go(TCP_LAST_ACK);
    expect_silence(300 * MSEC);
    expect(FIN | ACK, 1, 2, 0);
    end();
}

/* ---- fast retransmit and fast recovery (RFC 5681 3.2, RFC 6582) ---- */

/* Ten segments are in flight, ten more wait. */
static void to_ten_in_flight(void)
{
    begin_flight();
    app_send(40 * MSS);
    expect_segments(0, 10);
    expect_nothing();
}

/* Two duplicates: limited transmit (RFC 3042), no retransmission. The third: the lost segment. */
static void rfc6582_3_2_step_2_fast_retransmit(void **state)
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
    /* half of 10, without what limited transmit has sent; 3 of 12 have left, so that further
     * duplicates open it */
    assert_int_equal(tcb()->cc.ssthresh, 5 * MSS);
    for (unsigned i = 0; i < 4; i++) {
        ack_segments(0);
        expect_nothing();
    }
    ack_segments(0);
    expect_segments(12, 13);
    expect_nothing();
    counted(LOSS_DETECTED, 1); /* eight duplicates, one loss */
    ack_segments(12);
    counted(LOSS_REPAIRED, 1);
    assert_int_equal(tcb()->cc.cwnd, 2 * MSS); /* one is in flight: no burst (RFC 6582 3.2) */
    end();
}

/* A partial acknowledgment: the next segment is lost as well, and goes at once. */
static void rfc6582_3_2_step_3_partial_acks(void **state)
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
    assert_int_equal(cwnd, 5 * MSS);
    ack_segments(4);
    expect_segments(4, 5);
    expect_why(REASON_SEND_RECOVERY);
    expect_nothing(); /* six are in flight: what was acknowledged deflates the window */
    ack_segments(7);
    expect_segments(7, 8);
    expect_why(REASON_SEND_RECOVERY);
    expect_segments(10, 12);
    expect_nothing();
    assert_int_equal(tcb()->cc.cwnd, cwnd); /* one loss of a window, one reduction */
    counted(LOSS_DETECTED, 1);
    end();
}

/* RFC 6582 4.1: duplicates after a time-out are of its own making, and reduce nothing further. */
static void rfc6582_3_2_step_4_no_fast_retransmit_after_a_timeout(void **state)
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
static void rfc5681_2_what_is_no_duplicate(void **state)
{
    (void)state;
    to_ten_in_flight();
    for (uint32_t i = 0; i < 4; i++)
        inject(ACK, 1, 1, FULL_WND - i - 1, 0);
    for (uint32_t i = 0; i < 4; i++)
        inject(ACK, 1 + i, 1, FULL_WND - 4, 1);
    expect_segments(10, 10);
    counted(LOSS_DETECTED, 0);
    assert_int_equal(tcb()->flight->recovery.dupacks, 0);
    ack_segments(10);
    while (rig_take())
        continue;
    end();
    begin_flight();
    for (unsigned i = 0; i < 5; i++)
        inject(ACK, 1, 1, FULL_WND, 0);
    app_send(MSS);
    expect_segments(0, 1);
    assert_int_equal(tcb()->flight->recovery.dupacks, 0);
    end();
}

/* A loss long ago must not keep a later one from being noticed: numbers wrap. */
static void recovery_over_gigabytes(void **state)
{
    static struct flight f;
    static uint64_t mem[1024];
    static struct range own[BOARD_MORE];
    struct recovery_verdict v;
    struct ack_sample s;
    struct pool ranges;

    (void)state;
    pool_init(&ranges, mem, sizeof(mem), sizeof(struct range));
    for (unsigned gib = 0; gib < 16; gib++) {
        board_init(&f.board, &ranges, own, 1);
        recovery_init(&f.recovery, 0);
        s = (struct ack_sample){.mss = MSS, .una = 1, .nxt = 1};
        for (uint32_t i = 0; i < gib * 1024; i++) {
            s.una += 1 << 20;
            board_sent(&f.board, s.now++, s.nxt, s.una + 10 * MSS);
            s.nxt = s.una + 10 * MSS;
            s.acked = 1 << 20;
            recovery_on_ack(&f, &s, &v);
        }
        s.acked = 0;
        board_sent(&f.board, s.now, s.nxt, s.una + 10 * MSS);
        s.nxt = s.una + 10 * MSS;
        s.duplicate = true;
        for (unsigned i = 0; i < 3; i++) {
            assert_int_equal(f.recovery.phase, RECOVERY_OPEN);
            recovery_on_ack(&f, &s, &v);
        }
        assert_true(v.entered);
    }
}

/* Karn again: a retransmission spoils the sample of what was in flight beside it. */
static void rfc6298_3_no_sample_across_a_retransmission(void **state)
{
    (void)state;
    to_ten_in_flight();
    for (unsigned i = 0; i < 7; i++)
        ack_segments(0);
    expect_segments(0, 1);
    while (rig_take())
        continue;
    ack_segments(4);
    expect_segments(4, 5);
    advance(100 * MSEC);
    counted(RTT_SAMPLE, 1);
    inject(ACK, 1, tcb()->snd_nxt - flow.iss, FULL_WND, 0);
    counted(RTT_SAMPLE, 1);
    end();
}

/* The first of several segments in flight is timed, not the last. */
static void one_segment_is_timed(void **state)
{
    (void)state;
    begin_flight();
    app_send(2 * MSS);
    expect_segments(0, 1);
    advance(50 * MSEC);
    expect_segments(1, 2);
    advance(50 * MSEC);
    ack_segments(2);
    assert_int_equal(tcb()->rtt.srtt, 100 * MSEC);
    end();
}

/* RFC 6582 3.2 step 2: duplicates of what ended a recovery come from that recovery. */
static void rfc6582_3_2_step_2_no_second_reduction_for_one_window(void **state)
{
    uint32_t recover;

    (void)state;
    to_ten_in_flight();
    for (unsigned i = 0; i < 3; i++)
        ack_segments(0);
    expect_segments(0, 1);
    while (rig_take())
        continue;
    recover = tcb()->snd_nxt - flow.iss;
    inject(ACK, 1, recover, FULL_WND, 0);
    counted(LOSS_REPAIRED, 1);
    while (rig_take())
        continue;
    for (unsigned i = 0; i < 5; i++)
        inject(ACK, 1, recover, FULL_WND, 0);
    counted(LOSS_DETECTED, 1);
    end();
}

/* MUST-19: RFC 5681 3.1: from ssthresh on one segment for each window that is acknowledged. */
static void rfc5681_3_1_congestion_avoidance(void **state)
{
    static uint64_t priv[CC_PRIV_WORDS];
    struct cc cc;
    struct cc_sample s = {.acked = MSS, .mss = MSS, .cwnd_limited = true};

    (void)state;
    cc_reno.init(&cc, MSS);
    cc.priv = priv;
    cc.ssthresh = cc.cwnd - 1;
    for (uint32_t round = 10; round < 20; round++)
        for (uint32_t i = 0; i < round; i++) {
            assert_int_equal(cc.cwnd, round * MSS);
            cc_reno.on_ack(&cc, &s);
        }
    assert_int_equal(cc.cwnd, 20 * MSS);
}

/* ---- losses found by time (RFC 8985) ---- */

/*
 * Step 1 of RACK_detect_loss: the first round trip there is counts for the window of the very
 * acknowledgment that ends it. Of a SYN-ACK that was sent twice there was none (Karn).
 */
static void rfc8985_6_2_step_1_the_first_round_trip(void **state)
{
    const struct tcp_options sack = {.has_mss = true, .mss = MSS, .sack_ok = true};

    (void)state;
    defaults();
    rig.cfg.tcp.sack = true;
    begin();
    app_listen(1);
    rig_inject(SYN, 0, 0, FULL_WND, 0, &sack);
    rig_expect_syn(SYN | ACK);
    advance(SEC);
    rig_expect_syn(SYN | ACK);
    inject(ACK, 1, 1, FULL_WND, 0);
    rig_event(EV_ACCEPTED);
    app_send(2 * MSS);
    expect_segments(0, 2);
    advance(40 * MSEC);
    inject_opt(ACK, 1, 1, FULL_WND, .sack_n = 1,
               .sack = {{flow.iss + 1 + MSS, flow.iss + 1 + 2 * MSS}});
    inject_opt(ACK, 1, 1, FULL_WND, .sack_n = 1,
               .sack = {{flow.iss + 1 + MSS, flow.iss + 1 + 2 * MSS}});
    expect_silence(10 * MSEC); /* a quarter of it */
    expect_segments(0, 1);
    expect_why(REASON_SEND_RACK);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc5681_3_1_initial_window_and_slow_start),
        cmocka_unit_test(rfc3465_2_3_a_stretched_ack_opens_two_segments),
        cmocka_unit_test(an_unused_window_does_not_grow),
        cmocka_unit_test(go_back_n),
        cmocka_unit_test(go_back_n_of_a_small_flight),
        cmocka_unit_test(rfc5681_3_2_flight_size_of_a_batch),
        cmocka_unit_test(rfc5681_3_1_ssthresh_is_halved_once),
        cmocka_unit_test(a_lost_fin),
        cmocka_unit_test(rfc6582_3_2_step_2_fast_retransmit),
        cmocka_unit_test(rfc6582_3_2_step_3_partial_acks),
        cmocka_unit_test(rfc6582_3_2_step_4_no_fast_retransmit_after_a_timeout),
        cmocka_unit_test(a_lost_retransmission),
        cmocka_unit_test(rfc5681_2_what_is_no_duplicate),
        cmocka_unit_test(recovery_over_gigabytes),
        cmocka_unit_test(rfc6298_3_no_sample_across_a_retransmission),
        cmocka_unit_test(one_segment_is_timed),
        cmocka_unit_test(rfc6582_3_2_step_2_no_second_reduction_for_one_window),
        cmocka_unit_test(rfc5681_3_1_congestion_avoidance),
        cmocka_unit_test(rfc8985_6_2_step_1_the_first_round_trip),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
