/*
 * many TUN LOCAL REMOTE PORT CONNECTIONS BYTES: a node that opens so many connections to an echo
 * service, sends so many bytes on each, and closes none before all of them are up and every byte is
 * back. Then it closes all of them.
 *
 * The TUN must exist and be configured. Prints what happened in one line; exits 0 if all
 * connections were up at one time, every byte came back right, and every one of them was closed in
 * order.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "app/bulk.h"
#include "link/tun.h"
#include "run/clock.h"
#include "run/exit.h"
#include "run/loop.h"
#include "run/memory.h"
#include "run/options.h"

enum {
    CONNS_MAX = 16000,
    MTU = 1500,         /* bytes */
    READ_BUFS = 32768,  /* of MTU bytes */
    SMALL_BUFS = 32768, /* of SMALL_SIZE bytes */
    SMALL_SIZE = 2048,  /* bytes */
    OPEN_BATCH = 64,    /* connections opened per turn: fewer than a backlog holds */
    LIMIT_S = 60,       /* seconds for all of it */
};

struct many {
    struct stack *st;
    struct bulk bulk;
    struct bulk_flow *flow; /* one per connection */
    struct addr remote;
    uint16_t port;
    uint32_t conns, opened;
    uint64_t bytes;
    bool finishing;
    int64_t deadline;
    int error; /* of stack_open */
};

/* Open a few more, then, once all are up and every byte is back, close all of them. */
static bool decide(void *arg, struct loop *l)
{
    struct many *m = arg;
    uint32_t back = 0;

    for (unsigned i = 0; i < OPEN_BATCH && m->opened < m->conns; i++) {
        struct bulk_flow *f = &m->flow[m->opened];
        struct stack_open how = {.remote = m->remote, .remote_port = m->port, .user = &f->app};

        bulk_flow_init(&m->bulk, f, m->bytes, m->bytes);
        f->hold = true;
        m->error = stack_open(m->st, &how, &f->conn);
        if (m->error < 0)
            return true;
        m->opened++;
    }
    l->wake = m->opened < m->conns ? l->now + MSEC : m->deadline;
    for (uint32_t i = 0; i < m->opened && !m->finishing; i++)
        back += m->flow[i].connected && m->flow[i].received == m->bytes;
    if (!m->finishing && back == m->conns) {
        m->finishing = true;
        for (uint32_t i = 0; i < m->conns; i++)
            bulk_finish(&m->flow[i], m->st);
    }
    return (m->opened == m->conns && m->bulk.open == 0) || l->now >= m->deadline;
}

static void *reserve(size_t bytes)
{
    void *p = memory_reserve(bytes);

    if (!p)
        exit(EXIT_FAILED);
    return p;
}

static void make_pool(struct buf_pool *pool, uint32_t count, uint32_t size)
{
    size_t n = buf_pool_bytes(count, size);

    buf_pool_init(pool, reserve(n), n, size);
}

static struct stack *make_stack(const struct addr *local, uint32_t mtu, struct buf_pool *small)
{
    struct stack_config cfg;

    stack_config_default(&cfg);
    cfg.local[0] = *local;
    cfg.locals = 1;
    cfg.prefix_len = 24;
    cfg.mtu = mtu;
    cfg.small = small;
    randombytes_buf(cfg.secret, sizeof(cfg.secret));
    randombytes_buf(&cfg.seed, sizeof(cfg.seed));
    return stack_create(&cfg, reserve(stack_bytes(&cfg)), stack_bytes(&cfg));
}

static int report(const struct many *m, int64_t took)
{
    bool good = m->bulk.peak == m->conns && m->bulk.ended == m->conns && m->bulk.bad == 0 &&
                m->bulk.bytes_received == m->conns * m->bytes;

    printf("%" PRIu32 " connections, %" PRIu32 " at once, %" PRIu32 " ended, %" PRIu32
           " not in order, %" PRIu64 " bytes back, %.2f s\n",
           m->opened, m->bulk.peak, m->bulk.ended, m->bulk.bad, m->bulk.bytes_received,
           (double)took / (double)SEC);
    if (m->error < 0)
        fprintf(stderr, "many: open: %s\n", strerror(-m->error));
    return good ? EXIT_DONE : EXIT_FAILED;
}

static int run(struct many *m, const char *tun_name, const struct addr *local)
{
    static struct loop l;
    static struct buf_pool read_pool, small;
    static struct tun tun;
    int64_t start = clock_now();
    int r;

    make_pool(&read_pool, READ_BUFS, MTU);
    make_pool(&small, SMALL_BUFS, SMALL_SIZE);
    r = tun_open(&tun, tun_name, TUN_PLAIN, &read_pool);
    if (r < 0) {
        fprintf(stderr, "many: %s: %s\n", tun_name, tun_explain(r));
        return EXIT_FAILED;
    }
    m->st = make_stack(local, tun.dev.mtu, &small);
    m->deadline = start + LIMIT_S * SEC;
    loop_init(&l);
    loop_add(&l, m->st, &tun.dev);
    l.decide = decide;
    l.arg = m;
    r = loop_run(&l);
    if (r < 0)
        fprintf(stderr, "many: %s: %s\n", tun_name, strerror(-r));
    device_close(&tun.dev);
    return report(m, clock_now() - start);
}

int main(int argc, char **argv)
{
    static struct many m;
    struct addr local;

    if (sodium_init() < 0)
        return EXIT_FAILED;
    if (argc != 7 || parse_addr4(argv[2], &local) < 0 || parse_addr4(argv[3], &m.remote) < 0) {
        fprintf(stderr, "many: usage: many TUN LOCAL REMOTE PORT CONNECTIONS BYTES\n");
        return EXIT_USAGE;
    }
    m.port = (uint16_t)strtoul(argv[4], NULL, 10);
    m.conns = (uint32_t)strtoul(argv[5], NULL, 10);
    m.bytes = strtoull(argv[6], NULL, 10);
    if (m.conns == 0 || m.conns > CONNS_MAX)
        return EXIT_USAGE;
    bulk_init(&m.bulk, NULL, 0);
    m.flow = reserve(m.conns * sizeof(struct bulk_flow));
    return run(&m, argv[1], &local);
}
