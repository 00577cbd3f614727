#include "tests/sim/census.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "run/exit.h"
#include "tcp/cc/cc.h"
#include "tests/sim/node.h"
#include "tests/sim/scenario.h"

enum {
    ROWS_MAX = 64,
};

/* One thing that a seed can have, and how many have it. */
struct row {
    const char *group, *name;
    uint64_t seeds, all; /* at some node or path; at every node, where that is asked */
    bool at_nodes;
};

static struct row rows[ROWS_MAX];
static unsigned n;

static struct row *row(const char *group, const char *name)
{
    unsigned i = 0;

    while (i < n && (strcmp(rows[i].group, group) != 0 || strcmp(rows[i].name, name) != 0))
        i++;
    if (i == n && n < ROWS_MAX)
        rows[n++] = (struct row){.group = group, .name = name};
    return &rows[i < n ? i : n - 1];
}

static void count(const char *group, const char *name, bool has)
{
    row(group, name)->seeds += has;
}

static void count_nodes(const char *group, const char *name, unsigned has, unsigned nodes)
{
    struct row *r = row(group, name);

    r->at_nodes = true;
    r->seeds += has > 0;
    r->all += has == nodes;
}

/* ---- What a seed has ---- */

static void count_mechanisms(struct scenario *sc)
{
    const struct tcp_switch *s;

    for (unsigned i = 0; (s = tcp_switch_at(i)); i++) {
        unsigned off = 0;

        for (unsigned k = 0; k < sc->nodes; k++)
            off += !*tcp_switch_of(s, &sc->node[k].stack.tcp);
        count_nodes("off", s->name, off, sc->nodes);
    }
}

static void count_algorithms(const struct scenario *sc)
{
    const struct cc_ops *cc = NULL;

    while ((cc = cc_next(cc))) {
        unsigned has = 0;

        for (unsigned k = 0; k < sc->nodes; k++)
            has += node_cc(sc->node[k].cc - 1) == cc;
        count_nodes("cc", cc->name, has, sc->nodes);
    }
}

static void count_path(const struct path_config *p, bool had[])
{
    const bool has[] = {
        p->loss,    p->burst_enter,    p->duplicate,    p->reorder,
        p->corrupt, p->jitter,         !p->in_order,    p->rate,
        p->mark,    p->mark_bytes,     p->mask[0].kind, p->down_until > p->down_from,
        p->mtu,     p->mtu && p->mute,
    };

    for (unsigned i = 0; i < sizeof(has) / sizeof(has[0]); i++)
        had[i] |= has[i];
}

static void count_impairments(const struct scenario *sc)
{
    static const char *const names[] = {
        "loss",   "burst",     "duplicate", "reorder",     "corrupt",
        "jitter", "unordered", "rate",      "ce-mark",     "ce-mark by the queue",
        "drop",   "down",      "mtu",       "mtu, silent",
    };
    bool had[sizeof(names) / sizeof(names[0])] = {false};

    for (unsigned i = 0; i < sc->nodes; i++)
        for (unsigned j = 0; j < sc->nodes; j++)
            if (i != j)
                count_path(&sc->path[i][j], had);
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        count("path", names[i], had[i]);
    count("path", "cut into fragments", sc->cut);
    count("path", "a node vanishes", sc->vanish);
    count("path", "forged packets", sc->strikes);
}

/* ---- The result ---- */

static bool say(uint64_t seeds)
{
    const struct row *least = &rows[0];

    for (unsigned i = 0; i < n; i++) {
        const struct row *r = &rows[i];

        printf("%-5s %-22s %6" PRIu64, r->group, r->name, r->seeds);
        if (r->at_nodes)
            printf(" %6" PRIu64, r->all);
        printf("\n");
        if (r->seeds < least->seeds)
            least = r;
    }
    printf("%s - of %" PRIu64 " seeds %" PRIu64 " at least have each of %u: %s %s\n",
           least->seeds >= CENSUS_LEAST ? "ok" : "not ok", seeds, least->seeds, n, least->group,
           least->name);
    return least->seeds >= CENSUS_LEAST;
}

int census(uint64_t from, uint64_t to)
{
    static struct scenario sc;

    n = 0;
    for (uint64_t seed = from; seed <= to; seed++) {
        scenario_draw(seed, &sc);
        count_mechanisms(&sc);
        count_algorithms(&sc);
        count_impairments(&sc);
        count("net", sc.name, true);
        count("net", "IPv6", sc.v6);
    }
    return say(to - from + 1) ? EXIT_DONE : EXIT_FAILED;
}
