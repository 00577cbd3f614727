/*
 * Undo: the Eifel detection (RFC 3522) and D-SACK as a witness (RFC 2883 section 5, RFC 3708). The
 * response (RFC 4015) is in tcp_undo_test.c. A segment has 1,000 bytes; [base, base + 10 segments)
 * is in flight when cwnd is reduced; everything is played at several places of the number space.
 */
#include "tcp/recovery/undo.h"

#include "wire_check.h"

enum {
    MSS = 1000,
};

static const uint32_t bases[] = {0, 1, 0x7fffe000, 0x80000000, 0xffffe000, 0xffffffff};

static struct undo u;
static uint32_t base; /* the number of the first byte in flight; and the clock in timestamps, too */

/* The episode begins; n segments are sent again, with timestamps. */
static void reduced(bool timeout, uint32_t n)
{
    undo_begin(&u, base, base + 10 * MSS, timeout);
    for (uint32_t i = 0; i < n; i++)
        undo_retransmitted(&u, base + i * MSS, MSS, true, base + 50 + i);
}

/* A D-SACK for segments from .. to - 1. */
static enum undo_verdict twice(uint32_t from, uint32_t to)
{
    return undo_on_dsack(&u, base + from * MSS, base + to * MSS);
}

static void everywhere(void (*scenario)(void))
{
    for (unsigned i = 0; i < sizeof(bases) / sizeof(bases[0]); i++) {
        base = bases[i];
        u = (struct undo){0};
        scenario();
    }
}

/* ---- RFC 3522 ---- */

/* Step 4: the echo of what was sent before the first retransmission; the tick and the one before.
 */
static void echoes(void)
{
    reduced(true, 1);
    assert_int_equal(undo_on_echo(&u, base + 49, false, false), UNDO_BY_ECHO);
    assert_false(u.active);
    assert_int_equal(undo_on_echo(&u, base + 49, false, false), UNDO_NONE); /* once */
    reduced(false, 1);
    assert_int_equal(undo_on_echo(&u, base + 50, false, false), UNDO_NONE);
}

static void rfc3522_3_2_step_4_echo(void **state)
{
    (void)state;
    everywhere(echoes);
}

/* Step 1: RetransmitTS is that of the first retransmission, not of a later one. */
static void first_one(void)
{
    reduced(true, 3);
    assert_int_equal(undo_on_echo(&u, base + 51, false, false), UNDO_NONE);
    undo_begin(&u, base, base + 10 * MSS, true);
    assert_int_equal(undo_on_echo(&u, base + 10, false, false), UNDO_NONE); /* nothing sent again */
    undo_retransmitted(&u, base, MSS, false, 0); /* no timestamps: nothing to compare with */
    assert_int_equal(undo_on_echo(&u, base + 10, false, false), UNDO_NONE);
}

/* The first segment was sent again in the episode before, and its acknowledgment comes now. */
static void another_one(void)
{
    undo_begin(&u, base, base + 10 * MSS, false);
    undo_retransmitted(&u, base + 4 * MSS, MSS, true, base + 50);
    assert_int_equal(undo_on_echo(&u, base + 49, false, false), UNDO_NONE);
    assert_true(u.active);
}

static void rfc3522_3_2_step_1_another_segment(void **state)
{
    (void)state;
    everywhere(another_one);
}

static void rfc3522_3_2_step_1_first_retransmission(void **state)
{
    (void)state;
    everywhere(first_one);
}

/* Step 3: only the first acknowledgment of something new after it speaks. */
static void first_ack(void)
{
    reduced(true, 1);
    assert_int_equal(undo_on_echo(&u, base + 50, false, false), UNDO_NONE);
    assert_int_equal(undo_on_echo(&u, base + 49, false, false), UNDO_NONE);
    assert_true(u.active); /* D-SACKs still may tell */
}

static void rfc3522_3_2_step_3_first_ack(void **state)
{
    (void)state;
    everywhere(first_ack);
}

