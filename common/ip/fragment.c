/*
 * Putting fragments together.
 *
 * Each datagram gets one buffer that the largest packet fits into, and each fragment is copied to
 * its place there; so the whole lies in one piece when the last has come, and a flood of tiny
 * fragments, each of which would otherwise hold a buffer of the device, costs nothing but its own
 * bytes. Fragments begin at multiples of 8, and all but the last are as long; so two bits for each
 * 8 bytes know everything: `here` says that they have come, `begins` that a fragment began with
 * them. The work for a fragment is bounded by its length, however many others there are.
 *
 *     | bufs.data:  room for headers | first fragment | ... | last |
 *                       headers of the first stand right in front of the data
 *
 * IPv6 says in a header of its own that there is a fragment, behind those that routers read. It is
 * kept with them as long as the first fragment may have to be quoted, and cut out of the whole.
 *
 * Who overlaps what is there wants to be read in two ways by two readers: a filter on the way, and
 * us. So does who ends a datagram twice. There is no honest cause for either, and the datagram is
 * refused as a whole (RFC 5722, for IPv4 as well): its bytes are given back at once, and its place
 * remains until its time is over, so that what still comes of it is known. An exact duplicate is
 * the network's doing, and is dropped alone (RFC 8200 section 4.5).
 *
 * Nothing that strangers do makes more memory be used than was reserved. When all places are taken,
 * a datagram makes room for a new one: the oldest of the source that has the most, if that is more
 * than a source's share, which is an eighth of the places; else the oldest of all. So whoever
 * floods from one address takes places from himself, and nobody who keeps within the share loses
 * any by it, however slow his fragments are. Against a flood from eight addresses and more there is
 * only that an honest datagram is whole after a few milliseconds, and that the oldest is most
 * likely nobody's. In IPv6 a source is 64 bits of an address, because whoever has one has them all.
 *
 * A datagram's time runs from the first fragment that came, whichever it was, and is the same for
 * all; so the list by age is the list by deadline.
 */
#include "ip/fragment.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "base/time.h"
#include "wire/checksum.h"

enum {
    UNIT = IPV4_FRAG_UNIT,      /* bytes */
    DATA_MAX = IPV4_PACKET_MAX, /* bytes that any datagram's fragments may span */
    UNITS = (DATA_MAX + UNIT - 1) / UNIT,
    WORD = 64, /* bits */
    WORDS = UNITS / WORD,
    TCP_HEADER_FIXED = 20, /* bytes */
    IPV6_SITE = 8,         /* bytes of an address that are not chosen freely */
    SHARES = 8,

    ECN_NOT_ECT = 0,
    ECN_ECT_1 = 1,
    ECN_ECT_0 = 2,
    ECN_CE = 3,
};

static_assert(UNITS % WORD == 0, "whole words of bits");

/* A datagram of which something has come. */
struct partial {
    struct list place; /* on fragments.waiting */
    struct addr src, dst;
    uint32_t id;
    uint8_t proto;       /* IPv6 tells datagrams apart without it: 0 */
    uint8_t ecn_seen;    /* a bit for each codepoint that a fragment had */
    bool has_last;       /* then `end` is the datagram's length */
    bool refused;        /* it has no buffer any more */
    uint16_t header_len; /* of the first fragment as it came, bytes; 0: it has not come */
    uint16_t frag_at;    /* IPv6: where its fragment header stands */
    uint16_t first_len;  /* of the first fragment's data, bytes */
    uint32_t end;        /* bytes: where what came ends */
    uint32_t units;      /* how many have come */
    uint32_t kin;        /* how many of those that wait are of its source, with it */
    int64_t expires;     /* ns */
    struct buf *buf;
    uint64_t here[WORDS], begins[WORDS];
};

/* One fragment's data, and where it belongs. */
struct piece {
    const uint8_t *data;
    uint32_t off, len, end; /* bytes */
    uint32_t from, to;      /* units, `to` not included */
    bool last;
};

