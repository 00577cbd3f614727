/*
 * Loss recovery: scenarios of RFC 5681 section 3.2, RFC 6582 and RFC 6298 section 5, by hand. A
 * segment has 1,000 bytes; each scenario is run at several places of the number space.
 */
#include "tcp/flight.h"

#include "wire_check.h"

enum {
    MSS = 1000,
};

static const uint32_t bases[] = {0, 1, 0x7fffe000, 0x80000000, 0xffffe000, 0xfffff000, 0xffffffff};

enum action {
    NOTHING,
    ENTERED,
    FINISHED,
};

enum {
    RANGES = 64,
};

static struct flight f;
static struct pool ranges;
static uint32_t base; /* the number of the first byte */
static uint32_t una, nxt;
static int64_t now;        /* ns */
static int64_t round_trip; /* ns: the shortest so far; 0: none is known */
static int64_t usual_trip; /* ns: smoothed; the same */

/* `len` bytes more are sent. */
static void more(uint32_t len)
{
    board_sent(&f.board, ++now, nxt, nxt + len);
    nxt += len;
}

static void start(uint32_t flight)
{
    static uint64_t mem[RANGES * sizeof(struct range) / sizeof(uint64_t)];
    static struct range own[BOARD_MORE];

    pool_init(&ranges, mem, sizeof(mem), sizeof(struct range));
    board_init(&f.board, &ranges, own, base);
    recovery_init(&f.recovery, base - 1); /* the SYN stands before the first byte */
    una = nxt = base;
    more(flight);
}

static enum action feed(uint32_t acked, bool duplicate)
{
    struct ack_sample s = {.now = ++now,
                           .una = una,
                           .nxt = nxt,
                           .acked = acked,
                           .mss = MSS,
                           .duplicate = duplicate,
                           .path = {round_trip, usual_trip}};
    struct recovery_verdict v;

    recovery_on_ack(&f, &s, &v);
    assert_false(v.entered && v.finished);
    return v.entered ? ENTERED : v.finished ? FINISHED : NOTHING;
}

/* Everything below `upto` (from the base) is acknowledged. */
static enum action progress(uint32_t upto)
{
    uint32_t acked = base + upto - una;

    una += acked;
    return feed(acked, false);
}

static enum action duplicate(void)
{
    return feed(0, true);
}

static void time_out(void)
{
    struct ack_sample s = {.now = ++now, .una = una, .nxt = nxt, .mss = MSS};

    recovery_on_rto(&f, &s);
}

/* `len` of the lost bytes are sent again. */
static void sent_again(uint32_t len)
{
    uint32_t from, to;
    enum reason why;

    assert_true(recovery_next(&f, &from, &to, &why));
    assert_true(len <= to - from);
    recovery_sent(&f, ++now, from, from + len);
}

static void nothing_lost(void)
{
    uint32_t from, to;
    enum reason why;

    assert_false(recovery_next(&f, &from, &to, &why));
}

static void duplicates(int n)
{
    while (n-- > 0)
        assert_int_equal(duplicate(), NOTHING);
}

static void expect_lost(const char *step, uint32_t from, uint32_t to, enum reason why)
{
    uint32_t lost_start, lost_end;
    enum reason said;

    assert_true(recovery_next(&f, &lost_start, &lost_end, &said));
    expect_number(step, lost_start - base, from);
    expect_number(step, lost_end - base, to);
    expect_reason(step, said, why);
}

static uint32_t pipe_now(void)
{
    return recovery_pipe(&f, MSS);
}

static void enter(void)
{
    duplicates(2);
    assert_int_equal(duplicate(), ENTERED);
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
    nothing_lost();
    expect_number("limited transmit: two have left", pipe_now(), 8000);
    assert_int_equal(duplicate(), ENTERED);
    expect_lost("first", 0, 1000, REASON_SEND_FAST_RETRANSMIT);
    expect_number("three have left, one is lost", pipe_now(), 6000);
    sent_again(1000);
    nothing_lost();
    expect_number("it flies again", pipe_now(), 7000);
    duplicates(6);
    expect_number("nine have left", pipe_now(), 1000);
    assert_int_equal(progress(10000), FINISHED);
    nothing_lost();
    assert_int_equal(f.recovery.phase, RECOVERY_OPEN);
    expect_number("all is acknowledged", pipe_now(), 0);
}

