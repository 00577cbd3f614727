#include "tests/sim/world.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"

enum {
    DRAIN_MAX = 100000,  /* packets at one instant: more is a storm */
    STEPS_MAX = 5000000, /* in one run: more is a busy loop */
};

static void hash_add(struct world *w, uint64_t v)
{
    w->hash = dice_mix(w->hash ^ v) + UINT64_C(0x9e3779b97f4a7c15);
}

static void hash_bytes(struct world *w, const uint8_t *b, uint32_t len)
{
    uint32_t i = 0;

    for (; i + 8 <= len; i += 8)
        hash_add(w, (uint64_t)get32(b + i) << 32 | get32(b + i + 4));
    for (; i < len; i++)
        hash_add(w, b[i]);
}

static void show_note(const struct world *w, unsigned node, const struct stack_note *n)
{
    printf("%12.6f  %c  slot %u: ", (double)(w->now - w->origin) / (double)SEC, node ? 'B' : 'A',
           n->conn);
    if (n->reason == REASON_STATE)
        printf("%s > %s\n", tcp_state_name(n->from), tcp_state_name(n->to));
    else
        printf("%s\n", reason_text(n->reason)->name);
}

static void note_from(struct world *w, unsigned node, const struct stack_note *n)
{
    hash_add(w, (uint64_t)n->reason << 32 | n->conn);
    hash_add(w, (uint64_t)n->from << 8 | n->to);
    if (w->verbose)
        show_note(w, node, n);
    check_note(&w->check, node, n);
}

static void note_a(void *arg, const struct stack_note *n)
{
    note_from(arg, 0, n);
}

static void note_b(void *arg, const struct stack_note *n)
{
    note_from(arg, 1, n);
}

/* ---- Opening ---- */

static struct stack_open how_to_open(const struct world *w, const struct world_conn *c, unsigned i,
                                     unsigned end)
{
    unsigned node = end ? 1 - c->opener : c->opener;

    return (struct stack_open){
        .local_port = (uint16_t)((end ? CHECK_PORT_OTHER : CHECK_PORT) + i),
        .remote = w->node[1 - node].cfg.stack.local[0],
        .remote_port = (uint16_t)((end ? CHECK_PORT : CHECK_PORT_OTHER) + i),
    };
}

/* The door to connection i: an active open on one side, or on both at the same instant. */
static void open_conn(struct world *w, unsigned i)
{
    struct world_conn *c = &w->conn[i];

    for (unsigned e = 0; e < (c->both_open ? 2U : 1U); e++) {
        struct stack_open how = how_to_open(w, c, i, e);
        int r;

        how.user = &c->end[e];
        stack_tick(c->end[e].node->st, w->now); /* user calls act at the instant a door was told */
        r = stack_open(c->end[e].node->st, &how, &c->end[e].conn);
        if (r < 0)
            check_fail(&w->check, "an open gave %d", r);
    }
    c->open_at = TIME_NEVER;
}

static void listen_all(struct world *w)
{
    for (unsigned i = 0; i < w->sc.conns; i++) {
        struct world_conn *c = &w->conn[i];
        int r;

        if (c->both_open)
            continue;
        r = stack_listen(c->end[1].node->st, NULL, (uint16_t)(CHECK_PORT_OTHER + i), w->sc.backlog,
                         &c->end[1]);
        if (r < 0)
            check_fail(&w->check, "a listen gave %d", r);
    }
}

/*
 * Initial sequence numbers follow the clock (RFC 9293 section 3.4.1: one every 4 microseconds), so
 * the start of time decides where they stand. Look at the number that connection 0 would get, and
 * return how far to move the origin so that it lies just below the wrap.
 */
static int64_t shift_to_wrap(const struct scenario *sc, int64_t origin, struct dice *d)
{
    struct stack_open how = {.local_port = CHECK_PORT, .remote_port = CHECK_PORT_OTHER};
    struct conn_id conn;
    struct node n;
    struct pkt p;
    uint32_t isn = 0;

    node_init(&n, 0, &sc->node[0], NULL, NULL);
    how.remote = sc->node[1].stack.local[0];
    stack_tick(n.st, origin);
    if (stack_open(n.st, &how, &conn) == 0 && stack_output(n.st, origin, &p))
        isn = get32(p.part[0].base + IPV4_HEADER_MIN + 4);
    node_free(&n);
    return (int64_t)(0U - isn - (uint32_t)dice_below(d, 40000)) * 4 * USEC;
}

