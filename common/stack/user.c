/*
 * The user calls: each finds its connection, lets tcp/ act, and settles what that left.
 */
#include <errno.h>

#include "base/prefetch.h"
#include "stack/internal.h"
#include "tcp/urgent.h"

static bool settings_valid(const struct stack *st, const struct tcp_settings *s)
{
    return tcp_settings_valid(s) && ip_valid_route(&st->ip, &s->route);
}

/* The source is known before the SYN leaves (MUST-43, MUST-44, MUST-46). */
int stack_open(struct stack *st, const struct stack_open *how, struct conn_id *ret_conn)
{
    const struct addr *local = how->local ? how->local : ip_source_for(&st->ip, &how->remote);
    uint16_t port = how->local_port;
    struct conn *c;

    if (how->remote_port == 0 || !ip_valid_remote(&st->ip, &how->remote))
        return -EINVAL;
    if (how->settings && !settings_valid(st, how->settings))
        return -EINVAL;
    if (!local || !ip_is_local(&st->ip, local) || addr_is_v4(local) != addr_is_v4(&how->remote))
        return -EADDRNOTAVAIL;
    if (port && flow_find(st, local, port, &how->remote, how->remote_port))
        return -EADDRINUSE;
    if (!port)
        port = flow_pick_port(st, local, &how->remote, how->remote_port);
    if (!port)
        return -EADDRINUSE;
    if (flow_full(st) && !flow_recycle(st))
        return -ENFILE;
    c = flow_add(st, local, port, &how->remote, how->remote_port);
    c->user = how->user;
    if (how->settings)
        flow_set(st, c, how->settings);
    route_settle(st, c);
    st->totals.opened++;
    tcp_open(&st->tcp, &c->tcb, st->now, flow_isn(st, &c->tcb));
    *ret_conn = (struct conn_id){conn_slot(st, c), c->generation};
    stack_settle(st, c);
    return 0;
}

/* Listeners and connections do not look at each other (MUST-42, MUST-43). */
int stack_listen(struct stack *st, const struct addr *local, uint16_t port, uint32_t backlog,
                 void *user)
{
    struct listener *free = NULL;

    if (port == 0 || backlog == 0 || (local && !ip_is_local(&st->ip, local)))
        return -EINVAL;
    for (unsigned i = 0; i < STACK_LISTENERS_MAX; i++) {
        struct listener *l = &st->listener[i];

        if (!l->in_use)
            free = free ? free : l;
        else if (l->port == port && l->any_addr == !local &&
                 (l->any_addr || addr_eq(&l->addr, local)))
            return -EADDRINUSE; /* MUST-41: an open never disturbs another */
    }
    if (!free)
        return -ENFILE;
    *free = (struct listener){
        .in_use = true, .any_addr = !local, .port = port, .backlog = backlog, .user = user};
    list_init(&free->embryos);
    if (local)
        free->addr = *local;
    return (int)(free - st->listener);
}

int stack_listener_set(struct stack *st, int listener, const struct tcp_settings *settings)
{
    if (listener < 0 || listener >= STACK_LISTENERS_MAX || !st->listener[listener].in_use)
        return -EBADF;
    if (!settings_valid(st, settings))
        return -EINVAL;
    st->listener[listener].settings = *settings;
    st->listener[listener].has_settings = true;
    return 0;
}

int stack_unlisten(struct stack *st, int listener)
{
    if (listener < 0 || listener >= STACK_LISTENERS_MAX || !st->listener[listener].in_use)
        return -EBADF;
    for (uint32_t i = 0; i < st->fresh_slots; i++) {
        struct conn *c = &st->conns[i];

        if (!c->in_use || c->listener != listener + 1)
            continue;
        tcp_abort(&st->tcp, &c->tcb, st->now);
        tcp_release(&st->tcp, &c->tcb, st->now);
        accept_forget(st, c);
        stack_settle(st, c);
    }
    st->listener[listener] = (struct listener){0};
    return 0;
}

uint32_t stack_send_space(const struct stack *st, struct conn_id conn)
{
    const struct conn *c = flow_lookup(st, conn);

    return c ? tcp_send_space(&st->tcp, &c->tcb) : 0;
}

