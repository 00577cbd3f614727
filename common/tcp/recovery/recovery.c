#include "tcp/recovery/recovery.h"

#include "base/bytes.h"
#include "base/seq.h"
#include "base/time.h"
#include "tcp/flight.h"

enum {
    DUPACK_THRESHOLD = 3, /* RFC 5681 section 3.2, DupThresh of RFC 6675 */
    FEW_SEGMENTS = 4,     /* RFC 6582 section 4.1 */
};

void recovery_init(struct recovery *r, uint32_t una)
{
    *r = (struct recovery){.recover = una};
}

/* ---- what arrived ---- */

/* Duplicates up to there can be due to what is outstanding now. */
static void recover_at(struct recovery *r, uint32_t nxt)
{
    r->recover = nxt;
    r->stepped = false;
}

/* One acknowledgment on its way. */
struct arrival {
    struct flight *f;
    const struct ack_sample *s;
    struct recovery_verdict *v;
    bool selective;  /* it is the blocks that are looked at now */
    bool earlier;    /* it answers an earlier sending of what was sent again */
    int64_t min_rtt; /* ns: the shortest round trip before it, or, if there was none, its own */
    int64_t latest;  /* ns: when the latest of what was delivered had left */
};

/* For F-RTO: does this range tell whether the timeout was spurious? */
static void judge_timeout(struct arrival *a, const struct range *g)
{
    const struct frto *f = &a->f->response.frto;

    if (!frto_active(f))
        return;
    if (seq_lt(g->start, f->recover))
        a->v->original |= g->sent == 1;
    else
        a->v->above |= seq_geq(g->start, a->s->una);
}

/* Does the acknowledgment speak of this range, be it of a part? */
static bool speaks_of(const struct ack_sample *s, const struct range *g)
{
    for (unsigned i = 0; i < s->blocks; i++)
        if (seq_lt(g->start, s->block[i].end) && seq_gt(g->end, s->block[i].start))
            return true;
    return seq_lt(g->start, s->una);
}

/* The round trip of what it acknowledges and was sent once, where none was known: 0, or ns. */
static int64_t first_round_trip(const struct flight *f, const struct ack_sample *s)
{
    int64_t trip = 0;

    for (const struct range *g = board_first(&f->board); g; g = board_next(&f->board, g))
        if (g->sent == 1 && !g->sacked && speaks_of(s, g))
            trip = time_min(trip ? trip : TIME_NEVER, time_max(1, s->now - g->sent_at));
    return trip;
}

/* RACK.min_RTT: the round trips that this very acknowledgment ends count, too (RFC 8985 section 6.2
 * step 1). */
static int64_t min_rtt(const struct arrival *a)
{
    int64_t known = a->min_rtt, latest = a->v->rtt;

    return latest && (!known || latest < known) ? latest : known;
}

static void delivered(void *arg, const struct range *g)
{
    struct arrival *a = arg;
    const struct ack_sample *s = a->s;
    struct flight *f = a->f;

    a->v->delivered += range_len(g);
    judge_timeout(a, g);
    if (f->board.rate)
        rate_on_delivered(f->board.rate, &g->mark, s->now, range_len(g));
    a->earlier |= rack_delivered(&f->rack, g, s->now, min_rtt(a), a->selective ? -1 : s->echo_at,
                                 f->board.fack);
    /* Where a queue has grown the shortest round trip, which RACK asks, is no measure. Behind a
     * timeout the usual one is none: it may be that of a queue which is gone. */
    if (f->recovery.phase == RECOVERY_FAST && g->sent > 1)
        a->earlier |= s->now - g->sent_at < s->path.srtt / 2;
    if (g->sent > 1 || (a->v->rtt && g->sent_at <= a->latest))
        return; /* Karn: which of them arrived is not known */
    a->latest = g->sent_at;
    a->v->rtt = time_max(1, s->now - g->sent_at);
}

static struct arrival begin(struct flight *f, const struct ack_sample *s,
                            struct recovery_verdict *v)
{
    *v = (struct recovery_verdict){0};
    return (struct arrival){.f = f, .s = s, .v = v, .min_rtt = s->path.min_rtt};
}

