/*
 * What the files of this folder share: the connection with its places in table, wheel and lists,
 * and the stack that holds them all.
 *
 *   stack.c   making a stack, the doors
 *   flow.c    the table of connections: slots, generations, lookup by addresses and ports
 *   expect.c  memory that the next packets need is asked for before they are handled
 *   share.c   which of several stacks of a node has a connection
 *   route.c   source routes of connections
 *   inet.c    packets: from the IP header to the one who is concerned, and back
 *   predict.c  ... those of segments that are usual, at one look
 *   paths.c   path MTUs: ip/ keeps them, tcp/ uses and improves them
 *   accept.c  listeners: their queues, and segments that belong to no connection
 *   cookie.c  SYN cookies
 *   event.c   events and the observer
 *   watch.c   an observer that looks at connections
 *   user.c    user calls
 *   dgram.c   those of datagram sockets
 *   status.c  what is known about a connection; status_text.c writes it
 *
 * After anything has touched a connection, stack_settle looks at what it left behind (or, where
 * that cannot be much, stack_settle_use).
 */
#ifndef STACK_INTERNAL_H
#define STACK_INTERNAL_H

#include <assert.h>

#include "base/list.h"
#include "base/wheel.h"
#include "ip/echo.h"
#include "ip/fragment.h"
#include "ip/icmp.h"
#include "ip/ip.h"
#include "ip/udp.h"
#include "stack/stack.h"
#include "tcp/tcp.h"

/*
 * Which of the stack's lists a connection stands on, by what is to be done with it; on one at most,
 * because an embryo and a connection in TIME-WAIT that nobody owns have nothing to tell.
 */
enum conn_place {
    PLACE_NONE,
    PLACE_EVENT,     /* there is something to tell the application */
    PLACE_EMBRYO,    /* half open: SYN-RECEIVED for a listener, the oldest first */
    PLACE_TIME_WAIT, /* nobody's, in TIME-WAIT, the oldest first */
};

struct conn {
    struct tcb tcb;
    struct wheel_timer timer; /* the TCB's first deadline */
    struct list output;       /* on stack.opening or .output while there may be something to send */
    struct list place;        /* on the list that `placed` says */
    void *user;
    uint32_t hash_next; /* the next in its bucket, a link; or slot + 1 of the next free slot */
    uint32_t resting;   /* slot + 1 of the one in TIME-WAIT whose place in the lookup this half-open
                         * one has, and there of the half-open one; or 0 */
    uint32_t generation; /* one more for each use of the slot, and when a handle dies */
    uint8_t listener;    /* number + 1, while it stands in a queue of that listener: ... */
    bool complete : 1;   /* ... the accept queue, not the SYN queue */
    bool exempt : 1;     /* ... or, half open, in neither: from TIME-WAIT or a cookie */
    bool in_use : 1, hashed : 1;
    bool routed : 1; /* it has a place in the table of routes */
    uint8_t placed;  /* enum conn_place */
    uint8_t rcv_tos; /* of the last segment that was taken (MAY-9) */
};

struct listener {
    bool in_use, any_addr, has_settings;
    uint16_t port;
    uint32_t backlog;
    uint32_t half_open, complete; /* connections in the SYN queue and in the accept queue */
    int64_t cookies_until;        /* ns: a cookie that was sent may be good until then */
    struct addr addr;
    void *user;
    struct list embryos;
    struct tcp_settings settings; /* what its connections begin with */
};

enum {
    STACK_EXPECT_MAX = 64, /* packets: what more are announced is not looked at */
};

/* A packet that was announced; see expect.c. */
struct expected {
    uint64_t hash;
    uint32_t ports;         /* remote and local, as they stand in it */
    uint32_t link;          /* where its connection may be, or 0 */
    uint32_t slot;          /* + 1: where it seems to be; 0: not known */
    struct flow_hint *hint; /* where that will be said; NULL: it is no segment */
};

/* Those to come; numbers of packets, which run freely. */
struct expectation {
    uint32_t first, end;        /* the next to be handed in; behind the last that was announced */
    uint32_t led, known, flown; /* the next for which each step is to be done */
    struct expected at[STACK_EXPECT_MAX];
};

/* Where connections were found last whose ends come to the same: the latest two. */
struct flow_hint {
    struct {
        uint32_t ports; /* remote and local, as they stand in its segments */
        uint32_t slot;  /* + 1; 0: nowhere */
    } at[2];
};

