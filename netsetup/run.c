/*
 * `netsetup run -- CMD`: set up, run CMD, take down, whatever dies on the way.
 *
 * On the machine itself there are three processes. The main one, which the caller waits for, sets
 * up, starts CMD, passes signals on to it, waits, and takes down. The guardian (guardian.c) is
 * started before anything is changed and does nothing until the main one is dead: then it ends CMD
 * and takes down in its stead. If it is the guardian that dies, the main one starts another.
 *
 * CMD gets the signals that a terminal sends because it is in the terminal's foreground process
 * group, as we are; so these are not passed on, and Ctrl-Z stops both. Every other signal that we
 * get is meant for CMD. Without a terminal CMD is a process group of its own, so that a signal
 * which somebody sends to our whole group reaches it once, not twice. CMD may have ended before we
 * come to look at a signal: then it is forgotten, for it must not end us in CMD's stead.
 *
 * With --rootless we first move into a network of our own (private.c); there is nothing to take
 * down then, because all of it vanishes with its last process, and we see to it that this is so.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "command.h"
#include "exec.h"
#include "guardian.h"
#include "holder.h"
#include "owner.h"
#include "private.h"

enum {
    CODE_CANNOT_RUN = 126, /* CMD is there and cannot be run; these two as other such tools have */
    CODE_NOT_FOUND = 127,
    CODE_SIGNAL = 128, /* and the number of the signal that ended it */
};

/* What is passed on, and what we wait with. */
static const int passed_on[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2};

static void watched_signals(sigset_t *ret)
{
    sigemptyset(ret);
    sigaddset(ret, SIGCHLD);
    for (size_t i = 0; i < sizeof(passed_on) / sizeof(passed_on[0]); i++)
        sigaddset(ret, passed_on[i]);
}

/* ---- CMD ---- */

/* Whether a terminal controls us, which sends its signals to CMD itself. */
static bool has_terminal(void)
{
    int fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);

    if (fd < 0)
        return false;
    close(fd);
    return true;
}

/* Root runs CMD as the one whose the TUNs are: it needs no more. 0 or a negative errno. */
static int become_owner(const struct setup *s)
{
    const struct passwd *pw;
    uid_t uid = (uid_t)(s->lab.owner >= 0 ? s->lab.owner : owner_invoking());

    if (s->rootless || geteuid() != 0 || uid == 0)
        return 0;
    pw = getpwuid(uid);
    if ((pw ? initgroups(pw->pw_name, pw->pw_gid) : setgroups(0, NULL)) < 0 ||
        setresgid(pw ? pw->pw_gid : uid, pw ? pw->pw_gid : uid, pw ? pw->pw_gid : uid) < 0 ||
        setresuid(uid, uid, uid) < 0)
        return -errno;
    return 0;
}

