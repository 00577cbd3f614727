/*
 * Make a failing run small, so that a person can follow it: fewer connections, fewer bytes, plain
 * values, and the faults of the network as a list from which one after the other is removed. What
 * still fails in the same way is kept.
 *
 * Each attempt is played in a process of its own, so that a run that ends in an assertion or in a
 * fault of memory can be made small as well.
 */
#ifndef SIM_SHRINK_H
#define SIM_SHRINK_H

#include "tests/sim/world.h"

/*
 * Play in a process of its own. A run that ends it by a signal has failed, with the signal as its
 * kind; one that runs for too long as well.
 */
void shrink_play(const struct scenario *sc, const struct world_options *how,
                 struct world_result *ret_result);

/*
 * Make the failing run (*sc, *faults) smaller, in place, in at most `plays` attempts; *result is
 * how it fails, and then how the small one does. With sc->listed set, *faults is all that goes
 * wrong. Returns how many attempts were made.
 */
unsigned shrink(struct scenario *sc, struct faults *faults, struct world_result *result,
                unsigned plays);

#endif
