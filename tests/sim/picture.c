#include "tests/sim/picture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run/exit.h"
#include "tcp/cc/cc.h"
#include "tests/sim/chart.h"
#include "tests/sim/lab.h"

enum {
    COLUMNS_MAX = 24,
    ROWS_MAX = 1000,
};

static const int64_t sample_every = 20 * MSEC, share_every = 500 * MSEC;
static const uint64_t rate = 1250000; /* bytes/s: 10 Mbit/s, the matrix's */
static const int64_t rtt = 40 * MSEC;

static struct lab lab;
static struct chart chart;

static FILE *open_picture(const char *folder, const char *name)
{
    char path[512];
    FILE *f;

    snprintf(path, sizeof(path), "%s/congestion-%s.svg", folder, name);
    f = fopen(path, "w");
    if (!f)
        fprintf(stderr, "sim: %s cannot be written\n", path);
    return f;
}

static void begin_chart(const char *title, const char *x, const char *y, double x_max, double y_max)
{
    memset(&chart, 0, sizeof(chart));
    chart.title = title;
    chart.x_name = x;
    chart.y_name = y;
    chart.x_max = x_max;
    chart.y_max = y_max;
}

/* ---- From runs ---- */

/* lab.state[0]: when the next sample is due, ns */
static void sample_cwnd(struct lab *l, unsigned node)
{
    struct stack_conn_status s;

    if (node != LAB_A || l->now < (int64_t)l->state[0] || !lab_status(l, 0, &s))
        return;
    l->state[0] = (uint64_t)(l->now + sample_every);
    chart_point(&chart.series[chart.series_n - 1], (double)l->now / (double)SEC,
                (double)s.cwnd / LAB_MSS);
}

static bool draw_cwnd(const char *folder)
{
    FILE *out = open_picture(folder, "cwnd");
    const struct cc_ops *cc = NULL;

    begin_chart("The congestion window: 10 Mbit/s, 40 ms, a buffer of one BDP (34 segments)",
                "seconds", "segments", 20, 100);
    while ((cc = cc_next(cc)) && out) {
        lab_init(&lab, rate, rtt, 50000);
        lab_tcp(&lab, LAB_A)->cc = cc;
        lab_flow(&lab, LAB_A, UINT32_MAX, 0);
        lab.until = 20 * SEC;
        lab.ran = sample_cwnd;
        chart_add(&chart, cc->name);
        lab_play(&lab);
    }
    if (!out)
        return false;
    chart_lines(&chart, out);
    fclose(out);
    return true;
}

/* lab.state[0]: when the next sample is due, ns; [1], [2]: what was read by the last one */
static void sample_share(struct lab *l, unsigned node)
{
    double seconds = (double)share_every / (double)SEC;

    if (node != LAB_B || l->now < (int64_t)l->state[0])
        return;
    for (unsigned i = 0; i < 2; i++) {
        chart_point(&chart.series[i], (double)l->now / (double)SEC,
                    (double)(l->read[i] - l->state[1 + i]) * 8e-6 / seconds);
        l->state[1 + i] = l->read[i];
    }
    l->state[0] += (uint64_t)share_every;
}

static bool draw_share(const char *folder, const char *name, const char *title, const char *one,
                       const char *other)
{
    static char names[2][40];
    FILE *out = open_picture(folder, name);

    if (!out || !cc_find(one) || !cc_find(other))
        return false;
    begin_chart(title, "seconds", "Mbit/s", 40, 10);
    snprintf(names[0], sizeof(names[0]), "%s, first", one);
    snprintf(names[1], sizeof(names[1]), "%s, 5 s later", other);
    chart_add(&chart, names[0]);
    chart_add(&chart, names[1]);
    lab_init(&lab, rate, rtt, 50000);
    lab_tcp(&lab, LAB_A)->cc = cc_find(one);
    lab_tcp(&lab, LAB_C)->cc = cc_find(other);
    lab_flow(&lab, LAB_A, UINT32_MAX, 0);
    lab_flow(&lab, LAB_C, UINT32_MAX, 5 * SEC);
    lab.until = 40 * SEC;
    lab.ran = sample_share;
    lab_play(&lab);
    chart_lines(&chart, out);
    fclose(out);
    return true;
}

/* ---- From the matrix ---- */

struct row {
    char traffic[8], cc[8];
    int rtt;
    double buffer, loss, value[COLUMNS_MAX];
};

static struct {
    unsigned columns, rows;
    char column[COLUMNS_MAX][24];
    struct row row[ROWS_MAX];
} matrix;

