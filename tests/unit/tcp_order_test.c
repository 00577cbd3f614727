/* What comes out of order (SHLD-31, RFC 5681 4.2), in every order and overlap. */
#include "tcp_kit.h"

static void begin_open(void)
{
    defaults();
    begin();
    open_passive();
}

/* ---- out of order (SHLD-31, RFC 5681 4.2) ---- */

/* MAY-13: one duplicate ACK for each segment above a hole, in a batch of one and in a batch of
 * four. */
static void duplicate_acks(void **state)
{
    (void)state;
    for (unsigned batch = 0; batch < 2; batch++) {
        begin_open();
        for (uint32_t i = 1; i < 5; i++) {
            inject(ACK, 1 + i * MSS, 1, FULL_WND, MSS);
            if (batch == 0) {
                expect(ACK, 1, 1, 0);
                expect_why(REASON_SEND_ACK_DUPLICATE);
                expect_wnd(FULL_WND); /* or it would be no duplicate */
                expect_nothing();
            }
        }
        for (uint32_t i = 1; i < 5 && batch == 1; i++) {
            expect(ACK, 1, 1, 0);
            expect_why(REASON_SEND_ACK_DUPLICATE);
        }
        expect_nothing();
        expect_no_event();
        inject(ACK, 1, 1, FULL_WND, MSS);
        expect(ACK, 1, 1 + 5 * MSS, 0); /* at once: it fills a hole */
        expect_nothing();
        expect_event(EV_READABLE);
        app_read(5 * MSS);
        end();
    }
}

/* In one batch: what came before the hole is acknowledged by the first, the others repeat it. */
static void a_batch_with_a_hole(void **state)
{
    (void)state;
    begin_open();
    inject(ACK, 1, 1, FULL_WND, MSS);
    for (uint32_t i = 2; i < 5; i++)
        inject(ACK, 1 + i * MSS, 1, FULL_WND, MSS);
    for (uint32_t i = 2; i < 5; i++)
        expect(ACK, 1, 1 + MSS, 0);
    expect_nothing();
    end();
}

/* A part of a hole is filled: at once, too (RFC 5681 4.2). */
static void part_of_a_hole(void **state)
{
    (void)state;
    begin_open();
    inject(ACK, 301, 1, FULL_WND, 100);
    expect(ACK, 1, 1, 0);
    inject(ACK, 1, 1, FULL_WND, 100);
    expect(ACK, 1, 101, 0);
    inject(ACK, 101, 1, FULL_WND, 200);
    expect(ACK, 1, 401, 0);
    app_read(400);
    end();
}

struct piece {
    uint32_t seq, len;
};

static void permute(const struct piece p[5], unsigned order[5], unsigned n,
                    void (*check)(const struct piece p[5], const unsigned order[5]))
{
    if (n == 5) {
        check(p, order);
        return;
    }
    for (unsigned i = n; i < 5; i++) {
        unsigned t = order[n];

        order[n] = order[i];
        order[i] = t;
        permute(p, order, n + 1, check);
        order[i] = order[n];
        order[n] = t;
    }
}

/* The end of what is whole from byte 1 on, once the first n pieces have come. */
static uint32_t whole_until(const struct piece p[5], const unsigned order[5], unsigned n)
{
    uint32_t until = 1;

    for (unsigned again = 0; again < n; again++)
        for (unsigned i = 0; i < n; i++) {
            const struct piece *q = &p[order[i]];

            if (q->seq <= until && q->seq + q->len > until)
                until = q->seq + q->len;
        }
    return until;
}

static uint32_t flow_number;

/* After each piece exactly what is whole is acknowledged, and every byte is right. */
static void check_order(const struct piece p[5], const unsigned order[5])
{
    flow = (struct flow){.local_port = LOCAL_PORT,
                         .remote_port = (uint16_t)(REMOTE_PORT + flow_number++),
                         .irs = (uint32_t)-300}; /* across the wrap */
    rig_open_passive(&mss_only, FULL_WND, FULL_WND);
    for (unsigned i = 0; i < 5; i++) {
        const struct piece *q = &p[order[i]];
        uint32_t whole = whole_until(p, order, i + 1);

        rig_inject(ACK, q->seq, 1, FULL_WND, q->len, NULL);
        advance(40 * MSEC);
        rig_expect(ACK, 1, whole, 0);
        rig_expect_nothing();
        rig_same("received", tcb()->rcv_nxt - flow.irs, whole);
    }
    rig_read(whole_until(p, order, 5) - 1);
    rig_read_says(-EAGAIN);
    assert_null(tcb()->reasm.first);
    app_abort();
    drain();
}

/* SHLD-31. */
static void permutations_and_overlaps(void **state)
{
    static const struct piece sets[][5] = {
        {{1, 100}, {101, 100}, {201, 100}, {301, 100}, {401, 100}},    /* side by side */
        {{1, 150}, {101, 150}, {201, 150}, {301, 150}, {401, 100}},    /* overlapping */
        {{1, 500}, {101, 100}, {201, 1}, {301, 199}, {101, 100}},      /* inside another, twice */
        {{1, 1}, {2, 499}, {1, 300}, {200, 301}, {500, 1}},            /* single bytes */
        {{1, 700}, {501, 700}, {1001, 700}, {1501, 700}, {901, 1300}}, /* held by reference */
        {{1, 10}, {11, 1400}, {5, 1000}, {700, 1400}, {2000, 101}},    /* mixed */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
        unsigned order[5] = {0, 1, 2, 3, 4};

        defaults();
        rig.line = (int)i;
        begin();
        flow_number = 0;
        permute(sets[i], order, 0, check_order);
        assert_int_equal(flow_number, 120);
        end();
    }
}

