/*
 * Trains: datagrams of one size that an application gives at once. As one super-datagram where the
 * device cuts it, one by one where it does not; and what a device hands over as one, cut back.
 */
#include "ip/train.h"

#include "udp_kit.h"

enum {
    PORT = 6000,
    FAR_PORT = 5000,
};

static uint8_t text[200 * 1472];
static struct addr far;
static int udp;

/* A node whose device cuts packets of up to `most` bytes into datagrams; 0: it cuts none. */
static void begin_super(bool v6, uint32_t most)
{
    defaults();
    over_ipv6(v6);
    rig.cfg.mtu = 1500;
    rig.cfg.leave_checksum = most > 0;
    rig.cfg.super_udp = most;
    begin();
    far = REMOTE_ADDR;
    udp = stack_udp_bind(rig.st, PORT, NULL);
    pattern_fill(text, 0, sizeof(text));
}

static int send_train(uint32_t len, uint32_t each)
{
    struct stack_datagram d = {.addr = far,
                               .port = FAR_PORT,
                               .data = {NULL, text, len},
                               .each = each};

    return stack_udp_send(rig.st, udp, &d);
}

/* What the device does with a sum that it was left: then it must be right. */
static void device_sums(void)
{
    static uint8_t whole[RIG_OUT_MAX];
    struct udp_hdr udp_hdr;

    memcpy(whole, rig.data, rig.len);
    if (rig.marks & PKT_CSUM_PARTIAL)
        put16(whole + 6, checksum_residue(0, whole, rig.len));
    rig_reason("the sum", udp_parse(&rig.ip, whole, rig.len, 0, &udp_hdr), REASON_NONE);
    rig_same("the UDP length", udp_hdr.len, rig.len);
    rig_same("from", udp_hdr.sport, PORT);
    rig_same("to", udp_hdr.dport, FAR_PORT);
}

/* The next packet has so many bytes of the text from `at` on, to be cut every `each`; 0: not. */
static void leaves(uint32_t at, uint32_t len, uint32_t each)
{
    if (!rig_take())
        fail_msg("%s: nothing left", rig_where());
    rig_same("the data's length", rig.len - 8, len);
    pattern_check(rig.data + 8, at, len);
    rig_same("gso_size", rig.seg_size, each);
    rig_same("marks", rig.marks, each ? PKT_CSUM_PARTIAL | PKT_DATAGRAMS : 0);
    if (each)
        rig_same("csum_start", rig.csum_start, rig.ip.header_len);
    rig_same("it is atomic", rig.ip.df, 1); /* in IPv6 it always is */
    device_sums();
}

/* One IP header, one UDP header, and the sum of the pseudo-header. */
static void a_train_leaves_as_one(void **state)
{
    struct udp_status s;

    (void)state;
    for (int v6 = 0; v6 <= 1; v6++) {
        begin_super(v6, 65535);
        assert_int_equal(send_train(5 * 1200 + 300, 1200), 0);
        leaves(0, 5 * 1200 + 300, 1200);
        expect_nothing();
        assert_int_equal(stack_udp_status(rig.st, udp, &s), 0);
        assert_int_equal(s.sent, 6);
        assert_int_equal(send_train(2400, 1200), 0);
        leaves(0, 2400, 1200);
        end();
    }
}

