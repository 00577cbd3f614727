/*
 * Measuring in the simulator: node A sends to node B through one bottleneck, nothing else goes
 * wrong than what the experiment says, and what happened is counted. The checker watches as it does
 * in every other run, so a measurement is a test, too.
 *
 * The bottleneck is the path from A to B: a rate, and a queue before it that drops what finds it
 * full. Node C, where it takes part, sends to B through the same queue, so that two stacks with
 * different settings can meet.
 */
#ifndef SIM_LAB_H
#define SIM_LAB_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/sim/world.h"

enum {
    LAB_MSS = 1448, /* bytes of payload in a full segment: MTU 1500, timestamps */
    LAB_A = 0,      /* nodes */
    LAB_B = 1,
    LAB_C = 2,
    LAB_FLOWS = 4,
};

/* What a node did. */
struct lab_counts {
    uint64_t packets, text; /* text: bytes of payload, sent again or not */
    uint64_t why[REASON_COUNT];
};

struct lab {
    struct scenario sc;
    int64_t count_from; /* ns since the start: goodput is what was read from here on ... */
    int64_t until;      /* ... to here, where the run ends; TIME_NEVER: all is delivered */
    /* The experiment's own: false takes a packet away; called for all that leaves; or NULL. */
    bool (*leaves)(struct lab *lab, unsigned from, const uint8_t *b, uint32_t len, enum reason why);
    void (*ran)(struct lab *lab, unsigned node); /* or NULL */
    bool verbose;                                /* each packet is a line */
    uint64_t state[4];                           /* the experiment's, zero at first */

    /* while it runs, and afterwards */
    struct world *world;
    int64_t now; /* ns since the start */
    struct lab_counts sent[NET_NODES];
    uint64_t data_packets;          /* from A to B, with payload */
    uint64_t read[LAB_FLOWS];       /* bytes that B's application has read ... */
    uint64_t read_first[LAB_FLOWS]; /* ... before count_from */
    int64_t done_at;                /* ns since the start: B has read everything of flow 0 */
    struct world_result result;
};

/* A link of `rate` bytes/s and `rtt` ns there and back, with a queue of `queue` bytes. No flow. */
void lab_init(struct lab *lab, uint64_t rate, int64_t rtt, uint32_t queue);

/* One more flow of `bytes` from `node` to B, from `at` ns on. */
void lab_flow(struct lab *lab, unsigned node, uint64_t bytes, int64_t at);

/* Every node has this congestion control. */
void lab_use(struct lab *lab, const char *cc);

/* All three: a link, and one flow from A that does not end. */
void lab_bulk(struct lab *lab, const char *cc, uint64_t rate, int64_t rtt, uint32_t queue);

/* Change four bytes of a TCP segment, and its checksum with them (RFC 1624). */
void lab_change32(uint8_t *tcp, uint8_t *at, uint32_t value);

/* The settings of a node. */
struct tcp_config *lab_tcp(struct lab *lab, unsigned node);

void lab_play(struct lab *lab);

/* Bytes/s that flow `i` brought, from count_from to the end. */
double lab_goodput(const struct lab *lab, unsigned i);

/* The status of flow `i` at its sender; false if it is not open. */
bool lab_status(const struct lab *lab, unsigned i, struct stack_conn_status *ret_status);

/* Does this reason send something again to repair a loss, be it real or not? */
bool lab_is_repair(enum reason why);

/* How many segments a node has sent for such reasons; of these after a timeout; and how many
 * probes for a lost tail. */
uint64_t lab_again(const struct lab *lab, unsigned node);
uint64_t lab_timeouts(const struct lab *lab, unsigned node);
uint64_t lab_probes(const struct lab *lab, unsigned node);

#endif
