/*
 * Much of everything: random packets by the hundred thousand, floods, and two nodes that answer
 * each other. What a node sends, keeps and forgets is bounded, and the honest notice nothing.
 */
#include "hostile_kit.h"

#include "wire_check.h"

/* ---- a storm ---- */

static struct kit_packet any_tcp(uint64_t *rng)
{
    uint8_t opt[40];
    uint32_t opt_len = random_below(rng, 3) ? 0 : 4 * random_below(rng, 11);

    random_fill(rng, opt, sizeof(opt));
    return kit_tcp((struct kit_tcp){
        .src = random_below(rng, 2) ? KIT_HOST : (uint32_t)random64(rng),
        .sport = random_below(rng, 2) ? hostile.honest.remote_port : (uint16_t)random64(rng),
        .dport = random_below(rng, 8) ? LOCAL_PORT : (uint16_t)random64(rng),
        .flags = (uint8_t)random64(rng),
        .seq = (uint32_t)random64(rng),
        .ack = (uint32_t)random64(rng),
        .wnd = (uint16_t)random64(rng),
        .urg = (uint16_t)random64(rng),
        .opt = (const char *)opt,
        .opt_len = opt_len,
        .data = random_below(rng, 64),
    });
}

/* An error that quotes something of ours, or nothing that makes sense. */
static struct kit_packet any_error(uint64_t *rng)
{
    uint8_t quote[68];
    struct kit_packet of = any_tcp(rng);

    random_fill(rng, quote, sizeof(quote));
    if (random_below(rng, 4)) {
        put32(of.b + 12, KIT_PEER);
        put32(of.b + 16, KIT_HOST);
        memcpy(quote, of.b, 40);
    }
    return icmp_to_node((uint8_t)random_below(rng, 20), (uint8_t)random_below(rng, 18),
                        (uint32_t)random64(rng), quote, random_below(rng, sizeof(quote) + 1));
}

static struct kit_packet any_packet(uint64_t *rng)
{
    uint8_t junk[200];
    struct kit_packet p;

    random_fill(rng, junk, sizeof(junk));
    switch (random_below(rng, 8)) {
    case 0:
        p = kit_ip4((uint32_t)random64(rng), KIT_PEER, (uint8_t)random64(rng), junk,
                    random_below(rng, sizeof(junk)));
        break;
    case 1:
        p = kit_udp((uint16_t)random64(rng), (uint16_t)random64(rng), junk,
                    random_below(rng, sizeof(junk)));
        break;
    case 2:
    case 3:
        p = any_error(rng);
        break;
    default:
        p = any_tcp(rng);
        break;
    }
    if (random_below(rng, 4) == 0) {
        mutate(rng, p.b, p.len);
        if (random_below(rng, 2))
            kit_ip4_fix(&p);
    }
    if (random_below(rng, 16) == 0)
        p.len = random_below(rng, p.len + 1);
    return p;
}

/* BAD: all of both lists at random, as fast as can be: every packet that did nothing is counted. */
static void a_storm(void **state)
{
    uint64_t rng = 4711;
    uint32_t most_bufs = 0, dropped = 0;
    struct stack_event e;

    (void)state;
    begin_hostile();
    for (unsigned i = 0; i < 100000; i++) {
        struct kit_packet p = any_packet(&rng);

        rig.line = (int)i;
        dropped += hostile_input(&p) != REASON_NONE;
        if (i % 64 == 63) {
            most_bufs = max32(most_bufs, rig.small.in_use + rig.device.in_use);
            hostile_answers(64 * 2);
            while (stack_event(rig.st, &e))
                assert_int_not_equal(e.conn.slot, hostile.honest.id.slot);
        }
    }
    assert_true(dropped > 90000);
    assert_true(most_bufs < 1024);
    hostile_answers(64 * 2);
    hostile_delivered();
    advance(300 * SEC); /* half-open connections give up */
    drain();
    hostile_arm();
    still_well();
    end();
}

/* ---- floods of one kind ---- */

