/* Pacing: what a module that sets pacing_rate gets, what the switch does, and what is marked. */
#include "tcp_kit.h"

/* Segments to send, after a handshake of 100 ms. */
static void begin_with_segments(const struct cc_ops *cc, bool pacing, uint32_t segments)
{
    defaults();
    rig.cfg.tcp.cc = cc;
    rig.cfg.tcp.pacing = pacing;
    begin();
    app_listen(1);
    rig_inject(SYN, 0, 0, FULL_WND, 0, &mss_only);
    rig_expect_syn(SYN | ACK);
    advance(100 * MSEC);
    inject(ACK, 1, 1, FULL_WND, 0);
    rig_event(EV_ACCEPTED);
    app_send(segments * MSS);
}

static void begin_paced(const struct cc_ops *cc, bool pacing)
{
    begin_with_segments(cc, pacing, 20);
}

/* How many full segments leave now, in order from number `first` on. */
static uint32_t leave(uint32_t first)
{
    uint32_t n = 0;

    for (; rig_take_tcp(); n++)
        assert_int_equal(rig.seg.seq - flow.iss, 1 + (first + n) * MSS);
    return n;
}

/*
 * 2.77 times the initial window of ten segments in 100 ms is a segment each 3.61 ms. A quantum is
 * two of them, since that is more than a millisecond; one more may leave at first, as if the timer
 * had been late.
 */
static void a_window_leaves_evenly(void **state)
{
    uint32_t sent, n;
    int ms = 0;

    (void)state;
    begin_paced(&cc_bbr, true);
    sent = leave(0);
    assert_int_equal(sent, 4);
    for (; sent < 10 && ms < 100; ms++) {
        advance(MSEC);
        n = leave(sent);
        assert_true(n <= 3 && (ms >= 6 || n == 0));
        sent += n;
    }
    assert_int_equal(sent, 10);
    assert_in_range(ms, 15, 22); /* 7.2 ms and two, 7.2 ms and two ... */
    advance(20 * MSEC);
    assert_int_equal(leave(sent), 0); /* that was the window */
    end();
}

/* What does not ask for it is not paced, nor is anything with the switch off. */
static void without_pacing_a_window_leaves_at_once(void **state)
{
    (void)state;
    begin_paced(&cc_bbr, false);
    assert_int_equal(leave(0), 10);
    end();
    begin_paced(&cc_cubic, true);
    assert_int_equal(leave(0), 10);
    end();
}

/* An acknowledgment while the next segment waits does not let it out sooner. */
static void an_acknowledgment_does_not_hasten(void **state)
{
    (void)state;
    begin_paced(&cc_bbr, true);
    assert_int_equal(leave(0), 4);
    advance(2 * MSEC);
    inject(ACK, 1, 1 + MSS, FULL_WND, 0);
    assert_int_equal(leave(4), 0);
    advance(6 * MSEC);
    assert_true(leave(4) >= 2);
    end();
}

/* A segment in eight seconds, whatever happens. */
static void slow_init(struct cc *cc, uint32_t mss)
{
    *cc = (struct cc){.cwnd = 10 * mss, .ssthresh = CC_WINDOW_MAX, .pacing_rate = mss / 8};
}

static void slow_heed(struct cc *cc, const struct cc_sample *s)
{
    (void)cc;
    (void)s;
}

static const struct cc_ops slow = {.name = "slow",
                                   .help = "",
                                   .paced = true,
                                   .init = slow_init,
                                   .on_ack = slow_heed,
                                   .on_loss = slow_heed,
                                   .on_recovered = slow_heed,
                                   .on_rto = slow_heed};

/*
 * What has left is 23 s ahead of its pace: silence, which ends a flight after 10 s, does not make
 * that be forgotten. Else three would leave again.
 */
static void silence_does_not_end_a_slow_pace(void **state)
{
    (void)state;
    begin_with_segments(&slow, true, 3);
    assert_int_equal(leave(0), 3);
    inject(ACK, 1, 1 + 3 * MSS, FULL_WND, 0);
    expect_silence(11 * SEC);
    app_send(3 * MSS);
    assert_int_equal(leave(3), 1);
    end();
}

/* As slow until the first acknowledgment, then as fast as anything. */
static void quicken(struct cc *cc, const struct cc_sample *s)
{
    (void)s;
    cc->pacing_rate = 1000 * 1000;
}

/* What went ahead of a slow pace, 24 s here, is no reason to wait when the pace is a quick one. */
static void a_slow_pace_does_not_outlast_itself(void **state)
{
    struct cc_ops quickening = slow;

    (void)state;
    quickening.on_ack = quicken;
    begin_with_segments(&quickening, true, 20);
    assert_int_equal(leave(0), 3);
    advance(50 * MSEC);
    inject(ACK, 1, 1 + MSS, FULL_WND, 0);
    assert_int_equal(leave(3), 0);
    advance(10 * MSEC);
    assert_true(leave(3) >= 3);
    end();
}

/*
 * RFC 6298 5.4, 5.6: what the timer sends leaves at that instant, from which the next wait is
 * counted, and does not queue behind what is paced.
 */
static void a_timeout_does_not_wait_for_its_turn(void **state)
{
    (void)state;
    begin_paced(&slow, true);
    assert_in_range(leave(0), 3, 6);
    expect_silence(300 * MSEC); /* RTO */
    expect(ACK, 1, 1, MSS);
    expect_why(REASON_SEND_RTO);
    expect_silence(600 * MSEC);
    expect(ACK, 1, 1, MSS);
    expect_why(REASON_SEND_RTO);
    end();
}

/* --cwnd: the window begins as is asked for, also for one that stays so; a lost SYN or not. */
static void the_initial_window_may_be_given(void **state)
{
    (void)state;
    for (unsigned lost = 0; lost < 3; lost++) {
        defaults();
        rig.cfg.tcp.cc = &cc_fixed;
        rig.cfg.tcp.initial_window = 3;
        begin();
        app_listen(1);
        rig_inject(SYN, 0, 0, FULL_WND, 0, &mss_only);
        rig_expect_syn(SYN | ACK);
        for (unsigned i = 0; i < lost; i++) {
            advance(SEC << i);
            rig_expect_syn(SYN | ACK);
        }
        inject(ACK, 1, 1, FULL_WND, 0);
        rig_event(EV_ACCEPTED);
        app_send(20 * MSS);
        assert_int_equal(leave(0), 3);
        inject(ACK, 1, 1 + 3 * MSS, FULL_WND, 0);
        assert_int_equal(leave(3), 3); /* it did not grow */
        end();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_window_leaves_evenly),
        cmocka_unit_test(without_pacing_a_window_leaves_at_once),
        cmocka_unit_test(an_acknowledgment_does_not_hasten),
        cmocka_unit_test(silence_does_not_end_a_slow_pace),
        cmocka_unit_test(a_slow_pace_does_not_outlast_itself),
        cmocka_unit_test(a_timeout_does_not_wait_for_its_turn),
        cmocka_unit_test(the_initial_window_may_be_given),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
