#include "run/tool.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "run/exit.h"
#include "run/node_tun.h"

enum {
    PING_SIZE = 56, /* bytes of data, unless told otherwise */
    TRACEROUTE_SIZE = 32,
};

/* ---- Options ---- */

enum tool_kind tool_asked(const struct tool_options *o)
{
    return o->ping ? TOOL_PING : o->traceroute ? TOOL_TRACEROUTE : o->udp ? TOOL_UDP : TOOL_NONE;
}

static bool is_icmp(const struct tool_options *o)
{
    return o->method && strcmp(o->method, "icmp") == 0;
}

/* An option that was given and that the tool has no use for; NULL: there is none. */
static const char *useless(const struct node_options *node, const struct tool_options *o,
                           enum tool_kind kind)
{
    bool any = kind != TOOL_NONE, ping = kind == TOOL_PING, trace = kind == TOOL_TRACEROUTE;
    const struct {
        const char *name;
        bool given, good;
    } option[] = {
        {"count", o->count, ping},
        {"interval", o->interval, ping},
        {"size", o->size != TOOL_NOT_GIVEN, any},
        {"wait", o->wait, any},
        {"df", o->df, any},
        {"max-hops", o->max_hops, trace},
        {"queries", o->queries, trace},
        {"method", o->method, trace},
        {"port", node->port != NODE_PORT, !ping && !(trace && is_icmp(o))},
    };

    for (unsigned i = 0; i < sizeof(option) / sizeof(option[0]); i++)
        if (option[i].given && !option[i].good)
            return option[i].name;
    return NULL;
}

static const char *called(const struct tool_options *o, enum tool_kind kind)
{
    switch (kind) {
    case TOOL_NONE:
        return "a session over TCP";
    case TOOL_PING:
        return "--ping";
    case TOOL_TRACEROUTE:
        return is_icmp(o) ? "--traceroute --method icmp" : "--traceroute";
    case TOOL_UDP:
        return "--udp";
    }
    return "";
}

int tool_options_check(const struct program *prog, const struct node_options *node,
                       const struct tool_options *o)
{
    enum tool_kind kind = tool_asked(o);
    bool v4 = addr_is_v4(&node->remote);
    uint32_t most = v4 ? 65507 : 65527;
    const char *name;

    if (o->ping + o->traceroute + o->udp > 1)
        return usage_error(prog, "--ping, --traceroute and --udp: one at a time");
    name = useless(node, o, kind);
    if (name)
        return usage_error(prog, "--%s does not go with %s", name, called(o, kind));
    if (o->method && !is_icmp(o) && strcmp(o->method, "udp") != 0)
        return usage_error(prog, "--method: there is no '%s'; there are udp, icmp", o->method);
    if (o->size != TOOL_NOT_GIVEN && o->size > most)
        return usage_error(prog, "--size: a packet of %s holds %u bytes of data",
                           v4 ? "IPv4" : "IPv6", (unsigned)most);
    if (o->size == 0 && kind == TOOL_UDP)
        return usage_error(prog, "--size: a datagram of --udp holds one byte at least");
    if (o->max_hops && node->ttl > o->max_hops)
        return usage_error(prog, "--ttl, the first hop, is beyond --max-hops");
    return NODE_GO_ON;
}

/* ---- Beginning ---- */

static uint32_t given(uint32_t value, uint32_t otherwise)
{
    return value ? value : otherwise;
}

static struct udp_settings settings_of(const struct tool *t)
{
    const struct node_options *n = t->node->opt;
    struct udp_settings s = {
        .ttl = (uint8_t)n->ttl,
        .dscp = (uint8_t)n->dscp,
        .df = t->opt->df,
    };

    if (!addr_is_unspecified(&n->via)) {
        s.route.hops = 1;
        s.route.hop[0] = addr_v4_value(&n->via);
    }
    return s;
}

static uint32_t size_of(const struct tool *t, uint32_t otherwise)
{
    return t->opt->size == TOOL_NOT_GIVEN ? otherwise : t->opt->size;
}

static int start_ping(struct tool *t)
{
    const struct ping_how how = {
        .remote = t->node->opt->remote,
        .count = t->opt->count,
        .size = size_of(t, PING_SIZE),
        .interval = t->opt->interval ? t->opt->interval : SEC,
        .wait = t->opt->wait,
        .quiet = t->node->opt->quiet,
        .settings = settings_of(t),
    };

    life_operator(&t->life, &t->is.ping.lines.console);
    return ping_start(&t->is.ping, t->node->st, &how);
}

static int start_traceroute(struct tool *t)
{
    const struct node_options *n = t->node->opt;
    uint8_t first = (uint8_t)given(n->ttl, 1);
    const struct traceroute_how how = {
        .remote = n->remote,
        .icmp = is_icmp(t->opt),
        .first = first,
        .max = (uint8_t)given(t->opt->max_hops, first > TOOL_HOPS ? first : TOOL_HOPS),
        .queries = (uint8_t)given(t->opt->queries, TOOL_QUERIES),
        .port = n->port == NODE_PORT ? (uint16_t)TRACEROUTE_PORT : (uint16_t)n->port,
        .size = size_of(t, TRACEROUTE_SIZE),
        .wait = t->opt->wait ? t->opt->wait : 3 * SEC,
        .settings = settings_of(t),
    };

    life_operator(&t->life, &t->is.traceroute.lines.console);
    return traceroute_start(&t->is.traceroute, t->node->st, &how);
}

