/*
 * F-RTO: the branches of RFC 5682 section 2.1 (without SACK) and 3.1 (with SACK), and its scenarios
 * as sequences of acknowledgments. A segment has 1,000 bytes; ten are in flight when the timer
 * expires; everything is played at several places of the number space.
 */
#include "tcp/recovery/frto.h"

#include "wire_check.h"

enum {
    MSS = 1000,
};

static const uint32_t bases[] = {0, 1, 0x7fffe000, 0x80000000, 0xffffe000, 0xffffffff};

static struct frto f;
static uint32_t base;
static bool sack;

/* The timer expires; the first segment is sent again. */
static void timeout(void)
{
    frto_begin(&f, base, base + MSS, base + 10 * MSS, false);
}

/* Everything below segment n is acknowledged; n segments below `recover` came for the first time.
 */
static enum frto_verdict progress(uint32_t n, bool original)
{
    struct frto_ack a = {.una = base + n * MSS, .advances = true, .original = original};

    a.sack = sack;
    a.new_data = true;
    return frto_on_ack(&f, &a);
}

/* A duplicate whose blocks say something new below `recover`, or above it, or nothing. */
static enum frto_verdict duplicate(uint32_t una, bool original, bool above)
{
    struct frto_ack a = {.una = base + una * MSS, .duplicate = true, .new_data = true};

    a.sack = sack;
    a.original = original;
    a.above = above;
    return frto_on_ack(&f, &a);
}

static void everywhere(void (*scenario)(void))
{
    for (unsigned i = 0; i < sizeof(bases) / sizeof(bases[0]); i++) {
        base = bases[i];
        for (sack = false;; sack = true) {
            f = (struct frto){0};
            scenario();
            if (sack)
                break;
        }
    }
}

/* ---- scenarios ---- */

/* All was late: the originals' acknowledgments come one after the other. */
static void late(void)
{
    timeout();
    assert_true(frto_active(&f));
    assert_false(frto_prefers_new(&f, base + 10 * MSS, MSS));
    assert_int_equal(progress(1, false), FRTO_TRY);
    assert_true(frto_prefers_new(&f, base + 10 * MSS, MSS));
    assert_true(frto_prefers_new(&f, base + 11 * MSS, MSS));
    assert_false(frto_prefers_new(&f, base + 12 * MSS, MSS)); /* two, and no more */
    assert_int_equal(progress(2, true), FRTO_SPURIOUS);
    assert_false(frto_active(&f));
}

static void rfc5682_2_1_and_3_1_step_3b_late(void **state)
{
    (void)state;
    everywhere(late);
}

/* Delayed acknowledgments: the first covers two segments, one of them never sent again. */
static void late_and_delayed(void)
{
    timeout();
    assert_int_equal(progress(2, true), FRTO_TRY); /* may be from before the timeout: not enough */
    assert_int_equal(progress(4, true), FRTO_SPURIOUS);
}

static void rfc5682_2_1_step_2b_delayed_acks(void **state)
{
    (void)state;
    everywhere(late_and_delayed);
}

/* All was lost: the new segments cause duplicates. */
static void lost(void)
{
    timeout();
    assert_int_equal(progress(1, false), FRTO_TRY);
    assert_int_equal(duplicate(1, false, sack), FRTO_REAL);
    assert_false(frto_active(&f));
    assert_int_equal(duplicate(1, false, sack), FRTO_GO_ON); /* it is over */
    assert_int_equal(progress(2, true), FRTO_GO_ON);
}

static void rfc5682_2_1_and_3_1_step_3a_lost(void **state)
{
    (void)state;
    everywhere(lost);
}

/* Step 2.a: one acknowledgment for all that was in flight: nothing is left to be told apart. */
static void all_at_once(void)
{
    timeout();
    assert_int_equal(progress(10, true), FRTO_GIVE_UP);
    timeout();
    assert_int_equal(progress(11, true), FRTO_GIVE_UP);
    timeout();
    assert_int_equal(progress(9, true), FRTO_TRY); /* one segment less: go on */
}

static void rfc5682_2_1_step_2a_all_at_once(void **state)
{
    (void)state;
    everywhere(all_at_once);
}

/* Step 2.a: not the whole retransmission: a smaller path has cut it, or somebody splits ACKs. */
static void part_of_it(void)
{
    timeout();
    base += 999;
    assert_int_equal(progress(0, false), FRTO_GIVE_UP);
    base -= 999;
    timeout();
    assert_int_equal(progress(1, false), FRTO_TRY);
}

