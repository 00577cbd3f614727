#include "tests/sim/world.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"

enum {
    DRAIN_MAX = 100000,  /* packets at one instant: more is a storm */
    STEPS_MAX = 5000000, /* in one run: more is a busy loop */
};

void world_hash(struct world *w, uint64_t v)
{
    w->hash = dice_mix(w->hash ^ v) + UINT64_C(0x9e3779b97f4a7c15);
}

/* Header bytes and payload alike, eight at a time. */
static void hash_bytes(struct world *w, const uint8_t *b, uint32_t len)
{
    uint64_t h = w->hash, v;
    uint32_t i = 0;

    for (; i + 8 <= len; i += 8) {
        v = (uint64_t)get32(b + i) << 32 | get32(b + i + 4);
        h = (h ^ v) * UINT64_C(0x9e3779b97f4a7c15);
        h ^= h >> 32;
    }
    w->hash = h;
    for (; i < len; i++)
        world_hash(w, b[i]);
}

void world_say(const struct world *w, unsigned node, const char *format, ...)
{
    va_list args;

    if (!w->how.verbose)
        return;
    printf("%12.6f  %c  ", (double)(w->now - w->origin) / (double)SEC, (int)('A' + node));
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
}

/* ---- Notes ---- */

static void note(void *arg, const struct stack_note *n)
{
    struct node *node = arg;
    struct world *w = node->world;

    world_hash(w, (uint64_t)n->reason << 32 | n->conn);
    world_hash(w, (uint64_t)n->from << 8 | n->to);
    if (n->reason == REASON_STATE)
        world_say(w, node->number, "slot %u: %s > %s", n->conn, tcp_state_name(n->from),
                  tcp_state_name(n->to));
    else
        world_say(w, node->number, "slot %u: %s", n->conn, reason_text(n->reason)->name);
    check_note(&w->check, node->number, n);
}

/* ---- Making a world ---- */

static void init_ends(struct world *w)
{
    for (unsigned i = 0; i < w->sc.conns; i++) {
        const struct conn_plan *c = &w->sc.conn[i];

        for (unsigned e = 0; e < 2; e++) {
            end_init(&w->end[i][e], &c->end[e], &w->node[c->node[e]], &w->end[i][1 - e], &w->check,
                     &w->check.flow[i][e]);
            w->end[i][e].over = !c->on;
            w->check.flow[i][e].key = c->end[e].key;
            w->check.node[i][e] = c->node[e];
        }
        w->open_at[i][0] = c->on ? w->origin + c->open_at : TIME_NEVER;
        w->open_at[i][1] = c->both_open ? w->open_at[i][0] : TIME_NEVER;
    }
}

static void init_path(struct world *w, unsigned from, unsigned to)
{
    struct lane *l = &w->lane[from][to];

    path_init(&l->path, &w->sc.path[from][to], dice_for(w->sc.seed, 10 + from * NET_NODES + to));
    l->path.origin = w->origin;
    l->from = (uint8_t)from;
    l->to = (uint8_t)to;
    l->inbox = &w->node[to].inbox;
    l->script = w->sc.listed ? w->how.script : NULL;
    l->record = w->how.record;
}

/* How long an application pauses while it moves so many bytes in pieces: more than it will. */
static int64_t pauses(const struct end_plan *p, uint64_t bytes, uint32_t piece_max)
{
    int64_t pieces = (int64_t)(bytes / (piece_max / 8 + 1)) + 1;

    return pieces * p->pause / 1000000 * p->pause_max;
}

/* Does this end reset what it has released, after some time? Its reset may be lost. */
static bool lingers(const struct scenario *sc, unsigned conn, unsigned end)
{
    return sc->node[sc->conn[conn].node[end]].stack.tcp.conn.linger_ns != TIME_NEVER;
}

/*
 * Two back-offs at their longest, TIME-WAIT, a reader that sleeps, and a kilobyte a second for all
 * connections together, pauses included: far from tight, but a deadlock does not pass. Where an end
 * may be gone, the other's patience comes on top, and so do the timeouts that show a black hole.
 */
