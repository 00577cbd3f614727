/*
 * The board, RACK (RFC 8985 section 6) and probes of the tail (section 7), by hand: what left when,
 * what arrived, what is lost. A segment has 1,000 bytes; each scenario is run at several places of
 * the number space.
 */
#include "base/time.h"
#include "tcp/flight.h"
#include "wire_check.h"

enum {
    MSS = 1000,
    RANGES = 64,
};

static const uint32_t bases[] = {1, 0x7fffe000, 0xffffe000, 0xfffff000, 0xffffffff};
static const struct rack_path path = {100, 100};

static struct board b;
static struct rack rack;
static struct pool ranges;
static uint32_t base;  /* the number of the first byte */
static uint32_t heard; /* bytes that were delivered */
static int64_t now;
static int64_t echo_at; /* -1: there is none */

static void delivered(void *arg, const struct range *g)
{
    (void)arg;
    heard += range_len(g);
    rack_delivered(&rack, g, now, path.min_rtt, echo_at, b.fack);
}

static const struct board_ear ear = {delivered, NULL};

static void start(uint32_t pooled)
{
    static uint64_t mem[RANGES * sizeof(struct range) / sizeof(uint64_t)];
    static struct range own[BOARD_MORE];

    pool_init(&ranges, mem, pooled * sizeof(struct range), sizeof(struct range));
    board_init(&b, &ranges, own, base);
    rack_init(&rack);
    now = 1000;
    echo_at = -1;
    heard = 0;
}

static void send(uint32_t from, uint32_t to)
{
    board_sent(&b, now, base + from, base + to);
}

static void sack(uint32_t from, uint32_t to)
{
    board_sack(&b, base + from, base + to, &ear);
}

static void expect_sums(const char *step, uint32_t fresh, uint32_t resent, uint32_t lost,
                        uint32_t sacked)
{
    expect_number(step, b.fresh, fresh);
    expect_number(step, b.resent, resent);
    expect_number(step, b.lost, lost);
    expect_number(step, b.sacked, sacked);
}

static void everywhere(void (*scenario)(void))
{
    for (unsigned i = 0; i < sizeof(bases) / sizeof(bases[0]); i++) {
        base = bases[i];
        scenario();
        board_clear(&b);
        assert_int_equal(ranges.in_use, 0);
    }
}

/* A super-segment of 64 KiB, lost in part: two pieces of it arrive, and the rest goes again. */
static void super_segment(void)
{
    uint32_t from, to;
    enum reason why;

    start(RANGES);
    send(0, 65000);
    assert_int_equal(b.n, 1);
    sack(10000, 20000);
    sack(30000, 65000);
    expect_sums("two pieces", 20000, 0, 0, 45000);
    sack(10000, 20000);
    expect_number("what is said again is not counted again", heard, 45000);
    board_lose_span(&b, base, base + 65000, REASON_SEND_RTO);
    expect_sums("the rest is lost", 0, 0, 20000, 45000);
    assert_true(board_first_lost(&b, &from, &to, &why));
    expect_number("the first piece", from - base, 0);
    expect_number("up to what arrived", to - base, 10000);
    board_resent(&b, ++now, base, base + MSS);
    expect_sums("a segment of it flies again", 0, MSS, 19000, 45000);
    board_ack(&b, base + 20000, &ear);
    expect_sums("all below is gone", 0, 0, 10000, 35000);
    board_ack(&b, base + 65000, &ear);
    expect_number("each byte was delivered once", heard, 65000);
    assert_int_equal(b.n, 0);
}

static void rfc2018_8_a_super_segment_lost_in_part(void **state)
{
    (void)state;
    everywhere(super_segment);
}

/* The pool is empty: neighbours become one, nothing that is missing counts as arrived. */
static void no_ranges(void)
{
    start(0);
    for (uint32_t i = 0; i < 20; i++) {
        now++;
        send(i * MSS, (i + 1) * MSS);
    }
    for (uint32_t i = 1; i < 20; i += 2)
        sack(i * MSS, (i + 1) * MSS);
    assert_true(b.n + b.spares == BOARD_OWN);
    assert_true(board_pipe(&b) >= 10 * MSS);
    expect_number("the sums are whole", board_pipe(&b) + b.lost + b.sacked, 20 * MSS);
    board_ack(&b, base + 20 * MSS, &ear);
    assert_int_equal(b.n, 0);
}

