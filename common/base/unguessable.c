#include "base/unguessable.h"

#include <assert.h>
#include <sodium/crypto_shorthash.h>
#include <string.h>

static uint64_t keyed(const struct unguessable *u, const uint8_t *b, size_t len)
{
    uint8_t out[crypto_shorthash_BYTES];
    uint64_t hash;

    static_assert(crypto_shorthash_KEYBYTES == UNGUESSABLE_KEY, "the key is SipHash's");
    crypto_shorthash(out, b, len, u->key);
    memcpy(&hash, out, sizeof(hash));
    return hash;
}

uint64_t unguessable_next(struct unguessable *u)
{
    uint64_t n = u->count++;
    uint8_t in[sizeof(n)];

    memcpy(in, &n, sizeof(n));
    return keyed(u, in, sizeof(in));
}

/* Of another length than the counter, so that neither tells anything about the other. */
uint64_t unguessable_hash(const struct unguessable *u, const uint8_t *b, size_t len)
{
    assert(len != sizeof(u->count));
    return keyed(u, b, len);
}

/* A keyed hash of one half for this round; longer than what is hashed for unguessable_next. */
static uint32_t scramble(const struct unguessable *u, uint32_t half, uint32_t round, unsigned bits)
{
    const uint32_t in[3] = {half, round, bits};
    uint8_t bytes[sizeof(in)];

    memcpy(bytes, in, sizeof(in));
    return (uint32_t)unguessable_hash(u, bytes, sizeof(bytes));
}

/* A Feistel network: each round can be undone, whatever the hash is, so no two numbers meet. */
uint32_t unguessable_order(const struct unguessable *u, uint32_t n, unsigned bits)
{
    unsigned half = bits / 2;
    uint32_t mask = (UINT32_C(1) << half) - 1, left = n >> half & mask, right = n & mask;

    assert(bits % 2 == 0 && bits >= 8 && bits <= 32);
    for (uint32_t round = 0; round < 4; round++) {
        uint32_t next = left ^ (scramble(u, right, round, bits) & mask);

        left = right;
        right = next;
    }
    return left << half | right;
}

uint32_t unguessable_below(struct unguessable *u, uint32_t below)
{
    return (uint32_t)((unguessable_next(u) >> 32) * below >> 32);
}
