/*
 * The SYN itself: how often it is sent and for how long, what its loss means for the data behind
 * it, and its options and window.
 */
#include "tcp_kit.h"

/* ---- retransmission of SYN and SYN-ACK, R2 ---- */

static const int syn_waits[] = {1, 2, 4, 8, 16, 32, 60}; /* s: doubled up to rto_max */

static void syn_schedule(void **state)
{
    (void)state;
    defaults();
    rig.cfg.tcp.conn.soft_errors = false;   /* R1 has tests of its own: tcp_patience_test.c */
    rig.cfg.tcp.conn.r2_syn_ns = 183 * SEC; /* the eighth time-out falls on it */
    begin();
    app_open();
    expect_syn();
    for (unsigned i = 0; i < 7; i++) {
        expect_silence(syn_waits[i] * SEC);
        expect(SYN, 0, 0, 0);
        expect_why(REASON_SEND_SYN_AGAIN);
        expect_nothing();
        expect_no_event();
    }
    advance(60 * SEC - 1);
    expect_no_event();
    expect_state(TCP_SYN_SENT);
    advance(1);
    expect_closed(REASON_END_TIMED_OUT);
    expect_nothing();
    end();
}

/* One nanosecond more, and the same time-out sends once more. */
static void syn_r2_is_not_early(void **state)
{
    (void)state;
    defaults();
    rig.cfg.tcp.conn.soft_errors = false;
    rig.cfg.tcp.conn.r2_syn_ns = 183 * SEC + 1;
    begin();
    app_open();
    expect_syn();
    for (unsigned i = 0; i < 7; i++) {
        advance(syn_waits[i] * SEC);
        expect(SYN, 0, 0, 0);
    }
    expect_silence(60 * SEC);
    expect(SYN, 0, 0, 0);
    expect_no_event();
    end();
}

/* MUST-23: by default a SYN is sent for three minutes, to the nanosecond. */
static void syn_default_r2(void **state)
{
    (void)state;
    defaults();
    rig.cfg.tcp.conn.soft_errors = false;
    assert_true(rig.cfg.tcp.conn.r2_syn_ns >= 180 * SEC);
    begin();
    app_open();
    expect_syn();
    advance(180 * SEC - 1);
    expect_no_event();
    expect_state(TCP_SYN_SENT);
    advance(1);
    expect_closed(REASON_END_TIMED_OUT);
    expect_state(TCP_CLOSED);
    end();
}

static void syn_ack_schedule(void **state)
{
    (void)state;
    defaults();
    begin();
    app_listen(1);
    inject(SYN, 0, 0, FULL_WND, 0);
    expect_syn_ack();
    for (unsigned i = 0; i < 7; i++) {
        expect_silence(syn_waits[i] * SEC);
        expect(SYN | ACK, 0, 1, 0);
        expect_why(REASON_SEND_SYN_ACK_AGAIN);
    }
    advance(60 * SEC);
    expect_nothing();
    expect_no_event();
    expect_state(TCP_CLOSED);
    inject(SYN, 0, 0, FULL_WND, 0); /* the backlog of one is free again */
    expect_syn_ack();
    end();
}

/* RFC 6298 5.7: a SYN that was sent again leaves an RTO of 3 s for the data. */
static void rto_after_a_lost_syn(void **state)
{
    (void)state;
    defaults();
    begin();
    app_open();
    expect_syn();
    advance(1 * SEC);
    expect(SYN, 0, 0, 0);
    inject(SYN | ACK, 0, 1, FULL_WND, 0);
    expect(ACK, 1, 1, 0);
    app_send(10);
    expect(ACK, 1, 1, 10);
    expect_silence(3 * SEC);
    expect(ACK, 1, 1, 10);
    end();
}

/* The same for a SYN-ACK. */
static void rto_after_a_lost_syn_ack(void **state)
{
    (void)state;
    defaults();
    begin();
    app_listen(1);
    inject(SYN, 0, 0, FULL_WND, 0);
    expect_syn_ack();
    advance(1 * SEC);
    expect(SYN | ACK, 0, 1, 0);
    inject(ACK, 1, 1, FULL_WND, 0);
    expect_event(EV_ACCEPTED);
    app_send(10);
    expect(ACK, 1, 1, 10);
    expect_silence(3 * SEC);
    expect(ACK, 1, 1, 10);
    end();
}

/* RFC 5681 3.1 as RFC 6928 relaxes it: one lost SYN is forgiven, two leave one segment. */
static void initial_window_after_lost_syns(void **state)
{
    (void)state;
    for (uint32_t lost = 0; lost < 3; lost++) {
        uint32_t sent = 0;

        defaults();
        begin();
        app_open();
        expect_syn();
        for (uint32_t i = 0; i < lost; i++) {
            advance(syn_waits[i] * SEC);
            expect(SYN, 0, 0, 0);
        }
        inject_opt(SYN | ACK, 0, 1, FULL_WND, .has_mss = true, .mss = MSS);
        app_send(20 * MSS);
        while (rig_take_tcp())
            sent += rig.len;
        assert_int_equal(sent, lost < 2 ? 10 * MSS : MSS);
        end();
    }
}

