/* Urgent data (RFC 9293 section 3.8.5): what we say of ours, and what we hear of theirs. */
#include "tcp_kit.h"

enum {
    URG = TCP_URG,
    RCV = 4000, /* bytes of receive buffer where it is to be filled */
};

/* The remote node sends a segment with this urgent pointer. */
static enum reason inject_urgent(uint8_t flags, uint32_t seq, uint32_t ack, uint32_t len,
                                 uint16_t pointer)
{
    struct addr local = LOCAL_ADDR, remote = REMOTE_ADDR;
    uint8_t data[DEVICE_BUF];
    struct tcp_hdr hdr = {
        .sport = flow.remote_port,
        .dport = flow.local_port,
        .seq = flow.irs + seq,
        .ack = flags & ACK ? flow.iss + ack : 0,
        .wnd = FULL_WND,
        .urg = pointer,
        .flags = flags,
    };

    pattern_fill(data, seq + (flags & SYN ? 1 : 0), len);
    return rig_segment(&remote, &local, &hdr, data, len);
}

#define urgent_at(seq, len, pointer)                                                               \
    AT(rig_reason("the verdict", inject_urgent(ACK | URG, seq, 1, len, pointer), REASON_NONE))
#define expect_pointer(n) AT(rig_same("urgent pointer", rig.seg.urg, n))
#define expect_left(n)    AT(rig_same("urgent", stack_urgent_left(rig.st, flow.id), n))
#define app_urgent()      assert_int_equal(stack_urgent(rig.st, flow.id), 0)

static void begin_passive(void)
{
    defaults();
    begin();
    open_passive();
}

/* ---- sending ---- */

/* MUST-30, MUST-62: the pointer counts to the octet behind the urgent ones, from the segment's. */
static void pointer_behind_the_last_urgent_octet(void **state)
{
    (void)state;
    begin_passive();
    app_send(100);
    app_urgent();
    app_send(50); /* not urgent */
    expect(ACK | URG, 1, 1, 150);
    expect_pointer(100);
    inject(ACK, 1, 151, FULL_WND, 0);
    app_send(10);
    expect(ACK, 151, 1, 10);
    expect_pointer(0);
    inject(ACK, 1, 161, FULL_WND, 1);
    advance(40 * MSEC);
    expect(ACK, 161, 2, 0);
    end();
}

/* MUST-30: every segment that begins before the end of urgent data says so, no other one does. */
static void every_segment_before_the_end(void **state)
{
    (void)state;
    begin_passive();
    app_send(2 * MSS);
    app_urgent();
    app_send(MSS);
    expect(ACK | URG, 1, 1, MSS);
    expect_pointer(2 * MSS);
    expect(ACK | URG, 1 + MSS, 1, MSS);
    expect_pointer(MSS);
    expect(ACK, 1 + 2 * MSS, 1, MSS);
    inject(ACK, 1, 1 + MSS, FULL_WND, 0);
    expect_silence(tcb()->rtt.rto); /* lost: it is still urgent when it is sent again */
    expect(ACK | URG, 1 + MSS, 1, MSS);
    expect_why(REASON_SEND_RTO);
    expect_pointer(MSS);
    end();
}

/* MUST-31: more than the field can say: it says the most it can until the end comes near. */
static void urgent_data_of_any_length(void **state)
{
    const struct tcp_options opt = {.has_mss = true, .mss = MSS, .has_wscale = true, .wscale = 4};
    uint32_t total = 200000, seq = 1;

    (void)state;
    defaults();
    begin();
    open_passive_with(&opt, FULL_WND, FULL_WND);
    app_send(total);
    app_urgent();
    app_send(1000);
    while (seq <= total) {
        uint32_t left = 1 + total - seq;

        if (!rig_take_tcp()) {
            inject(ACK, 1, seq, FULL_WND, 0);
            continue;
        }
        rig_same("seq", rig.seg.seq - flow.iss, seq);
        rig_same("flags", rig.seg.flags & ~PSH, ACK | URG);
        expect_pointer(min32(left, 65535));
        pattern_check(rig.data, seq, rig.len);
        seq += rig.len;
    }
    rig_same("the last segment is urgent in part", seq > 1 + total, 1);
    end();
}

