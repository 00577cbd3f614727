#include "link/impair.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "wire/icmp.h"
#include "wire/ip.h"

enum {
    PUMP_MAX = 64, /* packets taken from the device in one read */
    RETRY = 1,     /* ms after which a device that takes nothing is tried again */
    IP_FLAGS = 6,
    IP_DF = 0x40,
    ROUTER_TTL = 64,
};

/* What a packet in flight has to tell when it comes out. */
enum flight_flag {
    FLIGHT_REORDERED = 1,
    FLIGHT_DUPLICATED = 2,
    FLIGHT_MARKED = 4,
};

/* ---- Verdicts ---- */

const char *verdict_line(const struct verdict *v, unsigned i, char out[VERDICT_TEXT])
{
    const struct reason_text *why = reason_text(v->why[i]);
    char more[40] = "";

    if (v->why[i] == REASON_IMPAIR_DELAYED)
        snprintf(more, sizeof(more), " by %.3f ms", (double)v->late / (double)MSEC);
    else if (v->why[i] == REASON_IMPAIR_CORRUPTED)
        snprintf(more, sizeof(more), ", number %" PRIu32, v->bit);
    snprintf(out, VERDICT_TEXT, "%s: %s%s (%s)", why->name, why->sentence, more, why->source);
    return out;
}

/* It is so; only what is counted here is a decision of this moment. */
static void tell(struct impair *m, enum reason why)
{
    if (m->verdict.n < VERDICT_REASONS)
        m->verdict.why[m->verdict.n++] = why;
}

static void decided(struct impair *m, struct impair_side *s, enum reason why)
{
    s->count[why]++;
    tell(m, why);
}

static void tell_late(struct impair *m, int64_t late)
{
    m->verdict.late = late;
    if (late > 0)
        tell(m, REASON_IMPAIR_DELAYED);
}

/* ---- What a router does ---- */

/*
 * "Fragmentation needed", or "packet too big", about the packet bytes[len] into the inbox of the
 * other direction (RFC 1191 section 4, RFC 4443 section 3.2), from the address that the packet was
 * going to. Nothing for what may be cut, and none about an ICMP message.
 */
static void answer_too_large(struct impair *m, unsigned way, int64_t now, const uint8_t *bytes,
                             uint32_t len)
{
    struct impair_side *back = &m->side[1 - way];
    uint8_t packet[IPV6_HEADER + ICMP_HEADER + IPV4_HEADER_MAX + ICMP_QUOTE_MIN];
    struct ip_hdr of, ip = {.ttl = ROUTER_TTL};
    struct slice quote = {.base = bytes};
    struct path_packet *k;
    uint8_t *at;
    uint32_t n;

    if (ip_parse(bytes, len, &of) != REASON_NONE || !of.df || of.proto == IP_PROTO_ICMP ||
        of.proto == IP_PROTO_ICMP6 || of.header_len > IPV4_HEADER_MAX)
        return;
    quote.len = of.header_len + ICMP_QUOTE_MIN;
    if (quote.len > len)
        return;
    ip.src = of.dst;
    ip.dst = of.src;
    ip.version = of.version;
    at = packet + ip_build_len(&ip);
    if (of.version == 4) {
        ip.proto = IP_PROTO_ICMP;
        icmp_build(at, ICMP_UNREACHABLE, ICMP_UNREACH_NEEDFRAG, m->side[way].path.cfg.mtu, &quote,
                   1);
    } else {
        ip.proto = IP_PROTO_ICMP6;
        icmp6_build(at, &ip.src, &ip.dst, ICMP6_TOO_BIG, 0, m->side[way].path.cfg.mtu, &quote, 1);
    }
    memcpy(at + ICMP_HEADER, bytes, quote.len);
    n = (uint32_t)ip_build(packet, &ip, ICMP_HEADER + quote.len) + ICMP_HEADER + quote.len;
    k = inbox_put(&back->inbox, now + time_max(back->path.cfg.delay, back->at_least), packet, n);
    if (k)
        k->sent = now;
}

/* ---- Onto the path ---- */

static struct fate throw_dice(struct impair *m, unsigned way, int64_t now, const uint8_t *bytes,
                              uint32_t len)
{
    struct impair_side *s = &m->side[way];
    enum packet_kind kind = packet_classify(bytes, len);
    struct fate f;

    s->path.dice = dice_for(m->seed, identity_of(&m->identity, way, bytes, len));
    s->path.bad = s->bad[kind];
    f = path_fate(&s->path, now, bytes, len);
    s->bad[kind] = s->path.bad;
    return f;
}

