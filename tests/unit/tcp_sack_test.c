/*
 * Selective acknowledgments (RFC 2018) and reports of duplicates (RFC 2883).
 *
 * What a receiver must say is worked out by a model that knows nothing of ranges: a grid of units
 * of eight bytes, and for each when it came last.
 */
#include "tcp_kit.h"

enum {
    UNIT = 8,  /* bytes */
    GRID = 12, /* units */
    NEVER = 0,
};

static const struct tcp_options offer = {.has_mss = true, .mss = MSS, .sack_ok = true};

/* ---- the model ---- */

struct model {
    unsigned came[GRID]; /* at which segment, counted from 1, or NEVER */
    unsigned segments;
    unsigned nxt; /* the first unit that is missing */
};

struct said {
    unsigned n;
    unsigned start[TCP_SACK_MAX], end[TCP_SACK_MAX]; /* units */
};

/* The first run of units in [a, b) that are here. */
static bool model_duplicate(const struct model *m, unsigned a, unsigned b, struct said *ret_said)
{
    while (a < b && m->came[a] == NEVER)
        a++;
    if (a == b)
        return false;
    ret_said->start[0] = a;
    while (a < b && m->came[a] != NEVER)
        a++;
    ret_said->end[0] = a;
    ret_said->n = 1;
    return true;
}

/* The run behind the gap whose latest segment came last before `before`; 0: there is none. */
static unsigned model_latest(const struct model *m, unsigned before, unsigned *ret_start,
                             unsigned *ret_end)
{
    unsigned best = 0;

    for (unsigned u = m->nxt; u < GRID;) {
        unsigned start = u, came = 0;

        for (; u < GRID && m->came[u] != NEVER; u++)
            came = m->came[u] > came ? m->came[u] : came;
        if (came > best && came < before) {
            best = came;
            *ret_start = start;
            *ret_end = u;
        }
        u += u == start;
    }
    return best;
}

/* Units a to b - 1 arrive: what has the acknowledgment to say? */
static struct said model_arrive(struct model *m, unsigned a, unsigned b, unsigned most)
{
    struct said said = {0};
    unsigned before = ++m->segments + 1;

    model_duplicate(m, a, b, &said);
    for (unsigned u = a; u < b; u++)
        m->came[u] = m->segments;
    while (m->nxt < GRID && m->came[m->nxt] != NEVER)
        m->nxt++;
    while (said.n < most) {
        before = model_latest(m, before, &said.start[said.n], &said.end[said.n]);
        if (!before)
            break;
        said.n++;
    }
    return said;
}

/* ---- the same for the stack ---- */

/* A connection that speaks SACK and answers each segment at once. */
static void speaking(bool timestamps)
{
    struct tcp_options opt = offer;

    defaults();
    rig.cfg.tcp.sack = true;
    rig.cfg.tcp.timestamps = opt.has_timestamp = timestamps;
    rig.cfg.tcp.delayed_ack = false;
    begin();
    app_listen(16);
    rig_inject(SYN, 0, 0, FULL_WND, 0, &opt);
    expect_syn_ack();
    assert_true(rig.seg.opt.sack_ok);
    rig_inject(ACK, 1, 1, FULL_WND, 0, &(struct tcp_options){.has_timestamp = timestamps});
    expect_event(EV_ACCEPTED);
}

/* Units a to b - 1 of a grid whose first byte has number `base`: the ACK says what the model does.
 */
static void arrive(struct model *m, uint32_t base, unsigned a, unsigned b)
{
    const struct tcp_options opt = {.has_timestamp = rig.cfg.tcp.timestamps};
    struct said want = model_arrive(m, a, b, opt.has_timestamp ? 3 : 4);

    rig_inject(ACK, base + a * UNIT, 1, FULL_WND, (b - a) * UNIT, &opt);
    rig_expect(ACK, 1, base + m->nxt * UNIT, 0);
    rig_same("blocks", rig.seg.opt.sack_n, want.n);
    for (unsigned i = 0; i < want.n; i++) {
        rig_same("start", rig.seg.opt.sack[i].start - flow.irs, base + want.start[i] * UNIT);
        rig_same("end", rig.seg.opt.sack[i].end - flow.irs, base + want.end[i] * UNIT);
    }
}

