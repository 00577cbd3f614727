/*
 * A source route on its way (RFC 791 section 3.1): the header's destination is the next hop, and
 * the option has the hops behind it, the last of which is the packet's end; a pointer, counted from
 * 1, says which comes next. Each hop writes its own address over the entry that it takes the next
 * destination from, so what arrives is the route as it was gone, with the pointer behind it.
 *
 *     sent      dst G1   | G2 G3 E   pointer at G2
 *     at G1     dst G2   | G1 G3 E   pointer at G3
 *     arrived   dst E    | G1 G2 G3  pointer behind
 *     back      dst G3   | G2 G1 S   pointer at G2
 *
 * Record Route and Timestamp have the same pointer; who sends them has made the room.
 */
#include "wire/ip_option.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "wire/ip.h"

enum {
    ROUTE_HEADER = 3,     /* bytes: kind, length, pointer */
    POINTER_FIRST = 4,    /* of an empty Record Route, and of a source route as it is sent */
    TIMESTAMP_HEADER = 4, /* bytes: kind, length, pointer, overflow and flag */
    ENTRY = 4,            /* bytes */

    /* a Timestamp's flag: what an entry is */
    STAMPS = 0,
    STAMPS_WITH_ADDRESSES = 1,
    STAMPS_ASKED_OF = 3, /* addresses are there, times are wanted */

    OVERFLOW_MAX = 15,

    COPIED = 0x80, /* in an option's kind */
};

static const uint32_t not_of_the_day = UINT32_C(1) << 31; /* RFC 791: not milliseconds of the day */

static bool is_route(uint8_t kind)
{
    return kind == IP_OPT_LOOSE_ROUTE || kind == IP_OPT_STRICT_ROUTE;
}

/* Whole entries, and a pointer to one of them or behind the last. */
static bool route_makes_sense(const uint8_t *b)
{
    uint8_t len = b[1];

    return len >= ROUTE_HEADER && (len - ROUTE_HEADER) % ENTRY == 0 && b[2] >= POINTER_FIRST &&
           b[2] % ENTRY == 0 && b[2] <= len + 1;
}

/* As ip_options_walk; *ret_at is where the walk has ended. */
static enum reason walk(const uint8_t *b, size_t len, struct ip_option_places *ret_places,
                        size_t *ret_at)
{
    struct ip_option_places places = {0};
    size_t i = 0;

    while (i < len && b[i] != IP_OPT_END) {
        if (b[i] == IP_OPT_NOP) {
            i++;
            continue;
        }
        *ret_at = i;
        if (len - i < 2)
            return REASON_IP_OPTION;
        if (b[i + 1] < 2 || b[i + 1] > len - i) {
            *ret_at = i + 1;
            return REASON_IP_OPTION;
        }
        if (is_route(b[i])) {
            if (places.route || !route_makes_sense(b + i))
                return REASON_IP_ROUTE;
            places.route = (uint8_t)(i + 1);
        } else if (b[i] == IP_OPT_RECORD && !places.record) {
            places.record = (uint8_t)(i + 1);
        } else if (b[i] == IP_OPT_TIMESTAMP && !places.timestamp) {
            places.timestamp = (uint8_t)(i + 1);
        }
        i += b[i + 1];
    }
    *ret_places = places;
    return REASON_NONE;
}

enum reason ip_options_walk(const uint8_t *b, size_t len, struct ip_option_places *ret_places)
{
    size_t at;

    return walk(b, len, ret_places, &at);
}

size_t ip_options_wrong(const uint8_t *b, size_t len)
{
    struct ip_option_places ignored;
    size_t at = 0;

    (void)walk(b, len, &ignored, &at);
    return at;
}

enum reason ip_route_back(const struct ip_hdr *ip, struct ip_route *ret_route)
{
    struct ip_route back = {0};
    const uint8_t *b;

    if (ip->at.route) {
        b = ip->options + ip->at.route - 1;
        if (b[2] <= b[1])
            return REASON_IP_ROUTE_UNFINISHED;
        back.strict = b[0] == IP_OPT_STRICT_ROUTE;
        for (size_t at = b[1]; at > ROUTE_HEADER; at -= ENTRY)
            back.hop[back.hops++] = get32(b + at - ENTRY);
        if (back.hops && back.hop[back.hops - 1] == addr_v4_value(&ip->src))
            back.hops--;
    }
    *ret_route = back;
    return REASON_NONE;
}

