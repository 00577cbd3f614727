/* RFC 6298, rule by rule, with numbers worked by hand. */
#include "tcp/rtt.h"

#include "base/time.h"
#include "wire_check.h"

static struct tcp_config cfg = {
    .rto_initial_ns = SEC,
    .rto_min_ns = 200 * MSEC,
    .rto_max_ns = 60 * SEC,
};

/* Time one segment that takes `sample` ns. */
static void measure(struct rtt *r, int64_t sample)
{
    rtt_start(r, 5 * SEC, 1000);
    assert_int_equal(rtt_ack(r, &cfg, 5 * SEC + sample, 1000), sample);
}

static void expect(const char *step, const struct rtt *r, int64_t srtt, int64_t rttvar, int64_t rto)
{
    expect_number(step, (uint64_t)r->srtt, (uint64_t)srtt);
    expect_number(step, (uint64_t)r->rttvar, (uint64_t)rttvar);
    expect_number(step, (uint64_t)r->rto, (uint64_t)rto);
}

static void test_2_1_the_first_timeout(void **state)
{
    struct rtt r;

    (void)state;
    rtt_init(&r, &cfg);
    expect("before any measurement", &r, 0, 0, SEC);
}

static void test_2_2_the_first_measurement(void **state)
{
    struct rtt r;

    (void)state;
    rtt_init(&r, &cfg);
    measure(&r, 100 * MSEC);
    expect("SRTT = R, RTTVAR = R/2, RTO = R + 4 * R/2", &r, 100 * MSEC, 50 * MSEC, 300 * MSEC);
}

/* RTTVAR = 3/4 RTTVAR + 1/4 |SRTT - R'|, with the old SRTT; SRTT = 7/8 SRTT + 1/8 R'. */
static void test_2_3_further_measurements(void **state)
{
    struct rtt r;

    (void)state;
    rtt_init(&r, &cfg);
    measure(&r, 100 * MSEC);
    measure(&r, 180 * MSEC);
    /* 37.5 + 80/4 = 57.5; 87.5 + 22.5 = 110; 110 + 230 */
    expect("slower", &r, 110 * MSEC, 57500 * USEC, 340 * MSEC);
    measure(&r, 30 * MSEC);
    /* 43.125 + 80/4 = 63.125; 96.25 + 3.75 = 100; 100 + 252.5 */
    expect("faster", &r, 100 * MSEC, 63125 * USEC, 352500 * USEC);
    measure(&r, 100 * MSEC);
    expect("the same", &r, 100 * MSEC, 47343750, 100 * MSEC + 4 * 47343750);
}

/* G stands in where the variation has died away, and 2.4 raises what is under the minimum. */
static void test_2_4_the_minimum_and_the_granularity(void **state)
{
    int64_t was = cfg.rto_min_ns;
    struct rtt r;

    (void)state;
    rtt_init(&r, &cfg);
    measure(&r, 66 * MSEC);
    expect("198 ms are under the minimum", &r, 66 * MSEC, 33 * MSEC, 200 * MSEC);
    cfg.rto_min_ns = 1;
    rtt_init(&r, &cfg);
    for (int i = 0; i < 200; i++)
        measure(&r, 10 * MSEC);
    assert_true(r.srtt == 10 * MSEC && 4 * r.rttvar < MSEC);
    expect_number("SRTT + G", (uint64_t)r.rto, 11 * MSEC);
    cfg.rto_min_ns = was;
}

static void test_2_5_the_maximum(void **state)
{
    struct rtt r;

    (void)state;
    rtt_init(&r, &cfg);
    measure(&r, 20 * SEC);
    expect("just at the maximum", &r, 20 * SEC, 10 * SEC, 60 * SEC);
    rtt_init(&r, &cfg);
    measure(&r, 21 * SEC);
    expect("beyond the maximum", &r, 21 * SEC, 10500 * MSEC, 60 * SEC);
}

/* Section 3: an acknowledgment of what was sent twice says nothing. */
static void test_3_karn(void **state)
{
    struct rtt r;

    (void)state;
    rtt_init(&r, &cfg);
    rtt_start(&r, 0, 1000);
    rtt_cancel(&r);
    assert_int_equal(rtt_ack(&r, &cfg, 70 * MSEC, 1000), 0);
    expect("no sample", &r, 0, 0, SEC);
    rtt_start(&r, 100 * MSEC, 2000);
    assert_int_equal(rtt_ack(&r, &cfg, 170 * MSEC, 2000), 70 * MSEC);
}

static void test_3_one_segment_at_a_time(void **state)
{
    struct rtt r;

    (void)state;
    rtt_init(&r, &cfg);
    rtt_start(&r, 10 * MSEC, 1000);
    rtt_start(&r, 20 * MSEC, 2000);
    assert_int_equal(rtt_ack(&r, &cfg, 30 * MSEC, 999), 0);
    assert_int_equal(rtt_ack(&r, &cfg, 40 * MSEC, 2000), 30 * MSEC);
    assert_int_equal(rtt_ack(&r, &cfg, 50 * MSEC, 3000), 0);
}

