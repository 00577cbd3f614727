/*
 * A node of the simulation: a real stack with its memory, and the loop that run/ gives it on a
 * machine, in virtual time: read a batch, input each packet, run timers, let the applications act,
 * drain the output.
 *
 * A node wakes on a grid of `grain` ns, so that several packets wait for it, as they do for a
 * process that shares its machine; with a grain of 0 it takes each packet when it comes.
 */
#ifndef SIM_NODE_H
#define SIM_NODE_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "stack/stack.h"
#include "tests/sim/check.h"
#include "tests/sim/net.h"
#include "tests/sim/pieces.h"
#include "tests/sim/super.h"

struct world;

struct node_config {
    struct stack_config stack; /* its pool of small bufs is the node's */
    int64_t grain;             /* ns */
    unsigned batch;            /* packets read at one time, 1 to CHECK_BATCH */
    uint32_t cc;               /* number of a congestion control, from 1; 0: the stack's own */
    bool lend;                 /* hand packets over by reference, not to be copied */
    uint32_t join; /* bytes of a packet into which what comes is joined; 0: each by itself */
};

struct node {
    unsigned number;
    struct node_config cfg;
    struct stack *st;
    struct inbox inbox;
    struct buf_pool rx, tx, small; /* what the device reads, what applications send, copies */
    struct pieces pieces;          /* what should have come of packets in fragments */
    struct super_join join;        /* what waits for more of the batch */
    void *memory;
    size_t memory_size;
    int64_t woken;       /* ns: when it last ran */
    struct world *world; /* whom its notes go to */
};

/* Congestion control number `i` of cc.c, from 0; they begin anew behind the last. */
const struct cc_ops *node_cc(unsigned i);

/* Make the node; its stack's notes go to `note`. Memory that is never needed is never touched. */
void node_init(struct node *n, unsigned number, const struct node_config *cfg,
               void (*note)(void *arg, const struct stack_note *n), void *arg);
void node_free(struct node *n);

/* When the node runs next, which is when a packet comes or a timer is due. */
int64_t node_next(const struct node *n);

/* Read and input one batch of what has arrived. */
void node_read(struct node *n, int64_t now, struct check *c);

/* Input a packet that no path has brought, and return what the stack said. */
enum reason node_struck(struct node *n, int64_t now, const uint8_t *bytes, uint32_t len,
                        struct check *c);

/* Nothing is left: every buf and every cell is back in its pool. */
void node_verify(const struct node *n, struct check *c);

#endif
