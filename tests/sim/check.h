/*
 * What must hold of every packet on the wire, of every segment that arrives, of every change of
 * state and of every TCB, whatever the network does. The checker keeps its own books from what an
 * outsider sees, and believes nobody: where it looks into a TCB, it is to compare.
 *
 *   check.c         the verdict, streams of known bytes, changes of state
 *   check_wire.c    packets as they leave a node
 *   check_input.c   segments as a node reads them, and what its stack made of them
 *   check_recovery.c    what is sent again, and whether it was known to be lost
 *   check_congestion.c  how much flies, and how fast it leaves
 *   check_ecn.c     what routers may mark, and who has to say so
 *   check_node.c    what stands in a node's TCBs, timers and pools after it has run
 */
#ifndef SIM_CHECK_H
#define SIM_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "stack/stack.h"
#include "tests/sim/net.h"
#include "wire/ip.h"
#include "wire/tcp.h"

enum {
    CHECK_CONNS = 32,         /* connections in one run */
    CHECK_PORT = 10000,       /* connection i uses CHECK_PORT + i at its opener ... */
    CHECK_PORT_OTHER = 20000, /* ... and CHECK_PORT_OTHER, often + i, at the other end */
    CHECK_SLOTS = 256,        /* slots of a stack's connection table */
    CHECK_BATCH = 256,        /* packets that a node reads at one time, at most */
    CHECK_COOKIES = 8,        /* different SYN-ACKs to one SYN */
    CHECK_SENT = 64,          /* sendings that are remembered, per flow */
    CHECK_SPANS = 600,        /* pieces that wait for a gap to close, per flow */
    CHECK_PIECES = 600,       /* ... and that are outstanding */
    CHECK_PROBES = 8,         /* probes of the path's MTU that are remembered, per flow */
};

/* What left at one instant for the first time. */
struct sent {
    int64_t at;          /* ns */
    uint32_t start, end; /* sequence numbers */
    bool again;          /* some of it left again later */
};

struct span {
    uint32_t start, end; /* sequence numbers */
};

/* What is outstanding and left at one instant, the last time. */
struct piece {
    int64_t at;           /* ns */
    int64_t overtaken_at; /* ns: when it was known that what left later has arrived; TIME_NEVER */
    uint32_t start, end;  /* sequence numbers */
    bool again;
    bool sure; /* since then a loss was being repaired, or much was reported, when word came */
};

/*
 * What a sender may know of its losses. Limits "up to" are sequence numbers that only grow; what
 * lies below is, or was, as they say.
 */
struct repair {
    bool blind;        /* the books are not to be trusted ... */
    bool too_many;     /* (as they are full) */
    uint32_t blind_to; /* ... until this is acknowledged */
    unsigned pieces;
    struct piece piece[CHECK_PIECES]; /* in the order of their numbers, from una on */
    uint32_t una;                     /* the highest acknowledgment that was taken */
    bool any;                         /* something was reported, and ... */
    int64_t newest_at;                /* ... the latest of that left then, ns, ... */
    uint32_t newest_end;              /* ... and ended here */
    int64_t shortest;                 /* ns: the shortest round trip, TIME_NEVER */
    unsigned dups;                    /* acknowledgments that repeat una */
    uint32_t dups_to;                 /* three of them spoke of what lies below; ... */
    uint32_t dups_end;                /* ... what had been sent then, ... */
    uint32_t partial_to;              /* ... and a partial acknowledgment spoke of this */
    uint32_t sack_to;                 /* three pieces or two segments were reported above this */
    uint32_t many_to;                 /* more than two segments were reported below this */
    uint32_t again_to;                /* what had been sent when something last left again */
    uint32_t loss_to;                 /* ... or a loss was found */
    int64_t all_lost_at;              /* ns: what left before may be taken for lost */
    bool one_more;                    /* one may leave again whatever flies */
    bool probing;                     /* the tail was probed, ... */
    uint32_t probe_to;                /* ... which is not answered before this is acknowledged */
    struct span mtu_probe[CHECK_PROBES];
    unsigned mtu_probes;
};

