/*
 * Several stacks that are one node: whose a connection is, and what becomes of packets that came to
 * another's.
 */
#include "icmp_kit.h"

enum {
    MEMBERS = 4,
    TRIED = 200,
    FIRST = 24, /* bytes in a first fragment */
};

/* What was handed over last. */
static struct {
    unsigned count;
    uint32_t to, len;
    uint16_t marks, gso_size;
    bool full; /* nobody takes anything */
    uint8_t bytes[RIG_OUT_MAX];
} handed;

static bool take(void *arg, uint32_t to, const struct pkt *p)
{
    assert_ptr_equal(arg, &handed);
    assert_int_equal(p->parts, 1);
    assert_int_equal(p->len, p->part[0].len);
    if (handed.full)
        return false;
    handed.count++;
    handed.to = to;
    handed.len = p->len;
    handed.marks = p->marks;
    handed.gso_size = p->gso_size;
    memcpy(handed.bytes, p->part[0].base, p->len);
    return true;
}

/* One of four. */
static void begin_member(uint32_t me)
{
    const struct stack_share share = {.me = me, .all = MEMBERS, .hand_over = take, .arg = &handed};

    memset(&handed, 0, sizeof(handed));
    defaults();
    rig.cfg.max_conns = 65536;
    begin();
    stack_share(rig.st, &share);
}

static bool ours(void)
{
    struct addr local = LOCAL_ADDR, remote = REMOTE_ADDR;

    return share_is_ours(rig.st, &local, flow.local_port, &remote, flow.remote_port);
}

/* The next remote port whose connection is ours, or is not. */
static void find_flow(bool our_own)
{
    do
        flow.remote_port++;
    while (ours() != our_own);
}

/* Each connection has one owner, and all know which; each has its part. */
static void all_agree(void **state)
{
    uint32_t owner[TRIED], part[MEMBERS] = {0};

    (void)state;
    memset(owner, 0xff, sizeof(owner));
    for (uint32_t me = 0; me < MEMBERS; me++) {
        begin_member(me);
        for (unsigned i = 0; i < TRIED; i++) {
            flow.remote_port = (uint16_t)(REMOTE_PORT + i);
            if (!ours())
                continue;
            assert_int_equal(owner[i], UINT32_MAX);
            owner[i] = me;
            part[me]++;
        }
        end();
    }
    for (uint32_t me = 0; me < MEMBERS; me++)
        assert_in_range(part[me], TRIED / MEMBERS / 2, TRIED / MEMBERS * 2);
    assert_int_equal(part[0] + part[1] + part[2] + part[3], TRIED);
}

/* A segment for another's connection goes there as it came, whatever it is; ours does not. */
static void segments_find_their_owner(void **state)
{
    static const uint8_t kinds[] = {SYN, ACK, RST, SYN | ACK, FIN | ACK};
    uint16_t last;

    (void)state;
    begin_member(1);
    app_listen(4);
    for (unsigned i = 0; i < sizeof(kinds); i++) {
        find_flow(false);
        inject_drop(REASON_HANDED_OVER, kinds[i], 0, 1, FULL_WND, 100);
        assert_int_equal(handed.count, i + 1);
        assert_int_not_equal(handed.to, 1);
        assert_int_equal(handed.len, 20 + 20 + 100);
        assert_int_equal(get16(handed.bytes + 20), flow.remote_port);
        expect_nothing();
        expect_no_event();
    }
    assert_int_equal(stack_count(rig.st, REASON_HANDED_OVER), sizeof(kinds));
    last = flow.remote_port;
    find_flow(true);
    inject(SYN, 0, 0, FULL_WND, 0);
    expect_syn_ack();
    inject(ACK, 1, 1, FULL_WND, 0);
    expect_event(EV_ACCEPTED);
    assert_int_equal(handed.count, sizeof(kinds));
    end();

    /* ... where it is answered. */
    begin_member(handed.to);
    flow.remote_port = last;
    app_listen(4);
    inject(SYN, 0, 0, FULL_WND, 0);
    expect_syn_ack();
    end();
}

/* A stranger that would be ours is answered with a reset, as ever. */
static void strangers_are_ours_too(void **state)
{
    (void)state;
    begin_member(2);
    find_flow(true);
    inject_drop(REASON_TCP_NO_CONNECTION, SYN, 0, 0, FULL_WND, 0);
    expect(RST | ACK, 0, 1, 0);
    assert_int_equal(handed.count, 0);
    end();
}

