/*
 * A row is a path, a kind of traffic and an algorithm; its first column is the stack with all its
 * mechanisms, and each further column has one of them switched off. A cell is goodput in percent of
 * what the link can carry.
 *
 *   bulk     one flow for eight seconds, counted from its SYN on
 *   short    messages of 30 kB, each in a connection of its own: the size of one over the mean time
 *            until it was read, the handshake included
 *   shuffle  bulk, and 2% of the packets are late by up to half a round trip
 *   jump     bulk, and every two seconds the path takes 400 ms longer for a tenth of a second
 *   marks    bulk, and a router marks what finds half a BDP waiting
 *   pauses   one connection that sends some 160 kB, rests for up to 20 s, and then finds the link
 *            with a quarter of its rate, and with all of it the next time; counted is the time in
 *            which anything is under way
 *
 * The columns -ecn and -cwv are played where the mechanism has something to do, in the last two; a
 * dash stands in the others.
 *
 * Cells are played by processes, each of which takes the next one, and nothing in a cell depends on
 * another: the text is the same for every number of processes, build and machine.
 */
#include "tests/sim/matrix.h"

#include <stdatomic.h>
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
    SHORT_TIMES = 20,
    QUEUE_MIN = 4500, /* bytes */
    SHUFFLED = 20000, /* parts per million */
    PAUSES_BYTES = 3000000,
    PAUSED = 50000, /* parts per million of the writes of 1 to 16 kB */
    LINE_MAX_LEN = 512,
    ROWS_MAX = 256,
};

static const uint64_t rate = 1250000; /* bytes/s: 10 Mbit/s */
static const int64_t bulk_for = 8 * SEC;
static const int64_t jump_every = 2 * SEC, jump_for = 100 * MSEC, jump_by = 400 * MSEC;
static const int64_t pause_max = 20 * SEC;

enum traffic {
    BULK,
    SHORT,
    SHUFFLE,
    JUMP,
    MARKS,
    PAUSES,
    TRAFFICS,
};

static const char *const traffics[TRAFFICS] = {"bulk", "short", "shuffle",
                                               "jump", "marks", "pauses"};
static const int64_t trips[] = {10 * MSEC, 40 * MSEC, 160 * MSEC};
static const uint32_t buffers[] = {10, 100};              /* percent of a BDP */
static const uint32_t losses[] = {0, 1000, 10000, 50000}; /* parts per million */
static const char *const algorithms[] = {"reno", "cubic", "bbr"};

