/*
 * Repair by selective acknowledgments alone: the algorithms of RFC 6675, with RACK, its probes and
 * PRR off. Segments as they leave and arrive.
 *
 * Ten full segments are in flight, numbered from 0; the round trip is 100 ms, so RTO is 300 ms.
 * Reno halves: after the loss of ten cwnd is five.
 */
#include "flight_kit.h"

static uint32_t lost(void)
{
    return tcb()->flight->board.lost;
}

static uint32_t pipe_now(void)
{
    return recovery_pipe(tcb()->flight, MSS);
}

/* The first is lost, and what is behind it arrives, one by one up to `end`; nothing new to send. */
static void first_lost(uint32_t end)
{
    ten_in_flight(0);
    for (uint32_t i = 2; i <= end; i++) {
        sack_segments(0, 1, i);
        if (i == 4)
            again(0, SACK);
        expect_nothing();
    }
    counted(LOSS_DETECTED, 1);
}

/* ---- RFC 6675 section 4: IsLost ---- */

/* DupThresh discontiguous sequences have arrived above, however small. */
static void rfc6675_4_is_lost_by_three_sequences(void **state)
{
    (void)state;
    ten_in_flight(0);
    heard(0, {2 * MSS, 2 * MSS + 100}, {3 * MSS, 3 * MSS + 100});
    assert_int_equal(lost(), 0);
    heard(0, {4 * MSS, 4 * MSS + 100}, {3 * MSS, 3 * MSS + 100}, {2 * MSS, 2 * MSS + 100});
    assert_int_equal(lost(), 2 * MSS); /* above the rest of 2 there are two */
    end();
}

/* Pieces of one sequence are one, also where a block begins inside another. */
static void rfc6675_4_is_lost_counts_sequences(void **state)
{
    (void)state;
    ten_in_flight(0);
    heard(0, {2 * MSS, 2 * MSS + 100}, {2 * MSS + 50, 2 * MSS + 200},
          {2 * MSS + 150, 2 * MSS + 300}, {2 * MSS + 250, 2 * MSS + 400});
    assert_int_equal(tcb()->flight->board.sacked, 400);
    assert_int_equal(lost(), 0);
    heard(0, {3 * MSS, 3 * MSS + 100}, {2 * MSS + 50, 2 * MSS + 200}, {5 * MSS, 5 * MSS + 100});
    assert_int_equal(lost(), 2 * MSS);
    end();
}

/* More than (DupThresh - 1) * SMSS bytes have arrived above, in one sequence. */
static void rfc6675_4_is_lost_by_bytes(void **state)
{
    (void)state;
    ten_in_flight(0);
    heard(0, {3 * MSS, 5 * MSS});
    assert_int_equal(lost(), 0);
    heard(0, {3 * MSS, 5 * MSS + 1});
    assert_int_equal(lost(), 3 * MSS);
    end();
}

/* ---- SetPipe ---- */

/* What flies: not what arrived, not what is lost, but what was sent again. */
static void rfc6675_4_set_pipe(void **state)
{
    (void)state;
    ten_in_flight(0);
    assert_int_equal(pipe_now(), 10 * MSS);
    heard(0, SEGS(1, 2));
    assert_int_equal(pipe_now(), 9 * MSS);
    heard(0, SEGS(4, 7), SEGS(1, 2)); /* 0, 2 and 3 are lost */
    assert_int_equal(lost(), 3 * MSS);
    assert_int_equal(pipe_now(), 3 * MSS);
    again(0, SACK);
    assert_int_equal(pipe_now(), 4 * MSS);
    again(2, SACK);
    assert_int_equal(pipe_now(), 5 * MSS);
    expect_nothing();     /* cwnd is five */
    heard(2, SEGS(4, 7)); /* 0 came; 3 waits, and may go now */
    assert_int_equal(pipe_now(), 4 * MSS);
    again(3, SACK);
    assert_int_equal(pipe_now(), 5 * MSS);
    end();
}

/* ---- NextSeg ---- */

/* Rule (1): what is lost, in order, and each once. */
static void rfc6675_4_next_seg_1(void **state)
{
    (void)state;
    ten_in_flight(30);
    heard(0, SEGS(6, 9), SEGS(4, 5), SEGS(2, 3));
    again(0, SACK);
    again(1, SACK);
    again(3, SACK);
    again(5, SACK);
    expect_nothing(); /* with 9 they are five */
    heard(0, SEGS(6, 10), SEGS(4, 5), SEGS(2, 3));
    expect_segments(10, 11); /* nothing twice, but (2) new data */
    expect_why(REASON_SEND_DATA);
    expect_nothing();
    end();
}

