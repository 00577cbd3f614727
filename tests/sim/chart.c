#include "tests/sim/chart.h"

#include <math.h>
#include <stdlib.h>

enum {
    WIDTH = 760,
    HEIGHT = 360,
    LEFT = 64,
    RIGHT = 16,
    TOP = 62,
    BOTTOM = 72,
    TICKS = 5,
    LEGEND = 4,      /* names fit side by side, and more of them closer together */
    NAMES_LEVEL = 6, /* more names than this are written aslant */
};

static const char *const colours[CHART_SERIES] = {"#2563a8", "#c8501e", "#2f8f4e",
                                                  "#8a4fa3", "#a8862a", "#555555"};

struct chart_series *chart_add(struct chart *c, const char *name)
{
    struct chart_series *s;

    if (c->series_n == CHART_SERIES)
        abort();
    s = &c->series[c->series_n++];
    snprintf(s->name, sizeof(s->name), "%s", name);
    s->n = 0;
    return s;
}

void chart_point(struct chart_series *s, double x, double y)
{
    if (s->n == CHART_POINTS)
        return;
    s->x[s->n] = x;
    s->y[s->n++] = y;
}

static double at_x(const struct chart *c, double x)
{
    return LEFT + x / c->x_max * (WIDTH - LEFT - RIGHT);
}

static double at_y(const struct chart *c, double y)
{
    return HEIGHT - BOTTOM - (y - c->y_min) / (c->y_max - c->y_min) * (HEIGHT - TOP - BOTTOM);
}

/* 1, 2 or 5 times a power of ten: about TICKS of them make `max`. */
static double tick_of(double max)
{
    double ten = pow(10, floor(log10(max / TICKS))), n = max / TICKS / ten;

    return ten * (n > 5 ? 10 : n > 2 ? 5 : n > 1 ? 2 : 1);
}

static void begin(const struct chart *c, FILE *out)
{
    unsigned room = WIDTH - LEFT - RIGHT;

    fprintf(out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\""
            " height=\"%d\" font-family=\"sans-serif\" font-size=\"12\">\n"
            "<rect width=\"%d\" height=\"%d\" fill=\"#ffffff\"/>\n"
            "<text x=\"%d\" y=\"22\" font-size=\"15\">%s</text>\n",
            WIDTH, HEIGHT, WIDTH, HEIGHT, WIDTH, HEIGHT, LEFT, c->title);
    for (unsigned i = 0; i < c->series_n; i++) {
        unsigned x = LEFT + i * (c->series_n > LEGEND ? room / c->series_n : room / LEGEND);

        fprintf(out,
                "<rect x=\"%u\" y=\"36\" width=\"14\" height=\"4\" fill=\"%s\"/>"
                "<text x=\"%u\" y=\"43\">%s</text>\n",
                x, colours[i], x + 20, c->series[i].name);
    }
}

static void grid_y(const struct chart *c, FILE *out)
{
    double step = tick_of(c->y_max);

    for (double y = c->y_min; y <= c->y_max * 1.0001; y += step)
        fprintf(out,
                "<line x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\" stroke=\"#dddddd\"/>"
                "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%g</text>\n",
                LEFT, at_y(c, y), WIDTH - RIGHT, at_y(c, y), LEFT - 8, at_y(c, y) + 4, y);
    fprintf(out,
            "<text transform=\"translate(16 %d) rotate(-90)\" text-anchor=\"middle\">%s</text>\n",
            (TOP + HEIGHT - BOTTOM) / 2, c->y_name);
}

static void label_x(const struct chart *c, double x, const char *text, FILE *out)
{
    if (c->x_max <= NAMES_LEVEL || !c->x_names)
        fprintf(out, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s</text>\n", at_x(c, x),
                HEIGHT - BOTTOM + 18, text);
    else
        fprintf(
            out,
            "<text transform=\"translate(%.1f %d) rotate(-24)\" text-anchor=\"end\">%s</text>\n",
            at_x(c, x) + 8, HEIGHT - BOTTOM + 16, text);
}

static void grid_x(const struct chart *c, FILE *out)
{
    double step = c->x_names ? 1 : tick_of(c->x_max);
    char number[32];

    for (double x = 0; x <= c->x_max * 1.0001; x += step) {
        snprintf(number, sizeof(number), "%g", x);
        label_x(c, x, c->x_names ? c->x_names[(unsigned)x] : number, out);
    }
}

static void end(const struct chart *c, FILE *out)
{
    fprintf(out,
            "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">%s</text>\n"
            "<line x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\" stroke=\"#333333\"/>\n</svg>\n",
            (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, c->x_name, LEFT, at_y(c, 0), WIDTH - RIGHT,
            at_y(c, 0));
}

void chart_lines(const struct chart *c, FILE *out)
{
    begin(c, out);
    grid_y(c, out);
    grid_x(c, out);
    for (unsigned i = 0; i < c->series_n; i++) {
        const struct chart_series *s = &c->series[i];

        fprintf(out, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"1.5\" points=\"",
                colours[i]);
        for (unsigned k = 0; k < s->n; k++)
            fprintf(out, "%s%.1f,%.1f", k ? " " : "", at_x(c, s->x[k]),
                    at_y(c, fmin(s->y[k], c->y_max)));
        fprintf(out, "\"/>\n");
    }
    end(c, out);
}

void chart_bars(const struct chart *c, FILE *out)
{
    double group = (WIDTH - LEFT - RIGHT) / c->x_max, wide = group * 0.8 / c->series_n;

    begin(c, out);
    grid_y(c, out);
    for (unsigned g = 0; g < (unsigned)c->x_max; g++)
        label_x(c, g + 0.5, c->x_names[g], out);
    for (unsigned i = 0; i < c->series_n; i++)
        for (unsigned g = 0; g < c->series[i].n; g++) {
            double y = c->series[i].y[g], top = at_y(c, fmax(0, fmin(y, c->y_max)));
            double bottom = at_y(c, fmax(c->y_min, fmin(0, y)));

            fprintf(out,
                    "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"%s\"/>\n",
                    at_x(c, g) + group * 0.1 + i * wide, top, wide, fmax(0.5, bottom - top),
                    colours[i]);
        }
    end(c, out);
}
