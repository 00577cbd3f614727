/*
 * client OPTION... TUN ADDRESS/PREFIX REMOTE: host with other applications, which measure: the same
 * options, devices, loop and stack, and at the other end an ordinary peer.
 *
 *   --bulk SECONDS            send for so long, by reference, close, wait for the other side's end
 *   --rr SECONDS              one byte there and back, again and again; --port is that of an echo
 *   --conns N [--flight N]    so many connections, opened and closed in order, so many handshakes
 *                             at a time (1: the next begins when the last one is complete)
 *   --idle N [--watch PID] [--hold SECONDS]
 *                             open so many, the node's addresses in turn, tell the resident
 *                             memory each one costs here and in the process PID, hold them for
 *                             so long, and reset them
 *
 * Prints "gbps" and "mpps" (segments that carried data, all of those that came in or went out),
 * "us", "per_s" or "open_s", "bytes" and "far_bytes" per connection.
 */
#include <inttypes.h>

#include "app/bulk.h"
#include "run/choice.h"
#include "run/life.h"
#include "tests/bench/kit.h"

enum {
    HOST_NUMBER = 7,
    CONNS_MAX = 16000, /* places in the stack's table, those in TIME-WAIT included */
    FLIGHT_MAX = 1024,
    TURN = 16,       /* of --idle: opened in one turn, and ... */
    AHEAD = 64,      /* ... so many without their handshake at the most */
    SETTLE = 30,     /* ms until the kernel has noticed that somebody reads what tun0 sends */
    IDLE_WAIT = 300, /* ms: longer than an acknowledgment is delayed */
    FIRST = 1000, /* connections behind which memory is looked at first: what all share is there */
};

struct options {
    struct node_options node; /* first */
    int64_t bulk, rr;         /* ns; 0: not asked for */
    int64_t hold;             /* ns */
    uint32_t conns, flight, idle, watch;
};

struct client {
    struct app app; /* of every connection but bulk's */
    struct options opt;
    struct node node;
    struct life life;
    struct bulk bulk;
    struct bulk_flow flow;
    int64_t began, until, ended; /* ns; 0: not yet */
    int64_t all_at;              /* the same, of --idle: all are open */
    uint64_t trips;
    uint32_t opened, connected;
    uint32_t source;                /* our addresses take turns: each has ports of its own */
    uint32_t witness;               /* that a connection is open, see life_any_open */
    uint64_t near_first, far_first; /* resident bytes when FIRST were open */
    int64_t settled_at;             /* the device works; or: what is only for a while is over */
    bool failed;
};

#define OPTION(field) offsetof(struct options, field)

static const struct option_spec options[] = {
    NODE_OPTIONS("7"),
    {.name = "bulk",
     .arg = "SECONDS",
     .group = "what is measured",
     .kind = OPTION_SECONDS,
     .offset = OPTION(bulk),
     .min = MSEC,
     .max = KIT_LIFE / 2 * SEC,
     .help = "Send for so long."},
    {.name = "rr",
     .arg = "SECONDS",
     .kind = OPTION_SECONDS,
     .offset = OPTION(rr),
     .min = MSEC,
     .max = KIT_LIFE / 2 * SEC,
     .help = "Exchange single bytes for so long."},
    {.name = "conns",
     .arg = "N",
     .kind = OPTION_U32,
     .offset = OPTION(conns),
     .min = 1,
     .max = CONNS_MAX,
     .help = "Open and close so many connections."},
    {.name = "flight",
     .arg = "N",
     .kind = OPTION_U32,
     .offset = OPTION(flight),
     .min = 1,
     .max = FLIGHT_MAX,
     .help = "With --conns: so many at a time; 1 without it."},
    {.name = "idle",
     .arg = "N",
     .kind = OPTION_U32,
     .offset = OPTION(idle),
     .min = FIRST + 1,
     .max = NODE_CONNS_MAX,
     .help = "Open so many, and tell what they cost."},
    {.name = "watch",
     .arg = "PID",
     .kind = OPTION_U32,
     .offset = OPTION(watch),
     .min = 1,
     .help = "With --idle: tell it of this process, too."},
    {.name = "hold",
     .arg = "SECONDS",
     .kind = OPTION_SECONDS,
     .offset = OPTION(hold),
     .max = KIT_LIFE / 2 * SEC,
     .help = "With --idle: hold them for so long; not at all without it."},
    {.name = NULL},
};

static const struct program program = {
    .name = "client",
    .synopsis = "client [OPTION]... TUN ADDRESS/PREFIX REMOTE",
    .summary = "Measure. See the comment at the top of tests/bench/client.c.",
    .epilogue = "",
    .chapters = choice_help,
    .options = options,
};

/* ---- Connections ---- */

static void give_up(struct client *c, const char *what)
{
    if (!c->failed)
        fprintf(stderr, "bench: %s\n", what);
    c->failed = true;
}

