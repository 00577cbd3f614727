/*
 * An active open with a netcat on it: the whole life of `host`. It connects, moves bytes between
 * the connection and standard input and output, says what happened, and leaves when the connection
 * is over and everything that came is shown.
 */
#ifndef RUN_DIAL_H
#define RUN_DIAL_H

#include "app/netcat.h"
#include "run/life.h"

struct dial {
    struct life life;
    struct netcat cat;
    struct node *node;
    int64_t opened_at;
    bool hinted; /* told what to check while nobody answers */
    bool output_told, input_told, remote_told;
    enum reason soft_error; /* of the ended connection: it may explain a time-out */
};

/*
 * Connect n to its remote node and stay until the end. `far`, unless NULL, is the other node in the
 * same process. Returns the exit code.
 */
int dial_run(struct dial *d, struct node *n, struct node *far);

/* Say why stack_open refused. */
void dial_explain_open(const struct node *n, int error);

/* Say why a connection to the node's remote end never came to be, or ended badly. */
void dial_explain(const struct node *n, enum reason why, bool connected);

#endif
