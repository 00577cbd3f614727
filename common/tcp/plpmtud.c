#include "tcp/plpmtud.h"

#include "base/bytes.h"
#include "base/seq.h"
#include "base/time.h"
#include "tcp/mss.h"
#include "tcp/option.h"
#include "tcp/path.h"

enum {
    BLACK_HOLE_TIMEOUTS = 4, /* in a row, of full segments */
    LOSSY_TIMEOUTS = 6,      /* the same where large packets got lost before */
    HEALTHY_SEGMENTS = 10,   /* that passed between two time-outs, where they do not */
    SEGMENTS_BEHIND = 3,     /* a probe, which show that it is lost */
};

/* Bytes of the largest packet that both ends take. */
static uint32_t most_of(const struct tcb *c)
{
    return mss_packet(c, mss_of_mtu(c, UINT32_MAX));
}

/* The size to try now, 0: none. */
static uint32_t next_size(struct tcp *t, struct tcb *c, int64_t now)
{
    struct path_mtu *p = path_find(t, c);
    uint32_t size;

    if (!p || !p->searching || now < p->probing_until)
        return 0;
    size = path_mtu_next(p, most_of(c));
    if (!size) {
        path_mtu_found(p, now, t->path_age);
        path_changed(t, c);
    }
    return size;
}

/* Nothing is missing, and nobody asks anything else. */
static bool is_calm(const struct tcb *c)
{
    const struct flight *f = c->flight;

    return f && f->recovery.phase == RECOVERY_OPEN && !f->board.lost && !f->board.sacked &&
           !f->recovery.dupacks && !f->tlp.probing && !f->probe.active && !f->path.claimed &&
           c->rtt.backoff == 0;
}

uint32_t plpmtud_due(struct tcp *t, struct tcb *c, int64_t now, uint32_t waiting, uint32_t window,
                     uint32_t room)
{
    uint32_t size, text, behind = SEGMENTS_BEHIND * (uint32_t)c->snd_mss;

    if (!*t->path_changes || !t->cfg.plpmtud || mss_packet(c, c->snd_mss) >= most_of(c) ||
        !is_calm(c))
        return 0;
    size = next_size(t, c, now);
    if (size <= mss_packet(c, c->snd_mss))
        return 0;
    /* what is blocked by selective acknowledgments of ours is not there for text */
    text = size - mss_packet(c, c->snd_mss) + option_text_max(c);
    if (min32(waiting, min32(window, c->cc.cwnd)) < text + behind || room < text)
        return 0;
    c->flight->probe.size = size;
    return text;
}

void plpmtud_sent(struct tcp *t, struct tcb *c, int64_t now, uint32_t start, uint32_t text)
{
    struct mtu_probe *probe = &c->flight->probe;
    struct path_mtu *p = path_find(t, c);

    if (p)
        p->probing_until = now + c->rtt.rto;
    probe->active = c->snd_nxt - start == text; /* else it found no room for all of it */
    probe->again = false;
    probe->start = start;
    probe->end = c->snd_nxt;
}

void plpmtud_resent(struct flight *f, uint32_t start, uint32_t end)
{
    if (seq_lt(start, f->probe.end) && seq_gt(end, f->probe.start))
        f->probe.again = true;
}

void plpmtud_forget(struct flight *f)
{
    f->probe.active = false;
}

static void lost(struct tcp *t, struct tcb *c, int64_t now)
{
    struct mtu_probe *probe = &c->flight->probe;
    struct path_mtu *p = path_find(t, c);

    probe->active = false;
    tcp_note(t, c, now, REASON_MTU_PROBE_LOST, probe->size);
    if (p)
        path_mtu_lost(p, probe->size);
}

static void passed(struct tcp *t, struct tcb *c, int64_t now)
{
    struct mtu_probe *probe = &c->flight->probe;
    struct path_mtu *p = path_find(t, c);

    probe->active = false;
    if (!p || probe->again) {
        if (p)
            p->probing_until = 0;
        return;
    }
    path_mtu_passed(p, probe->size);
    tcp_note(t, c, now, REASON_MTU_RAISED, probe->size);
    if (!path_mtu_next(p, most_of(c)))
        path_mtu_found(p, now, t->path_age);
    path_changed(t, c);
    c->flight->path.proven = max32(c->flight->path.proven, probe->size);
}

void plpmtud_on_ack(struct tcp *t, struct tcb *c, int64_t now, bool was_lost)
{
    const struct mtu_probe *probe = &c->flight->probe;

    if (!probe->active)
        return;
    if (was_lost)
        lost(t, c, now);
    else if (seq_geq(c->snd_una, probe->end))
        passed(t, c, now);
}

/*
 * A router's word about a probe is believed at once, because nothing becomes smaller by it. What it
 * says passes is the next to be probed.
 */
bool plpmtud_refused(struct tcp *t, struct tcb *c, int64_t now, uint32_t seq, uint32_t mtu)
{
    struct flight *f = c->flight;
    struct path_mtu *p = path_find(t, c);

    if (!f->probe.active || seq != f->probe.start || !p || mtu < p->mtu || mtu >= f->probe.size)
        return false;
    f->probe.active = false;
    path_mtu_refused(p, mtu);
    if (!path_mtu_next(p, most_of(c))) {
        path_mtu_found(p, now, t->path_age);
        path_changed(t, c);
    }
    recovery_probe_too_big(f, c->snd_nxt);
    c->output_due = true;
    tcp_note(t, c, now, REASON_MTU_PROBE_LOST, mtu);
    return true;
}

/* What a path with a black hole is believed to take, where `size` does not pass; 0: no less. */
static uint32_t safe_under(const struct tcb *c, uint32_t size)
{
    if (!addr_is_v4(&c->remote))
        return size > IPV6_MTU_MIN ? IPV6_MTU_MIN : 0;
    if (size > PATH_MTU_BASE4)
        return PATH_MTU_BASE4;
    return size > PATH_MTU_DOUBTFUL4 ? PATH_MTU_DOUBTFUL4 : 0;
}

/* RFC 4821 section 7.7, RFC 8899 section 4.3. */
static void suspect(struct tcp *t, struct tcb *c, int64_t now)
{
    uint32_t size = mss_packet(c, c->snd_mss), safe = safe_under(c, size), least;
    struct path_mtu *p;

    least = safe ? mss_of_mtu(c, safe) : 0;
    if (!safe || c->snd_nxt - c->snd_una <= least)
        return; /* what is lost is small */
    p = t->path(t->path_arg, &c->remote, true);
    path_mtu_lower(p, now, safe, t->path_age);
    path_mtu_search(p, size);
    path_changed(t, c);
    c->flight->path.larger = false; /* all of it is lost now */
    tcp_note(t, c, now, REASON_MTU_BLACK_HOLE, safe);
}

/* Is it the first of a row? Then what came before says whether the path loses packets anyway. */
static void judge_health(struct tcb *c)
{
    struct path_view *v = &c->flight->path;

    if (c->rtx_count == 1)
        v->healthy = v->passed >= HEALTHY_SEGMENTS || v->proven == 0;
    v->passed = 0;
}

void plpmtud_on_rto(struct tcp *t, struct tcb *c, int64_t now)
{
    uint32_t patience = BLACK_HOLE_TIMEOUTS;

    if (c->flight->probe.active)
        lost(t, c, now);
    judge_health(c);
    if (!c->flight->path.healthy)
        patience = LOSSY_TIMEOUTS;
    if (t->cfg.plpmtud && c->rtx_count > 0 && c->rtx_count % patience == 0)
        suspect(t, c, now);
}