static int start_udp(struct tool *t)
{
    const struct udpcat_how how = {
        .remote = t->node->opt->remote,
        .port = (uint16_t)t->node->opt->port,
        .wait = t->opt->wait ? t->opt->wait : SEC,
        .size = size_of(t, 0),
        .settings = settings_of(t),
    };

    life_operator(&t->life, &t->is.udp.console);
    t->life.op.unit = how.size;
    return udpcat_start(&t->is.udp, t->node->st, &how);
}

static int start(struct tool *t)
{
    switch (t->kind) {
    case TOOL_PING:
        return start_ping(t);
    case TOOL_TRACEROUTE:
        return start_traceroute(t);
    case TOOL_UDP:
        return start_udp(t);
    case TOOL_NONE:
        break;
    }
    return -EINVAL;
}

/* ---- Turns ---- */

/* No more of it: with the first signal, or when nobody reads what it says. */
static void stop(struct tool *t)
{
    t->stopped = true;
    switch (t->kind) {
    case TOOL_PING:
        ping_stop(&t->is.ping);
        break;
    case TOOL_TRACEROUTE:
        traceroute_stop(&t->is.traceroute);
        break;
    case TOOL_UDP:
        t->is.udp.done = true;
        break;
    case TOOL_NONE:
        break;
    }
}

/* What the network says of datagrams that were sent, once for each kind in a row. */
static void tell_trouble(struct tool *t)
{
    const struct udp_error *e = &t->is.udp.last;
    char from[ADDR_TEXT_MAX];

    if (t->is.udp.errors == 0 || t->is.udp.refused)
        return;
    if (!t->told)
        report_line(&t->node->report, "%s says: %s", addr_format(&e->from, from),
                    reason_text((enum reason)e->why)->sentence);
    t->told = true;
}

/* Give it its turn. Is it over, and all shown? */
static bool turn(struct tool *t, struct loop *l)
{
    struct stack *st = t->node->st;
    bool done = false, pending = false;
    int64_t at = TIME_NEVER;

    switch (t->kind) {
    case TOOL_PING:
        at = ping_turn(&t->is.ping, st, l->now);
        done = t->is.ping.done;
        pending = lines_pending(&t->is.ping.lines);
        break;
    case TOOL_TRACEROUTE:
        at = traceroute_turn(&t->is.traceroute, st, l->now);
        done = t->is.traceroute.done;
        pending = lines_pending(&t->is.traceroute.lines);
        break;
    case TOOL_UDP:
        at = udpcat_turn(&t->is.udp, st, l->now);
        done = t->is.udp.done;
        tell_trouble(t);
        break;
    case TOOL_NONE:
        break;
    }
    if (l->output_error)
        return true;
    if (pending && !life_output_pending(&t->life))
        l->busy = true; /* the operator's side comes before us in a turn */
    l->wake = time_min(l->wake, at);
    return done && !pending && !life_output_pending(&t->life);
}

static bool tool_decide(void *arg, struct loop *l)
{
    struct tool *t = arg;

    node_complain(t->node, l->node[0].write_error);
    l->wake = node_say_on(l->now);
    if (l->asked > 1)
        return true;
    if (l->asked && !t->stopped)
        stop(t);
    return turn(t, l);
}

/* ---- The end ---- */

static int verdict_ping(struct tool *t)
{
    const struct ping *p = &t->is.ping;
    const struct report_value v[] = {
        {.key = "sent", .number = p->sent},
        {.key = "received", .number = p->received},
        {.key = "duplicates", .number = p->duplicates},
        {.key = "errors", .number = p->errors},
        {.key = "wrong", .number = p->wrong},
        {.key = "loss_percent", .number = ping_loss(p)},
        {.key = "rtt_min_ms", .is_ms = true, .ns = p->min},
        {.key = "rtt_avg_ms", .is_ms = true, .ns = ping_average(p)},
        {.key = "rtt_max_ms", .is_ms = true, .ns = p->max},
        {.key = "rtt_mdev_ms", .is_ms = true, .ns = ping_deviation(p)},
    };

    report_found(&t->node->report, "ping", &p->how.remote, v, sizeof(v) / sizeof(v[0]));
    return p->received > 0 && p->wrong == 0 ? EXIT_DONE : EXIT_FAILED;
}

static int verdict_traceroute(struct tool *t)
{
    const struct traceroute *r = &t->is.traceroute;
    const struct report_value v[] = {
        {.key = "reached", .number = r->reached},
        {.key = "hops", .number = traceroute_hops(r)},
    };

    for (unsigned i = 0; i < r->shown; i++) {
        const struct traceroute_probe *p = &r->probe[i];
        const struct report_value probe[] = {
            {.key = "ttl", .number = r->how.first + i / r->how.queries},
            {.key = "rtt_ms", .is_ms = true, .ns = p->rtt},
            {.key = "mark", .text = p->mark},
        };

        if (p->answered)
            report_found(&t->node->report, "hop", &p->from, probe, 3);
    }
    report_found(&t->node->report, "traceroute", &r->how.remote, v, 2);
    return r->reached ? EXIT_DONE : EXIT_FAILED;
}

