/* A listener's two queues: half-open connections, and complete ones that nobody was told of yet. */
#include "tcp_kit.h"

/* A half-open connection of the next remote port. */
static void half_open(void)
{
    flow.remote_port++;
    assert_int_equal(inject(SYN, 0, 0, FULL_WND, 0), REASON_NONE);
    expect_syn_ack();
}

/* One that is complete and not told of. */
static void untold(void)
{
    half_open();
    assert_int_equal(inject(ACK, 1, 1, FULL_WND, 0), REASON_NONE);
}

static void begin_with(uint32_t syn_queue, uint32_t backlog)
{
    defaults();
    rig.cfg.tcp.syn_queue = syn_queue;
    rig.cfg.tcp.syn_cookies = false;
    begin();
    app_listen(backlog);
}

static void tell_one(void)
{
    struct stack_event e;

    assert_true(stack_event(rig.st, &e));
    assert_int_equal(e.kind, EV_ACCEPTED);
}

/* A full accept queue ignores SYNs, which are not refused, and takes them again when it has room.
 */
static void a_full_accept_queue_ignores_syns(void **state)
{
    (void)state;
    begin_with(8, 2);
    untold();
    untold();
    flow.remote_port++;
    inject_drop(REASON_TCP_ACCEPT_QUEUE, SYN, 0, 0, FULL_WND, 0);
    expect_nothing();
    tell_one();
    assert_int_equal(inject(SYN, 0, 0, FULL_WND, 0), REASON_NONE);
    expect_syn_ack();
    inject(ACK, 1, 1, FULL_WND, 0);
    counted(TCP_ACCEPT_QUEUE, 1);
    end();
}

/*
 * It ignores the last segments of handshakes, with their data; the SYN-ACK comes again, and the
 * answer to that, or the data again, completes the handshake when there is room.
 */
static void a_full_accept_queue_ignores_last_segments(void **state)
{
    struct flow waits[2];

    (void)state;
    begin_with(8, 2);
    half_open();
    waits[0] = flow;
    half_open();
    waits[1] = flow;
    untold();
    untold();
    flow = waits[0];
    inject_drop(REASON_TCP_ACCEPT_QUEUE, ACK, 1, 1, FULL_WND, 0);
    inject_drop(REASON_TCP_ACCEPT_QUEUE, ACK | PSH, 1, 1, FULL_WND, 10);
    inject_drop(REASON_TCP_ACCEPT_QUEUE, ACK | FIN, 11, 1, FULL_WND, 0);
    expect_state(TCP_SYN_RECEIVED);
    expect_nothing();
    expect_silence(SEC);
    expect(SYN | ACK, 0, 1, 0);
    flow = waits[1];
    expect(SYN | ACK, 0, 1, 0);
    tell_one();
    tell_one();
    flow = waits[0];
    assert_int_equal(inject(ACK | PSH, 1, 1, FULL_WND, 10), REASON_NONE);
    expect_event(EV_ACCEPTED);
    expect_event(EV_READABLE);
    app_read(10);
    flow = waits[1];
    assert_int_equal(inject(ACK, 1, 1, FULL_WND, 0), REASON_NONE);
    expect_event(EV_ACCEPTED);
    end();
}

/* What ends a handshake ends it all the same: a reset, and an ACK that is off by one gets one. */
static void a_full_accept_queue_takes_the_rest(void **state)
{
    struct flow embryo;

    (void)state;
    begin_with(8, 1);
    half_open();
    embryo = flow;
    untold();
    flow = embryo;
    inject_drop(REASON_TCP_SYN_RECEIVED_ACK, ACK, 1, 2, FULL_WND, 0);
    expect(RST, 2, 0, 0);
    inject_drop(REASON_TCP_SYN_RECEIVED_ACK, ACK, 1, 0, FULL_WND, 0);
    expect(RST, 0, 0, 0);
    inject_drop(REASON_TCP_SEQUENCE, SYN, 0, 0, FULL_WND, 0); /* the SYN again */
    expect(SYN | ACK, 0, 1, 0);
    expect_state(TCP_SYN_RECEIVED);
    inject(RST, 1, 0, 0, 0);
    expect_state(TCP_CLOSED);
    end();
}

