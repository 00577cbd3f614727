/* How connections begin: listeners, opens, and which end a new connection belongs to. */
#include <errno.h>

#include "base/bytes.h"
#include "tests/sim/world.h"
#include "wire/ip.h"

static uint16_t port_of(const struct scenario *sc, unsigned i, unsigned end)
{
    if (end == 0)
        return (uint16_t)(CHECK_PORT + i);
    return (uint16_t)(CHECK_PORT_OTHER + (sc->shared ? 0 : i));
}

static struct stack_open how_to_open(const struct scenario *sc, unsigned i, unsigned end)
{
    const struct conn_plan *c = &sc->conn[i];

    return (struct stack_open){
        .local_port = port_of(sc, i, end),
        .remote = sc->node[c->node[1 - end]].stack.local[0],
        .remote_port = port_of(sc, i, 1 - end),
    };
}

/* An active open of one end. In a simultaneous open the other opens at the same instant. */
static void open_end(struct world *w, unsigned i, unsigned e)
{
    struct stack_open how = how_to_open(&w->sc, i, e);
    struct end *end = &w->end[i][e];
    struct conn_id conn;
    int r;

    w->open_at[i][e] = TIME_NEVER;
    how.user = end;
    r = stack_open(end->node->st, &how, &conn);
    if (r < 0)
        check_fail(&w->check, "an open gave %d", r);
    else
        end_has(end, w->now, conn);
}

void open_due(struct world *w, unsigned node)
{
    for (unsigned i = 0; i < w->sc.conns; i++)
        for (unsigned e = 0; e < 2; e++)
            if (w->open_at[i][e] <= w->now && w->sc.conn[i].node[e] == node)
                open_end(w, i, e);
}

static void listen_on(struct world *w, struct end *e, uint16_t port)
{
    int r = stack_listen(e->node->st, NULL, port, w->sc.backlog, e);

    if (r < 0)
        check_fail(&w->check, "a listen gave %d", r);
}

void open_listen_all(struct world *w)
{
    for (unsigned i = 0; i < w->sc.conns; i++)
        if (!w->sc.conn[i].both_open && (!w->sc.shared || i == 0))
            listen_on(w, &w->end[i][1], port_of(&w->sc, i, 1));
}

struct end *open_accepted(struct world *w, unsigned node, const struct stack_event *ev)
{
    struct stack_conn_status s;
    struct stack *st = w->node[node].st;
    struct end *e;

    if (stack_status(st, ev->conn, &s) < 0 || s.remote_port < CHECK_PORT ||
        s.remote_port >= CHECK_PORT + w->sc.conns) {
        check_fail(&w->check, "node %u accepted a connection that nobody opened", node);
        return NULL;
    }
    e = &w->end[s.remote_port - CHECK_PORT][1];
    if (e->has_conn) {
        /* A cookie is good for a minute, so an old duplicate of the segment that completed the
         * handshake may complete it again when the connection is over. */
        stack_abort(st, ev->conn);
        stack_set_user(st, ev->conn, NULL);
        return NULL;
    }
    stack_set_user(st, ev->conn, e);
    return e;
}

/*
 * Initial sequence numbers follow the clock (RFC 9293 section 3.4.1: one every 4 microseconds), so
 * the start of time decides where they stand; so do timestamps, one every millisecond. Look at what
 * connection 0 would get, and return how far to move the origin so that it lies just below the
 * wrap.
 */
int64_t open_shift_to_wrap(const struct scenario *sc, int64_t origin, struct dice *d)
{
    struct stack_open how = how_to_open(sc, 0, 0);
    struct conn_id conn;
    struct node n;
    struct pkt p;
    uint32_t isn = 0, ts = 0;
    struct tcp_hdr hdr;
    struct ip_hdr ip;

    node_init(&n, 0, &sc->node[sc->conn[0].node[0]], NULL, NULL);
    stack_tick(n.st, origin);
    if (stack_open(n.st, &how, &conn) == 0 && stack_output(n.st, origin, &p))
        if (ip_parse(p.part[0].base, p.part[0].len, &ip) == REASON_NONE &&
            tcp_parse(&ip, p.part[0].base + ip.header_len, p.part[0].len - ip.header_len, 0,
                      &hdr) == REASON_NONE) {
            isn = hdr.seq;
            ts = hdr.opt.ts_val;
        }
    node_free(&n);
    if (sc->wrap == WRAP_TIMESTAMPS)
        return (int64_t)(0U - ts - (uint32_t)dice_below(d, 2000)) * MSEC;
    return (int64_t)(0U - isn - (uint32_t)dice_below(d, 40000)) * 4 * USEC;
}
