/*
 * A path: one direction of a modelled network, in small parts that can be used apart.
 *
 * A path carries nothing. It decides: what happens to a packet on it is its `fate`: lost, how many
 * copies, how late each, which bit is turned, whether it is marked. A fate comes from the dice
 * (random and bursty loss, doubling, reordering, damage, marks), from exact masks ("the second
 * SYN-ACK"), from a rate with a queue, or from a link that is down. Who carries the packets is the
 * caller: the simulator between its nodes, and link/impair around a device. What is in flight waits
 * in an inbox (link/inbox.h).
 *
 * Jitter keeps the order where `in_order` is set; else, and where a packet is chosen for
 * reordering, later packets overtake.
 *
 * Bursts are Gilbert and Elliott's model: the path is in a good or in a bad state, each packet may
 * move it to the other one, and in the bad state packets are lost with a probability of their own.
 */
#ifndef LINK_PATH_H
#define LINK_PATH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/dice.h"
#include "base/time.h"
#include "wire/reason.h"

enum {
    PATH_MASKS = 8,
    PATH_WAITING = 1024, /* packets before the rate that are counted one by one */
};

/* What a mask can name; a packet is of exactly one kind. */
enum packet_kind {
    PACKET_OTHER,
    PACKET_SYN,
    PACKET_SYN_ACK,
    PACKET_RST,
    PACKET_FIN, /* with text or without */
    PACKET_DATA,
    PACKET_ACK, /* nothing but an acknowledgment */
    PACKET_KINDS,
};

/* Lose the packets of this kind from number `first` to `last`, counted from 1. */
struct mask {
    uint32_t kind; /* enum packet_kind; PACKET_OTHER: no mask */
    uint32_t first, last;
};

struct path_config {
    int64_t delay, jitter; /* ns; jitter is added, 0 to this much */
    bool in_order;
    uint32_t loss; /* parts per million of the packets, as the next three */
    uint32_t duplicate;
    uint32_t reorder;
    uint32_t corrupt;
    uint32_t burst_enter, burst_leave, burst_loss; /* parts per million */
    int64_t reorder_by;            /* ns: by how much at most a reordered packet is late */
    uint64_t rate;                 /* bytes/s; 0: no limit */
    uint32_t queue;                /* bytes that may wait for the rate */
    uint32_t queue_packets;        /* or packets, up to PATH_WAITING; 0: only bytes count */
    uint32_t mark;                 /* parts per million: congestion experienced (RFC 3168) */
    uint32_t mark_bytes;           /* all, when so many wait for the rate; 0: none */
    uint32_t mark_packets;         /* or so many, up to PATH_WAITING */
    int64_t down_from, down_until; /* ns since the start: everything is lost */
    uint32_t mtu;                  /* bytes, from narrow_from on; 0: no limit */
    int64_t narrow_from;           /* ns since the start */
    int64_t narrow_until;          /* ... and not any more from then on; 0: for ever */
    bool mute;                     /* for those who ask: nobody is told of what is too large */
    struct mask mask[PATH_MASKS];
};

struct fate {
    unsigned copies;     /* 0: lost */
    enum reason lost_by; /* then: which part of the path took it */
    int64_t late[2];     /* ns beyond the path's delay, for each copy */
    bool overtaken;      /* the first copy need not keep the order */
    bool reordered;      /* it was chosen for that */
    bool marked;         /* if it is of a transport that knows ECN, it gets the mark */
    bool corrupt;
    uint32_t bit; /* which bit is turned, from the packet's first */
};

struct path {
    struct path_config cfg;
    int64_t origin; /* ns: what the times in cfg are counted from */
    struct dice dice;
    uint32_t seen[PACKET_KINDS];
    int64_t last_due;   /* ns: of the packets that keep the order */
    int64_t busy_until; /* ns: when the queue before the rate is empty */
    bool bad, calm;
    int64_t leaves[PATH_WAITING]; /* ns: a ring, when each packet leaves the queue */
    uint32_t leaves_head, waiting;
};

void path_init(struct path *p, const struct path_config *cfg, struct dice dice);

/* From now on no packet is lost, doubled, reordered or damaged; those in flight arrive. */
void path_calm(struct path *p);

/* Is a packet of `len` bytes larger than what passes here now? */
bool path_too_large(const struct path *p, int64_t now, uint32_t len);

/* What happens to the packet bytes[len] that is sent at `now`. */
struct fate path_fate(struct path *p, int64_t now, const uint8_t *bytes, uint32_t len);

/* When copy number `i` of a packet with this fate, sent at `now`, arrives. To be asked once for
 * each copy, in turn. */
int64_t path_due(struct path *p, int64_t now, const struct fate *f, unsigned i);

enum packet_kind packet_classify(const uint8_t *bytes, uint32_t len);

/* Where the TCP header of a packet that packet_classify does not call OTHER stands. */
uint32_t packet_tcp_at(const uint8_t *bytes);

#endif