/* The bits of one stretch reach as far as the last call; nothing new is no call. */
static void urgent_data_may_grow(void **state)
{
    struct stack_conn_status status;

    (void)state;
    begin_passive();
    app_send(10);
    app_urgent();
    app_send(20);
    app_urgent();
    app_urgent();
    expect(ACK | URG, 1, 1, 30);
    expect_pointer(30);
    expect_nothing();
    assert_int_equal(stack_status(rig.st, flow.id, &status), 0);
    assert_int_equal(status.send_urgent, 30);
    inject(ACK, 1, 11, FULL_WND, 0);
    assert_int_equal(stack_status(rig.st, flow.id, &status), 0);
    assert_int_equal(status.send_urgent, 20);
    inject(ACK, 1, 31, FULL_WND, 0);
    assert_int_equal(stack_status(rig.st, flow.id, &status), 0);
    assert_int_equal(status.send_urgent, 0);
    app_urgent(); /* nothing is queued that could be urgent */
    expect_nothing();
    end();
}

/* MUST-30: a closed window holds back the bytes, but not word of them; a probe says it again. */
static void word_into_a_closed_window(void **state)
{
    (void)state;
    begin_passive();
    app_send(10);
    expect(ACK, 1, 1, 10);
    inject(ACK, 1, 11, 0, 0);
    app_send(300);
    expect_nothing();
    app_urgent();
    expect(ACK | URG, 11, 1, 0);
    expect_why(REASON_SEND_URGENT);
    expect_pointer(300);
    expect_nothing();
    counted(SEND_URGENT, 1);
    expect_silence(tcb()->rtt.rto);
    expect(ACK | URG, 11, 1, 1);
    expect_why(REASON_SEND_PROBE);
    expect_pointer(300);
    inject(ACK, 1, 11, 0, 0); /* refused; what is bare leaves at the window's edge now */
    app_send(5);
    app_urgent();
    expect(ACK | URG, 11, 1, 0);
    expect_pointer(305);
    end();
}

/* The same where congestion control holds them back. */
static void word_past_a_full_congestion_window(void **state)
{
    uint32_t flight = 0;

    (void)state;
    begin_passive();
    app_send(30 * MSS);
    while (rig_take_tcp())
        flight += rig.len;
    assert_true(flight < 30 * MSS);
    app_urgent();
    expect(ACK | URG, 1 + flight, 1, 0);
    expect_why(REASON_SEND_URGENT);
    expect_pointer(30 * MSS - flight);
    end();
}

/* What waits by Nagle's rule waits no longer when it is urgent. */
static void nagle_does_not_hold_urgent_data(void **state)
{
    (void)state;
    begin_passive();
    app_send(10);
    expect(ACK, 1, 1, 10);
    app_send(10);
    expect_nothing();
    app_urgent();
    expect(ACK | URG, 11, 1, 10);
    expect_pointer(10);
    end();
}

/* All of it in flight already: what is sent again says it. */
static void urgent_after_it_was_sent(void **state)
{
    (void)state;
    begin_passive();
    app_send(10);
    expect(ACK, 1, 1, 10);
    app_urgent();
    expect_nothing();
    expect_silence(tcb()->rtt.rto);
    expect(ACK | URG, 1, 1, 10);
    expect_pointer(10);
    end();
}

/* Queued in SYN-SENT: no SYN speaks of it, the first segment with text does. */
static void urgent_before_the_handshake(void **state)
{
    (void)state;
    defaults();
    begin();
    app_open();
    app_send(10);
    app_urgent();
    expect_syn();
    advance(SEC);
    expect_syn();
    inject(SYN | ACK, 0, 1, FULL_WND, 0);
    expect(ACK | URG, 1, 1, 10);
    expect_pointer(10);
    end();
}