/* Rule (2) before rule (3): new data, where there is some, and not what may yet arrive. */
static void rfc6675_4_next_seg_2(void **state)
{
    (void)state;
    ten_in_flight(30);
    sack_segments(0, 1, 2);
    expect_segments(10, 11);
    sack_segments(0, 1, 3);
    expect_segments(11, 12);
    sack_segments(0, 1, 4);
    again(0, SACK);
    sack_segments(0, 1, 7); /* six fly, and cwnd is half of ten */
    expect_nothing();
    heard(0, SEGS(8, 10), SEGS(1, 7));
    expect_segments(12, 13);
    expect_why(REASON_SEND_DATA);
    expect_nothing();
    end();
}

/* Rule (3): there is nothing new; what lies below what arrived goes again, lost or not. */
static void rfc6675_4_next_seg_3(void **state)
{
    (void)state;
    first_lost(7);
    heard(0, SEGS(8, 9), SEGS(1, 7));
    assert_int_equal(lost(), 0);
    again(7, RESCUE);
    expect_nothing();
    heard(0, SEGS(8, 9), SEGS(1, 7)); /* it says nothing new: 7 is not sent a third time */
    expect_nothing();
    ack_segments(10);
    counted(LOSS_REPAIRED, 1);
    assert_int_equal(tcb()->retransmits, 2);
    end();
}

/* One for each acknowledgment: it counts in the pipe already, so cwnd would not hold it back. */
static void rfc6675_4_next_seg_3_one_by_one(void **state)
{
    (void)state;
    first_lost(6);
    heard(0, SEGS(8, 9), SEGS(1, 6));
    again(6, RESCUE);
    expect_nothing();
    heard(0, SEGS(8, 9), SEGS(1, 6));
    again(7, RESCUE);
    expect_nothing();
    end();
}

/* The same where new data waits, and the remote end has no room for it. */
static void rfc6675_4_next_seg_3_no_window(void **state)
{
    struct tcp_options opt = {.sack_n = 2};

    (void)state;
    first_lost(7);
    app_send(2 * MSS);
    opt.sack[0] = (struct tcp_sack_block){flow.iss + 1 + 8 * MSS, flow.iss + 1 + 9 * MSS};
    opt.sack[1] = (struct tcp_sack_block){flow.iss + 1 + MSS, flow.iss + 1 + 7 * MSS};
    expect_segments(10, 11); /* there was room for one */
    rig_inject(ACK, 1, 1, 10 * MSS, 0, &opt);
    again(7, RESCUE);
    expect_nothing();
    end();
}

/*
 * Rule (4): the tail, once in a recovery, when its first retransmission and more has arrived; and
 * what that tells lets the rest be repaired without a timeout.
 */
static void rfc6675_4_next_seg_4(void **state)
{
    (void)state;
    ten_in_flight(0);
    heard(0, SEGS(2, 5)); /* 0 and 1 are lost, and so will be 8 and 9 */
    again(0, SACK);
    expect_nothing();
    heard(0, SEGS(2, 7));
    again(1, SACK);
    heard(0, SEGS(2, 8));
    expect_nothing(); /* 0 is not here yet */
    heard(1, SEGS(2, 8));
    expect_nothing(); /* nor is anything beyond it */
    ack_segments(8);
    again(9, RESCUE);
    expect_nothing();
    ack_segments(8);
    expect_nothing(); /* once */
    heard(8, SEGS(9, 10));
    again(8, RESCUE); /* by rule (3) */
    ack_segments(10);
    counted(LOSS_REPAIRED, 1);
    counted(RTO_EXPIRED, 0);
    end();
}

/* A recovery is over; then cwnd grows, until `flight` segments are out. Returns the first. */
static uint32_t regain(uint32_t flight)
{
    uint32_t una;

    do {
        while (rig_take_tcp())
            continue;
        una = (tcb()->snd_una - flow.iss - 1) / MSS;
        if (tcb()->snd_nxt - tcb()->snd_una < flight * MSS)
            ack_segments(++una);
    } while (tcb()->snd_nxt - tcb()->snd_una < flight * MSS);
    return una;
}

