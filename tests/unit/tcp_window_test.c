/*
 * The receive window (RFC 9293 sections 3.4, 3.8.6.2.2 and 3.10.7.4): what is acceptable, and what
 * is offered. tcp_persist_test.c is about the other side's window.
 */
#include "tcp_kit.h"

enum {
    RCV = 4000, /* bytes of receive buffer where edges are tested: no scaling, all of it offered */
};

static void begin_small(void)
{
    defaults();
    rig.cfg.tcp.rcv_buf = RCV;
    begin();
    open_passive();
}

/* ---- the acceptance test, 3.10.7.4: rcv_nxt is 1, the right edge 1 + RCV ---- */

enum verdict {
    TAKEN,      /* it does its work */
    ANSWERED,   /* dropped, with an ACK */
    CHALLENGED, /* dropped, with a challenge ACK */
    SILENT,     /* dropped, nothing is said */
};

struct edge {
    uint8_t flags;
    uint32_t seq, len;
    enum verdict verdict;
};

static void check_edge(const struct edge *e)
{
    enum reason why = rig_inject(e->flags, e->seq, 1, FULL_WND, e->len, NULL);
    bool answered;

    rig_same("taken", why == REASON_NONE, e->verdict == TAKEN);
    if (e->verdict == TAKEN)
        return;
    answered = rig_take_tcp();
    rig_same("answered", answered, e->verdict != SILENT);
    if (!answered)
        return;
    rig_same("flags", rig.seg.flags, ACK);
    rig_same("ack", rig.seg.ack - flow.irs, 1);
    rig_same("payload", rig.len, 0);
    if (e->verdict == CHALLENGED)
        rig_reason("reason", rig.why, REASON_SEND_ACK_CHALLENGE);
    rig_expect_nothing();
}

static void check_edges(const struct edge *e, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        begin_small();
        rig.line = (int)i;
        check_edge(&e[i]);
        end();
    }
}

#define EDGES(table) check_edges(table, sizeof(table) / sizeof((table)[0]))

static const uint32_t before = 0, at = 1, last = RCV, beyond = RCV + 1;

static void edges_of_pure_acks(void **state)
{
    const struct edge table[] = {
        {ACK, before, 0, CHALLENGED},
        {ACK, at, 0, TAKEN},
        {ACK, last, 0, TAKEN},
        {ACK, beyond, 0, CHALLENGED},
        {ACK, (uint32_t)-1000, 0, CHALLENGED},
        {ACK, 0x80000000, 0, CHALLENGED},
    };

    (void)state;
    EDGES(table);
}

static void edges_of_data(void **state)
{
    const struct edge table[] = {
        {ACK, before, 1, ANSWERED},
        {ACK, before, 2, TAKEN}, /* its second byte is new */
        {ACK, at, 1, TAKEN},
        {ACK, last, 1, TAKEN},
        {ACK, last, 2, TAKEN}, /* its second byte is cut off */
        {ACK, beyond, 1, ANSWERED},
        {ACK, (uint32_t)-9, 10, ANSWERED}, /* ends where the window begins */
        {ACK, (uint32_t)-9, 11, TAKEN},
        {ACK, 0x80000000, 1, ANSWERED},
    };

    (void)state;
    EDGES(table);
}

static void edges_of_fin(void **state)
{
    const struct edge table[] = {
        {FIN | ACK, before, 0, ANSWERED},
        {FIN | ACK, at, 0, TAKEN},
        {FIN | ACK, last, 0, TAKEN},
        {FIN | ACK, beyond, 0, ANSWERED},
    };

    (void)state;
    EDGES(table);
}

static void edges_of_syn(void **state)
{
    const struct edge table[] = {
        {SYN | ACK, before, 0, CHALLENGED}, {SYN | ACK, at, 0, CHALLENGED},
        {SYN | ACK, last, 0, CHALLENGED},   {SYN | ACK, beyond, 0, CHALLENGED},
        {SYN, before, 0, CHALLENGED},       {SYN, at, 0, CHALLENGED},
        {SYN, beyond, 0, CHALLENGED},       {SYN, at, 10, CHALLENGED},
    };

    (void)state;
    EDGES(table);
}

/* SHLD-2, U-5, U-6: RFC 5961 3.2; a reset outside the window is never answered. The exact one ends
 * it. */
static void edges_of_rst(void **state)
{
    const struct edge table[] = {
        {RST, before, 0, SILENT},
        {RST, at, 0, TAKEN},
        {RST, at + 1, 0, CHALLENGED},
        {RST, last, 0, CHALLENGED},
        {RST, beyond, 0, SILENT},
        {RST | ACK, before, 0, SILENT},
        {RST | ACK, at + 1, 0, CHALLENGED},
        {RST, 0x80000000, 0, SILENT},
        {RST, at, 10, TAKEN}, /* SHLD-2: a reset may carry data */
    };

    (void)state;
    EDGES(table);
}

