/*
 * Data in both directions: acknowledgments and their delay, Nagle, PSH, the wrap of sequence
 * numbers, and whose memory the bytes stand in.
 */
#include "tcp_kit.h"

static void begin_open(void)
{
    defaults();
    begin();
    open_passive();
}

/* ---- acknowledging (3.8.6.3) ---- */

/* SHLD-18, MUST-40: one segment's acknowledgment waits for less than half a second. */
static void the_ack_is_delayed(void **state)
{
    (void)state;
    begin_open();
    assert_true(rig.cfg.tcp.delack_ns < 500 * MSEC);
    inject(ACK, 1, 1, FULL_WND, 100);
    expect_event(EV_READABLE);
    expect_silence(40 * MSEC);
    expect(ACK, 1, 101, 0);
    expect_why(REASON_SEND_ACK_DELAYED);
    expect_nothing();
    app_read(100);
    app_read_says(-EAGAIN);
    advance(SEC);
    expect_nothing();
    end();
}

/* A second small segment does not start the wait anew. */
static void the_delay_counts_from_the_first(void **state)
{
    (void)state;
    begin_open();
    inject(ACK, 1, 1, FULL_WND, 100);
    advance(30 * MSEC);
    inject(ACK, 101, 1, FULL_WND, 100);
    expect_silence(10 * MSEC);
    expect(ACK, 1, 201, 0);
    end();
}

/*
 * What comes less than 2 ms behind another segment waits for one as close behind it, and what comes
 * later for as long as ever (MUST-40).
 */
static void the_last_of_a_burst(void **state)
{
    (void)state;
    begin_open();
    inject(ACK, 1, 1, FULL_WND, MSS);
    advance(MSEC);
    inject(ACK, 1 + MSS, 1, FULL_WND, MSS);
    expect(ACK, 1, 1 + 2 * MSS, 0);
    advance(MSEC);
    inject(ACK, 1 + 2 * MSS, 1, FULL_WND, MSS);
    expect_silence(2 * MSEC);
    expect(ACK, 1, 1 + 3 * MSS, 0);
    expect_why(REASON_SEND_ACK_DELAYED);
    inject(ACK, 1 + 3 * MSS, 1, FULL_WND, MSS);
    expect_silence(40 * MSEC);
    expect(ACK, 1, 1 + 4 * MSS, 0);
    end();
}

/* MUST-59, SHLD-19: two full segments are acknowledged at once, and a batch of many by one ACK
 * (MUST-58). */
static void every_second_segment(void **state)
{
    (void)state;
    begin_open();
    inject(ACK, 1, 1, FULL_WND, MSS);
    expect_nothing();
    inject(ACK, 1 + MSS, 1, FULL_WND, MSS);
    expect(ACK, 1, 1 + 2 * MSS, 0);
    expect_why(REASON_SEND_ACK_SECOND);
    inject(ACK, 1 + 2 * MSS, 1, FULL_WND, MSS);
    expect_nothing();
    for (uint32_t i = 3; i < 9; i++)
        inject(ACK, 1 + i * MSS, 1, FULL_WND, MSS);
    expect(ACK, 1, 1 + 9 * MSS, 0);
    expect_nothing();
    advance(SEC);
    expect_nothing();
    app_read(9 * MSS);
    end();
}

static void delayed_ack_switched_off(void **state)
{
    (void)state;
    defaults();
    rig.cfg.tcp.delayed_ack = false;
    begin();
    open_passive();
    inject(ACK, 1, 1, FULL_WND, 1);
    expect(ACK, 1, 2, 0);
    end();
}

static void data_carries_the_ack(void **state)
{
    (void)state;
    begin_open();
    inject(ACK, 1, 1, FULL_WND, 100);
    app_send(50);
    expect(ACK, 1, 101, 50);
    expect_nothing();
    advance(100 * MSEC);
    expect_nothing();
    end();
}