/* The grid is filled up and read, and the next one begins. */
static void next_grid(struct model *m, uint32_t *base)
{
    arrive(m, *base, 0, GRID);
    while (rig_take_tcp())
        continue;
    app_read(GRID * UNIT);
    while (stack_event(rig.st, &(struct stack_event){0}))
        continue;
    *base += GRID * UNIT;
    *m = (struct model){0};
}

/* ---- what is negotiated ---- */

/* RFC 2018 2: permitted where both SYNs say so, and switched on here. */
static void rfc2018_2_it_takes_both_syns(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 8; i++) {
        bool on = i & 1, offered = i & 2, active = i & 4;
        struct tcp_options opt = {.has_mss = true, .mss = MSS, .sack_ok = offered};

        defaults();
        rig.cfg.tcp.sack = on;
        begin();
        if (active) {
            app_open();
            expect_syn();
            rig_same("offered", rig.seg.opt.sack_ok, on);
            rig_inject(SYN | ACK, 0, 1, FULL_WND, 0, &opt);
            expect(ACK, 1, 1, 0);
        } else {
            app_listen(16);
            rig_inject(SYN, 0, 0, FULL_WND, 0, &opt);
            expect_syn_ack();
            rig_same("answered", rig.seg.opt.sack_ok, on && offered);
            inject(ACK, 1, 1, FULL_WND, 0);
        }
        inject(ACK, 101, 1, FULL_WND, 100);
        expect(ACK, 1, 1, 0);
        rig_same("blocks", rig.seg.opt.sack_n, on && offered);
        rig_same("not again", rig.seg.opt.sack_ok, false);
        end();
    }
}

static void a_second_syn_without_it_ends_it(void **state)
{
    (void)state;
    defaults();
    rig.cfg.tcp.sack = true;
    begin();
    app_listen(16);
    rig_inject(SYN, 0, 0, FULL_WND, 0, &offer);
    expect_syn_ack();
    assert_true(rig.seg.opt.sack_ok);
    rig_inject(SYN, 0, 0, FULL_WND, 0, &mss_only);
    expect_syn_ack();
    assert_false(rig.seg.opt.sack_ok);
    end();
}

/* ---- what is reported ---- */

static const unsigned shapes[][5][2] = {
    {{1, 3}, {3, 5}, {5, 7}, {7, 9}, {9, 11}},      /* one behind the other, the first missing */
    {{0, 2}, {2, 4}, {4, 6}, {6, 8}, {8, 10}},      /* ... and with the first */
    {{1, 2}, {3, 4}, {5, 6}, {7, 8}, {9, 10}},      /* a gap before each: more than there is room */
    {{0, 1}, {2, 3}, {4, 5}, {6, 7}, {8, 9}},       /* gaps, and the first */
    {{0, 3}, {2, 5}, {4, 7}, {6, 9}, {8, 11}},      /* each overlaps the next */
    {{1, 4}, {3, 6}, {5, 8}, {7, 10}, {9, 12}},     /* ... the first missing */
    {{1, 11}, {2, 10}, {3, 9}, {4, 8}, {5, 7}},     /* each inside another */
    {{0, 12}, {1, 3}, {5, 7}, {9, 11}, {4, 8}},     /* all inside one */
    {{1, 3}, {1, 3}, {5, 7}, {5, 7}, {9, 11}},      /* some twice */
    {{2, 4}, {2, 4}, {2, 4}, {2, 4}, {2, 4}},       /* one five times */
    {{1, 2}, {3, 4}, {5, 6}, {1, 6}, {0, 7}},       /* one covers others and the gaps between */
    {{1, 3}, {5, 7}, {9, 11}, {2, 6}, {6, 10}},     /* bridges that overlap both their ends */
    {{2, 3}, {4, 5}, {1, 6}, {0, 2}, {5, 12}},      /* two duplicates in one: the first counts */
    {{0, 1}, {0, 2}, {0, 3}, {0, 4}, {0, 5}},       /* each longer than the one before */
    {{11, 12}, {10, 12}, {9, 12}, {8, 12}, {0, 1}}, /* ... towards the front */
};

