/*
 * The Internet checksum, fast.
 *
 * Two properties of the one's complement sum (RFC 1071 section 2) do the work. It may be formed
 * over words of any multiple of 16 bits, as long as the carry out of the top is added at the
 * bottom; so 8 bytes are taken at a time. And it does not depend on the byte order: a sum of words
 * as this machine reads them, written to memory, has its bytes in the order of the packet; so they
 * are exchanged once, at the end, not once per word.
 *
 * Four sums run side by side, because each addition with carry waits for the one before it.
 *
 * The zero: 0 and 0xffff are the same number in one's complement. A sum comes out as 0 only if
 * every byte was 0, and otherwise as a number from 1 to 0xffff.
 */
#include "wire/checksum.h"

#include <stdbool.h>
#include <string.h>

#include "base/bytes.h"

enum {
    PROTO_TCP = 6, /* in the pseudo-header */
};

/* The next 8 bytes, in the machine's order. */
static inline uint64_t load64(const uint8_t *b)
{
    uint64_t v;

    memcpy(&v, b, sizeof(v));
    return v;
}

static inline uint32_t load32(const uint8_t *b)
{
    uint32_t v;

    memcpy(&v, b, sizeof(v));
    return v;
}

/* a + b, with the carry added at the bottom. */
static inline uint64_t add_carry(uint64_t a, uint64_t b)
{
    uint64_t carry = __builtin_add_overflow(a, b, &a);

    return a + carry;
}

/*
 * To fold is to add the upper half to the lower one with carry. Added to itself with its halves
 * exchanged, a sum has that in its upper half: what is carried out of the lower one is the carry.
 */
static inline uint32_t fold32(uint32_t sum)
{
    return (sum + (sum << 16 | sum >> 16)) >> 16;
}

static inline uint32_t fold64(uint64_t sum)
{
    return fold32((uint32_t)((sum + (sum << 32 | sum >> 32)) >> 32));
}

/* The 16-bit sum in network order, from one in the machine's. */
static inline uint32_t to_network(uint32_t native)
{
    uint16_t word = (uint16_t)native;
    uint8_t b[2];

    memcpy(b, &word, sizeof(b));
    return get16(b);
}

/* The sum of the last 0 to 7 bytes, in the machine's order, as if zeros followed. */
static inline uint64_t sum_tail(const uint8_t *b, size_t len)
{
    uint64_t sum = 0;

    if (len & 4) {
        sum += load32(b);
        b += 4;
    }
    if (len & 2) {
        uint16_t v;

        memcpy(&v, b, sizeof(v));
        sum += v;
        b += sizeof(v);
    }
    if (len & 1) {
        const uint8_t last[2] = {*b, 0};
        uint16_t v;

        memcpy(&v, last, sizeof(v));
        sum += v;
    }
    return sum;
}

/* Most of a long run: *b and *len are left at what is less than 32 bytes. */
static uint64_t sum_long(const uint8_t **b, size_t *len)
{
    uint64_t s0 = 0, s1 = 0, s2 = 0, s3 = 0;

    for (; *len >= 32; *b += 32, *len -= 32) {
        s0 = add_carry(s0, load64(*b));
        s1 = add_carry(s1, load64(*b + 8));
        s2 = add_carry(s2, load64(*b + 16));
        s3 = add_carry(s3, load64(*b + 24));
    }
    return add_carry(add_carry(s0, s1), add_carry(s2, s3));
}

/* The sum of b[0..len) in the machine's order, not folded. */
static inline uint64_t sum_native(const uint8_t *b, size_t len)
{
    uint64_t s = len >= 64 ? sum_long(&b, &len) : 0;

    for (; len >= 8; b += 8, len -= 8)
        s = add_carry(s, load64(b));
    return len > 0 ? add_carry(s, sum_tail(b, len)) : s;
}

uint32_t checksum_add(uint32_t sum, const uint8_t *b, size_t len)
{
    return fold32(fold32(sum) + to_network(fold64(sum_native(b, len))));
}

/* Bytes are exchanged there and back alike; all ones are all ones in any order. */
bool checksum_good(uint32_t sum, const uint8_t *b, size_t len)
{
    return fold64(add_carry(sum_native(b, len), to_network(fold32(sum)))) == 0xffff;
}

uint32_t checksum_header(uint32_t sum, const uint8_t *b, size_t len)
{
    uint64_t s = 0;

    if (len & 4) {
        s = load32(b);
        b += 4;
    }
    for (const uint8_t *end = b + len / 8 * 8; b < end; b += 8)
        s = add_carry(s, load64(b));
    return fold32(sum) + to_network(fold64(s));
}

bool checksum_plain_good(const uint8_t b[20])
{
    return fold64(add_carry(add_carry(load64(b), load64(b + 8)), load32(b + 16))) == 0xffff;
}

/*
 * Both addresses, one behind the other, stand in the IP header and in the pseudo-header. One
 * addition follows the other here, since each is no more than two instructions then.
 */
bool checksum_segment_good(const uint8_t *b, size_t len)
{
    uint64_t ends = load64(b + 12), header = add_carry(ends, load64(b)), segment = ends;

    header = add_carry(header, load32(b + 8));
    for (unsigned at = 20; at < 52; at += 8)
        segment = add_carry(segment, load64(b + at));
    segment = add_carry(segment, sum_native(b + 52, len - 52));
    segment = add_carry(segment, big16((uint16_t)(len - 20 + PROTO_TCP)));
    return fold64(header) == 0xffff && fold64(segment) == 0xffff;
}

uint16_t checksum_finish(uint32_t sum)
{
    return (uint16_t)~fold32(sum);
}

/* Turned by 8 bits, a sum has its bytes exchanged: that is to multiply it by 256. */
uint16_t checksum_parts(uint32_t sum, const struct slice *part, unsigned n)
{
    uint64_t all = 0;
    uint32_t odd = 0;

    for (unsigned i = 0; i < n; i++) {
        uint64_t s = sum_native(part[i].base, part[i].len);

        all = add_carry(all, odd & 1 ? s << 8 | s >> 56 : s);
        odd += part[i].len;
    }
    return checksum_finish(fold32(sum) + to_network(fold64(all)));
}
