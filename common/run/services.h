/*
 * What a peer serves: a session on the port that is asked for, and the small services on their own
 * ports, over TCP and UDP. All memory is reserved when they start.
 */
#ifndef RUN_SERVICES_H
#define RUN_SERVICES_H

#include "app/chargen.h"
#include "app/chat.h"
#include "app/datagram.h"
#include "app/discard.h"
#include "app/echo.h"
#include "app/http.h"
#include "app/netcat.h"
#include "run/report.h"

enum {
    SERVICES_MAX = 16,
    SERVICES_UDP = 4,
};

enum session_kind {
    SESSION_ECHO,
    SESSION_DISCARD,
    SESSION_CHARGEN,
    SESSION_CHAT,
    SESSION_CAT, /* one connection, joined to standard input and output */
};

struct services {
    struct echo echo;
    struct discard discard;
    struct chargen chargen;
    struct chat chat;
    struct netcat cat;
    struct http http;
    struct datagram udp[SERVICES_UDP];
    enum session_kind session;
    char node[ADDR_TEXT_MAX + 16]; /* "twintun node 10.0.1.5" */
    int listener[SERVICES_MAX];
    unsigned listeners;
    struct report_service list[SERVICES_MAX]; /* what is served, for report_ready */
    unsigned n;
};

/* "echo" and so on. -EINVAL if it is none of them. */
int session_parse(const char *text, enum session_kind *ret_kind);

/*
 * Start listening on `st`. `pool` is for answers, with bufs of at least HTTP_PAGE bytes. A session
 * whose port is that of a small service over TCP takes its place. 0, -ENOMEM or what stack_listen
 * or stack_udp_bind says.
 */
int services_start(struct services *s, struct stack *st, const struct addr *node,
                   enum session_kind session, uint16_t port, struct buf_pool *pool);

/* Stop listening; connections live on. */
void services_stop(struct services *s, struct stack *st);

#endif
