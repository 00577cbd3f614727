#include "app/lines.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

void lines_add(struct lines *l, const char *format, ...)
{
    char piece[LINES_PIECE];
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(piece, sizeof(piece), format, args);
    va_end(args);
    if (n < 0 || n >= LINES_PIECE || (uint32_t)n > LINES_MAX - l->len) {
        l->lost++;
        return;
    }
    memcpy(l->text[l->filled] + l->len, piece, (size_t)n);
    l->len += (uint32_t)n;
}

static void lines_event(struct app *a, struct stack *st, const struct stack_event *ev)
{
    (void)a;
    (void)st;
    (void)ev;
}

static bool lines_wants(struct console *c)
{
    (void)c;
    return false;
}

static void lines_push(struct console *c, struct stack *st, struct slice s)
{
    (void)c;
    (void)st;
    buf_unref(s.buf);
}

static void lines_end(struct console *c, struct stack *st)
{
    (void)c;
    (void)st;
}

/* What was added since the last pull. */
static int lines_pull(struct console *c, struct stack *st, struct slice *ret_slice)
{
    struct lines *l = (struct lines *)(void *)((char *)c - offsetof(struct lines, console));
    uint32_t len = l->len;

    (void)st;
    if (len == 0)
        return -EAGAIN;
    *ret_slice = (struct slice){NULL, (const uint8_t *)l->text[l->filled], len};
    l->filled = !l->filled;
    l->len = 0;
    return (int)len;
}

void lines_init(struct lines *l)
{
    static const struct app_ops app = {"lines", lines_event};
    static const struct console_ops console = {lines_wants, lines_push, lines_end, lines_pull};

    l->app.ops = &app;
    l->console.ops = &console;
    l->filled = l->len = 0;
    l->lost = 0;
}
