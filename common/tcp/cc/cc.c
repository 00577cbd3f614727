#include "tcp/cc/cc.h"

#include <stddef.h>
#include <string.h>

#include "base/bytes.h"

static const struct cc_ops *const modules[] = {
    &cc_cubic,
    &cc_reno,
    &cc_bbr,

    &cc_fixed,
};

enum {
    MODULES = sizeof(modules) / sizeof(modules[0]),
};

const struct cc_ops *cc_find(const char *name)
{
    for (unsigned i = 0; i < MODULES; i++)
        if (strcmp(modules[i]->name, name) == 0)
            return modules[i];
    return NULL;
}

const struct cc_ops *cc_next(const struct cc_ops *after)
{
    unsigned i = 0;

    while (after && i < MODULES && modules[i++] != after)
        continue;
    return i < MODULES ? modules[i] : NULL;
}

uint32_t cc_initial_window(uint32_t mss)
{
    return min32(10 * mss, max32(2 * mss, 14600));
}
