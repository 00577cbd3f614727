/* Reno by numbers: RFC 5681, RFC 6928, RFC 3465. A full segment has 1,000 bytes. */
#include "tcp/cc/cc.h"

#include <stdio.h>

#include "wire_check.h"

enum {
    MSS = 1000,
    UNLIMITED = 1 << 30,
};

static const struct cc_ops *reno = &cc_reno;
static uint64_t priv[CC_PRIV_WORDS];

static struct cc make(uint32_t cwnd, uint32_t ssthresh)
{
    struct cc cc = {0};

    reno->init(&cc, MSS);
    memset(priv, 0, sizeof(priv));
    cc.priv = priv;
    cc.cwnd = cwnd;
    cc.ssthresh = ssthresh;
    return cc;
}

static void ack(struct cc *cc, uint32_t acked)
{
    reno->on_ack(cc, &(struct cc_sample){.acked = acked, .mss = MSS, .cwnd_limited = true});
}

static void loss(struct cc *cc, uint32_t in_flight)
{
    reno->on_loss(cc, &(struct cc_sample){.in_flight = in_flight, .mss = MSS});
}

static void recovered(struct cc *cc, uint32_t in_flight)
{
    reno->on_recovered(cc, &(struct cc_sample){.in_flight = in_flight,
                                               .mss = MSS,
                                               .in_recovery = true});
}

static void rto(struct cc *cc, uint32_t in_flight, bool again)
{
    reno->on_rto(cc, &(struct cc_sample){.in_flight = in_flight, .mss = MSS, .in_recovery = again});
}

static void expect(const char *step, const struct cc *cc, uint32_t cwnd, uint32_t ssthresh)
{
    char name[100];

    snprintf(name, sizeof(name), "%s: cwnd", step);
    expect_number(name, cc->cwnd, cwnd);
    snprintf(name, sizeof(name), "%s: ssthresh", step);
    expect_number(name, cc->ssthresh, ssthresh);
}

