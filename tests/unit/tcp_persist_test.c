/*
 * Sending into small, shrunk and closed windows (RFC 9293 sections 3.8.6, 3.8.6.1, 3.8.6.2.1).
 */
#include "tcp_kit.h"

/* ---- sending into windows ---- */

static void nothing_beyond_the_window(void **state)
{
    (void)state;
    defaults();
    rig.cfg.tcp.conn.nagle = false;
    begin();
    open_passive_with(&mss_only, FULL_WND, 3000);
    app_send(5000);
    expect(ACK, 1, 1, MSS);
    expect(ACK, 1 + MSS, 1, MSS);
    expect_nothing(); /* 80 bytes are left: not worth a segment while data is in flight */
    inject(ACK, 1, 1 + 2 * MSS, 3000, 0);
    expect(ACK, 1 + 2 * MSS, 1, MSS);
    expect(ACK, 1 + 3 * MSS, 1, 5000 - 3 * MSS);
    expect_nothing();
    end();
}

/* MUST-38, 3.8.6.2.1: half of the largest window ever seen is worth sending, less is not. */
static void sender_silly_windows(void **state)
{
    (void)state;
    defaults();
    begin();
    open_passive_with(&mss_only, FULL_WND, 1000);
    app_send(3000);
    expect(ACK, 1, 1, 1000);
    expect_nothing();
    inject(ACK, 1, 1001, 499, 0);
    expect_nothing();
    inject(ACK, 1, 1001, 500, 0);
    expect(ACK, 1001, 1, 500);
    end();
}

/* ... but not for ever: the override is a time-out (3.8.6.2.1, between 0.1 and 1 s or an RTO). */
static void sender_silly_window_override(void **state)
{
    int64_t since;

    (void)state;
    defaults();
    begin();
    open_passive_with(&mss_only, FULL_WND, 1000);
    app_send(3000);
    expect(ACK, 1, 1, 1000);
    advance(100 * MSEC);
    inject(ACK, 1, 1001, 100, 0);
    expect_nothing();
    since = rig.now;
    while (!rig_take_tcp())
        advance(10 * MSEC);
    assert_true(rig.now - since <= SEC);
    assert_int_equal(rig.len, 100);
    expect_why(REASON_SEND_PROBE);
    end();
}

/* MUST-34: a shrunk window is survived: no new data, the old comes again within it (SHLD-15, 16).
 */
static void shrunk_window(void **state)
{
    (void)state;
    defaults();
    begin();
    open_passive_with(&mss_only, FULL_WND, 4 * MSS);
    app_send(10 * MSS);
    for (uint32_t i = 0; i < 4; i++)
        expect(ACK, 1 + i * MSS, 1, MSS);
    expect_nothing();
    inject(ACK, 1, 1 + MSS, MSS, 0); /* the right edge was 1 + 4 MSS, now it is 1 + 2 MSS */
    expect_nothing();
    inject(ACK, 1, 1 + MSS, MSS + 100, 0);
    expect_nothing();
    advance(SEC);
    expect(ACK, 1 + MSS, 1, MSS);
    expect_why(REASON_SEND_RTO);
    expect_nothing();
    inject(ACK, 1, 1 + 4 * MSS, MSS, 0); /* it had taken all; go on */
    expect(ACK, 1 + 4 * MSS, 1, MSS);
    expect_nothing();
    end();
}

