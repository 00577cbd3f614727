/*
 * Several stacks that are one node: each is one thread's, reads one queue of the device, and has
 * connections of its own. Nothing is shared between them but keys, so that all agree on whose a
 * connection is: a keyed hash over its addresses and ports says it. Who opens one draws a port that
 * makes it its own.
 *
 * The kernel delivers a packet to the queue on which the flow's last answer left, and for a while
 * only; otherwise to any. So a stack may read what is another's: a SYN, an acknowledgment after a
 * long silence, an ICMP error. It looks among its own connections first, which is what it finds
 * nearly always, and only then whose it is, and hands it over as it came. Fragments all go to the
 * first stack, for no one else would see all of a packet; what it has put together goes on.
 */
#include "stack/internal.h"

void stack_share(struct stack *st, const struct stack_share *share)
{
    assert(share->me < share->all);
    st->share = *share;
}

static uint32_t owner_of(const struct stack *st, const struct addr *local, uint16_t local_port,
                         const struct addr *remote, uint16_t remote_port)
{
    /* not the hash that chooses the bucket, so that the buckets of each are all used */
    uint64_t h = flow_hash(st, KEY_FLOW, local, local_port, remote, remote_port, NULL, 0) >> 32;

    return (uint32_t)(h * st->share.all >> 32);
}

bool share_is_ours(const struct stack *st, const struct addr *local, uint16_t local_port,
                   const struct addr *remote, uint16_t remote_port)
{
    return st->share.all <= 1 ||
           owner_of(st, local, local_port, remote, remote_port) == st->share.me;
}

/* Hand a packet over. Why it ends here. */
static enum reason pass(struct stack *st, uint32_t to, struct slice packet, const struct pkt *p)
{
    struct pkt out = {.len = packet.len,
                      .marks = p->marks,
                      .gso_size = p->gso_size,
                      .parts = 1,
                      .part[0] = packet};

    return st->share.hand_over(st->share.arg, to, &out) ? REASON_HANDED_OVER : REASON_QUEUE_FULL;
}

enum reason share_flow(struct stack *st, const struct addr *local, uint16_t local_port,
                       const struct addr *remote, uint16_t remote_port, struct slice packet,
                       const struct pkt *p)
{
    uint32_t owner;

    if (st->share.all <= 1)
        return REASON_NONE;
    owner = owner_of(st, local, local_port, remote, remote_port);
    return owner == st->share.me ? REASON_NONE : pass(st, owner, packet, p);
}

enum reason share_fragment(struct stack *st, struct slice packet, const struct pkt *p)
{
    return st->share.all <= 1 || st->share.me == 0 ? REASON_NONE : pass(st, 0, packet, p);
}
