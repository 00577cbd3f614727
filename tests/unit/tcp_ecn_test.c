/* Explicit congestion notification (RFC 3168 section 6.1). */
#include "tcp_kit.h"

#include "tcp/ecn.h"

enum {
    ECE = TCP_ECE,
    CWR = TCP_CWR,
};

static void speaking(void)
{
    defaults();
    rig.cfg.tcp.ecn = true;
    begin();
}

/* The remote node's segment in a packet with these ECN bits. */
static enum reason ecn_inject(uint8_t flags, uint32_t seq, uint32_t ack, uint32_t len, uint8_t ecn)
{
    struct addr local = LOCAL_ADDR, remote = REMOTE_ADDR;
    struct ip_hdr ip = {.src = remote,
                        .dst = local,
                        .version = rig.v6 ? 6 : 4,
                        .tos = 0xb8 | ecn,
                        .ttl = 64,
                        .proto = IP_PROTO_TCP};
    size_t header = ip_build_len(&ip) + TCP_HEADER_MIN;
    uint8_t b[DEVICE_BUF], *data = b + header;
    struct tcp_hdr hdr = {
        .sport = flow.remote_port,
        .dport = flow.local_port,
        .seq = flow.irs + seq,
        .ack = flow.iss + ack,
        .wnd = FULL_WND,
        .flags = flags,
    };
    struct slice s = {NULL, data, len};

    pattern_fill(data, seq, len);
    tcp_build(b + header - TCP_HEADER_MIN, &remote, &local, &hdr, 0, &s, len ? 1 : 0);
    ip_build(b, &ip, TCP_HEADER_MIN + len);
    return rig_input(b, (uint32_t)header + len);
}

#define marked(flags, seq, ack, len)                                                               \
    AT(rig_reason("the verdict", ecn_inject(flags, seq, ack, len, ECN_CE), REASON_NONE))
#define expect_ecn(e) AT(rig_same("ECN bits", rig.ip.tos & 3, e))

/* ESTABLISHED after an active open, ECN spoken. */
static void open_ecn(void)
{
    speaking();
    app_open();
    rig_expect_syn(SYN | ECE | CWR);
    expect_ecn(ECN_NOT_ECT);
    rig_inject(SYN | ACK | ECE, 0, 1, FULL_WND, 0, &mss_only);
    expect(ACK, 1, 1, 0);
    expect_ecn(ECN_NOT_ECT);
    expect_event(EV_CONNECTED);
}

/* ---- negotiation ---- */

/* SHLD-8: what the SYN-ACK must say so that ECN is spoken (RFC 3168 6.1.1). */
static void rfc3168_6_1_1_active_open_needs_ece_alone(void **state)
{
    static const struct {
        uint8_t flags;
        bool spoken;
    } cases[] = {{0, false}, {ECE, true}, {CWR, false}, {ECE | CWR, false}};

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        speaking();
        app_open();
        rig_expect_syn(SYN | ECE | CWR);
        rig_inject(SYN | ACK | cases[i].flags, 0, 1, FULL_WND, 0, &mss_only);
        expect(ACK, 1, 1, 0);
        app_send(10);
        expect(ACK, 1, 1, 10);
        expect_ecn(cases[i].spoken ? ECN_ECT0 : ECN_NOT_ECT);
        end();
    }
}

/* SHLD-8: what the SYN must say, and what we answer. */
static void rfc3168_6_1_1_passive_open_needs_both(void **state)
{
    static const uint8_t flags[] = {0, ECE, CWR, ECE | CWR};

    (void)state;
    for (unsigned i = 0; i < 8; i++) {
        bool on = i & 4, spoken = on && flags[i % 4] == (ECE | CWR);

        defaults();
        rig.cfg.tcp.ecn = on;
        begin();
        app_listen(16);
        rig_inject(SYN | flags[i % 4], 0, 0, FULL_WND, 0, &mss_only);
        rig_expect_syn(spoken ? SYN | ACK | ECE : SYN | ACK);
        expect_ecn(ECN_NOT_ECT);
        inject(ACK, 1, 1, FULL_WND, 0);
        expect_event(EV_ACCEPTED);
        app_send(10);
        expect(ACK, 1, 1, 10);
        expect_ecn(spoken ? ECN_ECT0 : ECN_NOT_ECT);
        end();
    }
}

/* RFC 3168 6.1.1.1: a SYN without an answer is sent again without the flags; ECN is off then,
 * whatever the answer says. */
