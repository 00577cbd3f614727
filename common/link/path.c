#include "link/path.h"

#include "base/bytes.h"
#include "wire/ip.h"
#include "wire/tcp.h"

enum {
    FRAGMENT_OFFSET = 0x1fff, /* in the word that has it */
};

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

    f.lost_by = burst_takes(p)              ? REASON_IMPAIR_BURST
                : dice_chance(d, cfg->loss) ? REASON_IMPAIR_LOST
                                            : REASON_NONE;
    if (f.lost_by != REASON_NONE) {
        f.copies = 0;
        return f;
    }
    f.overtaken = !cfg->in_order;
    if (cfg->jitter > 0)
        f.late[0] = (int64_t)dice_below(d, (uint64_t)cfg->jitter + 1);
    if (dice_chance(d, cfg->reorder)) {
        f.overtaken = f.reordered = true;
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
    f.marked = dice_chance(d, cfg->mark);
    return f;
}

uint32_t packet_tcp_at(const uint8_t *bytes)
{
    return bytes[0] >> 4 == 6 ? (uint32_t)IPV6_HEADER : (bytes[0] & 15U) * 4;
}

/*
 * Has the header of either version TCP behind it? Extension headers are not passed, nor are
 * fragments but the first, whose bytes are any.
 */
static bool is_tcp(const uint8_t *bytes, uint32_t len)
{
    uint32_t at = len >= IPV4_HEADER_MIN ? packet_tcp_at(bytes) : 0;

    if (at >= IPV4_HEADER_MIN && bytes[0] >> 4 != 6 && get16(bytes + 6) & FRAGMENT_OFFSET)
        return false;
    return at >= IPV4_HEADER_MIN && len >= at + TCP_HEADER_MIN &&
           bytes[bytes[0] >> 4 == 6 ? 6 : 9] == IP_PROTO_TCP;
}

enum packet_kind packet_classify(const uint8_t *bytes, uint32_t len)
{
    uint32_t ip_len;
    uint8_t flags;

    if (!is_tcp(bytes, len))
        return PACKET_OTHER;
    ip_len = packet_tcp_at(bytes);
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

/* How many packets wait for the rate, as far as there is room to count them. */
static uint32_t count_waiting(struct path *p, int64_t now)
{
    while (p->waiting > 0 && p->leaves[p->leaves_head] <= now) {
        p->leaves_head = (p->leaves_head + 1) % PATH_WAITING;
        p->waiting--;
    }
    return p->waiting;
}

/*
 * How long a packet waits in the queue before the rate, or -1 if the queue is full. *ret_marked:
 * the queue is long enough for a mark.
 */
static int64_t wait_for_rate(struct path *p, int64_t now, uint32_t len, bool *ret_marked)
{
    const struct path_config *cfg = &p->cfg;
    int64_t start = time_max(now, p->busy_until);
    uint64_t bytes;
    uint32_t packets;

    if (cfg->rate == 0)
        return 0;
    bytes = (uint64_t)(start - now) * cfg->rate / (uint64_t)SEC;
    packets = count_waiting(p, now);
    if (bytes > cfg->queue || (cfg->queue_packets && packets >= cfg->queue_packets))
        return -1;
    *ret_marked = (cfg->mark_bytes && bytes >= cfg->mark_bytes) ||
                  (cfg->mark_packets && packets >= cfg->mark_packets);
    p->busy_until = start + (int64_t)((uint64_t)len * (uint64_t)SEC / cfg->rate);
    if (p->waiting < PATH_WAITING)
        p->leaves[(p->leaves_head + p->waiting++) % PATH_WAITING] = p->busy_until;
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
    int64_t at = now - p->origin;

    return p->cfg.mtu && len > p->cfg.mtu && at >= p->cfg.narrow_from &&
           (!p->cfg.narrow_until || at < p->cfg.narrow_until);
}

struct fate path_fate(struct path *p, int64_t now, const uint8_t *bytes, uint32_t len)
{
    bool marked = false;
    int64_t wait = wait_for_rate(p, now, len, &marked);
    struct fate f = {.lost_by = masked(p, bytes, len) ? REASON_IMPAIR_DROPPED
                                : is_down(p, now)     ? REASON_IMPAIR_DOWN
                                                      : REASON_NONE};

    if (wait < 0)
        f.lost_by = REASON_IMPAIR_QUEUE;
    if (wait < 0 || (f.lost_by != REASON_NONE && !p->calm))
        return f;
    f = fate_draw(p, len);
    f.marked |= marked;
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
