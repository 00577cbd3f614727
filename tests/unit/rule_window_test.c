/*
 * Windows, ours and the remote end's, over a long time: what may stay closed, what may stay
 * unacknowledged, and how large segments become of small sends (RFC 9293 sections 3.8.6 and
 * 3.9.1.2).
 */
#include "tcp_kit.h"

/* ---- the remote window ---- */

/*
 * SHLD-17, SHLD-15: the window shrank while much was in flight. What lies beyond its edge stays
 * unacknowledged for hours, nothing new joins it, and the connection lives on.
 */
static void what_lies_beyond_a_shrunk_window_is_no_timeout(void **state)
{
    int64_t began;
    uint32_t una = 1;

    (void)state;
    defaults();
    begin();
    open_passive_with(&mss_only, FULL_WND, 4 * MSS);
    app_send(10 * MSS);
    for (uint32_t i = 0; i < 4; i++)
        expect(ACK, 1 + i * MSS, 1, MSS);
    inject(ACK, 1, una, 10, 0);
    for (began = rig.now; rig.now - began < 3 * 3600 * SEC;) {
        advance(SEC);
        if (!rig_take_tcp())
            continue;
        rig_same("seq", rig.seg.seq - flow.iss, una);
        assert_true(rig.len <= 10);
        if (una < 11)
            una += rig.len;
        inject(ACK, 1, una, una < 11 ? 10 : 0, 0); /* ten bytes are taken, then none */
    }
    expect_state(TCP_ESTABLISHED);
    expect_no_event();
    assert_int_equal(tcb()->snd_nxt - flow.iss, 1 + 4 * MSS);
    inject(ACK, 1, una, FULL_WND, 0);
    expect(ACK, una, 1, MSS);
    end();
}

/* MUST-36, MUST-37: a user timeout of ten seconds is for silence: answered probes go on for hours.
 */
static void a_closed_window_and_a_user_timeout(void **state)
{
    (void)state;
    for (unsigned answered = 0; answered < 2; answered++) {
        int64_t began;

        defaults();
        rig.cfg.tcp.conn.r2_ns = 10 * SEC;
        rig.cfg.tcp.conn.soft_errors = false;
        begin();
        open_passive_with(&mss_only, FULL_WND, 0);
        app_send(100);
        for (began = rig.now; tcb() && rig.now - began < 2 * 3600 * SEC;) {
            advance(100 * MSEC);
            if (rig_take_tcp() && answered)
                inject(ACK, 1, 1, 0, 0);
        }
        if (answered) {
            expect_state(TCP_ESTABLISHED);
            expect_no_event();
        } else {
            assert_true(rig.now - began >= 10 * SEC && rig.now - began < 12 * SEC);
            expect_closed(REASON_END_TIMED_OUT);
        }
        end();
    }
}

/* In FIN-WAIT-1 and LAST-ACK, too: data and FIN wait behind a closed window, as long as it takes.
 */
static void a_closed_window_in_closing_states(void **state)
{
    (void)state;
    for (unsigned passive = 0; passive < 2; passive++) {
        uint32_t rcv = passive ? 2 : 1;

        defaults();
        begin();
        open_passive_with(&mss_only, FULL_WND, 0);
        if (passive) {
            inject(FIN | ACK, 1, 1, 0, 0);
            expect(ACK, 1, 2, 0);
            expect_event(EV_PEER_CLOSED);
        }
        app_send(100);
        app_close();
        expect_nothing();
        for (unsigned i = 0; i < 600; i++) {
            advance(SEC);
            if (rig_take_tcp())
                inject(ACK, rcv, 1, 0, 0);
        }
        expect_state(passive ? TCP_LAST_ACK : TCP_FIN_WAIT_1);
        inject(ACK, rcv, 1, FULL_WND, 0);
        while (rig_take_tcp() && !(rig.seg.flags & FIN))
            continue;
        assert_true(rig.seg.flags & FIN);
        inject(ACK, rcv, 102, FULL_WND, 0);
        expect_state(passive ? TCP_CLOSED : TCP_FIN_WAIT_2);
        end();
    }
}