static void rfc6582_3_2_step_3_full_acknowledgment(void **state)
{
    (void)state;
    everywhere(one_loss);
}

/* Segments 1, 4 and 8 of ten are lost: two partial acknowledgments, one retransmission each. */
static void three_losses(void)
{
    start(10000);
    enter();
    sent_again(1000);
    duplicates(4); /* seven of them arrived */
    expect_number("seven have left", pipe_now(), 3000);
    assert_int_equal(progress(3000), NOTHING);
    assert_int_equal(f.recovery.phase, RECOVERY_FAST);
    expect_lost("the fourth", 3000, 4000, REASON_SEND_RECOVERY);
    /* of what still counts as flying (7), five have left and one is lost: 8 is lost, unknown to us
     */
    expect_number("the two that the ACK covered are not counted twice", pipe_now(), 1000);
    sent_again(1000);
    expect_number("it flies again", pipe_now(), 2000);
    assert_int_equal(progress(7000), NOTHING);
    expect_lost("the eighth", 7000, 8000, REASON_SEND_RECOVERY);
    sent_again(1000);
    assert_int_equal(progress(10000), FINISHED);
    nothing_lost();
    assert_int_equal(f.recovery.dupacks, 0);
}

static void rfc6582_3_2_step_3_partial_acknowledgments(void **state)
{
    (void)state;
    everywhere(three_losses);
}

/* A byte before `recover` is partial, `recover` is full, whatever was sent meanwhile. */
static void recover_edge(void)
{
    start(10000);
    enter();
    sent_again(1000);
    more(2000);
    assert_int_equal(progress(9999), NOTHING);
    expect_lost("the last byte, and new data behind it", 9999, 10999, REASON_SEND_RECOVERY);
    assert_int_equal(progress(10000), FINISHED);
    start(10000);
    enter();
    sent_again(1000);
    more(2000);
    assert_int_equal(progress(9000), NOTHING);
    expect_lost("the last segment", 9000, 10000, REASON_SEND_RECOVERY);
    assert_int_equal(progress(11000), FINISHED);
}

static void rfc6582_3_2_step_3_the_edge_of_recover(void **state)
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
    assert_int_equal(progress(1000), NOTHING);
    assert_int_equal(f.recovery.dupacks, 0);
    duplicates(2);
    assert_int_equal(feed(0, false), NOTHING);
    nothing_lost();
    assert_int_equal(duplicate(), ENTERED);
    expect_lost("the second", 1000, 2000, REASON_SEND_FAST_RETRANSMIT);
    duplicates(50); /* in recovery they tell nothing new of losses */
    expect_lost("still the second", 1000, 2000, REASON_SEND_FAST_RETRANSMIT);
}

static void rfc5681_3_2_what_counts(void **state)
{
    (void)state;
    everywhere(counting);
}

/* RFC 6582 section 3.2 step 2: duplicates of what an earlier recovery sent cause no new one. */
static void no_reentry(void)
{
    start(10000);
    time_out();
    sent_again(10000);
    assert_int_equal(progress(10000), FINISHED);
    more(5000);
    duplicates(20);
    nothing_lost();
    assert_int_equal(f.recovery.phase, RECOVERY_OPEN);
    expect_number("limited transmit stays limited (RFC 3042)", pipe_now(), 3000);
    assert_int_equal(progress(11000), NOTHING);
    enter();
    expect_lost("a byte beyond recover", 11000, 12000, REASON_SEND_FAST_RETRANSMIT);
}