/* One copy into flight. What is decided about both is counted with the first. False: no room. */
static bool launch(struct impair *m, struct impair_side *s, int64_t now, const struct pkt *p,
                   const uint8_t *bytes, const struct fate *f, unsigned copy)
{
    int64_t due = time_max(path_due(&s->path, now, f, copy), now + s->at_least);
    struct path_packet *k = inbox_put(&s->inbox, due, bytes, p->len);

    if (!k)
        return false;
    k->sent = now;
    k->marks = p->marks;
    k->corrupted = f->corrupt;
    k->bit = f->bit;
    k->flags = (uint8_t)((f->reordered ? FLIGHT_REORDERED : 0) | (copy ? FLIGHT_DUPLICATED : 0));
    if (f->marked && packet_mark(k))
        k->flags |= FLIGHT_MARKED;
    if (f->corrupt) {
        packet_turn_bit(k, f->bit);
        k->marks &= (uint16_t)~PKT_CSUM_VALID;
    }
    if (copy)
        return true;
    tell_late(m, due - now);
    s->count[REASON_IMPAIR_DELAYED] += due > now;
    if (f->reordered)
        decided(m, s, REASON_IMPAIR_REORDERED);
    if (k->flags & FLIGHT_MARKED)
        decided(m, s, REASON_IMPAIR_MARKED);
    if (f->corrupt)
        decided(m, s, REASON_IMPAIR_CORRUPTED);
    return true;
}

/*
 * A packet that is lost on its way in waits all the same, to be shown in its turn: in lock-step it
 * is not known in which order packets are read from the device within a step. True if it does not
 * wait.
 */
static bool show_now(struct impair *m, int64_t now, const struct pkt *p)
{
    struct impair_side *s = &m->side[IMPAIR_IN];
    int64_t late = time_max(s->path.cfg.delay, s->at_least);
    struct path_packet *k;

    k = late > 0 ? inbox_put(&s->inbox, now + late, p->part[0].base, p->len) : NULL;
    if (!k)
        return true;
    k->why = (uint16_t)m->verdict.why[0];
    return false;
}

/* Send the packet p, whose bytes are bytes[p->len], on its way. False if it is lost. */
static bool carry(struct impair *m, unsigned way, int64_t now, const struct pkt *p,
                  const uint8_t *bytes)
{
    struct impair_side *s = &m->side[way];
    struct fate f;

    m->verdict = (struct verdict){.n = 0};
    if (!m->begun)
        m->side[0].path.origin = m->side[1].path.origin = now;
    m->begun = true;
    s->packets++;
    if (path_too_large(&s->path, now, p->len)) {
        decided(m, s, REASON_IMPAIR_TOO_LARGE);
        if (!s->silent)
            answer_too_large(m, way, now, bytes, p->len);
        return false;
    }
    f = throw_dice(m, way, now, bytes, p->len);
    m->verdict.bit = f.bit;
    if (f.copies == 0) {
        decided(m, s, f.lost_by);
        return false;
    }
    if (!launch(m, s, now, p, bytes, &f, 0)) {
        decided(m, s, REASON_IMPAIR_FULL);
        return false;
    }
    if (f.copies > 1 && launch(m, s, now, p, bytes, &f, 1))
        decided(m, s, REASON_IMPAIR_DUPLICATED);
    return true;
}

/* ---- Off the path ---- */

int64_t impair_flush(struct impair *m, int64_t now)
{
    struct impair_side *s = &m->side[IMPAIR_OUT];
    struct pkt p;

    m->retry_at = 0;
    while (inbox_due(&s->inbox) <= now) {
        struct path_packet *k = s->inbox.heap[0];
        int r;

        p.marks = k->marks;
        p.gso_size = p.csum_start = p.why = 0;
        p.conn = 0;
        p.parts = 1;
        p.len = k->len;
        p.part[0] = (struct slice){.base = k->bytes, .len = k->len};
        r = device_write(m->inner, now, &p);
        if (r == -EAGAIN)
            return m->retry_at = now + RETRY * MSEC;
        if (r < 0)
            s->count[REASON_IMPAIR_REFUSED]++;
        inbox_give(&s->inbox, inbox_take(&s->inbox, now));
    }
    return inbox_due(&s->inbox);
}

