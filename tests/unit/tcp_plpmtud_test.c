/*
 * The path's MTU without ICMP (RFC 4821): black holes are found, and larger sizes by probes that
 * carry data, of which a lost one costs its bytes once more and nothing else.
 */
#include "icmp_kit.h"

enum {
    QUEUED = 200000, /* bytes that wait to be sent */
};

static uint32_t header(void)
{
    return rig.v6 ? 60 : 40;
}

static uint32_t base(void)
{
    return rig.v6 ? 1280 : 1024;
}

/* What the remote end has: it takes packets up to `pass` bytes, and says what it got. */
static uint32_t got, pass;

/* Text leaves and arrives, a round trip for each turn; stops after `turns` or at a probe. Returns
 * whether the last segment taken is one. */
static bool turn(unsigned turns, bool stop_at_probe)
{
    while (turns-- > 0) {
        uint32_t acked = got;
        bool hole = false;

        while (rig_take_tcp()) {
            uint32_t at = rig.seg.seq - flow.iss;

            if (stop_at_probe && rig.why == REASON_SEND_MTU_PROBE)
                return true;
            hole = hole || rig.ip.total_len > pass;
            if (!hole && at <= got)
                got = max32(got, at + rig.len);
        }
        advance(10 * MSEC);
        if (got != acked)
            inject(ACK, 1, got, FULL_WND, 0);
    }
    return false;
}

static void begin_bulk(bool sack)
{
    struct tcp_options opt = mss_only;

    defaults();
    rig.cfg.tcp.plpmtud = true;
    rig.cfg.tcp.sack = opt.sack_ok = sack;
    begin();
    open_passive_with(&opt, FULL_WND, FULL_WND);
    app_send(QUEUED);
    got = 1;
    pass = UINT32_MAX;
    (void)turn(3, false);
    counted(MTU_BLACK_HOLE, 0);
}

/* Nothing but packets of `mtu` bytes pass any more: until the black hole is found. */
static void fall(uint32_t mtu)
{
    int64_t from = rig.now;

    pass = mtu;
    while (!stack_count(rig.st, REASON_MTU_BLACK_HOLE)) {
        (void)turn(1, false);
        assert_true(rig.now - from < 10 * SEC);
    }
}

/* [RFC 4821 7.7]: the fourth time-out of full segments shows a black hole; what leaves then is of
 * a size that passes, and the transfer goes on.
 * RFC 8504 5.7.1-b. */
static void rfc4821_7_7_black_hole(void **state)
{
    uint32_t before;
    int64_t from;

    (void)state;
    begin_bulk(false);
    from = rig.now;
    fall(1300);
    counted(RTO_EXPIRED, 4);
    assert_true(rig.now - from < 4 * SEC);
    assert_int_equal(tcb()->snd_mss, base() - header());
    before = got;
    (void)turn(4, false);
    assert_true(got > before);
    end();
}

/* [RFC 4821 7.7]: what is lost and small is lost for another reason. */
static void rfc4821_7_7_small_segments_are_no_sign(void **state)
{
    (void)state;
    defaults();
    rig.cfg.tcp.plpmtud = true;
    begin();
    open_passive();
    app_send(base() - header());
    pass = 0;
    (void)turn(6000, false);
    assert_true(stack_count(rig.st, REASON_RTO_EXPIRED) > 3);
    counted(MTU_BLACK_HOLE, 0);
    assert_int_equal(tcb()->snd_mss, MSS);
    end();
}

/* Over IPv4 there is one more step down, and in neither version another. */
static void rfc4821_7_7_the_least(void **state)
{
    (void)state;
    begin_bulk(false);
    pass = 0;
    (void)turn(8000, false);
    assert_int_equal(tcb()->snd_mss + header(), rig.v6 ? 1280 : 552);
    counted(MTU_BLACK_HOLE, rig.v6 ? 1 : 2);
    end();
}

/* [RFC 4821 7.3]: the search finds what passes to a few bytes, by probes alone, while data flows.
 */
static void rfc4821_7_3_the_search(void **state)
{
    (void)state;
    for (unsigned sack = 0; sack < 2; sack++) {
        uint32_t mtu = rig.v6 ? 1400U : 1300U;

        begin_bulk(false);
        fall(mtu);
        for (unsigned i = 0; i < 40; i++) {
            (void)turn(20, false);
            if (tcb()->snd_q.bytes < QUEUED / 2)
                app_send(QUEUED / 2);
        }
        assert_true(tcb()->snd_mss + header() <= mtu);
        assert_true(tcb()->snd_mss + header() + PATH_MTU_STEP > mtu);
        assert_true(stack_count(rig.st, REASON_MTU_RAISED) > 0);
        end();
    }
}

/* [RFC 4821 7.7]: it was no black hole but an outage: the first probe is as large as before, and
 * when it is acknowledged all segments are. */