/* What was received before is acknowledged at once: the sender missed the acknowledgment. */
static void old_data_is_acknowledged_at_once(void **state)
{
    (void)state;
    begin_open();
    inject(ACK, 1, 1, FULL_WND, 100);
    advance(40 * MSEC);
    expect(ACK, 1, 101, 0);
    inject(ACK, 1, 1, FULL_WND, 100);
    expect(ACK, 1, 101, 0);
    inject(ACK, 51, 1, FULL_WND, 50);
    expect(ACK, 1, 101, 0);
    app_read(100);
    app_read_says(-EAGAIN);
    end();
}

/* ---- Nagle (3.7.4) and PSH ---- */

/*
 * SHLD-7, SHLD-28, MAY-16: small pieces are gathered while something is in flight. MUST-60: and not
 * for longer: its acknowledgment lets them go.
 */
static void nagle(void **state)
{
    (void)state;
    begin_open();
    app_send(10);
    expect(ACK, 1, 1, 10);
    app_send(10);
    app_send(10);
    expect_nothing();
    app_send(MSS); /* a full segment need not wait, its rest does */
    expect(ACK, 11, 1, MSS);
    expect_nothing();
    inject(ACK, 1, 11, FULL_WND, 0);
    expect_nothing();
    inject(ACK, 1, 11 + MSS, FULL_WND, 0);
    expect(ACK, 11 + MSS, 1, 20);
    end();
}

/* A FIN ends the wait: nothing can be added to what is queued. */
static void nagle_and_close(void **state)
{
    (void)state;
    begin_open();
    app_send(10);
    expect(ACK, 1, 1, 10);
    app_send(10);
    expect_nothing();
    app_close();
    expect(FIN | ACK, 11, 1, 10);
    end();
}

/* Half of the largest window is no full segment: it waits as well (3.8.6.2.1 (3)). */
static void nagle_and_small_windows(void **state)
{
    (void)state;
    defaults();
    begin();
    open_passive_with(&mss_only, FULL_WND, 1000);
    app_send(400);
    expect(ACK, 1, 1, 400);
    app_send(550);
    expect_nothing();
    app_send(1000);
    expect_nothing();
    inject(ACK, 1, 401, 600, 0);
    expect(ACK, 401, 1, 600);
    end();
}

/* MUST-17. */
static void nagle_switched_off(void **state)
{
    (void)state;
    defaults();
    rig.cfg.tcp.conn.nagle = false;
    begin();
    open_passive();
    for (uint32_t i = 0; i < 3; i++) {
        app_send(10);
        expect(ACK, 1 + 10 * i, 1, 10);
    }
    end();
}

/* MUST-61: PSH where nothing more is queued, and only there. */
static void push(void **state)
{
    (void)state;
    begin_open();
    app_send(2 * MSS);
    expect(ACK, 1, 1, MSS);
    assert_false(rig.seg.flags & PSH);
    expect(ACK, 1 + MSS, 1, MSS);
    assert_true(rig.seg.flags & PSH);
    inject(ACK, 1, 1 + 2 * MSS, FULL_WND, 0);
    app_send(10);
    expect(ACK, 1 + 2 * MSS, 1, 10);
    assert_true(rig.seg.flags & PSH);
    end();
}

/*
 * MUST-61, SHLD-27, SHLD-28: each of these calls would push, were it alone. Gathered, they make
 * full segments without the bit, and the last has it for all of them.
 */
static void pushes_collapse(void **state)
{
    (void)state;
    begin_open();
    app_send(10);
    expect(ACK, 1, 1, 10);
    for (uint32_t i = 0; i < 30; i++)
        app_send(100);
    expect(ACK, 11, 1, MSS);
    assert_false(rig.seg.flags & PSH);
    expect(ACK, 11 + MSS, 1, MSS);
    assert_false(rig.seg.flags & PSH);
    expect_nothing();
    inject(ACK, 1, 11 + 2 * MSS, FULL_WND, 0);
    expect(ACK, 11 + 2 * MSS, 1, 3000 - 2 * MSS);
    assert_true(rig.seg.flags & PSH);
    expect_nothing();
    end();
}

