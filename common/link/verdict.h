/*
 * What an impaired path has decided about the packet that a device has just read or written, for
 * the wrappers above it that show packets (link/printer, link/capture).
 */
#ifndef LINK_VERDICT_H
#define LINK_VERDICT_H

#include <stddef.h>
#include <stdint.h>

#include "wire/reason.h"

enum {
    VERDICT_REASONS = 6, /* that can hold for one packet */
    VERDICT_TEXT = 160,  /* bytes of a line */
};

struct verdict {
    enum reason why[VERDICT_REASONS];
    unsigned n;
    int64_t late; /* ns, with REASON_IMPAIR_DELAYED */
    uint32_t bit; /* from the packet's first, with REASON_IMPAIR_CORRUPTED */
};

/* Number i of v->n as a line for people: "impair.delayed: ... (...)". Returns out. */
const char *verdict_line(const struct verdict *v, unsigned i, char out[VERDICT_TEXT]);

#endif
