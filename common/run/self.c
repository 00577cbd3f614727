#include "run/self.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const char *self_name = "";
static const char *self_typed = "";

void self_is(const char *name, const char *typed)
{
    self_name = name;
    self_typed = typed ? typed : "";
}

/*
 * Bytes of the typed word in front of the program's name: "build/bin/" or "twintun-". -1: it does
 * not end with the name as a word of its own, as through a link with another name.
 */
static int self_prefix(void)
{
    size_t typed = strlen(self_typed), name = strlen(self_name);
    size_t prefix = typed - name;

    if (typed < name || name == 0 || strcmp(self_typed + prefix, self_name) != 0)
        return -1;
    return prefix && isalnum((unsigned char)self_typed[prefix - 1]) ? -1 : (int)prefix;
}

const char *self_call(const char *program, char out[SELF_MAX])
{
    bool own = strcmp(program, self_name) == 0 && *self_typed;
    int prefix = own ? 0 : self_prefix(), n;

    n = snprintf(out, SELF_MAX, "%.*s%s", prefix < 0 ? 0 : prefix, self_typed,
                 own ? self_typed : program);
    if (n >= SELF_MAX)
        snprintf(out, SELF_MAX, "%s", program);
    return out;
}