static void rfc3168_6_1_1_1_a_syn_that_timed_out_is_plain(void **state)
{
    (void)state;
    speaking();
    app_open();
    rig_expect_syn(SYN | ECE | CWR);
    advance(SEC);
    rig_expect_syn(SYN);
    rig_inject(SYN | ACK | ECE, 0, 1, FULL_WND, 0, &mss_only);
    expect(ACK, 1, 1, 0);
    app_send(10);
    expect(ACK, 1, 1, 10);
    expect_ecn(ECN_NOT_ECT);
    end();
}

/* ... and a remote end that does so has given it up. */
static void a_second_syn_without_it_ends_it(void **state)
{
    (void)state;
    speaking();
    app_listen(16);
    rig_inject(SYN | ECE | CWR, 0, 0, FULL_WND, 0, &mss_only);
    rig_expect_syn(SYN | ACK | ECE);
    rig_inject(SYN, 0, 0, FULL_WND, 0, &mss_only);
    rig_expect_syn(SYN | ACK);
    inject(ACK, 1, 1, FULL_WND, 0);
    expect_event(EV_ACCEPTED);
    app_send(10);
    expect(ACK, 1, 1, 10);
    expect_ecn(ECN_NOT_ECT);
    end();
}

/* MUST-10, RFC 3168 6.1.1: both opened with the flags; both answers have to bear it out. */
static void rfc3168_6_1_1_simultaneous_open_needs_it_twice(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        speaking();
        app_open();
        rig_expect_syn(SYN | ECE | CWR);
        rig_inject(SYN | ECE | CWR, 0, 0, FULL_WND, 0, &mss_only);
        rig_expect_syn(SYN | ACK | ECE);
        rig_inject(SYN | ACK | (i ? ECE : 0), 0, 1, FULL_WND, 0, &mss_only);
        expect_state(TCP_ESTABLISHED);
        app_send(10);
        expect(ACK, 1, 1, 10);
        expect_ecn(i ? ECN_ECT0 : ECN_NOT_ECT);
        end();
    }
}

/* ---- what may be marked ---- */

/* RFC 3168 6.1.4 to 6.1.6: new text and nothing else. */
static void rfc3168_6_1_4_only_new_text_may_be_marked(void **state)
{
    (void)state;
    open_ecn();
    app_send(10);
    expect(ACK, 1, 1, 10);
    expect_ecn(ECN_ECT0);
    advance(tcb()->rtt.rto);
    expect(ACK, 1, 1, 10);
    expect_why(REASON_SEND_RTO);
    expect_ecn(ECN_NOT_ECT);
    inject(ACK, 1, 11, FULL_WND, 0);
    inject(ACK, 101, 11, 0, 10); /* it closes the window as well */
    expect(ACK, 11, 1, 0);       /* a duplicate acknowledgment */
    expect_ecn(ECN_NOT_ECT);
    app_send(10);
    expect_nothing();
    advance(tcb()->rtt.rto);
    expect(ACK, 11, 1, 1);
    expect_why(REASON_SEND_PROBE);
    expect_ecn(ECN_NOT_ECT);
    inject(ACK, 101, 12, FULL_WND, 0);
    expect(ACK | CWR, 12, 1, 9); /* the time-out had reduced cwnd */
    expect_ecn(ECN_ECT0);
    app_close();
    expect(FIN | ACK, 21, 1, 0);
    expect_ecn(ECN_NOT_ECT);
    app_abort();
    expect(RST | ACK, 22, 1, 0);
    expect_ecn(ECN_NOT_ECT);
    end();
}

/* RFC 3168 6.1.1, 6.1.5: a probe of the tail that is new text may be marked, one that is not may
 * not. */
static void rfc3168_6_1_5_a_probe_of_the_tail(void **state)
{
    const struct tcp_options opt = {.has_mss = true, .mss = MSS, .sack_ok = true};

    (void)state;
    for (unsigned fresh = 0; fresh < 2; fresh++) {
        defaults();
        rig.cfg.tcp.ecn = rig.cfg.tcp.sack = true;
        begin();
        app_open();
        rig_expect_syn(SYN | ECE | CWR);
        rig_inject(SYN | ACK | ECE, 0, 1, FULL_WND, 0, &opt);
        expect(ACK, 1, 1, 0);
        app_send((10 + fresh) * MSS);
        for (uint32_t i = 0; i < 10; i++)
            expect(ACK, 1 + i * MSS, 1, MSS);
        expect_nothing();
        advance(tcb()->flight->timer[FLIGHT_PTO] - rig.now);
        expect(ACK, 1 + (9 + fresh) * MSS, 1, MSS);
        expect_why(REASON_SEND_TLP);
        expect_ecn(fresh ? ECN_ECT0 : ECN_NOT_ECT);
        end();
    }
}

