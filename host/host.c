/*
 * host: a netcat on a TCP/IP stack of its own. It attaches to a TUN, connects to the remote node,
 * sends standard input, prints what comes back, and leaves when both sides have closed.
 */
#include <stdlib.h>

#include "run/choice.h"
#include "run/dial.h"
#include "run/exit.h"
#include "run/load.h"
#include "run/services.h"
#include "run/tool.h"

enum {
    HOST_NUMBER = 7,       /* ours in the subnet, unless --local says otherwise */
    CONNECT_TIMEOUT = 180, /* s, unless told otherwise */
    LOAD_BYTES = 1024,
};

#define BYTES_NOT_GIVEN UINT32_MAX

struct host_options {
    struct node_options node; /* first: node_options_parse fills both */
    bool in_memory;
    uint32_t connections; /* 0: the ordinary session */
    uint32_t bytes;
    struct tool_options tool;
};

struct host {
    struct host_options opt;
    struct node_options far_opt;
    struct node node;
    struct node far; /* --in-memory: the peer in this process */
    struct wire_pair wire;
    struct services services; /* of the peer in this process */
    struct dial dial;
    struct load load;
    struct tool tool;
};

static const struct option_spec options[] = {
    NODE_OPTIONS("7"),
    {.letter = 't',
     .name = "connect-timeout",
     .arg = "SECONDS",
     .group = "sessions",
     .kind = OPTION_SECONDS,
     .offset = NODE_OPTION(connect_timeout),
     .min = SEC / 10,
     .max = NODE_SECONDS_MAX * SEC,
     .help = "Give up if nobody answers for so long; 180 without it. With --connections: if "
             "nothing goes forward for so long."},
    {.name = "in-memory",
     .kind = OPTION_FLAG,
     .offset = offsetof(struct host_options, in_memory),
     .help = "Without any TUN: run a peer in this process, joined by an in-memory wire. The "
             "operands keep their meaning."},
    {.name = "connections",
     .arg = "N",
     .kind = OPTION_U32,
     .offset = offsetof(struct host_options, connections),
     .min = 1,
     .max = NODE_CONNS_MAX,
     .help = "Instead of a session: open N connections at once, send a known pattern on each, "
             "check that it is echoed, and close them all. Each --local is good for 64512; peer "
             "needs --max-connections for more than 16384."},
    {.name = "bytes",
     .arg = "N",
     .kind = OPTION_U32,
     .offset = offsetof(struct host_options, bytes),
     .min = 0,
     .max = BYTES_NOT_GIVEN - 1,
     .help = "With --connections: bytes on each; 1024 without it."},
    TOOL_OPTIONS(offsetof(struct host_options, tool)),
    {.name = NULL},
};

static const struct program program = {
    .name = "host",
    .synopsis = "{host} [OPTION]... TUN ADDRESS/PREFIX REMOTE",
    .summary =
        "Connect to the node REMOTE by way of TUN, whose kernel side has ADDRESS/PREFIX; send "
        "standard input, print what comes back on standard output, and close our side at "
        "the end of input. A TUN that does not exist is created and configured. Everything "
        "else that is said goes to standard error.",
    .epilogue = "A session with the peer; a file there and back; its echo, packet by packet:\n"
                "  {host} tun0 10.0.0.1/24 10.0.1.5\n"
                "  {host} tun0 10.0.0.1/24 10.0.1.5 < file > copy\n"
                "  {host} -v --port 7 tun0 10.0.0.1/24 10.0.1.5\n"
                "  {host} tun0 fd00::1/64 fd00:1::5\n"
                "\n"
                "Is it there, which way is it, and does it echo datagrams?\n"
                "  {host} --ping --count 3 tun0 10.0.0.1/24 10.0.1.5\n"
                "  {host} --traceroute tun0 10.0.0.1/24 10.0.1.5\n"
                "  echo hello | {host} --udp --port 7 tun0 10.0.0.1/24 10.0.1.5\n"
                "\n"
                "The first SIGINT, SIGTERM or SIGHUP closes the connection in order, the second\n"
                "resets it.\n"
                "\n"
                "Exit codes: 0 closed in order, or answered; 1 refused, reset, timed out, nobody\n"
                "answered, or the input, output, capture or trace failed; 2 usage; 4 a privilege\n"
                "or the device is missing; 5 the TUN is in use by another process, or the name\n"
                "belongs to something else.\n",
    .chapters = choice_help,
    .options = options,
};

