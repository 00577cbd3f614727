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
#include "run/pace.h"

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

/* What is said of connections, at a pace for each. */
enum services_pace {
    PACE_CONNECTED,
    PACE_IN_ORDER,
    PACE_OTHERWISE,
    PACE_KINDS,
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
    uint16_t port;               /* of the session */
    const struct report *report; /* who is told of connections; NULL: nobody */
    struct pace pace[PACE_KINDS];
    char node[ADDR_TEXT_MAX + 16]; /* "twintun node 10.0.1.5" */
    int listener[SERVICES_MAX];
    unsigned listeners;
    struct report_service list[SERVICES_MAX]; /* what is served, for report_ready */
    unsigned n;
};

/* "echo" and so on. -EINVAL if it is none of them. */
int session_parse(const char *text, enum session_kind *ret_kind);

/* Whether one of the small services over TCP has this port by custom. */
bool services_small(uint32_t port);

/*
 * Start listening on `st`, which has room for max_conns connections. `pool` is for answers, with
 * bufs of at least HTTP_PAGE bytes. A session whose port is that of a small service over TCP takes
 * its place. 0, -ENOMEM or what stack_listen or stack_udp_bind says.
 */
int services_start(struct services *s, struct stack *st, const struct addr *node,
                   enum session_kind session, uint16_t port, uint32_t max_conns,
                   struct buf_pool *pool);

/* From now on people are told who comes and goes, in the chat also by its own words. */
void services_watch(struct services *s, const struct report *r);

/*
 * Say that a connection began or ended (EV_ACCEPTED, EV_CLOSED): those of the session, at a pace
 * that can be read; with --verbose or --json all of them, one by one.
 */
void services_tell(struct services *s, const struct stack_event *ev,
                   const struct stack_conn_status *c, int64_t now);

/* Say what the pace has kept back until now. Returns when to come back, or TIME_NEVER. */
int64_t services_tell_rest(struct services *s, int64_t now);

/* Stop listening; connections live on. */
void services_stop(struct services *s, struct stack *st);

#endif