/* MUST-60: what a window of no use holds back, too, leaves in the end: the override's timer. */
static void nothing_waits_for_ever(void **state)
{
    (void)state;
    defaults();
    begin();
    open_passive_with(&mss_only, FULL_WND, 4000);
    app_send(2 * MSS);
    drain();
    inject(ACK, 1, 1 + 2 * MSS, 100, 0); /* under half of the largest window */
    app_send(1000);
    expect_nothing();
    expect_silence(tcb()->rtt.rto);
    expect(ACK, 1 + 2 * MSS, 1, 100);
    end();
}

/* Received PSH bits change nothing: bytes are there as soon as they arrive. */
static void push_received(void **state)
{
    (void)state;
    begin_open();
    inject(ACK | PSH, 1, 1, FULL_WND, 10);
    app_read(10);
    inject(ACK, 11, 1, FULL_WND, 10);
    app_read(10);
    inject(ACK | PSH, 21, 1, FULL_WND, 0);
    app_read_says(-EAGAIN);
    end();
}

/* ---- the wrap of sequence numbers ---- */

/* Let the stack's next initial number be `iss`: its clock of 4 microseconds is set for it. */
static void choose_iss(uint32_t iss)
{
    struct tcb ends = {.local = LOCAL_ADDR,
                       .remote = REMOTE_ADDR,
                       .local_port = flow.local_port,
                       .remote_port = flow.remote_port};

    rig.now += (int64_t)(uint32_t)(iss - flow_isn(rig.st, &ends)) * 4 * USEC;
    stack_tick(rig.st, rig.now);
    assert_int_equal(flow_isn(rig.st, &ends), iss);
}

static void across_the_wrap(void **state)
{
    static const uint32_t near[] = {0, (uint32_t)-1, (uint32_t)-2,       (uint32_t)-MSS,
                                    1, 0x7fffffff,   (uint32_t)-2 * MSS, (uint32_t)-2000};

    (void)state;
    for (unsigned i = 0; i < 8; i++) {
        defaults();
        begin();
        choose_iss(near[i]);
        flow.irs = near[(i + 3) % 8];
        open_passive();
        assert_int_equal(flow.iss, near[i]);
        app_send(4 * MSS);
        for (uint32_t k = 0; k < 4; k++)
            expect(ACK, 1 + k * MSS, 1, MSS);
        inject(ACK, 1 + MSS, 1, FULL_WND, MSS); /* each of these is a hole, too */
        expect(ACK, 1 + 4 * MSS, 1, 0);
        inject(ACK, 1, 1 + MSS, FULL_WND, MSS);
        expect(ACK, 1 + 4 * MSS, 1 + 2 * MSS, 0);
        advance(250 * MSEC);
        expect(ACK, 1 + MSS, 1 + 2 * MSS, MSS);
        inject(ACK, 1 + 2 * MSS, 1 + 4 * MSS, FULL_WND, MSS);
        advance(40 * MSEC);
        expect(ACK, 1 + 4 * MSS, 1 + 3 * MSS, 0);
        app_read(3 * MSS);
        app_close();
        expect(FIN | ACK, 1 + 4 * MSS, 1 + 3 * MSS, 0);
        inject(FIN | ACK, 1 + 3 * MSS, 2 + 4 * MSS, FULL_WND, 0);
        expect(ACK, 2 + 4 * MSS, 2 + 3 * MSS, 0);
        expect_state(TCP_TIME_WAIT);
        end();
    }
}

/* After 4 GiB the numbers come back to the initial one, which means nothing then. */
static void the_initial_number_comes_round(void **state)
{
    struct tcb *c;

    (void)state;
    begin_open();
    c = (struct tcb *)(uintptr_t)tcb();
    app_send(100);
    expect(ACK, 1, 1, 100);
    c->iss = flow.iss + 101; /* as if 4 GiB less 101 bytes had gone before */
    inject(ACK, 1, 101, FULL_WND, 0);
    app_send(100);
    expect(ACK, 101, 1, 100);
    advance(300 * MSEC);
    expect(ACK, 101, 1, 100);
    inject(ACK, 1, 151, FULL_WND, 0);
    assert_int_equal(c->snd_q.bytes, 50);
    inject(ACK, 1, 201, FULL_WND, 0);
    assert_int_equal(c->snd_q.bytes, 0);
    end();
}

