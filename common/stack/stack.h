/*
 * One node's stack: five doors for the loop that drives it, and the user calls of RFC 9293 section
 * 3.9.1 for the applications above it.
 *
 * The stack does no I/O, knows no clock, and takes all its memory when it is made. Data flows one
 * way: stack_input changes state and nothing else; applications then pull events and make user
 * calls; stack_output is drained last, so that one acknowledgment answers a whole batch of segments
 * (RFC 9293 MUST-58, MUST-59). User calls act at the latest instant that a door was told.
 *
 * A stack and everything in it belongs to one thread.
 */
#ifndef STACK_STACK_H
#define STACK_STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/time.h"
#include "ip/datagram.h"
#include "tcp/config.h"
#include "tcp/state.h"
#include "wire/addr.h"
#include "wire/reason.h"

struct stack;

enum {
    STACK_LOCALS_MAX = 32,    /* addresses of a node */
    STACK_PORTS = 64512,      /* ports to choose from: connections of one address to one port */
    STACK_LISTENERS_MAX = 64, /* passive opens at one time */
    STACK_UDP_MAX = 64,       /* sockets for datagrams and echo requests */
    STACK_UDP_QUEUE = 64,     /* datagrams, or super-datagrams, that wait to be read, per socket */
    STACK_REPLIES = 512,      /* packets that wait to leave and belong to no connection */
    STACK_SECRET = 64,        /* bytes */
};

/* Something that happened to a connection, for an observer; see stack_observe. */
struct stack_note {
    int64_t at;         /* ns */
    enum reason reason; /* of kind EVENT or DROP */
    uint32_t conn;      /* slot */
    enum tcp_state from, to;
    int64_t value; /* RTT_SAMPLE: ns; else 0 */
};

struct stack_config {
    struct addr local[STACK_LOCALS_MAX];  /* of both versions */
    uint8_t prefix_len[STACK_LOCALS_MAX]; /* of each one's subnet, in bits: /24 is 24 */
    unsigned locals;
    uint32_t mtu;            /* bytes of an IP packet that the device takes */
    bool leave_checksum;     /* the device computes checksums of TCP (PKT_CSUM_PARTIAL) */
    uint32_t super4, super6; /* bytes of a packet of TCP over IPv4, over IPv6, that the device cuts
                              * into segments (gso_size); 0: none. Needs leave_checksum */
    uint32_t super_udp;      /* the same of UDP, over both, that it cuts into datagrams */
    uint32_t max_conns;      /* connections in all states together */
    uint32_t max_chunks;     /* slices queued in all connections together */
    uint32_t max_ranges;     /* pieces in flight in all connections; beyond that they are
                              * told apart less well (tcp/recovery/board.h) */
    uint32_t max_fragmented; /* packets of which some fragments have come, or that came in
                              * fragments and wait to be read; 68 KiB each */
    uint8_t ttl;             /* of what we send */
    int64_t path_mtu_age;    /* ns: what was learnt of a path's MTU is old then, and a larger
                              * one is tried (RFC 1191 section 6.3, RFC 4821 section 7.7) */
    uint8_t secret[STACK_SECRET]; /* keys of all keyed hashes: random, or fixed in a simulation */
    uint64_t seed;                /* where port and identification numbers begin */
    bool isn_still; /* initial sequence numbers without the clock: the same in a run that is to be
                     * repeated, and no protection (MUST-8 is what this gives up) */
    struct buf_pool *small;       /* bufs for copies: of at least 512 bytes each */
    const struct buf_pool *large; /* that the device reads into, so that a connection's share of it
                                   * can be told (tcp/budget.c), and what the device copies; NULL:
                                   * no limit by share */
    bool accept_source_routes; /* from the network, and answer by their way back (RFC 9293 MUST-53)
                                */
    struct tcp_config tcp;
};

/* Fill in every default: no address, MTU 1500, 16,384 connections, TCP by tcp_config_default. */
void stack_config_default(struct stack_config *cfg);

/* Bytes of memory that a stack with this configuration reserves. */
size_t stack_bytes(const struct stack_config *cfg);

/*
 * How many of them, from the first on, are the table of connections: used from its beginning as far
 * as there are connections, and with each packet somewhere else.
 */
size_t stack_table_bytes(const struct stack_config *cfg);

