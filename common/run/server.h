/*
 * What peer does: serve a session and the small services until it is told to stop, in one thread
 * or, with --queues, in several that each have a queue of the TUN (run/team.h). All of them serve
 * alike; the first one listens to signals and says what is about all.
 */
#ifndef RUN_SERVER_H
#define RUN_SERVER_H

#include "run/life.h"
#include "run/services.h"

struct server_options {
    enum session_kind session;
    bool once; /* leave when the first session has ended */
};

/* One thread. */
struct server {
    const struct server_options *how;
    struct node node;
    struct life life;
    struct services services;
    bool closing;       /* services are stopped */
    bool session_ended; /* a session connection is over */
    bool end_told;      /* of a chat's input */
    bool operator_lost; /* standard input or output failed */
    uint32_t witness;   /* that a connection is open, see life_any_open */
};

/* Open the node, serve, and close it. Returns the exit code. */
int server_run(const struct program *prog, const struct node_options *opt,
               const struct server_options *how);

#endif
