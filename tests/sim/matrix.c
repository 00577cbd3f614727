/*
 * A row is a path, a kind of traffic and an algorithm; its first column is the stack with all its
 * mechanisms, and each further column has one of them switched off. A cell is goodput in percent of
 * what the link can carry.
 *
 *   bulk    one flow for ten seconds, counted from its SYN on
 *   short   messages of 30 kB, each in a connection of its own: the size of one over the mean time
 *           until it was read, the handshake included
 *
 * Cells are played by processes, each of which takes the next one, and nothing in a cell depends on
 * another: the text is the same for every number of processes, build and machine.
 */
#include "tests/sim/matrix.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bytes.h"
#include "run/exit.h"
#include "tcp/cc/cc.h"
#include "tests/sim/lab.h"

enum {
    SHORT_BYTES = 30000,
    SHORT_TIMES = 25,
    QUEUE_MIN = 4500, /* bytes */
    LINE_MAX_LEN = 256,
};

static const uint64_t rate = 1250000; /* bytes/s: 10 Mbit/s */
static const int64_t bulk_for = 10 * SEC;

static const char *const traffics[] = {"bulk", "short"};
static const int64_t trips[] = {10 * MSEC, 40 * MSEC, 160 * MSEC};
static const uint32_t buffers[] = {10, 100};              /* percent of a BDP */
static const uint32_t losses[] = {0, 1000, 10000, 50000}; /* parts per million */
static const char *const algorithms[] = {"reno", "cubic", "bbr"};

/* A mechanism that can be off. */
struct mechanism {
    const char *name;
    size_t off; /* of its bool in struct tcp_config */
};

