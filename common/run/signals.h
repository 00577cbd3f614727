/*
 * Signals as input: SIGINT, SIGTERM and SIGHUP ask the program to stop. They are blocked and read
 * from a descriptor, so that they arrive between two turns of the loop and never inside one.
 * SIGPIPE is ignored, because a write says the same.
 */
#ifndef RUN_SIGNALS_H
#define RUN_SIGNALS_H

struct signals {
    int fd;         /* readable when a signal waits */
    unsigned count; /* how often we were asked to stop */
};

/* 0, or a negative errno. */
int signals_open(struct signals *s);
/* Read what waits. Returns how often we were asked to stop so far. */
unsigned signals_read(struct signals *s);
void signals_close(struct signals *s);

#endif
