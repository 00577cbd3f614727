/*
 * The journal: every change that `up` has made and `down` has not undone, on disk before the change
 * itself is made. Of a run that dies at any moment, the journal therefore names a superset of what
 * was done, and undoing something that was not done is harmless.
 *
 * There is one file for each network namespace, because that is what the changes belong to. It
 * names its namespace by more than the inode number, which the kernel uses again: also by the
 * namespace's cookie and the boot, and a file about a namespace that is gone counts as empty.
 */
#ifndef NETSETUP_JOURNAL_H
#define NETSETUP_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "plan.h"

enum {
    JOURNAL_OPS_MAX = 256,
    JOURNAL_PATH_MAX = 256, /* bytes of its path, with the final zero */
};

struct netns_id {
    uint64_t inode;
    uint64_t cookie; /* 0 where the kernel has none */
    char boot[40];   /* the boot's id as text */
};

struct journal {
    struct netns_id netns;
    char dir[JOURNAL_PATH_MAX];       /* "" while there is no folder */
    char path[JOURNAL_PATH_MAX];      /* "" while there is no folder */
    char temporary[JOURNAL_PATH_MAX]; /* beside it: what is being written */
    int lock_fd;                      /* -1: opened for reading only */
    unsigned ops;
    struct op op[JOURNAL_OPS_MAX];
};

/*
 * Find this namespace's journal in /run/twintun, /tmp/twintun-UID or /dev/shm/twintun-UID, the
 * first that has one, and read it; without any it is empty. With `for_change`, make the folder if
 * none has one, wait until no other netsetup changes anything, and remove the journals of earlier
 * boots.
 * Returns 0; -EACCES when no folder can be made; -EBADMSG when the file cannot be understood (its
 * path is in (*ret)->path, and the caller still closes the journal); or another negative errno.
 */
int journal_open(bool for_change, struct journal **ret);

/* The same in a given folder, for a given namespace. */
int journal_open_in(const char *dir, const struct netns_id *netns, bool for_change,
                    struct journal **ret);
void journal_close(struct journal *j); /* NULL is allowed */

/* Remove what killed runs have left in those folders, and folders in which nothing is left. */
void journal_tidy(void);

/* Remember an operation, in place of an earlier one about the same thing. 0 or -E2BIG. */
int journal_put(struct journal *j, const struct op *op);
/* Forget operation `i`. */
void journal_drop(struct journal *j, unsigned i);

/*
 * Bring the file in line with the journal, so that it survives a crash at any instant: either the
 * old or the new text is there, whole. An empty journal has no file and, if it can be, no folder.
 */
int journal_save(const struct journal *j);

/* The operation in the journal that is about the same thing, or NULL. */
const struct op *journal_find(const struct journal *j, const struct op *like);

/* Whether we made the link called `ifname` that now has this index. */
bool journal_made_device(const struct journal *j, const char *ifname, int index);

#endif
