/*
 * A census of seeds: how many of them have each kind of network, algorithm, mechanism off and
 * impairment. A seed is drawn and not played, so ten thousand take a moment.
 */
#ifndef SIM_CENSUS_H
#define SIM_CENSUS_H

#include <stdint.h>

/*
 * Count the seeds `from` to `to`, and say so. Fails where one of all that can be drawn is in fewer
 * than CENSUS_LEAST of them. An exit code of run/exit.h.
 */
int census(uint64_t from, uint64_t to);

enum {
    CENSUS_LEAST = 30, /* seeds */
};

#endif
