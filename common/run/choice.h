/*
 * What can be chosen of TCP by name: the congestion control (--cc), and mechanisms to do without
 * (--without). The names come from the tables of the stack, and so does the chapter of --help.
 */
#ifndef RUN_CHOICE_H
#define RUN_CHOICE_H

#include "run/options.h"
#include "tcp/config.h"

/*
 * Set in *cfg what `cc` and `without` say, each of them maybe NULL: a module's name; switches with
 * commas between them. Returns -1 to go on, or an exit code after one line of error.
 */
int choice_take(const struct program *prog, const char *cc, const char *without,
                struct tcp_config *cfg);

/* The chapters of --help that list both. */
void choice_help(void);

#endif
