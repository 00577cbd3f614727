/*
 * Loss recovery, as far as an outsider can judge it who sees what leaves and what is reported: what
 * is sent again was not reported to have arrived, and something has shown that it is lost; a lost
 * tail is probed once.
 *
 * For that the checker keeps each piece that is outstanding, with the instant at which it left the
 * last time, and what the reports that the sender has taken say of it:
 *
 *   RACK      something that left later was reported (RFC 8985 section 6.2), no less than a round
 *             trip has passed, and where little is reported and nothing is repaired yet, the
 *             reordering window besides, which is a quarter of a round trip
 *   SACK      three pieces, or more than two segments, were reported above it (RFC 6675 section 4)
 *   duplicates  three of them have come (RFC 5681 section 3.2), and in a recovery that began so, a
 *             partial acknowledgment that ends where it begins (RFC 6582 section 3.2)
 *
 * What was in a probe of the path's MTU may be sent again without such a sign of what is lost, as
 * what it costs is not the path's (RFC 4821 section 7.6.2); but nothing else may for that reason,
 * and one probe is under way at a time.
 *
 * Each is what must have been so at some time before, for what is lost may have to wait.
 *
 * What has been reported may be taken back (RFC 2018 section 8), so the reports are forgotten when
 * an acknowledgment stops short of what was reported behind it. Then, and where there are more
 * pieces than there is room, nothing is judged by them until what was outstanding is acknowledged.
 */
#include <limits.h>
#include <string.h>

#include "base/bytes.h"
#include "base/seq.h"
#include "base/time.h"
#include "stack/internal.h"
#include "tests/sim/check.h"

enum {
    DUPLICATES = 3,
};

/* Our clock and the one in timestamps tell a round trip to the millisecond. */
static const int64_t grain = MSEC;

void check_begins(struct flow *f)
{
    struct repair *r = &f->repair;
    uint32_t at = f->syn.isn + 1;

    *r = (struct repair){.una = at, .shortest = TIME_NEVER};
    r->dups_to = r->dups_end = r->partial_to = r->sack_to = r->many_to = r->again_to = r->loss_to =
        at;
    f->sacked_n = 0;
}

/* From here on nothing is known of what is outstanding. */
static void lose_sight(struct flow *f)
{
    f->repair.blind = true;
    f->repair.blind_to = f->sent_end;
}

/* ---- Pieces ---- */

static void insert_piece(struct flow *f, unsigned i, struct piece p)
{
    struct repair *r = &f->repair;

    if (r->pieces == CHECK_PIECES) {
        lose_sight(f);
        r->too_many = true;
        return;
    }
    memmove(&r->piece[i + 1], &r->piece[i], (r->pieces - i) * sizeof(p));
    r->piece[i] = p;
    r->pieces++;
}

static void remove_pieces(struct repair *r, unsigned i, unsigned n)
{
    r->pieces -= n;
    memmove(&r->piece[i], &r->piece[i + n], (r->pieces - i) * sizeof(r->piece[0]));
}

/* The first piece that begins at `at` or behind it; one that goes across is split. */
static unsigned split_at(struct flow *f, uint32_t at)
{
    struct repair *r = &f->repair;
    unsigned i = 0;

    for (; i < r->pieces && seq_leq(r->piece[i].end, at); i++)
        continue;
    if (i < r->pieces && seq_lt(r->piece[i].start, at)) {
        struct piece behind = r->piece[i];

        r->piece[i++].end = behind.start = at;
        insert_piece(f, i, behind);
    }
    return i;
}

static void add_piece(struct flow *f, struct piece p)
{
    struct repair *r = &f->repair;
    struct piece *last = r->pieces ? &r->piece[r->pieces - 1] : NULL;

    if (last && last->at == p.at && !last->again && last->end == p.start)
        last->end = p.end;
    else
        insert_piece(f, r->pieces, p);
}

/* The last one is answered, or some of it was sent again, before the next leaves. */
static void note_mtu_probe(struct check *c, struct flow *f, uint32_t start, uint32_t end)
{
    struct repair *r = &f->repair;
    const struct span *last = &r->mtu_probe[(r->mtu_probes - 1) % CHECK_PROBES];

    if (r->mtu_probes && seq_lt(r->una, last->end) && seq_leq(r->again_to, last->start))
        check_fail(c, "send.mtu.probe: %u, and the one at %u is under way", start - f->syn.isn,
                   last->start - f->syn.isn);
    r->mtu_probe[r->mtu_probes++ % CHECK_PROBES] = (struct span){start, end};
}