struct stack {
    struct stack_config cfg;
    struct tcp tcp;
    struct ip_node ip;
    struct fragments fragments;
    struct udp udp;
    struct wheel wheel;
    struct pool cells, flights, ranges;
    struct stack_share share; /* all 0: alone */
    int64_t now;              /* the latest instant that a door was told */

    struct conn *conns;
    struct tcp_settings *settings; /* by slot: of the connections that have their own */
    struct ip_route *routes;       /* by slot, where source routes are accepted: see route.c */
    uint32_t *buckets;             /* links: slot + 1 and, above that, bits of the hash; or 0 */
    uint32_t bucket_mask, link_mask;
    struct flow_hint *hints; /* see flow_guess */
    unsigned hint_shift;     /* 64 less the logarithm of their number */
    struct expectation expectation;
    uint32_t free_slot; /* slot + 1, or 0 */
    uint32_t fresh_slots;

    struct list opening, output; /* who may have something to send; who opens goes first */
    struct list event, time_wait;
    struct conn_id
        dying; /* told of its end by the last event: the handle dies with the next call */
    bool has_dying;
    uint64_t udp_pending; /* a bit for each socket with datagrams to tell of, ... */
    uint64_t udp_erred;   /* ... and with errors */
    struct listener listener[STACK_LISTENERS_MAX];
    struct buf *held; /* what the last packet from the ring refers to */
    bool starved;     /* a send found no cell or buf: wake the senders when there are some */

    struct stack_totals totals;
    void (*note)(void *arg, const struct stack_note *n);
    void *note_arg;
    void (*look)(void *arg, uint32_t slot); /* see watch.c */
    void *look_arg;
    uint64_t counts[REASON_COUNT];
};

static_assert((int)STACK_UDP_MAX == (int)UDP_SOCKETS_MAX && STACK_UDP_MAX <= 64,
              "one bit for each socket");
static_assert(STACK_LISTENERS_MAX < UINT8_MAX, "conn.listener holds number + 1");
static_assert(sizeof(struct conn) + sizeof(uint32_t) + sizeof(struct wheel_entry) <= 512,
              "an idle connection costs at most 512 bytes, with its places in table and wheel");

static inline uint32_t conn_slot(const struct stack *st, const struct conn *c)
{
    return (uint32_t)(c - st->conns);
}

/* ---- flow.c ---- */

/* Where a link of the hash table leads, which is not 0. */
static inline struct conn *flow_at(const struct stack *st, uint32_t link)
{
    return &st->conns[(link & st->link_mask) - 1];
}

/* The first link of the connections whose ends have this hash. */
static inline uint32_t *flow_bucket(const struct stack *st, uint64_t hash)
{
    return &st->buckets[hash & st->bucket_mask];
}

/* What stands in a link beside slot + 1: bits of the hash that the bucket does not show. */
static inline uint32_t flow_tag(const struct stack *st, uint64_t hash)
{
    return (uint32_t)(hash >> 32) & ~st->link_mask;
}

/*
 * Where it is remembered who has these ends: `ends` is what the two addresses come to, their last
 * four bytes each, and `ports` are as they stand in the remote end's segments.
 */
static inline struct flow_hint *flow_hint_of(const struct stack *st, uint64_t ends, uint32_t ports)
{
    return &st->hints[(ends << 32 | ports) * UINT64_C(0x9e3779b97f4a7c15) >> st->hint_shift];
}

/* Slot + 1 of the latest one with these ports, or 0. */
static inline uint32_t flow_hint_slot(const struct flow_hint *hint, uint32_t ports)
{
    if (hint->at[0].ports == ports)
        return hint->at[0].slot;
    return hint->at[1].ports == ports ? hint->at[1].slot : 0;
}

static inline void flow_hint_set(struct flow_hint *hint, uint32_t ports, uint32_t slot)
{
    hint->at[1] = hint->at[0];
    hint->at[0].ports = ports;
    hint->at[0].slot = slot;
}

static inline bool flow_full(const struct stack *st)
{
    return !st->free_slot && st->fresh_slots == st->cfg.max_conns;
}

/* A new connection in the table, which is not full. The TCB is zeros but for its ends. */
struct conn *flow_add(struct stack *st, const struct addr *local, uint16_t local_port,
                      const struct addr *remote, uint16_t remote_port);
struct conn *flow_find(const struct stack *st, const struct addr *local, uint16_t local_port,
                       const struct addr *remote, uint16_t remote_port);
/*
 * The connection of a segment that begins with these ports, if it is where the last one like it was
 * found, or NULL: flow_find tells. It costs a fifth of that.
 */
