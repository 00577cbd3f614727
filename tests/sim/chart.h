/*
 * Charts as SVG: lines over two linear axes, and groups of bars. Small on purpose: what it draws is
 * read beside a text that explains it.
 */
#ifndef SIM_CHART_H
#define SIM_CHART_H

#include <stdio.h>

enum {
    CHART_SERIES = 6,
    CHART_POINTS = 2000,
    CHART_GROUPS = 16,
};

struct chart_series {
    char name[32];
    unsigned n;
    double x[CHART_POINTS], y[CHART_POINTS];
};

struct chart {
    const char *title, *x_name, *y_name;
    double x_max, y_max, y_min; /* y_min: 0 or below */
    const char *const *x_names; /* names instead of numbers at x = 0, 1, ...; NULL: numbers */
    unsigned series_n;
    struct chart_series series[CHART_SERIES];
};

/* A new series; its points follow by chart_point. */
struct chart_series *chart_add(struct chart *c, const char *name);
void chart_point(struct chart_series *s, double x, double y);

/* Lines through the points, in the order in which they came. */
void chart_lines(const struct chart *c, FILE *out);

/* x_max groups, each with a bar for each series; y may be below zero. */
void chart_bars(const struct chart *c, FILE *out);

#endif
