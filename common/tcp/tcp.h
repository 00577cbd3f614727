/*
 * TCP (RFC 9293) as functions over one TCB. They do no I/O and call nobody: a call changes the TCB,
 * leaves events in tcb->events and sets tcb->output_due when there may be something to send; the
 * floor above looks at both afterwards, and keeps the clock, the table of connections and the
 * listeners.
 *
 *   listen.c   what a listener and a missing connection answer (CLOSED and LISTEN)
 *   cookie.c   what a SYN cookie remembers of a SYN
 *   input.c    SEGMENT ARRIVES: one parent and its steps, in the order of section 3.10.7
 *   ack.c      its fifth step, the ACK field
 *   text.c     its seventh and eighth, the segment text and the FIN bit
 *   output.c   what to send next, and why
 *   flight.c   what is outstanding, from the first text to a long silence
 *   response.c what a loss means for how much may be sent, and when it was none
 *   timer.c    timeouts
 *   icmp.c     what ICMP errors do to a connection
 *   path.c     the path's MTU, as ICMP tells it
 *   plpmtud.c  ... and as probes find it
 *   user.c     the user calls
 *   state.c    changes of state, and how a connection ends
 *   super.c    many segments in one packet, where the device cuts it
 *   control.c  what congestion control is told, and pacing
 *   option.c   which options a segment carries, and their negotiation
 *   timestamp.c  clocks shown and echoed: round trips, old duplicates
 *   mss.c      segment sizes
 *   ecn.c      marks of routers instead of losses
 *   sack.c     which bytes lie behind a gap, and which came twice
 *   window.c   the receive window
 *   budget.c   how much of the buffers one connection may have
 *   urgent.c   urgent data, both ways
 *   keepalive.c  is a quiet connection still alive?
 *   config.c   defaults, and what can be switched off
 *   report.c   soft errors, as the application is told of them
 */
#ifndef TCP_TCP_H
#define TCP_TCP_H

#include "base/buf.h"
#include "tcp/flight.h"
#include "tcp/tcb.h"
#include "wire/icmp.h"
#include "wire/path_mtu.h"
#include "wire/tcp.h"

/* What all connections of one node share. */
struct tcp {
    struct tcp_config cfg;
    uint16_t mtu_mss;     /* bytes of payload that the device's MTU leaves in IPv4 */
    uint16_t mtu_mss6;    /* ... and in IPv6 */
    uint32_t super4;      /* bytes of a packet that the device cuts into segments, IPv4; 0: none */
    uint32_t super6;      /* ... and IPv6 */
    struct pool *cells;   /* of REASM_CELL bytes */
    struct pool *flights; /* of struct flight, one for each connection */
    struct flight_more *more; /* for each of them, by its number */
    struct pool *ranges;      /* of struct range */
    /* what is known of paths, which ip/ keeps: of one (where `make`, never NULL); and a number that
     * goes on when any of them changes, 0 before that */
    struct path_mtu *(*path)(void *arg, const struct addr *to, bool make);
    void (*path_changed)(void *arg);
    const uint16_t *path_changes;
    void *path_arg;
    int64_t path_age; /* ns */
    struct buf_pool *small;
    const struct buf_pool *large; /* that devices read into, or NULL: not known */
    uint64_t *counts;             /* by enum reason */
    /* an observer, or NULL */
    void (*note)(void *arg, const struct tcb *c, int64_t at, enum reason why, enum tcp_state from,
                 int64_t value);
    void *note_arg;
};

/* Count something that happened, and tell the observer if there is one. */
static inline void tcp_note(struct tcp *t, const struct tcb *c, int64_t now, enum reason why,
                            int64_t value)
{
    t->counts[why]++;
    if (t->note)
        t->note(t->note_arg, c, now, why, (enum tcp_state)c->state, value);
}

/* ---- opening: the TCB is filled with zeros but for its addresses, ports and settings ---- */

/* Active OPEN: CLOSED -> SYN-SENT. */
void tcp_open(struct tcp *t, struct tcb *c, int64_t now, uint32_t iss);

/* A listener took this SYN: LISTEN -> SYN-RECEIVED. */
void tcp_accept(struct tcp *t, struct tcb *c, int64_t now, uint32_t iss, const struct tcp_hdr *syn);

/*
 * The SYN-ACK with which a connection would answer this SYN, but for its ports and sequence number;
 * the connection is not kept. `scratch` has its ends and settings, and is of no use afterwards.
 */
void tcp_answer(struct tcp *t, struct tcb *scratch, int64_t now, const struct tcp_hdr *syn,
                struct tcp_hdr *ret_hdr);

/* ---- segments ---- */

/* A reset that answers a segment for which there is no connection; false where none is owed. */
bool tcp_reset_for(const struct tcp_hdr *seg, uint32_t data_len, struct tcp_hdr *ret_rst);

/* What a listener says to a segment: REASON_NONE is a SYN to accept. */
enum reason tcp_listen_verdict(const struct tcp_hdr *seg);

/* Is this SYN, on a connection in TIME-WAIT, the beginning of a new one (MAY-2, SHLD-4)? */
bool tcp_time_wait_reusable(const struct tcp *t, const struct tcb *c, const struct tcp_hdr *seg);

/*
 * SEGMENT ARRIVES for a connection. Returns REASON_NONE or why the segment was dropped. If
 * *ret_reply is set to true, *ret_rst is a reset to send, which belongs to no connection.
 */
enum reason tcp_input(struct tcp *t, struct tcb *c, int64_t now, const struct tcp_hdr *hdr,
                      struct slice data, bool *ret_reply, struct tcp_hdr *ret_rst);

