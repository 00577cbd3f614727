#include "run/seldom.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

int seldom_open(struct seldom *s)
{
    s->paused = ~0U;
    s->fd = epoll_create1(EPOLL_CLOEXEC);
    return s->fd < 0 ? -errno : 0;
}

int seldom_add(struct seldom *s, int fd, unsigned number)
{
    struct epoll_event ev = {.events = EPOLLIN, .data.u32 = number};

    if (fd >= 0 && epoll_ctl(s->fd, EPOLL_CTL_ADD, fd, &ev) < 0)
        return -errno;
    return 0;
}

int seldom_add_once(struct seldom *s, int fd, unsigned number)
{
    struct epoll_event ev = {.events = EPOLLIN | EPOLLONESHOT, .data.u32 = number};

    if (!(s->paused & 1U << number))
        return 0;
    if (epoll_ctl(s->fd, EPOLL_CTL_MOD, fd, &ev) < 0 &&
        (errno != ENOENT || epoll_ctl(s->fd, EPOLL_CTL_ADD, fd, &ev) < 0))
        return -errno;
    s->paused &= ~(1U << number);
    return 0;
}

unsigned seldom_ready(struct seldom *s)
{
    struct epoll_event ev[SELDOM_MAX];
    int n = epoll_wait(s->fd, ev, SELDOM_MAX, 0);
    unsigned ready = 0;

    for (int i = 0; i < n; i++)
        ready |= 1U << ev[i].data.u32;
    s->paused |= ready;
    return ready;
}

void seldom_close(struct seldom *s)
{
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
}
