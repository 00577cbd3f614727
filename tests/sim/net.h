/*
 * A modelled network, in small parts that can be used apart.
 *
 * A `path` leads from one node to another. What happens to a packet on it is its `fate`: lost, how
 * many copies, how late each, which bit is turned. A fate comes from the dice (fate_draw: random
 * and bursty loss, doubling, reordering, damage), from exact masks ("the second SYN-ACK"), from a
 * rate with a queue, from a link that is down, or from a list of faults that an earlier run has
 * written down. An `inbox` holds the packets in flight towards one node, from whatever path.
 *
 * Jitter keeps the order where `in_order` is set; else, and where a packet is chosen for
 * reordering, later packets overtake.
 *
 * Bursts are Gilbert and Elliott's model: the path is in a good or in a bad state, each packet may
 * move it to the other one, and in the bad state packets are lost with a probability of their own.
 */
#ifndef SIM_NET_H
#define SIM_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/time.h"
#include "tests/sim/rand.h"

enum {
    NET_NODES = 4,
    PATH_MASKS = 2,
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
    int64_t down_from, down_until; /* ns since the start: everything is lost */
    uint32_t mtu;                  /* bytes, from narrow_from on; 0: no limit */
    int64_t narrow_from;           /* ns since the start */
    struct mask mask[PATH_MASKS];
};

struct fate {
    unsigned copies; /* 0: lost */
    int64_t late[2]; /* ns beyond the path's delay, for each copy */
    bool overtaken;  /* the first copy need not keep the order */
    bool corrupt;
    uint32_t bit; /* which bit is turned, from the packet's first */
};

/* The fate of packet `number` (from 0) of one path; all others have none worth a note. */
struct fault {
    uint8_t from, to; /* nodes */
    uint32_t number;
    struct fate fate;
};

struct faults {
    struct fault *list; /* of each path in ascending order of numbers */
    size_t n, size;
};

void faults_add(struct faults *l, const struct fault *f);
void faults_free(struct faults *l);

struct path_packet {
    int64_t due;
    uint64_t order; /* of those due at one instant */
    bool corrupted;
    uint8_t from; /* the node that sent it */
    uint32_t len; /* bytes */
    uint8_t bytes[];
};

struct inbox {
    struct path_packet **heap; /* by due and order */
    size_t n, size;
    uint64_t orders;
};

struct path {
    struct path_config cfg;
    uint8_t from, to;
    int64_t origin; /* ns: what the times in cfg are counted from */
    struct dice dice;
    struct inbox *inbox;
    const struct faults *script; /* NULL: throw the dice */
    size_t script_at;
    struct faults *record; /* or NULL */
    uint32_t number;       /* of the next packet */
    uint32_t seen[PACKET_KINDS];
    int64_t last_due;   /* ns: of the packets that keep the order */
    int64_t busy_until; /* ns: when the queue before the rate is empty */
    bool bad, calm;
};

void path_init(struct path *p, const struct path_config *cfg, struct dice dice);

/* From now on no packet is lost, doubled, reordered or damaged; those in flight arrive. */
void path_calm(struct path *p);

enum path_verdict {
    PATH_TAKEN, /* to arrive or to get lost */
    PATH_TOO_LARGE,
};

enum path_verdict path_send(struct path *p, int64_t now, const uint8_t *bytes, uint32_t len);

enum packet_kind packet_classify(const uint8_t *bytes, uint32_t len);

/* Put a packet into the inbox, to come out at `due`. */
void inbox_put(struct inbox *in, int64_t due, unsigned from, const uint8_t *bytes, uint32_t len);
void inbox_free(struct inbox *in);

/* When the next packet comes out, or TIME_NEVER. */
int64_t inbox_due(const struct inbox *in);

/* The next packet that is due, to be freed by the caller, or NULL. */
struct path_packet *inbox_take(struct inbox *in, int64_t now);

#endif
