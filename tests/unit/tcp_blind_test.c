/*
 * Blind attacks (RFC 5961) in every synchronized state, and peers that cheat or hold on for ever:
 * a connection's numbers, windows and queues are after a strike what they were before, and what an
 * attacker can make us send or keep is bounded.
 */
#include "tcp_kit.h"

enum {
    FAR = 0x40000000, /* bytes: in no window on either side */
    EDGE = 65535,     /* bytes from RCV.NXT to the right edge, in begin_in */
};

/* What a strike has to leave as it was. */
struct snapshot {
    uint32_t snd_una, snd_nxt, snd_wnd, snd_wl1, snd_wl2, rcv_nxt, rcv_adv, cwnd, ssthresh;
    uint32_t snd_bytes, rcv_bytes, out_of_order;
    int64_t linger;
    uint8_t state, end_reason, events;
};

static struct snapshot snap(void)
{
    const struct tcb *c = tcb();

    assert_non_null(c);
    return (struct snapshot){
        .snd_una = c->snd_una,
        .snd_nxt = c->snd_nxt,
        .snd_wnd = c->snd_wnd,
        .snd_wl1 = c->snd_wl1,
        .snd_wl2 = c->snd_wl2,
        .rcv_nxt = c->rcv_nxt,
        .rcv_adv = c->rcv_adv,
        .cwnd = c->cc.cwnd,
        .ssthresh = c->cc.ssthresh,
        .snd_bytes = c->snd_q.bytes,
        .rcv_bytes = c->rcv_q.bytes,
        .out_of_order = c->reasm.first != NULL,
        .linger = c->timer[TIMER_LINGER],
        .state = c->state,
        .end_reason = c->end_reason,
        .events = c->events,
    };
}

static void rig_same_snapshot(const struct snapshot *a)
{
    struct snapshot b = snap();

    rig_same("SND.UNA", b.snd_una, a->snd_una);
    rig_same("SND.NXT", b.snd_nxt, a->snd_nxt);
    rig_same("SND.WND", b.snd_wnd, a->snd_wnd);
    rig_same("SND.WL1", b.snd_wl1, a->snd_wl1);
    rig_same("SND.WL2", b.snd_wl2, a->snd_wl2);
    rig_same("RCV.NXT", b.rcv_nxt, a->rcv_nxt);
    rig_same("the right edge", b.rcv_adv, a->rcv_adv);
    rig_same("cwnd", b.cwnd, a->cwnd);
    rig_same("ssthresh", b.ssthresh, a->ssthresh);
    rig_same("the send queue", b.snd_bytes, a->snd_bytes);
    rig_same("the receive queue", b.rcv_bytes, a->rcv_bytes);
    rig_same("out of order", b.out_of_order, a->out_of_order);
    rig_same("LINGER", b.linger, a->linger);
    rig_same("the state", b.state, a->state);
    rig_same("the end's reason", b.end_reason, a->end_reason);
    rig_same("events", b.events, a->events);
}

/* What comes back: <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK> and no more, or nothing. */
enum answer {
    SILENCE,
    AN_ACK,    /* of any kind */
    CHALLENGE, /* a limited one (RFC 5961 section 7) */
};

struct strike {
    const char *what;
    uint8_t flags;
    uint32_t seq, ack; /* from RCV.NXT, and from SND.NXT */
    uint32_t len;      /* bytes of data */
    enum reason why;
    enum answer answer;
};

static const struct tcb *struck;

static void rig_strike(const struct strike *s)
{
    struct snapshot before = snap();
    uint32_t seq = struck->rcv_nxt - flow.irs + s->seq, ack = struck->snd_nxt - flow.iss + s->ack;

    rig.what = s->what;
    rig_reason("the verdict", rig_inject(s->flags, seq, ack, 7, s->len, NULL), s->why);
    if (s->answer != SILENCE) {
        rig_expect(ACK, before.snd_nxt - flow.iss, before.rcv_nxt - flow.irs, 0);
        if (s->answer == CHALLENGE)
            rig_reason("the reason", rig.why, REASON_SEND_ACK_CHALLENGE);
    }
    rig_expect_nothing();
    rig_no_event();
    rig_same_snapshot(&before);
    rig.what = NULL;
}

#define strike(table)                                                                              \
    for (unsigned i_ = 0; i_ < sizeof(table) / sizeof((table)[0]); i_++)                           \
    AT(rig_strike(&(table)[i_]))