/*
 * MUST-36: what flew when the window was closed is unacknowledged, and each answer to a probe says
 * so again; that is no loss, however often, neither to recovery nor to congestion control.
 */
static void answers_to_probes_are_no_duplicates(void **state)
{
    uint32_t cwnd;

    (void)state;
    defaults();
    begin();
    open_passive_with(&mss_only, FULL_WND, 4 * MSS);
    app_send(4 * MSS);
    for (uint32_t i = 0; i < 4; i++)
        expect(ACK, 1 + i * MSS, 1, MSS);
    inject(ACK, 1, 1, 0, 0);
    cwnd = tcb()->cc.cwnd;
    for (unsigned probes = 0; probes < 6;) {
        advance(SEC);
        if (!rig_take_tcp())
            continue;
        expect_why(REASON_SEND_PROBE);
        inject(ACK, 1, 1, 0, 0);
        expect_nothing();
        probes++;
    }
    assert_int_equal(tcb()->cc.cwnd, cwnd);
    inject(ACK, 1, 1, FULL_WND, 0);
    expect(ACK, 1, 1, MSS);
    expect_why(REASON_SEND_REOPENED);
    end();
}

/* MUST-1, REC-1: a window above 2^31 - 1 would be negative in 32 bits with a sign; 65535 is not so
 * in 16. */
static void large_windows_are_not_negative(void **state)
{
    static const uint16_t fields[] = {0x7fff, 0x8000, 0xffff};

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        defaults();
        begin();
        open_passive_with(&mss_only, fields[i], fields[i]);
        assert_int_equal(tcb()->snd_wnd, fields[i]);
        app_send(10 * MSS);
        for (uint32_t n = 0; n < 10; n++)
            expect(ACK, 1 + n * MSS, 1, MSS);
        end();
    }
}

/* REC-1: with a scale, windows have more than 16 bits in both directions, at every acknowledgment.
 */
static void windows_beyond_16_bits(void **state)
{
    const struct tcp_options opt = {.has_mss = true, .mss = MSS, .has_wscale = true, .wscale = 4};
    uint32_t scale, n;

    (void)state;
    defaults();
    begin();
    open_passive_with(&opt, FULL_WND, FULL_WND);
    scale = tcb()->rcv_wscale;
    assert_true(rig.cfg.tcp.rcv_buf > 200000 && scale > 0);
    app_send(1);
    expect(ACK, 1, 1, 1);
    inject(ACK, 1, 2, FULL_WND, 0);
    assert_int_equal(tcb()->snd_wnd, FULL_WND << 4);
    inject(ACK, 1, 2, 0x1234, 0);
    assert_int_equal(tcb()->snd_wnd, 0x12340);
    for (n = 0; n < 150; n++) /* none of it is read */
        assert_int_equal(inject(ACK, 1 + n * 1000, 2, FULL_WND, 1000), REASON_NONE);
    advance(SEC);
    expect(ACK, 2, 1 + n * 1000, 0);
    assert_true((uint32_t)rig.seg.wnd << scale > FULL_WND);
    app_read(n * 1000);
    end();
}

/* ---- our window ---- */

/* MAY-8: nobody reads for a day; each probe is answered, none is taken, nothing ends. */
static void our_window_stays_closed(void **state)
{
    (void)state;
    defaults();
    rig.cfg.tcp.rcv_buf = 4000;
    begin();
    open_passive();
    for (uint32_t n = 0; n < 4000; n += 1000)
        inject(ACK, 1 + n, 1, FULL_WND, 1000);
    drain();
    for (unsigned i = 0; i < 24 * 60; i++) {
        advance(60 * SEC);
        expect_nothing();
        inject(ACK, 4001, 1, FULL_WND, 1);
        expect(ACK, 1, 4001, 0);
        expect_wnd(0);
    }
    expect_state(TCP_ESTABLISHED);
    app_read(4000);
    expect(ACK, 1, 4001, 0);
    expect_wnd(4000);
    end();
}