static void rfc6582_3_2_step_2_no_reentry_below_recover(void **state)
{
    (void)state;
    everywhere(no_reentry);
}

/* A timeout, two steps, the first of so many bytes, and `len` bytes behind them. */
static void time_out_and_step(uint32_t first, uint32_t len)
{
    start(10000);
    time_out();
    sent_again(10000);
    assert_int_equal(progress(first), NOTHING);
    assert_int_equal(progress(10000), FINISHED);
    more(len);
}

/* The same with a loss that duplicates show, one segment a step. */
static void repair_and_step(void)
{
    start(5000);
    enter();
    for (uint32_t i = 1; i <= 5; i++) {
        sent_again(1000);
        assert_int_equal(progress(i * 1000), i == 5 ? FINISHED : NOTHING);
    }
    more(5000);
}

/*
 * RFC 6582 section 4.1: had the remote end had what was sent again in vain, the last step would
 * have been a long one, or have come sooner than what was sent again can be answered: sooner than
 * the shortest round trip, or half the usual one, while a queue stands. And where only one segment
 * is outstanding, that cannot have been overtaken.
 */
static void steps_up_to_recover(void)
{
    time_out_and_step(5999, 5000);
    duplicates(20);
    nothing_lost();
    time_out_and_step(6000, 2000);
    enter();
    expect_lost("what follows", 10000, 11000, REASON_SEND_FAST_RETRANSMIT);
    assert_int_equal(f.recovery.phase, RECOVERY_FAST);
    time_out_and_step(6000, 1000);
    duplicates(20);
    nothing_lost();
    round_trip = 100;
    time_out_and_step(6000, 5000);
    duplicates(20);
    nothing_lost();
    round_trip = 1;
    repair_and_step();
    enter();
    usual_trip = 100;
    repair_and_step();
    duplicates(20);
    nothing_lost();
    time_out_and_step(6000, 5000);
    enter();
    round_trip = usual_trip = 0;
}

static void rfc6582_4_1_short_steps_up_to_recover(void **state)
{
    (void)state;
    everywhere(steps_up_to_recover);
}

