/*
 * The path's MTU as ICMP tells it (RFC 1191, RFC 8201): what is believed, for how long, and by
 * whom; and what forgers get (RFC 5927).
 */
#include "icmp_kit.h"

static uint32_t header(void)
{
    return rig.v6 ? 60 : 40;
}

/* Bytes of the packets that full segments make. */
static uint32_t size_now(void)
{
    return tcb()->snd_mss + header();
}

/* `n` full segments are in flight from `at` on; with `proven`, as many came before and arrived. */
static uint32_t begin_flight(uint32_t n, bool proven)
{
    uint32_t at = 1;

    begin();
    open_passive();
    for (unsigned round = 0; round < (proven ? 2 : 1); round++) {
        if (round == 1) {
            advance(10 * MSEC);
            inject(ACK, 1, at, FULL_WND, 0);
        }
        app_send(n * MSS);
        for (uint32_t i = 0; i < n; i++, at += MSS)
            expect(ACK, at, 1, MSS);
    }
    return at - n * MSS;
}

/* [RFC 1191 6.4, RFC 8201 5.4]: what nothing larger has passed yet is believed at once.
 * RFC 8200 5-b. RFC 8504 5.7.1-a. */
static void rfc8201_5_4_at_the_beginning(void **state)
{
    (void)state;
    defaults();
    begin_flight(3, false);
    too_big(1, 1400, MSS + header());
    assert_int_equal(tcb()->snd_mss, 1400 - header());
    expect(ACK, 1, 1, 1400 - header());
    expect_why(REASON_SEND_SMALLER);
    counted(MTU_CLAIMED, 0);
    end();
}

/* [RFC 5927 7.2]: where larger packets have arrived, a claim waits for an acknowledgment of the
 * segment, long before RTO; the tick before it nothing has changed. Then all is sent again, and
 * neither cwnd nor ssthresh is less for it (RFC 1191 6.5). */
static void rfc5927_7_2_silence_confirms(void **state)
{
    uint32_t at, cwnd, ssthresh;
    int64_t wait;

    (void)state;
    defaults();
    at = begin_flight(3, true);
    cwnd = tcb()->cc.cwnd;
    ssthresh = tcb()->cc.ssthresh;
    too_big(at, 1400, MSS + header());
    too_big(at + MSS, 1400, MSS + header());
    counted(MTU_CLAIMED, 1);
    wait = tcb()->flight->timer[FLIGHT_CLAIM] - rig.now;
    assert_true(wait > 0 && wait < tcb()->rtt.rto / 2);
    expect_silence(wait);
    assert_int_equal(tcb()->snd_mss, 1400 - header());
    for (uint32_t left = 3 * MSS; left > 0;) {
        uint32_t len = min32(left, 1400 - header());

        expect(ACK, at + 3 * MSS - left, 1, len);
        expect_why(REASON_SEND_SMALLER);
        left -= len;
    }
    assert_int_equal(tcb()->cc.cwnd, cwnd);
    assert_int_equal(tcb()->cc.ssthresh, ssthresh);
    counted(LOSS_DETECTED, 0);
    counted(RTO_EXPIRED, 0);
    end();
}

/* [RFC 5927 7.2]: the acknowledgment of the segment shows that the error was false, be it
 * cumulative or selective. */
static void rfc5927_7_2_an_acknowledgment_refutes(void **state)
{
    (void)state;
    for (unsigned selective = 0; selective < 2; selective++) {
        struct tcp_options opt = mss_only, blocks = {.sack_n = 1};
        uint32_t at = 1;

        defaults();
        opt.sack_ok = rig.cfg.tcp.sack = selective;
        begin();
        open_passive_with(&opt, FULL_WND, FULL_WND);
        for (unsigned round = 0; round < 2; round++, at += 2 * MSS) {
            advance(10 * MSEC);
            inject(ACK, 1, at, FULL_WND, 0);
            app_send(2 * MSS);
            expect(ACK, at, 1, MSS);
            expect(ACK, at + MSS, 1, MSS);
        }
        at -= MSS; /* the second of the last two */
        too_big(at, rig.v6 ? 1280 : 600, MSS + header());
        blocks.sack[0] = (struct tcp_sack_block){flow.iss + at, flow.iss + at + MSS};
        if (selective)
            inject_opt(ACK, 1, at - MSS, FULL_WND, .sack_n = 1, .sack = {blocks.sack[0]});
        else
            inject(ACK, 1, at + MSS, FULL_WND, 0);
        advance(tcb()->rtt.rto - MSEC);
        counted(MTU_REFUTED, 1);
        counted(ICMP_PMTU, 0);
        assert_int_equal(tcb()->snd_mss, MSS);
        drain();
        end();
    }
}

