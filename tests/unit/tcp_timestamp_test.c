/* Timestamps (RFC 7323): negotiation, the clock, what is echoed, old duplicates, round trips. */
#include "tcp_kit.h"

enum {
    THEIRS = 5000000, /* the remote clock in its SYN */
    EFF = MSS - 12,   /* bytes of text beside the option */
};

/* The remote node's segment, with its clock `val` and its echo of ours, `ecr`. */
static enum reason stamped_inject(uint8_t flags, uint32_t seq, uint32_t ack, uint32_t len,
                                  uint32_t val, uint32_t ecr)
{
    const struct tcp_options opt = {.has_timestamp = true, .ts_val = val, .ts_ecr = ecr};

    return rig_inject(flags, seq, ack, FULL_WND, len, &opt);
}

#define stamped(flags, seq, ack, len, val, ecr)                                                    \
    AT(rig_reason("the verdict", stamped_inject(flags, seq, ack, len, val, ecr), REASON_NONE))
#define stamped_drop(why, flags, seq, ack, len, val, ecr)                                          \
    AT(rig_reason("the verdict", stamped_inject(flags, seq, ack, len, val, ecr), why))
/* The last segment taken carried timestamps, and echoed this. */
#define expect_echo(ecr)                                                                           \
    (AT(rig_same("has timestamps", rig.seg.opt.has_timestamp, true)),                              \
     AT(rig_same("the echo", rig.seg.opt.ts_ecr, (uint32_t)(ecr))))
#define expect_unstamped() AT(rig_same("has timestamps", rig.seg.opt.has_timestamp, false))

static const struct tcp_options offer = {.has_mss = true,
                                         .mss = MSS,
                                         .has_timestamp = true,
                                         .ts_val = THEIRS};

static void speaking(void)
{
    defaults();
    rig.cfg.tcp.timestamps = true;
    begin();
}

/* Our clock now, as the remote node should see it. */
static uint32_t ours(void)
{
    return (uint32_t)(rig.now / MSEC) + tcb()->ts_offset;
}

/* ESTABLISHED after a passive open, timestamps spoken. */
static void open_stamped(void)
{
    if (rig.listener < 0)
        app_listen(16);
    rig_reason("the SYN's verdict", rig_inject(SYN, 0, 0, FULL_WND, 0, &offer), REASON_NONE);
    expect_syn_ack();
    expect_echo(THEIRS);
    stamped(ACK, 1, 1, 0, THEIRS, rig.seg.opt.ts_val);
    expect_event(EV_ACCEPTED);
    expect_state(TCP_ESTABLISHED);
}

/* ---- negotiation ---- */

/* RFC 7323 3.2: a listener speaks timestamps to whoever offers them, on every segment. */
static void passive_open_answers_the_offer(void **state)
{
    (void)state;
    speaking();
    open_stamped();
    app_send(10);
    expect(ACK, 1, 1, 10);
    expect_echo(THEIRS);
    app_close();
    expect(FIN | ACK, 11, 1, 0);
    expect_echo(THEIRS);
    app_abort();
    expect(RST | ACK, 12, 1, 0);
    expect_echo(THEIRS);
    end();
}

/* RFC 7323 3.2: without an offer there is no option, neither in the SYN-ACK nor later. */
static void passive_open_offers_nothing_by_itself(void **state)
{
    (void)state;
    speaking();
    open_passive();
    expect_unstamped();
    app_send(10);
    expect(ACK, 1, 1, 10);
    expect_unstamped();
    end();
}

static void switched_off_they_are_not_spoken(void **state)
{
    (void)state;
    defaults();
    begin();
    app_listen(16);
    rig_inject(SYN, 0, 0, FULL_WND, 0, &offer);
    expect_syn_ack();
    expect_unstamped();
    end();
}

