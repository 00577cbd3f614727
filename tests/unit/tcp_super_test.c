/*
 * Super-segments: many segments in one packet, out and in. What leaves is what would have left
 * without them, in fewer packets; what comes counts as the segments it stands for.
 */
#include "tcp_kit.h"

enum {
    PACKET = 65535, /* bytes of the largest */
    TEN = 10 * MSS, /* the window in the beginning */
    ECE = TCP_ECE,
    CWR = TCP_CWR,
};

static void with_super(void)
{
    defaults();
    rig.cfg.leave_checksum = true;
    rig.cfg.super4 = rig.cfg.super6 = PACKET;
    rig.cfg.tcp.pacing = false;
}

static void opened(void)
{
    begin();
    open_passive();
}

/* The packet that was taken last: this is left to the device. */
static void expect_size(uint32_t size)
{
    rig_same("the segments' size", rig.seg_size, size);
    rig_same("the checksum is left", rig.marks, rig.len ? PKT_CSUM_PARTIAL : 0);
}

/* ---- out ---- */

static void as_much_as_the_window_has_room_for(void **state)
{
    (void)state;
    with_super();
    opened();
    app_send(TEN + 100);
    expect(ACK, 1, 1, TEN);
    expect_size(MSS);
    assert_int_equal(rig.seg.flags & PSH, 0);
    expect_nothing();
    assert_int_equal(tcb()->data_segs_out, 10);
    inject(ACK, 1, 1 + TEN, FULL_WND, 0);
    expect(ACK, 1 + TEN, 1, 100);
    expect_size(0);
    assert_int_equal(rig.seg.flags & PSH, PSH);
    end();
}

/* RFC 9293 3.7.4: Nagle holds a part of a segment back, as it would behind single ones. */
static void whole_segments_where_nagle_waits(void **state)
{
    (void)state;
    with_super();
    opened();
    app_send(2 * MSS + 80);
    expect(ACK, 1, 1, 2 * MSS);
    expect_size(MSS);
    expect_nothing();
    end();
}

static void the_rest_goes_along_where_it_does_not(void **state)
{
    (void)state;
    with_super();
    rig.cfg.tcp.conn.nagle = false;
    opened();
    app_send(2 * MSS + 80);
    expect(ACK, 1, 1, 2 * MSS + 80);
    expect_size(MSS);
    assert_int_equal(rig.seg.flags & PSH, PSH);
    assert_int_equal(tcb()->data_segs_out, 3);
    end();
}

/* The device puts FIN and PSH on the last segment alone. */
static void the_fin_rides(void **state)
{
    (void)state;
    with_super();
    opened();
    app_send(3 * MSS + 1);
    app_close();
    expect(FIN | ACK, 1, 1, 3 * MSS + 1);
    expect_size(MSS);
    assert_int_equal(rig.seg.flags & PSH, PSH);
    expect_nothing();
    inject(ACK, 1, 3 + 3 * MSS, FULL_WND, 0);
    expect_state(TCP_FIN_WAIT_2);
    end();
}

/* A segment's own size is no super-segment, nor is less. */
static void one_segment_is_one(void **state)
{
    (void)state;
    with_super();
    opened();
    app_send(MSS);
    expect(ACK, 1, 1, MSS);
    expect_size(0);
    end();
}

static void no_larger_than_the_device_takes(void **state)
{
    uint32_t headers = RIG_V6 ? 60 : 40;

    (void)state;
    with_super();
    rig.cfg.super4 = rig.cfg.super6 = headers + 3 * MSS - 1;
    opened();
    app_send(5 * MSS);
    expect(ACK, 1, 1, 2 * MSS);
    expect(ACK, 1 + 2 * MSS, 1, 2 * MSS);
    expect(ACK, 1 + 4 * MSS, 1, MSS);
    expect_size(0);
    end();
}

