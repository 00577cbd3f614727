#include "link/wire.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/bytes.h"

enum {
    SLOT_ALIGN = 16,
    IPV4_TTL_OFFSET = 8,
    IPV4_CHECKSUM_OFFSET = 10,
    IPV4_HEADER = 20,
    IPV6_HOPS_OFFSET = 7,
    IPV6_HEADER_LEN = 40,
};

/* A packet in the queue. */
struct slot {
    uint32_t len; /* bytes */
    uint16_t marks, gso_size, csum_start;
    uint8_t pad[6];
    uint8_t data[];
};

_Static_assert(sizeof(struct slot) % SLOT_ALIGN == 0, "packets are aligned in their slots");

static uint32_t largest(const struct wire_config *cfg)
{
    return cfg->packet_max > cfg->mtu ? cfg->packet_max : cfg->mtu;
}

static size_t stride(const struct wire_config *cfg)
{
    size_t n = sizeof(struct slot) + largest(cfg);

    return (n + SLOT_ALIGN - 1) & ~(size_t)(SLOT_ALIGN - 1);
}

static struct slot *slot_at(const struct wire_side *s, uint32_t i)
{
    return (struct slot *)(void *)(s->slots + (size_t)(i % s->count) * s->stride);
}

/* IPv6 has no checksum to adjust. */
static bool forward6(struct wire_side *to, uint8_t *b)
{
    if (b[IPV6_HOPS_OFFSET] <= 1) {
        to->expired++;
        return false;
    }
    b[IPV6_HOPS_OFFSET]--;
    return true;
}

/*
 * What a router does to the packet b[0..len) on its way to `to`. The checksum is adjusted by the
 * difference (RFC 1624 equation 3: HC' = ~(~HC + ~m + m')), so one that was wrong stays wrong; m is
 * the word with the TTL in its upper byte, and ~m + m' is 0xffff - 0x0100 whatever else is in it.
 * False: the packet goes no further.
 */
static bool forward(struct wire_side *to, uint8_t *b, uint32_t len)
{
    uint32_t sum;

    if (len >= IPV6_HEADER_LEN && b[0] >> 4 == 6)
        return forward6(to, b);
    if (len < IPV4_HEADER || b[0] >> 4 != 4) {
        to->no_route++;
        return false;
    }
    if (b[IPV4_TTL_OFFSET] <= 1) {
        to->expired++;
        return false;
    }
    b[IPV4_TTL_OFFSET]--;
    sum = (0xffffU & ~(uint32_t)get16(b + IPV4_CHECKSUM_OFFSET)) + 0xffffU - 0x0100U;
    sum = (sum & 0xffff) + (sum >> 16);
    put16(b + IPV4_CHECKSUM_OFFSET, (uint16_t)~sum);
    return true;
}

static int wire_write(struct device *d, int64_t now, const struct pkt *p)
{
    struct wire_side *to = ((struct wire_side *)d)->far;
    struct slot *s;

    (void)now;
    assert(to->packet_max || (p->gso_size == 0 && !(p->marks & PKT_CSUM_PARTIAL)));
    if (p->len > (p->gso_size ? to->packet_max : d->mtu))
        return -EMSGSIZE;
    if (to->queued == to->count) {
        to->full++;
        return 0;
    }
    s = slot_at(to, to->head + to->queued);
    s->len = pkt_flatten(p, s->data, p->len);
    s->marks = p->marks;
    s->gso_size = p->gso_size;
    s->csum_start = p->csum_start;
    if (to->forward && !forward(to, s->data, s->len))
        return 0;
    to->queued++;
    return 0;
}

static int wire_read(struct device *d, int64_t now, struct pkt *ret_pkt)
{
    struct wire_side *side = (struct wire_side *)d;
    struct slot *s = slot_at(side, side->head);
    uint32_t room;
    uint8_t *at;

    (void)now;
    if (side->queued == 0)
        return 0;
    side->head = (side->head + 1) % side->count;
    side->queued--;
    at = intake_room(&side->intake, s->len, &room);
    memcpy(at, s->data, s->len);
    intake_take(&side->intake, s->len, ret_pkt);
    ret_pkt->marks = s->marks;
    ret_pkt->gso_size = s->gso_size;
    ret_pkt->csum_start = s->csum_start;
    side->delivered++;
    return 1;
}

static int64_t wire_deadline(const struct device *d)
{
    return ((const struct wire_side *)d)->queued ? 0 : TIME_NEVER;
}

static int wire_fd(const struct device *d)
{
    (void)d;
    return -1;
}

static void wire_close(struct device *d)
{
    struct wire_side *side = (struct wire_side *)d;

    intake_close(&side->intake);
    side->queued = 0;
}

static const struct device_ops wire_ops = {
    .kind = "wire",
    .read = wire_read,
    .write = wire_write,
    .deadline = wire_deadline,
    .fd = wire_fd,
    .close = wire_close,
};

size_t wire_pair_bytes(const struct wire_config *cfg)
{
    return 2 * stride(cfg) * cfg->queue;
}

int wire_pair_create(struct wire_pair *w, const struct wire_config *cfg, void *mem)
{
    assert(cfg->queue > 0);
    assert((uintptr_t)mem % SLOT_ALIGN == 0);
    for (unsigned i = 0; i < 2; i++) {
        struct wire_side *side = &w->side[i];

        assert(strlen(cfg->name[i]) < sizeof(side->dev.name));
        assert(cfg->pool[i]->size >= largest(cfg));
        *side = (struct wire_side){
            .dev = {.ops = &wire_ops,
                    .mtu = cfg->mtu,
                    .offload = cfg->packet_max ? DEVICE_CSUM | DEVICE_TSO4 | DEVICE_TSO6 : 0},
            .far = &w->side[1 - i],
            .slots = (uint8_t *)mem + i * stride(cfg) * cfg->queue,
            .stride = stride(cfg),
            .count = cfg->queue,
            .packet_max = cfg->packet_max,
            .forward = cfg->forward,
        };
        memcpy(side->dev.name, cfg->name[i], strlen(cfg->name[i]) + 1);
        if (intake_init(&side->intake, cfg->pool[i]) < 0)
            return -ENOBUFS;
    }
    return 0;
}