static void urgent_calls_that_fail(void **state)
{
    struct conn_id id;

    (void)state;
    begin_passive();
    id = flow.id;
    id.generation++;
    assert_int_equal(stack_urgent(rig.st, id), -EBADF);
    assert_int_equal(stack_urgent_left(rig.st, id), 0);
    go(TCP_CLOSE_WAIT);
    app_send(10); /* the remote end has closed; we may still send */
    app_urgent();
    expect(ACK | URG, 1, 2, 10);
    app_close();
    assert_int_equal(stack_urgent(rig.st, flow.id), -EPIPE);
    expect(FIN | ACK, 11, 2, 0);
    end();
}

/* A reset is no place for it. */
static void no_urgent_resets(void **state)
{
    (void)state;
    begin_passive();
    inject(ACK, 1, 1, 0, 0);
    app_send(10);
    app_urgent();
    app_abort();
    expect(RST | ACK, 1, 1, 0);
    expect_pointer(0);
    expect_nothing();
    end();
}

/* ---- receiving ---- */

/* MUST-30, MUST-32, MUST-33: told before the bytes are, with how many; they are read in line. */
static void an_urgent_pointer_is_told(void **state)
{
    struct stack_conn_status status;

    (void)state;
    begin_passive();
    expect_left(0);
    urgent_at(1, 10, 3);
    expect_event(EV_URGENT);
    expect_event(EV_READABLE);
    expect_no_event();
    expect_left(3);
    assert_int_equal(stack_status(rig.st, flow.id, &status), 0);
    assert_int_equal(status.receive_urgent, 3);
    app_read(1);
    expect_left(2);
    app_read(2);
    expect_left(0);
    app_read(7);
    expect_left(0);
    counted(URGENT, 1);
    end();
}

/* MUST-32: told again whenever the pointer advances, and only then. */
static void each_advance_is_told(void **state)
{
    (void)state;
    begin_passive();
    urgent_at(1, 10, 10);
    expect_event(EV_URGENT);
    expect_event(EV_READABLE);
    urgent_at(11, 10, 0); /* where the first ended */
    expect_event(EV_READABLE);
    urgent_at(21, 10, 1); /* one more */
    expect_event(EV_URGENT);
    expect_event(EV_READABLE);
    expect_left(21);
    urgent_at(1, 31, 20); /* old bytes again, and an old pointer */
    expect_event(EV_READABLE);
    expect_no_event();
    urgent_at(1, 32, 25); /* old bytes again, and a new one */
    expect_event(EV_URGENT);
    expect_event(EV_READABLE);
    expect_left(25);
    app_read(32);
    expect_left(0);
    urgent_at(33, 1, 1); /* with none pending */
    expect_event(EV_URGENT);
    expect_event(EV_READABLE);
    counted(URGENT, 4);
    end();
}

/* MUST-31, MUST-33: a pointer beyond the text, as far as the field reaches; the bytes follow. */
static void a_pointer_beyond_the_text(void **state)
{
    (void)state;
    begin_passive();
    urgent_at(1, 0, 65535);
    expect_event(EV_URGENT);
    expect_no_event();
    expect_left(65535);
    app_read_says(-EAGAIN);
    inject(ACK, 1, 1, FULL_WND, 1000);
    expect_event(EV_READABLE);
    expect_left(65535);
    app_read(1000);
    expect_left(64535);
    for (uint32_t seq = 1001; seq < 3001; seq += 1000) { /* it may well seem to run ahead of us */
        urgent_at(seq, 1000, 65535);
        expect_event(EV_URGENT);
        expect_event(EV_READABLE);
        app_read(1000);
        expect_left(64535);
    }
    end();
}

/* A pointer into what was read, or none at all: nothing is said. */
static void pointers_to_nowhere(void **state)
{
    (void)state;
    begin_passive();
    urgent_at(1, 10, 0);
    expect_event(EV_READABLE);
    expect_no_event();
    app_read(10);
    urgent_at(1, 15, 9); /* the octet behind the urgent ones was read, too */
    expect_event(EV_READABLE);
    expect_no_event();
    expect_left(0);
    app_read(5);
    rig_reason("the verdict", rig_inject(ACK, 16, 1, FULL_WND, 5, NULL), REASON_NONE);
    inject_urgent(ACK, 21, 1, 5, 5); /* a pointer without the bit */
    expect_event(EV_READABLE);
    expect_no_event();
    expect_left(0);
    counted(URGENT, 0);
    end();
}

