/*
 * Loss recovery: scenarios of RFC 5681 section 3.2, RFC 6582 and RFC 6298 section 5, by hand. A
 * segment has 1,000 bytes; each scenario is run at several places of the number space.
 */
#include "tcp/recovery/recovery.h"

#include "wire_check.h"

enum {
    MSS = 1000,
};

static const uint32_t bases[] = {0, 1, 0x7fffe000, 0x80000000, 0xffffe000, 0xfffff000, 0xffffffff};

static struct recovery r;
static uint32_t base; /* the number of the first byte */
static uint32_t una, nxt;

static void start(uint32_t flight)
{
    recovery_init(&r, base - 1); /* the SYN stands before the first byte */
    una = base;
    nxt = base + flight;
}

/* Everything below `upto` (from the base) is acknowledged. */
static enum recovery_action progress(uint32_t upto)
{
    uint32_t acked = base + upto - una;

    una += acked;
    return recovery_on_ack(&r, &(struct ack_sample){una, nxt, acked, MSS, false});
}

static enum recovery_action duplicate(void)
{
    return recovery_on_ack(&r, &(struct ack_sample){una, nxt, 0, MSS, true});
}

static void duplicates(int n)
{
    while (n-- > 0)
        assert_int_equal(duplicate(), RECOVERY_NONE);
}

static void expect_lost(const char *step, uint32_t from, uint32_t to, enum reason why)
{
    expect_number(step, r.lost_start - base, from);
    expect_number(step, r.lost_end - base, to);
    assert_true(recovery_lost(&r) == (from != to));
    if (from != to)
        expect_reason(step, r.why, why);
}

static void expect_nothing_lost(void)
{
    assert_false(recovery_lost(&r));
}

static uint32_t pipe_now(void)
{
    return recovery_pipe(&r, una, nxt, MSS);
}

static void enter(void)
{
    duplicates(2);
    assert_int_equal(duplicate(), RECOVERY_ENTERED);
}

static void everywhere(void (*scenario)(void))
{
    for (unsigned i = 0; i < sizeof(bases) / sizeof(bases[0]); i++) {
        base = bases[i];
        scenario();
    }
}

/* Ten segments, the first is lost; nine duplicates; the ACK of the retransmission covers all. */
static void one_loss(void)
{
    start(10000);
    duplicates(2);
    expect_nothing_lost();
    expect_number("limited transmit: two have left", pipe_now(), 8000);
    assert_int_equal(duplicate(), RECOVERY_ENTERED);
    expect_lost("first", 0, 1000, REASON_SEND_FAST_RETRANSMIT);
    expect_number("three have left, one is lost", pipe_now(), 6000);
    recovery_sent(&r, 1000);
    expect_nothing_lost();
    expect_number("it flies again", pipe_now(), 7000);
    duplicates(6);
    expect_number("nine have left", pipe_now(), 1000);
    assert_int_equal(progress(10000), RECOVERY_FINISHED);
    expect_nothing_lost();
    assert_int_equal(r.phase, RECOVERY_OPEN);
    expect_number("all is acknowledged", pipe_now(), 0);
}

static void test_three_duplicates_and_a_full_acknowledgment(void **state)
{
    (void)state;
    everywhere(one_loss);
}

/* Segments 1, 4 and 8 of ten are lost: two partial acknowledgments, one retransmission each. */
static void three_losses(void)
{
    start(10000);
    enter();
    recovery_sent(&r, 1000);
    duplicates(4); /* seven of them arrived */
    expect_number("seven have left", pipe_now(), 3000);
    assert_int_equal(progress(3000), RECOVERY_NONE);
    assert_int_equal(r.phase, RECOVERY_FAST);
    expect_lost("the fourth", 3000, 4000, REASON_SEND_RECOVERY);
    /* of what still counts as flying (7), five have left and one is lost: 8 is lost, unknown to us
     */
    expect_number("the two that the ACK covered are not counted twice", pipe_now(), 1000);
    recovery_sent(&r, 1000);
    expect_number("it flies again", pipe_now(), 2000);
    assert_int_equal(progress(7000), RECOVERY_NONE);
    expect_lost("the eighth", 7000, 8000, REASON_SEND_RECOVERY);
    recovery_sent(&r, 1000);
    assert_int_equal(progress(10000), RECOVERY_FINISHED);
    expect_nothing_lost();
    assert_int_equal(r.dupacks, 0);
}

