/*
 * Sending the marked packet and counting it. See probe.h.
 *
 * It is a TCP segment with RST and a sequence number that is its mark: a node that has no such
 * connection drops it without a word, and a firewall that lets only established connections pass
 * drops it, as it would the lab's. It is written to the TUN as the node would write it; if a node
 * is attached, through a duplicate of that node's own descriptor.
 */
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "attached.h"
#include "exec.h"
#include "wire/tcp.h"

enum {
    MARK = 0x7477696e, /* the first probe's sequence number; each next has one more */
    TRACKING_PRIO = -200,
    FIRST_PRIO = -2000,
    LIST_BYTES = 1 << 20, /* of nft's JSON */
    WAIT_MS = 3000,       /* for nft to have the counters in place */
    SETTLE_MS = 50,       /* for the packets to come through */
    TTL = 64,
};

static const char *const hook_names[HOOKS] = {"ingress", "prerouting", "forward", "postrouting"};

/* ---- chains and stages ---- */

static void add_stage(struct probing *p, enum hook hook, int prio)
{
    unsigned at = 0;

    while (at < p->stages && (p->hook[at] < hook || (p->hook[at] == hook && p->prio[at] < prio)))
        at++;
    if (p->stages == STAGES_MAX || (at < p->stages && p->hook[at] == hook && p->prio[at] == prio))
        return;
    memmove(&p->hook[at + 1], &p->hook[at], (p->stages - at) * sizeof(p->hook[0]));
    memmove(&p->prio[at + 1], &p->prio[at], (p->stages - at) * sizeof(p->prio[0]));
    p->hook[at] = hook;
    p->prio[at] = prio;
    p->stages++;
}

static void add_chain(struct probing *p, const struct chain *c)
{
    if (p->chains < CHAINS_MAX)
        p->chain[p->chains++] = *c;
    if (c->hook != HOOK_INGRESS)
        add_stage(p, c->hook, c->prio + 1);
}

static void copy_name(char out[CHAIN_NAME_MAX], const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));

    snprintf(out, CHAIN_NAME_MAX, "%s", s ? s : "");
}

static void take_chain(struct probing *p, const json_t *o)
{
    const char *hook = json_string_value(json_object_get(o, "hook"));
    struct chain c = {.prio = (int)json_integer_value(json_object_get(o, "prio"))};
    char family[CHAIN_NAME_MAX];

    copy_name(c.table, o, "table");
    copy_name(c.name, o, "name");
    copy_name(family, o, "family");
    snprintf(c.family, sizeof(c.family), "%.7s", family);
    p->docker |= strcmp(c.name, "DOCKER-USER") == 0;
    p->ufw |= strncmp(c.name, "ufw-", 4) == 0 || strncmp(c.name, "ufw6-", 5) == 0;
    c.v4 = strcmp(family, "ip6") != 0;
    c.v6 = strcmp(family, "ip") != 0;
    while (hook && c.hook < HOOKS && strcmp(hook, hook_names[c.hook]) != 0)
        c.hook++;
    if (hook && c.hook < HOOKS)
        add_chain(p, &c);
}

/* The tables of the legacy variant, which the kernel lists by name, hook in where they always do.
 */
static void take_legacy(struct probing *p, bool v6)
{
    static const struct chain fixed[] = {
        {.hook = HOOK_PREROUTING, .prio = -300, .table = "raw", .name = "PREROUTING"},
        {.hook = HOOK_PREROUTING, .prio = -150, .table = "mangle", .name = "PREROUTING"},
        {.hook = HOOK_FORWARD, .prio = -150, .table = "mangle", .name = "FORWARD"},
        {.hook = HOOK_FORWARD, .prio = 0, .table = "filter", .name = "FORWARD"},
        {.hook = HOOK_FORWARD, .prio = 50, .table = "security", .name = "FORWARD"},
        {.hook = HOOK_POSTROUTING, .prio = -150, .table = "mangle", .name = "POSTROUTING"},
    };
    FILE *f = fopen(v6 ? "/proc/net/ip6_tables_names" : "/proc/net/ip_tables_names", "re");
    char line[64];

    while (f && fgets(line, sizeof(line), f)) {
        line[strcspn(line, "\n")] = '\0';
        for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++) {
            struct chain c = fixed[i];

            c.legacy = true;
            c.v4 = !v6;
            c.v6 = v6;
            if (strcmp(c.table, line) == 0)
                add_chain(p, &c);
        }
    }
    if (f)
        fclose(f);
}

