/*
 * Source routes of connections (RFC 9293 section 3.9.2.1, RFC 1122 section 4.2.3.8).
 *
 * The application may give one in its settings, and that is the one (MUST-51, MUST-52). Otherwise a
 * node that accepts source-routed packets answers each connection by the way back of the route that
 * its last routed segment came (MUST-53, SHLD-24); only segments that the connection has taken
 * count, so whoever wants to lead it astray has to be able to speak in it. Those routes stand in a
 * table by slot, whose pages are touched only if there are such connections; a node that refuses
 * source routes, which is the default, has no such table.
 */
#include "stack/internal.h"
#include "tcp/mss.h"

const struct ip_route *route_of(const struct stack *st, const struct conn *c)
{
    if (c->tcb.set->route.hops)
        return &c->tcb.set->route;
    return c->routed ? &st->routes[conn_slot(st, c)] : NULL;
}

void route_settle(const struct stack *st, struct conn *c)
{
    const struct ip_route *r = route_of(st, c);

    mss_ip_options(&c->tcb, r ? ip_route_len(r) : 0); /* MUST-16 */
}

void route_take(struct stack *st, struct conn *c, const struct ip_hdr *ip)
{
    struct ip_route back;

    if (!ip->at.route || ip_route_back(ip, &back) || !back.hops)
        return;
    st->routes[conn_slot(st, c)] = back;
    c->routed = true;
    route_settle(st, c);
}