/* MUST-66: heard while the window is closed, from an empty segment and from a probe. */
static void heard_through_a_closed_window(void **state)
{
    (void)state;
    defaults();
    rig.cfg.tcp.rcv_buf = RCV;
    begin();
    open_passive();
    for (uint32_t seq = 1; seq < RCV; seq += 1000)
        inject(ACK, seq, 1, FULL_WND, 1000);
    expect(ACK, 1, 1 + RCV, 0);
    expect_wnd(0);
    expect_event(EV_READABLE);
    urgent_at(1 + RCV, 0, 7);
    expect_event(EV_URGENT);
    expect_left(RCV + 7);
    urgent_at(1 + RCV, 1, 8);
    expect_event(EV_URGENT);
    expect_no_event(); /* the probe's octet found no room */
    expect_left(RCV + 8);
    end();
}

/* Bytes are missing before it: word of urgent data does not wait for them. */
static void told_ahead_of_a_gap(void **state)
{
    (void)state;
    begin_passive();
    urgent_at(101, 100, 50);
    expect_event(EV_URGENT);
    expect_no_event();
    expect_left(150);
    inject(ACK, 1, 1, FULL_WND, 100);
    expect_event(EV_READABLE);
    expect_no_event();
    app_read(150);
    expect_left(0);
    app_read(50);
    end();
}

/* What is not acceptable says nothing: outside the window, or with an ACK of the future. */
static void what_is_dropped_says_nothing(void **state)
{
    (void)state;
    defaults();
    rig.cfg.tcp.rcv_buf = RCV;
    begin();
    open_passive();
    assert_int_equal(inject_urgent(ACK | URG, 1 + RCV, 1, 10, 5), REASON_TCP_SEQUENCE);
    assert_int_equal(inject_urgent(ACK | URG, 1, 2, 10, 5), REASON_TCP_ACK_FUTURE);
    assert_int_equal(inject_urgent(PSH | URG, 1, 1, 10, 5), REASON_TCP_NO_ACK);
    assert_int_equal(inject_urgent(SYN | ACK | URG, 1, 1, 10, 5), REASON_TCP_SYN_CHALLENGED);
    expect_no_event();
    expect_left(0);
    end();
}

/* On a SYN for a listener it means nothing; on a SYN-ACK that brings text it counts from the SYN.
 */
static void together_with_a_syn(void **state)
{
    (void)state;
    defaults();
    begin();
    app_listen(1);
    assert_int_equal(inject_urgent(SYN | URG, 0, 0, 0, 100), REASON_NONE);
    expect_syn_ack();
    inject(ACK, 1, 1, FULL_WND, 0);
    expect_event(EV_ACCEPTED);
    expect_no_event();
    expect_left(0);
    end();
    defaults();
    begin();
    app_open();
    expect_syn();
    assert_int_equal(inject_urgent(SYN | ACK | URG, 0, 1, 10, 4), REASON_NONE);
    expect_event(EV_CONNECTED);
    expect_event(EV_URGENT);
    expect_event(EV_READABLE);
    expect_left(3);
    end();
}

/* Before the FIN it may promise too much; behind it there is no more to come, nor to be said. */
static void at_the_end_of_the_stream(void **state)
{
    (void)state;
    begin_passive();
    urgent_at(1, 10, 100);
    expect_event(EV_URGENT);
    expect_event(EV_READABLE);
    expect_left(100);
    inject(FIN | ACK, 11, 1, FULL_WND, 0);
    expect_event(EV_PEER_CLOSED);
    expect_left(10);
    app_read(4);
    expect_left(6);
    inject_urgent(ACK | URG, 12, 1, 0, 500);
    expect_no_event();
    app_read(6);
    expect_left(0);
    app_read_says(0);
    end();
    begin_passive(); /* exactly up to the FIN */
    assert_int_equal(inject_urgent(FIN | ACK | URG, 1, 1, 10, 10), REASON_NONE);
    expect_event(EV_URGENT);
    expect_event(EV_READABLE);
    expect_event(EV_PEER_CLOSED);
    expect_left(10);
    app_read(9);
    expect_left(1);
    app_read(1);
    expect_left(0);
    end();
}