/* nft -j ARGUMENT: its JSON, or NULL and a negative errno. */
static json_t *ask_nft(const char *command, int *ret_error)
{
    const char *argv[] = {"nft", "-j", command, NULL};
    char *out = malloc(LIST_BYTES);
    json_t *root = NULL;

    *ret_error = out ? exec_run(argv, out, LIST_BYTES) : -ENOMEM;
    if (*ret_error == 0) {
        root = json_loads(out, 0, NULL);
        *ret_error = root ? 0 : -EIO;
    } else if (*ret_error > 0) {
        *ret_error = -EOPNOTSUPP;
    }
    free(out);
    return root;
}

int probe_prepare(struct probing *p)
{
    const json_t *item;
    json_t *root;
    size_t i;
    int r;

    root = ask_nft("list chains", &r);
    if (!root)
        return r;
    json_array_foreach(json_object_get(root, "nftables"), i, item)
    {
        if (json_object_get(item, "chain"))
            take_chain(p, json_object_get(item, "chain"));
    }
    json_decref(root);
    take_legacy(p, false);
    take_legacy(p, true);
    for (enum hook h = HOOK_PREROUTING; h < HOOKS; h++) {
        add_stage(p, h, FIRST_PRIO);
        add_stage(p, h, -FIRST_PRIO);
    }
    add_stage(p, HOOK_PREROUTING, TRACKING_PRIO - 1);
    add_stage(p, HOOK_PREROUTING, TRACKING_PRIO + 1);
    return 0;
}

/* ---- counters ---- */

/* nft, waiting for commands; its table ends with it. */
struct counters {
    FILE *commands;
    char table[32];
};

/* One line for each stage; then nft has them, or will within a moment. */
static int start_counters(const struct probing *p, struct counters *ret)
{
    snprintf(ret->table, sizeof(ret->table), "twintun_doctor_%d", getpid());
    ret->commands = popen("exec nft -i >/dev/null 2>&1", "we");
    if (!ret->commands)
        return -errno;
    fprintf(ret->commands, "add table inet %s { flags owner; }\n", ret->table);
    for (unsigned i = 0; i < p->stages; i++) {
        fprintf(ret->commands,
                "add chain inet %s s%u { type filter hook %s priority %d; policy accept; }",
                ret->table, i, hook_names[p->hook[i]], p->prio[i]);
        for (unsigned k = 0; k < p->probes; k++)
            fprintf(ret->commands,
                    "; add rule inet %s s%u tcp sequence %u counter comment \"%u %u\"", ret->table,
                    i, (unsigned)MARK + k, i, k);
        fputc('\n', ret->commands);
    }
    fprintf(ret->commands, "add chain inet %s done\n", ret->table);
    return fflush(ret->commands) ? -errno : 0;
}

static void sleep_ms(long ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

    nanosleep(&t, NULL);
}

static int wait_for_counters(const struct counters *c)
{
    char out[256];

    for (int ms = 0; ms < WAIT_MS; ms += 20) {
        const char *argv[] = {"nft", "list", "chain", "inet", c->table, "done", NULL};

        if (exec_run(argv, out, sizeof(out)) == 0)
            return 0;
        sleep_ms(20);
    }
    return -EOPNOTSUPP;
}

static void take_counter(struct probing *p, const json_t *rule)
{
    const char *comment = json_string_value(json_object_get(rule, "comment"));
    const json_t *expr;
    unsigned stage, k;
    size_t i;

    if (!comment || sscanf(comment, "%u %u", &stage, &k) != 2 || k >= p->probes)
        return;
    json_array_foreach(json_object_get(rule, "expr"), i, expr)
    {
        const json_t *counter = json_object_get(expr, "counter");

        if (json_integer_value(json_object_get(counter, "packets")) > 0 &&
            (int)stage > p->probe[k].last_seen)
            p->probe[k].last_seen = (int)stage;
    }
}

static int read_counters(struct probing *p, const struct counters *c)
{
    char command[64];
    const json_t *item;
    json_t *root;
    size_t i;
    int r;

    snprintf(command, sizeof(command), "list table inet %s", c->table);
    root = ask_nft(command, &r);
    json_array_foreach(json_object_get(root, "nftables"), i, item)
    {
        if (json_object_get(item, "rule"))
            take_counter(p, json_object_get(item, "rule"));
    }
    json_decref(root);
    return r;
}

/* ---- the packet ---- */

