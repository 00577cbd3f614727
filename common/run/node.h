/*
 * A node as a program holds it: options, memory, the chain of devices, the stack.
 *
 * The chain is built here and nowhere else, from the bottom up:
 *
 *   stack - [trace] - [capture] - [printer] - [impairment] - TUN or in-memory wire
 *
 * Two nodes may live in one process, joined by an in-memory wire; then nothing of the machine is
 * touched. Functions that can fail print their one line and return an exit code, or -1 to go on.
 */
#ifndef RUN_NODE_H
#define RUN_NODE_H

#include "link/capture.h"
#include "link/handover.h"
#include "link/impair.h"
#include "link/printer.h"
#include "link/tun.h"
#include "link/wire.h"
#include "run/address.h"
#include "run/offload.h"
#include "run/options.h"
#include "run/report.h"
#include "run/team.h"
#include "run/teller.h"
#include "run/trace.h"
#include "stack/stack.h"

enum {
    NODE_GO_ON = -1,
    NODE_PORT = 8000, /* of a session, unless told otherwise */
    NODE_SECONDS_MAX = 24 * 3600,
    NODE_CONNS = 16384, /* places for connections, unless told otherwise */
    NODE_CONNS_MAX = 1 << 24,
    NODE_NAME = 24,     /* bytes */
    NODE_BUSY_MAX = 60, /* s of waiting awake */
    NODE_STEP = 10,     /* ms: of the clock in a run with a seed, unless told otherwise */
};

#define NODE_NO_SEED UINT32_MAX
#define NODE_NO_STEP (-1)

/* What the options and operands say that are common to all nodes; programs put it first. */
struct node_options {
    const char *tun; /* as it begins: the one that --status asks if none is given */
    struct cidr net; /* the kernel's address on the TUN */
    struct addr remote;
    struct addr local;       /* ours, of the remote node's version: the first of ... */
    struct cidr_list locals; /* ... all of ours; the subnet's host number that the program gives is
                              * added if none of its version was given */
    uint32_t port;
    uint32_t max_conns; /* connections in all states together, of each queue */
    uint32_t queues;    /* threads, each with a queue of the TUN */
    const char *pcap, *trace;
    bool trace_join; /* join files of traces, and be no node */
    unsigned verbose;
    bool json, quiet;
    bool status; /* ask a running node, and be none */
    const char *cc, *without;
    uint32_t cwnd; /* segments; 0: the initial window of RFC 6928 */
    uint32_t mss;  /* bytes; 0: what the MTU gives */
    bool urgent, no_nagle, no_delayed_ack, no_timestamps, no_sack, no_wscale, no_ecn;
    bool accept_source_routes;
    struct addr via; /* of a source route for all we send; unspecified: none */
    int64_t connect_timeout, user_timeout, keepalive; /* ns; 0: the stack's default */
    int64_t path_mtu_age;                             /* the same */
    uint32_t dscp, ttl;                               /* ttl 0: the stack's default */
    const char *offload;                              /* what was said of it, or NULL */
    struct offload_choice leave;                      /* ... and what it means */
    int64_t busy_poll;                                /* ns; 0: none */
    const char *impair;                               /* rules, or NULL */
    struct rules rules;                               /* what they say */
    uint32_t seed;                                    /* NODE_NO_SEED: none was given */
    int64_t step; /* ns; NODE_NO_STEP: not given; 0: the clock runs on */
};