static const enum tcp_state synchronized_states[] = {
    TCP_ESTABLISHED, TCP_FIN_WAIT_1, TCP_FIN_WAIT_2, TCP_CLOSE_WAIT,
    TCP_CLOSING,     TCP_LAST_ACK,   TCP_TIME_WAIT,
};

enum {
    STATES = sizeof(synchronized_states) / sizeof(synchronized_states[0]),
};

/* A connection in that state, with nothing owed and the window EDGE wide. */
static void begin_in(enum tcp_state s)
{
    defaults();
    rig.cfg.tcp.rcv_buf = EDGE;
    begin();
    open_passive();
    go(s);
    drain();
    struck = tcb();
    assert_non_null(struck);
    advance(s == TCP_TIME_WAIT ? SEC : 0);
}

/* U-5, U-6, U-7: a reset that is not at RCV.NXT ends nothing, in any state; one in the window is
 * asked about, and then dropped. */
static void resets(void **state)
{
    static const struct strike table[] = {
        {"RST just in the window", RST, 1, 0, 0, REASON_TCP_RST_CHALLENGED, CHALLENGE},
        {"RST deep in the window", RST, 30000, 0, 0, REASON_TCP_RST_CHALLENGED, CHALLENGE},
        {"RST+ACK in the window", RST | ACK, 100, 0, 0, REASON_TCP_RST_CHALLENGED, CHALLENGE},
        {"RST with data", RST, 100, 0, 10, REASON_TCP_RST_CHALLENGED, CHALLENGE},
        {"RST with a wild ACK", RST | ACK, 100, FAR, 0, REASON_TCP_RST_CHALLENGED, CHALLENGE},
        {"RST just before the window", RST, -1u, 0, 0, REASON_TCP_SEQUENCE, SILENCE},
        {"RST behind the window", RST, EDGE + 2, 0, 0, REASON_TCP_SEQUENCE, SILENCE},
        {"RST far away", RST, FAR, 0, 0, REASON_TCP_SEQUENCE, SILENCE},
        {"RST far behind", RST | ACK, -(uint32_t)FAR, 0, 0, REASON_TCP_SEQUENCE, SILENCE},
    };

    (void)state;
    for (unsigned i = 0; i < STATES; i++) {
        enum tcp_state s = synchronized_states[i];

        if (s == TCP_TIME_WAIT)
            continue;
        begin_in(s);
        strike(table);
        inject(RST, struck->rcv_nxt - flow.irs, 0, 0, 0); /* exactly there it is meant */
        expect_state(TCP_CLOSED);
        expect_nothing();
        end();
    }
}

/* RFC 1337: in TIME-WAIT no reset ends anything, not even one at RCV.NXT. */
static void resets_in_time_wait(void **state)
{
    static const struct strike table[] = {
        {"RST in place", RST, 0, 0, 0, REASON_TCP_TIME_WAIT, SILENCE},
        {"RST+ACK in place", RST | ACK, 0, 0, 0, REASON_TCP_TIME_WAIT, SILENCE},
        {"RST in the window", RST, 100, 0, 0, REASON_TCP_TIME_WAIT, SILENCE},
        {"RST far away", RST, FAR, 0, 0, REASON_TCP_SEQUENCE, SILENCE},
    };

    (void)state;
    begin_in(TCP_TIME_WAIT);
    strike(table);
    advance(59 * SEC - 1);
    expect_state(TCP_TIME_WAIT);
    advance(1);
    expect_state(TCP_CLOSED);
    end();
}

/* U-8, U-9: a SYN ends nothing either, wherever it falls, and is asked about in each state. */
static void syns(void **state)
{
    static const struct strike table[] = {
        {"SYN in place", SYN, 0, 0, 0, REASON_TCP_SYN_CHALLENGED, CHALLENGE},
        {"SYN just before", SYN, -1u, 0, 0, REASON_TCP_SYN_CHALLENGED, CHALLENGE},
        {"SYN far behind", SYN, -(uint32_t)FAR, 0, 0, REASON_TCP_SYN_CHALLENGED, CHALLENGE},
        {"SYN+ACK in place", SYN | ACK, 0, 0, 0, REASON_TCP_SYN_CHALLENGED, CHALLENGE},
        {"SYN+ACK in the window", SYN | ACK, 99, 0, 0, REASON_TCP_SYN_CHALLENGED, CHALLENGE},
        {"SYN+ACK far away", SYN | ACK, FAR, FAR, 0, REASON_TCP_SYN_CHALLENGED, CHALLENGE},
    };
    static const struct strike beyond[] = {
        /* in TIME-WAIT these may open anew: MAY-2 */
        {"SYN in the window", SYN, 1000, 0, 0, REASON_TCP_SYN_CHALLENGED, CHALLENGE},
        {"SYN with data", SYN, 1000, 0, 10, REASON_TCP_SYN_CHALLENGED, CHALLENGE},
        {"SYN far away", SYN, FAR, 0, 0, REASON_TCP_SYN_CHALLENGED, CHALLENGE},
    };

    (void)state;
    for (unsigned i = 0; i < STATES; i++) {
        begin_in(synchronized_states[i]);
        strike(table);
        if (synchronized_states[i] != TCP_TIME_WAIT)
            strike(beyond);
        end();
    }
}

