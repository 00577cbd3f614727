/*
 * Which segments are usual, and so may go the short way: one that is, and then everything that may
 * be different about it or its connection, one thing at a time.
 */
#include "tcp/usual.h"

#include "base/time.h"
#include "tcp/ecn.h"
#include "wire_check.h"

enum {
    WND = 1000,
    UNA = 5000,
    NXT = 5100,
    LEN = 10,
};

static const uint32_t seq = 0xfffffff0; /* so that the window lies across 2^32 */
static struct flight flight;
static struct tcb c;
static struct tcp_hdr hdr;

/* 100 bytes are in flight, and the segment brings ten, and acknowledges all. */
static void begin(void)
{
    memset(&flight, 0, sizeof(flight));
    c = (struct tcb){
        .state = TCP_ESTABLISHED,
        .ts_ok = true,
        .ecn_ok = true,
        .ts_recent = 77,
        .rcv_nxt = seq,
        .rcv_adv = seq + WND,
        .snd_una = UNA,
        .snd_nxt = NXT,
        .snd_wnd = WND,
        .flight = &flight,
    };
    hdr = (struct tcp_hdr){
        .seq = seq,
        .ack = NXT,
        .wnd = 10,
        .flags = TCP_ACK | TCP_PSH,
        .opt = {.has_timestamp = true, .ts_val = 77},
    };
}

static bool is_usual(uint32_t len)
{
    return usual_is(&c, &hdr, len);
}

/* With this the segment is not usual; and without it it is. */
#define UNUSUAL(what)                                                                              \
    do {                                                                                           \
        assert_true(is_usual(LEN));                                                                \
        what;                                                                                      \
        assert_false(is_usual(LEN));                                                               \
        begin();                                                                                   \
    } while (0)

static void test_the_segment(void **state)
{
    static const uint8_t bits[] = {TCP_FIN, TCP_SYN, TCP_RST, TCP_URG, TCP_ECE, TCP_CWR};

    (void)state;
    begin();
    for (size_t i = 0; i < sizeof(bits); i++)
        UNUSUAL(hdr.flags |= bits[i]);
    UNUSUAL(hdr.flags = TCP_PSH);
    UNUSUAL(hdr.seq--);
    UNUSUAL(hdr.seq++);
    UNUSUAL(hdr.ack = NXT + 1);
    UNUSUAL(hdr.ack = UNA - 1);
    UNUSUAL(hdr.wnd = 0);
    UNUSUAL(hdr.opt.sack_n = 1);
    UNUSUAL(hdr.opt.has_timestamp = false);
    UNUSUAL(hdr.opt.ts_val--);
    UNUSUAL(hdr.ecn = ECN_CE);
    hdr.flags = TCP_ACK;
    hdr.ecn = ECN_ECT0;
    hdr.opt.ts_val++;
    hdr.ack = UNA + 1;
    assert_true(is_usual(LEN));
}

static void test_the_connection(void **state)
{
    (void)state;
    begin();
    for (int i = 0; i <= TCP_TIME_WAIT; i++)
        if (i != TCP_ESTABLISHED)
            UNUSUAL(c.state = (uint8_t)i);
    UNUSUAL(c.fin_arrived = true);
    UNUSUAL(c.released = true);
    UNUSUAL(c.ecn_limited = true);
    UNUSUAL(c.snd_wnd = 0);
    UNUSUAL(c.reasm.first = (void *)&c);
    UNUSUAL(c.rcv_adv = c.rcv_nxt + LEN - 1);
    UNUSUAL(c.flight = NULL);
    c.rcv_adv = c.rcv_nxt + LEN;
    assert_true(is_usual(LEN));
    c.ts_ok = false;
    hdr.opt.has_timestamp = false;
    assert_true(is_usual(LEN));
}

/* Beside what makes it uneasy (arrival_test). */
static void test_what_is_in_flight(void **state)
{
    (void)state;
    begin();
    UNUSUAL(flight.recovery.phase = RECOVERY_FAST);
    UNUSUAL(flight.board.sacked = 1);
    UNUSUAL(flight.board.lost = 1);
    UNUSUAL(flight.board.resent = 1);
    UNUSUAL(flight.probe.active = true);
    UNUSUAL(flight.path.larger = true);
    UNUSUAL(flight.path.claimed = true);
}

/* The acknowledgment says nothing new. Text may come with it while nothing is in flight. */
static void test_text_alone(void **state)
{
    (void)state;
    begin();
    hdr.ack = UNA;
    assert_false(is_usual(LEN));
    c.snd_nxt = UNA;
    assert_true(is_usual(LEN));
    assert_false(is_usual(0)); /* a new window, or a duplicate */
    flight.board.n = 1;
    assert_false(is_usual(LEN));
    flight.board.n = 0;
    flight.rate.next.losses = 1;
    assert_false(is_usual(LEN));
    flight.rate.next.losses = 0;
    flight.tlp.probing = true;
    assert_false(is_usual(LEN));
    c.flight = NULL;
    assert_true(is_usual(LEN));
    c.ecn_limited = true;
    assert_false(is_usual(LEN));
    c.ecn_limited = false;
    hdr.opt.sack_n = 1;
    assert_false(is_usual(LEN));
    hdr.opt.sack_n = 0;
    hdr.wnd = 0;
    assert_false(is_usual(LEN));
    hdr.wnd = 10;
    c.snd_wnd = 0;
    assert_false(is_usual(LEN));
}

/* All of a window, or none of anything. */
static void test_an_acknowledgment_alone(void **state)
{
    (void)state;
    begin();
    assert_true(is_usual(0));
    assert_true(is_usual(WND));
    assert_false(is_usual(WND + 1));
    c.rcv_adv = c.rcv_nxt; /* our window is closed */
    assert_true(is_usual(0));
    assert_false(is_usual(1));
}

/* What goes the whole way may have a usual acknowledgment, in any state that has text or had. */
static void test_an_acknowledgment_of_the_whole_way(void **state)
{
    (void)state;
    begin();
    for (int i = 0; i <= TCP_TIME_WAIT; i++) {
        c.state = (uint8_t)i;
        assert_int_equal(ack_is_usual(&c, &hdr), i >= TCP_ESTABLISHED);
    }
    hdr.flags |= TCP_ECE;
    assert_false(ack_is_usual(&c, &hdr));
    c.ecn_ok = false;
    assert_true(ack_is_usual(&c, &hdr));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_segment),
        cmocka_unit_test(test_the_connection),
        cmocka_unit_test(test_what_is_in_flight),
        cmocka_unit_test(test_text_alone),
        cmocka_unit_test(test_an_acknowledgment_alone),
        cmocka_unit_test(test_an_acknowledgment_of_the_whole_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