/* The lines of these options in a program's table; `host_number` as text, "7". */
#define NODE_OPTION(field) offsetof(struct node_options, field)
#define NODE_OPTIONS(host_number)                                                                  \
    {.letter = 'l',                                                                                \
     .name = "local",                                                                              \
     .arg = "ADDR[/LEN]",                                                                          \
     .kind = OPTION_CIDRS,                                                                         \
     .offset = NODE_OPTION(locals),                                                                \
     .group = "the node",                                                                          \
     .help =                                                                                       \
         "The node's own address; more of them with more of these, also of the other version of "  \
         "IP. Without one of ADDRESS' version: the TUN's subnet with the host number " host_number \
         "."},                                                                                     \
        {.letter = 'p',                                                                            \
         .name = "port",                                                                           \
         .arg = "N",                                                                               \
         .kind = OPTION_U32,                                                                       \
         .offset = NODE_OPTION(port),                                                              \
         .min = 1,                                                                                 \
         .max = 65535,                                                                             \
         .help = "The session's port; 8000 without it."},                                          \
        {.name = "max-connections",                                                                \
         .arg = "N",                                                                               \
         .kind = OPTION_U32,                                                                       \
         .offset = NODE_OPTION(max_conns),                                                         \
         .min = 1,                                                                                 \
         .max = NODE_CONNS_MAX,                                                                    \
         .help = "How many connections there can be at once; 16384 without it. Each that is open " \
                 "costs about 512 bytes, and 0.9 KB more while it sends; those that are not, "     \
                 "next to nothing."},                                                              \
        {.letter = 'w',                                                                            \
         .name = "pcap",                                                                           \
         .arg = "FILE",                                                                            \
         .kind = OPTION_STRING,                                                                    \
         .offset = NODE_OPTION(pcap),                                                              \
         .group = "what is seen of it",                                                            \
         .help = "Write every packet into a pcapng file; '-' is standard output, for a live "      \
                 "reader, and then no data is printed there."},                                    \
        {.name = "trace",                                                                          \
         .arg = "FILE",                                                                            \
         .kind = OPTION_STRING,                                                                    \
         .offset = NODE_OPTION(trace),                                                             \
         .help = "Write what happens, and why, as JSON that ui.perfetto.dev shows as a picture: "  \
                 "states, timers, segments, windows."},                                            \
        {.name = "trace-join",                                                                     \
         .kind = OPTION_FLAG,                                                                      \
         .offset = NODE_OPTION(trace_join),                                                        \
         .help = "Be no node: join the traces that follow as operands, those of host and peer, "   \
                 "into one on standard output, in which each segment has its sender and its "      \
                 "receiver."},                                                                     \
        {.letter = 'v',                                                                            \
         .name = "verbose",                                                                        \
         .kind = OPTION_COUNT,                                                                     \
         .offset = NODE_OPTION(verbose),                                                           \
         .help = "A line for each packet on standard error; twice: its bytes in hex too."},        \
        {.letter = 'j',                                                                            \
         .name = "json",                                                                           \
         .kind = OPTION_FLAG,                                                                      \
         .offset = NODE_OPTION(json),                                                              \
         .help = "Instead of lines for people, one JSON object per line on standard error: "       \
                 "ready, connected, closed, error, and at the end a summary. Not with -v."},       \
        {.letter = 'S',                                                                            \
         .name = "status",                                                                         \
         .kind = OPTION_FLAG,                                                                      \
         .offset = NODE_OPTION(status),                                                            \
         .help = "Print what the node that runs on TUN knows of its connections, as ss -ti "       \
                 "does, and leave; with -v its counters too, with --json all of it as JSON. "      \
                 "TUN alone is enough, or nothing."},                                              \
        {.letter = 'q',                                                                            \
         .name = "quiet",                                                                          \
         .kind = OPTION_FLAG,                                                                      \
         .offset = NODE_OPTION(quiet),                                                             \
         .help = "Errors only."},                                                                  \
        {.name = "offload",                                                                        \
         .arg = "WHAT",                                                                            \
         .kind = OPTION_LIST,                                                                      \
         .offset = NODE_OPTION(offload),                                                           \
         .group = "speed",                                                                         \
         .help = "What is left to the TUN: some of csum (checksums), tso4 and tso6 (segments of "  \
                 "up to 64 KiB, over IPv4 and IPv6) and uso (datagrams of one size, as many as "   \
                 "make 64 KiB), and join (segments that come one by one are joined as they are "   \
                 "read, but not with --pcap, --trace or --verbose), with commas between them, "    \
                 "auto or off. Without it auto: all that the kernel has, but off with --impair "   \
                 "or --seed."},                                                                    \
        {.name = "busy-poll",                                                                      \
         .arg = "SECONDS",                                                                         \
         .kind = OPTION_SECONDS,                                                                   \
         .offset = NODE_OPTION(busy_poll),                                                         \
         .max = NODE_BUSY_MAX * SEC,                                                               \
         .help = "Read the TUN again and again for so long after the last packet, as in 200us, "   \
                 "before sleeping: an answer comes much sooner, and a processor is busy with "     \
                 "waiting. Without it there is no waiting awake."},                                \
        {.name = "queues",                                                                         \
         .arg = "N",                                                                               \
         .kind = OPTION_U32,                                                                       \
         .offset = NODE_OPTION(queues),                                                            \
         .min = 1,                                                                                 \
         .max = HANDOVER_MEMBERS_MAX,                                                              \
         .help = "Be N threads, each with a queue of the TUN and connections of its own; one "     \
                 "without it. A TUN that exists was made by netsetup up --queues."},               \
        {.name = "mss",                                                                            \
         .arg = "BYTES",                                                                           \
         .kind = OPTION_U32,                                                                       \
         .offset = NODE_OPTION(mss),                                                               \
         .min = 64,                                                                                \
         .max = 65495,                                                                             \
         .group = "TCP",                                                                           \
         .help = "The largest segment to offer; without it what the MTU gives."},                  \
        {.name = "cc",                                                                             \
         .arg = "NAME",                                                                            \
         .kind = OPTION_STRING,                                                                    \
         .offset = NODE_OPTION(cc),                                                                \
         .help = "The congestion control, of those below; cubic without it."},                     \
        {.name = "cwnd",                                                                           \
         .arg = "SEGMENTS",                                                                        \
         .kind = OPTION_U32,                                                                       \
         .offset = NODE_OPTION(cwnd),                                                              \
         .min = 1,                                                                                 \
         .max = 65535,                                                                             \
         .help = "The window that each connection begins with; with --cc fixed it stays so. "      \
                 "Without it 10 segments, less if they are large."},                               \
        {.name = "without",                                                                        \
         .arg = "LIST",                                                                            \
         .kind = OPTION_LIST,                                                                      \
         .offset = NODE_OPTION(without),                                                           \
         .help = "Do without these mechanisms of those below, as in --without rack,prr, to see "   \
                 "what they buy."},                                                                \
        {.name = "urgent",                                                                         \
         .kind = OPTION_FLAG,                                                                      \
         .offset = NODE_OPTION(urgent),                                                            \
         .help = "Mark what is typed as urgent (RFC 9293 3.8.5); new programs should not."},       \
        {.name = "no-nagle",                                                                       \
         .kind = OPTION_FLAG,                                                                      \
         .offset = NODE_OPTION(no_nagle),                                                          \
         .help = "Send small segments at once."},                                                  \
        {.name = "no-delayed-ack",                                                                 \
         .kind = OPTION_FLAG,                                                                      \
         .offset = NODE_OPTION(no_delayed_ack),                                                    \
         .help = "Acknowledge every batch at once."},                                              \
        {.name = "no-timestamps",                                                                  \
         .kind = OPTION_FLAG,                                                                      \
         .offset = NODE_OPTION(no_timestamps),                                                     \
         .help = "Without timestamps (RFC 7323)."},                                                \
        {.name = "no-sack",                                                                        \
         .kind = OPTION_FLAG,                                                                      \
         .offset = NODE_OPTION(no_sack),                                                           \
         .help = "Without selective acknowledgments (RFC 2018)."},                                 \
        {.name = "no-window-scaling",                                                              \
         .kind = OPTION_FLAG,                                                                      \
         .offset = NODE_OPTION(no_wscale),                                                         \
         .help = "Without window scaling (RFC 7323)."},                                            \
        {.name = "no-ecn",                                                                         \
         .kind = OPTION_FLAG,                                                                      \
         .offset = NODE_OPTION(no_ecn),                                                            \
         .help = "Without congestion notification (RFC 3168)."},                                   \
        {.name = "keepalive",                                                                      \
         .arg = "SECONDS",                                                                         \
         .kind = OPTION_SECONDS,                                                                   \
         .offset = NODE_OPTION(keepalive),                                                         \
         .min = SEC / 10,                                                                          \
         .max = NODE_SECONDS_MAX * SEC,                                                            \
         .help =                                                                                   \
             "Ask a remote node that was silent for so long whether it is still there, and give "  \
             "up when it does not answer; without this, silence is no reason."},                   \
        {.name = "user-timeout",                                                                   \
         .arg = "SECONDS",                                                                         \
         .kind = OPTION_SECONDS,                                                                   \
         .offset = NODE_OPTION(user_timeout),                                                      \
         .min = SEC / 10,                                                                          \
         .max = NODE_SECONDS_MAX * SEC,                                                            \
         .help = "Give up if what was sent is not answered for so long; 300 without it."},         \
        {.name = "via",                                                                            \
         .arg = "ADDR",                                                                            \
         .kind = OPTION_ADDR4,                                                                     \
         .offset = NODE_OPTION(via),                                                               \
         .group = "IP",                                                                            \
         .help = "Send everything by way of this router (loose source route, RFC 791 3.1), and "   \
                 "take answers that come so. Few routers and nodes take such packets unless they " \
                 "are told to."},                                                                  \
        {.name = "accept-source-routes",                                                           \
         .kind = OPTION_FLAG,                                                                      \
         .offset = NODE_OPTION(accept_source_routes),                                              \
         .help = "Take packets that come by a source route, and answer by the same way back; "     \
                 "without it they are dropped, because their senders can be forged."},             \
        {.name = "path-mtu-age",                                                                   \
         .arg = "SECONDS",                                                                         \
         .kind = OPTION_SECONDS,                                                                   \
         .offset = NODE_OPTION(path_mtu_age),                                                      \
         .min = SEC / 10,                                                                          \
         .max = NODE_SECONDS_MAX * SEC,                                                            \
         .help = "Try larger packets again where a path took smaller ones only, after so long; "   \
                 "600 without it."},                                                               \
        {.name = "dscp",                                                                           \
         .arg = "N",                                                                               \
         .kind = OPTION_U32,                                                                       \
         .offset = NODE_OPTION(dscp),                                                              \
         .max = 63,                                                                                \
         .help = "The Diffserv codepoint of what is sent; 0 without it."},                         \
        {.name = "ttl",                                                                            \
         .arg = "N",                                                                               \
         .kind = OPTION_U32,                                                                       \
         .offset = NODE_OPTION(ttl),                                                               \
         .min = 1,                                                                                 \
         .max = 255,                                                                               \
         .help = "How many hops what is sent may take; 64 without it."},                           \
        {.name = "impair",                                                                         \
         .arg = "RULES",                                                                           \
         .kind = OPTION_LIST,                                                                      \
         .offset = NODE_OPTION(impair),                                                            \
         .group = "a bad network, and runs that repeat",                                           \
         .help = "Make the way to the TUN and from it worse, as in 'delay 20ms 5ms, loss 1%, "     \
                 "drop syn-ack 2'; 'out: RULES; in: RULES' for each direction. --impair help "     \
                 "lists all rules."},                                                              \
        {.name = "seed",                                                                           \
         .arg = "N",                                                                               \
         .kind = OPTION_U32,                                                                       \
         .offset = NODE_OPTION(seed),                                                              \
         .max = UINT32_MAX - 1,                                                                    \
         .help = "A run that can be repeated: the dice of --impair, ports and sequence numbers "   \
                 "come from N, so others can guess them, and the clock moves in steps. For the "   \
                 "lab only."},                                                                     \
    {                                                                                              \
        .name = "step", .arg = "SECONDS", .kind = OPTION_SECONDS, .offset = NODE_OPTION(step),     \
        .max = SEC,                                                                                \
        .help = "With --seed: how far the clock moves at once; 10ms without it, 0 lets it run "    \
                "on, and then two runs are alike but not the same."                                \
    }

