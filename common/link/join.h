/*
 * Segments that a device hands over one by one, joined as they are read: consecutive ones of one
 * connection become the super-segment that they would have been if sender and device had left them
 * in one piece. One pass through TCP then serves all of them.
 *
 * Nothing is copied. Who reads knows how long the headers of the next one will be, has them put
 * elsewhere, and its text where that of the one before it ends. If it is another packet after all,
 * its bytes are moved, once, and that is not tried again for a while.
 *
 * Joined is only what differs in nothing but lengths, sums, identification and sequence number, and
 * PSH on the last: the same ACK, window, timestamps, TTL, DSCP and ECN bits, no mark of congestion,
 * no other option or flag. Each is summed before it loses its headers.
 */
#ifndef LINK_JOIN_H
#define LINK_JOIN_H

#include <stdbool.h>
#include <stdint.h>

enum {
    JOIN_MAX = 8,        /* segments in one: no more than are answered by one acknowledgment */
    JOIN_HEADERS = 72,   /* bytes of the longest headers: IPv6, and TCP with timestamps */
    JOIN_PAUSE_MAX = 31, /* packets that are let pass behind a try in vain */
};

struct join {
    uint32_t headers;     /* bytes of them in front of the text, or 0: it is not to be joined */
    uint32_t size;        /* bytes of text of each, but for the last */
    uint32_t len;         /* bytes of all of it so far */
    uint32_t n;           /* segments */
    bool summed;          /* nobody vouches for the first one's checksum */
    bool ended;           /* it has PSH, or is short: nothing may follow */
    uint32_t pause, wait; /* packets that pass before the next try */
};

/*
 * b[0..len) was read, a packet of its own; is it worth while to look for more behind it? `mtu` is
 * the device's; `vouched`: its TCP checksum need not be right. Then the next packet's first
 * j->headers bytes belong elsewhere.
 */
bool join_begin(struct join *j, const uint8_t *b, uint32_t len, uint32_t mtu, bool vouched);

/*
 * The next packet: its headers are head[0..j->headers), its text the rest of its `len` bytes, which
 * begin at b + j->len. True: it is part of what stands in b now, which has j->len bytes.
 */
bool join_add(struct join *j, uint8_t *b, const uint8_t *head, uint32_t len, bool vouched);

/* No more: the headers become those of all. False: there was nothing to join. */
bool join_end(struct join *j, uint8_t *b);

#endif