/* The queues are counted apart: neither's use takes room of the other. */
static void two_limits(void **state)
{
    struct flow embryo;

    (void)state;
    begin_with(2, 3);
    untold();
    untold();
    half_open();
    embryo = flow;
    half_open();
    counted(EMBRYO_EVICTED, 0);
    half_open();
    counted(EMBRYO_EVICTED, 1);
    flow = embryo; /* the oldest has gone */
    inject_drop(REASON_TCP_LISTEN_ACK, ACK, 1, 1, FULL_WND, 0);
    expect(RST, 1, 0, 0);
    flow.remote_port += 1;
    expect_state(TCP_SYN_RECEIVED);
    assert_int_equal(rig.st->listener[rig.listener].half_open, 2);
    assert_int_equal(rig.st->listener[rig.listener].complete, 2);
    end();
}

/* However a connection leaves its queue, its place is free again. */
static void places_come_back(void **state)
{
    const struct listener *l;

    (void)state;
    begin_with(2, 2);
    l = &rig.st->listener[rig.listener];
    half_open();
    inject(RST, 1, 0, 0, 0); /* refused by the client */
    assert_int_equal(l->half_open, 0);
    half_open();
    inject(ACK, 1, 1, FULL_WND, 0);
    assert_int_equal(l->half_open, 0);
    assert_int_equal(l->complete, 1);
    inject(RST, 1, 0, 0, 0); /* open, and over before anyone was told: both are told */
    assert_int_equal(l->complete, 1);
    expect_event(EV_ACCEPTED);
    assert_int_equal(l->complete, 0);
    expect_closed(REASON_END_RESET);
    half_open();
    inject(ACK | FIN, 1, 1, FULL_WND, 0);
    expect(ACK, 1, 2, 0);
    assert_int_equal(l->complete, 1);
    expect_event(EV_ACCEPTED);
    assert_int_equal(l->complete, 0);
    expect_event(EV_PEER_CLOSED);
    half_open();
    advance(200 * SEC); /* nobody answers: given up */
    assert_int_equal(l->half_open, 0);
    end();
}

/* With cookies, too, a full accept queue ignores, whatever comes of them, and recovers. */
static void a_full_accept_queue_and_cookies(void **state)
{
    struct flow first;

    (void)state;
    defaults();
    rig.cfg.tcp.syn_queue = 0;
    begin();
    app_listen(1);
    half_open();
    first = flow;
    half_open();
    inject(ACK, 1, 1, FULL_WND, 0);
    flow = first;
    inject_drop(REASON_TCP_ACCEPT_QUEUE, ACK, 1, 1, FULL_WND, 0);
    inject_drop(REASON_TCP_ACCEPT_QUEUE, ACK, 1, 1, FULL_WND, 100);
    inject_drop(REASON_TCP_ACCEPT_QUEUE, ACK, 101, 1, FULL_WND, 100);
    inject_drop(REASON_TCP_ACCEPT_QUEUE, ACK, 1, 7, FULL_WND, 0);
    flow.remote_port += 5;
    inject_drop(REASON_TCP_ACCEPT_QUEUE, SYN, 0, 0, FULL_WND, 0);
    expect_nothing();
    tell_one();
    flow = first;
    assert_int_equal(inject(ACK, 1, 1, FULL_WND, 100), REASON_NONE);
    expect_event(EV_ACCEPTED);
    app_read(100);
    end();
}

/* The answer to the flow's SYN is a cookie. */
static void rig_take_cookie(void)
{
    rig_reason("the SYN's verdict", rig_inject(SYN, 0, 0, FULL_WND, 0, NULL), REASON_NONE);
    rig_expect_syn(SYN | ACK);
    rig_reason("the reason", rig.why, REASON_SEND_SYN_ACK_COOKIE);
}

#define take_cookie() AT(rig_take_cookie())

/* ---- when cookies are sent ---- */

/* When the SYN queue is full, and not before; it keeps those that are in it. */
static void when_the_queue_is_full(void **state)
{
    struct flow first;

    (void)state;
    defaults();
    rig.cfg.tcp.syn_queue = 1;
    begin();
    app_listen(8);
    inject(SYN, 0, 0, FULL_WND, 0);
    expect_syn_ack();
    expect_why(REASON_SEND_SYN_ACK);
    first = flow;
    flow.remote_port++;
    take_cookie();
    assert_int_equal(stack_totals(rig.st)->conns, 1);
    counted(EMBRYO_EVICTED, 0);
    inject(ACK, 1, 1, FULL_WND, 0);
    expect_event(EV_ACCEPTED);
    flow = first;
    inject(ACK, 1, 1, FULL_WND, 0);
    expect_event(EV_ACCEPTED);
    flow.remote_port += 2;
    inject(SYN, 0, 0, FULL_WND, 0); /* room again */
    expect_syn_ack();
    expect_why(REASON_SEND_SYN_ACK);
    end();
}

