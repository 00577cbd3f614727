/*
 * Packets that are announced before they come: whose they are is found ahead, and nothing else
 * comes of it, whatever was announced and whatever comes.
 */
#include "tcp_kit.h"

enum {
    PLACES = 1100, /* connections: announcements to fewer than 1,024 are not looked at */
    BATCH = 40,    /* packets */
    STEP = 7,      /* connections from one to the next that is used; it divides neither */
    PORTS_AT = RIG_V6 ? IPV6_HEADER : IPV4_HEADER_MIN,
};

static struct flow flows[PLACES];

static void open_many(uint32_t n)
{
    defaults();
    rig.cfg.max_conns = 2 * PLACES;
    begin();
    for (uint32_t i = 0; i < n; i++) {
        open_passive();
        flows[i] = flow;
        flow.remote_port++;
    }
    memset(rig.st->hints, 0, sizeof(*rig.st->hints) << (64 - rig.st->hint_shift));
}

/* Exactly these bytes are announced: that none behind them is read, a sanitizer sees. */
static void announce_bytes(const uint8_t *b, uint32_t len)
{
    uint8_t *copy = malloc(len ? len : 1);
    struct pkt p = {.len = len, .parts = 1};

    assert_non_null(copy);
    memcpy(copy, b, len);
    p.part[0] = (struct slice){NULL, copy, len};
    stack_expect(rig.st, &p);
    free(copy);
}

/* As much of a segment as says whose it is: the shortest that is looked at. */
static void write_ends(uint8_t b[PORTS_AT + 4], const struct flow *f)
{
    struct addr local = LOCAL_ADDR, remote = REMOTE_ADDR;
    struct ip_hdr ip = {.src = remote, .dst = local, .version = RIG_V6 ? 6 : 4, .ttl = 64};

    ip.proto = IP_PROTO_TCP;
    ip_build(b, &ip, 20);
    put16(b + PORTS_AT, f->remote_port);
    put16(b + PORTS_AT + 2, f->local_port);
}

static void announce(const struct flow *f)
{
    uint8_t b[PORTS_AT + 4];

    write_ends(b, f);
    announce_bytes(b, sizeof(b));
}

/* Where the hints say that the flow is; NULL: they say nothing. */
static const struct conn *guess(const struct flow *f)
{
    struct addr local = LOCAL_ADDR, remote = REMOTE_ADDR;
    struct ip_hdr ip = {.src = remote, .dst = local, .version = RIG_V6 ? 6 : 4};
    uint8_t ports[4];

    put16(ports, f->remote_port);
    put16(ports + 2, f->local_port);
    return flow_guess(rig.st, &ip, ports);
}

static const struct conn *conn_of(const struct flow *f)
{
    return flow_lookup(rig.st, f->id);
}

/* One byte comes for the flow, and the application gets it. */
static void one_byte(struct flow *f)
{
    flow = *f;
    AT(rig_reason("the verdict", rig_inject(ACK, 1 + flow.read, 1, FULL_WND, 1, NULL),
                  REASON_NONE));
    app_read(1);
    *f = flow;
}

static void whose_it_is_is_known_before_it_comes(void **state)
{
    (void)state;
    open_many(PLACES);
    for (unsigned i = 0; i < BATCH; i++)
        announce(&flows[i * STEP]);
    for (unsigned i = 0; i < BATCH; i++)
        assert_null(guess(&flows[i * STEP])); /* it was only read */
    for (unsigned i = 0; i < BATCH; i++) {
        one_byte(&flows[i * STEP]);
        /* some packets ahead, if the connection is not the first of its bucket */
        for (unsigned ahead = 1; ahead < 8 && i + ahead < BATCH; ahead++)
            assert_ptr_equal(guess(&flows[(i + ahead) * STEP]),
                             conn_of(&flows[(i + ahead) * STEP]));
    }
    for (unsigned i = 0; i < PLACES; i++)
        one_byte(&flows[i]);
    end();
}

static void others_may_come_instead(void **state)
{
    (void)state;
    open_many(PLACES);
    for (unsigned round = 0; round < 20; round++) {
        for (unsigned i = 0; i < 3 * BATCH; i++) /* more than are looked at */
            announce(&flows[(i * STEP + round) % PLACES]);
        assert_int_equal(rig.st->expectation.end - rig.st->expectation.first, STACK_EXPECT_MAX);
        stack_expect_call(rig.st, flows[round].id);
        stack_expect_call(rig.st, (struct conn_id){UINT32_MAX, 0}); /* no one's */
        for (unsigned i = 0; i < BATCH; i++)
            one_byte(&flows[(i * STEP + 31 * round) % PLACES]);
    }
    for (unsigned i = 0; i < PLACES; i++)
        one_byte(&flows[i]);
    end();
}