/* ---- as receiver ---- */

/* RFC 8504 5.12-a, and tcp6_ecn_test.c shows it over IPv6.
 * RFC 3168 6.1.3: from a mark on each acknowledgment says ECE, until text says CWR. */
static void rfc3168_6_1_3_a_mark_is_echoed_until_cwr(void **state)
{
    (void)state;
    open_ecn();
    inject(ACK, 1, 1, FULL_WND, 10);
    advance(40 * MSEC);
    expect(ACK, 1, 11, 0);
    marked(ACK, 11, 1, 10);
    advance(40 * MSEC);
    expect(ACK | ECE, 1, 21, 0);
    inject(ACK, 21, 1, FULL_WND, 10);
    advance(40 * MSEC);
    expect(ACK | ECE, 1, 31, 0);
    app_send(10); /* data does so, too */
    expect(ACK | ECE, 1, 31, 10);
    inject(ACK | CWR, 31, 11, FULL_WND, 0); /* no text, so not what it should be */
    inject(ACK, 31, 11, FULL_WND, 10);
    advance(40 * MSEC);
    expect(ACK | ECE, 11, 41, 0);
    inject(ACK | CWR, 41, 11, FULL_WND, 10);
    advance(40 * MSEC);
    expect(ACK, 11, 51, 0);
    marked(ACK | CWR, 51, 11, 10); /* slowed down already, and marked again */
    advance(40 * MSEC);
    expect(ACK | ECE, 11, 61, 0);
    app_read(60);
    end();
}

/* RFC 3168 6.1.5: what is outside the window, or false, or has no text, counts for nothing. */
static void rfc3168_6_1_5_a_mark_on_what_is_dropped_counts_for_nothing(void **state)
{
    (void)state;
    open_ecn();
    ecn_inject(ACK, (uint32_t)-5000, 1, 10, ECN_CE);
    ecn_inject(ACK, 100000, 1, 10, ECN_CE);
    ecn_inject(ACK, 1, 1000, 10, ECN_CE);
    marked(ACK, 1, 1, 0);
    ecn_inject(ACK, 1, 1, 10, ECN_ECT1);
    ecn_inject(ACK, 11, 1, 10, ECN_ECT0);
    while (rig_take_tcp())
        assert_int_equal(rig.seg.flags & ECE, 0);
    assert_false(tcb()->ecn_echo);
    assert_int_equal(stack_count(rig.st, REASON_ECN_MARK), 0);
    marked(ACK, 21, 1, 10);
    assert_int_equal(stack_count(rig.st, REASON_ECN_MARK), 1);
    app_read(30);
    end();
}

/* Without an agreement marks and flags are not looked at. */
static void without_an_agreement_nothing_is_echoed(void **state)
{
    (void)state;
    speaking();
    open_passive();
    marked(ACK, 1, 1, 10);
    advance(40 * MSEC);
    expect(ACK, 1, 11, 0);
    app_send(10 * MSS);
    drain();
    inject(ACK | ECE, 11, 1 + MSS, FULL_WND, 0);
    counted(ECN_REDUCED, 0);
    app_send(MSS);
    drain();
    app_read(10);
    end();
}

/* A reset and a SYN-ACK say nothing of marks. */
static void a_reset_echoes_nothing(void **state)
{
    (void)state;
    open_ecn();
    marked(ACK, 1, 1, 10);
    app_abort();
    expect(RST | ACK, 1, 11, 0);
    end();
}

/* ---- as sender ---- */

/* Ten full segments in flight, all that the initial window allows. */
static void ten_in_flight(void)
{
    open_ecn();
    app_send(20 * MSS);
    for (uint32_t i = 0; i < 10; i++)
        expect(ACK, 1 + i * MSS, 1, MSS);
    expect_nothing();
}

/* RFC 8504 5.12-a, over IPv6 as well.
 * SHLD-8, RFC 3168 6.1.2: as after a loss, once for all that was in flight; nothing is sent again,
 * and the next new text says CWR. */
