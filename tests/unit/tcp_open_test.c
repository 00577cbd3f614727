/* Opening a connection, in every way that RFC 9293 section 3.5 knows, and all that can go wrong. */
#include "tcp_kit.h"

/* ---- the ordinary ways ---- */

static void passive_open(void **state)
{
    (void)state;
    defaults();
    begin();
    app_listen(1);
    assert_int_equal(inject_opt(SYN, 0, 0, FULL_WND, .has_mss = true, .mss = MSS), REASON_NONE);
    expect_syn_ack();
    expect_why(REASON_SEND_SYN_ACK);
    assert_true(rig.seg.opt.has_mss);
    assert_int_equal(rig.seg.opt.mss, MSS);
    expect_state(TCP_SYN_RECEIVED);
    expect_no_event();
    inject(ACK, 1, 1, FULL_WND, 0);
    expect_event(EV_ACCEPTED);
    expect_state(TCP_ESTABLISHED);
    expect_nothing();
    end();
}

static void active_open(void **state)
{
    (void)state;
    defaults();
    begin();
    app_open();
    expect_syn();
    expect_why(REASON_SEND_SYN);
    expect_state(TCP_SYN_SENT);
    expect_no_event();
    inject(SYN | ACK, 0, 1, FULL_WND, 0);
    expect(ACK, 1, 1, 0);
    expect_why(REASON_SEND_HANDSHAKE_ACK);
    expect_event(EV_CONNECTED);
    expect_no_event();
    expect_nothing();
    end();
}

/* U-4: what is sent and received before the connection is open waits, and then goes. */
static void user_calls_wait_for_the_handshake(void **state)
{
    (void)state;
    defaults();
    begin();
    app_open();
    app_send(10);
    app_read_says(-EAGAIN);
    expect_syn();
    expect_nothing();
    inject(SYN | ACK, 0, 1, FULL_WND, 0);
    expect(ACK, 1, 1, 10);
    expect_nothing();
    inject(ACK, 1, 11, FULL_WND, 0);
    assert_int_equal(tcb()->snd_q.bytes, 0);
    end();
}

/* Close before the SYN-ACK: the connection is deleted, and what comes then is answered by RST. */
static void close_in_syn_sent(void **state)
{
    (void)state;
    defaults();
    begin();
    app_open();
    expect_syn();
    app_close();
    expect_closed(REASON_END_ABORTED);
    expect_nothing();
    inject_drop(REASON_TCP_NO_CONNECTION, SYN | ACK, 0, 1, FULL_WND, 0);
    expect(RST, 1, 0, 0);
    end();
}

/* Text behind a listener's SYN waits for its retransmission: it is not acknowledged. */
static void data_on_the_syn(void **state)
{
    (void)state;
    defaults();
    begin();
    app_listen(1);
    inject(SYN, 0, 0, FULL_WND, 5);
    expect_syn_ack();
    inject(ACK, 1, 1, FULL_WND, 5);
    expect_event(EV_ACCEPTED);
    expect_event(EV_READABLE);
    app_read(5);
    end();
}

/* Behind a SYN-ACK it is taken at once (3.10.7.3). */
static void data_on_the_syn_ack(void **state)
{
    (void)state;
    defaults();
    begin();
    app_open();
    expect_syn();
    inject(SYN | ACK, 0, 1, FULL_WND, 5);
    expect(ACK, 1, 6, 0);
    expect_nothing();
    expect_event(EV_CONNECTED);
    expect_event(EV_READABLE);
    app_read(5);
    end();
}

/* ---- SYN-SENT: what is refused, ignored, answered ---- */

static void refused(void **state)
{
    (void)state;
    defaults();
    begin();
    app_open();
    expect_syn();
    inject(RST | ACK, 0, 1, 0, 0);
    expect_closed(REASON_END_REFUSED);
    expect_state(TCP_CLOSED);
    expect_nothing();
    end();
}