/* ---- whose memory ---- */

/* Large payload stays in the device's buffer, small is copied; both go back when it was read. */
static void received_bytes_are_referred_to(void **state)
{
    (void)state;
    begin_open();
    inject(ACK, 1, 1, FULL_WND, 1000);
    assert_int_equal(rig.device.in_use, 1);
    assert_int_equal(rig.small.in_use, 0);
    inject(ACK, 1001, 1, FULL_WND, 256);
    inject(ACK, 1257, 1, FULL_WND, 100);
    assert_int_equal(rig.device.in_use, 1);
    assert_int_equal(rig.small.in_use, 1);
    inject(ACK, 2000, 1, FULL_WND, 1000); /* out of order it is no different */
    assert_int_equal(rig.device.in_use, 2);
    app_read(1356);
    assert_int_equal(rig.device.in_use, 1);
    assert_int_equal(rig.small.in_use, 0);
    end();
}

/* Bytes that a device only lends are copied (SLICE without a buf). */
static void lent_bytes_are_copied(void **state)
{
    static struct pkt p;
    uint8_t b[600];

    (void)state;
    begin_open();
    inject(ACK, 1, 1, FULL_WND, 500);
    assert_int_equal(rig.device.in_use, 1);
    app_read(500);
    {
        struct addr local = LOCAL_ADDR, remote = REMOTE_ADDR;
        struct tcp_hdr hdr = {.sport = flow.remote_port,
                              .dport = flow.local_port,
                              .seq = flow.irs + 501,
                              .ack = flow.iss + 1,
                              .wnd = FULL_WND,
                              .flags = ACK};
        struct ip_hdr ip = {
            .src = remote, .dst = local, .version = 4, .ttl = 1, .proto = IP_PROTO_TCP};
        struct slice s = {NULL, b + 40, 500};

        pattern_fill(b + 40, 501, 500);
        tcp_build(b + 20, &remote, &local, &hdr, 0, &s, 1);
        ip_build(b, &ip, 520);
    }
    p = (struct pkt){.len = 540, .parts = 1};
    p.part[0] = (struct slice){NULL, b, 540};
    assert_int_equal(stack_input(rig.st, rig.now, &p), REASON_NONE);
    memset(b, 0, sizeof(b));
    app_read(500);
    end();
}

/* No memory: the bytes are neither kept nor acknowledged, and come again. */
static void no_memory_for_received_bytes(void **state)
{
    static struct buf *taken[SMALL_BUFS];
    unsigned n = 0;

    (void)state;
    begin_open();
    while (n < SMALL_BUFS)
        taken[n++] = buf_get(&rig.small);
    inject_drop(REASON_NO_BUFFER, ACK, 1, 1, FULL_WND, 100);
    inject_drop(REASON_NO_BUFFER, FIN | ACK, 1, 1, FULL_WND, 100);
    advance(SEC);
    expect_nothing();
    expect_state(TCP_ESTABLISHED);
    assert_int_equal(inject(ACK, 1, 1, FULL_WND, 300), REASON_NONE); /* by reference: no need */
    while (n)
        buf_unref(taken[--n]);
    inject(ACK, 301, 1, FULL_WND, 100);
    app_read(400);
    end();
}

/* Sent by reference: the bytes are the stack's until they are acknowledged, partly or whole. */
static void references_until_acknowledged(void **state)
{
    struct buf *b;

    (void)state;
    begin_open();
    b = buf_get(&rig.device);
    pattern_fill(b->data, 1, 2000);
    assert_int_equal(stack_send(rig.st, flow.id, (struct slice){buf_ref(b), b->data, 2000}), 0);
    assert_int_equal(b->refs, 2);
    expect(ACK, 1, 1, MSS);
    expect_nothing();
    inject(ACK, 1, 1 + MSS, FULL_WND, 0);
    expect(ACK, 1 + MSS, 1, 2000 - MSS);
    assert_int_equal(b->refs, 2);
    inject(ACK, 1, 2000, FULL_WND, 0);
    assert_int_equal(b->refs, 2);
    inject(ACK, 1, 2001, FULL_WND, 0);
    assert_int_equal(b->refs, 1);
    buf_unref(b);
    end();
}

