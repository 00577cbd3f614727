/*
 * Character generator (RFC 864): sends lines of 72 printable characters, each beginning one
 * character later, as fast as the remote node takes them, and throws away what it receives.
 *
 * The 95 lines of a whole turn stand ready in one array, and each send refers to all of it. So
 * there is nothing to remember per connection, and nothing is copied. When the remote node closes
 * its side, the generator closes too, behind what is queued.
 */
#ifndef APP_CHARGEN_H
#define APP_CHARGEN_H

#include "app/app.h"

enum {
    CHARGEN_LINE = 74,                              /* bytes: 72 characters, CR, LF */
    CHARGEN_LINES = 95,                             /* as many as there are printable characters */
    CHARGEN_PATTERN = CHARGEN_LINE * CHARGEN_LINES, /* bytes of a whole turn */
};

struct chargen {
    struct app app; /* what a listener is given */
    uint8_t pattern[CHARGEN_PATTERN];
};

void chargen_init(struct chargen *g);

/* Write the pattern of a whole turn. */
void chargen_fill(uint8_t out[CHARGEN_PATTERN]);

#endif
