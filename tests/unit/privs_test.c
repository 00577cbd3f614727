/*
 * Giving up privileges, seen from the kernel's side: /proc/self/status of a process that did. What
 * is dropped does not come back, so each test has a process of its own.
 */
#include "run/privs.h"

#include <inttypes.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    DONE,
    FAILED,
    NO_PRIVILEGES, /* there is nothing here that could be dropped */
};

/* The number behind `name` in /proc/self/status, which is base 16 for sets of capabilities. */
static uint64_t status_field(const char *name, int base)
{
    FILE *f = fopen("/proc/self/status", "re");
    char line[256];
    uint64_t value = UINT64_MAX;

    while (f && fgets(line, sizeof(line), f)) {
        size_t len = strlen(name);

        if (strncmp(line, name, len) == 0 && line[len] == ':')
            value = strtoumax(line + len + 1, NULL, base);
    }
    if (f)
        fclose(f);
    return value;
}

/* True, and the process goes on, if `got` is what it should be. */
static bool is(const char *what, uint64_t got, uint64_t want)
{
    if (got != want)
        print_error("%s is %" PRIx64 ", expected %" PRIx64 "\n", what, got, want);
    return got == want;
}

static int drop_all(void)
{
    if (status_field("CapEff", 16) == 0 && unshare(CLONE_NEWUSER) < 0)
        return NO_PRIVILEGES;
    if (!is("what privs_drop says", (uint64_t)-privs_drop(), 0))
        return FAILED;
    return is("CapEff", status_field("CapEff", 16), 0) &&
                   is("CapPrm", status_field("CapPrm", 16), 0) &&
                   is("CapInh", status_field("CapInh", 16), 0) &&
                   is("CapBnd", status_field("CapBnd", 16), 0) &&
                   is("NoNewPrivs", status_field("NoNewPrivs", 10), 1)
               ? DONE
               : FAILED;
}

/* Once more, where nothing is left: what an ordinary user does. */
static int drop_nothing(void)
{
    int r = drop_all();

    if (r != DONE)
        return r;
    return is("the second time", (uint64_t)-privs_drop(), 0) &&
                   is("NoNewPrivs", status_field("NoNewPrivs", 10), 1)
               ? DONE
               : FAILED;
}

/* Run it in a process of its own. */
static void in_child(int (*run)(void))
{
    pid_t child = fork();
    int status;

    assert_true(child >= 0);
    if (child == 0)
        _exit(run());
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == NO_PRIVILEGES)
        skip();
    assert_int_equal(WEXITSTATUS(status), DONE);
}

static void nothing_is_left(void **state)
{
    (void)state;
    in_child(drop_all);
}

static void nothing_to_drop_is_no_error(void **state)
{
    (void)state;
    in_child(drop_nothing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_left),
        cmocka_unit_test(nothing_to_drop_is_no_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
