/*
 * sim: two real stacks over a modelled network, in virtual time.
 *
 *   sim --seeds A..B     play every seed from A to B; every sixteenth twice, to compare the hashes
 *   sim --seed N [-v]    play one seed, with -v packet by packet
 *
 * Results are lines "ok - ..." and "not ok - ..."; a failing seed is named with the command that
 * replays it. The last hash is over the hashes of all seeds: the same for every build and machine.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run/exit.h"
#include "tests/sim/world.h"

enum {
    TWICE = 16,        /* every so many seeds are played twice */
    FAILURES_MAX = 10, /* then stop: more of them tell nothing new */
};

struct totals {
    uint64_t seeds, packets, payload, hash;
    unsigned failures;
    int64_t lasted;
};

static void play_one(const char *program, uint64_t seed, struct totals *t)
{
    struct world_result r, again;

    world_play(seed, false, &r);
    if (r.failed) {
        printf("not ok - seed %" PRIu64 " (%s) %s; replay: %s --seed %" PRIu64 " -v\n", seed,
               r.name, r.why, program, seed);
        t->failures++;
    } else if (seed % TWICE == 0) {
        world_play(seed, false, &again);
        if (again.hash != r.hash) {
            printf("not ok - seed %" PRIu64 " (%s) gave two different traces\n", seed, r.name);
            t->failures++;
        }
    }
    t->seeds++;
    t->packets += r.packets;
    t->payload += r.payload;
    t->lasted += r.lasted;
    t->hash = dice_mix(t->hash ^ r.hash);
}

static int play_range(const char *program, uint64_t from, uint64_t to)
{
    struct totals t = {0};

    for (uint64_t s = from; s <= to && t.failures < FAILURES_MAX; s++)
        play_one(program, s, &t);
    if (t.failures > 0)
        return EXIT_FAILED;
    printf("ok - seeds %" PRIu64 "..%" PRIu64 ": %" PRIu64
           " packets, %.1f MB of payload, %.0f s of "
           "virtual time\n",
           from, to, t.packets, (double)t.payload / 1e6, (double)t.lasted / (double)SEC);
    printf("ok - same seed, same trace; hash of all traces %016" PRIx64 "\n", t.hash);
    return EXIT_DONE;
}

static int play_single(uint64_t seed, bool verbose)
{
    struct world_result r;

    world_play(seed, verbose, &r);
    printf("%s - seed %" PRIu64 " (%s): %s%" PRIu64 " packets in %.6f s, hash %016" PRIx64 "\n",
           r.failed ? "not ok" : "ok", seed, r.name, r.failed ? r.why : "", r.packets,
           (double)r.lasted / (double)SEC, r.hash);
    return r.failed ? EXIT_FAILED : EXIT_DONE;
}

int main(int argc, char **argv)
{
    uint64_t from, to;
    char rest;

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc == 3 && strcmp(argv[1], "--seeds") == 0 &&
        sscanf(argv[2], "%" SCNu64 "..%" SCNu64 "%c", &from, &to, &rest) == 2 && from <= to)
        return play_range(argv[0], from, to);
    if ((argc == 3 || (argc == 4 && strcmp(argv[3], "-v") == 0)) &&
        strcmp(argv[1], "--seed") == 0 && sscanf(argv[2], "%" SCNu64 "%c", &from, &rest) == 1)
        return play_single(from, argc == 4);
    fprintf(stderr, "sim: usage: sim --seeds A..B | sim --seed N [-v]\n");
    return EXIT_USAGE;
}
