/*
 * What was reduced for nothing is undone: F-RTO (RFC 5682), the Eifel detection (RFC 3522), D-SACK
 * (RFC 3708), the response to them (RFC 4015); and limited transmit (RFC 3042). Segments as they
 * leave and arrive; frto_test.c, undo_test.c and limited_test.c have the arithmetic.
 *
 * Ten segments are in flight, thirty more wait; the round trip is 100 ms, so RTO is 300 ms. Reno,
 * without RACK, so that what there is to see is seen alone.
 */
#include "flight_kit.h"

enum {
    NO_SSTHRESH = 1 << 30, /* bytes: what it is before any loss */
};

static void to_ten_in_flight(const struct tcp_options *opt)
{
    begin_with(opt);
    app_send(40 * MSS);
    expect_segments(0, 10);
    expect_nothing();
}

static void expire(void)
{
    expect_silence(300 * MSEC);
    expect_segments(0, 1);
    expect_why(REASON_SEND_RTO);
    expect_nothing();
    assert_int_equal(tcb()->cc.cwnd, MSS);
}

/* ---- F-RTO ---- */

/* All was late: two new segments instead of lost ones, then everything as before, no go-back-N. */
static void spurious(const struct tcp_options *opt)
{
    configure();
    to_ten_in_flight(opt);
    expire();
    advance(50 * MSEC);
    ack_segments(1);
    counted(FRTO_TRIED, 1);
    expect_segments(10, 12);
    expect_why(REASON_SEND_DATA);
    expect_nothing();
    ack_segments(2);
    counted(UNDO_FRTO, 1);
    assert_int_equal(tcb()->cc.cwnd, 10 * MSS);
    assert_int_equal(tcb()->cc.ssthresh, NO_SSTHRESH);
    assert_int_equal(flight_phase(tcb()->flight), RECOVERY_OPEN);
    expect_nothing(); /* ten are in flight */
    for (uint32_t i = 3; i <= 12; i++) {
        ack_segments(i);
        while (rig_take_tcp())
            rig_reason("what leaves", rig.why, REASON_SEND_DATA);
    }
    assert_int_equal(tcb()->retransmits, 1);
    counted(UNDO_FRTO, 1);
    end();
}

static void rfc5682_2_1_spurious_timeout(void **state)
{
    (void)state;
    spurious(&mss_only);
}

static void rfc5682_3_1_spurious_timeout(void **state)
{
    (void)state;
    spurious(&with_sack);
}

/* It is a loss: only what is new arrives. What was lost goes again, and cwnd stays reduced. */
static void rfc5682_2_1_real_timeout(void **state)
{
    (void)state;
    configure();
    to_ten_in_flight(&mss_only);
    expire();
    ack_segments(1);
    expect_segments(10, 12);
    expect_nothing();
    ack_segments(1); /* the duplicate that the first new one causes */
    expect_segments(1, 2);
    expect_why(REASON_SEND_RTO);
    counted(UNDO_FRTO, 0);
    assert_int_equal(tcb()->cc.ssthresh, 5 * MSS);
    assert_true(tcb()->cc.cwnd <= 3 * MSS);
    end();
}

static void rfc5682_3_1_real_timeout(void **state)
{
    (void)state;
    configure();
    to_ten_in_flight(&with_sack);
    expire();
    ack_segments(1);
    expect_segments(10, 12);
    sack_segments(1, 10, 11);
    expect_segments(1, 2);
    expect_why(REASON_SEND_RTO);
    counted(UNDO_FRTO, 0);
    assert_int_equal(tcb()->cc.ssthresh, 5 * MSS);
    end();
}

/* 3.1 step 3.b: what is late comes out of order, too. */
static void rfc5682_3_1_late_and_out_of_order(void **state)
{
    (void)state;
    configure();
    to_ten_in_flight(&with_sack);
    expire();
    ack_segments(1);
    expect_segments(10, 12);
    sack_segments(1, 5, 6);
    counted(UNDO_FRTO, 1);
    assert_int_equal(tcb()->cc.cwnd, 10 * MSS);
    expect_nothing(); /* eleven are outstanding, one has left the pipe; nothing is sent again */
    ack_segments(2);
    expect_segments(12, 14);
    expect_why(REASON_SEND_DATA);
    end();
}