/* The permutation of 0 to 4 with this number, 0 to 119. */
static void permutation(unsigned number, unsigned ret_order[5])
{
    unsigned left[5] = {0, 1, 2, 3, 4};

    for (unsigned i = 0, n = 5; i < 5; i++, n--) {
        unsigned k = number % n;

        number /= n;
        ret_order[i] = left[k];
        memmove(left + k, left + k + 1, (n - k - 1) * sizeof(left[0]));
    }
}

/* RFC 2018 4, RFC 2883 4: five segments in each order, apart and overlapping in each way. */
static void rfc2018_4_every_order_of_five_segments(void **state)
{
    (void)state;
    for (unsigned timestamps = 0; timestamps < 2; timestamps++) {
        uint32_t base = 1;
        struct model m = {0};

        speaking(timestamps);
        for (unsigned i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
            for (unsigned number = 0; number < 120; number++) {
                unsigned order[5];
                char what[64];

                snprintf(what, sizeof(what), "shape %u, order %u", i, number);
                rig.what = what;
                permutation(number, order);
                for (unsigned k = 0; k < 5; k++)
                    AT(arrive(&m, base, shapes[i][order[k]][0], shapes[i][order[k]][1]));
                next_grid(&m, &base);
            }
        }
        end();
    }
}

/* ... and every sequence of five segments whose ends lie on a grid of four units. */
static void every_sequence_on_a_small_grid(void **state)
{
    static const unsigned piece[10][2] = {{0, 1}, {0, 2}, {0, 3}, {0, 4}, {1, 2},
                                          {1, 3}, {1, 4}, {2, 3}, {2, 4}, {3, 4}};
    uint32_t base = 1;
    struct model m = {0};

    (void)state;
    speaking(true);
    for (unsigned number = 0; number < 100000; number++) {
        char what[64];
        unsigned left = number;

        snprintf(what, sizeof(what), "sequence %05u", number);
        rig.what = what;
        for (unsigned k = 0; k < 5; k++, left /= 10) /* behind one unit that is missing */
            AT(arrive(&m, base, 1 + 2 * piece[left % 10][0], 1 + 2 * piece[left % 10][1]));
        next_grid(&m, &base);
    }
    end();
}

/* A duplicate is reported once, and not by the acknowledgments behind (RFC 2883 4). */
static void rfc2883_4_a_duplicate_is_reported_once(void **state)
{
    (void)state;
    speaking(false);
    inject(ACK, 1, 1, FULL_WND, 100);
    expect(ACK, 1, 101, 0);
    assert_int_equal(rig.seg.opt.sack_n, 0);
    inject_drop(REASON_TCP_SEQUENCE, ACK, 1, 1, FULL_WND, 100);
    expect(ACK, 1, 101, 0);
    assert_int_equal(rig.seg.opt.sack_n, 1);
    assert_int_equal(rig.seg.opt.sack[0].start - flow.irs, 1);
    assert_int_equal(rig.seg.opt.sack[0].end - flow.irs, 101);
    inject(ACK, 201, 1, FULL_WND, 100);
    expect(ACK, 1, 101, 0);
    assert_int_equal(rig.seg.opt.sack_n, 1);
    assert_int_equal(rig.seg.opt.sack[0].start - flow.irs, 201);
    app_read(100);
    end();
}

/* A FIN that waits behind the gap is in the last block; alone it is in none. */
static void a_fin_behind_the_gap_belongs_to_its_block(void **state)
{
    (void)state;
    speaking(false);
    inject(FIN | ACK, 201, 1, FULL_WND, 100);
    while (rig_take_tcp())
        assert_int_equal(rig.seg.opt.sack_n ? rig.seg.opt.sack[0].end - flow.irs : 302, 302);
    inject(ACK, 101, 1, FULL_WND, 50);
    expect(ACK, 1, 1, 0);
    assert_int_equal(rig.seg.opt.sack_n, 2);
    assert_int_equal(rig.seg.opt.sack[0].end - flow.irs, 151);
    assert_int_equal(rig.seg.opt.sack[1].start - flow.irs, 201);
    assert_int_equal(rig.seg.opt.sack[1].end - flow.irs, 302);
    end();
}

