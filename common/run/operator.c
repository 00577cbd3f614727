#include "run/operator.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    READ_MAX = 16384,   /* bytes at a time: a slice is queued whole or not at all */
    READ_UNITS = 65487, /* ... but of so many where units are read: a super-datagram's data */
    READ_MIN = 2048,    /* bytes of room below which a new buffer is begun; bytes that are many */
    READ_TURN = 16,     /* reads in one turn */
    PULL_TURN = 256,    /* slices shown in one turn */
};

/* ---- Output ---- */

/* Make `out` ours and never blocking where the system lets us. */
static void operator_prepare_output(struct operator* o)
{
    char path[32];
    struct stat info;
    int fd;

    if (o->out < 0 || fstat(o->out, &info) < 0)
        return;
    if (S_ISREG(info.st_mode)) {
        o->out_direct = true;
        return;
    }
    if (!S_ISFIFO(info.st_mode))
        return;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", o->out);
    fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return;
    o->out = fd;
    o->out_owned = o->out_direct = true;
}

static bool operator_writable(const struct operator* o)
{
    struct pollfd p = {.fd = o->out, .events = POLLOUT};

    return o->out_direct || poll(&p, 1, 0) != 0;
}

/* Write some of what is pulled. Bytes written, or a negative errno. */
static int operator_write(struct operator* o)
{
    size_t n = o->show.len;
    ssize_t r;

    if (o->out < 0)
        return (int)n;
    if (!operator_writable(o))
        return -EAGAIN;
    if (!o->out_direct && n > PIPE_BUF)
        n = PIPE_BUF;
    r = write(o->out, o->show.base, n);
    return r < 0 ? -errno : (int)r;
}

static void operator_shown(struct operator* o)
{
    buf_unref(o->shown.buf);
    o->shown = o->show = (struct slice){NULL, NULL, 0};
}

static int operator_output(struct operator* o)
{
    o->out_waits = false;
    for (unsigned i = 0; i < PULL_TURN; i++) {
        int n;

        if (o->show.len == 0) {
            if (o->console->ops->pull(o->console, o->st, &o->shown) <= 0)
                return 0;
            o->show = o->shown;
        }
        n = operator_write(o);
        if (n == -EAGAIN) {
            o->out_waits = true;
            return 0;
        }
        if (n == -EINTR)
            continue;
        if (n < 0)
            return n;
        o->show.base += n;
        o->show.len -= (uint32_t)n;
        if (o->show.len == 0)
            operator_shown(o);
    }
    o->out_waits = true; /* there may be more: come back at once */
    return 0;
}

/* ---- Input ---- */

/* Of so many bytes of room as many as are read at once. */
static uint32_t operator_most(const struct operator* o, uint32_t room)
{
    uint32_t most = READ_UNITS > o->unit ? READ_UNITS : o->unit;

    if (o->unit == 0)
        return room < READ_MAX ? room : READ_MAX;
    return (room < most ? room : most) / o->unit * o->unit;
}

/* Room for a read: the rest of the buffer being filled, or a fresh one. Bytes, or 0. */
static uint32_t operator_room(struct operator* o)
{
    uint32_t least = READ_MIN > o->unit ? READ_MIN : o->unit;
    struct buf *b = o->fill;

    if (b && b->refs == 1)
        b->used = 0; /* all that was read into it has been sent */
    if (b && b->size - b->used < least) {
        buf_unref(b);
        b = NULL;
    }
    if (!b) {
        b = o->fill = buf_get(o->pool);
        if (!b)
            return 0;
    }
    return operator_most(o, b->size - b->used);
}

static bool operator_wants(const struct operator* o)
{
    return o->in >= 0 && o->console->ops->wants(o->console);
}

void operator_end(struct operator* o)
{
    if (o->in < 0)
        return;
    o->in = -1;
    o->in_waits = false;
    o->console->ops->end(o->console, o->st);
}

static bool operator_readable(const struct operator* o)
{
    struct pollfd p = {.fd = o->in, .events = POLLIN};

    return o->in_regular || poll(&p, 1, 0) > 0;
}

/* One read. Bytes, or 0 if there is no more to do now. */
static uint32_t operator_read(struct operator* o)
{
    uint32_t room = operator_room(o);
    struct buf *b = o->fill;
    ssize_t n;

    if (room == 0)
        return 0;
    n = read(o->in, b->data + b->used, room);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return 0;
    if (n < 0) {
        o->in_error = -errno;
        o->in = -1;
        return 0;
    }
    if (n == 0) {
        o->in_ended = true;
        operator_end(o);
        return 0;
    }
    o->console->ops->push(o->console, o->st,
                          (struct slice){buf_ref(b), b->data + b->used, (uint32_t)n});
    b->used += (uint32_t)n;
    return (uint32_t)n;
}

static void operator_input(struct operator* o)
{
    uint32_t n = 0;

    for (unsigned i = 0; i < READ_TURN && operator_wants(o); i++) {
        if (n >= READ_MIN) /* a pipe that gave much may have more, and a large packet has room */
            o->in_ready = operator_readable(o);
        if (!o->in_ready)
            break;
        n = operator_read(o);
        if (n == 0)
            break;
        o->in_ready = o->in_regular;
    }
    o->in_waits = operator_wants(o);
    if (o->in_waits && operator_room(o) == 0)
        o->in_waits = false; /* every buffer is in flight: an acknowledgment brings us back */
}

/* ---- Both ---- */

void operator_open(struct operator* o, struct console *console, struct stack *st,
                   struct buf_pool *pool, int in, int out)
{
    struct stat info;

    *o = (struct operator){.console = console, .st = st, .pool = pool, .in = in, .out = out};
    o->in_regular = fstat(in, &info) == 0 && S_ISREG(info.st_mode);
    o->in_ready = o->in_regular;
    operator_prepare_output(o);
}

int operator_act(struct operator* o)
{
    operator_input(o);
    return operator_output(o);
}

unsigned operator_wait(struct operator* o, struct pollfd *fds)
{
    unsigned n = 0;

    if (o->in_waits && o->in >= 0)
        fds[n++] = (struct pollfd){.fd = o->in, .events = POLLIN};
    if (o->out_waits && o->out >= 0)
        fds[n++] = (struct pollfd){.fd = o->out, .events = POLLOUT};
    return n;
}

void operator_woken(struct operator* o, const struct pollfd *fds, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (fds[i].revents && fds[i].events == POLLIN)
            o->in_ready = true;
    }
}

void operator_close(struct operator* o)
{
    if (o->shown.len)
        buf_unref(o->shown.buf);
    buf_unref(o->fill);
    if (o->out_owned)
        close(o->out);
    o->in = o->out = -1;
}
