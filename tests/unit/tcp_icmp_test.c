/*
 * What ICMP errors do to a connection (RFC 9293 section 3.9.2.2): soft and hard ones, those that
 * say that a packet was too big, and those that nobody should believe (RFC 5927).
 */
#include "icmp_kit.h"

/* The application is told of it. */
static void rig_error(enum reason why)
{
    struct stack_event e;

    if (!stack_event(rig.st, &e))
        fail_msg("%s: there is no event", rig_where());
    rig_same("event", e.kind, EV_ERROR);
    rig_reason("the error told", e.why, why);
}

#define expect_error(why) AT(rig_error(why))

/* A connection with 100 bytes in flight. */
static void begin_sending(void)
{
    defaults();
    begin();
    open_passive();
    app_send(100);
    expect(ACK, 1, 1, 100);
}

/* ---- soft errors ---- */

static const struct {
    uint8_t type, code;
    enum reason why;
} soft[] = {
    {ICMP_UNREACHABLE, 0, REASON_ICMP_SOFT_NET},
    {ICMP_UNREACHABLE, 1, REASON_ICMP_SOFT_HOST},
    {ICMP_UNREACHABLE, 5, REASON_ICMP_SOFT_SOURCE_ROUTE},
    {ICMP_TIME_EXCEEDED, 0, REASON_ICMP_SOFT_TTL},
    {ICMP_TIME_EXCEEDED, 1, REASON_ICMP_SOFT_REASSEMBLY},
    {ICMP_PARAM_PROBLEM, 0, REASON_ICMP_SOFT_PARAMETER},
    {ICMP_PARAM_PROBLEM, 1, REASON_ICMP_SOFT_PARAMETER},
    {ICMP_UNREACHABLE, 7, REASON_ICMP_SOFT_OTHER},
    {ICMP_UNREACHABLE, 13, REASON_ICMP_SOFT_PROHIBITED},
};

enum {
    SOFT = sizeof(soft) / sizeof(soft[0]),
};

/* MUST-54, MUST-56, SHLD-25: each reaches the connection that it is about, is told by its kind, and
 * changes nothing, while opening and afterwards.
 * RFC 1122 3.2.2-d, 3.2.2.1-b, 3.2.2.1-d, 3.2.2.4-a, 3.2.2.5-b, 3.2.2.5-c, 3.4-d. */
static void soft_errors_end_nothing(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SOFT; i++) {
        defaults();
        begin();
        app_open();
        expect_syn();
        icmp(soft[i].type, soft[i].code, .seq = 0);
        assert_int_equal(stack_count(rig.st, soft[i].why), 1);
        expect_error(soft[i].why);
        expect_no_event();
        expect_nothing();
        expect_state(TCP_SYN_SENT);
        inject_opt(SYN | ACK, 0, 1, FULL_WND, .has_mss = true, .mss = MSS);
        expect(ACK, 1, 1, 0);
        expect_event(EV_CONNECTED);
        app_send(100);
        expect(ACK, 1, 1, 100);
        icmp(soft[i].type, soft[i].code, .seq = 1);
        assert_int_equal(stack_count(rig.st, soft[i].why), 2);
        expect_error(soft[i].why);
        advance(SEC);
        expect(ACK, 1, 1, 100); /* and goes on trying */
        expect_why(REASON_SEND_RTO);
        inject(ACK, 1, 101, FULL_WND, 0);
        expect_state(TCP_ESTABLISHED);
        end();
    }
}

/* MUST-56: not even many of them, with nobody answering, shorten the time until R2. */
static void soft_errors_do_not_hurry_the_end(void **state)
{
    int64_t began;

    (void)state;
    begin_sending();
    began = rig.now;
    while (rig.now - began < 299 * SEC) {
        icmp(ICMP_UNREACHABLE, ICMP_UNREACH_HOST, .seq = 1);
        advance(SEC);
        drain();
        expect_state(TCP_ESTABLISHED);
    }
    advance(120 * SEC);
    expect_closed(REASON_END_TIMED_OUT);
    end();
}

/* MUST-55: source quench is dropped, and changes nothing. */
static void source_quench(void **state)
{
    uint32_t cwnd;

    (void)state;
    begin_sending();
    cwnd = tcb()->cc.cwnd;
    icmp_drop(REASON_ICMP_SOURCE_QUENCH, ICMP_SOURCE_QUENCH, 0, .seq = 1);
    assert_int_equal(tcb()->cc.cwnd, cwnd);
    expect_no_event();
    expect_nothing();
    end();
}

/* ---- hard errors ---- */

