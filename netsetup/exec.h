/* Run a program with an argument vector, never through a shell, and keep what it says. */
#ifndef NETSETUP_EXEC_H
#define NETSETUP_EXEC_H

#include <stddef.h>

/*
 * Make what programs are run with predictable: messages in English, and the system's own folders
 * at the end of PATH, because an ordinary user's does not have them. Call once, first.
 */
void exec_environment(void);

/* The environment as it was before exec_environment(), for programs that are not our tools. */
char **exec_callers_environment(void);

/*
 * Run argv[0] (found through PATH), with nothing on its standard input; what it prints on standard
 * output and error goes to out[size], cut off there and terminated. Returns its exit code, 128 +
 * the signal that ended it, -ENOENT when there is no such program that this user may run, or
 * another negative errno.
 */
int exec_run(const char *const argv[], char *out, size_t size);

#endif
