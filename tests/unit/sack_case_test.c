/*
 * Selective acknowledgments as RFC 2018 has them, and reports of duplicates (RFC 2883): the RFCs'
 * own examples for a receiver, and what a sender must do and not do with what it is told. Segments
 * as they leave and arrive; the sender without RACK, its probes and PRR.
 */
#include "flight_kit.h"

/* ---- the receiver's examples ---- */

static uint32_t edge; /* the example's number of the first byte */

/* A connection that answers each segment; `first` is the left edge of the window. */
static void receiving(uint32_t first)
{
    defaults();
    rig.cfg.tcp.sack = true;
    rig.cfg.tcp.delayed_ack = false;
    begin();
    open_passive_with(&with_sack, FULL_WND, FULL_WND);
    edge = first;
}

/* [from, to) arrives: the acknowledgment, and its blocks in this order. */
static void arrive(uint32_t from, uint32_t to, uint32_t ack, const struct said *said, size_t n)
{
    rig_inject(ACK, from - edge + 1, 1, FULL_WND, to - from, NULL);
    rig_expect(ACK, 1, ack - edge + 1, 0);
    rig_same("blocks", rig.seg.opt.sack_n, (long long)n);
    for (size_t i = 0; i < n; i++) {
        rig_same("a block's start", rig.seg.opt.sack[i].start - flow.irs, said[i].start - edge + 1);
        rig_same("a block's end", rig.seg.opt.sack[i].end - flow.irs, said[i].end - edge + 1);
    }
}

#define came(from, to, ack) AT(arrive(from, to, ack, NULL, 0))
#define came_sack(from, to, ack, ...)                                                              \
    AT(arrive(from, to, ack, (const struct said[]){__VA_ARGS__},                                   \
              sizeof((const struct said[]){__VA_ARGS__}) / sizeof(struct said)))

/* Case 1: the first four of eight arrive, and no others: no blocks. */
static void rfc2018_7_case_1(void **state)
{
    (void)state;
    receiving(5000);
    for (uint32_t at = 5000; at < 7000; at += 500)
        came(at, at + 500, at + 500);
    end();
}

/* Case 2: the first is lost: one block, which grows. */
static void rfc2018_7_case_2(void **state)
{
    (void)state;
    receiving(5000);
    for (uint32_t at = 5500; at < 9000; at += 500)
        came_sack(at, at + 500, 5000, {5500, at + 500});
    end();
}

/* Case 3: each second one is lost; the latest block first. Then the fourth comes, and the second.
 */
static void rfc2018_7_case_3(void **state)
{
    (void)state;
    receiving(5000);
    came(5000, 5500, 5500);
    came_sack(6000, 6500, 5500, {6000, 6500});
    came_sack(7000, 7500, 5500, {7000, 7500}, {6000, 6500});
    came_sack(8000, 8500, 5500, {8000, 8500}, {7000, 7500}, {6000, 6500});
    came_sack(6500, 7000, 5500, {6000, 7500}, {8000, 8500});
    came_sack(5500, 6000, 7500, {8000, 8500});
    end();
}

/* Example 1: both acknowledgments were lost, and the first segment comes again. */
static void rfc2883_4_1_example_1(void **state)
{
    (void)state;
    receiving(3000);
    came(3000, 3500, 3500);
    came(3500, 4000, 4000);
    came_sack(3000, 3500, 4000, {3000, 3500});
    end();
}

/* Example 2: ... while another waits behind a gap. */
static void rfc2883_4_1_example_2(void **state)
{
    (void)state;
    receiving(3000);
    came(3000, 3500, 3500);
    came(3500, 4000, 4000);
    came_sack(4500, 5000, 4000, {4500, 5000});
    came_sack(3000, 3500, 4000, {3000, 3500}, {4500, 5000});
    end();
}

/* Example 3: what waits comes twice: the report, and the block that it lies in. */
static void rfc2883_4_1_example_3(void **state)
{
    (void)state;
    receiving(3500);
    came(3500, 4000, 4000);
    came_sack(4500, 5000, 4000, {4500, 5000});
    came_sack(5000, 5500, 4000, {4500, 5500});
    came_sack(5000, 5500, 4000, {5000, 5500}, {4500, 5500});
    end();
}

/* Example 4: a part of a segment that is sent again in one piece had only been late. */
static void rfc2883_4_2_example_4(void **state)
{
    (void)state;
    receiving(500);
    came(500, 1000, 1000);
    came_sack(2000, 2500, 1000, {2000, 2500});
    came(1000, 2000, 2500);
    came_sack(1000, 1500, 2500, {1000, 1500}); /* it had been on its way for long */
    end();
}

