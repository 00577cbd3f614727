/*
 * BBR by numbers, after draft-ietf-ccwg-bbr. A full segment has 1,000 bytes; the path takes a
 * segment per ms and 40 ms, so that its BDP is 40 segments.
 */
#include "tcp/cc/bbr.h"

#include "base/time.h"
#include "wire_check.h"

enum {
    MSS = 1000,
    BW = 1000000, /* bytes per second */
    RTT = 40,     /* ms */
    BDP = 40 * MSS,
};

static uint64_t priv[CC_PRIV_WORDS];
static struct bbr *b;
static struct cc cc;
static struct cc_sample s; /* what the next acknowledgment says */

static void restart(void)
{
    struct cc_sample at = s;

    at.acked = 0;
    at.pipe = 0;
    cc_bbr.on_restart(&cc, &at);
}

static void begin(void)
{
    memset(priv, 0, sizeof(priv));
    b = (void *)priv;
    cc_bbr.init(&cc, MSS);
    cc.priv = priv;
    s = (struct cc_sample){
        .now = SEC,
        .rtt = RTT * MSEC,
        .srtt = RTT * MSEC,
        .min_rtt = RTT * MSEC,
        .mss = MSS,
        .sack = true,
        .rate = {.interval = RTT * MSEC},
    };
    restart();
}

/* An acknowledgment of `bytes` that shows this rate, with `pipe` left in flight. */
static void ack(uint32_t bytes, uint64_t bw, uint32_t pipe)
{
    uint64_t behind = bw * RTT / 1000;

    s.acked = bytes;
    s.pipe = pipe;
    s.rate.total_delivered += bytes;
    s.rate.bandwidth = bw;
    s.rate.delivered = behind;
    s.rate.prior_delivered = s.rate.total_delivered > behind ? s.rate.total_delivered - behind : 0;
    s.rate.tx_in_flight = pipe;
    cc_bbr.on_ack(&cc, &s);
    s.lost = 0;
    s.rate.lost = s.rate.loss_since = 0;
    s.rate.losses = 0;
}

/* A round trip at this rate: ten acknowledgments, four milliseconds apart. */
static void round_trip(uint64_t bw, uint32_t pipe)
{
    for (int i = 0; i < 10; i++) {
        ack((uint32_t)(bw * RTT / 10000), bw, pipe);
        s.now += RTT * MSEC / 10;
    }
}

/* Startup until the path is full, and Drain: ProbeBW begins, and there is no queue. */
static void fill(void)
{
    begin();
    for (uint64_t bw = BW / 4; bw < BW; bw *= 2)
        round_trip(bw, 30 * MSS);
    for (int i = 0; i < 5 && b->state == BBR_STARTUP; i++)
        round_trip(BW, 80 * MSS);
    assert_int_equal(b->state, BBR_DRAIN);
    ack(MSS, BW, 40 * MSS);
    assert_int_equal(b->state, BBR_CRUISE);
}

/* Go on with nothing but the BDP in flight until that state; the round trip needs no probe. */
static void until(enum bbr_state state)
{
    for (int i = 0; b->state != state && i < 4000; i++) {
        b->probe_rtt_min_stamp = s.now;
        ack(MSS, BW, 35 * MSS);
        s.now += MSEC;
    }
    assert_int_equal(b->state, state);
}

static void lose(uint32_t bytes, uint32_t tx_in_flight, uint32_t ranges)
{
    s.lost = bytes;
    s.rate.losses = ranges;
    s.rate.loss_since = bytes;
    s.rate.loss_tx_in_flight = tx_in_flight;
    s.rate.loss_size = bytes;
    s.rate.lost = bytes;
}

static void paces(const char *step, uint64_t bw, uint32_t percent)
{
    expect_number(step, (uint32_t)cc.pacing_rate, (uint32_t)(bw / 100 * percent / 100 * 99));
}

/* 5.6.2: the first rate is 2.77 times the initial window for each round trip of the handshake. */
static void draft_5_6_2_initial_rate(void **state)
{
    (void)state;
    begin();
    expect_number("rate", (uint32_t)cc.pacing_rate, 27700 * 1000 / RTT);
    expect_number("window", cc.cwnd, 10 * MSS);
    s.srtt = s.min_rtt = 0;
    memset(priv, 0, sizeof(priv));
    restart();
    expect_number("without any: 1 ms", (uint32_t)cc.pacing_rate, 27700 * 1000);
}

