/* What netsetup says on standard error: one line for each fact. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "run/self.h"
#include "setup.h"

const char *say_self(void)
{
    static char call[SELF_MAX];

    return self_call("netsetup", call);
}

int say_error(int code, const char *format, ...)
{
    va_list ap;

    fputs("netsetup: ", stderr);
    va_start(ap, format);
    vfprintf(stderr, format, ap);
    va_end(ap);
    fputc('\n', stderr);
    return code;
}

void say_note(const struct setup *s, const char *format, ...)
{
    va_list ap;

    if (s->quiet)
        return;
    fputs("netsetup: ", stderr);
    va_start(ap, format);
    vfprintf(stderr, format, ap);
    va_end(ap);
    fputc('\n', stderr);
}

int say_code(int error)
{
    return error == -EPERM || error == -EACCES || error == -EROFS ? EXIT_PRIVILEGE : EXIT_FAILED;
}