/* A segment is gathered from many small pieces; the numbers of an ACK fall inside them. */
static void gathered_from_pieces(void **state)
{
    static uint8_t bytes[3000];
    uint32_t acked = 1, sent = 1;

    (void)state;
    begin_open();
    pattern_fill(bytes, 1, sizeof(bytes));
    for (uint32_t i = 0; i < 300; i++) {
        struct slice s = {NULL, bytes + 10 * i, 10};

        assert_int_equal(stack_send(rig.st, flow.id, s), 0);
    }
    while (acked < 3001) {
        while (rig_take_tcp()) {
            rig_same("seq", rig.seg.seq - flow.iss, sent);
            pattern_check(rig.data, sent, rig.len);
            sent += rig.len;
        }
        acked = min32(acked + 333, sent);
        inject(ACK, 1, acked, FULL_WND, 0);
    }
    assert_int_equal(sent, 3001);
    end();
}

/* A packet has so many parts: the rest, and the FIN behind it, follow in the next. */
static void more_pieces_than_a_packet_has_parts(void **state)
{
    static uint8_t bytes[100][16]; /* with gaps: what continues a piece in memory is none */
    uint32_t fit = 10 * (PKT_PARTS_MAX - 1);

    (void)state;
    begin_open();
    for (uint32_t i = 0; i < 100; i++) {
        pattern_fill(bytes[i], 1 + 10 * i, 10);
        stack_send(rig.st, flow.id, (struct slice){NULL, bytes[i], 10});
    }
    app_close();
    expect(ACK, 1, 1, fit);
    assert_false(rig.seg.flags & PSH);
    expect(FIN | ACK, 1 + fit, 1, 1000 - fit);
    expect_nothing();
    end();
}

/* A slice so long that sequence numbers could not tell its ends apart is nobody's to send. */
static void an_endless_slice(void **state)
{
    static const uint8_t byte = 'x';

    (void)state;
    defaults();
    begin();
    open_passive();
    for (uint32_t len = UINT32_MAX; len > 1 << 24; len /= 2)
        assert_int_equal(stack_send(rig.st, flow.id, (struct slice){NULL, &byte, len}), -EMSGSIZE);
    expect_nothing();
    app_send(100);
    expect(ACK, 1, 1, 100);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_ack_is_delayed),
        cmocka_unit_test(the_delay_counts_from_the_first),
        cmocka_unit_test(the_last_of_a_burst),
        cmocka_unit_test(every_second_segment),
        cmocka_unit_test(delayed_ack_switched_off),
        cmocka_unit_test(data_carries_the_ack),
        cmocka_unit_test(old_data_is_acknowledged_at_once),
        cmocka_unit_test(nagle),
        cmocka_unit_test(nagle_and_close),
        cmocka_unit_test(nagle_and_small_windows),
        cmocka_unit_test(nagle_switched_off),
        cmocka_unit_test(push),
        cmocka_unit_test(pushes_collapse),
        cmocka_unit_test(nothing_waits_for_ever),
        cmocka_unit_test(push_received),
        cmocka_unit_test(across_the_wrap),
        cmocka_unit_test(the_initial_number_comes_round),
        cmocka_unit_test(received_bytes_are_referred_to),
        cmocka_unit_test(lent_bytes_are_copied),
        cmocka_unit_test(no_memory_for_received_bytes),
        cmocka_unit_test(references_until_acknowledged),
        cmocka_unit_test(gathered_from_pieces),
        cmocka_unit_test(more_pieces_than_a_packet_has_parts),
        cmocka_unit_test(an_endless_slice),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
