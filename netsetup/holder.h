/*
 * Who needs a change that netsetup has made. A change stays as long as somebody holds it, so that
 * two labs on one machine do not undo each other.
 *
 * A holder is a name: that of a lab, which `up` takes and `down` gives back, or that of one
 * `netsetup run`, which is its process, known by number, start, and process namespace. A process
 * that is dead holds nothing any more; one in another process namespace cannot be seen, and counts
 * as alive.
 */
#ifndef NETSETUP_HOLDER_H
#define NETSETUP_HOLDER_H

#include <stdbool.h>

#include "plan.h"

/* The name of this process: "run 4711 815123 4026531836". */
void holder_of_run(char out[HOLDER_MAX]);

/* The process of a run, or 0 for a lab. */
int holder_pid(const char *holder);

/* Whether it is a run whose process is certainly dead. */
bool holder_is_gone(const char *holder);

/* The name for people: "lab" or "netsetup run, process 4711". Returns out. */
const char *holder_text(const char *holder, char out[HOLDER_MAX]);

/* Let `holder` hold the operation. 0, also if it does already; -E2BIG if too many do. */
int op_hold(struct op *op, const char *holder);

/* Let it go. Whether it held it. */
bool op_release(struct op *op, const char *holder);

/* Whether `holder` holds it. */
bool op_is_held_by(const struct op *op, const char *holder);

/* Forget those who are gone. Whether there were any. */
bool op_release_gone(struct op *op);

#endif
