#include "tests/fuzz/caller.h"

#include <errno.h>
#include <string.h>

#include "stack/status.h"

static struct tcb *tcb_of(struct caller *a, const struct handle *h)
{
    struct conn *c = h->used ? flow_lookup(a->n->st, h->id) : NULL;

    return c ? &c->tcb : NULL;
}

void caller_start(struct caller *a, struct subject *n)
{
    memset(a, 0, sizeof(*a));
    a->n = n;
    for (unsigned i = 0; i < CALLER_LISTENERS; i++)
        a->listener[i] = -1;
    for (unsigned i = 0; i < CALLER_SOCKETS; i++)
        a->udp[i] = -1;
}

/* ---- handles ---- */

/* A place for a new handle: that of one which is over. There is one, as they are more than slots.
 */
static struct handle *new_handle(struct caller *a, struct conn_id id)
{
    struct handle *h;
    const struct tcb *c;

    do
        h = &a->handle[a->next_handle++ % CALLER_HANDLES];
    while (h->used && !h->over);
    *h = (struct handle){.id = id, .used = true};
    c = tcb_of(a, h);
    FUZZ_CHECK(c, "a dead handle is given");
    h->local_port = c->local_port;
    h->remote_port = c->remote_port;
    h->iss = c->iss;
    return h;
}

static struct handle *find(struct caller *a, struct conn_id id)
{
    for (unsigned i = 0; i < CALLER_HANDLES; i++)
        if (a->handle[i].used && a->handle[i].id.slot == id.slot &&
            a->handle[i].id.generation == id.generation)
            return &a->handle[i];
    return NULL;
}

static void check_events_of(const struct stack_event *e, const struct handle *h)
{
    FUZZ_CHECK(h, "event %d of a connection that nobody knows", e->kind);
    FUZZ_CHECK(!h->over, "event %d behind the end", e->kind);
    FUZZ_CHECK(e->user == h, "event %d with another user's pointer", e->kind);
}

static void opened(struct caller *a, struct handle *h)
{
    FUZZ_CHECK(!h->opened, "opened twice");
    h->opened = true;
    h->irs = tcb_of(a, h)->irs;
}

static void on_event(struct caller *a, const struct stack_event *e)
{
    struct handle *h = find(a, e->conn);

    switch (e->kind) {
    case EV_ACCEPTED:
        FUZZ_CHECK(!h && e->user == a, "a handle is given twice, or with another's pointer");
        h = new_handle(a, e->conn);
        opened(a, h);
        FUZZ_CHECK(stack_set_user(a->n->st, e->conn, h) == 0, "a dead handle is accepted");
        return;
    case EV_CONNECTED:
        check_events_of(e, h);
        opened(a, h);
        return;
    case EV_URGENT:
    case EV_READABLE:
    case EV_WRITABLE:
    case EV_PEER_CLOSED:
    case EV_ERROR:
        check_events_of(e, h);
        return;
    case EV_CLOSED:
        check_events_of(e, h);
        FUZZ_CHECK(reason_text(e->why)->kind == REASON_KIND_EVENT, "an end for reason %d", e->why);
        h->over = true;
        h->why = e->why;
        return;
    case EV_DATAGRAM:
    case EV_DATAGRAM_ERROR:
        FUZZ_CHECK(e->user == &a->udp[0] || e->user == &a->udp[1], "a datagram for nobody");
        return;
    }
    FUZZ_CHECK(false, "event %d", e->kind);
}

void caller_events(struct caller *a, unsigned most)
{
    struct stack_event e;

    while (most-- > 0 && stack_event(a->n->st, &e))
        on_event(a, &e);
}

/* ---- opening ---- */

void caller_open(struct caller *a, uint16_t local_port, const struct addr *remote,
                 uint16_t remote_port)
{
    struct stack_open how = {.local_port = local_port,
                             .remote = *remote,
                             .remote_port = remote_port};
    struct conn_id id;
    struct handle *h;
    int r = stack_open(a->n->st, &how, &id);

    if (r < 0) {
        FUZZ_CHECK(r == -EINVAL || r == -EADDRNOTAVAIL || r == -EADDRINUSE || r == -ENFILE,
                   "open says %d", r);
        return;
    }
    FUZZ_CHECK(!find(a, id), "a handle is given twice");
    h = new_handle(a, id);
    FUZZ_CHECK(stack_set_user(a->n->st, id, h) == 0, "a dead handle is opened");
}