/* 64 datagrams, and what a packet holds; one that is left over is an ordinary one. */
static void as_many_as_a_packet_holds(void **state)
{
    (void)state;
    for (int v6 = 0; v6 <= 1; v6++) {
        uint32_t room = v6 ? 1452 : 1472, most = v6 ? 45 : 44; /* what is left of 65,535 bytes */

        begin_super(v6, 65535);
        assert_int_equal(send_train(129 * 10, 10), 0);
        leaves(0, 640, 10);
        leaves(640, 640, 10);
        leaves(1280, 10, 0);
        assert_int_equal(send_train((most + 2) * room, room), 0);
        leaves(0, most * room, room);
        leaves(most * room, 2 * room, room);
        expect_nothing();
        end();
        begin_super(v6, (v6 ? 48 : 28) + 3 * 100 + 99);
        assert_int_equal(send_train(450, 100), 0);
        leaves(0, 300, 100);
        leaves(300, 150, 100);
        end();
        begin_super(v6, (v6 ? 48 : 28) + 100); /* which holds one only */
        assert_int_equal(send_train(150, 100), 0);
        leaves(0, 100, 0);
        leaves(100, 50, 0);
        end();
        begin_super(v6, 20); /* which holds none */
        assert_int_equal(send_train(150, 100), 0);
        leaves(0, 100, 0);
        leaves(100, 50, 0);
        end();
    }
}

/* What the device does not cut leaves one by one, and so does a single one. */
static void one_by_one_without_offload(void **state)
{
    (void)state;
    for (int v6 = 0; v6 <= 1; v6++) {
        begin_super(v6, 0);
        assert_int_equal(send_train(250, 100), 0);
        leaves(0, 100, 0);
        leaves(100, 100, 0);
        leaves(200, 50, 0);
        expect_nothing();
        end();
        begin_super(v6, 65535);
        for (uint32_t each = 100; each <= 101; each++) {
            assert_int_equal(send_train(100, each), 0); /* no train at all: it has no DF */
            assert_true(rig_take() && rig.seg_size == 0 && rig.marks == 0 && rig.len == 108);
            assert_true(v6 || !rig.ip.df);
            device_sums();
        }
        end();
    }
}

/* Each datagram in fragments of its own; the last one is small enough. */
static void in_fragments_each(uint32_t each, uint32_t room)
{
    for (unsigned i = 0; i < 2; i++) {
        assert_true(rig_take() && rig.ip.mf && rig.ip.frag_off == 0 && rig.seg_size == 0);
        assert_int_equal(get16(rig.data + 4), 8 + each);
        pattern_check(rig.data + 8, i * each, rig.len - 8);
        assert_true(rig.ip.total_len <= room);
        assert_true(rig_take() && !rig.ip.mf && rig.ip.frag_off > 0);
        pattern_check(rig.data, i * each + rig.ip.frag_off - 8, rig.len);
        assert_int_equal(rig.ip.frag_off + rig.len, 8 + each);
    }
    assert_true(rig_take() && !ip_is_fragment(&rig.ip) && rig.seg_size == 0);
    assert_int_equal(rig.ip.df, rig.ip.version == 6); /* its identification has a meaning */
    rig.ip.dst = far;
    device_sums();
    pattern_check(rig.data + 8, 2 * each, 10);
    expect_nothing();
}

/* Options go with each datagram, and the sum is over where it goes in the end. */
static void one_by_one_with_a_route(void **state)
{
    struct udp_settings set = {.route = {.hops = 1, .hop = {UINT32_C(0x0a000901)}}};
    struct udp_hdr hdr;

    (void)state;
    begin_super(false, 65535);
    assert_int_equal(stack_udp_set(rig.st, udp, &set), 0);
    assert_int_equal(send_train(200, 100), 0);
    for (unsigned i = 0; i < 2; i++) {
        assert_true(rig_take() && rig.seg_size == 0 && rig.ip.options_len == 8);
        rig.ip.dst = far;
        rig_reason("it", udp_parse(&rig.ip, rig.data, rig.len, 0, &hdr), REASON_NONE);
        pattern_check(rig.data + 8, 100 * i, 100);
    }
    expect_nothing();
    assert_int_equal(send_train(2 * 1465 + 10, 1465), 0); /* one byte too many, with them */
    in_fragments_each(1465, 1500);
    end();
}

