/*
 * traceroute: which routers are on the way to a node, found by packets whose time to live runs out
 * at each of them in turn. Three probes for each hop, in order; several are under way at a time,
 * and lines come in the order of the hops.
 *
 * By UDP a probe goes to a port of its own where nobody should be, and the end of the way says so;
 * by ICMP it is an echo request, and the end answers it. What else is said of a probe stands behind
 * it as a mark: !N, !H, !P (no way to the network, to the host; no such protocol), !F (too big), !S
 * (source route failed), !X (forbidden), !<N> (code N).
 *
 * It does no I/O and has no clock: its owner calls traceroute_turn.
 */
#ifndef APP_TRACEROUTE_H
#define APP_TRACEROUTE_H

#include "app/lines.h"

enum {
    TRACEROUTE_HOPS_MAX = 255,
    TRACEROUTE_QUERIES_MAX = 10,
    TRACEROUTE_AHEAD = 16, /* probes under way */
    TRACEROUTE_PORT = 33434,
    TRACEROUTE_DATA = 65527, /* bytes of data in a probe, at most */
    TRACEROUTE_MARK = 8,
};

struct traceroute_how {
    struct addr remote;
    bool icmp;                    /* echo requests; else UDP */
    uint8_t first, max;           /* hops, first >= 1 */
    uint8_t queries;              /* probes for each hop */
    uint16_t port;                /* UDP: of the first probe; further ones count up */
    uint32_t size;                /* bytes of data */
    int64_t wait;                 /* ns, for an answer */
    struct udp_settings settings; /* but for the TTL */
};

struct traceroute_probe {
    int64_t sent_at, rtt; /* ns */
    struct addr from;
    bool done, answered, final; /* final: the way ends there */
    char mark[TRACEROUTE_MARK];
};

struct traceroute {
    struct lines lines; /* with its app and its console */
    struct traceroute_how how;
    int udp;
    bool begun, stopped, done;
    bool reached;         /* the end of the way has answered */
    unsigned total;       /* probes; less once it is known where the way ends */
    unsigned sent, shown; /* probes */
    struct traceroute_probe probe[TRACEROUTE_HOPS_MAX * TRACEROUTE_QUERIES_MAX];
    uint8_t data[TRACEROUTE_DATA];
};

/* Open its socket. 0, or what stack_udp_open and stack_udp_set say; -EMSGSIZE: size is too much. */
int traceroute_start(struct traceroute *t, struct stack *st, const struct traceroute_how *how);

/* Once per turn: read, send, show. Returns when to call again; `done` says that it is over. */
int64_t traceroute_turn(struct traceroute *t, struct stack *st, int64_t now);

/* The next turn is the last. */
void traceroute_stop(struct traceroute *t);

/* How many hops were shown, the last perhaps not whole. */
static inline unsigned traceroute_hops(const struct traceroute *t)
{
    return (t->shown + t->how.queries - 1) / t->how.queries;
}

#endif
