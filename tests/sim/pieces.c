#include "tests/sim/pieces.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/time.h"
#include "tcp/ecn.h"
#include "wire/checksum.h"
#include "wire/ip.h"

enum {
    MORE = 0x2000, /* in the word with the offset */
    OFFSET = 0x1fff,
    UNITS = 8192, /* of 8 bytes */
    SHARES = 8,   /* of the places */
};

static const int64_t patience = 60 * SEC;

struct pieces_packet {
    uint32_t src;
    uint16_t id;
    int64_t until;      /* ns */
    uint32_t have, len; /* bytes of data; len 0: its end has not come */
    bool marked;        /* one of them by a router: then the packet is (RFC 3168 5.3) */
    bool here[UNITS];   /* does a fragment that has come begin there? */
    uint8_t header[IPV4_HEADER_MAX];
    uint8_t data[IPV4_PACKET_MAX];
};

static uint32_t header_len(const uint8_t *b)
{
    return (b[0] & 15U) * 4;
}

/* Length, identification and fragment's place, and the checksum over it. */
static void write_header(uint8_t *b, uint32_t len, uint16_t id, uint16_t frag)
{
    put16(b + 2, (uint16_t)len);
    put16(b + 4, id);
    put16(b + 6, frag);
    put16(b + 10, 0);
    put16(b + 10, checksum_residue(0, b, header_len(b)));
}

bool pieces_is_fragment(const uint8_t *b, uint32_t len)
{
    return len >= IPV4_HEADER_MIN && b[0] >> 4 == 4 && get16(b + 6) & (MORE | OFFSET);
}

bool pieces_can_cut(const uint8_t *b, uint32_t len, uint32_t size)
{
    return len > size && b[0] >> 4 == 4 && size >= header_len(b) + 24 &&
           !pieces_is_fragment(b, len);
}

uint32_t pieces_cut(struct cutter *c, uint8_t *out)
{
    uint32_t header = header_len(c->b), left = c->len - header - c->at;
    uint32_t len = min32(left, (c->size - header) / IPV4_FRAG_UNIT * IPV4_FRAG_UNIT);

    if (left == 0)
        return 0;
    memcpy(out, c->b, header);
    memcpy(out + header, c->b + header + c->at, len);
    write_header(out, header + len, c->id,
                 (uint16_t)((len < left ? MORE : 0) | c->at / IPV4_FRAG_UNIT));
    c->at += len;
    return header + len;
}

static void drop(struct pieces *p, unsigned i)
{
    free(p->waiting[i]);
    memmove(&p->waiting[i], &p->waiting[i + 1], (--p->n - i) * sizeof(struct pieces_packet *));
}

/* The oldest of the node that has most makes room, if that is more than its share; else the oldest.
 */
static void make_room(struct pieces *p, uint32_t max)
{
    unsigned who = 0, most = 0;

    for (unsigned i = 0; i < p->n; i++) {
        unsigned has = 0;

        for (unsigned k = 0; k < p->n; k++)
            has += p->waiting[i]->src == p->waiting[k]->src;
        if (i > 0 && has <= most)
            continue;
        who = i;
        most = max32(max32(max / SHARES, 1), has);
    }
    drop(p, who);
}

/* The place of its packet, which may be a new one, for which another has made room. */
static unsigned place_of(struct pieces *p, int64_t now, uint32_t max, const uint8_t *b)
{
    struct pieces_packet *k;

    for (unsigned i = 0; i < p->n; i++)
        if (p->waiting[i]->src == get32(b + 12) && p->waiting[i]->id == get16(b + 4))
            return i;
    if (p->n == min32(max, PIECES_WAITING))
        make_room(p, max);
    k = calloc(1, sizeof(*k));
    if (!k)
        abort();
    k->src = get32(b + 12);
    k->id = get16(b + 4);
    k->until = now + patience;
    p->waiting[p->n] = k;
    return p->n++;
}

enum pieces_verdict pieces_arrive(struct pieces *p, int64_t now, uint32_t max, const uint8_t *b,
                                  uint32_t len, uint8_t *out, uint32_t *ret_len)
{
    uint32_t header = header_len(b), at = get16(b + 6) & OFFSET, data = len - header;
    struct pieces_packet *k;
    unsigned i;

    while (p->n > 0 && p->waiting[0]->until <= now)
        drop(p, 0);
    i = place_of(p, now, max, b);
    k = p->waiting[i];
    if (k->here[at])
        return PIECES_AGAIN;
    k->here[at] = true;
    memcpy(k->data + at * IPV4_FRAG_UNIT, b + header, data);
    k->have += data;
    k->marked |= (b[1] & ECN_CE) == ECN_CE;
    if (!(get16(b + 6) & MORE))
        k->len = at * IPV4_FRAG_UNIT + data;
    if (at == 0)
        memcpy(k->header, b, header);
    if (k->have != k->len)
        return PIECES_KEPT;
    header = header_len(k->header);
    memcpy(out, k->header, header);
    memcpy(out + header, k->data, k->len);
    *ret_len = header + k->len;
    if (k->marked)
        out[1] |= ECN_CE;
    write_header(out, *ret_len, k->id, 0);
    drop(p, i);
    return PIECES_WHOLE;
}

void pieces_free(struct pieces *p)
{
    while (p->n > 0)
        drop(p, 0);
}