/* Each version has its own word. */
static void by_version(void **state)
{
    (void)state;
    with_super();
    *(RIG_V6 ? &rig.cfg.super6 : &rig.cfg.super4) = 0;
    opened();
    app_send(2 * MSS);
    expect(ACK, 1, 1, MSS);
    expect_size(0);
    expect(ACK, 1 + MSS, 1, MSS);
    end();
}

/* MUST-34: the remote end's window ends it; what is left of a segment does not go along. */
static void no_further_than_the_remote_window(void **state)
{
    (void)state;
    with_super();
    begin();
    open_passive_with(&mss_only, 3 * MSS + 7, 3 * MSS + 7);
    app_send(TEN);
    expect(ACK, 1, 1, 3 * MSS);
    expect_size(MSS);
    expect_nothing();
    end();
}

/* MUST-30, MUST-62: the pointer counts from each segment's own number, so each leaves by itself. */
static void urgent_data_leave_one_by_one(void **state)
{
    (void)state;
    with_super();
    opened();
    app_send(2 * MSS);
    assert_int_equal(stack_urgent(rig.st, flow.id), 0);
    app_send(2 * MSS);
    expect(ACK | TCP_URG, 1, 1, MSS);
    assert_int_equal(rig.seg.urg, 2 * MSS);
    expect(ACK | TCP_URG, 1 + MSS, 1, MSS);
    assert_int_equal(rig.seg.urg, MSS);
    expect(ACK, 1 + 2 * MSS, 1, 2 * MSS);
    expect_size(MSS);
    end();
}

/* RFC 3168 6.1.2: CWR stands on the first segment after the reduction, and on no other. */
static void cwr_leaves_alone(void **state)
{
    static const struct tcp_options opt = {.has_mss = true, .mss = MSS};

    (void)state;
    with_super();
    rig.cfg.tcp.ecn = true;
    begin();
    app_listen(16);
    AT(rig_inject(SYN | ECE | CWR, 0, 0, FULL_WND, 0, &opt));
    AT(rig_expect_syn(SYN | ACK | ECE));
    inject(ACK, 1, 1, FULL_WND, 0);
    expect_event(EV_ACCEPTED);
    app_send(3 * TEN);
    expect(ACK, 1, 1, TEN);
    expect_size(MSS);
    assert_int_equal(rig.ip.tos & 3, 2);
    inject(ACK | ECE, 1, 1 + TEN, FULL_WND, 0);
    expect(ACK | CWR, 1 + TEN, 1, MSS);
    expect_size(0);
    expect(ACK, 1 + TEN + MSS, 1, 4 * MSS);
    expect_size(MSS);
    end();
}

/* The field holds the pseudo-header's sum; the device adds the rest from csum_start on. */
static void the_sum_is_finished_by_the_device(void **state)
{
    uint32_t len;
    uint16_t sum;

    (void)state;
    with_super();
    opened();
    app_send(3 * MSS);
    expect(ACK, 1, 1, 3 * MSS);
    len = rig.ip.total_len;
    assert_int_equal(rig.csum_start, rig.ip.header_len);
    sum = checksum_finish(checksum_add(0, rig.bytes + rig.csum_start, len - rig.csum_start));
    put16(rig.bytes + rig.csum_start + 16, sum);
    rig_reason("the sum",
               tcp_parse(&rig.ip, rig.bytes + rig.csum_start, len - rig.csum_start, 0, &rig.seg),
               REASON_NONE);
    end();
}

static void without_leave_nothing_is_left(void **state)
{
    (void)state;
    defaults();
    opened();
    app_send(2 * MSS);
    expect(ACK, 1, 1, MSS);
    assert_int_equal(rig.marks, 0);
    assert_int_equal(rig.seg_size, 0);
    end();
}

static void a_stack_that_cannot_be(void **state)
{
    static const struct {
        bool checksum;
        uint32_t super4, super6;
    } cases[] = {{false, PACKET, 0}, {false, 0, PACKET}, {true, PACKET + 1, 0}, {true, 0, 70000}};

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        struct stack_config cfg;
        void *mem;

        with_super();
        opened();
        cfg = rig.cfg;
        mem = aligned_alloc(64, (stack_bytes(&cfg) + 63) / 64 * 64);
        cfg.leave_checksum = cases[i].checksum;
        cfg.super4 = cases[i].super4;
        cfg.super6 = cases[i].super6;
        assert_null(stack_create(&cfg, mem, stack_bytes(&cfg)));
        free(mem);
        end();
    }
}