/* What went, and how fast, the wait for more left out. */
static void tell_udp(const struct report *report, const struct udpcat *u, const char *remote,
                     int64_t took)
{
    char time[REPORT_DURATION], rate[REPORT_RATE];

    report_line(report,
                "%s: sent %" PRIu64 " datagram%s of %" PRIu64 " byte%s, received %" PRIu64
                " of %" PRIu64 " byte%s in %s%s",
                remote, u->sent, report_s(u->sent), u->bytes_sent, report_s(u->bytes_sent),
                u->received, u->bytes_received, report_s(u->bytes_received),
                report_duration(took, time),
                report_rate(u->bytes_sent + u->bytes_received, took, rate));
}

static void explain_refused(const struct report *report, const struct udpcat *u, const char *remote)
{
    unsigned port = u->how.port;

    if (node_tun_kernel_has(&u->how.remote))
        report_error(report,
                     "%s refused: nobody takes datagrams on port %u there; that is the kernel's "
                     "own side, where any program of this machine can: nc -u -l -p %u",
                     remote, port, port);
    else
        report_error(report,
                     "%s refused: nobody takes datagrams on port %u there; a peer takes them on 7, "
                     "9, 19 and 6969, say: --port 7",
                     remote, port);
}

static int verdict_udp(struct tool *t)
{
    const struct report *report = &t->node->report;
    struct udpcat *u = &t->is.udp;
    int64_t took = time_max(u->quiet_at - t->began_at, 0);
    const struct report_value v[] = {
        {.key = "datagrams_sent", .number = u->sent},
        {.key = "bytes_sent", .number = u->bytes_sent},
        {.key = "datagrams_received", .number = u->received},
        {.key = "bytes_received", .number = u->bytes_received},
        {.key = "errors", .number = u->errors},
        {.key = "duration_ms", .is_ms = true, .ns = took},
    };
    char remote[ADDR_PORT_TEXT_MAX];

    addr_port_format(&u->how.remote, u->how.port, remote);
    report_found(report, "udp", &u->how.remote, v, sizeof(v) / sizeof(v[0]));
    if (!u->refused)
        tell_udp(report, u, remote, took);
    if (t->life.loop.output_error || t->life.op.in_error)
        report_error(report, "cannot %s: %s", t->life.op.in_error ? "read the input" : "write",
                     strerror(t->life.op.in_error ? -t->life.op.in_error
                                                  : -t->life.loop.output_error));
    else if (u->refused == -ECONNREFUSED)
        explain_refused(report, u, remote);
    else if (u->refused == -EMSGSIZE)
        report_error(report, "a datagram to %s would not fit into a packet; --df forbids fragments",
                     remote);
    else if (u->refused)
        report_error(report, "%s: %s", remote, strerror(-u->refused));
    else
        return EXIT_DONE;
    return EXIT_FAILED;
}

static int verdict(struct tool *t)
{
    switch (t->kind) {
    case TOOL_PING:
        return verdict_ping(t);
    case TOOL_TRACEROUTE:
        return verdict_traceroute(t);
    case TOOL_UDP:
        return verdict_udp(t);
    case TOOL_NONE:
        break;
    }
    return EXIT_FAILED;
}

static void explain_start(const struct tool *t, int error)
{
    const struct report *report = &t->node->report;
    char remote[ADDR_TEXT_MAX];

    addr_format(&t->node->opt->remote, remote);
    if (error == -EINVAL)
        report_error(report, "%s cannot be asked anything; give a node's address", remote);
    else if (error == -EMSGSIZE)
        report_error(report,
                     "probes of this --size do not fit into a packet to %s, and --df "
                     "forbids fragments",
                     remote);
    else
        report_error(report, "%s: cannot begin: %s", remote, strerror(-error));
}

int tool_run(struct tool *t, struct node *n, struct node *far, const struct tool_options *o)
{
    int code, r;

    t->node = n;
    t->opt = o;
    t->kind = tool_asked(o);
    code = life_begin(&t->life, n, tool_decide, t);
    if (code != NODE_GO_ON)
        return code;
    if (far)
        loop_add(&t->life.loop, far->st, far->dev);
    code = life_settle(&t->life);
    if (code != NODE_GO_ON)
        return code;
    report_ready(&n->report, &n->opt->locals, n->opt->tun, NULL, 0);
    t->began_at = t->life.loop.now;
    r = start(t);
    if (r < 0) {
        explain_start(t, r);
        life_end(&t->life);
        return EXIT_FAILED;
    }
    code = life_run(&t->life);
    if (code == EXIT_DONE)
        code = verdict(t);
    if (t->kind == TOOL_UDP)
        udpcat_finish(&t->is.udp, n->st);
    life_end(&t->life);
    return code;
}