/* BAD: whatever is sent a thousand times at one instant, answers to strangers are limited. */
static void answers_are_limited(void **state)
{
    unsigned n = 0;

    (void)state;
    begin_hostile();
    for (unsigned i = 0; i < 1000; i++) {
        struct kit_packet p = kit_udp(5000, (uint16_t)(6000 + i), NULL, 0);

        hostile_input(&p);
        p = kit_ip4(KIT_HOST, KIT_PEER, (uint8_t)(100 + i % 100), NULL, 8);
        hostile_input(&p);
        n += hostile_answers(2);
    }
    assert_int_equal(n, 100);
    n = 0;
    for (unsigned i = 0; i < 1000; i++) { /* in the window, so that each would be asked about */
        struct kit_packet p = deadly(NULL, 0, 0);

        put32(p.b + 24, get32(p.b + 24) + 1 + i);
        kit_l4_fix(&p, 16);
        strike(&p, REASON_TCP_RST_CHALLENGED);
        n += hostile_answers(1);
    }
    assert_int_equal(n, 100);
    still_well();
    end();
}

/* BAD: more answers than can wait: what does not fit is counted, and nothing else is harmed. */
static void answers_that_do_not_fit(void **state)
{
    (void)state;
    begin_hostile();
    for (unsigned i = 0; i < 3 * STACK_REPLIES; i++) {
        struct kit_packet p = icmp_to_node(ICMP_ECHO, 0, i, NULL, 1000);

        strike(&p, i < STACK_REPLIES ? REASON_NONE : REASON_IP_OUT_FULL);
    }
    assert_int_equal(hostile_answers(STACK_REPLIES), STACK_REPLIES);
    expect_nothing();
    still_well();
    end();
}

/* BAD: a flood of SYNs from everywhere: cookies serve whoever means it, meanwhile and later. */
static void a_flood_of_syns(void **state)
{
    (void)state;
    defaults();
    rig.cfg.tcp.syn_queue = 4;
    hostile_start();
    for (uint32_t i = 0; i < 20000; i++) {
        struct kit_packet p = kit_tcp((struct kit_tcp){
            .src = 0x0b000000 + i, .sport = (uint16_t)(1024 + i % 60000), .flags = SYN, .seq = i});

        hostile_input(&p);
        hostile_answers(1);
        if (i % 1000 == 999)
            AT(hostile_handshake());
    }
    expect_nothing();
    assert_int_equal(stack_totals(rig.st)->conns, 1 + 4);
    hostile_delivered();
    advance(300 * SEC);
    drain();
    hostile_arm();
    still_well();
    end();
}

/* ---- two nodes, and somebody who sets them on each other ---- */

static struct stack *other;
static void *other_mem;

/* A second node at REMOTE_ADDR, out of the same pools. */
static void begin_two(void)
{
    struct stack_config cfg;
    size_t size;

    defaults();
    begin();
    cfg = rig.cfg;
    cfg.local[0] = REMOTE_ADDR;
    memset(cfg.secret, 9, sizeof(cfg.secret));
    size = (stack_bytes(&cfg) + 63) / 64 * 64;
    other_mem = aligned_alloc(64, size);
    assert_non_null(other_mem);
    memset(other_mem, 0, size);
    other = stack_create(&cfg, other_mem, size);
    assert_non_null(other);
    stack_tick(other, rig.now);
}

/* One packet from one to the other, if there is one. */
static bool carry(struct stack *from, struct stack *to)
{
    static struct pkt p;
    struct buf *buf;
    struct pkt in;

    if (!stack_output(from, rig.now, &p))
        return false;
    buf = buf_get(&rig.device);
    assert_non_null(buf);
    in = (struct pkt){.len = pkt_flatten(&p, buf->data, DEVICE_BUF), .parts = 1};
    in.part[0] = (struct slice){buf, buf->data, in.len};
    stack_input(to, rig.now, &in);
    buf_unref(buf);
    return true;
}

/* Carry packets both ways for `ns`, at most `most` of them; returns how many they were. */
static unsigned carry_all(int64_t ns, unsigned most)
{
    unsigned n = 0;

    for (int64_t until = rig.now + ns; rig.now <= until; rig.now += MSEC) {
        unsigned before = n - 1;

        while (before != n && n <= most) {
            before = n;
            n += carry(rig.st, other);
            n += carry(other, rig.st);
        }
        stack_tick(rig.st, rig.now);
        stack_tick(other, rig.now);
    }
    assert_true(n <= most);
    return n;
}

