/*
 * core CONNS SEGMENTS [BATCH]: the stack alone. Two of them in one process, joined in memory: no
 * device, no kernel, no other process. CONNS connections are opened between them, and then SEGMENTS
 * segments go there and back, each with one byte of data or with none, in an order of connections
 * in which no cache knows the next.
 *
 * BATCH connections are asked at once, as one turn of a node's loop has as many packets as came
 * since the last: all that this makes one stack say is carried, and then the other one acts. What
 * both do is the same, however many connections there are: each is asked once in a second of
 * virtual time, so the other end's answer carries the acknowledgment of what it was asked, and that
 * of the answer leaves by its timer: three segments, of which two have data.
 *
 * With BATCH 1, which is the default, one byte is on its way at a time, and an exchange takes a
 * microsecond of virtual time. Then a thousand connections are asked so often that no
 * acknowledgment has to wait for its timer, which is something else than what a million do.
 *
 * A segment goes out of one stack and into the other: headers, checksums over all of it both ways,
 * options, the sender's queue and the receiver's, timers, an event and the user calls of its
 * application. What joins them is a copy of its 53 bytes, which counts, too.
 *
 * One round over all connections, or as many segments as are to be measured if these are fewer,
 * goes before: with a connection's first segment after a rest new memory is touched, which the
 * kernel has to find and to clear.
 *
 * Prints "conns"; "bytes", the resident memory that each idle connection costs, per side; "first",
 * ns per segment of the round before; "ns" per segment; and "segments", all that went while that
 * was measured. Skipped where memory is too small.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <sys/sysinfo.h>

#include "run/memory.h"
#include "stack/stack.h"
#include "tests/bench/kit.h"

enum {
    NET = 0x0a000000, /* 10.0.0.0 */
    CONNS_MAX = 1000000,
    PORTS = 16,        /* of the listening stack */
    FIRST_PORT = 1024, /* of the opening one, for each of them */
    OPENS = 64,        /* handshakes at a time */
    BATCH_MAX = 64,
    CARRY_MAX = 256,    /* packets that are carried at once */
    STRIDE = 611953,    /* connections from one to the next that is used; a prime */
    SMALL_BUFS = 65536, /* bufs of ... */
    SMALL_BUF = 512,    /* bytes */
    PACKET = 2048,      /* bytes */
    LINE = 64,          /* bytes; a packet begins on a cache line */
    PER_CONN = 2800,    /* bytes of memory for both ends of a connection, at the most */
    IDLE_FOR = 100,     /* s after which nothing is kept for what was in flight */
};

struct end {
    struct stack *st;
    struct buf_pool small;
    struct pkt out;
    uint64_t segments; /* sent */
};

static struct {
    struct end a, b; /* a opens and asks, b accepts and answers */
    struct conn_id *conn;
    uint32_t conns, connected, accepted;
    uint32_t batch; /* connections that are asked at once */
    int64_t pause;  /* ns of virtual time for each of them */
    uint32_t next;  /* to be asked */
    uint64_t asked, answers;
    int64_t now; /* ns, virtual */
} lab = {.now = SEC};