/* What leaves again because a probe of the path's MTU was lost was in one. */
static void check_mtu_again(struct check *c, const struct flow *f, uint32_t start, uint32_t end)
{
    const struct repair *r = &f->repair;

    for (unsigned i = 0; i < CHECK_PROBES && i < r->mtu_probes; i++)
        if (seq_leq(r->mtu_probe[i].start, start) && seq_leq(end, r->mtu_probe[i].end))
            return;
    check_fail(c, "send.mtu.again: %u to %u was in no probe", start - f->syn.isn, end - f->syn.isn);
}

void check_leaves(struct check *c, struct flow *f, uint32_t start, uint32_t end, enum reason why)
{
    struct repair *r = &f->repair;
    bool again = seq_lt(start, f->sent_end);
    struct piece p = {.at = c->now, .overtaken_at = TIME_NEVER, .again = again};
    unsigned first, behind;

    if (again) {
        first = split_at(f, start);
        behind = split_at(f, end);
        if (first < behind && !r->blind) {
            p.start = r->piece[first].start;
            p.end = r->piece[behind - 1].end;
            remove_pieces(r, first, behind - first);
            insert_piece(f, first, p);
        }
        r->again_to = seq_max(f->sent_end, end);
    }
    if (seq_gt(end, f->sent_end)) {
        p.start = seq_max(start, f->sent_end);
        p.end = end;
        p.again = false;
        add_piece(f, p);
    }
    if (r->too_many)
        r->blind_to = seq_max(f->sent_end, end);
    if (why == REASON_SEND_MTU_PROBE)
        note_mtu_probe(c, f, start, end);
    if (why != REASON_SEND_TLP)
        return;
    if (r->probing)
        check_fail(c, "send.tlp: %u, and the probe before was not answered", start - f->syn.isn);
    r->probing = true;
    r->probe_to = seq_max(f->sent_end, end);
}

/* ---- What was reported ---- */

static void remove_span(struct flow *f, unsigned i)
{
    f->sacked[i] = f->sacked[--f->sacked_n];
}

/* All up to `ack` is acknowledged; a report that begins there or before it and ends behind it was
 * taken back, and who takes one back is not believed about the others. */
static void forget_acked(struct flow *f, uint32_t ack)
{
    for (unsigned i = 0; i < f->sacked_n; i++) {
        if (seq_leq(f->sacked[i].end, ack))
            remove_span(f, i--);
        else if (seq_leq(f->sacked[i].start, ack)) {
            f->sacked_n = 0;
            lose_sight(f);
            return;
        }
    }
}

/* A report, joined with those that it touches. */
static void add_report(struct flow *f, struct span s)
{
    for (unsigned i = 0; i < f->sacked_n; i++)
        if (seq_leq(f->sacked[i].start, s.end) && seq_leq(s.start, f->sacked[i].end)) {
            s.start = seq_min(s.start, f->sacked[i].start);
            s.end = seq_max(s.end, f->sacked[i].end);
            remove_span(f, i);
            i = UINT_MAX; /* begin anew: it may touch others now */
        }
    if (f->sacked_n < CHECK_SPANS)
        f->sacked[f->sacked_n++] = s;
    else
        lose_sight(f);
}

/* Did the piece leave before the latest of what was reported? */
static bool overtaken(const struct repair *r, const struct piece *p)
{
    return r->any &&
           (p->at < r->newest_at || (p->at == r->newest_at && seq_lt(p->end, r->newest_end)));
}

/* [start, end) is reported: what does that say of when things left? */
static void note_report(struct check *c, struct flow *f, uint32_t start, uint32_t end)
{
    struct repair *r = &f->repair;
    unsigned first = split_at(f, start), behind = split_at(f, end);

    for (unsigned i = first; i < behind; i++) {
        const struct piece *p = &r->piece[i];

        if (!p->again)
            r->shortest = time_min(r->shortest, c->now - p->at);
        if (!overtaken(r, p)) {
            r->any = true;
            r->newest_at = p->at;
            r->newest_end = p->end;
        }
    }
}

/* RACK may do without its window (RFC 8985 section 6.2 step 4). */
static bool needs_no_window(const struct repair *r)
{
    return seq_gt(r->again_to, r->una) || seq_gt(r->many_to, r->una);
}

