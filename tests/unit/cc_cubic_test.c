/* CUBIC by numbers, after RFC 9438. A full segment has 1,000 bytes; times are in ms. */
#include <stdio.h>

#include "base/time.h"
#include "tcp/cc/cc.h"
#include "wire_check.h"

enum {
    MSS = 1000,
};

static uint64_t priv[CC_PRIV_WORDS];
static struct cc cc;
static int64_t now; /* ms */

static void begin(uint32_t segments, uint32_t ssthresh)
{
    cc_cubic.init(&cc, MSS);
    memset(priv, 0, sizeof(priv));
    cc.priv = priv;
    cc.cwnd = segments * MSS;
    cc.ssthresh = ssthresh == CC_WINDOW_MAX ? ssthresh : ssthresh * MSS;
    now = 1000;
}

static struct cc_sample sample(int64_t rtt)
{
    return (struct cc_sample){.now = now * MSEC,
                              .srtt = rtt * MSEC,
                              .mss = MSS,
                              .in_flight = cc.cwnd,
                              .cwnd_limited = true};
}

static void ack(uint32_t bytes, int64_t rtt)
{
    struct cc_sample s = sample(rtt);

    s.acked = bytes;
    cc_cubic.on_ack(&cc, &s);
}

/* A round trip in which the whole window is acknowledged, a segment at a time. */
static void round_trip(int64_t rtt)
{
    uint32_t n = cc.cwnd / MSS;

    for (uint32_t i = 0; i < n; i++) {
        ack(MSS, rtt);
        now += (i + 1) * rtt / n - i * rtt / n;
    }
}

static void loss(bool ecn)
{
    struct cc_sample s = sample(100);

    s.ecn = ecn;
    cc_cubic.on_loss(&cc, &s);
}

static void near(const char *step, uint32_t got, uint32_t want, uint32_t percent)
{
    if (got > want + want * percent / 100 || got < want - want * percent / 100)
        fail_msg("%s: %u, expected %u within %u%%", step, got, want, percent);
}

/* 4.6: beta_cubic is 0.7; of what is in flight, and at least two segments. */
static void rfc9438_4_6_multiplicative_decrease(void **state)
{
    struct cc_sample s;

    (void)state;
    begin(100, 50);
    loss(false);
    expect_number("cwnd", cc.cwnd, 70 * MSS);
    expect_number("ssthresh", cc.ssthresh, 70 * MSS);
    begin(100, 50);
    loss(true);
    expect_number("a mark counts as a loss does", cc.cwnd, 70 * MSS);
    begin(100, 50);
    s = sample(100);
    s.in_flight = 50 * MSS;
    cc_cubic.on_loss(&cc, &s);
    expect_number("half of it was used", cc.cwnd, 35 * MSS);
    begin(2, 2);
    loss(false);
    expect_number("two segments", cc.cwnd, 2 * MSS);
}

/*
 * 4.2, figures 1 and 2: from 700 segments back to W_max = 1000 takes K = cbrt(300 / 0.4) = 9.086 s,
 * whatever the round trip is; after half of that W_cubic is 1000 - 0.4 * 4.543^3 = 962.5, and as
 * far behind K it is 1037.5.
 */
static void rfc9438_4_2_the_curve(void **state)
{
    static const int64_t rtts[] = {100, 200, 400};

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        int64_t from;

        begin(1000, 500);
        loss(false);
        from = now;
        while (now + rtts[i] < from + 4543)
            round_trip(rtts[i]);
        near("half of K", cc.cwnd / MSS, 962, 1);
        while (now + rtts[i] < from + 9086)
            round_trip(rtts[i]);
        near("K", cc.cwnd / MSS, 1000, 1);
        while (now + rtts[i] < from + 13629)
            round_trip(rtts[i]);
        near("one and a half of K", cc.cwnd / MSS, 1037, 1);
    }
}

/* 4.2: a round trip does not add more than half of the window (target <= 1.5 cwnd). */
static void rfc9438_4_2_target_is_bounded(void **state)
{
    uint32_t before;

    (void)state;
    begin(100, 50);
    loss(false);
    ack(MSS, 100); /* slow start, to begin with */
    ack(MSS, 100);
    now += 60000; /* the curve is far beyond now */
    before = cc.cwnd;
    round_trip(100);
    assert_true(cc.cwnd <= before * 3 / 2 + MSS && cc.cwnd > before * 14 / 10);
}