/* Nothing new to send: what is lost goes again at once, as ever. */
static void rfc5682_2_1_step_2b_nothing_new(void **state)
{
    (void)state;
    configure();
    begin_with(&mss_only);
    app_send(10 * MSS);
    expect_segments(0, 10);
    expire();
    ack_segments(1);
    counted(FRTO_TRIED, 0);
    expect_segments(1, 3);
    expect_why(REASON_SEND_RTO);
    end();
}

/* One segment is enough for the question; until it is answered nothing lost goes. */
static void rfc5682_2_1_step_2b_one_new(void **state)
{
    (void)state;
    configure();
    begin_with(&mss_only);
    app_send(11 * MSS);
    expect_segments(0, 10);
    expire();
    ack_segments(1);
    expect_segments(10, 11);
    expect_nothing();
    ack_segments(2);
    counted(UNDO_FRTO, 1);
    end();
}

/* Too little for a segment, which Nagle holds back: as if there were nothing. */
static void rfc5682_2_1_step_2b_nothing_that_may_leave(void **state)
{
    (void)state;
    configure();
    begin_with(&mss_only);
    app_send(10 * MSS);
    expect_segments(0, 10);
    app_send(100);
    expect_nothing();
    expire();
    ack_segments(1);
    expect_segments(1, 3);
    expect_why(REASON_SEND_RTO);
    end();
}

/* Neither new segment is answered: the timer comes again, and all goes again. */
static void rfc5682_2_1_step_1_second_timeout(void **state)
{
    (void)state;
    configure();
    to_ten_in_flight(&mss_only);
    expire();
    ack_segments(1);
    expect_segments(10, 12);
    advance(tcb()->timer[TIMER_RTX] - rig.now);
    expect_segments(1, 2);
    expect_why(REASON_SEND_RTO);
    ack_segments(2);
    expect_segments(2, 4);
    expect_why(REASON_SEND_RTO);
    counted(FRTO_TRIED, 1);
    counted(UNDO_FRTO, 0);
    end();
}

/* The path stood still for longer than two timeouts: still the first segment alone went again. */
static void rfc5682_2_1_two_timeouts_and_late(void **state)
{
    (void)state;
    configure();
    to_ten_in_flight(&mss_only);
    expire();
    expect_silence(600 * MSEC);
    expect_segments(0, 1);
    ack_segments(1);
    expect_segments(10, 12);
    ack_segments(2);
    counted(UNDO_FRTO, 1);
    assert_int_equal(tcb()->cc.cwnd, 10 * MSS);
    assert_int_equal(tcb()->cc.ssthresh, NO_SSTHRESH);
    end();
}

/* Switched off: go-back-N. */
static void without_frto(void **state)
{
    (void)state;
    configure();
    rig.cfg.tcp.frto = false;
    to_ten_in_flight(&mss_only);
    expire();
    ack_segments(1);
    expect_segments(1, 3);
    expect_why(REASON_SEND_RTO);
    ack_segments(2);
    counted(UNDO_FRTO, 0);
    end();
}

/* Without undo F-RTO still spares go-back-N; the window stays reduced. */
static void without_undo(void **state)
{
    (void)state;
    configure();
    rig.cfg.tcp.undo = false;
    to_ten_in_flight(&mss_only);
    expire();
    ack_segments(1);
    expect_segments(10, 12);
    ack_segments(2);
    counted(UNDO_FRTO, 1);
    assert_int_equal(tcb()->cc.ssthresh, 5 * MSS);
    assert_true(tcb()->cc.cwnd <= 3 * MSS);
    ack_segments(12);
    assert_int_equal(tcb()->retransmits, 1);
    end();
}

/* ---- timestamps ---- */

static const struct tcp_options with_both = {
    .has_mss = true, .mss = MSS, .sack_ok = true, .has_timestamp = true, .ts_val = 1};
enum {
    TS_ROOM = 12, /* bytes that timestamps take from each segment */
    TS_MSS = MSS - TS_ROOM,
};

