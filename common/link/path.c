#include "link/path.h"

#include "base/bytes.h"
#include "wire/ip.h"
#include "wire/tcp.h"

/* One step of the two-state model; true if the burst takes the packet. */
static bool burst_takes(struct path *p)
{
    const struct path_config *cfg = &p->cfg;

    if (cfg->burst_enter == 0)
        return false;
    p->bad =
        p->bad ? !dice_chance(&p->dice, cfg->burst_leave) : dice_chance(&p->dice, cfg->burst_enter);
    return p->bad && dice_chance(&p->dice, cfg->burst_loss);
}

/* Throw the dice for a packet of `len` bytes. */
static struct fate fate_draw(struct path *p, uint32_t len)
{
    const struct path_config *cfg = &p->cfg;
    struct dice *d = &p->dice;
    struct fate f = {.copies = 1};

    if (burst_takes(p) || dice_chance(d, cfg->loss)) {
        f.copies = 0;
        return f;
    }
    f.overtaken = !cfg->in_order;
    if (cfg->jitter > 0)
        f.late[0] = (int64_t)dice_below(d, (uint64_t)cfg->jitter + 1);
    if (dice_chance(d, cfg->reorder)) {
        f.overtaken = true;
        f.late[0] += (int64_t)dice_below(d, (uint64_t)cfg->reorder_by + 1);
    }
    if (dice_chance(d, cfg->duplicate)) {
        f.copies = 2;
        f.late[1] = f.late[0] + (int64_t)dice_below(d, (uint64_t)cfg->reorder_by + 1);
    }
    if (dice_chance(d, cfg->corrupt) && len > 0) {
        f.corrupt = true;
        f.bit = (uint32_t)dice_below(d, (uint64_t)len * 8);
    }
    return f;
}

enum packet_kind packet_classify(const uint8_t *bytes, uint32_t len)
{
    uint32_t ip_len = len >= IPV4_HEADER_MIN ? (bytes[0] & 15U) * 4 : 0;
    uint8_t flags;

    if (ip_len < IPV4_HEADER_MIN || len < ip_len + TCP_HEADER_MIN || bytes[9] != IP_PROTO_TCP)
        return PACKET_OTHER;
    flags = bytes[ip_len + 13];
    if (flags & TCP_RST)
        return PACKET_RST;
    if (flags & TCP_SYN)
        return flags & TCP_ACK ? PACKET_SYN_ACK : PACKET_SYN;
    if (flags & TCP_FIN)
        return PACKET_FIN;
    return len > ip_len + (bytes[ip_len + 12] >> 4) * 4U ? PACKET_DATA : PACKET_ACK;
}

/* Does a mask name this packet? */
static bool masked(struct path *p, const uint8_t *bytes, uint32_t len)
{
    enum packet_kind kind = packet_classify(bytes, len);
    uint32_t n = ++p->seen[kind];

    for (unsigned i = 0; i < PATH_MASKS; i++) {
        const struct mask *m = &p->cfg.mask[i];

        if (m->kind == (uint32_t)kind && kind != PACKET_OTHER && n >= m->first && n <= m->last)
            return true;
    }
    return false;
}

static bool is_down(const struct path *p, int64_t now)
{
    return now - p->origin >= p->cfg.down_from && now - p->origin < p->cfg.down_until;
}

/* How long a packet waits in the queue before the rate, or -1 if the queue is full. */
static int64_t wait_for_rate(struct path *p, int64_t now, uint32_t len)
{
    int64_t start = time_max(now, p->busy_until);

    if (p->cfg.rate == 0)
        return 0;
    if ((uint64_t)(start - now) * p->cfg.rate / (uint64_t)SEC > p->cfg.queue)
        return -1;
    p->busy_until = start + (int64_t)((uint64_t)len * (uint64_t)SEC / p->cfg.rate);
    return p->busy_until - now;
}

void path_init(struct path *p, const struct path_config *cfg, struct dice dice)
{
    *p = (struct path){.cfg = *cfg, .dice = dice, .last_due = INT64_MIN, .busy_until = INT64_MIN};
}

void path_calm(struct path *p)
{
    struct path_config *cfg = &p->cfg;

    p->calm = true;
    cfg->loss = cfg->duplicate = cfg->reorder = cfg->corrupt = cfg->burst_enter = 0;
}

bool path_too_large(const struct path *p, int64_t now, uint32_t len)
{
    return p->cfg.mtu && len > p->cfg.mtu && now - p->origin >= p->cfg.narrow_from;
}

struct fate path_fate(struct path *p, int64_t now, const uint8_t *bytes, uint32_t len)
{
    int64_t wait = wait_for_rate(p, now, len);
    bool lost = masked(p, bytes, len) || is_down(p, now) || wait < 0;
    struct fate f = {0};

    if (lost && !(p->calm && wait >= 0))
        return f;
    f = fate_draw(p, len);
    f.late[0] += wait;
    f.late[1] += wait;
    return f;
}

int64_t path_due(struct path *p, int64_t now, const struct fate *f, unsigned i)
{
    int64_t due = now + p->cfg.delay + f->late[i];

    if (i == 0 && !f->overtaken) {
        due = time_max(due, p->last_due);
        p->last_due = due;
    }
    return due;
}