/* MUST-39: also of a buffer smaller than a segment, only half of it is worth telling. */
static void small_buffers_open_by_halves(void **state)
{
    (void)state;
    for (uint32_t buffer = 100; buffer <= 1000; buffer += 100) {
        defaults();
        rig.cfg.tcp.rcv_buf = buffer;
        begin();
        open_passive();
        inject(ACK, 1, 1, FULL_WND, buffer);
        advance(SEC);
        expect(ACK, 1, 1 + buffer, 0);
        expect_wnd(0);
        app_read(buffer / 2 - 1);
        expect_nothing();
        inject(ACK, 1 + buffer, 1, FULL_WND, 1); /* a probe learns nothing of it, either */
        expect(ACK, 1, 1 + buffer, 0);
        expect_wnd(0);
        app_read(1);
        expect(ACK, 1, 1 + buffer, 0);
        expect_wnd(buffer / 2);
        end();
    }
}

/* ---- how large segments become ---- */

/* SHLD-27, MUST-61: many small sends that had to wait are one segment, with one PSH at its end. */
static void small_sends_are_joined(void **state)
{
    (void)state;
    defaults();
    begin();
    open_passive();
    app_send(1);
    expect(ACK, 1, 1, 1);
    for (unsigned i = 0; i < 200; i++)
        app_send(10);
    expect(ACK, 2, 1, MSS); /* 1460 of 2000 */
    assert_false(rig.seg.flags & PSH);
    expect_nothing();
    inject(ACK, 1, 2, FULL_WND, 0);
    expect_nothing();
    inject(ACK, 1, 2 + MSS, FULL_WND, 0);
    expect(ACK, 2 + MSS, 1, 2000 - MSS);
    assert_true(rig.seg.flags & PSH);
    expect_nothing();
    end();
}

/* MUST-60: what waits by Nagle's rule leaves with the answer, and a lost answer is made up for. */
static void nothing_is_held_for_ever(void **state)
{
    (void)state;
    defaults();
    begin();
    open_passive();
    app_send(10);
    expect(ACK, 1, 1, 10);
    app_send(10); /* waits */
    expect_nothing();
    expect_silence(200 * MSEC); /* the acknowledgment is lost */
    expect(ACK, 1, 1, rig.len);
    inject(ACK, 1, 11, FULL_WND, 0);
    expect(ACK, 11, 1, 10);
    end();
    for (unsigned nagle = 0; nagle < 2; nagle++) { /* an idle connection holds nothing back */
        defaults();
        rig.cfg.tcp.conn.nagle = nagle;
        begin();
        open_passive();
        app_send(1);
        expect(ACK, 1, 1, 1);
        end();
    }
}

/* SHLD-28: nothing but full segments, as long as there is enough for one. */
static void full_segments_first(void **state)
{
    (void)state;
    defaults();
    rig.cfg.tcp.conn.nagle = false;
    begin();
    open_passive();
    for (unsigned i = 0; i < 10; i++)
        app_send(MSS - 1);
    for (uint32_t i = 0; i < 9; i++)
        expect(ACK, 1 + i * MSS, 1, MSS);
    expect(ACK, 1 + 9 * MSS, 1, MSS - 10);
    expect_nothing();
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_lies_beyond_a_shrunk_window_is_no_timeout),
        cmocka_unit_test(a_closed_window_and_a_user_timeout),
        cmocka_unit_test(a_closed_window_in_closing_states),
        cmocka_unit_test(answers_to_probes_are_no_duplicates),
        cmocka_unit_test(large_windows_are_not_negative),
        cmocka_unit_test(windows_beyond_16_bits),
        cmocka_unit_test(our_window_stays_closed),
        cmocka_unit_test(small_buffers_open_by_halves),
        cmocka_unit_test(small_sends_are_joined),
        cmocka_unit_test(nothing_is_held_for_ever),
        cmocka_unit_test(full_segments_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
