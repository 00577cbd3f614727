/*
 * A modelled network, one direction of it: packets go in with path_send and come out of path_take
 * when they are due, unless the dice wanted otherwise.
 *
 * Two parts that can be used apart. A `fate` is what the dice decide about one packet (lost, how
 * many copies, how late, which bit is turned), and knows no queue. A `path` holds the packets in
 * flight, with a rate and a queue in front of it as a router has.
 *
 * Jitter keeps the order; only a packet that is chosen for reordering is overtaken by others.
 */
#ifndef SIM_NET_H
#define SIM_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/time.h"
#include "tests/sim/rand.h"

struct path_config {
    int64_t delay, jitter; /* ns; jitter is added, 0 to this much */
    uint32_t loss;         /* parts per million of the packets, as the three below */
    uint32_t duplicate;
    uint32_t reorder;
    uint32_t corrupt;
    int64_t reorder_by; /* ns: by how much at most a reordered packet is late */
    uint64_t rate;      /* bytes/s; 0: no limit */
    uint32_t queue;     /* bytes that may wait for the rate */
};

struct fate {
    unsigned copies; /* 0: lost */
    int64_t late[2]; /* ns beyond the path's delay, for each copy */
    bool overtaken;  /* the first copy need not keep the order */
    bool corrupt;
    uint32_t bit; /* which bit is turned, from the packet's first */
};

/* Throw the dice for a packet of `len` bytes. */
struct fate fate_draw(struct dice *d, const struct path_config *cfg, size_t len);

struct path_packet {
    int64_t due;
    uint64_t order; /* of those due at one instant */
    bool corrupted;
    uint32_t len; /* bytes */
    uint8_t bytes[];
};

struct path_stats {
    uint64_t sent, lost, overflowed, duplicated, overtaken, corrupted, delivered; /* packets */
};

struct path {
    struct path_config cfg;
    struct dice dice;
    struct path_stats stats;
    struct path_packet **heap; /* by due and order */
    size_t in_flight, heap_size;
    uint64_t orders;
    int64_t last_due;   /* ns: of the packets that keep the order */
    int64_t busy_until; /* ns: when the queue before the rate is empty */
};

void path_init(struct path *p, const struct path_config *cfg, struct dice dice);
void path_free(struct path *p);

/* From now on no packet is lost, doubled, reordered or damaged; those in flight arrive. */
void path_calm(struct path *p);

void path_send(struct path *p, int64_t now, const uint8_t *bytes, uint32_t len);

/* When the next packet comes out, or TIME_NEVER. */
int64_t path_due(const struct path *p);

/* The next packet that is due, to be freed by the caller, or NULL. */
struct path_packet *path_take(struct path *p, int64_t now);

#endif