/*
 * Make a stack in mem[mem_size], which must be aligned to 64 bytes and filled with zeros, as mmap
 * gives it; pages that are never needed are never touched. Returns NULL if mem_size is too small or
 * the configuration impossible (no address, MTU under 68 or over 65,535, or under 1,280 with an
 * IPv6 address, no connections, settings out of range, no place for fragments, super-segments of
 * more than 65,535 bytes or without leave_checksum).
 */
struct stack *stack_create(const struct stack_config *cfg, void *mem, size_t mem_size);

/* A stack among several that are one node, see share.c. */
struct stack_share {
    uint32_t me, all;
    /* This packet is stack number `to`'s; its bytes are lent. False: it has no room for it. */
    bool (*hand_over)(void *arg, uint32_t to, const struct pkt *p);
    void *arg;
};

/*
 * Share the node's connections with others; before the first packet, and for ever. All of them have
 * the same secret but for its last quarter, the same addresses and the same listeners.
 */
void stack_share(struct stack *st, const struct stack_share *share);

/* ---- The doors ---- */

/*
 * One packet that a device has read at `now`: p->part[0] is all of it. The stack keeps what it
 * needs by taking references on part[0].buf; with a NULL buf the bytes are copied. Returns
 * REASON_NONE if the packet did its work, else the reason for its drop, which is counted already.
 */
enum reason stack_input(struct stack *st, int64_t now, const struct pkt *p);

/*
 * This packet will be given to stack_input soon, as the last of all that were announced and have
 * not been: so that what it needs is in the cache by then. Its bytes are not kept. Nothing comes of
 * it but speed, whatever the packet is, and if it does not come as well; those beyond the 64th are
 * not looked at, nor any where there are few connections.
 */
void stack_expect(struct stack *st, const struct pkt *p);
/* Are there so many connections that packets are looked at when they are announced? */
bool stack_expects(const struct stack *st);

/*
 * The next packet to write, or false if there is none. Headers stand in p->room, payload is
 * referred to: write it, or take references, before the next call to this stack.
 */
bool stack_output(struct stack *st, int64_t now, struct pkt *p);

/* Run every timer that is due at `now`. */
void stack_tick(struct stack *st, int64_t now);

/* When to call stack_tick next, or TIME_NEVER. It may come early, never late. */
int64_t stack_deadline(const struct stack *st);

/* ---- Events ---- */

/* A connection's handle. The generation makes a stale handle harmless: calls return -EBADF. */
struct conn_id {
    uint32_t slot;
    uint32_t generation;
};

enum stack_event_kind {
    EV_CONNECTED,   /* an active open succeeded */
    EV_ACCEPTED,    /* a listener has a new connection; user is the listener's until changed */
    EV_URGENT,      /* urgent data was announced, or its end moved on: see stack_urgent_left */
    EV_READABLE,    /* bytes arrived: read until -EAGAIN */
    EV_WRITABLE,    /* the send queue has room again after a call returned -EAGAIN */
    EV_PEER_CLOSED, /* the remote node sends no more (its FIN came in order) */
    EV_ERROR,       /* trouble, though not the end (a soft error): `why` says which */
    EV_CLOSED,      /* the connection is over: `why` says how; the handle dies with the next door */
    EV_DATAGRAM,    /* a UDP socket has datagrams: read until -EAGAIN */
    EV_DATAGRAM_ERROR, /* ... ICMP errors about those it sent: stack_udp_error until -EAGAIN */
};

struct stack_event {
    enum stack_event_kind kind;
    struct conn_id conn; /* but for EV_DATAGRAM, EV_DATAGRAM_ERROR */
    int udp;             /* there: the socket */
    enum reason why;     /* EV_CLOSED: END_ORDERLY, END_RESET, ...; EV_ERROR: what is wrong */
    void *user;          /* what open, listen, bind or stack_set_user was given */
};

/* The next event, or false if there is none. Repeated events of one kind are told once. */
bool stack_event(struct stack *st, struct stack_event *ret_event);

/* ---- User calls: errors are negative errno values ---- */

struct stack_open {
    const struct addr *local; /* NULL: one of the remote end's version, see ip_source_for */
    uint16_t local_port;      /* 0: chosen at random from 49152 to 65535 (RFC 6056) */
    struct addr remote;
    uint16_t remote_port;
    const struct tcp_settings *settings; /* NULL: the node's; copied */
    void *user;
};

