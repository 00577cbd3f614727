#include "app/text.h"

#include <stdarg.h>
#include <stdio.h>

void text_begin(struct text *t, char *out, size_t size)
{
    *t = (struct text){.out = out, .size = size};
    out[0] = '\0';
}

void text_add(struct text *t, const char *format, ...)
{
    va_list ap;
    int n;

    if (t->cut)
        return;
    va_start(ap, format);
    n = vsnprintf(t->out + t->len, t->size - t->len, format, ap);
    va_end(ap);
    if (n < 0 || (size_t)n >= t->size - t->len) {
        t->out[t->len] = '\0';
        t->cut = true;
        return;
    }
    t->len += (size_t)n;
}
