/*
 * A SYN for a connection in TIME-WAIT (RFC 9293 section 3.6.1, MAY-2): it opens anew, and if it
 * turns out to be an old duplicate, TIME-WAIT goes on.
 */
#include "tcp_kit.h"

static struct flow old;
static int64_t since; /* ns: when TIME-WAIT began */

/* A connection in TIME-WAIT, and a SYN beyond its numbers: there is a SYN-ACK now. */
static void begin_again(void)
{
    begin();
    app_listen(8);
    open_passive();
    go(TCP_TIME_WAIT);
    since = rig.now;
    old = flow;
    advance(10 * SEC);
    flow.irs += 1000;
    assert_int_equal(inject(SYN, 0, 0, FULL_WND, 0), REASON_NONE);
    expect_syn_ack();
    expect_why(REASON_SEND_SYN_ACK);
    expect_state(TCP_SYN_RECEIVED);
    assert_true((int32_t)(flow.iss - (old.iss + 2)) > 0);
}

static enum tcp_state state_of(struct conn_id id)
{
    struct stack_conn_status status;

    return stack_status(rig.st, id, &status) == 0 ? status.state : TCP_CLOSED;
}

/* It is as it was, and lasts as long as it would have. */
static void rig_resumed(void)
{
    flow = old;
    rig_state(TCP_TIME_WAIT);
    rig_same("RCV.NXT", tcb()->rcv_nxt - flow.irs, 2);
    rig_same("SND.NXT", tcb()->snd_nxt - flow.iss, 2);
    rig_reason("a reset", rig_inject(RST, 2, 0, 0, 0, NULL), REASON_TCP_TIME_WAIT);
    rig_reason("a FIN", rig_inject(FIN | ACK, 1, 2, 0, 0, NULL), REASON_TCP_SEQUENCE);
    rig_expect(ACK, 2, 2, 0);
    since = rig.now; /* a FIN again: another 2 MSL */
    advance(since + 60 * SEC - 1 - rig.now);
    rig_state(TCP_TIME_WAIT);
    advance(1);
    rig_state(TCP_CLOSED);
}

#define resumed() AT(rig_resumed())

/* MAY-2: the SYN was an old duplicate; who never sent it answers our SYN-ACK with a reset. */
static void a_reset_brings_it_back(void **state)
{
    (void)state;
    defaults();
    begin_again();
    assert_int_equal(state_of(old.id), TCP_TIME_WAIT); /* put aside */
    assert_int_equal(inject(RST, 1, 0, 0, 0), REASON_NONE);
    expect_nothing();
    resumed();
    end();
}

/* MAY-2: its time goes on while the new handshake is tried. */
static void its_time_goes_on(void **state)
{
    (void)state;
    for (unsigned late = 0; late < 2; late++) {
        defaults();
        begin_again();
        advance(since + 60 * SEC - 1 - rig.now + late);
        drain();
        inject(RST, 1, 0, 0, 0);
        flow = old;
        expect_state(late ? TCP_CLOSED : TCP_TIME_WAIT);
        advance(1);
        expect_state(TCP_CLOSED);
        assert_int_equal(stack_totals(rig.st)->conns, 0);
        end();
    }
}

/* MAY-2: the SYN was a new one; with its handshake the old connection ends, and not before. */
static void a_handshake_ends_it(void **state)
{
    (void)state;
    defaults();
    begin_again();
    assert_int_equal(stack_totals(rig.st)->conns, 2);
    expect_closed(REASON_END_ORDERLY); /* of the old one, told late */
    assert_int_equal(inject(ACK, 1, 1, FULL_WND, 10), REASON_NONE);
    assert_int_equal(state_of(old.id), TCP_CLOSED);
    assert_int_equal(stack_totals(rig.st)->conns, 1);
    expect_event(EV_ACCEPTED);
    expect_event(EV_READABLE);
    app_read(10);
    app_send(10);
    expect(ACK, 1, 11, 10);
    inject(RST, 11, 0, 0, 0); /* now a reset ends the new one, and nothing is brought back */
    expect_closed(REASON_END_RESET);
    expect_state(TCP_CLOSED);
    end();
}

/* The handshake is complete after the old connection's time has run out. */
static void it_ends_by_itself(void **state)
{
    (void)state;
    defaults();
    begin_again();
    drain();
    advance(60 * SEC);
    drain();
    assert_int_equal(state_of(old.id), TCP_CLOSED);
    expect_state(TCP_SYN_RECEIVED);
    assert_int_equal(inject(ACK, 1, 1, FULL_WND, 0), REASON_NONE);
    expect_event(EV_ACCEPTED);
    end();
}

