/*
 * Packets for tests, put together field by field and not by the code under test, so that anything
 * can be sent; and a pool to receive them in.
 */
#ifndef TESTS_UNIT_PACKET_KIT_H
#define TESTS_UNIT_PACKET_KIT_H

#include <assert.h>
#include <stdalign.h>
#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "wire/checksum.h"

#define KIT_HOST UINT32_C(0x0a000007) /* 10.0.0.7 */
#define KIT_PEER UINT32_C(0x0a000105) /* 10.0.1.5 */

/* Where contents are asked for, NULL means zeros. */
enum {
    KIT_PACKET_MAX = 4096,
    KIT_POOL_BYTES = 1 << 20,
};

struct kit_packet {
    uint8_t b[KIT_PACKET_MAX];
    uint32_t len;
};

/* What can be chosen in a TCP segment; the rest has sensible values. */
struct kit_tcp {
    uint32_t src, dst;
    uint16_t sport, dport;
    uint8_t flags;
    uint32_t seq, ack;
    uint16_t wnd, urg;
    const char *opt; /* bytes, a multiple of 4 */
    uint32_t opt_len;
    uint32_t data; /* bytes of 'x' */
};

static inline struct kit_packet kit_ip4(uint32_t src, uint32_t dst, uint8_t proto, const void *body,
                                        uint32_t len)
{
    struct kit_packet p = {.len = 20 + len};

    assert(p.len <= KIT_PACKET_MAX);
    p.b[0] = 0x45;
    put16(p.b + 2, (uint16_t)p.len);
    put16(p.b + 4, 1);
    p.b[8] = 64;
    p.b[9] = proto;
    put32(p.b + 12, src);
    put32(p.b + 16, dst);
    put16(p.b + 10, checksum_finish(checksum_add(0, p.b, 20)));
    if (body)
        memcpy(p.b + 20, body, len);
    return p;
}

/* The IP header was changed: make its checksum right again. */
static inline void kit_ip4_fix(struct kit_packet *p)
{
    put16(p->b + 10, 0);
    put16(p->b + 10, checksum_finish(checksum_add(0, p->b, (size_t)(p->b[0] & 15) * 4)));
}

/* The checksum of TCP or UDP, whose field is at `at` behind the IP header. */
static inline void kit_l4_fix(struct kit_packet *p, uint32_t at)
{
    uint8_t pseudo[12] = {0};
    uint32_t len = p->len - 20;

    memcpy(pseudo, p->b + 12, 8);
    pseudo[9] = p->b[9];
    put16(pseudo + 10, (uint16_t)len);
    put16(p->b + 20 + at, 0);
    put16(p->b + 20 + at,
          checksum_finish(checksum_add(checksum_add(0, pseudo, sizeof(pseudo)), p->b + 20, len)));
}

static inline struct kit_packet kit_tcp(struct kit_tcp f)
{
    uint8_t body[KIT_PACKET_MAX - 20] = {0};
    uint32_t header = 20 + f.opt_len;
    struct kit_packet p;

    put16(body, f.sport ? f.sport : 49152);
    put16(body + 2, f.dport ? f.dport : 8000);
    put32(body + 4, f.seq);
    put32(body + 8, f.ack);
    body[12] = (uint8_t)(header / 4 << 4);
    body[13] = f.flags;
    put16(body + 14, f.wnd ? f.wnd : 512);
    put16(body + 18, f.urg);
    if (f.opt_len)
        memcpy(body + 20, f.opt, f.opt_len);
    memset(body + header, 'x', f.data);
    p = kit_ip4(f.src ? f.src : KIT_HOST, f.dst ? f.dst : KIT_PEER, 6, body, header + f.data);
    kit_l4_fix(&p, 16);
    return p;
}

static inline struct kit_packet kit_udp(uint16_t sport, uint16_t dport, const void *data,
                                        uint32_t len)
{
    uint8_t body[KIT_PACKET_MAX - 20] = {0};
    struct kit_packet p;

    put16(body, sport);
    put16(body + 2, dport);
    put16(body + 4, (uint16_t)(8 + len));
    if (data)
        memcpy(body + 8, data, len);
    p = kit_ip4(KIT_HOST, KIT_PEER, 17, body, 8 + len);
    kit_l4_fix(&p, 6);
    return p;
}

/* From the peer. */
static inline struct kit_packet kit_icmp(uint8_t type, uint8_t code, uint32_t rest,
                                         const void *data, uint32_t len)
{
    uint8_t body[KIT_PACKET_MAX - 20] = {0};

    body[0] = type;
    body[1] = code;
    put32(body + 4, rest);
    if (data)
        memcpy(body + 8, data, len);
    put16(body + 2, checksum_finish(checksum_add(0, body, 8 + len)));
    return kit_ip4(KIT_PEER, KIT_HOST, 1, body, 8 + len);
}

/*
 * Something to hand to device_write, in two parts as a stack would send it. (Not returned by value:
 * a packet points into itself.)
 */
static inline void kit_pkt(const struct kit_packet *p, struct pkt *ret_pkt)
{
    uint32_t header = p->len < 40 ? p->len : 40;

    pkt_begin(ret_pkt, header);
    memcpy(ret_pkt->room, p->b, header);
    pkt_add(ret_pkt, (struct slice){.base = p->b + header, .len = p->len - header});
}

/* `count` buffers of `size` bytes, in memory that lasts; one pool of each test at a time. */
static inline void kit_pool(struct buf_pool *pool, uint32_t count, uint32_t size)
{
    static alignas(16) uint8_t mem[8][KIT_POOL_BYTES];
    static unsigned next;

    assert(buf_pool_bytes(count, size) <= KIT_POOL_BYTES);
    buf_pool_init(pool, mem[next++ % 8], buf_pool_bytes(count, size), size);
    assert(pool->count == count);
}

#endif
