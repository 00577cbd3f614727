/*
 * Numbers that nobody outside can guess, however many he has seen: SipHash-2-4 of a counter under a
 * secret key. For what protects by being unknown, such as port numbers (RFC 6056) and the
 * identification of packets (RFC 7739). The same key and start give the same numbers, so that a
 * simulation can be repeated.
 */
#ifndef BASE_UNGUESSABLE_H
#define BASE_UNGUESSABLE_H

#include <stddef.h>
#include <stdint.h>

enum {
    UNGUESSABLE_KEY = 16, /* bytes */
};

struct unguessable {
    uint8_t key[UNGUESSABLE_KEY];
    uint64_t count; /* of the next number */
};

uint64_t unguessable_next(struct unguessable *u);

/* A keyed hash of b[0..len), len not 8: the same for the same bytes. */
uint64_t unguessable_hash(const struct unguessable *u, const uint8_t *b, size_t len);

/* A number in 0 .. below - 1; below must not be 0. */
uint32_t unguessable_below(struct unguessable *u, uint32_t below);

/*
 * The n'th number of `bits` bits (even, 8 to 32) in an order that nobody outside can guess, and in
 * which none comes twice before all have come: n, enciphered.
 */
uint32_t unguessable_order(const struct unguessable *u, uint32_t n, unsigned bits);

#endif