/* U-3. */
static void resets_in_syn_sent_that_do_not_count(void **state)
{
    (void)state;
    defaults();
    begin();
    app_open();
    expect_syn();
    inject_drop(REASON_TCP_SYN_SENT_RST, RST, 0, 0, 0, 0);
    inject_drop(REASON_TCP_SYN_SENT_ACK, RST | ACK, 0, 0, 0, 0);
    inject_drop(REASON_TCP_SYN_SENT_ACK, RST | ACK, 0, 2, 0, 0);
    expect_nothing();
    expect_no_event();
    expect_state(TCP_SYN_SENT);
    end();
}

/* An ACK for something never sent gets RST with its number; the opening goes on. */
static void wrong_acks_in_syn_sent(void **state)
{
    static const uint32_t wrong[] = {0, 2, (uint32_t)-1, 0x80000000};

    (void)state;
    defaults();
    begin();
    app_open();
    expect_syn();
    for (unsigned i = 0; i < 4; i++) {
        inject_drop(REASON_TCP_SYN_SENT_ACK, SYN | ACK, 0, wrong[i], FULL_WND, 0);
        expect(RST, wrong[i], 0, 0);
        inject_drop(REASON_TCP_SYN_SENT_ACK, ACK, 0, wrong[i], FULL_WND, 0);
        expect(RST, wrong[i], 0, 0);
        expect_state(TCP_SYN_SENT);
    }
    inject_drop(REASON_TCP_SYN_SENT_OTHER, ACK, 1, 1, FULL_WND, 0);
    inject_drop(REASON_TCP_SYN_SENT_OTHER, FIN | ACK, 1, 1, FULL_WND, 0);
    inject_drop(REASON_TCP_SYN_SENT_OTHER, ACK, 1, 1, FULL_WND, 10);
    inject_drop(REASON_TCP_SYN_SENT_OTHER, FIN, 1, 0, FULL_WND, 0);
    expect_nothing();
    inject(SYN | ACK, 0, 1, FULL_WND, 0);
    expect(ACK, 1, 1, 0);
    expect_event(EV_CONNECTED);
    end();
}

/* ---- SYN-RECEIVED ---- */

static void wrong_acks_in_syn_received(void **state)
{
    static const uint32_t wrong[] = {0, 2, (uint32_t)-1};

    (void)state;
    defaults();
    begin();
    app_listen(1);
    inject(SYN, 0, 0, FULL_WND, 0);
    expect_syn_ack();
    for (unsigned i = 0; i < 3; i++) {
        inject_drop(REASON_TCP_SYN_RECEIVED_ACK, ACK, 1, wrong[i], FULL_WND, 0);
        expect(RST, wrong[i], 0, 0);
        expect_state(TCP_SYN_RECEIVED);
    }
    inject(ACK, 1, 1, FULL_WND, 0);
    expect_event(EV_ACCEPTED);
    end();
}

static void the_same_syn_again(void **state)
{
    (void)state;
    defaults();
    begin();
    app_listen(1);
    inject(SYN, 0, 0, FULL_WND, 0);
    expect_syn_ack();
    inject(SYN, 0, 0, FULL_WND, 0);
    expect(SYN | ACK, 0, 1, 0);
    advance(10 * MSEC);
    inject(ACK, 1, 1, FULL_WND, 0);
    counted(RTT_SAMPLE, 0); /* which of the two was acknowledged? */
    expect_event(EV_ACCEPTED);
    inject(SYN, 0, 0, FULL_WND, 0); /* a late copy */
    expect(ACK, 1, 1, 0);
    expect_state(TCP_ESTABLISHED);
    end();
}

/* A different SYN within the window returns a passive connection to LISTEN (3.10.7.4). */
static void another_syn_in_the_window(void **state)
{
    (void)state;
    defaults();
    begin();
    app_listen(1);
    inject(SYN, 0, 0, FULL_WND, 0);
    expect_syn_ack();
    inject(SYN, 10, 0, FULL_WND, 0);
    expect_nothing();
    expect_state(TCP_CLOSED);
    expect_no_event();
    flow.irs += 10;
    inject(SYN, 0, 0, FULL_WND, 0);
    expect_syn_ack();
    end();
}

