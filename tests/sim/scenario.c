#include "tests/sim/scenario.h"

#include <string.h>

#include "wire/path_mtu.h"

/* Kinds of network, drawn in turn; each is a point from which the dice move on. */
struct kind {
    const char *name;
    uint32_t loss, duplicate, reorder, corrupt; /* parts per million, at most */
    int64_t delay_max, jitter_max;              /* ns */
    uint32_t buffer_max; /* bytes of send and receive buffer, at most; 0: 128 KiB */
    int64_t grain_max;   /* ns */
    uint32_t conns_max;  /* 0: 16 */
    uint32_t nodes_max;  /* 0: 2 */
    uint32_t quits;      /* parts per million of the ends quit */
    uint32_t strikes;    /* forged packets, at most */
    bool slow;           /* a rate with a queue */
    bool bursts, any_order, masks, down, vanishes, sleepy, cramped, narrows;
};

static const struct kind kinds[] = {
    {.name = "calm", .delay_max = 20 * MSEC, .buffer_max = 1 << 18},
    {.name = "lossy",
     .loss = 50000,
     .delay_max = 50 * MSEC,
     .jitter_max = 2 * MSEC,
     .buffer_max = 1 << 18,
     .grain_max = MSEC},
    {.name = "bursty",
     .bursts = true,
     .any_order = true,
     .delay_max = 50 * MSEC,
     .jitter_max = 5 * MSEC,
     .grain_max = MSEC},
    {.name = "awful",
     .loss = 200000,
     .duplicate = 100000,
     .reorder = 200000,
     .corrupt = 50000,
     .bursts = true,
     .any_order = true,
     .delay_max = 80 * MSEC,
     .jitter_max = 30 * MSEC,
     .grain_max = 5 * MSEC},
    {.name = "reordering",
     .duplicate = 30000,
     .reorder = 300000,
     .any_order = true,
     .delay_max = 30 * MSEC,
     .jitter_max = 5 * MSEC,
     .buffer_max = 1 << 18,
     .grain_max = MSEC},
    {.name = "corrupting",
     .loss = 5000,
     .corrupt = 100000,
     .delay_max = 30 * MSEC,
     .jitter_max = MSEC,
     .grain_max = MSEC},
    {.name = "slow",
     .loss = 1000,
     .slow = true,
     .delay_max = 100 * MSEC,
     .jitter_max = MSEC,
     .grain_max = MSEC},
    {.name = "narrow",
     .loss = 20000,
     .duplicate = 20000,
     .reorder = 20000,
     .corrupt = 20000,
     .sleepy = true,
     .delay_max = 10 * MSEC,
     .jitter_max = MSEC,
     .buffer_max = 4096,
     .grain_max = MSEC},
    {.name = "batched",
     .loss = 10000,
     .duplicate = 10000,
     .reorder = 10000,
     .corrupt = 10000,
     .delay_max = MSEC,
     .jitter_max = MSEC,
     .buffer_max = 1 << 18,
     .grain_max = 20 * MSEC},
    {.name = "aborting", .quits = 250000, .delay_max = 20 * MSEC, .jitter_max = MSEC},
    {.name = "quitting",
     .loss = 50000,
     .reorder = 50000,
     .quits = 300000,
     .any_order = true,
     .delay_max = 40 * MSEC,
     .jitter_max = 3 * MSEC,
     .grain_max = MSEC},
    {.name = "masked", .masks = true, .conns_max = 3, .delay_max = 40 * MSEC},
    {.name = "sleepy",
     .loss = 20000,
     .sleepy = true,
     .delay_max = 20 * MSEC,
     .buffer_max = 1 << 15},
    {.name = "down",
     .loss = 5000,
     .down = true,
     .sleepy = true,
     .delay_max = 50 * MSEC,
     .jitter_max = MSEC,
     .grain_max = MSEC},
    {.name = "vanishing",
     .loss = 5000,
     .vanishes = true,
     .sleepy = true,
     .nodes_max = 3,
     .delay_max = 50 * MSEC,
     .jitter_max = MSEC,
     .grain_max = MSEC},
    {.name = "crowd",
     .loss = 20000,
     .duplicate = 10000,
     .reorder = 30000,
     .nodes_max = 4,
     .any_order = true,
     .conns_max = CHECK_CONNS,
     .delay_max = 40 * MSEC,
     .jitter_max = 3 * MSEC,
     .grain_max = 2 * MSEC},
    {.name = "narrowing",
     .loss = 10000,
     .reorder = 10000,
     .narrows = true,
     .delay_max = 40 * MSEC,
     .jitter_max = MSEC,
     .grain_max = MSEC},
    {.name = "hostile",
     .loss = 10000,
     .strikes = 4000,
     .delay_max = 30 * MSEC,
     .jitter_max = MSEC,
     .grain_max = MSEC},
    {.name = "cramped",
     .loss = 10000,
     .reorder = 50000,
     .cramped = true,
     .delay_max = 20 * MSEC,
     .jitter_max = MSEC,
     .buffer_max = 1 << 16,
     .grain_max = MSEC},
};

