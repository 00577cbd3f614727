/*
 * Running a program with posix_spawnp. The child inherits the signal mask on purpose: while a
 * change is under way, signals that a terminal sends to the whole process group must not end the
 * tool that performs it.
 */
#include "exec.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char system_folders[] = "/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin";

static char **callers; /* the pointers are kept; setenv() leaves the strings alone */

static void keep_environment(void)
{
    size_t n = 0;

    if (callers)
        return; /* the second time is not the caller's any more */
    while (environ && environ[n])
        n++;
    callers = calloc(n + 1, sizeof(*callers));
    if (callers && n)
        memcpy(callers, environ, n * sizeof(*callers));
}

char **exec_callers_environment(void)
{
    return callers ? callers : environ;
}

void exec_environment(void)
{
    const char *path = secure_getenv("PATH");
    char *joined;

    keep_environment();
    setenv("LC_ALL", "C", 1);
    if (!path || !*path) {
        setenv("PATH", system_folders, 1);
    } else if (asprintf(&joined, "%s:%s", path, system_folders) >= 0) {
        setenv("PATH", joined, 1);
        free(joined);
    }
}

/* Start argv with `fd` as its output. 0 and *ret_pid, or a negative errno. */
static int start(const char *const argv[], int fd, pid_t *ret_pid)
{
    posix_spawn_file_actions_t actions;
    int r = posix_spawn_file_actions_init(&actions);

    if (r)
        return -r;
    r = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    if (!r)
        r = posix_spawn_file_actions_adddup2(&actions, fd, 1);
    if (!r)
        r = posix_spawn_file_actions_adddup2(&actions, fd, 2);
    if (!r) /* the cast adds no right: posix_spawn does not write to argv */
        r = posix_spawnp(ret_pid, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    return r == EACCES ? -ENOENT : -r; /* EACCES: PATH holds a folder that may not be searched */
}

/* Read `fd` to its end; what does not fit is read and dropped, so that the writer never blocks. */
static void read_all(int fd, char *out, size_t size)
{
    char rest[512];
    size_t used = 0;

    for (;;) {
        bool room = used + 1 < size;
        ssize_t n = room ? read(fd, out + used, size - 1 - used) : read(fd, rest, sizeof(rest));

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        if (room)
            used += (size_t)n;
    }
    if (size)
        out[used] = '\0';
}

int exec_run(const char *const argv[], char *out, size_t size)
{
    int fds[2], status = 0, r;
    pid_t pid;

    if (pipe2(fds, O_CLOEXEC) < 0)
        return -errno;
    r = start(argv, fds[1], &pid);
    close(fds[1]);
    if (r == 0) {
        read_all(fds[0], out, size);
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
            ;
        r = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
    close(fds[0]);
    return r;
}