void caller_listen(struct caller *a, unsigned i, uint32_t backlog, bool one_address)
{
    int *l = &a->listener[i % CALLER_LISTENERS], r;

    r = stack_listen(a->n->st, one_address ? &a->n->cfg.local[0] : NULL,
                     (uint16_t)(CALLER_PORT + i % CALLER_LISTENERS), backlog, a);
    if (*l >= 0 && r >= 0) { /* for all addresses and for one: there may be both */
        FUZZ_CHECK(stack_unlisten(a->n->st, *l) == 0, "a listener is lost");
        *l = r;
    } else if (*l < 0) {
        FUZZ_CHECK(backlog == 0 ? r == -EINVAL : r >= 0, "listen says %d", r);
        *l = r >= 0 ? r : -1;
    }
}

void caller_unlisten(struct caller *a, unsigned i)
{
    int *l = &a->listener[i % CALLER_LISTENERS];

    FUZZ_CHECK(stack_unlisten(a->n->st, *l) == (*l < 0 ? -EBADF : 0), "unlisten");
    *l = -1;
}

/* ---- data ---- */

void caller_send(struct caller *a, struct handle *h, uint32_t len, bool copy)
{
    struct tcb *c = tcb_of(a, h);
    struct buf *b = copy ? NULL : buf_get(&a->n->tx);
    uint8_t bytes[SUBJECT_TX_SIZE];
    uint32_t space;
    int r;

    if (!copy && !b)
        return; /* all are on their way */
    len = min32(len, SUBJECT_TX_SIZE);
    if (c)
        subject_fill(b ? b->data : bytes, c->iss + 1 + h->written, len);
    else
        memset(b ? b->data : bytes, 0, len);
    space = stack_send_space(a->n->st, h->id);
    if (b) {
        r = stack_send(a->n->st, h->id, (struct slice){b, b->data, len});
        if (r < 0)
            buf_unref(b);
        else
            r = (int)len;
    } else {
        r = stack_send_copy(a->n->st, h->id, bytes, len);
        FUZZ_CHECK(r < 0 || ((uint32_t)r <= len && (uint32_t)r <= space), "%d bytes were taken", r);
    }
    FUZZ_CHECK(r >= 0 || r == -EAGAIN || r == -EPIPE || r == -EBADF || r == -ENOBUFS,
               "send says %d", r);
    FUZZ_CHECK(r < 0 || c, "a dead handle sends");
    FUZZ_CHECK(r <= 0 || !h->closed, "sent behind the end");
    h->written += r > 0 ? (uint32_t)r : 0;
}

static void look_at(struct caller *a, const struct slice *s, uint32_t seq)
{
    FUZZ_CHECK(a->forged || subject_matches(s->base, seq, s->len),
               "other bytes than were sent, within %u from %u on", s->len, seq);
}

static void let_go(struct caller *a, unsigned i)
{
    struct slice *s = &a->held[i];

    if (s->len == 0)
        return;
    look_at(a, s, a->held_seq[i]);
    buf_unref(s->buf);
    *s = (struct slice){0};
}

void caller_let_go(struct caller *a)
{
    for (unsigned i = 0; i < CALLER_SLICES; i++)
        let_go(a, i);
}

/* One read. Returns whether there may be more. */
static bool receive(struct caller *a, struct handle *h, uint32_t most, bool hold)
{
    struct tcb *c = tcb_of(a, h);
    uint32_t seq = c ? c->irs + 1 + h->read : 0;
    struct slice s;
    int r = stack_receive(a->n->st, h->id, most, &s);

    if (r <= 0) {
        FUZZ_CHECK(r == 0 || r == -EAGAIN || r == -ECONNRESET || r == -EBADF || r == -EINVAL,
                   "receive says %d", r);
        FUZZ_CHECK((r == -EBADF) == !c, "receive of a %s handle says %d", c ? "living" : "dead", r);
        h->ended |= r == 0;
        return false;
    }
    FUZZ_CHECK(c && (uint32_t)r == s.len && s.len <= most, "received %d of %u bytes", r, most);
    FUZZ_CHECK(!h->ended, "bytes behind the end of the stream");
    look_at(a, &s, seq);
    h->read += s.len;
    if (hold) {
        unsigned i = a->next_held++ % CALLER_SLICES;

        let_go(a, i);
        a->held[i] = s;
        a->held_seq[i] = seq;
    } else {
        buf_unref(s.buf);
    }
    return true;
}