/* ---- what of it is lost ---- */

static const struct tcp_options with_sack = {.has_mss = true, .mss = MSS, .sack_ok = true};

/* RFC 6675, RFC 8985: of one packet in flight a part has arrived; the rest leaves again, as one. */
static void the_part_that_is_lost_leaves_again(void **state)
{
    (void)state;
    with_super();
    rig.cfg.tcp.sack = true;
    rig.cfg.tcp.tlp = rig.cfg.tcp.prr = false;
    begin();
    open_passive_with(&with_sack, FULL_WND, FULL_WND);
    app_send(TEN);
    expect(ACK, 1, 1, TEN);
    advance(10 * MSEC);
    inject_opt(ACK, 1, 1 + 2 * MSS, FULL_WND, .sack_n = 1,
               .sack = {{flow.iss + 1 + 5 * MSS, flow.iss + 1 + TEN}});
    expect_nothing();
    advance(5 * MSEC); /* it has not just been overtaken */
    expect(ACK, 1 + 2 * MSS, 1, 3 * MSS);
    expect_why(REASON_SEND_RACK);
    expect_size(MSS);
    assert_int_equal(rig.seg.flags & PSH, 0);
    assert_int_equal(tcb()->retransmits, 3);
    expect_nothing();
    inject(ACK, 1, 1 + TEN, FULL_WND, 0);
    assert_int_equal(tcb()->snd_q.bytes, 0);
    end();
}

/* RFC 6298 5.4, 5.6: what answers a timeout is one segment, whatever the window; the rest follows
 * as the window says. */
static void one_segment_after_a_timeout(void **state)
{
    (void)state;
    with_super();
    rig.cfg.tcp.cc = &cc_fixed; /* whose window says nothing of it */
    opened();
    app_send(TEN);
    expect(ACK, 1, 1, TEN);
    advance(SEC);
    expect(ACK, 1, 1, MSS);
    expect_why(REASON_SEND_RTO);
    expect_size(0);
    expect(ACK, 1 + MSS, 1, TEN - MSS);
    expect_size(MSS);
    end();
}

/* RFC 5681 5: NewReno sends what is lost again as single segments, as its acknowledgments say. */
static void a_loss_counted_by_duplicates(void **state)
{
    (void)state;
    with_super();
    opened();
    app_send(TEN);
    expect(ACK, 1, 1, TEN);
    for (unsigned i = 0; i < 3; i++)
        inject(ACK, 1, 1, FULL_WND, 0);
    expect(ACK, 1, 1, MSS);
    expect_why(REASON_SEND_FAST_RETRANSMIT);
    expect_size(0);
    inject(ACK, 1, 1 + 4 * MSS, FULL_WND, 0);
    expect(ACK, 1 + 4 * MSS, 1, MSS);
    expect_why(REASON_SEND_RECOVERY);
    end();
}

/* ---- the same as without ---- */

enum {
    STEPS = 60,
    TOTAL = 200 * MSS,
};

/* What the sender has sent so far, and when it comes back, at each step. */
struct course {
    uint32_t sent[STEPS];
    int64_t deadline[STEPS];
    unsigned packets;
};

/* The text is written in pieces of so many bytes. */
static void sail(bool super, const struct cc_ops *cc, bool pacing, uint32_t piece,
                 struct course *ret)
{
    static const struct tcp_options opt = {.has_mss = true,
                                           .mss = MSS,
                                           .has_wscale = true,
                                           .wscale = 4};
    uint32_t acked = 0;