/* Half the number space later, recover must not look as if it lay ahead. */
static void long_ago(void)
{
    start(10000);
    enter();
    assert_int_equal(progress(10000), FINISHED);
    for (int i = 1; i <= 24; i++) { /* three times round, with losses 5/8 of the space apart */
        uint32_t at = una - base + (1 << 29);

        more(base + at + 5000 - nxt);
        assert_int_equal(progress(at), NOTHING);
        if (i % 5 != 0)
            continue;
        enter();
        sent_again(1000);
        assert_int_equal(progress(at + 5000), FINISHED);
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
    time_out();
    expect_lost("all", 0, 10000, REASON_SEND_RTO);
    assert_int_equal(pipe_now(), 0);
    sent_again(1000);
    assert_int_equal(pipe_now(), 1000);
    duplicates(20);
    expect_lost("duplicates say nothing now", 1000, 10000, REASON_SEND_RTO);
    assert_int_equal(pipe_now(), 1000);
    assert_int_equal(progress(4000), NOTHING);
    expect_lost("what the ACK covers is not sent again", 4000, 10000, REASON_SEND_RTO);
    sent_again(2000);
    assert_int_equal(progress(5500), NOTHING);
    expect_lost("what was sent again stays sent", 6000, 10000, REASON_SEND_RTO);
    assert_int_equal(pipe_now(), 500);
    assert_int_equal(progress(9999), NOTHING);
    expect_lost("a byte", 9999, 10000, REASON_SEND_RTO);
    assert_int_equal(progress(10000), FINISHED);
    nothing_lost();
}

static void rfc6582_3_2_step_4_a_timeout(void **state)
{
    (void)state;
    everywhere(timeout);
}

/* A timeout in the middle of fast recovery, and one in the middle of another. */
static void timeout_within(void)
{
    start(10000);
    enter();
    sent_again(1000);
    time_out();
    expect_lost("all once more", 0, 10000, REASON_SEND_RTO);
    assert_int_equal(f.recovery.phase, RECOVERY_RTO);
    sent_again(1000);
    assert_int_equal(progress(1000), NOTHING);
    time_out();
    expect_lost("all but the first", 1000, 10000, REASON_SEND_RTO);
    assert_int_equal(progress(10000), FINISHED);
}

static void rfc6582_3_2_step_4_within_a_recovery(void **state)
{
    (void)state;
    everywhere(timeout_within);
}

/* The window opened over a probe: sent again, and nobody speaks of a loss. */
static void reopened(void)
{
    start(1);
    recovery_reopened(&f);
    expect_lost("the octet", 0, 1, REASON_SEND_REOPENED);
    assert_int_equal(f.recovery.phase, RECOVERY_OPEN);
    sent_again(1);
    nothing_lost();
    assert_int_equal(progress(1), NOTHING);
}

static void test_a_window_that_opened_again(void **state)
{
    (void)state;
    everywhere(reopened);
}

static void open_again(void)
{
    recovery_reopened(&f);
}

static void too_big(void)
{
    recovery_too_big(&f, nxt);
}

/* In a recovery all leaves again for another cause: a part that arrives says nothing of the rest.
 */
static void within_a_recovery(void (*all_again)(void), enum reason why)
{
    start(5000);
    enter();
    sent_again(1000);
    all_again();
    expect_lost("all", 0, 5000, why);
    for (unsigned i = 0; i < 10; i++)
        sent_again(500);
    for (uint32_t upto = 500; upto < 5000; upto += 500) {
        assert_int_equal(progress(upto), NOTHING);
        nothing_lost();
    }
    assert_int_equal(progress(5000), FINISHED);
    more(5000);
    assert_int_equal(progress(6000), NOTHING);
    enter(); /* the next one is like any */
    sent_again(1000);
    assert_int_equal(progress(7000), NOTHING);
    expect_lost("the next", 7000, 8000, REASON_SEND_RECOVERY);
}

static void all_again_within_a_recovery(void)
{
    within_a_recovery(open_again, REASON_SEND_REOPENED);
    within_a_recovery(too_big, REASON_SEND_SMALLER);
}

/* [RFC 1191 6.5]: what left again in smaller packets does not leave a third time. */
static void rfc1191_6_5_all_leaves_again_once(void **state)
{
    (void)state;
    everywhere(all_again_within_a_recovery);
}

/* However many duplicates somebody makes up, the pipe is between nothing and the flight. */
static void spoofed(void)
{
    start(10000);
    enter();
    sent_again(1000);
    for (uint32_t i = 0; i < 5000000; i++) {
        f.recovery.dupacks++; /* as on_duplicate counts, without its cost */
        if (pipe_now() > 10000 - min32(f.recovery.dupacks, 10) * MSS)
            fail_msg("%u duplicates: %u in flight", f.recovery.dupacks, pipe_now());
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
        cmocka_unit_test(rfc6582_3_2_step_3_full_acknowledgment),
        cmocka_unit_test(rfc6582_3_2_step_3_partial_acknowledgments),
        cmocka_unit_test(rfc6582_3_2_step_3_the_edge_of_recover),
        cmocka_unit_test(test_a_loss_ends_at_snd_nxt),
        cmocka_unit_test(rfc5681_3_2_what_counts),
        cmocka_unit_test(rfc6582_3_2_step_2_no_reentry_below_recover),
        cmocka_unit_test(rfc6582_4_1_short_steps_up_to_recover),
        cmocka_unit_test(test_recover_does_not_come_round),
        cmocka_unit_test(rfc6582_3_2_step_4_a_timeout),
        cmocka_unit_test(rfc6582_3_2_step_4_within_a_recovery),
        cmocka_unit_test(test_a_window_that_opened_again),
        cmocka_unit_test(rfc1191_6_5_all_leaves_again_once),
        cmocka_unit_test(test_made_up_duplicates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
