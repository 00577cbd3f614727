/*
 * As receiver we say which bytes lie behind a gap. The blocks are the ranges of reasm.c, and the
 * one that the latest segment fell into stands first; the next places repeat what was told before,
 * the latest first, so that the loss of one acknowledgment costs nothing (RFC 2018 section 4).
 *
 * In front of them stands once, for each segment that brought bytes a second time, which bytes
 * these were: below the acknowledgment, or inside the block behind it (RFC 2883 section 4). Where
 * several such segments arrive between two acknowledgments, the latest is reported.
 *
 * Together they take no more than half a segment, so that one with text still carries some.
 *
 * As sender we judge here what a block can be, and recovery/ repairs by those that can be true.
 */
#include "tcp/sack.h"

#include "base/bytes.h"
#include "base/seq.h"
#include "tcp/option.h"

enum {
    OPTIONS_MAX = TCP_HEADER_MAX - TCP_HEADER_MIN, /* bytes */
};

/* ---- as receiver ---- */

void sack_note_duplicate(const struct tcp *t, struct tcb *c, uint32_t seq, uint32_t len)
{
    uint32_t end = seq + len, start = seq;

    if (!c->sack_ok || !t->cfg.dsack || len == 0)
        return;
    if (seq_lt(seq, c->rcv_nxt))
        end = seq_min(end, c->rcv_nxt);
    else if (!reasm_overlap(&c->reasm, &start, &end))
        return;
    c->dsack_start = start;
    c->dsack_len = (uint16_t)(end - start);
}

static bool has_duplicate(const struct tcb *c)
{
    return c->dsack_len > 0;
}

/* Blocks that fit beside the other options, and into half of a segment. */
static unsigned room(const struct tcb *c)
{
    struct tcp_options opt = {.has_timestamp = c->ts_ok, .sack_n = 1};
    uint32_t left = OPTIONS_MAX - option_always(c), most = min32(left, c->snd_mss / 2);

    while (opt.sack_n <= TCP_SACK_MAX &&
           tcp_header_len(&opt) - TCP_HEADER_MIN - option_always(c) <= most)
        opt.sack_n++;
    return opt.sack_n - 1U;
}

unsigned sack_blocks(const struct tcb *c)
{
    if (!sack_any(c))
        return 0;
    return min32(room(c), c->reasm.ranges + (uint32_t)has_duplicate(c));
}

/* A FIN that waits behind the last range has its place in the numbers, too. */
static struct tcp_sack_block block_of(const struct tcb *c, const struct reasm_range *g)
{
    bool fin = c->fin_arrived && c->rcv_fin == g->end;

    return (struct tcp_sack_block){g->start, g->end + fin};
}

void sack_fill(const struct tcb *c, struct tcp_options *opt)
{
    const struct reasm_range *last = NULL;
    unsigned n = sack_blocks(c);

    if (n > 0 && has_duplicate(c))
        opt->sack[opt->sack_n++] =
            (struct tcp_sack_block){c->dsack_start, c->dsack_start + c->dsack_len};
    while (opt->sack_n < n && (last = reasm_latest(&c->reasm, last)))
        opt->sack[opt->sack_n++] = block_of(c, last);
}

/* ---- as sender ---- */

static bool inside(const struct tcp_sack_block *b, uint32_t start, uint32_t end)
{
    return seq_geq(b->start, start) && seq_leq(b->end, end);
}

/* Does the first block say that something arrived twice (RFC 2883 section 4)? */
static bool is_duplicate_report(const struct tcp_hdr *seg)
{
    const struct tcp_sack_block *b = seg->opt.sack;

    return seq_leq(b[0].end, seg->ack) ||
           (seg->opt.sack_n > 1 && inside(&b[0], b[1].start, b[1].end));
}

/*
 * Something that we sent: still in flight and behind a gap, or, for a report of a duplicate, not
 * long ago. A block that begins at the acknowledgment would have moved it.
 */
static bool is_possible(const struct tcb *c, const struct tcp_hdr *seg,
                        const struct tcp_sack_block *b, bool duplicate)
{
    uint32_t start = duplicate ? c->snd_una - c->max_snd_wnd : seg->ack + 1;

    return seq_lt(b->start, b->end) && inside(b, start, c->snd_nxt);
}

void sack_arrived(struct tcp *t, const struct tcb *c, int64_t now, const struct tcp_hdr *seg,
                  struct ack_sample *s)
{
    if (!c->sack_ok)
        return;
    for (unsigned i = 0; i < seg->opt.sack_n; i++) {
        const struct tcp_sack_block *b = &seg->opt.sack[i];
        bool duplicate = i == 0 && is_duplicate_report(seg);

        if (!is_possible(c, seg, b, duplicate))
            tcp_note(t, c, now, REASON_SACK_IMPOSSIBLE, 0);
        else if (!duplicate)
            s->block[s->blocks++] = *b;
        else {
            s->dsack = true;
            s->twice = *b;
        }
    }
}