    with_super();
    if (!super)
        rig.cfg.super4 = rig.cfg.super6 = 0;
    rig.cfg.tcp.cc = cc;
    rig.cfg.tcp.pacing = pacing;
    rig.cfg.tcp.snd_buf = TOTAL;
    rig.cfg.tcp.initial_window = piece == TOTAL ? 10 : 100;
    begin();
    app_listen(1);
    rig_inject(SYN, 0, 0, FULL_WND, 0, &opt);
    rig_expect_syn(SYN | ACK);
    advance(piece == TOTAL ? 60 * MSEC : 4 * MSEC); /* a round trip, which paces the first flight */
    rig_inject(ACK, 1, 1, FULL_WND, 0, NULL);
    rig_event(EV_ACCEPTED);
    for (uint32_t i = 0; i < TOTAL; i += piece)
        app_send(piece);
    ret->packets = 0;
    for (unsigned i = 0; i < STEPS; i++) {
        for (; rig_take_tcp(); ret->packets++)
            pattern_check(rig.data, rig.seg.seq - flow.iss, rig.len);
        ret->sent[i] = tcb()->snd_nxt - flow.iss - 1;
        ret->deadline[i] = stack_deadline(rig.st);
        advance(i % 3 ? MSEC : 7 * MSEC);
        if (i < STEPS / 2 ? i % 2 : i % 8 == 7) { /* some, and often; or all, and seldom */
            acked += i < STEPS / 2 ? min32(ret->sent[i] - acked, (i % 7 + 1) * MSS)
                                   : ret->sent[i] - acked;
            rig_inject(ACK, 1, 1 + acked, FULL_WND, 0, NULL);
        }
    }
    drain();
    end();
}

static void it_leaves_as_it_would_have_left(void **state)
{
    static const uint32_t pieces[] = {TOTAL, MSS / 10}; /* small: a packet has no parts for more */
    static struct course one, many;

    (void)state;
    for (const struct cc_ops *cc = cc_next(NULL); cc; cc = cc_next(cc)) {
        for (unsigned way = 0; way < 4; way++) {
            sail(false, cc, way % 2, pieces[way / 2], &one);
            sail(true, cc, way % 2, pieces[way / 2], &many);
            rig.what = cc->name;
            for (unsigned i = 0; i < STEPS; i++) {
                rig_same("bytes sent", many.sent[i], one.sent[i]);
                if (many.deadline[i] - one.deadline[i] > USEC ||
                    one.deadline[i] - many.deadline[i] > USEC) /* it is divided less often */
                    rig_same("the deadline", many.deadline[i], one.deadline[i]);
            }
            assert_in_range(many.packets, 1, one.packets - 1);
        }
    }
}

/* ---- in ---- */

/* The remote node's text from `seq` on, `len` bytes that came as segments of `size`. */
static enum reason input_super(uint32_t seq, uint32_t len, uint16_t size)
{
    static uint8_t b[RIG_OUT_MAX];
    static struct pkt p;
    struct addr local = LOCAL_ADDR, remote = REMOTE_ADDR;
    struct tcp_hdr hdr = {.sport = flow.remote_port,
                          .dport = flow.local_port,
                          .seq = flow.irs + seq,
                          .ack = flow.iss + 1,
                          .wnd = FULL_WND,
                          .flags = ACK};
    struct ip_hdr ip = {.src = remote,
                        .dst = local,
                        .version = rig.v6 ? 6 : 4,
                        .ttl = 64,
                        .proto = IP_PROTO_TCP,
                        .df = true};
    size_t ip_len = ip_build_len(&ip);
    struct slice s = {NULL, b + ip_len + TCP_HEADER_MIN, len};

    tcp_build(b + ip_len, &remote, &local, &hdr, PKT_CSUM_PARTIAL, &s, 1);
    ip_build(b, &ip, TCP_HEADER_MIN + len);
    pattern_fill(b + ip_len + TCP_HEADER_MIN, seq, len);
    p = (struct pkt){.len = (uint32_t)ip_len + TCP_HEADER_MIN + len,
                     .parts = 1,
                     .marks = PKT_CSUM_PARTIAL,
                     .gso_size = size};
    p.part[0] = (struct slice){NULL, b, p.len};
    return stack_input(rig.st, rig.now, &p);
}