/* RFC 1122 4.1.3.3-a: too large for the device, and for a path of which somebody has told. */
static void too_large_for_the_path(void **state)
{
    struct udp_settings set = {.df = true};

    (void)state;
    for (int v6 = 0; v6 <= 1; v6++) {
        begin_super(v6, 65535);
        assert_int_equal(send_train(2 * 1473 + 10, 1473), 0);
        in_fragments_each(1473, 1500);
        assert_int_equal(send_train(2 * 1400 + 10, 1400), 0);
        leaves(0, 2810, 1400);
        rig_reason("too big, of the super-datagram as it is",
                   udp_error_about(v6 ? 2 : 3, v6 ? 0 : 4, 1300), REASON_NONE);
        assert_int_equal(send_train(2 * 1400 + 10, 1400), 0);
        in_fragments_each(1400, 1300);
        assert_int_equal(send_train(3 * 1200, 1200), 0);
        leaves(0, 3600, 1200);
        assert_int_equal(stack_udp_set(rig.st, udp, &set), 0);
        assert_int_equal(send_train(2 * 1400 + 10, 1400), -EMSGSIZE);
        assert_int_equal(send_train(3 * 1200, 1200), 0);
        leaves(0, 3600, 1200);
        end();
    }
}

/* ... or of one of those that it was cut into. */
static void too_large_behind_the_cut(void **state)
{
    uint8_t quote[28];

    (void)state;
    begin_super(false, 65535);
    assert_int_equal(send_train(2810, 1400), 0);
    leaves(0, 2810, 1400);
    memcpy(quote, rig.bytes, sizeof(quote));
    put16(quote + 2, 1428);
    put16(quote + 10, 0);
    put16(quote + 10, checksum_residue(0, quote, 20));
    rig_reason("too big", udp_icmp(UDP_ROUTER, 3, 4, 1300, quote, sizeof(quote)), REASON_NONE);
    assert_int_equal(stack_udp_room(rig.st, udp, &far), 1300 - 28);
    end();
}

/* ---- In ---- */

static struct kit_packet comes;

/* `len` bytes of text come, and the device says that they are datagrams of `size` bytes each. */
static enum reason super_comes(uint32_t len, uint16_t size, uint16_t marks)
{
    struct buf *buf = buf_get(&rig.device);
    static struct pkt p;
    enum reason why;

    assert_true(comes.len <= DEVICE_BUF && len + 28 <= DEVICE_BUF);
    memcpy(buf->data, comes.b, comes.len);
    p = (struct pkt){.len = comes.len, .marks = marks, .gso_size = size, .parts = 1};
    p.part[0] = (struct slice){buf, buf->data, comes.len};
    why = stack_input(rig.st, rig.now, &p);
    buf_unref(buf);
    return why;
}

static void forge(uint32_t len)
{
    comes = udp_from_to(far, LOCAL_ADDR, FAR_PORT, PORT, text, len);
}

static void reads(uint32_t at, uint32_t len, uint32_t each, bool several)
{
    struct stack_datagram d;
    int r =
        several ? stack_udp_receive_several(rig.st, udp, &d) : stack_udp_receive(rig.st, udp, &d);

    assert_int_equal(r, 0);
    rig_same("length", d.data.len, len);
    rig_same("each", d.each, each);
    pattern_check(d.data.base, at, len);
    assert_true(addr_eq(&d.addr, &far) && d.port == FAR_PORT);
    buf_unref(d.data.buf);
}

static void status_is(uint32_t waiting, uint64_t received, uint64_t dropped)
{
    struct udp_status s;

    assert_int_equal(stack_udp_status(rig.st, udp, &s), 0);
    rig_same("waiting", s.waiting, waiting);
    rig_same("received", (long long)s.received, (long long)received);
    rig_same("dropped", (long long)s.dropped, (long long)dropped);
}