static void a_board_without_a_pool(void **state)
{
    (void)state;
    everywhere(no_ranges);
}

static struct range *lost_at(int64_t at, int64_t window, int64_t *ret_deadline)
{
    now = at;
    return rack_lost(&rack, &b, now, window, ret_deadline);
}

/* Two segments leave, ten ticks apart; a round trip after the second it is now. */
static void send_two(void)
{
    start(RANGES);
    send(0, MSS);
    now = 1010;
    send(MSS, 2 * MSS);
    now = 1110;
}

/* What left before something that arrived is lost a window after it was due, not a tick before. */
static void by_time(void)
{
    int64_t deadline;

    send_two();
    assert_null(lost_at(1110, 25, &deadline));
    assert_true(deadline == INT64_MAX); /* nothing has arrived that left later */
    sack(MSS, 2 * MSS);
    assert_null(lost_at(1110, 25, &deadline));
    assert_int_equal(deadline, 1135);
    assert_null(lost_at(1134, 25, &deadline));
    assert_ptr_equal(lost_at(1135, 25, &deadline), board_first(&b));
}

static void rfc8985_6_2_lost_by_time(void **state)
{
    (void)state;
    everywhere(by_time);
}

/* A retransmission that is lost is found like anything else. */
static void lost_again(void)
{
    int64_t deadline;

    send_two();
    sack(MSS, 2 * MSS);
    board_lose(&b, board_first(&b), REASON_SEND_RACK);
    board_resent(&b, 1110, base, base + MSS);
    now = 1120;
    send(2 * MSS, 3 * MSS);
    now = 1220;
    assert_null(lost_at(1220, 0, &deadline));
    sack(2 * MSS, 3 * MSS);
    assert_ptr_equal(lost_at(1220, 0, &deadline), board_first(&b));
}

static void rfc8985_6_2_step_5_a_lost_retransmission(void **state)
{
    (void)state;
    everywhere(lost_again);
}

/* Step 2: an acknowledgment sooner than any round trip answers the first sending, not the last. */
static void ambiguous(void)
{
    start(RANGES);
    send(0, MSS);
    board_lose(&b, board_first(&b), REASON_SEND_RTO);
    board_resent(&b, 1500, base, base + MSS);
    now = 1599;
    sack(0, MSS);
    assert_int_equal(rack.rtt, 0);
    board_forget_sacks(&b);
    now = 1600;
    board_ack(&b, base + MSS, &ear);
    assert_int_equal(rack.rtt, 100);
}

static void rfc8985_6_2_step_2_an_early_acknowledgment(void **state)
{
    (void)state;
    everywhere(ambiguous);
}

/* ... and so does one whose timestamp answers a segment that left before the last sending. */
static void ambiguous_echo(void)
{
    start(RANGES);
    now = 10 * MSEC;
    send(0, MSS);
    board_lose(&b, board_first(&b), REASON_SEND_RTO);
    board_resent(&b, 20 * MSEC + 1, base, base + MSS);
    now = 25 * MSEC;
    echo_at = 19 * MSEC;
    sack(0, MSS);
    assert_true(rack.rtt == 0);
    board_forget_sacks(&b);
    echo_at = 20 * MSEC; /* to the millisecond */
    board_ack(&b, base + MSS, &ear);
    assert_true(rack.rtt == 5 * MSEC - 1);
}

static void rfc8985_6_2_step_2_an_older_timestamp(void **state)
{
    (void)state;
    everywhere(ambiguous_echo);
}

/* Step 4: the window, and what it takes for it to be zero. */
static void rfc8985_6_2_step_4_the_window(void **state)
{
    (void)state;
    rack_init(&rack);
    assert_int_equal(rack_window(&rack, &path, false, 3), 25); /* no recovery was seen yet */
    assert_int_equal(rack_window(&rack, &(struct rack_path){.min_rtt = 100}, false, 3), 25);
    rack_adapt(&rack, &(struct rack_ack){.finished = true});
    assert_int_equal(rack_window(&rack, &path, false, 2), 25);
    assert_int_equal(rack_window(&rack, &path, false, 3), 0);
    assert_int_equal(rack_window(&rack, &path, true, 0), 0);
    rack.reord_seen = 1;
    assert_int_equal(rack_window(&rack, &path, true, 3), 25);
    for (uint32_t round = 1; round <= 5; round++) { /* one more for each round with a D-SACK */
        rack_adapt(&rack,
                   &(struct rack_ack){.una = 10 * round, .nxt = 10 * round + 5, .dsack = true});
        rack_adapt(&rack,
                   &(struct rack_ack){.una = 10 * round, .nxt = 10 * round + 5, .dsack = true});
        assert_int_equal(rack_window(&rack, &path, false, 0), round < 3 ? 25 * (round + 1) : 100);
    }
    for (unsigned i = 0; i < 16; i++) {
        assert_int_equal(rack.reo_wnd_mult, 6);
        rack_adapt(&rack, &(struct rack_ack){.una = 1000, .nxt = 1000, .finished = true});
    }
    assert_int_equal(rack.reo_wnd_mult, 1);
}

