#include "tests/sim/shrink.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    PLAY_SECONDS = 20, /* of CPU time for one run */
};

/* ---- One run in a process of its own ---- */

static struct shared {
    struct world_result result;
    bool done;
    size_t recorded, room;
    struct fault fault[];
} * shared;

enum {
    FAULTS_MAX = 100000,
};

static void share(void)
{
    if (shared)
        return;
    shared = mmap(NULL, sizeof(*shared) + FAULTS_MAX * sizeof(struct fault), PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (shared == MAP_FAILED)
        abort();
}

static void play_and_leave(const struct scenario *sc, const struct world_options *how)
{
    struct itimerval limit = {.it_value.tv_sec = PLAY_SECONDS};
    struct faults record = {0};
    struct world_options mine = *how;

    setitimer(ITIMER_VIRTUAL, &limit, NULL);
    if (!mine.verbose && !freopen("/dev/null", "w", stderr)) /* assertions speak */
        _exit(1);
    mine.record = how->record ? &record : NULL;
    world_play(sc, &mine, &shared->result);
    shared->recorded = record.n < FAULTS_MAX ? record.n : FAULTS_MAX;
    if (record.n > 0)
        memcpy(shared->fault, record.list, shared->recorded * sizeof(struct fault));
    shared->done = true;
    fflush(stdout);
    _exit(0);
}

void shrink_play(const struct scenario *sc, const struct world_options *how,
                 struct world_result *ret_result)
{
    int status = 0;
    pid_t child;

    share();
    shared->done = false;
    shared->recorded = 0;
    fflush(stdout);
    child = fork();
    if (child == 0)
        play_and_leave(sc, how);
    if (child < 0 || waitpid(child, &status, 0) < 0)
        abort();
    if (shared->done) {
        *ret_result = shared->result;
    } else {
        *ret_result = (struct world_result){.failed = true, .how = (uint64_t)WTERMSIG(status)};
        snprintf(ret_result->name, sizeof(ret_result->name), "%s", sc->name);
        snprintf(ret_result->why, sizeof(ret_result->why), "ended by signal %d (%s)",
                 WTERMSIG(status), strsignal(WTERMSIG(status)));
    }
    if (how->record)
        for (size_t i = 0; i < shared->recorded; i++)
            faults_add(how->record, &shared->fault[i]);
}

/* ---- Attempts ---- */

struct attempt {
    struct scenario *sc;
    struct faults *faults;
    struct world_result *result;
    unsigned plays, most;
};

static bool may_play(const struct attempt *a)
{
    return a->plays < a->most;
}

/* Does it still fail in the same way? */
static bool still_fails(struct attempt *a, const struct scenario *sc, const struct faults *faults)
{
    struct world_options how = {.script = faults};
    struct world_result r;

    a->plays++;
    shrink_play(sc, &how, &r);
    if (!r.failed || r.how != a->result->how)
        return false;
    *a->result = r;
    return true;
}

/* Try one other value; keep it if it still fails. */
static bool try_value(struct attempt *a, size_t i, int64_t value)
{
    int64_t old = params_get(a->sc, i);

    if (value == old)
        return false;
    params_set(a->sc, i, value);
    if (still_fails(a, a->sc, a->faults))
        return true;
    params_set(a->sc, i, old);
    return false;
}

/* The plain value, or else as near to it as halving goes. */
static bool flatten(struct attempt *a, size_t i)
{
    int64_t plain = params_plain(a->sc, i);
    bool better = try_value(a, i, plain);

    if (better || params_get(a->sc, i) == plain)
        return better;
    while (may_play(a)) {
        int64_t now = params_get(a->sc, i), middle = plain + (now - plain) / 2;

        if (middle == now || middle == plain || !try_value(a, i, middle))
            break;
        better = true;
    }
    return better;
}

static bool is_switch_of_conn(const struct scenario *sc, size_t i)
{
    char name[64];
    size_t len;

    params_name(sc, i, name, sizeof(name));
    len = strlen(name);
    return name[0] == 'c' && len > 3 && strcmp(name + len - 3, ".on") == 0;
}

/* Take connections out; first all but one, which is what most failures need. */
static bool fewer_connections(struct attempt *a)
{
    bool better = false;

    for (unsigned only = 0; only < a->sc->conns && may_play(a); only++) {
        struct scenario one = *a->sc;
        unsigned others = 0;

        for (unsigned i = 0; i < one.conns; i++) {
            others += one.conn[i].on && i != only;
            one.conn[i].on = one.conn[i].on && i == only;
        }
        if (others && one.conn[only].on && still_fails(a, &one, a->faults)) {
            *a->sc = one;
            return true;
        }
    }
    for (size_t i = 0; i < params_count(a->sc) && may_play(a); i++)
        if (is_switch_of_conn(a->sc, i) && params_get(a->sc, i) && try_value(a, i, 0))
            better = true;
    return better;
}

static bool plainer_values(struct attempt *a)
{
    bool better = false;

    for (size_t i = 0; i < params_count(a->sc) && may_play(a); i++)
        if (!is_switch_of_conn(a->sc, i) && !params_idle(a->sc, i) && flatten(a, i))
            better = true;
    return better;
}

/* Faults without those from `from` on, `n` of them. */
static struct faults without(const struct faults *l, size_t from, size_t n)
{
    struct faults less = {0};

    for (size_t i = 0; i < l->n; i++)
        if (i < from || i >= from + n)
            faults_add(&less, &l->list[i]);
    return less;
}

/* Remove faults, first many at one time and then one by one. */
static bool fewer_faults(struct attempt *a)
{
    bool better = false;

    for (size_t n = a->faults->n; n >= 1 && may_play(a); n /= 2)
        for (size_t at = 0; at < a->faults->n && may_play(a);) {
            struct faults less = without(a->faults, at, n);

            if (still_fails(a, a->sc, &less)) {
                faults_free(a->faults);
                *a->faults = less;
                better = true;
            } else {
                faults_free(&less);
                at += n;
            }
        }
    return better;
}

/* From dice to a list of what the dice did. */
static void write_down(struct attempt *a)
{
    struct faults record = {0};
    struct world_options how = {.record = &record};
    struct world_result r;
    struct scenario listed = *a->sc;

    a->plays++;
    shrink_play(a->sc, &how, &r);
    listed.listed = true;
    if (r.failed && r.how == a->result->how && still_fails(a, &listed, &record)) {
        faults_free(a->faults);
        *a->faults = record;
        *a->sc = listed;
    } else {
        faults_free(&record); /* it ended by a signal, and nothing could be written down */
    }
}

unsigned shrink(struct scenario *sc, struct faults *faults, struct world_result *result,
                unsigned plays)
{
    struct attempt a = {.sc = sc, .faults = faults, .result = result, .most = plays};

    fewer_connections(&a);
    plainer_values(&a);
    if (!sc->listed)
        write_down(&a);
    while (may_play(&a)) {
        bool better = fewer_faults(&a);

        better = fewer_connections(&a) || better;
        better = plainer_values(&a) || better;
        if (!better)
            break;
    }
    return a.plays;
}
