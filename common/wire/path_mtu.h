/*
 * What is known of how large packets to one destination may be (RFC 1191, RFC 8201, RFC 4821): a
 * value that ip/ keeps, that transports read, and that those make better who learn something.
 * Sizes are bytes of a whole IP packet, header included.
 */
#ifndef WIRE_PATH_MTU_H
#define WIRE_PATH_MTU_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/addr.h"

enum {
    PATH_MTU_LEAST4 = 88,     /* RFC 1191 section 3 has 68; this leaves a segment of 48 bytes */
    PATH_MTU_DOUBTFUL4 = 552, /* no link of today takes less: an error alone is not enough */
    PATH_MTU_BASE4 = 1024,    /* what a path with a black hole is believed to take, at first ... */
    PATH_MTU_STEP = 16,       /* how exact a search is */
    PATH_MTU_PROBES = 3,      /* lost ones that show that a size does not pass (RFC 8899 5.1.2) */
};

struct path_mtu {
    struct addr to;
    uint32_t mtu;          /* the largest that is believed to pass */
    uint32_t high;         /* the largest that may pass: what is larger was found not to */
    int64_t raise_at;      /* ns: from then on what is known is old, and more is tried */
    int64_t probing_until; /* ns: somebody's probe is under way, it is not for others to send one */
    uint8_t lost;          /* probes of the size that is being tried */
    bool searching;        /* larger sizes are to be probed */
    bool halving;          /* `high` itself was tried already */
    bool aged;             /* raise_at has passed, and nothing new was learnt */
};

/* The least that a path may be said to take: of IPv6, 1,280 (RFC 8201 section 4). */
uint32_t path_mtu_least(const struct addr *to);

/*
 * The next size under `size` that links have, for routers that do not say theirs (RFC 1191 section
 * 7.1); 68 at least.
 */
uint32_t path_mtu_plateau_under(uint32_t size);

/*
 * An error that can be believed says: no more than `mtu`, which is for `age` ns. `mtu` is made
 * as large as the least.
 */
void path_mtu_lower(struct path_mtu *p, int64_t now, uint32_t mtu, int64_t age);

/* What is larger than p->mtu is to be searched for, up to `high`. */
void path_mtu_search(struct path_mtu *p, uint32_t high);

/*
 * The size to probe next, where no more than `most` is of use; 0: there is nothing to be found any
 * more. The largest comes first, because a path that has changed has most likely become what it
 * was; then the middle between what passes and what does not.
 */
uint32_t path_mtu_next(const struct path_mtu *p, uint32_t most);

/* A probe of `size` passed, or was lost, or a router said that `mtu` is what passes. */
void path_mtu_passed(struct path_mtu *p, uint32_t size);
void path_mtu_lost(struct path_mtu *p, uint32_t size);
void path_mtu_refused(struct path_mtu *p, uint32_t mtu);

/* The search has found what there is; it begins again after `age` ns. */
void path_mtu_found(struct path_mtu *p, int64_t now, int64_t age);

#endif
