#include "link/inbox.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "wire/ip.h"

enum {
    IP_TOS = 1, /* offsets in an IPv4 header */
    IP_CHECKSUM = 10,
    ECN_BITS = 3,
    ECN_CE = 3,
    ECN6_SHIFT = 4, /* in byte 1 of an IPv6 header, which has no checksum */
};

static bool sooner(const struct path_packet *a, const struct path_packet *b)
{
    return a->due != b->due ? a->due < b->due : a->order < b->order;
}

static void heap_swap(struct inbox *in, size_t i, size_t j)
{
    struct path_packet *t = in->heap[i];

    in->heap[i] = in->heap[j];
    in->heap[j] = t;
}

static void heap_push(struct inbox *in, struct path_packet *k)
{
    size_t i = in->n++;

    assert(in->n <= in->size);
    in->heap[i] = k;
    for (; i > 0 && sooner(in->heap[i], in->heap[(i - 1) / 2]); i = (i - 1) / 2)
        heap_swap(in, i, (i - 1) / 2);
}

static struct path_packet *heap_pop(struct inbox *in)
{
    struct path_packet *k = in->heap[0];
    size_t i = 0, c;

    in->heap[0] = in->heap[--in->n];
    while ((c = 2 * i + 1) < in->n) {
        if (c + 1 < in->n && sooner(in->heap[c + 1], in->heap[c]))
            c++;
        if (!sooner(in->heap[c], in->heap[i]))
            break;
        heap_swap(in, i, c);
        i = c;
    }
    return k;
}

/* ---- Memory that was given at start ---- */

static struct path_packet *bounded_get(struct inbox *in, uint32_t len)
{
    return len <= in->packet_max ? pool_get(&in->pool) : NULL;
}

static void bounded_put(struct inbox *in, struct path_packet *k)
{
    pool_put(&in->pool, k);
}

/* Packets behind it must be aligned. */
static size_t heap_bytes(uint32_t count)
{
    return (count * sizeof(struct path_packet *) + 7) & ~(size_t)7;
}

size_t inbox_bytes(uint32_t count, uint32_t packet_max)
{
    return heap_bytes(count) + pool_bytes(count, sizeof(struct path_packet) + packet_max);
}

void inbox_init(struct inbox *in, void *mem, uint32_t count, uint32_t packet_max)
{
    size_t heap = heap_bytes(count);
    size_t object = sizeof(struct path_packet) + packet_max;

    *in = (struct inbox){
        .heap = mem,
        .size = count,
        .get = bounded_get,
        .put = bounded_put,
        .packet_max = packet_max,
    };
    pool_init(&in->pool, (uint8_t *)mem + heap, pool_bytes(count, object), object);
}

/* ---- In and out ---- */

struct path_packet *inbox_put(struct inbox *in, int64_t due, const uint8_t *bytes, uint32_t len)
{
    struct path_packet *k = in->get(in, len);

    if (!k)
        return NULL;
    *k = (struct path_packet){.due = due, .order = in->orders++, .len = len};
    memcpy(k->bytes, bytes, len);
    heap_push(in, k);
    return k;
}

int64_t inbox_due(const struct inbox *in)
{
    return in->n ? in->heap[0]->due : TIME_NEVER;
}

struct path_packet *inbox_take(struct inbox *in, int64_t now)
{
    if (inbox_due(in) > now)
        return NULL;
    return heap_pop(in);
}

void inbox_give(struct inbox *in, struct path_packet *k)
{
    in->put(in, k);
}

void inbox_clear(struct inbox *in)
{
    while (in->n > 0)
        in->put(in, heap_pop(in));
}

void packet_turn_bit(struct path_packet *k, uint32_t bit)
{
    if (bit / 8 < k->len)
        k->bytes[bit / 8] ^= (uint8_t)(0x80U >> (bit % 8));
}

/* The header's checksum is adjusted for the word that changed, as RFC 1624 has it. */
static bool mark4(uint8_t *b)
{
    uint32_t was, sum;

    if ((b[IP_TOS] & ECN_BITS) == 0)
        return false;
    was = get16(b);
    b[IP_TOS] |= ECN_CE;
    sum = (0xffffU & ~(uint32_t)get16(b + IP_CHECKSUM)) + (0xffffU & ~was) + get16(b);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    put16(b + IP_CHECKSUM, (uint16_t)~sum);
    return true;
}

static bool mark6(uint8_t *b)
{
    if ((b[1] >> ECN6_SHIFT & ECN_BITS) == 0)
        return false;
    b[1] |= ECN_CE << ECN6_SHIFT;
    return true;
}

bool packet_mark(struct path_packet *k)
{
    if (k->len >= IPV4_HEADER_MIN && k->bytes[0] >> 4 == 4)
        return mark4(k->bytes);
    return k->len >= IPV6_HEADER && k->bytes[0] >> 4 == 6 && mark6(k->bytes);
}