void caller_receive(struct caller *a, struct handle *h, uint32_t most, unsigned times, bool hold)
{
    while (times-- > 0 && receive(a, h, most, hold))
        ;
}

/* ---- the rest ---- */

static void check_said(struct caller *a, const struct handle *h, const char *what, int r)
{
    FUZZ_CHECK(r == (tcb_of(a, h) ? 0 : -EBADF), "%s says %d", what, r);
}

void caller_close(struct caller *a, struct handle *h)
{
    int r = stack_close(a->n->st, h->id);

    FUZZ_CHECK(r == 0 || r == -EBADF, "close says %d", r);
    h->closed |= r == 0;
}

void caller_release(struct caller *a, struct handle *h)
{
    int r = stack_release(a->n->st, h->id);

    FUZZ_CHECK(r == 0 || r == -EBADF, "release says %d", r);
    h->over = true;
    h->hung_up = true;
}

void caller_abort(struct caller *a, struct handle *h)
{
    int r = stack_abort(a->n->st, h->id);

    FUZZ_CHECK(r == 0 || r == -EBADF, "abort says %d", r);
    h->hung_up = true;
}

void caller_urgent(struct caller *a, struct handle *h)
{
    int r = stack_urgent(a->n->st, h->id);

    FUZZ_CHECK(r == 0 || r == -EBADF || r == -EPIPE, "urgent says %d", r);
}

void caller_set(struct caller *a, struct handle *h, struct script *s)
{
    struct tcp_settings set;
    unsigned bits = script_8(s), more = script_8(s);
    bool valid;
    int r;

    if (stack_settings(a->n->st, h->id, &set) < 0)
        return;
    set.nagle = bits & 1;
    set.soft_errors = bits & 2;
    set.keepalive = bits & 4;
    set.keepalive_octet = bits & 8;
    set.dscp = (uint8_t)(more & 127); /* half of them are out of range */
    set.ttl = (uint8_t)more;
    set.r1 = (uint8_t)(3 + (bits >> 4 & 3));
    set.keepalive_max = (uint8_t)(more >> 5);
    set.r2_ns = bits & 64 ? 200 * SEC : 100 * SEC;
    set.keepalive_ns = set.keepalive_interval_ns = (1 + (more & 15)) * 10 * SEC;
    set.linger_ns = bits & 128 ? (more & 7) * SEC : TIME_NEVER;
    valid = tcp_settings_valid(&set);
    r = stack_set(a->n->st, h->id, &set);
    FUZZ_CHECK(r == (valid ? 0 : -EINVAL), "set says %d", r);
}

void caller_ask(struct caller *a)
{
    struct stack *st = a->n->st;
    struct stack_conn_status status;
    uint32_t cursor = 0, conns = 0;
    char row[STATUS_ROW_MAX];
    struct text t;

    while (stack_next_conn(st, &cursor, &status)) {
        conns++;
        text_init(&t, row, sizeof(row));
        status_text(&t, &status);
        FUZZ_CHECK(!t.cut, "a status that is too long");
        text_init(&t, row, sizeof(row));
        status_json(&t, &status);
        FUZZ_CHECK(!t.cut, "a status that is too long as JSON");
    }
    FUZZ_CHECK(conns == stack_totals(st)->conns, "%u connections, not %u", conns,
               stack_totals(st)->conns);
    for (unsigned i = 0; i < CALLER_HANDLES; i++) {
        struct handle *h = &a->handle[i];
        const struct tcb *c = tcb_of(a, h);

        if (!h->used)
            continue;
        check_said(a, h, "status", stack_status(st, h->id, &status));
        if (!c)
            continue;
        FUZZ_CHECK(status.send_queued == c->snd_q.bytes && status.receive_queued == c->rcv_q.bytes,
                   "a status of other queues");
        FUZZ_CHECK(status.bytes_acked + status.send_queued <= h->written,
                   "more was acknowledged or waits than was written");
        FUZZ_CHECK(stack_urgent_left(st, h->id) == status.receive_urgent, "another urgent end");
    }
}

/* ---- UDP ---- */

