/*
 * A session in the manner of netcat: what the operator types goes to the remote node, what the
 * remote node sends is shown, and the end of the operator's input closes our side only.
 *
 * Nothing is copied: a typed slice goes to the send queue as it is, and a received slice to whoever
 * shows it. One typed slice is held when the send queue is full; until it is gone nothing more is
 * wanted. Received bytes stay in the stack until they are pulled, so that a slow reader of our
 * output closes the window. When the connection is over, what still waits in the stack is kept here
 * to be pulled later, because the handle dies with that event.
 */
#ifndef APP_NETCAT_H
#define APP_NETCAT_H

#include "app/app.h"
#include "app/console.h"

enum {
    NETCAT_KEPT_MAX = 4096, /* slices kept when the connection ends before all is shown */
};

struct netcat {
    struct app app; /* what stack_open or a listener is given */
    struct console console;
    struct conn_id conn;
    bool connected;    /* the handshake is complete */
    bool input_ended;  /* the operator's input */
    bool urgent;       /* mark what is sent as urgent; netcat_init takes it back */
    bool closed;       /* the connection is over; `why` says how */
    bool eof;          /* the remote node's stream was read to its end */
    enum reason why;   /* once closed */
    struct slice held; /* typed and not yet taken by the stack; len 0: none */
    uint64_t bytes_in; /* pulled */
    uint64_t bytes_out;
    uint64_t lost; /* bytes that had arrived and could not be kept when the connection ended */
    unsigned kept_first, kept_n;
    struct slice kept[NETCAT_KEPT_MAX];
};

/* Before stack_open, whose `user` is &n->app. */
void netcat_init(struct netcat *n);

/* Is the connection over, and everything that came pulled? */
bool netcat_done(const struct netcat *n);

#endif
