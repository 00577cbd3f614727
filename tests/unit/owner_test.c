/*
 * Whose the TUNs shall be, in user namespaces of every kind; each test has a process of its own,
 * because a user namespace is for good.
 */
#include "netsetup/owner.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    DONE,
    FAILED,
    NOT_HERE, /* this machine does not let us try */
};

static bool invoking_is(const char *sudo_uid, int64_t want)
{
    int64_t got;

    if (sudo_uid)
        setenv("SUDO_UID", sudo_uid, 1);
    else
        unsetenv("SUDO_UID");
    got = owner_invoking();
    if (got != want)
        print_error("SUDO_UID=%s: %lld, expected %lld\n", sudo_uid ? sudo_uid : "(not set)",
                    (long long)got, (long long)want);
    return got == want;
}

static int through_sudo(void)
{
    if (geteuid() != 0 || seteuid(1) < 0 || seteuid(0) < 0)
        return NOT_HERE; /* there is only one user here */
    return invoking_is(NULL, 0) && invoking_is("1", 1) && invoking_is("0", 0) &&
                   invoking_is("", 0) && invoking_is("-1", 0) && invoking_is("1x", 0) &&
                   invoking_is("4294967295", 0) && invoking_is("99999999999999999999", 0)
               ? DONE
               : FAILED;
}

/* An ordinary user may write what he likes into his environment. */
static int without_sudo(void)
{
    if (geteuid() == 0 && setresuid(1, 1, 1) < 0)
        return NOT_HERE;
    return invoking_is("0", (int64_t)getuid()) && invoking_is("2", (int64_t)getuid()) ? DONE
                                                                                      : FAILED;
}

/* Root of a namespace of one user: whoever called sudo outside does not exist in it. */
static int in_a_namespace(void)
{
    char map[32];
    int fd, len = snprintf(map, sizeof(map), "0 %u 1", (unsigned)geteuid());

    if (unshare(CLONE_NEWUSER) < 0)
        return NOT_HERE;
    fd = open("/proc/self/uid_map", O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, map, (size_t)len) != len)
        return NOT_HERE;
    close(fd);
    return invoking_is("1", 0) && invoking_is("0", 0) ? DONE : FAILED;
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
    if (WEXITSTATUS(status) == NOT_HERE)
        skip();
    assert_int_equal(WEXITSTATUS(status), DONE);
}

static void whoever_called_sudo(void **state)
{
    (void)state;
    in_child(through_sudo);
}

static void only_root_is_believed(void **state)
{
    (void)state;
    in_child(without_sudo);
}

static void nobody_whom_the_namespace_does_not_know(void **state)
{
    (void)state;
    in_child(in_a_namespace);
}

static void names_and_numbers(void **state)
{
    int64_t id = -7;

    (void)state;
    assert_int_equal(owner_named("root", &id), 0);
    assert_int_equal(id, 0);
    assert_int_equal(owner_named("4321", &id), 0);
    assert_int_equal(id, 4321);
    assert_int_equal(owner_named("no such user", &id), -ENOENT);
    assert_int_equal(owner_named("", &id), -ENOENT);
    assert_int_equal(owner_named("-1", &id), -ENOENT);
    assert_int_equal(owner_named("4294967295", &id), -ENOENT);
    assert_int_equal(id, 4321); /* untouched on failure */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whoever_called_sudo),
        cmocka_unit_test(only_root_is_believed),
        cmocka_unit_test(nobody_whom_the_namespace_does_not_know),
        cmocka_unit_test(names_and_numbers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
