#include <string.h>

#include "tests/sim/world.h"

/* Kinds of network, drawn in turn; each is a point from which the dice move on. */
static const struct kind {
    const char *name;
    uint32_t loss, duplicate, reorder, corrupt; /* parts per million, at most */
    int64_t delay_max, jitter_max;              /* ns */
    bool slow;                                  /* a rate with a queue */
    uint32_t buffer_max;                        /* bytes of send and receive buffer, at most */
    int64_t grain_max;                          /* ns */
    bool aborts;                                /* some ends abort: only where a RST arrives */
} kinds[] = {
    {"calm", 0, 0, 0, 0, 20 * MSEC, 0, false, 1 << 18, 0, false},
    {"lossy", 50000, 0, 0, 0, 50 * MSEC, 2 * MSEC, false, 1 << 18, MSEC, false},
    {"awful", 200000, 100000, 200000, 50000, 80 * MSEC, 30 * MSEC, false, 1 << 17, 5 * MSEC, false},
    {"reordering", 0, 30000, 300000, 0, 30 * MSEC, 5 * MSEC, false, 1 << 18, MSEC, false},
    {"corrupting", 5000, 0, 0, 100000, 30 * MSEC, MSEC, false, 1 << 17, MSEC, false},
    {"slow", 1000, 0, 0, 0, 100 * MSEC, MSEC, true, 1 << 17, MSEC, false},
    {"narrow", 20000, 20000, 20000, 20000, 10 * MSEC, MSEC, false, 4096, MSEC, false},
    {"batched", 10000, 10000, 10000, 10000, MSEC, MSEC, false, 1 << 18, 20 * MSEC, false},
    {"aborting", 0, 0, 0, 0, 20 * MSEC, MSEC, false, 1 << 17, MSEC, true},
};

enum {
    KINDS = sizeof(kinds) / sizeof(kinds[0]),
};

static void draw_path(struct dice *d, const struct kind *k, struct path_config *ret_path)
{
    memset(ret_path, 0, sizeof(*ret_path));
    ret_path->delay = (int64_t)dice_spread(d, 1000, (uint64_t)k->delay_max);
    ret_path->jitter = (int64_t)dice_below(d, (uint64_t)k->jitter_max + 1);
    ret_path->loss = (uint32_t)dice_below(d, k->loss + 1U);
    ret_path->duplicate = (uint32_t)dice_below(d, k->duplicate + 1U);
    ret_path->reorder = (uint32_t)dice_below(d, k->reorder + 1U);
    ret_path->corrupt = (uint32_t)dice_below(d, k->corrupt + 1U);
    ret_path->reorder_by = 1 + ret_path->delay * 2;
    if (k->slow) {
        ret_path->rate = dice_spread(d, 20000, 2000000);
        ret_path->queue = (uint32_t)dice_range(d, 20000, 200000);
    }
}

static void draw_node(struct dice *d, const struct kind *k, unsigned number,
                      struct node_config *ret_node)
{
    static const uint32_t mtus[] = {1500, 1500, 1500, 576, 296, 1280, 9000, 4000};
    struct stack_config *sc = &ret_node->stack;

    memset(ret_node, 0, sizeof(*ret_node));
    stack_config_default(sc);
    sc->local[0] = addr_v4(0x0a000007U + number * 0xfeU); /* 10.0.0.7 and 10.0.1.5 */
    sc->locals = 1;
    sc->prefix_len = 24;
    sc->mtu = mtus[dice_below(d, sizeof(mtus) / sizeof(mtus[0]))];
    sc->max_conns = CHECK_CONNS + 8;
    sc->max_chunks = 16384;
    for (unsigned i = 0; i < STACK_SECRET; i++)
        sc->secret[i] = (uint8_t)dice_next(d);
    sc->seed = dice_next(d);
    sc->tcp.snd_buf = (uint32_t)dice_spread(d, 2048, k->buffer_max);
    sc->tcp.rcv_buf = (uint32_t)dice_spread(d, 2048, k->buffer_max);
    sc->tcp.wscale = dice_chance(d, 750000);
    sc->tcp.conn.nagle = dice_chance(d, 500000);
    sc->tcp.delayed_ack = dice_chance(d, 750000);
    /* Where packets get lost, TIME-WAIT must outlast the repetitions of the other side's FIN. */
    sc->tcp.msl_ns =
        (int64_t)(k->loss || k->corrupt ? dice_range(d, 30, 60) : dice_range(d, 1, 30)) * SEC;
    ret_node->grain = (int64_t)dice_below(d, (uint64_t)k->grain_max + 1);
    ret_node->batch = (unsigned)dice_spread(d, 1, CHECK_BATCH);
    ret_node->lend = dice_chance(d, 750000);
}

static void draw_end(struct dice *d, const struct kind *k, struct end *ret_end)
{
    struct end_plan *p = &ret_end->plan;

    ret_end->dice = dice_for(dice_next(d), 0);
    ret_end->key = dice_next(d);
    p->total =
        dice_chance(d, 100000) ? 0 : dice_spread(d, 1, k->buffer_max <= 4096 ? 20000 : 150000);
    p->write_max = (uint32_t)dice_spread(d, 16, 16384);
    p->read_max = (uint32_t)dice_spread(d, 64, 65536);
    p->pause = (uint32_t)dice_below(d, 60000);
    p->pause_max = (int64_t)dice_range(d, 1, 1500) * MSEC;
    p->close_delay = dice_chance(d, 500000) ? 0 : (int64_t)dice_below(d, (uint64_t)(2 * SEC));
    p->release = dice_chance(d, 300000);
    p->abort_after = TIME_NEVER;
    if (k->aborts && dice_chance(d, 250000))
        p->abort_after = (int64_t)dice_spread(d, 1, (uint64_t)SEC);
}

void scenario_draw(uint64_t seed, struct scenario *ret_sc, struct world_conn conn[CHECK_CONNS])
{
    struct dice d = dice_for(seed, 1);
    const struct kind *k = &kinds[dice_below(&d, KINDS)];

    memset(ret_sc, 0, sizeof(*ret_sc));
    ret_sc->name = k->name;
    for (unsigned i = 0; i < 2; i++) {
        draw_path(&d, k, &ret_sc->path[i]);
        draw_node(&d, k, i, &ret_sc->node[i]);
    }
    ret_sc->conns = (unsigned)dice_spread(&d, 1, 16);
    ret_sc->backlog = (uint32_t)dice_spread(&d, 1, 64);
    ret_sc->calm_after = (int64_t)dice_range(&d, 2, 40) * SEC;
    ret_sc->wrap = dice_chance(&d, 300000);
    for (unsigned i = 0; i < ret_sc->conns; i++) {
        struct world_conn *c = &conn[i];
        memset(c, 0, sizeof(*c));
        for (unsigned e = 0; e < 2; e++)
            draw_end(&d, k, &c->end[e]);
        if (dice_chance(&d, 400000))
            c->end[dice_below(&d, 2)].plan.wait_for_eof = true;
        c->opener = (unsigned)dice_below(&d, 2);
        c->both_open = dice_chance(&d, 200000);
        c->open_at = dice_chance(&d, 500000) ? 0 : (int64_t)dice_spread(&d, 0, 3 * (uint64_t)SEC);
    }
}
