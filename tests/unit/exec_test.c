/* Running other programs: their exit codes, their words, and no shell in between. */
#include "netsetup/exec.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

/* A program that this user may not run is as good as none: another may still be missing. */
static void not_to_be_run(void **state)
{
    char dir[] = "/tmp/exec-test-XXXXXX", file[64];
    char *path = strdup(getenv("PATH"));
    FILE *f;

    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(file, sizeof(file), "%s/not-to-be-run", dir);
    f = fopen(file, "w");
    assert_non_null(f);
    fclose(f);
    setenv("PATH", dir, 1);
    assert_int_equal(run("not-to-be-run", NULL, NULL), -ENOENT);
    setenv("PATH", path, 1);
    free(path);
    assert_int_equal(unlink(file) + rmdir(dir), 0);
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
        cmocka_unit_test(exit_codes),     cmocka_unit_test(not_to_be_run), cmocka_unit_test(words),
        cmocka_unit_test(too_many_words), cmocka_unit_test(environment),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
