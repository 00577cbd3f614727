/*
 * recovery_on_arrival is recovery_on_ack with the questions left out that a calm flight answers by
 * itself; recovery_on_whole leaves out more, where nothing flies any more afterwards. Two flights
 * are told the same, each by one of them: what they mean and what they remember must be the same.
 */
#include "tcp/flight.h"

#include "base/time.h"
#include "wire_check.h"

enum {
    MSS = 1000,
    RANGES = 256,
    ROUNDS = 2000,
    STEPS = 40,
};

struct twin {
    struct flight f;
    struct pool ranges;
    struct range own[BOARD_MORE];
    uint64_t mem[RANGES * sizeof(struct range) / sizeof(uint64_t)];
    struct recovery_verdict v;
};

static struct twin any, plain;
static uint32_t una, nxt;
static int64_t now; /* ns */
static uint64_t rng = 7;
static unsigned wholes; /* how often recovery_on_whole was asked */

static void begin(struct twin *w, bool unasked)
{
    memset(&w->f, 0, sizeof(w->f));
    pool_init(&w->ranges, w->mem, sizeof(w->mem), sizeof(struct range));
    board_init(&w->f.board, &w->ranges, w->own, una);
    w->f.board.rate = &w->f.rate;
    w->f.rate.unasked = unasked;
    recovery_init(&w->f.recovery, una - 1);
    rack_init(&w->f.rack);
    for (unsigned i = 0; i < FLIGHT_TIMERS; i++)
        w->f.timer[i] = TIME_NEVER;
}

static void send(uint32_t len)
{
    recovery_sent_new(&any.f, now, nxt, nxt + len);
    recovery_sent_new(&plain.f, now, nxt, nxt + len);
    nxt += len;
}

/* Something of before that both remember: what may be late by it, or what a duplicate said. */
static void remember(void)
{
    int64_t at = now - (int64_t)random_below(&rng, 100) * MSEC;
    uint32_t dupacks = random_below(&rng, 3);

    any.f.rack.xmit_ts = plain.f.rack.xmit_ts = at;
    any.f.rack.end_seq = plain.f.rack.end_seq = nxt;
    any.f.rack.rtt = plain.f.rack.rtt = 1 + random_below(&rng, 20) * MSEC;
    any.f.recovery.dupacks = plain.f.recovery.dupacks = dupacks;
    any.f.recovery.resorted = plain.f.recovery.resorted = dupacks > 0;
}

/* The application has too little to send, as far as both know. */
static void limit(void)
{
    rate_app_limited(&any.f.rate, board_pipe(&any.f.board));
    rate_app_limited(&plain.f.rate, board_pipe(&plain.f.board));
}

static bool same_range(const struct range *a, const struct range *b)
{
    return a->start == b->start && a->end == b->end && a->sent_at == b->sent_at &&
           a->overtaken_at == b->overtaken_at && a->lost == b->lost && a->sacked == b->sacked;
}

static void expect_same(void)
{
    const struct flight *a = &any.f, *b = &plain.f;
    const struct range *g = board_first(&a->board), *h = board_first(&b->board);

    assert_memory_equal(&any.v, &plain.v, sizeof(any.v));
    assert_memory_equal(&a->recovery, &b->recovery, sizeof(a->recovery));
    assert_memory_equal(&a->rack, &b->rack, sizeof(a->rack));
    assert_memory_equal(&a->tlp, &b->tlp, sizeof(a->tlp));
    assert_memory_equal(&a->rate, &b->rate, sizeof(a->rate));
    assert_memory_equal(a->timer, b->timer, sizeof(a->timer));
    assert_int_equal(a->board.fresh, b->board.fresh);
    assert_int_equal(a->board.lost, b->board.lost);
    assert_int_equal(a->board.fack, b->board.fack);
    for (; g && h; g = board_next(&a->board, g), h = board_next(&b->board, h))
        assert_true(same_range(g, h));
    assert_true(!g && !h);
}

/*
 * plain.f is told by recovery_on_whole. The sample that it keeps is not the same: it keeps none,
 * because nobody asks.
 */