struct addr ip_route_end(const struct ip_hdr *ip)
{
    const uint8_t *b;

    if (!ip->at.route)
        return ip->dst;
    b = ip->options + ip->at.route - 1;
    if (b[2] > b[1])
        return ip->dst;
    return addr_v4_bytes(b + b[1] - ENTRY);
}

struct addr ip_options_route(struct ip_options *o, const struct ip_route *r, const struct addr *end)
{
    uint8_t *b = o->b;

    assert(o->len == 0 && r->hops > 0 && r->hops <= IP_ROUTE_HOPS_MAX);
    o->len = (uint8_t)(ROUTE_HEADER + ENTRY * r->hops);
    b[0] = r->strict ? IP_OPT_STRICT_ROUTE : IP_OPT_LOOSE_ROUTE;
    b[1] = o->len;
    b[2] = POINTER_FIRST;
    b += ROUTE_HEADER;
    for (unsigned i = 1; i < r->hops; i++, b += ENTRY)
        put32(b, r->hop[i]);
    put32(b, addr_v4_value(end));
    return addr_v4(r->hop[0]);
}

/* Append a copy of an option; returns where it stands. */
static uint8_t *append(struct ip_options *o, const uint8_t *option)
{
    uint8_t *at = o->b + o->len;

    assert(o->len + option[1] <= IPV4_OPTIONS_MAX);
    memcpy(at, option, option[1]);
    o->len = (uint8_t)(o->len + option[1]);
    return at;
}

static void record(struct ip_options *o, const uint8_t *option, const struct addr *self)
{
    uint8_t *b;

    if (option[1] < ROUTE_HEADER || option[2] < POINTER_FIRST)
        return;
    b = append(o, option);
    if (b[2] + ENTRY - 1 > b[1])
        return;
    put32(b + b[2] - 1, addr_v4_value(self));
    b[2] = (uint8_t)(b[2] + ENTRY);
}

/* The next entry, `entry` bytes long, begins at b + b[2] - 1; false if it is not there. */
static bool has_entry(const uint8_t *b, unsigned entry)
{
    return b[2] + entry - 1 <= b[1];
}

/* No room: the number of those who found none is counted, up to 15. */
static void overflow(uint8_t *b)
{
    if (b[3] >> 4 < OVERFLOW_MAX)
        b[3] = (uint8_t)(b[3] + (1 << 4));
}

static void stamp(struct ip_options *o, const uint8_t *option, const struct addr *self, uint32_t ms)
{
    unsigned flag, entry;
    uint8_t *b, *at;

    if (option[1] < TIMESTAMP_HEADER || option[2] <= TIMESTAMP_HEADER)
        return;
    b = append(o, option);
    flag = b[3] & 0x0f;
    entry = flag == STAMPS ? ENTRY : 2 * ENTRY;
    if (flag != STAMPS && flag != STAMPS_WITH_ADDRESSES && flag != STAMPS_ASKED_OF)
        return;
    if (!has_entry(b, entry)) {
        if (flag != STAMPS_ASKED_OF)
            overflow(b);
        return;
    }
    at = b + b[2] - 1;
    if (flag == STAMPS_ASKED_OF && get32(at) != addr_v4_value(self))
        return;
    if (flag == STAMPS_WITH_ADDRESSES)
        put32(at, addr_v4_value(self));
    put32(at + entry - ENTRY, ms | not_of_the_day);
    b[2] = (uint8_t)(b[2] + entry);
}

void ip_options_reflect(struct ip_options *o, const struct ip_hdr *asked, uint32_t ms)
{
    if (asked->at.record)
        record(o, asked->options + asked->at.record - 1, &asked->dst);
    if (asked->at.timestamp)
        stamp(o, asked->options + asked->at.timestamp - 1, &asked->dst, ms);
}

void ip_options_copied(const struct ip_options *o, struct ip_options *ret_copied)
{
    ret_copied->len = 0;
    for (unsigned i = 0; i < o->len && o->b[i] != IP_OPT_END;
         i += o->b[i] == IP_OPT_NOP ? 1 : o->b[i + 1])
        if (o->b[i] & COPIED)
            append(ret_copied, o->b + i);
    ip_options_end(ret_copied);
}

void ip_options_end(struct ip_options *o)
{
    while (o->len % 4)
        o->b[o->len++] = IP_OPT_END;
}