/* Example 5: two parts of it had been late, and the acknowledgment covers both. */
static void rfc2883_4_2_example_5(void **state)
{
    (void)state;
    receiving(500);
    came(500, 1000, 1000);
    came_sack(3000, 3500, 1000, {3000, 3500});
    came_sack(1000, 2500, 2500, {3000, 3500});
    came_sack(1000, 1500, 2500, {1000, 1500}, {3000, 3500});
    came_sack(2000, 2500, 2500, {2000, 2500}, {3000, 3500});
    end();
}

/* Example 6: the same behind a gap: each report is followed by the block that it lies in. */
static void rfc2883_4_2_example_6(void **state)
{
    (void)state;
    receiving(500);
    came(500, 1000, 1000);
    came_sack(3500, 4000, 1000, {3500, 4000});
    came_sack(1500, 3000, 1000, {1500, 3000}, {3500, 4000});
    came_sack(1500, 2000, 1000, {1500, 2000}, {1500, 3000}, {3500, 4000});
    came_sack(2500, 3000, 1000, {2500, 3000}, {1500, 3000}, {3500, 4000});
    end();
}

/* Two parts were there: the first is reported, and what waits behind the next gap. */
static void rfc2883_4_2_two_parts_come_twice(void **state)
{
    (void)state;
    receiving(500);
    came(500, 1000, 1000);
    came_sack(3000, 3500, 1000, {3000, 3500});
    came_sack(1000, 1500, 1500, {3000, 3500});
    came_sack(2000, 2500, 1500, {2000, 2500}, {3000, 3500});
    came_sack(1000, 2500, 2500, {1000, 1500}, {3000, 3500});
    end();
}

/*
 * PAWS refuses what a repair has overtaken; the acknowledgment of that says that it came twice, as
 * it would without PAWS. What is new in it is refused, and is not said to be here.
 */
static void rfc2883_4_3_refused_by_paws(void **state)
{
    static const struct tcp_options syn = {
        .has_mss = true, .mss = MSS, .sack_ok = true, .has_timestamp = true, .ts_val = 100};
    static const struct tcp_options late = {.has_timestamp = true, .ts_val = 120},
                                    early = {.has_timestamp = true, .ts_val = 110};

    (void)state;
    defaults();
    rig.cfg.tcp.sack = rig.cfg.tcp.timestamps = true;
    rig.cfg.tcp.delayed_ack = false;
    begin();
    app_listen(1);
    rig_inject(SYN, 0, 0, FULL_WND, 0, &syn);
    rig_expect_syn(SYN | ACK);
    rig_inject(ACK, 1, 1, FULL_WND, 0, &late);
    rig_event(EV_ACCEPTED);
    rig_inject(ACK, 1, 1, FULL_WND, 500, &late);
    expect(ACK, 1, 501, 0);
    rig_reason("old", rig_inject(ACK, 1, 1, FULL_WND, 500, &early), REASON_TCP_PAWS);
    expect(ACK, 1, 501, 0);
    rig_same("blocks", rig.seg.opt.sack_n, 1);
    rig_same("its start", rig.seg.opt.sack[0].start - flow.irs, 1);
    rig_same("its end", rig.seg.opt.sack[0].end - flow.irs, 501);
    rig_reason("new", rig_inject(ACK, 501, 1, FULL_WND, 500, &early), REASON_TCP_PAWS);
    expect(ACK, 1, 501, 0);
    rig_same("blocks", rig.seg.opt.sack_n, 0);
    end();
}

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
        cmocka_unit_test(rfc2018_7_case_1),
        cmocka_unit_test(rfc2018_7_case_2),
        cmocka_unit_test(rfc2018_7_case_3),
        cmocka_unit_test(rfc2883_4_1_example_1),
        cmocka_unit_test(rfc2883_4_1_example_2),
        cmocka_unit_test(rfc2883_4_1_example_3),
        cmocka_unit_test(rfc2883_4_2_example_4),
        cmocka_unit_test(rfc2883_4_2_example_5),
        cmocka_unit_test(rfc2883_4_2_example_6),
        cmocka_unit_test(rfc2883_4_2_two_parts_come_twice),
        cmocka_unit_test(rfc2883_4_3_refused_by_paws),
        cmocka_unit_test(rfc2018_5_what_arrived_is_skipped),
        cmocka_unit_test(rfc2018_5_reported_is_kept),
        cmocka_unit_test(rfc2018_8_timeout_sends_the_left_edge),
        cmocka_unit_test(rfc2018_8_taken_back_in_part),
        cmocka_unit_test(rfc2018_8_a_block_at_the_edge),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
