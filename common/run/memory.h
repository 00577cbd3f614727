/*
 * Memory that is reserved at start and becomes real page by page as it is touched. It is full of
 * zeros, aligned to a page, and lives until the program ends.
 */
#ifndef RUN_MEMORY_H
#define RUN_MEMORY_H

#include <stddef.h>

/* Returns NULL if the system refuses even the reservation. */
void *memory_reserve(size_t bytes);

#endif
