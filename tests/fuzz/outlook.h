/*
 * What a subject sends, as the wire sees it: every packet is whole, legal, no larger than the MTU,
 * has a reason, and carries the bytes that stand at its sequence numbers; a reset answers no reset,
 * and an error no error. The last few are kept, so that a script can quote them or play them again.
 */
#ifndef FUZZ_OUTLOOK_H
#define FUZZ_OUTLOOK_H

#include "tests/fuzz/subject.h"

enum {
    OUTLOOK_KEPT = 8,
    OUTLOOK_DRAIN_MAX = 20000, /* packets at one time; more would be without end */
};

struct outlook {
    struct subject *n;
    uint8_t packet[OUTLOOK_KEPT][SUBJECT_RX_SIZE]; /* the last ones, in a ring */
    uint32_t len[OUTLOOK_KEPT];
    unsigned packets; /* so far */
    /* what came in since everything was drained that may be answered so */
    bool may_reset, may_error;
};

void outlook_start(struct outlook *o, struct subject *n);

/* This packet is about to be given to the subject. */
void outlook_input(struct outlook *o, const uint8_t *b, uint32_t len);

/* The next packet, checked; NULL: there is none. It stays valid for OUTLOOK_KEPT more. */
const uint8_t *outlook_next(struct outlook *o, int64_t now, uint32_t *ret_len);

/* All of them. */
void outlook_drain(struct outlook *o, int64_t now);

/* One of the last packets, or NULL. */
static inline const uint8_t *outlook_kept(const struct outlook *o, unsigned back, uint32_t *ret_len)
{
    unsigned i = (o->packets - 1 - back % OUTLOOK_KEPT) % OUTLOOK_KEPT;

    if (back % OUTLOOK_KEPT >= o->packets)
        return NULL;
    *ret_len = o->len[i];
    return o->packet[i];
}

#endif
