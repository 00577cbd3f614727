/*
 * The network between the simulator's nodes: from each to each a `lane`, which is a path
 * (link/path.h) and the inbox of the node at its end. A lane can write down what it does to each
 * packet, and play such a list again instead of throwing dice.
 */
#ifndef SIM_NET_H
#define SIM_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/time.h"
#include "link/inbox.h"
#include "link/path.h"
#include "tests/sim/rand.h"

enum {
    NET_NODES = 4,
    NET_MASKS = 2, /* of a path, that a scenario draws and names */
};

/* The fate of packet `number` (from 0) of one lane; all others have none worth a note. */
struct fault {
    uint8_t from, to; /* nodes */
    uint32_t number;
    struct fate fate;
};

struct faults {
    struct fault *list; /* of each lane in ascending order of numbers */
    size_t n, size;
};

void faults_add(struct faults *l, const struct fault *f);
void faults_free(struct faults *l);

/* An inbox that grows as it must; to be freed by net_inbox_free. */
void net_inbox_init(struct inbox *in);
void net_inbox_free(struct inbox *in);

struct lane {
    struct path path;
    uint8_t from, to;
    struct inbox *inbox;
    const struct faults *script; /* NULL: the path decides */
    size_t script_at;
    struct faults *record; /* or NULL */
    uint32_t number;       /* of the next packet */
};

enum lane_verdict {
    LANE_TAKEN, /* to arrive or to get lost */
    LANE_TOO_LARGE,
};

enum lane_verdict lane_send(struct lane *l, int64_t now, const uint8_t *bytes, uint32_t len);

#endif
