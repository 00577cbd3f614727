/* Which program is attached to a TUN: the one that has its descriptor open. */
#ifndef NETSETUP_ATTACHED_H
#define NETSETUP_ATTACHED_H

#include <stdbool.h>

enum {
    ATTACHED_NAME_MAX = 32,
};

struct attached {
    int pid;
    int fd;                       /* in that process */
    char name[ATTACHED_NAME_MAX]; /* of the program, as ps has it */
};

/* Find it among the processes that we may look into. False if there is none. */
bool attached_find(const char *ifname, struct attached *ret);

#endif
