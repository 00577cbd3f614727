#include "run/load.h"

#include <inttypes.h>
#include <string.h>

#include "run/clock.h"
#include "run/dial.h"
#include "run/exit.h"
#include "run/memory.h"

enum {
    TURN = 16, /* connections opened or closed in one turn, so that no queue on the way overflows */
    AHEAD = 64, /* how many may wait for the end of their handshake, or of their close */
};

/* Open some more. 0, or what stack_open says. */
static int load_open(struct load *l)
{
    const struct node_options *opt = l->node->opt;

    for (unsigned i = 0; i < TURN && l->opened < l->count; i++) {
        struct bulk_flow *f = &l->flow[l->opened];
        const struct stack_open how = {.remote = opt->remote,
                                       .remote_port = (uint16_t)opt->port,
                                       .user = &f->app};
        int r;

        if (l->opened >= l->bulk.connected + AHEAD)
            return 0;
        bulk_flow_init(&l->bulk, f, l->bytes, l->bytes);
        f->hold = true;
        r = stack_open(l->node->st, &how, &f->conn);
        if (r < 0)
            return r;
        l->opened++;
    }
    return 0;
}

static void load_event(void *arg, struct stack *st, const struct stack_event *ev)
{
    struct load *l = arg;
    const struct report *r = &l->node->report;
    bool told = r->json || r->verbose;
    struct stack_conn_status c;

    if (ev->kind != EV_CONNECTED && ev->kind != EV_CLOSED)
        return;
    if (stack_status(st, ev->conn, &c) < 0)
        return;
    if (ev->kind == EV_CONNECTED && told)
        report_connected(r, &c, c.age);
    if (ev->kind == EV_CLOSED && told)
        report_closed(r, &c, ev->why);
    if (ev->kind == EV_CLOSED && ev->why != REASON_END_ORDERLY && l->why == REASON_NONE)
        l->why = ev->why;
}

static bool load_complete(const struct load *l)
{
    for (uint32_t i = 0; i < l->count; i++) {
        if (!bulk_complete(&l->flow[i]))
            return false;
    }
    return true;
}

static void load_told_open(struct load *l)
{
    char took[REPORT_DURATION];

    l->all_open_at = l->life.loop.now;
    report_line(&l->node->report, "%" PRIu32 " connections open at once after %s", l->count,
                report_duration(l->all_open_at - l->began_at, took));
}

/* Once all are open and have their bytes back, close some more. */
static void load_close(struct load *l)
{
    if (!l->all_open_at && l->bulk.connected == l->count)
        load_told_open(l);
    if (!l->all_open_at || (l->closed == 0 && !load_complete(l)))
        return;
    for (unsigned i = 0; i < TURN && l->closed < l->count; i++) {
        if (l->closed >= l->bulk.ended + AHEAD)
            return;
        bulk_finish(&l->flow[l->closed++], l->node->st);
    }
}

/* Is there more to open or to close at once? */
static bool load_busy(const struct load *l)
{
    if (l->opened < l->count)
        return l->opened < l->bulk.connected + AHEAD;
    return l->closed > 0 && l->closed < l->count && l->closed < l->bulk.ended + AHEAD;
}

static bool load_decide(void *arg, struct loop *loop)
{
    struct load *l = arg;

    if (life_turn(&l->life))
        return true;
    if (l->life.forced)
        return false;
    if (load_open(l) < 0 || l->life.stopping || l->bulk.bad) {
        life_abort(&l->life);
        return false;
    }
    load_close(l);
    if (load_busy(l))
        loop->busy = true;
    return l->bulk.ended == l->count;
}

static int load_verdict(const struct load *l)
{
    const struct bulk *b = &l->bulk;
    char took[REPORT_DURATION];

    if (b->ended == l->count && b->bad == 0) {
        report_line(&l->node->report,
                    "%" PRIu32 " connections, %" PRIu64 " bytes sent and %" PRIu64
                    " received, all right and all closed in order in %s",
                    l->count, b->bytes_sent, b->bytes_received,
                    report_duration(clock_now() - l->began_at, took));
        return EXIT_DONE;
    }
    if (l->why != REASON_NONE)
        dial_explain(l->node, l->why, b->peak > 0);
    report_error(&l->node->report, "%" PRIu32 " of %" PRIu32 " connections did not come through",
                 l->count - b->ended + b->bad, l->count);
    return EXIT_FAILED;
}

int load_run(struct load *l, struct node *n, struct node *far, uint32_t count, uint64_t bytes)
{
    int code;

    memset(l, 0, sizeof(*l));
    l->node = n;
    l->count = count;
    l->bytes = bytes;
    l->flow = memory_reserve(count * sizeof(struct bulk_flow));
    if (!l->flow) {
        report_error(&n->report, "no address space for so many connections");
        return EXIT_FAILED;
    }
    bulk_init(&l->bulk, NULL, 0);
    code = life_begin(&l->life, n, load_decide, l);
    if (code == NODE_GO_ON)
        code = life_settle(&l->life);
    if (code != NODE_GO_ON)
        return code;
    l->life.loop.node[0].event = load_event;
    l->life.loop.node[0].arg = l;
    if (far)
        loop_add(&l->life.loop, far->st, far->dev);
    report_ready(&n->report, &n->local, n->opt->tun, NULL, 0);
    l->began_at = clock_now();
    code = life_run(&l->life);
    if (code == EXIT_DONE)
        code = load_verdict(l);
    life_end(&l->life);
    return code;
}
