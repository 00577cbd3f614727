/*
 * The process that takes down if the one that set up is killed. It waits for the end of a pipe
 * whose other end only the main process has, so it learns of its death however that came about.
 */
#ifndef NETSETUP_GUARDIAN_H
#define NETSETUP_GUARDIAN_H

#include <stdbool.h>
#include <sys/types.h>

#include "setup.h"

struct guardian {
    pid_t pid;
    int pipe; /* our end: what the guardian must know goes in, and its end means that we are dead */
};

/*
 * Start it, before the first change is made; or again, when `cmd` (else 0) runs already. 0 or a
 * negative errno.
 */
int guardian_start(const struct setup *s, pid_t cmd, struct guardian *ret);

/* Which process it shall end before it takes down. NULL is allowed here and below. */
void guardian_guards(const struct guardian *g, pid_t cmd);

/* Whether that is its process. */
bool guardian_is(const struct guardian *g, pid_t pid);

/* It is not needed any more: everything is taken down. */
void guardian_end(const struct guardian *g);

#endif
