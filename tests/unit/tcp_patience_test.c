/*
 * How long we go on without an answer (RFC 9293 section 3.8.3, RFC 5482): R1, R2, and the soft
 * errors that are told meanwhile (section 3.9.1.8).
 */
#include "tcp_kit.h"

static void rig_error(enum reason why)
{
    struct stack_event e;

    if (!stack_event(rig.st, &e))
        fail_msg("%s: there is no event", rig_where());
    rig_same("event", e.kind, EV_ERROR);
    rig_same("the event's slot", e.conn.slot, flow.id.slot);
    rig_reason("what is wrong", e.why, why);
}

#define expect_error(why) AT(rig_error(why))

/* Change one setting of the flow. */
#define set(field, value)                                                                          \
    do {                                                                                           \
        struct tcp_settings own;                                                                   \
        assert_int_equal(stack_settings(rig.st, flow.id, &own), 0);                                \
        own.field = (value);                                                                       \
        assert_int_equal(stack_set(rig.st, flow.id, &own), 0);                                     \
    } while (0)

/* Established, an RTO of 200 ms, and 10 bytes in flight that nobody answers. */
static void in_flight(void)
{
    defaults();
    begin();
    open_passive();
    app_send(10);
    expect(ACK, 1, 1, 10);
    assert_int_equal(tcb()->rtt.rto, 200 * MSEC);
}

/* Time goes on; what is sent again is taken and forgotten. */
static void wait_and_forget(int64_t ns)
{
    int64_t until = rig.now + ns;

    while (rig.now < until) {
        advance(time_min(until - rig.now, 100 * MSEC));
        while (rig_take())
            continue;
    }
}

static struct stack_conn_status status(void)
{
    struct stack_conn_status s;

    assert_int_equal(stack_status(rig.st, flow.id, &s), 0);
    return s;
}

/* ---- R1 ---- */

/* MUST-20, MUST-47, SHLD-9, SHLD-10, U-2: at the third time-out in a row, once, and IP is advised.
 * RFC 1122 3.3.1.4-b. */
static void r1_is_told(void **state)
{
    (void)state;
    in_flight();
    assert_int_equal(rig.cfg.tcp.conn.r1, 3);
    advance(200 * MSEC);
    expect(ACK, 1, 1, 10);
    advance(400 * MSEC);
    expect(ACK, 1, 1, 10);
    advance(800 * MSEC - 1);
    expect_no_event();
    counted(ADVICE, 0);
    advance(1);
    expect_error(REASON_REPORT_R1);
    counted(REPORT_R1, 1);
    counted(ADVICE, 1);
    expect(ACK, 1, 1, 10); /* and on it goes */
    advance(1600 * MSEC);
    expect(ACK, 1, 1, 10);
    expect_no_event();
    inject(ACK, 1, 11, FULL_WND, 0);
    app_send(10); /* another segment, another count; the back-off stays by Karn's rule */
    expect(ACK, 11, 1, 10);
    for (unsigned i = 0; i < 2; i++) {
        advance(tcb()->rtt.rto);
        expect(ACK, 11, 1, 10);
    }
    expect_no_event();
    advance(tcb()->rtt.rto);
    expect_error(REASON_REPORT_R1);
    counted(ADVICE, 2);
    end();
}

/* R1 may be set, also to what is exceeded already: then the next time-out tells. */
static void r1_can_be_set(void **state)
{
    (void)state;
    in_flight();
    set(r1, 5);
    wait_and_forget((200 + 400 + 800 + 1600) * MSEC);
    expect_no_event();
    set(r1, 1);
    expect_no_event();
    wait_and_forget(3200 * MSEC);
    expect_error(REASON_REPORT_R1);
    expect_no_event();
    end();
}

/* SHLD-20: not told to who does not want it, but counted, and IP is advised all the same. */
static void reports_can_be_switched_off(void **state)
{
    (void)state;
    in_flight();
    set(soft_errors, false);
    wait_and_forget(2 * SEC);
    expect_no_event();
    counted(REPORT_R1, 1);
    counted(ADVICE, 1);
    end();
}