/* Where two segments disagree the bytes that came first stay: nobody can rewrite them later. */
static void bytes_that_came_first_stay(void **state)
{
    struct addr local = LOCAL_ADDR, remote = REMOTE_ADDR;
    struct tcp_hdr hdr = {.wnd = FULL_WND, .flags = ACK};
    uint8_t wrong[300];

    (void)state;
    begin_open();
    memset(wrong, 0xee, sizeof(wrong));
    hdr.sport = flow.remote_port;
    hdr.dport = flow.local_port;
    hdr.ack = flow.iss + 1;
    inject(ACK, 101, 1, FULL_WND, 100);
    inject(ACK, 301, 1, FULL_WND, 100);
    hdr.seq = flow.irs + 101;
    rig_segment(&remote, &local, &hdr, wrong, 100);
    inject(ACK, 201, 1, FULL_WND, 100);
    hdr.seq = flow.irs + 150;
    rig_segment(&remote, &local, &hdr, wrong, 240);
    inject(ACK, 1, 1, FULL_WND, 100);
    hdr.seq = flow.irs + 1;
    rig_segment(&remote, &local, &hdr, wrong, 100);
    app_read(400);
    app_read_says(-EAGAIN);
    end();
}

/* Thousands of single bytes out of order: memory stays bounded, and the stream whole. */
static void memory_of_reassembly_is_bounded(void **state)
{
    uint32_t dropped = 0;

    (void)state;
    defaults();
    begin();
    open_passive();
    for (uint32_t i = 0; i < 2000; i++) {
        enum reason why = inject(ACK, 3 + 2 * i, 1, FULL_WND, 1);

        dropped += why == REASON_TCP_REASSEMBLY;
        if (why)
            rig_reason("the verdict", why, REASON_TCP_REASSEMBLY);
        expect(ACK, 1, 1, 0);
        expect_nothing();
    }
    assert_int_equal(dropped, 2000 - REASM_RANGES_MAX);
    assert_true(rig.st->cells.in_use <= 2 * REASM_RANGES_MAX);
    for (uint32_t i = 0; i < 4000; i += 1000)
        inject(ACK, 1 + i, 1, FULL_WND, 1000);
    app_read(4000);
    end();
}

/* What the duplicates would repeat is old when the hole is filled before they leave. */
static void a_hole_filled_in_the_same_batch(void **state)
{
    (void)state;
    begin_open();
    for (uint32_t i = 1; i < 5; i++)
        inject(ACK, 1 + i * MSS, 1, FULL_WND, MSS);
    inject(ACK, 1, 1, FULL_WND, MSS);
    expect(ACK, 1, 1 + 5 * MSS, 0);
    expect_nothing();
    end();
}

/* What fills the space between two ranges joins them: ranges are few, as their limit needs. */
static void ranges_that_touch_become_one(void **state)
{
    (void)state;
    begin_open();
    inject(ACK, 101, 1, FULL_WND, 100);
    inject(ACK, 301, 1, FULL_WND, 100);
    assert_int_equal(tcb()->reasm.ranges, 2);
    inject(ACK, 151, 1, FULL_WND, 200);
    assert_int_equal(tcb()->reasm.ranges, 1);
    inject(ACK, 401, 1, FULL_WND, 100);
    assert_int_equal(tcb()->reasm.ranges, 1);
    end();
}

/* A FIN says where the stream ends: what came before for numbers behind it is not text. */
static void text_behind_the_fin(void **state)
{
    (void)state;
    begin_open();
    inject(ACK, 501, 1, FULL_WND, 100);
    expect(ACK, 1, 1, 0);
    inject(ACK, 101, 1, FULL_WND, 200);
    expect(ACK, 1, 1, 0);
    assert_int_equal(tcb()->reasm.ranges, 2);
    inject(FIN | ACK, 201, 1, FULL_WND, 0);
    expect(ACK, 1, 1, 0);
    assert_int_equal(tcb()->reasm.ranges, 1);
    assert_int_equal(tcb()->reasm.first->end - tcb()->reasm.first->start, 100);
    inject(ACK, 1, 1, FULL_WND, 100);
    expect(ACK, 1, 202, 0);
    expect_event(EV_READABLE);
    expect_event(EV_PEER_CLOSED);
    app_read(200);
    app_read_says(0);
    end();
}

/* The same where the FIN's own segment fills the gap before it. */
static void text_behind_a_fin_with_text(void **state)
{
    (void)state;
    begin_open();
    inject(ACK, 51, 1, FULL_WND, 200);
    expect(ACK, 1, 1, 0);
    inject(FIN | ACK, 1, 1, FULL_WND, 100);
    expect(ACK, 1, 102, 0);
    expect_event(EV_READABLE);
    expect_event(EV_PEER_CLOSED);
    app_read(100);
    app_read_says(0);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(duplicate_acks),
        cmocka_unit_test(a_batch_with_a_hole),
        cmocka_unit_test(part_of_a_hole),
        cmocka_unit_test(permutations_and_overlaps),
        cmocka_unit_test(bytes_that_came_first_stay),
        cmocka_unit_test(memory_of_reassembly_is_bounded),
        cmocka_unit_test(a_hole_filled_in_the_same_batch),
        cmocka_unit_test(ranges_that_touch_become_one),
        cmocka_unit_test(text_behind_the_fin),
        cmocka_unit_test(text_behind_a_fin_with_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