/* MAY-12, U-10: what acknowledges the impossible is dropped whole, with its data and its FIN. */
static void acknowledgments(void **state)
{
    static const struct strike table[] = {
        {"ACK of one byte never sent", ACK, 0, 1, 0, REASON_TCP_ACK_FUTURE, CHALLENGE},
        {"ACK of much never sent", ACK, 0, FAR, 0, REASON_TCP_ACK_FUTURE, CHALLENGE},
        {"the same with data", ACK, 0, 1, 10, REASON_TCP_ACK_FUTURE, CHALLENGE},
        {"the same with data further on", ACK, 500, FAR, 10, REASON_TCP_ACK_FUTURE, CHALLENGE},
        {"the same with FIN", ACK | FIN, 0, 1, 0, REASON_TCP_ACK_FUTURE, CHALLENGE},
        {"ACK too old", ACK, 0, -(uint32_t)FAR, 0, REASON_TCP_ACK_OLD, CHALLENGE},
        {"the same with data", ACK, 0, -65538u, 10, REASON_TCP_ACK_OLD, CHALLENGE},
        {"the same with FIN", ACK | FIN, 0, -(uint32_t)FAR, 0, REASON_TCP_ACK_OLD, CHALLENGE},
    };

    (void)state;
    for (unsigned i = 0; i < STATES; i++) {
        begin_in(synchronized_states[i]);
        strike(table);
        end();
    }
}

/* Data outside the window is acknowledged and dropped, in each state; without ACK it is nothing. */
static void data(void **state)
{
    static const struct strike table[] = {
        {"data far ahead", ACK, FAR, 0, 10, REASON_TCP_SEQUENCE, AN_ACK},
        {"data behind the window", ACK, EDGE + 1, 0, 10, REASON_TCP_SEQUENCE, AN_ACK},
        {"data just before", ACK, -10u, 0, 10, REASON_TCP_SEQUENCE, AN_ACK},
        {"data far behind", ACK, -(uint32_t)FAR, 0, 10, REASON_TCP_SEQUENCE, AN_ACK},
        {"an ACK far ahead", ACK, FAR, 0, 0, REASON_TCP_SEQUENCE, CHALLENGE},
        {"data without ACK", PSH, 0, 0, 10, REASON_TCP_NO_ACK, SILENCE},
        {"FIN alone", FIN, 0, 0, 0, REASON_TCP_NO_ACK, SILENCE},
    };

    (void)state;
    for (unsigned i = 0; i < STATES; i++) {
        begin_in(synchronized_states[i]);
        strike(table);
        end();
    }
}

/* ---- a peer that cheats ---- */

/*
 * Duplicates that nobody's loss caused: one segment is sent again and cwnd is halved, once; and
 * however many there are, they let out no more than the window that the cheat itself offers.
 */
static void spoofed_duplicates(void **state)
{
    uint32_t flight, sent;

    (void)state;
    defaults();
    begin();
    open_passive();
    app_send(100 * MSS);
    drain();
    flight = tcb()->snd_nxt - tcb()->snd_una;
    sent = tcb()->segs_out;
    for (unsigned i = 0; i < 10000; i++) {
        inject(ACK, 1, 1, FULL_WND, 0);
        while (rig_take_tcp())
            assert_true(rig.seg.seq + rig.len - flow.iss <= 1 + FULL_WND);
    }
    assert_int_equal(tcb()->retransmits, 1);
    assert_true(tcb()->cc.cwnd <= flight / 2 + MSS); /* limited transmit sent two more before */
    assert_true(tcb()->segs_out - sent <= 1 + (FULL_WND - flight) / MSS);
    end();
}