/* MUST-22, U-1: a SYN is no different. */
static void r1_of_a_syn(void **state)
{
    (void)state;
    defaults();
    begin();
    app_open();
    expect_syn();
    for (unsigned i = 0; i < 2; i++) {
        advance((1 << i) * SEC);
        expect(SYN, 0, 0, 0);
    }
    advance(4 * SEC - 1);
    expect_no_event();
    advance(1);
    expect_error(REASON_REPORT_R1);
    counted(ADVICE, 1);
    expect(SYN, 0, 0, 0);
    advance(173 * SEC - 1); /* seven have passed */
    drain();
    expect_state(TCP_SYN_SENT);
    advance(1);
    expect_closed(REASON_END_TIMED_OUT);
    end();
}

/* An embryo of a listener: nobody was told of it, so nobody is told of its trouble. */
static void r1_of_an_embryo(void **state)
{
    (void)state;
    defaults();
    begin();
    app_listen(1);
    inject(SYN, 0, 0, FULL_WND, 0);
    wait_and_forget(20 * SEC);
    expect_no_event();
    counted(REPORT_R1, 1);
    counted(ADVICE, 1);
    wait_and_forget(160 * SEC);
    expect_no_event();
    assert_int_equal(stack_totals(rig.st)->conns, 0);
    end();
}

/* Probes that are answered are no retransmissions of trouble; silent ones are. */
static void r1_of_probes(void **state)
{
    (void)state;
    in_flight();
    inject(ACK, 1, 11, 0, 0);
    app_send(100);
    expect_nothing();
    for (unsigned i = 0; i < 6; i++) {
        advance(tcb()->rtt.rto);
        expect(ACK, 11, 1, 1);
        inject(ACK, 1, 11, 0, 0);
    }
    expect_no_event();
    for (unsigned i = 0; i < 3; i++) {
        expect_no_event();
        advance(tcb()->rtt.rto);
        expect(ACK, 11, 1, 1);
    }
    expect_error(REASON_REPORT_R1);
    end();
    in_flight(); /* the first probe is no retransmission yet */
    inject(ACK, 1, 11, 0, 0);
    app_send(100);
    expect_nothing();
    for (unsigned i = 0; i < 4; i++) {
        expect_no_event();
        advance(tcb()->rtt.rto);
        expect(ACK, 11, 1, 1);
    }
    expect_error(REASON_REPORT_R1);
    end();
}

/* ---- R2 ---- */

/* MUST-20, SHLD-11: by default five minutes after what is unanswered left, to the nanosecond. */
static void r2_by_default(void **state)
{
    (void)state;
    in_flight();
    wait_and_forget(300 * SEC - 1);
    expect_error(REASON_REPORT_R1);
    expect_no_event();
    expect_state(TCP_ESTABLISHED);
    advance(1);
    expect_closed(REASON_END_TIMED_OUT);
    expect_nothing(); /* no reset: nobody would hear it */
    end();
}

/* MUST-21: each connection's own, at any time; what has passed counts. */
static void r2_can_be_set(void **state)
{
    (void)state;
    in_flight();
    set(soft_errors, false);
    wait_and_forget(30 * SEC);
    set(r2_ns, 40 * SEC);
    wait_and_forget(10 * SEC - 1);
    expect_no_event();
    advance(1);
    expect_closed(REASON_END_TIMED_OUT);
    end();
    in_flight(); /* less than has passed: now */
    set(soft_errors, false);
    wait_and_forget(30 * SEC);
    set(r2_ns, 20 * SEC);
    stack_tick(rig.st, rig.now);
    expect_closed(REASON_END_TIMED_OUT);
    end();
    in_flight(); /* less than the RTO */
    set(r2_ns, 7 * MSEC);
    advance(7 * MSEC - 1);
    expect_no_event();
    advance(1);
    expect_closed(REASON_END_TIMED_OUT);
    expect_nothing();
    end();
}