/* Step 5: a D-SACK in it; or all is acknowledged, by one who never sent a D-SACK. */
static void step_5(void)
{
    reduced(true, 1);
    assert_int_equal(undo_on_echo(&u, base + 49, false, true), UNDO_NONE);
    reduced(true, 1);
    assert_int_equal(undo_on_echo(&u, base + 49, true, false), UNDO_NONE);
    reduced(true, 1);
    assert_int_equal(undo_on_dsack(&u, base - MSS, base), UNDO_NONE); /* from before the episode */
    assert_int_equal(undo_on_echo(&u, base + 49, true, false), UNDO_BY_ECHO);
    reduced(true, 1); /* that it speaks D-SACK is not forgotten */
    assert_int_equal(undo_on_echo(&u, base + 49, true, false), UNDO_BY_ECHO);
}

static void rfc3522_3_2_step_5_dsack(void **state)
{
    (void)state;
    everywhere(step_5);
}

/* ---- D-SACK ---- */

/* Every retransmission came twice, in one report each, in one for all, or in halves. */
static void all_reported(void)
{
    reduced(false, 3);
    assert_int_equal(twice(0, 1), UNDO_NONE);
    assert_int_equal(twice(1, 2), UNDO_NONE);
    assert_int_equal(twice(2, 3), UNDO_BY_DSACK);
    assert_int_equal(twice(2, 3), UNDO_NONE); /* once */
    reduced(true, 3);
    assert_int_equal(twice(0, 3), UNDO_BY_DSACK);
    reduced(true, 1);
    assert_int_equal(undo_on_dsack(&u, base, base + MSS - 1), UNDO_NONE); /* a byte is missing */
    assert_int_equal(undo_on_dsack(&u, base + MSS - 1, base + MSS), UNDO_BY_DSACK);
}

static void rfc2883_5_every_retransmission_came_twice(void **state)
{
    (void)state;
    everywhere(all_reported);
}

/* One of three was needed: no undo. */
static void one_was_needed(void)
{
    reduced(false, 3);
    assert_int_equal(twice(0, 1), UNDO_NONE);
    assert_int_equal(twice(2, 3), UNDO_NONE);
    assert_true(u.active);
}

static void rfc3708_3_one_was_needed(void **state)
{
    (void)state;
    everywhere(one_was_needed);
}

/* A segment that the network doubled is reported again: that counts once. */
static void repeated(void)
{
    reduced(false, 3);
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(twice(0, 1), UNDO_NONE);
    assert_int_equal(twice(0, 2), UNDO_NONE); /* overlapping: only what is new in it */
    assert_int_equal(twice(0, 1), UNDO_NONE); /* older than the last one */
    assert_int_equal(u.rtx_bytes, MSS);
    assert_int_equal(twice(2, 3), UNDO_BY_DSACK);
}

static void rfc3708_3_repeated_reports_count_once(void **state)
{
    (void)state;
    everywhere(repeated);
}

/* Sent again twice: one report is not enough, and there can be no other. */
static void sent_three_times(void)
{
    reduced(true, 1);
    undo_retransmitted(&u, base, MSS, true, base + 99);
    assert_int_equal(twice(0, 1), UNDO_NONE);
    assert_int_equal(twice(0, 1), UNDO_NONE);
    assert_true(u.active);
}

static void rfc3708_3_sent_again_more_than_once(void **state)
{
    (void)state;
    everywhere(sent_three_times);
}

/* Blocks that nobody honest sends: empty, reversed, from outside the episode, before anything was
 * sent again. */
static void forged(void)
{
    undo_begin(&u, base, base + 10 * MSS, false);
    assert_int_equal(twice(0, 10), UNDO_NONE);
    reduced(false, 1);
    assert_int_equal(twice(2, 1), UNDO_NONE);
    assert_int_equal(twice(1, 1), UNDO_NONE);
    assert_int_equal(undo_on_dsack(&u, base - 1, base + MSS), UNDO_NONE);
    assert_int_equal(undo_on_dsack(&u, base, base + 10 * MSS + 1), UNDO_NONE);
    assert_int_equal(undo_on_dsack(&u, base, base + 0x80000000), UNDO_NONE);
    assert_int_equal(u.rtx_bytes, MSS);
    undo_end(&u);
    assert_int_equal(twice(0, 1), UNDO_NONE);
}