/*
 * icmp.c: an ICMP error quoted a segment of this connection. Returns REASON_NONE or why the error
 * is ignored.
 */
enum reason tcp_icmp_error(struct tcp *t, struct tcb *c, int64_t now, const struct icmp_error *e);

/*
 * The next segment: *ret_hdr but for its ports, payload added to p's parts, p->why set. False if
 * there is nothing to send now; then output_due is off. It may be off with the last segment, too.
 */
bool tcp_output(struct tcp *t, struct tcb *c, int64_t now, struct tcp_hdr *ret_hdr, struct pkt *p);

/*
 * Can it be seen without that call that there is nothing to send? If so, all is as it would be
 * after it, and no timer was touched.
 */
bool tcp_output_is_idle(struct tcp *t, struct tcb *c);

/* ---- time ---- */

/* The first deadline, or TIME_NEVER. */
int64_t tcp_deadline(const struct tcb *c);

/* Run what is due. */
void tcp_tick(struct tcp *t, struct tcb *c, int64_t now);

/* ---- user calls; they are those of stack.h, for one TCB ---- */

uint32_t tcp_send_space(const struct tcp *t, const struct tcb *c);
int tcp_send(struct tcp *t, struct tcb *c, struct slice s);
int tcp_send_copy(struct tcp *t, struct tcb *c, const void *bytes, uint32_t len);
int tcp_receive(struct tcp *t, struct tcb *c, uint32_t max, struct slice *ret_slice);
int tcp_urgent(struct tcb *c);
int tcp_close(struct tcp *t, struct tcb *c, int64_t now);
void tcp_release(struct tcp *t, struct tcb *c, int64_t now);
void tcp_abort(struct tcp *t, struct tcb *c, int64_t now);
/* New settings, valid, which outlive the TCB or the next call of tcp_set. */
void tcp_set(struct tcb *c, int64_t now, const struct tcp_settings *s);

/* ---- between the files of this folder ---- */

/* state.c: change the state, arm LINGER where it belongs. */
void tcp_set_state(struct tcp *t, struct tcb *c, int64_t now, enum tcp_state to);
/* state.c: arm LINGER where the state and the application's interest ask for it. */
void tcp_arm_linger(const struct tcp *t, struct tcb *c, int64_t now);
/* state.c: the connection is over; queues are dropped, EV_CLOSED is left with this reason. */
void tcp_end(struct tcp *t, struct tcb *c, int64_t now, enum reason why);
/* state.c: nothing is left to do for anyone: TCB and queues can be given back. */
bool tcp_finished(const struct tcb *c);
/* state.c: drop all queues. */
void tcp_drop_queues(struct tcp *t, struct tcb *c);

/* user.c: may the application still queue bytes? */
bool tcp_may_send(const struct tcb *c);
/* keepalive.c: a keep-alive is due, or none was answered. */
void tcp_keepalive_expired(struct tcp *t, struct tcb *c, int64_t now);
/* report.c: trouble that does not end the connection (MUST-47): count it, note it, tell of it. */
void tcp_report(struct tcp *t, struct tcb *c, int64_t now, enum reason why);

/* input.c: the options of a SYN, and the sequence numbers it brings. */
void tcp_take_syn(struct tcp *t, struct tcb *c, int64_t now, const struct tcp_hdr *syn);
/* seg.c: an acknowledgment is owed, at once. */
void tcp_ack_now(struct tcb *c, enum reason why);

/* window.c: the first offer of a window. */
void tcp_window_init(struct tcp *t, struct tcb *c);
/* window.c: move the right edge if it is worth it, and return what the header's field says. */
uint16_t tcp_window_offer(const struct tcp *t, struct tcb *c, bool syn);
/* window.c: has the window opened so far that the remote end should be told unasked? */
bool tcp_window_update_due(const struct tcp *t, const struct tcb *c);
/* window.c: the receive buffer's size, which bounds the window. */
uint32_t tcp_window_buffer(const struct tcp *t, const struct tcb *c);
/* window.c: text came in order; does the application read so fast that the buffer should grow? */
void tcp_window_grow(const struct tcp *t, struct tcb *c, int64_t now);
/* window.c: the shift that can express a receive buffer of so many bytes. */
uint8_t tcp_window_scale(uint32_t rcv_buf);

enum {
    TCP_QUEUE_FLOOR = 4096, /* bytes that a queue may always have, as far as there are any */
};

/* budget.c: how many of its configured bytes a queue may hold, given what is free. */
uint32_t tcp_budget_queue(const struct tcp *t, uint32_t configured);
/* budget.c: how many cells are left for what is to be sent? */
uint32_t tcp_budget_send_cells(const struct pool *cells);
/* budget.c: is there room for bytes that came out of order? */
bool tcp_budget_out_of_order(const struct tcp *t, struct slice s);

/* output.c: restart RTX for what is outstanding, or clear it. */
void tcp_restart_rtx(struct tcb *c, int64_t now);
/* output.c: is there something that was never sent, and a window for it? */
bool tcp_has_new(const struct tcb *c);
/* icmp.c: RTX expired: is there no hope, because silence confirms a hard error? */
bool tcp_icmp_hopeless(const struct tcb *c);
/* control.c: congestion control's view of the connection, but for the delivery rate. */
void tcp_cc_sample(const struct tcb *c, int64_t now, struct cc_sample *ret);
/* ack.c: recovery's view of it, with an acknowledgment that says nothing. */
void tcp_ack_sample(const struct tcp *t, const struct tcb *c, int64_t now, struct ack_sample *ret);
/* ack.c: losses were found, and not by an acknowledgment: tell congestion control. */
void tcp_heed_losses(struct tcp *t, struct tcb *c, int64_t now, const struct recovery_verdict *v);

#endif