/* 5.3.1: Startup sends 2.77 times as fast as was delivered; the window doubles each round trip. */
static void draft_5_3_1_startup(void **state)
{
    (void)state;
    begin();
    round_trip(BW / 2, 19 * MSS);
    assert_int_equal(b->state, BBR_STARTUP);
    paces("gain", BW / 2, 277);
    expect_number("cwnd: what was acknowledged", cc.cwnd, 30 * MSS);
    round_trip(BW, 19 * MSS);
    paces("twice", BW, 277);
    round_trip(BW / 2, 19 * MSS);
    paces("it does not become slower", BW, 277);
}

/* 5.3.1.2: three rounds with less than a quarter more: the path is full. */
static void draft_5_3_1_2_plateau(void **state)
{
    (void)state;
    begin();
    round_trip(BW, 40 * MSS);
    round_trip(BW * 5 / 4, 40 * MSS); /* just enough */
    for (int i = 0; i < 2; i++)
        round_trip(BW * 5 / 4 + (uint64_t)i, 100 * MSS);
    assert_false(b->full_bw_reached);
    round_trip(BW * 5 / 4, 100 * MSS);
    assert_true(b->full_bw_reached);
    assert_int_equal(b->state, BBR_DRAIN);
    begin();
    round_trip(BW, 40 * MSS);
    s.rate.app_limited = true;
    for (int i = 0; i < 10; i++)
        round_trip(BW, 40 * MSS);
    assert_false(b->full_bw_reached); /* the application was the limit */
}

/* 5.3.1.3: more than 2% lost in six pieces, a round trip into recovery: the path is full, too. */
static void draft_5_3_1_3_loss(void **state)
{
    static const struct {
        uint32_t bytes, ranges;
        bool full;
    } cases[] = {
        {10 * MSS, 6, true},
        {10 * MSS, 5, false}, /* too few pieces */
        {MSS, 6, false},      /* of 60 in flight: under 2% */
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        begin();
        round_trip(BW / 2, 20 * MSS);
        round_trip(BW, 40 * MSS);
        lose(cases[i].bytes, 60 * MSS, cases[i].ranges);
        cc_bbr.on_loss(&cc, &s);
        ack(MSS, BW, 60 * MSS);
        assert_int_equal(b->state, BBR_STARTUP); /* not at once */
        for (int k = 0; k < 45; k++) {
            s.rate.lost = cases[i].bytes;
            ack(MSS, BW, 60 * MSS);
            s.now += MSEC;
        }
        assert_int_equal(b->full_bw_reached, cases[i].full);
        if (cases[i].full)
            expect_number("inflight_longterm", b->inflight_longterm, BDP);
    }
}

/* 5.3.2: Drain sends half as fast until no more than the BDP flies, or for three rounds. */
static void draft_5_3_2_drain(void **state)
{
    (void)state;
    begin();
    for (int i = 0; i < 5 && b->state == BBR_STARTUP; i++)
        round_trip(BW, 80 * MSS);
    assert_int_equal(b->state, BBR_DRAIN);
    ack(MSS, BW, 41 * MSS);
    assert_int_equal(b->state, BBR_DRAIN);
    paces("half", BW, 50);
    ack(MSS, BW, 40 * MSS);
    assert_int_equal(b->state, BBR_CRUISE); /* DOWN has nothing to do */
    begin();
    for (int i = 0; i < 5 && b->state == BBR_STARTUP; i++)
        round_trip(BW, 80 * MSS);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(b->state, BBR_DRAIN);
        round_trip(BW, 80 * MSS);
    }
    round_trip(BW, 80 * MSS);
    assert_true(b->state != BBR_DRAIN);
}

/* 5.3.3: DOWN, CRUISE, REFILL, UP, and down again, with their gains. */
static void draft_5_3_3_cycle(void **state)
{
    (void)state;
    fill();
    paces("CRUISE", BW, 100);
    until(BBR_REFILL);
    paces("REFILL", BW, 100);
    round_trip(BW, 40 * MSS);
    ack(MSS, BW, 40 * MSS);
    assert_int_equal(b->state, BBR_UP);
    paces("UP", BW, 125);
    for (int i = 0; i < 5 && b->state == BBR_UP; i++)
        round_trip(BW, 50 * MSS);
    assert_int_equal(b->state, BBR_DOWN); /* there is no more to be had */
    assert_true(b->inflight_longterm == BBR_UNKNOWN);
    paces("DOWN", BW, 90);
    ack(MSS, BW, 41 * MSS);
    assert_int_equal(b->state, BBR_DOWN);
    ack(MSS, BW, 40 * MSS);
    assert_int_equal(b->state, BBR_CRUISE);
}

