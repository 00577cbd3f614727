/*
 * RACK-TLP in a connection (RFC 8985): its example, and what its algorithms do to segments that
 * leave and arrive. rack_test.c has the arithmetic. The round trip is 100 ms, so a probe of the
 * tail is due after 200 ms and the reordering window, a quarter, is 25 ms; Reno, without PRR.
 */
#include "flight_kit.h"

static const int64_t trip = 100 * MSEC, window = 25 * MSEC;

/* `segments` leave; the last of the window, where there are ten. */
static void in_flight(uint32_t segments)
{
    configure();
    rig.cfg.tcp.rack = rig.cfg.tcp.tlp = true;
    begin_with(&with_sack);
    app_send(segments * MSS);
    expect_segments(0, segments < 10 ? segments : 10);
    expect_nothing();
}

/* Of ten the second arrives; after the window the first is sent again. */
static void the_first_of_ten_is_late(void)
{
    in_flight(10);
    advance(trip);
    heard(0, SEGS(1, 2));
    expect_silence(window);
    again(0, RACK);
}

/*
 * Section 3.4, figure 1: of four segments the last three are lost, and so is a retransmission. A
 * probe and time find it all, and the timer never expires.
 */
static void rfc8985_3_4_a_tail_and_a_repair_are_lost(void **state)
{
    (void)state;
    in_flight(4);
    advance(trip);
    ack_segments(1);
    expect_silence(2 * trip);
    again(3, TLP);
    advance(trip);
    heard(1, SEGS(3, 4));
    expect_silence(window);
    again(1, RACK);
    again(2, RACK);
    advance(trip);
    heard(1, SEGS(2, 4)); /* of the two the first is lost again */
    expect_silence(window);
    again(1, RACK);
    advance(trip);
    ack_segments(4);
    counted(LOSS_DETECTED, 1);
    counted(LOSS_REPAIRED, 1);
    counted(RTO_EXPIRED, 0);
    end();
}

/*
 * Section 7.2: a loss is found while a probe flies, and has arrived after all before anything left
 * again. The probe is still the tail, and no second one follows it: RTX waits for its answer.
 */
static void rfc8985_7_2_one_probe_for_a_tail(void **state)
{
    (void)state;
    in_flight(5);
    tcb()->flight->rack.order_kept = true; /* as an earlier recovery has it */
    expect_silence(2 * trip);
    again(4, TLP);
    advance(10 * MSEC);
    heard(0, SEGS(1, 4));
    ack_segments(4); /* in the same batch */
    assert_int_equal(flight_phase(tcb()->flight), RECOVERY_FAST);
    expect_silence(tcb()->rtt.rto - MSEC);
    expect_silence(MSEC - 1);
    counted(PTO_EXPIRED, 1);
    counted(RTO_EXPIRED, 0);
    end();
}

/*
 * Section 3.5: a segment, and just before its timer expires two more; nothing is lost. Without RACK
 * the acknowledgment of the first would have the others sent again. No probe, and no other witness.
 */
static void rfc8985_3_5_a_spurious_timeout(void **state)
{
    (void)state;
    configure();
    rig.cfg.tcp.rack = true;
    rig.cfg.tcp.tlp = rig.cfg.tcp.frto = rig.cfg.tcp.undo = false;
    begin_with(&with_sack);
    app_send(MSS);
    expect_segments(0, 1);
    advance(trip);
    ack_segments(1);
    app_send(MSS);
    expect_segments(1, 2);
    advance(tcb()->rtt.rto - 10 * MSEC);
    app_send(2 * MSS);
    expect_segments(2, 4);
    expect_silence(10 * MSEC);
    again(1, RTO);
    advance(MSEC);
    ack_segments(2);
    expect_silence(trip - 11 * MSEC);
    ack_segments(4);
    expect_silence(SEC);
    assert_int_equal(tcb()->retransmits, 1);
    end();
}

/*
 * Section 6.2 step 1 comes before step 2: the first round trip that is known says that the probe
 * cannot have been answered so soon, though the same acknowledgment reports both.
 */
static void three_of_no_known_round_trip(bool tlp)
{
    configure();
    rig.cfg.tcp.sack = rig.cfg.tcp.rack = true;
    rig.cfg.tcp.tlp = tlp;
    begin();
    app_listen(1);
    rig_inject(SYN, 0, 0, FULL_WND, 0, &with_sack);
    rig_expect_syn(SYN | ACK);
    advance(SEC);
    rig_expect_syn(SYN | ACK); /* of a SYN that left twice nothing is measured */
    inject(ACK, 1, 1, FULL_WND, 0);
    rig_event(EV_ACCEPTED);
    app_send(3 * MSS);
    expect_segments(0, 3);
}

static void nothing_was_overtaken_in(int64_t round_trip)
{
    assert_true(tcb()->flight->rack.rtt == round_trip);
    assert_true(tcb()->flight->timer[FLIGHT_REO] == TIME_NEVER);
    end();
}

static void rfc8985_6_2_step_1_the_first_round_trip(void **state)
{
    (void)state;
    three_of_no_known_round_trip(true);
    expect_silence(SEC);
    again(2, TLP);
    advance(10 * MSEC);
    heard(1, SEGS(2, 3));
    nothing_was_overtaken_in(SEC + 10 * MSEC);
    three_of_no_known_round_trip(false);
    expect_silence(3 * SEC);
    again(0, RTO);
    advance(10 * MSEC);
    ack_segments(2); /* what was sent once comes second */
    nothing_was_overtaken_in(3 * SEC + 10 * MSEC);
}

/* Section 6.2 step 5: what was overtaken has the window to arrive ... */
static void rfc8985_6_2_step_5_the_reordering_timer(void **state)
{
    (void)state;
    the_first_of_ten_is_late();
    expect_nothing();
    counted(REO_EXPIRED, 1);
    end();
}