static void world_init(struct world *w, uint64_t seed, bool verbose)
{
    struct dice d = dice_for(seed, 2);
    uint64_t bytes = 0;
    int64_t slowest = 0;

    memset(w, 0, sizeof(*w));
    w->seed = seed;
    w->verbose = verbose;
    check_init(&w->check);
    scenario_draw(seed, &w->sc, w->conn);
    w->origin = (int64_t)dice_below(&d, UINT64_C(1) << 50);
    if (w->sc.wrap)
        w->origin += shift_to_wrap(&w->sc, w->origin, &d);
    w->now = w->origin;
    for (unsigned i = 0; i < 2; i++) {
        node_init(&w->node[i], i, &w->sc.node[i], i ? note_b : note_a, w);
        path_init(&w->path[i], &w->sc.path[i], dice_for(seed, 10 + i));
        slowest = time_max(slowest, w->sc.node[i].stack.tcp.msl_ns);
    }
    for (unsigned i = 0; i < w->sc.conns; i++) {
        struct world_conn *c = &w->conn[i];
        for (unsigned e = 0; e < 2; e++) {
            c->end[e].node = &w->node[e ? 1 - c->opener : c->opener];
            c->end[e].other = &c->end[1 - e];
            c->end[e].check = &w->check;
            w->check.flow[i][e].key = c->end[e].key;
            bytes += c->end[e].plan.total;
        }
        c->open_at += w->origin;
    }
    w->calm_at = w->origin + w->sc.calm_after;
    /*
     * Two back-offs at their longest, TIME-WAIT, and a kilobyte a second for all connections
     * together, pauses included: far from tight, but a deadlock does not pass.
     */
    w->end_by = w->calm_at + 240 * SEC + 2 * slowest + (int64_t)bytes * MSEC;
}

/* ---- What happens at one instant ---- */

static void show(struct world *w, unsigned from, const uint8_t *b, uint32_t len, enum reason why)
{
    char line[PRINT_LINE_MAX];

    print_packet(&w->flows, b, len, 0, line, sizeof(line));
    printf("%12.6f  %c  %s (%s)\n", (double)(w->now - w->origin) / (double)SEC, from ? 'B' : 'A',
           line, reason_text(why)->name);
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
        hash_add(w, (uint64_t)(w->now - w->origin));
        hash_bytes(w, bytes, len);
        w->packets++;
        check_output(&w->check, n->cfg.stack.mtu, bytes, len, (enum reason)p.why);
        if (w->verbose)
            show(w, from, bytes, len, (enum reason)p.why);
        path_send(&w->path[from], w->now, bytes, len);
    }
}

/* A listener's new connection still has the listener's user: the end that was meant. */
static void dispatch(struct world *w, unsigned node)
{
    struct stack_event ev;

    while (stack_event(w->node[node].st, &ev)) {
        struct end *e = ev.user;

        hash_add(w, (uint64_t)ev.kind << 32 | (uint64_t)ev.why);
        if (w->verbose && ev.kind == EV_CLOSED)
            printf("%12.6f  %c  slot %u: closed: %s\n", (double)(w->now - w->origin) / (double)SEC,
                   node ? 'B' : 'A', ev.conn.slot, reason_text(ev.why)->name);
        if (ev.kind == EV_CONNECTED || ev.kind == EV_ACCEPTED)
            end_up(e, w->now, ev.conn);
        end_event(e, w->now, &ev);
    }
}

