#include "run/memory.h"

#include <stdint.h>
#include <sys/mman.h>

enum {
    LARGE = 2 << 20,         /* bytes of a large page; where they are larger, this may do nothing */
    LARGE_LEAST = 4 * LARGE, /* bytes for which they are used */
};

void *memory_reserve(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                   -1, 0);

    return p == MAP_FAILED ? NULL : p;
}

void memory_large(void *start, size_t bytes)
{
    uint8_t *at = start;
    size_t skip = (LARGE - (uintptr_t)start % LARGE) % LARGE;

    if (bytes >= LARGE_LEAST)
        (void)madvise(at + skip, (bytes - skip) / LARGE * LARGE, MADV_HUGEPAGE); /* or do without */
}
