#include "run/services.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "run/memory.h"

enum {
    CHAT_CLIENTS = 64,
    HTTP_CONNS = 64,
    BACKLOG = 4096,
};

/* The small services over TCP, but for what serves them. */
static const struct {
    uint16_t port;
    const char *name;
} small_tcp[] = {{7, "echo"}, {9, "discard"}, {19, "chargen"}, {80, "http"}};

enum { SMALL_TCP = sizeof(small_tcp) / sizeof(small_tcp[0]) };

bool services_small(uint32_t port)
{
    for (unsigned i = 0; i < SMALL_TCP; i++)
        if (small_tcp[i].port == port)
            return true;
    return false;
}

int session_parse(const char *text, enum session_kind *ret_kind)
{
    static const char *const names[] = {
        [SESSION_ECHO] = "echo", [SESSION_DISCARD] = "discard", [SESSION_CHARGEN] = "chargen",
        [SESSION_CHAT] = "chat", [SESSION_CAT] = "cat",
    };

    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(text, names[i]) == 0) {
            *ret_kind = (enum session_kind)i;
            return 0;
        }
    }
    return -EINVAL;
}

static int services_memory(struct services *s, uint32_t max_conns, struct buf_pool *pool)
{
    void *echo = memory_reserve(echo_bytes(max_conns));
    void *chat = memory_reserve(chat_bytes(CHAT_CLIENTS));
    void *http = memory_reserve(http_bytes(HTTP_CONNS));

    if (!echo || !chat || !http)
        return -ENOMEM;
    echo_init(&s->echo, echo, echo_bytes(max_conns));
    discard_init(&s->discard);
    chargen_init(&s->chargen);
    chat_init(&s->chat, chat, chat_bytes(CHAT_CLIENTS));
    netcat_init(&s->cat);
    http_init(&s->http, s->node, pool, http, http_bytes(HTTP_CONNS));
    datagram_init(&s->udp[0], DATAGRAM_ECHO, NULL, NULL);
    datagram_init(&s->udp[1], DATAGRAM_DISCARD, NULL, NULL);
    datagram_init(&s->udp[2], DATAGRAM_CHARGEN, NULL, s->chargen.pattern);
    datagram_init(&s->udp[3], DATAGRAM_REVERSE, pool, NULL);
    return 0;
}

static void services_note(struct services *s, const char *name, uint16_t port, bool udp)
{
    s->list[s->n++] = (struct report_service){.name = name, .port = port, .udp = udp};
}

static int services_listen(struct services *s, struct stack *st, const char *name, uint16_t port,
                           struct app *app)
{
    int r = stack_listen(st, NULL, port, BACKLOG, app);

    if (r < 0)
        return r;
    s->listener[s->listeners++] = r;
    services_note(s, name, port, false);
    return 0;
}

static int services_tcp(struct services *s, struct stack *st, uint16_t session_port)
{
    struct app *const app[SMALL_TCP] = {&s->echo.app, &s->discard.app, &s->chargen.app,
                                        &s->http.app};

    for (unsigned i = 0; i < SMALL_TCP; i++) {
        int r = small_tcp[i].port == session_port
                    ? 0
                    : services_listen(s, st, small_tcp[i].name, small_tcp[i].port, app[i]);

        if (r < 0)
            return r;
    }
    return 0;
}

static int services_session(struct services *s, struct stack *st, uint16_t port)
{
    switch (s->session) {
    case SESSION_ECHO:
        return services_listen(s, st, "session (echo)", port, &s->echo.app);
    case SESSION_DISCARD:
        return services_listen(s, st, "session (discard)", port, &s->discard.app);
    case SESSION_CHARGEN:
        return services_listen(s, st, "session (chargen)", port, &s->chargen.app);
    case SESSION_CHAT:
        return services_listen(s, st, "session (chat)", port, &s->chat.app);
    case SESSION_CAT:
        return services_listen(s, st, "session (cat)", port, &s->cat.app);
    }
    return -EINVAL;
}

static int services_udp(struct services *s, struct stack *st)
{
    static const struct {
        uint16_t port;
        const char *name;
    } small[SERVICES_UDP] = {{7, "echo"},
                             {9, "discard"},
                             {19, "chargen"},
                             {DATAGRAM_REVERSE_PORT, "reverse"}};

    for (unsigned i = 0; i < SERVICES_UDP; i++) {
        int r = stack_udp_bind(st, small[i].port, &s->udp[i].app);

        if (r < 0)
            return r;
        services_note(s, small[i].name, small[i].port, true);
    }
    return 0;
}

int services_start(struct services *s, struct stack *st, const struct addr *node,
                   enum session_kind session, uint16_t port, uint32_t max_conns,
                   struct buf_pool *pool)
{
    char text[ADDR_TEXT_MAX];
    int r;

    memset(s, 0, sizeof(*s));
    s->session = session;
    s->port = port;
    snprintf(s->node, sizeof(s->node), "twintun %s", addr_format(node, text));
    r = services_memory(s, max_conns, pool);
    if (r == 0)
        r = services_tcp(s, st, port);
    if (r == 0)
        r = services_session(s, st, port);
    if (r == 0)
        r = services_udp(s, st);
    return r;
}

/* ---- What is said ---- */

static void services_chat_notice(void *arg, enum chat_notice what, const char *name,
                                 uint32_t clients)
{
    const struct services *s = arg;

    switch (what) {
    case CHAT_JOINED:
        report_line(s->report, "%s joined the chat; %u client%s now", name, (unsigned)clients,
                    report_s(clients));
        break;
    case CHAT_LEFT:
        report_line(s->report, "%s left the chat; %u client%s now", name, (unsigned)clients,
                    report_s(clients));
        break;
    case CHAT_FULL:
        report_line(s->report, "%s was turned away: the chat is full", name);
        break;
    case CHAT_UNHEARD:
        report_line(s->report, "nobody is in the chat: what you typed went to no one");
        break;
    }
}

void services_watch(struct services *s, const struct report *r)
{
    static const char *const what[] = {
        [PACE_CONNECTED] = "connected",
        [PACE_IN_ORDER] = "closed in order",
        [PACE_OTHERWISE] = "ended otherwise",
    };

    s->report = r;
    s->chat.notice = services_chat_notice;
    s->chat.notice_arg = s;
    for (unsigned i = 0; i < PACE_KINDS; i++)
        s->pace[i].what = what[i];
}

void services_tell(struct services *s, const struct stack_event *ev,
                   const struct stack_conn_status *c, int64_t now)
{
    bool begun = ev->kind == EV_ACCEPTED, all = s->report->json || s->report->verbose;
    enum services_pace pace = begun                           ? PACE_CONNECTED
                              : ev->why == REASON_END_ORDERLY ? PACE_IN_ORDER
                                                              : PACE_OTHERWISE;

    if (!all && begun && s->session == SESSION_CHAT)
        return; /* the chat says it itself */
    if (!all && (c->local_port != s->port || !pace_may(&s->pace[pace], now)))
        return;
    if (begun)
        report_accepted(s->report, c);
    else
        report_closed(s->report, c, ev->why);
}

int64_t services_tell_rest(struct services *s, int64_t now)
{
    int64_t at = TIME_NEVER;

    for (unsigned i = 0; i < PACE_KINDS; i++)
        at = time_min(at, pace_turn(&s->pace[i], s->report, now));
    return at;
}

void services_stop(struct services *s, struct stack *st)
{
    while (s->listeners)
        stack_unlisten(st, s->listener[--s->listeners]);
}