static const struct mechanism mechanisms[] = {
    {"sack", offsetof(struct tcp_config, sack)},
    {"timestamps", offsetof(struct tcp_config, timestamps)},
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

enum {
    COLUMNS = 1 + COUNT(mechanisms),
    ROWS = COUNT(traffics) * COUNT(trips) * COUNT(buffers) * COUNT(losses) * COUNT(algorithms),
};

struct cell {
    unsigned traffic, trip, buffer, loss, algorithm, column;
};

struct results {
    atomic_uint next;
    double percent[ROWS * COLUMNS];
    bool bad[ROWS * COLUMNS];
};

static struct cell cell_of(unsigned i)
{
    struct cell c = {.column = i % COLUMNS};

    i /= COLUMNS;
    c.algorithm = i % COUNT(algorithms);
    i /= COUNT(algorithms);
    c.loss = i % COUNT(losses);
    i /= COUNT(losses);
    c.buffer = i % COUNT(buffers);
    i /= COUNT(buffers);
    c.trip = i % COUNT(trips);
    c.traffic = i / COUNT(trips);
    return c;
}

/* ---- Cells ---- */

static struct lab lab;

static void set_up(const struct cell *c)
{
    uint64_t bdp = rate * (uint64_t)trips[c->trip] / (uint64_t)SEC;

    lab_init(&lab, rate, trips[c->trip],
             max32(QUEUE_MIN, (uint32_t)(bdp * buffers[c->buffer] / 100)));
    lab.sc.path[LAB_A][LAB_B].loss = losses[c->loss];
    for (unsigned i = 0; i < NET_NODES; i++) {
        struct tcp_config *tcp = lab_tcp(&lab, i);

        tcp->cc = cc_find(algorithms[c->algorithm]);
        if (c->column > 0)
            *(bool *)((char *)tcp + mechanisms[c->column - 1].off) = false;
    }
}

static double bulk(const struct cell *c)
{
    set_up(c);
    lab_flow(&lab, LAB_A, UINT32_MAX, 0);
    lab.until = bulk_for;
    lab_play(&lab);
    return lab_goodput(&lab, 0);
}

static double messages(const struct cell *c, bool *ret_bad)
{
    int64_t took = 0;

    for (unsigned i = 0; i < SHORT_TIMES && !*ret_bad; i++) {
        set_up(c);
        lab.sc.seed = i + 1;
        lab_flow(&lab, LAB_A, SHORT_BYTES, 0);
        lab_play(&lab);
        took += lab.done_at;
        *ret_bad = lab.result.failed || lab.done_at == TIME_NEVER;
    }
    return (double)SHORT_BYTES * SHORT_TIMES * (double)SEC / (double)took;
}

static void play(struct results *r, unsigned i)
{
    struct cell c = cell_of(i);
    double most = (double)rate * LAB_MSS / 1500, got;

    if (!cc_find(algorithms[c.algorithm]))
        return;
    if (c.traffic == 0) {
        got = bulk(&c);
        r->bad[i] = lab.result.failed;
    } else {
        got = messages(&c, &r->bad[i]);
    }
    r->percent[i] = 100 * got / most;
    if (r->bad[i])
        printf("not ok - matrix: cell %u: %s\n", i, lab.result.why);
}

static void work(struct results *r)
{
    for (unsigned i; (i = atomic_fetch_add(&r->next, 1)) < ROWS * COLUMNS;)
        play(r, i);
    fflush(stdout);
}

/* All cells, or NULL if one of them went wrong, which is said. */
static const struct results *play_all(unsigned jobs)
{
    struct results *r =
        mmap(NULL, sizeof(*r), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    bool good = r != MAP_FAILED;
    int status;

    if (!good)
        abort();
    fflush(NULL);
    for (unsigned i = 0; i < jobs; i++)
        if (fork() == 0) {
            work(r);
            _exit(0);
        }
    while (wait(&status) > 0)
        good = good && status == 0;
    for (unsigned i = 0; i < ROWS * COLUMNS; i++)
        good = good && !r->bad[i];
    return good ? r : NULL;
}

/* ---- As text ---- */

static void write_row(const struct results *r, unsigned row, FILE *out)
{
    struct cell c = cell_of(row * COLUMNS);

    if (!cc_find(algorithms[c.algorithm]))
        return;
    fprintf(out, "%-6s %5dms %6.1f %5.1f%% %-6s", traffics[c.traffic], (int)(trips[c.trip] / MSEC),
            buffers[c.buffer] / 100.0, losses[c.loss] / 1e4, algorithms[c.algorithm]);
    for (unsigned i = 0; i < COLUMNS; i++)
        fprintf(out, " %*.1f", i == 0 ? 5 : (int)strlen(mechanisms[i - 1].name) + 1,
                r->percent[row * COLUMNS + i]);
    putc('\n', out);
}

static void write_text(const struct results *r, FILE *out)
{
    fprintf(out, "# Goodput in percent of a link of 10 Mbit/s; `make matrix` writes this file.\n"
                 "# Buffers are in BDPs, and at least three packets; a column named -NAME is the "
                 "stack without NAME.\n"
                 "# traffic  rtt buffer   loss cc       all");
    for (unsigned i = 0; i < COUNT(mechanisms); i++)
        fprintf(out, " -%s", mechanisms[i].name);
    putc('\n', out);
    for (unsigned row = 0; row < ROWS; row++)
        write_row(r, row, out);
}

int matrix_write(unsigned jobs, FILE *out)
{
    const struct results *r = play_all(jobs);

    if (r)
        write_text(r, out);
    return r ? EXIT_DONE : EXIT_FAILED;
}

/* Lines of two texts, side by side; returns how many differ, and names them. */
static unsigned compare_lines(FILE *old, FILE *new)
{
    char was[LINE_MAX_LEN], is[LINE_MAX_LEN];
    unsigned differ = 0;

    for (;;) {
        bool a = fgets(was, sizeof(was), old), b = fgets(is, sizeof(is), new);

        if (!a && !b)
            return differ;
        if (a && b && strcmp(was, is) == 0)
            continue;
        differ++;
        printf("    was %s    is  %s", a ? was : "nothing\n", b ? is : "nothing\n");
    }
}

int matrix_compare(unsigned jobs, const char *file)
{
    FILE *old = fopen(file, "r"), *new = tmpfile();
    unsigned differ;
    int r;

    if (!old || !new) {
        printf("not ok - matrix: %s cannot be read\n", file);
        return EXIT_FAILED;
    }
    r = matrix_write(jobs, new);
    rewind(new);
    differ = r == EXIT_DONE ? compare_lines(old, new) : 1;
    if (differ)
        printf("not ok - matrix: goodput is not what %s says; if it is better, or worse on"
               " purpose: make matrix\n",
               file);
    else
        printf("ok - matrix: goodput is what %s says, in %u cells\n", file,
               (unsigned)(ROWS * COLUMNS));
    fclose(old);
    fclose(new);
    return differ ? EXIT_FAILED : EXIT_DONE;
}