static void rfc4821_7_6_1_a_probe_passes(void **state)
{
    uint32_t at;

    (void)state;
    begin_bulk(false);
    fall(base());
    assert_true(turn(40, true));
    assert_int_equal(rig.ip.total_len, MSS + header());
    at = rig.seg.seq - flow.iss;
    pattern_check(rig.data, at, rig.len); /* it is data like any other */
    while (rig_take_tcp())                /* one is under way at a time */
        assert_true(rig.why != REASON_SEND_MTU_PROBE && rig.ip.total_len <= base());
    advance(10 * MSEC);
    counted(MTU_RAISED, 0);
    /* the least there is (RFC 5681 equation 4) */
    rig.st->conns[0].tcb.cc.ssthresh = 2U * tcb()->snd_mss;
    inject(ACK, 1, at + MSS, FULL_WND, 0);
    counted(MTU_RAISED, 1);
    assert_int_equal(tcb()->snd_mss, MSS);
    assert_true(tcb()->cc.ssthresh >= 2 * MSS && tcb()->cc.cwnd >= MSS);
    got = at + MSS;
    pass = UINT32_MAX;
    (void)turn(5, false);
    counted(SEND_MTU_PROBE, 1);
    end();
}

/* One acknowledgment ends a repair and says that the probe has passed: what a repair leaves of cwnd
 * is counted in the segments of now. */
static void rfc4821_7_6_1_at_the_end_of_a_repair(void **state)
{
    uint32_t before;

    (void)state;
    begin_bulk(false);
    fall(base());
    rig.st->tcp.cfg.plpmtud = false; /* until the timeouts are long past */
    (void)turn(60, false);
    rig.st->tcp.cfg.plpmtud = true;
    assert_int_equal(tcb()->snd_una, tcb()->snd_nxt);
    before = tcb()->snd_mss;
    app_send(2 * before); /* too few for a probe */
    drain();
    advance(10 * MSEC);
    inject(ACK, 1, tcb()->snd_nxt - before - flow.iss, FULL_WND, 0);
    app_send(QUEUED / 2);
    assert_true(rig_take_tcp());
    expect_why(REASON_SEND_MTU_PROBE);
    drain();
    for (unsigned i = 0; i < 3; i++)
        inject(ACK, 1, tcb()->snd_una - flow.iss, FULL_WND, 0);
    counted(LOSS_DETECTED, 1);
    drain();
    advance(10 * MSEC);
    inject(ACK, 1, tcb()->snd_nxt - flow.iss, FULL_WND, 0);
    counted(MTU_RAISED, 1);
    counted(LOSS_REPAIRED, 2); /* the timeouts were one */
    assert_true(tcb()->snd_mss > before);
    assert_int_equal(tcb()->cc.cwnd, 2 * tcb()->snd_mss); /* RFC 6582 3.2: nothing flies, and one */
    end();
}

/* [RFC 4821 5.2]: connections share what is known of a path, and one of them probes it. */
static void rfc4821_5_2_one_probe_for_each_path(void **state)
{
    (void)state;
    begin_bulk(false);
    fall(base());
    assert_true(turn(40, true));
    drain();
    flow = (struct flow){.local_port = LOCAL_PORT, .remote_port = REMOTE_PORT + 1, .irs = 77};
    open_passive();
    got = 1;
    app_send(QUEUED);
    (void)turn(4, false);
    assert_int_equal(tcb()->snd_mss, base() - header());
    assert_true(got > 30 * base());
    counted(SEND_MTU_PROBE, 1);
    end();
}

/* Three duplicates, with or without selective acknowledgments of what came behind the probe. */
static void miss_probe(uint32_t at, uint32_t len, bool sack)
{
    uint32_t step = base() - header();

    for (uint32_t i = 1; i <= 3; i++)
        if (sack)
            inject_opt(ACK, 1, at, FULL_WND, .sack_n = 1,
                       .sack = {{flow.iss + at + len, flow.iss + at + len + i * step}});
        else
            inject(ACK, 1, at, FULL_WND, 0);
}

/* [RFC 4821 7.6.2]: a lost probe is sent again in segments that pass, at once, and neither cwnd
 * nor ssthresh changes; how many duplicates come does not matter. */
static void rfc4821_7_6_2_a_lost_probe_is_no_congestion(void **state)
{
    (void)state;
    for (unsigned how = 0; how < 3; how++) {
        uint32_t at, cwnd, ssthresh;
        bool sack = how > 0;

        begin_bulk(sack);
        rig.st->tcp.cfg.rack = how > 1;
        fall(base());
        assert_true(turn(40, true));
        at = rig.seg.seq - flow.iss;
        while (rig_take_tcp())
            continue;
        advance(10 * MSEC);
        inject(ACK, 1, at, FULL_WND, 0);
        while (rig_take_tcp())
            continue;
        cwnd = tcb()->cc.cwnd;
        ssthresh = tcb()->cc.ssthresh;
        miss_probe(at, MSS, sack);
        advance(5 * MSEC); /* RACK may wait for what was only overtaken */
        counted(MTU_PROBE_LOST, 1);
        expect(ACK, at, 1, base() - header());
        expect_why(REASON_SEND_MTU_AGAIN);
        expect(ACK, at + base() - header(), 1, MSS - (base() - header()));
        expect_why(REASON_SEND_MTU_AGAIN);
        for (unsigned i = 0; i < 8 && !sack; i++)
            inject(ACK, 1, at, FULL_WND, 0);
        counted(LOSS_DETECTED, 0);
        assert_true(tcb()->cc.cwnd >= cwnd);
        assert_int_equal(tcb()->cc.ssthresh, ssthresh);
        end();
    }
}

