#ifndef LINK_CAUSE_H
#define LINK_CAUSE_H

#include <errno.h>
#include <string.h>

/* What went wrong, errno, for people, and the next step where that is always the same one. */
static inline const char *cause_text(int error)
{
    return error == EMFILE ? "too many open files; raise the limit with ulimit -n"
                           : strerror(error);
}

#endif
