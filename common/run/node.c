#include "run/node.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <net/if.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "run/ask.h"
#include "run/choice.h"
#include "run/clock.h"
#include "run/exit.h"
#include "run/memory.h"
#include "run/netlink.h"
#include "run/node_lab.h"
#include "run/node_trace.h"
#include "run/node_tun.h"
#include "run/self.h"
#include "wire/ip.h"

enum {
    PACKET_BUF = 65536, /* bytes: the largest packet of any TUN */
    PACKET_BUFS = 4096,
    SUPER_BUF = 2 * PACKET_BUF, /* where each may be a super-segment, small ones share a buffer */
    SUPER_BUFS = PACKET_BUFS / 2,
    SMALL_BUF = 2048,
    SMALL_BUFS = 16384,
    INPUT_BUF = 128 * 1024, /* holds a page of the status service too */
    INPUT_BUFS = 128,
    WIRE_MTU = 1500,
    WIRE_QUEUE = 512,         /* packets: what a TUN's queue holds */
    STDERR_BUF = 1024 * 1024, /* bytes that may wait for the reader of standard error */
    STDERR_RETRY = 20,        /* ms after which it is tried again */
};

static struct outlet said; /* standard error; of the process, which may hold two nodes */

/* ---- Options ---- */

static void node_last_words(void)
{
    outlet_drain(&said);
    outlet_close(&said);
}

void node_prepare_descriptors(void)
{
    static char line[BUFSIZ];

    for (int fd = 0; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
            (void)!open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
    }
    setvbuf(stderr, line, _IOLBF, sizeof(line));
    if (outlet_open(&said, STDERR_FILENO, false, true, STDERR_BUF) == 0)
        atexit(node_last_words);
}

void node_options_default(struct node_options *opt)
{
    memset(opt, 0, sizeof(*opt));
    opt->port = NODE_PORT;
    opt->max_conns = NODE_CONNS;
    opt->queues = 1;
    opt->seed = NODE_NO_SEED;
    opt->step = NODE_NO_STEP;
}

static int node_operands(const struct program *prog, struct node_options *opt, char **operand)
{
    const char *why;

    opt->tun = operand[1];
    if (parse_cidr(operand[2], &opt->net, &why) < 0)
        return usage_error(prog, "the address '%s' %s", operand[2], why);
    if (parse_addr(operand[3], &opt->remote) < 0)
        return usage_error(prog, "the remote node's address '%s' is not an IP address", operand[3]);
    return NODE_GO_ON;
}

static bool has_version_of(const struct cidr_list *list, const struct addr *a)
{
    for (unsigned i = 0; i < list->n; i++)
        if (addr_is_v4(&list->at[i].addr) == addr_is_v4(a))
            return true;
    return false;
}

/* An address given without its prefix length is in the TUN's subnet, or in a usual one. */
static uint8_t default_prefix(const struct node_options *opt, const struct addr *a)
{
    if (addr_is_v4(a) == addr_is_v4(&opt->net.addr))
        return opt->net.prefix_len;
    return addr_is_v4(a) ? 24 : 64;
}

/* Our addresses: complete, and that by which the remote node is reached first. */
static int node_locals(const struct program *prog, struct node_options *opt, uint32_t host_number)
{
    struct cidr_list *l = &opt->locals;
    struct cidr swap;
    unsigned first = 0;

    if (!has_version_of(l, &opt->net.addr) && l->n < CIDRS_MAX) {
        if (!cidr_host_number(&opt->net, host_number, &l->at[l->n].addr))
            return usage_error(prog, "the subnet has no host number %u to spare; give --local ADDR",
                               (unsigned)host_number);
        l->at[l->n++].prefix_len = opt->net.prefix_len;
    }
    while (first < l->n && addr_is_v4(&l->at[first].addr) != addr_is_v4(&opt->remote))
        first++;
    if (first == l->n)
        return usage_error(prog, "the remote node has an address of the other version of IP; give "
                                 "--local ADDR/LEN of that version, too");
    swap = l->at[first];
    l->at[first] = l->at[0];
    l->at[0] = swap;
    for (unsigned i = 0; i < l->n; i++) {
        struct cidr *c = &l->at[i];

        if (!c->prefix_len)
            c->prefix_len = default_prefix(opt, &c->addr);
        if (addr_eq(&c->addr, &opt->net.addr))
            return usage_error(prog,
                               "--local is the kernel's own address on the TUN; take another");
        if (addr_eq(&c->addr, &opt->remote))
            return usage_error(prog, "the remote node has this node's own address");
    }
    opt->local = l->at[0].addr;
    return NODE_GO_ON;
}

