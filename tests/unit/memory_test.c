/* Memory that is reserved at start: zeros, and large pages where they pay. */
#include "run/memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "wire_check.h"

enum {
    MIB = 1 << 20,
};

/* Is this byte in a part for which large pages were asked for? */
static bool is_large(const void *at)
{
    char line[512];
    bool inside = false, large = false;
    FILE *f = fopen("/proc/self/smaps", "r");

    assert_non_null(f);
    while (fgets(line, sizeof(line), f)) {
        uintptr_t from, to;

        if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " ", &from, &to) == 2)
            inside = (uintptr_t)at >= from && (uintptr_t)at < to;
        else if (inside && strncmp(line, "VmFlags:", 8) == 0)
            large = strstr(line, " hg") != NULL;
    }
    fclose(f);
    return large;
}

static void test_only_a_large_table_is_in_large_pages(void **state)
{
    uint8_t *mem = memory_reserve(256 * MIB);

    (void)state;
    if (access("/sys/kernel/mm/transparent_hugepage", F_OK) < 0)
        skip();
    assert_non_null(mem);
    memory_large(mem, 7 * MIB);
    assert_false(is_large(mem + 4 * MIB));
    memory_large(mem + 4096, 128 * MIB);
    assert_true(is_large(mem + 32 * MIB));
    assert_false(is_large(mem + 130 * MIB)); /* the rest of it stays as it is */
    assert_int_equal(mem[32 * MIB] | mem[200 * MIB], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_a_large_table_is_in_large_pages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