/* Outside the window it is asked about; the RST that answers leads back to LISTEN. */
static void an_old_syn(void **state)
{
    (void)state;
    defaults();
    begin();
    app_listen(1);
    inject(SYN, 0, 0, FULL_WND, 0);
    expect_syn_ack();
    inject(SYN, (uint32_t)-100, 0, FULL_WND, 0);
    expect(ACK, 1, 1, 0);
    expect_state(TCP_SYN_RECEIVED);
    inject(RST, 1, 0, 0, 0);
    expect_state(TCP_CLOSED);
    expect_no_event();
    end();
}

/* Nobody but one who opens himself answers a SYN-ACK with a SYN-ACK. */
static void a_syn_ack_for_a_passive_open(void **state)
{
    (void)state;
    defaults();
    begin();
    app_listen(1);
    inject(SYN, 0, 0, FULL_WND, 0);
    expect_syn_ack();
    inject_drop(REASON_TCP_SYN_CHALLENGED, SYN | ACK, 0, 1, FULL_WND, 0);
    expect(ACK, 1, 1, 0);
    expect_state(TCP_SYN_RECEIVED);
    end();
}

/* MUST-11, U-5: RFC 9293 3.10.7.4 with RFC 5961: exact ends it and tells nobody, in the window is
 * challenged. */
static void reset_of_a_passive_open(void **state)
{
    (void)state;
    defaults();
    begin();
    app_listen(1);
    inject(SYN, 0, 0, FULL_WND, 0);
    expect_syn_ack();
    inject_drop(REASON_TCP_RST_CHALLENGED, RST, 2, 0, 0, 0);
    expect(ACK, 1, 1, 0);
    inject_drop(REASON_TCP_SEQUENCE, RST, 0, 0, 0, 0);
    inject_drop(REASON_TCP_SEQUENCE, RST, 1 + FULL_WND, 0, 0, 0);
    expect_nothing();
    expect_state(TCP_SYN_RECEIVED);
    inject(RST, 1, 0, 0, 0);
    expect_state(TCP_CLOSED);
    expect_no_event();
    expect_nothing();
    inject(SYN, 0, 0, FULL_WND, 0); /* the listener is there as before */
    expect_syn_ack();
    inject(RST | ACK, 1, 1, 0, 0); /* with ACK it is no different */
    expect_state(TCP_CLOSED);
    expect_no_event();
    end();
}

/* FIN and data may come with the ACK that completes the handshake, or before it. */
static void fin_completes_the_handshake(void **state)
{
    (void)state;
    defaults();
    begin();
    app_listen(1);
    inject(SYN, 0, 0, FULL_WND, 0);
    expect_syn_ack();
    inject_drop(REASON_TCP_NO_ACK, FIN, 1, 0, FULL_WND, 3);
    expect_nothing();
    inject(FIN | ACK, 1, 1, FULL_WND, 3);
    expect(ACK, 1, 5, 0);
    expect_event(EV_ACCEPTED);
    expect_event(EV_READABLE);
    expect_event(EV_PEER_CLOSED);
    app_read(3);
    app_read_says(0);
    expect_state(TCP_CLOSE_WAIT);
    end();
}

/* ---- simultaneous open (MUST-10) ---- */

static void to_simultaneous(void)
{
    defaults();
    begin();
    app_open();
    expect_syn();
    inject_opt(SYN, 0, 0, FULL_WND, .has_mss = true, .mss = MSS);
    expect(SYN | ACK, 0, 1, 0);
    expect_state(TCP_SYN_RECEIVED);
    expect_no_event();
}

/* MUST-10. */
static void simultaneous_open(void **state)
{
    (void)state;
    to_simultaneous();
    inject(SYN | ACK, 0, 1, FULL_WND, 0);
    expect_event(EV_CONNECTED);
    expect_state(TCP_ESTABLISHED);
    assert_int_equal(tcb()->snd_wnd, FULL_WND);
    app_send(5);
    expect(ACK, 1, 1, 5);
    end();
}