/* Words from `text` on: names of columns, or values; a dash is none. */
static void read_words(char *text, struct row *r)
{
    unsigned n = 0;
    char *save = NULL;

    for (char *w = strtok_r(text, " \n", &save); w && n < COLUMNS_MAX;
         w = strtok_r(NULL, " \n", &save), n++) {
        if (r)
            r->value[n] = strcmp(w, "-") == 0 ? -1 : strtod(w, NULL);
        else
            snprintf(matrix.column[n], sizeof(matrix.column[n]), "%s", w);
    }
    if (!r)
        matrix.columns = n;
}

static bool read_matrix(const char *file)
{
    FILE *in = fopen(file, "r");
    char line[512];
    int at;

    if (!in)
        return false;
    while (fgets(line, sizeof(line), in) && matrix.rows < ROWS_MAX) {
        struct row *r = &matrix.row[matrix.rows];
        char *names = strstr(line, " cc ");

        if (line[0] == '#' && names)
            read_words(names + 4, NULL);
        else if (sscanf(line, "%7s %dms %lf %lf%% %7s %n", r->traffic, &r->rtt, &r->buffer,
                        &r->loss, r->cc, &at) == 5) {
            read_words(line + at, r);
            matrix.rows++;
        }
    }
    fclose(in);
    return matrix.rows > 0;
}

static const struct row *find_row(const char *traffic, int ms, double loss, const char *cc)
{
    for (unsigned i = 0; i < matrix.rows; i++) {
        const struct row *r = &matrix.row[i];

        if (strcmp(r->traffic, traffic) == 0 && r->rtt == ms && r->buffer > 0.9 &&
            r->loss > loss - 0.01 && r->loss < loss + 0.01 && strcmp(r->cc, cc) == 0)
            return r;
    }
    return NULL;
}

/* How many columns, from the first on, that row has. */
static unsigned columns_played(const struct row *r)
{
    unsigned n = 0;

    while (r && n < matrix.columns && r->value[n] >= 0)
        n++;
    return n;
}

static bool draw_loss(const char *folder)
{
    static const double losses[] = {0, 0.1, 1, 5};
    static const char *const names[] = {"0%", "0.1%", "1%", "5%"};
    FILE *out = open_picture(folder, "loss");
    const struct cc_ops *cc = NULL;

    if (!out)
        return false;
    begin_chart("Goodput of one flow over random loss: 10 Mbit/s, 40 ms, a buffer of one BDP",
                "packets lost", "percent of the link", 4, 100);
    chart.x_names = names;
    while ((cc = cc_next(cc))) {
        struct chart_series *s;

        if (!find_row("bulk", 40, 0, cc->name))
            continue; /* it is not in the matrix, as the fixed window is not */
        s = chart_add(&chart, cc->name);
        for (unsigned i = 0; i < 4; i++) {
            const struct row *r = find_row("bulk", 40, losses[i], cc->name);

            chart_point(s, i, r ? r->value[0] : 0);
        }
    }
    chart_bars(&chart, out);
    fclose(out);
    return true;
}

/* What is lost without each mechanism, in percent of what the whole stack brings. */
static bool draw_mechanisms(const char *folder)
{
    static const struct {
        const char *name, *traffic;
        double loss;
    } where[] = {
        {"bulk, 1% lost", "bulk", 1},
        {"bulk, 5% lost", "bulk", 5},
        {"short, 1% lost", "short", 1},
        {"short, 5% lost", "short", 5},
    };
    static const char *names[COLUMNS_MAX];
    unsigned columns = columns_played(find_row(where[0].traffic, 40, where[0].loss, "cubic"));
    FILE *out = open_picture(folder, "mechanisms");

    if (!out || columns == 0)
        return false;
    begin_chart("What is lost without a mechanism: CUBIC, 10 Mbit/s, 40 ms, a buffer of one BDP",
                "switched off", "percent less goodput", columns - 1, 60);
    chart.y_min = -40;
    for (unsigned k = 1; k < columns; k++)
        names[k - 1] = matrix.column[k] + 1;
    chart.x_names = names;
    for (unsigned i = 0; i < 4; i++) {
        const struct row *r = find_row(where[i].traffic, 40, where[i].loss, "cubic");
        struct chart_series *s = chart_add(&chart, where[i].name);

        for (unsigned k = 1; r && k < columns; k++)
            chart_point(s, k, 100 * (1 - r->value[k] / r->value[0]));
    }
    chart_bars(&chart, out);
    fclose(out);
    return true;
}

int picture_all(const char *folder, const char *file)
{
    if (!read_matrix(file)) {
        fprintf(stderr, "sim: %s cannot be read\n", file);
        return EXIT_FAILED;
    }
    if (!draw_cwnd(folder) || !draw_loss(folder) || !draw_mechanisms(folder) ||
        !draw_share(folder, "share", "Two flows of CUBIC share 10 Mbit/s, 40 ms", "cubic", "cubic"))
        return EXIT_FAILED;
    return EXIT_DONE;
}