/* What is named by words. It is looked at before operands are counted: "--cc tun0 ..." lacks a
 * name, not an operand. */
static int node_words(const struct program *prog, struct node_options *opt)
{
    struct tcp_config tried;

    tcp_config_default(&tried);
    if (choice_take(prog, opt->cc, opt->without, &tried) != NODE_GO_ON ||
        node_lab_options(prog, opt) != NODE_GO_ON)
        return EXIT_USAGE;
    if (opt->busy_poll && opt->step)
        return usage_error(prog, "--busy-poll does not go with --seed, whose clock moves in steps "
                                 "(--step 0 lets it run on)");
    if (offload_parse(prog, opt->offload, opt->impair || opt->step, &opt->leave) != NODE_GO_ON)
        return EXIT_USAGE;
    if (opt->pcap || opt->trace || opt->verbose) /* each packet is shown as it came */
        opt->leave.wanted &= ~(unsigned)DEVICE_JOIN;
    return NODE_GO_ON;
}

/* What is about all packets in their order is not for several threads. */
static int node_queues_check(const struct program *prog, const struct node_options *opt)
{
    const char *what = opt->pcap                   ? "--pcap"
                       : opt->trace                ? "--trace"
                       : opt->verbose              ? "--verbose"
                       : opt->impair               ? "--impair"
                       : opt->seed != NODE_NO_SEED ? "--seed"
                                                   : NULL;

    if (opt->queues > 1 && what)
        return usage_error(prog, "%s does not go with --queues: each queue is a thread of its own",
                           what);
    return NODE_GO_ON;
}

/* Checks that concern several options or operands at once. */
static int node_options_check(const struct program *prog, struct node_options *opt,
                              uint32_t host_number)
{
    if (node_locals(prog, opt, host_number) != NODE_GO_ON)
        return EXIT_USAGE;
    if (!addr_is_unspecified(&opt->via) && !addr_is_v4(&opt->remote))
        return usage_error(prog, "--via is for IPv4: in IPv6 nobody takes packets with such a "
                                 "route any more (RFC 5095)");
    if (addr_is_multicast(&opt->via) || addr_is_loopback(&opt->via) ||
        addr_is_limited_broadcast(&opt->via) || addr_eq(&opt->via, &opt->local))
        return usage_error(prog, "--via needs the address of a router on the way");
    if (opt->json && opt->verbose)
        return usage_error(prog, "--json and --verbose do not go together: packet lines are no "
                                 "JSON; --pcap FILE keeps the packets");
    if (opt->pcap && strcmp(opt->pcap, "-") == 0 && isatty(STDOUT_FILENO))
        return usage_error(prog, "a capture is not for a terminal; pipe it to its reader");
    if (opt->trace && strcmp(opt->trace, "-") == 0)
        return usage_error(prog, "--trace needs a file: standard output is for data");
    return node_queues_check(prog, opt);
}

/* --status: TUN is all that matters, and what else its node was called with may stand there. */
static int node_ask(const struct program *prog, const struct node_options *opt, int operands,
                    char **operand)
{
    const struct report report = {.program = prog->name,
                                  .json = opt->json,
                                  .verbose = opt->verbose,
                                  .out = &said};
    const char *tun = operands > 0 ? operand[1] : opt->tun;

    if (operands > 3)
        return usage_error(prog, "'%s' is one operand too many", operand[4]);
    if (!tun || strlen(tun) >= IFNAMSIZ)
        return usage_error(prog, "--status needs the name of a TUN");
    return ask_status(&report, tun);
}

int node_options_parse(const struct program *prog, struct node_options *opt, uint32_t host_number,
                       int argc, char **argv)
{
    int operands = 0;
    int code = options_parse(prog, opt, argc, argv, &operands);
    char missing[80];

    if (code != NODE_GO_ON)
        return code;
    if (opt->impair && strcmp(opt->impair, "help") == 0)
        return node_lab_rules();
    if (opt->status)
        return node_ask(prog, opt, operands, argv);
    if (opt->trace_join)
        return node_trace_join(prog, opt, operands, argv, &said);
    code = node_words(prog, opt);
    if (code != NODE_GO_ON)
        return code;
    if (operands < 3) {
        snprintf(missing, sizeof(missing),
                 "TUN, ADDRESS/PREFIX and REMOTE are needed, and %d of 3 given", operands);
        return usage_missing(prog, opt, missing);
    }
    if (operands > 3)
        return usage_error(prog, "'%s' is one operand too many", argv[4]);
    code = node_operands(prog, opt, argv);
    return code == NODE_GO_ON ? node_options_check(prog, opt, host_number) : code;
}

