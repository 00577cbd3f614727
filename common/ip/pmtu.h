/*
 * The path MTUs of one node: for each destination to which less passes than our own device takes,
 * how much does (RFC 1191 section 6.2, RFC 8201 section 5.2). TCP, UDP and ICMP share them.
 *
 * A destination stands here when somebody has found out that packets were too large for its path,
 * and not before: TCP, which knows what it has in flight, or pmtu_heed for all others. Places are
 * few and bounded; when all are taken, the one that was taken first is taken again, which costs
 * its destination no more than another error.
 *
 * What is known gets old (RFC 1191 section 6.3): after `age` a larger size is tried again. UDP and
 * ICMP simply do that, and so does TCP without probing; with it, TCP knows a better way and goes on
 * with what passes (tcp/plpmtud.h).
 */
#ifndef IP_PMTU_H
#define IP_PMTU_H

#include "base/unguessable.h"
#include "wire/icmp.h"
#include "wire/path_mtu.h"

enum {
    PMTU_PATHS = 256,   /* destinations that are remembered */
    PMTU_BUCKETS = 256, /* a power of two */
    PMTU_SENT = 32,     /* large packets that are remembered, for errors to be about */
};

/* A large packet that left and was not TCP's. */
struct pmtu_sent {
    struct addr to;
    uint32_t size, id;
};

struct pmtu {
    struct path_mtu path[PMTU_PATHS]; /* in the order in which they were taken, over and over */
    uint16_t next[PMTU_PATHS];        /* place + 1 of the next in its bucket, or 0 */
    uint16_t bucket[PMTU_BUCKETS];    /* place + 1 of the first, or 0 */
    uint32_t taken;                   /* places so far; when all are, it goes round */
    uint16_t changes;                 /* goes on with each change; 0: there was never one */
    const struct unguessable *key;
    int64_t age;  /* ns: what is known gets old after that */
    int64_t due;  /* ns: something does, at or after; TIME_NEVER */
    uint32_t mtu; /* bytes: of our device */
    struct pmtu_sent sent[PMTU_SENT];
    uint32_t sent_n; /* free-running */
};

/* `p` is filled with zeros. `key` outlives it. */
void pmtu_init(struct pmtu *p, const struct unguessable *key, uint32_t mtu, int64_t age);

/* What is known of the path to `to`, or NULL: nothing, so it takes what our device takes. */
struct path_mtu *pmtu_find(struct pmtu *p, const struct addr *to);

/* The same; where nothing is known, a new place that says what our device takes. */
struct path_mtu *pmtu_make(struct pmtu *p, const struct addr *to);

/* Something in a path has changed: those who go by it should look. */
void pmtu_changed(struct pmtu *p);

/* Bytes of the largest packet that UDP and ICMP should send to `to`. */
uint32_t pmtu_of(const struct pmtu *p, const struct addr *to);

/* A packet that is not TCP's leaves; `id` is that of a fragment, else 0. */
void pmtu_note_sent(struct pmtu *p, const struct addr *to, uint32_t size, uint32_t id);

/*
 * An error says that a packet, not of TCP, was too big for a path that takes `mtu` (0: does not
 * say); `quote` is the header of that packet. It is believed if a packet of that size and with that
 * identification did leave for there a moment ago. Returns REASON_NONE or why it is ignored.
 */
enum reason pmtu_heed(struct pmtu *p, int64_t now, const struct ip_hdr *quote, uint32_t mtu);

/* One path whose age has come: it is marked so. NULL: none has. */
struct path_mtu *pmtu_expire(struct pmtu *p, int64_t now);

/* When to call that, or TIME_NEVER. */
int64_t pmtu_deadline(const struct pmtu *p);

#endif
