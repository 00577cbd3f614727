#include "link/handover.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
    LINE = 64, /* bytes of a cache line: writer and reader do not share one */
};

/* Both count bytes for ever; what lies between them is filled. */
struct handover_ring {
    _Alignas(LINE) _Atomic uint64_t written; /* by the writer only */
    _Alignas(LINE) _Atomic uint64_t taken;   /* by the reader only */
    _Alignas(LINE) uint8_t bytes[HANDOVER_RING];
};

/* Stands in front of each packet's bytes. */
struct label {
    uint32_t len;
    uint16_t marks, gso_size;
};

size_t handover_bytes(unsigned members)
{
    return (size_t)members * members * sizeof(struct handover_ring);
}

int handover_init(struct handover *h, unsigned members, void *mem)
{
    assert(members > 0 && members <= HANDOVER_MEMBERS_MAX && (uintptr_t)mem % LINE == 0);
    h->members = 0;
    h->ring = mem;
    while (h->members < members) {
        int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

        if (fd < 0) {
            int error = -errno;

            handover_end(h);
            return error;
        }
        h->bell[h->members++] = fd;
    }
    return 0;
}

void handover_end(struct handover *h)
{
    while (h->members)
        close(h->bell[--h->members]);
}

static struct handover_ring *ring_of(const struct handover *h, unsigned from, unsigned to)
{
    assert(from < h->members && to < h->members);
    return &h->ring[from * h->members + to];
}

static void copy_in(struct handover_ring *r, uint64_t at, const void *bytes, uint32_t len)
{
    uint32_t offset = (uint32_t)(at % HANDOVER_RING), first = HANDOVER_RING - offset;

    if (first > len)
        first = len;
    memcpy(r->bytes + offset, bytes, first);
    memcpy(r->bytes, (const uint8_t *)bytes + first, len - first);
}

static void copy_out(const struct handover_ring *r, uint64_t at, void *bytes, uint32_t len)
{
    uint32_t offset = (uint32_t)(at % HANDOVER_RING), first = HANDOVER_RING - offset;

    if (first > len)
        first = len;
    memcpy(bytes, r->bytes + offset, first);
    memcpy((uint8_t *)bytes + first, r->bytes, len - first);
}

bool handover_put(struct handover *h, unsigned from, unsigned to, const struct pkt *p)
{
    struct handover_ring *r = ring_of(h, from, to);
    const struct label label = {p->part[0].len, p->marks, p->gso_size};
    uint64_t at = atomic_load_explicit(&r->written, memory_order_relaxed);
    uint64_t taken = atomic_load_explicit(&r->taken, memory_order_acquire);

    assert(p->parts == 1);
    if (HANDOVER_RING - (at - taken) < sizeof(label) + label.len)
        return false;
    copy_in(r, at, &label, sizeof(label));
    copy_in(r, at + sizeof(label), p->part[0].base, label.len);
    atomic_store_explicit(&r->written, at + sizeof(label) + label.len, memory_order_release);
    handover_ring_bell(h, to);
    return true;
}

/* As its reader sees it. */
static bool is_empty(struct handover_ring *r)
{
    return atomic_load_explicit(&r->taken, memory_order_relaxed) ==
           atomic_load_explicit(&r->written, memory_order_acquire);
}

/* One packet of this ring. False: there is none. */
static bool take(struct handover_ring *r, struct intake *in, struct pkt *ret_pkt)
{
    uint64_t at = atomic_load_explicit(&r->taken, memory_order_relaxed);
    struct label label;
    uint32_t room;
    uint8_t *to;

    if (is_empty(r))
        return false;
    copy_out(r, at, &label, sizeof(label));
    to = intake_room(in, label.len, &room);
    assert(label.len <= room);
    copy_out(r, at + sizeof(label), to, label.len);
    in->pool->copied += label.len;
    atomic_store_explicit(&r->taken, at + sizeof(label) + label.len, memory_order_release);
    intake_take(in, label.len, ret_pkt);
    ret_pkt->marks = label.marks;
    ret_pkt->gso_size = label.gso_size;
    return true;
}

/* ---- The bell ---- */

void handover_ring_bell(struct handover *h, unsigned member)
{
    const uint64_t one = 1;

    (void)!write(h->bell[member], &one, sizeof(one)); /* full is as good as rung */
}

/* ---- The device ---- */

static bool read_rings(struct handover_device *d, struct pkt *ret_pkt)
{
    for (unsigned i = 0; i < d->h->members; i++) {
        d->from = (d->from + 1) % d->h->members;
        if (d->from != d->me && take(ring_of(d->h, d->from, d->me), &d->intake, ret_pkt))
            return true;
    }
    return false;
}

static int handover_read(struct device *dev, int64_t now, struct pkt *ret_pkt)
{
    struct handover_device *d = (struct handover_device *)dev;
    int r = 0;

    d->turn = !d->turn;
    if (d->turn)
        r = device_read(d->below, now, ret_pkt);
    if (r != 0)
        return r;
    if (read_rings(d, ret_pkt))
        return DEVICE_PACKET;
    r = d->turn ? 0 : device_read(d->below, now, ret_pkt);
    d->dev.mtu = d->below->mtu;
    return r;
}

static int handover_write(struct device *dev, int64_t now, const struct pkt *p)
{
    return device_write(((struct handover_device *)dev)->below, now, p);
}

/* What waits in a ring may have rung long ago, and is due. */
static int64_t handover_deadline(const struct device *dev)
{
    const struct handover_device *d = (const struct handover_device *)dev;

    for (unsigned i = 0; i < d->h->members; i++)
        if (i != d->me && !is_empty(ring_of(d->h, i, d->me)))
            return 0;
    return device_deadline(d->below);
}

static int handover_fd(const struct device *dev)
{
    return device_fd(((const struct handover_device *)dev)->below);
}

static void handover_close(struct device *dev)
{
    struct handover_device *d = (struct handover_device *)dev;

    intake_close(&d->intake);
    device_close(d->below);
}

int handover_wrap(struct handover_device *d, struct handover *h, unsigned me, struct device *below,
                  struct buf_pool *pool)
{
    static const struct device_ops ops = {
        .kind = "handover",
        .read = handover_read,
        .write = handover_write,
        .deadline = handover_deadline,
        .fd = handover_fd,
        .close = handover_close,
    };

    *d = (struct handover_device){.dev = *below, .below = below, .h = h, .me = me};
    d->dev.ops = &ops;
    return intake_init(&d->intake, pool);
}