/* [RFC 4821 7.4]: a probe leaves only where its loss would show: with data for three segments
 * behind it. */
static void rfc4821_7_4_enough_behind_it(void **state)
{
    uint32_t enough;

    (void)state;
    begin_bulk(false);
    fall(base());
    rig.st->ip.pmtu.path[0].searching = false; /* until all is sent */
    while (tcb()->snd_q.bytes > 0)
        (void)turn(1, false);
    rig.st->ip.pmtu.path[0].searching = true;
    enough = MSS + 3U * tcb()->snd_mss;
    app_send(enough - 1);
    (void)turn(3, false);
    counted(SEND_MTU_PROBE, 0);
    app_send(enough);
    (void)turn(3, false);
    counted(SEND_MTU_PROBE, 1);
    end();
}

/* [RFC 4821 7.5]: a router's word about a probe says at once what to try next, and nothing becomes
 * smaller. */
static void rfc4821_7_5_a_router_refuses_a_probe(void **state)
{
    uint32_t at, mtu = 1400;

    (void)state;
    begin_bulk(true);
    fall(base());
    assert_true(turn(40, true));
    at = rig.seg.seq - flow.iss;
    too_big(at, mtu, MSS + header());
    assert_int_equal(tcb()->snd_mss, base() - header());
    expect(ACK, at, 1, base() - header());
    expect_why(REASON_SEND_MTU_AGAIN);
    got = at + base() - header();
    pass = mtu;
    assert_true(turn(40, true));
    assert_int_equal(rig.ip.total_len, mtu);
    got = max32(got, rig.seg.seq - flow.iss + rig.len);
    (void)turn(40, false);
    assert_int_equal(tcb()->snd_mss, mtu - header());
    counted(SEND_MTU_PROBE, 2);
    counted(LOSS_DETECTED, 0);
    end();
}

/* [RFC 4821 7.7, RFC 8899 5.2.2]: after ten minutes a larger size is searched for again, by a
 * probe, while everything else stays as it passes. */
static void rfc4821_7_7_raised_after_a_time(void **state)
{
    uint32_t small;

    (void)state;
    begin_bulk(true);
    while (rig_take())
        continue;
    too_big(got, 1400, MSS + header());
    advance(tcb()->flight->timer[FLIGHT_CLAIM] - rig.now);
    small = tcb()->snd_mss;
    assert_int_equal(small, 1400 - header());
    while (tcb()->snd_q.bytes > 0)
        (void)turn(1, false);
    advance(590 * SEC);
    app_send(QUEUED / 4);
    while (tcb()->snd_q.bytes > 0)
        (void)turn(1, false);
    counted(SEND_MTU_PROBE, 0);
    advance(10 * SEC);
    app_send(QUEUED / 4);
    assert_true(turn(5, true));
    assert_int_equal(rig.ip.total_len, MSS + header());
    assert_int_equal(tcb()->snd_mss, small);
    end();
}

/* Switched off, nothing is probed, and a black hole stays one. */
static void without_it(void **state)
{
    (void)state;
    begin_bulk(false);
    rig.st->tcp.cfg.plpmtud = false;
    pass = base();
    (void)turn(2000, false);
    counted(MTU_BLACK_HOLE, 0);
    counted(SEND_MTU_PROBE, 0);
    assert_int_equal(tcb()->snd_mss, MSS);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc4821_7_7_black_hole),
        cmocka_unit_test(rfc4821_7_7_small_segments_are_no_sign),
        cmocka_unit_test(rfc4821_7_7_the_least),
        cmocka_unit_test(rfc4821_7_3_the_search),
        cmocka_unit_test(rfc4821_7_6_1_a_probe_passes),
        cmocka_unit_test(rfc4821_7_6_1_at_the_end_of_a_repair),
        cmocka_unit_test(rfc4821_5_2_one_probe_for_each_path),
        cmocka_unit_test(rfc4821_7_6_2_a_lost_probe_is_no_congestion),
        cmocka_unit_test(rfc4821_7_4_enough_behind_it),
        cmocka_unit_test(rfc4821_7_5_a_router_refuses_a_probe),
        cmocka_unit_test(rfc4821_7_7_raised_after_a_time),
        cmocka_unit_test(without_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