/* Step 3: what arrives behind what was sent after it, and was not sent again, was overtaken. */
static void overtaken(void)
{
    send_two();
    sack(MSS, 2 * MSS);
    assert_int_equal(rack.reord_seen, 0);
    board_ack(&b, base + 2 * MSS, &ear);
    assert_int_equal(rack.reord_seen, 1);
    assert_int_equal(rack.reordering, 2 * MSS);
    send(2 * MSS, 3 * MSS);
    send(3 * MSS, 6 * MSS);
    sack(4 * MSS, 5 * MSS);
    sack(3 * MSS, 4 * MSS);
    board_ack(&b, base + 6 * MSS, &ear); /* of the last part nothing had overtaken anything */
    assert_int_equal(rack.reord_seen, 3);
    assert_int_equal(rack.reordering, 3 * MSS);
    board_sent(&b, now, base + 6 * MSS, base + 8 * MSS);
    sack(7 * MSS, 8 * MSS);
    board_ack(&b, base + 8 * MSS, &ear); /* less far: the most counts */
    assert_int_equal(rack.reord_seen, 4);
    assert_int_equal(rack.reordering, 3 * MSS);
}

static void rfc8985_6_2_step_3_reordering(void **state)
{
    (void)state;
    everywhere(overtaken);
}

/* Section 7.2: two round trips; a lone segment's acknowledgment may be delayed. */
static void rfc8985_7_2_the_timeout(void **state)
{
    (void)state;
    assert_true(tlp_timeout(0, true) == SEC);
    assert_true(tlp_timeout(40 * MSEC, false) == 80 * MSEC);
    assert_true(tlp_timeout(40 * MSEC, true) == 280 * MSEC);
}

/* Section 7.4.2: what the answers to a probe say. */
static void rfc8985_7_4_2_the_answer(void **state)
{
    static const struct {
        bool again; /* the probe was the last segment again */
        struct tlp_ack ack;
        enum tlp_verdict want;
        bool over;
    } cases[] = {
        {false, {.una = 99}, TLP_NOTHING, false},
        {false, {.una = 100}, TLP_NOTHING, true},
        {true, {.una = 99}, TLP_NOTHING, false},
        {true, {.una = 100}, TLP_NOTHING, false},
        {true, {.una = 100, .dsack = true, .dsack_end = 100}, TLP_FOR_NOTHING, true},
        {true, {.una = 100, .duplicate = true}, TLP_FOR_NOTHING, true},
        {true, {.una = 101}, TLP_REPAIRED, true},
        {true, {.una = 101, .dsack = true, .dsack_end = 100}, TLP_FOR_NOTHING, true},
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct tlp p = {0};

        tlp_sent(&p, 100, cases[i].again);
        assert_int_equal(tlp_on_ack(&p, &cases[i].ack), cases[i].want);
        assert_int_equal(p.probing, !cases[i].over);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc2018_8_a_super_segment_lost_in_part),
        cmocka_unit_test(a_board_without_a_pool),
        cmocka_unit_test(rfc8985_6_2_lost_by_time),
        cmocka_unit_test(rfc8985_6_2_step_5_a_lost_retransmission),
        cmocka_unit_test(rfc8985_6_2_step_2_an_early_acknowledgment),
        cmocka_unit_test(rfc8985_6_2_step_3_reordering),
        cmocka_unit_test(rfc8985_6_2_step_2_an_older_timestamp),
        cmocka_unit_test(rfc8985_6_2_step_4_the_window),
        cmocka_unit_test(rfc8985_7_2_the_timeout),
        cmocka_unit_test(rfc8985_7_4_2_the_answer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
