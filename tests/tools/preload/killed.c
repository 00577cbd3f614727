/*
 * A library that is loaded into netsetup in front of the system's: the process ends by SIGKILL at
 * the KILL_AT-th time that it is about to write to disk what it does next, or has just done so.
 * Around each operation of netsetup there are two such moments: before it is in the journal, and
 * when it is in the journal and not done yet; the first of the next one is behind it.
 */
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

int fsync(int fd)
{
    static int calls;
    const char *at = getenv("KILL_AT");

    if (at && ++calls == atoi(at))
        kill(getpid(), SIGKILL);
    return (int)syscall(SYS_fsync, fd);
}
