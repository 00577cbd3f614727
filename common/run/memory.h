/*
 * Memory that is reserved at start and becomes real page by page as it is touched. It is full of
 * zeros, aligned to a page, and lives until the program ends.
 */
#ifndef RUN_MEMORY_H
#define RUN_MEMORY_H

#include <stddef.h>

/* Returns NULL if the system refuses even the reservation. */
void *memory_reserve(size_t bytes);

/*
 * This part of it will be used as a whole, and read in no order: in large pages, if the system has
 * any, a processor finds its way there faster. Only whole large pages inside are meant, and nothing
 * is done where their size would be much beside what is used.
 */
void memory_large(void *start, size_t bytes);

#endif
