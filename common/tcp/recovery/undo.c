#include "tcp/recovery/undo.h"

#include "base/bytes.h"
#include "base/seq.h"

void undo_begin(struct undo *u, uint32_t una, uint32_t nxt, bool timeout)
{
    bool dsack_seen = u->dsack_seen;

    *u = (struct undo){
        .start = una,
        .end = nxt,
        .reported = una,
        .active = una != nxt,
        .timeout = timeout,
        .dsack_seen = dsack_seen,
    };
}

void undo_extend(struct undo *u, uint32_t nxt)
{
    if (u->active) {
        u->end = nxt;
        u->passed = false;
        u->timeout = true;
    }
}

void undo_end(struct undo *u)
{
    u->active = u->echo_awaited = false;
}

void undo_progress(struct undo *u, uint32_t una, uint32_t nxt)
{
    if (!u->active)
        return;
    if (u->passed && seq_gt(una, u->last))
        undo_end(u);
    if (!u->passed && seq_geq(una, u->end)) {
        u->passed = true;
        u->last = nxt;
    }
}

/*
 * RFC 3522 step 1: the first retransmission is the one whose timestamp counts, and it is that of
 * the first segment outstanding. Where another one leaves first, that one was sent again before,
 * and what acknowledges it says nothing of this episode, however old the echo is.
 */
void undo_retransmitted(struct undo *u, uint32_t seq, uint32_t len, bool ts, uint32_t tsval)
{
    if (!u->active)
        return;
    if (ts && !u->rtx_sent && seq == u->start) {
        u->rtx_ts = tsval;
        u->echo_awaited = true;
    }
    u->rtx_sent = true;
    u->rtx_bytes = u->rtx_bytes + len < len ? UINT32_MAX : u->rtx_bytes + len;
}

static enum undo_verdict spurious(struct undo *u, enum undo_verdict verdict)
{
    undo_end(u);
    return verdict;
}

/*
 * RFC 3522 steps 3 to 6. Step 5 is about a flight that arrived whole while its acknowledgments were
 * lost: some receivers then answer the retransmission with the old timestamp. They tell by a
 * D-SACK; of those who never sent one nothing is known, and only an acknowledgment of a part is
 * believed.
 */
enum undo_verdict undo_on_echo(struct undo *u, uint32_t tsecr, bool all, bool dsack)
{
    bool awaited = u->active && u->echo_awaited;

    u->echo_awaited = false;
    if (!awaited || !seq_lt(tsecr, u->rtx_ts))
        return UNDO_NONE; /* timestamps are compared modulo 2^32, too (RFC 7323 section 5.2) */
    if (dsack || (all && !u->dsack_seen))
        return UNDO_NONE;
    return spurious(u, UNDO_BY_ECHO);
}

/* RFC 3708 section 3: only what was outstanding in the episode, each byte once. */
enum undo_verdict undo_on_dsack(struct undo *u, uint32_t start, uint32_t end)
{
    u->dsack_seen = true;
    if (!u->active || !u->rtx_sent || !seq_lt(start, end))
        return UNDO_NONE;
    if (seq_lt(start, u->start) || seq_gt(end, u->end) || seq_leq(end, u->reported))
        return UNDO_NONE;
    start = seq_max(start, u->reported);
    u->reported = end;
    u->rtx_bytes -= min32(u->rtx_bytes, end - start);
    return u->rtx_bytes == 0 ? spurious(u, UNDO_BY_DSACK) : UNDO_NONE;
}

enum undo_verdict undo_on_arrival(struct undo *u, uint32_t una)
{
    if (!u->active || u->rtx_sent || seq_lt(una, u->end))
        return UNDO_NONE;
    return spurious(u, UNDO_BY_ARRIVAL);
}
