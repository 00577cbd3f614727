#include "run/node_lab.h"

#include <inttypes.h>
#include <sched.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "run/clock.h"
#include "run/exit.h"
#include "run/memory.h"

enum {
    FLUSH_MAX = 5,   /* s that delayed packets may still take at the end */
    HELP_COLUMN = 6, /* where the explanation of a rule begins */
};

int node_lab_options(const struct program *prog, struct node_options *opt)
{
    char why[RULES_WHY];

    if (opt->impair && rules_parse(opt->impair, &opt->rules, why) < 0)
        return usage_error_see(prog, "--impair help", "--impair: %s", why);
    if (opt->step != NODE_NO_STEP && opt->seed == NODE_NO_SEED)
        return usage_error(prog, "--step goes with --seed");
    if (opt->step == NODE_NO_STEP)
        opt->step = opt->seed == NODE_NO_SEED ? 0 : NODE_STEP * MSEC;
    return NODE_GO_ON;
}

int node_lab_rules(void)
{
    const char *help, *usage;

    puts("--impair RULE[, RULE]...[; SECTION]...\n"
         "a section may begin with 'out:' or 'in:', and holds for both without it\n");
    for (unsigned i = 0; (usage = rules_usage(i, &help)) != NULL; i++)
        options_row(usage, HELP_COLUMN, help);
    puts("\nTIME is 20ms, 500us or 1.5s; PERCENT 1% or 0.05%; RATE 10mbit, 500kbit or 1gbit;\n"
         "LENGTH 50p (packets) or 64kb (bytes)");
    return EXIT_DONE;
}

void node_lab_secrets(const struct node *n, struct stack_config *cfg)
{
    unsigned char seed[randombytes_SEEDBYTES] = {0};
    uint64_t again;

    if (n->opt->seed == NODE_NO_SEED) {
        randombytes_buf(cfg->secret, sizeof(cfg->secret));
        randombytes_buf(&cfg->seed, sizeof(cfg->seed));
        if (n->team) /* the last quarter is each stack's own */
            memcpy(cfg->secret, n->team->secret, STACK_SECRET / 4 * 3);
        return;
    }
    memcpy(seed, &n->opt->seed, sizeof(n->opt->seed));
    memcpy(seed + sizeof(n->opt->seed), &n->local, sizeof(n->local));
    randombytes_buf_deterministic(cfg->secret, sizeof(cfg->secret), seed);
    memcpy(&again, cfg->secret, sizeof(again));
    cfg->seed = again;
    cfg->isn_still = true;
}

/* Where it is not allowed, the noise is larger, and nothing else. */
static void hurry(void)
{
    const struct sched_param first = {.sched_priority = 1};

    sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &first);
}

/* The dice: from --seed, or from others that are told, for there may be a reason to see them fall
 * again. */
static uint32_t dice(const struct node *n)
{
    const struct node_options *opt = n->opt;
    uint32_t seed = opt->seed;

    if (seed == NODE_NO_SEED)
        seed = randombytes_uniform(NODE_NO_SEED);
    if (opt->impair)
        report_line(&n->report, "impaired: %s; the dice are those of --seed %" PRIu32, opt->impair,
                    seed);
    return seed;
}

int node_lab_open(struct node *n)
{
    void *mem;

    n->step = n->opt->seed == NODE_NO_SEED ? 0 : n->opt->step;
    if (n->step)
        hurry();
    if (!n->opt->impair && !n->step)
        return NODE_GO_ON;
    mem = memory_reserve(impair_bytes());
    if (!mem) {
        report_error(&n->report, "no address space for packets in flight; see ulimit -v");
        return EXIT_FAILED;
    }
    if (impair_init(&n->impair, n->dev, &n->opt->rules, dice(n), mem, &n->packets, n->step) < 0) {
        report_error(&n->report, "no buffer for the impairment; raise the buffer budget");
        return EXIT_FAILED;
    }
    n->dev = &n->impair.dev;
    n->impaired = true;
    return NODE_GO_ON;
}

/* What is delayed on its way out still leaves, the last acknowledgment for one. */
static void flush(struct node *n)
{
    int64_t end = clock_now() + FLUSH_MAX * SEC, at;

    while (n->impaired && (at = impair_flush(&n->impair, clock_now())) < end) {
        int64_t left = time_max(0, at - clock_now());
        struct timespec ts = {.tv_sec = left / SEC, .tv_nsec = left % SEC};

        nanosleep(&ts, NULL);
    }
}

static void tell(const struct node *n)
{
    static const char *const way[] = {[IMPAIR_OUT] = "out", [IMPAIR_IN] = "in"};

    if (!n->opt->impair || !n->impaired)
        return;
    for (unsigned i = 0; i < IMPAIR_DIRECTIONS; i++)
        report_impaired(&n->report, way[i], n->impair.side[i].packets, n->impair.side[i].count);
}

void node_lab_finish(struct node *n)
{
    flush(n);
    tell(n);
}