/* ---- options of the SYN ---- */

/* The size of a full segment towards a remote node with these options. */
static uint32_t full_segment(const struct tcp_options *opt)
{
    uint32_t len;

    begin();
    open_passive_with(opt, FULL_WND, FULL_WND);
    app_send(4000);
    assert_true(rig_take_tcp());
    len = rig.len;
    end();
    return len;
}

/* MUST-14, MUST-15. */
static void mss(void **state)
{
    static const struct {
        bool has;
        uint16_t mss;
        uint32_t segment;
    } cases[] = {
        {false, 0, 536}, /* MUST-15 */
        {true, 536, 536},   {true, 1460, 1460}, {true, 1461, 1460}, {true, 65535, 1460},
        {true, 1459, 1459}, {true, 0, 48},      {true, 1, 48},      {true, 47, 48},
        {true, 48, 48},     {true, 49, 49},     {true, 100, 100},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct tcp_options opt = {.has_mss = cases[i].has, .mss = cases[i].mss};

        defaults();
        rig.line = (int)i;
        assert_int_equal(full_segment(&opt), cases[i].segment);
    }
}

/* MUST-14, MUST-65, MAY-3, MUST-67 and MUST-16: what the MTU leaves is announced and is the most
 * that is sent. */
static void mss_and_mtu(void **state)
{
    static const uint32_t mtus[] = {68, 576, 1280, 1500, 9000, 65535};
    static const uint8_t zeros[100000];

    (void)state;
    for (unsigned i = 0; i < 6; i++) {
        defaults();
        rig.cfg.mtu = mtus[i];
        begin();
        app_open();
        expect_syn();
        assert_true(rig.seg.opt.has_mss);
        assert_int_equal(rig.seg.opt.mss, mtus[i] - 40);
        inject_opt(SYN | ACK, 0, 1, FULL_WND, .has_mss = true, .mss = 65535);
        expect(ACK, 1, 1, 0);
        assert_int_equal(stack_send(rig.st, flow.id, (struct slice){NULL, zeros, sizeof(zeros)}),
                         0);
        assert_true(rig_take_tcp());
        assert_int_equal(rig.ip.total_len, mtus[i]);
        assert_false(rig.seg.opt.has_mss); /* MUST-65 */
        end();
    }
    defaults();
    rig.cfg.tcp.mss = 1000; /* the operator wants less */
    assert_int_equal(full_segment(&mss_only), 1000);
}

static void window_scale(void **state)
{
    static const struct {
        bool has;
        uint8_t shift;
        uint32_t wnd;
    } cases[] = {
        {false, 0, 100},
        {true, 0, 100},
        {true, 1, 200},
        {true, 14, 100 << 14},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct tcp_options opt = {.has_wscale = cases[i].has, .wscale = cases[i].shift};

        defaults();
        begin();
        app_listen(1);
        rig_inject(SYN, 0, 0, 100, 0, &opt);
        expect_syn_ack();
        if (!cases[i].has) /* only what was offered is answered */
            assert_false(rig.seg.opt.has_wscale);
        inject(ACK, 1, 1, 100, 0);
        assert_int_equal(tcb()->snd_wnd, cases[i].wnd);
        end();
    }
}

/* RFC 7323 2.3: shifts above 14 count as 14. Such options are made by hand. */
static void window_scale_beyond_14(void **state)
{
    (void)state;
    for (unsigned shift = 15; shift < 256; shift += 48) {
        uint8_t b[44] = {0x45, 0, 0, 44, 0, 0, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 7, 10, 0, 1, 5};
        struct ip_hdr ip = {.src = REMOTE_ADDR, .dst = LOCAL_ADDR};

        defaults();
        begin();
        app_listen(1);
        put16(b + 20, REMOTE_PORT);
        put16(b + 22, LOCAL_PORT);
        put32(b + 24, REMOTE_ISS);
        b[32] = 6 << 4;
        b[33] = SYN;
        put16(b + 34, 100);
        b[40] = TCP_OPT_NOP;
        b[41] = TCP_OPT_WSCALE;
        b[42] = 3;
        b[43] = (uint8_t)shift;
        put16(b + 36,
              checksum_finish(
                  checksum_add(ip_pseudo_sum(&ip.src, &ip.dst, IP_PROTO_TCP, 24), b + 20, 24)));
        put16(b + 10, checksum_finish(checksum_add(0, b, 20)));
        assert_int_equal(rig_input(b, 44), REASON_NONE);
        expect_syn_ack();
        assert_true(rig.seg.opt.has_wscale);
        inject(ACK, 1, 1, 100, 0);
        assert_int_equal(tcb()->snd_wnd, 100 << 14);
        end();
    }
}

