/*
 * The loop that drives a node's stack, or two of them in one process.
 *
 * One turn: read a batch of packets and input each, run the timers, hand events to the
 * applications, let the operator's side act, let the program decide, then drain what the stack has
 * to send and write it. Only then sleep, until a packet, a signal, the operator or the next
 * deadline. So data flows one way, and one acknowledgment answers a whole batch. The clock is read
 * once per turn.
 *
 * A batch is small: where a window arrives at once, its acknowledgments are what the other end's
 * clock is made of, and if there is only one and it gets lost, all stands still. It is also faster:
 * the other end works while we do.
 *
 * A read that finds nothing is a system call, too, and what came alone is followed by nothing most
 * of the time. So after a batch of one packet the next ends with its first, but for one in
 * LOOP_ALONE; the wait behind it tells as well whether there is more.
 *
 * Waking up takes longer than all the rest of a round trip. So a loop that was told to (`spin`)
 * does not sleep for so long after the last packet, but reads the devices again and again, and
 * leaves that only for what is due: a deadline, or a look at what else there is to wait for
 * (people, signals, whoever asks). That look is a system call, and so is made from time to time
 * only, while there is something to do or the loop spins; but again at once when it has found
 * something.
 *
 * Spinning costs a processor. Where the other node has to share it, waiting for its packet would
 * keep it from being sent: so behind such a look the processor is offered to others, if nothing has
 * come since the one before. Whoever takes it has it for some milliseconds, and so has whoever is
 * given it by the system itself, because ours was used up by spinning; one that sleeps has its turn
 * saved for the moment when its packet comes. So a loop that was away for longer than LOOP_AWAY,
 * while it had nothing to do but spin, is not alone: it sleeps as if it had not been told to spin,
 * for a millisecond, and if it is not alone then either, for twice as long each time. Only a loop
 * that is let alone for as long as it has slept so begins with a millisecond again.
 *
 * A run that is to be repeated has a clock that moves in steps (`step`): all nodes of the machine
 * see the same instants, the multiples of a step, and within one each does what is due and then
 * only reads what arrives, which its device holds back until the next step (link/impair.h). So the
 * noise of the machine does not reach the stack, as long as it is smaller than a step; a loop that
 * is late goes through every step it has missed.
 *
 * A packet that the device cannot take now is kept, with references on its payload, and goes first
 * when the device is writable again; nothing is drained past it.
 */
#ifndef RUN_LOOP_H
#define RUN_LOOP_H

#include "link/device.h"
#include "run/alarm.h"
#include "run/operator.h"
#include "run/seldom.h"
#include "run/signals.h"
#include "run/teller.h"
#include "stack/stack.h"

enum {
    LOOP_NODES_MAX = 2,
    LOOP_READ_BATCH = 8,    /* packets read before anything is answered */
    LOOP_WRITE_BATCH = 256, /* packets written before the device is read again */
    LOOP_ALONE = 32,        /* in so many batches of one packet, one read looks for a second */
    LOOP_LOOK = 100,        /* us between two looks at all that is no device, while it is awake */
    LOOP_AWAY = 50,         /* us without the processor that tell a spinning loop of others */
};

/* A packet that has been read. */
struct loop_read {
    int64_t at; /* ns: when */
    bool lost;  /* DEVICE_LOST */
    struct pkt pkt;
};

struct loop_node {
    struct stack *st;
    struct device *dev;
    /* Called with each event before its application is; may be NULL. */
    void (*event)(void *arg, struct stack *st, const struct stack_event *ev);
    void *arg;
    unsigned alone;      /* batches of one packet in a row */
    bool held;           /* `out` waits for the device */
    int write_error;     /* the latest error of a write other than -EAGAIN; 0: none */
    uint64_t write_lost; /* packets that the device refused */
    struct loop_read in[LOOP_READ_BATCH];
    struct pkt out;
};

struct loop {
    struct loop_node node[LOOP_NODES_MAX];
    unsigned nodes;
    struct operator* op; /* may be NULL */
    struct signals *signals;
    struct teller *teller; /* may be NULL */
    int bell;              /* a descriptor that others make readable to wake us, or -1 */
    /* Once per turn, behind the applications: true to leave. It may set `wake`. */
    bool (*decide)(void *arg, struct loop *l);
    void *arg;
    int64_t spin;      /* ns to go on reading behind the last packet before it sleeps; 0: none */
    int64_t last;      /* when the last packet was read or written */
    int64_t look_at;   /* while it is awake: when to look at what is no device */
    int64_t until;     /* the next turn goes on reading until then, if nothing comes */
    int64_t shy;       /* ns: others want the processor, so it does not spin for so long ... */
    int64_t shy_until; /* ... that is, until then */
    int64_t step;      /* ns by which the clock moves; 0: it runs on */
    int64_t settled;   /* with steps: the instant at which there is nothing left to do */
    int64_t now;       /* of this turn */
    int64_t wake;      /* when `decide` wants its next turn at the latest, or TIME_NEVER */
    struct alarm_clock alarm; /* for deadlines, while it is open */
    struct seldom seldom;     /* signals, alarm, bell, and who comes to ask, while it is open */
    unsigned asked;           /* how often signals asked us to stop */
    int output_error;         /* of the operator's output, negative errno; 0: none */
    bool resetting;           /* so are all connections: what is to be said waits for the end */
    bool busy;                /* there is more to do at once: do not sleep after this turn */
};

/* A loop with one node and nothing else; more by filling in the fields. */
void loop_init(struct loop *l);
/* Add a node. */
struct loop_node *loop_add(struct loop *l, struct stack *st, struct device *dev);

/*
 * Have what is needed to wait for the signals, the teller and the bell, which are set. 0, or a
 * negative errno. To be closed in either case.
 */
int loop_open(struct loop *l);
void loop_close(struct loop *l);

/* Set `now`; with steps, wait for the next one first. */
void loop_start(struct loop *l);

/*
 * Turn until `decide` says so; then what the stacks still have to send is written, and where all
 * was reset, who asks about that is answered until it is quiet. Returns 0, or a device's error
 * (-ENODEV when the interface was deleted).
 */
int loop_run(struct loop *l);

#endif
