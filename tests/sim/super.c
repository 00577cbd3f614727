#include "tests/sim/super.h"

#include <string.h>

#include "base/bytes.h"
#include "base/seq.h"
#include "wire/tcp.h"

enum {
    V4_TOTAL = 2, /* offsets in the IP headers */
    V4_SUM = 10,
    V6_PAYLOAD = 4,
    V6_NEXT = 6,
    SEQ = 4, /* ... and in TCP's */
    FLAGS = 13,
    SUM = 16,
};

/* Where things stand in a packet that is TCP without extension headers. */
struct layout {
    uint32_t tcp, text; /* bytes before them */
};

static bool is_v6(const uint8_t *b)
{
    return b[0] >> 4 == 6;
}

static struct layout layout_of(const uint8_t *b)
{
    uint32_t tcp = is_v6(b) ? (uint32_t)IPV6_HEADER : (b[0] & 15U) * 4;

    return (struct layout){tcp, tcp + (b[tcp + 12] >> 4U) * 4};
}

static uint32_t add_words(uint32_t sum, const uint8_t *b, uint32_t len)
{
    uint64_t all = sum;

    for (uint32_t i = 0; i + 1 < len; i += 2)
        all += get16(b + i);
    if (len % 2)
        all += (uint32_t)b[len - 1] << 8;
    while (all >> 16)
        all = (all & 0xffff) + (all >> 16);
    return (uint32_t)all;
}

void super_sum(uint8_t *b, uint32_t len)
{
    uint32_t tcp = layout_of(b).tcp, addresses = is_v6(b) ? 32 : 8, sum;

    put16(b + tcp + SUM, 0);
    sum = add_words(IP_PROTO_TCP + len - tcp, b + (is_v6(b) ? 8 : 12), addresses);
    put16(b + tcp + SUM, (uint16_t)~add_words(sum, b + tcp, len - tcp));
}

/* Both lengths and checksums of a packet that has become b[0..len). */
static void set_length(uint8_t *b, uint32_t len)
{
    if (is_v6(b)) {
        put16(b + V6_PAYLOAD, (uint16_t)(len - IPV6_HEADER));
    } else {
        put16(b + V4_TOTAL, (uint16_t)len);
        put16(b + V4_SUM, 0);
        put16(b + V4_SUM, (uint16_t)~add_words(0, b, layout_of(b).tcp));
    }
    super_sum(b, len);
}

uint32_t super_next(struct super_cut *c, uint8_t *out)
{
    struct layout at = layout_of(c->b);
    uint32_t left = c->len - at.text - c->at, n = min32(left, c->size);
    uint8_t flags = c->b[at.tcp + FLAGS];

    if (n == 0)
        return 0;
    memcpy(out, c->b, at.text);
    memcpy(out + at.text, c->b + at.text + c->at, n);
    put32(out + at.tcp + SEQ, get32(c->b + at.tcp + SEQ) + c->at);
    if (n < left)
        flags &= (uint8_t) ~(TCP_FIN | TCP_PSH);
    if (c->at > 0)
        flags &= (uint8_t)~TCP_CWR;
    out[at.tcp + FLAGS] = flags;
    set_length(out, at.text + n);
    c->at += n;
    return at.text + n;
}

/* May it be joined with others at all? */
static bool may_begin(const uint8_t *b, uint32_t len)
{
    struct layout at;

    if (is_v6(b) ? len < IPV6_HEADER + TCP_HEADER_MIN || b[V6_NEXT] != IP_PROTO_TCP
                 : (b[0] & 15) != 5 || len < IPV4_HEADER_MIN + TCP_HEADER_MIN ||
                       b[9] != IP_PROTO_TCP || (get16(b + 6) & 0x3fff) != 0)
        return false;
    at = layout_of(b);
    return at.text < len &&
           (b[at.tcp + FLAGS] & (uint8_t) ~(TCP_FIN | TCP_PSH | TCP_ECE)) == TCP_ACK;
}

/* Is all the same but lengths, checksums, the sequence number, PSH and FIN? */
static bool same_headers(const uint8_t *a, const uint8_t *b)
{
    struct layout at = layout_of(a), at_b = layout_of(b);
    uint8_t one[128], two[128];

    if (at.tcp != at_b.tcp || at.text != at_b.text)
        return false;
    memcpy(one, a, at.text);
    memcpy(two, b, at.text);
    for (unsigned i = 0; i < 2; i++) {
        uint8_t *h = i ? two : one;

        memset(h + (is_v6(h) ? V6_PAYLOAD : V4_TOTAL), 0, 2);
        if (!is_v6(h))
            memset(h + V4_SUM, 0, 2);
        memset(h + at.tcp + SEQ, 0, 4);
        memset(h + at.tcp + SUM, 0, 2);
        h[at.tcp + FLAGS] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
    }
    return memcmp(one, two, at.text) == 0;
}

bool super_add(struct super_join *j, const uint8_t *b, uint32_t len, uint32_t max)
{
    struct layout at;
    uint32_t n;

    if (len > max || !may_begin(b, len))
        return false;
    at = layout_of(b);
    n = len - at.text;
    if (j->len == 0) {
        memcpy(j->b, b, len);
        j->len = len;
        j->size = n;
        j->n = 1;
        j->ended = b[at.tcp + FLAGS] & (TCP_FIN | TCP_PSH);
        return true;
    }
    if (j->ended || n > j->size || j->len + n > max || !same_headers(j->b, b) ||
        get32(b + at.tcp + SEQ) != get32(j->b + at.tcp + SEQ) + (j->len - at.text))
        return false;
    memcpy(j->b + j->len, b + at.text, n);
    j->b[at.tcp + FLAGS] |= b[at.tcp + FLAGS] & (TCP_FIN | TCP_PSH);
    j->len += n;
    j->n++;
    j->ended = n < j->size || b[at.tcp + FLAGS] & (TCP_FIN | TCP_PSH);
    return true;
}

void super_finish(struct super_join *j)
{
    if (j->n > 1)
        set_length(j->b, j->len);
}