static uint32_t first_ts; /* of the first segment in flight */

static void to_ten_with_timestamps(void)
{
    begin_with(&with_both);
    app_send(40 * TS_MSS);
    for (uint32_t i = 0; i < 10; i++)
        rig_expect(ACK, 1 + i * TS_MSS, 1, TS_MSS);
    first_ts = rig.seg.opt.ts_val;
    expect_nothing();
}

#define ack_echo(n, echo, ...)                                                                     \
    inject_opt(ACK, 1, 1 + (n)*TS_MSS, FULL_WND, .has_timestamp = true, .ts_val = 200,             \
               .ts_ecr = (echo), __VA_ARGS__)

/* RFC 3522: the first acknowledgment after the timeout echoes the original. */
static void rfc3522_3_2_spurious_timeout(void **state)
{
    (void)state;
    configure();
    rig.cfg.tcp.frto = false;
    to_ten_with_timestamps();
    expect_silence(300 * MSEC);
    rig_expect(ACK, 1, 1, TS_MSS);
    advance(50 * MSEC);
    ack_echo(2, first_ts, .sack_n = 0);
    counted(UNDO_ECHO, 1);
    assert_int_equal(tcb()->cc.cwnd, 10 * TS_MSS);
    assert_int_equal(tcb()->cc.ssthresh, NO_SSTHRESH);
    for (uint32_t i = 10; i < 12; i++) /* as many as left; nothing again */
        expect(ACK, 1 + i * TS_MSS, 1, TS_MSS);
    assert_int_equal(tcb()->retransmits, 1);
    end();
}

/* It echoes the retransmission: that was needed. */
static void rfc3522_3_2_real_timeout(void **state)
{
    (void)state;
    configure();
    rig.cfg.tcp.frto = false;
    to_ten_with_timestamps();
    expect_silence(300 * MSEC);
    rig_expect(ACK, 1, 1, TS_MSS);
    ack_echo(2, rig.seg.opt.ts_val, .sack_n = 0);
    counted(UNDO_ECHO, 0);
    expect(ACK, 1 + 2 * TS_MSS, 1, TS_MSS);
    expect_why(REASON_SEND_RTO);
    assert_int_equal(tcb()->cc.ssthresh, 5 * TS_MSS);
    end();
}

/* A fast retransmit of what was only overtaken: the same. */
static void rfc3522_3_2_spurious_fast_retransmit(void **state)
{
    (void)state;
    configure();
    to_ten_with_timestamps();
    for (uint32_t i = 2; i <= 4; i++)
        ack_echo(0, first_ts, .sack_n = 1,
                 .sack = {{flow.iss + 1 + TS_MSS, flow.iss + 1 + i * TS_MSS}});
    while (rig_take_tcp())
        continue;
    counted(LOSS_DETECTED, 1);
    assert_int_equal(tcb()->retransmits, 1);
    advance(5 * MSEC);
    ack_echo(4, first_ts - 1, .sack_n = 0);
    counted(UNDO_ECHO, 1);
    assert_true(tcb()->cc.cwnd >= 10 * TS_MSS);
    assert_int_equal(tcb()->cc.ssthresh, NO_SSTHRESH);
    end();
}

/*
 * A timeout within the repair: the acknowledgment of the earlier retransmission is older than it,
 * and does not say that nothing was lost.
 */
static void rfc3522_3_2_timeout_within_a_repair(void **state)
{
    uint32_t fast_ts;

    (void)state;
    configure();
    to_ten_with_timestamps();
    advance(10 * MSEC);
    for (uint32_t i = 2; i <= 4; i++)
        ack_echo(0, first_ts, .sack_n = 1,
                 .sack = {{flow.iss + 1 + TS_MSS, flow.iss + 1 + i * TS_MSS}});
    rig_expect(ACK, 1, 1, TS_MSS);
    fast_ts = rig.seg.opt.ts_val;
    while (rig_take_tcp())
        continue;
    advance(tcb()->timer[TIMER_RTX] - rig.now);
    rig_expect(ACK, 1, 1, TS_MSS);
    expect_why(REASON_SEND_RTO);
    ack_echo(4, fast_ts, .sack_n = 0);
    counted(UNDO_ECHO, 0);
    expect(ACK, 1 + 4 * TS_MSS, 1, TS_MSS); /* the next one that is lost, and no silence */
    expect_why(REASON_SEND_RTO);
    end();
}

