#include "run/memory.h"

#include <sys/mman.h>

/*
 * From here on a reservation is for so many connections that small pages would cost more than their
 * memory: each segment would wait for the processor to find out where some pages are. A page is 2
 * MiB then, which does not show in so much; for less it would.
 */
static const size_t huge_from = (size_t)256 << 20; /* bytes */

void *memory_reserve(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                   -1, 0);

    if (p == MAP_FAILED)
        return NULL;
    if (bytes >= huge_from)
        (void)madvise(p, bytes, MADV_HUGEPAGE); /* where there are none, small ones do */
    return p;
}
