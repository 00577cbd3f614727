#include "tests/sim/node.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "stack/internal.h"
#include "tcp/cc/cc.h"

enum {
    RX_BUFS = 8192,
    TX_BUFS = 2048,
    TX_SIZE = 16384, /* bytes: the largest write by reference */
    SMALL_BUFS = 8192,
    SMALL_SIZE = 2048, /* bytes */
    ALIGN = 64,
};

static size_t rounded(size_t n)
{
    return (n + ALIGN - 1) / ALIGN * ALIGN;
}

const struct cc_ops *node_cc(unsigned i)
{
    const struct cc_ops *cc = NULL;

    for (unsigned n = 0; n <= i; n++) {
        cc = cc_next(cc);
        cc = cc ? cc : cc_next(NULL);
    }
    return cc;
}

/* The largest packet that the device hands over. */
static uint32_t largest(const struct node_config *cfg)
{
    return cfg->join > cfg->stack.mtu ? cfg->join : cfg->stack.mtu;
}

void node_init(struct node *n, unsigned number, const struct node_config *cfg,
               void (*note)(void *arg, const struct stack_note *n), void *arg)
{
    size_t stack = rounded(stack_bytes(&cfg->stack));
    size_t rx = rounded(buf_pool_bytes(RX_BUFS, largest(cfg)));
    size_t tx = rounded(buf_pool_bytes(TX_BUFS, TX_SIZE));
    size_t small = rounded(buf_pool_bytes(SMALL_BUFS, SMALL_SIZE));
    uint8_t *m;

    *n = (struct node){.number = number, .cfg = *cfg, .woken = INT64_MIN};
    n->memory_size = stack + rx + tx + small;
    n->memory = mmap(NULL, n->memory_size, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (n->memory == MAP_FAILED)
        abort();
    net_inbox_init(&n->inbox);
    m = n->memory;
    buf_pool_init(&n->rx, m + stack, rx, largest(cfg));
    buf_pool_init(&n->tx, m + stack + rx, tx, TX_SIZE);
    buf_pool_init(&n->small, m + stack + rx + tx, small, SMALL_SIZE);
    n->cfg.stack.small = &n->small;
    if (cfg->cc > 0)
        n->cfg.stack.tcp.cc = node_cc(cfg->cc - 1);
    n->st = stack_create(&n->cfg.stack, m, stack);
    if (!n->st)
        abort();
    stack_observe(n->st, note, arg);
}

void node_free(struct node *n)
{
    net_inbox_free(&n->inbox);
    pieces_free(&n->pieces);
    munmap(n->memory, n->memory_size);
}

int64_t node_next(const struct node *n)
{
    int64_t arrives = inbox_due(&n->inbox);

    if (arrives != TIME_NEVER && n->cfg.grain > 0)
        arrives = (arrives + n->cfg.grain - 1) / n->cfg.grain * n->cfg.grain;
    return time_min(arrives, stack_deadline(n->st));
}

/*
 * Input one packet as a device would hand it over: whole, in one buffer; where it stands for
 * several, `size` bytes of text each, and nobody has summed it.
 */
static enum reason take(struct node *n, int64_t now, const uint8_t *bytes, uint32_t len,
                        uint32_t size)
{
    struct buf *b = size || len <= n->cfg.stack.mtu ? buf_get(&n->rx) : NULL;
    struct pkt p;
    enum reason said;

    if (!b)
        return REASON_NO_BUFFER; /* larger than what this device takes: gone, as on a real link */
    memcpy(b->data, bytes, len);
    b->used = len;
    p.len = len;
    p.marks = size ? PKT_CSUM_PARTIAL : 0;
    p.gso_size = (uint16_t)size;
    p.csum_start = p.why = 0;
    p.conn = 0;
    p.parts = 1;
    p.part[0] = (struct slice){n->cfg.lend ? b : NULL, b->data, len};
    said = stack_input(n->st, now, &p);
    if (!n->cfg.lend)
        memset(b->data, 0xdb, len); /* whoever kept a pointer instead of a copy sees this */
    buf_unref(b);
    return said;
}

/* A fragment: the checker is told of the packet when it is whole. */
static void node_fragment(struct node *n, int64_t now, const struct path_packet *k, struct check *c)
{
    static uint8_t whole[IPV4_PACKET_MAX];
    uint32_t len = 0;
    enum pieces_verdict v =
        pieces_arrive(&n->pieces, now, n->cfg.stack.max_fragmented, k->bytes, k->len, whole, &len);
    enum reason said;

    c->arrival = (struct arrival){0};
    if (v == PIECES_WHOLE)
        check_before(c, n->number, whole, len, false);
    said = take(n, now, k->bytes, k->len, 0);
    check_after(c, n->number, false, said);
    if (v != PIECES_WHOLE && said != (v == PIECES_AGAIN ? REASON_FRAGMENT_DUPLICATE : REASON_NONE))
        check_fail(c, "a fragment that is %s: %s", v == PIECES_AGAIN ? "there" : "new",
                   reason_text(said)->name);
}

static void node_input(struct node *n, int64_t now, const struct path_packet *k, struct check *c)
{
    enum reason said;

    if (!k->corrupted && pieces_is_fragment(k->bytes, k->len)) {
        node_fragment(n, now, k, c);
        return;
    }
    check_before(c, n->number, k->bytes, k->len, k->corrupted);
    said = take(n, now, k->bytes, k->len, 0);
    check_after(c, n->number, k->corrupted, said);
    if (n->rx.exhausted > 0)
        check_fail(c, "node %u has used up its %u receive buffers", n->number, n->rx.count);
}

enum reason node_struck(struct node *n, int64_t now, const uint8_t *bytes, uint32_t len,
                        struct check *c)
{
    enum reason said;

    check_before(c, n->number, bytes, len, false);
    c->arrival.forged = true;
    said = take(n, now, bytes, len, 0);
    check_after(c, n->number, false, said);
    return said;
}

/* What has been joined so far is read now. */
static void node_joined(struct node *n, int64_t now, struct check *c)
{
    struct super_join *j = &n->join;
    enum reason said;

    if (j->len == 0)
        return;
    super_finish(j);
    check_before(c, n->number, j->b, j->len, false);
    said = take(n, now, j->b, j->len, j->n > 1 ? j->size : 0);
    check_after(c, n->number, false, said);
    j->len = 0;
}

/* Join it to what came before, or what comes next to it; or read both. */
static void node_join(struct node *n, int64_t now, const struct path_packet *k, struct check *c)
{
    bool may = !k->corrupted && k->len <= n->cfg.stack.mtu;

    if (may && super_add(&n->join, k->bytes, k->len, n->cfg.join))
        return;
    node_joined(n, now, c);
    if (!may || !super_add(&n->join, k->bytes, k->len, n->cfg.join))
        node_input(n, now, k, c);
}

void node_read(struct node *n, int64_t now, struct check *c)
{
    struct path_packet *k;

    check_batch(c);
    for (unsigned i = 0; i < n->cfg.batch && (k = inbox_take(&n->inbox, now)); i++) {
        if (n->cfg.join)
            node_join(n, now, k, c);
        else
            node_input(n, now, k, c);
        inbox_give(&n->inbox, k);
    }
    node_joined(n, now, c);
}

void node_verify(const struct node *n, struct check *c)
{
    if (n->rx.in_use + n->tx.in_use + n->small.in_use > 0)
        check_fail(c, "node %u keeps buffers: %u read, %u sent, %u small", n->number, n->rx.in_use,
                   n->tx.in_use, n->small.in_use);
    if (n->st->cells.in_use > 0)
        check_fail(c, "node %u keeps %u cells", n->number, n->st->cells.in_use);
    if (n->st->fragments.bufs.in_use > n->st->fragments.partials.in_use)
        check_fail(c, "node %u keeps %u buffers for %u packets in fragments", n->number,
                   n->st->fragments.bufs.in_use, n->st->fragments.partials.in_use);
    if (n->st->flights.in_use + n->st->ranges.in_use > 0)
        check_fail(c, "node %u keeps %u flights with %u ranges", n->number, n->st->flights.in_use,
                   n->st->ranges.in_use);
}