/* By code, from 2 on. */
static const enum reason hard[] = {REASON_ICMP_HARD_PROTOCOL, REASON_ICMP_HARD_PORT,
                                   REASON_ICMP_HARD_FRAGMENT};

/* SHLD-26: while opening, a hard error ends it at once; code 4 too, as a SYN cannot be smaller.
 * RFC 1122 3.2.2.1-c. */
static void hard_errors_end_an_opening(void **state)
{
    (void)state;
    for (uint8_t code = 2; code <= 4; code++) {
        defaults();
        begin();
        app_open();
        expect_syn();
        icmp(ICMP_UNREACHABLE, code, .seq = 0, .size = 100);
        expect_error(hard[code - 2]);
        expect_closed(REASON_END_UNREACHABLE);
        expect_nothing();
        counted(END_UNREACHABLE, 1);
        end();
    }
}

/* SHLD-26: in an open connection, when R1 retransmissions have confirmed it by silence, long before
 * R2. The tick before it is still open. */
static void hard_errors_end_a_silent_connection(void **state)
{
    (void)state;
    for (uint8_t code = 2; code <= 4; code++) {
        int64_t rto;

        begin_sending();
        rto = tcb()->rtt.rto;
        icmp(ICMP_UNREACHABLE, code, .seq = 1);
        assert_int_equal(stack_count(rig.st, hard[code - 2]), 1);
        expect_error(hard[code - 2]);
        expect_no_event();
        for (unsigned i = 0; i < 3; i++) {
            expect_silence(rto << i);
            expect(ACK, 1, 1, 100);
        }
        expect_silence(rto << 3);
        expect_error(REASON_REPORT_R1);
        expect_closed(REASON_END_UNREACHABLE);
        expect_nothing();
        end();
    }
}

/* RFC 5927 5.2: a hard error that the next acknowledgment contradicts did nothing. */
static void an_answer_refutes_a_hard_error(void **state)
{
    (void)state;
    begin_sending();
    icmp(ICMP_UNREACHABLE, ICMP_UNREACH_PORT, .seq = 1);
    expect_error(REASON_ICMP_HARD_PORT);
    inject(ACK, 1, 101, FULL_WND, 0);
    app_send(10);
    for (unsigned i = 0; i < 5; i++) {
        expect(ACK, 101, 1, 10);
        advance(tcb()->rtt.rto);
    }
    expect_state(TCP_ESTABLISHED);
    expect_error(REASON_REPORT_R1);
    expect_no_event();
    end();
}

/* SHLD-26: to the letter, if that is wished for. */
static void hard_errors_may_end_at_once(void **state)
{
    (void)state;
    for (uint8_t code = 2; code <= 4; code++) {
        defaults();
        rig.cfg.tcp.icmp_hard_aborts = true;
        begin();
        open_passive();
        app_send(100);
        expect(ACK, 1, 1, 100);
        icmp_drop(REASON_ICMP_SEQUENCE, ICMP_UNREACHABLE, code, .seq = 101);
        expect_state(TCP_ESTABLISHED);
        icmp(ICMP_UNREACHABLE, code, .seq = 100);
        expect_error(hard[code - 2]);
        expect_closed(REASON_END_UNREACHABLE);
        expect_nothing();
        end();
    }
}

/* ---- too big ---- */

/* A connection with three full segments in flight. */
static void begin_full(void)
{
    defaults();
    begin();
    open_passive();
    app_send(3 * MSS);
    for (uint32_t i = 0; i < 3; i++)
        expect(ACK, 1 + i * MSS, 1, MSS);
}

/* MUST-54 (RFC 1191 6): segments become smaller, what is in flight is sent again in that size, and
 * congestion control does not mind.
 * RFC 1122 3.3.3-a. */
static void fragmentation_needed(void **state)
{
    uint32_t cwnd, at = 1;

    (void)state;
    begin_full();
    cwnd = tcb()->cc.cwnd;
    icmp(ICMP_UNREACHABLE, ICMP_UNREACH_NEEDFRAG, .seq = 1, .mtu = 1040, .size = MSS + 40);
    counted(ICMP_PMTU, 1);
    assert_int_equal(tcb()->snd_mss, 1000);
    assert_int_equal(tcb()->cc.cwnd, cwnd);
    /* the errors that the other two caused are late */
    icmp_drop(REASON_ICMP_MTU, ICMP_UNREACHABLE, ICMP_UNREACH_NEEDFRAG, .seq = 1 + MSS, .mtu = 1040,
              .size = MSS + 40);
    for (; at + 1000 <= 1 + 3 * MSS; at += 1000) {
        expect(ACK, at, 1, 1000);
        expect_why(REASON_SEND_SMALLER);
        assert_true(rig.ip.total_len <= 1040 && rig.ip.df);
    }
    expect(ACK, at, 1, 3 * MSS + 1 - at);
    expect_nothing();
    inject(ACK, 1, 1 + 3 * MSS, FULL_WND, 0);
    app_send(2000);
    expect(ACK, 1 + 3 * MSS, 1, 1000); /* and so are new ones */
    counted(LOSS_DETECTED, 0);
    counted(RTO_EXPIRED, 0);
    end();
}