/* What a SYN announced. */
struct syn_words {
    bool has_wscale, has_timestamp;
    bool ece, cwr;
    uint8_t wscale;
    uint16_t mss; /* bytes */
    uint32_t isn; /* its sequence number */
};

/* One direction of one connection. */
struct flow {
    bool syn_seen, syn_answered, fin_seen, acked; /* syn_answered: by a SYN-ACK of its own */
    struct syn_words syn;
    /* A listener without memory may answer each SYN with another cookie, and then with a SYN-ACK
     * that it remembers; the first that the other side acknowledges counts. */
    unsigned cookies;
    struct syn_words cookie[CHECK_COOKIES];
    uint32_t sent_end;   /* one beyond the highest sequence number sent, FIN included */
    uint32_t fin;        /* the FIN's sequence number */
    uint32_t ack;        /* the highest acknowledgment it sent */
    uint32_t right_edge; /* the highest sequence number it allows, plus one */
    uint64_t key;        /* of the stream of bytes it carries */
    uint64_t urgent_to;  /* bytes of the stream that its application has called urgent; 0: none */
    uint32_t ts_val, ts_ecr; /* the last timestamps it sent */

    /* what its sender has been told by segments that arrived */
    bool told;
    uint32_t told_edge; /* the highest sequence number it may use, plus one */
    uint32_t told_ack;  /* the highest acknowledgment */
    bool ts_told;       /* a timestamp, ... */
    uint32_t told_ts;   /* ... the highest */
    int64_t heard_at;   /* ns: when any of them came and was taken */
    unsigned sends;
    struct sent sent[CHECK_SENT];

    /* what has arrived of it, by the books: all up to `nxt`, and the spans beyond */
    bool counting; /* the books are known to be right */
    uint32_t nxt;
    unsigned spans;
    struct span span[CHECK_SPANS];

    /* what its sender has been told to have arrived behind a gap, and may rely on */
    unsigned sacked_n;
    struct span sacked[CHECK_SPANS];
    struct repair repair;

    bool may_say_cwr;  /* its sender has had to slow down since it last said so, ... */
    bool may_undo_cwr; /* ... for a loss that may turn out to be none */
    bool marked;       /* its receiver got a mark, and no CWR since */

    /* the books of pacing: what may leave at once, and the rate that was set, bytes and bytes/s */
    int64_t pace_due; /* ns: when all that was sent should have left */
    int64_t paced_at; /* ns: when the last of it did */
    uint64_t pace_rate;

    /* repetitions by a timer, with nothing heard in between */
    unsigned agains;
    uint32_t again_seq;
    int64_t again_at, again_gap; /* ns */

    unsigned dups_owed;      /* acknowledgments that its sender owes for what came out of order */
    int64_t owing_since;     /* ns: its sender owes an acknowledgment; TIME_NEVER */
    int64_t challenge_began; /* ns: one second ... */
    unsigned challenges;     /* ... and how many challenge ACKs its sender sent in it */
};

/* A segment between stack_input and what was known before; see check_input.c. */
struct arrival {
    bool known;              /* TCP, undamaged, of one of our flows */
    bool forged;             /* by strike.c */
    struct flow *own, *back; /* the flow it belongs to, and the opposite one */
    struct tcp_hdr tcp;
    struct addr local, remote; /* the receiver's, and whence it says it comes */
    uint32_t len;              /* bytes of payload */
    const void *conn;          /* the receiver's struct conn, or NULL */
    unsigned state;            /* enum tcp_state ... */
    bool released;             /* ... and more of its TCB before the segment came */
    bool ts_ok;
    uint32_t rcv_nxt, rcv_adv, snd_una, snd_nxt, max_snd_wnd, ts_recent, last_ack;
    unsigned phase; /* enum recovery_phase */
    uint32_t cwnd;
    bool reduced; /* cwnd was, for what is in flight */
    bool undone;  /* the segment shows that it was for nothing */
};