/* MUST-16, RFC 6691: text makes room for the blocks that go with it; a reset carries none. */
static void text_makes_room_for_blocks(void **state)
{
    (void)state;
    speaking(true);
    for (unsigned i = 0; i < 3; i++)
        rig_inject(ACK, 101 + 200 * i, 1, FULL_WND, 100,
                   &(struct tcp_options){.has_timestamp = true});
    for (unsigned i = 0; i < 3; i++)
        expect(ACK, 1, 1, 0);
    assert_int_equal(rig.seg.opt.sack_n, 3);
    app_send(3000);
    expect(ACK, 1, 1, 1460 - 40);
    assert_int_equal(rig.seg.opt.sack_n, 3);
    assert_int_equal(rig.ip.total_len, 1500);
    expect(ACK, 1 + 1420, 1, 1420);
    rig_inject(ACK, 101, 1, FULL_WND, 100, &(struct tcp_options){.has_timestamp = true});
    app_abort();
    expect(RST | ACK, 1 + 2840, 1, 0);
    assert_int_equal(rig.seg.opt.sack_n, 0);
    end();
}

/* On the smallest MTU, and towards the smallest announcement, no packet is too large, and a
 * segment with text still carries some. */
static void blocks_take_half_of_a_segment_at_most(void **state)
{
    static const struct {
        uint32_t mtu;
        uint16_t mss;
        bool timestamps;
        unsigned blocks; /* where five ranges wait */
    } cases[] = {
        {68, MSS, true, 0},  {68, MSS, false, 1}, {1500, 48, true, 1},  {1500, 48, false, 2},
        {1500, 68, true, 3}, {1500, 67, true, 2}, {1500, 72, false, 4}, {1500, 71, false, 3},
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct tcp_options opt = offer;

        defaults();
        rig.cfg.mtu = cases[i].mtu;
        rig.cfg.tcp.sack = true;
        rig.cfg.tcp.timestamps = opt.has_timestamp = cases[i].timestamps;
        begin();
        opt.mss = cases[i].mss;
        app_open();
        expect_syn();
        rig_inject(SYN | ACK, 0, 1, FULL_WND, 0, &opt);
        expect(ACK, 1, 1, 0);
        opt = (struct tcp_options){.has_timestamp = cases[i].timestamps};
        for (unsigned k = 0; k < 5; k++) {
            rig_inject(ACK, 101 + 20 * k, 1, FULL_WND, 10, &opt);
            expect(ACK, 1, 1, 0);
            assert_true(rig.ip.total_len <= cases[i].mtu);
        }
        assert_int_equal(rig.seg.opt.sack_n, cases[i].blocks);
        app_send(200);
        assert_true(rig_take_tcp());
        assert_true(rig.len > 0 && rig.ip.total_len <= cases[i].mtu);
        assert_int_equal(rig.seg.opt.sack_n, cases[i].blocks);
        end();
    }
}

/* ---- blocks that arrive ---- */

struct arriving {
    const char *what;
    int32_t start, end; /* relative to our SYN; 4 segments of 100 bytes are in flight, 101 acked */
    unsigned impossible;
    bool counts; /* as a duplicate acknowledgment */
};

/* BAD-INPUT 1.10: blocks that cannot be true are counted and say nothing, so the acknowledgment is
 * no duplicate by RFC 6675; nor is one that reports a duplicate a sign of a loss (RFC 2883). */
