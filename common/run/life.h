/*
 * The life of a node's program: the loop, the operator, and the way it ends.
 *
 * The first signal to stop closes every connection in order, and the program leaves when they are
 * done or after a time of grace, and says for whom it waits; the second, or the end of the grace,
 * resets what is left. Resets and last acknowledgments still leave before the program does.
 */
#ifndef RUN_LIFE_H
#define RUN_LIFE_H

#include "run/loop.h"
#include "run/node.h"

struct life {
    struct node *node;
    struct signals signals;
    struct loop loop;
    struct operator op;
    bool quit;        /* the program itself wants to stop in order */
    bool abrupt;      /* there is nothing to close in order: to stop is to reset at once */
    bool stopping;    /* asked once */
    bool forced;      /* connections were reset because of a second signal, or the grace was over */
    int64_t grace_at; /* the grace's end, once stopping */
};

/*
 * The loop, with all the descriptors that it waits for; from here on signals are read in turns.
 * NODE_GO_ON or a code.
 */
int life_begin(struct life *f, struct node *n, bool (*decide)(void *, struct loop *), void *arg);

/* Join the console to standard input and, unless a capture goes there, standard output. */
void life_operator(struct life *f, struct console *console);

/*
 * Everything is open: drop privileges, and tell the stacks the time, which the first user calls
 * need. NODE_GO_ON or a code.
 */
int life_settle(struct life *f);

/* Turn until `decide` says so. EXIT_DONE or a code. */
int life_run(struct life *f);

/*
 * Once per turn, in `decide`: act on signals, and say what went wrong underneath. Asked to stop, it
 * ends the operator's input and sets `stopping`; asked again, it resets every connection and sets
 * `forced`, one turn before the end, so that what became of the connections can still be told.
 * Returns true when it is over.
 */
bool life_turn(struct life *f);

/* Reset every connection; the next turn is the last. */
void life_abort(struct life *f);

/* Is there something to show that is not written yet, and somebody to write it for? */
bool life_output_pending(const struct life *f);

/* Close every connection in order. */
void life_close_all(struct stack *st);

/*
 * Is there a connection that is neither over nor in TIME-WAIT? *witness, 0 before the first call,
 * is where one was seen last, so that asking again and again, as many of them end, is cheap.
 */
bool life_any_open(const struct stack *st, uint32_t *witness);

/*
 * This thread has nothing left to do. True when no other of its node has either: until then it goes
 * on, because it may read what is another's.
 */
bool life_all_over(struct life *f);

void life_end(struct life *f);

#endif
