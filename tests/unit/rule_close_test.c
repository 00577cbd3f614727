/*
 * Closing: every way into TIME-WAIT, what it is deaf to, and what a FIN means in each state that
 * waits for one (RFC 9293 sections 3.6 and 3.6.1).
 */
#include "tcp_kit.h"

enum way {
    FROM_FIN_WAIT_1, /* their FIN and the acknowledgment of ours come in one segment */
    FROM_FIN_WAIT_2, /* ... one after the other */
    FROM_CLOSING,    /* ... the other way round */
    WAYS,
};

static void to_time_wait(enum way way)
{
    defaults();
    begin();
    open_passive();
    app_close();
    expect(FIN | ACK, 1, 1, 0);
    switch (way) {
    case FROM_FIN_WAIT_1:
        inject(FIN | ACK, 1, 2, FULL_WND, 0);
        break;
    case FROM_FIN_WAIT_2:
        inject(ACK, 1, 2, FULL_WND, 0);
        expect_state(TCP_FIN_WAIT_2);
        inject(FIN | ACK, 1, 2, FULL_WND, 0);
        break;
    case FROM_CLOSING:
    case WAYS:
        inject(FIN | ACK, 1, 1, FULL_WND, 0);
        expect(ACK, 2, 2, 0);
        expect_state(TCP_CLOSING);
        inject(ACK, 2, 2, FULL_WND, 0);
        break;
    }
    if (way != FROM_CLOSING)
        expect(ACK, 2, 2, 0);
    expect_nothing();
    expect_state(TCP_TIME_WAIT);
    expect_event(EV_PEER_CLOSED);
    expect_closed(REASON_END_ORDERLY);
    expect_no_event();
}

/* MUST-13: 2 MSL to the nanosecond, whichever way led there. */
static void every_way_into_time_wait(void **state)
{
    (void)state;
    for (enum way way = 0; way < WAYS; way++) {
        to_time_wait(way);
        advance(2 * rig.cfg.tcp.msl_ns - 1);
        expect_nothing();
        expect_state(TCP_TIME_WAIT);
        advance(1);
        expect_nothing();
        expect_state(TCP_CLOSED);
        assert_int_equal(stack_totals(rig.st)->conns, 0);
        end();
    }
}

/* RFC 1337: no reset, old data or old SYN ends the wait or makes it longer. */
static void time_wait_is_deaf(void **state)
{
    (void)state;
    for (enum way way = 0; way < WAYS; way++) {
        to_time_wait(way);
        for (unsigned i = 1; i <= 10; i++) {
            advance(SEC);
            inject_drop(REASON_TCP_TIME_WAIT, RST, 2, 0, 0, 0);
            inject_drop(REASON_TCP_TIME_WAIT, RST | ACK, 2, 2, 0, 0);
            inject_drop(REASON_TCP_TIME_WAIT, RST, 100, 0, 0, 0);
            inject_drop(REASON_TCP_SEQUENCE, RST, 1, 0, 0, 0);
            expect_nothing();
            inject(SYN, 0, 0, FULL_WND, 0);
            expect(ACK, 2, 2, 0);
            inject(ACK, 1, 2, FULL_WND, 1);
            expect(ACK, 2, 2, 0);
        }
        expect_state(TCP_TIME_WAIT);
        advance(2 * rig.cfg.tcp.msl_ns - 10 * SEC - 1);
        expect_state(TCP_TIME_WAIT);
        advance(1);
        expect_state(TCP_CLOSED);
        end();
    }
}

/* MUST-13: our last ACK was lost: their FIN again is answered, and the wait begins anew. */
static void a_fin_again_restarts_every_time_wait(void **state)
{
    (void)state;
    for (enum way way = 0; way < WAYS; way++) {
        to_time_wait(way);
        advance(2 * rig.cfg.tcp.msl_ns - 1);
        inject(FIN | ACK, 1, 2, FULL_WND, 0);
        expect(ACK, 2, 2, 0);
        expect_nothing();
        advance(2 * rig.cfg.tcp.msl_ns - 1);
        expect_state(TCP_TIME_WAIT);
        advance(1);
        expect_state(TCP_CLOSED);
        end();
    }
}

/* MUST-12: the end of the stream is told once and read as such; a reset is neither. */
static void an_end_and_an_abort_are_told_apart(void **state)
{
    (void)state;
    defaults();
    begin();
    open_passive();
    inject(FIN | ACK, 1, 1, FULL_WND, 10);
    expect_event(EV_READABLE);
    expect_event(EV_PEER_CLOSED);
    expect_no_event();
    app_read(10);
    app_read_says(0);
    end();
    defaults();
    begin();
    open_passive();
    inject(ACK, 1, 1, FULL_WND, 10);
    inject(RST, 11, 0, 0, 0);
    app_read_says(-ECONNRESET); /* what was unread is gone: the stream may be incomplete */
    expect_event(EV_READABLE);
    expect_closed(REASON_END_RESET);
    end();
    defaults();
    begin();
    open_passive();
    go(TCP_LAST_ACK);
    inject(RST, 2, 0, 0, 0); /* also when both FINs are on their way */
    expect_closed(REASON_END_RESET);
    end();
}

/* Nobody reads any more, and nobody closes: FIN-WAIT-2 does not last for ever. With a reader it
 * may. */
static void fin_wait_2_with_and_without_a_reader(void **state)
{
    (void)state;
    for (unsigned reader = 0; reader < 2; reader++) {
        defaults();
        begin();
        open_passive();
        if (reader)
            app_close();
        else
            app_release();
        expect(FIN | ACK, 1, 1, 0);
        inject(ACK, 1, 2, FULL_WND, 0);
        advance(rig.cfg.tcp.fin_wait_2_ns - 1);
        expect_state(TCP_FIN_WAIT_2);
        advance(1);
        expect_state(reader ? TCP_FIN_WAIT_2 : TCP_CLOSED);
        expect_nothing();
        if (reader) {
            advance(24 * 3600 * SEC);
            expect_state(TCP_FIN_WAIT_2);
        } else {
            inject_drop(REASON_TCP_LISTEN_ACK, FIN | ACK, 1, 2, FULL_WND, 0);
            expect(RST, 2, 0, 0);
        }
        end();
    }
}

/* SHLD-3: what arrives for an application that has released is answered by a reset, once. */
static void data_for_nobody(void **state)
{
    static const enum tcp_state states[] = {TCP_FIN_WAIT_1, TCP_FIN_WAIT_2};

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        defaults();
        begin();
        open_passive();
        app_release();
        expect(FIN | ACK, 1, 1, 0);
        if (states[i] == TCP_FIN_WAIT_2)
            inject(ACK, 1, 2, FULL_WND, 0);
        expect_state(states[i]);
        inject_drop(REASON_TCP_DATA_AFTER_CLOSE, ACK, 1, i + 1, FULL_WND, 10);
        expect(RST | ACK, 2, 1, 0);
        expect_state(TCP_CLOSED);
        inject(ACK, 11, 2, FULL_WND, 10); /* what was on its way meets no connection */
        expect(RST, 2, 0, 0);
        expect_nothing();
        end();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_way_into_time_wait),
        cmocka_unit_test(time_wait_is_deaf),
        cmocka_unit_test(a_fin_again_restarts_every_time_wait),
        cmocka_unit_test(an_end_and_an_abort_are_told_apart),
        cmocka_unit_test(fin_wait_2_with_and_without_a_reader),
        cmocka_unit_test(data_for_nobody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