/* The next recovery has a rescue of its own. */
static void rfc6675_4_next_seg_4_each_recovery(void **state)
{
    (void)state;
    ten_in_flight(0);
    heard(0, SEGS(1, 9));
    again(0, SACK);
    expect_nothing();
    ack_segments(9);
    again(9, RESCUE);
    ack_segments(10);
    counted(LOSS_REPAIRED, 1);
    app_send(8 * MSS);
    assert_int_equal(regain(5), 13); /* and there is nothing more */
    heard(13, SEGS(14, 17));
    again(13, SACK);
    expect_nothing();
    counted(LOSS_DETECTED, 2);
    ack_segments(17);
    again(17, RESCUE);
    end();
}

/* With RACK there is no last resort: the tail is probed instead. */
static void rfc6675_4_next_seg_not_with_rack(void **state)
{
    (void)state;
    ten_with_rack();
    advance(10 * MSEC);
    heard(0, SEGS(8, 9), SEGS(1, 7));
    advance(100 * MSEC);
    while (rig_take_tcp())
        assert_int_equal(rig.why, REASON_SEND_RACK);
    heard(0, SEGS(8, 9), SEGS(1, 7));
    ack_segments(7);
    while (rig_take_tcp())
        assert_int_equal(rig.why, REASON_SEND_RACK);
    end();
}

/* ---- section 5 ---- */

/* (2): the third duplicate, where the blocks say little; (4.3): it goes however much flies. */
static void rfc6675_5_step_2_third_duplicate(void **state)
{
    (void)state;
    ten_in_flight(30);
    for (uint32_t i = 1; i <= 2; i++) {
        heard(0, {MSS, MSS + 10 * i});
        expect_nothing(); /* (3.3): less than a segment has left */
        counted(LOSS_DETECTED, 0);
    }
    heard(0, {MSS, MSS + 30});
    again(0, FAST_RETRANSMIT);
    expect_nothing();
    counted(LOSS_DETECTED, 1);
    assert_int_equal(tcb()->cc.ssthresh, 5 * MSS);
    end();
}

/* (3): before the third, where IsLost says so. */
static void rfc6675_5_step_3_first_is_lost(void **state)
{
    (void)state;
    ten_in_flight(30);
    heard(0, SEGS(1, 4));
    again(0, SACK);
    counted(LOSS_DETECTED, 1);
    end();
}

/* (3.3): one new segment for each that has left, and cwnd stays. */
static void rfc6675_5_step_3_3_limited_transmit(void **state)
{
    (void)state;
    ten_in_flight(30);
    heard(0, SEGS(1, 2));
    expect_segments(10, 11);
    expect_nothing();
    heard(0, SEGS(1, 3));
    expect_segments(11, 12);
    expect_nothing();
    assert_int_equal(tcb()->cc.cwnd, 10 * MSS);
    counted(LOSS_DETECTED, 0);
    end();
}

/* (4.2): half of what is outstanding, limited transmit included; (C): one for each that leaves. */
static void rfc6675_5_step_4_2_and_c(void **state)
{
    (void)state;
    ten_in_flight(30);
    for (uint32_t i = 2; i <= 4; i++)
        sack_segments(0, 1, i);
    again(0, SACK); /* the output of three acknowledgments together */
    expect_nothing();
    assert_int_equal(tcb()->cc.ssthresh, 5 * MSS);
    for (uint32_t i = 5; i <= 6; i++) {
        sack_segments(0, 1, i);
        expect_nothing(); /* seven, six, five fly */
    }
    for (uint32_t i = 7; i <= 10; i++) {
        sack_segments(0, 1, i);
        expect_segments(3 + i, 4 + i);
        expect_nothing();
        assert_int_equal(pipe_now(), 5 * MSS);
    }
    end();
}

/* (A): RecoveryPoint is HighData of the beginning; a byte less does not end it. */
static void rfc6675_5_step_a_recovery_point(void **state)
{
    (void)state;
    ten_in_flight(30);
    heard(0, SEGS(1, 4));
    again(0, SACK);
    heard(0, SEGS(1, 8));
    expect_segments(10, 12);
    expect_nothing();
    inject(ACK, 1, 10 * MSS, FULL_WND, 0);
    counted(LOSS_REPAIRED, 0);
    inject(ACK, 1, 1 + 10 * MSS, FULL_WND, 0);
    counted(LOSS_REPAIRED, 1);
    assert_int_equal(tcb()->cc.ssthresh, 5 * MSS);
    end();
}

