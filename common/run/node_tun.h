/* Attaching a node to its TUN, or making one; node.c does it when a node is opened. */
#ifndef RUN_NODE_TUN_H
#define RUN_NODE_TUN_H

#include "run/node.h"

/*
 * n->tun becomes n->dev. What goes wrong, and what would keep packets from passing, is said.
 * NODE_GO_ON or a code.
 */
int node_tun_attach(struct node *n);

/* Is this an address of the machine itself, as the kernel's side of the TUN is? */
bool node_tun_kernel_has(const struct addr *a);

#endif