static void test_partial_acknowledgments(void **state)
{
    (void)state;
    everywhere(three_losses);
}

/* A byte before `recover` is partial, `recover` is full, whatever was sent meanwhile. */
static void recover_edge(void)
{
    start(10000);
    enter();
    recovery_sent(&r, 1000);
    nxt += 2000;
    assert_int_equal(progress(9999), RECOVERY_NONE);
    expect_lost("the last byte, and new data behind it", 9999, 10999, REASON_SEND_RECOVERY);
    assert_int_equal(progress(10000), RECOVERY_FINISHED);
    start(10000);
    enter();
    recovery_sent(&r, 1000);
    nxt += 2000;
    assert_int_equal(progress(9000), RECOVERY_NONE);
    expect_lost("the last segment", 9000, 10000, REASON_SEND_RECOVERY);
    assert_int_equal(progress(11000), RECOVERY_FINISHED);
}

static void test_the_edge_of_recover(void **state)
{
    (void)state;
    everywhere(recover_edge);
}

/* The last segment is shorter: no more than what was sent is lost. */
static void short_tail(void)
{
    start(300);
    enter();
    expect_lost("300 bytes", 0, 300, REASON_SEND_FAST_RETRANSMIT);
    assert_int_equal(pipe_now(), 0);
}

static void test_a_loss_ends_at_snd_nxt(void **state)
{
    (void)state;
    everywhere(short_tail);
}

/* Progress starts the count again, and what is no duplicate does not count. */
static void counting(void)
{
    start(10000);
    duplicates(2);
    assert_int_equal(progress(1000), RECOVERY_NONE);
    assert_int_equal(r.dupacks, 0);
    duplicates(2);
    assert_int_equal(recovery_on_ack(&r, &(struct ack_sample){una, nxt, 0, MSS, false}),
                     RECOVERY_NONE);
    expect_nothing_lost();
    assert_int_equal(duplicate(), RECOVERY_ENTERED);
    expect_lost("the second", 1000, 2000, REASON_SEND_FAST_RETRANSMIT);
    duplicates(50); /* in recovery they tell nothing new of losses */
    expect_lost("still the second", 1000, 2000, REASON_SEND_FAST_RETRANSMIT);
}

static void test_what_counts(void **state)
{
    (void)state;
    everywhere(counting);
}

/* RFC 6582 section 3.2 step 2: duplicates of what an earlier recovery sent cause no new one. */
static void no_reentry(void)
{
    start(10000);
    recovery_on_rto(&r, una, nxt);
    recovery_sent(&r, 10000);
    assert_int_equal(progress(10000), RECOVERY_FINISHED);
    nxt += 5000;
    duplicates(20);
    expect_nothing_lost();
    assert_int_equal(r.phase, RECOVERY_OPEN);
    expect_number("limited transmit stays limited (RFC 3042)", pipe_now(), 3000);
    assert_int_equal(progress(11000), RECOVERY_NONE);
    enter();
    expect_lost("a byte beyond recover", 11000, 12000, REASON_SEND_FAST_RETRANSMIT);
}

static void test_no_reentry_below_recover(void **state)
{
    (void)state;
    everywhere(no_reentry);
}

/* Half the number space later, recover must not look as if it lay ahead. */
static void long_ago(void)
{
    start(10000);
    enter();
    assert_int_equal(progress(10000), RECOVERY_FINISHED);
    for (int i = 1; i <= 24; i++) { /* three times round, with losses 5/8 of the space apart */
        uint32_t at = una - base + (1 << 29);

        nxt = base + at + 5000;
        assert_int_equal(progress(at), RECOVERY_NONE);
        if (i % 5 != 0)
            continue;
        enter();
        recovery_sent(&r, 1000);
        assert_int_equal(progress(at + 5000), RECOVERY_FINISHED);
    }
}