/* `g` is lost from now on; a probe of the path's MTU not because of congestion (RFC 4821 7.6.2). */
static void lose(struct arrival *a, struct range *g, enum reason why)
{
    if (g->probe) {
        a->v->mtu_probe_lost = true;
        recover_at(&a->f->recovery, a->s->nxt);
        board_lose(&a->f->board, g, REASON_SEND_MTU_AGAIN);
        return;
    }
    a->v->lost += range_len(g);
    board_lose(&a->f->board, g, why);
}

/* In their order, so that what arrived in order looks so. */
static void take_blocks(struct arrival *a, const struct board_ear *ear)
{
    struct tcp_sack_block block[TCP_SACK_MAX];
    unsigned n = 0;

    for (unsigned i = 0; i < a->s->blocks; i++) {
        unsigned at = n++;

        for (; at > 0 && seq_lt(a->s->block[i].start, block[at - 1].start); at--)
            block[at] = block[at - 1];
        block[at] = a->s->block[i];
    }
    for (unsigned i = 0; i < n; i++)
        board_sack(&a->f->board, block[i].start, block[i].end, ear);
}

static void known_already(void *arg, const struct range *g)
{
    (void)arg, (void)g;
}

/*
 * The remote end acknowledges up to what it says it has: it does not have it any more (RFC 2018
 * section 8). Of all that it ever reported, what this acknowledgment reports is believed, and that
 * has been counted; the rest is in doubt, but each acknowledgment to come tells more of it.
 */
static void take_back_sacks(struct arrival *a)
{
    const struct board_ear deaf = {known_already, NULL};
    struct board *b = &a->f->board;

    board_forget_sacks(b);
    take_blocks(a, &deaf);
    if (board_first(b)->sacked)
        board_forget_sacks(b); /* an old one that contradicts what came since */
    a->v->reneged = true;
}

static void take(struct arrival *a)
{
    struct board *b = &a->f->board;
    const struct board_ear ear = {delivered, a};
    uint32_t cumulative;

    if (!a->min_rtt && b->resent)
        a->min_rtt = first_round_trip(a->f, a->s);
    board_ack(b, a->s->una, &ear);
    cumulative = a->v->delivered;
    a->selective = true;
    take_blocks(a, &ear);
    a->v->sacked = a->v->delivered - cumulative;
    if (b->n && board_first(b)->sacked)
        take_back_sacks(a);
}

/* ---- a recovery begins and ends ---- */

static void enter(struct arrival *a)
{
    struct recovery *r = &a->f->recovery;

    r->phase = RECOVERY_FAST;
    r->recover = r->rescue = a->s->nxt;
    r->at_once = true;
    r->whole = false;
    a->v->entered = true;
}

/* The end, if it is: everything that was outstanding when it began is acknowledged. */
static bool finish(struct arrival *a)
{
    struct recovery *r = &a->f->recovery;

    if (r->phase == RECOVERY_OPEN || seq_lt(a->s->una, r->recover))
        return false;
    r->phase = RECOVERY_OPEN;
    r->dupacks = 0;
    r->at_once = false;
    a->v->finished = true;
    return true;
}

/* ---- without selective acknowledgments: NewReno (RFC 6582) ---- */

static void lose_first(struct arrival *a, enum reason why)
{
    uint32_t una = a->s->una;

    a->v->lost += board_lose_span(&a->f->board, una, seq_min(una + a->s->mss, a->s->nxt), why);
    a->f->recovery.at_once = true;
}

/* What is missing is a probe of the path's MTU: then nothing else is. */
static bool lose_first_probe(struct arrival *a)
{
    struct range *g = board_first(&a->f->board);

    if (!g || !g->probe || g->lost)
        return false;
    lose(a, g, REASON_SEND_MTU_AGAIN);
    return true;
}

/*
 * Section 3.2 step 2: not for duplicates caused by what an earlier recovery sent in vain. Such ones
 * follow upon an acknowledgment that went far ahead, over what the remote end had got at first; if
 * the last one did not, something is missing (section 4.1).
 */