/*
 * 4.3: where the round trip is short, the window is what Reno would have with the same loss rate:
 * 9/17 of a segment for each round trip up to cwnd_prior, then a whole one.
 */
static void rfc9438_4_3_reno_friendly(void **state)
{
    (void)state;
    begin(20, 10);
    loss(false);
    expect_number("after the loss", cc.cwnd, 14 * MSS);
    ack(MSS, 1);
    expect_number("4.10: slow start up to ssthresh", cc.cwnd, 15 * MSS);
    for (int i = 0; i < 10; i++)
        round_trip(1);
    near("ten round trips, 9/17 each", cc.cwnd, 15 * MSS + 10 * MSS * 9 / 17, 3);
    while (cc.cwnd < 20 * MSS)
        round_trip(1);
    for (int i = 0; i < 10; i++)
        round_trip(1);
    near("and ten beyond cwnd_prior", cc.cwnd, 30 * MSS, 4);
}

/* 4.4 and 4.5: concave below W_max, convex above it. */
static void rfc9438_4_4_concave_then_convex(void **state)
{
    uint32_t first, middle, last, at;

    (void)state;
    begin(1000, 500);
    loss(false);
    at = cc.cwnd;
    round_trip(200);
    round_trip(200);
    first = cc.cwnd - at;
    while (now < 1000 + 9000)
        round_trip(200);
    at = cc.cwnd;
    round_trip(200);
    middle = cc.cwnd - at;
    while (now < 1000 + 18000)
        round_trip(200);
    at = cc.cwnd;
    round_trip(200);
    last = cc.cwnd - at;
    assert_true(first > 10 * middle && last > 10 * middle);
}

/* 4.7: who has to shrink below the last W_max aims at less than it had, to let others in. */
static void rfc9438_4_7_fast_convergence(void **state)
{
    int64_t from;

    (void)state;
    begin(1000, 500);
    loss(false);
    cc.cwnd = 800 * MSS;
    loss(false);
    expect_number("0.7 of 800", cc.cwnd, 560 * MSS);
    from = now;
    /* W_max = 800 * (1 + 0.7) / 2 = 680; K = cbrt(120 / 0.4) = 6.694 s */
    while (now + 200 < from + 6694)
        round_trip(200);
    near("W_max is 680", cc.cwnd / MSS, 680, 1);
    begin(800, 400);
    loss(false);
    from = now;
    while (now + 200 < from + 8434) /* K = cbrt(240 / 0.4) */
        round_trip(200);
    near("the first time W_max is all of it", cc.cwnd / MSS, 800, 1);
}

/* 4.8: one segment after a timeout; slow start up to 0.7; from there the curve begins flat. */
static void rfc9438_4_8_timeout(void **state)
{
    struct cc_sample s;
    uint32_t cwnd;

    (void)state;
    begin(1000, 500);
    s = sample(100);
    cc_cubic.on_rto(&cc, &s);
    expect_number("cwnd", cc.cwnd, MSS);
    expect_number("ssthresh", cc.ssthresh, 700 * MSS);
    s.in_recovery = true;
    s.in_flight = MSS;
    cc_cubic.on_rto(&cc, &s);
    expect_number("again for the same segment", cc.ssthresh, 700 * MSS);
    cc_cubic.on_recovered(&cc, &s);
    while (cc.cwnd < cc.ssthresh)
        ack(2 * MSS, 100);
    cwnd = cc.cwnd;
    round_trip(100);
    near("K is 0: W_max is here", cc.cwnd, cwnd, 1);
    for (int64_t from = now; now < from + 5000;)
        round_trip(100);
    near("0.4 * 5.1^3 more", cc.cwnd, cwnd + 53 * MSS, 2);
}

/* 4.9: a spurious loss or timeout is undone, with the curve and all. */
static void rfc9438_4_9_spurious(void **state)
{
    struct cc_sample s;
    struct cc before;
    uint64_t words[CC_PRIV_WORDS];

    (void)state;
    begin(1000, 500);
    loss(false);
    for (int i = 0; i < 20; i++)
        round_trip(100);
    for (int timeout = 0; timeout < 2; timeout++) {
        uint32_t whole;

        before = cc;
        memcpy(words, priv, sizeof(words));
        s = sample(100);
        if (timeout)
            cc_cubic.on_rto(&cc, &s);
        else
            cc_cubic.on_loss(&cc, &s);
        assert_true(cc.cwnd < before.cwnd);
        cc_cubic.on_undo(&cc, &s);
        expect_number("cwnd", cc.cwnd, before.cwnd);
        expect_number("ssthresh", cc.ssthresh, before.ssthresh);
        round_trip(100);
        whole = cc.cwnd; /* as if nothing had been */
        cc = before;
        memcpy(priv, words, sizeof(words));
        now -= 100;
        round_trip(100);
        expect_number("on the same curve", whole, cc.cwnd);
    }
}