static void no_room_is_a_counted_drop(void **state)
{
    (void)state;
    begin_member(0);
    handed.full = true;
    find_flow(false);
    inject_drop(REASON_QUEUE_FULL, SYN, 0, 0, FULL_WND, 0);
    assert_int_equal(stack_count(rig.st, REASON_QUEUE_FULL), 1);
    expect_nothing();
    end();
}

/* RFC 6056: who opens draws a port that makes the connection its own, to the last one of its part;
 * all parts together are all ports. */
static void ports_are_parted(void **state)
{
    static uint8_t seen[65536];
    uint32_t all = 0;

    (void)state;
    memset(seen, 0, sizeof(seen));
    for (uint32_t me = 0; me < MEMBERS; me++) {
        struct stack_open how = {.remote = REMOTE_ADDR, .remote_port = 80};
        struct stack_conn_status s;
        struct conn_id id;
        int r;

        begin_member(me);
        while ((r = stack_open(rig.st, &how, &id)) == 0) {
            assert_int_equal(stack_status(rig.st, id, &s), 0);
            assert_int_equal(seen[s.local_port], 0);
            seen[s.local_port] = 1;
            all++;
        }
        assert_int_equal(r, -EADDRINUSE);
        drain();
        end();
    }
    assert_int_equal(all, STACK_PORTS);
}

/* An ICMP error goes to whose connection it quotes. */
static void errors_find_their_owner(void **state)
{
    (void)state;
    begin_member(3);
    find_flow(false);
    icmp_drop(REASON_HANDED_OVER, ICMP_UNREACHABLE, 1, .seq = 1);
    assert_int_equal(handed.count, 1);
    assert_int_not_equal(handed.to, 3);
    assert_int_equal(handed.bytes[9], IP_PROTO_ICMP);
    find_flow(true);
    icmp_drop(REASON_ICMP_QUOTE, ICMP_UNREACHABLE, 1, .seq = 1);
    assert_int_equal(handed.count, 1);
    end();
}

/* A segment in two fragments; `second`: the later one. */
static enum reason give_fragment(bool second)
{
    struct addr local = LOCAL_ADDR, remote = REMOTE_ADDR;
    struct tcp_hdr syn = {.sport = flow.remote_port,
                          .dport = flow.local_port,
                          .seq = REMOTE_ISS,
                          .wnd = FULL_WND,
                          .flags = SYN};
    uint8_t segment[TCP_HEADER_MIN + 12], b[64];
    struct ip_hdr ip = {.src = remote,
                        .dst = local,
                        .version = 4,
                        .ttl = 64,
                        .proto = IP_PROTO_TCP,
                        .id = 7,
                        .mf = !second,
                        .frag_off = second ? FIRST : 0};
    uint32_t at = second ? FIRST : 0, len = second ? sizeof(segment) - FIRST : FIRST;
    struct slice text = {NULL, (const uint8_t *)"twelve bytes", 12};

    memcpy(segment + TCP_HEADER_MIN, text.base, text.len);
    tcp_build(segment, &remote, &local, &syn, 0, &text, 1);
    memcpy(b + ip_build_len(&ip), segment + at, len);
    ip_build(b, &ip, len);
    return rig_input(b, (uint32_t)ip_build_len(&ip) + len);
}

/* Fragments go to the first one, which hands on what they make. */
static void fragments_come_together(void **state)
{
    (void)state;
    begin_member(2);
    assert_int_equal(give_fragment(false), REASON_HANDED_OVER);
    assert_int_equal(handed.to, 0);
    assert_int_equal(give_fragment(true), REASON_HANDED_OVER);
    assert_int_equal(handed.count, 2);
    end();
    begin_member(0);
    find_flow(false);
    assert_int_equal(give_fragment(false), REASON_NONE);
    assert_int_equal(handed.count, 0);
    assert_int_equal(give_fragment(true), REASON_HANDED_OVER);
    assert_int_equal(handed.count, 1);
    assert_int_not_equal(handed.to, 0);
    assert_int_equal(handed.len, 20 + 20 + 12);
    assert_int_equal(get16(handed.bytes + 6) & 0x3fff, 0); /* it is whole */
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_agree),
        cmocka_unit_test(segments_find_their_owner),
        cmocka_unit_test(strangers_are_ours_too),
        cmocka_unit_test(no_room_is_a_counted_drop),
        cmocka_unit_test(ports_are_parted),
        cmocka_unit_test(errors_find_their_owner),
        cmocka_unit_test(fragments_come_together),
    };

    return cmocka_run_group_tests_name("share", tests, NULL, NULL);
}
