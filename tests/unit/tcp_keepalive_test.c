/* Keep-alives (RFC 9293 section 3.8.4): when they are sent, and what silence means. */
#include "tcp_kit.h"

enum {
    FIRST = 30, /* s of silence before the first keep-alive, in most tests */
    NEXT = 5,   /* s between unanswered ones */
    MOST = 3,   /* of them */
};

/* Change one setting of the flow. */
#define set(field, value)                                                                          \
    do {                                                                                           \
        struct tcp_settings own;                                                                   \
        assert_int_equal(stack_settings(rig.st, flow.id, &own), 0);                                \
        own.field = (value);                                                                       \
        assert_int_equal(stack_set(rig.st, flow.id, &own), 0);                                     \
    } while (0)

/* The node's settings: keep-alives as above. */
static void begin_lively(void)
{
    defaults();
    rig.cfg.tcp.conn.keepalive = true;
    rig.cfg.tcp.conn.keepalive_ns = FIRST * SEC;
    rig.cfg.tcp.conn.keepalive_interval_ns = NEXT * SEC;
    rig.cfg.tcp.conn.keepalive_max = MOST;
    begin();
}

/* A keep-alive leaves now: SEQ=SND.NXT-1. */
static void rig_keepalive(uint32_t snd_nxt, uint32_t ack)
{
    rig_expect(ACK, snd_nxt - 1, ack, 0);
    rig_reason("the reason", rig.why, REASON_SEND_KEEPALIVE);
    rig_expect_nothing();
}

#define expect_keepalive(snd_nxt, ack) AT(rig_keepalive(snd_nxt, ack))

/* MUST-25: off, unless somebody asks for them. */
static void off_by_default(void **state)
{
    (void)state;
    defaults();
    begin();
    open_passive();
    advance(30 * 24 * 3600 * SEC);
    expect_nothing();
    expect_no_event();
    expect_state(TCP_ESTABLISHED);
    end();
}

/* MUST-28: two hours, if nothing else is said. */
static void two_hours_by_default(void **state)
{
    (void)state;
    defaults();
    begin();
    open_passive();
    set(keepalive, true);
    expect_silence(7200 * SEC);
    expect_keepalive(1, 1);
    end();
}

/* MUST-26, MUST-27, SHLD-12: after the interval, without data, and answered for as long as it goes.
 */
static void answered_for_ever(void **state)
{
    (void)state;
    begin_lively();
    open_passive();
    for (unsigned i = 0; i < 20; i++) {
        expect_silence(FIRST * SEC);
        expect_keepalive(1, 1);
        advance(10 * MSEC);
        inject(ACK, 1, 1, FULL_WND, 0);
        expect_nothing();
    }
    counted(KEEPALIVE_EXPIRED, 20);
    expect_no_event();
    expect_state(TCP_ESTABLISHED);
    end();
}

/* MUST-29: one unanswered keep-alive proves nothing; a row of them ends it, to the nanosecond. */
static void silence_ends_it(void **state)
{
    (void)state;
    begin_lively();
    open_passive();
    expect_silence(FIRST * SEC);
    expect_keepalive(1, 1);
    for (unsigned i = 1; i < MOST; i++) {
        expect_silence(NEXT * SEC);
        expect_keepalive(1, 1);
    }
    advance(NEXT * SEC - 1);
    expect_no_event();
    expect_state(TCP_ESTABLISHED);
    advance(1);
    expect_closed(REASON_END_KEEPALIVE);
    expect_nothing();
    end();
}

/* MUST-29: an answer to the last of them is in time, and the row begins anew. */
static void the_last_answer_counts(void **state)
{
    (void)state;
    begin_lively();
    open_passive();
    for (unsigned round = 0; round < 2; round++) {
        expect_silence(FIRST * SEC);
        expect_keepalive(1, 1);
        for (unsigned i = 1; i < MOST; i++) {
            expect_silence(NEXT * SEC);
            expect_keepalive(1, 1);
        }
        advance(NEXT * SEC - 1);
        inject(ACK, 1, 1, FULL_WND, 0);
    }
    expect_silence(FIRST * SEC);
    expect_keepalive(1, 1);
    expect_no_event();
    end();
}

/* MUST-26: data and acknowledgments that come put it off; what is sent and unanswered, too. */
static void traffic_puts_it_off(void **state)
{
    (void)state;
    begin_lively();
    open_passive();
    advance(FIRST * SEC - 1);
    inject(ACK, 1, 1, FULL_WND, 10);
    advance(40 * MSEC);
    expect(ACK, 1, 11, 0);
    advance((FIRST - 1) * SEC);
    app_send(10); /* outstanding: RTX sees to it */
    expect(ACK, 1, 11, 10);
    for (unsigned i = 0; i < 90; i++) {
        advance(SEC);
        while (rig_take_tcp())
            rig_reason("the reason", rig.why, REASON_SEND_RTO);
    }
    counted(KEEPALIVE_EXPIRED, 0);
    inject(ACK, 11, 11, FULL_WND, 0);
    drain(); /* R1 was told */
    expect_silence(FIRST * SEC);
    expect_keepalive(11, 11);
    end();
}

