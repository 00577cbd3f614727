/*
 * What host does besides a session: ping, traceroute, and a netcat over UDP, each an application
 * (app/ping.h, app/traceroute.h, app/udpcat.h) with a life of its own. What they find out is
 * printed on standard output.
 *
 * The first signal ends them with what there is to say so far, the second at once.
 */
#ifndef RUN_TOOL_H
#define RUN_TOOL_H

#include "app/ping.h"
#include "app/traceroute.h"
#include "app/udpcat.h"
#include "run/life.h"

#define TOOL_NOT_GIVEN UINT32_MAX

enum tool_kind {
    TOOL_NONE,
    TOOL_PING,
    TOOL_TRACEROUTE,
    TOOL_UDP,
};

/* What the options say; all zeros, but for `size`, if none is given. */
struct tool_options {
    bool ping, traceroute, udp;
    bool df;
    uint32_t count, size, max_hops, queries;
    int64_t interval, wait;
    const char *method;
};

enum {
    TOOL_HOPS = 30, /* unless told otherwise */
    TOOL_QUERIES = 3,
};

/* The lines of these options in a program's table, which stand at `base` in what it fills. */
#define TOOL_OPTION(base, field) ((base) + offsetof(struct tool_options, field))
#define TOOL_OPTIONS(base)                                                                         \
    {.name = "ping",                                                                               \
     .group = "instead of a session",                                                              \
     .kind = OPTION_FLAG,                                                                          \
     .offset = TOOL_OPTION(base, ping),                                                            \
     .help = "Instead of a session: ask REMOTE for echoes, once per second, and say what came "    \
             "back; with --quiet only how many, at the end."},                                     \
        {.name = "traceroute",                                                                     \
         .kind = OPTION_FLAG,                                                                      \
         .offset = TOOL_OPTION(base, traceroute),                                                  \
         .help = "Instead of a session: find out which routers are on the way to REMOTE."},        \
        {.name = "udp",                                                                            \
         .kind = OPTION_FLAG,                                                                      \
         .offset = TOOL_OPTION(base, udp),                                                         \
         .help = "A session over UDP: what is read at once from standard input leaves as a "       \
                 "datagram, and what comes is printed. It ends when the input has ended and "      \
                 "nothing has come for --wait."},                                                  \
        {.letter = 'c',                                                                            \
         .name = "count",                                                                          \
         .arg = "N",                                                                               \
         .kind = OPTION_U32,                                                                       \
         .offset = TOOL_OPTION(base, count),                                                       \
         .min = 1,                                                                                 \
         .max = UINT32_MAX - 1,                                                                    \
         .help = "With --ping: so many requests; without it until it is stopped."},                \
        {.letter = 'i',                                                                            \
         .name = "interval",                                                                       \
         .arg = "SECONDS",                                                                         \
         .kind = OPTION_SECONDS,                                                                   \
         .offset = TOOL_OPTION(base, interval),                                                    \
         .min = MSEC,                                                                              \
         .max = NODE_SECONDS_MAX * SEC,                                                            \
         .help = "With --ping: between two requests; 1 without it."},                              \
        {.letter = 's',                                                                            \
         .name = "size",                                                                           \
         .arg = "BYTES",                                                                           \
         .kind = OPTION_U32,                                                                       \
         .offset = TOOL_OPTION(base, size),                                                        \
         .max = 65527,                                                                             \
         .help = "Bytes of data in what --ping (56 without it) or --traceroute (32) sends, and "   \
                 "of each datagram of --udp, which otherwise is what is read at once; up to "      \
                 "65507 over IPv4, 65527 over IPv6."},                                             \
        {.letter = 'W',                                                                            \
         .name = "wait",                                                                           \
         .arg = "SECONDS",                                                                         \
         .kind = OPTION_SECONDS,                                                                   \
         .offset = TOOL_OPTION(base, wait),                                                        \
         .min = MSEC,                                                                              \
         .max = NODE_SECONDS_MAX * SEC,                                                            \
         .help = "How long answers are waited for: --ping, behind the last request (twice the "    \
                 "longest round trip without it, 10 if there was none), --traceroute (3), --udp "  \
                 "(1)."},                                                                          \
        {.name = "df",                                                                             \
         .kind = OPTION_FLAG,                                                                      \
         .offset = TOOL_OPTION(base, df),                                                          \
         .help = "With these three: never in fragments."},                                         \
        {.letter = 'm',                                                                            \
         .name = "max-hops",                                                                       \
         .arg = "N",                                                                               \
         .kind = OPTION_U32,                                                                       \
         .offset = TOOL_OPTION(base, max_hops),                                                    \
         .min = 1,                                                                                 \
         .max = TRACEROUTE_HOPS_MAX,                                                               \
         .help = "With --traceroute: no further than so many hops, 30 without it; --ttl is the "   \
                 "first."},                                                                        \
        {.name = "queries",                                                                        \
         .arg = "N",                                                                               \
         .kind = OPTION_U32,                                                                       \
         .offset = TOOL_OPTION(base, queries),                                                     \
         .min = 1,                                                                                 \
         .max = TRACEROUTE_QUERIES_MAX,                                                            \
         .help = "With --traceroute: probes for each hop; 3 without it."},                         \
    {                                                                                              \
        .name = "method", .arg = "NAME", .kind = OPTION_STRING,                                    \
        .offset = TOOL_OPTION(base, method),                                                       \
        .help = "With --traceroute: udp, or icmp; udp without it, to ports from --port on, or "    \
                "33434."                                                                           \
    }

struct tool {
    struct life life;
    struct node *node;
    enum tool_kind kind;
    const struct tool_options *opt;
    bool stopped, told;
    int64_t began_at; /* ns */
    union {
        struct ping ping;
        struct traceroute traceroute;
        struct udpcat udp;
    } is;
};

/* Which of them the options ask for. */
enum tool_kind tool_asked(const struct tool_options *o);

/* Do they go together? NODE_GO_ON, or EXIT_USAGE after one line. */
int tool_options_check(const struct program *prog, const struct node_options *node,
                       const struct tool_options *o);

/*
 * Run the one that is asked for. Returns the exit code: 0 if anybody has answered, or the way was
 * found to its end, or the datagrams were taken, as far as is known. `far` as in dial_run.
 */
int tool_run(struct tool *t, struct node *n, struct node *far, const struct tool_options *o);

#endif