/* The connection has ended when the segment comes, and another one is in its slot by then. */
static void what_was_announced_may_have_gone(void **state)
{
    struct flow gone;

    (void)state;
    open_many(PLACES);
    gone = flows[PLACES / 2];
    for (unsigned i = 0; i < BATCH; i++)
        announce(&gone);
    flow = gone;
    inject(RST | ACK, 1, 1, FULL_WND, 0);
    expect_event(EV_CLOSED);
    inject_drop(REASON_TCP_LISTEN_ACK, ACK, 1, 1, FULL_WND, 1);
    expect(RST, 1, 0, 0);
    flow.remote_port = (uint16_t)(REMOTE_PORT + PLACES);
    open_passive();
    assert_int_equal(flow.id.slot, gone.id.slot);
    flows[PLACES / 2] = flow;
    flow = gone;
    inject_drop(REASON_TCP_LISTEN_ACK, ACK, 1, 1, FULL_WND, 1);
    expect(RST, 1, 0, 0);
    for (unsigned i = 0; i < PLACES; i++)
        one_byte(&flows[i]);
    end();
}

static uint64_t hash_of(const struct flow *f)
{
    struct addr local = LOCAL_ADDR, remote = REMOTE_ADDR;

    return flow_place_hash(rig.st, &local, f->local_port, &remote, f->remote_port);
}

/* The flow that is first in the bucket of this one, or itself. */
static struct flow *first_of(struct flow *f)
{
    uint32_t slot = *flow_bucket(rig.st, hash_of(f)) & rig.st->link_mask;

    for (unsigned i = 0; i < PLACES; i++)
        if (flows[i].id.slot == slot - 1)
            return &flows[i];
    return f;
}

/* The bucket's first connection ends when it is known to lead on: now it leads to free slots. */
static void what_has_gone_is_not_followed(void **state)
{
    const unsigned at = 13; /* led by the first packet, followed by the third */
    struct flow *f = flows, *first;

    (void)state;
    open_many(PLACES);
    while ((first = first_of(f)) == f || first == &flows[0])
        f++;
    for (unsigned i = 0; i < at; i++)
        announce(&flows[0]);
    announce(f);
    one_byte(&flows[0]);
    expect_event(EV_READABLE);
    assert_int_not_equal(rig.st->expectation.at[at].link, 0);
    flow = *first;
    inject(RST | ACK, 1, 1, FULL_WND, 0);
    expect_event(EV_CLOSED);
    stack_tick(rig.st, rig.st->now); /* its slot is free from here on */
    rig.st->conns[first->id.slot].hash_next = 1 | flow_tag(rig.st, hash_of(f)); /* so it is seen */
    one_byte(&flows[0]);
    assert_int_equal(rig.st->expectation.at[at].slot, 0);
    assert_int_equal(rig.st->expectation.at[at].link, 0);
    rig.st->conns[first->id.slot].hash_next = 0;
    end();
}

/* Whatever the bytes are, and however few. */
static void anything_may_be_announced(void **state)
{
    uint8_t b[PORTS_AT + 4];

    (void)state;
    open_many(PLACES);
    for (unsigned version = 0; version < 256; version++) {
        write_ends(b, &flows[version]);
        b[0] = (uint8_t)version;
        for (uint32_t len = 0; len <= sizeof(b); len++)
            announce_bytes(b, len);
        for (uint32_t i = 0; i < sizeof(b); i++) {
            b[i] ^= 0xff;
            announce_bytes(b, sizeof(b));
        }
        for (unsigned i = 0; i < 64; i++)
            one_byte(&flows[(version + i) % PLACES]);
    }
    end();
}

/* What is no whole segment has no ports, or none there: no connection is thought of. */
static void what_is_no_segment_is_not_looked_up(void **state)
{
    uint8_t b[PORTS_AT + 4];
    unsigned proto_at = RIG_V6 ? 6 : 9;

    (void)state;
    open_many(PLACES);
    write_ends(b, &flows[1]);
    announce_bytes(b, sizeof(b) - 1);
    b[proto_at] = IP_PROTO_UDP;
    announce_bytes(b, sizeof(b));
    if (!RIG_V6) {
        b[proto_at] = IP_PROTO_TCP;
        b[7] = 1; /* a later fragment */
        announce_bytes(b, sizeof(b));
        b[7] = 0;
        b[6] = 0x20; /* the first of some */
        announce_bytes(b, sizeof(b));
        b[6] = 0;
        b[0]++; /* options */
        announce_bytes(b, sizeof(b));
    }
    one_byte(&flows[0]);
    assert_null(guess(&flows[1]));
    assert_true(stack_expects(rig.st));
    announce(&flows[1]);
    for (unsigned i = 0; i < 5; i++)
        one_byte(&flows[0]);
    assert_ptr_equal(guess(&flows[1]), conn_of(&flows[1]));
    end();
}

static void few_connections_are_not_worth_it(void **state)
{
    (void)state;
    open_many(1000);
    assert_false(stack_expects(rig.st));
    announce(&flows[1]);
    one_byte(&flows[0]);
    assert_null(guess(&flows[1]));
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whose_it_is_is_known_before_it_comes),
        cmocka_unit_test(others_may_come_instead),
        cmocka_unit_test(what_was_announced_may_have_gone),
        cmocka_unit_test(what_has_gone_is_not_followed),
        cmocka_unit_test(anything_may_be_announced),
        cmocka_unit_test(what_is_no_segment_is_not_looked_up),
        cmocka_unit_test(few_connections_are_not_worth_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