enum {
    KINDS = sizeof(kinds) / sizeof(kinds[0]),
    CCS = 12,             /* a number that four, three and two divide: each module is as likely */
    BUFFER_MAX = 1 << 17, /* bytes, where the kind says nothing */
};

static uint32_t buffer_max(const struct kind *k)
{
    return k->buffer_max ? k->buffer_max : BUFFER_MAX;
}

/* May this kind of network lose something, be it by damage? */
static bool loses(const struct kind *k)
{
    return k->loss || k->corrupt || k->bursts || k->masks || k->down || k->slow;
}

static void draw_masks(struct dice *d, struct path_config *ret_path)
{
    for (unsigned i = 0; i < NET_MASKS; i++) {
        struct mask *m = &ret_path->mask[i];

        if (dice_chance(d, 400000))
            continue;
        m->kind = (uint32_t)dice_range(d, PACKET_SYN, PACKET_ACK);
        m->first = (uint32_t)dice_spread(d, 1, 12);
        m->last = m->first + (uint32_t)dice_spread(d, 0, 4);
    }
}

static void draw_path(struct dice *d, const struct kind *k, struct path_config *ret_path)
{
    struct path_config *p = ret_path;

    memset(p, 0, sizeof(*p));
    p->delay = (int64_t)dice_spread(d, 1000, (uint64_t)k->delay_max);
    p->jitter = (int64_t)dice_below(d, (uint64_t)k->jitter_max + 1);
    p->in_order = !(k->any_order && dice_chance(d, 500000));
    p->loss = (uint32_t)dice_below(d, k->loss + 1U);
    p->duplicate = (uint32_t)dice_below(d, k->duplicate + 1U);
    p->reorder = (uint32_t)dice_below(d, k->reorder + 1U);
    p->corrupt = (uint32_t)dice_below(d, k->corrupt + 1U);
    p->reorder_by = 1 + p->delay * 2;
    if (k->bursts && dice_chance(d, 700000)) {
        p->burst_enter = (uint32_t)dice_spread(d, 1000, 50000);
        p->burst_leave = (uint32_t)dice_range(d, 50000, 500000);
        p->burst_loss = (uint32_t)dice_range(d, 300000, 1000000);
    }
    if (k->slow) {
        p->rate = dice_spread(d, 20000, 2000000);
        p->queue = (uint32_t)dice_range(d, 20000, 200000);
    }
    /* Routers that mark: by chance, or all that finds a queue of some length. */
    if (dice_chance(d, 200000))
        p->mark = (uint32_t)dice_spread(d, 100, 200000);
    if (k->slow && dice_chance(d, 500000))
        p->mark_bytes = (uint32_t)dice_range(d, 3000, p->queue);
    if (k->narrows && dice_chance(d, 700000)) {
        p->mtu = (uint32_t)dice_range(d, 128, 1400);
        p->narrow_from = (int64_t)dice_spread(d, 1, 3 * (uint64_t)SEC);
    }
    if (k->masks)
        draw_masks(d, p);
    if (k->down) {
        p->down_from = (int64_t)dice_spread(d, 0, 5 * (uint64_t)SEC);
        p->down_until = p->down_from + (int64_t)dice_spread(d, 1, 30 * (uint64_t)SEC);
    }
}

