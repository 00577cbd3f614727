#include "run/seldom.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

int seldom_open(struct seldom *s)
{
    s->fd = epoll_create1(EPOLL_CLOEXEC);
    return s->fd < 0 ? -errno : 0;
}

static int add(struct seldom *s, int fd, unsigned number, uint32_t events)
{
    struct epoll_event ev = {.events = events, .data.u32 = number};

    if (fd >= 0 && epoll_ctl(s->fd, EPOLL_CTL_ADD, fd, &ev) < 0)
        return -errno;
    return 0;
}

int seldom_add(struct seldom *s, int fd, unsigned number)
{
    return add(s, fd, number, EPOLLIN);
}

int seldom_add_news(struct seldom *s, int fd, unsigned number)
{
    return add(s, fd, number, EPOLLIN | EPOLLET);
}

unsigned seldom_ready(const struct seldom *s)
{
    struct epoll_event ev[SELDOM_MAX];
    int n = epoll_wait(s->fd, ev, SELDOM_MAX, 0);
    unsigned ready = 0;

    for (int i = 0; i < n; i++)
        ready |= 1U << ev[i].data.u32;
    return ready;
}

void seldom_close(struct seldom *s)
{
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
}