/* (B): within it further losses are repaired, and cwnd is not reduced again. */
static void rfc6675_5_step_b_a_second_loss(void **state)
{
    (void)state;
    ten_in_flight(30);
    heard(0, SEGS(1, 4));
    again(0, SACK);
    expect_nothing();
    heard(4, SEGS(5, 8)); /* 4, 8 and 9; it is lost, too */
    again(4, SACK);
    expect_segments(10, 12);
    expect_nothing();
    counted(LOSS_DETECTED, 1);
    assert_int_equal(tcb()->cc.cwnd, 5 * MSS);
    end();
}

/* After its end the next loss begins another, with another reduction. */
static void rfc6675_5_the_next_recovery(void **state)
{
    uint32_t una;

    (void)state;
    ten_in_flight(30);
    heard(0, SEGS(1, 4));
    again(0, SACK);
    ack_segments(10);
    counted(LOSS_REPAIRED, 1);
    una = regain(5);
    heard(una, SEGS(una + 1, una + 5));
    again(una, SACK);
    counted(LOSS_DETECTED, 2);
    end();
}

/* ---- section 5.1: a timeout in a recovery ---- */

/*
 * The retransmission is lost: the timeout ends the recovery. What was reported is still used, and
 * no further recovery begins below the new RecoveryPoint.
 */
static void rfc6675_5_1_timeout(void **state)
{
    (void)state;
    first_lost(7);
    heard(0, SEGS(8, 9), SEGS(1, 7));
    again(7, RESCUE);
    advance(tcb()->timer[TIMER_RTX] - rig.now);
    again(0, RTO);
    expect_nothing();
    assert_int_equal(tcb()->cc.cwnd, MSS);
    assert_int_equal(tcb()->flight->recovery.phase, RECOVERY_RTO);
    ack_segments(7); /* 1 to 6 are not sent again; nor is 8, which is reported */
    again(7, RTO);
    again(9, RTO);
    expect_nothing();
    counted(LOSS_DETECTED, 1);
    counted(LOSS_REPAIRED, 0);
    ack_segments(10);
    counted(LOSS_REPAIRED, 1);
    end();
}

/* Duplicates up to the new RecoveryPoint begin no recovery, those beyond it do. */
static void rfc6675_5_1_no_recovery_below(void **state)
{
    (void)state;
    ten_in_flight(30);
    advance(tcb()->timer[TIMER_RTX] - rig.now);
    again(0, RTO);
    heard(0, SEGS(2, 3), SEGS(4, 5), SEGS(6, 9));
    counted(LOSS_DETECTED, 0);
    assert_int_equal(tcb()->cc.ssthresh, 5 * MSS);
    ack_segments(10);
    counted(LOSS_REPAIRED, 1);
    while (rig_take_tcp())
        continue;
    app_send(10 * MSS);
    while (rig_take_tcp())
        continue;
    ack_segments(11);
    while (rig_take_tcp())
        continue;
    heard(11, SEGS(12, 13));
    heard(11, SEGS(12, 14));
    while (rig_take_tcp())
        continue;
    heard(11, SEGS(12, 15));
    again(11, SACK);
    counted(LOSS_DETECTED, 1);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc6675_4_is_lost_by_three_sequences),
        cmocka_unit_test(rfc6675_4_is_lost_counts_sequences),
        cmocka_unit_test(rfc6675_4_is_lost_by_bytes),
        cmocka_unit_test(rfc6675_4_set_pipe),
        cmocka_unit_test(rfc6675_4_next_seg_1),
        cmocka_unit_test(rfc6675_4_next_seg_2),
        cmocka_unit_test(rfc6675_4_next_seg_3),
        cmocka_unit_test(rfc6675_4_next_seg_3_one_by_one),
        cmocka_unit_test(rfc6675_4_next_seg_3_no_window),
        cmocka_unit_test(rfc6675_4_next_seg_4),
        cmocka_unit_test(rfc6675_4_next_seg_4_each_recovery),
        cmocka_unit_test(rfc6675_4_next_seg_not_with_rack),
        cmocka_unit_test(rfc6675_5_step_2_third_duplicate),
        cmocka_unit_test(rfc6675_5_step_3_first_is_lost),
        cmocka_unit_test(rfc6675_5_step_3_3_limited_transmit),
        cmocka_unit_test(rfc6675_5_step_4_2_and_c),
        cmocka_unit_test(rfc6675_5_step_a_recovery_point),
        cmocka_unit_test(rfc6675_5_step_b_a_second_loss),
        cmocka_unit_test(rfc6675_5_the_next_recovery),
        cmocka_unit_test(rfc6675_5_1_timeout),
        cmocka_unit_test(rfc6675_5_1_no_recovery_below),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