static void open_one(struct client *c, struct app *app, struct conn_id *ret_conn)
{
    const struct node_options *opt = &c->opt.node;
    const struct stack_open how = {.remote = opt->remote,
                                   .remote_port = (uint16_t)opt->port,
                                   .local = cidrs_next(&opt->locals, &opt->remote, &c->source),
                                   .user = app};
    int r = stack_open(c->node.st, &how, ret_conn);

    if (r < 0)
        give_up(c, strerror(-r));
    else
        c->opened++;
}

/* Open what may be opened now: so many may wait for the end of their handshake. */
static void open_more(struct client *c)
{
    struct conn_id conn;

    while (!c->failed && c->opened < c->opt.conns && c->opened < c->connected + c->opt.flight)
        open_one(c, &c->app, &conn);
}

static void trip(struct client *c, struct stack *st, struct conn_id conn)
{
    if (stack_send_copy(st, conn, "x", 1) != 1)
        give_up(c, "a byte was not taken");
}

static void came_back(struct client *c, struct stack *st, struct conn_id conn)
{
    struct slice s;

    while (stack_receive(st, conn, 1, &s) == 1) {
        buf_unref(s.buf);
        c->trips++;
        if (c->ended == 0)
            trip(c, st, conn);
    }
}

static void on_connected(struct client *c, struct stack *st, struct conn_id conn)
{
    c->connected++;
    if (c->opt.rr) {
        c->began = c->life.loop.now;
        c->until = c->began + c->opt.rr;
        trip(c, st, conn);
    } else if (c->opt.conns) {
        stack_release(st, conn); /* as close of a socket is */
        open_more(c);
    }
}

static void client_event(struct app *a, struct stack *st, const struct stack_event *ev)
{
    struct client *c = (struct client *)a;

    switch (ev->kind) {
    case EV_CONNECTED:
        on_connected(c, st, ev->conn);
        break;
    case EV_READABLE:
        came_back(c, st, ev->conn);
        break;
    case EV_CLOSED:
    case EV_PEER_CLOSED:
        if (!c->ended)
            give_up(c, "a connection ended early");
        break;
    case EV_ACCEPTED:
    case EV_WRITABLE:
    case EV_URGENT:
    case EV_ERROR:
    case EV_DATAGRAM:
    case EV_DATAGRAM_ERROR:
        break;
    }
}

/* ---- What is measured ---- */

static bool bulk_turn(struct client *c, int64_t now)
{
    struct bulk_flow *f = &c->flow;

    if (f->connected && c->began == 0) {
        c->began = now;
        c->until = now + c->opt.bulk;
    }
    if (f->hold && c->began && now >= c->until) {
        f->to_send = f->sent;
        bulk_finish(f, c->node.st);
    }
    if (f->over && (c->bulk.bad || c->began == 0))
        give_up(c, "the transfer did not end in order");
    c->ended = f->over ? now : 0;
    return f->over;
}

static void bulk_say(const struct client *c)
{
    const struct stack_totals *t = stack_totals(c->node.st);
    double us = (double)(c->ended - c->began) / 1000.0;

    kit_say_rate(c->flow.sent, c->ended - c->began);
    printf("mpps %.4f\npackets_mpps %.4f\n", (double)c->flow.sent / (double)(1500 - 52) / us,
           (double)(t->packets_in + t->packets_out) / us);
}

static void rr_turn(struct client *c, int64_t now)
{
    if (c->began && now >= c->until && c->trips) {
        c->ended = now;
        life_abort(&c->life);
    }
}

/* The last connections may still be closing: to leave now would let peer wait for an answer. */
static bool conns_turn(struct client *c, int64_t now)
{
    if (c->settled_at == 0)
        c->settled_at = now + SETTLE * MSEC;
    if (now < c->settled_at) {
        c->life.loop.wake = time_min(c->life.loop.wake, c->settled_at);
        return false;
    }
    if (c->began == 0) {
        c->began = now;
        open_more(c);
    }
    if (c->connected == c->opt.conns && c->ended == 0)
        c->ended = now;
    if (c->ended == 0)
        return false;
    c->life.loop.wake = now + MSEC;
    return now > c->ended + SEC || !life_any_open(c->node.st, &c->witness);
}