struct check {
    struct flow flow[CHECK_CONNS][2]; /* [0] from the opener's port, [1] towards it */
    uint32_t node[CHECK_CONNS][2];    /* where the ends are */
    const struct stack *stack[NET_NODES];
    enum tcp_state state[NET_NODES][CHECK_SLOTS];
    int64_t since[NET_NODES][CHECK_SLOTS]; /* ns: in that state */
    /* the batch that a node has just read: who may be answered by a RST */
    struct {
        uint16_t sport, dport;
        bool rst;
    } batch[CHECK_BATCH];
    unsigned batch_n;
    struct arrival arrival;
    const void *leaving; /* the struct conn whose segment leaves, or NULL */
    int64_t now;         /* ns */
    uint64_t nodes_checked;
    uint64_t segments, payload; /* checked so far */
    bool failed;
    uint64_t how; /* the same for failures of the same kind */
    char why[200];
};

void check_init(struct check *c);

/* Remember the first failure; printf-like. The format says of which kind the failure is. */
void check_fail(struct check *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Time has come to `now`: what is overdue? */
void check_time(struct check *c, int64_t now);

/* A node begins to read a batch; each of its packets follows by check_before and check_after. */
void check_batch(struct check *c);
/* A packet that node's stack is about to read. */
void check_before(struct check *c, unsigned node, const uint8_t *b, uint32_t len, bool corrupted);
/* ... and what it said to it. */
void check_after(struct check *c, unsigned node, bool corrupted, enum reason said);

/* A packet as a node sends it at `now`, for `why`. */
void check_output(struct check *c, unsigned node, int64_t now, const uint8_t *b, uint32_t len,
                  enum reason why);

/* What a node's stack tells its observer. */
void check_note(struct check *c, unsigned node, const struct stack_note *n);

/* The node has run and has nothing more to send. */
void check_node(struct check *c, unsigned node, int64_t now);
/* Nothing more is expected of this node. */
void check_forget(struct check *c, unsigned node);

/* check_recovery.c: a SYN leaves: what was outstanding before is no more. */
void check_begins(struct flow *f);
/* ... a segment with an acknowledgment has been taken by `conn`, the sender of a->back; or it may
 * have been (`unsure`). */
void check_heard(struct check *c, const void *conn, bool unsure);
/* ... and text, or a FIN, leaves as [start, end) of `f`: for the first time, or again. */
void check_leaves(struct check *c, struct flow *f, uint32_t start, uint32_t end, enum reason why);
void check_again(struct check *c, struct flow *f, const void *conn, uint32_t start, uint32_t end,
                 enum reason why);
/* Bytes that fly by the books, at least: neither reported, nor overtaken, nor given up. */
uint32_t check_sure_to_fly(const struct flow *f);

/* check_congestion.c: text, `len` bytes, has left `conn` of a node, a struct conn. */
void check_flying(struct check *c, unsigned node, const void *conn, uint32_t len, enum reason why);
/* ... and `conn` has taken the segment. */
void check_response(struct check *c, unsigned node, const void *conn);
/* ... and what its stack says of losses. */
void check_loss_note(struct check *c, unsigned node, const struct stack_note *n);

/* check_ecn.c: a segment with `len` bytes of text leaves. */
void check_ecn(struct check *c, struct flow *own, const struct flow *back,
               const struct tcp_hdr *tcp, uint32_t len, enum reason why);
/* ... and its sender has slowed down for a loss, or takes that back. */
void check_ecn_slower(struct flow *own, bool slower);
/* ... and has come, and was taken. */
void check_ecn_heard(struct check *c, const void *conn, enum reason said);

/* The two flows of a segment, its own first; false if the ports are none of ours. */
bool check_find_flows(struct check *c, uint16_t sport, uint16_t dport, struct flow **ret_own,
                      struct flow **ret_back);

/* Bytes of the stream with this key, from offset `off` on. */
void stream_fill(uint64_t key, uint64_t off, uint8_t *out, uint32_t len);
bool stream_matches(uint64_t key, uint64_t off, const uint8_t *b, uint32_t len);

#endif
