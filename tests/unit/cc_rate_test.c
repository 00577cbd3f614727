/* The delivery rate by numbers, after draft-ietf-ccwg-bbr section 4.1. Times are in ms. */
#include "tcp/cc/rate.h"

#include "base/time.h"
#include "wire_check.h"

enum {
    LEN = 1000,
    MANY = 64,
};

static struct rate r;
static struct rate_mark mark[MANY];

static void send(unsigned i, int64_t at, uint32_t in_flight)
{
    rate_on_send(&r, &mark[i], at * MSEC, in_flight, LEN);
}

static void arrive(unsigned i, int64_t at)
{
    rate_on_delivered(&r, &mark[i], at * MSEC, LEN);
}

static struct rate_sample finish(int64_t min_rtt)
{
    struct rate_sample s;

    rate_finish(&r, min_rtt * MSEC, &s);
    return s;
}

/* 4.1.1.2: ten segments a millisecond apart, each acknowledged 10 ms later: a segment per ms. */
static void draft_4_1_even_sending(void **state)
{
    struct rate_sample s;

    (void)state;
    r = (struct rate){0};
    for (unsigned i = 0; i < 20; i++) {
        if (i >= 10) {
            arrive(i - 10, i);
            s = finish(10);
            assert_int_equal(s.total_delivered, (i - 9) * LEN);
        }
        send(i, i, (i < 10 ? i : 9) * LEN);
    }
    arrive(10, 20);
    arrive(11, 21);
    s = finish(10);
    expect_number("in the interval", (uint32_t)s.delivered, 10 * LEN);
    expect_number("ms", (uint32_t)(s.interval / MSEC), 10);
    expect_number("a million bytes per second", (uint32_t)s.bandwidth, 1000000);
    expect_number("in flight when it was sent", s.tx_in_flight, 10 * LEN);
}

/*
 * 4.1.1.2: acknowledgments that come in a burst do not make the path faster than what was sent: ten
 * segments are acknowledged in 11 ms, but it took 30 ms to send them.
 */
static void draft_4_1_compressed_acknowledgments(void **state)
{
    struct rate_sample s;

    (void)state;
    r = (struct rate){0};
    for (unsigned i = 0; i < 10; i++)
        send(i, i, i * LEN);
    arrive(0, 30);
    finish(10);
    send(10, 30, 9 * LEN);
    for (unsigned i = 1; i <= 10; i++)
        arrive(i, 41);
    s = finish(10);
    expect_number("rate", (uint32_t)s.bandwidth, 10 * LEN * 1000 / 30);
}

/* 4.1.1.2: sent in a burst, acknowledged at the rate of the path: that is what counts. */
static void draft_4_1_burst(void **state)
{
    struct rate_sample s;

    (void)state;
    r = (struct rate){0};
    for (unsigned i = 0; i < 10; i++)
        send(i, 0, i * LEN);
    for (unsigned i = 0; i < 10; i++) {
        arrive(i, 10 + 2 * i);
        s = finish(10);
    }
    expect_number("ten in 28 ms", (uint32_t)s.bandwidth, 10 * LEN * 1000 / 28);
}

/* 4.1.2.3: no rate where the interval is shorter than the round trip can be. */
static void draft_4_1_too_short(void **state)
{
    struct rate_sample s;

    (void)state;
    r = (struct rate){0};
    send(0, 0, 0);
    arrive(0, 9);
    s = finish(10);
    assert_true(s.bandwidth == 0 && s.interval == 0);
    send(1, 20, 0);
    arrive(1, 30);
    s = finish(10);
    expect_number("just long enough", (uint32_t)s.bandwidth, LEN * 1000 / 10);
    s = finish(10);
    assert_true(s.bandwidth == 0 && !s.round_start); /* nothing was delivered */
}

/* 4.1.2.4: what was sent while there was nothing more to send is marked, until it is delivered. */
static void draft_4_1_application_limited(void **state)
{
    struct rate_sample s;

    (void)state;
    r = (struct rate){0};
    send(0, 0, 0);
    rate_app_limited(&r, LEN);
    send(1, 1, LEN);
    arrive(0, 10);
    s = finish(0);
    assert_false(s.app_limited); /* it was sent before */
    send(2, 11, LEN);
    arrive(1, 11);
    s = finish(0);
    assert_true(s.app_limited);
    send(3, 12, LEN); /* more than was in flight then is delivered */
    arrive(2, 21);
    s = finish(0);
    assert_true(s.app_limited);
    arrive(3, 22);
    s = finish(0);
    assert_false(s.app_limited);
}

/* 5.5.1: a round ends when something that was sent in it is delivered. */
static void draft_5_5_1_rounds(void **state)
{
    (void)state;
    r = (struct rate){0};
    send(0, 0, 0);
    send(1, 1, LEN);
    arrive(0, 10);
    assert_true(finish(0).round_start);
    send(2, 10, LEN);
    arrive(1, 11);
    assert_false(finish(0).round_start);
    arrive(2, 20);
    assert_true(finish(0).round_start);
}

/* What was lost since the newest delivered was sent, and since what is lost was sent. */
static void draft_5_5_10_losses(void **state)
{
    struct rate_sample s;

    (void)state;
    r = (struct rate){0};
    for (unsigned i = 0; i < 10; i++)
        send(i, i, i * LEN);
    rate_on_lost(&r, &mark[0], LEN);
    rate_on_lost(&r, &mark[5], LEN);
    arrive(9, 20);
    s = finish(0);
    expect_number("ranges", s.losses, 2);
    expect_number("lost since 9 was sent", (uint32_t)s.lost, 2 * LEN);
    expect_number("in flight then", s.tx_in_flight, 10 * LEN);
    expect_number("the worst: of 1 that were in flight with 0", s.loss_tx_in_flight, LEN);
    expect_number("lost with it", (uint32_t)s.loss_since, LEN);
    s = finish(0);
    expect_number("told once", s.losses, 0);
}

/* Who does not ask for the rate gets all but that, and no division is made for it. */
static void test_a_rate_that_nobody_asks_for(void **state)
{
    struct rate_sample s[2]; /* asked for, and not */

    (void)state;
    for (unsigned quiet = 0; quiet < 2; quiet++) {
        r = (struct rate){.unasked = quiet};
        for (unsigned i = 0; i < 10; i++)
            send(i, i, i * LEN);
        for (unsigned i = 0; i < 10; i++)
            arrive(i, 20 + i);
        s[quiet] = finish(10);
    }
    assert_true(s[0].bandwidth > 0 && s[1].bandwidth == 0);
    assert_int_equal(s[1].delivered, s[0].delivered);
    assert_int_equal(s[1].prior_delivered, s[0].prior_delivered);
    assert_int_equal(s[1].total_delivered, s[0].total_delivered);
    assert_int_equal(s[1].interval, s[0].interval);
    assert_int_equal(s[1].tx_in_flight, s[0].tx_in_flight);
    assert_int_equal(s[1].app_limited, s[0].app_limited);
    assert_int_equal(s[1].round_start, s[0].round_start);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(draft_4_1_even_sending),
        cmocka_unit_test(draft_4_1_compressed_acknowledgments),
        cmocka_unit_test(draft_4_1_burst),
        cmocka_unit_test(draft_4_1_too_short),
        cmocka_unit_test(draft_4_1_application_limited),
        cmocka_unit_test(draft_5_5_1_rounds),
        cmocka_unit_test(draft_5_5_10_losses),
        cmocka_unit_test(test_a_rate_that_nobody_asks_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
