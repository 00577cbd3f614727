/* Exit codes of all three programs, the same everywhere, because scripts read them. */
#ifndef RUN_EXIT_H
#define RUN_EXIT_H

enum exit_code {
    EXIT_DONE = 0,
    EXIT_FAILED = 1,    /* the operation failed: refused, reset, timed out */
    EXIT_USAGE = 2,     /* the command line is wrong */
    EXIT_NOT_UP = 3,    /* netsetup status: the network is not up */
    EXIT_PRIVILEGE = 4, /* a privilege or a device is missing */
    EXIT_FOREIGN = 5,   /* refused because the state is someone else's */
    EXIT_SKIPPED = 77,  /* a test that could not run here */
};

#endif