/* What an application may rely on in the numbers that STATUS gives. */
static void check_status(struct world *w, const struct node *n)
{
    /* a scaled window is rounded up to what its field can say, by an eighth at most */
    uint32_t rcv_buf = n->cfg.stack.tcp.rcv_buf, most = rcv_buf + rcv_buf / 8;
    struct stack_conn_status s;
    uint32_t cursor = 0;

    while (stack_next_conn(n->st, &cursor, &s)) {
        if (s.bytes_acked > s.bytes_sent)
            check_fail(&w->check, "more bytes acknowledged than sent");
        if (s.bytes_retrans + s.unacked > s.bytes_sent)
            check_fail(&w->check, "more bytes sent again and outstanding than sent");
        if (s.send_queued > n->cfg.stack.tcp.snd_buf)
            check_fail(&w->check, "%u bytes in a send queue of %u", s.send_queued,
                       n->cfg.stack.tcp.snd_buf);
        if (s.receive_queued > most)
            check_fail(&w->check, "%u bytes in a receive buffer of %u", s.receive_queued, rcv_buf);
    }
}

static void run_node(struct world *w, unsigned i)
{
    struct node *n = &w->node[i];

    node_read(n, w->now, &w->path[1 - i], &w->check);
    stack_tick(n->st, w->now);
    dispatch(w, i);
    for (unsigned k = 0; k < w->sc.conns; k++) {
        struct world_conn *c = &w->conn[k];
        if (c->opener == i && c->open_at <= w->now)
            open_conn(w, k);
        end_run(&c->end[c->opener == i ? 0 : 1], w->now);
    }
    drain(w, i);
    check_status(w, n);
    n->woken = w->now;
}

static int64_t next_event(const struct world *w, bool *ret_idle)
{
    int64_t next = TIME_NEVER;

    for (unsigned i = 0; i < 2; i++)
        next = time_min(next, node_next(&w->node[i], &w->path[1 - i]));
    for (unsigned k = 0; k < w->sc.conns; k++) {
        next = time_min(next, w->conn[k].open_at);
        for (unsigned e = 0; e < 2; e++)
            next = time_min(next, end_next(&w->conn[k].end[e]));
    }
    *ret_idle = next == TIME_NEVER;
    return time_max(next, w->now);
}

static bool all_over(const struct world *w)
{
    for (unsigned k = 0; k < w->sc.conns; k++)
        if (!w->conn[k].end[0].over || !w->conn[k].end[1].over)
            return false;
    return stack_totals(w->node[0].st)->conns == 0 && stack_totals(w->node[1].st)->conns == 0;
}

static void pass_time(struct world *w)
{
    bool idle;

    while (!w->check.failed && !all_over(w)) {
        int64_t next = next_event(w, &idle);

        if (!idle)
            w->now = next;
        if (idle)
            check_fail(&w->check, "nothing will ever happen, but not everything is over");
        else if (w->now > w->end_by)
            check_fail(&w->check, "not over %.0f s after the faults stopped",
                       (double)(w->end_by - w->calm_at) / (double)SEC);
        else if (++w->steps > STEPS_MAX)
            check_fail(&w->check, "too many steps without an end");
        if (w->check.failed)
            return;
        if (w->now >= w->calm_at)
            for (unsigned i = 0; i < 2; i++)
                path_calm(&w->path[i]);
        for (unsigned i = 0; i < 2; i++)
            run_node(w, i);
    }
}

static void verify(struct world *w)
{
    for (unsigned k = 0; k < w->sc.conns; k++)
        for (unsigned e = 0; e < 2; e++)
            end_verify(&w->conn[k].end[e]);
    for (unsigned i = 0; i < 2; i++)
        if (node_bufs(&w->node[i]) > 0)
            check_fail(&w->check, "node %u keeps buffers: %u read, %u sent, %u small", i,
                       w->node[i].rx.in_use, w->node[i].tx.in_use, w->node[i].small.in_use);
}

void world_play(uint64_t seed, bool verbose, struct world_result *ret_result)
{
    static struct world w;

    world_init(&w, seed, verbose);
    listen_all(&w);
    pass_time(&w);
    if (!w.check.failed)
        verify(&w);
    *ret_result = (struct world_result){
        .failed = w.check.failed,
        .hash = w.hash,
        .packets = w.packets,
        .payload = w.check.payload,
        .lasted = w.now - w.origin,
        .name = w.sc.name,
    };
    snprintf(ret_result->why, sizeof(ret_result->why), "at %.6f s: %s",
             (double)(w.now - w.origin) / (double)SEC, w.check.why);
    for (unsigned i = 0; i < 2; i++) {
        node_free(&w.node[i]);
        path_free(&w.path[i]);
    }
}
