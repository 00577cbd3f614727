/*
 * peer: a server on a TCP/IP stack of its own. It attaches to a TUN and serves a session and the
 * small services until it is told to stop.
 */
#include "run/choice.h"
#include "run/server.h"

enum {
    PEER_NUMBER = 5, /* ours in the subnet, unless --local says otherwise */
};

struct peer_options {
    struct node_options node; /* first: node_options_parse fills both */
    const char *session;
    bool once;
};

static const struct option_spec options[] = {
    NODE_OPTIONS("5"),
    {.letter = 's',
     .name = "session",
     .arg = "KIND",
     .group = "sessions",
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
                "The first SIGINT, SIGTERM or SIGHUP closes all connections in order, the second\n"
                "resets them.\n"
                "\n"
                "Exit codes: 0 stopped when told to, all connections closed in order; 1 some\n"
                "had to be reset, or the node, input, output, capture or trace failed; 2 usage;\n"
                "4 a privilege or the device is missing; 5 the TUN is in use by another\n"
                "process, or the name belongs to something else.\n",
    .chapters = choice_help,
    .options = options,
};

int main(int argc, char **argv)
{
    static struct peer_options opt;
    struct server_options how;
    int code;

    node_prepare_descriptors();
    node_options_default(&opt.node);
    opt.node.tun = "tun1"; /* for --status */
    opt.session = "echo";
    code = node_options_parse(&program, &opt.node, PEER_NUMBER, argc, argv);
    if (code != NODE_GO_ON)
        return code;
    if (session_parse(opt.session, &how.session) < 0)
        return usage_error(&program, "--session '%s' is none of echo, discard, chargen, chat, cat",
                           opt.session);
    how.once = opt.once;
    if (opt.node.queues > 1 &&
        (how.once || how.session == SESSION_CHAT || how.session == SESSION_CAT))
        return usage_error(&program,
                           "%s does not go with --queues: each queue has sessions of its own",
                           how.once ? "--once" : "an operator's session");
    return server_run(&program, &opt.node, &how);
}
