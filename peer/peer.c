/*
 * peer: a server on a TCP/IP stack of its own. It attaches to a TUN and serves a session and the
 * small services until it is told to stop.
 */
#include <string.h>

#include "run/choice.h"
#include "run/exit.h"
#include "run/life.h"
#include "run/services.h"

enum {
    PEER_NUMBER = 5, /* ours in the subnet, unless --local says otherwise */
};

struct peer_options {
    struct node_options node; /* first: node_options_parse fills both */
    const char *session;
    bool once;
};

struct peer {
    struct peer_options opt;
    enum session_kind session;
    struct node node;
    struct life life;
    struct services services;
    bool closing;       /* services are stopped */
    bool session_ended; /* a session connection is over */
    bool end_told;      /* of a chat's input */
    bool operator_lost; /* standard input or output failed */
    uint32_t witness;   /* that a connection is open, see life_any_open */
};

static const struct option_spec options[] = {
    NODE_OPTIONS("5"),
    {.letter = 's',
     .name = "session",
     .arg = "KIND",
     .kind = OPTION_STRING,
     .offset = offsetof(struct peer_options, session),
     .help = "What the session port does: echo (without this option), discard, chargen, chat: "
             "what you type goes to every client, what they send is shown here, and they do not "
             "see each other; or cat: the first "
             "client is joined to standard input and output, as by nc -l."},
    {.name = "once",
     .kind = OPTION_FLAG,
     .offset = offsetof(struct peer_options, once),
     .help = "Leave when the first session has ended."},
    {.name = NULL},
};

static const struct program program = {
    .name = "peer",
    .synopsis = "{peer} [OPTION]... TUN ADDRESS/PREFIX REMOTE",
    .summary =
        "Serve as a node behind TUN, whose kernel side has ADDRESS/PREFIX, until told to stop. "
        "REMOTE is the node that is expected; others are served too. A TUN that does not "
        "exist is created and configured. A line on standard error says when the node is "
        "ready, and two for each session, when it begins and when it ends; with -v or --json, "
        "for every connection.",
    .epilogue = "Services: 8000 session, 7 echo, 9 discard, 19 chargen (TCP and UDP), 80 a\n"
                "status page (also /status.json), UDP 6969 echo with the bytes in reverse order.\n"
                "\n"
                "Examples:\n"
                "  {peer} tun1 10.0.1.1/24 10.0.0.7\n"
                "  {peer} --session chat tun1 10.0.1.1/24 10.0.0.7\n"
                "\n"
                "The first SIGINT or SIGTERM closes all connections in order, the second resets\n"
                "them.\n"
                "\n"
                "Exit codes: 0 stopped when told to, all connections closed in order; 1 some\n"
                "had to be reset, or the node, input, output, capture or trace failed; 2 usage;\n"
                "4 a privilege or the device is missing; 5 the TUN is in use by another\n"
                "process, or the name belongs to something else.\n",
    .chapters = choice_help,
    .options = options,
};

static void peer_event(void *arg, struct stack *st, const struct stack_event *ev)
{
    struct peer *p = arg;
    bool midway = ev->kind == EV_URGENT || ev->kind == EV_ERROR;
    struct stack_conn_status c;

    if (!midway && ev->kind != EV_ACCEPTED && ev->kind != EV_CLOSED)
        return;
    if (stack_status(st, ev->conn, &c) < 0)
        return;
    if (midway) {
        if (p->session == SESSION_CAT || p->opt.node.json || p->opt.node.verbose)
            report_on_the_way(&p->node.report, &c, ev);
        return;
    }
    services_tell(&p->services, ev, &c, p->life.loop.now);
    if (ev->kind == EV_CLOSED && c.local_port == p->opt.node.port)
        p->session_ended = true;
}

/* Without its operator, who reads our output and types our input, a chat is over. */
static void peer_watch_operator(struct peer *p, struct loop *l)
{
    int error = l->output_error ? l->output_error : p->life.op.in_error;

    if (p->session == SESSION_CHAT && p->life.op.in_ended && !p->end_told) {
        p->end_told = true;
        report_line(&p->node.report, "end of input; you can still read");
    }
    if (!error || p->operator_lost)
        return;
    report_error(&p->node.report, "%s failed: %s; stopping",
                 l->output_error ? "writing standard output" : "reading standard input",
                 strerror(-error));
    p->operator_lost = p->life.quit = true;
}

static bool peer_decide(void *arg, struct loop *l)
{
    struct peer *p = arg;

    if (p->opt.once && p->session_ended)
        p->life.quit = true;
    peer_watch_operator(p, l);
    if (life_turn(&p->life))
        return true;
    l->wake = time_min(l->wake, services_tell_rest(&p->services, l->now));
    if (!p->life.stopping)
        return false;
    if (!p->closing) {
        p->closing = true;
        services_stop(&p->services, p->node.st);
        life_close_all(p->node.st);
    }
    return !p->life.forced && !life_output_pending(&p->life) &&
           !life_any_open(p->node.st, &p->witness);
}

static int peer_serve(struct peer *p)
{
    char text[ADDR_TEXT_MAX];
    int r = services_start(&p->services, p->node.st, &p->node.local, p->session,
                           (uint16_t)p->opt.node.port, p->opt.node.max_conns, &p->node.input);

    if (r < 0) {
        report_error(&p->node.report, "the services could not start: %s", strerror(-r));
        return EXIT_FAILED;
    }
    services_watch(&p->services, &p->node.report);
    if (p->session == SESSION_CHAT)
        life_operator(&p->life, &p->services.chat.console);
    p->services.cat.urgent = p->opt.node.urgent;
    if (p->session == SESSION_CAT)
        life_operator(&p->life, &p->services.cat.console);
    p->life.loop.node[0].event = peer_event;
    p->life.loop.node[0].arg = p;
    r = life_settle(&p->life);
    if (r != NODE_GO_ON)
        return r;
    report_ready(&p->node.report, &p->node.local, p->opt.node.tun, p->services.list, p->services.n);
    report_line(&p->node.report, "waiting for %s; others are served too",
                addr_format(&p->opt.node.remote, text));
    r = life_run(&p->life);
    services_tell_rest(&p->services, TIME_NEVER);
    if (r != EXIT_DONE)
        return r;
    if (!p->life.quit)
        report_line(&p->node.report,
                    p->life.forced ? "stopped; what was still open is reset" : "stopped");
    return p->life.forced || p->operator_lost ? EXIT_FAILED : EXIT_DONE;
}

int main(int argc, char **argv)
{
    static struct peer p;
    int code;

    node_prepare_descriptors();
    node_options_default(&p.opt.node);
    p.opt.node.tun = "tun1"; /* for --status */
    p.opt.session = "echo";
    code = node_options_parse(&program, &p.opt.node, PEER_NUMBER, argc, argv);
    if (code != NODE_GO_ON)
        return code;
    if (session_parse(p.opt.session, &p.session) < 0)
        return usage_error(&program, "--session '%s' is none of echo, discard, chargen, chat, cat",
                           p.opt.session);
    code = node_open(&p.node, &program, &p.opt.node);
    if (code == NODE_GO_ON)
        code = life_begin(&p.life, &p.node, peer_decide, &p);
    if (code != NODE_GO_ON)
        return code;
    code = peer_serve(&p);
    life_end(&p.life);
    code = node_close(&p.node, code);
    report_summary(&p.node.report, p.node.st, p.opt.node.tun, code);
    return code;
}