/* MUST-35: shrunk to zero with data in flight, it is probed in the ordinary way. */
static void window_shrunk_to_zero(void **state)
{
    (void)state;
    defaults();
    begin();
    open_passive_with(&mss_only, FULL_WND, 2 * MSS);
    app_send(3 * MSS);
    expect(ACK, 1, 1, MSS);
    expect(ACK, 1 + MSS, 1, MSS);
    inject(ACK, 1, 1, 0, 0);
    expect_nothing();
    expect_silence(200 * MSEC);
    expect(ACK, 1, 1, 1);
    expect_why(REASON_SEND_PROBE);
    expect_nothing();
    inject(ACK, 1, 1, 0, 0);
    expect_silence(400 * MSEC);
    expect(ACK, 1, 1, 1);
    inject(ACK, 1, 1, FULL_WND, 0); /* what was sent into the closed window is sent again */
    expect(ACK, 1, 1, MSS);
    expect_why(REASON_SEND_REOPENED);
    expect(ACK, 1 + MSS, 1, MSS);
    expect(ACK, 1 + 2 * MSS, 1, MSS);
    expect_nothing();
    end();
}

/* ---- probing a zero window (3.8.6.1) ---- */

/* Data waits, the window is zero; the RTO is 200 ms. */
static void to_zero_window(void)
{
    defaults();
    begin();
    open_passive();
    app_send(10);
    expect(ACK, 1, 1, 10);
    advance(10 * MSEC);
    inject(ACK, 1, 11, 0, 0);
    app_send(3000);
    expect_nothing();
    assert_int_equal(tcb()->rtt.rto, 200 * MSEC);
}

/* MUST-36, SHLD-29: the first after one RTO; SHLD-30: then twice as long each time, up to the
 * maximum. */
static void probes_back_off(void **state)
{
    int64_t wait = 200 * MSEC;

    (void)state;
    to_zero_window();
    for (unsigned i = 0; i < 12; i++) {
        expect_silence(wait);
        expect(ACK, 11, 1, 1);
        expect_why(REASON_SEND_PROBE);
        expect_nothing();
        inject(ACK, 1, 11, 0, 0);
        expect_nothing();
        wait = time_min(2 * wait, 60 * SEC);
    }
    counted(PERSIST_EXPIRED, 12);
    end();
}

/* MUST-37: hours of probes, each answered: the connection stays. */
static void answered_probes_never_give_up(void **state)
{
    unsigned probes = 0;

    (void)state;
    to_zero_window();
    for (unsigned i = 0; i < 6 * 3600; i++) {
        advance(1 * SEC);
        if (!rig_take_tcp())
            continue;
        assert_int_equal(rig.seg.seq, flow.iss + 11);
        probes++;
        inject(ACK, 1, 11, 0, 0);
    }
    assert_true(probes > 300);
    expect_state(TCP_ESTABLISHED);
    expect_no_event();
    inject(ACK, 1, 11, FULL_WND, 0);
    expect(ACK, 11, 1, 1);
    expect(ACK, 12, 1, MSS);
    expect(ACK, 12 + MSS, 1, MSS);
    end();
}

/* Silence ends it after R2, counted from the first probe: the remote node is gone. */
static void silent_probes_give_up(void **state)
{
    (void)state;
    to_zero_window();
    advance(200 * MSEC);
    expect(ACK, 11, 1, 1);
    for (unsigned i = 1; i < 300; i++) {
        advance(SEC);
        while (rig_take())
            continue;
    }
    expect_event(EV_ERROR); /* R1 */
    advance(SEC - 1);
    expect_no_event();
    advance(1);
    expect_closed(REASON_END_TIMED_OUT);
    end();
}

/* The window opens with the byte of the probe acknowledged, or not. */
static void the_window_opens_after_a_probe(void **state)
{
    (void)state;
    to_zero_window();
    advance(200 * MSEC);
    expect(ACK, 11, 1, 1);
    advance(150 * MSEC);
    inject(ACK, 1, 12, FULL_WND, 0); /* taken */
    counted(RTT_SAMPLE, 2);          /* that was no round trip: SYN-ACK and data were */
    expect(ACK, 12, 1, MSS);
    expect(ACK, 12 + MSS, 1, MSS);
    expect_nothing(); /* the rest, 79 bytes, waits by Nagle's rule */
    end();
    to_zero_window();
    advance(200 * MSEC);
    expect(ACK, 11, 1, 1);
    inject(ACK, 1, 11, FULL_WND, 0); /* not taken */
    expect(ACK, 11, 1, 1);
    expect_why(REASON_SEND_REOPENED);
    expect(ACK, 12, 1, MSS);
    end();
}