static void note_overtaken(struct check *c, struct repair *r)
{
    for (unsigned i = 0; i < r->pieces; i++) {
        struct piece *p = &r->piece[i];

        if (p->overtaken_at == TIME_NEVER && overtaken(r, p))
            p->overtaken_at = c->now;
        p->sure |= p->overtaken_at != TIME_NEVER && needs_no_window(r);
    }
}

/* Which of the spans is the last one below `end`? */
static const struct span *last_below(const struct flow *f, uint32_t end)
{
    const struct span *last = NULL;

    for (unsigned i = 0; i < f->sacked_n; i++)
        if (seq_leq(f->sacked[i].end, end) && (!last || seq_gt(f->sacked[i].end, last->end)))
            last = &f->sacked[i];
    return last;
}

/* IsLost: up to where three pieces or more than two segments were reported above. */
static void note_many(struct flow *f, uint32_t mss)
{
    struct repair *r = &f->repair;
    uint32_t bytes = 0, pieces = 0, below = f->sent_end;
    const struct span *s;

    while ((s = last_below(f, below))) {
        bytes += s->end - s->start;
        below = s->start;
        if (++pieces >= DUPLICATES || bytes > (DUPLICATES - 1) * mss)
            r->sack_to = seq_max(r->sack_to, s->start);
        if (bytes > (DUPLICATES - 1) * mss)
            r->many_to = f->sent_end;
    }
}

/* Duplicates, and what acknowledges a part of what was outstanding at the third of them. */
static void note_duplicate(struct flow *f, uint32_t ack, uint32_t mss)
{
    struct repair *r = &f->repair;

    if (ack != r->una) {
        r->dups = 0;
        if (seq_lt(ack, r->dups_end))
            r->partial_to = ack + mss;
        return;
    }
    if (++r->dups < DUPLICATES)
        return;
    r->dups_to = ack + mss;
    r->dups_end = f->sent_end;
}

static void note_blocks(struct check *c, struct flow *f)
{
    const struct arrival *a = &c->arrival;
    const struct tcp_options *o = &a->tcp.opt;

    for (unsigned i = 0; i < o->sack_n; i++) {
        if (seq_leq(o->sack[i].start, a->tcp.ack) || seq_gt(o->sack[i].end, a->snd_nxt) ||
            seq_leq(o->sack[i].end, f->repair.una))
            continue;
        note_report(c, f, o->sack[i].start, o->sack[i].end);
        add_report(f, (struct span){o->sack[i].start, o->sack[i].end});
    }
}

/* An acknowledgment that was overtaken moves nothing, but what its blocks report has arrived all
 * the same: to SACK it is a duplicate like others (RFC 6675 section 2), and RACK learns from it. */
void check_heard(struct check *c, const void *of, bool unsure)
{
    const struct arrival *a = &c->arrival;
    const struct conn *conn = of;
    struct flow *f = a->back;
    struct repair *r = &f->repair;
    bool old = seq_lt(a->tcp.ack, a->snd_una);

    if ((old && !a->tcp.opt.sack_n) || seq_gt(a->tcp.ack, f->sent_end))
        return; /* nothing that we do not know, or not of this connection */
    if (unsure)
        lose_sight(f);
    if (!old)
        note_report(c, f, r->una, a->tcp.ack);
    note_blocks(c, f);
    note_duplicate(f, seq_max(r->una, a->tcp.ack), conn->tcb.snd_mss);
    r->una = seq_max(r->una, a->tcp.ack);
    forget_acked(f, r->una);
    remove_pieces(r, 0, split_at(f, r->una));
    note_many(f, conn->tcb.snd_mss);
    note_overtaken(c, r);
    if (seq_geq(r->una, r->probe_to))
        r->probing = false;
    if (r->blind && seq_geq(r->una, r->blind_to))
        r->blind = r->too_many = false;
}

/* How much of a piece was reported. */
static uint32_t reported_of(const struct flow *f, const struct piece *p)
{
    uint32_t bytes = 0;

    for (unsigned i = 0; i < f->sacked_n; i++) {
        uint32_t start = seq_max(f->sacked[i].start, p->start);
        uint32_t end = seq_min(f->sacked[i].end, p->end);

        bytes += seq_lt(start, end) ? end - start : 0;
    }
    return bytes;
}

uint32_t check_sure_to_fly(const struct flow *f)
{
    const struct repair *r = &f->repair;
    uint32_t bytes = 0;

    for (unsigned i = 0; i < r->pieces && !r->blind; i++) {
        const struct piece *p = &r->piece[i];

        if (p->overtaken_at == TIME_NEVER && p->at >= r->all_lost_at &&
            seq_geq(p->start, r->sack_to) && seq_geq(p->start, r->dups_to))
            bytes += p->end - p->start - reported_of(f, p);
    }
    return bytes;
}