static void window_scale_switched_off(void **state)
{
    (void)state;
    defaults();
    rig.cfg.tcp.wscale = false;
    begin();
    app_listen(1);
    inject_opt(SYN, 0, 0, 100, .has_wscale = true, .wscale = 7);
    expect_syn_ack();
    assert_false(rig.seg.opt.has_wscale);
    inject(ACK, 1, 1, 100, 0);
    assert_int_equal(tcb()->snd_wnd, 100);
    flow.remote_port++;
    flow.local_port = 5000;
    app_open();
    expect_syn();
    assert_false(rig.seg.opt.has_wscale);
    end();
}

/* RFC 7323 2.2: the window field of a SYN is never scaled, in either direction. */
static void windows_in_syns_are_unscaled(void **state)
{
    (void)state;
    defaults();
    rig.cfg.tcp.rcv_buf = 1 << 20;
    begin();
    app_open();
    expect_syn();
    expect_wnd(65535);
    assert_int_equal(rig.seg.opt.wscale, 5); /* 1 MiB in 16 bits */
    inject_opt(SYN | ACK, 0, 1, 1000, .has_wscale = true, .wscale = 7);
    assert_int_equal(tcb()->snd_wnd, 1000);
    expect(ACK, 1, 1, 0);
    expect_wnd((1 << 20) >> 5);
    inject(ACK, 1, 1, 1000, 0);
    assert_int_equal(tcb()->snd_wnd, 1000 << 7);
    end();
}

/* In a simultaneous open the window of the remote SYN-ACK is unscaled as well. */
static void scale_of_a_simultaneous_open(void **state)
{
    (void)state;
    defaults();
    begin();
    app_open();
    expect_syn();
    inject_opt(SYN, 0, 0, 1000, .has_wscale = true, .wscale = 7);
    expect(SYN | ACK, 0, 1, 0);
    assert_true(rig.seg.opt.has_wscale);
    inject_opt(SYN | ACK, 0, 1, 1000, .has_wscale = true, .wscale = 7);
    assert_int_equal(tcb()->snd_wnd, 1000);
    inject(ACK, 1, 1, 1000, 0);
    assert_int_equal(tcb()->snd_wnd, 1000 << 7);
    end();
}

/* A window of zero in the SYN, then a large one: nothing before, everything after. */
static void zero_window_in_the_syn(void **state)
{
    (void)state;
    defaults();
    begin();
    app_open();
    app_send(10);
    expect_syn();
    inject(SYN | ACK, 0, 1, 0, 0);
    expect(ACK, 1, 1, 0);
    expect_nothing();
    inject(ACK, 1, 1, FULL_WND, 0);
    expect(ACK, 1, 1, 10);
    end();
    defaults();
    begin();
    open_passive_with(&mss_only, 0, 1000);
    app_send(10);
    expect(ACK, 1, 1, 10);
    end();
}

/* ... and neither in the SYN-ACK, though the scale is agreed upon by then. */
static void the_window_of_a_syn_ack(void **state)
{
    (void)state;
    defaults();
    rig.cfg.tcp.rcv_buf = 1 << 20;
    begin();
    app_listen(1);
    inject_opt(SYN, 0, 0, 1000, .has_wscale = true, .wscale = 7);
    expect_syn_ack();
    expect_wnd(65535);
    assert_int_equal(rig.seg.opt.wscale, 5);
    inject(ACK, 1, 1, 1000, 10);
    advance(40 * MSEC);
    expect(ACK, 1, 11, 0);
    expect_wnd((1 << 20) >> 5);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(syn_schedule),
        cmocka_unit_test(syn_r2_is_not_early),
        cmocka_unit_test(syn_default_r2),
        cmocka_unit_test(syn_ack_schedule),
        cmocka_unit_test(rto_after_a_lost_syn),
        cmocka_unit_test(rto_after_a_lost_syn_ack),
        cmocka_unit_test(initial_window_after_lost_syns),
        cmocka_unit_test(mss),
        cmocka_unit_test(mss_and_mtu),
        cmocka_unit_test(window_scale),
        cmocka_unit_test(window_scale_beyond_14),
        cmocka_unit_test(window_scale_switched_off),
        cmocka_unit_test(windows_in_syns_are_unscaled),
        cmocka_unit_test(scale_of_a_simultaneous_open),
        cmocka_unit_test(zero_window_in_the_syn),
        cmocka_unit_test(the_window_of_a_syn_ack),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