static void impossible_blocks_count_for_nothing(void **state)
{
    static const struct arriving cases[] = {
        {"the segment behind the gap", 201, 301, 0, true},
        {"up to the last byte sent", 201, 401, 0, true},
        {"beyond the last byte sent", 201, 402, 1, false},
        {"empty", 201, 201, 1, false},
        {"reversed", 301, 201, 1, false},
        {"far ahead", 1000000, 1000100, 1, false},
        {"half of the numbers away", INT32_MIN, INT32_MIN + 100, 1, false},
        {"acknowledged already", 1, 101, 0, false},
        {"a part of that", 50, 51, 0, false},
        {"across the acknowledgment", 51, 201, 1, false},
        {"at the acknowledgment", 101, 201, 1, false},
        {"acknowledged, but never sent", -200000, -100000, 1, false},
        {"acknowledged and reversed", 101, 1, 1, false},
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct arriving *a = &cases[i];
        struct tcp_options opt = {.sack_n = 1};

        speaking(false);
        rig.what = a->what;
        for (unsigned k = 0; k < 4; k++) {
            app_send(100);
            if (k == 0)
                expect(ACK, 1, 1, 100);
        }
        inject(ACK, 1, 101, FULL_WND, 0); /* Nagle lets the rest go */
        expect(ACK, 101, 1, 300);
        opt.sack[0].start = flow.iss + (uint32_t)a->start;
        opt.sack[0].end = flow.iss + (uint32_t)a->end;
        AT(rig_reason("the verdict", rig_inject(ACK, 1, 101, FULL_WND, 0, &opt), REASON_NONE));
        rig_same("impossible", (long long)stack_count(rig.st, REASON_SACK_IMPOSSIBLE),
                 a->impossible);
        rig_same("duplicates", tcb()->flight->recovery.dupacks, a->counts);
        end();
    }
}

/* RFC 2883 4.1.3: above the acknowledgment, a duplicate is known by the block that contains it. */
static void rfc2883_4_a_report_above_the_acknowledgment_is_known(void **state)
{
    struct tcp_options opt = {.sack_n = 2};

    (void)state;
    speaking(false);
    app_send(400);
    expect(ACK, 1, 1, 400);
    opt.sack[0] = (struct tcp_sack_block){flow.iss + 201, flow.iss + 251};
    opt.sack[1] = (struct tcp_sack_block){flow.iss + 101, flow.iss + 301};
    rig_inject(ACK, 1, 1, FULL_WND, 0, &opt);
    counted(SACK_IMPOSSIBLE, 0);
    assert_int_equal(tcb()->flight->recovery.dupacks, 0);
    opt.sack[1] = (struct tcp_sack_block){flow.iss + 301, flow.iss + 351};
    rig_inject(ACK, 1, 1, FULL_WND, 0, &opt);
    assert_int_equal(tcb()->flight->recovery.dupacks, 1);
    end();
}

/* What was not agreed on is not looked at. */
static void blocks_unasked_are_not_looked_at(void **state)
{
    struct tcp_options opt = {.sack_n = 1};

    (void)state;
    defaults();
    begin();
    open_passive();
    app_send(100);
    expect(ACK, 1, 1, 100);
    opt.sack[0] = (struct tcp_sack_block){flow.iss + 301, flow.iss + 1};
    rig_inject(ACK, 1, 1, FULL_WND, 0, &opt);
    counted(SACK_IMPOSSIBLE, 0);
    assert_int_equal(tcb()->flight->recovery.dupacks, 1);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc2018_2_it_takes_both_syns),
        cmocka_unit_test(a_second_syn_without_it_ends_it),
        cmocka_unit_test(rfc2018_4_every_order_of_five_segments),
        cmocka_unit_test(every_sequence_on_a_small_grid),
        cmocka_unit_test(rfc2883_4_a_duplicate_is_reported_once),
        cmocka_unit_test(a_fin_behind_the_gap_belongs_to_its_block),
        cmocka_unit_test(text_makes_room_for_blocks),
        cmocka_unit_test(blocks_take_half_of_a_segment_at_most),
        cmocka_unit_test(impossible_blocks_count_for_nothing),
        cmocka_unit_test(rfc2883_4_a_report_above_the_acknowledgment_is_known),
        cmocka_unit_test(blocks_unasked_are_not_looked_at),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