/* MUST-21: even for ever. */
static void r2_for_ever(void **state)
{
    (void)state;
    in_flight();
    set(soft_errors, false);
    set(r2_ns, TIME_NEVER);
    for (unsigned i = 0; i < 200; i++) {
        advance(3600 * SEC);
        while (rig_take())
            continue;
    }
    expect_no_event();
    expect_state(TCP_ESTABLISHED);
    set(r2_ns, TIME_NEVER - 1); /* near the end of time */
    advance(3600 * SEC);
    while (rig_take())
        continue;
    expect_state(TCP_ESTABLISHED);
    end();
}

/* MUST-22, MUST-23: the same for a SYN. */
static void r2_of_a_syn_can_be_set(void **state)
{
    static const int64_t r2[] = {500 * MSEC, SEC, 5 * SEC, 600 * SEC};

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        defaults();
        rig.cfg.tcp.conn.soft_errors = false;
        begin();
        app_open();
        expect_syn();
        set(r2_syn_ns, r2[i]);
        wait_and_forget(r2[i] - 1);
        expect_no_event();
        expect_state(TCP_SYN_SENT);
        advance(1);
        expect_closed(REASON_END_TIMED_OUT);
        expect_nothing();
        end();
    }
}

/* MUST-37: answered probes keep a connection open, though they are further apart than R2. */
static void r2_and_a_closed_window(void **state)
{
    (void)state;
    in_flight();
    set(soft_errors, false);
    set(r2_ns, 10 * SEC);
    inject(ACK, 1, 11, 0, 0);
    app_send(100);
    expect_nothing();
    for (unsigned i = 0; i < 30; i++) {
        advance(tcb()->timer[TIMER_RTX] - rig.now);
        expect(ACK, 11, 1, 1);
        advance(10 * SEC - 1);
        while (rig_take())
            continue;
        expect_no_event();
        inject(ACK, 1, 11, 0, 0);
    }
    assert_int_equal(tcb()->rtt.rto, 60 * SEC);
    expect_state(TCP_ESTABLISHED);
    advance(tcb()->timer[TIMER_RTX] - rig.now);
    expect(ACK, 11, 1, 1);
    advance(10 * SEC - 1);
    expect_no_event();
    advance(1);
    expect_closed(REASON_END_TIMED_OUT);
    end();
}

/* Nothing asked, nothing owed: R2 does not count before the first probe has left. */
static void r2_before_the_first_probe(void **state)
{
    (void)state;
    in_flight();
    set(r2_ns, 50 * MSEC);
    inject(ACK, 1, 11, 0, 0);
    app_send(100);
    expect_nothing();
    advance(200 * MSEC);
    expect(ACK, 11, 1, 1);
    advance(50 * MSEC - 1);
    expect_no_event();
    advance(1);
    expect_closed(REASON_END_TIMED_OUT);
    end();
}

/* A window that is closed for ever, on purpose: nobody owns the data any more, so R2 ends it. */
static void r2_after_a_release(void **state)
{
    (void)state;
    in_flight();
    inject(ACK, 1, 11, 0, 0);
    app_send(100);
    expect_nothing();
    app_release();
    expect_nothing();
    advance(200 * MSEC);
    expect(ACK, 11, 1, 1);
    inject(ACK, 1, 11, 0, 0);
    for (unsigned i = 0; i < 299; i++) {
        advance(SEC);
        while (rig_take())
            inject(ACK, 1, 11, 0, 0);
    }
    advance(SEC - 1);
    expect_state(TCP_FIN_WAIT_1);
    advance(1);
    expect_state(TCP_CLOSED);
    expect_no_event();
    end();
}

/* When the window opens, what is sent into it has all of R2. */
static void r2_begins_anew_with_the_window(void **state)
{
    (void)state;
    in_flight();
    set(soft_errors, false);
    inject(ACK, 1, 11, 0, 0);
    app_send(100);
    expect_nothing();
    wait_and_forget(60 * SEC);
    inject(ACK, 1, 11, FULL_WND, 0);
    expect(ACK, 11, 1, 1);
    wait_and_forget(300 * SEC - 1);
    expect_no_event();
    advance(1);
    expect_closed(REASON_END_TIMED_OUT);
    end();
}

/* SHLD-17: what lies beyond a window that shrank is no reason to give up, as long as probes are
 * answered. */