/* ACK division (RFC 3465): a thousand acknowledgments of a byte each open cwnd as one would. */
static void divided_acknowledgments(void **state)
{
    uint32_t whole;

    (void)state;
    for (unsigned divided = 0; divided < 2; divided++) {
        defaults();
        begin();
        open_passive();
        app_send(30 * MSS);
        drain();
        for (uint32_t i = divided ? 1 : 1000; i <= 1000; i++)
            inject(ACK, 1, 1 + i, FULL_WND, 0);
        if (divided)
            assert_true(tcb()->cc.cwnd <= whole);
        else
            whole = tcb()->cc.cwnd;
        end();
    }
}

/* An optimistic ACK: what was not sent is not acknowledged, and opens neither cwnd nor window. */
static void optimistic_acknowledgments(void **state)
{
    struct snapshot before;

    (void)state;
    defaults();
    begin();
    open_passive();
    app_send(30 * MSS);
    drain();
    before = snap();
    for (uint32_t i = 1; i < 50; i++) {
        inject_drop(REASON_TCP_ACK_FUTURE, ACK, 1, before.snd_nxt - flow.iss + i * MSS, 9, 0);
        expect(ACK, before.snd_nxt - flow.iss, 1, 0);
        AT(rig_same_snapshot(&before));
    }
    end();
}

/* ---- a peer that holds on for ever ---- */

/* Every answer to a probe says zero: nobody owns the connection any more, so R2 ends it. */
static void a_window_that_never_opens(void **state)
{
    int64_t released;

    (void)state;
    defaults();
    begin();
    open_passive();
    app_send(1000);
    expect(ACK, 1, 1, 1000);
    inject(ACK, 1, 1, 0, 0);
    app_release();
    released = rig.now;
    while (tcb() && rig.now - released < 1000 * SEC) {
        advance(SEC);
        while (rig_take())
            inject(ACK, 1, 1, 0, 0);
    }
    expect_state(TCP_CLOSED);
    assert_true(rig.now - released <= rig.cfg.tcp.conn.r2_ns + rig.cfg.tcp.rto_max_ns);
    assert_int_equal(stack_totals(rig.st)->conns, 0);
    assert_int_equal(rig.small.in_use, 0);
    end();
}

/* In FIN-WAIT-2 with nobody left to read, a peer that never closes is not waited for longer. */
static void a_fin_that_never_comes(void **state)
{
    (void)state;
    defaults();
    begin();
    open_passive();
    app_release();
    expect(FIN | ACK, 1, 1, 0);
    inject(ACK, 1, 2, FULL_WND, 0);
    expect_state(TCP_FIN_WAIT_2);
    for (unsigned i = 0; i < 59; i++) {
        advance(SEC);
        inject(ACK, 1, 2, FULL_WND, 0); /* being alive is no reason to be waited for */
        drain();
    }
    expect_state(TCP_FIN_WAIT_2);
    advance(SEC);
    expect_state(TCP_CLOSED);
    end();
}

/* One byte in every two: places for gaps are limited, and what was promised is taken in the end. */
static void one_byte_out_of_order(void **state)
{
    uint32_t n = 20000, most = 0;

    (void)state;
    defaults();
    begin();
    open_passive();
    for (uint32_t i = 0; i < n; i++) {
        inject(ACK, 3 + 2 * i, 1, FULL_WND, 1);
        most = max32(most, rig.st->cells.in_use);
        drain();
    }
    assert_true(most <= 2 * REASM_RANGES_MAX);
    assert_true(rig.device.in_use + rig.small.in_use <= 2 * REASM_RANGES_MAX);
    assert_true(stack_count(rig.st, REASON_TCP_REASSEMBLY) >= n - 1024);
    for (uint32_t at = 1; at < 1 + 2 * n; at += 1000) { /* the honest sender's bytes */
        inject(ACK, at, 1, FULL_WND, 1000);
        drain();
        app_read(1000);
    }
    app_read_says(-EAGAIN);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resets),
        cmocka_unit_test(resets_in_time_wait),
        cmocka_unit_test(syns),
        cmocka_unit_test(acknowledgments),
        cmocka_unit_test(data),
        cmocka_unit_test(spoofed_duplicates),
        cmocka_unit_test(divided_acknowledgments),
        cmocka_unit_test(optimistic_acknowledgments),
        cmocka_unit_test(a_window_that_never_opens),
        cmocka_unit_test(a_fin_that_never_comes),
        cmocka_unit_test(one_byte_out_of_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
