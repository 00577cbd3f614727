/* Who needs a change: names, who is dead, and that the last one to go is noticed. */
#include "netsetup/holder.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

static void a_run_is_its_process(void **state)
{
    char name[HOLDER_MAX], text[HOLDER_MAX];

    (void)state;
    holder_of_run(name);
    assert_int_equal(holder_pid(name), getpid());
    assert_false(holder_is_gone(name));
    assert_non_null(strstr(holder_text(name, text), "process"));
    assert_int_equal(holder_pid(LAB_NAME), 0);
    assert_false(holder_is_gone(LAB_NAME));
}

/* The name of a child that is dead by now. */
static void name_of_dead(char out[HOLDER_MAX])
{
    int fds[2];
    pid_t pid;

    assert_int_equal(pipe(fds), 0);
    pid = fork();
    if (pid == 0) {
        holder_of_run(out);
        _exit(write(fds[1], out, HOLDER_MAX) == HOLDER_MAX ? 0 : 1);
    }
    assert_int_equal(read(fds[0], out, HOLDER_MAX), HOLDER_MAX);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    close(fds[0]);
    close(fds[1]);
}

static void the_dead_hold_nothing(void **state)
{
    char dead[HOLDER_MAX], again[HOLDER_MAX];
    unsigned long long space;
    struct op op = {0};
    int pid;

    (void)state;
    name_of_dead(dead);
    assert_true(holder_is_gone(dead));
    assert_int_equal(op_hold(&op, dead), 0);
    assert_int_equal(op_hold(&op, LAB_NAME), 0);
    assert_true(op_release_gone(&op));
    assert_false(op_release_gone(&op));
    assert_int_equal(op.holders, 1);
    assert_true(op_is_held_by(&op, LAB_NAME));

    /* our number, but another start: the number was used again */
    assert_int_equal(sscanf(dead, "run %d %*s %llu", &pid, &space), 2);
    snprintf(again, sizeof(again), "run %d 1 %llu", getpid(), space);
    assert_true(holder_is_gone(again));
    /* of another process namespace nobody can tell */
    snprintf(again, sizeof(again), "run %d 1 %llu", pid, space + 1);
    assert_false(holder_is_gone(again));
}

static void each_holds_once(void **state)
{
    struct op op = {0};
    char name[HOLDER_MAX];

    (void)state;
    assert_int_equal(op_hold(&op, "a"), 0);
    assert_int_equal(op_hold(&op, "a"), 0);
    assert_int_equal(op.holders, 1);
    for (unsigned i = 1; i < HOLDERS_MAX; i++) {
        snprintf(name, sizeof(name), "n%u", i);
        assert_int_equal(op_hold(&op, name), 0);
    }
    assert_int_equal(op_hold(&op, "one too many"), -E2BIG);
    assert_int_equal(op_hold(&op, "a"), 0);
    assert_true(op_release(&op, "a"));
    assert_false(op_release(&op, "a"));
    assert_int_equal(op.holders, HOLDERS_MAX - 1);
    assert_true(op_is_held_by(&op, name));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_is_its_process),
        cmocka_unit_test(the_dead_hold_nothing),
        cmocka_unit_test(each_holds_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
