/*
 * A router between the nodes that cuts packets into fragments, whatever they say about it, those of
 * IPv6, too, as if it were the sender, who alone may do so there; and the books of what has come of
 * each at a node, kept in the plainest way, so that the checker knows which fragment makes which
 * packet whole.
 */
#ifndef SIM_PIECES_H
#define SIM_PIECES_H

#include <stdbool.h>
#include <stdint.h>

enum {
    PIECES_WAITING = 128, /* packets of which something has come */
};

struct pieces_packet;

/* The books of one node; zeros are an empty one. */
struct pieces {
    struct pieces_packet *waiting[PIECES_WAITING]; /* the oldest first */
    unsigned n;
};

/* Fragments of the packet b[0..len), at most `size` bytes each. */
struct cutter {
    const uint8_t *b;
    uint32_t len, size, at; /* bytes; at: of the data, what was cut already */
    uint32_t id;
};

/* Can it be cut: is it larger than that, and no fragment itself? */
bool pieces_can_cut(const uint8_t *b, uint32_t len, uint32_t size);

/* The next fragment, written to out[size]; returns its length, 0 when there is none. */
uint32_t pieces_cut(struct cutter *c, uint8_t *out);

bool pieces_is_fragment(const uint8_t *b, uint32_t len);

/* What is expected of a fragment that a node is about to read. */
enum pieces_verdict {
    PIECES_KEPT,
    PIECES_AGAIN, /* it is there already */
    PIECES_WHOLE, /* it makes its packet whole */
};

/*
 * Note the fragment b[0..len) that arrives at `now`, at a node that has room for `max` packets. If
 * it makes one whole, that is written to out, which has room for the largest, and *ret_len bytes.
 */
enum pieces_verdict pieces_arrive(struct pieces *p, int64_t now, uint32_t max, const uint8_t *b,
                                  uint32_t len, uint8_t *out, uint32_t *ret_len);

void pieces_free(struct pieces *p);

#endif