/* In the child: become CMD. Returns only to say why not. */
static int become_command(const struct setup *s)
{
    const char *name = s->command[0];
    sigset_t none;
    int r = s->rootless ? private_enter_child() : become_owner(s);

    if (r < 0)
        return say_error(CODE_CANNOT_RUN, "cannot run %s: %s", name, strerror(-r));
    sigemptyset(&none);
    signal(SIGPIPE, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execvpe(name, s->command, exec_callers_environment());
    if (errno == ENOENT)
        return say_error(CODE_NOT_FOUND, "cannot run %s: there is no such program", name);
    return say_error(CODE_CANNOT_RUN, "cannot run %s: %s", name, strerror(errno));
}

/* Which signal has told us to stop while we set up; 0 if none has. */
static int told_to_stop(void)
{
    static const int stop[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    sigset_t pending;

    sigpending(&pending);
    for (size_t i = 0; i < sizeof(stop) / sizeof(stop[0]); i++)
        if (sigismember(&pending, stop[i]))
            return stop[i];
    return 0;
}

/* Start CMD; its process, or a negative errno. */
static pid_t start_command(const struct setup *s, struct guardian *g)
{
    bool own_group = !has_terminal();
    pid_t pid = fork();

    if (pid == 0) {
        if (own_group)
            setpgid(0, 0);
        guardian_guards(g, getpid());
        _exit(become_command(s));
    }
    return pid < 0 ? -errno : pid;
}

/* ---- waiting ---- */

/* Take what has ended. Whether CMD has, and how. */
static bool reap(const struct setup *s, pid_t cmd, struct guardian *g, int *ret_code)
{
    bool ended = false;
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (pid == cmd) {
            *ret_code = WIFEXITED(status) ? WEXITSTATUS(status) : CODE_SIGNAL + WTERMSIG(status);
            ended = true;
        } else if (guardian_is(g, pid) && !ended) {
            close(g->pipe);
            if (guardian_start(s, cmd, g) < 0)
                *g = (struct guardian){.pid = -1, .pipe = -1}; /* then we do without */
        }
    }
    return ended;
}

/* What has come by now was for CMD, which has ended. What comes from now on is for us. */
static void forget_signals(void)
{
    const struct timespec at_once = {0};
    sigset_t watched;

    watched_signals(&watched);
    while (sigtimedwait(&watched, NULL, &at_once) > 0)
        ;
}

/* Pass signals on until CMD has ended. How it ended, as an exit code. */
static int wait_for(const struct setup *s, pid_t cmd, struct guardian *g, int signals)
{
    int code = EXIT_FAILED;

    while (!reap(s, cmd, g, &code)) {
        struct signalfd_siginfo info;

        if (read(signals, &info, sizeof(info)) != (ssize_t)sizeof(info))
            continue;
        if (info.ssi_signo != SIGCHLD && info.ssi_code != SI_KERNEL)
            kill(cmd, (int)info.ssi_signo);
    }
    forget_signals();
    return code;
}

static int run_watched(struct setup *s, struct guardian *g)
{
    int signals, code, stop = told_to_stop();
    sigset_t watched;
    pid_t cmd;

    if (stop) {
        say_note(s, "told to stop meanwhile: %s is not started", s->command[0]);
        return CODE_SIGNAL + stop;
    }
    watched_signals(&watched);
    signals = signalfd(-1, &watched, SFD_CLOEXEC);
    cmd = signals < 0 ? -errno : start_command(s, g);
    if (cmd < 0)
        code = say_error(EXIT_FAILED, "cannot run %s: %s", s->command[0], strerror(-cmd));
    else
        code = wait_for(s, cmd, g, signals);
    if (signals >= 0)
        close(signals);
    return code;
}

/* ---- both ways ---- */

/* Set up, and let go of the journal: CMD may well be a netsetup. */
static int begin(struct setup *s)
{
    unsigned changes = 0;
    int code = bring_up(s, &changes);

    journal_close(s->journal);
    s->journal = NULL;
    if (code)
        return code;
    if (s->verbose)
        say_note(s, "up: %u changes; running %s", changes, s->command[0]);
    note_all(s);
    return EXIT_DONE;
}

static int run_here(struct setup *s)
{
    struct undo_count count;
    struct guardian g;
    int code = need_privilege("run"), down;

    if (code)
        return code;
    holder_of_run(s->holder);
    code = guardian_start(s, 0, &g);
    if (code < 0)
        return say_error(EXIT_FAILED, "cannot start a process: %s", strerror(-code));
    code = begin(s);
    if (!code)
        code = run_watched(s, &g);
    down = take_down(s, &count);
    guardian_end(&g);
    return code ? code : down;
}

static int run_private(struct setup *s)
{
    int code = private_enter(s);

    if (!code)
        code = begin(s);
    if (!code)
        code = private_guard();
    return code ? code : run_watched(s, NULL);
}

int command_run(struct setup *s)
{
    sigset_t watched;

    watched_signals(&watched);
    sigprocmask(SIG_BLOCK, &watched, NULL);
    return s->rootless ? run_private(s) : run_here(s);
}
