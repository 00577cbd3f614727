/*
 * Several threads that are one node (--queues): each has a queue of the TUN, a stack, a loop and
 * applications of its own. What they have in common is here: packets that change hands, the word
 * that the node is to stop, and how far each has come, where all have to be before one goes on.
 */
#ifndef RUN_TEAM_H
#define RUN_TEAM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "link/handover.h"
#include "stack/stack.h"

enum {
    TEAM_OVER = 99, /* the phase of a member that has left its loop */
};

/* What each thread finds out for itself, and one says for all. */
enum team_word { TEAM_DOWN, TEAM_STUCK, TEAM_BROKEN };

struct team {
    unsigned members;
    struct handover handover;
    uint8_t secret[STACK_SECRET]; /* of all stacks, which have to agree on whose a connection is */
    atomic_uint asked;            /* how often the node was asked to stop */
    atomic_uint phase[HANDOVER_MEMBERS_MAX];
    atomic_ullong tally; /* what the members add up */
    atomic_uint said;    /* bits of enum team_word */
};

/* Memory for so many. 0, or a negative errno. */
int team_init(struct team *t, unsigned members);
void team_end(struct team *t);

/* Tell how often this member was asked to stop. Returns how often the node was. */
unsigned team_asked(struct team *t, unsigned asked);

/* The member has come to this phase, and wakes the others if that is new. */
void team_reach(struct team *t, unsigned member, unsigned phase);
/* Have all come there? */
bool team_all(struct team *t, unsigned phase);

/* Is this word new from a member? Always, of a node that is alone: `t` is NULL. */
bool team_first(struct team *t, enum team_word word);

/*
 * Run member(arg, i) for each, the first in this thread, and return the largest of their exit codes
 * when all have ended. Privileges are given up before. A negative errno: there are no threads.
 */
int team_run(struct team *t, int (*member)(void *arg, unsigned i), void *arg);

#endif
