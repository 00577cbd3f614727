#include "tests/sim/pieces.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/time.h"
#include "tcp/ecn.h"
#include "wire/checksum.h"
#include "wire/ip.h"

enum {
    MORE = 0x2000, /* in IPv4's word with the offset */
    OFFSET = 0x1fff,
    UNIT = 8, /* bytes */
    UNITS = 8192,
    SHARES = 8,     /* of the places */
    FIRST_MIN = 24, /* bytes of data in a fragment at least: TCP's header stays whole */
    SITE = 8,       /* bytes of an IPv6 address that tell sources apart */
    NEXT = 6,       /* where an IPv6 header says what comes next */
    FRAGMENT = 44,  /* that it is a fragment header */
    HEADERS_MAX = 60,
};

static const int64_t patience = 60 * SEC;

struct pieces_packet {
    bool v6;
    uint8_t src[16];
    uint32_t id;
    int64_t until;      /* ns */
    uint32_t have, len; /* bytes of data; len 0: its end has not come */
    bool marked;        /* one of them by a router: then the packet is (RFC 3168 5.3) */
    bool here[UNITS];   /* does a fragment that has come begin there? */
    uint32_t header_len;
    uint8_t header[HEADERS_MAX]; /* of the first one, without a fragment header */
    uint8_t data[IPV4_PACKET_MAX];
};

/* What a fragment says. */
struct view {
    bool v6, more, marked;
    uint32_t header, at; /* bytes: in front of the data, and where these belong */
    uint32_t id;
    const uint8_t *src;
    uint32_t src_len;
};

static struct view look(const uint8_t *b)
{
    struct view v = {.v6 = b[0] >> 4 == 6};

    if (v.v6) {
        v.header = IPV6_HEADER + IPV6_FRAGMENT_HEADER;
        v.at = get16(b + IPV6_HEADER + 2) & ~7U;
        v.more = b[IPV6_HEADER + 3] & 1;
        v.id = get32(b + IPV6_HEADER + 4);
        v.src = b + 8;
        v.src_len = 16;
        v.marked = (b[1] >> 4 & ECN_CE) == ECN_CE;
    } else {
        v.header = (b[0] & 15U) * 4;
        v.at = (get16(b + 6) & OFFSET) * UNIT;
        v.more = get16(b + 6) & MORE;
        v.id = get16(b + 4);
        v.src = b + 12;
        v.src_len = 4;
        v.marked = (b[1] & ECN_CE) == ECN_CE;
    }
    return v;
}

/* Length, identification and fragment's place, and the checksum over it. */
static void write_header4(uint8_t *b, uint32_t len, uint32_t id, uint32_t at, bool more)
{
    put16(b + 2, (uint16_t)len);
    put16(b + 4, (uint16_t)id);
    put16(b + 6, (uint16_t)((more ? MORE : 0) | at / UNIT));
    put16(b + 10, 0);
    put16(b + 10, checksum_residue(0, b, (b[0] & 15U) * 4));
}

/* A fragment header behind the fixed one. */
static void write_header6(uint8_t *b, uint32_t len, uint32_t id, uint32_t at, bool more)
{
    put16(b + 4, (uint16_t)(len - IPV6_HEADER));
    b[IPV6_HEADER] = b[NEXT];
    b[IPV6_HEADER + 1] = 0;
    put16(b + IPV6_HEADER + 2, (uint16_t)(at | more));
    put32(b + IPV6_HEADER + 4, id);
    b[NEXT] = FRAGMENT;
}

bool pieces_is_fragment(const uint8_t *b, uint32_t len)
{
    if (len >= IPV6_HEADER && b[0] >> 4 == 6)
        return b[NEXT] == FRAGMENT;
    return len >= IPV4_HEADER_MIN && b[0] >> 4 == 4 && get16(b + 6) & (MORE | OFFSET);
}

/* Bytes in front of a fragment's data. */
static uint32_t header_of_pieces(const uint8_t *b)
{
    return b[0] >> 4 == 6 ? IPV6_HEADER + IPV6_FRAGMENT_HEADER : (b[0] & 15U) * 4;
}

bool pieces_can_cut(const uint8_t *b, uint32_t len, uint32_t size)
{
    return len > size && size >= header_of_pieces(b) + FIRST_MIN && !pieces_is_fragment(b, len);
}