static void rfc5682_2_1_step_2a_part_of_the_retransmission(void **state)
{
    (void)state;
    everywhere(part_of_it);
}

/* Step 2: a duplicate first. Without SACK that ends it; with SACK it says nothing yet. */
static void duplicate_first(void)
{
    timeout();
    if (!sack) {
        assert_int_equal(duplicate(0, false, false), FRTO_GIVE_UP);
        assert_int_equal(progress(1, false), FRTO_GO_ON);
        return;
    }
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(duplicate(0, true, false), FRTO_GO_ON);
    assert_int_equal(progress(3, false), FRTO_TRY);
    assert_int_equal(progress(4, true), FRTO_SPURIOUS);
}

static void rfc5682_2_1_step_2a_and_3_1_step_2_duplicates(void **state)
{
    (void)state;
    everywhere(duplicate_first);
}

/* Step 2.b: nothing new to send, or no window for it: conventional. */
static void nothing_new(void)
{
    struct frto_ack a = {.una = base + MSS, .advances = true, .sack = sack};

    timeout();
    assert_int_equal(frto_on_ack(&f, &a), FRTO_GIVE_UP);
    assert_false(frto_prefers_new(&f, base + 10 * MSS, MSS));
}

static void rfc5682_2_1_step_2b_nothing_new_to_send(void **state)
{
    (void)state;
    everywhere(nothing_new);
}

/* Step 1: a timeout within the repair of an earlier one: conventional. */
static void again(void)
{
    timeout();
    frto_begin(&f, base, base + MSS, base + 10 * MSS, true);
    assert_false(frto_active(&f));
    assert_int_equal(progress(1, false), FRTO_GO_ON);
    assert_int_equal(progress(2, true), FRTO_GO_ON);
    frto_begin(&f, base, base, base, false); /* nothing in flight */
    assert_false(frto_active(&f));
}

static void rfc5682_2_1_step_1_not_in_a_recovery(void **state)
{
    (void)state;
    everywhere(again);
}

/* 3.1 step 3.a: a block above `recover` counts more than what it says below. */
static void above_and_below(void)
{
    if (!sack)
        return;
    timeout();
    assert_int_equal(progress(1, false), FRTO_TRY);
    assert_int_equal(duplicate(1, true, true), FRTO_REAL);
    timeout();
    assert_int_equal(progress(1, false), FRTO_TRY);
    assert_int_equal(duplicate(1, true, false), FRTO_SPURIOUS); /* 3.b: late and out of order */
    timeout();
    assert_int_equal(progress(1, false), FRTO_TRY);
    assert_int_equal(duplicate(1, false, false), FRTO_REAL); /* 3.a: a duplicate without news */
}

static void rfc5682_3_1_step_3_blocks(void **state)
{
    (void)state;
    everywhere(above_and_below);
}

/* An acknowledgment that is neither news nor a duplicate (data the other way, a D-SACK): go on. */
static void no_news(void)
{
    struct frto_ack a = {.una = base, .sack = sack, .new_data = true};

    timeout();
    assert_int_equal(frto_on_ack(&f, &a), FRTO_GO_ON);
    assert_int_equal(progress(1, false), FRTO_TRY);
    a.una += MSS;
    assert_int_equal(frto_on_ack(&f, &a), FRTO_GO_ON);
    assert_int_equal(progress(2, true), FRTO_SPURIOUS);
    timeout();
    assert_int_equal(progress(1, false), FRTO_TRY);
    assert_int_equal(progress(3, false),
                     FRTO_GIVE_UP); /* it had been reported before the timeout */
    timeout();
    frto_end(&f);
    assert_int_equal(progress(1, false), FRTO_GO_ON);
}

static void rfc5682_3_1_no_news(void **state)
{
    (void)state;
    everywhere(no_news);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc5682_2_1_and_3_1_step_3b_late),
        cmocka_unit_test(rfc5682_2_1_step_2b_delayed_acks),
        cmocka_unit_test(rfc5682_2_1_and_3_1_step_3a_lost),
        cmocka_unit_test(rfc5682_2_1_step_2a_all_at_once),
        cmocka_unit_test(rfc5682_2_1_step_2a_part_of_the_retransmission),
        cmocka_unit_test(rfc5682_2_1_step_2a_and_3_1_step_2_duplicates),
        cmocka_unit_test(rfc5682_2_1_step_2b_nothing_new_to_send),
        cmocka_unit_test(rfc5682_2_1_step_1_not_in_a_recovery),
        cmocka_unit_test(rfc5682_3_1_step_3_blocks),
        cmocka_unit_test(rfc5682_3_1_no_news),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
