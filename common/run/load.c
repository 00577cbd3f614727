#include "run/load.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "run/clock.h"
#include "run/dial.h"
#include "run/exit.h"
#include "run/memory.h"

enum {
    TURN = 16, /* connections opened or closed in one turn, so that no queue on the way overflows */
    LOAD_TEXT = 160, /* bytes of what is state, in words */
    LOAD_QUEUE = 24, /* bytes of a queue's name */
    PHASE_OPEN = 1,  /* of a team: all connections of this thread are open */
    AHEAD = 64,      /* how many may wait for the end of their handshake, or of their close */
};

static const int64_t stuck_after = 3 * SEC; /* without progress, before a word is said */

/* Open some more. 0, or what stack_open says. */
static int load_open(struct load *l)
{
    const struct node_options *opt = l->node->opt;

    for (unsigned i = 0; i < TURN && l->opened < l->count; i++) {
        struct bulk_flow *f = &l->flow[l->opened];
        struct stack_open how = {.remote = opt->remote,
                                 .remote_port = (uint16_t)opt->port,
                                 .user = &f->app};
        int r;

        if (l->opened >= l->bulk.connected + AHEAD)
            return 0;
        how.local = cidrs_next(&opt->locals, &opt->remote, &l->source); /* each has its ports */
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
    if (ev->kind != EV_CLOSED)
        return;
    l->retransmits += c.retransmits;
    if (ev->why != REASON_END_ORDERLY && ev->why != REASON_END_ABORTED && l->why == REASON_NONE)
        l->why = ev->why;
}

/* All are back: an echo that has come is proof that its byte was sent. */
static bool load_complete(const struct load *l)
{
    return l->bulk.arrived >= l->bytes * l->count;
}

/* Of the connections in the table. */
static uint64_t load_retransmits(const struct load *l)
{
    struct stack_conn_status c;
    uint32_t cursor = 0;
    uint64_t n = 0;

    while (stack_next_conn(l->node->st, &cursor, &c))
        n += c.retransmits;
    return n;
}

static void load_told_open(struct load *l)
{
    uint64_t again = l->node->team ? atomic_load(&l->node->team->tally) : load_retransmits(l);
    char took[REPORT_DURATION];

    l->all_open_at = l->life.loop.now;
    if (l->node->queue > 0)
        return; /* the first one tells it for all */
    report_line(&l->node->report,
                "%" PRIu32 " connection%s open at once after %s, %" PRIu64 " retransmit%s",
                l->total, report_s(l->total), report_duration(l->all_open_at - l->began_at, took),
                again, report_s(again));
}

/* Are all open, those of other threads, too? */
static bool load_all_open(struct load *l)
{
    struct team *t = l->node->team;

    if (l->bulk.connected < l->count)
        return false;
    if (!t)
        return true;
    if (!l->tallied)
        atomic_fetch_add(&t->tally, load_retransmits(l));
    l->tallied = true;
    team_reach(t, l->node->queue, PHASE_OPEN);
    return team_all(t, PHASE_OPEN);
}

/* Once all are open and have their bytes back, close some more. */
static void load_close(struct load *l)
{
    if (!l->all_open_at && load_all_open(l))
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

/* How far the run has come, also when all its connections were reset. Returns out. */
static const char *load_state(const struct load *l, char out[LOAD_TEXT])
{
    const struct bulk *b = &l->bulk;

    if (!l->all_open_at)
        snprintf(out, LOAD_TEXT, "%" PRIu32 " of %" PRIu32 " connections open", b->peak, l->count);
    else if (l->closed == 0 && b->arrived == 0)
        snprintf(out, LOAD_TEXT, "0 of %" PRIu64 " bytes back (does port %u echo?)",
                 l->bytes * l->count, (unsigned)l->node->opt->port);
    else if (l->closed == 0)
        snprintf(out, LOAD_TEXT,
                 "%" PRIu64 " of %" PRIu64 " bytes back (is the network still up, and peer's "
                 "--max-connections enough?)",
                 b->arrived, l->bytes * l->count);
    else
        snprintf(out, LOAD_TEXT, "%" PRIu32 " of %" PRIu32 " connections closed", b->ended - b->bad,
                 l->count);
    return out;
}

/* It is the turn of other threads. */
static bool load_waits(const struct load *l)
{
    return l->node->team &&
           ((!l->all_open_at && l->bulk.connected == l->count) || l->bulk.ended == l->count);
}

/* Several threads count their own connections only, so the one that says it is named. */
static void load_say_stuck(const struct load *l)
{
    const struct node *n = l->node;
    char state[LOAD_TEXT], queue[LOAD_QUEUE] = "";

    if (!team_first(n->team, TEAM_STUCK))
        return;
    if (n->team)
        snprintf(queue, sizeof(queue), "queue %u, ", n->queue);
    report_line(&n->report, "%sno progress for 3 s: %s; still waiting", queue,
                load_state(l, state));
}

static void load_watch(struct load *l, struct loop *loop)
{
    uint64_t progress = (uint64_t)l->opened + l->bulk.peak + l->bulk.arrived + l->bulk.ended;
    int64_t limit = l->node->opt->connect_timeout, idle;

    if (progress != l->progress || load_waits(l)) {
        l->progress = progress;
        l->progress_at = loop->now;
        l->stuck_told = false;
    }
    idle = loop->now - l->progress_at;
    if (idle >= limit) {
        l->gave_up = true;
        life_abort(&l->life);
        return;
    }
    if (idle >= stuck_after && !l->stuck_told) {
        l->stuck_told = true;
        load_say_stuck(l);
    }
    if (!l->stuck_told)
        limit = time_min(limit, stuck_after);
    loop->wake = time_min(loop->wake, l->progress_at + limit);
}

static bool load_decide(void *arg, struct loop *loop)
{
    struct load *l = arg;

    if (life_turn(&l->life))
        return true;
    if (l->life.forced)
        return false;
    l->open_error = load_open(l);
    if (l->open_error < 0 || l->bulk.bad) {
        life_abort(&l->life);
        return false;
    }
    load_close(l);
    load_watch(l, loop);
    if (load_busy(l))
        loop->busy = true;
    return l->bulk.ended == l->count && life_all_over(&l->life);
}

static int load_failed(const struct load *l)
{
    const struct report *r = &l->node->report;
    char took[REPORT_DURATION], state[LOAD_TEXT];

    if (l->life.stopping) {
        report_line(r, "stopped: %s", load_state(l, state));
        return EXIT_FAILED;
    }
    if (l->open_error < 0)
        dial_explain_open(l->node, l->open_error);
    else if (l->gave_up)
        report_error(r, "gave up after %s without progress: %s",
                     report_duration(l->node->opt->connect_timeout, took), load_state(l, state));
    else if (l->why != REASON_NONE)
        dial_explain(l->node, l->why, l->bulk.peak > 0);
    report_error(r, "%" PRIu32 " of %" PRIu32 " connections did not come through",
                 l->count - l->bulk.ended + l->bulk.bad, l->count);
    return EXIT_FAILED;
}

static int load_verdict(const struct load *l)
{
    const struct bulk *b = &l->bulk;
    char took[REPORT_DURATION];

    if (b->ended == l->count && b->bad == 0) {
        report_line(&l->node->report,
                    "%" PRIu32 " connection%s, %" PRIu64 " byte%s sent and %" PRIu64
                    " received, all right and all closed in order in %s, %" PRIu64 " retransmit%s",
                    l->count, report_s(l->count), b->bytes_sent, report_s(b->bytes_sent),
                    b->bytes_received, report_duration(clock_now() - l->began_at, took),
                    l->retransmits, report_s(l->retransmits));
        return EXIT_DONE;
    }
    return load_failed(l);
}

/* Everything but the first turn. */
static int load_begin(struct load *l, struct node *n, uint32_t count, uint64_t bytes)
{
    int code;

    memset(l, 0, sizeof(*l));
    l->node = n;
    l->count = l->total = count;
    l->bytes = bytes;
    l->flow = memory_reserve((count ? count : 1) * sizeof(struct bulk_flow));
    if (!l->flow) {
        report_error(&n->report, "no address space for so many connections");
        return EXIT_FAILED;
    }
    bulk_init(&l->bulk, NULL, 0);
    code = life_begin(&l->life, n, load_decide, l);
    if (code != NODE_GO_ON)
        return code;
    l->life.loop.node[0].event = load_event;
    l->life.loop.node[0].arg = l;
    l->life.abrupt = true; /* a run that is stopped has failed */
    return NODE_GO_ON;
}

static int load_go(struct load *l)
{
    const struct node *n = l->node;
    int code = life_settle(&l->life);

    if (code != NODE_GO_ON)
        return code;
    if (n->queue == 0)
        report_ready(&n->report, &n->opt->locals, n->opt->tun, NULL, 0);
    l->began_at = clock_now();
    return life_run(&l->life);
}

int load_run(struct load *l, struct node *n, struct node *far, uint32_t count, uint64_t bytes)
{
    int code = load_begin(l, n, count, bytes);

    if (code != NODE_GO_ON)
        return code;
    if (far)
        loop_add(&l->life.loop, far->st, far->dev);
    code = load_go(l);
    if (code == EXIT_DONE)
        code = load_verdict(l);
    life_end(&l->life);
    return code;
}

/* ---- Several threads ---- */

struct load_member {
    struct node node;
    struct load load;
};

static int load_member_go(void *arg, unsigned i)
{
    struct load *l = &((struct load_member *)arg)[i].load;
    int code = load_go(l);

    return code == EXIT_DONE && (l->bulk.ended < l->count || l->bulk.bad) ? EXIT_FAILED : code;
}

/* What became of another thread's connections is added to the first's. */
static void load_add(struct load *l, const struct load *other)
{
    l->count += other->count;
    l->closed += other->closed;
    l->bulk.peak += other->bulk.peak;
    l->bulk.ended += other->bulk.ended;
    l->bulk.bad += other->bulk.bad;
    l->bulk.arrived += other->bulk.arrived;
    l->bulk.bytes_sent += other->bulk.bytes_sent;
    l->bulk.bytes_received += other->bulk.bytes_received;
    l->retransmits += other->retransmits;
    l->gave_up = l->gave_up || other->gave_up;
    l->open_error = l->open_error ? l->open_error : other->open_error;
    l->why = l->why ? l->why : other->why;
}

static int load_team_open(struct load_member *m, struct team *t, const struct program *prog,
                          const struct node_options *opt, uint32_t count, uint64_t bytes)
{
    unsigned n = opt->queues;
    int code = NODE_GO_ON;

    for (unsigned i = 0; i < n && code == NODE_GO_ON; i++) {
        m[i].node.team = t;
        m[i].node.queue = i;
        code = node_open(&m[i].node, prog, opt);
        if (code == NODE_GO_ON)
            code = load_begin(&m[i].load, &m[i].node, count / n + (i < count % n), bytes);
        m[i].load.total = count;
    }
    return code;
}

static int load_team_end(struct load_member *m, unsigned n, int code)
{
    struct load *l = &m[0].load;

    for (unsigned i = 1; i < n; i++)
        load_add(l, &m[i].load);
    if (l->open_error || l->gave_up || l->why)
        l->life.stopping = false; /* that is why the others stopped */
    code = code == EXIT_DONE || code == EXIT_FAILED ? load_verdict(l) : code;
    for (unsigned i = 0; i < n; i++) {
        life_end(&m[i].load.life);
        node_close(&m[i].node, code);
        report_summary(&m[i].node.report, m[i].node.st, m[i].node.name, code);
    }
    return code;
}

int load_run_team(const struct program *prog, const struct node_options *opt, uint32_t count,
                  uint64_t bytes)
{
    static struct team team;
    struct load_member *m = memory_reserve(opt->queues * sizeof(struct load_member));
    int code;

    if (!m || team_init(&team, opt->queues) < 0)
        return node_no_team(prog);
    code = load_team_open(m, &team, prog, opt, count, bytes);
    if (code != NODE_GO_ON)
        return code;
    code = team_run(&team, load_member_go, m);
    if (code < 0) {
        report_error(&m->node.report, "no threads for so many queues: %s", strerror(-code));
        return EXIT_FAILED;
    }
    return load_team_end(m, opt->queues, code);
}

int load_check(const struct program *prog, struct node_options *opt, uint32_t count)
{
    uint64_t most = (uint64_t)cidrs_like(&opt->locals, &opt->remote) * STACK_PORTS;

    if (opt->queues > 1 && !count)
        return usage_error(prog, "--queues goes with --connections; a session has one connection");
    if (count > most)
        return usage_error(prog,
                           "--connections %lu: the ports of the node's addresses are enough for "
                           "%lu; give more --local, up to %d in all",
                           (unsigned long)count, (unsigned long)most, (int)CIDRS_MAX);
    if (opt->max_conns < count)
        opt->max_conns = count;
    return NODE_GO_ON;
}