static size_t build(const struct probe *probe, uint32_t mark, uint8_t *room)
{
    bool v4 = addr_is_v4(&probe->src);
    struct ip_hdr ip = {.version = v4 ? 4 : 6,
                        .ttl = TTL,
                        .proto = 6,
                        .df = true,
                        .src = probe->src,
                        .dst = probe->dst};
    struct tcp_hdr tcp = {.sport = 4711, .dport = 8000, .seq = mark, .flags = TCP_RST};
    size_t n = ip_build(room, &ip, TCP_HEADER_MIN);

    return n + tcp_build(room + n, &probe->src, &probe->dst, &tcp, 0, NULL, 0);
}

/* The descriptor of the node that is attached, or of a TUN that nobody has. */
static int open_device(const char *ifname)
{
    struct ifreq ifr = {.ifr_flags = (short)(IFF_TUN | IFF_NO_PI)};
    struct attached a;
    int fd, process;

    if (attached_find(ifname, &a)) {
        process = (int)syscall(SYS_pidfd_open, a.pid, 0);
        fd = process < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, process, a.fd, 0);
        if (fd < 0)
            fd = -errno;
        if (process >= 0)
            close(process);
        return fd;
    }
    fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    memcpy(ifr.ifr_name, ifname, strlen(ifname));
    if (ioctl(fd, TUNSETIFF, &ifr) < 0) {
        int r = -errno;

        close(fd);
        return r;
    }
    return fd;
}

/* Write the packet with whatever that descriptor wants in front of it. */
static int write_packet(int fd, const struct probe *probe, uint32_t mark)
{
    uint8_t bytes[256] = {0};
    struct ifreq ifr = {0};
    size_t front = 0, n;
    int header = 0;

    if (ioctl(fd, TUNGETIFF, &ifr) < 0)
        return -errno;
    if (!(ifr.ifr_flags & IFF_NO_PI)) {
        bool v4 = addr_is_v4(&probe->src);

        bytes[2] = v4 ? 0x08 : 0x86;
        bytes[3] = v4 ? 0x00 : 0xdd;
        front = 4;
    }
    if (ifr.ifr_flags & IFF_VNET_HDR && ioctl(fd, TUNGETVNETHDRSZ, &header) == 0)
        front += header > 0 && header < 64 ? (size_t)header : 0;
    n = front + build(probe, mark, bytes + front);
    return write(fd, bytes, n) == (ssize_t)n ? 0 : -errno;
}

static void send_one(struct probing *p, unsigned k)
{
    struct probe *probe = &p->probe[k];
    int fd = open_device(probe->in);

    probe->last_seen = -1;
    probe->error = fd < 0 ? fd : write_packet(fd, probe, (uint32_t)MARK + k);
    if (fd >= 0)
        close(fd);
}

int probe_send(struct probing *p)
{
    struct counters c;
    int r;

    signal(SIGPIPE, SIG_IGN); /* an nft that ends early is an error, not our end */
    r = start_counters(p, &c);

    if (r == 0)
        r = wait_for_counters(&c);
    for (unsigned k = 0; r == 0 && k < p->probes; k++)
        send_one(p, k);
    if (r == 0) {
        sleep_ms(SETTLE_MS);
        r = read_counters(p, &c);
    }
    if (c.commands)
        pclose(c.commands);
    return r;
}

/* ---- what it means ---- */

bool probe_arrived(const struct probing *p, const struct probe *probe)
{
    return probe->last_seen == (int)p->stages - 1;
}

unsigned probe_suspects(const struct probing *p, const struct probe *probe,
                        const struct chain *ret[CHAINS_MAX], bool *ret_routing, bool *ret_tracking)
{
    bool v4 = addr_is_v4(&probe->src);
    int next = probe->last_seen + 1, low = INT32_MIN, high = FIRST_PRIO;
    enum hook hook = HOOK_INGRESS;
    unsigned n = 0;

    if (probe->last_seen >= 0) {
        hook = p->hook[probe->last_seen];
        low = p->prio[probe->last_seen];
        high = p->hook[next] == hook ? p->prio[next] : INT32_MAX;
    }
    *ret_routing = probe->last_seen >= 0 && p->hook[next] != hook;
    *ret_tracking = hook == HOOK_PREROUTING && low < TRACKING_PRIO && high > TRACKING_PRIO;
    for (unsigned i = 0; i < p->chains; i++) {
        const struct chain *c = &p->chain[i];
        bool here = c->hook == hook && c->prio >= low && c->prio < high;

        if (probe->last_seen < 0) /* nothing of IP has seen it: all that comes before the first */
            here = c->hook == HOOK_INGRESS || (c->hook == HOOK_PREROUTING && c->prio < FIRST_PRIO);
        if (here && (v4 ? c->v4 : c->v6))
            ret[n++] = c;
    }
    return n;
}