/* ... and where it does, however late and behind however many, nothing is sent again. */
static void rfc8985_6_2_step_5_in_time(void **state)
{
    (void)state;
    in_flight(10);
    advance(trip);
    heard(0, SEGS(1, 9));
    expect_silence(window - 1);
    ack_segments(9);
    expect_silence(10 * MSEC);
    counted(LOSS_DETECTED, 0);
    assert_int_equal(tcb()->retransmits, 0);
    end();
}

/* Section 6.2 step 4: a report of a duplicate makes the window twice as long. */
static void rfc8985_6_2_step_4_a_duplicate_widens_the_window(void **state)
{
    (void)state;
    the_first_of_ten_is_late();
    ack_segments(2); /* it had only been late, and so it arrives twice */
    advance(trip);
    sack_segments(2, 0, 1);
    heard(2, SEGS(3, 4));
    expect_silence(2 * window);
    again(2, RACK);
    end();
}

/* Section 6.3: the timer takes what is late for lost, and not what left a moment ago. */
static void rfc8985_6_3_a_timeout_spares_what_just_left(void **state)
{
    int64_t later;

    (void)state;
    configure();
    rig.cfg.tcp.rack = true;
    begin_with(&with_sack);
    app_send(MSS);
    expect_segments(0, 1);
    advance(trip);
    ack_segments(1);
    app_send(MSS);
    expect_segments(1, 2);
    later = tcb()->timer[TIMER_RTX] - rig.now - 20 * MSEC;
    advance(later);
    app_send(MSS);
    expect_segments(2, 3);
    expect_silence(20 * MSEC);
    again(1, RTO);
    assert_int_equal(tcb()->flight->board.lost, 0);
    assert_int_equal(tcb()->flight->board.fresh, MSS);
    ack_segments(3);
    assert_int_equal(tcb()->retransmits, 1);
    end();
}

/* Section 7.2: a lone segment's acknowledgment may be delayed; but never later than the timer. */
static void rfc8985_7_2_no_later_than_the_timer(void **state)
{
    (void)state;
    in_flight(1);
    expect_silence(300 * MSEC);
    again(0, TLP);
    counted(RTO_EXPIRED, 0);
    end();
}

/* Section 7.2: where something has arrived behind a gap, RACK's time runs, and no probe's. */
static void rfc8985_7_2_none_behind_a_gap(void **state)
{
    (void)state;
    in_flight(10);
    assert_int_equal(tcb()->flight->timer[FLIGHT_PTO], rig.now + 2 * trip);
    heard(0, SEGS(1, 2));
    assert_true(tcb()->flight->timer[FLIGHT_PTO] == TIME_NEVER);
    end();
}

/*
 * Section 7.2 leaves the repair of a loss to RTX. Here one is probed: few segments fly then, and
 * the one acknowledgment that answers them may be lost.
 */
static void rfc8985_7_2_a_repair_is_probed(void **state)
{
    (void)state;
    the_first_of_ten_is_late();
    expect_nothing();
    assert_true(tcb()->flight->board.fresh > 0);
    assert_true(tcb()->flight->timer[FLIGHT_PTO] < tcb()->timer[TIMER_RTX]);
    expect_silence(tcb()->flight->timer[FLIGHT_PTO] - rig.now);
    again(9, TLP);
    counted(RTO_EXPIRED, 0);
    end();
}

/* Section 7.3: new data goes, be it a segment beyond cwnd; else the last segment again; once. */
static void rfc8985_7_3_what_is_sent(void **state)
{
    (void)state;
    for (uint32_t more = 0; more < 2; more++) {
        in_flight(10 + more);
        expect_silence(2 * trip);
        again(9 + more, TLP);
        expect_nothing();
        assert_int_equal(tcb()->retransmits, 1 - more);
        assert_true(tcb()->flight->timer[FLIGHT_PTO] == TIME_NEVER);
        end();
    }
}

/* Section 7.4.2: the probe repaired the loss, which is one all the same; or it came twice. */
static void rfc8985_7_4_2_repaired_or_for_nothing(void **state)
{
    (void)state;
    for (unsigned twice = 0; twice < 2; twice++) {
        in_flight(10);
        expect_silence(2 * trip);
        again(9, TLP);
        advance(trip);
        if (twice)
            heard(10, SEGS(9, 10));
        else
            ack_segments(10);
        app_send(MSS);
        expect_segments(10, 11);
        advance(trip);
        ack_segments(11);
        counted(TLP_REPAIRED, 1 - twice);
        assert_int_equal(tcb()->cc.ssthresh == CC_WINDOW_MAX, twice);
        end();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc8985_3_4_a_tail_and_a_repair_are_lost),
        cmocka_unit_test(rfc8985_7_2_one_probe_for_a_tail),
        cmocka_unit_test(rfc8985_3_5_a_spurious_timeout),
        cmocka_unit_test(rfc8985_6_2_step_1_the_first_round_trip),
        cmocka_unit_test(rfc8985_6_2_step_5_the_reordering_timer),
        cmocka_unit_test(rfc8985_6_2_step_5_in_time),
        cmocka_unit_test(rfc8985_6_2_step_4_a_duplicate_widens_the_window),
        cmocka_unit_test(rfc8985_6_3_a_timeout_spares_what_just_left),
        cmocka_unit_test(rfc8985_7_2_no_later_than_the_timer),
        cmocka_unit_test(rfc8985_7_2_none_behind_a_gap),
        cmocka_unit_test(rfc8985_7_2_a_repair_is_probed),
        cmocka_unit_test(rfc8985_7_3_what_is_sent),
        cmocka_unit_test(rfc8985_7_4_2_repaired_or_for_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
