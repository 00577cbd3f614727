/*
 * Validation of a window that is not used (RFC 7661), in a connection: the numbers are those of
 * cc_cwv_test.c, here is when they are asked for, and that the switch is one.
 */
#include "flight_kit.h"

enum {
    GROWN = 30, /* segments that have passed when cwnd is 20 */
};

/* Slow start up to 20 segments, all of them acknowledged. */
static void grow(bool validate)
{
    configure();
    rig.cfg.tcp.cwv = validate;
    begin_with(&with_sack);
    app_send(GROWN * MSS);
    expect_segments(0, 10);
    expect_nothing(); /* cwnd is what holds back more */
    for (uint32_t i = 0; i < GROWN; i++) {
        if (i == 0 || i == 10)
            advance(100 * MSEC);
        ack_segments(i + 1);
        if (i >= 10)
            continue;
        expect_segments(10 + 2 * i, 12 + 2 * i);
        expect_nothing();
    }
    assert_int_equal(tcb()->cc.cwnd, 20 * MSS);
}

/* RFC 5681 section 4.1: after a long pause a connection begins with the initial window again. */
static void rfc5681_4_1_a_pause(void **state)
{
    (void)state;
    for (unsigned on = 0; on < 2; on++) {
        uint32_t grown;

        grow(on);
        grown = tcb()->cc.cwnd;
        advance(9 * SEC);
        assert_int_equal(tcb()->cc.cwnd, grown);
        advance(1 * SEC);
        assert_int_equal(tcb()->cc.cwnd, on ? 10 * MSS : grown);
        app_send(20 * MSS);
        expect_segments(GROWN, GROWN + (on ? 10 : 20));
        expect_nothing();
        end();
    }
}

/*
 * Section 4.4.3: a segment every five seconds, which after two periods of pipeACK is all that is
 * known; five minutes later half of the window is given up, and not before.
 */
static void rfc7661_4_4_3_a_trickle(void **state)
{
    (void)state;
    for (unsigned on = 0; on < 2; on++) {
        int64_t began, halved = 0;

        grow(on);
        began = rig.now;
        for (uint32_t i = GROWN; i < GROWN + 70; i++) {
            advance(4900 * MSEC);
            app_send(MSS);
            expect_segments(i, i + 1);
            advance(100 * MSEC);
            ack_segments(i + 1);
            if (!halved && tcb()->cc.cwnd < 20 * MSS)
                halved = rig.now - began;
        }
        assert_int_equal(tcb()->cc.cwnd, (on ? 10 : 20) * MSS);
        assert_true(!on || (halved >= 300 * SEC && halved <= 320 * SEC));
        end();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc5681_4_1_a_pause),
        cmocka_unit_test(rfc7661_4_4_3_a_trickle),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