struct conn *flow_guess(const struct stack *st, const struct ip_hdr *ip, const uint8_t ports[4]);
/* The same for a packet that has the usual form (wire/plain.h), at b. */
struct conn *flow_guess_plain(const struct stack *st, const uint8_t *b);
/* A segment that begins with these ports was for this connection. */
void flow_remember(const struct stack *st, const struct ip_hdr *ip, const uint8_t ports[4],
                   const struct conn *c);
/*
 * Take it out of the lookup, so that its addresses and ports are free; the slot stays. If one in
 * TIME-WAIT rests behind it, that is found again.
 */
void flow_unhash(struct stack *st, struct conn *c);
/* `c` is found in the place of `old`, which is in TIME-WAIT and has been taken out of the lookup.
 */
void flow_rest(struct stack *st, struct conn *old, struct conn *c);
/* Settings of its own for a connection: a copy of these. */
void flow_set(struct stack *st, struct conn *c, const struct tcp_settings *settings);
/* Give the slot back. */
void flow_remove(struct stack *st, struct conn *c);
/* The connection of a living handle, or NULL. */
struct conn *flow_lookup(const struct stack *st, struct conn_id id);
/* Ends and settings of a TCB that is zeros but for them. */
void flow_init(const struct stack *st, struct tcb *c, const struct addr *local, uint16_t local_port,
               const struct addr *remote, uint16_t remote_port);

enum {
    FLOW_ENDS_V4 = 12, /* bytes: both addresses, both ports */
    FLOW_ENDS_V6 = 36,
};

/*
 * The keyed hash by which connections stand in the table: over the ends as they stand in the remote
 * end's segments, its address, ours, its port, ours, one behind the other where the IP header has
 * no options.
 */
uint64_t flow_ends_hash(const struct stack *st, const uint8_t *ends, unsigned len);
/* The same. */
uint64_t flow_place_hash(const struct stack *st, const struct addr *local, uint16_t local_port,
                         const struct addr *remote, uint16_t remote_port);

/* Offsets of the keys in the secret, bytes. */
enum flow_key {
    KEY_FLOW = 0,
    KEY_ISN = 16,
    KEY_COOKIE = 32,
    KEY_NUMBERS = 48, /* ports and identifications */
};

enum {
    FLOW_HASH_MORE_MAX = 14, /* bytes */
};

/* A keyed hash over addresses, ports and `more`. */
uint64_t flow_hash(const struct stack *st, enum flow_key key, const struct addr *local,
                   uint16_t local_port, const struct addr *remote, uint16_t remote_port,
                   const uint8_t *more, unsigned more_len);
/* An initial sequence number (RFC 6528, MUST-8, MUST-9, SHLD-1). */
uint32_t flow_isn(const struct stack *st, const struct tcb *c);
/* Where the timestamp clock between these ends has its origin, ms (RFC 7323 section 7.1). */
uint32_t flow_ts_offset(const struct stack *st, const struct addr *local, uint16_t local_port,
                        const struct addr *remote, uint16_t remote_port);
/*
 * A local port that makes the connection unique, at random (RFC 6056), or 0: then none from 1024 on
 * is left.
 */
uint16_t flow_pick_port(struct stack *st, const struct addr *local, const struct addr *remote,
                        uint16_t remote_port);

/* Room in the table: the oldest that nobody owns and that only waits in TIME-WAIT goes. */
bool flow_recycle(struct stack *st);
/*
 * Room in the SYN queue: the oldest half-open connection goes. An honest one is complete after a
 * round trip; in a flood of SYNs the oldest is most likely nobody's.
 */
bool flow_evict(struct stack *st, struct listener *l);

/* ---- expect.c ---- */

/* The first of the packets that were announced, of which there are some, has come. */
void expect_came(struct stack *st);

/* ---- share.c ---- */

/* Does this connection belong here? */
bool share_is_ours(const struct stack *st, const struct addr *local, uint16_t local_port,
                   const struct addr *remote, uint16_t remote_port);
/*
 * `packet`, of which *p has the marks, is about a connection that is not in the table. REASON_NONE:
 * it would be ours; else it has been handed over, or was to be.
 */
enum reason share_flow(struct stack *st, const struct addr *local, uint16_t local_port,
                       const struct addr *remote, uint16_t remote_port, struct slice packet,
                       const struct pkt *p);
/* The same of a fragment: the first stack puts all of them together. */
enum reason share_fragment(struct stack *st, struct slice packet, const struct pkt *p);

