/*
 * Ask a running node what it knows: the other end of run/teller.h.
 */
#ifndef RUN_ASK_H
#define RUN_ASK_H

#include <stdbool.h>

#include "run/report.h"

/*
 * Print on standard output what the node on this TUN, in this network namespace, says of itself: as
 * text, with its counters if r->verbose, or as JSON if r->json. Returns an exit code; what went
 * wrong is said, with the next step.
 */
int ask_status(const struct report *r, const char *tun);

#endif
