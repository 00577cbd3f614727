/*
 * For tests of what prints lines (app/lines.h) on a real stack: all that is there to be shown, in
 * `text`.
 */
#ifndef TESTS_UNIT_LINES_KIT_H
#define TESTS_UNIT_LINES_KIT_H

#include "app/lines.h"
#include "udp_kit.h"

static char text[2 * LINES_MAX];

static inline const char *lines_shown(struct lines *l)
{
    struct slice s;
    size_t n = 0;

    while (l->console.ops->pull(&l->console, rig.st, &s) > 0) {
        memcpy(text + n, s.base, s.len);
        n += s.len;
    }
    text[n] = '\0';
    return text;
}

#endif