/* Until what an error claims is believed. */
static void wait_for_claim(void)
{
    assert_true(tcb()->flight->path.claimed);
    advance(tcb()->flight->timer[FLIGHT_CLAIM] - rig.now);
}

/* A step further down, and again: each router of a path may have its say; of less than 552 bytes
 * silence has to convince (path.h). */
static void smaller_and_smaller(void **state)
{
    static const uint16_t mtu[] = {1400, 576, 88};

    (void)state;
    begin_full();
    for (unsigned i = 0; i < 3; i++) {
        uint32_t size = tcb()->snd_mss + 40u;

        icmp(ICMP_UNREACHABLE, ICMP_UNREACH_NEEDFRAG, .seq = 1, .mtu = mtu[i], .size = size);
        if (mtu[i] < PATH_MTU_DOUBTFUL4)
            wait_for_claim();
        assert_int_equal(tcb()->snd_mss, mtu[i] - 40);
        expect(ACK, 1, 1, mtu[i] - 40u);
    }
    drain();
    end();
}

/* RFC 1191 7: an old router says nothing, and the next common size is taken. BAD-INPUT's MTU 0 to
 * 68 leave segments that are worth sending. */
static void sizes_that_make_no_sense(void **state)
{
    (void)state;
    begin_full();
    icmp(ICMP_UNREACHABLE, ICMP_UNREACH_NEEDFRAG, .seq = 1, .mtu = 0, .size = 1500);
    assert_int_equal(tcb()->snd_mss, 1492 - 40);
    icmp(ICMP_UNREACHABLE, ICMP_UNREACH_NEEDFRAG, .seq = 1, .mtu = 0, .size = 1492);
    assert_int_equal(tcb()->snd_mss, 1006 - 40);
    icmp(ICMP_UNREACHABLE, ICMP_UNREACH_NEEDFRAG, .seq = 1, .mtu = 0, .size = 1006);
    wait_for_claim();
    assert_int_equal(tcb()->snd_mss, 508 - 40);
    drain();
    end();
    for (uint32_t mtu = 1; mtu <= 88; mtu++) {
        begin_full();
        icmp(ICMP_UNREACHABLE, ICMP_UNREACH_NEEDFRAG, .seq = 1, .mtu = mtu, .size = 1500);
        assert_int_equal(tcb()->snd_mss, MSS);
        wait_for_claim();
        assert_int_equal(tcb()->snd_mss, 48);
        expect(ACK, 1, 1, 48);
        expect_state(TCP_ESTABLISHED);
        end();
    }
}

/* RFC 5927 7: no reason to send less. */
static void sizes_that_are_not_believed(void **state)
{
    (void)state;
    begin_full();
    /* as large as what it is about, and larger */
    icmp_drop(REASON_ICMP_MTU, ICMP_UNREACHABLE, ICMP_UNREACH_NEEDFRAG, .seq = 1, .mtu = 1500,
              .size = 1500);
    icmp_drop(REASON_ICMP_MTU, ICMP_UNREACHABLE, ICMP_UNREACH_NEEDFRAG, .seq = 1, .mtu = 65535,
              .size = 1500);
    icmp_drop(REASON_ICMP_MTU, ICMP_UNREACHABLE, ICMP_UNREACH_NEEDFRAG, .seq = 1, .mtu = 600,
              .size = 600);
    /* about a packet that we never sent: larger than ours, or with fragments allowed */
    icmp_drop(REASON_ICMP_MTU, ICMP_UNREACHABLE, ICMP_UNREACH_NEEDFRAG, .seq = 1, .mtu = 0,
              .size = 65535);
    icmp_drop(REASON_ICMP_MTU, ICMP_UNREACHABLE, ICMP_UNREACH_NEEDFRAG, .seq = 1, .mtu = 600,
              .size = 1500, .fragments = true);
    /* not in flight */
    icmp_drop(REASON_ICMP_SEQUENCE, ICMP_UNREACHABLE, ICMP_UNREACH_NEEDFRAG, .seq = 0, .mtu = 600,
              .size = 1500);
    icmp_drop(REASON_ICMP_SEQUENCE, ICMP_UNREACHABLE, ICMP_UNREACH_NEEDFRAG, .seq = 1 + 3 * MSS,
              .mtu = 600, .size = 1500);
    assert_int_equal(tcb()->snd_mss, MSS);
    expect_nothing();
    end();
}