/* The window update was lost: the answer to the next probe has it. */
static void a_lost_window_update(void **state)
{
    (void)state;
    to_zero_window();
    advance(200 * MSEC);
    expect(ACK, 11, 1, 1);
    inject(ACK, 1, 11, 0, 0);
    expect_silence(400 * MSEC);
    expect(ACK, 11, 1, 1);
    inject(ACK, 1, 12, FULL_WND, 0);
    expect(ACK, 12, 1, MSS);
    end();
}

/* When what was sent into the reopened window is lost, its timer is an RTO, not a late probe's. */
static void the_back_off_ends_with_the_closed_window(void **state)
{
    (void)state;
    to_zero_window();
    for (int64_t wait = 200 * MSEC; wait < 60 * SEC; wait *= 2) {
        advance(wait);
        expect(ACK, 11, 1, 1);
        inject(ACK, 1, 11, 0, 0);
    }
    advance(SEC);
    inject(ACK, 1, 11, FULL_WND, 0);
    expect(ACK, 11, 1, 1);
    expect(ACK, 12, 1, MSS);
    expect(ACK, 12 + MSS, 1, MSS);
    expect_nothing();
    expect_silence(200 * MSEC);
    expect(ACK, 11, 1, MSS);
    end();
}

/* A FIN alone waits behind a closed window as data does. */
static void a_fin_behind_a_closed_window(void **state)
{
    (void)state;
    defaults();
    begin();
    open_passive_with(&mss_only, FULL_WND, 0);
    app_close();
    expect_nothing();
    advance(1 * SEC);
    expect(FIN | ACK, 1, 1, 0);
    inject(ACK, 1, 2, 0, 0);
    expect_state(TCP_FIN_WAIT_2);
    expect_nothing();
    assert_int_equal(tcb()->timer[TIMER_RTX], TIME_NEVER);
    end();
}

/* SND.WL1 and SND.WL2 (3.10.7.4): an old segment does not bring an old window back. */
static void old_segments_do_not_change_the_window(void **state)
{
    (void)state;
    defaults();
    begin();
    open_passive_with(&mss_only, FULL_WND, 5000);
    inject(ACK, 1, 1, 6000, 100);
    assert_int_equal(tcb()->snd_wnd, 6000);
    inject(ACK, 1, 1, 1000, 150); /* SEG.SEQ under SND.WL1? equal: the newer one counts */
    assert_int_equal(tcb()->snd_wnd, 1000);
    inject(ACK, 151, 1, 7000, 10);
    inject(ACK, 100, 1, 100, 200); /* older by SEG.SEQ, though it brings bytes */
    assert_int_equal(tcb()->snd_wnd, 7000);
    app_send(20);
    expect(ACK, 1, 300, 20);
    inject(ACK, 300, 21, 8000, 0);
    inject(ACK, 300, 11, 100, 0); /* older by SEG.ACK */
    assert_int_equal(tcb()->snd_wnd, 8000);
    end();
}

/* REC-1, MUST-1: windows are unsigned; the largest that RFC 7323 can say is usable. */
static void the_largest_window(void **state)
{
    const struct tcp_options opt = {.has_mss = true,
                                    .mss = MSS,
                                    .has_wscale = true,
                                    .wscale = TCP_WSCALE_MAX};

    (void)state;
    defaults();
    begin();
    open_passive_with(&opt, FULL_WND, FULL_WND);
    assert_int_equal(tcb()->snd_wnd, 65535u << 14);
    app_send(3 * MSS);
    expect(ACK, 1, 1, MSS);
    expect(ACK, 1 + MSS, 1, MSS);
    expect(ACK, 1 + 2 * MSS, 1, MSS);
    end();
}