/* ---- Memory and the stack ---- */

static bool node_pool(struct buf_pool *pool, uint32_t count, uint32_t size)
{
    size_t bytes = buf_pool_bytes(count, size);
    void *mem = memory_reserve(bytes);

    return mem && buf_pool_init(pool, mem, bytes, size) > 0;
}

int node_no_team(const struct program *prog)
{
    const struct report report = {.program = prog->name, .out = &said};

    report_error(&report, "no address space or descriptors for so many queues; see ulimit -v, -n");
    return EXIT_FAILED;
}

static int node_begin(struct node *n, const struct program *prog, const struct node_options *opt)
{
    bool super = opt->leave.wanted != 0;

    n->opt = opt;
    snprintf(n->name, sizeof(n->name), n->queue ? "%.15s/%u" : "%.15s", opt->tun, n->queue);
    n->local = opt->local;
    n->teller.fd = n->teller.client = -1;
    n->report = (struct report){.program = prog->name,
                                .json = opt->json,
                                .quiet = opt->quiet,
                                .verbose = opt->verbose,
                                .out = &said};
    if (node_pool(&n->packets, super ? SUPER_BUFS : PACKET_BUFS, super ? SUPER_BUF : PACKET_BUF) &&
        node_pool(&n->small, SMALL_BUFS, SMALL_BUF) && node_pool(&n->input, INPUT_BUFS, INPUT_BUF))
        return NODE_GO_ON;
    report_error(&n->report, "no address space for the buffers; see ulimit -v");
    return EXIT_FAILED;
}

/* What the options say of TCP. */
static void node_settings(const struct program *prog, const struct node_options *opt,
                          struct tcp_config *cfg)
{
    struct tcp_settings *conn = &cfg->conn;

    cfg->mss = (uint16_t)opt->mss;
    cfg->delayed_ack = !opt->no_delayed_ack;
    cfg->timestamps = !opt->no_timestamps;
    cfg->sack = !opt->no_sack;
    cfg->wscale = !opt->no_wscale;
    cfg->ecn = !opt->no_ecn;
    conn->nagle = !opt->no_nagle;
    cfg->initial_window = opt->cwnd;
    (void)choice_take(prog, opt->cc, opt->without, cfg); /* it has been looked at before */
    conn->dscp = (uint8_t)opt->dscp;
    conn->ttl = (uint8_t)opt->ttl;
    if (!addr_is_unspecified(&opt->via)) {
        conn->route.hops = 1;
        conn->route.hop[0] = addr_v4_value(&opt->via);
    }
    if (opt->connect_timeout)
        conn->r2_syn_ns = opt->connect_timeout;
    if (opt->user_timeout)
        conn->r2_ns = opt->user_timeout;
    if (opt->keepalive) {
        conn->keepalive = true;
        conn->keepalive_ns = opt->keepalive;
        conn->keepalive_interval_ns = time_min(opt->keepalive, conn->keepalive_interval_ns);
    }
}

static bool node_hand_over(void *arg, uint32_t to, const struct pkt *p)
{
    const struct node *n = arg;

    return handover_put(&n->team->handover, n->queue, to, p);
}

static void node_share(struct node *n)
{
    const struct stack_share share = {.me = n->queue,
                                      .all = n->team->members,
                                      .hand_over = node_hand_over,
                                      .arg = n};

    stack_share(n->st, &share);
}

