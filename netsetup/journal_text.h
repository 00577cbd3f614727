/* The journal's text: operations as JSON and back. */
#ifndef NETSETUP_JOURNAL_TEXT_H
#define NETSETUP_JOURNAL_TEXT_H

#include <jansson.h>

#include "journal.h"

/* A new JSON object, or NULL without memory. */
json_t *journal_to_json(const struct journal *j);

/*
 * Fill j->op from a journal's JSON: 0; -ESTALE when it is about another namespace than j->netns;
 * -EBADMSG when it is not a journal that we understand. j->op is empty then.
 */
int journal_from_json(struct journal *j, const json_t *root);

#endif