/* RFC 5927 7.2: of several claims about what is in flight the largest counts. */
static void rfc5927_7_2_the_largest_claim(void **state)
{
    uint32_t at;

    (void)state;
    defaults();
    at = begin_flight(3, true);
    too_big(at, 1300, MSS + header());
    too_big(at + MSS, 1400, MSS + header());
    too_big(at + MSS, 1290, MSS + header());
    advance(tcb()->flight->timer[FLIGHT_CLAIM] - rig.now);
    assert_int_equal(tcb()->snd_mss, 1400 - header());
    drain();
    end();
}

/* No tail is probed while a claim waits: with SACK, a small probe that passes would make a loss of
 * what was too big; and afterwards everything leaves again by itself. */
static void a_claim_is_no_tail_to_probe(void **state)
{
    struct tcp_options opt = mss_only;
    uint32_t at = 1, small, cwnd;
    uint64_t probes;

    (void)state;
    defaults();
    opt.sack_ok = rig.cfg.tcp.sack = true;
    begin();
    open_passive_with(&opt, FULL_WND, FULL_WND);
    app_send(2 * MSS);
    expect(ACK, 1, 1, MSS);
    expect(ACK, 1 + MSS, 1, MSS);
    at += 2 * MSS;
    advance(10 * MSEC);
    inject(ACK, 1, at, FULL_WND, 0);
    app_send(2 * MSS + 100); /* of which the rest waits (Nagle) */
    expect(ACK, at, 1, MSS);
    expect(ACK, at + MSS, 1, MSS);
    cwnd = tcb()->cc.cwnd;
    probes = stack_count(rig.st, REASON_PTO_EXPIRED);
    too_big(at, 1300, MSS + header());
    assert_true(tcb()->flight->timer[FLIGHT_PTO] < tcb()->flight->timer[FLIGHT_CLAIM]);
    expect_silence(tcb()->flight->timer[FLIGHT_CLAIM] - rig.now);
    small = 1300 - header();
    expect(ACK, at, 1, small);
    expect_why(REASON_SEND_SMALLER);
    expect(ACK, at + small, 1, small);
    expect(ACK, at + 2 * small, 1, 2 * MSS - 2 * small);
    counted(PTO_EXPIRED, probes);
    counted(LOSS_DETECTED, 0);
    assert_int_equal(tcb()->cc.cwnd, cwnd);
    advance(2 * tcb()->rtt.srtt);
    counted(PTO_EXPIRED, probes + 1); /* of what has left again the tail is one */
    drain();
    end();
}

/* RTX does not wait for the claim, and the claim not for a second time-out. */
static void a_timeout_confirms_a_claim(void **state)
{
    uint32_t at;

    (void)state;
    defaults();
    at = begin_flight(3, true);
    advance(tcb()->timer[TIMER_RTX] - rig.now - USEC);
    too_big(at, 1400, MSS + header());
    advance(USEC);
    counted(RTO_EXPIRED, 1);
    expect(ACK, at, 1, 1400 - header());
    drain();
    end();
}

/* A second connection to the same place begins with what the first has learnt; one that was open
 * follows when it sends next, and an error about what it has in flight has that sent again. */
static void rfc1191_6_2_all_connections_share_it(void **state)
{
    struct flow first, second;

    (void)state;
    defaults();
    begin_flight(2, false);
    first = flow;
    flow = (struct flow){.local_port = LOCAL_PORT, .remote_port = REMOTE_PORT + 1, .irs = 77};
    open_passive();
    app_send(2 * MSS);
    expect(ACK, 1, 1, MSS);
    expect(ACK, 1 + MSS, 1, MSS);
    second = flow;
    flow = first;
    too_big(1, 1400, MSS + header());
    while (rig_take())
        continue;
    flow = second;
    app_send(3000);
    expect(ACK, 1 + 2 * MSS, 1, 1400 - header()); /* new data follows ... */
    expect(ACK, 1 + 2 * MSS + 1400 - header(), 1, 1400 - header());
    while (rig_take())
        continue;
    too_big(1, 1400, MSS + header()); /* ... and now what had left before */
    expect(ACK, 1, 1, 1400 - header());
    expect_why(REASON_SEND_SMALLER);
    while (rig_take())
        continue;
    too_big_drop(REASON_ICMP_MTU, 1 + MSS, 1400, MSS + header());
    expect_nothing();
    flow = (struct flow){.local_port = LOCAL_PORT, .remote_port = REMOTE_PORT + 2, .irs = 99};
    open_passive();
    app_send(MSS);
    expect(ACK, 1, 1, 1400 - header());
    drain();
    end();
}

/* [RFC 1191 6.3, RFC 8201 4]: what is known gets old after ten minutes, and the tick before it does
 * not; then full segments leave again. RFC 8201 4-d. */
