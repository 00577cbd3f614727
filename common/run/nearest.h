/*
 * A name that is nearly right: what somebody may have meant who typed another one.
 */
#ifndef RUN_NEAREST_H
#define RUN_NEAREST_H

#include <stddef.h>

/*
 * Of the names name_at(arg, 0), name_at(arg, 1), ... up to NULL, the one that the `len` bytes at
 * `name` begin, or that a slip or two turn them into; NULL: none is near.
 */
const char *nearest_name(const char *name, size_t len,
                         const char *(*name_at)(const void *arg, unsigned i), const void *arg);

#endif
