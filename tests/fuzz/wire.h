/*
 * What the fuzzers of parsers share. Nearly all random packets fail at a checksum, and nothing
 * behind it would ever be reached; so the first byte of an input says what is put right before the
 * parser sees the rest.
 */
#ifndef FUZZ_WIRE_H
#define FUZZ_WIRE_H

#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "wire/checksum.h"
#include "wire/ip.h"
#include "wire/reason.h"

enum wire_repair {
    REPAIR_CHECKSUM = 1,
    REPAIR_LENGTHS = 2,
    WIRE_MARKS_SHIFT = 2, /* two bits of enum pkt_marks */
    REPAIR_IPV6 = 16,     /* the packet is made one of IPv6 */
};

/*
 * A copy of the bytes in a block of exactly their size, so that reading one too many is seen. To be
 * freed by the caller.
 */
static inline uint8_t *wire_copy(const uint8_t *b, size_t len)
{
    uint8_t *copy = malloc(len);

    FUZZ_CHECK(copy || len == 0, "no memory");
    if (len > 0)
        memcpy(copy, b, len);
    return copy;
}

/* Make version, lengths and checksum of an IP header right, as far as they are there. */
static inline void wire_repair_ip(uint8_t *b, size_t len, unsigned repair)
{
    size_t header;

    if (repair & REPAIR_IPV6 && len >= IPV6_HEADER) {
        b[0] = (uint8_t)(0x60 | (b[0] & 15));
        if (repair & REPAIR_LENGTHS)
            put16(b + 4, (uint16_t)(len - IPV6_HEADER < IPV6_PAYLOAD_MAX ? len - IPV6_HEADER
                                                                         : IPV6_PAYLOAD_MAX));
        return;
    }
    if (len < IPV4_HEADER_MIN)
        return;
    if (repair & REPAIR_LENGTHS) {
        size_t words = b[0] & 15;

        if (words < 5 || words * 4 > len)
            words = 5;
        b[0] = (uint8_t)(0x40 | words);
        put16(b + 2, (uint16_t)(len < IPV4_PACKET_MAX ? len : IPV4_PACKET_MAX));
    }
    header = (size_t)(b[0] & 15) * 4;
    if ((repair & REPAIR_CHECKSUM) && header >= IPV4_HEADER_MIN && header <= len) {
        put16(b + 10, 0);
        put16(b + 10, checksum_residue(0, b, header));
    }
}

/* Make the 16 bits at b[at] the checksum over b[0..len), begun with `sum`. */
static inline void wire_repair_sum(uint8_t *b, size_t len, size_t at, uint32_t sum)
{
    if (len < at + 2)
        return;
    put16(b + at, 0);
    put16(b + at, checksum_residue(sum, b, len));
}

/* Options of IP and TCP have one form: does the walk over those at b[0..len) stay inside? */
static inline bool wire_options_fit(const uint8_t *b, size_t len)
{
    size_t i = 0;

    while (i < len && b[i] != 0) {
        if (b[i] != 1 && (i + 1 >= len || b[i + 1] < 2 || i + b[i + 1] > len))
            return false;
        i += b[i] == 1 ? 1 : b[i + 1];
    }
    return true;
}

/* A parser refuses for a reason that is one for dropping. */
static inline void wire_check_refusal(enum reason why)
{
    FUZZ_CHECK(why < REASON_COUNT && reason_text(why)->kind == REASON_KIND_DROP,
               "refused for reason %d, which is none for dropping", (int)why);
}

/* The packet's two ends, where a fuzzer needs them for a pseudo-header. */
static inline struct ip_hdr wire_ends(uint8_t proto, unsigned repair)
{
    if (repair & REPAIR_IPV6)
        return (struct ip_hdr){.src = {.b = {0xfd, [7] = 1, [15] = 5}},
                               .dst = {.b = {0xfd, [15] = 7}},
                               .version = 6,
                               .proto = proto};
    return (struct ip_hdr){.src = addr_v4(0x0a000105),
                           .dst = addr_v4(0x0a000007),
                           .version = 4,
                           .proto = proto};
}

#endif