/* ---- bits ---- */

static bool bit(const uint64_t *map, uint32_t at)
{
    return map[at / WORD] >> at % WORD & 1;
}

/* The bits from..to of their word, or to its end, in their place; *from goes on behind them. */
static uint64_t take_bits(uint32_t *from, uint32_t to)
{
    uint32_t at = *from % WORD, n = min32(WORD - at, to - *from);

    *from += n;
    return (n == WORD ? UINT64_MAX : (UINT64_C(1) << n) - 1) << at;
}

static bool any(const uint64_t *map, uint32_t from, uint32_t to)
{
    while (from < to) {
        uint64_t word = map[from / WORD];

        if (word & take_bits(&from, to))
            return true;
    }
    return false;
}

static bool all(const uint64_t *map, uint32_t from, uint32_t to)
{
    while (from < to) {
        uint64_t word = map[from / WORD], bits = take_bits(&from, to);

        if ((word & bits) != bits)
            return false;
    }
    return true;
}

static void set(uint64_t *map, uint32_t from, uint32_t to)
{
    while (from < to) {
        uint64_t *word = &map[from / WORD];

        *word |= take_bits(&from, to);
    }
}

/* ---- one fragment by itself ---- */

/*
 * Bytes that a datagram's fragments may span behind these headers: in the whole, IPv4's length
 * counts all of them, and IPv6's does not count the fixed one.
 */
static uint32_t span_max(uint16_t header_len, uint16_t frag_at)
{
    if (frag_at)
        return (uint32_t)IPV6_PAYLOAD_MAX - (frag_at - (uint32_t)IPV6_HEADER);
    return (uint32_t)IPV4_PACKET_MAX - header_len;
}

/*
 * A first fragment that does not hold the whole fixed header of TCP hides flags or ports in the
 * second (RFC 1858), and one that begins 8 bytes behind it can replace them (RFC 3128). The 8 bytes
 * that matter in all other protocols are always there.
 */
static bool is_tiny(const struct ip_hdr *ip, const struct piece *q)
{
    if (ip->proto != IP_PROTO_TCP)
        return false;
    return q->off == 0 ? q->len < TCP_HEADER_FIXED : q->off < TCP_HEADER_FIXED;
}

static enum reason read_piece(const struct ip_hdr *ip, struct slice packet, struct piece *ret_piece)
{
    struct piece q = {
        .data = packet.base + ip->header_len,
        .off = ip->frag_off,
        .len = ip->total_len - ip->header_len,
        .last = !ip->mf,
    };

    if (q.len == 0 || (!q.last && q.len % UNIT))
        return REASON_FRAGMENT_LENGTH;
    q.end = q.off + q.len;
    if (q.end > span_max(ip->header_len, ip->frag_at))
        return REASON_FRAGMENT_TOO_LARGE;
    if (ip->header_len > FRAGMENT_HEADERS_MAX)
        return REASON_FRAGMENT_HEADERS;
    if (is_tiny(ip, &q))
        return REASON_FRAGMENT_TINY;
    q.from = q.off / UNIT;
    q.to = (q.end + UNIT - 1) / UNIT;
    *ret_piece = q;
    return REASON_NONE;
}

/* ---- the places ---- */

static uint8_t key_proto(const struct ip_hdr *ip)
{
    return addr_is_v4(&ip->src) ? ip->proto : 0;
}

/* What belongs together; looked for among the newest first, where an honest one stands. */
static struct partial *find(const struct fragments *f, const struct ip_hdr *ip)
{
    uint8_t proto = key_proto(ip);

    for (struct list *l = f->waiting.prev; l != &f->waiting; l = l->prev) {
        struct partial *p = container_of(l, struct partial, place);

        if (p->id == ip->id && p->proto == proto && addr_eq(&p->src, &ip->src) &&
            addr_eq(&p->dst, &ip->dst))
            return p;
    }
    return NULL;
}

