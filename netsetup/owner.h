/* Whose the TUNs shall be. */
#ifndef NETSETUP_OWNER_H
#define NETSETUP_OWNER_H

#include <stdint.h>

/* The user who typed the command: through sudo the one who called it. */
int64_t owner_invoking(void);

/* The id of a user, or of a group, given by name or number. 0 or -ENOENT. */
int owner_named(const char *name, int64_t *ret);
int owner_group_named(const char *name, int64_t *ret);

#endif
