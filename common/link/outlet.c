#include "link/outlet.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* ---- opening ---- */

/* A description of our own for what `fd` can write to, that never blocks; -1 if there is none. */
static int open_again(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    char path[32];

    if (flags < 0 || (flags & O_ACCMODE) == O_RDONLY)
        return -1;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    return open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

/* Find out what the descriptor is, and how to write to it without waiting. */
static void prepare(struct outlet *o)
{
    struct stat info;
    int fd;

    if (o->fd < 0 || fstat(o->fd, &info) < 0)
        return;
    o->file = S_ISREG(info.st_mode);
    o->socket = S_ISSOCK(info.st_mode);
    if (o->file || o->socket)
        return;
    if (o->owned) {
        int flags = fcntl(o->fd, F_GETFL);

        o->nonblocking = flags >= 0 && fcntl(o->fd, F_SETFL, flags | O_NONBLOCK) == 0;
        return;
    }
    fd = open_again(o->fd);
    if (fd < 0)
        return;
    o->fd = fd;
    o->owned = o->nonblocking = true;
}

int outlet_open(struct outlet *o, int fd, bool owned, bool lines, size_t limit)
{
    assert(limit >= OUTLET_BATCH);
    *o = (struct outlet){.fd = fd,
                         .owned = owned,
                         .lines = lines,
                         .limit = limit,
                         .credit = OUTLET_CREDIT,
                         .held_at = TIME_NEVER,
                         .waited_at = TIME_NEVER,
                         .buf = malloc(2 * limit)};
    if (!o->buf) {
        o->fd = -1;
        return -ENOMEM;
    }
    prepare(o);
    return 0;
}

void outlet_widen(struct outlet *o)
{
    int now = fcntl(o->fd, F_GETPIPE_SZ); /* fails for what is no pipe */

    if (now >= 0 && now < OUTLET_PIPE)
        fcntl(o->fd, F_SETPIPE_SZ, OUTLET_PIPE); /* as it was, if the user has too many already */
}

/* ---- writing ---- */

static void give_up(struct outlet *o, int error)
{
    o->error = error;
    if (o->owned)
        close(o->fd);
    o->fd = -1;
    o->head = o->tail = 0;
}

/* Wait until the descriptor takes something, or something is wrong with it. False after `ms`. */
static bool wait_writable(int fd, int ms)
{
    struct pollfd p = {.fd = fd, .events = POLLOUT};

    return poll(&p, 1, ms) > 0;
}

/*
 * Bytes to write at once. A pipe takes PIPE_BUF bytes whole or not at all, and takes them if it
 * polls writable; so lines that others write there as well do not get mixed up with ours.
 */
static size_t piece(const struct outlet *o)
{
    const uint8_t *begin = o->buf + o->head, *newline;
    size_t n = outlet_pending(o);

    if (n <= PIPE_BUF || o->file || (o->nonblocking && !o->lines))
        return n;
    newline = o->lines ? memrchr(begin, '\n', PIPE_BUF) : NULL;
    return newline ? (size_t)(newline - begin) + 1 : PIPE_BUF;
}

static ssize_t write_piece(struct outlet *o)
{
    const uint8_t *begin = o->buf + o->head;
    size_t n = piece(o);

    if (o->socket)
        return send(o->fd, begin, n, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (!o->file && !o->nonblocking && !wait_writable(o->fd, 0)) {
        errno = EAGAIN;
        return -1;
    }
    return write(o->fd, begin, n);
}

static void taken(struct outlet *o, size_t n)
{
    o->head += n;
    if (o->head == o->tail)
        o->head = o->tail = 0;
    o->credit = time_min(OUTLET_CREDIT, o->credit + (int64_t)n * OUTLET_EARN);
}

void outlet_flush(struct outlet *o)
{
    while (o->fd >= 0 && outlet_pending(o) > 0) {
        ssize_t n = write_piece(o);

        if (n >= 0)
            taken(o, (size_t)n);
        else if (errno == EAGAIN)
            return;
        else if (errno != EINTR)
            give_up(o, -errno);
    }
}

size_t outlet_room(struct outlet *o)
{
    if (outlet_pending(o) >= OUTLET_BATCH)
        outlet_flush(o);
    return o->limit - outlet_pending(o);
}

int outlet_put(struct outlet *o, const void *bytes, size_t n)
{
    size_t room = outlet_room(o);

    if (o->fd < 0)
        return o->error ? o->error : -EBADF;
    if (n > room)
        outlet_flush(o);
    if (n > o->limit - outlet_pending(o)) {
        o->refused++;
        return -EAGAIN;
    }
    if (n > 2 * o->limit - o->tail) {
        memmove(o->buf, o->buf + o->head, outlet_pending(o));
        o->tail -= o->head;
        o->head = 0;
    }
    memcpy(o->buf + o->tail, bytes, n);
    o->tail += n;
    return 0;
}

/* ---- the reader's pace ---- */

static bool is_half_full(const struct outlet *o)
{
    return outlet_pending(o) > o->limit / 2;
}

/* Half full, after an attempt to write, with a short wait if this turn has had none. */
static bool is_slow(struct outlet *o, int64_t now)
{
    if (is_half_full(o))
        outlet_flush(o);
    if (is_half_full(o) && now != o->waited_at) {
        o->waited_at = now;
        if (wait_writable(o->fd, OUTLET_HOLD))
            outlet_flush(o);
    }
    return is_half_full(o);
}

bool outlet_hold(struct outlet *o, int64_t now)
{
    if (o->held_at != TIME_NEVER)
        o->credit -= now - o->held_at;
    o->held_at = TIME_NEVER;
    if (o->credit <= 0) {
        o->credit = 0;
        outlet_flush(o);
        return false;
    }
    if (!is_slow(o, now))
        return false;
    o->held_at = now;
    return true;
}

static int64_t clock_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

size_t outlet_drain(struct outlet *o)
{
    int64_t began = clock_ms(), progress = began;

    outlet_flush(o);
    while (o->fd >= 0 && outlet_pending(o) > 0) {
        size_t before = outlet_pending(o);
        int64_t now = clock_ms();
        int64_t left = time_min(progress + OUTLET_STUCK, began + OUTLET_DRAIN) - now;

        if (left <= 0)
            break;
        if (wait_writable(o->fd, (int)left))
            outlet_flush(o);
        if (outlet_pending(o) < before)
            progress = clock_ms();
    }
    return outlet_pending(o);
}

int outlet_close(struct outlet *o)
{
    int r = 0;

    if (o->fd >= 0 && o->owned && close(o->fd) < 0)
        r = -errno;
    o->fd = -1;
    free(o->buf);
    o->buf = NULL;
    o->head = o->tail = 0;
    return r;
}