struct node {
    const struct node_options *opt;
    struct team *team;    /* of several threads that are one node; NULL: it is alone */
    unsigned queue;       /* its number there; both are set before it is opened */
    char name[NODE_NAME]; /* by which it is asked: the TUN's, with the number behind it if it is not
                           * the first */
    struct handover_device handed;
    struct report report;
    struct addr local;
    struct buf_pool packets; /* what devices read into */
    struct buf_pool small;   /* copies, see stack_config */
    struct buf_pool input;   /* what the operator types, and other things of the applications */
    struct tun tun;
    struct capture capture;
    struct printer printer;
    struct impair impair;
    struct capture_file own_file;
    struct capture_file *file; /* ours or another node's; NULL: no capture */
    struct trace trace;
    struct trace_file own_trace;
    struct trace_file *trace_file; /* the same of the trace */
    struct device *dev;            /* the top of the chain */
    bool impaired;                 /* `impair` is part of it */
    int64_t step;                  /* ns: of the loop's clock; 0: it runs on */
    struct stack *st;
    struct teller teller;                     /* answers --status; not for a node without a TUN */
    bool told_down, told_capture, told_trace; /* said once */
};

/*
 * Call first. Descriptors 0, 1 and 2 must be taken before anything is opened, or a device may
 * become somebody's standard output. Lines on standard error leave in one piece, because two nodes
 * may share a terminal; and they leave through an outlet that does not wait for a reader who has
 * stopped, except for a short time at the program's end.
 */