/* Resident bytes of a process; 0: this one. */
static uint64_t resident(uint32_t pid)
{
    char path[64];
    unsigned long long size, pages = 0;
    FILE *f;

    snprintf(path, sizeof(path), pid ? "/proc/%" PRIu32 "/statm" : "/proc/self/statm", pid);
    f = fopen(path, "r");
    if (!f || fscanf(f, "%llu %llu", &size, &pages) != 2)
        kit_fail(path);
    fclose(f);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* Open some more; the memory that all share has been touched when the first are open. */
static void idle_open(struct client *c)
{
    struct conn_id conn;

    if (c->began == 0)
        c->began = c->life.loop.now;
    for (unsigned i = 0; i < TURN && c->opened < c->opt.idle; i++) {
        if (c->opened >= c->connected + AHEAD || c->failed)
            return;
        if (c->opened == FIRST) {
            if (c->connected < FIRST)
                return;
            c->near_first = resident(0);
            c->far_first = resident(c->opt.watch);
        }
        open_one(c, &c->app, &conn);
    }
}

static double idle_cost(const struct client *c, uint32_t pid, uint64_t first)
{
    return ((double)resident(pid) - (double)first) / (double)(c->opt.idle - FIRST);
}

static void idle_say(const struct client *c)
{
    printf("conns %" PRIu32 "\nopen_s %.3f\n", c->opt.idle, (double)(c->all_at - c->began) / 1e9);
    if (c->opt.watch)
        printf("far_bytes %.1f\n", idle_cost(c, c->opt.watch, c->far_first));
    printf("bytes %.1f\n", idle_cost(c, 0, c->near_first));
    fflush(stdout);
}

/* All are open: when no acknowledgment is under way any more, tell, hold, and reset them. */
static void idle_hold(struct client *c, int64_t now)
{
    if (c->all_at == 0)
        c->all_at = now;
    if (c->settled_at == 0 && now >= c->all_at + IDLE_WAIT * MSEC) {
        c->settled_at = now;
        idle_say(c);
    }
    if (c->settled_at && now >= c->settled_at + c->opt.hold) {
        c->ended = now;
        life_abort(&c->life);
        return;
    }
    c->until = c->settled_at ? c->settled_at + c->opt.hold : c->all_at + IDLE_WAIT * MSEC;
}

static void idle_turn(struct client *c, int64_t now)
{
    idle_open(c);
    if (c->opened < c->opt.idle && c->opened < c->connected + AHEAD)
        c->life.loop.busy = c->opened != FIRST || c->connected == FIRST;
    if (c->connected == c->opt.idle)
        idle_hold(c, now);
}

static bool decide(void *arg, struct loop *loop)
{
    struct client *c = arg;
    bool over = false;

    if (life_turn(&c->life))
        return true;
    if (c->life.forced)
        return false;
    if (c->opt.bulk)
        over = bulk_turn(c, loop->now);
    else if (c->opt.conns)
        over = conns_turn(c, loop->now);
    else if (c->opt.rr)
        rr_turn(c, loop->now);
    else
        idle_turn(c, loop->now);
    if (c->until > loop->now && !c->ended)
        loop->wake = time_min(loop->wake, c->until);
    return over || c->failed;
}

static void say(const struct client *c)
{
    double ns = (double)(c->ended - c->began);

    if (c->opt.bulk)
        bulk_say(c);
    else if (c->opt.rr)
        printf("us %.3f\n", ns / (double)c->trips / 1000.0);
    else if (c->opt.conns)
        printf("per_s %.0f\n", (double)c->opt.conns * (double)SEC / ns);
}

static int run(struct client *c)
{
    int code = life_begin(&c->life, &c->node, decide, c);

    if (code == NODE_GO_ON)
        code = life_settle(&c->life);
    if (code != NODE_GO_ON)
        return code;
    c->life.abrupt = true;
    if (c->opt.bulk) {
        bulk_init(&c->bulk, NULL, 0);
        bulk_flow_init(&c->bulk, &c->flow, UINT64_MAX, UINT64_MAX);
        c->flow.hold = true;
        open_one(c, &c->flow.app, &c->flow.conn);
    } else if (c->opt.rr) {
        struct conn_id conn;

        open_one(c, &c->app, &conn);
    }
    code = life_run(&c->life);
    life_end(&c->life);
    if (code == EXIT_DONE && (c->failed || c->ended == 0))
        code = EXIT_FAILED;
    if (code == EXIT_DONE)
        say(c);
    return code;
}

int main(int argc, char **argv)
{
    static const struct app_ops ops = {"client", client_event};
    static struct client c = {.app = {&ops}, .opt.flight = 1};
    int code;

    alarm(KIT_LIFE);
    node_prepare_descriptors();
    node_options_default(&c.opt.node);
    code = node_options_parse(&program, &c.opt.node, HOST_NUMBER, argc, argv);
    if (code != NODE_GO_ON)
        return code;
    if (!c.opt.bulk && !c.opt.rr && !c.opt.conns && !c.opt.idle)
        return usage_error(&program, "what is to be measured?");
    if (c.opt.node.max_conns < c.opt.idle)
        c.opt.node.max_conns = c.opt.idle;
    code = node_open(&c.node, &program, &c.opt.node);
    if (code != NODE_GO_ON)
        return code;
    return node_close(&c.node, run(&c));
}