/* RFC 7323 3.2: our SYN offers, with an echo of zero; the SYN-ACK's timestamp settles it. */
static void active_open_offers(void **state)
{
    (void)state;
    speaking();
    app_open();
    expect_syn();
    expect_echo(0);
    assert_int_equal(rig.seg.opt.ts_val, ours());
    rig_inject(SYN | ACK, 0, 1, FULL_WND, 0, &offer);
    expect(ACK, 1, 1, 0);
    expect_echo(THEIRS);
    end();
}

static void active_open_takes_no_for_an_answer(void **state)
{
    (void)state;
    speaking();
    app_open();
    expect_syn();
    rig_inject(SYN | ACK, 0, 1, FULL_WND, 0, &mss_only);
    expect(ACK, 1, 1, 0);
    expect_unstamped();
    inject(ACK, 1, 1, FULL_WND, 10); /* and none is missed */
    app_read(0);
    advance(40 * MSEC);
    expect(ACK, 1, 11, 0);
    expect_unstamped();
    end();
}

/* MUST-10, RFC 7323 3.2: both offered in their SYNs, so both SYN-ACKs carry them. */
static void simultaneous_open_speaks_them(void **state)
{
    struct tcp_options answer = offer;

    (void)state;
    speaking();
    app_open();
    expect_syn();
    rig_inject(SYN, 0, 0, FULL_WND, 0, &offer);
    expect_syn_ack();
    expect_echo(THEIRS);
    answer.ts_val = THEIRS + 7;
    answer.ts_ecr = rig.seg.opt.ts_val;
    rig_inject(SYN | ACK, 0, 1, FULL_WND, 0, &answer);
    expect_state(TCP_ESTABLISHED);
    app_send(10);
    expect(ACK, 1, 1, 10);
    expect_echo(THEIRS + 7);
    end();
}

/* An end whose SYN was not answered tries again without options; it would not understand ours. */
static void a_second_syn_without_them_ends_them(void **state)
{
    (void)state;
    speaking();
    app_listen(16);
    rig_inject(SYN, 0, 0, FULL_WND, 0, &offer);
    expect_syn_ack();
    expect_echo(THEIRS);
    rig_inject(SYN, 0, 0, FULL_WND, 0, &mss_only);
    expect_syn_ack();
    expect_unstamped();
    inject(ACK, 1, 1, FULL_WND, 0);
    expect_event(EV_ACCEPTED);
    end();
}

/* ---- the clock ---- */

/* RFC 7323 5.4: the clock counts milliseconds, through the wrap of its 32 bits. */
static void the_clock_ticks_each_millisecond(void **state)
{
    struct addr local = LOCAL_ADDR, remote = REMOTE_ADDR;
    uint32_t offset, before;

    (void)state;
    speaking();
    offset = flow_ts_offset(rig.st, &local, LOCAL_PORT, &remote, REMOTE_PORT);
    advance((int64_t)(uint32_t)(0xffffffff - offset) * MSEC - rig.now); /* the last before 0 */
    open_stamped();
    app_send(1);
    expect(ACK, 1, 1, 1);
    before = rig.seg.opt.ts_val;
    assert_int_equal(before, 0xffffffff);
    advance(MSEC - 1);
    stamped(ACK, 1, 2, 0, THEIRS, before);
    app_send(1);
    expect(ACK, 2, 1, 1);
    assert_int_equal(rig.seg.opt.ts_val, before);
    stamped(ACK, 1, 3, 0, THEIRS, before);
    advance(1);
    app_send(1);
    expect(ACK, 3, 1, 1);
    assert_int_equal(rig.seg.opt.ts_val, 0);
    end();
}

/* RFC 7323 7.1: an origin for each pair of ends, the same each time, told by nothing else. */
static void each_pair_of_ends_has_its_origin(void **state)
{
    struct addr local = LOCAL_ADDR, remote = REMOTE_ADDR;
    uint32_t seen[64];

    (void)state;
    speaking();
    for (uint16_t i = 0; i < 64; i++) {
        seen[i] = flow_ts_offset(rig.st, &local, LOCAL_PORT, &remote, (uint16_t)(1000 + i));
        assert_int_equal(seen[i],
                         flow_ts_offset(rig.st, &local, LOCAL_PORT, &remote, (uint16_t)(1000 + i)));
        for (uint16_t k = 0; k < i; k++)
            assert_true(seen[k] - seen[i] + 100000 > 200000); /* not near each other */
    }
    end();
}