/* Keep-alives outlast every fault that passes, but not a node that is gone. */
static void draw_settings(struct dice *d, const struct kind *k, struct tcp_settings *s)
{
    s->nagle = dice_chance(d, 500000);
    s->soft_errors = dice_chance(d, 800000);
    s->keepalive = dice_chance(d, 300000);
    s->keepalive_octet = dice_chance(d, 300000);
    s->keepalive_ns = (int64_t)dice_range(d, 1, 30) * SEC;
    s->keepalive_interval_ns = (int64_t)dice_range(d, 10, 20) * SEC;
    s->keepalive_max = (uint8_t)dice_range(d, 5, 9);
    s->dscp = (uint8_t)dice_below(d, 64);
    s->ttl = dice_chance(d, 500000) ? 0 : (uint8_t)dice_range(d, 1, 255);
    if (k->quits && dice_chance(d, 300000))
        s->linger_ns = dice_chance(d, 300000) ? 0 : (int64_t)dice_spread(d, 1, 20 * (uint64_t)SEC);
}

/* Every mechanism on or off by itself, more often on than off, and any congestion control. */
static void draw_switches(struct dice *d, struct node_config *n)
{
    struct tcp_config *t = &n->stack.tcp;
    bool *const more[] = {
        &t->dsack,   &t->rack,   &t->tlp, &t->prr, &t->frto, &t->undo, &t->limited_transmit,
        &t->hystart, &t->pacing, &t->cwv};

    for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++)
        *more[i] = dice_chance(d, 750000);
    n->cc = 1 + (uint32_t)dice_below(d, CCS);
}

static void draw_tcp(struct dice *d, const struct kind *k, struct tcp_config *t)
{
    t->snd_buf = (uint32_t)dice_spread(d, 2048, buffer_max(k));
    t->rcv_buf = (uint32_t)dice_spread(d, 2048, buffer_max(k));
    t->snd_buf_max = t->snd_buf * (t->snd_buf & 3); /* what the dice gave is as good as more dice */
    t->rcv_buf_max = t->rcv_buf * (t->rcv_buf & 7);
    t->wscale = dice_chance(d, 750000);
    t->timestamps = dice_chance(d, 600000);
    t->sack = dice_chance(d, 600000);
    t->ecn = dice_chance(d, 300000);
    t->syn_cookies = dice_chance(d, 500000);
    draw_settings(d, k, &t->conn);
    t->delayed_ack = dice_chance(d, 750000);
    /* Where packets get lost, TIME-WAIT must outlast the repetitions of the other side's FIN. */
    t->msl_ns = (int64_t)(loses(k) ? dice_range(d, 30, 60) : dice_range(d, 1, 30)) * SEC;
}

static void draw_node(struct dice *d, const struct kind *k, struct node_config *ret_node)
{
    static const uint32_t mtus[] = {1500, 1500, 1500, 576, 296, 1280, 9000, 4000};
    struct stack_config *sc = &ret_node->stack;

    memset(ret_node, 0, sizeof(*ret_node));
    stack_config_default(sc);
    sc->mtu = mtus[dice_below(d, sizeof(mtus) / sizeof(mtus[0]))];
    sc->max_conns = CHECK_CONNS + 8;
    sc->max_chunks = k->cramped ? (uint32_t)dice_spread(d, 64, 4000) : 16384;
    for (unsigned i = 0; i < STACK_SECRET; i++)
        sc->secret[i] = (uint8_t)dice_next(d);
    sc->seed = dice_next(d);
    draw_tcp(d, k, &sc->tcp);
    draw_switches(d, ret_node);
    ret_node->grain = (int64_t)dice_below(d, (uint64_t)k->grain_max + 1);
    ret_node->batch = (unsigned)dice_spread(d, 1, CHECK_BATCH);
    ret_node->lend = dice_chance(d, 750000);
}

static void draw_end(struct dice *d, const struct kind *k, struct end_plan *ret_end)
{
    struct end_plan *p = ret_end;

    memset(p, 0, sizeof(*p));
    p->luck = dice_next(d);
    p->key = dice_next(d);
    p->total =
        dice_chance(d, 100000) ? 0 : dice_spread(d, 1, buffer_max(k) <= 4096 ? 20000 : 150000);
    p->write_max = (uint32_t)dice_spread(d, 16, 16384);
    p->read_max = (uint32_t)dice_spread(d, 64, 65536);
    p->pause = (uint32_t)dice_below(d, 60000);
    p->pause_max = (int64_t)dice_range(d, 1, 1500) * MSEC;
    p->close_delay = dice_chance(d, 500000) ? 0 : (int64_t)dice_below(d, (uint64_t)(2 * SEC));
    p->release = dice_chance(d, 300000);
    p->early = dice_chance(d, 300000);
    p->fiddle = dice_chance(d, 100000) ? (uint32_t)dice_spread(d, 1000, 200000) : 0;
    p->urgent = dice_chance(d, 200000) ? (uint32_t)dice_spread(d, 1000, 500000) : 0;
    if (k->sleepy && dice_chance(d, 500000))
        p->read_after = (int64_t)dice_spread(d, 1, 60 * (uint64_t)SEC);
    if (dice_chance(d, k->quits)) {
        p->quit = (uint32_t)dice_range(d, QUIT_CLOSE, QUIT_RELEASE);
        p->quit_after = (int64_t)dice_spread(d, 1, 2 * (uint64_t)SEC);
    }
}