/* The timer of the SYN expires and the other SYN comes before anything leaves: one first SYN-ACK.
 */
static void simultaneous_open_as_the_timer_expires(void **state)
{
    (void)state;
    defaults();
    begin();
    app_open();
    expect_syn();
    advance(1 * SEC);
    inject_opt(SYN, 0, 0, FULL_WND, .has_mss = true, .mss = MSS);
    expect(SYN | ACK, 0, 1, 0);
    expect_why(REASON_SEND_SYN_ACK);
    expect_nothing();
    end();
}

/* MUST-10: a remote node whose SYN-ACK was lost may already be sending. */
static void simultaneous_open_ended_by_an_ack(void **state)
{
    (void)state;
    to_simultaneous();
    inject(ACK, 1, 1, FULL_WND, 5);
    expect_event(EV_CONNECTED);
    expect_event(EV_READABLE);
    app_read(5);
    end();
}

/* MUST-10: our SYN-ACK was lost: the remote SYN comes again, and our own timer repeats it, too. */
static void simultaneous_open_losing_our_syn_ack(void **state)
{
    (void)state;
    to_simultaneous();
    expect_why(REASON_SEND_SYN_ACK);
    inject(SYN, 0, 0, FULL_WND, 0);
    expect(SYN | ACK, 0, 1, 0);
    expect_why(REASON_SEND_SYN_ACK_AGAIN);
    expect_silence(1 * SEC);
    expect(SYN | ACK, 0, 1, 0);
    expect_why(REASON_SEND_SYN_ACK_AGAIN);
    inject(SYN | ACK, 0, 1, FULL_WND, 0);
    expect_event(EV_CONNECTED);
    inject(SYN | ACK, 0, 1, FULL_WND, 0); /* again: it missed ours */
    expect(ACK, 1, 1, 0);
    expect_state(TCP_ESTABLISHED);
    end();
}

/* MUST-11: reached by an active open, a reset is a refusal, and is told. */
static void simultaneous_open_reset(void **state)
{
    (void)state;
    to_simultaneous();
    inject_drop(REASON_TCP_RST_CHALLENGED, RST, 2, 0, 0, 0);
    expect(ACK, 1, 1, 0);
    inject(RST, 1, 0, 0, 0);
    expect_closed(REASON_END_REFUSED);
    expect_nothing();
    end();
}

/* An old SYN makes SYN-RECEIVED; a SYN in the window is challenged, not obeyed (RFC 5961 4.2). */
static void simultaneous_open_other_syn(void **state)
{
    (void)state;
    to_simultaneous();
    inject_drop(REASON_TCP_SYN_CHALLENGED, SYN, 5, 0, FULL_WND, 0);
    expect(ACK, 1, 1, 0);
    expect_state(TCP_SYN_RECEIVED);
    end();
}

static void simultaneous_open_wrong_ack(void **state)
{
    (void)state;
    to_simultaneous();
    inject_drop(REASON_TCP_SYN_RECEIVED_ACK, SYN | ACK, 0, 2, FULL_WND, 0);
    expect(RST, 2, 0, 0);
    inject_drop(REASON_TCP_SYN_RECEIVED_ACK, ACK, 1, 0, FULL_WND, 0);
    expect(RST, 0, 0, 0);
    expect_state(TCP_SYN_RECEIVED);
    end();
}

/* A close in SYN-RECEIVED sends the FIN when the handshake is done. */
static void close_in_syn_received(void **state)
{
    (void)state;
    to_simultaneous();
    app_send(5);
    app_close();
    assert_int_equal(stack_send_copy(rig.st, flow.id, "x", 1), -EPIPE);
    expect_nothing();
    inject(SYN | ACK, 0, 1, FULL_WND, 0);
    expect(FIN | ACK, 1, 1, 5);
    expect_state(TCP_FIN_WAIT_1);
    expect_event(EV_CONNECTED);
    inject(ACK, 1, 7, FULL_WND, 0);
    expect_state(TCP_FIN_WAIT_2);
    end();
}

