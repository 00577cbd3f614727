/*
 * Selective acknowledgments that somebody makes up: reports of duplicates to have a reduction taken
 * back, blocks of one byte each, duplicates by the thousand. He who sends them is the remote end
 * itself, or knows its numbers; so he may have as much as an honest one, and no more than that.
 */
#include "hostile_kit.h"

#include <time.h>

static const struct tcp_options with_sack = {.has_mss = true, .mss = MSS, .sack_ok = true};

enum {
    FLIGHT = 40, /* segments: nearly what a window of 65,535 bytes takes */
};

/* `FLIGHT` segments are in flight; without RACK and pacing, so that time is no part of it. */
static void begin_in_flight(uint32_t max_ranges)
{
    defaults();
    rig.cfg.tcp.sack = true;
    rig.cfg.tcp.cc = &cc_reno;
    rig.cfg.tcp.rack = rig.cfg.tcp.tlp = rig.cfg.tcp.hystart = rig.cfg.tcp.pacing = false;
    rig.cfg.tcp.initial_window = FLIGHT;
    if (max_ranges)
        rig.cfg.max_ranges = max_ranges;
    begin();
    open_passive_with(&with_sack, FULL_WND, FULL_WND);
    app_send(100 * MSS);
    for (uint32_t i = 0; i < FLIGHT; i++)
        rig_expect(ACK, 1 + i * MSS, 1, MSS);
    rig_expect_nothing();
}

static unsigned packets_sent(void)
{
    unsigned n = 0;

    while (rig_take_tcp())
        n++;
    return n;
}

/* One block, [start, end) in bytes from the first one that is in flight. */
static void block(uint32_t ack, uint32_t start, uint32_t end)
{
    rig_inject(ACK, 1, 1 + ack, FULL_WND, 0,
               &(struct tcp_options){.sack_n = 1,
                                     .sack = {{flow.iss + 1 + start, flow.iss + 1 + end}}});
}

/* Everything that was sent is acknowledged, and no memory is held for it. */
static void all_is_well(void)
{
    while (tcb()->snd_una != tcb()->snd_nxt) {
        rig_inject(ACK, 1, tcb()->snd_nxt - flow.iss, FULL_WND, 0, NULL);
        packets_sent();
    }
    assert_int_equal(tcb()->bytes_acked, 100 * MSS);
    assert_int_equal(rig.st->ranges.in_use, 0);
    rig_state(TCP_ESTABLISHED);
    hostile_handshake();
    end();
}

/*
 * BAD: reports of duplicates for what was sent once, for all that was in flight, and the same again
 * and again. The reduction may be taken back once, as by one who tells the truth; cwnd is then what
 * it was and grows by none of them.
 */
static void made_up_duplicate_reports(void **state)
{
    uint32_t before;

    (void)state;
    begin_in_flight(0);
    block(2 * MSS, 0, MSS);
    before = tcb()->cc.cwnd;
    for (uint32_t i = 0; i < 1000; i++)
        block(2 * MSS, i, 2 * MSS); /* nothing was sent again yet */
    counted(UNDO_DSACK, 0);
    assert_int_equal(tcb()->cc.cwnd, before);
    packets_sent();
    for (uint32_t i = 6; i < 16; i++) /* the segments 2, 3 and 4 are lost */
        block(2 * MSS, 5 * MSS, i * MSS);
    packets_sent();
    counted(LOSS_DETECTED, 1);
    assert_int_equal(tcb()->retransmits, 3);
    for (uint32_t i = 0; i < 1000; i++)
        block(15 * MSS, 2 * MSS, 3 * MSS); /* one of three, a thousand times */
    counted(UNDO_DSACK, 0);
    assert_true(tcb()->cc.cwnd < before);
    for (uint32_t i = 0; i < 1000; i++)
        block(15 * MSS, 2 * MSS, 5 * MSS);
    counted(UNDO_DSACK, 1);
    assert_int_equal(tcb()->cc.cwnd, before);
    for (uint32_t i = 0; i < 1000; i++) {
        block(15 * MSS, (i % 15) * MSS, 15 * MSS);
        block(15 * MSS, 0, i + 1);
    }
    counted(UNDO_DSACK, 1);
    assert_int_equal(tcb()->cc.cwnd, before);
    packets_sent();
    all_is_well();
}

/*
 * BAD: every second byte of the flight reported in a block of its own: no more ranges than are
 * allowed, work for each that does not grow without end, and the pipe never more than what flies.
 */
static void blocks_of_one_byte(void **state)
{
    clock_t began = clock();
    uint32_t most = 0;

    (void)state;
    begin_in_flight(0);
    for (uint32_t at = 2 * MSS + 1; at + 2 < FLIGHT * MSS; at += 2) {
        const struct board *b = &tcb()->flight->board;

        block(0, at, at + 1);
        packets_sent();
        most = max32(most, rig.st->ranges.in_use);
        assert_true(b->n <= BOARD_RANGES_MAX);
        assert_true(board_pipe(b) + b->lost + b->sacked == tcb()->snd_nxt - tcb()->snd_una);
    }
    assert_true(most <= BOARD_RANGES_MAX);
    assert_true(most > BOARD_RANGES_MAX / 2); /* it was tried */
    assert_true((clock() - began) / CLOCKS_PER_SEC < 20);
    all_is_well();
}

/* BAD: the pool is used up by one; another connection repairs its losses with what is its own. */
static void no_ranges_left(void **state)
{
    struct flow greedy;

    (void)state;
    begin_in_flight(16);
    for (uint32_t at = 2 * MSS + 1; at < 20 * MSS; at += 1000) {
        block(0, at, at + 1);
        packets_sent();
    }
    assert_true(rig.st->ranges.in_use >= 15);
    greedy = flow;
    flow = (struct flow){.local_port = LOCAL_PORT, .remote_port = REMOTE_PORT + 1, .irs = 5000};
    open_passive_with(&with_sack, FULL_WND, FULL_WND);
    app_send(10 * MSS);
    for (uint32_t i = 0; i < 10; i++)
        rig_expect(ACK, 1 + i * MSS, 1, MSS);
    for (uint32_t i = 2; i < 10; i++)
        block(0, MSS, i * MSS);
    rig_expect(ACK, 1, 1, MSS);
    expect_why(REASON_SEND_SACK);
    rig_inject(ACK, 1, 1 + 10 * MSS, FULL_WND, 0, NULL);
    assert_int_equal(tcb()->snd_una, tcb()->snd_nxt);
    app_abort();
    rig_expect(RST | ACK, 1 + 10 * MSS, 1, 0);
    rig_closed(REASON_END_ABORTED);
    flow = greedy;
    all_is_well();
}

/*
 * BAD: the same duplicate, and the same block in it, ten thousand times: what the first one
 * released is all there is; with new blocks in them, no more than they say has arrived.
 */
static void duplicates_by_the_thousand(void **state)
{
    unsigned n = 0;

    (void)state;
    begin_in_flight(0);
    for (uint32_t i = 0; i < 10000; i++)
        block(0, MSS, 2 * MSS);
    n = packets_sent();
    if (n > 3)
        fail_msg("%u packets for one segment that arrived", n);
    for (uint32_t i = 3; i < FLIGHT; i++) {
        block(0, MSS, i * MSS);
        n += packets_sent();
        assert_true(n <= i + 2);
        assert_true(board_pipe(&tcb()->flight->board) <= FLIGHT * MSS);
    }
    all_is_well();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(made_up_duplicate_reports),
        cmocka_unit_test(blocks_of_one_byte),
        cmocka_unit_test(no_ranges_left),
        cmocka_unit_test(duplicates_by_the_thousand),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