/* ---- what is echoed ---- */

/* RFC 7323 4.3: the first of the segments that a delayed acknowledgment answers. */
static void a_delayed_acknowledgment_echoes_the_first(void **state)
{
    (void)state;
    speaking();
    open_stamped();
    stamped(ACK, 1, 1, 100, THEIRS + 10, 0);
    stamped(ACK, 101, 1, 100, THEIRS + 20, 0);
    advance(40 * MSEC);
    expect(ACK, 1, 201, 0);
    expect_echo(THEIRS + 10);
    stamped(ACK, 201, 1, 100, THEIRS + 30, 0);
    advance(40 * MSEC);
    expect(ACK, 1, 301, 0);
    expect_echo(THEIRS + 30);
    end();
}

/* RFC 7323 4.3: behind a gap the echo stands still; what fills the gap is echoed, although older.
 */
static void a_gap_holds_the_echo(void **state)
{
    (void)state;
    speaking();
    open_stamped();
    stamped(ACK, 101, 1, 100, THEIRS + 10, 0);
    expect(ACK, 1, 1, 0);
    expect_echo(THEIRS);
    stamped(ACK, 201, 1, 100, THEIRS + 20, 0);
    expect(ACK, 1, 1, 0);
    expect_echo(THEIRS);
    stamped(ACK, 1, 1, 100, THEIRS + 5, 0);
    expect(ACK, 1, 301, 0);
    expect_echo(THEIRS + 5);
    end();
}

/* Nobody can set the echo from outside the window, or with an ACK that cannot be true. */
static void a_stranger_does_not_set_the_echo(void **state)
{
    (void)state;
    speaking();
    open_stamped();
    stamped_drop(REASON_TCP_SEQUENCE, ACK, (uint32_t)-5000, 1, 100, THEIRS + 1000000, 0);
    stamped_drop(REASON_TCP_ACK_FUTURE, ACK, 1, 1000, 100, THEIRS + 1000000, 0);
    stamped_drop(REASON_TCP_ACK_OLD, ACK, 1, (uint32_t)-70000, 100, THEIRS + 1000000, 0);
    drain();
    assert_int_equal(tcb()->ts_recent, THEIRS);
    stamped(ACK, 1, 1, 100, THEIRS, 0);
    end();
}

/* ---- old duplicates ---- */

/* RFC 7323 5.3: the same or a later timestamp is taken, across the wrap; one tick before is not. */
static void paws_drops_what_is_older(void **state)
{
    (void)state;
    speaking();
    open_stamped();
    stamped(ACK, 1, 1, 10, THEIRS, 0);
    stamped_drop(REASON_TCP_PAWS, ACK, 11, 1, 10, THEIRS - 1, 0);
    expect(ACK, 1, 11, 0); /* and says where we stand */
    expect_why(REASON_SEND_ACK_NOW);
    expect_echo(THEIRS);
    stamped(ACK, 11, 1, 10, THEIRS + 0x7fffffffU, 0);
    stamped_drop(REASON_TCP_PAWS, ACK, 21, 1, 10, THEIRS + 0x7ffffffeU, 0);
    expect(ACK, 1, 21, 0);
    stamped(ACK, 21, 1, 10, THEIRS + 0xfffffffeU, 0);
    stamped(ACK, 31, 1, 10, THEIRS + 1, 0);
    counted(TCP_PAWS, 2);
    app_read(40);
    end();
}

/* RFC 7323 5.3, R1 before the test of the sequence number; an old pure ACK is answered, within
 * the limit that keeps two ends from answering each other for ever. */