/* 4.10: slow start that ends without a loss: the curve begins where it ends. */
static void rfc9438_4_10_slow_start(void **state)
{
    uint32_t cwnd;

    (void)state;
    begin(10, CC_WINDOW_MAX);
    for (int i = 0; i < 10; i++)
        ack(MSS, 100);
    expect_number("a round trip of slow start", cc.cwnd, 20 * MSS);
    cc.cwnd = cc.ssthresh = 500 * MSS;
    cwnd = cc.cwnd;
    round_trip(100);
    near("flat at first", cc.cwnd, cwnd, 1);
    while (now < 1000 + 10000)
        round_trip(100);
    near("then 0.4 t^3 more", cc.cwnd / MSS, 900, 3);
}

/* 4.2 and 5.8: time does not pass while the application is what holds the sender back. */
static void rfc9438_5_8_application_limited(void **state)
{
    struct cc_sample s;
    uint32_t cwnd;

    (void)state;
    begin(1000, 500);
    loss(false);
    round_trip(100);
    cwnd = cc.cwnd;
    for (int i = 0; i < 200; i++, now += 100) {
        s = sample(100);
        s.acked = MSS;
        s.cwnd_limited = false;
        cc_cubic.on_ack(&cc, &s);
    }
    expect_number("no growth", cc.cwnd, cwnd);
    ack(MSS, 100);
    round_trip(100);
    near("no leap after 20 s", cc.cwnd, cwnd, 6);
}

/* The same with 64 acknowledgments at most, for windows that are large. */
static void quick_round_trip(int64_t rtt)
{
    uint32_t n = cc.cwnd / MSS, step = n / 64 + 1;

    for (uint32_t i = 0; i < n; i += step) {
        uint32_t next = i + step < n ? i + step : n;

        ack((next - i) * MSS, rtt);
        now += next * rtt / n - i * rtt / n;
    }
}

/* The average window, in segments, with one loss for each `packets` that leave. */
static uint32_t average(uint32_t packets, int64_t rtt)
{
    uint64_t sum = 0, rounds = 0, sent = 0, next = packets;

    begin(100, 50);
    loss(false);
    for (int losses = 0; losses < 40;) {
        uint32_t n = cc.cwnd / MSS;

        sent += n;
        if (losses >= 20) {
            sum += n;
            rounds++;
        }
        quick_round_trip(rtt);
        if (sent >= next) {
            loss(false);
            next += packets;
            losses++;
        }
    }
    return (uint32_t)(sum / rounds);
}

/* 5.1, tables 1 and 2: the column for C = 0.4. Losses are regular there, and rounds are whole. */
static void rfc9438_5_1_average_window(void **state)
{
    static const struct {
        uint32_t packets; /* for each loss */
        int64_t rtt;
        uint32_t want;
    } table[] = {
        {100, 100, 12},      {1000, 100, 38},      {10000, 100, 187},      {100000, 100, 1054},
        {100, 10, 12},       {1000, 10, 38},       {10000, 10, 120},       {100000, 10, 379},
        {1000000, 10, 1200}, {1000000, 100, 5926}, {10000000, 100, 33325},
    };
    char step[60];

    (void)state;
    for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        snprintf(step, sizeof(step), "one of %u lost, %d ms", table[i].packets, (int)table[i].rtt);
        near(step, average(table[i].packets, table[i].rtt), table[i].want, 12);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc9438_4_6_multiplicative_decrease),
        cmocka_unit_test(rfc9438_4_2_the_curve),
        cmocka_unit_test(rfc9438_4_2_target_is_bounded),
        cmocka_unit_test(rfc9438_4_3_reno_friendly),
        cmocka_unit_test(rfc9438_4_4_concave_then_convex),
        cmocka_unit_test(rfc9438_4_7_fast_convergence),
        cmocka_unit_test(rfc9438_4_8_timeout),
        cmocka_unit_test(rfc9438_4_9_spurious),
        cmocka_unit_test(rfc9438_4_10_slow_start),
        cmocka_unit_test(rfc9438_5_8_application_limited),
        cmocka_unit_test(rfc9438_5_1_average_window),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