static void rfc3708_3_forged_blocks(void **state)
{
    (void)state;
    everywhere(forged);
}

/* A report may come until what was in flight at the end of the recovery is acknowledged. */
static void late_report(void)
{
    reduced(false, 1);
    undo_progress(&u, base + 10 * MSS, base + 15 * MSS);
    undo_progress(&u, base + 15 * MSS, base + 20 * MSS);
    assert_int_equal(twice(0, 1), UNDO_BY_DSACK);
    reduced(false, 1);
    undo_progress(&u, base + 10 * MSS - 1, base + 12 * MSS);
    undo_progress(&u, base + 10 * MSS, base + 15 * MSS);
    undo_progress(&u, base + 15 * MSS + 1, base + 20 * MSS);
    assert_int_equal(twice(0, 1), UNDO_NONE);
}

static void rfc3708_3_late_reports(void **state)
{
    (void)state;
    everywhere(late_report);
}

/* A second timeout of the same flight: what was sent between belongs to the episode. */
static void extended(void)
{
    reduced(true, 1);
    undo_extend(&u, base + 11 * MSS);
    undo_retransmitted(&u, base, MSS, true, base + 60);
    assert_int_equal(undo_on_echo(&u, base + 49, false, false), UNDO_BY_ECHO);
    reduced(true, 1);
    undo_extend(&u, base + 11 * MSS);
    undo_retransmitted(&u, base, 10 * MSS, true, base + 60);
    assert_int_equal(undo_on_dsack(&u, base, base + 11 * MSS), UNDO_BY_DSACK);
    undo_begin(&u, base, base, true); /* nothing in flight: nothing to undo */
    assert_false(u.active);
}

static void rfc3522_3_2_a_second_timeout(void **state)
{
    (void)state;
    everywhere(extended);
}

/* However much is sent again, the count does not come round. */
static void rfc3708_3_the_count_does_not_wrap(void **state)
{
    (void)state;
    base = 0;
    u = (struct undo){0};
    reduced(true, 0);
    for (unsigned i = 0; i < 5; i++)
        undo_retransmitted(&u, base, 1u << 30, false, 0);
    assert_true(u.rtx_bytes == UINT32_MAX);
}

/* ---- what needs no witness ---- */

/* All arrived, and nothing had been sent again: the last byte, and the one before. */
static void arrived(void)
{
    undo_begin(&u, base, base + 10 * MSS, false);
    assert_int_equal(undo_on_arrival(&u, base + 10 * MSS - 1), UNDO_NONE);
    assert_int_equal(undo_on_arrival(&u, base + 10 * MSS), UNDO_BY_ARRIVAL);
    assert_int_equal(undo_on_arrival(&u, base + 10 * MSS), UNDO_NONE); /* once */
    reduced(true, 1);
    assert_int_equal(undo_on_arrival(&u, base + 10 * MSS), UNDO_NONE);
}

static void rfc4015_1_all_arrived(void **state)
{
    (void)state;
    everywhere(arrived);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc3522_3_2_step_4_echo),
        cmocka_unit_test(rfc3522_3_2_step_1_first_retransmission),
        cmocka_unit_test(rfc3522_3_2_step_1_another_segment),
        cmocka_unit_test(rfc3522_3_2_step_3_first_ack),
        cmocka_unit_test(rfc3522_3_2_step_5_dsack),
        cmocka_unit_test(rfc2883_5_every_retransmission_came_twice),
        cmocka_unit_test(rfc3708_3_one_was_needed),
        cmocka_unit_test(rfc3708_3_repeated_reports_count_once),
        cmocka_unit_test(rfc3708_3_sent_again_more_than_once),
        cmocka_unit_test(rfc3708_3_forged_blocks),
        cmocka_unit_test(rfc3708_3_late_reports),
        cmocka_unit_test(rfc3522_3_2_a_second_timeout),
        cmocka_unit_test(rfc3708_3_the_count_does_not_wrap),
        cmocka_unit_test(rfc4015_1_all_arrived),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
