/*
 * Proportional rate reduction (RFC 9937) in a connection: which acknowledgment releases what.
 * prr_test.c has the arithmetic. Twenty segments are in flight; Reno, without RACK.
 */
#include "tcp_kit.h"

enum {
    FLIGHT = 20, /* segments */
};

static const struct tcp_options with_sack = {.has_mss = true, .mss = MSS, .sack_ok = true};

static void to_twenty_in_flight(bool prr, const struct cc_ops *cc)
{
    defaults();
    rig.cfg.tcp.cc = cc;
    rig.cfg.tcp.sack = true;
    rig.cfg.tcp.prr = prr;
    rig.cfg.tcp.rack = rig.cfg.tcp.tlp = rig.cfg.tcp.hystart = rig.cfg.tcp.pacing = false;
    begin();
    app_listen(1);
    rig_inject(SYN, 0, 0, FULL_WND, 0, &with_sack);
    rig_expect_syn(SYN | ACK);
    advance(100 * MSEC);
    inject(ACK, 1, 1, FULL_WND, 0);
    rig_event(EV_ACCEPTED);
    app_send(100 * MSS);
    for (uint32_t i = 1; i <= 10; i++) { /* slow start: ten become twenty */
        while (rig_take_tcp())
            continue;
        inject(ACK, 1, 1 + i * MSS, FULL_WND, 0);
    }
    while (rig_take_tcp())
        continue;
    assert_int_equal((tcb()->snd_nxt - tcb()->snd_una) / MSS, FLIGHT);
}

/* Segment 10 is missing; everything up to `end` has arrived. */
static void sack_up_to(uint32_t end)
{
    inject_opt(ACK, 1, 1 + 10 * MSS, FULL_WND, .sack_n = 1,
               .sack = {{flow.iss + 1 + 11 * MSS, flow.iss + 1 + end * MSS}});
}

static unsigned segments_sent(void)
{
    unsigned n = 0;

    while (rig_take_tcp())
        n++;
    return n;
}

/*
 * RFC 6937 figure 1: two by limited transmit, the retransmission, then every
 * second acknowledgment releases a segment: ssthresh is half of 20 (RFC 5681 section 3.2: without
 * what limited transmit sent), and by RFC 9937 so much is RecoverFS. In the end the flight is
 * ssthresh.
 */
static void rfc6937_4_one_loss(void **state)
{
    static const char want[] = "1110101010101010100";
    uint32_t ssthresh;

    (void)state;
    to_twenty_in_flight(true, &cc_reno);
    for (uint32_t i = 0; want[i]; i++) {
        unsigned n;

        sack_up_to(12 + i);
        n = segments_sent();
        if (n != (unsigned)(want[i] - '0'))
            fail_msg("acknowledgment %u released %u, expected %c", i + 1, n, want[i]);
    }
    assert_int_equal(tcb()->retransmits, 1);
    ssthresh = tcb()->cc.ssthresh;
    assert_int_equal(ssthresh, 10 * MSS);
    assert_int_equal(board_pipe(&tcb()->flight->board), ssthresh);
    inject(ACK, 1, 1 + 32 * MSS, FULL_WND, 0);
    counted(LOSS_REPAIRED, 1);
    assert_int_equal(tcb()->cc.cwnd, ssthresh);
    assert_int_equal(tcb()->cc.ssthresh, ssthresh);
    end();
}

/* Half of the flight and more is lost: what arrives is replaced, one for one, and no burst. */
static void rfc6937_4_heavy_loss(void **state)
{
    (void)state;
    to_twenty_in_flight(true, &cc_reno);
    for (uint32_t i = 26; i < 30; i++) {
        inject_opt(ACK, 1, 1 + 10 * MSS, FULL_WND, .sack_n = 1,
                   .sack = {{flow.iss + 1 + 25 * MSS, flow.iss + 1 + i * MSS}});
        if (i >= 28)
            assert_int_equal(segments_sent(), 1);
        else
            segments_sent();
    }
    /* it goes well: SND.UNA moves, and one segment more is released */
    inject_opt(ACK, 1, 1 + 11 * MSS, FULL_WND, .sack_n = 1,
               .sack = {{flow.iss + 1 + 25 * MSS, flow.iss + 1 + 29 * MSS}});
    assert_int_equal(segments_sent(), 2);
    end();
}

/* Switched off: nothing until half of the flight has left, then each one (RFC 6675). */
static void without_prr(void **state)
{
    (void)state;
    to_twenty_in_flight(false, &cc_reno);
    for (uint32_t i = 12; i < 15; i++) {
        sack_up_to(i);
        assert_int_equal(segments_sent(), 1);
    }
    for (uint32_t i = 15; i < 21; i++) {
        sack_up_to(i);
        assert_int_equal(segments_sent(), 0);
    }
    end();
}

/* A module that keeps its own window is left alone. */
static void own_window(void **state)
{
    static struct cc_ops mine;

    (void)state;
    mine = cc_reno;
    mine.own_window = true;
    to_twenty_in_flight(true, &mine);
    for (uint32_t i = 12; i < 15; i++)
        sack_up_to(i);
    assert_int_equal(tcb()->cc.cwnd, tcb()->cc.ssthresh);
    assert_false(prr_active(&tcb()->flight->response.prr));
    end();
}

/* A timeout ends it: slow start takes over. */
static void a_timeout_ends_it(void **state)
{
    (void)state;
    to_twenty_in_flight(true, &cc_reno);
    for (uint32_t i = 12; i < 16; i++)
        sack_up_to(i);
    segments_sent();
    assert_true(prr_active(&tcb()->flight->response.prr));
    advance(tcb()->timer[TIMER_RTX] - rig.now);
    assert_false(prr_active(&tcb()->flight->response.prr));
    assert_int_equal(tcb()->cc.cwnd, MSS);
    end();
}

/* It was time that found the loss: one segment leaves, and no burst up to ssthresh. */
static void rfc9937_6_a_loss_that_time_showed(void **state)
{
    struct tcb *c;
    uint32_t flies;

    (void)state;
    to_twenty_in_flight(true, &cc_reno);
    c = (struct tcb *)(uintptr_t)tcb();
    board_lose_span(&c->flight->board, c->snd_una, c->snd_una + 15 * MSS, REASON_SEND_RTO);
    flies = board_pipe(&c->flight->board);
    assert_int_equal(flies, 5 * MSS);
    c->cc.cwnd = c->cc.ssthresh = 10 * MSS;
    response_reduced(&rig.st->tcp, c, NULL, NULL);
    assert_int_equal(c->cc.cwnd, flies + MSS);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc6937_4_one_loss), cmocka_unit_test(rfc6937_4_heavy_loss),
        cmocka_unit_test(without_prr),        cmocka_unit_test(own_window),
        cmocka_unit_test(a_timeout_ends_it),  cmocka_unit_test(rfc9937_6_a_loss_that_time_showed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