static int node_stack(struct node *n, const struct program *prog)
{
    struct stack_config cfg;
    size_t bytes;
    void *mem;

    stack_config_default(&cfg);
    static_assert((int)CIDRS_MAX == (int)STACK_LOCALS_MAX, "as many addresses as a node can have");
    cfg.locals = n->opt->locals.n;
    for (unsigned i = 0; i < cfg.locals; i++) {
        cfg.local[i] = n->opt->locals.at[i].addr;
        cfg.prefix_len[i] = n->opt->locals.at[i].prefix_len;
    }
    cfg.mtu = n->dev->mtu;
    cfg.max_conns = n->opt->max_conns;
    cfg.leave_checksum = n->dev->offload & DEVICE_CSUM;
    cfg.super4 = n->dev->offload & DEVICE_TSO4 ? DEVICE_PACKET_MAX : 0;
    cfg.super6 = n->dev->offload & DEVICE_TSO6 ? DEVICE_PACKET_MAX : 0;
    cfg.super_udp = n->dev->offload & DEVICE_USO ? DEVICE_PACKET_MAX : 0;
    if (n->opt->path_mtu_age)
        cfg.path_mtu_age = n->opt->path_mtu_age;
    cfg.small = &n->small;
    cfg.large = &n->packets;
    cfg.accept_source_routes = n->opt->accept_source_routes || !addr_is_unspecified(&n->opt->via);
    node_settings(prog, n->opt, &cfg.tcp);
    node_lab_secrets(n, &cfg);
    bytes = stack_bytes(&cfg);
    mem = memory_reserve(bytes);
    if (mem)
        memory_large(mem, stack_table_bytes(&cfg));
    n->st = mem ? stack_create(&cfg, mem, bytes) : NULL;
    sodium_memzero(cfg.secret, sizeof(cfg.secret));
    if (n->st) {
        if (n->team)
            node_share(n);
        node_trace_watch(n);
        return NODE_GO_ON;
    }
    if (mem && cfg.mtu < IPV6_MTU_MIN)
        report_error(&n->report,
                     "%s takes packets of %u bytes, and IPv6 needs %d; try: ip link "
                     "set %s mtu 1500",
                     n->opt->tun, (unsigned)cfg.mtu, (int)IPV6_MTU_MIN, n->opt->tun);
    else
        report_error(&n->report,
                     "no address space for the stack with room for %" PRIu32 " connections; see "
                     "ulimit -v and sysctl vm.overcommit_memory, or lower --max-connections",
                     n->opt->max_conns);
    return EXIT_FAILED;
}

/* ---- The chain ---- */

/* ns to add to the monotonic clock to get the time since 1970 */
static int64_t node_wall(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * SEC + ts.tv_nsec - clock_now();
}

static int node_open_capture(struct node *n)
{
    int r;

    n->file = NULL;
    if (!n->opt->pcap)
        return NODE_GO_ON;
    r = capture_file_open(&n->own_file, n->opt->pcap, node_wall());
    if (r < 0) {
        report_error(&n->report, "%s: cannot write the capture: %s", n->opt->pcap, strerror(-r));
        return EXIT_FAILED;
    }
    n->file = &n->own_file;
    return NODE_GO_ON;
}

static int node_open_files(struct node *n)
{
    int code = node_open_capture(n);

    return code == NODE_GO_ON ? node_trace_open(n) : code;
}

/* Put the wrappers that were asked for around n->dev. */
static int node_wrap(struct node *n)
{
    const struct verdict *verdict = n->impaired ? &n->impair.verdict : NULL;

    if (n->team) {
        if (handover_wrap(&n->handed, &n->team->handover, n->queue, n->dev, &n->packets) < 0) {
            report_error(&n->report, "no buffer for what other queues read");
            return EXIT_FAILED;
        }
        n->dev = &n->handed.dev;
    }
    if (n->opt->verbose) {
        outlet_widen(&said);
        printer_init(&n->printer, n->dev, &said, node_wall(), n->opt->verbose > 1 ? 2 : 1);
        n->printer.verdict = verdict;
        n->dev = &n->printer.dev;
    }
    if (n->file) {
        capture_init(&n->capture, n->dev, n->file);
        n->capture.verdict = verdict;
        n->dev = &n->capture.dev;
    }
    return node_trace_wrap(n);
}

/*
 * Let others ask. A node that cannot be asked works all the same; but where the kernel would let
 * two processes have a queue of the TUN each, the name that is taken is how the second one knows.
 */
static int node_listen(struct node *n)
{
    int r = teller_open(&n->teller, n->report.program, n->name, &n->local, n->st);

    if (r == -EADDRINUSE && n->tun.several) {
        report_error(&n->report, "%s: %s", n->opt->tun, tun_explain(-EBUSY));
        return EXIT_FOREIGN;
    }

    n->teller.offload = n->tun.dev.offload;
    n->teller.busy_poll = n->opt->busy_poll;
    n->teller.impair = n->opt->impair && n->impaired ? &n->impair : NULL;
    if (r < 0)
        report_line(&n->report, "--status will not find this node: %s",
                    r == -EADDRINUSE ? "its name is taken" : strerror(-r));
    return NODE_GO_ON;
}

