/*
 * Who tells what a running node knows to whoever asks, as `host --status` does (run/ask.h).
 *
 * A node listens on a Unix socket in the abstract namespace, named after its TUN. That name space
 * and TUNs both belong to a network namespace, so a name is as unique as the TUN, leaves no file
 * behind, and dies with the process. Anybody may connect, but only root and the user who runs the
 * node are answered.
 *
 * It must not disturb the node: there is one client at a time, others wait in the socket's queue;
 * nothing here ever waits; a page is composed when the one before it is taken, and no more than one
 * in each turn of the loop, so that memory and time are bounded however many connections there
 * are; and a client that takes nothing for a while is dropped. A long answer therefore is no
 * snapshot: each connection is told as it is when its page is composed. Programs are told of all of
 * them; people of the first thousand, and how many more there are in which state.
 *
 * The protocol is a line that asks ("text", "counters": text with the node's counters, "json"), and
 * an answer that begins with a line "ok" or "no REASON" and ends with the connection.
 */
#ifndef RUN_TELLER_H
#define RUN_TELLER_H

#include <poll.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/text.h"
#include "link/impair.h"
#include "stack/stack.h"

enum {
    TELLER_FDS = 1,           /* descriptors to wait for, at most */
    TELLER_PAGE = 128 * 1024, /* bytes composed at a time: all counters fit, as text, too */
    TELLER_ASK_MAX = 32,      /* bytes of a question */
    TELLER_STATES = TCP_TIME_WAIT + 1,
};

/* How far an answer has come. */
enum teller_stage {
    TELLER_ASKED, /* not all of the question is here */
    TELLER_HEAD,
    TELLER_CONNS,
    TELLER_REST, /* those that a text does not list are counted */
    TELLER_TAIL,
    TELLER_DONE,
};

struct teller {
    const char *program; /* "host" */
    const char *tun;
    const struct stack *st;
    const struct impair *impair; /* NULL: nothing is impaired, or nobody asked for it */
    struct addr node;
    unsigned offload;  /* what is left to the device, of enum device_offload */
    int64_t busy_poll; /* ns that the node waits awake; 0: it sleeps */
    int fd;            /* -1: nobody can ask */
    int client;        /* -1: nobody asks */
    bool ready;        /* there is something to do for the client, or without one at the socket */
    bool json, counters;
    char ask[TELLER_ASK_MAX];
    size_t asked;
    enum teller_stage stage;
    uint32_t cursor;              /* of stack_next_conn */
    uint32_t told;                /* connections so far */
    uint32_t rest[TELLER_STATES]; /* those behind them, by state */
    int64_t due_at;               /* patience ends then; without a client: look for one then */
    struct text page;             /* what is composed, */
    size_t taken;                 /* and how much of it the client has */
    char room[TELLER_PAGE];
};

/* The socket's name for a node on this TUN. Returns its length. */
socklen_t teller_name(const char *tun, struct sockaddr_un *ret_name);

/*
 * Listen. 0, or a negative errno: then nobody can ask, and the node works all the same. The words
 * stay the caller's and must outlive the teller.
 */
int teller_open(struct teller *t, const char *program, const char *tun, const struct addr *node,
                const struct stack *st);

/* Do what can be done now. */
void teller_act(struct teller *t, int64_t now);

/* When to act though nobody has moved, or TIME_NEVER; 0: at once, behind a client that has gone. */
int64_t teller_deadline(const struct teller *t);

/*
 * Somebody has come to the socket `fd`. It is enough to be told once of each who comes, even while
 * another one is served: behind each client it looks for the next by itself.
 */
void teller_asked(struct teller *t);

/* Fill fds[TELLER_FDS] with what to wait for besides; returns how many. */
unsigned teller_wait(const struct teller *t, struct pollfd *fds);
/* Tell what poll said about them. */
void teller_woken(struct teller *t, const struct pollfd *fds, unsigned n);

void teller_close(struct teller *t);

#endif
