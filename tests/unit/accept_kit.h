/* For tests of those who come to a socket: as if no descriptor were free for them. */
#ifndef TESTS_UNIT_ACCEPT_KIT_H
#define TESTS_UNIT_ACCEPT_KIT_H

#include <errno.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool accept_full;

/*
 * In place of the C library's. With RLIMIT_NOFILE instead, valgrind would accept them and hang up.
 */
int accept4(int fd, __SOCKADDR_ARG addr, socklen_t *restrict len, int flags)
{
    if (accept_full) {
        errno = EMFILE;
        return -1;
    }
    return (int)syscall(SYS_accept4, fd, addr.__sockaddr__, len, flags);
}

#endif