/* SHLD-19, MUST-58: at least every second full segment is answered, and here they are as small as
 * their sender makes them, not as large as they came. */
static void two_in_one_are_answered_at_once(void **state)
{
    (void)state;
    with_super();
    opened();
    rig_reason("taken", input_super(1, 2 * 1400, 1400), REASON_NONE);
    expect(ACK, 1, 1 + 2800, 0);
    expect_why(REASON_SEND_ACK_SECOND);
    expect_size(0);
    expect_nothing();
    assert_int_equal(tcb()->rcv_mss, 1400);
    assert_int_equal(tcb()->data_segs_in, 2);
    rig_reason("taken", input_super(2801, 40 * 1400, 1400), REASON_NONE);
    expect(ACK, 1, 1 + 58800, 0);
    expect_nothing();
    assert_int_equal(tcb()->data_segs_in, 42);
    expect_event(EV_READABLE);
    app_read(58800);
    end();
}

/* MUST-40: one segment may wait for a second, however it came. */
static void one_may_wait(void **state)
{
    (void)state;
    with_super();
    opened();
    rig_reason("taken", input_super(1, 700, 1000), REASON_NONE);
    expect_silence(rig.cfg.tcp.delack_ns);
    expect(ACK, 1, 701, 0);
    end();
}

/* RFC 5681 4.2: who counts duplicates needs three of them; who has selective acknowledgments one.
 */
static void duplicates_for_what_is_out_of_order(void **state)
{
    static const struct {
        bool sack;
        uint32_t segments, want;
    } cases[] = {{false, 1, 1}, {false, 2, 2}, {false, 3, 3}, {false, 40, 3}, {true, 40, 1}};

    (void)state;
    for (unsigned i = 0; i < 5; i++) {
        with_super();
        rig.cfg.tcp.sack = true;
        begin();
        open_passive_with(cases[i].sack ? &with_sack : &mss_only, FULL_WND, FULL_WND);
        rig_reason("taken", input_super(1001, cases[i].segments * 1000, 1000), REASON_NONE);
        for (uint32_t k = 0; k < cases[i].want; k++) {
            expect(ACK, 1, 1, 0);
            expect_why(REASON_SEND_ACK_DUPLICATE);
        }
        expect_nothing();
        rig_reason("taken", input_super(1, 1000, 0), REASON_NONE);
        expect(ACK, 1, 1001 + cases[i].segments * 1000, 0);
        expect_event(EV_READABLE);
        app_read(1000 + cases[i].segments * 1000);
        end();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_much_as_the_window_has_room_for),
        cmocka_unit_test(whole_segments_where_nagle_waits),
        cmocka_unit_test(the_rest_goes_along_where_it_does_not),
        cmocka_unit_test(the_fin_rides),
        cmocka_unit_test(one_segment_is_one),
        cmocka_unit_test(no_larger_than_the_device_takes),
        cmocka_unit_test(by_version),
        cmocka_unit_test(no_further_than_the_remote_window),
        cmocka_unit_test(urgent_data_leave_one_by_one),
        cmocka_unit_test(cwr_leaves_alone),
        cmocka_unit_test(the_sum_is_finished_by_the_device),
        cmocka_unit_test(without_leave_nothing_is_left),
        cmocka_unit_test(a_stack_that_cannot_be),
        cmocka_unit_test(the_part_that_is_lost_leaves_again),
        cmocka_unit_test(one_segment_after_a_timeout),
        cmocka_unit_test(a_loss_counted_by_duplicates),
        cmocka_unit_test(it_leaves_as_it_would_have_left),
        cmocka_unit_test(two_in_one_are_answered_at_once),
        cmocka_unit_test(one_may_wait),
        cmocka_unit_test(duplicates_for_what_is_out_of_order),
    };

    return cmocka_run_group_tests_name(RIG_V6 ? "tcp6_super" : "tcp_super", tests, NULL, NULL);
}
