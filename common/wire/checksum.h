/*
 * The Internet checksum (RFC 1071): the one's complement of the one's complement sum of 16-bit
 * words. Sums are carried unfolded so that parts that lie apart can be added up: a part that begins
 * at an odd offset counts with its bytes exchanged, which checksum_parts sees to.
 */
#ifndef WIRE_CHECKSUM_H
#define WIRE_CHECKSUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* The folded (16-bit) one's complement sum of b[0..len) in network order, added to `sum`. */
uint32_t checksum_add(uint32_t sum, const uint8_t *b, size_t len);

/* The same of a header, whose length is a multiple of 4 and no more than 64 KiB; not folded. */
uint32_t checksum_header(uint32_t sum, const uint8_t *b, size_t len);

/* Does an IPv4 header without options, checksum field included, sum up right? */
bool checksum_plain_good(const uint8_t b[20]);

/*
 * The same of such a header and of the TCP segment behind it, which with the header has `len`
 * bytes: at least 32 beside it.
 */
bool checksum_segment_good(const uint8_t *b, size_t len);

/* Does b[0..len), checksum field included, sum up right, starting from `sum`? */
bool checksum_good(uint32_t sum, const uint8_t *b, size_t len);

/* Fold and invert: what goes into a checksum field. */
uint16_t checksum_finish(uint32_t sum);

/* The checksum over n slices as if they lay in one piece, starting from `sum`. */
uint16_t checksum_parts(uint32_t sum, const struct slice *part, unsigned n);

/* The same as a number: 0 if it does. */
static inline uint16_t checksum_residue(uint32_t sum, const uint8_t *b, size_t len)
{
    return checksum_finish(checksum_add(sum, b, len));
}

#endif
