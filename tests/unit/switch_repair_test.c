/*
 * Every combination of the switches of loss recovery (docs/congestion.md) repairs what is lost:
 * whatever is on or off, a transfer ends, nothing is sent again where nothing was lost, and where
 * RACK and probes are on a loss costs no timeout, be it the tail or a retransmission.
 *
 * The remote end is as simple as it may be: it acknowledges each segment that arrives, with blocks
 * where they were agreed on, and a round trip later that is here.
 */
#include "tcp_kit.h"

enum {
    SEGMENTS = 40, /* of the transfer; ten are the initial window */
    ACKS_MAX = 256,
    SWITCHES = 8,
    COMBINATIONS = 1 << SWITCHES,
    STALL_MS = 900, /* for how long the way back stands still, where it does: more than RTO */
};

/* Bits of a combination, in the order of begin_combination. */
enum {
    SACK = 1,
    RACK = 4,
    TLP = 8,
    FRTO = 32,
    UNDO = 64,
};

static const int64_t round_trip = 50 * MSEC;

enum what {
    NOTHING,
    ONE,         /* a segment in the middle */
    TAIL,        /* the last three */
    AGAIN,       /* a segment, and its first retransmission */
    EVERY_OTHER, /* of all segments, once */
    FLIGHT,      /* the first ten, once */
    LATE,        /* nothing, but the way back stands still at first */
    WHATS,
};

/* The remote end. */
static struct remote {
    unsigned times[SEGMENTS]; /* sent so far */
    bool got[SEGMENTS];
    struct {
        int64_t at;
        uint32_t una;
        struct tcp_sack_block block[2];
        unsigned blocks;
    } ack[ACKS_MAX]; /* on its way */
    unsigned n;
    int64_t stalls_until; /* ns */
} remote;

static bool is_lost(enum what what, unsigned i, unsigned nth)
{
    switch (what) {
    case NOTHING:
    case LATE:
    case WHATS:
        break;
    case ONE:
        return i == 3 && nth == 1;
    case TAIL:
        return i >= SEGMENTS - 3 && nth == 1;
    case AGAIN:
        return i == 3 && nth <= 2;
    case EVERY_OTHER:
        return i % 2 == 0 && nth == 1;
    case FLIGHT:
        return i < 10 && nth == 1;
    }
    return false;
}

static unsigned have(void)
{
    unsigned i = 0;

    while (i < SEGMENTS && remote.got[i])
        i++;
    return i;
}

/* The block of segments that `i` belongs to. */
static struct tcp_sack_block block_of(unsigned i)
{
    unsigned start = i, end = i + 1;

    while (start > 0 && remote.got[start - 1])
        start--;
    while (end < SEGMENTS && remote.got[end])
        end++;
    return (struct tcp_sack_block){flow.iss + 1 + start * MSS, flow.iss + 1 + end * MSS};
}

static void answer(unsigned i, bool twice)
{
    unsigned at = remote.n++, una = have();

    assert_true(remote.n < ACKS_MAX);
    remote.ack[at].at = time_max(rig.now + round_trip, remote.stalls_until);
    remote.ack[at].una = 1 + una * MSS;
    remote.ack[at].blocks = 0;
    if (!rig.cfg.tcp.sack)
        return;
    if (twice && rig.cfg.tcp.dsack)
        remote.ack[at].block[remote.ack[at].blocks++] =
            (struct tcp_sack_block){flow.iss + 1 + i * MSS, flow.iss + 1 + (i + 1) * MSS};
    if (i > una)
        remote.ack[at].block[remote.ack[at].blocks++] = block_of(i);
}

static void take_all(enum what what)
{
    while (rig_take_tcp()) {
        unsigned i = (rig.seg.seq - flow.iss - 1) / MSS;
        bool twice;

        if (rig.len == 0)
            continue;
        assert_true(i < SEGMENTS && rig.len == MSS);
        pattern_check(rig.data, 1 + i * MSS, rig.len);
        twice = remote.got[i];
        if (is_lost(what, i, ++remote.times[i]))
            continue;
        remote.got[i] = true;
        answer(i, twice);
    }
}

/* What is on its way arrives in the order in which it left. */
static int64_t next_ack(unsigned *ret_at)
{
    int64_t at = TIME_NEVER;

    for (unsigned i = 0; i < remote.n; i++)
        if (remote.ack[i].at < at) {
            at = remote.ack[i].at;
            *ret_at = i;
        }
    return at;
}

