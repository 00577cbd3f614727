/*
 * Traces of several nodes joined into one, so that a viewer shows all of them and the arrows
 * between them find both their ends.
 *
 * Nodes of one machine have one clock, and the ids of segments follow from the segments, so there
 * is nothing to compute: the lines of one file follow those of the other. What a file lacks because
 * its program was killed, or is not done yet, is made good.
 */
#ifndef RUN_TRACE_JOIN_H
#define RUN_TRACE_JOIN_H

#include <stdio.h>

#include "run/report.h"

/*
 * Join `n` files into `out`. What is wrong is said, and then the joined trace is not ended, nor
 * begun if it was the first file. Returns an exit code.
 */
int trace_join(const struct report *r, char *const *path, int n, FILE *out);

#endif