static void abort_while_opening(void **state)
{
    (void)state;
    defaults();
    begin();
    app_open();
    expect_syn();
    app_abort(); /* SYN-SENT: nobody is told */
    expect_nothing();
    expect_closed(REASON_END_ABORTED);
    end();
    to_simultaneous();
    app_abort();
    expect(RST | ACK, 1, 1, 0);
    expect_nothing();
    expect_closed(REASON_END_ABORTED);
    end();
}

/* ---- limits ---- */

/* A full SYN queue, no cookies: the oldest half-open connection makes room for a newer SYN. */
static void eviction(void **state)
{
    (void)state;
    defaults();
    rig.cfg.tcp.syn_queue = 2;
    rig.cfg.tcp.syn_cookies = false;
    begin();
    app_listen(8);
    for (uint16_t i = 0; i < 3; i++) {
        flow.remote_port = (uint16_t)(REMOTE_PORT + i);
        assert_int_equal(inject(SYN, 0, 0, FULL_WND, 0), REASON_NONE);
        expect_syn_ack();
        expect_nothing();
    }
    assert_int_equal(stack_totals(rig.st)->conns, 2);
    counted(EMBRYO_EVICTED, 1);
    flow.remote_port = REMOTE_PORT;
    inject_drop(REASON_TCP_LISTEN_ACK, ACK, 1, 1, FULL_WND, 0); /* it has to begin again */
    expect(RST, 1, 0, 0);
    end();
}

static void table_full(void **state)
{
    struct stack_open how = {.remote = REMOTE_ADDR, .remote_port = 9};
    struct conn_id id;

    (void)state;
    defaults();
    rig.cfg.max_conns = 1;
    rig.cfg.tcp.syn_cookies = false;
    begin();
    app_listen(8);
    open_passive();
    flow.remote_port++;
    inject_drop(REASON_TCP_TABLE_FULL, SYN, 0, 0, FULL_WND, 0);
    expect_nothing();
    assert_int_equal(stack_open(rig.st, &how, &id), -ENFILE);
    flow.remote_port--;
    inject(RST, 1, 0, 0, 0);
    expect_closed(REASON_END_RESET);
    flow.remote_port++;
    assert_int_equal(inject(SYN, 0, 0, FULL_WND, 0), REASON_NONE);
    expect_syn_ack();
    flow.remote_port++; /* a full table, too, has room where one is only half open */
    assert_int_equal(inject(SYN, 0, 0, FULL_WND, 0), REASON_NONE);
    assert_int_equal(stack_totals(rig.st)->conns_peak, 1);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(passive_open),
        cmocka_unit_test(active_open),
        cmocka_unit_test(user_calls_wait_for_the_handshake),
        cmocka_unit_test(close_in_syn_sent),
        cmocka_unit_test(data_on_the_syn),
        cmocka_unit_test(data_on_the_syn_ack),
        cmocka_unit_test(refused),
        cmocka_unit_test(resets_in_syn_sent_that_do_not_count),
        cmocka_unit_test(wrong_acks_in_syn_sent),
        cmocka_unit_test(wrong_acks_in_syn_received),
        cmocka_unit_test(the_same_syn_again),
        cmocka_unit_test(another_syn_in_the_window),
        cmocka_unit_test(an_old_syn),
        cmocka_unit_test(a_syn_ack_for_a_passive_open),
        cmocka_unit_test(reset_of_a_passive_open),
        cmocka_unit_test(fin_completes_the_handshake),
        cmocka_unit_test(simultaneous_open),
        cmocka_unit_test(simultaneous_open_ended_by_an_ack),
        cmocka_unit_test(simultaneous_open_losing_our_syn_ack),
        cmocka_unit_test(simultaneous_open_as_the_timer_expires),
        cmocka_unit_test(simultaneous_open_reset),
        cmocka_unit_test(simultaneous_open_other_syn),
        cmocka_unit_test(simultaneous_open_wrong_ack),
        cmocka_unit_test(close_in_syn_received),
        cmocka_unit_test(abort_while_opening),
        cmocka_unit_test(eviction),
        cmocka_unit_test(table_full),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