static void test_recover_does_not_come_round(void **state)
{
    (void)state;
    everywhere(long_ago);
}

/* RFC 6298 5.4 to 5.7 as NewReno has it: all of the flight counts as lost. */
static void timeout(void)
{
    start(10000);
    duplicates(1);
    recovery_on_rto(&r, una, nxt);
    expect_lost("all", 0, 10000, REASON_SEND_RTO);
    assert_int_equal(pipe_now(), 0);
    recovery_sent(&r, 1000);
    assert_int_equal(pipe_now(), 1000);
    duplicates(20);
    expect_lost("duplicates say nothing now", 1000, 10000, REASON_SEND_RTO);
    assert_int_equal(pipe_now(), 1000);
    assert_int_equal(progress(4000), RECOVERY_NONE);
    expect_lost("what the ACK covers is not sent again", 4000, 10000, REASON_SEND_RTO);
    recovery_sent(&r, 2000);
    assert_int_equal(progress(5500), RECOVERY_NONE);
    expect_lost("what was sent again stays sent", 6000, 10000, REASON_SEND_RTO);
    assert_int_equal(pipe_now(), 500);
    assert_int_equal(progress(9999), RECOVERY_NONE);
    expect_lost("a byte", 9999, 10000, REASON_SEND_RTO);
    assert_int_equal(progress(10000), RECOVERY_FINISHED);
    expect_nothing_lost();
}

static void test_a_timeout(void **state)
{
    (void)state;
    everywhere(timeout);
}

/* A timeout in the middle of fast recovery, and one in the middle of another. */
static void timeout_within(void)
{
    start(10000);
    enter();
    recovery_sent(&r, 1000);
    recovery_on_rto(&r, una, nxt);
    expect_lost("all once more", 0, 10000, REASON_SEND_RTO);
    assert_int_equal(r.phase, RECOVERY_RTO);
    recovery_sent(&r, 1000);
    assert_int_equal(progress(1000), RECOVERY_NONE);
    recovery_on_rto(&r, una, nxt);
    expect_lost("all but the first", 1000, 10000, REASON_SEND_RTO);
    assert_int_equal(progress(10000), RECOVERY_FINISHED);
}

static void test_a_timeout_within_a_recovery(void **state)
{
    (void)state;
    everywhere(timeout_within);
}

/* The window opened over a probe: sent again, and nobody speaks of a loss. */
static void reopened(void)
{
    start(1);
    recovery_reopened(&r, una, nxt);
    expect_lost("the octet", 0, 1, REASON_SEND_REOPENED);
    assert_int_equal(r.phase, RECOVERY_OPEN);
    recovery_sent(&r, 1);
    expect_nothing_lost();
    assert_int_equal(progress(1), RECOVERY_NONE);
}

static void test_a_window_that_opened_again(void **state)
{
    (void)state;
    everywhere(reopened);
}

/* However many duplicates somebody makes up, the pipe is between nothing and the flight. */
static void spoofed(void)
{
    start(10000);
    enter();
    recovery_sent(&r, 1000);
    for (uint32_t i = 0; i < 5000000; i++) {
        r.dupacks++; /* as on_duplicate counts, without its cost */
        if (pipe_now() > 10000 - min32(r.dupacks, 10) * MSS)
            fail_msg("%u duplicates: %u in flight", r.dupacks, pipe_now());
    }
}

static void test_made_up_duplicates(void **state)
{
    (void)state;
    base = 1;
    spoofed();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_three_duplicates_and_a_full_acknowledgment),
        cmocka_unit_test(test_partial_acknowledgments),
        cmocka_unit_test(test_the_edge_of_recover),
        cmocka_unit_test(test_a_loss_ends_at_snd_nxt),
        cmocka_unit_test(test_what_counts),
        cmocka_unit_test(test_no_reentry_below_recover),
        cmocka_unit_test(test_recover_does_not_come_round),
        cmocka_unit_test(test_a_timeout),
        cmocka_unit_test(test_a_timeout_within_a_recovery),
        cmocka_unit_test(test_a_window_that_opened_again),
        cmocka_unit_test(test_made_up_duplicates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
