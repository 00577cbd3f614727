/*
 * Giving up what is not needed any more. Once the device is open and every file too, a node needs
 * no privilege at all; what it reads from then on was sent by strangers.
 */
#ifndef RUN_PRIVS_H
#define RUN_PRIVS_H

/*
 * Drop every capability, from the bounding set too where that is allowed, and forbid that any
 * program we might become regains one (no_new_privs). The user stays the same. 0 or a negative
 * errno.
 */
int privs_drop(void);

#endif
