/*
 * What makes a node a laboratory's: the impairment between it and its TUN, and the seed of a run
 * that is to be repeated.
 *
 * With a seed nothing of the node is random: ports, identification and initial sequence numbers
 * follow from it and from the node's address, and the initial sequence numbers do not move with the
 * clock either. So whoever knows the seed can guess them all; such a run is for the lab only. The
 * loop's clock moves in steps (run/loop.h), and an impairment, though it may be told to do nothing
 * else, holds each packet that comes in until the next step. The process asks for real-time
 * scheduling, which root may have: the less it is kept waiting, the smaller the noise.
 */
#ifndef RUN_NODE_LAB_H
#define RUN_NODE_LAB_H

#include "run/node.h"

/* Check and complete --impair, --seed and --step. NODE_GO_ON, or a code, and the error is said. */
int node_lab_options(const struct program *prog, struct node_options *opt);

/* Print the rules of --impair. EXIT_DONE. */
int node_lab_rules(void);

/* Keys and numbers that others must not guess, or with a seed those that follow from it. */
void node_lab_secrets(const struct node *n, struct stack_config *cfg);

/* Put the impairment around n->dev, if one is needed, and set n->step. NODE_GO_ON or a code. */
int node_lab_open(struct node *n);

/* Before the chain is closed: let out what is delayed, and tell what was done to packets. */
void node_lab_finish(struct node *n);

#endif
