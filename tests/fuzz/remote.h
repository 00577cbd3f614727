/*
 * The remote end of a subject that a script plays: six flows, four that connect to our listeners
 * and two that we connect to. Random numbers lie outside every window; so it looks into the
 * connection and counts from what would be right.
 */
#ifndef FUZZ_REMOTE_H
#define FUZZ_REMOTE_H

#include "tests/fuzz/caller.h"
#include "tests/fuzz/forge.h"
#include "tests/fuzz/outlook.h"

enum {
    REMOTE_FLOWS = 6,
    REMOTE_PASSIVE = 4, /* the first ones: they connect to us */
};

struct remote {
    struct subject *n;
    struct outlook *out;
};

/* Addresses (as numbers in host order) and ports of a flow: its own, and ours. */
uint32_t remote_addr(unsigned flow);
uint16_t remote_port(unsigned flow);
uint32_t remote_local_addr(const struct remote *r, unsigned flow);
uint16_t remote_to_port(unsigned flow);
/* Its initial sequence number. */
uint32_t remote_isn(unsigned flow);

/* The flow's connection, or NULL. */
const struct tcb *remote_tcb(const struct remote *r, unsigned flow);

/*
 * The segment that the flow's connection expects next: in order, all acknowledged, no text. Where
 * there is none, what answers the last SYN-ACK that was sent for the flow, as a cookie.
 */
struct forge_tcp remote_expected(const struct remote *r, int64_t now, unsigned flow);

/* What a SYN usually brings: a bit for each, and a value for what has one. */
void remote_syn_options(struct forge_tcp *t, unsigned bits, uint8_t value);
/* Options as the script says: those of a SYN, SACK blocks, timestamps, or bytes. */
void remote_options(const struct remote *r, int64_t now, struct forge_tcp *t, unsigned flow,
                    struct script *s);

#endif
