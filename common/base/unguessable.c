#include "base/unguessable.h"

#include <assert.h>
#include <sodium/crypto_shorthash.h>
#include <string.h>

uint64_t unguessable_next(struct unguessable *u)
{
    uint64_t n = u->count++, hash;
    uint8_t in[sizeof(n)], out[crypto_shorthash_BYTES];

    static_assert(crypto_shorthash_KEYBYTES == UNGUESSABLE_KEY, "the key is SipHash's");
    memcpy(in, &n, sizeof(n));
    crypto_shorthash(out, in, sizeof(in), u->key);
    memcpy(&hash, out, sizeof(hash));
    return hash;
}

uint32_t unguessable_below(struct unguessable *u, uint32_t below)
{
    return (uint32_t)((unguessable_next(u) >> 32) * below >> 32);
}
