#include "run/team.h"

#include <errno.h>
#include <pthread.h>
#include <sodium.h>

#include "run/memory.h"
#include "run/privs.h"

int team_init(struct team *t, unsigned members)
{
    void *mem = memory_reserve(handover_bytes(members));

    if (!mem)
        return -ENOMEM;
    t->members = members;
    randombytes_buf(t->secret, sizeof(t->secret));
    return handover_init(&t->handover, members, mem);
}

void team_end(struct team *t)
{
    handover_end(&t->handover);
    sodium_memzero(t->secret, sizeof(t->secret));
}

static void wake_all(struct team *t)
{
    for (unsigned i = 0; i < t->members; i++)
        handover_ring_bell(&t->handover, i);
}

unsigned team_asked(struct team *t, unsigned asked)
{
    unsigned known = atomic_load(&t->asked);

    while (known < asked) {
        if (atomic_compare_exchange_weak(&t->asked, &known, asked)) {
            wake_all(t);
            return asked;
        }
    }
    return known;
}

void team_reach(struct team *t, unsigned member, unsigned phase)
{
    if (atomic_load(&t->phase[member]) >= phase)
        return;
    atomic_store(&t->phase[member], phase);
    wake_all(t);
}

bool team_all(struct team *t, unsigned phase)
{
    for (unsigned i = 0; i < t->members; i++) {
        if (atomic_load(&t->phase[i]) < phase)
            return false;
    }
    return true;
}

bool team_first(struct team *t, enum team_word word)
{
    unsigned bit = 1U << word;

    return !t || !(atomic_fetch_or(&t->said, bit) & bit);
}

/* ---- Threads ---- */

struct job {
    struct team *team;
    int (*member)(void *arg, unsigned i);
    void *arg;
    unsigned i;
    int code;
    pthread_t thread;
};

static void *work(void *arg)
{
    struct job *j = arg;

    j->code = j->member(j->arg, j->i);
    if (j->code)
        team_asked(j->team, 2); /* a node that lacks a queue is none */
    team_reach(j->team, j->i, TEAM_OVER);
    return NULL;
}

int team_run(struct team *t, int (*member)(void *arg, unsigned i), void *arg)
{
    struct job job[HANDOVER_MEMBERS_MAX];
    unsigned started = 1;
    int error = privs_drop(), code = 0;

    for (unsigned i = 0; i < t->members; i++)
        job[i] = (struct job){.team = t, .member = member, .arg = arg, .i = i};
    while (!error && started < t->members) {
        error = -pthread_create(&job[started].thread, NULL, work, &job[started]);
        started += !error;
    }
    if (error)
        team_asked(t, 2); /* those that run end at once */
    else
        work(&job[0]);
    for (unsigned i = 1; i < started; i++)
        pthread_join(job[i].thread, NULL);
    for (unsigned i = 0; i < started; i++)
        code = job[i].code > code ? job[i].code : code;
    return error ? error : code;
}