static void beyond_a_shrunk_window(void **state)
{
    (void)state;
    defaults();
    begin();
    open_passive();
    app_send(3000);
    expect(ACK, 1, 1, MSS);
    expect(ACK, 1 + MSS, 1, MSS);
    inject(ACK, 1, 1, 100, 0);
    set(soft_errors, false);
    advance(200 * MSEC);
    expect(ACK, 1, 1, 100);
    inject(ACK, 1, 101, 0, 0); /* that much and no more */
    for (unsigned i = 0; i < 600; i++) {
        advance(SEC);
        while (rig_take())
            inject(ACK, 1, 101, 0, 0);
    }
    expect_no_event();
    expect_state(TCP_ESTABLISHED);
    end();
}

/* ---- soft errors ---- */

static void report(enum reason why)
{
    struct conn *c = flow_lookup(rig.st, flow.id);

    tcp_report(&rig.st->tcp, &c->tcb, rig.now, why);
    stack_settle(rig.st, c);
}

/* MUST-47, SHLD-25: told with its kind, before the end is; the last of several is the one. */
static void soft_errors_are_told(void **state)
{
    (void)state;
    in_flight();
    report(REASON_ICMP_SOFT_HOST);
    expect_error(REASON_ICMP_SOFT_HOST);
    expect_no_event();
    report(REASON_ICMP_SOFT_HOST);
    report(REASON_REPORT_R1);
    expect_error(REASON_REPORT_R1);
    expect_no_event();
    report(REASON_ICMP_SOFT_HOST);
    set(r2_ns, 1);
    advance(1);
    expect_error(REASON_ICMP_SOFT_HOST);
    expect_closed(REASON_END_TIMED_OUT);
    counted(ICMP_SOFT_HOST, 3);
    end();
}

/* SHLD-25: in the status as long as it may explain what follows. */
static void the_last_soft_error_is_remembered(void **state)
{
    (void)state;
    in_flight();
    assert_int_equal(status().soft_error, REASON_NONE);
    set(soft_errors, false); /* not told, and remembered all the same */
    report(REASON_ICMP_SOFT_HOST);
    wait_and_forget(2 * SEC); /* R1, which explains nothing */
    counted(REPORT_R1, 1);
    assert_int_equal(status().soft_error, REASON_ICMP_SOFT_HOST);
    inject(ACK, 1, 1, FULL_WND, 0); /* no progress */
    assert_int_equal(status().soft_error, REASON_ICMP_SOFT_HOST);
    inject(ACK, 1, 11, FULL_WND, 0);
    assert_int_equal(status().soft_error, REASON_NONE);
    app_send(10);
    expect(ACK, 11, 1, 10);
    report(REASON_ICMP_SOFT_HOST);
    wait_and_forget(300 * SEC);
    expect_closed(REASON_END_TIMED_OUT);
    assert_int_equal(status().soft_error, REASON_ICMP_SOFT_HOST);
    end();
}

/* Nobody owns the connection any more: nobody is told. */
static void no_reports_after_a_release(void **state)
{
    (void)state;
    in_flight();
    app_release();
    wait_and_forget(60 * SEC);
    expect_no_event();
    counted(REPORT_R1, 1);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(r1_is_told),
        cmocka_unit_test(r1_can_be_set),
        cmocka_unit_test(reports_can_be_switched_off),
        cmocka_unit_test(r1_of_a_syn),
        cmocka_unit_test(r1_of_an_embryo),
        cmocka_unit_test(r1_of_probes),
        cmocka_unit_test(r2_by_default),
        cmocka_unit_test(r2_can_be_set),
        cmocka_unit_test(r2_for_ever),
        cmocka_unit_test(r2_of_a_syn_can_be_set),
        cmocka_unit_test(r2_and_a_closed_window),
        cmocka_unit_test(r2_before_the_first_probe),
        cmocka_unit_test(r2_after_a_release),
        cmocka_unit_test(r2_begins_anew_with_the_window),
        cmocka_unit_test(beyond_a_shrunk_window),
        cmocka_unit_test(soft_errors_are_told),
        cmocka_unit_test(the_last_soft_error_is_remembered),
        cmocka_unit_test(no_reports_after_a_release),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
