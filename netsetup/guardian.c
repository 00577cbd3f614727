/*
 * The guardian's life. See guardian.h.
 *
 * It is in a session of its own and deaf to everything that means "stop", so what ends the main
 * process does not end it. When the main process dies, CMD is told to end (SIGTERM), has some time
 * for it, and is ended (SIGKILL); a descriptor of that process (pidfd) rules out that another one
 * is meant. Then the journal's lock makes the guardian wait for a tool that the main process may
 * have left running, and it undoes what this run holds.
 */
#include "guardian.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "command.h"

enum {
    END_MS = 2000, /* how long CMD may take to end by itself */
};

static int open_process(pid_t pid)
{
    return (int)syscall(SYS_pidfd_open, pid, 0);
}

static void signal_process(int pidfd, int number)
{
    syscall(SYS_pidfd_send_signal, pidfd, number, NULL, 0);
}

/* Wait until the process is gone. Whether it is. */
static bool wait_gone(int pidfd, int ms)
{
    struct pollfd p = {.fd = pidfd, .events = POLLIN};

    return poll(&p, 1, ms) == 1;
}

static void end_process(int pidfd)
{
    signal_process(pidfd, SIGTERM);
    signal_process(pidfd, SIGCONT); /* it may be stopped */
    if (wait_gone(pidfd, END_MS))
        return;
    signal_process(pidfd, SIGKILL);
    wait_gone(pidfd, END_MS);
}

/* Read the pipe to its end. The process to end, or -1; and whether nothing is left to do. */
static int listen_to(int fd, bool *ret_done)
{
    int pidfd = -1;
    pid_t pid;
    ssize_t n;

    *ret_done = false;
    for (;;) {
        n = read(fd, &pid, sizeof(pid));
        if (n < 0 && errno == EINTR)
            continue;
        if (n != (ssize_t)sizeof(pid))
            return pidfd;
        if (pid == 0)
            *ret_done = true;
        else
            pidfd = open_process(pid);
    }
}

/* The standard output may be read by somebody who waits for its end. */
static void leave_terminal(void)
{
    int null = open("/dev/null", O_RDWR);
    sigset_t all;

    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    setsid();
    if (null < 0)
        return;
    dup2(null, 0);
    dup2(null, 1);
    if (null > 1)
        close(null);
}

/* Everything else that it needs it opens itself: what it has inherited is the main process's. */
static int guard(struct setup *s, int fd)
{
    struct undo_count count;
    bool done;
    int pidfd = listen_to(fd, &done), code;

    if (done)
        return EXIT_DONE;
    if (pidfd >= 0)
        end_process(pidfd);
    if (netlink_open(&s->nl) < 0)
        return EXIT_FAILED;
    code = take_down(s, &count);
    journal_close(s->journal);
    return code;
}

/* A guardian that is dead by now does not matter here: it is started again, or was not needed. */
static void tell(int pipe, pid_t pid)
{
    ssize_t n = write(pipe, &pid, sizeof(pid));

    (void)n;
}

int guardian_start(const struct setup *s, pid_t cmd, struct guardian *ret)
{
    int fds[2];
    pid_t pid;

    if (pipe2(fds, O_CLOEXEC) < 0)
        return -errno;
    if (cmd)
        tell(fds[1], cmd); /* so that it knows from its first moment */
    pid = fork();
    if (pid == 0) {
        static struct setup own;

        own = *s;
        own.journal = NULL;
        own.quiet = true;
        own.verbose = 0;
        close(fds[1]);
        prctl(PR_SET_NAME, "netsetup-guard");
        leave_terminal();
        _exit(guard(&own, fds[0]));
    }
    close(fds[0]);
    if (pid < 0) {
        close(fds[1]);
        return -errno;
    }
    *ret = (struct guardian){.pid = pid, .pipe = fds[1]};
    return 0;
}

void guardian_guards(const struct guardian *g, pid_t cmd)
{
    if (g)
        tell(g->pipe, cmd);
}

bool guardian_is(const struct guardian *g, pid_t pid)
{
    return g && g->pid == pid;
}

void guardian_end(const struct guardian *g)
{
    if (g->pid < 0)
        return;
    tell(g->pipe, 0);
    close(g->pipe);
    while (waitpid(g->pid, NULL, 0) < 0 && errno == EINTR)
        ;
}
