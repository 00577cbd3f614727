/* Running other programs: their exit codes, their words, and no shell in between. */
#include "netsetup/exec.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

static char out[64];

static int run(const char *a, const char *b, const char *c)
{
    const char *argv[] = {a, b, c, NULL};

    memset(out, 'x', sizeof(out));
    return exec_run(argv, out, sizeof(out));
}

static void exit_codes(void **state)
{
    (void)state;
    assert_int_equal(run("true", NULL, NULL), 0);
    assert_string_equal(out, "");
    assert_int_equal(run("sh", "-c", "exit 3"), 3);
    assert_int_equal(run("sh", "-c", "kill -9 $$"), 128 + SIGKILL);
    assert_int_equal(run("no-such-program-anywhere", NULL, NULL), -ENOENT);
}

static void words(void **state)
{
    (void)state;
    assert_int_equal(run("sh", "-c", "echo out; echo err >&2"), 0);
    assert_string_equal(out, "out\nerr\n");
    assert_int_equal(run("printf", "%s", "$HOME; `id` * \""), 0);
    assert_string_equal(out, "$HOME; `id` * \"");
    assert_int_equal(run("cat", NULL, NULL), 0); /* nothing on its standard input */
    assert_string_equal(out, "");
}

/* More than there is room for, and more than a pipe holds. */
static void too_many_words(void **state)
{
    (void)state;
    assert_int_equal(run("sh", "-c", "head -c 300000 /dev/zero | tr '\\0' a; exit 7"), 7);
    assert_int_equal(strlen(out), sizeof(out) - 1);
}

static void environment(void **state)
{
    (void)state;
    setenv("PATH", "/nowhere", 1);
    setenv("LC_ALL", "de_DE.UTF-8", 1);
    exec_environment();
    assert_int_equal(run("sh", "-c", "echo $LC_ALL"), 0);
    assert_string_equal(out, "C\n");
    unsetenv("PATH");
    exec_environment();
    assert_int_equal(run("true", NULL, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exit_codes),
        cmocka_unit_test(words),
        cmocka_unit_test(too_many_words),
        cmocka_unit_test(environment),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