static int64_t bound(const struct scenario *sc)
{
    int64_t most = sc->calm_after + 240 * SEC, slowest = 0, sleep = 0;
    bool gone = sc->vanish != 0, mute = false;

    for (unsigned i = 0; i < sc->nodes; i++) {
        slowest = time_max(slowest, sc->node[i].stack.tcp.msl_ns);
        for (unsigned j = 0; j < sc->nodes; j++)
            mute = mute || sc->path[i][j].mute;
    }
    for (unsigned i = 0; i < sc->conns; i++)
        for (unsigned e = 0; e < 2 && sc->conn[i].on; e++) {
            const struct end_plan *p = &sc->conn[i].end[e];

            most += (int64_t)p->total * MSEC + pauses(p, p->total, p->write_max) +
                    pauses(p, sc->conn[i].end[1 - e].total, p->read_max);
            sleep = time_max(sleep, p->read_after);
            gone = gone || p->quit != QUIT_NEVER || (p->release && lingers(sc, i, e));
        }
    return most + 2 * slowest + 2 * sleep + (gone ? 1700 * SEC : 0) + (mute ? 300 * SEC : 0);
}

static void world_init(struct world *w, const struct scenario *sc, const struct world_options *how)
{
    struct dice d = dice_for(sc->seed, 2);

    memset(w, 0, sizeof(*w));
    w->sc = *sc;
    scenario_settle(&w->sc);
    w->how = *how;
    check_init(&w->check);
    w->origin = (int64_t)dice_below(&d, UINT64_C(1) << 50);
    if (sc->wrap)
        w->origin += open_shift_to_wrap(&w->sc, w->origin, &d);
    w->now = w->origin;
    for (unsigned i = 0; i < sc->nodes; i++) {
        node_init(&w->node[i], i, &sc->node[i], note, &w->node[i]);
        w->node[i].world = w;
        w->check.stack[i] = w->node[i].st;
    }
    for (unsigned i = 0; i < sc->nodes; i++)
        for (unsigned j = 0; j < sc->nodes; j++)
            init_path(w, i, j);
    init_ends(w);
    w->vanish_at = sc->vanish ? w->origin + sc->vanish_at : TIME_NEVER;
    w->strikes_left = sc->strikes;
    w->strike_at = sc->strikes ? w->origin + sc->strike_gap : TIME_NEVER;
    w->strike_dice = dice_for(sc->seed, 3);
    w->calm_at = w->origin + sc->calm_after;
    w->end_by = w->origin + bound(sc);
}

/* ---- What happens at one instant ---- */

static unsigned node_at(const struct world *w, const uint8_t *b)
{
    bool v6 = b[0] >> 4 == 6;

    for (unsigned i = 0; i < w->sc.nodes; i++) {
        const uint8_t *local = w->sc.node[i].stack.local[0].b;

        if (v6 ? memcmp(local, b + 24, 16) == 0 : memcmp(local + 12, b + 16, 4) == 0)
            return i;
    }
    return NET_NODES;
}

/* In fragments; what does not fit even so does not go on. */
static enum lane_verdict send_cut(struct world *w, struct lane *lane, const uint8_t *b,
                                  uint32_t len)
{
    struct cutter c = {.b = b, .len = len, .size = w->sc.cut, .id = ++w->cuts};
    uint8_t piece[IPV4_PACKET_MAX];
    uint32_t n;

    while ((n = pieces_cut(&c, piece)) > 0)
        if (lane_send(lane, w->now, piece, n) == LANE_TOO_LARGE)
            return LANE_TOO_LARGE;
    return LANE_TAKEN;
}

void world_send(struct world *w, unsigned from, const uint8_t *b, uint32_t len, enum reason why)
{
    unsigned to = node_at(w, b);
    struct lane *lane;
    char line[PRINT_LINE_MAX];

    world_hash(w, (uint64_t)(w->now - w->origin));
    hash_bytes(w, b, len);
    w->packets++;
    if (w->how.verbose) {
        print_packet(&w->flows, b, len, 0, line, sizeof(line));
        world_say(w, from, "%s (%s)", line, reason_text(why)->name);
    }
    if (to == NET_NODES) {
        check_fail(&w->check, "node %u sends a packet to nobody", from);
        return;
    }
    if (w->gone == to + 1)
        return;
    if (w->how.watch && w->how.watch->leaves &&
        !w->how.watch->leaves(w->how.watch->arg, w, from, b, len, why))
        return;
    lane = &w->lane[w->sc.funnel && to == 1 ? 0 : from][to];
    if ((w->sc.cut && pieces_can_cut(b, len, w->sc.cut)
             ? send_cut(w, lane, b, len)
             : lane_send(lane, w->now, b, len)) == LANE_TOO_LARGE &&
        !lane->path.cfg.mute)
        strike_too_large(w, lane, b, len);
}