static bool is_same_source(const struct addr *a, const struct addr *b)
{
    if (addr_is_v4(a) || addr_is_v4(b))
        return addr_eq(a, b);
    return memcmp(a->b, b->b, IPV6_SITE) == 0;
}

/* Its source has one more place than before, or one less. Returns how many the others of it have.
 */
static uint32_t count_kin(struct fragments *f, const struct addr *src, bool more)
{
    uint32_t others = 0;

    for (struct list *l = f->waiting.next; l != &f->waiting; l = l->next) {
        struct partial *p = container_of(l, struct partial, place);

        if (!is_same_source(&p->src, src))
            continue;
        p->kin = more ? p->kin + 1 : p->kin - 1;
        others++;
    }
    return others;
}

/* Its buffer is given back, or stays with those above, to whom its bytes were handed out. */
static void part_with_buf(struct fragments *f, struct partial *p)
{
    if (!p->buf)
        return;
    f->bufs.yielding--;
    buf_unref(p->buf);
    p->buf = NULL;
}

static void forget(struct fragments *f, struct partial *p)
{
    list_remove(&p->place);
    (void)count_kin(f, &p->src, false);
    part_with_buf(f, p);
    pool_put(&f->partials, p);
}

/* Who makes room, perhaps of those only that have a buffer; NULL: there is none. */
static struct partial *who_makes_room(const struct fragments *f, bool with_buf)
{
    struct partial *best = NULL;
    uint32_t most = 0;

    for (struct list *l = f->waiting.next; l != &f->waiting; l = l->next) {
        struct partial *p = container_of(l, struct partial, place);

        if ((with_buf && !p->buf) || (best && p->kin <= most))
            continue;
        best = p;
        most = max32(f->share, p->kin);
    }
    return best;
}

static bool evict(struct fragments *f, bool with_buf)
{
    struct partial *p = who_makes_room(f, with_buf);

    if (!p)
        return false;
    if (!p->refused)
        f->counts[REASON_FRAGMENT_EVICTED]++;
    forget(f, p);
    return true;
}

/* A place for the datagram of this fragment, or NULL: all buffers are kept by those above. */
static struct partial *begin(struct fragments *f, int64_t now, const struct ip_hdr *ip)
{
    struct partial *p;
    struct buf *b;

    while (!(b = buf_get(&f->bufs)))
        if (!evict(f, true))
            return NULL;
    while (!(p = pool_get(&f->partials)))
        (void)evict(f, false);
    *p = (struct partial){
        .src = ip->src,
        .dst = ip->dst,
        .id = ip->id,
        .proto = key_proto(ip),
        .expires = now + FRAGMENT_TIMEOUT,
        .buf = b,
    };
    f->bufs.yielding++; /* whoever waits makes room */
    p->kin = 1 + count_kin(f, &p->src, true);
    list_append(&f->waiting, &p->place);
    f->counts[REASON_FRAGMENT_BEGUN]++;
    return p;
}

/* Its bytes are given back; its place remains, so that what still comes of it is known. */
static enum reason refuse(struct fragments *f, struct partial *p, enum reason why)
{
    part_with_buf(f, p);
    p->refused = true;
    return why;
}

static uint8_t *data_of(const struct partial *p)
{
    return p->buf->data + FRAGMENT_HEADERS_MAX;
}

/* ---- a fragment among the others ---- */

/* Is this exactly a fragment that has come before, byte for byte? Something of it is there. */
static bool is_duplicate(const struct partial *p, const struct piece *q)
{
    if (!bit(p->begins, q->from) || any(p->begins, q->from + 1, q->to) ||
        !all(p->here, q->from, q->to))
        return false;
    if (q->to < UNITS && bit(p->here, q->to) && !bit(p->begins, q->to))
        return false;
    return memcmp(data_of(p) + q->off, q->data, q->len) == 0;
}

