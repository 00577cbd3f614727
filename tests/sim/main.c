/*
 * sim: real stacks over a modelled network, in virtual time.
 *
 *   sim --seeds A..B [--jobs N] [--first] [--progress]
 *         play every seed from A to B, N at one time; every sixteenth twice, to compare the hashes.
 *         A few failures end it, with --first the first one does, which is made small otherwise
 *   sim --seed N [--with 'NAME=VALUE ...'] [-v]
 *         play one seed, with some values changed, and with -v packet by packet
 *   sim --seed N [--with ...] --shrink
 *         make a failing run small, and say how the small one is replayed
 *   sim --census A..B
 *         what these seeds stand for: how many have each algorithm, mechanism off and impairment
 *   sim --bounds [NAME [-v]]
 *         what loss recovery and congestion control must achieve, with the figures (bounds.h)
 *   sim --matrix [FILE]
 *         the matrix of goodput (matrix.h): write it, or compare it with a file
 *   sim --pictures FOLDER FILE
 *         draw the pictures of docs/congestion.md, with the matrix in this file
 *   sim --seed N --values
 *         what the seed stands for: every value under its name
 *
 * Results are lines "ok - ..." and "not ok - ..."; a failing seed is named with the command that
 * replays it, and the first is made small. The last hash is over the hashes of all seeds: the same
 * for every build, machine and number of jobs.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run/exit.h"
#include "tests/sim/bounds.h"
#include "tests/sim/census.h"
#include "tests/sim/matrix.h"
#include "tests/sim/picture.h"
#include "tests/sim/range.h"
#include "tests/sim/shrink.h"

static const char usage[] =
    "usage: sim --seeds A..B [--jobs N] [--first] [--progress]    play these seeds\n"
    "       sim --seed N [--with 'NAME=VALUE ...'] [-v]           one, -v packet by packet\n"
    "       sim --seed N [--with ...] --shrink                    make a failing one small\n"
    "       sim --seed N --values                                 what can be said by --with\n"
    "       sim --census A..B                                     what they stand for, counted\n"
    "       sim --bounds [NAME [-v]]                              what recovery must achieve\n"
    "       sim --matrix [FILE]                                   goodput: write, or compare\n"
    "       sim --pictures FOLDER FILE                            draw it, of the file\n";

enum {
    SHRINK_PLAYS = 5000,
    MATRIX_JOBS = 2,
};

struct arguments {
    struct range_options range;
    bool has_range, has_seed, verbose, shrink, values, census;
    uint64_t seed;
    const char *with;
};

static bool take_range(struct arguments *a, const char *text)
{
    char rest;

    a->has_range =
        sscanf(text, "%" SCNu64 "..%" SCNu64 "%c", &a->range.from, &a->range.to, &rest) == 2 &&
        a->range.from <= a->range.to;
    return a->has_range;
}

static bool take_seed(struct arguments *a, const char *text)
{
    char rest;

    a->has_seed = sscanf(text, "%" SCNu64 "%c", &a->seed, &rest) == 1;
    return a->has_seed;
}

static bool take_jobs(struct arguments *a, const char *text)
{
    a->range.jobs = (unsigned)strtoul(text, NULL, 10);
    return a->range.jobs >= 1 && a->range.jobs <= RANGE_JOBS_MAX;
}

static bool parse(int argc, char **argv, struct arguments *a)
{
    bool ok = true;

    for (int i = 1; i < argc && ok; i++) {
        const char *w = argv[i], *value = i + 1 < argc ? argv[i + 1] : "";

        if (strcmp(w, "-v") == 0)
            a->verbose = true;
        else if (strcmp(w, "--shrink") == 0)
            a->shrink = true;
        else if (strcmp(w, "--values") == 0)
            a->values = true;
        else if (strcmp(w, "--progress") == 0)
            a->range.progress = true;
        else if (strcmp(w, "--first") == 0)
            a->range.first = true;
        else if (strcmp(w, "--seeds") == 0 && ++i)
            ok = take_range(a, value);
        else if (strcmp(w, "--census") == 0 && ++i)
            ok = a->census = take_range(a, value);
        else if (strcmp(w, "--seed") == 0 && ++i)
            ok = take_seed(a, value);
        else if (strcmp(w, "--jobs") == 0 && ++i)
            ok = take_jobs(a, value);
        else if (strcmp(w, "--with") == 0 && ++i)
            a->with = value;
        else
            ok = false;
    }
    return ok && a->has_range != a->has_seed;
}

static int print_values(const struct scenario *sc)
{
    char name[64];

    for (size_t i = 0; i < params_count(sc); i++) {
        params_name(sc, i, name, sizeof(name));
        printf("%s=%" PRId64 "\n", name, params_get(sc, i));
    }
    return EXIT_DONE;
}

static int play_single(const struct arguments *a, const char *program)
{
    struct world_options how = {.verbose = a->verbose};
    struct world_result r;
    struct faults faults = {0};
    struct scenario sc;
    const char *bad;

    scenario_draw(a->seed, &sc);
    if (a->with && (bad = params_apply(&sc, &faults, a->with))) {
        fprintf(stderr, "sim: '%s' is no value of this seed; sim --seed %" PRIu64 " --values\n",
                bad, a->seed);
        return EXIT_USAGE;
    }
    if (a->values)
        return print_values(&sc);
    how.script = &faults;
    shrink_play(&sc, &how, &r);
    printf("%s - seed %" PRIu64 " (%s): %s%s%" PRIu64 " packets in %.6f s, hash %016" PRIx64 "\n",
           r.failed ? "not ok" : "ok", a->seed, r.name, r.failed ? r.why : "", r.failed ? "; " : "",
           r.packets, (double)r.lasted / (double)SEC, r.hash);
    if (r.failed && a->shrink)
        range_shrink(program, &sc, &faults, &r, SHRINK_PLAYS);
    faults_free(&faults);
    return r.failed ? EXIT_FAILED : EXIT_DONE;
}

int main(int argc, char **argv)
{
    struct arguments a = {.range = {.jobs = 1, .program = argv[0], .plays = SHRINK_PLAYS}};

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc == 2 && strcmp(argv[1], "--help") == 0)
        return fputs(usage, stdout) < 0 ? EXIT_FAILED : EXIT_DONE;
    if (argc >= 2 && argc <= 4 && strcmp(argv[1], "--bounds") == 0)
        return bounds_run(argv[2], argc == 4 && strcmp(argv[3], "-v") == 0);
    if (argc == 2 && strcmp(argv[1], "--matrix") == 0)
        return matrix_write(MATRIX_JOBS, stdout);
    if (argc == 4 && strcmp(argv[1], "--pictures") == 0)
        return picture_all(argv[2], argv[3]);
    if (argc == 3 && strcmp(argv[1], "--matrix") == 0)
        return matrix_compare(MATRIX_JOBS, argv[2]);
    if (!parse(argc, argv, &a)) {
        fputs(usage, stderr);
        return EXIT_USAGE;
    }
    if (a.census)
        return census(a.range.from, a.range.to);
    return a.has_range ? range_play(&a.range) : play_single(&a, argv[0]);
}