static uint64_t resident(void)
{
    unsigned long long size, pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");

    if (!f || fscanf(f, "%llu %llu", &size, &pages) != 2)
        kit_fail("/proc/self/statm");
    fclose(f);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void *reserve(size_t bytes)
{
    void *p = memory_reserve(bytes);

    if (!p)
        kit_fail("memory");
    return p;
}

static void make_end(struct end *e, uint32_t number, uint32_t conns)
{
    struct stack_config cfg;
    size_t bytes = buf_pool_bytes(SMALL_BUFS, SMALL_BUF);
    void *mem;

    buf_pool_init(&e->small, reserve(bytes), bytes, SMALL_BUF);
    stack_config_default(&cfg);
    cfg.local[0] = addr_v4(NET + number);
    cfg.prefix_len[0] = 24;
    cfg.locals = 1;
    cfg.max_conns = conns + OPENS;
    cfg.small = &e->small;
    cfg.seed = number;
    memset(cfg.secret, (int)number, sizeof(cfg.secret));
    bytes = stack_bytes(&cfg);
    mem = reserve(bytes);
    memory_large(mem, stack_table_bytes(&cfg));
    e->st = stack_create(&cfg, mem, bytes);
    if (!e->st)
        kit_fail("stack_create");
    stack_tick(e->st, lab.now);
}

static void echo(struct stack *st, struct conn_id conn)
{
    struct slice s;

    while (stack_receive(st, conn, PACKET, &s) > 0) {
        stack_send(st, conn, s);
    }
}

static void take(struct stack *st, struct conn_id conn)
{
    struct slice s;

    while (stack_receive(st, conn, PACKET, &s) > 0) {
        lab.answers += s.len;
        buf_unref(s.buf);
    }
}

/* What both applications do. */
static void act(struct end *e)
{
    struct stack_event ev;

    while (stack_event(e->st, &ev)) {
        if (ev.kind == EV_CONNECTED)
            lab.connected++;
        else if (ev.kind == EV_ACCEPTED)
            lab.accepted++;
        else if (ev.kind == EV_READABLE && e == &lab.a)
            take(e->st, ev.conn);
        else if (ev.kind == EV_READABLE)
            echo(e->st, ev.conn);
        else if (ev.kind == EV_CLOSED)
            kit_fail("a connection ended");
    }
}

static struct {
    struct pkt pkt[CARRY_MAX];
    unsigned n;
    uint32_t used;
    _Alignas(LINE) uint8_t bytes[CARRY_MAX * PACKET];
} road;

/* Up to a batch of what `e` has to say is on the road. */
static void load(struct end *e)
{
    unsigned most = lab.batch == 1 ? 1 : CARRY_MAX;

    road.n = road.used = 0;
    while (road.n < most && stack_output(e->st, lab.now, &e->out)) {
        struct pkt *p = &road.pkt[road.n++];
        uint8_t *at = road.bytes + road.used;

        p->len = p->part[0].len = pkt_flatten(&e->out, at, PACKET);
        p->part[0].base = at;
        p->parts = 1;
        road.used += (p->len + LINE - 1) / LINE * LINE;
    }
    e->segments += road.n;
}

/* All that `from` has to say reaches `to`. Returns whether there was anything. */
static bool carry(struct end *from, struct end *to)
{
    uint64_t before = from->segments;

    stack_tick(from->st, lab.now);
    act(from);
    for (load(from); road.n > 0; load(from)) {
        for (unsigned i = 0; i < road.n && road.n > 1; i++)
            stack_expect(to->st, &road.pkt[i]);
        for (unsigned i = 0; i < road.n; i++)
            stack_input(to->st, lab.now, &road.pkt[i]);
    }
    act(to);
    return from->segments != before;
}

static void settle(void)
{
    bool there, back;

    do {
        there = carry(&lab.a, &lab.b);
        back = carry(&lab.b, &lab.a);
    } while (there || back);
}

static void open_all(void)
{
    for (uint16_t p = 1; p <= PORTS; p++) {
        if (stack_listen(lab.b.st, NULL, p, 2 * OPENS, NULL) < 0)
            kit_fail("listen");
    }
    for (uint32_t i = 0; i < lab.conns; i++) {
        const struct stack_open how = {.local_port = (uint16_t)(FIRST_PORT + i / PORTS),
                                       .remote = addr_v4(NET + 2),
                                       .remote_port = (uint16_t)(1 + i % PORTS)};

        if (stack_open(lab.a.st, &how, &lab.conn[i]) < 0)
            kit_fail("open");
        if (i % OPENS == OPENS - 1 || i == lab.conns - 1) {
            settle();
            lab.now += MSEC;
        }
    }
    if (lab.connected != lab.conns || lab.accepted != lab.conns) {
        fprintf(stderr, "bench: %" PRIu32 " of %" PRIu32 " connections came to be\n", lab.connected,
                lab.conns);
        exit(EXIT_FAILED);
    }
}

/* Let time pass until nothing is kept for what was in flight. */
static void rest(void)
{
    for (int s = 0; s < IDLE_FOR; s++) {
        lab.now += SEC;
        settle();
    }
}

/* Ask a batch of connections. */
static void exchange(void)
{
    for (uint32_t i = 0, next = lab.next; i < lab.batch && lab.batch > 1; i++) {
        stack_expect_call(lab.a.st, lab.conn[next]);
        next = (next + STRIDE) % lab.conns;
    }
    for (uint32_t i = 0; i < lab.batch; i++) {
        lab.now += lab.pause;
        if (stack_send_copy(lab.a.st, lab.conn[lab.next], "x", 1) != 1)
            kit_fail("send");
        lab.next = (lab.next + STRIDE) % lab.conns;
    }
    lab.asked += lab.batch;
    carry(&lab.a, &lab.b);
    carry(&lab.b, &lab.a);
}

/* ns per segment of at least so many, or of so many exchanges; *ret_segments says how many. */
static double take_time(uint64_t segments, uint64_t exchanges, uint64_t *ret_segments)
{
    uint64_t before = lab.a.segments + lab.b.segments, asked = lab.asked, n = 0;
    int64_t began = clock_now();

    while (n < segments && lab.asked - asked < exchanges) {
        exchange();
        n = lab.a.segments + lab.b.segments - before;
    }
    *ret_segments = n;
    return (double)(clock_now() - began) / (double)n;
}

static void measure(uint64_t segments)
{
    uint64_t n;

    printf("first %.2f\n", take_time(segments, lab.conns, &n));
    printf("ns %.2f\n", take_time(segments, UINT64_MAX, &n));
    printf("segments %" PRIu64 "\n", n);
    if (lab.answers == lab.asked)
        return;
    fprintf(stderr, "bench: %" PRIu64 " of %" PRIu64 " bytes came back\n", lab.answers, lab.asked);
    exit(EXIT_FAILED);
}

static void check_memory(uint32_t conns)
{
    struct sysinfo si;

    if (sysinfo(&si) < 0)
        kit_fail("sysinfo");
    if ((uint64_t)conns * PER_CONN + (UINT64_C(256) << 20) <
        si.freeram * (uint64_t)si.mem_unit + si.bufferram * (uint64_t)si.mem_unit)
        return;
    printf("skip %" PRIu32 " connections need %" PRIu64 " MiB of free memory\n", conns,
           (uint64_t)conns * PER_CONN >> 20);
    exit(EXIT_SKIPPED);
}

int main(int argc, char **argv)
{
    long conns = argc >= 3 ? atol(argv[1]) : 0;
    long segments = argc >= 3 ? atol(argv[2]) : 0;
    long batch = argc == 4 ? atol(argv[3]) : argc == 3;
    uint64_t before;

    if (conns < 1 || conns > CONNS_MAX || segments < 1 || batch < 1 || batch > BATCH_MAX) {
        fprintf(stderr, "bench: core CONNS SEGMENTS [BATCH]; at most %d CONNS, and %d a batch\n",
                CONNS_MAX, BATCH_MAX);
        return EXIT_USAGE;
    }
    alarm(KIT_LIFE);
    check_memory((uint32_t)conns);
    lab.conns = (uint32_t)conns;
    lab.batch = (uint32_t)batch;
    lab.pause = batch == 1 ? USEC : SEC / conns;
    lab.conn = reserve(lab.conns * sizeof(*lab.conn));
    memset(lab.conn, 1, lab.conns * sizeof(*lab.conn)); /* here already, not counted below */
    make_end(&lab.a, 1, lab.conns);
    make_end(&lab.b, 2, lab.conns);
    before = resident();
    open_all();
    rest();
    printf("conns %" PRIu32 "\nbytes %.1f\n", lab.conns,
           ((double)resident() - (double)before) / 2.0 / (double)lab.conns);
    measure((uint64_t)segments);
    return EXIT_DONE;
}
