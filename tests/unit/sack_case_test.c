/*
 * Selective acknowledgments as RFC 2018 has them, and reports of duplicates (RFC 2883): the RFCs'
 * own examples for a receiver, and what a sender must do and not do with what it is told. Segments
 * as they leave and arrive; the sender without RACK, its probes and PRR.
 */
#include "flight_kit.h"

/* ---- RFC 2018 sections 5 and 8 ---- */

/* Section 5: what is reported is skipped, until it is taken back. */
static void rfc2018_5_what_arrived_is_skipped(void **state)
{
    (void)state;
    ten_in_flight(0);
    heard(0, SEGS(6, 10), SEGS(3, 5), SEGS(1, 2));
    again(0, SACK);
    again(2, SACK);
    again(5, SACK);
    expect_nothing();
    ack_segments(10);
    assert_int_equal(tcb()->retransmits, 3);
    end();
}

/* Section 5: not before the acknowledgment itself covers it does text leave the queue. */
static void rfc2018_5_reported_is_kept(void **state)
{
    (void)state;
    ten_in_flight(0);
    heard(0, SEGS(1, 10));
    again(0, SACK);
    assert_int_equal(tcb()->snd_q.bytes, 10 * MSS);
    ack_segments(10);
    assert_int_equal(tcb()->snd_q.bytes, 0);
    end();
}

/* Section 8: a timeout sends the left edge, whatever was reported before. */
static void rfc2018_8_timeout_sends_the_left_edge(void **state)
{
    (void)state;
    ten_in_flight(0);
    heard(0, SEGS(1, 10));
    again(0, SACK);
    ack_segments(1); /* 0 came, and all the others are gone */
    counted(SACK_RENEGED, 1);
    advance(tcb()->timer[TIMER_RTX] - rig.now);
    again(1, RTO);
    for (uint32_t i = 1; i < 10;) {
        ack_segments(++i);
        while (rig_take_tcp())
            assert_true(rig.seg.seq - flow.iss - 1 >= i * MSS);
    }
    assert_int_equal(tcb()->snd_q.bytes, 0);
    end();
}

/* Section 8: of what was taken back only what is not reported again is sent again. */
static void rfc2018_8_taken_back_in_part(void **state)
{
    (void)state;
    ten_in_flight(0);
    heard(0, SEGS(1, 10));
    again(0, SACK);
    expect_nothing();
    heard(1, SEGS(3, 10)); /* 1 and 2 are gone */
    counted(SACK_RENEGED, 1);
    assert_int_equal(tcb()->flight->board.sacked, 7 * MSS);
    again(1, SACK);
    again(2, SACK);
    expect_nothing();
    ack_segments(10);
    assert_int_equal(tcb()->retransmits, 3);
    end();
}

/* A block that begins at the acknowledgment itself would be acknowledged: it is not believed. */
static void rfc2018_8_a_block_at_the_edge(void **state)
{
    (void)state;
    ten_in_flight(0);
    heard(0, SEGS(1, 10));
    again(0, SACK);
    heard(1, SEGS(1, 4), SEGS(5, 10));
    counted(SACK_IMPOSSIBLE, 1);
    assert_false(board_first(&tcb()->flight->board)->sacked);
    again(1, SACK);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc2018_5_what_arrived_is_skipped),
        cmocka_unit_test(rfc2018_5_reported_is_kept),
        cmocka_unit_test(rfc2018_8_timeout_sends_the_left_edge),
        cmocka_unit_test(rfc2018_8_taken_back_in_part),
        cmocka_unit_test(rfc2018_8_a_block_at_the_edge),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