/* Hand out a packet that has come in, and say what happened to it. What a read returns for it. */
static int arrive(struct impair *m, int64_t now, struct path_packet *k, struct pkt *ret_pkt)
{
    uint32_t room;

    memcpy(intake_room(&m->intake, k->len, &room), k->bytes, k->len);
    m->intake.pool->copied += k->len;
    intake_take(&m->intake, k->len, ret_pkt);
    ret_pkt->marks = k->marks;
    m->verdict = (struct verdict){.bit = k->bit};
    if (k->why != REASON_NONE) {
        tell(m, (enum reason)k->why);
        return DEVICE_LOST;
    }
    tell_late(m, now - k->sent);
    if (k->flags & FLIGHT_REORDERED)
        tell(m, REASON_IMPAIR_REORDERED);
    if (k->flags & FLIGHT_MARKED)
        tell(m, REASON_IMPAIR_MARKED);
    if (k->corrupted)
        tell(m, REASON_IMPAIR_CORRUPTED);
    if (k->flags & FLIGHT_DUPLICATED)
        tell(m, REASON_IMPAIR_DUPLICATED);
    return DEVICE_PACKET;
}

/* ---- The device ---- */

static int impair_read(struct device *d, int64_t now, struct pkt *ret_pkt)
{
    struct impair *m = (struct impair *)d;
    struct impair_side *s = &m->side[IMPAIR_IN];
    struct path_packet *k;
    int r;

    impair_flush(m, now);
    for (unsigned i = 0; i < PUMP_MAX; i++) {
        r = device_read(m->inner, now, ret_pkt);
        d->mtu = m->inner->mtu;
        if (r < 0)
            return r;
        if (r == 0)
            break;
        if (r == DEVICE_LOST)
            return r;
        if (!carry(m, IMPAIR_IN, now, ret_pkt, ret_pkt->part[0].base) && show_now(m, now, ret_pkt))
            return DEVICE_LOST;
        buf_unref(ret_pkt->part[0].buf);
    }
    k = inbox_take(&s->inbox, now);
    if (!k)
        return 0;
    r = arrive(m, now, k, ret_pkt);
    inbox_give(&s->inbox, k);
    return r;
}

static int impair_write(struct device *d, int64_t now, const struct pkt *p)
{
    struct impair *m = (struct impair *)d;

    if (p->len > IMPAIR_PACKET_MAX || p->len > m->inner->mtu)
        return -EMSGSIZE;
    pkt_flatten(p, m->flat, sizeof(m->flat));
    m->intake.pool->copied += p->len;
    if (carry(m, IMPAIR_OUT, now, p, m->flat))
        impair_flush(m, now);
    return 0;
}

static int64_t impair_deadline(const struct device *d)
{
    const struct impair *m = (const struct impair *)d;
    int64_t out = time_max(inbox_due(&m->side[IMPAIR_OUT].inbox), m->retry_at);

    return time_min(time_min(out, inbox_due(&m->side[IMPAIR_IN].inbox)), device_deadline(m->inner));
}

static int impair_fd(const struct device *d)
{
    return device_fd(((const struct impair *)d)->inner);
}

static void impair_close(struct device *d)
{
    struct impair *m = (struct impair *)d;

    for (unsigned i = 0; i < IMPAIR_DIRECTIONS; i++)
        inbox_clear(&m->side[i].inbox);
    intake_close(&m->intake);
    device_close(m->inner);
}

static const struct device_ops impair_ops = {
    .kind = "impairment",
    .read = impair_read,
    .write = impair_write,
    .deadline = impair_deadline,
    .fd = impair_fd,
    .close = impair_close,
};

static size_t side_bytes(void)
{
    return (inbox_bytes(IMPAIR_PACKETS, IMPAIR_PACKET_MAX) + 7) & ~(size_t)7;
}

size_t impair_bytes(void)
{
    return IMPAIR_DIRECTIONS * side_bytes();
}

int impair_init(struct impair *m, struct device *inner, const struct rules *rules, uint64_t seed,
                void *mem, struct buf_pool *pool, int64_t step)
{
    m->dev.ops = &impair_ops;
    m->dev.mtu = inner->mtu;
    memcpy(m->dev.name, inner->name, sizeof(m->dev.name));
    m->inner = inner;
    m->seed = seed;
    m->side[IMPAIR_IN].at_least = step;
    for (unsigned i = 0; i < IMPAIR_DIRECTIONS; i++) {
        struct impair_side *s = &m->side[i];

        path_init(&s->path, &rules->path[i], (struct dice){seed});
        s->silent = rules->silent[i];
        inbox_init(&s->inbox, (uint8_t *)mem + i * side_bytes(), IMPAIR_PACKETS, IMPAIR_PACKET_MAX);
    }
    return intake_init(&m->intake, pool);
}