static void test_3_across_the_wrap(void **state)
{
    struct rtt r;

    (void)state;
    rtt_init(&r, &cfg);
    rtt_start(&r, 0, 5);
    assert_int_equal(rtt_ack(&r, &cfg, MSEC, 0xfffffff0), 0);
    assert_int_equal(rtt_ack(&r, &cfg, MSEC, 4), 0);
    assert_int_equal(rtt_ack(&r, &cfg, MSEC, 5), MSEC);
    rtt_start(&r, 0, 0xfffffff0);
    assert_int_equal(rtt_ack(&r, &cfg, MSEC, 3), MSEC);
}

static void test_5_5_each_expiry_doubles_up_to_the_maximum(void **state)
{
    static const int64_t want[] = {2, 4, 8, 16, 32, 60, 60};
    struct rtt r;

    (void)state;
    rtt_init(&r, &cfg);
    for (unsigned i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
        rtt_backoff(&r, &cfg);
        expect_number("doubled", (uint64_t)r.rto, (uint64_t)(want[i] * SEC));
    }
    for (int i = 0; i < 1000; i++)
        rtt_backoff(&r, &cfg);
    assert_true(r.rto == 60 * SEC);
}

static void test_5_5_from_a_measured_timeout(void **state)
{
    struct rtt r;

    (void)state;
    rtt_init(&r, &cfg);
    measure(&r, 100 * MSEC);
    rtt_backoff(&r, &cfg);
    rtt_backoff(&r, &cfg);
    expect("300 ms, doubled twice", &r, 100 * MSEC, 50 * MSEC, 1200 * MSEC);
}

/* Only a sample ends the back-off (section 5, last paragraphs; Karn's second half). */
static void test_5_a_sample_ends_the_back_off_and_nothing_else(void **state)
{
    struct rtt r;

    (void)state;
    rtt_init(&r, &cfg);
    measure(&r, 100 * MSEC);
    rtt_start(&r, 0, 2000);
    rtt_cancel(&r);
    rtt_backoff(&r, &cfg);
    assert_int_equal(rtt_ack(&r, &cfg, SEC, 2000), 0);
    assert_true(r.rto == 600 * MSEC);
    measure(&r, 100 * MSEC);
    expect("37.5 ms of variation", &r, 100 * MSEC, 37500 * USEC, 250 * MSEC);
    rtt_backoff(&r, &cfg);
    rtt_reset_backoff(&r, &cfg);
    assert_true(r.rto == 250 * MSEC);
}

/* The SYN timed out: data begins with 3 s, where the timeout was less, and without its back-off. */
static void test_5_7_a_syn_that_timed_out(void **state)
{
    struct tcp_config slow = cfg;
    struct rtt r;

    (void)state;
    rtt_init(&r, &cfg);
    rtt_backoff(&r, &cfg);
    rtt_syn_lost(&r, &cfg);
    expect("2 s are less", &r, 0, 0, 3 * SEC);
    rtt_backoff(&r, &cfg);
    expect("doubled from there", &r, 0, 0, 6 * SEC);
    measure(&r, 100 * MSEC);
    expect("until the first measurement", &r, 100 * MSEC, 50 * MSEC, 300 * MSEC);

    slow.rto_initial_ns = 5 * SEC;
    rtt_init(&r, &slow);
    rtt_backoff(&r, &slow);
    rtt_syn_lost(&r, &slow);
    expect("5 s are not less", &r, 0, 0, 5 * SEC);
}

/* A sample of no time at all, as in a simulation, still is one. */
static void test_no_time_at_all_counts_as_a_nanosecond(void **state)
{
    struct rtt r;

    (void)state;
    rtt_init(&r, &cfg);
    rtt_start(&r, SEC, 1);
    assert_int_equal(rtt_ack(&r, &cfg, SEC, 1), 1);
    for (int i = 0; i < 100; i++) {
        rtt_start(&r, SEC, 1);
        assert_int_equal(rtt_ack(&r, &cfg, SEC, 1), 1);
        assert_true(r.srtt == 1 && r.rto == 200 * MSEC);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_2_1_the_first_timeout),
        cmocka_unit_test(test_2_2_the_first_measurement),
        cmocka_unit_test(test_2_3_further_measurements),
        cmocka_unit_test(test_2_4_the_minimum_and_the_granularity),
        cmocka_unit_test(test_2_5_the_maximum),
        cmocka_unit_test(test_3_karn),
        cmocka_unit_test(test_3_one_segment_at_a_time),
        cmocka_unit_test(test_3_across_the_wrap),
        cmocka_unit_test(test_5_5_each_expiry_doubles_up_to_the_maximum),
        cmocka_unit_test(test_5_5_from_a_measured_timeout),
        cmocka_unit_test(test_5_a_sample_ends_the_back_off_and_nothing_else),
        cmocka_unit_test(test_5_7_a_syn_that_timed_out),
        cmocka_unit_test(test_no_time_at_all_counts_as_a_nanosecond),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