/*
 * A cookie, and then the SYN again when there was room: two SYN-ACKs with different numbers are on
 * their way. Whichever the client takes, the handshake is completed.
 */
static void either_answer_is_good(void **state)
{
    (void)state;
    for (unsigned second = 0; second < 2; second++) {
        struct flow other;
        uint32_t cookie;

        defaults();
        rig.cfg.tcp.syn_queue = 1;
        begin();
        app_listen(8);
        inject(SYN, 0, 0, FULL_WND, 0);
        expect_syn_ack();
        other = flow;
        flow.remote_port++;
        take_cookie();
        cookie = flow.iss;
        flow.remote_port--;
        flow = other;
        inject(RST, 1, 1, FULL_WND, 0); /* the one in the queue goes */
        flow.remote_port++;
        inject(SYN, 0, 0, FULL_WND, 0);
        expect_syn_ack();
        expect_why(REASON_SEND_SYN_ACK);
        assert_int_not_equal(flow.iss, cookie);
        if (!second)
            flow.iss = cookie;
        assert_int_equal(inject(ACK, 1, 1, FULL_WND, 10), REASON_NONE);
        expect_event(EV_ACCEPTED);
        app_read(10);
        assert_int_equal(tcb()->iss, flow.iss);
        assert_int_equal(stack_totals(rig.st)->conns, 1);
        end();
    }
}

/* A sixteenth of the table is not for SYNs, but for handshakes that are complete. */
static void when_the_table_is_nearly_full(void **state)
{
    (void)state;
    defaults();
    rig.cfg.max_conns = 32;
    begin();
    app_listen(64);
    for (unsigned i = 0; i < 29; i++, flow.remote_port++)
        open_passive();
    inject(SYN, 0, 0, FULL_WND, 0);
    expect_syn_ack();
    expect_why(REASON_SEND_SYN_ACK); /* the thirtieth, half open */
    for (unsigned i = 0; i < 3; i++) {
        flow.remote_port++;
        take_cookie();
        assert_int_equal(inject(ACK, 1, 1, FULL_WND, 0), REASON_NONE);
        expect_event(EV_ACCEPTED);
    }
    counted(EMBRYO_EVICTED, 1); /* what is complete is worth more than what is half open */
    assert_int_equal(stack_totals(rig.st)->conns, 32);
    flow.remote_port++;
    take_cookie();
    inject_drop(REASON_TCP_TABLE_FULL, ACK, 1, 1, FULL_WND, 0); /* ignored: it may come again */
    expect_nothing();
    end();
}

/* Answers wait in a ring of limited size; a SYN that finds it full is dropped, and comes again. */
static void when_the_ring_is_full(void **state)
{
    (void)state;
    defaults();
    rig.cfg.tcp.syn_queue = 0;
    begin();
    app_listen(8);
    for (unsigned i = 0; i < STACK_REPLIES; i++, flow.remote_port++)
        assert_int_equal(inject(SYN, 0, 0, FULL_WND, 0), REASON_NONE);
    inject_drop(REASON_IP_OUT_FULL, SYN, 0, 0, FULL_WND, 0);
    drain();
    take_cookie();
    counted(SEND_SYN_ACK_COOKIE, STACK_REPLIES + 1);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_accept_queue_ignores_syns),
        cmocka_unit_test(a_full_accept_queue_ignores_last_segments),
        cmocka_unit_test(a_full_accept_queue_takes_the_rest),
        cmocka_unit_test(two_limits),
        cmocka_unit_test(places_come_back),
        cmocka_unit_test(a_full_accept_queue_and_cookies),
        cmocka_unit_test(when_the_queue_is_full),
        cmocka_unit_test(either_answer_is_good),
        cmocka_unit_test(when_the_table_is_nearly_full),
        cmocka_unit_test(when_the_ring_is_full),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