static void newreno_duplicate(struct arrival *a)
{
    struct recovery *r = &a->f->recovery;
    bool missing = r->stepped && a->s->nxt - a->s->una > a->s->mss;

    r->dupacks++;
    if (r->phase != RECOVERY_OPEN || r->dupacks != DUPACK_THRESHOLD)
        return;
    if ((seq_leq(a->s->una, r->recover) && !missing) || lose_first_probe(a))
        return;
    enter(a);
    lose_first(a, REASON_SEND_FAST_RETRANSMIT);
}

/*
 * A partial acknowledgment: the next segment is lost as well, unless it has left again anyhow. What
 * it covered beyond the retransmission had left the network already.
 */
static void newreno_partial(struct arrival *a)
{
    struct recovery *r = &a->f->recovery;
    uint32_t segments = (a->s->acked + a->s->mss - 1) / a->s->mss;

    r->dupacks -= min32(r->dupacks, segments - 1);
    if (!r->whole)
        lose_first(a, REASON_SEND_RECOVERY);
}

static void newreno(struct arrival *a)
{
    struct recovery *r = &a->f->recovery;

    if (a->s->acked == 0) {
        if (a->s->duplicate)
            newreno_duplicate(a);
        return;
    }
    if (r->phase != RECOVERY_OPEN)
        r->stepped = a->s->acked <= FEW_SEGMENTS * a->s->mss && !a->earlier;
    if (finish(a))
        return;
    if (r->phase == RECOVERY_FAST)
        newreno_partial(a);
    else
        r->dupacks = 0;
}

/* ---- with them (RFC 6675) ---- */

/*
 * IsLost for all ranges at once: from the end on, what lies below three pieces that arrived, or
 * below more than two segments' worth of them. Two ranges without a gap between them are one piece.
 * What was sent again already is not judged by that.
 */
static void lose_below_sacked(struct arrival *a)
{
    struct board *b = &a->f->board;
    uint32_t bytes = 0, pieces = 0;
    bool joined = false; /* to what arrived behind it */
    struct range *g;

    if (b->sacked == 0)
        return;
    for (g = board_last(b); g; joined = g->sacked, g = board_before(b, g)) {
        bool enough = pieces >= DUPACK_THRESHOLD || bytes > (DUPACK_THRESHOLD - 1) * a->s->mss;

        if (g->sacked) {
            bytes += range_len(g);
            pieces += !joined;
        } else if (enough && !g->lost && g->sent == 1) {
            lose(a, g, REASON_SEND_SACK);
        }
    }
}

/* Section 5: three of them, however little each said, count for the first segment. */
static void sack_duplicate(struct arrival *a)
{
    struct recovery *r = &a->f->recovery;

    r->dupacks++;
    if (a->s->rack || a->v->lost || r->phase != RECOVERY_OPEN || seq_lt(a->s->una, r->recover))
        return;
    if (r->dupacks == DUPACK_THRESHOLD && !lose_first_probe(a))
        lose_first(a, REASON_SEND_FAST_RETRANSMIT);
}

/* ---- with them, and by time (RFC 8985) ---- */

static int64_t reordering_window(const struct arrival *a)
{
    const struct flight *f = a->f;
    uint32_t pieces = (f->board.sacked + a->s->mss - 1) / a->s->mss;
    struct rack_path path = {min_rtt(a), a->s->path.srtt};

    return rack_window(&f->rack, &path, f->recovery.phase != RECOVERY_OPEN, pieces);
}

/* RACK_detect_loss */
static void lose_late(struct arrival *a)
{
    struct flight *f = a->f;
    struct range *g;
    int64_t window;

    if (!board_oldest(&f->board)) { /* nothing flies */
        f->timer[FLIGHT_REO] = TIME_NEVER;
        return;
    }
    window = reordering_window(a);
    while ((g = rack_lost(&f->rack, &f->board, a->s->now, window, &f->timer[FLIGHT_REO])))
        lose(a, g, REASON_SEND_RACK);
}

static void selective(struct arrival *a)
{
    struct recovery *r = &a->f->recovery;

    finish(a);
    if (a->s->acked)
        r->dupacks = 0;
    if (a->s->rack)
        lose_late(a);
    else
        lose_below_sacked(a);
    if (!a->s->acked && a->v->sacked && !a->s->dsack)
        sack_duplicate(a);
    if (a->v->lost && r->phase == RECOVERY_OPEN)
        enter(a);
}

