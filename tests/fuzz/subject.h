/*
 * A stack that is driven by a script, small enough that every limit is reached by a few packets,
 * and everything that must hold of it between two calls, whatever came before. A subject looks
 * inside: it counts the references to each buffer and the cells of each queue, and finds the
 * connection that has something to do but no timer that will wake it.
 *
 * Bytes of all streams are known by their sequence number alone (subject_byte), so that whoever
 * sees one, on the wire or in a queue, knows what it must be.
 *
 * What was given back is written over at once, so that a use after the end changes bytes that
 * somebody compares.
 */
#ifndef FUZZ_SUBJECT_H
#define FUZZ_SUBJECT_H

#include "stack/internal.h"
#include "tests/fuzz/fuzz.h"

enum {
    SUBJECT_CONNS = 8,
    SUBJECT_CHUNKS = 96,    /* cells of queues */
    SUBJECT_RX = 48,        /* bufs that packets are read into */
    SUBJECT_TX = 16,        /* that applications send from */
    SUBJECT_SMALL = 48,     /* that copies go to */
    SUBJECT_RX_SIZE = 2048, /* bytes */
    SUBJECT_TX_SIZE = 4096,
    SUBJECT_SMALL_SIZE = 512,
    SUBJECT_FRAGMENTED = 3,      /* packets in fragments */
    SUBJECT_STACK = 1536 * 1024, /* bytes that hold the stack */
};

/* What a slot's connection was at the last look; numbers only go forward. */
struct subject_look {
    bool known;
    uint8_t state;
    uint32_t generation;
    uint32_t una, nxt, rcv_nxt, rcv_adv;
};

struct subject {
    struct stack_config cfg;
    struct stack *st;
    struct buf_pool rx, tx, small;
    struct subject_look look[SUBJECT_CONNS];
    bool v6;       /* it speaks IPv6; to be said before subject_start */
    bool used_udp; /* its sockets' memory is not all zeros any more */
    uint8_t *stack_memory;
};

/*
 * Make subject 0 or 1 anew. The script chooses the configuration: MTU (unless `mtu` says it),
 * buffers, switches, how many connections and cells there are.
 */
void subject_start(struct subject *n, unsigned number, uint32_t mtu, struct script *s);

/* An address by a number: of IPv4, or fd00:: with the number behind it. And back. */
struct addr subject_addr(bool v6, uint32_t number);
uint32_t subject_number(const struct addr *a);

/* Did it ever find a pool empty? */
bool subject_starved(const struct subject *n);

/* Everything that must hold now. `own` slices are referred to by the caller itself. */
void subject_check(struct subject *n, const struct slice *own, unsigned owns);

/* What must hold besides when there is nothing to send any more: nobody sleeps for ever. */
void subject_check_drained(const struct subject *n);

/* Everything has ended: the table is empty, and every cell and buffer is back. */
void subject_check_over(const struct subject *n);

/* The byte at this sequence number, of every stream. */
static inline uint8_t subject_byte(uint32_t seq)
{
    return (uint8_t)(seq * UINT32_C(2654435761) >> 24);
}

void subject_fill(uint8_t *out, uint32_t seq, uint32_t len);
/* Are these the bytes that stand there? */
bool subject_matches(const uint8_t *b, uint32_t seq, uint32_t len);

/* A packet as a device would hand it over, in a buffer of its own; `size` is its gso_size. */
enum reason subject_input(struct subject *n, int64_t now, const uint8_t *b, uint32_t len,
                          uint16_t marks, uint16_t size);

#endif
