/* What the commands of netsetup share: their settings, and the machine that they work on. */
#ifndef NETSETUP_SETUP_H
#define NETSETUP_SETUP_H

#include <stdbool.h>

#include "firewall.h"
#include "journal.h"
#include "plan.h"
#include "run/exit.h"
#include "run/netlink.h"

enum {
    FORWARD_TEXT_MAX = 480, /* bytes of the warning about the chain FORWARD */
    COMMAND_TEXT_MAX = 240, /* bytes of the command against it */
};

struct setup {
    struct lab lab;
    unsigned parts;          /* of enum part */
    char holder[HOLDER_MAX]; /* in whose name changes are made and taken back */
    bool all;                /* down: also what others hold */
    bool backend_chosen;     /* with --backend: whoever keeps iptables, or this one */
    bool any_iptables;
    enum firewall_kind backend;
    bool nodes_chosen; /* with --nodes */
    bool owner_chosen; /* with --user */
    bool rootless;     /* run: in a network of its own */
    char **command;    /* run: argv of it, NULL-terminated */
    bool json;
    bool quiet;       /* no notes */
    unsigned verbose; /* say each operation */

    struct netlink *nl;
    struct journal *journal;
    struct facts facts;
    char firewall_said[FAMILIES][FIREWALL_TEXT_MAX]; /* why an installed tool cannot be used */
};

/* ---- look.c ---- */

/* Fill s->facts. 0 or a negative errno; what cannot be read is said in the facts themselves. */
int look(struct setup *s);

/* ---- apply.c ---- */

/*
 * Carry out a plan, each operation journaled first. If one fails, what this call did is undone.
 * Errors are reported here. Returns an exit code.
 */
int apply(struct setup *s, struct plan *plan);

/* ---- undo.c ---- */

/*
 * Undo one operation if its effect is still there and still ours. 0 when it is undone; 1 when there
 * was nothing to do, because the effect is gone or someone else's by now; or a negative errno, with
 * what a tool said about it in said[FIREWALL_TEXT_MAX].
 */
int undo_op(struct setup *s, const struct op *op, char *said);

/* What became of the changes in the journal. */
struct undo_count {
    unsigned of;     /* how many nobody holds any more */
    unsigned undone; /* of these */
    unsigned kept;   /* how many somebody else holds, too */
    char keeper[HOLDER_MAX];
};

/*
 * Let go what s->holder holds of s->parts (with s->all: what anybody does), and undo what nobody
 * holds any more, backwards. Errors are reported and do not stop the rest; what could not be undone
 * stays in the journal. Returns an exit code.
 */
int undo_all(struct setup *s, struct undo_count *ret);

/* ---- status.c ---- */

/* Print what is there, as text or JSON. Returns EXIT_DONE, or EXIT_NOT_UP. */
int status(struct setup *s);

/* What to do about a family's forward_drops, and what to say of it. Both return out. */
const char *forward_command(const struct lab *lab, enum family family, char out[COMMAND_TEXT_MAX]);
const char *forward_warning(const struct lab *lab, enum family family, char out[FORWARD_TEXT_MAX]);

/* ---- say.c ---- */

/* How netsetup is called here, for hints that can be pasted: "build/bin/netsetup". */
const char *say_self(void);

/* "netsetup: TEXT" on standard error. Returns `code`, so that it can stand behind return. */
int say_error(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same for what is not an error, unless s->quiet. */
void say_note(const struct setup *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The exit code that fits a negative errno: a missing privilege is EXIT_PRIVILEGE. */
int say_code(int error);

#endif