/* Two nodes in this process: ours, and a peer with all its services. */
static int open_in_memory(struct host *h)
{
    struct node_options *far = &h->far_opt;
    int code;

    *far = h->opt.node;
    if (services_small(far->port)) /* who asks for port 9 means discard, as with a peer elsewhere */
        far->port = NODE_PORT;
    far->tun = "peer";
    far->local = far->net.addr = h->opt.node.remote;
    far->locals = (struct cidr_list){.n = 1};
    far->locals.at[0] = (struct cidr){far->local, h->opt.node.locals.at[0].prefix_len};
    far->remote = h->opt.node.local;
    far->verbose = 0;
    code = node_open_pair(&h->node, &h->far, &h->wire, &program, &h->opt.node, far);
    if (code != NODE_GO_ON)
        return code;
    if (services_start(&h->services, h->far.st, &far->local, SESSION_ECHO, (uint16_t)far->port,
                       far->max_conns, &h->far.input) < 0) {
        report_error(&h->node.report, "the peer in this process could not start its services");
        return EXIT_FAILED;
    }
    report_line(&h->node.report, "no TUN: both nodes are in this process, on an in-memory wire");
    return NODE_GO_ON;
}

/* What the in-memory wire does not have. */
static int wire_check(const struct node_options *opt)
{
    if (opt->queues > 1)
        return usage_error(&program, "--in-memory does not go with --queues: a wire has one");
    if (opt->leave.named)
        return usage_error(&program,
                           "--in-memory does not go with --offload %s: nothing can be left to a "
                           "wire",
                           opt->offload);
    return NODE_GO_ON;
}

int main(int argc, char **argv)
{
    static struct host h;
    struct node *far;
    int code;

    node_prepare_descriptors();
    node_options_default(&h.opt.node);
    h.opt.node.tun = "tun0"; /* for --status */
    h.opt.node.connect_timeout = CONNECT_TIMEOUT * SEC;
    h.opt.bytes = BYTES_NOT_GIVEN;
    h.opt.tool.size = TOOL_NOT_GIVEN;
    code = node_options_parse(&program, &h.opt.node, HOST_NUMBER, argc, argv);
    if (code != NODE_GO_ON)
        return code;
    if (h.opt.bytes == BYTES_NOT_GIVEN)
        h.opt.bytes = LOAD_BYTES;
    else if (!h.opt.connections)
        return usage_error(&program, "--bytes goes with --connections; a session sends its input");
    if (h.opt.connections && tool_asked(&h.opt.tool))
        return usage_error(&program, "--connections is a mode of its own");
    code = load_check(&program, &h.opt.node, h.opt.connections);
    if (code != NODE_GO_ON)
        return code;
    code = tool_options_check(&program, &h.opt.node, &h.opt.tool);
    if (code != NODE_GO_ON)
        return code;
    code = h.opt.in_memory ? wire_check(&h.opt.node) : NODE_GO_ON;
    if (code != NODE_GO_ON)
        return code;
    if (h.opt.node.queues > 1)
        return load_run_team(&program, &h.opt.node, h.opt.connections, h.opt.bytes);
    far = h.opt.in_memory ? &h.far : NULL;
    code = far ? open_in_memory(&h) : node_open(&h.node, &program, &h.opt.node);
    if (code != NODE_GO_ON)
        return code;
    if (tool_asked(&h.opt.tool))
        code = tool_run(&h.tool, &h.node, far, &h.opt.tool);
    else if (h.opt.connections)
        code = load_run(&h.load, &h.node, far, h.opt.connections, h.opt.bytes);
    else
        code = dial_run(&h.dial, &h.node, far);
    if (far)
        node_close(far, code);
    code = node_close(&h.node, code);
    report_summary(&h.node.report, h.node.st, h.opt.node.tun, code);
    return code;
}