/* 5.3.3.8: 2 to 3 s after the last probe, or as many round trips as Reno takes for its BDP. */
static void draft_5_3_3_8_time_scale(void **state)
{
    int64_t since;

    (void)state;
    fill();
    since = b->cycle_stamp;
    assert_true(b->bw_probe_wait >= 2 * SEC && b->bw_probe_wait < 3 * SEC);
    until(BBR_REFILL); /* 40 round trips of 40 ms are 1.6 s */
    assert_in_range(s.now - since, 1550 * MSEC, 1650 * MSEC);
}

/* 5.3.3.5: more bandwidth is found in UP, and kept: max_bw is of two cycles. */
static void draft_5_3_3_5_more(void **state)
{
    (void)state;
    fill();
    until(BBR_UP);
    round_trip(BW * 6 / 5, 50 * MSS);
    expect_number("at once", (uint32_t)b->bw, BW * 6 / 5);
    until(BBR_DOWN);
    until(BBR_UP);
    expect_number("a cycle later", (uint32_t)b->bw, BW * 6 / 5);
    until(BBR_DOWN);
    until(BBR_UP);
    expect_number("two cycles later it is forgotten", (uint32_t)b->bw, BW);
}

/* 5.5.10.2: more than 2% lost in UP: that was too much in flight; and it is remembered. */
static void draft_5_5_10_2_too_high(void **state)
{
    (void)state;
    fill();
    until(BBR_UP);
    lose(MSS, 50 * MSS, 1);
    ack(MSS, BW, 50 * MSS);
    assert_int_equal(b->state, BBR_UP); /* 2% */
    lose(3 * MSS, 50 * MSS, 1);
    ack(MSS, BW, 47 * MSS);
    assert_int_equal(b->state, BBR_DOWN);
    /* 47 flew before; with x of the lost ones x / (47 + x) = 2% */
    expect_number("inflight_longterm", b->inflight_longterm, 47000 + 94000 / 98);
    assert_true(cc.cwnd <= b->inflight_longterm);
    until(BBR_CRUISE);
    assert_true(s.pipe <= b->inflight_longterm * 85 / 100 + 1);
    expect_number("with headroom", cc.cwnd, b->inflight_longterm - b->inflight_longterm * 15 / 100);
}

/* 5.3.3.6: after that, a probe goes down as soon as that much flies; then, if it was safe, again.
 */
static void draft_5_3_3_6_precautionary(void **state)
{
    (void)state;
    fill();
    until(BBR_UP);
    lose(3 * MSS, 50 * MSS, 1);
    ack(MSS, BW, 47 * MSS);
    until(BBR_UP);
    ack(MSS, BW, 47 * MSS);
    assert_int_equal(b->state, BBR_UP);
    ack(MSS, BW, 48 * MSS);
    assert_int_equal(b->state, BBR_DOWN);
    assert_true(b->prev_probe_precautionary);
    round_trip(BW, 45 * MSS);
    ack(MSS, BW, 45 * MSS);
    assert_int_equal(b->state, BBR_REFILL); /* no loss came of it: no need to wait */
}

/* 5.3.3.5: the limit is raised by 1, 2, 4 ... segments for each round trip that it held us back. */
static void draft_5_3_3_5_longterm_upward(void **state)
{
    uint32_t before, first;

    (void)state;
    fill();
    b->inflight_longterm = 44 * MSS;
    until(BBR_UP);
    s.cwnd_limited = true;
    cc.cwnd = b->inflight_longterm;
    before = b->inflight_longterm;
    for (int i = 0; i < 44; i++)
        ack(MSS, BW, 40 * MSS);
    first = b->inflight_longterm - before;
    assert_in_range(first, MSS, 2 * MSS);
    for (int i = 0; i < 88; i++) {
        before = i == 44 ? b->inflight_longterm : before;
        ack(MSS, BW, 40 * MSS);
    }
    assert_in_range(b->inflight_longterm - before, 4 * MSS, 8 * MSS);
    s.cwnd_limited = false;
}

