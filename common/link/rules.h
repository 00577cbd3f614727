/*
 * The words of --impair, "delay 20ms 5ms, loss 1%; in: drop syn-ack 2", turned into the paths of
 * both directions. docs/impair.md has the grammar; the table in rules.c is what it is read by, and
 * what --help prints.
 */
#ifndef LINK_RULES_H
#define LINK_RULES_H

#include <stddef.h>

#include "link/path.h"

enum impair_direction {
    IMPAIR_OUT, /* what the node sends */
    IMPAIR_IN,  /* what it is sent */
    IMPAIR_DIRECTIONS,
};

enum {
    RULES_TEXT = 1024, /* bytes of all rules together */
    RULES_WHY = 160,   /* bytes of what is said about a wrong one */
};

struct rules {
    struct path_config path[IMPAIR_DIRECTIONS];
    bool silent[IMPAIR_DIRECTIONS]; /* what is too large is not answered */
};

/*
 * Read `text`. 0, or -EINVAL with the reason in why[RULES_WHY]: the word that is wrong, and what is
 * expected in its place.
 */
int rules_parse(const char *text, struct rules *ret_rules, char *why);

/* Line number i of a table of all rules for people: how one is written, and what it does; NULL
 * behind the last. */
const char *rules_usage(unsigned i, const char **ret_help);

#endif
