/*
 * Namespaces. See private.h.
 *
 * The order matters. A user namespace gives the rights that the others need. /run becomes empty and
 * ours, so that the journal and the lock of iptables lie there and vanish, too; what belongs to the
 * user's session stays visible. The process namespace comes last, because all that netsetup itself
 * starts must be over by then: its first child is what the kernel takes for "init", with which all
 * others end. That child does nothing but wait, and dies with us.
 */
#include "private.h"

#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "device.h"

/* ---- why not ---- */

static bool sysctl_is(const char *name, const char *value)
{
    char now[SYSCTL_VALUE_MAX];

    return sysctl_read(name, now) == 0 && strcmp(now, value) == 0;
}

static int report(const char *what, int error)
{
    if (sysctl_is("user/max_user_namespaces", "0"))
        return say_error(EXIT_PRIVILEGE,
                         "%s: this system allows no user namespaces: user.max_user_namespaces is "
                         "0; as root: sysctl -w user.max_user_namespaces=10000",
                         what);
    if (error == -ENOSPC)
        return say_error(EXIT_PRIVILEGE,
                         "%s: there are too many namespaces already; as root, see "
                         "user.max_user_namespaces, user.max_net_namespaces and their like: "
                         "sysctl -a --pattern '^user.max'",
                         what);
    if (sysctl_is("kernel/unprivileged_userns_clone", "0"))
        return say_error(EXIT_PRIVILEGE,
                         "%s: this system allows users no namespaces of their own: "
                         "kernel.unprivileged_userns_clone is 0; as root: sysctl -w "
                         "kernel.unprivileged_userns_clone=1",
                         what);
    if (sysctl_is("kernel/apparmor_restrict_unprivileged_userns", "1"))
        return say_error(EXIT_PRIVILEGE,
                         "%s: AppArmor allows users no rights in namespaces of their own: "
                         "kernel.apparmor_restrict_unprivileged_userns is 1; as root: sysctl -w "
                         "kernel.apparmor_restrict_unprivileged_userns=0",
                         what);
    return say_error(error == -EPERM || error == -EACCES ? EXIT_PRIVILEGE : EXIT_FAILED,
                     "%s: %s; a container's filter of system calls, or a chroot, may forbid it",
                     what, strerror(-error));
}

/* ---- entering ---- */

static int write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC), r = 0;

    if (fd < 0)
        return -errno;
    if (write(fd, text, strlen(text)) < 0)
        r = -errno;
    close(fd);
    return r;
}

/* Become root of a user namespace that has only us. */
static int enter_user(void)
{
    unsigned uid = geteuid(), gid = getegid();
    char map[32];
    int r;

    if (unshare(CLONE_NEWUSER) < 0)
        return -errno;
    r = write_file("/proc/self/setgroups", "deny");
    if (r < 0 && r != -ENOENT)
        return r;
    snprintf(map, sizeof(map), "0 %u 1", uid);
    r = write_file("/proc/self/uid_map", map);
    snprintf(map, sizeof(map), "0 %u 1", gid);
    return r < 0 ? r : write_file("/proc/self/gid_map", map);
}

/* An empty /run, in which /run/user is what it was. */
static int empty_run(void)
{
    char path[32];
    int fd = open("/run/user", O_PATH | O_DIRECTORY | O_CLOEXEC), r = 0;

    if (mount("tmpfs", "/run", "tmpfs", 0, "mode=755") < 0)
        r = errno == ENOENT ? 0 : -errno;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    if (r == 0 && fd >= 0 && mkdir("/run/user", 0755) == 0)
        mount(path, "/run/user", NULL, MS_BIND | MS_REC, NULL); /* without it we do, too */
    if (fd >= 0)
        close(fd);
    return r;
}

static int enter_network(struct setup *s)
{
    struct netlink_link lo;
    int r;

    if (unshare(CLONE_NEWNET | CLONE_NEWNS) < 0 ||
        mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return -errno;
    r = empty_run();
    if (r < 0)
        return r;
    netlink_close(s->nl);
    s->nl = NULL;
    r = netlink_open(&s->nl);
    if (r == 0)
        r = netlink_link_get(s->nl, "lo", &lo);
    return r < 0 ? r : netlink_link_set_up(s->nl, lo.index);
}

int private_enter(struct setup *s)
{
    bool privileged;
    int r = 0;

    capng_get_caps_process();
    privileged = capng_have_capability(CAPNG_EFFECTIVE, CAP_SYS_ADMIN) &&
                 capng_have_capability(CAPNG_EFFECTIVE, CAP_NET_ADMIN);
    if (!privileged) {
        r = enter_user();
        if (r < 0)
            return report("cannot make a user namespace", r);
        if (!s->owner_chosen)
            s->lab.owner = 0;
    }
    r = enter_network(s);
    return r < 0 ? report("cannot make a network namespace", r) : EXIT_DONE;
}

/* ---- the processes ---- */

int private_guard(void)
{
    int ready[2];
    pid_t pid;
    char c;

    if (unshare(CLONE_NEWPID) < 0)
        return report("cannot make a process namespace", -errno);
    if (pipe2(ready, O_CLOEXEC) < 0)
        return say_error(EXIT_FAILED, "cannot start a process: %s", strerror(errno));
    pid = fork();
    if (pid == 0) {
        close(ready[0]);
        prctl(PR_SET_NAME, "netsetup-init");
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        signal(SIGCHLD, SIG_IGN); /* nobody waits for what has lost its parent */
        signal(SIGPIPE, SIG_IGN);
        setsid();
        if (write(ready[1], "", 1) != 1)
            _exit(1); /* we were not in time: our parent is dead already */
        close(ready[1]);
        for (;;)
            pause();
    }
    close(ready[1]);
    if (pid < 0) {
        close(ready[0]);
        return report("cannot start a process", -errno);
    }
    while (read(ready[0], &c, 1) < 0 && errno == EINTR)
        ; /* until it would die with us */
    close(ready[0]);
    return EXIT_DONE;
}

int private_enter_child(void)
{
    if (unshare(CLONE_NEWNS) < 0)
        return -errno;
    mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
    return 0; /* without it, the old one shows more than there is here */
}
