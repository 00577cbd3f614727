#include "run/teller.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/time.h"
#include "run/offload.h"
#include "stack/status.h"

enum {
    BACKLOG = 8,
    ROWS_MAX = 1000,   /* connections that a text lists; nobody reads more */
    COUNT_BATCH = 512, /* of the rest, looked at in one turn */
};

static const int64_t patience = 2 * SEC; /* with a client that takes nothing */
/* With one that asks nothing: a door full of them is through before who comes next gives up. */
static const int64_t hearing = SEC / 2;

/* ---- The page ---- */

/* What the impaired path has done so far, of one direction: counters that are not zero. */
static void way_json(struct teller *t, const struct impair_side *side, const char *way)
{
    const char *before = "";

    text_add(&t->page, "\"%s\":{\"packets\":%" PRIu64 ",\"counters\":{", way, side->packets);
    for (int r = REASON_NONE + 1; r < REASON_COUNT; r++) {
        if (!side->count[r])
            continue;
        text_add(&t->page, "%s\"%s\":%" PRIu64, before, reason_text((enum reason)r)->name,
                 side->count[r]);
        before = ",";
    }
    text_add(&t->page, "}}");
}

static void impaired_json(struct teller *t)
{
    if (!t->impair) {
        text_add(&t->page, "null");
        return;
    }
    text_add(&t->page, "{");
    way_json(t, &t->impair->side[IMPAIR_OUT], "out");
    text_add(&t->page, ",");
    way_json(t, &t->impair->side[IMPAIR_IN], "in");
    text_add(&t->page, "}");
}

static void way_text(struct teller *t, const struct impair_side *side, const char *way)
{
    text_add(&t->page, "impaired, %s: %" PRIu64 " packet%s", way, side->packets,
             side->packets == 1 ? "" : "s");
    for (int r = REASON_NONE + 1; r < REASON_COUNT; r++)
        if (side->count[r])
            text_add(&t->page, ", %" PRIu64 " %s", side->count[r],
                     reason_text((enum reason)r)->name);
    text_add(&t->page, "\n");
}

static void head_json(struct teller *t)
{
    char node[ADDR_TEXT_MAX], offload[OFFLOAD_TEXT];

    text_add(&t->page, "{\"program\":\"%s\",\"node\":\"%s\",\"tun\":\"%s\",\"pid\":%ld,",
             t->program, addr_format(&t->node, node), t->tun, (long)getpid());
    text_add(&t->page,
             "\"offload\":\"%s\",\"busy_poll\":%.9g,\"totals\":", offload_text(t->offload, offload),
             (double)t->busy_poll / (double)SEC);
    status_json_totals(&t->page, t->st);
    text_add(&t->page, ",\n\"counters\":");
    status_json_counters(&t->page, t->st);
    text_add(&t->page, ",\n\"impaired\":");
    impaired_json(t);
    text_add(&t->page, ",\n\"connections\":[");
}

static void head_text(struct teller *t)
{
    const struct stack_totals *n = stack_totals(t->st);
    char node[ADDR_TEXT_MAX], offload[OFFLOAD_TEXT];

    text_add(&t->page,
             "%s %s on %s: %" PRIu32 " connection%s; packets: %" PRIu64 " in, %" PRIu64
             " out\nbytes: %" PRIu64 " in, %" PRIu64 " out, %" PRIu64 " copied\n",
             t->program, addr_format(&t->node, node), t->tun, n->conns, n->conns == 1 ? "" : "s",
             n->packets_in, n->packets_out, n->bytes_in, n->bytes_out, stack_copied(t->st));
    if (t->offload)
        text_add(&t->page, "left to %s: %s\n", t->tun, offload_text(t->offload, offload));
    if (t->busy_poll)
        text_add(&t->page, "waits awake for %.6g ms after a packet\n",
                 (double)t->busy_poll / (double)MSEC);
    if (t->impair) {
        way_text(t, &t->impair->side[IMPAIR_OUT], "out");
        way_text(t, &t->impair->side[IMPAIR_IN], "in");
    }
    if (n->conns)
        status_text_heading(&t->page);
}

