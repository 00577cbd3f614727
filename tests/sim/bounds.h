/*
 * What loss recovery and congestion control must achieve, each as an experiment with a bound: the
 * figure is printed, and the bound decides. Virtual time, so the same figure at each run.
 */
#ifndef SIM_BOUNDS_H
#define SIM_BOUNDS_H

#include <stdbool.h>

/* All bounds, or only the one of that name, packet by packet; an exit code of run/exit.h. */
int bounds_run(const char *only, bool verbose);

#endif