/* ---- route.c ---- */

/* The source route of what the connection sends, or NULL. */
const struct ip_route *route_of(const struct stack *st, const struct conn *c);
/* The connection's settings are new: its route may be another. */
void route_settle(const struct stack *st, struct conn *c);
/* The connection has taken a segment with this header, which may have come by a source route. */
void route_take(struct stack *st, struct conn *c, const struct ip_hdr *ip);

/* ---- paths.c ---- */

/* The addresses of the node and its random numbers are in place. */
void paths_init(struct stack *st);
/* What is known of some paths may have got old. */
void paths_expire(struct stack *st);
/* Bytes of the largest packet that the connection's segments make. */
uint32_t paths_mtu_of(const struct stack *st, const struct tcb *c);

/* ---- inet.c ---- */

enum reason inet_input(struct stack *st, const struct pkt *p);
bool inet_output(struct stack *st, struct pkt *p);
/*
 * predict.c: input of a packet that has the usual form, for a connection that is easily found, to
 * which it is usual (tcp/usual.h). Returns whether it was one, and what came of it; else nothing
 * was done.
 */
bool predict_input(struct stack *st, const struct pkt *p, enum reason *ret_why);
/* Give up packets whose fragments did not all come in time. */
void inet_expire(struct stack *st);

/* ---- accept.c ---- */

/* What comes of a segment that belongs to no connection. */
struct stranger {
    struct conn *conn; /* or NULL: it completed the handshake of this new one, and is its first */
    bool reply;
    struct tcp_hdr rst; /* with `reply`: what it is answered with */
};

/*
 * A segment for which there is no connection; or, with `old`, a SYN that opens anew what is in
 * TIME-WAIT there.
 */
enum reason accept_stranger(struct stack *st, const struct ip_hdr *ip, const struct tcp_hdr *hdr,
                            uint32_t data_len, struct conn *old, struct stranger *ret);
/*
 * A segment for a half-open connection of a listener, before the connection sees it. *c changes
 * where the segment completes a handshake that an earlier cookie began.
 */
enum reason accept_embryo(struct stack *st, const struct ip_hdr *ip, const struct tcp_hdr *hdr,
                          struct conn **c);
/* Is there a listener for this address and port, whose accept queue has room? */
bool accept_possible(struct stack *st, const struct addr *local, uint16_t port);
/* The connection may be complete now: to the accept queue. */
void accept_count(struct stack *st, struct conn *c);
/* The connection stands in no queue any more: it was told of, or has ended. */
void accept_forget(struct stack *st, struct conn *c);

/* ---- cookie.c ---- */

/* Answer a SYN and keep nothing. */
enum reason cookie_answer(struct stack *st, struct listener *l, const struct ip_hdr *ip,
                          const struct tcp_hdr *syn);
/* May a cookie that this listener sent still come back? */
bool cookie_expected(const struct stack *st, const struct listener *l);
/* Is this the answer to a good cookie of ours? Then *ret_syn is what began the handshake. */
bool cookie_check(const struct stack *st, const struct listener *l, const struct ip_hdr *ip,
                  const struct tcp_hdr *ack, struct tcp_hdr *ret_syn);

/* ---- stack.c ---- */

/* For an observer that looks at connections: this one was touched. */
static inline void stack_look(const struct stack *st, const struct conn *c)
{
    if (st->look)
        st->look(st->look_arg, conn_slot(st, c));
}

/* Look at what a call left in the connection's TCB: output, events, timers, its end. */
void stack_settle(struct stack *st, struct conn *c);

/*
 * The same after what changes neither the state nor a timer, as sending, reading and being told do:
 * for those it is half of the work.
 */
void stack_settle_use(struct stack *st, struct conn *c);

/*
 * The same after tcp_output, for a connection that is not on the list of output: neither its place
 * nor its state can be another by that, as long as it is open.
 */
void stack_settle_sent(struct stack *st, struct conn *c);

/* Put the connection on the list where it belongs now, or on none. */
void stack_place(struct stack *st, struct conn *c, enum conn_place where);

/* ---- event.c ---- */

/* Is there something that the application can be told now? */
bool event_tellable(const struct conn *c);
/* The handle that the last event told of its end dies now; there is one (has_dying). */
void event_bury(struct stack *st);
/* The bridge from tcp's notes to the observer's. */
void event_tcp_note(void *arg, const struct tcb *c, int64_t at, enum reason why,
                    enum tcp_state from, int64_t value);

#endif