/*
 * Active OPEN. EV_CONNECTED or EV_CLOSED follows. -EINVAL: the remote address or port cannot be a
 * connection's end (MUST-46), or a setting is out of its range; -EADDRNOTAVAIL: local is not ours,
 * or of the other version of IP, or we have none of the remote end's version;
 * -EADDRINUSE: that connection exists, or no port is left; -ENFILE: the table is full.
 */
int stack_open(struct stack *st, const struct stack_open *how, struct conn_id *ret_conn);

/*
 * Passive OPEN on a port of all addresses (local NULL) or of one. `backlog` limits the accept
 * queue: connections whose handshake is complete and that EV_ACCEPTED has not told of yet. While it
 * is full, SYNs and the last segments of handshakes are ignored; they come again. How many
 * handshakes may be under way is tcp_config.syn_queue, for each listener. Returns a listener
 * number, -EADDRINUSE (that address and port has a listener already), -EINVAL or -ENFILE.
 */
int stack_listen(struct stack *st, const struct addr *local, uint16_t port, uint32_t backlog,
                 void *user);
/* What connections that this listener accepts from now on begin with; -EBADF, -EINVAL. */
int stack_listener_set(struct stack *st, int listener, const struct tcp_settings *settings);
/* Stop listening; connections that were told live on, others are reset. */
int stack_unlisten(struct stack *st, int listener);

/*
 * A user call for this connection follows soon, and others before it: so who has something to do
 * for many should say so some connections ahead. Nothing comes of it but speed; the handle may be
 * dead.
 */
void stack_expect_call(const struct stack *st, struct conn_id conn);

/* How many bytes stack_send would take now; 0 for a dead handle. */
uint32_t stack_send_space(const struct stack *st, struct conn_id conn);

/*
 * SEND by reference: on success the caller's reference on s.buf passes to the stack, and the bytes
 * must not change until it is dropped. A slice is taken whole or not at all.
 * -EAGAIN: the queue is full, EV_WRITABLE follows; -EPIPE: closed for sending; -EBADF; -ENOBUFS:
 * the budget of chunks is used up, EV_WRITABLE follows when it is not; -EMSGSIZE: over 16 MiB.
 */
int stack_send(struct stack *st, struct conn_id conn, struct slice s);

/* SEND by copy, for small things. Returns how many bytes were taken, or the errors of stack_send.
 */
int stack_send_copy(struct stack *st, struct conn_id conn, const void *bytes, uint32_t len);

/*
 * RECEIVE: the next bytes in order, at most `max`, as a slice whose reference passes to the caller
 * (buf_unref it). Returns their number, 0 at the end of the stream, -EAGAIN when there are none
 * yet, -ECONNRESET after an end that was not orderly, -EBADF. The window opens as bytes are taken.
 */
int stack_receive(struct stack *st, struct conn_id conn, uint32_t max, struct slice *ret_slice);

/*
 * All that was queued so far is urgent (SEND with the URGENT flag, RFC 9293 3.9.1.2): the remote
 * node is told at once that it should read so far. Nothing happens if all of it is acknowledged.
 * -EPIPE: closed for sending; -EBADF. New applications should not use it (SHLD-13).
 */
int stack_urgent(struct stack *st, struct conn_id conn);
/*
 * How many bytes the remote node wants read at once (MUST-33), counted from the next one that
 * stack_receive gives; 0: none, or a dead handle. They stand in the stream like all others, some
 * perhaps not here yet; a receive of as many stops at the end of urgent data.
 */
uint32_t stack_urgent_left(const struct stack *st, struct conn_id conn);

/* CLOSE: no more data to send; queued data and the FIN still go, and receiving goes on. */
int stack_close(struct stack *st, struct conn_id conn);

/*
 * The application has no more interest: the handle is dead at once and no event follows. Closes in
 * order, but resets if unread data is waiting or arrives later (RFC 9293 SHLD-3).
 */
int stack_release(struct stack *st, struct conn_id conn);

/* ABORT: a reset to the remote node, queues dropped; EV_CLOSED with END_ABORTED follows. */
int stack_abort(struct stack *st, struct conn_id conn);

/*
 * A connection's settings (tcp/config.h): ask, change what is to be changed, set. They act from now
 * on. -EBADF; -EINVAL: a value is out of its range.
 */
int stack_settings(const struct stack *st, struct conn_id conn, struct tcp_settings *ret_settings);
int stack_set(struct stack *st, struct conn_id conn, const struct tcp_settings *settings);

int stack_set_user(struct stack *st, struct conn_id conn, void *user);