static void rfc3168_6_1_2_an_echo_slows_down_once_for_a_flight(void **state)
{
    (void)state;
    ten_in_flight();
    inject(ACK | ECE, 1, 1 + MSS, FULL_WND, 0);
    counted(ECN_REDUCED, 1);
    assert_int_equal(tcb()->cc.cwnd, 5 * MSS);
    assert_int_equal(tcb()->cc.ssthresh, 5 * MSS);
    expect_nothing();
    for (uint32_t i = 2; i <= 5; i++)
        inject(ACK | ECE, 1, 1 + i * MSS, FULL_WND, 0);
    assert_int_equal(tcb()->cc.cwnd, 5 * MSS); /* it does not grow by them, either */
    inject(ACK | ECE, 1, 1 + 6 * MSS, FULL_WND, 0);
    expect(ACK | CWR, 1 + 10 * MSS, 1, MSS);
    expect_ecn(ECN_ECT0);
    inject(ACK | ECE, 1, 1 + 8 * MSS, FULL_WND, 0);
    expect(ACK, 1 + 11 * MSS, 1, MSS); /* it said so once */
    expect(ACK, 1 + 12 * MSS, 1, MSS);
    inject(ACK | ECE, 1, 1 + 10 * MSS, FULL_WND, 0); /* the last of that flight */
    assert_int_equal(tcb()->cc.cwnd, 5 * MSS);
    counted(ECN_REDUCED, 1);
    expect(ACK, 1 + 13 * MSS, 1, MSS);
    expect(ACK, 1 + 14 * MSS, 1, MSS);
    inject(ACK | ECE, 1, 1 + 11 * MSS, FULL_WND, 0); /* one of the next, and it is marked */
    counted(ECN_REDUCED, 2);
    counted(LOSS_DETECTED, 0);
    assert_int_equal(tcb()->retransmits, 0);
    end();
}

/* RFC 3168 6.1.2: cwnd grows by an acknowledgment without ECE only. */
static void rfc3168_6_1_2_cwnd_does_not_grow_by_an_echo(void **state)
{
    uint32_t cwnd;

    (void)state;
    ten_in_flight();
    inject(ACK, 1, 1 + MSS, FULL_WND, 0);
    cwnd = tcb()->cc.cwnd;
    assert_int_equal(cwnd, 11 * MSS);
    drain();
    inject(ACK | ECE, 1, 1 + 2 * MSS, FULL_WND, 0);
    assert_true(tcb()->cc.cwnd < cwnd);
    end();
}

/* RFC 3168 6.1.2: a loss in a flight that was slowed down for is the same congestion; and where
 * the loss came first, so is the echo. The loss is repaired in either case. */
static void rfc3168_6_1_2_a_loss_and_an_echo_of_one_flight_count_once(void **state)
{
    (void)state;
    ten_in_flight();
    inject(ACK | ECE, 1, 1 + MSS, FULL_WND, 0);
    for (unsigned i = 0; i < 3; i++)
        inject(ACK | ECE, 1, 1 + MSS, FULL_WND, 0);
    counted(LOSS_DETECTED, 1);
    assert_int_equal(tcb()->cc.ssthresh, 5 * MSS);
    expect(ACK, 1 + MSS, 1, MSS);
    expect_why(REASON_SEND_FAST_RETRANSMIT);
    expect_ecn(ECN_NOT_ECT);
    end();

    ten_in_flight();
    for (unsigned i = 0; i < 3; i++)
        inject(ACK, 1, 1, FULL_WND, 0);
    counted(LOSS_DETECTED, 1);
    assert_int_equal(tcb()->cc.ssthresh, 5 * MSS);
    inject(ACK | ECE, 1, 1, FULL_WND, 0);
    inject(ACK | ECE, 1, 1 + 5 * MSS, FULL_WND, 0);
    counted(ECN_REDUCED, 0);
    end();
}

/* ... and a loss behind that flight is one of its own. */
static void a_loss_behind_that_flight_counts(void **state)
{
    (void)state;
    ten_in_flight();
    inject(ACK | ECE, 1, 1 + MSS, FULL_WND, 0);
    inject(ACK | ECE, 1, 1 + 10 * MSS, FULL_WND, 0);
    for (uint32_t i = 0; i < 5; i++)
        expect(i ? ACK : ACK | CWR, 1 + (10 + i) * MSS, 1, MSS);
    for (unsigned i = 0; i < 3; i++)
        inject(ACK, 1, 1 + 10 * MSS, FULL_WND, 0);
    counted(LOSS_DETECTED, 1);
    assert_int_equal(tcb()->cc.ssthresh, 5 * MSS / 2);
    end();
}