static void draw_conn(struct dice *d, const struct kind *k, const struct scenario *sc,
                      struct conn_plan *c)
{
    memset(c, 0, sizeof(*c));
    c->on = true;
    for (unsigned e = 0; e < 2; e++)
        draw_end(d, k, &c->end[e]);
    if (dice_chance(d, 400000))
        c->end[dice_below(d, 2)].wait_for_eof = true;
    c->node[0] = (uint32_t)dice_below(d, sc->nodes);
    c->node[1] = (c->node[0] + (uint32_t)dice_range(d, 1, sc->nodes - 1)) % sc->nodes;
    c->both_open = dice_chance(d, 200000);
    if (sc->shared) { /* everyone calls at node 0 */
        c->node[0] = c->node[0] ? c->node[0] : c->node[1];
        c->node[1] = 0;
        c->both_open = false;
        c->end[0].wait_for_eof = false; /* a cookie's client must not wait for the first word */
    }
    c->open_at = dice_chance(d, 500000) ? 0 : (int64_t)dice_spread(d, 0, 3 * (uint64_t)SEC);
}

/*
 * A listener that answers with cookies: a small queue, and all find a place. Nothing is doubled,
 * because a cookie that comes twice makes a second connection, which nobody here has opened.
 */
static void crowd_the_listener(struct dice *d, struct scenario *sc)
{
    sc->node[0].stack.tcp.syn_queue = (uint32_t)dice_spread(d, 1, 64);
    sc->backlog = CHECK_CONNS;
    for (unsigned i = 0; i < sc->nodes; i++)
        for (unsigned j = 0; j < sc->nodes; j++)
            sc->path[i][j].duplicate = 0;
}

/*
 * A router that makes fragments, and how many packets in fragments each node has room for. Where
 * packets are damaged there is none: which damaged fragment is taken would be anybody's guess; nor
 * where fragments are forged, which take places. With
 * far fewer places than packets fly, reordering would leave hardly any of them whole.
 */
static void draw_cut(const struct kind *k, struct scenario *sc)
{
    struct dice d = dice_for(sc->seed, 4);

    if (k->corrupt || k->strikes || !dice_chance(&d, 150000))
        return;
    sc->cut = (uint32_t)dice_spread(&d, 100, 1400);
    for (unsigned i = 0; i < sc->nodes; i++)
        sc->node[i].stack.max_fragmented =
            (uint32_t)dice_spread(&d, PIECES_WAITING / 2, PIECES_WAITING);
}

/*
 * How long a path stays narrow, whether it says so, and how long nodes remember. What is mute takes
 * at least what a node believes of a black hole, whose timeouts then fit into R2; and only those
 * who look for one send into it.
 */
static void draw_path_mtus(const struct kind *k, struct scenario *sc)
{
    struct dice d = dice_for(sc->seed, 6);

    for (unsigned i = 0; i < sc->nodes; i++) {
        struct stack_config *cfg = &sc->node[i].stack;

        cfg->tcp.plpmtud = dice_chance(&d, 750000);
        if (dice_chance(&d, 500000))
            cfg->path_mtu_age = (int64_t)dice_spread(&d, (uint64_t)SEC / 10, 60 * (uint64_t)SEC);
        for (unsigned j = 0; j < sc->nodes && k->narrows; j++) {
            struct path_config *p = &sc->path[i][j];

            if (p->mtu && dice_chance(&d, 500000))
                p->narrow_until = p->narrow_from + (int64_t)dice_spread(&d, 1, 10 * (uint64_t)SEC);
            if (!p->mtu || !cfg->tcp.plpmtud || !dice_chance(&d, 500000))
                continue;
            p->mtu = (uint32_t)dice_range(&d, PATH_MTU_BASE4, 1400);
            p->mute = true;
        }
    }
}

