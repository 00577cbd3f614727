/*
 * What devices with segmentation offload do, as plainly as can be, on bytes and without the stack's
 * code: finish a checksum, cut a super-segment into the packets that the wire carries, and join
 * such packets where they arrive one behind the other.
 */
#ifndef SIM_SUPER_H
#define SIM_SUPER_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/ip.h"

/* Compute the TCP checksum of the packet b[0..len), whatever stands in its place. */
void super_sum(uint8_t *b, uint32_t len);

/* The packets that b[0..len) becomes, with `size` bytes of text in each but the last. */
struct super_cut {
    const uint8_t *b;
    uint32_t len, size, at; /* bytes; at: of the text, what was cut already */
};

/* The next one, written to out[IPV4_PACKET_MAX]; returns its length, 0 when there is none. */
uint32_t super_next(struct super_cut *c, uint8_t *out);

/* Packets that are being joined; zeros are none. */
struct super_join {
    uint32_t len;  /* bytes of the packet, headers included; 0: none */
    uint32_t size; /* bytes of text in the first, and so in all but the last */
    unsigned n;    /* packets in it */
    bool ended;    /* nothing may follow */
    uint8_t b[IPV4_PACKET_MAX];
};

/*
 * Add the packet b[0..len), if with it the whole has at most `max` bytes: a segment with text of
 * the same connection, which goes on where the last ended, with the same header but for numbers,
 * PSH and FIN. An empty join takes whatever may be the first of several. False if it is not added.
 */
bool super_add(struct super_join *j, const uint8_t *b, uint32_t len, uint32_t max);

/* The joined packet is to be read: its lengths and its checksum are made right. */
void super_finish(struct super_join *j);

#endif