/* RFC 3168 6.1.2: CWR follows a reduction for any reason. */
static void rfc3168_6_1_2_a_loss_says_cwr_as_well(void **state)
{
    (void)state;
    ten_in_flight();
    for (unsigned i = 0; i < 3; i++)
        inject(ACK, 1, 1, FULL_WND, 0);
    while (rig_take_tcp() && rig.why != REASON_SEND_FAST_RETRANSMIT)
        continue;
    assert_int_equal(rig.seg.flags & CWR, 0);
    inject(ACK, 1, 1 + 10 * MSS, FULL_WND, 0);
    assert_true(rig_take_tcp());
    assert_int_equal(rig.seg.flags & CWR, CWR);
    assert_int_equal(rig.ip.tos & 3, ECN_ECT0);
    end();
}

/* ---- a reduction that is taken back ---- */

enum {
    TS_MSS = MSS - 12, /* what timestamps leave */
};

/*
 * RFC 3168 6.1.2, RFC 4015: it says no CWR, which would end the receiver's word of a mark that it
 * did see; and that word, of the same flight, counts.
 */
static void what_is_undone_says_no_cwr(void **state)
{
    struct tcp_options both = {.has_mss = true, .mss = MSS, .has_timestamp = true, .ts_val = 100};
    uint32_t first;

    (void)state;
    defaults();
    rig.cfg.tcp.ecn = rig.cfg.tcp.timestamps = true;
    begin();
    app_open();
    rig_expect_syn(SYN | ECE | CWR);
    both.ts_ecr = rig.seg.opt.ts_val;
    rig_inject(SYN | ACK | ECE, 0, 1, FULL_WND, 0, &both);
    expect(ACK, 1, 1, 0);
    app_send(30 * TS_MSS);
    for (uint32_t i = 0; i < 10; i++)
        expect(ACK, 1 + i * TS_MSS, 1, TS_MSS);
    first = rig.seg.opt.ts_val;
    advance(5 * MSEC);
    for (unsigned i = 0; i < 3; i++)
        inject_opt(ACK, 1, 1, FULL_WND, .has_timestamp = true, .ts_val = 101, .ts_ecr = first);
    expect(ACK, 1, 1, TS_MSS);
    expect_why(REASON_SEND_FAST_RETRANSMIT);
    drain();
    inject_opt(ACK, 1, 1 + 4 * TS_MSS, FULL_WND, .has_timestamp = true, .ts_val = 102,
               .ts_ecr = first);
    counted(UNDO_ECHO, 1);
    assert_true(rig_take_tcp());
    rig_reason("what leaves", rig.why, REASON_SEND_DATA);
    assert_int_equal(rig.seg.flags & CWR, 0);
    drain();
    inject_opt(ACK | ECE, 1, 1 + 6 * TS_MSS, FULL_WND, .has_timestamp = true, .ts_val = 103,
               .ts_ecr = first);
    counted(ECN_REDUCED, 1);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc3168_6_1_1_active_open_needs_ece_alone),
        cmocka_unit_test(rfc3168_6_1_1_passive_open_needs_both),
        cmocka_unit_test(rfc3168_6_1_1_1_a_syn_that_timed_out_is_plain),
        cmocka_unit_test(a_second_syn_without_it_ends_it),
        cmocka_unit_test(rfc3168_6_1_1_simultaneous_open_needs_it_twice),
        cmocka_unit_test(rfc3168_6_1_4_only_new_text_may_be_marked),
        cmocka_unit_test(rfc3168_6_1_5_a_probe_of_the_tail),
        cmocka_unit_test(rfc3168_6_1_3_a_mark_is_echoed_until_cwr),
        cmocka_unit_test(rfc3168_6_1_5_a_mark_on_what_is_dropped_counts_for_nothing),
        cmocka_unit_test(without_an_agreement_nothing_is_echoed),
        cmocka_unit_test(a_reset_echoes_nothing),
        cmocka_unit_test(rfc3168_6_1_2_an_echo_slows_down_once_for_a_flight),
        cmocka_unit_test(rfc3168_6_1_2_cwnd_does_not_grow_by_an_echo),
        cmocka_unit_test(rfc3168_6_1_2_a_loss_and_an_echo_of_one_flight_count_once),
        cmocka_unit_test(a_loss_behind_that_flight_counts),
        cmocka_unit_test(rfc3168_6_1_2_a_loss_says_cwr_as_well),
        cmocka_unit_test(what_is_undone_says_no_cwr),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