static int node_crypto(const struct node *n)
{
    if (sodium_init() >= 0)
        return NODE_GO_ON;
    report_error(&n->report, "libsodium found no source of random bytes");
    return EXIT_FAILED;
}

int node_open(struct node *n, const struct program *prog, const struct node_options *opt)
{
    int code = node_begin(n, prog, opt);

    if (code == NODE_GO_ON)
        code = node_crypto(n);
    if (code == NODE_GO_ON)
        code = node_tun_attach(n);
    if (code == NODE_GO_ON)
        code = node_open_files(n);
    if (code == NODE_GO_ON)
        code = node_lab_open(n);
    if (code == NODE_GO_ON)
        code = node_wrap(n);
    if (code == NODE_GO_ON)
        code = node_stack(n, prog);
    return code == NODE_GO_ON ? node_listen(n) : code;
}

int node_open_pair(struct node *a, struct node *b, struct wire_pair *w, const struct program *prog,
                   const struct node_options *opt_a, const struct node_options *opt_b)
{
    struct wire_config cfg = {.mtu = WIRE_MTU,
                              .queue = WIRE_QUEUE,
                              .forward = true,
                              .name = {opt_a->tun, opt_b->tun},
                              .pool = {&a->packets, &b->packets}};
    int code = node_begin(a, prog, opt_a);
    void *mem;

    if (code == NODE_GO_ON)
        code = node_begin(b, prog, opt_b);
    if (code == NODE_GO_ON)
        code = node_crypto(a);
    if (code == NODE_GO_ON)
        code = node_open_files(a);
    if (code != NODE_GO_ON)
        return code;
    mem = memory_reserve(wire_pair_bytes(&cfg));
    if (!mem) {
        report_error(&a->report, "no address space for the wire; see ulimit -v");
        return EXIT_FAILED;
    }
    if (wire_pair_create(w, &cfg, mem) < 0) {
        report_error(&a->report, "no buffer for the wire; raise the buffer budget");
        return EXIT_FAILED;
    }
    b->file = a->file;
    b->trace_file = a->trace_file;
    a->dev = &w->side[0].dev;
    b->dev = &w->side[1].dev;
    code = node_lab_open(a);
    if (code == NODE_GO_ON)
        code = node_wrap(a);
    if (code == NODE_GO_ON)
        code = node_wrap(b);
    if (code == NODE_GO_ON)
        code = node_stack(a, prog);
    return code == NODE_GO_ON ? node_stack(b, prog) : code;
}

/* ---- While it runs, and the end ---- */

void node_complain(struct node *n, int write_error)
{
    int error;

    if (write_error == -ENETDOWN && !n->told_down) {
        n->told_down = true;
        if (team_first(n->team, TEAM_DOWN))
            report_error(&n->report, "%s is down, so nothing passes; try: ip link set %s up",
                         n->opt->tun, n->opt->tun);
    }
    error = n->file && !n->told_capture ? capture_file_error(n->file) : 0;
    if (error < 0) {
        n->told_capture = true;
        report_error(&n->report, "the capture %s ended: %s; the node goes on", n->opt->pcap,
                     strerror(-error));
    }
    node_trace_complain(n);
}

int64_t node_say_on(int64_t now)
{
    return report_flush(&said) ? now + STDERR_RETRY * MSEC : TIME_NEVER;
}

/* What slow readers missed. */
static void node_tell_missed(struct node *n)
{
    if (n->file == &n->own_file && (n->file->dropped || n->file->unread))
        report_error(&n->report,
                     "the capture %s is not whole: its reader was too slow for %" PRIu64
                     " packets and the last %zu bytes; write a file instead",
                     n->opt->pcap, n->file->dropped, n->file->unread);
    if (n->opt->verbose && n->printer.dropped)
        report_error(&n->report, "%" PRIu64 " packets not printed: the reader was too slow",
                     n->printer.dropped);
}

int node_close(struct node *n, int code)
{
    bool own = n->file == &n->own_file, whole = !n->told_capture;
    int error;

    teller_close(&n->teller);
    node_lab_finish(n);
    node_trace_finish(n);
    device_close(n->dev);
    whole = node_trace_close(n) && whole;
    error = own ? capture_file_close(n->file) : 0;
    if (error < 0)
        report_error(&n->report, "the capture %s is not whole: %s", n->opt->pcap, strerror(-error));
    node_tell_missed(n);
    if (own)
        whole = whole && error == 0 && n->file->dropped == 0 && n->file->unread == 0;
    return !whole && code == EXIT_DONE ? EXIT_FAILED : code;
}