/* What a probe of the tail found out, and what else RACK remembers. */
static void heed_reports(struct arrival *a)
{
    const struct ack_sample *s = a->s;
    struct tlp_ack probe = {.una = s->una,
                            .duplicate = s->duplicate && !s->blocks,
                            .dsack = s->dsack,
                            .dsack_end = s->twice.end};
    enum tlp_verdict said = tlp_on_ack(&a->f->tlp, &probe);
    bool ends = a->f->recovery.phase != RECOVERY_OPEN && seq_geq(s->una, a->f->recovery.recover);

    a->v->probe_repaired = said == TLP_REPAIRED;
    rack_adapt(&a->f->rack, &(struct rack_ack){s->una, s->nxt, s->dsack && said != TLP_FOR_NOTHING,
                                               .finished = ends});
}

/* What all acknowledgments end with. */
static void end(struct arrival *a)
{
    if (a->s->acked)
        recovery_drag(&a->f->recovery, a->s->una);
    if (a->v->entered)
        tlp_overtaken(&a->f->tlp);
}

void recovery_on_ack(struct flight *f, const struct ack_sample *s, struct recovery_verdict *ret)
{
    struct arrival a = begin(f, s, ret);

    f->recovery.resorted = false;
    take(&a);
    heed_reports(&a);
    if (s->sack)
        selective(&a);
    else
        newreno(&a);
    end(&a);
}

void recovery_on_arrival(struct flight *f, const struct ack_sample *s, struct recovery_verdict *ret)
{
    struct arrival a = begin(f, s, ret);
    const struct board_ear ear = {delivered, &a};

    f->recovery.resorted = false;
    f->recovery.dupacks = 0;
    board_ack(&f->board, s->una, &ear);
    if (s->rack)
        lose_late(&a);
    if (ret->lost)
        enter(&a);
    end(&a);
}

void recovery_on_reordering(struct flight *f, const struct ack_sample *s,
                            struct recovery_verdict *ret)
{
    struct arrival a = begin(f, s, ret);

    lose_late(&a);
    if (ret->lost && f->recovery.phase == RECOVERY_OPEN)
        enter(&a);
}

/* ---- what else makes bytes be sent again ---- */

static uint32_t lose_all(struct flight *f, enum reason why)
{
    const struct board *b = &f->board;

    if (!b->n)
        return 0;
    return board_lose_span(&f->board, board_first(b)->start, board_last(b)->end, why);
}

/* RACK_mark_losses_on_RTO: what left a moment ago may well arrive. */
static void lose_expired(struct arrival *a)
{
    struct flight *f = a->f;
    int64_t late = f->rack.rtt + reordering_window(a);
    struct range *g;

    while ((g = board_oldest(&f->board)) && g->sent_at + late <= a->s->now)
        lose(a, g, REASON_SEND_RTO);
    a->v->lost += board_lose_span(&f->board, a->s->una, a->s->una + a->s->mss, REASON_SEND_RTO);
}

/*
 * What was selectively acknowledged stays so, as RFC 6675 section 5.1 allows those who notice when
 * it is taken back: a remote end that does so acknowledges all before that and no more, and then
 * nothing is believed but what it reports anew. So the left edge is never marked as arrived, and is
 * what the timeout sends (RFC 2018 section 8).
 */
void recovery_on_rto(struct flight *f, const struct ack_sample *s)
{
    struct recovery *r = &f->recovery;
    struct recovery_verdict v;
    struct arrival a = begin(f, s, &v);

    if (s->rack && f->rack.rtt)
        lose_expired(&a);
    else
        v.lost = lose_all(f, REASON_SEND_RTO);
    r->phase = RECOVERY_RTO;
    r->recover = s->nxt;
    r->dupacks = 0;
    r->at_once = true;
    tlp_end(&f->tlp);
    f->timer[FLIGHT_REO] = f->timer[FLIGHT_PTO] = TIME_NEVER;
}

void recovery_undone(struct flight *f, uint32_t una)
{
    board_regain(&f->board);
    rack_forget(&f->rack);
    f->recovery = (struct recovery){.recover = una - 1, .phase = RECOVERY_OPEN};
}

