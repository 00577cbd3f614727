/*
 * A network of our own: namespaces in which nothing can be left behind, and for which no privilege
 * is needed where the system allows that.
 */
#ifndef NETSETUP_PRIVATE_H
#define NETSETUP_PRIVATE_H

#include "setup.h"

/*
 * Move this process into a network and a mount namespace of its own; for who has no privilege, in a
 * user namespace where they are root. s->nl and s->lab.owner are made to fit. Returns an exit code,
 * and has said which setting forbids it.
 */
int private_enter(struct setup *s);

/*
 * From now on, children are in a process namespace of their own, and all of them end with us,
 * however we end. Returns an exit code.
 */
int private_guard(void);

/* In a child: see these processes in /proc, if the system allows that. 0 or a negative errno. */
int private_enter_child(void);

#endif