/* MUST-26: behind a closed window probes ask already. */
static void not_beside_probes(void **state)
{
    (void)state;
    begin_lively();
    open_passive();
    inject(ACK, 1, 1, 0, 0);
    app_send(10);
    for (unsigned i = 0; i < 300; i++) {
        advance(SEC);
        while (rig_take_tcp()) {
            rig_reason("the reason", rig.why, REASON_SEND_PROBE);
            inject(ACK, 1, 1, 0, 0);
        }
    }
    counted(KEEPALIVE_EXPIRED, 0);
    expect_state(TCP_ESTABLISHED);
    end();
    begin_lively(); /* nor while the first of them is still to come */
    open_passive();
    set(keepalive_ns, 100 * MSEC);
    inject(ACK, 1, 1, 0, 0);
    app_send(10);
    expect_nothing();
    expect_silence(tcb()->rtt.rto);
    expect(ACK, 1, 1, 1);
    expect_why(REASON_SEND_PROBE);
    end();
}

/* MUST-24, MUST-27: each connection's own, at any time; the silence so far counts. */
static void set_during_the_connection(void **state)
{
    (void)state;
    defaults();
    begin();
    open_passive();
    advance(100 * SEC);
    set(keepalive_ns, 120 * SEC);
    set(keepalive_interval_ns, 7 * SEC);
    set(keepalive, true);
    expect_silence(20 * SEC);
    expect_keepalive(1, 1);
    expect_silence(7 * SEC);
    expect_keepalive(1, 1);
    set(dscp, 10); /* another setting is no news from the remote end */
    expect_silence(7 * SEC);
    expect_keepalive(1, 1);
    set(keepalive, false);
    advance(1000 * SEC);
    expect_nothing();
    expect_no_event();
    set(keepalive, true); /* at once: that silence was long enough */
    stack_tick(rig.st, rig.now);
    expect_keepalive(1, 1);
    set(keepalive_ns, TIME_NEVER);
    inject(ACK, 1, 1, FULL_WND, 0);
    advance(1000000 * SEC);
    expect_nothing();
    end();
}

/* MAY-6: with an octet that the remote end has long acknowledged. */
static void with_an_octet(void **state)
{
    (void)state;
    begin_lively();
    open_passive();
    set(keepalive_octet, true);
    app_send(10);
    expect(ACK, 1, 1, 10);
    inject(ACK, 1, 11, FULL_WND, 0);
    advance(FIRST * SEC);
    assert_true(rig_take_tcp());
    rig_reason("the reason", rig.why, REASON_SEND_KEEPALIVE);
    rig_same("seq", rig.seg.seq - flow.iss, 10);
    rig_same("payload", rig.len, 1);
    assert_int_equal(tcb()->snd_nxt, flow.iss + 11);
    app_send(10);
    expect(ACK, 11, 1, 10);
    end();
}

/* MAY-5: in every state in which the remote end may be gone without anyone noticing. */
static void in_which_states(void **state)
{
    static const struct {
        enum tcp_state state;
        uint32_t snd_nxt, rcv_nxt; /* 0: no keep-alive there */
    } at[] = {
        {TCP_ESTABLISHED, 1, 1}, {TCP_CLOSE_WAIT, 1, 2}, {TCP_FIN_WAIT_2, 2, 1},
        {TCP_FIN_WAIT_1, 0, 0},  {TCP_CLOSING, 0, 0},    {TCP_LAST_ACK, 0, 0},
        {TCP_TIME_WAIT, 0, 0},
    };

    (void)state;
    for (unsigned i = 0; i < 7; i++) {
        begin_lively();
        open_passive();
        rig.what = tcp_state_name(at[i].state);
        go(at[i].state);
        advance(FIRST * SEC);
        if (at[i].snd_nxt)
            expect_keepalive(at[i].snd_nxt, at[i].rcv_nxt);
        counted(KEEPALIVE_EXPIRED, at[i].snd_nxt != 0);
        end();
    }
    begin_lively(); /* a handshake is RTX's matter */
    app_open();
    expect_syn();
    advance(FIRST * SEC);
    counted(KEEPALIVE_EXPIRED, 0);
    end();
}

/* A machine that slept through all of them wakes up and asks; it does not conclude. */
static void after_a_long_sleep(void **state)
{
    (void)state;
    begin_lively();
    open_passive();
    rig.now += 3600 * SEC;
    stack_tick(rig.st, rig.now);
    expect_keepalive(1, 1);
    expect_no_event();
    rig.now += 3600 * SEC;
    stack_tick(rig.st, rig.now);
    expect_keepalive(1, 1);
    inject(ACK, 1, 1, FULL_WND, 0);
    expect_silence(FIRST * SEC);
    expect_keepalive(1, 1);
    expect_no_event();
    end();
}