/*
 * Devices that sum and cut what leaves, and join what comes, up to some size, which may be less
 * than two segments. The wire between them carries single segments all the same, so a part of them
 * gets lost or is overtaken.
 */
static void draw_offload(struct scenario *sc)
{
    struct dice d = dice_for(sc->seed, 7);

    if (!dice_chance(&d, 400000))
        return;
    for (unsigned i = 0; i < sc->nodes; i++) {
        struct stack_config *cfg = &sc->node[i].stack;

        cfg->leave_checksum = dice_chance(&d, 800000);
        if (cfg->leave_checksum && dice_chance(&d, 800000))
            cfg->super4 = cfg->super6 = (uint32_t)dice_spread(&d, 300, 65535);
        if (dice_chance(&d, 600000))
            sc->node[i].join = (uint32_t)dice_spread(&d, 300, 65535);
    }
}

void scenario_draw(uint64_t seed, struct scenario *ret_sc)
{
    struct dice d = dice_for(seed, 1);
    const struct kind *k = &kinds[dice_below(&d, KINDS)];
    struct scenario *sc = ret_sc;

    memset(sc, 0, sizeof(*sc));
    sc->seed = seed;
    sc->name = k->name;
    sc->nodes = k->nodes_max ? (uint32_t)dice_range(&d, 2, k->nodes_max) : 2;
    for (unsigned i = 0; i < sc->nodes; i++) {
        draw_node(&d, k, &sc->node[i]);
        for (unsigned j = 0; j < sc->nodes; j++)
            draw_path(&d, k, &sc->path[i][j]);
    }
    sc->conns = (uint32_t)dice_spread(&d, 1, k->conns_max ? k->conns_max : 16);
    sc->shared = k->nodes_max && dice_chance(&d, 600000);
    sc->backlog = (uint32_t)dice_spread(&d, 1, 64);
    if (sc->shared && sc->node[0].stack.tcp.syn_cookies)
        crowd_the_listener(&d, sc);
    sc->calm_after = (int64_t)dice_range(&d, 2, 40) * SEC;
    sc->wrap = dice_chance(&d, 300000) ? WRAP_NUMBERS : WRAP_NONE;
    if (dice_chance(&d, 150000))
        sc->wrap = WRAP_TIMESTAMPS;
    if (k->vanishes) {
        sc->vanish = (uint32_t)dice_range(&d, 1, sc->nodes);
        sc->vanish_at = (int64_t)dice_spread(&d, 1, 10 * (uint64_t)SEC);
    }
    if (k->strikes) {
        sc->strikes = (uint32_t)dice_spread(&d, 1, k->strikes);
        sc->strike_gap = (int64_t)dice_spread(&d, 10000, (uint64_t)SEC / 10);
    }
    for (unsigned i = 0; i < sc->conns; i++)
        draw_conn(&d, k, sc, &sc->conn[i]);
    draw_cut(k, sc);
    d = dice_for(seed, 5); /* so that all else is as if there were no choice */
    sc->v6 = dice_chance(&d, 400000);
    draw_path_mtus(k, sc);
    draw_offload(sc);
    scenario_settle(sc);
}

/* 10.0.0.7, 10.0.1.5, 10.0.2.3, ...; or fd00::7, fd00:1::5, fd00:2::3, ... */
static struct addr address_of(unsigned node, bool v6)
{
    struct addr a = {.b = {0xfd, [3] = (uint8_t)node, [15] = (uint8_t)(7 - 2 * (int)node)}};

    return v6 ? a : addr_v4(0x0a000007U + node * 0xfeU);
}

void scenario_settle(struct scenario *sc)
{
    for (unsigned i = 0; i < sc->nodes; i++) {
        struct stack_config *st = &sc->node[i].stack;

        st->local[0] = address_of(i, sc->v6);
        st->prefix_len[0] = sc->v6 ? 64 : 24;
        st->locals = 1;
        if (sc->v6 && st->mtu < IPV6_MTU_MIN)
            st->mtu = IPV6_MTU_MIN;
        for (unsigned j = 0; j < sc->nodes; j++)
            if (sc->v6 && sc->path[i][j].mtu && sc->path[i][j].mtu < IPV6_MTU_MIN)
                sc->path[i][j].mtu = IPV6_MTU_MIN;
    }
}