/*
 * Two reductions of one episode: a fast retransmit, and a timeout behind it. That neither was
 * needed shows, and what is taken back is the second: the window of after one loss.
 */
static void rfc4015_3_2_step_6_two_reductions(void **state)
{
    (void)state;
    configure();
    rig.cfg.tcp.frto = false;
    to_ten_with_timestamps();
    advance(10 * MSEC);
    for (uint32_t i = 2; i <= 4; i++)
        ack_echo(0, first_ts, .sack_n = 1,
                 .sack = {{flow.iss + 1 + TS_MSS, flow.iss + 1 + i * TS_MSS}});
    rig_expect(ACK, 1, 1, TS_MSS);
    while (rig_take_tcp())
        continue;
    assert_int_equal(tcb()->cc.ssthresh, 5 * TS_MSS);
    advance(tcb()->timer[TIMER_RTX] - rig.now);
    rig_expect(ACK, 1, 1, TS_MSS);
    expect_why(REASON_SEND_RTO);
    assert_int_equal(tcb()->cc.cwnd, TS_MSS);
    ack_echo(4, first_ts, .sack_n = 0);
    counted(UNDO_ECHO, 1);
    assert_int_equal(tcb()->cc.cwnd, 5 * TS_MSS);
    assert_int_equal(tcb()->cc.ssthresh, 5 * TS_MSS);
    end();
}

/* ---- D-SACK ---- */

/* Three were overtaken and sent again; the reports come, and the last one undoes it all. */
static void rfc2883_5_every_retransmission_came_twice(void **state)
{
    (void)state;
    configure();
    to_ten_in_flight(&with_sack);
    for (uint32_t i = 2; i <= 4; i++)
        sack_segments(0, 1, i);
    expect_segments(0, 1);
    expect_why(REASON_SEND_SACK);
    expect_nothing();
    ack_segments(10); /* all came; and so does the retransmission */
    counted(LOSS_REPAIRED, 1);
    assert_true(tcb()->cc.cwnd < 10 * MSS);
    while (rig_take_tcp())
        continue;
    sack_segments(10, 0, 1);
    counted(UNDO_DSACK, 1);
    assert_int_equal(tcb()->cc.ssthresh, NO_SSTHRESH);
    assert_true(tcb()->cc.cwnd >= 10 * MSS);
    end();
}

/* The same within the recovery; and with the switch off, or undo's, it is not done. */
static void dsack_in_a_recovery(bool dsack, bool undo, uint64_t undone)
{
    configure();
    rig.cfg.tcp.dsack = dsack;
    rig.cfg.tcp.undo = undo;
    to_ten_in_flight(&with_sack);
    for (uint32_t i = 2; i <= 4; i++)
        sack_segments(0, 1, i);
    while (rig_take_tcp())
        continue;
    ack_segments(4);
    sack_segments(4, 0, 1);
    counted(UNDO_DSACK, undone);
    if (undone)
        assert_int_equal(flight_phase(tcb()->flight), RECOVERY_OPEN);
    assert_int_equal(tcb()->cc.ssthresh == NO_SSTHRESH, undone == 1);
    end();
}

static void rfc3708_3_within_the_recovery(void **state)
{
    (void)state;
    dsack_in_a_recovery(true, true, 1);
    dsack_in_a_recovery(false, true, 0);
    dsack_in_a_recovery(true, false, 0);
}

/* Everything arrived before the retransmission could leave: nothing was lost. */
static void rfc4015_3_2_all_arrived_before(void **state)
{
    (void)state;
    configure();
    to_ten_in_flight(&with_sack);
    for (uint32_t i = 2; i <= 4; i++)
        sack_segments(0, 1, i);
    counted(LOSS_DETECTED, 1);
    ack_segments(10);
    counted(UNDO_ARRIVED, 1);
    assert_int_equal(tcb()->cc.ssthresh, NO_SSTHRESH);
    while (rig_take_tcp())
        continue;
    assert_int_equal(tcb()->retransmits, 0);
    end();
}