void recovery_reopened(struct flight *f)
{
    f->recovery.whole = true;
    lose_all(f, REASON_SEND_REOPENED);
}

void recovery_too_big(struct flight *f, uint32_t nxt)
{
    recover_at(&f->recovery, nxt);
    f->recovery.whole = true;
    lose_all(f, REASON_SEND_SMALLER);
}

void recovery_probe_too_big(struct flight *f, uint32_t nxt)
{
    struct range *g = board_first(&f->board);

    recover_at(&f->recovery, nxt);
    for (; g; g = board_next(&f->board, g))
        if (g->probe && !g->lost && !g->sacked)
            board_lose(&f->board, g, REASON_SEND_MTU_AGAIN);
}

/* ---- sending again ---- */

bool recovery_next(const struct flight *f, uint32_t *ret_start, uint32_t *ret_end,
                   enum reason *ret_why)
{
    return f && board_first_lost(&f->board, ret_start, ret_end, ret_why);
}

/* The last range that has not arrived, from the end. */
static const struct range *tail(const struct board *b)
{
    const struct range *g = board_last(b);

    while (g && g->sacked)
        g = board_before(b, g);
    return g;
}

unsigned recovery_last_resort(const struct flight *f, uint32_t una, uint32_t most,
                              uint32_t *ret_start, uint32_t *ret_end)
{
    const struct recovery *r = &f->recovery;
    const struct board *b = &f->board;
    const struct range *g = board_first(b);
    unsigned rule = 3;

    if (!f->sack || r->phase != RECOVERY_FAST || r->resorted)
        return 0;
    while (g && (g->sacked || g->sent > 1))
        g = board_next(b, g);
    if (!g || seq_geq(g->start, b->fack)) {
        g = seq_gt(una, r->rescue) ? tail(b) : NULL;
        rule = 4;
    }
    if (!g)
        return 0;
    *ret_start = rule == 4 ? g->end - min32(range_len(g), most) : g->start;
    *ret_end = g->end;
    return rule;
}

void recovery_resorted(struct flight *f, unsigned rule)
{
    f->recovery.resorted = true;
    if (rule == 4)
        f->recovery.rescue = f->recovery.recover;
}

bool recovery_may_send(const struct flight *f, uint32_t len, uint32_t cwnd, uint32_t mss)
{
    uint32_t pipe = recovery_pipe(f, mss);

    return f->recovery.at_once || pipe == 0 || pipe + len <= cwnd;
}

void recovery_sent_new(struct flight *f, int64_t now, uint32_t start, uint32_t end)
{
    board_sent(&f->board, now, start, end);
}

void recovery_sent_probe(struct flight *f, int64_t now, uint32_t start, uint32_t end)
{
    board_sent_probe(&f->board, now, start, end);
}

void recovery_sent(struct flight *f, int64_t now, uint32_t start, uint32_t end)
{
    plpmtud_resent(f, start, end);
    board_resent(&f->board, now, start, end);
    tlp_end(&f->tlp);
    if (f->recovery.at_once)
        f->recovery.rescue = end; /* of the first in a recovery */
    f->recovery.at_once = false;
}

/*
 * How many segments duplicates say have left. Before a recovery no more than two count (limited
 * transmit, RFC 3042); in one, no more than were in flight, however many somebody makes up. With
 * selective acknowledgments the board knows.
 */
static uint32_t segments_left(const struct flight *f, uint32_t mss)
{
    const struct recovery *r = &f->recovery;

    if (r->phase == RECOVERY_OPEN)
        return min32(r->dupacks, DUPACK_THRESHOLD - 1);
    if (r->phase == RECOVERY_FAST)
        return min32(r->dupacks, (board_pipe(&f->board) + f->board.lost) / mss);
    return 0;
}

uint32_t recovery_pipe(const struct flight *f, uint32_t mss)
{
    uint32_t gone = f && !f->sack ? segments_left(f, mss) * mss : 0;
    uint32_t pipe = f ? board_pipe(&f->board) : 0;

    return pipe > gone ? pipe - gone : 0;
}