static void rfc1191_6_3_what_is_known_gets_old(void **state)
{
    uint32_t small = 1400 - header(), end_of;

    (void)state;
    defaults();
    assert_true(rig.cfg.path_mtu_age == 600 * SEC);
    begin_flight(2, false);
    too_big(1, 1400, MSS + header());
    while (rig_take())
        continue;
    end_of = 1 + 2 * MSS;
    inject(ACK, 1, end_of, FULL_WND, 0);
    advance(600 * SEC - 1);
    counted(MTU_AGED, 0);
    app_send(2 * small);
    expect(ACK, end_of, 1, small);
    expect(ACK, end_of + small, 1, small);
    inject(ACK, 1, end_of + 2 * small, FULL_WND, 0);
    advance(1);
    counted(MTU_AGED, 1);
    app_send(MSS);
    expect(ACK, end_of + 2 * small, 1, MSS);
    end();
}

/* [RFC 8201 4]: an error never makes a path's MTU larger.
 * RFC 8201 4-c. */
static void rfc8201_4_never_larger(void **state)
{
    (void)state;
    defaults();
    begin_flight(2, false);
    too_big(1, 1300, MSS + header());
    while (rig_take())
        continue;
    too_big_drop(REASON_ICMP_MTU, 1, 1400, MSS + header());
    assert_int_equal(size_now(), 1300);
    drain();
    end();
}

/* The remote end's MSS stays the limit, and the path another one. */
static void rfc1191_6_4_the_smaller_of_both(void **state)
{
    struct tcp_options opt = {.has_mss = true, .mss = 1250};

    (void)state;
    defaults();
    begin();
    open_passive_with(&opt, FULL_WND, FULL_WND);
    app_send(1250);
    expect(ACK, 1, 1, 1250);
    too_big_drop(REASON_ICMP_MTU, 1, 1400, 1500);
    assert_int_equal(tcb()->snd_mss, 1250);
    too_big(1, 1280, 1250 + header());
    assert_int_equal(tcb()->snd_mss, 1280 - header());
    drain();
    end();
}

/* What --status shows. */
static void the_status(void **state)
{
    struct stack_conn_status s;

    (void)state;
    defaults();
    begin_flight(2, false);
    assert_int_equal(stack_status(rig.st, flow.id, &s), 0);
    assert_int_equal(s.pmtu, rig.cfg.mtu);
    too_big(1, 1400, MSS + header());
    drain();
    assert_int_equal(stack_status(rig.st, flow.id, &s), 0);
    assert_int_equal(s.pmtu, 1400);
    assert_int_equal(s.mss, 1400 - header());
    assert_int_equal(s.adv_mss, MSS);
    end();
}

/* ---- forgers ---- */

/* RFC 5927 7: who guesses numbers in flight, again and again, while the connection makes progress,
 * gets nothing: each claim is refuted, no segment is smaller, nothing is sent twice. */
static void a_storm_about_what_is_in_flight(void **state)
{
    uint32_t at, again;

    (void)state;
    defaults();
    at = begin_flight(4, true);
    again = tcb()->retransmits;
    for (unsigned round = 0; round < 500; round++) {
        for (uint32_t i = 0; i < 40; i++)
            (void)rig_icmp(rig_too_big(at + i * 100, (round * 40 + i) % 1600, MSS + header()));
        advance(MSEC);
        inject(ACK, 1, at + 4 * MSS, FULL_WND, 0);
        at += 4 * MSS;
        app_send(4 * MSS);
        for (uint32_t i = 0; i < 4; i++)
            expect(ACK, at + i * MSS, 1, MSS);
    }
    counted(ICMP_PMTU, 0);
    assert_int_equal(tcb()->retransmits, again);
    assert_int_equal(rig.st->ip.pmtu.taken, 0);
    end();
}

/* ... and where nothing answers, segments get no smaller than the least that is worth a packet. */
static void a_storm_into_silence(void **state)
{
    (void)state;
    defaults();
    begin_flight(4, false);
    for (unsigned i = 0; i < 2000; i++) {
        (void)rig_icmp(rig_too_big(1, i % 1500, size_now()));
        advance(MSEC);
        while (rig_take_tcp()) /* none is small but the last */
            assert_true(rig.len >= 48 || rig.seg.seq + rig.len == flow.iss + 1 + 4 * MSS);
    }
    assert_true(size_now() == (rig.v6 ? 1280 : 88));
    assert_int_equal(rig.st->ip.pmtu.taken, 1);
    expect_state(TCP_ESTABLISHED);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc8201_5_4_at_the_beginning),
        cmocka_unit_test(rfc5927_7_2_silence_confirms),
        cmocka_unit_test(rfc5927_7_2_an_acknowledgment_refutes),
        cmocka_unit_test(rfc5927_7_2_the_largest_claim),
        cmocka_unit_test(a_claim_is_no_tail_to_probe),
        cmocka_unit_test(a_timeout_confirms_a_claim),
        cmocka_unit_test(rfc1191_6_2_all_connections_share_it),
        cmocka_unit_test(rfc1191_6_3_what_is_known_gets_old),
        cmocka_unit_test(rfc8201_4_never_larger),
        cmocka_unit_test(rfc1191_6_4_the_smaller_of_both),
        cmocka_unit_test(the_status),
        cmocka_unit_test(a_storm_about_what_is_in_flight),
        cmocka_unit_test(a_storm_into_silence),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