uint32_t pieces_cut(struct cutter *c, uint8_t *out)
{
    bool v6 = c->b[0] >> 4 == 6;
    uint32_t header = header_of_pieces(c->b), old = v6 ? IPV6_HEADER : header;
    uint32_t left = c->len - old - c->at, len = min32(left, (c->size - header) / UNIT * UNIT);

    if (left == 0)
        return 0;
    memcpy(out, c->b, old);
    memcpy(out + header, c->b + old + c->at, len);
    (v6 ? write_header6 : write_header4)(out, header + len, c->id, c->at, len < left);
    c->at += len;
    return header + len;
}

static void drop(struct pieces *p, unsigned i)
{
    free(p->waiting[i]);
    memmove(&p->waiting[i], &p->waiting[i + 1], (--p->n - i) * sizeof(struct pieces_packet *));
}

static bool is_same_source(const struct pieces_packet *a, const struct pieces_packet *b)
{
    return a->v6 == b->v6 && memcmp(a->src, b->src, SITE) == 0;
}

/* The oldest of the node that has most makes room, if that is more than its share; else the oldest.
 */
static void make_room(struct pieces *p, uint32_t max)
{
    unsigned who = 0, most = 0;

    for (unsigned i = 0; i < p->n; i++) {
        unsigned has = 0;

        for (unsigned k = 0; k < p->n; k++)
            has += is_same_source(p->waiting[i], p->waiting[k]);
        if (i > 0 && has <= most)
            continue;
        who = i;
        most = max32(max32(max / SHARES, 1), has);
    }
    drop(p, who);
}

/* The place of its packet, which may be a new one, for which another has made room. */
static unsigned place_of(struct pieces *p, int64_t now, uint32_t max, const struct view *v)
{
    struct pieces_packet *k;

    for (unsigned i = 0; i < p->n; i++) {
        k = p->waiting[i];
        if (k->v6 == v->v6 && k->id == v->id && memcmp(k->src, v->src, v->src_len) == 0)
            return i;
    }
    if (p->n == min32(max, PIECES_WAITING))
        make_room(p, max);
    k = calloc(1, sizeof(*k));
    if (!k)
        abort();
    k->v6 = v->v6;
    memcpy(k->src, v->src, v->src_len);
    k->id = v->id;
    k->until = now + patience;
    p->waiting[p->n] = k;
    return p->n++;
}

static void keep_header(struct pieces_packet *k, const struct view *v, const uint8_t *b)
{
    k->header_len = v->v6 ? IPV6_HEADER : v->header;
    memcpy(k->header, b, k->header_len);
    if (v->v6)
        k->header[NEXT] = b[IPV6_HEADER];
}

/* The packet; returns its length. */
static uint32_t join(const struct pieces_packet *k, uint8_t *out)
{
    uint32_t len = k->header_len + k->len;

    memcpy(out, k->header, k->header_len);
    memcpy(out + k->header_len, k->data, k->len);
    if (k->marked)
        out[1] |= (uint8_t)(k->v6 ? ECN_CE << 4 : ECN_CE);
    if (k->v6)
        put16(out + 4, (uint16_t)k->len);
    else
        write_header4(out, len, k->id, 0, false);
    return len;
}

enum pieces_verdict pieces_arrive(struct pieces *p, int64_t now, uint32_t max, const uint8_t *b,
                                  uint32_t len, uint8_t *out, uint32_t *ret_len)
{
    struct view v = look(b);
    uint32_t data = len - v.header;
    struct pieces_packet *k;
    unsigned i;

    while (p->n > 0 && p->waiting[0]->until <= now)
        drop(p, 0);
    i = place_of(p, now, max, &v);
    k = p->waiting[i];
    if (k->here[v.at / UNIT])
        return PIECES_AGAIN;
    k->here[v.at / UNIT] = true;
    memcpy(k->data + v.at, b + v.header, data);
    k->have += data;
    k->marked |= v.marked;
    if (!v.more)
        k->len = v.at + data;
    if (v.at == 0)
        keep_header(k, &v, b);
    if (k->have != k->len)
        return PIECES_KEPT;
    *ret_len = join(k, out);
    drop(p, i);
    return PIECES_WHOLE;
}

void pieces_free(struct pieces *p)
{
    while (p->n > 0)
        drop(p, 0);
}