void caller_bind(struct caller *a, unsigned i)
{
    int *u = &a->udp[i % CALLER_SOCKETS];
    int r = stack_udp_bind(a->n->st, (uint16_t)(CALLER_UDP_PORT + i % CALLER_SOCKETS), u);

    a->n->used_udp = true;
    if (*u >= 0 && r >= 0) { /* it was connected, and so has an address of its own now */
        struct udp_status s;

        FUZZ_CHECK(stack_udp_status(a->n->st, *u, &s) == 0 && !addr_is_unspecified(&s.local),
                   "a port is bound twice");
        FUZZ_CHECK(stack_udp_close(a->n->st, r) == 0, "closing what was bound");
        return;
    }
    FUZZ_CHECK(*u >= 0 ? r == -EADDRINUSE : r >= 0, "bind says %d", r);
    if (*u < 0)
        *u = r;
}

void caller_unbind(struct caller *a, unsigned i)
{
    int *u = &a->udp[i % CALLER_SOCKETS];

    FUZZ_CHECK(stack_udp_close(a->n->st, *u) == (*u < 0 ? -EBADF : 0), "unbind");
    *u = -1;
}

/* Connect the socket, or let it go; and other settings. */
static void caller_socket(struct caller *a, int udp, unsigned how, const struct addr *to,
                          uint16_t port)
{
    struct udp_settings s;
    struct udp_error e;
    int r = stack_udp_connect(a->n->st, udp, how & 1 ? to : NULL, port);

    FUZZ_CHECK(r == 0 || r == -EINVAL || r == -EADDRNOTAVAIL || r == -EADDRINUSE || r == -EBADF,
               "connecting says %d", r);
    if (stack_udp_settings(a->n->st, udp, &s) == 0) {
        s.df = how & 2;
        s.ttl = (uint8_t)how;
        s.dscp = how & 63;
        s.checksum_needed = how & 4;
        s.options.len = how & 8 ? 7 : 0;
        memcpy(s.options.b, "\x07\x07\x04\0\0\0\0", 7);
        FUZZ_CHECK(stack_udp_set(a->n->st, udp, &s) == 0, "settings");
    }
    while ((r = stack_udp_error(a->n->st, udp, &e)) == 0)
        FUZZ_CHECK(reason_text((enum reason)e.why)->kind == REASON_KIND_EVENT,
                   "an error's meaning");
    FUZZ_CHECK(r == -EAGAIN || r == -EBADF, "errors say %d", r);
}

/* What a call on a connected socket may say of an error that came before it. */
static bool is_late_error(int r)
{
    return r == -ECONNREFUSED || r == -ENOPROTOOPT || r == -EACCES || r == -EMSGSIZE;
}

void caller_datagram(struct caller *a, unsigned i, const struct addr *to, uint16_t port,
                     uint32_t len)
{
    struct buf *b = buf_get(&a->n->tx);
    struct stack_datagram d = {.addr = *to, .port = port};
    int udp = a->udp[i % CALLER_SOCKETS], r;

    caller_socket(a, udp, i / CALLER_SOCKETS, to, port);
    if (b) {
        d.data = (struct slice){b, b->data, min32(len, b->size)};
        d.each = i & 1 ? 1 + len / 7 : 0;
        memset(b->data, 'd', d.data.len);
        r = stack_udp_send(a->n->st, udp, &d);
        FUZZ_CHECK(r == 0 || r == -ENOBUFS || r == -EINVAL || r == -EBADF || r == -EDESTADDRREQ ||
                       r == -EADDRNOTAVAIL || is_late_error(r),
                   "sending a datagram says %d", r);
        if (r < 0)
            buf_unref(b);
    }
    r = i & 1 ? stack_udp_receive_several(a->n->st, udp, &d) : stack_udp_receive(a->n->st, udp, &d);
    FUZZ_CHECK(r == 0 || r == -EAGAIN || r == -EBADF || is_late_error(r),
               "receiving a datagram says %d", r);
    if (r < 0)
        return;
    FUZZ_CHECK(i & 1 ? d.each < d.data.len || d.each == 0 : d.each == 0,
               "%u bytes, to be cut every %u", d.data.len, d.each);
    buf_unref(d.data.buf);
}

/* ---- the end ---- */

void caller_give_up(struct caller *a, bool abort)
{
    for (unsigned i = 0; i < CALLER_LISTENERS; i++)
        if (a->listener[i] >= 0)
            caller_unlisten(a, i);
    for (unsigned i = 0; i < CALLER_SOCKETS; i++)
        if (a->udp[i] >= 0)
            caller_unbind(a, i);
    for (unsigned i = 0; i < CALLER_HANDLES; i++) {
        struct handle *h = &a->handle[i];

        if (!h->used)
            continue;
        if (abort)
            caller_abort(a, h);
        caller_release(a, h);
    }
    caller_let_go(a);
}