void node_prepare_descriptors(void);

/*
 * Parse options and the three operands TUN ADDRESS/PREFIX REMOTE into *opt, which begins as
 * node_options_default left it and may be the first member of something larger that prog's table
 * fills. `host_number` gives the node's default address. With --status the answer is printed, and
 * the exit code is returned.
 */
void node_options_default(struct node_options *opt);
int node_options_parse(const struct program *prog, struct node_options *opt, uint32_t host_number,
                       int argc, char **argv);

/* Attach to the TUN, or create and configure it; build the chain and the stack. */
int node_open(struct node *n, const struct program *prog, const struct node_options *opt);

/* Say that there is no room for several queues. Returns the code. */
int node_no_team(const struct program *prog);

/* Two nodes in one process, joined by `w`; a capture or trace of *a shows both ends. */
int node_open_pair(struct node *a, struct node *b, struct wire_pair *w, const struct program *prog,
                   const struct node_options *opt_a, const struct node_options *opt_b);

/* Say once what went wrong underneath: the interface is down, capture or trace ended. */
void node_complain(struct node *n, int write_error);

/*
 * Once per turn: write what the reader of standard error has not taken yet. Returns when to come
 * back for the rest, or TIME_NEVER.
 */
int64_t node_say_on(int64_t now);

/*
 * Close the chain, the capture and the trace, and say what slow readers missed. Returns `code`, but
 * no EXIT_DONE if capture or trace is not whole.
 */
int node_close(struct node *n, int code);

#endif