static void tail_text(struct teller *t)
{
    if (!t->counters)
        return;
    for (int r = REASON_NONE + 1; r < REASON_COUNT; r++) {
        const struct reason_text *why = reason_text((enum reason)r);
        uint64_t n = stack_count(t->st, (enum reason)r);

        if (n)
            text_add(&t->page, "%s%10" PRIu64 "  %s\n            %s (%s)\n", r == 1 ? "\n" : "", n,
                     why->name, why->sentence, why->source);
    }
}

/* As many connections as the page has room for; people get the first ones only. */
static void conns(struct teller *t)
{
    struct stack_conn_status c;

    while (text_room(&t->page) >= STATUS_ROW_MAX + 2) {
        if (!t->json && t->told == ROWS_MAX) {
            t->stage = TELLER_REST;
            return;
        }
        if (!stack_next_conn(t->st, &t->cursor, &c)) {
            t->stage = TELLER_TAIL;
            return;
        }
        if (t->json) {
            text_add(&t->page, "%s\n", t->told ? "," : "");
            status_json(&t->page, &c);
        } else {
            status_text(&t->page, &c);
        }
        t->told++;
    }
}

/* How many more there are, by their state; some are counted in each turn, told when all are. */
static void rest(struct teller *t)
{
    struct stack_conn_status c;
    const char *before = ": ";
    uint32_t all = 0;

    for (unsigned i = 0; i < COUNT_BATCH; i++) {
        if (!stack_next_conn(t->st, &t->cursor, &c)) {
            t->stage = TELLER_TAIL;
            break;
        }
        t->rest[c.state]++;
    }
    if (t->stage == TELLER_REST)
        return;
    for (unsigned s = 0; s < TELLER_STATES; s++)
        all += t->rest[s];
    if (all == 0)
        return;
    text_add(&t->page, "and %" PRIu32 " more", all);
    for (unsigned s = 0; s < TELLER_STATES; s++) {
        if (!t->rest[s])
            continue;
        text_add(&t->page, "%s%" PRIu32 " %s", before, t->rest[s],
                 tcp_state_name((enum tcp_state)s));
        before = ", ";
    }
    text_add(&t->page, "; --json lists them all\n");
}

/* The next page, when the one before it is taken. */
static void compose(struct teller *t)
{
    text_init(&t->page, t->room, sizeof(t->room));
    t->taken = 0;
    if (t->stage == TELLER_HEAD) {
        text_add(&t->page, "ok\n");
        if (t->json)
            head_json(t);
        else
            head_text(t);
        t->stage = TELLER_CONNS;
    } else if (t->stage == TELLER_CONNS) {
        conns(t);
    } else if (t->stage == TELLER_REST) {
        rest(t);
    } else if (t->stage == TELLER_TAIL) {
        if (t->json)
            text_add(&t->page, "%s]}\n", t->told ? "\n" : "");
        else
            tail_text(t);
        t->stage = TELLER_DONE;
    }
}

/* ---- The client ---- */

static void let_go(struct teller *t)
{
    close(t->client);
    t->client = -1;
    t->ready = true; /* the next one may wait already */
    t->due_at = 0;
}

static void refuse(struct teller *t, const char *why)
{
    char line[80];
    int n = snprintf(line, sizeof(line), "no %s\n", why);

    (void)!send(t->client, line, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);
    let_go(t);
}

/* Root may ask, and who runs the node. */
static bool may_ask(int fd)
{
    struct ucred who;
    socklen_t len = sizeof(who);

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) == 0 &&
           (who.uid == 0 || who.uid == geteuid());
}