/* Does it say the same as the others about where the datagram ends? */
static bool ends_alike(const struct partial *p, const struct piece *q)
{
    if (p->has_last)
        return q->last ? q->end == p->end : q->end < p->end;
    return !q->last || q->end > p->end;
}

/* May this fragment go where it wants to? */
static enum reason judge(const struct partial *p, const struct piece *q)
{
    if (!ends_alike(p, q))
        return REASON_FRAGMENT_END;
    if (!any(p->here, q->from, q->to))
        return REASON_NONE;
    return is_duplicate(p, q) ? REASON_FRAGMENT_DUPLICATE : REASON_FRAGMENT_OVERLAP;
}

static void put(struct partial *p, const struct ip_hdr *ip, struct slice packet,
                const struct piece *q)
{
    memcpy(data_of(p) + q->off, q->data, q->len);
    p->buf->pool->copied += q->len;
    set(p->here, q->from, q->to);
    set(p->begins, q->from, q->from + 1);
    p->units += q->to - q->from;
    p->end = max32(p->end, q->end);
    p->has_last |= q->last;
    p->ecn_seen |= (uint8_t)(1 << (ip->tos & 3));
    if (q->off == 0) {
        memcpy(data_of(p) - ip->header_len, packet.base, ip->header_len);
        p->header_len = ip->header_len;
        p->frag_at = ip->frag_at;
        p->first_len = (uint16_t)q->len;
    }
}

/* ---- the whole ---- */

/*
 * The codepoint of the whole (RFC 3168 section 5.3): a mark is not lost, and is not given to who
 * does not know what it means. False: there is none, and the datagram is to be dropped.
 */
static bool join_ecn(uint8_t seen, uint8_t *ret_ecn)
{
    if (seen & 1 << ECN_CE) {
        *ret_ecn = ECN_CE;
        return !(seen & 1 << ECN_NOT_ECT);
    }
    *ret_ecn = seen & 1 << ECN_NOT_ECT ? ECN_NOT_ECT
               : seen & 1 << ECN_ECT_0 ? ECN_ECT_0
                                       : ECN_ECT_1;
    return true;
}

/* The first fragment's header becomes that of the whole. Returns where the packet begins. */
static uint8_t *mend_header4(const struct partial *p, uint8_t ecn)
{
    uint8_t *b = data_of(p) - p->header_len;

    b[1] = (uint8_t)((b[1] & 0xfc) | ecn);
    put16(b + 2, (uint16_t)(p->header_len + p->end));
    put16(b + 6, 0);
    put16(b + 10, 0);
    put16(b + 10, checksum_residue(0, b, p->header_len));
    return b;
}

/* Where the number of the header that stands at b[at] is said: in the header in front of it. */
static uint8_t *next_of(uint8_t *b, uint16_t at)
{
    uint8_t *next = b + 6;

    for (uint32_t i = IPV6_HEADER; i < at; i += 8 * (1 + (uint32_t)b[i + 1]))
        next = b + i;
    return next;
}

/* The same; and what stands in front of the fragment header moves up over it. */
static uint8_t *mend_header6(const struct partial *p, uint8_t ecn)
{
    uint8_t *old = data_of(p) - p->header_len, *b = data_of(p) - p->frag_at;
    uint8_t next = old[p->frag_at];

    memmove(b, old, p->frag_at);
    *next_of(b, p->frag_at) = next;
    b[1] = (uint8_t)((b[1] & 0xcf) | ecn << 4);
    put16(b + 4, (uint16_t)(p->frag_at - IPV6_HEADER + p->end));
    return b;
}

/* All of it is there: hand it out, and its place is free. */
static enum reason finish(struct fragments *f, struct partial *p, struct slice *ret_whole)
{
    uint8_t ecn, *b;