/*
 * STATUS (RFC 9293 section 3.9.1.6). What each value means, and its name for people and programs,
 * is in status.def, which status.h writes as text and as JSON. Times are in ns, sizes in bytes.
 */
struct stack_conn_status {
    struct conn_id conn;
    enum tcp_state state;
    struct addr local, remote;
    uint16_t local_port, remote_port;
    uint32_t send_queued, receive_queued;
    const char *timer; /* NULL: none runs */
    const char *cc;
    int64_t timer_left, rto, srtt, rttvar, min_rtt, ato;
    uint8_t backoff, snd_wscale, rcv_wscale;
    uint8_t dscp, rcv_dscp; /* 0 to 63; of the last segment that was taken (MAY-9) */
    bool ts, sack, ecn, cwnd_limited;
    uint32_t mss, pmtu, rcv_mss, adv_mss;
    uint32_t cwnd, ssthresh, snd_wnd, rcv_wnd;
    uint64_t bytes_sent, bytes_retrans, bytes_acked, bytes_received;
    uint32_t segs_out, segs_in, data_segs_out, data_segs_in, retransmits;
    uint32_t unacked, not_sent, lost, sacked, resent, out_of_order; /* resent: and in flight */
    uint32_t reordering, reord_seen;                                /* bytes; how often */
    uint32_t send_urgent, receive_urgent;
    enum reason soft_error; /* the last since the remote node made progress, or REASON_NONE */
    uint64_t send_rate;     /* bit/s */
    uint64_t pacing_rate;   /* bit/s; 0: it does not pace */
    uint64_t bbr_bw;        /* bit/s; 0: not known, or no BBR */
    int64_t bbr_min_rtt;
    uint16_t bbr_pacing_gain, bbr_cwnd_gain;    /* percent */
    int64_t last_sent, last_received, last_ack; /* since then, in whole ms */
    int64_t opened_at, age;
};

int stack_status(const struct stack *st, struct conn_id conn, struct stack_conn_status *ret_status);

/* All connections, one by one: start with *cursor = 0. Returns false at the end. */
bool stack_next_conn(const struct stack *st, uint32_t *cursor,
                     struct stack_conn_status *ret_status);

/* ---- Datagrams: UDP, and echo requests of ICMP ---- */

struct stack_datagram {
    struct addr addr;  /* of the remote end; unspecified, with port 0: that of a connected socket */
    uint16_t port;     /* of an echo request or reply: its sequence number */
    struct slice data; /* may be empty */
    uint32_t each;     /* bytes: data are several datagrams, each so long but for the last, which
                        * may be shorter; 0: they are one */
    struct addr local; /* ours: where it came to, or comes from; unspecified: see udp_open */
    struct ip_route route; /* IPv4: by which it is sent, or back to where it came from */
    /* so what has come, with other data, is the answer to it; and only of what has come are: */
    uint8_t ttl, tos; /* DSCP in the upper six bits, ECN in the lower two */
    struct ip_options options;
};

/* How many there are in data. */
static inline uint32_t stack_datagram_count(const struct stack_datagram *d)
{
    return d->each && d->data.len > d->each ? (d->data.len - 1) / d->each + 1 : 1;
}

struct stack_udp {
    const struct addr *local;  /* NULL: all of ours */
    uint16_t port;             /* 0: one at random (RFC 6056) */
    const struct addr *remote; /* connected to it; or NULL */
    uint16_t remote_port;
    bool echo; /* no UDP: echo requests of ICMP, whose identifier is `port`, and their replies */
    void *user;
};

/*
 * A socket. Returns its number, -EADDRINUSE, -EINVAL (the remote end cannot be one), -EADDRNOTAVAIL
 * (local is not ours, or of the other version than the remote end's) or -ENFILE.
 */
int stack_udp_open(struct stack *st, const struct stack_udp *how);
/* Bind a port of all our addresses. Returns a socket number, -EADDRINUSE, -EINVAL or -ENFILE. */
int stack_udp_bind(struct stack *st, uint16_t port, void *user);
int stack_udp_close(struct stack *st, int udp);
/*
 * Nothing but what comes from there reaches the socket from now on; NULL: everything again.
 * -EINVAL, -EADDRNOTAVAIL, -EADDRINUSE, -EBADF.
 */
