/*
 * What must hold of every packet on the wire and of every change of state, whatever the network
 * does. The checker sees what an outsider sees: packets as they leave a node, and what
 * stack_observe tells. It keeps its own books and believes nobody.
 */
#ifndef SIM_CHECK_H
#define SIM_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "stack/stack.h"
#include "wire/ip.h"
#include "wire/tcp.h"

enum {
    CHECK_CONNS = 32,         /* connections in one run */
    CHECK_PORT = 10000,       /* connection i uses CHECK_PORT + i at its opener ... */
    CHECK_PORT_OTHER = 20000, /* ... and CHECK_PORT_OTHER + i at the other end */
    CHECK_SLOTS = 256,        /* slots of a stack's connection table */
    CHECK_BATCH = 256,        /* packets that a node reads at one time, at most */
};

/* One direction of one connection, as seen on the wire. */
struct flow {
    bool syn_seen, fin_seen, acked;
    bool wscale_offered;
    uint8_t wscale;
    uint16_t mss;        /* bytes: what this side's SYN announced */
    uint32_t isn;        /* sequence number of its SYN */
    uint32_t sent_end;   /* one beyond the highest sequence number sent, FIN included */
    uint32_t fin;        /* the FIN's sequence number */
    uint32_t ack;        /* the highest acknowledgment it sent */
    uint32_t right_edge; /* the highest sequence number it allows, plus one */
    uint64_t key;        /* of the stream of bytes it carries */
};

struct check {
    struct flow flow[CHECK_CONNS][2]; /* [0] from the opener's port, [1] towards it */
    enum tcp_state state[2][CHECK_SLOTS];
    /* the batch that a node has just read: who may be answered by a RST */
    struct {
        uint16_t sport, dport;
        bool rst;
    } batch[CHECK_BATCH];
    unsigned batch_n;
    uint64_t segments, payload; /* checked so far */
    bool failed;
    char why[200];
};

void check_init(struct check *c);

/* Remember the first failure; printf-like. */
void check_fail(struct check *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A node begins to read a batch; each of its packets follows by check_input. */
void check_batch(struct check *c);
/* A packet as the node reads it, and what its stack said to it. */
void check_input(struct check *c, const uint8_t *b, uint32_t len, bool corrupted, enum reason said);

/* A packet as a node with this MTU sends it, for `why`. */
void check_output(struct check *c, uint32_t mtu, const uint8_t *b, uint32_t len, enum reason why);

/* What the stack of node 0 or 1 tells its observer. */
void check_note(struct check *c, unsigned node, const struct stack_note *n);

/* Bytes of the stream with this key, from offset `off` on. */
void stream_fill(uint64_t key, uint64_t off, uint8_t *out, uint32_t len);
bool stream_matches(uint64_t key, uint64_t off, const uint8_t *b, uint32_t len);

#endif
