#include "tests/sim/range.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "run/exit.h"

enum {
    TWICE = 16,        /* every so many seeds are played twice */
    FAILURES_MAX = 10, /* then stop: more of them tell nothing new */
    SEED_SECONDS = 60, /* of CPU time for one seed */
    PROGRESS_SECONDS = 10,
    TEXT_MAX = 1 << 16,
};

/* What one worker has done; in memory that all processes see. */
struct tally {
    uint64_t now; /* the seed being played */
    uint64_t seeds, packets, payload, hash;
    unsigned failures;
    uint64_t first_failure; /* the lowest failing seed, if there are failures */
    double lasted;          /* s */
};

struct job {
    pid_t pid;
    uint64_t from;
};

static struct tally *tally;

static void fail(struct tally *t, uint64_t seed)
{
    if (t->failures == 0 || seed < t->first_failure)
        t->first_failure = seed;
    t->failures++;
}

static void say_failure(const char *program, uint64_t seed, const char *name, const char *why)
{
    printf("not ok - seed %" PRIu64 " (%s) %s; replay: %s --seed %" PRIu64 " -v\n", seed, name, why,
           program, seed);
}

static void play_one(const struct range_options *o, uint64_t seed, struct tally *t)
{
    static const struct world_options how = {0};
    static struct scenario sc;
    struct itimerval limit = {.it_value.tv_sec = SEED_SECONDS};
    struct world_result r, again;

    t->now = seed;
    setitimer(ITIMER_VIRTUAL, &limit, NULL);
    scenario_draw(seed, &sc);
    world_play(&sc, &how, &r);
    if (r.failed) {
        say_failure(o->program, seed, r.name, r.why);
        fail(t, seed);
    } else if (seed % TWICE == 0) {
        world_play(&sc, &how, &again);
        if (again.hash != r.hash) {
            printf("not ok - seed %" PRIu64 " (%s) gave two different traces\n", seed, r.name);
            fail(t, seed);
        }
    }
    t->seeds++;
    t->packets += r.packets;
    t->payload += r.payload;
    t->lasted += (double)r.lasted / (double)SEC;
    t->hash += dice_mix(r.hash ^ dice_mix(seed)); /* in whatever order they come */
}

static unsigned failures(const struct range_options *o)
{
    unsigned n = 0;

    for (unsigned j = 0; j < o->jobs; j++)
        n += tally[j].failures;
    return n;
}

static unsigned enough(const struct range_options *o)
{
    return o->first ? 1 : FAILURES_MAX;
}

static void start(const struct range_options *o, unsigned j, struct job *job)
{
    fflush(stdout);
    job->pid = fork();
    if (job->pid < 0)
        abort();
    if (job->pid > 0)
        return;
    for (uint64_t s = job->from; s <= o->to && failures(o) < enough(o); s += o->jobs)
        play_one(o, s, &tally[j]);
    fflush(stdout);
    _exit(0);
}

static void say_progress(const struct range_options *o, time_t began)
{
    uint64_t seeds = 0, all = o->to - o->from + 1;
    double took = difftime(time(NULL), began);

    for (unsigned j = 0; j < o->jobs; j++)
        seeds += tally[j].seeds;
    fprintf(stderr, "sim: %" PRIu64 " of %" PRIu64 " seeds, %u failures, %.0f s, %.0f s to go\n",
            seeds, all, failures(o), took,
            seeds ? took * (double)(all - seeds) / (double)seeds : 0.0);
}

/* A worker has ended: if by its seed, that is a failure, and another one goes on behind it. */
static bool reap(const struct range_options *o, unsigned j, struct job *job)
{
    char why[80];
    int status;

    if (waitpid(job->pid, &status, WNOHANG) == 0)
        return false;
    job->pid = 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    snprintf(why, sizeof(why), "ended by signal %d", WIFSIGNALED(status) ? WTERMSIG(status) : 0);
    say_failure(o->program, tally[j].now, "?", why);
    fail(&tally[j], tally[j].now);
    job->from = tally[j].now + o->jobs;
    if (job->from > o->to || failures(o) >= enough(o))
        return true;
    start(o, j, job);
    return false;
}

static void wait_for_all(const struct range_options *o, struct job *jobs)
{
    time_t began = time(NULL), said = began;
    unsigned left = o->jobs;

    while (left > 0) {
        const struct timespec nap = {0, 20000000};

        for (unsigned j = 0; j < o->jobs; j++)
            if (jobs[j].pid && reap(o, j, &jobs[j]))
                left--;
        if (left > 0)
            nanosleep(&nap, NULL);
        if (o->progress && time(NULL) - said >= PROGRESS_SECONDS) {
            said = time(NULL);
            say_progress(o, began);
        }
    }
}

void range_shrink(const char *program, struct scenario *sc, struct faults *faults,
                  struct world_result *result, unsigned plays)
{
    static char text[TEXT_MAX];
    unsigned conns = 0, made;

    made = shrink(sc, faults, result, plays);
    params_print(sc, faults, text, sizeof(text));
    for (unsigned i = 0; i < sc->conns; i++)
        conns += sc->conn[i].on;
    printf("# shrunk in %u runs to connections: %u, faults: %zu%s, packets: %" PRIu64 "; %s\n",
           made, conns, faults->n, sc->listed ? "" : " listed and dice", result->packets,
           result->why);
    printf("# replay: %s --seed %" PRIu64 " -v --with '%s'\n", program, sc->seed,
           text + (text[0] == ' '));
}

static void shrink_first(const struct range_options *o)
{
    static struct scenario sc;
    const struct world_options how = {0};
    struct faults faults = {0};
    struct world_result r;
    uint64_t seed = UINT64_MAX;

    for (unsigned j = 0; j < o->jobs; j++)
        if (tally[j].failures > 0 && tally[j].first_failure < seed)
            seed = tally[j].first_failure;
    scenario_draw(seed, &sc);
    shrink_play(&sc, &how, &r);
    if (r.failed)
        range_shrink(o->program, &sc, &faults, &r, o->plays);
    faults_free(&faults);
}

static void say_totals(const struct range_options *o, time_t began)
{
    struct tally t = {0};

    for (unsigned j = 0; j < o->jobs; j++) {
        t.packets += tally[j].packets;
        t.payload += tally[j].payload;
        t.lasted += tally[j].lasted;
        t.hash += tally[j].hash;
    }
    printf("ok - seeds %" PRIu64 "..%" PRIu64 ": %" PRIu64
           " packets, %.1f MB of payload, %.0f s of virtual time\n",
           o->from, o->to, t.packets, (double)t.payload / 1e6, t.lasted);
    printf("ok - same seed, same trace; hash of all traces %016" PRIx64 "\n", t.hash);
    if (o->progress)
        fprintf(stderr, "sim: took %.0f s\n", difftime(time(NULL), began));
}

int range_play(const struct range_options *o)
{
    struct job jobs[RANGE_JOBS_MAX] = {{0, 0}};
    time_t began = time(NULL);

    tally = mmap(NULL, RANGE_JOBS_MAX * sizeof(*tally), PROT_READ | PROT_WRITE,
                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (tally == MAP_FAILED)
        abort();
    for (unsigned j = 0; j < o->jobs; j++) {
        jobs[j].from = o->from + j;
        start(o, j, &jobs[j]);
    }
    wait_for_all(o, jobs);
    if (failures(o) == 0) {
        say_totals(o, began);
        return EXIT_DONE;
    }
    if (!o->first)
        shrink_first(o);
    return EXIT_FAILED;
}