/* A packet leaves the stack; the device finishes it, and cuts a super-segment, which is so many
 * packets to all that follows. */
static void transmit(struct world *w, unsigned from, const struct pkt *p, uint8_t *bytes,
                     uint32_t len)
{
    static uint8_t piece[IPV4_PACKET_MAX];
    struct super_cut cut = {.b = bytes, .len = len, .size = p->gso_size};
    uint32_t n;

    if (p->gso_size == 0) {
        if (p->marks & PKT_CSUM_PARTIAL)
            super_sum(bytes, len);
        check_output(&w->check, from, w->now, bytes, len, (enum reason)p->why);
        world_send(w, from, bytes, len, (enum reason)p->why);
    }
    while (p->gso_size && (n = super_next(&cut, piece)) > 0) {
        check_output(&w->check, from, w->now, piece, n, (enum reason)p->why);
        world_send(w, from, piece, n, (enum reason)p->why);
    }
}

static void drain(struct world *w, unsigned from)
{
    static uint8_t bytes[IPV4_PACKET_MAX + 1];
    struct node *n = &w->node[from];
    struct pkt p;

    for (unsigned k = 0; stack_output(n->st, w->now, &p); k++) {
        uint32_t len = pkt_flatten(&p, bytes, sizeof(bytes));

        if (k == DRAIN_MAX) {
            check_fail(&w->check, "node %u sends without end", from);
            return;
        }
        transmit(w, from, &p, bytes, len);
    }
}

static void dispatch(struct world *w, unsigned node)
{
    struct stack_event ev;

    while (stack_event(w->node[node].st, &ev)) {
        struct end *e = ev.kind == EV_ACCEPTED ? open_accepted(w, node, &ev) : ev.user;

        world_hash(w, (uint64_t)ev.kind << 32 | (uint64_t)ev.why);
        if (ev.kind == EV_CLOSED)
            world_say(w, node, "slot %u: closed: %s", ev.conn.slot, reason_text(ev.why)->name);
        if (e)
            end_event(e, w->now, &ev);
    }
}

static void run_node(struct world *w, unsigned i)
{
    struct node *n = &w->node[i];

    node_read(n, w->now, &w->check);
    stack_tick(n->st, w->now);
    dispatch(w, i);
    open_due(w, i);
    for (unsigned k = 0; k < w->sc.conns; k++)
        for (unsigned e = 0; e < 2; e++)
            if (w->end[k][e].node == n)
                end_run(&w->end[k][e], w->now);
    drain(w, i);
    check_node(&w->check, i, w->now);
    n->woken = w->now;
    if (w->how.watch && w->how.watch->ran)
        w->how.watch->ran(w->how.watch->arg, w, i);
}

/* ---- Time ---- */

/* When node i has something to do. */
static int64_t node_due(const struct world *w, unsigned i)
{
    const struct node *n = &w->node[i];
    int64_t next = node_next(n);

    for (unsigned k = 0; k < w->sc.conns; k++) {
        for (unsigned e = 0; e < 2; e++)
            if (w->end[k][e].node == n)
                next = time_min(next, time_min(w->open_at[k][e], end_next(&w->end[k][e])));
    }
    return next;
}

static bool all_over(const struct world *w)
{
    for (unsigned k = 0; k < w->sc.conns; k++) {
        if (w->open_at[k][0] != TIME_NEVER || w->open_at[k][1] != TIME_NEVER)
            return false;
        for (unsigned e = 0; e < 2; e++)
            if (!w->end[k][e].over && (w->end[k][e].has_conn || !w->end[k][1 - e].over))
                return false;
    }
    for (unsigned i = 0; i < w->sc.nodes; i++)
        if (w->gone != i + 1 && stack_totals(w->node[i].st)->conns > 0)
            return false;
    return true;
}