/* What is heeded counts as life; what anybody could have made up does not. */
static void what_counts_as_heard(void **state)
{
    (void)state;
    begin_lively();
    open_passive();
    advance((FIRST - 1) * SEC);
    rig_inject(ACK, 1, 70000, FULL_WND, 0, NULL);  /* acknowledges what was never sent */
    rig_inject(ACK, 900000, 1, FULL_WND, 0, NULL); /* far outside the window */
    rig_inject(RST, 100, 0, 0, 0, NULL);           /* in the window, not at its edge */
    while (rig_take())
        continue;
    expect_silence(1 * SEC);
    expect_keepalive(1, 1);
    end();
}

/* The remote end keeps us alive: it is answered, with an octet or without, and that is life, too.
 */
static void theirs_are_answered(void **state)
{
    (void)state;
    begin_lively();
    open_passive();
    for (uint32_t octet = 0; octet < 2; octet++) {
        advance((FIRST - 1) * SEC);
        inject_drop(REASON_TCP_SEQUENCE, ACK, 0, 1, FULL_WND, octet);
        expect(ACK, 1, 1, 0);
        expect_nothing();
    }
    expect_no_event(); /* nothing of it reaches the application */
    app_read_says(-EAGAIN);
    expect_silence(FIRST * SEC);
    expect_keepalive(1, 1);
    end();
}

/* Two such ends: each answers the other once, and there it rests. */
static void an_answer_is_not_answered(void **state)
{
    (void)state;
    begin_lively();
    open_passive();
    advance(FIRST * SEC);
    expect_keepalive(1, 1);
    inject_drop(REASON_TCP_SEQUENCE, ACK, 0, 1, FULL_WND, 0); /* theirs, on its way meanwhile */
    expect(ACK, 1, 1, 0);
    inject(ACK, 1, 1, FULL_WND, 0); /* their answer to ours */
    expect_nothing();
    end();
}

/* What is owed leaves beside it: nobody heeds the acknowledgment in a keep-alive. */
static void the_delayed_ack_goes_first(void **state)
{
    (void)state;
    begin_lively();
    open_passive();
    set(keepalive_ns, 10 * MSEC);
    inject(ACK, 1, 1, FULL_WND, 10);
    advance(10 * MSEC);
    expect(ACK, 1, 11, 0);
    expect_why(REASON_SEND_ACK_DELAYED);
    expect_keepalive(1, 11);
    end();
}

/* Something to send came up in the same instant: that asks as well. */
static void data_takes_its_place(void **state)
{
    (void)state;
    begin_lively();
    open_passive();
    advance(FIRST * SEC);
    app_send(10);
    expect(ACK, 1, 1, 10);
    expect_nothing();
    inject(ACK, 1, 11, FULL_WND, 0);
    expect_silence(FIRST * SEC);
    expect_keepalive(11, 1);
    end();
}

/* The remote end has rebooted: it answers with a reset, which ends the connection as any reset. */
static void a_reset_for_an_answer(void **state)
{
    (void)state;
    begin_lively();
    open_passive();
    advance(FIRST * SEC);
    expect_keepalive(1, 1);
    inject(RST, 1, 0, 0, 0);
    expect_closed(REASON_END_RESET);
    end();
}

/* STATUS says what the connection waits for. */
static void the_status_says_so(void **state)
{
    struct stack_conn_status s;

    (void)state;
    begin_lively();
    open_passive();
    advance(SEC);
    assert_int_equal(stack_status(rig.st, flow.id, &s), 0);
    assert_string_equal(s.timer, "keepalive");
    assert_int_equal(s.timer_left, (FIRST - 1) * SEC);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(off_by_default),
        cmocka_unit_test(two_hours_by_default),
        cmocka_unit_test(answered_for_ever),
        cmocka_unit_test(silence_ends_it),
        cmocka_unit_test(the_last_answer_counts),
        cmocka_unit_test(traffic_puts_it_off),
        cmocka_unit_test(not_beside_probes),
        cmocka_unit_test(set_during_the_connection),
        cmocka_unit_test(with_an_octet),
        cmocka_unit_test(in_which_states),
        cmocka_unit_test(after_a_long_sleep),
        cmocka_unit_test(what_counts_as_heard),
        cmocka_unit_test(theirs_are_answered),
        cmocka_unit_test(an_answer_is_not_answered),
        cmocka_unit_test(the_delayed_ack_goes_first),
        cmocka_unit_test(data_takes_its_place),
        cmocka_unit_test(a_reset_for_an_answer),
        cmocka_unit_test(the_status_says_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
