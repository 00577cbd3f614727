/*
 * A packet as a trace shows it: its headers, read once, and an id that follows from them alone.
 *
 * Sender and receiver see the same headers, but for what the way changes (TTL, ECN, checksums), so
 * both come to the same id without a word between them. Two packets that are the same in all else
 * have the same id: doubles, and duplicate acknowledgments within one tick of the timestamp clock.
 */
#ifndef RUN_TRACE_PACKET_H
#define RUN_TRACE_PACKET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "run/trace_file.h"
#include "wire/ip.h"
#include "wire/tcp.h"

/* Where the sequence numbers of a connection begin, once that is known. */
struct trace_seen {
    bool has_out, has_in;
    uint32_t out, in; /* of our SYN, of the remote node's */
};

struct trace_packet {
    bool is_ip, is_tcp; /* what of the headers below was legal */
    bool out;           /* we sent it */
    uint32_t len;       /* bytes in all, ... */
    uint32_t data_len;  /* ... and behind the headers */
    uint16_t sport, dport;
    enum reason why; /* why it was sent */
    uint64_t id;
    struct ip_hdr ip; /* its pointers are not valid */
    struct tcp_hdr tcp;
};

/* Read the headers of *p, which was sent or came. */
void trace_packet_read(struct trace_packet *ret, const struct pkt *p, bool out);

/* What the slice of a packet that came is called. */
const char *trace_packet_name(const struct trace_packet *p);

/* Is it a segment between these ends, as the receiver has them? */
bool trace_packet_is_for(const struct trace_packet *p, const struct addr *local,
                         uint16_t local_port, const struct addr *remote, uint16_t remote_port);

/* Remember where sequence numbers begin, if it says so. */
void trace_packet_learn(const struct trace_packet *p, struct trace_seen *seen);

/* What there is to say, as arguments of the event in the making; but for its ends, ... */
void trace_packet_args(struct trace_file *f, const struct trace_packet *p,
                       const struct trace_seen *seen);

/* ... which are known where it is on the tracks of a connection. */
void trace_packet_ends(struct trace_file *f, const struct trace_packet *p);

/* What is behind a reason: its sentence and its source. */
void trace_reason_args(struct trace_file *f, enum reason why);

#endif