static void paws_comes_before_the_window(void **state)
{
    (void)state;
    speaking();
    open_stamped();
    stamped_drop(REASON_TCP_PAWS, ACK, 1000000, 1, 10, THEIRS - 1, 0);
    expect(ACK, 1, 1, 0);
    stamped_drop(REASON_TCP_PAWS, ACK, 1, 1, 0, THEIRS - 1, 0);
    expect(ACK, 1, 1, 0);
    expect_why(REASON_SEND_ACK_CHALLENGE);
    stamped_drop(REASON_TCP_SYN_CHALLENGED, SYN, 1, 0, 0, THEIRS - 1, 0);
    expect(ACK, 1, 1, 0);
    expect_why(REASON_SEND_ACK_CHALLENGE);
    end();
}

/* RFC 7323 5.3: a reset counts whatever its timestamp says. */
static void paws_spares_a_reset(void **state)
{
    (void)state;
    speaking();
    open_stamped();
    stamped(RST, 1, 0, 0, THEIRS - 1000, 0);
    expect_closed(REASON_END_RESET);
    end();
}

/* RFC 7323 5.5: for 24 days of silence the last timestamp holds; within the hour that follows it
 * ceases to say anything. */
static void after_24_days_an_older_timestamp_is_taken(void **state)
{
    const int64_t hour = 3600 * SEC, limit = 24 * 24 * hour;

    (void)state;
    speaking();
    advance(hour - 1 - rig.now); /* the hours are counted by the clock: the last instant of one */
    open_stamped();
    advance(limit);
    stamped_drop(REASON_TCP_PAWS, ACK, 1, 1, 10, THEIRS - 1, 0);
    expect(ACK, 1, 1, 0);
    advance(1);
    stamped(ACK, 1, 1, 10, THEIRS - 1, 0);
    stamped_drop(REASON_TCP_PAWS, ACK, 11, 1, 10, THEIRS - 2, 0); /* it is the new measure */
    app_read(10);
    end();
    speaking();
    advance(hour - rig.now);
    open_stamped();
    advance(limit + hour - 1);
    stamped_drop(REASON_TCP_PAWS, ACK, 1, 1, 10, THEIRS - 1, 0);
    advance(1);
    stamped(ACK, 1, 1, 10, THEIRS - 1, 0);
    end();
}

/* ---- no timestamp where one belongs ---- */

/* RFC 7323 3.2: dropped without an answer, but the connection lives. */
static void a_segment_without_one_is_dropped(void **state)
{
    (void)state;
    speaking();
    open_stamped();
    inject_drop(REASON_TCP_NO_TIMESTAMP, ACK, 1, 1, FULL_WND, 10);
    inject_drop(REASON_TCP_NO_TIMESTAMP, FIN | ACK, 1, 1, FULL_WND, 0);
    expect_nothing();
    expect_state(TCP_ESTABLISHED);
    stamped(ACK, 1, 1, 10, THEIRS, 0);
    app_read(10);
    end();
}

/* RFC 7323 3.2: but for a reset, which counts. */
static void a_reset_without_one_counts(void **state)
{
    (void)state;
    speaking();
    open_stamped();
    inject(RST, 1, 0, 0, 0);
    expect_closed(REASON_END_RESET);
    end();
}

/* U-8: a SYN without one is of another connection, and is asked about like any other. */
static void a_syn_without_one_is_challenged(void **state)
{
    (void)state;
    speaking();
    open_stamped();
    inject_drop(REASON_TCP_SYN_CHALLENGED, SYN, 77777, 0, FULL_WND, 0);
    expect(ACK, 1, 1, 0);
    expect_why(REASON_SEND_ACK_CHALLENGE);
    end();
}

/* ---- round trips ---- */

/* MUST-18, RFC 7323 4.1: the echo tells which of two transmissions was answered, and ends the
 * back-off; so Karn's rule need not fear it. */