int stack_udp_connect(struct stack *st, int udp, const struct addr *remote, uint16_t port);
/* How it sends: ask, change what is to be changed, set. -EBADF; -EINVAL: out of range. */
int stack_udp_settings(const struct stack *st, int udp, struct udp_settings *ret_settings);
int stack_udp_set(struct stack *st, int udp, const struct udp_settings *settings);
/*
 * The next datagram; data's reference passes to the caller. 0, or -EAGAIN, or -EBADF; and once,
 * if the socket is connected and an error said that the remote end cannot be reached,
 * -ECONNREFUSED (no such port), -ENOPROTOOPT, -EACCES, or -EMSGSIZE (with settings.df).
 */
int stack_udp_receive(struct stack *st, int udp, struct stack_datagram *ret_dgram);
/* The same for all that came as one super-datagram: ret_dgram->each says where each of them ends.
 */
int stack_udp_receive_several(struct stack *st, int udp, struct stack_datagram *ret_dgram);
/*
 * On success the reference on data.buf passes to the stack. What is larger than the path takes
 * leaves in fragments. -EMSGSIZE: over 65,507 bytes in IPv4 or 65,527 in IPv6, or, with
 * settings.df, over stack_udp_room; -ENOBUFS: try again when output was drained; -EINVAL;
 * -EDESTADDRREQ; -EADDRNOTAVAIL: we have no address of the receiver's version, or dgram->local is
 * not ours; -EBADF; and what stack_udp_receive says after an error. With dgram->each the limits are
 * each datagram's; where the device cuts them, and each fits its path, many leave as one packet. An
 * echo socket has no such: -EINVAL.
 */
int stack_udp_send(struct stack *st, int udp, const struct stack_datagram *dgram);
/* The next ICMP error about what the socket sent: 0, -EAGAIN, -EBADF. */
int stack_udp_error(struct stack *st, int udp, struct udp_error *ret_error);
/* Its addresses and ports, and what was counted: 0, -EBADF. */
int stack_udp_status(const struct stack *st, int udp, struct udp_status *ret_status);
/* The address that datagrams to `remote` leave with, if they leave it open; NULL: there is none. */
const struct addr *stack_udp_source(const struct stack *st, int udp, const struct addr *remote);
/* Bytes of data that go to `remote` in one packet, as far as is known; -EBADF, -EINVAL. */
int stack_udp_room(struct stack *st, int udp, const struct addr *remote);
/* The application hears nothing from there though it should: advice to IP (RFC 1122 3.3.1.4). */
void stack_udp_advise(struct stack *st);

/* ---- Counters and observers ---- */

struct stack_totals {
    uint64_t packets_in, packets_out;
    uint64_t bytes_in, bytes_out; /* whole IP packets */
    uint64_t opened, accepted;    /* connections */
    uint32_t conns, conns_peak;   /* in the table now, and the most there were */
};

/* How often this reason was given. */
uint64_t stack_count(const struct stack *st, enum reason r);
const struct stack_totals *stack_totals(const struct stack *st);
/*
 * Bytes of data that the stack has copied since it began: small pieces, what stack_send_copy was
 * given, answers to echo requests, fragments, and what came when the device's buffers were all in
 * use; and its device: what was put together to leave in one piece, and whole packets that one
 * thread has handed to another, or that an impaired path took. All other data went out of the
 * application's bytes, and in where the device has put it.
 */
uint64_t stack_copied(const struct stack *st);

/* Have `note` called for every state change, drop and timer; NULL for nobody, which costs nothing.
 */
void stack_observe(struct stack *st, void (*note)(void *arg, const struct stack_note *n),
                   void *arg);

/*
 * Have `look` called after anything has touched the connection in `slot`, and at the latest before
 * it leaves the table; NULL for nobody, which costs nothing. It may ask, and must not call anything
 * that changes the stack.
 */
void stack_watch(struct stack *st, void (*look)(void *arg, uint32_t slot), void *arg);

/* The status of the connection in `slot`; false if there is none. */
bool stack_slot_status(const struct stack *st, uint32_t slot, struct stack_conn_status *ret_status);

enum {
    STACK_TIMERS_MAX = 12,
};

struct stack_timer {
    const char *name; /* "RTX" */
    const char *wait; /* for what */
    const char *source;
    int64_t at; /* ns, or TIME_NEVER: it does not run */
};

/*
 * All timers of the connection in `slot`, those that do not run included, always in the same order.
 * Returns how many these are, 0 if there is no connection.
 */
unsigned stack_timers(const struct stack *st, uint32_t slot,
                      struct stack_timer ret_timer[STACK_TIMERS_MAX]);

#endif
