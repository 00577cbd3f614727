/* IPv6 packets for tests, put together field by field and not by the code under test. */
#ifndef TESTS_UNIT_PACKET6_KIT_H
#define TESTS_UNIT_PACKET6_KIT_H

#include "packet_kit.h"
#include "wire/addr.h"

#define KIT6_HOST        kit6_addr(0xfd00, 0, 7) /* fd00::7 */
#define KIT6_PEER        kit6_addr(0xfd00, 1, 5) /* fd00:0:0:1::5 */
#define KIT6_LINK_LOCAL  kit6_addr(0xfe80, 0, 1) /* fe80::1 */
#define KIT6_ALL_ROUTERS kit6_addr(0xff02, 0, 2) /* ff02::2 */
#define KIT6_NONE        kit6_addr(0, 0, 0)      /* :: */

enum {
    KIT6_HEADER = 40,
};

/* first:0:0:fourth::last */
static inline struct addr kit6_addr(uint16_t first, uint16_t fourth, uint16_t last)
{
    struct addr a = {{0}};

    put16(a.b, first);
    put16(a.b + 6, fourth);
    put16(a.b + 14, last);
    return a;
}

/* The fixed header, and what stands behind it. */
static inline struct kit_packet kit6(struct addr src, struct addr dst, uint8_t next,
                                     const void *body, uint32_t len)
{
    struct kit_packet p = {.len = KIT6_HEADER + len};

    assert(p.len <= KIT_PACKET_MAX);
    p.b[0] = 0x60;
    put16(p.b + 4, (uint16_t)len);
    p.b[6] = next;
    p.b[7] = 64;
    memcpy(p.b + 8, src.b, 16);
    memcpy(p.b + 24, dst.b, 16);
    if (body)
        memcpy(p.b + KIT6_HEADER, body, len);
    return p;
}

/*
 * The checksum of a packet without extension headers, or with `ext` bytes of them, for protocol
 * `proto`; its field is at `at` behind them.
 */
static inline void kit6_l4_fix(struct kit_packet *p, uint8_t proto, uint32_t ext, uint32_t at)
{
    uint8_t pseudo[40] = {0}, *l4 = p->b + KIT6_HEADER + ext;
    uint32_t len = p->len - KIT6_HEADER - ext;

    memcpy(pseudo, p->b + 8, 32);
    put32(pseudo + 32, len);
    pseudo[39] = proto;
    put16(l4 + at, 0);
    put16(l4 + at, checksum_finish(checksum_add(checksum_add(0, pseudo, 40), l4, len)));
}

static inline struct kit_packet kit6_icmp(struct addr src, struct addr dst, uint8_t type,
                                          uint8_t code, uint32_t rest, const void *data,
                                          uint32_t len)
{
    uint8_t body[KIT_PACKET_MAX - KIT6_HEADER] = {0};
    struct kit_packet p;

    body[0] = type;
    body[1] = code;
    put32(body + 4, rest);
    if (data)
        memcpy(body + 8, data, len);
    p = kit6(src, dst, 58, body, 8 + len);
    kit6_l4_fix(&p, 58, 0, 2);
    return p;
}

static inline struct kit_packet kit6_udp(struct addr src, struct addr dst, uint16_t sport,
                                         uint16_t dport, const void *data, uint32_t len)
{
    uint8_t body[KIT_PACKET_MAX - KIT6_HEADER] = {0};
    struct kit_packet p;

    put16(body, sport);
    put16(body + 2, dport);
    put16(body + 4, (uint16_t)(8 + len));
    if (data)
        memcpy(body + 8, data, len);
    p = kit6(src, dst, 17, body, 8 + len);
    kit6_l4_fix(&p, 17, 0, 6);
    return p;
}

/* Put `len` bytes, a header of kind `next`, between the fixed header and what is behind it. */
static inline void kit6_insert(struct kit_packet *p, uint8_t next, const uint8_t *ext, uint32_t len)
{
    assert(p->len + len <= KIT_PACKET_MAX && len >= 8);
    memmove(p->b + KIT6_HEADER + len, p->b + KIT6_HEADER, p->len - KIT6_HEADER);
    memcpy(p->b + KIT6_HEADER, ext, len);
    p->b[KIT6_HEADER] = p->b[6];
    p->b[6] = next;
    p->len += len;
    put16(p->b + 4, (uint16_t)(p->len - KIT6_HEADER));
}

#endif
