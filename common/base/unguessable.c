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

uint32_t unguessable_below(struct unguessable *u, uint32_t below)
{
    return (uint32_t)((unguessable_next(u) >> 32) * below >> 32);
}