/* Duplicates that sending again has caused say of no loss. */
static void duplicates_afterwards(void **state)
{
    uint32_t cwnd;

    (void)state;
    begin_full();
    icmp(ICMP_UNREACHABLE, ICMP_UNREACH_NEEDFRAG, .seq = 1, .mtu = 1040, .size = 1500);
    while (rig_take())
        continue;
    cwnd = tcb()->cc.cwnd;
    for (unsigned i = 0; i < 5; i++)
        inject(ACK, 1, 1, FULL_WND, 0);
    counted(LOSS_DETECTED, 0);
    assert_int_equal(tcb()->cc.cwnd, cwnd);
    expect_nothing();
    end();
}

/* ---- forged ones ---- */

/* RFC 5927 4.1: each edge of what is in flight, on both sides of the wrap of sequence numbers. */
static void only_what_is_in_flight(void **state)
{
    (void)state;
    begin_sending();
    for (uint8_t code = 0; code < 16; code++) {
        icmp_drop(REASON_ICMP_SEQUENCE, ICMP_UNREACHABLE, code, .seq = 0);
        icmp_drop(REASON_ICMP_SEQUENCE, ICMP_UNREACHABLE, code, .seq = 101);
        icmp_drop(REASON_ICMP_SEQUENCE, ICMP_UNREACHABLE, code, .seq = 0x80000001);
    }
    icmp(ICMP_UNREACHABLE, ICMP_UNREACH_HOST, .seq = 1);
    icmp(ICMP_UNREACHABLE, ICMP_UNREACH_HOST, .seq = 100);
    expect_error(REASON_ICMP_SOFT_HOST);
    inject(ACK, 1, 101, FULL_WND, 0);
    /* nothing is in flight: nothing can be believed */
    for (uint32_t seq = 0; seq < 200; seq++)
        icmp_drop(REASON_ICMP_SEQUENCE, ICMP_UNREACHABLE, ICMP_UNREACH_PORT, .seq = seq);
    expect_no_event();
    expect_nothing();
    end();
}

/* MUST-54: to the connection that caused it, and to no other.
 * RFC 1122 3.2.2-d. */
static void quotes_of_somebody_else(void **state)
{
    struct flow first;

    (void)state;
    begin_sending();
    first = flow;
    flow = (struct flow){.local_port = LOCAL_PORT, .remote_port = REMOTE_PORT + 1, .irs = 77};
    open_passive();
    app_send(100);
    expect(ACK, 1, 1, 100);
    icmp_drop(REASON_ICMP_QUOTE, ICMP_UNREACHABLE, 3, .seq = 1, .other_port = REMOTE_PORT + 2);
    icmp_drop(REASON_ICMP_QUOTE, ICMP_UNREACHABLE, 3, .seq = 1, .other_addr = REMOTE_V4 + 1);
    icmp_drop(REASON_ICMP_QUOTE, ICMP_UNREACHABLE, 3, .seq = 1, .proto = 132);
    assert_int_equal(tcb()->soft_error, REASON_NONE);
    icmp(ICMP_UNREACHABLE, 3, .seq = 1);
    assert_int_equal(tcb()->soft_error, REASON_ICMP_HARD_PORT);
    flow = first;
    assert_int_equal(tcb()->soft_error, REASON_NONE);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(soft_errors_end_nothing),
        cmocka_unit_test(soft_errors_do_not_hurry_the_end),
        cmocka_unit_test(source_quench),
        cmocka_unit_test(hard_errors_end_an_opening),
        cmocka_unit_test(hard_errors_end_a_silent_connection),
        cmocka_unit_test(an_answer_refutes_a_hard_error),
        cmocka_unit_test(hard_errors_may_end_at_once),
        cmocka_unit_test(fragmentation_needed),
        cmocka_unit_test(smaller_and_smaller),
        cmocka_unit_test(sizes_that_make_no_sense),
        cmocka_unit_test(sizes_that_are_not_believed),
        cmocka_unit_test(duplicates_afterwards),
        cmocka_unit_test(only_what_is_in_flight),
        cmocka_unit_test(quotes_of_somebody_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