static void an_echo_measures_what_was_sent_twice(void **state)
{
    int64_t srtt;

    (void)state;
    speaking();
    open_stamped();
    app_send(10);
    expect(ACK, 1, 1, 10);
    advance(100 * MSEC);
    stamped(ACK, 1, 11, 0, THEIRS, rig.seg.opt.ts_val);
    counted(RTT_SAMPLE, 2); /* handshake and data */
    srtt = tcb()->rtt.srtt;
    app_send(10);
    expect(ACK, 11, 1, 10);
    advance(tcb()->rtt.rto);
    expect(ACK, 11, 1, 10);
    expect_why(REASON_SEND_RTO);
    assert_int_equal(tcb()->rtt.backoff, 1);
    advance(20 * MSEC);
    stamped(ACK, 1, 21, 0, THEIRS, rig.seg.opt.ts_val); /* answers the second */
    counted(RTT_SAMPLE, 3);
    assert_int_equal(tcb()->rtt.backoff, 0);
    assert_int_equal(tcb()->rtt.srtt, srtt + (20 * MSEC - srtt) / 8);
    end();
}

/* RFC 7323 4.1: an echo of what we cannot have sent is no measurement; nor is a segment that
 * acknowledges nothing new. */
static void a_false_echo_measures_nothing(void **state)
{
    uint32_t opened;

    (void)state;
    speaking();
    opened = (uint32_t)(rig.now / MSEC);
    open_stamped();
    opened += tcb()->ts_offset;
    app_send(30);
    expect(ACK, 1, 1, 30);
    advance(tcb()->rtt.rto);
    expect(ACK, 1, 1, 30); /* nothing is timed any more */
    counted(RTT_SAMPLE, 1);
    stamped(ACK, 1, 11, 0, THEIRS, ours() + 1);
    counted(RTT_SAMPLE, 1);
    stamped(ACK, 1, 21, 0, THEIRS, opened - 1);
    counted(RTT_SAMPLE, 1);
    stamped(ACK, 1, 21, 0, THEIRS, ours());
    counted(RTT_SAMPLE, 1);
    stamped(ACK, 1, 31, 0, THEIRS, opened);
    counted(RTT_SAMPLE, 2);
    end();
}

/* RFC 7323 appendix G: where one flight brings many samples, each weighs less. */
static void many_samples_weigh_less(void **state)
{
    int64_t srtt;

    (void)state;
    speaking();
    open_stamped();
    app_send(8 * EFF);
    for (uint32_t i = 0; i < 8; i++)
        expect(ACK, 1 + i * EFF, 1, EFF);
    advance(tcb()->rtt.rto); /* all of it again, one by one */
    expect(ACK, 1, 1, EFF);
    srtt = tcb()->rtt.srtt;
    advance(40 * MSEC);
    stamped(ACK, 1, 1 + EFF, 0, THEIRS, rig.seg.opt.ts_val);
    assert_int_equal(tcb()->rtt.srtt, srtt + (40 * MSEC - srtt) / (8 * 4));
    end();
}

/* RFC 6298 5.7: a SYN that timed out is not measured by its echo; data begins with 3 s. */
static void a_lost_syn_keeps_its_rule(void **state)
{
    struct tcp_options answer = offer;

    (void)state;
    speaking();
    app_open();
    expect_syn();
    advance(SEC);
    expect_syn();
    answer.ts_ecr = rig.seg.opt.ts_val;
    advance(2300 * USEC);
    rig_inject(SYN | ACK, 0, 1, FULL_WND, 0, &answer);
    expect(ACK, 1, 1, 0);
    counted(RTT_SAMPLE, 0);
    assert_int_equal(tcb()->rtt.rto, 3 * SEC);
    assert_int_equal(tcb()->min_rtt_us, 3000); /* its echo says: less than that */
    app_send(2 * EFF);
    expect(ACK, 1, 1, EFF);
    expect(ACK, 1 + EFF, 1, EFF);
    advance(400 * USEC);
    stamped(ACK, 1, 1 + EFF, 0, THEIRS, ours());
    stamped(ACK, 1, 1 + 2 * EFF, 0, THEIRS, ours());
    assert_int_equal(tcb()->min_rtt_us, 400); /* is exact; no echo of 0 ms is shorter */
    end();
}