static void arrive_whole(const struct ack_sample *s)
{
    struct rate_sample asked, unasked;

    recovery_on_ack(&any.f, s, &any.v);
    rate_finish(&any.f.rate, 5 * MSEC, &asked);
    plain.v.delivered = recovery_on_whole(&plain.f, now, &plain.v.rtt, &unasked);
    assert_int_equal(unasked.round_start, asked.round_start);
    assert_int_equal(unasked.total_delivered, asked.total_delivered);
    assert_false(any.f.rate.next.taken || plain.f.rate.next.taken);
    plain.f.rate.next = any.f.rate.next;
    expect_same();
    wholes++;
}

static void arrive_partly(const struct ack_sample *s)
{
    struct rate_sample sample;

    recovery_on_ack(&any.f, s, &any.v);
    recovery_on_arrival(&plain.f, s, &plain.v);
    expect_same();
    rate_finish(&any.f.rate, 5 * MSEC, &sample);
    rate_finish(&plain.f.rate, 5 * MSEC, &sample);
}

/* `acked` bytes more have arrived. Returns whether something is late. */
static bool arrive(uint32_t acked, bool sack, bool rack)
{
    struct ack_sample s = {.now = now,
                           .acked = acked,
                           .nxt = nxt,
                           .mss = MSS,
                           .sack = sack,
                           .rack = rack,
                           .path = {5 * MSEC, 20 * MSEC},
                           .echo_at = now - 5 * MSEC};

    una += acked;
    s.una = una;
    memset(&any.v, 0, sizeof(any.v));
    memset(&plain.v, 0, sizeof(plain.v));
    assert_true(flight_is_calm(&plain.f));
    if (recovery_is_whole(&plain.f, una))
        arrive_whole(&s);
    else
        arrive_partly(&s);
    return plain.v.lost > 0;
}

/* How many of the rounds, with these options, ended with something late. */
static unsigned run(bool sack, bool rack)
{
    unsigned late = 0;

    for (unsigned round = 0; round < ROUNDS; round++) {
        bool lost = false, unasked = round % 2;

        una = nxt = (uint32_t)random64(&rng);
        begin(&any, unasked);
        begin(&plain, unasked);
        for (unsigned step = 0; step < STEPS && !lost; step++) {
            now += (int64_t)random_below(&rng, 30) * MSEC;
            if (una == nxt || random_below(&rng, 2))
                send(1 + random_below(&rng, 3 * MSS));
            else if (random_below(&rng, 4) == 0)
                lost = arrive(nxt - una, sack, rack);
            else
                lost = arrive(1 + random_below(&rng, nxt - una), sack, rack);
            if (random_below(&rng, 8) == 0)
                limit();
            if (random_below(&rng, 16) == 0)
                remember();
        }
        late += lost;
    }
    return late;
}

static void test_an_arrival_is_an_acknowledgment(void **state)
{
    unsigned late;

    (void)state;
    now = SEC;
    assert_int_equal(run(false, false), 0);
    assert_int_equal(run(true, false), 0);
    late = run(true, true);
    assert_true(late > ROUNDS / 100 && late < ROUNDS);
    assert_true(wholes > ROUNDS);
}

/* One of each that a flight may be uneasy about. */
static void test_what_is_not_calm(void **state)
{
    struct flight *f = &plain.f;

    (void)state;
    begin(&plain, false);
    assert_true(flight_is_calm(f));
#define UNEASY(field)                                                                              \
    do {                                                                                           \
        (field) = 1;                                                                               \
        assert_false(flight_is_calm(f));                                                           \
        (field) = 0;                                                                               \
        assert_true(flight_is_calm(f));                                                            \
    } while (0)
    UNEASY(f->board.resent);
    UNEASY(f->board.lost);
    UNEASY(f->board.sacked);
    UNEASY(f->recovery.phase);
    UNEASY(f->tlp.probing);
    UNEASY(f->rack.in_dsack_round);
    UNEASY(f->response.frto.step);
    UNEASY(f->response.undo.active);
    UNEASY(f->response.adapt_due);
    UNEASY(f->response.prr.recover_fs);
#undef UNEASY
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_arrival_is_an_acknowledgment),
        cmocka_unit_test(test_what_is_not_calm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
