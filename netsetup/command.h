/* The commands of netsetup. Each returns an exit code, and has said what there is to say. */
#ifndef NETSETUP_COMMAND_H
#define NETSETUP_COMMAND_H

#include "setup.h"

int command_up(struct setup *s);
int command_down(struct setup *s);
int command_status(struct setup *s);
int command_plan(struct setup *s);
int command_doctor(struct setup *s); /* doctor.c */
int command_run(struct setup *s);    /* run.c */

/* ---- what `run` is made of, too ---- */

/* Whether this process has CAP_NET_ADMIN, which `command` needs. */
int need_privilege(const char *command);

/* Read the journal and look at the machine. */
int open_to_look(struct setup *s);

/* Look, plan and apply. Leaves the journal open, and stop signals held. *ret_changes were made. */
int bring_up(struct setup *s, unsigned *ret_changes);

/* What a person must know who has just set up. */
void note_all(const struct setup *s);

/* Open the journal and undo what s->holder holds. */
int take_down(struct setup *s, struct undo_count *ret);

/*
 * From now on (SIG_BLOCK), a signal that means "stop" waits until the change is complete and
 * written down; it is delivered at SIG_UNBLOCK. A closed output does not stop it half-way either.
 */
void hold_signals(int how);

#endif
