/*
 * Payload is copied by the kernel only: what leaves are the application's bytes themselves, what is
 * received lies where the device put it, whether it leaves once or again, comes in order or not.
 * What is copied all the same is small, and counted.
 */
#include "tcp_kit.h"

enum {
    LONG = 20 * MSS,             /* bytes to be sent by reference */
    SMALL = CHUNK_COPY_BREAK,    /* bytes that are copied ... */
    LARGE = CHUNK_COPY_BREAK + 1 /* ... and the fewest that are not */
};

static uint8_t ours[LONG];

static void copied(uint64_t bytes)
{
    rig_same("bytes copied", (long long)stack_copied(rig.st), (long long)bytes);
}

static void opened(bool super)
{
    defaults();
    rig.cfg.tcp.pacing = false;
    rig.cfg.tcp.initial_window = LONG / MSS;
    if (super) {
        rig.cfg.leave_checksum = true;
        rig.cfg.super4 = rig.cfg.super6 = RIG_OUT_MAX - 1;
    }
    begin();
    open_passive();
    copied(0);
}

/* The next packet carries these bytes of `ours`, and no copy of them. Returns how many. */
static uint32_t leaves(uint32_t from)
{
    static struct pkt p;
    uint32_t at = from;

    assert_true(stack_output(rig.st, rig.now, &p));
    for (unsigned i = 1; i < p.parts; i++) {
        assert_ptr_equal(p.part[i].base, ours + at);
        at += p.part[i].len;
    }
    assert_true(at > from);
    return at - from;
}

/* All that was not acknowledged leaves in as many packets. */
static void all_leave(uint32_t packets)
{
    uint32_t at = 0;

    for (uint32_t i = 0; i < packets; i++)
        at += leaves(at);
    assert_int_equal(at, LONG);
    expect_nothing();
    copied(0);
}

static void send_ours(void)
{
    for (uint32_t at = 0; at < LONG; at += LONG / 4)
        assert_int_equal(stack_send(rig.st, flow.id, (struct slice){NULL, ours + at, LONG / 4}), 0);
}

static void what_is_sent_is_the_applications(void **state)
{
    (void)state;
    opened(false);
    send_ours();
    all_leave(LONG / MSS);
    end();
}

static void and_so_in_super_segments(void **state)
{
    (void)state;
    opened(true);
    send_ours();
    all_leave(1);
    end();
}

static void and_so_when_it_leaves_again(void **state)
{
    (void)state;
    opened(true);
    send_ours();
    all_leave(1);
    advance(rig.cfg.tcp.rto_initial_ns);
    leaves(0);
    assert_true(tcb()->retransmits > 0);
    copied(0);
    end();
}

/* A send by copy is one. */
static void a_copy_that_was_asked_for_is_counted(void **state)
{
    (void)state;
    opened(true);
    app_send(1000);
    copied(1000);
    app_send(100); /* into the room behind the others */
    copied(1100);
    end();
}

/* The next bytes that are received: do they lie in a buffer of the device? */
static bool lies_where_it_was_read(uint32_t len)
{
    struct slice s;
    bool there;

    assert_int_equal(stack_receive(rig.st, flow.id, UINT32_MAX, &s), len);
    pattern_check(s.base, flow.read + 1, len);
    flow.read += len;
    there = s.buf->pool == &rig.device;
    buf_unref(s.buf);
    return there;
}

static void what_comes_stays_where_it_was_read(void **state)
{
    (void)state;
    opened(true);
    inject(ACK, 1, 1, FULL_WND, MSS);
    inject(ACK, 1 + MSS, 1, FULL_WND, LARGE);
    copied(0);
    assert_true(lies_where_it_was_read(MSS));
    assert_true(lies_where_it_was_read(LARGE));
    end();
}

/* Behind a gap, too, and when it is filled. */
static void and_so_what_comes_out_of_order(void **state)
{
    (void)state;
    opened(true);
    inject(ACK, 1 + MSS, 1, FULL_WND, MSS);
    inject(ACK, 1, 1, FULL_WND, MSS);
    copied(0);
    assert_true(lies_where_it_was_read(MSS));
    assert_true(lies_where_it_was_read(MSS));
    end();
}

/* A large buffer is not held for a few bytes. */
static void what_is_small_is_copied_and_counted(void **state)
{
    (void)state;
    opened(true);
    inject(ACK, 1, 1, FULL_WND, SMALL);
    copied(SMALL);
    assert_false(lies_where_it_was_read(SMALL));
    inject(ACK, 1 + SMALL + 1, 1, FULL_WND, 5); /* behind a gap */
    copied(SMALL + 5);
    end();
}

/* What the device has only lent is gone with its next packet. */
static void what_was_lent_is_copied_and_counted(void **state)
{
    struct addr local, remote;
    struct ip_hdr ip = {.ttl = 64, .proto = IP_PROTO_TCP, .df = true};
    struct tcp_hdr hdr = {.flags = ACK, .wnd = FULL_WND};
    static uint8_t data[MSS], spare[DEVICE_BUF];
    struct slice text = {NULL, data, MSS};
    static struct pkt p;
    size_t at;

    (void)state;
    opened(true);
    ip.src = remote = REMOTE_ADDR;
    ip.dst = local = LOCAL_ADDR;
    ip.version = RIG_V6 ? 6 : 4;
    hdr.sport = flow.remote_port;
    hdr.dport = flow.local_port;
    hdr.seq = flow.irs + 1;
    hdr.ack = flow.iss + 1;
    pattern_fill(data, 1, MSS);
    at = ip_build_len(&ip);
    at += tcp_build(spare + at, &remote, &local, &hdr, 0, &text, 1);
    ip_build(spare, &ip, at - ip_build_len(&ip) + MSS);
    memcpy(spare + at, data, MSS);
    p = (struct pkt){.len = (uint32_t)at + MSS, .parts = 1};
    p.part[0] = (struct slice){NULL, spare, p.len};
    assert_int_equal(stack_input(rig.st, rig.now, &p), REASON_NONE);
    copied(MSS);
    memset(spare, 0, sizeof(spare));
    app_read(MSS);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_sent_is_the_applications),
        cmocka_unit_test(and_so_in_super_segments),
        cmocka_unit_test(and_so_when_it_leaves_again),
        cmocka_unit_test(a_copy_that_was_asked_for_is_counted),
        cmocka_unit_test(what_comes_stays_where_it_was_read),
        cmocka_unit_test(and_so_what_comes_out_of_order),
        cmocka_unit_test(what_is_small_is_copied_and_counted),
        cmocka_unit_test(what_was_lent_is_copied_and_counted),
    };

    pattern_fill(ours, 1, sizeof(ours));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
