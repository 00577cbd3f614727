/*
 * What is seldom ready, behind one descriptor.
 *
 * Each descriptor that a wait is told of costs it time, whether or not anything happens there: it
 * is looked at and entered into a queue before the wait, and taken out behind it. So those at which
 * next to nothing happens share one (an epoll of Linux), which is ready when one of them is.
 */
#ifndef RUN_SELDOM_H
#define RUN_SELDOM_H

enum { SELDOM_MAX = 8 }; /* descriptors, each known by a number below it */

struct seldom {
    int fd; /* readable when one of them is; -1: not open */
};

/* Returns 0, or a negative errno. */
int seldom_open(struct seldom *s);

/*
 * Look at `fd` (none if it is negative) for as long as this is open. What it has to say is read by
 * whoever is told that it is ready. Returns 0, or a negative errno.
 */
int seldom_add(struct seldom *s, int fd, unsigned number);

/*
 * The same of one whose owner may have no time for it: it is said to be ready once when something
 * has come, and not again until something else does.
 */
int seldom_add_news(struct seldom *s, int fd, unsigned number);

/* A bit for each number that is ready. */
unsigned seldom_ready(const struct seldom *s);

void seldom_close(struct seldom *s);

#endif
