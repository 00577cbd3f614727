#include "tcp/recovery/recovery.h"

#include "base/bytes.h"
#include "base/seq.h"
#include "base/time.h"
#include "tcp/flight.h"

enum {
    DUPACK_THRESHOLD = 3, /* RFC 5681 section 3.2, DupThresh of RFC 6675 */
};

void recovery_init(struct recovery *r, uint32_t una)
{
    *r = (struct recovery){.recover = una};
}

/* ---- what arrived ---- */

/* One acknowledgment on its way. */
struct arrival {
    struct flight *f;
    const struct ack_sample *s;
    struct recovery_verdict *v;
    int64_t latest; /* ns: when the latest of what was delivered had left */
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

static void delivered(void *arg, const struct range *g)
{
    struct arrival *a = arg;

    a->v->delivered += range_len(g);
    judge_timeout(a, g);
    if (a->f->board.rate)
        rate_on_delivered(a->f->board.rate, &g->mark, a->s->now, range_len(g));
    if (g->sent > 1 || (a->v->rtt && g->sent_at <= a->latest))
        return; /* Karn: which of them arrived is not known */
    a->latest = g->sent_at;
    a->v->rtt = time_max(1, a->s->now - g->sent_at);
}

static void take(struct arrival *a)
{
    struct board *b = &a->f->board;
    const struct board_ear ear = {delivered, a};
    uint32_t cumulative;

    board_ack(b, a->s->una, &ear);
    cumulative = a->v->delivered;
    for (unsigned i = 0; i < a->s->blocks; i++)
        board_sack(b, a->s->block[i].start, a->s->block[i].end, &ear);
    a->v->sacked = a->v->delivered - cumulative;
    if (b->n && board_first(b)->sacked) {
        /* It acknowledges up to what it says it has: it does not have it any more. */
        board_forget_sacks(b);
        a->v->reneged = true;
    }
}

/* ---- a recovery begins and ends ---- */

static void enter(struct arrival *a)
{
    struct recovery *r = &a->f->recovery;

    r->phase = RECOVERY_FAST;
    r->recover = a->s->nxt;
    r->at_once = true;
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

/* Section 3.2 step 2: not for duplicates caused by what an earlier recovery sent. */
static void newreno_duplicate(struct arrival *a)
{
    struct recovery *r = &a->f->recovery;

    r->dupacks++;
    if (r->phase != RECOVERY_OPEN || r->dupacks != DUPACK_THRESHOLD)
        return;
    if (seq_leq(a->s->una, r->recover))
        return;
    enter(a);
    lose_first(a, REASON_SEND_FAST_RETRANSMIT);
}

/*
 * A partial acknowledgment: the next segment is lost as well. What it covered beyond the
 * retransmission had left the network already.
 */
static void newreno_partial(struct arrival *a)
{
    struct recovery *r = &a->f->recovery;
    uint32_t segments = (a->s->acked + a->s->mss - 1) / a->s->mss;

    r->dupacks -= min32(r->dupacks, segments - 1);
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
 * below more than two segments' worth of them. What was sent again already is not judged by that.
 */
static void lose_below_sacked(struct arrival *a)
{
    struct board *b = &a->f->board;
    uint32_t bytes = 0, pieces = 0;
    struct range *g;

    if (b->sacked == 0)
        return;
    for (g = board_last(b); g; g = board_before(b, g)) {
        bool enough = pieces >= DUPACK_THRESHOLD || bytes > (DUPACK_THRESHOLD - 1) * a->s->mss;

        if (g->sacked) {
            bytes += range_len(g);
            pieces++;
        } else if (enough && !g->lost && g->sent == 1) {
            a->v->lost += range_len(g);
            board_lose(b, g, REASON_SEND_SACK);
        }
    }
}

/* Section 5: three of them, however little each said, count for the first segment. */
static void sack_duplicate(struct arrival *a)
{
    struct recovery *r = &a->f->recovery;

    if (++r->dupacks == DUPACK_THRESHOLD && r->phase == RECOVERY_OPEN && a->v->lost == 0)
        lose_first(a, REASON_SEND_FAST_RETRANSMIT);
}

static void selective(struct arrival *a)
{
    struct recovery *r = &a->f->recovery;

    finish(a);
    if (a->s->acked)
        r->dupacks = 0;
    lose_below_sacked(a);
    if (!a->s->acked && a->v->sacked && !a->s->dsack)
        sack_duplicate(a);
    if (a->v->lost && r->phase == RECOVERY_OPEN)
        enter(a);
}

void recovery_on_ack(struct flight *f, const struct ack_sample *s, struct recovery_verdict *ret)
{
    struct arrival a = {.f = f, .s = s, .v = ret};

    *ret = (struct recovery_verdict){0};
    take(&a);
    if (s->sack)
        selective(&a);
    else
        newreno(&a);
    if (s->acked && f->recovery.phase == RECOVERY_OPEN && seq_lt(f->recovery.recover, s->una))
        f->recovery.recover = s->una - 1; /* what is behind is all the same; ahead it would be
                                           * wrong, once the numbers have wrapped */
}

/* ---- what else makes bytes be sent again ---- */

static void lose_all(struct flight *f, enum reason why)
{
    if (f->board.n)
        board_lose_span(&f->board, board_first(&f->board)->start, board_last(&f->board)->end, why);
}

/*
 * What was selectively acknowledged stays so. A remote end that takes it back is found out when it
 * acknowledges all before that and no more.
 */
void recovery_on_rto(struct flight *f, uint32_t nxt)
{
    struct recovery *r = &f->recovery;

    r->phase = RECOVERY_RTO;
    r->recover = nxt;
    r->dupacks = 0;
    r->at_once = false;
    lose_all(f, REASON_SEND_RTO);
}

void recovery_undone(struct flight *f, uint32_t una)
{
    board_regain(&f->board);
    f->recovery = (struct recovery){.recover = una - 1, .phase = RECOVERY_OPEN};
}

void recovery_reopened(struct flight *f)
{
    lose_all(f, REASON_SEND_REOPENED);
}

void recovery_too_big(struct flight *f, uint32_t nxt)
{
    f->recovery.recover = nxt;
    lose_all(f, REASON_SEND_SMALLER);
}

/* ---- sending again ---- */

bool recovery_next(const struct flight *f, uint32_t *ret_start, uint32_t *ret_end,
                   enum reason *ret_why)
{
    return f && board_first_lost(&f->board, ret_start, ret_end, ret_why);
}

bool recovery_may_send(const struct flight *f, uint32_t len, uint32_t cwnd, uint32_t mss)
{
    uint32_t pipe = recovery_pipe(f, mss);

    return f->recovery.at_once || pipe == 0 || pipe + len <= cwnd;
}

void recovery_sent(struct flight *f, int64_t now, uint32_t start, uint32_t end)
{
    board_resent(&f->board, now, start, end);
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

    switch ((enum recovery_phase)r->phase) {
    case RECOVERY_OPEN:
        return min32(r->dupacks, DUPACK_THRESHOLD - 1);
    case RECOVERY_FAST:
        return min32(r->dupacks, (board_pipe(&f->board) + f->board.lost) / mss);
    case RECOVERY_RTO:
        break;
    }
    return 0;
}

uint32_t recovery_pipe(const struct flight *f, uint32_t mss)
{
    uint32_t pipe, gone;

    if (!f)
        return 0;
    pipe = board_pipe(&f->board);
    gone = f->sack ? 0 : segments_left(f, mss) * mss;
    return pipe > gone ? pipe - gone : 0;
}