/* A segment that begins before the window and ends behind it is cut on both sides. */
static void a_segment_larger_than_the_window(void **state)
{
    (void)state;
    defaults();
    rig.cfg.tcp.rcv_buf = 100;
    begin();
    open_passive();
    inject(ACK, (uint32_t)-9, 1, FULL_WND, 10 + 100 + 20);
    advance(40 * MSEC);
    expect(ACK, 1, 101, 0);
    expect_wnd(0);
    app_read(100);
    app_read_says(-EAGAIN);
    end();
}

/* The FIN behind bytes that do not fit is cut off with them (3.10.7.4), and comes again. */
static void a_fin_beyond_the_window(void **state)
{
    (void)state;
    begin_small();
    inject(FIN | ACK, RCV - 9, 1, FULL_WND, 11);
    expect(ACK, 1, 1, 0);
    expect_nothing();
    inject(ACK, 1, 1, FULL_WND, 1000);
    inject(ACK, 1001, 1, FULL_WND, 1000);
    inject(ACK, 2001, 1, FULL_WND, RCV - 10 - 2000);
    expect(ACK, 1, RCV + 1, 0);
    expect_state(TCP_ESTABLISHED);
    end();
}

/* ---- a closed window ---- */

static void fill_window(void)
{
    for (uint32_t n = 0; n < RCV; n += 1000)
        inject(ACK, 1 + n, 1, FULL_WND, 1000);
    expect(ACK, 1, 1 + RCV, 0);
    expect_wnd(0);
    expect_nothing();
}

/* MUST-66: 3.10.7.4: with a window of zero only the exact number is acceptable, without data. */
static void zero_window_edges(void **state)
{
    (void)state;
    begin_small();
    fill_window();
    assert_int_equal(inject(ACK, RCV + 1, 1, FULL_WND, 0), REASON_NONE);
    expect_nothing();
    inject_drop(REASON_TCP_SEQUENCE, ACK, RCV, 1, FULL_WND, 0);
    expect(ACK, 1, RCV + 1, 0);
    inject_drop(REASON_TCP_SEQUENCE, ACK, RCV + 2, 1, FULL_WND, 0);
    expect(ACK, 1, RCV + 1, 0);
    inject(ACK, RCV + 1, 1, FULL_WND, 1); /* a probe */
    expect(ACK, 1, RCV + 1, 0);
    expect_wnd(0);
    inject(FIN | ACK, RCV + 1, 1, FULL_WND, 0);
    expect(ACK, 1, RCV + 1, 0);
    expect_state(TCP_ESTABLISHED);
    inject_drop(REASON_TCP_SEQUENCE, RST, RCV + 2, 0, 0, 0);
    expect_nothing();
    assert_int_equal(tcb()->rcv_q.bytes, RCV);
    inject(RST, RCV + 1, 0, 0, 0); /* MUST-66 */
    expect_state(TCP_CLOSED);
    end();
}

/* MUST-66, SHLD-2: a reset counts though it carries data, for which there is no room. */
static void zero_window_takes_resets_with_data(void **state)
{
    (void)state;
    begin_small();
    fill_window();
    inject_drop(REASON_TCP_SEQUENCE, RST | ACK, RCV + 2, 1, 0, 10);
    expect_nothing();
    expect_state(TCP_ESTABLISHED);
    inject(RST | ACK, RCV + 1, 1, 0, 10);
    expect_state(TCP_CLOSED);
    end();
}

/* MUST-66: the ACK of a segment whose data finds no room counts. */
static void zero_window_takes_acks(void **state)
{
    (void)state;
    begin_small();
    fill_window();
    app_send(100);
    expect(ACK, 1, RCV + 1, 100);
    inject(ACK, RCV + 1, 101, FULL_WND, 10);
    assert_int_equal(tcb()->snd_una, flow.iss + 101);
    expect(ACK, 101, RCV + 1, 0);
    end();
}

/* RFC 5681 section 2: a segment with data is no duplicate acknowledgment, whatever becomes of it.
 */
static void probes_are_not_duplicate_acks(void **state)
{
    (void)state;
    begin_small();
    fill_window();
    app_send(100);
    expect(ACK, 1, RCV + 1, 100);
    for (unsigned i = 0; i < 4; i++) {
        inject(ACK, RCV + 1, 1, FULL_WND, 1);
        expect(ACK, 101, RCV + 1, 0);
    }
    expect_nothing();
    end();
}

/* ---- the window that is offered ---- */

/* SHLD-14: however reading and arriving interleave, the right edge never moves to the left. */
static void the_right_edge_never_retreats(void **state)
{
    static const uint32_t bufs[] = {3000, 65535, 200000, 1 << 20};
    const struct tcp_options opt = {.has_mss = true, .mss = MSS, .has_wscale = true};

    (void)state;
    for (unsigned k = 0; k < 4; k++) {
        uint32_t seq = 1, edge = 0, turn = 0;

        defaults();
        rig.cfg.tcp.rcv_buf = bufs[k];
        begin();
        open_passive_with(&opt, FULL_WND, FULL_WND);
        while (seq < 4 * bufs[k] && turn < 4000) {
            uint32_t len = min32(1 + turn * 331 % 1460, tcb_rcv_wnd(tcb()));
            uint32_t scale = tcb()->rcv_wscale, now;

            inject(ACK, seq, 1, FULL_WND, len);
            seq += len;
            advance(40 * MSEC);
            if (turn++ % 5 == 0)
                app_read(tcb()->rcv_q.bytes / 2);
            while (rig_take_tcp()) {
                now = rig.seg.ack - flow.irs + ((uint32_t)rig.seg.wnd << scale);
                assert_true(now >= edge);
                edge = now;
            }
        }
        end();
    }
}

