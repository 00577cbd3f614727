#include "tcp/recovery/rack.h"

#include "base/bytes.h"
#include "base/seq.h"
#include "base/time.h"

enum {
    PIECES = 3,   /* DupThresh */
    PERSIST = 16, /* recoveries for which a grown window stays */
};

void rack_init(struct rack *r)
{
    *r = (struct rack){.reo_wnd_mult = 1};
}

/* RACK_sent_after: was `g` sent before what (at, end) speaks of? */
static bool sent_before(const struct range *g, int64_t at, uint32_t end)
{
    return g->sent_at < at || (g->sent_at == at && seq_lt(g->end, end));
}

/* Does this acknowledgment answer an earlier sending of what was sent again? */
static bool is_ambiguous(const struct range *g, int64_t now, int64_t min_rtt, int64_t echo_at)
{
    if (g->sent <= 1)
        return false;
    return now - g->sent_at < min_rtt || (echo_at >= 0 && echo_at < g->sent_at / MSEC * MSEC);
}

static void note_reordering(struct rack *r, uint32_t behind)
{
    r->reord_seen += r->reord_seen < UINT32_MAX;
    r->reordering = max32(r->reordering, behind);
}

bool rack_delivered(struct rack *r, const struct range *g, int64_t now, int64_t min_rtt,
                    int64_t echo_at, uint32_t fack)
{
    if (seq_lt(g->end, fack) && g->sent <= 1)
        note_reordering(r, fack - g->start);
    if (is_ambiguous(g, now, min_rtt, echo_at))
        return true;
    if (r->rtt && sent_before(g, r->xmit_ts, r->end_seq))
        return false;
    r->rtt = time_max(1, now - g->sent_at);
    r->xmit_ts = g->sent_at;
    r->end_seq = g->end;
    return false;
}

void rack_forget(struct rack *r)
{
    r->rtt = 0;
}

void rack_adapt(struct rack *r, const struct rack_ack *a)
{
    if (r->in_dsack_round && seq_geq(a->una, r->dsack_round))
        r->in_dsack_round = false;
    if (!r->in_dsack_round && a->dsack) {
        r->in_dsack_round = true;
        r->dsack_round = a->nxt;
        r->reo_wnd_mult = (uint8_t)(r->reo_wnd_mult < UINT8_MAX ? r->reo_wnd_mult + 1 : UINT8_MAX);
        r->reo_wnd_persist = PERSIST;
    } else if (a->finished) {
        r->order_kept = true;
        if (r->reo_wnd_persist && --r->reo_wnd_persist == 0)
            r->reo_wnd_mult = 1;
    }
}

int64_t rack_window(const struct rack *r, const struct rack_path *p, bool in_recovery,
                    uint32_t pieces)
{
    if (!r->reord_seen && r->order_kept && (in_recovery || pieces >= PIECES))
        return 0;
    return time_min(r->reo_wnd_mult * p->min_rtt / 4, p->srtt ? p->srtt : p->min_rtt);
}

struct range *rack_lost(const struct rack *r, const struct board *b, int64_t now, int64_t window,
                        int64_t *ret_deadline)
{
    struct range *g = board_oldest(b);

    *ret_deadline = TIME_NEVER;
    for (; g && r->rtt && g->sent_at <= r->xmit_ts; g = board_later(b, g)) {
        int64_t due;

        if (!sent_before(g, r->xmit_ts, r->end_seq))
            continue;
        if (!g->overtaken_at)
            g->overtaken_at = now;
        due = time_max(g->sent_at + r->rtt, g->overtaken_at) + window;
        if (due <= now)
            return g;
        *ret_deadline = time_min(*ret_deadline, due);
    }
    return NULL;
}
