#include "base/text.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

void text_init(struct text *t, char *out, size_t size)
{
    assert(size > 0);
    *t = (struct text){.out = out, .size = size};
    out[0] = '\0';
}

void text_add(struct text *t, const char *format, ...)
{
    size_t left = t->size - t->len;
    va_list args;
    int n;

    if (t->cut)
        return;
    va_start(args, format);
    n = vsnprintf(t->out + t->len, left, format, args);
    va_end(args);
    t->cut = n < 0 || (size_t)n >= left;
    if (n >= 0)
        t->len += t->cut ? left - 1 : (size_t)n;
    else
        t->out[t->len] = '\0'; /* printf may have written a part before it refused */
}
