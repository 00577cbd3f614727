/*
 * SipHash of a few words: a keyed hash, so that nobody who does not know the key can choose inputs
 * that meet (Aumasson and Bernstein, 2012). It takes blocks of 8 bytes as numbers, `rounds` for
 * each and `last` at the end; with 2 and 4 rounds it is SipHash-2-4 as libsodium has it, on a
 * machine that reads the lowest byte first.
 *
 * For what only decides on places in a table, one round for a block and three at the end are enough
 * (SipHash-1-3), and where it is asked for each packet it is to be inlined, with counts that the
 * compiler knows.
 */
#ifndef BASE_SIPHASH_H
#define BASE_SIPHASH_H

#include <stdint.h>
#include <string.h>

enum {
    SIPHASH_KEY = 16, /* bytes */
};

struct siphash {
    uint64_t v0, v1, v2, v3;
};

static inline uint64_t siphash_turn(uint64_t v, unsigned bits)
{
    return v << bits | v >> (64 - bits);
}

static inline void siphash_rounds(struct siphash *h, unsigned n)
{
    while (n-- > 0) {
        h->v0 += h->v1;
        h->v2 += h->v3;
        h->v1 = siphash_turn(h->v1, 13) ^ h->v0;
        h->v3 = siphash_turn(h->v3, 16) ^ h->v2;
        h->v0 = siphash_turn(h->v0, 32);
        h->v2 += h->v1;
        h->v0 += h->v3;
        h->v1 = siphash_turn(h->v1, 17) ^ h->v2;
        h->v3 = siphash_turn(h->v3, 21) ^ h->v0;
        h->v2 = siphash_turn(h->v2, 32);
    }
}

static inline void siphash_block(struct siphash *h, uint64_t block, unsigned rounds)
{
    h->v3 ^= block;
    siphash_rounds(h, rounds);
    h->v0 ^= block;
}

/*
 * The hash of n blocks and the 0 to 7 bytes behind them, which stand in the lower bytes of `rest`;
 * the highest has the length in bytes of it all, modulo 256.
 */
static inline uint64_t siphash(const uint8_t key[SIPHASH_KEY], const uint64_t *block, unsigned n,
                               uint64_t rest, unsigned rounds, unsigned last)
{
    uint64_t k[2];
    struct siphash h;

    memcpy(k, key, sizeof(k));
    h.v0 = k[0] ^ UINT64_C(0x736f6d6570736575);
    h.v1 = k[1] ^ UINT64_C(0x646f72616e646f6d);
    h.v2 = k[0] ^ UINT64_C(0x6c7967656e657261);
    h.v3 = k[1] ^ UINT64_C(0x7465646279746573);
    for (unsigned i = 0; i < n; i++)
        siphash_block(&h, block[i], rounds);
    siphash_block(&h, rest, rounds);
    h.v2 ^= 0xff;
    siphash_rounds(&h, last);
    return h.v0 ^ h.v1 ^ h.v2 ^ h.v3;
}

#endif