/* ---- TIME-WAIT ---- */

struct reuse {
    const char *what;
    bool had;         /* did the old connection speak timestamps? */
    bool has;         /* does the new SYN? */
    int32_t val, seq; /* of the new SYN, from the last seen */
    bool taken;
};

/* SHLD-4, MAY-2: RFC 6191 section 2, case by case. */
static void time_wait_gives_way_to_a_newer_timestamp(void **state)
{
    static const struct reuse cases[] = {
        {"later timestamp, later number", true, true, 1, 1, true},
        {"later timestamp, earlier number", true, true, 1, -1000, true},
        {"later timestamp, across the wrap", true, true, 0x7fffffff, -1000, true},
        {"the same timestamp, later number", true, true, 0, 1, true},
        {"the same timestamp, the last number", true, true, 0, 0, false},
        {"the same timestamp, earlier number", true, true, 0, -1, false},
        {"earlier timestamp, later number", true, true, -1, 1, false},
        {"none any more, later number", true, false, 0, 1, true},
        {"none any more, earlier number", true, false, 0, -1, false},
        {"one now, earlier number", false, true, -5, -1000, true},
        {"one now, of any value", false, true, INT32_MIN, -1000, true},
        {"never one, later number", false, false, 0, 1, true},
        {"never one, earlier number", false, false, 0, -1, false},
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct reuse *r = &cases[i];
        struct tcp_options opt = {.has_mss = true, .mss = MSS, .has_timestamp = r->has};

        speaking();
        rig.what = r->what;
        if (r->had)
            open_stamped();
        else
            open_passive();
        app_close();
        expect(FIN | ACK, 1, 1, 0);
        opt.has_timestamp = r->had;
        opt.ts_val = THEIRS;
        rig_inject(FIN | ACK, 1, 2, FULL_WND, 0, &opt);
        expect(ACK, 2, 2, 0);
        expect_state(TCP_TIME_WAIT);
        opt.has_timestamp = r->has;
        opt.ts_val = THEIRS + (uint32_t)r->val;
        rig_inject(SYN, 2 + (uint32_t)r->seq, 0, FULL_WND, 0, &opt);
        rig_state(r->taken ? TCP_SYN_RECEIVED : TCP_TIME_WAIT);
        end();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(passive_open_answers_the_offer),
        cmocka_unit_test(passive_open_offers_nothing_by_itself),
        cmocka_unit_test(switched_off_they_are_not_spoken),
        cmocka_unit_test(active_open_offers),
        cmocka_unit_test(active_open_takes_no_for_an_answer),
        cmocka_unit_test(simultaneous_open_speaks_them),
        cmocka_unit_test(a_second_syn_without_them_ends_them),
        cmocka_unit_test(the_clock_ticks_each_millisecond),
        cmocka_unit_test(each_pair_of_ends_has_its_origin),
        cmocka_unit_test(a_delayed_acknowledgment_echoes_the_first),
        cmocka_unit_test(a_gap_holds_the_echo),
        cmocka_unit_test(a_stranger_does_not_set_the_echo),
        cmocka_unit_test(paws_drops_what_is_older),
        cmocka_unit_test(paws_comes_before_the_window),
        cmocka_unit_test(paws_spares_a_reset),
        cmocka_unit_test(after_24_days_an_older_timestamp_is_taken),
        cmocka_unit_test(a_segment_without_one_is_dropped),
        cmocka_unit_test(a_reset_without_one_counts),
        cmocka_unit_test(a_syn_without_one_is_challenged),
        cmocka_unit_test(an_echo_measures_what_was_sent_twice),
        cmocka_unit_test(a_false_echo_measures_nothing),
        cmocka_unit_test(many_samples_weigh_less),
        cmocka_unit_test(a_lost_syn_keeps_its_rule),
        cmocka_unit_test(time_wait_gives_way_to_a_newer_timestamp),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
