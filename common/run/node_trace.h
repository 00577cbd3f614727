/*
 * The trace of a node, in the steps of its life; node.c takes them. Without --trace each does
 * nothing.
 */
#ifndef RUN_NODE_TRACE_H
#define RUN_NODE_TRACE_H

#include "run/node.h"

/* --trace-join: the operands are files. Returns an exit code. */
int node_trace_join(const struct program *prog, const struct node_options *opt, int operands,
                    char **operand, struct outlet *said);

/* Create the file. Says what went wrong, and returns an exit code or NODE_GO_ON. */
int node_trace_open(struct node *n);
/* Put the trace around n->dev. The same. */
int node_trace_wrap(struct node *n);
/* The stack is there: observe it. */
void node_trace_watch(struct node *n);

/* Say once that the trace ended, if it did. */
void node_trace_complain(struct node *n);

/* All that happened has happened; the devices are still open. */
void node_trace_finish(struct node *n);
/* Close the file, and say what it lacks. Returns whether it is whole. */
bool node_trace_close(struct node *n);

#endif