static void deliver(unsigned i)
{
    struct tcp_options opt = {.sack_n = (uint8_t)remote.ack[i].blocks};

    memcpy(opt.sack, remote.ack[i].block, sizeof(remote.ack[i].block));
    rig_inject(ACK, 1, remote.ack[i].una, FULL_WND, 0, &opt);
    remote.ack[i].at = TIME_NEVER;
}

static void begin_combination(unsigned on, const struct cc_ops *cc)
{
    struct tcp_options opt = {.has_mss = true, .mss = MSS, .sack_ok = on & SACK};
    bool *of[SWITCHES];
    struct tcp_config *cfg = &rig.cfg.tcp;

    defaults();
    of[0] = &cfg->sack;
    of[1] = &cfg->dsack;
    of[2] = &cfg->rack;
    of[3] = &cfg->tlp;
    of[4] = &cfg->prr;
    of[5] = &cfg->frto;
    of[6] = &cfg->undo;
    of[7] = &cfg->limited_transmit;
    for (unsigned i = 0; i < SWITCHES; i++)
        *of[i] = on >> i & 1;
    cfg->cc = cc;
    rig.cfg.max_ranges = 256; /* else most of the time would go into clearing them */
    begin();
    app_listen(1);
    rig_inject(SYN, 0, 0, FULL_WND, 0, &opt);
    rig_expect_syn(SYN | ACK);
    advance(round_trip);
    inject(ACK, 1, 1, FULL_WND, 0);
    rig_event(EV_ACCEPTED);
    remote = (struct remote){.n = 0};
}

static void transfer(enum what what)
{
    int64_t began = rig.now;
    unsigned at = 0;

    if (what == LATE)
        remote.stalls_until = rig.now + STALL_MS * MSEC;
    app_send(SEGMENTS * MSS);
    take_all(what);
    while (tcb()->snd_una != flow.iss + 1 + SEGMENTS * MSS) {
        int64_t next = time_min(next_ack(&at), stack_deadline(rig.st));

        assert_true(rig.now - began < 30 * SEC);
        if (next > rig.now)
            advance(next - rig.now);
        else
            stack_tick(rig.st, rig.now); /* a pace that became quicker is due already */
        if (next_ack(&at) == rig.now)
            deliver(at);
        take_all(what);
    }
}

/* All was late: F-RTO sends again what asked, the rest does without; and what was reduced is
 * undone.
 */
static void judge_late(unsigned on)
{
    const struct tcb *c = tcb();

    counted(RTO_EXPIRED, 2);
    counted(UNDO_FRTO, on & FRTO ? 1 : 0);
    if (on & FRTO)
        assert_int_equal(c->retransmits, 2);
    else
        assert_in_range(c->retransmits, 5, 15);
    if ((on & (FRTO | UNDO)) == (FRTO | UNDO))
        assert_true(c->cc.cwnd >= 10 * MSS);
}

static void judge(enum what what, unsigned on)
{
    const struct tcb *c = tcb();
    bool by_time = (on & (SACK | RACK | TLP)) == (SACK | RACK | TLP);

    assert_int_equal(c->bytes_acked, SEGMENTS * MSS);
    assert_true(c->cc.cwnd >= MSS);
    assert_int_equal(recovery_pipe(c->flight, MSS), 0);
    assert_true(c->retransmits <= SEGMENTS);
    if (what == NOTHING)
        assert_int_equal(c->retransmits, 0);
    if (by_time && (what == ONE || what == TAIL || what == AGAIN))
        counted(RTO_EXPIRED, 0);
    if (what == LATE)
        judge_late(on);
}

static void every_combination(const struct cc_ops *cc)
{
    static char name[64];

    for (unsigned what = 0; what < WHATS; what++)
        for (unsigned on = 0; on < COMBINATIONS; on++) {
            begin_combination(on, cc);
            snprintf(name, sizeof(name), "loss %u, switches %#x", what, on);
            rig.what = name;
            transfer((enum what)what);
            judge((enum what)what, on);
            end();
        }
}

static void every_combination_with_reno(void **state)
{
    (void)state;
    every_combination(&cc_reno);
}

static void every_combination_with_cubic(void **state)
{
    (void)state;
    every_combination(&cc_cubic);
}

static void every_combination_with_bbr(void **state)
{
    (void)state;
    every_combination(&cc_bbr);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_combination_with_reno),
        cmocka_unit_test(every_combination_with_cubic),
        cmocka_unit_test(every_combination_with_bbr),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
