/*
 * Text that grows piece by piece in a lent array, is always terminated, and is cut off where the
 * array ends.
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

struct text {
    char *out;
    size_t size; /* bytes of out, at least 1 */
    size_t len;  /* characters so far, under size */
    bool cut;    /* something did not fit: everything from there on is missing */
};

/* Begin an empty text in out[size]. */
void text_init(struct text *t, char *out, size_t size);

/* Add what printf would print. */
void text_add(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Characters that still fit. */
static inline size_t text_room(const struct text *t)
{
    return t->size - t->len - 1;
}

#endif