int stack_send(struct stack *st, struct conn_id conn, struct slice s)
{
    struct conn *c = flow_lookup(st, conn);
    int r;

    if (!c)
        return -EBADF;
    prefetch(c, sizeof(*c));
    r = tcp_send(&st->tcp, &c->tcb, s);
    if (r == -ENOBUFS)
        st->starved = true;
    if (r == 0)
        tcp_note(&st->tcp, &c->tcb, st->now, REASON_USER_SEND, s.len);
    stack_settle_use(st, c);
    return r;
}

int stack_send_copy(struct stack *st, struct conn_id conn, const void *bytes, uint32_t len)
{
    struct conn *c = flow_lookup(st, conn);
    int r;

    if (!c)
        return -EBADF;
    prefetch(c, sizeof(*c));
    r = tcp_send_copy(&st->tcp, &c->tcb, bytes, len);
    if (c->tcb.want_space && tcp_send_space(&st->tcp, &c->tcb) > 0)
        st->starved = true;
    if (r > 0)
        tcp_note(&st->tcp, &c->tcb, st->now, REASON_USER_SEND, r);
    stack_settle_use(st, c);
    return r;
}

int stack_receive(struct stack *st, struct conn_id conn, uint32_t max, struct slice *ret_slice)
{
    struct conn *c = flow_lookup(st, conn);
    int r;

    if (!c)
        return -EBADF;
    r = tcp_receive(&st->tcp, &c->tcb, max, ret_slice);
    if (r <= 0)
        return r; /* which has changed nothing */
    tcp_note(&st->tcp, &c->tcb, st->now, REASON_USER_RECEIVE, r);
    stack_settle_use(st, c);
    return r;
}

int stack_urgent(struct stack *st, struct conn_id conn)
{
    struct conn *c = flow_lookup(st, conn);
    int r;

    if (!c)
        return -EBADF;
    r = tcp_urgent(&c->tcb);
    stack_settle_use(st, c);
    return r;
}

uint32_t stack_urgent_left(const struct stack *st, struct conn_id conn)
{
    const struct conn *c = flow_lookup(st, conn);

    return c ? urgent_left(&c->tcb) : 0;
}

int stack_close(struct stack *st, struct conn_id conn)
{
    struct conn *c = flow_lookup(st, conn);
    int r;

    if (!c)
        return -EBADF;
    tcp_note(&st->tcp, &c->tcb, st->now, REASON_USER_CLOSE, 0);
    r = tcp_close(&st->tcp, &c->tcb, st->now);
    stack_settle(st, c);
    return r;
}

int stack_release(struct stack *st, struct conn_id conn)
{
    struct conn *c = flow_lookup(st, conn);

    if (!c)
        return -EBADF;
    tcp_note(&st->tcp, &c->tcb, st->now, REASON_USER_RELEASE, 0);
    tcp_release(&st->tcp, &c->tcb, st->now);
    c->generation++;
    stack_settle(st, c);
    return 0;
}

int stack_abort(struct stack *st, struct conn_id conn)
{
    struct conn *c = flow_lookup(st, conn);

    if (!c)
        return -EBADF;
    tcp_note(&st->tcp, &c->tcb, st->now, REASON_USER_ABORT, 0);
    tcp_abort(&st->tcp, &c->tcb, st->now);
    stack_settle(st, c);
    return 0;
}

int stack_settings(const struct stack *st, struct conn_id conn, struct tcp_settings *ret_settings)
{
    const struct conn *c = flow_lookup(st, conn);

    if (!c)
        return -EBADF;
    *ret_settings = *c->tcb.set;
    return 0;
}

/* At any time of the connection's life (SHLD-21). */
int stack_set(struct stack *st, struct conn_id conn, const struct tcp_settings *settings)
{
    struct conn *c = flow_lookup(st, conn);

    if (!c)
        return -EBADF;
    if (!settings_valid(st, settings))
        return -EINVAL;
    flow_set(st, c, settings);
    route_settle(st, c);
    tcp_set(&c->tcb, st->now, c->tcb.set);
    stack_settle(st, c);
    return 0;
}

int stack_set_user(struct stack *st, struct conn_id conn, void *user)
{
    struct conn *c = flow_lookup(st, conn);

    if (!c)
        return -EBADF;
    c->user = user;
    return 0;
}