/* 5.5.10.2: where within the range that was lost 2% were reached. */
static void draft_5_5_10_2_inflight_at_loss(void **state)
{
    struct rate_sample r = {.loss_tx_in_flight = 100000, .loss_size = 10000, .loss_since = 10000};

    (void)state;
    expect_number("90 KB before, none lost", bbr_inflight_at_loss(&r), 90000 + 180000 / 98);
    r.loss_since = 11800;
    expect_number("1.8 KB lost already", bbr_inflight_at_loss(&r), 90000);
    assert_false(bbr_too_much(2000, 100000, true));
    assert_true(bbr_too_much(2001, 100000, true));
    assert_true(bbr_too_much(1, 100000, false));
}

/* 5.5.10.3: a loss in CRUISE: down to what the last round delivered, by 30% at most, once. */
static void draft_5_5_10_3_short_term(void **state)
{
    (void)state;
    fill();
    until(BBR_CRUISE);
    lose(MSS, 40 * MSS, 1);
    ack(MSS, BW * 8 / 10, 35 * MSS);
    round_trip(BW * 8 / 10, 35 * MSS);
    round_trip(BW * 8 / 10, 35 * MSS);
    assert_true(b->bw_shortterm <= BW && b->bw_shortterm >= BW * 8 / 10);
    lose(MSS, 40 * MSS, 1);
    ack(MSS, BW * 8 / 10, 35 * MSS);
    round_trip(BW * 8 / 10, 35 * MSS);
    round_trip(BW * 8 / 10, 35 * MSS);
    expect_number("what was delivered", (uint32_t)b->bw_shortterm, BW * 8 / 10);
    expect_number("bw", (uint32_t)b->bw, BW * 8 / 10);
    lose(MSS, 40 * MSS, 1);
    ack(MSS, BW / 10, 35 * MSS);
    round_trip(BW / 10, 35 * MSS);
    expect_number("nothing new in this one", (uint32_t)b->bw_shortterm, BW * 8 / 10);
    lose(MSS, 40 * MSS, 1);
    ack(MSS, BW / 10, 35 * MSS);
    round_trip(BW / 10, 35 * MSS);
    round_trip(BW / 10, 35 * MSS);
    expect_number("by 30% at most", (uint32_t)b->bw_shortterm, BW * 56 / 100);
    until(BBR_REFILL);
    expect_number("forgotten", (uint32_t)b->bw, BW);
}

/* 5.3.4: after 5 s without a shorter round trip: half the BDP for 200 ms and a round trip. */
static void draft_5_3_4_probe_rtt(void **state)
{
    int64_t from;
    uint32_t cwnd;

    (void)state;
    fill();
    s.rtt = (RTT + 1) * MSEC;
    from = b->probe_rtt_min_stamp;
    while (b->state != BBR_PROBE_RTT && s.now < from + 6 * SEC) {
        cwnd = cc.cwnd;
        ack(MSS, BW, 35 * MSS);
        s.now += MSEC;
    }
    assert_in_range(s.now - from, 5 * SEC, 5 * SEC + 3 * MSEC);
    expect_number("half of the BDP", cc.cwnd, BDP / 2);
    from = s.now;
    while (b->state == BBR_PROBE_RTT && s.now < from + SEC) {
        ack(MSS, BW, 20 * MSS);
        s.now += MSEC;
    }
    assert_in_range(s.now - from, 200 * MSEC, 245 * MSEC);
    assert_int_equal(b->state, BBR_CRUISE);
    assert_true(cc.cwnd >= cwnd);
    assert_int_equal(b->min_rtt, RTT * MSEC); /* for ten seconds */
}

/* 5.4.1: after a pause at the rate of the path, and ProbeRTT is not needed. */
static void draft_5_4_1_restart_from_idle(void **state)
{
    (void)state;
    fill();
    until(BBR_DOWN);
    ack(MSS, BW, 50 * MSS);
    paces("DOWN", BW, 90);
    s.now += 6 * SEC;
    restart();
    paces("exactly bw", BW, 100);
    ack(MSS, BW, MSS);
    assert_true(b->state != BBR_PROBE_RTT);
}