static void end_two(void)
{
    struct stack_event e;
    static struct pkt p;

    while (stack_event(other, &e))
        continue;
    for (uint32_t i = 0; i < other->fresh_slots; i++)
        if (other->conns[i].in_use)
            stack_abort(other, (struct conn_id){i, other->conns[i].generation});
    while (stack_output(other, rig.now, &p) || stack_event(other, &e))
        continue;
    stack_tick(other, rig.now);
    end();
    free(other_mem);
}

/* BAD: one forged packet of each kind, as if the other node had sent it: the answers end. */
static void errors_do_not_echo(void **state)
{
    (void)state;
    for (unsigned proto = 0; proto < 256; proto++)
        for (unsigned flags = 0; flags < 64; flags++) {
            struct kit_packet p;

            if (proto == IP_PROTO_TCP)
                p = kit_tcp((struct kit_tcp){.dport = 81, .flags = (uint8_t)flags, .data = 5});
            else if (proto == IP_PROTO_UDP)
                p = kit_udp(7, 9, NULL, flags);
            else if (proto == IP_PROTO_ICMP)
                p = icmp_to_node((uint8_t)flags, 3, 0, NULL, 28);
            else
                p = kit_ip4(KIT_HOST, KIT_PEER, (uint8_t)proto, NULL, 28);
            if (flags % 16 == 0)
                begin_two();
            rig_input(p.b, p.len);
            carry_all(0, 3);
            if (flags % 16 == 15)
                end_two();
        }
}

/* The other node's half of a connection between both, opened by hand. */
static void open_half(struct stack *st, const struct addr *src, const struct addr *dst,
                      struct tcp_hdr hdr)
{
    uint8_t b[IPV4_HEADER_MIN + TCP_HEADER_MIN];
    struct ip_hdr ip = {.src = *src, .dst = *dst, .version = 4, .ttl = 64, .proto = IP_PROTO_TCP};
    struct pkt in = {.len = sizeof(b), .parts = 1};

    hdr.wnd = FULL_WND;
    tcp_build(b + IPV4_HEADER_MIN, src, dst, &hdr, 0, NULL, 0);
    ip_build(b, &ip, TCP_HEADER_MIN);
    in.part[0] = (struct slice){NULL, b, sizeof(b)};
    assert_int_equal(stack_input(st, rig.now, &in), REASON_NONE);
}

/*
 * BAD: both believe in a connection, but not in the same numbers: each acknowledgment of the one is
 * outside the other's window, and would be answered for ever. A hundred in a second are, each way.
 */
static void a_war_of_acknowledgments(void **state)
{
    struct addr a = LOCAL_ADDR, b = REMOTE_ADDR;
    struct stack_open how = {.remote = LOCAL_ADDR,
                             .remote_port = LOCAL_PORT,
                             .local_port = REMOTE_PORT};
    struct conn_id id;
    static struct pkt p;
    uint32_t iss;
    unsigned n;

    (void)state;
    begin_two();
    open_passive(); /* with somebody who pretended to be the other node */
    assert_int_equal(stack_open(other, &how, &id), 0);
    assert_true(stack_output(other, rig.now, &p));
    iss = get32(p.part[0].base + 24);
    open_half(other, &a, &b,
              (struct tcp_hdr){.sport = LOCAL_PORT,
                               .dport = REMOTE_PORT,
                               .seq = flow.iss + 0x10000000,
                               .ack = iss + 1,
                               .flags = SYN | ACK});
    assert_int_equal(stack_send_copy(other, id, "x", 1), 1);
    n = carry_all(3 * SEC, 2000);
    assert_true(n > 100); /* it was a war */
    assert_true(n <= 4 * 200 + 20);
    end_two();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_storm),
        cmocka_unit_test(answers_are_limited),
        cmocka_unit_test(answers_that_do_not_fit),
        cmocka_unit_test(a_flood_of_syns),
        cmocka_unit_test(errors_do_not_echo),
        cmocka_unit_test(a_war_of_acknowledgments),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
