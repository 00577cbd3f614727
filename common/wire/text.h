/* Text that grows piece by piece in a buffer of fixed size, is always terminated, and is cut off
 * where the buffer ends. */
#ifndef WIRE_TEXT_H
#define WIRE_TEXT_H

#include <stddef.h>

struct text {
    char *out;
    size_t size; /* bytes of out, at least 1 */
    size_t len;  /* characters so far, under size */
};

/* Begin an empty text in out[size]. */
void text_init(struct text *t, char *out, size_t size);

/* Add what printf would print. */
void text_add(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