/* It has no place in the SYN queue, takes none from others, and makes none for them. */
static void it_is_in_no_queue(void **state)
{
    const struct listener *l;
    struct flow anew;

    (void)state;
    defaults();
    rig.cfg.tcp.syn_cookies = false;
    rig.cfg.tcp.syn_queue = 1;
    begin_again();
    l = &rig.st->listener[rig.listener];
    anew = flow;
    for (unsigned i = 0; i < 3; i++) {
        flow.remote_port++;
        assert_int_equal(inject(SYN, 0, 0, FULL_WND, 0), REASON_NONE);
        expect_syn_ack();
        counted(EMBRYO_EVICTED, i);
        assert_int_equal(l->half_open, 1);
    }
    flow = anew;
    expect_state(TCP_SYN_RECEIVED);
    drain();
    inject(ACK, 1, 1, FULL_WND, 0);
    assert_int_equal(l->half_open, 1);
    assert_int_equal(l->complete, 1);
    expect_event(EV_ACCEPTED);
    assert_int_equal(l->complete, 0);
    end();
}

/* Its listener closes: it is back as well. */
static void it_comes_back_without_a_listener(void **state)
{
    (void)state;
    defaults();
    begin_again();
    assert_int_equal(stack_unlisten(rig.st, rig.listener), 0);
    expect(RST | ACK, 1, 1, 0);
    flow = old;
    expect_state(TCP_TIME_WAIT);
    end();
}

/* A SYN queue without room, which others meet with cookies, does not hold it back. */
static void no_queue_holds_it_back(void **state)
{
    (void)state;
    defaults();
    rig.cfg.tcp.syn_queue = 1;
    begin();
    app_listen(8);
    open_passive();
    go(TCP_TIME_WAIT);
    old = flow;
    for (unsigned i = 0; i < 2; i++) {
        flow.remote_port++;
        inject(SYN, 0, 0, FULL_WND, 0);
        expect_syn_ack();
        expect_why(i ? REASON_SEND_SYN_ACK_COOKIE : REASON_SEND_SYN_ACK);
    }
    flow = old;
    flow.irs += 1000;
    inject(SYN, 0, 0, FULL_WND, 0);
    expect_syn_ack();
    expect_why(REASON_SEND_SYN_ACK);
    end();
}

/* Where the table is full, the old one itself makes room, if nobody owns it any more. */
static void in_a_full_table(void **state)
{
    (void)state;
    for (unsigned owned = 0; owned < 2; owned++) {
        defaults();
        rig.cfg.max_conns = 1;
        begin();
        app_listen(8);
        open_passive();
        go(TCP_TIME_WAIT);
        if (!owned)
            drain(); /* told of the end, the application owns it no more */
        flow.irs += 1000;
        if (owned) {
            inject_drop(REASON_TCP_TABLE_FULL, SYN, 0, 0, FULL_WND, 0);
            expect_state(TCP_TIME_WAIT);
            end();
            continue;
        }
        assert_int_equal(inject(SYN, 0, 0, FULL_WND, 0), REASON_NONE);
        expect_syn_ack();
        inject(ACK, 1, 1, FULL_WND, 0);
        expect_event(EV_ACCEPTED);
        assert_int_equal(stack_totals(rig.st)->conns_peak, 1);
        end();
    }
}

/* SHLD-4, MAY-2: with timestamps the new SYN is known by a later one, and it comes back the same.
 */
static void with_timestamps(void **state)
{
    struct tcp_options opt = {.has_mss = true, .mss = MSS, .has_timestamp = true, .ts_val = 100};

    (void)state;
    defaults();
    rig.cfg.tcp.timestamps = true;
    begin();
    app_listen(8);
    AT(rig_inject(SYN, 0, 0, FULL_WND, 0, &opt));
    expect_syn_ack();
    opt.ts_ecr = rig.seg.opt.ts_val;
    AT(rig_inject(ACK, 1, 1, FULL_WND, 0, &opt));
    expect_event(EV_ACCEPTED);
    app_close();
    expect(FIN | ACK, 1, 1, 0);
    AT(rig_inject(FIN | ACK, 1, 2, FULL_WND, 0, &opt));
    expect(ACK, 2, 2, 0);
    expect_state(TCP_TIME_WAIT);
    drain();
    old = flow;
    opt.ts_val = 101;
    AT(rig_inject(SYN, -5000u, 0, FULL_WND, 0, &opt)); /* numbers say nothing then */
    flow.irs -= 5000;
    expect_syn_ack();
    expect_state(TCP_SYN_RECEIVED);
    inject(RST, 1, 0, 0, 0);
    flow = old;
    expect_state(TCP_TIME_WAIT);
    assert_int_equal(tcb()->ts_recent, 100);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reset_brings_it_back),
        cmocka_unit_test(its_time_goes_on),
        cmocka_unit_test(a_handshake_ends_it),
        cmocka_unit_test(it_ends_by_itself),
        cmocka_unit_test(it_is_in_no_queue),
        cmocka_unit_test(it_comes_back_without_a_listener),
        cmocka_unit_test(no_queue_holds_it_back),
        cmocka_unit_test(in_a_full_table),
        cmocka_unit_test(with_timestamps),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