/* A node falls silent for ever: nothing leaves it, and nothing that comes does anything. */
static void vanish(struct world *w)
{
    w->gone = w->sc.vanish;
    w->vanish_at = TIME_NEVER;
    world_say(w, w->gone - 1, "vanishes");
    check_forget(&w->check, w->gone - 1);
    for (unsigned k = 0; k < w->sc.conns; k++) {
        for (unsigned e = 0; e < 2; e++)
            if (w->end[k][e].node == &w->node[w->gone - 1]) {
                w->open_at[k][e] = TIME_NEVER;
                end_vanish(&w->end[k][e], w->now);
            }
    }
}

/* What happens at this instant that is nobody's: faults stop, a node vanishes, someone strikes. */
static void run_fate(struct world *w)
{
    if (w->now >= w->calm_at)
        for (unsigned i = 0; i < w->sc.nodes; i++)
            for (unsigned j = 0; j < w->sc.nodes; j++)
                path_calm(&w->lane[i][j].path);
    if (w->now >= w->vanish_at)
        vanish(w);
    if (w->now >= w->strike_at) {
        unsigned node = (unsigned)dice_below(&w->strike_dice, w->sc.nodes);

        if (w->gone != node + 1) {
            strike(w, node);
            run_node(w, node);
        }
        w->strike_at = --w->strikes_left ? w->now + w->sc.strike_gap : TIME_NEVER;
    }
}

static void step(struct world *w)
{
    int64_t due[NET_NODES], next = time_min(w->vanish_at, TIME_NEVER);
    bool idle;

    for (unsigned i = 0; i < w->sc.nodes; i++) {
        due[i] = w->gone == i + 1 ? TIME_NEVER : node_due(w, i);
        next = time_min(next, due[i]);
    }
    idle = next == TIME_NEVER;
    next = time_min(next, w->strike_at);
    if (!idle)
        w->now = time_max(next, w->now);
    if (idle)
        check_fail(&w->check, "nothing will ever happen, but not everything is over");
    else if (w->now > w->end_by)
        check_fail(&w->check, "not over %.0f s after the faults stopped",
                   (double)(w->end_by - w->calm_at) / (double)SEC);
    else if (++w->steps > STEPS_MAX)
        check_fail(&w->check, "too many steps without an end");
    if (w->check.failed)
        return;
    check_time(&w->check, w->now);
    run_fate(w);
    for (unsigned i = 0; i < w->sc.nodes; i++)
        if (due[i] <= w->now && w->gone != i + 1)
            run_node(w, i);
}

/* ---- The end ---- */

static bool cut_short(const struct world *w)
{
    return w->how.watch && w->now - w->origin >= w->how.watch->until;
}

static void verify(struct world *w)
{
    for (unsigned k = 0; k < w->sc.conns; k++)
        for (unsigned e = 0; e < 2 && w->sc.conn[k].on; e++)
            end_verify(&w->end[k][e]);
    for (unsigned i = 0; i < w->sc.nodes; i++)
        if (w->gone != i + 1)
            node_verify(&w->node[i], &w->check);
}

void world_play(const struct scenario *sc, const struct world_options *how,
                struct world_result *ret_result)
{
    static struct world w;

    world_init(&w, sc, how);
    open_listen_all(&w);
    while (!w.check.failed && !all_over(&w) && !cut_short(&w))
        step(&w);
    if (!w.check.failed && !cut_short(&w))
        verify(&w);
    *ret_result = (struct world_result){
        .failed = w.check.failed,
        .how = w.check.how,
        .hash = w.hash,
        .packets = w.packets,
        .payload = w.check.payload,
        .lasted = w.now - w.origin,
    };
    snprintf(ret_result->name, sizeof(ret_result->name), "%s", sc->name);
    snprintf(ret_result->why, sizeof(ret_result->why), "at %.6f s: %s",
             (double)(w.now - w.origin) / (double)SEC, w.check.why);
    for (unsigned i = 0; i < sc->nodes; i++)
        node_free(&w.node[i]);
}
