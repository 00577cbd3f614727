/*
 * Buffers that grow: the receive buffer doubles when a whole one was read within four round trips,
 * and the send queue takes twice what may fly; neither beyond its limit.
 */
#include "tcp_kit.h"

enum {
    BUF = 20000, /* bytes, in the beginning */
    MAX = 70000, /* no power of two of it */
    FAST = 4,    /* round trips */
    TRIP = 10,   /* ms, of the handshake */
};

/* The remote node opens, and its ACK takes TRIP ms; 0: no time. */
static void opened(uint32_t trip)
{
    static const struct tcp_options scaled = {.has_mss = true,
                                              .mss = MSS,
                                              .has_wscale = true,
                                              .wscale = 0};

    app_listen(16);
    AT(rig_reason("the SYN's verdict", rig_inject(SYN, 0, 0, FULL_WND, 0, &scaled), REASON_NONE));
    expect_syn_ack();
    assert_int_equal(rig.seg.opt.wscale,
                     tcp_window_scale(max32(rig.cfg.tcp.rcv_buf, rig.cfg.tcp.rcv_buf_max)));
    advance(trip * MSEC);
    inject(ACK, 1, 1, FULL_WND, 0);
    expect_event(EV_ACCEPTED);
}

static void with_buffer(uint32_t max)
{
    defaults();
    rig.cfg.tcp.rcv_buf = BUF;
    rig.cfg.tcp.rcv_buf_max = max;
    begin();
}

static uint32_t buffer(void)
{
    return tcp_window_buffer(&rig.st->tcp, tcb());
}

/* So many bytes come, from `at` on, and are read at once; what is said about them is not looked at.
 */
static void flows(uint32_t *at, uint32_t len)
{
    for (uint32_t n; len > 0; len -= n) {
        n = min32(len, MSS);
        inject(ACK, *at, 1, FULL_WND, n);
        app_read(n);
        *at += n;
        drain();
    }
}

/* What is read counts when the next byte comes: a buffer of them in so many ms, and one more. */
static void a_buffer_in(uint32_t *at, uint32_t len, uint32_t ms)
{
    flows(at, len);
    advance(ms * MSEC);
    flows(at, 1);
}

static void doubles_when_a_whole_one_is_read_in_four_round_trips(void **state)
{
    uint32_t at = 1;

    (void)state;
    with_buffer(MAX);
    opened(TRIP); /* which is a part of the first round */
    a_buffer_in(&at, BUF, (FAST - 1) * TRIP);
    assert_int_equal(buffer(), 2 * BUF);
    a_buffer_in(&at, 2 * BUF - 1, FAST * TRIP);
    assert_int_equal(buffer(), MAX);
    assert_true(tcb_rcv_wnd(tcb()) > MAX - MSS);
    a_buffer_in(&at, MAX, 1);
    a_buffer_in(&at, MAX, 1);
    assert_int_equal(buffer(), MAX);
    end();
}

static void not_when_it_takes_longer(void **state)
{
    uint32_t at = 1;

    (void)state;
    with_buffer(MAX);
    opened(TRIP);
    a_buffer_in(&at, BUF, (FAST - 1) * TRIP + 1);
    assert_int_equal(buffer(), BUF);
    a_buffer_in(&at, BUF - 1, FAST * TRIP); /* another round, another chance */
    assert_int_equal(buffer(), 2 * BUF);
    end();
}

static void not_a_byte_before(void **state)
{
    uint32_t at = 1;

    (void)state;
    with_buffer(MAX);
    opened(TRIP);
    flows(&at, BUF - 1);
    inject(ACK, at, 1, FULL_WND, 1); /* it is here, but not read */
    assert_int_equal(buffer(), BUF);
    app_read(1);
    inject(ACK, at + 1, 1, FULL_WND, 1);
    assert_int_equal(buffer(), 2 * BUF);
    end();
}

/* Who reads nothing keeps no more than was promised in the beginning. */
static void not_when_nobody_reads(void **state)
{
    uint32_t at = 1;

    (void)state;
    with_buffer(MAX);
    opened(TRIP);
    while (tcb_rcv_wnd(tcb()) > 0) {
        uint32_t n = min32(tcb_rcv_wnd(tcb()), MSS);

        inject(ACK, at, 1, FULL_WND, n);
        at += n;
        drain();
    }
    assert_int_equal(buffer(), BUF);
    assert_true(tcb()->rcv_q.bytes <= BUF + BUF / 8);
    end();
}

static void not_beyond_a_limit_below_it(void **state)
{
    uint32_t at = 1;

    (void)state;
    with_buffer(0);
    opened(TRIP);
    a_buffer_in(&at, BUF, 1);
    a_buffer_in(&at, BUF, 1);
    assert_int_equal(buffer(), BUF);
    end();
}

/* A round trip shorter than the clock's unit is one of a millisecond. */
static void a_short_round_trip_is_a_millisecond(void **state)
{
    uint32_t at = 1;

    (void)state;
    with_buffer(MAX);
    opened(0);
    a_buffer_in(&at, BUF, FAST);
    assert_int_equal(buffer(), 2 * BUF);
    a_buffer_in(&at, 2 * BUF - 1, FAST + 1);
    assert_int_equal(buffer(), 2 * BUF);
    end();
}

/* ---- the send queue ---- */

static void window_is(uint32_t cwnd)
{
    rig.st->conns[flow.id.slot].tcb.cc.cwnd = cwnd;
}

static void space(uint32_t bytes)
{
    rig_same("the queue's space", tcp_send_space(&rig.st->tcp, tcb()), bytes);
}

static void takes_twice_what_may_fly(void **state)
{
    uint32_t cwnd;

    (void)state;
    defaults();
    rig.cfg.tcp.snd_buf = BUF;
    rig.cfg.tcp.snd_buf_max = MAX;
    begin();
    open_passive();
    cwnd = tcb()->cc.cwnd;
    assert_true(2 * cwnd > BUF && 2 * cwnd < MAX);
    space(2 * cwnd);
    app_send(2 * cwnd);
    space(0);
    window_is(MSS);
    space(0);
    window_is(UINT32_MAX);
    space(MAX - 2 * cwnd);
    end();
}

static void and_what_it_took_in_the_beginning(void **state)
{
    (void)state;
    defaults();
    rig.cfg.tcp.snd_buf = BUF;
    rig.cfg.tcp.snd_buf_max = BUF - 1;
    begin();
    open_passive();
    space(BUF);
    window_is(UINT32_MAX);
    space(BUF);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(doubles_when_a_whole_one_is_read_in_four_round_trips),
        cmocka_unit_test(not_when_it_takes_longer),
        cmocka_unit_test(not_a_byte_before),
        cmocka_unit_test(not_when_nobody_reads),
        cmocka_unit_test(not_beyond_a_limit_below_it),
        cmocka_unit_test(a_short_round_trip_is_a_millisecond),
        cmocka_unit_test(takes_twice_what_may_fly),
        cmocka_unit_test(and_what_it_took_in_the_beginning),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