/* ---- RTO ---- */

/* RFC 4015 step 8: the first round trip of what was new after the timeout sets the estimate. */
static void rfc4015_3_2_step_8_rto(void **state)
{
    (void)state;
    configure();
    to_ten_in_flight(&mss_only);
    expire();
    advance(50 * MSEC);
    ack_segments(1);
    expect_segments(10, 12);
    ack_segments(2);
    counted(UNDO_FRTO, 1);
    assert_int_equal(tcb()->rtt.backoff, 1); /* until there is a round trip to learn from */
    ack_segments(10);
    while (rig_take_tcp())
        continue;
    advance(400 * MSEC);
    ack_segments(12);
    assert_int_equal(tcb()->rtt.srtt, 400 * MSEC);
    assert_int_equal(tcb()->rtt.rttvar, 200 * MSEC);
    assert_int_equal(tcb()->rtt.backoff, 0);
    assert_int_equal(tcb()->rtt.rto, 1200 * MSEC);
    end();
}

/* ---- limited transmit ---- */

/* RFC 3042 section 2: each of the first two duplicates releases a new segment; cwnd stays. */
static void limited(const struct tcp_options *opt)
{
    configure();
    to_ten_in_flight(opt);
    for (uint32_t i = 0; i < 2; i++) {
        if (opt->sack_ok)
            sack_segments(0, 1, 2 + i);
        else
            ack_segments(0);
        expect_segments(10 + i, 11 + i);
        expect_why(REASON_SEND_DATA);
        expect_nothing();
        assert_int_equal(tcb()->cc.cwnd, 10 * MSS);
    }
    end();
}

static void rfc3042_2_two_duplicates(void **state)
{
    (void)state;
    limited(&mss_only);
    limited(&with_sack);
}

static void without_limited_transmit(void **state)
{
    (void)state;
    for (unsigned sack = 0; sack < 2; sack++) {
        configure();
        rig.cfg.tcp.limited_transmit = false;
        to_ten_in_flight(sack ? &with_sack : &mss_only);
        for (uint32_t i = 0; i < 2; i++) {
            if (sack)
                sack_segments(0, 1, 2 + i);
            else
                ack_segments(0);
            expect_nothing();
        }
        end();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc5682_2_1_spurious_timeout),
        cmocka_unit_test(rfc5682_3_1_spurious_timeout),
        cmocka_unit_test(rfc5682_2_1_real_timeout),
        cmocka_unit_test(rfc5682_3_1_real_timeout),
        cmocka_unit_test(rfc5682_3_1_late_and_out_of_order),
        cmocka_unit_test(rfc5682_2_1_step_2b_nothing_new),
        cmocka_unit_test(rfc5682_2_1_step_2b_one_new),
        cmocka_unit_test(rfc5682_2_1_step_2b_nothing_that_may_leave),
        cmocka_unit_test(rfc5682_2_1_step_1_second_timeout),
        cmocka_unit_test(rfc5682_2_1_two_timeouts_and_late),
        cmocka_unit_test(without_frto),
        cmocka_unit_test(without_undo),
        cmocka_unit_test(rfc3522_3_2_spurious_timeout),
        cmocka_unit_test(rfc3522_3_2_real_timeout),
        cmocka_unit_test(rfc3522_3_2_spurious_fast_retransmit),
        cmocka_unit_test(rfc3522_3_2_timeout_within_a_repair),
        cmocka_unit_test(rfc4015_3_2_step_6_two_reductions),
        cmocka_unit_test(rfc2883_5_every_retransmission_came_twice),
        cmocka_unit_test(rfc3708_3_within_the_recovery),
        cmocka_unit_test(rfc4015_3_2_all_arrived_before),
        cmocka_unit_test(rfc4015_3_2_step_8_rto),
        cmocka_unit_test(rfc3042_2_two_duplicates),
        cmocka_unit_test(without_limited_transmit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