/* ---- What is sent again ---- */

/* Is it sent again because acknowledgments showed that it is lost, by their number? */
static bool by_acknowledgments(enum reason why)
{
    return why == REASON_SEND_FAST_RETRANSMIT || why == REASON_SEND_RECOVERY ||
           why == REASON_SEND_SACK;
}

/* The earliest instant at which RACK may take the piece for lost. */
static int64_t lost_at(const struct flow *f, const struct tcb *t, const struct piece *p)
{
    const struct repair *r = &f->repair;
    int64_t shortest = time_min(r->shortest, (int64_t)t->min_rtt_us * USEC);
    int64_t window = p->sure || needs_no_window(r) ? 0 : time_max(0, shortest / 4 - grain);

    return time_max(p->at + shortest - grain, p->overtaken_at + window);
}

/* RACK: each of [start, end) was overtaken, and late. */
static void check_rack(struct check *c, const struct flow *f, const struct tcb *t, uint32_t start,
                       uint32_t end)
{
    const struct repair *r = &f->repair;

    for (unsigned i = 0; i < r->pieces && !r->blind; i++) {
        const struct piece *p = &r->piece[i];

        if (seq_leq(p->end, start) || seq_leq(end, p->start))
            continue;
        if (p->overtaken_at == TIME_NEVER)
            check_fail(c, "send.rack: %u to %u again, and nothing that left later has arrived",
                       start - f->syn.isn, end - f->syn.isn);
        else if (c->now < lost_at(f, t, p))
            check_fail(c, "send.rack: %u to %u again %lld us after it left, %lld after it was late",
                       start - f->syn.isn, end - f->syn.isn, (long long)(c->now - p->at) / USEC,
                       (long long)(c->now - p->overtaken_at) / USEC);
    }
}

/* What else may have shown that `start` is lost. */
static void check_shown(struct check *c, const struct flow *f, uint32_t start, enum reason why)
{
    const struct repair *r = &f->repair;
    uint32_t to = why == REASON_SEND_SACK       ? r->sack_to
                  : why == REASON_SEND_RECOVERY ? seq_max(r->partial_to, r->dups_to)
                                                : r->dups_to;

    if (seq_geq(start, to) && !r->blind)
        check_fail(c, "%s: %u again, and what came speaks of %u", reason_text(why)->name,
                   start - f->syn.isn, to - f->syn.isn);
}

static void check_reported(struct check *c, const struct flow *f, uint32_t start, uint32_t end,
                           enum reason why)
{
    for (unsigned i = 0; i < f->sacked_n; i++)
        if (seq_lt(f->sacked[i].start, end) && seq_gt(f->sacked[i].end, start))
            check_fail(c, "%s: %u to %u again, and %u to %u was reported to have arrived",
                       reason_text(why)->name, start - f->syn.isn, end - f->syn.isn,
                       f->sacked[i].start - f->syn.isn, f->sacked[i].end - f->syn.isn);
}

void check_again(struct check *c, struct flow *f, const void *of, uint32_t start, uint32_t end,
                 enum reason why)
{
    const struct conn *conn = of;
    struct repair *r = &f->repair;

    if (seq_lt(start, r->una))
        check_fail(c, "%s: %u again, and up to %u is acknowledged", reason_text(why)->name,
                   start - f->syn.isn, r->una - f->syn.isn);
    if (why == REASON_SEND_MTU_AGAIN)
        check_mtu_again(c, f, start, end);
    if (why == REASON_SEND_RTO || why == REASON_SEND_REOPENED || why == REASON_SEND_SMALLER ||
        why == REASON_SEND_MTU_AGAIN)
        r->all_lost_at = c->now;
    if (why != REASON_SEND_PROBE)
        check_reported(c, f, start, end, why);
    if (why == REASON_SEND_RESCUE && seq_leq(seq_max(r->again_to, r->loss_to), r->una))
        check_fail(c, "send.rescue: %u again, and no repair was begun", start - f->syn.isn);
    if (why == REASON_SEND_RACK)
        check_rack(c, f, &conn->tcb, start, end);
    else if (by_acknowledgments(why))
        check_shown(c, f, start, why);
    if (why != REASON_SEND_TLP && why != REASON_SEND_PROBE)
        r->probing = false; /* what is known to be lost is repaired in another way */
}