/* Mechanisms that can be off, by their names in tcp/switch.def. */
static const char *const mechanisms[] = {
    "sack",    "dsack",  "rack", "tlp", "prr", "frto", "undo", "limited-transmit",
    "hystart", "pacing", "ecn",  "cwv",
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

enum {
    COLUMNS = 1 + COUNT(mechanisms),
};

struct row {
    enum traffic traffic;
    int64_t trip;    /* ns */
    uint32_t buffer; /* percent of a BDP */
    uint32_t loss;   /* parts per million */
    const char *cc;
};

static struct row rows[ROWS_MAX];
static unsigned rows_n;

struct results {
    atomic_uint next; /* cell; row by row */
    double percent[ROWS_MAX * COLUMNS];
    bool bad[ROWS_MAX * COLUMNS];
};

/* Small buffers are for bulk traffic, and one round trip is enough for what is shaken. */
static bool is_played(const struct row *r)
{
    if (r->traffic == BULK)
        return true;
    if (r->traffic >= MARKS && r->loss != 0 && r->loss != 10000)
        return false;
    return r->buffer == 100 && (r->traffic == SHORT || r->trip == 40 * MSEC);
}

static void add_rows(struct row r)
{
    for (unsigned i = 0; i < COUNT(losses); i++)
        for (unsigned k = 0; k < COUNT(algorithms); k++) {
            r.loss = losses[i];
            r.cc = algorithms[k];
            if (is_played(&r) && cc_find(r.cc))
                rows[rows_n++] = r;
        }
}

static void list_rows(void)
{
    rows_n = 0;
    for (unsigned t = 0; t < TRAFFICS; t++)
        for (unsigned i = 0; i < COUNT(trips); i++)
            for (unsigned k = 0; k < COUNT(buffers); k++)
                add_rows((struct row){(enum traffic)t, trips[i], buffers[k], 0, NULL});
}

/* ---- Cells ---- */

static struct lab lab;

static bool *switch_of(const char *name, struct tcp_config *tcp)
{
    const struct tcp_switch *s = tcp_switch_find(name, strlen(name));

    if (!s)
        abort();
    return tcp_switch_of(s, tcp);
}

static void jump(struct lab *l, unsigned node)
{
    bool late = l->now > SEC && l->now % jump_every < jump_for;

    (void)node;
    l->world->lane[LAB_A][LAB_B].path.cfg.delay = (int64_t)l->state[0] + (late ? jump_by : 0);
}

/* Has the mechanism of this column anything to do in this row? */
static bool has_work(const struct row *r, unsigned column)
{
    const char *name = column > 0 ? mechanisms[column - 1] : "";

    if (strcmp(name, "ecn") == 0)
        return r->traffic == MARKS;
    return strcmp(name, "cwv") != 0 || r->traffic == PAUSES;
}

/*
 * state[0]: when this was called last; [1]: bytes that the link could have carried while anything
 * was under way; [2]: whether it was; [3]: bursts so far. The link changes behind a burst.
 */
static void pauses(struct lab *l, unsigned node)
{
    struct path_config *link = &l->world->lane[LAB_A][LAB_B].path.cfg;
    bool busy = l->world->end[0][0].written > l->world->end[0][1].read;

    (void)node;
    if (l->state[2])
        l->state[1] += link->rate * ((uint64_t)l->now - l->state[0]) / (uint64_t)SEC;
    if (l->state[2] && !busy)
        link->rate = ++l->state[3] % 2 ? rate / 4 : rate;
    l->state[0] = (uint64_t)l->now;
    l->state[2] = busy;
}

static void set_up(const struct row *r, unsigned column)
{
    uint64_t bdp = rate * (uint64_t)r->trip / (uint64_t)SEC;
    struct path_config *path = &lab.sc.path[LAB_A][LAB_B];

    lab_init(&lab, rate, r->trip, max32(QUEUE_MIN, (uint32_t)(bdp * r->buffer / 100)));
    path->loss = r->loss;
    if (r->traffic == SHUFFLE) {
        path->reorder = SHUFFLED;
        path->reorder_by = r->trip / 2;
    }
    if (r->traffic == MARKS)
        path->mark_bytes = (uint32_t)(bdp / 2);
    if (r->traffic == PAUSES)
        lab.ran = pauses;
    if (r->traffic == JUMP) {
        lab.ran = jump;
        lab.state[0] = (uint64_t)path->delay;
    }
    for (unsigned i = 0; i < NET_NODES; i++) {
        lab_tcp(&lab, i)->cc = cc_find(r->cc);
        lab_tcp(&lab, i)->ecn = r->traffic == MARKS;
        if (column > 0)
            *switch_of(mechanisms[column - 1], lab_tcp(&lab, i)) = false;
    }
}

static double bulk(const struct row *r, unsigned column)
{
    set_up(r, column);
    lab_flow(&lab, LAB_A, UINT32_MAX, 0);
    lab.until = bulk_for;
    lab_play(&lab);
    return lab_goodput(&lab, 0);
}

/* Of the link's rate, as the others: what it could have carried is a measure of time here. */
static double with_pauses(const struct row *r, unsigned column)
{
    struct end_plan *plan = &lab.sc.conn[0].end[0];

    set_up(r, column);
    lab_flow(&lab, LAB_A, PAUSES_BYTES, 0);
    plan->pause = PAUSED;
    plan->pause_max = pause_max;
    lab_play(&lab);
    return (double)PAUSES_BYTES * (double)rate / (double)lab.state[1];
}

static double messages(const struct row *r, unsigned column)
{
    int64_t took = 0;
    bool good = true;

    for (unsigned i = 0; i < SHORT_TIMES && good; i++) {
        set_up(r, column);
        lab.sc.seed = i + 1;
        lab_flow(&lab, LAB_A, SHORT_BYTES, 0);
        lab_play(&lab);
        took += lab.done_at;
        good = !lab.result.failed;
    }
    return (double)SHORT_BYTES * SHORT_TIMES * (double)SEC / (double)took;
}

static double goodput(const struct row *r, unsigned column)
{
    switch (r->traffic) {
    case SHORT:
        return messages(r, column);
    case PAUSES:
        return with_pauses(r, column);
    case BULK:
    case SHUFFLE:
    case JUMP:
    case MARKS:
    case TRAFFICS:
        break;
    }
    return bulk(r, column);
}

static void play(struct results *res, unsigned i)
{
    const struct row *r = &rows[i / COLUMNS];
    unsigned column = i % COLUMNS;
    double most = (double)rate * LAB_MSS / 1500;

    if (!has_work(r, column))
        return;
    res->percent[i] = 100 * goodput(r, column) / most;
    res->bad[i] = lab.result.failed;
    if (res->bad[i])
        printf("not ok - matrix: %s, %d ms, %u%% of a BDP, %u ppm, %s, column %u: %s\n",
               traffics[r->traffic], (int)(r->trip / MSEC), r->buffer, r->loss, r->cc, column,
               lab.result.why);
}

static void work(struct results *r)
{
    for (unsigned i; (i = atomic_fetch_add(&r->next, 1)) < rows_n * COLUMNS;)
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
    list_rows();
    fflush(NULL);
    for (unsigned i = 0; i < jobs; i++)
        if (fork() == 0) {
            work(r);
            _exit(0);
        }
    while (wait(&status) > 0)
        good = good && status == 0;
    for (unsigned i = 0; i < rows_n * COLUMNS; i++)
        good = good && !r->bad[i];
    return good ? r : NULL;
}

/* ---- As text ---- */

static void write_row(const struct results *res, unsigned row, FILE *out)
{
    const struct row *r = &rows[row];

    fprintf(out, "%-7s %5dms %6.1f %5.1f%% %-6s", traffics[r->traffic], (int)(r->trip / MSEC),
            r->buffer / 100.0, r->loss / 1e4, r->cc);
    for (unsigned i = 0; i < COLUMNS; i++) {
        int width = i == 0 ? 5 : (int)strlen(mechanisms[i - 1]) + 1;

        if (has_work(r, i))
            fprintf(out, " %*.1f", width, res->percent[row * COLUMNS + i]);
        else
            fprintf(out, " %*s", width, "-");
    }
    putc('\n', out);
}

static void write_text(const struct results *r, FILE *out)
{
    fprintf(out, "# Goodput in percent of a link of 10 Mbit/s; `make matrix` writes this file.\n"
                 "# Buffers are in BDPs, and at least three packets; a column named -NAME is the "
                 "stack without NAME, and a dash\n"
                 "# where NAME has nothing to do.\n"
                 "# traffic   rtt buffer   loss cc       all");
    for (unsigned i = 0; i < COUNT(mechanisms); i++)
        fprintf(out, " -%s", mechanisms[i]);
    putc('\n', out);
    for (unsigned row = 0; row < rows_n; row++)
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
        printf("ok - matrix: goodput is what %s says, in %u cells\n", file, rows_n * COLUMNS);
    fclose(old);
    fclose(new);
    return differ ? EXIT_FAILED : EXIT_DONE;
}