/* RFC 6928 section 2: min(10 * MSS, max(2 * MSS, 14600)). */
static void rfc6928_2_initial_window(void **state)
{
    static const struct {
        uint32_t mss, want;
    } cases[] = {
        {48, 480},     {536, 5360},   {1000, 10000}, {1459, 14590}, {1460, 14600},   {1461, 14600},
        {7299, 14600}, {7300, 14600}, {7301, 14602}, {8960, 17920}, {65495, 130990},
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        expect_number("initial window", cc_initial_window(cases[i].mss), cases[i].want);
}

static void test_modules_are_found_by_name(void **state)
{
    unsigned n = 0;

    (void)state;
    assert_ptr_equal(cc_find("reno"), reno);
    assert_ptr_equal(cc_find("cubic"), &cc_cubic);
    assert_null(cc_find("ren"));
    assert_null(cc_find(""));
    for (const struct cc_ops *m = cc_next(NULL); m; m = cc_next(m), n++)
        assert_ptr_equal(cc_find(m->name), m);
    assert_true(n >= 3);
}

static void test_a_connection_begins_in_slow_start(void **state)
{
    struct cc cc = {.pacing_rate = 1};

    (void)state;
    reno->init(&cc, MSS);
    expect("initial", &cc, 10000, UNLIMITED);
    assert_true(cc.pacing_rate == 0);
}

/* RFC 5681 section 3.1 (2), with the limit of RFC 3465: what was acknowledged, at most 2 segments.
 */
static void rfc5681_3_1_slow_start(void **state)
{
    struct cc cc = make(10000, UNLIMITED);

    (void)state;
    ack(&cc, MSS);
    expect("one segment", &cc, 11000, UNLIMITED);
    ack(&cc, 1);
    expect("one byte (ACK division gains nothing)", &cc, 11001, UNLIMITED);
    ack(&cc, 2 * MSS);
    expect("two segments", &cc, 13001, UNLIMITED);
    ack(&cc, 2 * MSS + 1);
    expect("more counts as two", &cc, 15001, UNLIMITED);
    ack(&cc, 60000);
    expect("a whole super-segment, too", &cc, 17001, UNLIMITED);
}

/* A round trip of slow start doubles, one of congestion avoidance adds a segment. */
static void rfc5681_3_1_a_round_trip_of_each(void **state)
{
    struct cc cc = make(8000, UNLIMITED);

    (void)state;
    for (int i = 0; i < 8; i++)
        ack(&cc, MSS);
    expect("slow start", &cc, 16000, UNLIMITED);
    cc = make(8000, 7999);
    for (int i = 0; i < 7; i++)
        ack(&cc, MSS);
    expect("7 of 8 segments", &cc, 8000, 7999);
    ack(&cc, MSS - 1);
    expect("all but a byte", &cc, 8000, 7999);
    ack(&cc, 1);
    expect("all", &cc, 9000, 7999);
    for (int i = 0; i < 8; i++)
        ack(&cc, MSS);
    expect("8 of 9 segments", &cc, 9000, 7999);
    ack(&cc, MSS);
    expect("all 9", &cc, 10000, 7999);
}

/* What cannot fly as a segment is not waited for: a round trip is one of 8 segments here, too. */
static void test_a_part_of_a_segment_does_not_fly(void **state)
{
    struct cc cc = make(8700, 8000);

    (void)state;
    ack(&cc, 8 * MSS - 1);
    expect("all but a byte", &cc, 8700, 8000);
    ack(&cc, 1);
    expect("all that fits", &cc, 9700, 8000);
    ack(&cc, 9 * MSS);
    expect("and the next", &cc, 10700, 8000);
}

static void rfc5681_3_1_slow_start_ends_at_ssthresh(void **state)
{
    struct cc cc = make(7999, 8000);

    (void)state;
    ack(&cc, MSS);
    expect("a byte below", &cc, 8999, 8000);
    ack(&cc, MSS);
    expect("beyond", &cc, 8999, 8000);
    cc = make(8000, 8000);
    ack(&cc, MSS);
    expect("at ssthresh, where it may be either", &cc, 9000, 8000);
    cc = make(7000, 8000);
    ack(&cc, 8 * MSS);
    expect("no more than a segment beyond", &cc, 9000, 8000);
}

static void test_no_growth_where_cwnd_was_not_the_limit(void **state)
{
    struct cc slow = make(8000, UNLIMITED), avoid = make(8000, 7999);
    struct cc_sample s = {.acked = 8000, .mss = MSS};

    (void)state;
    reno->on_ack(&slow, &s);
    expect("the application was the limit", &slow, 8000, UNLIMITED);
    reno->on_ack(&avoid, &s);
    ack(&avoid, 7999);
    expect("and it saved up nothing", &avoid, 8000, 7999);
    s.cwnd_limited = s.in_recovery = true;
    reno->on_ack(&slow, &s);
    expect("a loss is being repaired", &slow, 8000, UNLIMITED);
}

static void test_growth_ends_at_the_largest_window(void **state)
{
    struct cc cc = make(UNLIMITED - 1, UINT32_MAX);

    (void)state;
    for (int i = 0; i < 10; i++)
        ack(&cc, 2 * MSS);
    expect("largest", &cc, UNLIMITED - 1 + 2 * MSS, UINT32_MAX);
}

/* RFC 5681 (4): half of the flight, at least two segments; what flies counts, and not cwnd. */
static void rfc5681_3_1_a_loss_halves_the_flight(void **state)
{
    struct cc cc = make(40000, UNLIMITED);

    (void)state;
    loss(&cc, 20000);
    expect("half of 20 segments", &cc, 10000, 10000);
    loss(&cc, 4001);
    expect("half of 4 segments", &cc, 2000, 2000);
    cc = make(8000, UNLIMITED);
    loss(&cc, 10000);
    expect("not of what limited transmit has sent", &cc, 4000, 4000);
    loss(&cc, 3000);
    expect("never under two", &cc, 2000, 2000);
    loss(&cc, 0);
    expect("nothing in flight", &cc, 2000, 2000);
}

/* RFC 6582 section 3.2 step 3: min(ssthresh, max(FlightSize, SMSS) + SMSS). */
static void rfc6582_3_2_step_3_no_burst(void **state)
{
    struct cc cc = make(40000, UNLIMITED);

    (void)state;
    loss(&cc, 20000);
    recovered(&cc, 0);
    expect("nothing in flight", &cc, 2000, 10000);
    cc = make(40000, UNLIMITED);
    loss(&cc, 20000);
    recovered(&cc, 5000);
    expect("5 segments in flight", &cc, 6000, 10000);
    cc = make(40000, UNLIMITED);
    loss(&cc, 20000);
    recovered(&cc, 9001);
    expect("as many as ssthresh allows", &cc, 10000, 10000);
}

/* RFC 5681 section 3.1: one segment, whatever the initial window was. */
static void rfc5681_3_1_a_timeout_begins_anew(void **state)
{
    struct cc cc = make(40000, UNLIMITED);

    (void)state;
    rto(&cc, 30000, false);
    expect("timeout", &cc, MSS, 15000);
    rto(&cc, 1000, true);
    expect("again for the same segment", &cc, MSS, 15000);
    rto(&cc, 1000, false);
    expect("another one", &cc, MSS, 2000);
}

/*
 * RFC 3465 section 2.3: after a timeout an acknowledgment may cover what had arrived long before,
 * so that one segment is all that it stands for. Slow start goes on when the loss is repaired.
 */
static void rfc3465_2_3_slow_start_after_a_timeout(void **state)
{
    struct cc cc = make(40000, UNLIMITED);

    (void)state;
    rto(&cc, 30000, false);
    ack(&cc, MSS);
    expect("1 -> 2", &cc, 2000, 15000);
    ack(&cc, 2 * MSS);
    expect("2 -> 3", &cc, 3000, 15000);
    reno->on_recovered(&cc, &(struct cc_sample){.mss = MSS});
    ack(&cc, 20000);
    expect("repaired", &cc, 5000, 15000);
    ack(&cc, 2 * MSS);
    expect("as ever", &cc, 7000, 15000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc6928_2_initial_window),
        cmocka_unit_test(test_modules_are_found_by_name),
        cmocka_unit_test(test_a_connection_begins_in_slow_start),
        cmocka_unit_test(rfc5681_3_1_slow_start),
        cmocka_unit_test(rfc5681_3_1_a_round_trip_of_each),
        cmocka_unit_test(test_a_part_of_a_segment_does_not_fly),
        cmocka_unit_test(rfc5681_3_1_slow_start_ends_at_ssthresh),
        cmocka_unit_test(test_no_growth_where_cwnd_was_not_the_limit),
        cmocka_unit_test(test_growth_ends_at_the_largest_window),
        cmocka_unit_test(rfc5681_3_1_a_loss_halves_the_flight),
        cmocka_unit_test(rfc6582_3_2_step_3_no_burst),
        cmocka_unit_test(rfc5681_3_1_a_timeout_begins_anew),
        cmocka_unit_test(rfc3465_2_3_slow_start_after_a_timeout),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