/* Boundaries stay where they were: of data that is kept by reference, and of a copy. */
static void what_comes_is_cut_back(void **state)
{
    (void)state;
    for (int v6 = 0; v6 <= 1; v6++)
        for (uint32_t each = 20; each <= 300; each += 280) {
            begin_super(v6, 0);
            forge(3 * each + 7);
            rig_reason("it",
                       super_comes(3 * each + 7, (uint16_t)each, PKT_DATAGRAMS | PKT_CSUM_PARTIAL),
                       REASON_NONE);
            udp_event_is(EV_DATAGRAM, udp);
            status_is(4, 4, 0);
            for (uint32_t i = 0; i < 3; i++)
                reads(i * each, each, 0, false);
            status_is(1, 4, 0);
            reads(3 * each, 7, 0, false);
            assert_int_equal(stack_udp_receive(rig.st, udp, &(struct stack_datagram){0}), -EAGAIN);
            end();
        }
}

/* Whoever can take several at once is given what is left of them, and can send it back so. */
static void several_at_once(void **state)
{
    struct stack_datagram d;

    (void)state;
    begin_super(false, 65535);
    forge(1000);
    rig_reason("it", super_comes(1000, 300, PKT_DATAGRAMS | PKT_CSUM_PARTIAL), REASON_NONE);
    reads(0, 300, 0, false);
    reads(300, 700, 300, true);
    rig_reason("it", super_comes(1000, 500, PKT_DATAGRAMS | PKT_CSUM_PARTIAL), REASON_NONE);
    reads(0, 500, 0, false);
    reads(500, 500, 0, true); /* the last one is single */
    rig_reason("it", super_comes(1000, 300, PKT_DATAGRAMS | PKT_CSUM_PARTIAL), REASON_NONE);
    assert_int_equal(stack_udp_receive_several(rig.st, udp, &d), 0);
    assert_int_equal(stack_datagram_count(&d), 4);
    assert_int_equal(stack_udp_send(rig.st, udp, &d), 0);
    leaves(0, 1000, 300);
    expect_nothing();
    end();
}

/* A device that says what cannot be is not believed; nor is one that does not say it of UDP. */
static void marks_that_lie(void **state)
{
    static const struct {
        const char *what;
        uint32_t len;
        uint16_t size, marks;
        enum reason why;
    } cases[] = {
        {"no size", 500, 0, PKT_DATAGRAMS | PKT_CSUM_PARTIAL, REASON_UDP_SUPER},
        {"beyond the data", 500, 501, PKT_DATAGRAMS | PKT_CSUM_PARTIAL, REASON_UDP_SUPER},
        {"no data", 0, 1, PKT_DATAGRAMS | PKT_CSUM_PARTIAL, REASON_UDP_SUPER},
        {"129 of them", 1281, 10, PKT_DATAGRAMS | PKT_CSUM_PARTIAL, REASON_UDP_SUPER},
        {"128 of them", 1280, 10, PKT_DATAGRAMS | PKT_CSUM_PARTIAL, REASON_NONE},
        {"just one", 500, 500, PKT_DATAGRAMS | PKT_CSUM_PARTIAL, REASON_NONE},
        {"segments of UDP", 500, 100, PKT_CSUM_PARTIAL, REASON_NONE},
        {"a sum that is right", 500, 100, PKT_DATAGRAMS, REASON_NONE},
    };
    static const uint32_t counts[] = {[4] = 128, [5] = 1, [6] = 1, [7] = 5};

    (void)state;
    for (int v6 = 0; v6 <= 1; v6++)
        for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
            rig.what = cases[i].what;
            begin_super(v6, 0);
            forge(cases[i].len);
            rig_reason("the verdict", super_comes(cases[i].len, cases[i].size, cases[i].marks),
                       cases[i].why);
            status_is(counts[i], counts[i], 0);
            for (uint32_t n = counts[i], at = 0; n > 0; n--, at += cases[i].size)
                reads(at, counts[i] > 1 ? cases[i].size : cases[i].len, 0, false);
            assert_int_equal(stack_udp_receive(rig.st, udp, &(struct stack_datagram){0}), -EAGAIN);
            assert_int_equal(stack_udp_close(rig.st, udp), 0);
            end();
        }
    rig.what = NULL;
}

