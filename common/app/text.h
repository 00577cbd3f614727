/* Text built piece by piece into a lent array; what does not fit is left out, and said so. */
#ifndef APP_TEXT_H
#define APP_TEXT_H

#include <stdbool.h>
#include <stddef.h>

struct text {
    char *out;
    size_t len;  /* bytes so far, without the final zero */
    size_t size; /* bytes of out */
    bool cut;    /* something did not fit: everything from there on is missing */
};

/* Begin an empty text in out[size]; size is at least 1. */
void text_begin(struct text *t, char *out, size_t size);
/* Append; a piece is there whole or not at all. */
void text_add(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Bytes that still fit. */
static inline size_t text_room(const struct text *t)
{
    return t->size - t->len - 1;
}

#endif
