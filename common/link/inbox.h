/*
 * An inbox: packets in flight, each with the instant at which it comes out; those due at one
 * instant come out in the order in which they were put in.
 *
 * Where packets and heap lie is the owner's: inbox_init takes all memory at start, with room for a
 * fixed number of packets, and a full inbox refuses; the simulator has one that grows.
 */
#ifndef LINK_INBOX_H
#define LINK_INBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/pool.h"
#include "base/time.h"

struct path_packet {
    int64_t due;    /* ns */
    uint64_t order; /* of those due at one instant */
    uint32_t len;   /* bytes */
    /* The owner's, of whom each uses some. */
    bool corrupted;
    uint8_t from; /* the node that sent it */
    uint8_t flags;
    uint16_t marks; /* of enum pkt_marks */
    uint16_t why;   /* an enum reason: it is here only to be shown as lost */
    uint32_t bit;   /* that was turned */
    int64_t sent;   /* ns: when it was put in */
    uint8_t bytes[];
};

struct inbox {
    struct path_packet **heap; /* by due and order; `size` places */
    size_t n, size;
    uint64_t orders;
    /* Room for a packet of `len` bytes and its place in the heap, or NULL. */
    struct path_packet *(*get)(struct inbox *in, uint32_t len);
    void (*put)(struct inbox *in, struct path_packet *k);
    struct pool pool;    /* of inbox_init */
    uint32_t packet_max; /* bytes */
};

/* Bytes of memory for `count` packets of up to packet_max bytes. */
size_t inbox_bytes(uint32_t count, uint32_t packet_max);

/*
 * An inbox for `count` packets in mem[inbox_bytes(count, packet_max)], aligned to 8 bytes; memory
 * of packets is not touched before it is needed.
 */
void inbox_init(struct inbox *in, void *mem, uint32_t count, uint32_t packet_max);

/*
 * Put a copy of bytes[len] in, to come out at `due`. The packet, to be changed before anything
 * else is done here, or NULL if there is no room.
 */
struct path_packet *inbox_put(struct inbox *in, int64_t due, const uint8_t *bytes, uint32_t len);

/* When the next packet comes out, or TIME_NEVER. */
int64_t inbox_due(const struct inbox *in);

/* The next packet that is due, to be given back by inbox_give, or NULL. */
struct path_packet *inbox_take(struct inbox *in, int64_t now);
void inbox_give(struct inbox *in, struct path_packet *k);

/* Give back all that is in it. */
void inbox_clear(struct inbox *in);

/* Turn one bit, counted from the packet's first. */
void packet_turn_bit(struct path_packet *k, uint32_t bit);

/* Congestion experienced (RFC 3168 section 5), if the transport knows ECN: true if it was done. */
bool packet_mark(struct path_packet *k);

#endif