    if (p->end > span_max(p->header_len, p->frag_at))
        return refuse(f, p, REASON_FRAGMENT_TOO_LARGE);
    if (!join_ecn(p->ecn_seen, &ecn))
        return refuse(f, p, REASON_FRAGMENT_ECN);
    b = p->frag_at ? mend_header6(p, ecn) : mend_header4(p, ecn);
    p->buf->used = FRAGMENT_HEADERS_MAX + p->end;
    *ret_whole = (struct slice){buf_ref(p->buf), b, (uint32_t)(data_of(p) - b) + p->end};
    forget(f, p);
    f->counts[REASON_FRAGMENT_WHOLE]++;
    return REASON_NONE;
}

enum reason fragment_input(struct fragments *f, int64_t now, const struct ip_hdr *ip,
                           struct slice packet, struct slice *ret_whole)
{
    struct piece q;
    enum reason why = read_piece(ip, packet, &q);
    struct partial *p;

    *ret_whole = (struct slice){0};
    if (why)
        return why;
    p = find(f, ip);
    if (p && p->refused)
        return REASON_FRAGMENT_REFUSED;
    if (!p && !(p = begin(f, now, ip)))
        return REASON_FRAGMENT_BUFFER;
    why = judge(p, &q);
    if (why)
        return why == REASON_FRAGMENT_DUPLICATE ? why : refuse(f, p, why);
    put(p, ip, packet, &q);
    if (p->has_last && p->units == (p->end + UNIT - 1) / UNIT)
        why = finish(f, p, ret_whole);
    if (why == REASON_NONE)
        f->counts[REASON_FRAGMENT_KEPT]++;
    return why;
}

struct ip_problem fragment_problem(const struct ip_hdr *ip, enum reason why)
{
    struct ip_problem problem = {0};

    if (ip->version != 6)
        return problem;
    if (why == REASON_FRAGMENT_LENGTH && ip->mf) {
        problem.owed = true;
        problem.pointer = 4; /* the payload length */
    } else if (why == REASON_FRAGMENT_TOO_LARGE) {
        problem.owed = true;
        problem.pointer = (uint32_t)ip->frag_at + 2; /* the fragment's offset */
    }
    return problem;
}

/* ---- time ---- */

/* The first fragment as it arrived, or nothing where nobody is owed an error. */
static struct slice first_of(const struct partial *p)
{
    if (p->refused || p->header_len == 0)
        return (struct slice){0};
    return (struct slice){buf_ref(p->buf), data_of(p) - p->header_len,
                          (uint32_t)p->header_len + p->first_len};
}

bool fragment_expire(struct fragments *f, int64_t now, struct slice *ret_first)
{
    while (!list_empty(&f->waiting) && fragment_deadline(f) <= now) {
        struct partial *p = container_of(f->waiting.next, struct partial, place);
        bool refused = p->refused;

        *ret_first = first_of(p);
        forget(f, p);
        if (refused)
            continue;
        f->counts[REASON_FRAGMENT_EXPIRED]++;
        return true;
    }
    return false;
}

int64_t fragment_deadline(const struct fragments *f)
{
    if (list_empty(&f->waiting))
        return TIME_NEVER;
    return container_of(f->waiting.next, struct partial, place)->expires;
}

/* ---- memory ---- */

static size_t bufs_bytes(uint32_t max)
{
    return (buf_pool_bytes(max, FRAGMENT_HEADERS_MAX + DATA_MAX) + 15) / 16 * 16;
}

size_t fragment_bytes(uint32_t max)
{
    return bufs_bytes(max) + pool_bytes(max, sizeof(struct partial));
}

void fragment_init(struct fragments *f, void *mem, uint32_t max, uint64_t *counts)
{
    buf_pool_init(&f->bufs, mem, buf_pool_bytes(max, FRAGMENT_HEADERS_MAX + DATA_MAX),
                  FRAGMENT_HEADERS_MAX + DATA_MAX);
    pool_init(&f->partials, (uint8_t *)mem + bufs_bytes(max),
              pool_bytes(max, sizeof(struct partial)), sizeof(struct partial));
    list_init(&f->waiting);
    f->share = max32(1, max / SHARES);
    f->counts = counts;
}