/* 5.6.4.4: one segment after a timeout, and what it was before when it is repaired. */
static void draft_5_6_4_4_timeout(void **state)
{
    uint32_t cwnd;

    (void)state;
    fill();
    cwnd = cc.cwnd;
    s.pipe = 0;
    cc_bbr.on_rto(&cc, &s);
    expect_number("cwnd", cc.cwnd, MSS);
    ack(MSS, BW, MSS);
    assert_true(cc.cwnd < cwnd);
    cc_bbr.on_recovered(&cc, &s);
    expect_number("restored", cc.cwnd, cwnd);
}

/* 5.5.11: a loss that was none: back to the probe, with what was known before. */
static void draft_5_5_11_spurious(void **state)
{
    (void)state;
    fill();
    until(BBR_UP);
    cc_bbr.on_loss(&cc, &s);
    lose(3 * MSS, 50 * MSS, 1);
    ack(MSS, BW, 47 * MSS);
    assert_int_equal(b->state, BBR_DOWN);
    cc_bbr.on_undo(&cc, &s);
    assert_int_equal(b->state, BBR_REFILL);
    assert_true(b->inflight_longterm == BBR_UNKNOWN);
}

/* 5.5.4: what the application did not send says nothing, unless it is faster all the same. */
static void draft_5_5_4_application_limited(void **state)
{
    (void)state;
    begin();
    round_trip(BW / 2, 20 * MSS);
    s.rate.app_limited = true;
    round_trip(BW / 4, 5 * MSS);
    expect_number("kept", (uint32_t)b->bw, BW / 2);
    round_trip(BW, 5 * MSS);
    expect_number("faster", (uint32_t)b->bw, BW);
    bbr_advance_max_bw(b);
    round_trip(BW / 4, 5 * MSS);
    bbr_advance_max_bw(b); /* no sample, no cycle */
    expect_number("still kept", (uint32_t)bbr_max_bw(b), BW);
}

/* What is told of the model: nothing before there is one, then that of the state. */
static void the_model_is_told(void **state)
{
    struct cc_model m = {0};

    (void)state;
    memset(priv, 0, sizeof(priv));
    cc_bbr.init(&cc, MSS);
    cc.priv = priv;
    cc_bbr.model(&cc, &m);
    assert_int_equal(m.bw, 0);
    fill();
    until(BBR_UP);
    cc_bbr.model(&cc, &m);
    assert_int_equal(m.bw, b->bw);
    assert_int_equal(m.min_rtt, RTT * MSEC);
    assert_int_equal(m.pacing_gain, 125);
    assert_int_equal(m.cwnd_gain, 225);
    b->min_rtt = BBR_RTT_UNKNOWN;
    cc_bbr.model(&cc, &m);
    assert_int_equal(m.min_rtt, 0);
}

/* RFC 3168 5: a mark is a loss: in UP it ends the probe. */
static void rfc3168_5_mark(void **state)
{
    (void)state;
    fill();
    until(BBR_UP);
    s.ecn = true;
    s.rate.tx_in_flight = 45 * MSS;
    cc_bbr.on_loss(&cc, &s);
    assert_int_equal(b->state, BBR_DOWN);
    expect_number("inflight_longterm", b->inflight_longterm, 45 * MSS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(draft_5_6_2_initial_rate),
        cmocka_unit_test(draft_5_3_1_startup),
        cmocka_unit_test(draft_5_3_1_2_plateau),
        cmocka_unit_test(draft_5_3_1_3_loss),
        cmocka_unit_test(draft_5_3_2_drain),
        cmocka_unit_test(draft_5_3_3_cycle),
        cmocka_unit_test(draft_5_3_3_8_time_scale),
        cmocka_unit_test(draft_5_3_3_5_more),
        cmocka_unit_test(draft_5_5_10_2_too_high),
        cmocka_unit_test(draft_5_3_3_6_precautionary),
        cmocka_unit_test(draft_5_3_3_5_longterm_upward),
        cmocka_unit_test(draft_5_5_10_2_inflight_at_loss),
        cmocka_unit_test(draft_5_5_10_3_short_term),
        cmocka_unit_test(draft_5_3_4_probe_rtt),
        cmocka_unit_test(draft_5_4_1_restart_from_idle),
        cmocka_unit_test(draft_5_6_4_4_timeout),
        cmocka_unit_test(draft_5_5_11_spurious),
        cmocka_unit_test(draft_5_5_4_application_limited),
        cmocka_unit_test(the_model_is_told),
        cmocka_unit_test(rfc3168_5_mark),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
