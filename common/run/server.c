#include "run/server.h"

#include <string.h>

#include "run/exit.h"
#include "run/memory.h"

static void server_event(void *arg, struct stack *st, const struct stack_event *ev)
{
    struct server *s = arg;
    bool midway = ev->kind == EV_URGENT || ev->kind == EV_ERROR;
    struct stack_conn_status c;

    if (!midway && ev->kind != EV_ACCEPTED && ev->kind != EV_CLOSED)
        return;
    if (stack_status(st, ev->conn, &c) < 0)
        return;
    if (midway) {
        if (s->how->session == SESSION_CAT || s->node.opt->json || s->node.opt->verbose)
            report_on_the_way(&s->node.report, &c, ev);
        return;
    }
    services_tell(&s->services, ev, &c, s->life.loop.now);
    if (ev->kind == EV_CLOSED && c.local_port == s->node.opt->port)
        s->session_ended = true;
}

/* Without its operator, who reads our output and types our input, a chat is over. */
static void server_watch_operator(struct server *s, struct loop *l)
{
    int error = l->output_error ? l->output_error : s->life.op.in_error;

    if (s->how->session == SESSION_CHAT && s->life.op.in_ended && !s->end_told) {
        s->end_told = true;
        report_line(&s->node.report, "end of input; you can still read");
    }
    if (!error || s->operator_lost)
        return;
    report_error(&s->node.report, "%s failed: %s; stopping",
                 l->output_error ? "writing standard output" : "reading standard input",
                 strerror(-error));
    s->operator_lost = s->life.quit = true;
}

static bool server_decide(void *arg, struct loop *l)
{
    struct server *s = arg;

    if (s->how->once && s->session_ended)
        s->life.quit = true;
    server_watch_operator(s, l);
    if (life_turn(&s->life))
        return true;
    l->wake = time_min(l->wake, services_tell_rest(&s->services, l->now));
    if (!s->life.stopping)
        return false;
    if (!s->closing) {
        s->closing = true;
        services_stop(&s->services, s->node.st);
        life_close_all(s->node.st);
    }
    return !s->life.forced && !life_output_pending(&s->life) &&
           !life_any_open(s->node.st, &s->witness) && life_all_over(&s->life);
}

/* The services wait for connections; nothing is read yet. */
static int server_prepare(struct server *s)
{
    const struct node_options *opt = s->node.opt;
    int r = services_start(&s->services, s->node.st, &s->node.local, s->how->session,
                           (uint16_t)opt->port, opt->max_conns, &s->node.input);

    if (r < 0) {
        report_error(&s->node.report, "the services could not start: %s", strerror(-r));
        return EXIT_FAILED;
    }
    services_watch(&s->services, &s->node.report);
    if (s->how->session == SESSION_CHAT)
        life_operator(&s->life, &s->services.chat.console);
    s->services.cat.urgent = opt->urgent;
    if (s->how->session == SESSION_CAT)
        life_operator(&s->life, &s->services.cat.console);
    s->life.loop.node[0].event = server_event;
    s->life.loop.node[0].arg = s;
    return NODE_GO_ON;
}

static int server_open(struct server *s, const struct program *prog, const struct node_options *opt)
{
    int code = node_open(&s->node, prog, opt);

    if (code == NODE_GO_ON)
        code = life_begin(&s->life, &s->node, server_decide, s);
    return code == NODE_GO_ON ? server_prepare(s) : code;
}

static void server_say_ready(const struct server *s)
{
    char text[ADDR_TEXT_MAX];

    report_ready(&s->node.report, &s->node.opt->locals, s->node.opt->tun, s->services.list,
                 s->services.n);
    report_line(&s->node.report, "waiting for %s; others are served too",
                addr_format(&s->node.opt->remote, text));
}

/* One thread's work; they are an array. */
static int server_serve(void *arg, unsigned i)
{
    struct server *s = (struct server *)arg + i;
    int code = life_settle(&s->life);

    if (code != NODE_GO_ON)
        return code;
    if (i == 0)
        server_say_ready(s);
    code = life_run(&s->life);
    services_tell_rest(&s->services, TIME_NEVER);
    if (code != EXIT_DONE)
        return code;
    return s->life.forced || s->operator_lost ? EXIT_FAILED : EXIT_DONE;
}

/* All have ended with this code, the first one of its own will or not. */
static int server_end(struct server *s, unsigned n, int code)
{
    bool forced = false;

    for (unsigned i = 0; i < n; i++)
        forced = forced || s[i].life.forced;
    if (!s->life.quit && (code == EXIT_DONE || forced))
        report_line(&s->node.report, forced ? "stopped; what was still open is reset" : "stopped");
    for (unsigned i = 0; i < n; i++) {
        int closed;

        life_end(&s[i].life);
        closed = node_close(&s[i].node, code);
        code = closed > code ? closed : code;
    }
    for (unsigned i = 0; i < n; i++)
        report_summary(&s[i].node.report, s[i].node.st, s[i].node.name, code);
    return code;
}

/* Several threads: one queue is one node. */
static int server_run_team(struct server *s, const struct program *prog,
                           const struct node_options *opt)
{
    static struct team team;
    int code = NODE_GO_ON;

    if (team_init(&team, opt->queues) < 0)
        return node_no_team(prog);
    for (unsigned i = 0; i < opt->queues && code == NODE_GO_ON; i++) {
        s[i].node.team = &team;
        s[i].node.queue = i;
        code = server_open(&s[i], prog, opt);
    }
    if (code != NODE_GO_ON)
        return code;
    code = team_run(&team, server_serve, s);
    if (code < 0) {
        report_error(&s->node.report, "no threads for so many queues: %s", strerror(-code));
        code = EXIT_FAILED;
    }
    code = server_end(s, opt->queues, code);
    team_end(&team);
    return code;
}

int server_run(const struct program *prog, const struct node_options *opt,
               const struct server_options *how)
{
    struct server *s = memory_reserve(opt->queues * sizeof(struct server));
    int code;

    if (!s)
        return node_no_team(prog);
    for (unsigned i = 0; i < opt->queues; i++)
        s[i].how = how;
    if (opt->queues > 1)
        return server_run_team(s, prog, opt);
    code = server_open(s, prog, opt);
    return code == NODE_GO_ON ? server_end(s, 1, server_serve(s, 0)) : code;
}