static void welcome(struct teller *t, int64_t now)
{
    t->client = accept4(t->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    t->ready = t->client >= 0 || errno != EAGAIN; /* no descriptor is left, say: again later */
    t->due_at = t->ready ? now + patience : 0;
    if (t->client < 0)
        return;
    t->due_at = now + hearing;
    t->asked = 0;
    t->cursor = t->told = 0;
    memset(t->rest, 0, sizeof(t->rest));
    t->stage = TELLER_ASKED;
    text_init(&t->page, t->room, sizeof(t->room));
    t->taken = 0;
    if (!may_ask(t->client))
        refuse(t, "this node belongs to another user; ask as that user or as root");
}

static void understand(struct teller *t, int64_t now)
{
    t->due_at = now + patience;
    t->json = strcmp(t->ask, "json\n") == 0;
    t->counters = strcmp(t->ask, "counters\n") == 0;
    if (t->json || t->counters || strcmp(t->ask, "text\n") == 0)
        t->stage = TELLER_HEAD;
    else
        refuse(t, "the question is not understood; are both programs of one version?");
}

static void listen_to(struct teller *t, int64_t now)
{
    ssize_t n = recv(t->client, t->ask + t->asked, sizeof(t->ask) - 1 - t->asked, MSG_DONTWAIT);

    t->ready = false;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        let_go(t);
        return;
    }
    t->asked += (size_t)n;
    t->ask[t->asked] = '\0';
    if (strchr(t->ask, '\n') || t->asked == sizeof(t->ask) - 1)
        understand(t, now);
}

/* Give the client what it takes now, and compose one page at most. */
static void tell(struct teller *t, int64_t now)
{
    ssize_t n;

    if (t->taken == t->page.len && t->stage == TELLER_DONE) {
        let_go(t);
        return;
    }
    if (t->taken == t->page.len)
        compose(t);
    if (t->page.len == 0) {
        t->due_at = now + patience; /* nothing to tell yet: on in the next turn */
        return;
    }
    n = send(t->client, t->page.out + t->taken, t->page.len - t->taken,
             MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n > 0) {
        t->taken += (size_t)n;
        t->due_at = now + patience;
    } else if (errno == EAGAIN || errno == EINTR) {
        t->ready = false;
    } else {
        let_go(t);
    }
}

void teller_act(struct teller *t, int64_t now)
{
    if (t->client >= 0 && now >= t->due_at)
        let_go(t);
    if (!t->ready || t->fd < 0)
        return;
    if (t->client >= 0 && t->stage == TELLER_ASKED)
        listen_to(t, now);
    else if (t->client >= 0)
        tell(t, now);
    else if (now >= t->due_at)
        welcome(t, now);
}

/* ---- Waiting ---- */

int64_t teller_deadline(const struct teller *t)
{
    return t->client >= 0 || t->ready ? t->due_at : TIME_NEVER;
}

void teller_asked(struct teller *t)
{
    t->ready = true;
}

unsigned teller_wait(const struct teller *t, struct pollfd *fds)
{
    if (t->client < 0)
        return 0;
    fds[0] = (struct pollfd){
        .fd = t->client,
        .events = t->stage == TELLER_ASKED ? POLLIN : POLLOUT,
    };
    return 1;
}

void teller_woken(struct teller *t, const struct pollfd *fds, unsigned n)
{
    if (n > 0)
        t->ready = fds[0].revents;
}

/* ---- The socket ---- */

socklen_t teller_name(const char *tun, struct sockaddr_un *ret_name)
{
    int n;

    *ret_name = (struct sockaddr_un){.sun_family = AF_UNIX}; /* the zero makes it abstract */
    n = snprintf(ret_name->sun_path + 1, sizeof(ret_name->sun_path) - 1, "twintun/%s", tun);
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
}

int teller_open(struct teller *t, const char *program, const char *tun, const struct addr *node,
                const struct stack *st)
{
    struct sockaddr_un name;
    socklen_t len = teller_name(tun, &name);

    t->program = program;
    t->tun = tun;
    t->node = *node;
    t->st = st;
    t->client = -1;
    t->ready = false;
    t->due_at = 0;
    t->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (t->fd < 0)
        return -errno;
    if (bind(t->fd, (struct sockaddr *)&name, len) < 0 || listen(t->fd, BACKLOG) < 0) {
        int error = -errno;

        teller_close(t);
        return error;
    }
    return 0;
}

void teller_close(struct teller *t)
{
    if (t->client >= 0)
        close(t->client);
    if (t->fd >= 0)
        close(t->fd);
    t->client = t->fd = -1;
}