/* We have closed our side: theirs may still be urgent. */
static void urgent_after_our_close(void **state)
{
    static const enum tcp_state states[] = {TCP_FIN_WAIT_1, TCP_FIN_WAIT_2};

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        begin_passive();
        go(states[i]);
        assert_int_equal(inject_urgent(ACK | URG, 1, 1 + i, 10, 10), REASON_NONE);
        expect_event(EV_URGENT);
        expect_left(10);
        end();
    }
}

/* Numbers wrap at 2^32: the ends of urgent data, both ways, lie behind it. */
static void urgent_across_the_wrap(void **state)
{
    struct tcb ends = {.local = LOCAL_ADDR,
                       .remote = REMOTE_ADDR,
                       .local_port = LOCAL_PORT,
                       .remote_port = REMOTE_PORT};

    (void)state;
    for (uint32_t i = 0; i < 12; i++) {
        defaults();
        begin();
        rig.now += (int64_t)(uint32_t)(-i - flow_isn(rig.st, &ends)) * 4 * USEC;
        stack_tick(rig.st, rig.now);
        flow.irs = -i;
        open_passive();
        assert_int_equal(flow.iss, -i);
        app_send(5);
        app_urgent();
        expect(ACK | URG, 1, 1, 5);
        expect_pointer(5);
        inject(ACK, 1, 6, FULL_WND, 0);
        assert_int_equal(inject_urgent(ACK | URG, 1, 6, 6, 6), REASON_NONE);
        expect_event(EV_URGENT);
        expect_event(EV_READABLE);
        expect_left(6);
        app_read(6);
        expect_left(0);
        end();
    }
}

/* Gibibytes later an end that was reached long ago must not lie ahead: it goes with the stream. */
static void the_ends_go_with_the_streams(void **state)
{
    (void)state;
    begin_passive();
    app_send(10);
    app_urgent();
    expect(ACK | URG, 1, 1, 10);
    urgent_at(1, 10, 10);
    app_read(10);
    for (uint32_t i = 1; i < 4; i++) {
        inject(ACK, 1 + 10 * i, 1 + 10 * i, FULL_WND, 10);
        app_read(10);
        app_send(10);
        expect(ACK, 1 + 10 * i, 11 + 10 * i, 10);
        assert_int_equal(tcb()->snd_up, flow.iss + 1 + 10 * i);
        assert_int_equal(tcb()->rcv_up, flow.irs + 11 + 10 * i);
        expect_left(0);
    }
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pointer_behind_the_last_urgent_octet),
        cmocka_unit_test(every_segment_before_the_end),
        cmocka_unit_test(urgent_data_of_any_length),
        cmocka_unit_test(urgent_data_may_grow),
        cmocka_unit_test(word_into_a_closed_window),
        cmocka_unit_test(word_past_a_full_congestion_window),
        cmocka_unit_test(nagle_does_not_hold_urgent_data),
        cmocka_unit_test(urgent_after_it_was_sent),
        cmocka_unit_test(urgent_before_the_handshake),
        cmocka_unit_test(urgent_calls_that_fail),
        cmocka_unit_test(no_urgent_resets),
        cmocka_unit_test(an_urgent_pointer_is_told),
        cmocka_unit_test(each_advance_is_told),
        cmocka_unit_test(a_pointer_beyond_the_text),
        cmocka_unit_test(pointers_to_nowhere),
        cmocka_unit_test(heard_through_a_closed_window),
        cmocka_unit_test(told_ahead_of_a_gap),
        cmocka_unit_test(what_is_dropped_says_nothing),
        cmocka_unit_test(together_with_a_syn),
        cmocka_unit_test(at_the_end_of_the_stream),
        cmocka_unit_test(urgent_after_our_close),
        cmocka_unit_test(urgent_across_the_wrap),
        cmocka_unit_test(the_ends_go_with_the_streams),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
