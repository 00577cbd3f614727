/*
 * Who a packet is, for dice that shall fall the same way in every run: a number made of what the
 * packet is, not of when it comes. So the fate of a piece of data does not depend on how the
 * acknowledgments of the moment happen to be mixed with it.
 *
 * A TCP segment is its direction, its kind, the connection (its number in the order of the SYNs
 * seen), its sequence number counted from its connection's first, for a bare acknowledgment what
 * it acknowledges too, and how often such a one was seen before. Any other packet is its
 * direction and its running number.
 *
 * Memory is fixed: connections have a place each by their hash, and one that finds its place taken
 * begins anew with sequence numbers as they stand; what counts repetitions is shared by those of a
 * kind whose hashes end alike, which makes their numbers other ones, but no worse.
 */
#ifndef LINK_IDENTITY_H
#define LINK_IDENTITY_H

#include <stdint.h>

#include "link/path.h"

enum {
    IDENTITY_FLOWS = 1024,  /* connections that are remembered */
    IDENTITY_COUNTS = 4096, /* counters of repetitions, for each direction and kind */
};

struct identity_flow {
    uint64_t tuple; /* hash over both ends; 0: nobody */
    uint32_t number;
    uint32_t isn[2]; /* first sequence number of each direction */
};

struct identity {
    struct identity_flow flow[IDENTITY_FLOWS];
    uint32_t flows; /* numbers given out */
    uint32_t count[2][PACKET_KINDS][IDENTITY_COUNTS];
};

/* The number of this packet, which goes in direction 0 or 1. Begin with zeros in *id. */
uint64_t identity_of(struct identity *id, unsigned direction, const uint8_t *bytes, uint32_t len);

#endif
