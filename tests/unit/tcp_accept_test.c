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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_accept_queue_ignores_syns),
        cmocka_unit_test(a_full_accept_queue_ignores_last_segments),
        cmocka_unit_test(a_full_accept_queue_takes_the_rest),
        cmocka_unit_test(two_limits),
        cmocka_unit_test(places_come_back),
        cmocka_unit_test(a_full_accept_queue_and_cookies),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
