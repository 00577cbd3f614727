#include "link/identity.h"

#include "base/bytes.h"
#include "base/dice.h"
#include "wire/ip.h"

enum {
    IP_SRC = 12, /* offsets in an IPv4 header */
    IP_DST = 16,
    IP6_SRC = 8, /* and in one of IPv6 */
    IP6_DST = 24,
    TCP_SEQ = 4, /* and in a TCP header */
    TCP_ACK_NUMBER = 8,
};

static uint64_t stir(uint64_t h, uint64_t v)
{
    return dice_mix(h * UINT64_C(0x9e3779b97f4a7c15) + v + 1);
}

/* One end of a connection, in a number. */
static uint64_t end_of(const uint8_t *ip, bool dst, uint16_t port)
{
    const uint8_t *a = ip + (dst ? IP6_DST : IP6_SRC);
    uint64_t h = port;

    if (ip[0] >> 4 != 6)
        return (uint64_t)get32(ip + (dst ? IP_DST : IP_SRC)) << 16 | port;
    for (unsigned i = 0; i < 16; i += 4)
        h = stir(h, get32(a + i));
    return h;
}

/* The same for both directions. */
static uint64_t tuple_of(const uint8_t *ip, const uint8_t *tcp)
{
    uint64_t a = end_of(ip, false, get16(tcp));
    uint64_t b = end_of(ip, true, get16(tcp + 2));

    return stir(stir(0, a < b ? a : b), a < b ? b : a) | 1;
}

/* The connection's place. A SYN with another number than before is a connection of its own. */
static struct identity_flow *flow_of(struct identity *id, unsigned direction, enum packet_kind kind,
                                     uint64_t tuple, uint32_t seq)
{
    struct identity_flow *f = &id->flow[tuple / 2 % IDENTITY_FLOWS];

    if (f->tuple != tuple || (kind == PACKET_SYN && f->isn[direction] != seq))
        *f = (struct identity_flow){.tuple = tuple, .number = id->flows++};
    if (kind == PACKET_SYN || kind == PACKET_SYN_ACK)
        f->isn[direction] = seq;
    return f;
}

uint64_t identity_of(struct identity *id, unsigned direction, const uint8_t *bytes, uint32_t len)
{
    enum packet_kind kind = packet_classify(bytes, len);
    uint64_t h = stir(direction, (uint64_t)kind);

    if (kind != PACKET_OTHER) {
        const uint8_t *tcp = bytes + packet_tcp_at(bytes);
        uint32_t seq = get32(tcp + TCP_SEQ);
        struct identity_flow *f = flow_of(id, direction, kind, tuple_of(bytes, tcp), seq);

        h = stir(stir(h, f->number), seq - f->isn[direction]);
        if (kind == PACKET_ACK)
            h = stir(h, get32(tcp + TCP_ACK_NUMBER) - f->isn[1 - direction]);
    }
    return stir(h, id->count[direction][kind][h % IDENTITY_COUNTS]++);
}