/* The timer that waited for a larger window is no time-out of what is sent into it. */
static void the_persist_timer_is_no_rto(void **state)
{
    (void)state;
    defaults();
    begin();
    open_passive_with(&mss_only, FULL_WND, 1000);
    app_send(3000);
    expect(ACK, 1, 1, 1000);
    inject(ACK, 1, 1001, 499, 0);
    expect_nothing();
    advance(150 * MSEC);
    inject(ACK, 1, 1001, 500, 0);
    expect(ACK, 1001, 1, 500);
    expect_silence(200 * MSEC);
    expect(ACK, 1001, 1, 500);
    end();
}

/* SHLD-16: what is sent again lies within the window as it is now. */
static void retransmissions_fit_the_shrunk_window(void **state)
{
    (void)state;
    defaults();
    begin();
    open_passive_with(&mss_only, FULL_WND, 2 * MSS);
    app_send(2 * MSS);
    expect(ACK, 1, 1, MSS);
    expect(ACK, 1 + MSS, 1, MSS);
    inject(ACK, 1, 1, 100, 0);
    expect_silence(200 * MSEC);
    expect(ACK, 1, 1, 100);
    expect_nothing();
    end();
}

/*
 * RFC 9293 appendix A.2: both ends probe the other's window with an octet, and both octets are
 * taken. The remote end does not know that, and sends its acknowledgments where it stood before:
 * what they acknowledge counts, and nothing else does.
 */
static void simultaneous_window_probes(void **state)
{
    (void)state;
    defaults();
    begin();
    open_passive_with(&mss_only, FULL_WND, 3000);
    app_send(1000);
    expect(ACK, 1, 1, 1000);
    inject(ACK, 1, 1, 3000, 1); /* its probe */
    inject_drop(REASON_TCP_SEQUENCE, ACK, 1, 401, 2000, 0);
    expect(ACK, 1001, 2, 0);
    assert_int_equal(tcb()->snd_nxt - tcb()->snd_una, 600);
    inject_drop(REASON_TCP_SEQUENCE, ACK, 1, 601, 2000, 1); /* once more */
    expect(ACK, 1001, 2, 0);
    assert_int_equal(tcb()->snd_nxt - tcb()->snd_una, 400);
    assert_int_equal(tcb()->snd_wnd, 2000);
    inject_drop(REASON_TCP_SEQUENCE, ACK, 0, 701, 2000, 0); /* that is too far */
    inject_drop(REASON_TCP_SEQUENCE, ACK, 0, 701, 2000, 2);
    inject_drop(REASON_TCP_SEQUENCE, ACK, 1, 1002, 2000, 0); /* never sent */
    expect(ACK, 1001, 2, 0);
    assert_int_equal(tcb()->snd_nxt - tcb()->snd_una, 400);
    assert_int_equal(tcb()->rcv_nxt - tcb()->irs, 2);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_beyond_the_window),
        cmocka_unit_test(sender_silly_windows),
        cmocka_unit_test(sender_silly_window_override),
        cmocka_unit_test(shrunk_window),
        cmocka_unit_test(window_shrunk_to_zero),
        cmocka_unit_test(probes_back_off),
        cmocka_unit_test(answered_probes_never_give_up),
        cmocka_unit_test(silent_probes_give_up),
        cmocka_unit_test(the_window_opens_after_a_probe),
        cmocka_unit_test(a_lost_window_update),
        cmocka_unit_test(the_back_off_ends_with_the_closed_window),
        cmocka_unit_test(a_fin_behind_a_closed_window),
        cmocka_unit_test(old_segments_do_not_change_the_window),
        cmocka_unit_test(the_largest_window),
        cmocka_unit_test(the_persist_timer_is_no_rto),
        cmocka_unit_test(retransmissions_fit_the_shrunk_window),
        cmocka_unit_test(simultaneous_window_probes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