/* Its own length says where it ends; the packet says something else. */
static void lengths_that_lie(void **state)
{
    (void)state;
    for (int v6 = 0; v6 <= 1; v6++) {
        uint32_t at = v6 ? 40 : 20;

        begin_super(v6, 0);
        forge(500);
        put16(comes.b + at + 4, 8 + 400);
        rig_reason("shorter", super_comes(500, 100, PKT_DATAGRAMS | PKT_CSUM_PARTIAL),
                   REASON_UDP_SUPER);
        put16(comes.b + at + 4, 8 + 501);
        rig_reason("longer", super_comes(500, 100, PKT_DATAGRAMS | PKT_CSUM_PARTIAL),
                   REASON_UDP_LENGTH);
        forge(500);
        comes.b[at + 10] ^= 1;
        rig_reason("summed, and wrong", super_comes(500, 100, PKT_DATAGRAMS), REASON_UDP_CHECKSUM);
        status_is(0, 0, 0);
        end();
    }
}

/* A full queue refuses all of it; what was kept goes back when the socket closes. */
static void a_full_queue_and_a_close(void **state)
{
    (void)state;
    begin_super(false, 0);
    forge(900);
    for (unsigned i = 0; i < UDP_QUEUE; i++)
        rig_reason("it", super_comes(900, 300, PKT_DATAGRAMS | PKT_CSUM_PARTIAL), REASON_NONE);
    status_is(3 * UDP_QUEUE, 3 * UDP_QUEUE, 0);
    rig_reason("one more", super_comes(900, 300, PKT_DATAGRAMS | PKT_CSUM_PARTIAL),
               REASON_UDP_QUEUE_FULL);
    status_is(3 * UDP_QUEUE, 3 * UDP_QUEUE, 3);
    reads(0, 300, 0, false);
    assert_int_equal(stack_udp_close(rig.st, udp), 0);
    end();
}

/* Echo requests have a number each, so there is no train of them. */
static void no_train_of_echoes(void **state)
{
    struct stack_datagram d = {.data = {NULL, text, 100}, .each = 50};
    int echo;

    (void)state;
    begin_super(false, 65535);
    d.addr = far;
    echo = stack_udp_open(rig.st, &(struct stack_udp){.echo = true, .port = 7});
    assert_int_equal(stack_udp_send(rig.st, echo, &d), -EINVAL);
    expect_nothing();
    end();
}

/* Nothing can be cut by a device that is not left the sum, or into more than a packet holds. */
static void impossible(void **state)
{
    struct stack_config cfg;

    (void)state;
    begin_super(false, 65535);
    cfg = rig.cfg;
    cfg.leave_checksum = false;
    assert_null(stack_create(&cfg, rig.stack_mem, SIZE_MAX));
    cfg = rig.cfg;
    cfg.super_udp = 65536;
    assert_null(stack_create(&cfg, rig.stack_mem, SIZE_MAX));
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_train_leaves_as_one),
        cmocka_unit_test(as_many_as_a_packet_holds),
        cmocka_unit_test(one_by_one_without_offload),
        cmocka_unit_test(one_by_one_with_a_route),
        cmocka_unit_test(too_large_for_the_path),
        cmocka_unit_test(too_large_behind_the_cut),
        cmocka_unit_test(what_comes_is_cut_back),
        cmocka_unit_test(several_at_once),
        cmocka_unit_test(marks_that_lie),
        cmocka_unit_test(lengths_that_lie),
        cmocka_unit_test(a_full_queue_and_a_close),
        cmocka_unit_test(no_train_of_echoes),
        cmocka_unit_test(impossible),
    };

    return cmocka_run_group_tests_name("udp_super", tests, NULL, NULL);
}
