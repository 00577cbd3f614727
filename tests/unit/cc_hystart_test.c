/* HyStart++ by numbers, after RFC 9406. A full segment has 1,000 bytes. */
#include "tcp/cc/hystart.h"

#include "base/time.h"
#include "wire_check.h"

enum {
    MSS = 1000,
};

static struct hystart h;
static struct cc cc;

static void begin(void)
{
    h = (struct hystart){0};
    cc = (struct cc){.cwnd = 10 * MSS, .ssthresh = CC_WINDOW_MAX};
}

static uint32_t ack(uint32_t acked, int64_t rtt_us, bool round_start)
{
    return hystart_growth(&h, &cc,
                          &(struct cc_sample){.acked = acked,
                                              .mss = MSS,
                                              .rtt = rtt_us * USEC,
                                              .hystart = true,
                                              .rate.round_start = round_start});
}

/* A round of n acknowledgments with this round trip, the first one beginning it. */
static void round_of(int n, int64_t rtt_us)
{
    for (int i = 0; i < n; i++)
        ack(MSS, rtt_us, i == 0);
}

/* 4.2: slow start as ever, but an acknowledgment opens L = 8 segments at the most; paced: all. */
static void rfc9406_4_2_growth(void **state)
{
    (void)state;
    begin();
    expect_number("one segment", ack(MSS, 0, true), MSS);
    expect_number("eight", ack(8 * MSS, 0, false), 8 * MSS);
    expect_number("no more", ack(9 * MSS, 0, false), 8 * MSS);
    cc.pacing_rate = 1;
    expect_number("paced", ack(9 * MSS, 0, false), 9 * MSS);
}

/* 4.2: RttThresh is an eighth of the last round's, between 4 ms and 16 ms. */
static void rfc9406_4_2_threshold(void **state)
{
    static const struct {
        int64_t last, current; /* us */
        enum hystart_phase want;
    } cases[] = {
        {8000, 11999, HYSTART_SLOW_START},    {8000, 12000, HYSTART_CSS},
        {32000, 35999, HYSTART_SLOW_START},   {32000, 36000, HYSTART_CSS},
        {80000, 89999, HYSTART_SLOW_START},   {80000, 90000, HYSTART_CSS},
        {128000, 143999, HYSTART_SLOW_START}, {128000, 144000, HYSTART_CSS},
        {400000, 415999, HYSTART_SLOW_START}, {400000, 416000, HYSTART_CSS},
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        begin();
        round_of(8, cases[i].last);
        round_of(8, cases[i].current);
        assert_int_equal(h.phase, cases[i].want);
    }
}

/* 4.2: N_RTT_SAMPLE = 8 samples are needed, and it is the shortest that counts. */
static void rfc9406_4_2_eight_samples(void **state)
{
    (void)state;
    begin();
    round_of(8, 40000);
    round_of(7, 60000);
    assert_int_equal(h.phase, HYSTART_SLOW_START);
    ack(MSS, 0, false); /* it brought no sample */
    assert_int_equal(h.phase, HYSTART_SLOW_START);
    ack(MSS, 60000, false);
    assert_int_equal(h.phase, HYSTART_CSS);
    begin();
    round_of(8, 40000);
    round_of(1, 40000);
    for (int i = 0; i < 20; i++)
        ack(MSS, 60000, false);
    assert_int_equal(h.phase, HYSTART_SLOW_START);
}

/* 4.2: Conservative Slow Start grows at a quarter of the speed and lasts five rounds at most. */
static void rfc9406_4_2_conservative_slow_start(void **state)
{
    (void)state;
    begin();
    round_of(8, 40000);
    round_of(8, 60000);
    expect_number("a quarter", ack(4 * MSS, 60000, false), MSS);
    expect_number("of L", ack(40 * MSS, 60000, false), 2 * MSS);
    for (int i = 0; i < 4; i++) { /* the one in which it began counts */
        round_of(8, 60000);
        assert_int_equal(h.phase, HYSTART_CSS);
    }
    ack(MSS, 60000, true);
    assert_int_equal(h.phase, HYSTART_DONE);
}

/* 4.2: a round trip below the baseline: it was jitter, and slow start goes on. */
static void rfc9406_4_2_back_to_slow_start(void **state)
{
    (void)state;
    begin();
    round_of(8, 40000);
    round_of(8, 60000);
    round_of(7, 59999);
    assert_int_equal(h.phase, HYSTART_CSS);
    ack(MSS, 59999, false);
    assert_int_equal(h.phase, HYSTART_SLOW_START);
    expect_number("at full speed", ack(4 * MSS, 59999, false), 4 * MSS);
    round_of(8, 80000);
    assert_int_equal(h.phase, HYSTART_CSS);
    for (int i = 0; i < 5; i++)
        round_of(8, 80000);
    assert_int_equal(h.phase, HYSTART_DONE); /* five rounds anew */
}

/* 4.3: it is for the first slow start; the others end at ssthresh. */
static void rfc9406_4_3_once(void **state)
{
    (void)state;
    begin();
    hystart_end(&h);
    round_of(8, 40000);
    round_of(8, 160000);
    assert_int_equal(h.phase, HYSTART_DONE);
    expect_number("full speed", ack(8 * MSS, 160000, false), 8 * MSS);
}

/* Switched off: two segments for each acknowledgment (RFC 3465), and delay says nothing. */
static void rfc3465_2_2_without(void **state)
{
    (void)state;
    begin();
    for (int i = 0; i < 40; i++)
        expect_number("growth",
                      hystart_growth(&h, &cc,
                                     &(struct cc_sample){.acked = 8 * MSS,
                                                         .mss = MSS,
                                                         .rtt = i * 20 * MSEC,
                                                         .rate.round_start = i % 8 == 0}),
                      2 * MSS);
    assert_int_equal(h.phase, HYSTART_SLOW_START);
}

/* 4.3: the window at which CSS ends is where congestion avoidance begins, for both modules. */
static void rfc9406_4_3_sets_ssthresh(void **state)
{
    static const struct cc_ops *const modules[] = {&cc_reno, &cc_cubic};
    uint64_t priv[CC_PRIV_WORDS];

    (void)state;
    for (unsigned m = 0; m < 2; m++) {
        uint32_t round = 0;

        modules[m]->init(&cc, MSS);
        memset(priv, 0, sizeof(priv));
        cc.priv = priv;
        while (cc.ssthresh == CC_WINDOW_MAX && round++ < 20)
            for (int i = 0; i < 8; i++)
                modules[m]->on_ack(&cc, &(struct cc_sample){.now = round * 60 * MSEC,
                                                            .acked = MSS,
                                                            .mss = MSS,
                                                            .rtt = (round < 3 ? 40 : 60) * MSEC,
                                                            .srtt = 60 * MSEC,
                                                            .cwnd_limited = true,
                                                            .hystart = true,
                                                            .rate.round_start = i == 0});
        expect_number("two rounds, and five in CSS", round, 8);
        assert_true(cc.ssthresh <= cc.cwnd && cc.ssthresh + 9 * MSS > cc.cwnd);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc9406_4_2_growth),
        cmocka_unit_test(rfc9406_4_2_threshold),
        cmocka_unit_test(rfc9406_4_2_eight_samples),
        cmocka_unit_test(rfc9406_4_2_conservative_slow_start),
        cmocka_unit_test(rfc9406_4_2_back_to_slow_start),
        cmocka_unit_test(rfc9406_4_3_once),
        cmocka_unit_test(rfc3465_2_2_without),
        cmocka_unit_test(rfc9406_4_3_sets_ssthresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