/*
 * The field counts in units of 2^scale. Rounding it up each time would let a trickle of single
 * bytes through for ever, though nobody reads: the buffer must stay bounded.
 */
static void a_trickle_cannot_overfill_the_buffer(void **state)
{
    const struct tcp_options opt = {.has_mss = true, .mss = MSS, .has_wscale = true};
    uint32_t seq = 1;

    (void)state;
    defaults();
    rig.cfg.tcp.rcv_buf = 70000;
    begin();
    open_passive_with(&opt, FULL_WND, FULL_WND);
    for (;;) {
        uint32_t wnd = tcb_rcv_wnd(tcb()), len = wnd > MSS ? MSS : 1;

        if (wnd == 0 || seq > 100000)
            break;
        inject(ACK, seq, 1, FULL_WND, len);
        seq += len;
        advance(40 * MSEC);
        while (rig_take_tcp())
            continue;
    }
    assert_true(tcb()->rcv_q.bytes <= 70000 + 70000 / 8);
    expect_wnd(0);
    end();
}

/* MUST-39: a reader of single bytes opens the window by a segment at a time, not by bytes. */
static void silly_windows_are_not_offered(void **state)
{
    uint32_t last_wnd = 0;

    (void)state;
    begin_small();
    fill_window();
    for (uint32_t n = 0; n < RCV; n++) {
        app_read(1);
        while (rig_take_tcp()) {
            expect_why(REASON_SEND_WINDOW_UPDATE);
            rig_same("ack", rig.seg.ack - flow.irs, RCV + 1);
            assert_true(rig.seg.wnd >= last_wnd + min32(RCV / 2, 1000));
            last_wnd = rig.seg.wnd;
        }
    }
    assert_true(last_wnd > 0);
    expect_nothing();
    end();
}

/* While the gain is small a probe is told that the window is closed. */
static void probes_do_not_draw_silly_windows(void **state)
{
    (void)state;
    begin_small();
    fill_window();
    app_read(999);
    inject(ACK, RCV + 1, 1, FULL_WND, 1);
    expect(ACK, 1, RCV + 1, 0);
    expect_wnd(0);
    app_read(1);
    inject(ACK, RCV + 1, 1, FULL_WND, 1);
    assert_true(rig_take_tcp());
    expect_wnd(1000);
    end();
}

/* A window that opens from zero is told unasked. */
static void the_window_update_comes_unasked(void **state)
{
    (void)state;
    begin_small();
    fill_window();
    app_read(RCV);
    expect(ACK, 1, RCV + 1, 0);
    expect_why(REASON_SEND_WINDOW_UPDATE);
    expect_wnd(RCV);
    expect_nothing();
    end();
}

/* Data that fills the window to its edge, and a FIN behind it: the window stays what it is, zero.
 */
static void a_fin_behind_the_last_byte_of_the_window(void **state)
{
    (void)state;
    defaults();
    rig.cfg.tcp.rcv_buf = 1000;
    begin();
    open_passive();
    inject(FIN | ACK, 1, 1, FULL_WND, 1000);
    expect(ACK, 1, 1002, 0);
    expect_wnd(0);
    assert_int_equal(tcb_rcv_wnd(tcb()), 0);
    inject_drop(REASON_TCP_SEQUENCE, ACK, 1003, 1, FULL_WND, 0);
    expect(ACK, 1, 1002, 0);
    app_read(1000);
    app_read_says(0);
    expect_nothing(); /* nothing more can come: no window update */
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(edges_of_pure_acks),
        cmocka_unit_test(edges_of_data),
        cmocka_unit_test(edges_of_fin),
        cmocka_unit_test(edges_of_syn),
        cmocka_unit_test(edges_of_rst),
        cmocka_unit_test(a_segment_larger_than_the_window),
        cmocka_unit_test(a_fin_beyond_the_window),
        cmocka_unit_test(zero_window_edges),
        cmocka_unit_test(zero_window_takes_resets_with_data),
        cmocka_unit_test(zero_window_takes_acks),
        cmocka_unit_test(probes_are_not_duplicate_acks),
        cmocka_unit_test(the_right_edge_never_retreats),
        cmocka_unit_test(a_trickle_cannot_overfill_the_buffer),
        cmocka_unit_test(silly_windows_are_not_offered),
        cmocka_unit_test(probes_do_not_draw_silly_windows),
        cmocka_unit_test(the_window_update_comes_unasked),
        cmocka_unit_test(a_fin_behind_the_last_byte_of_the_window),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
