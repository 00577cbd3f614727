#include "app/udpcat.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

static struct udpcat *of_console(struct console *c)
{
    return (struct udpcat *)(void *)((char *)c - offsetof(struct udpcat, console));
}

/* What a call on the socket said: is it the end? */
static void note_error(struct udpcat *u, int r)
{
    if (r < 0 && r != -EAGAIN && r != -ENOBUFS && !u->refused)
        u->refused = r;
}

/* Give the held piece to the stack. */
static void flush(struct udpcat *u, struct stack *st)
{
    struct stack_datagram d = {.data = u->held, .each = u->how.size};
    int r;

    if (u->held.len == 0 || u->refused)
        return;
    r = stack_udp_send(st, u->udp, &d);
    note_error(u, r);
    if (r < 0)
        return;
    u->sent += stack_datagram_count(&d);
    u->bytes_sent += u->held.len;
    u->held.len = 0;
}

static void udpcat_event(struct app *a, struct stack *st, const struct stack_event *ev)
{
    struct udpcat *u = (struct udpcat *)a;

    if (ev->kind != EV_DATAGRAM_ERROR)
        return; /* datagrams are pulled when there is room to show them */
    while (stack_udp_error(st, u->udp, &u->last) == 0)
        u->errors++;
}

static bool udpcat_wants(struct console *c)
{
    const struct udpcat *u = of_console(c);

    return !u->done && !u->refused && !u->input_ended && u->held.len == 0;
}

static void udpcat_push(struct console *c, struct stack *st, struct slice s)
{
    struct udpcat *u = of_console(c);

    u->held = s;
    flush(u, st);
}

static void udpcat_end(struct console *c, struct stack *st)
{
    (void)st;
    of_console(c)->input_ended = true;
}

static int udpcat_pull(struct console *c, struct stack *st, struct slice *ret_slice)
{
    struct udpcat *u = of_console(c);
    struct stack_datagram d;
    int r;

    while (u->udp >= 0 && (r = stack_udp_receive_several(st, u->udp, &d)) != -EAGAIN) {
        note_error(u, r);
        if (r < 0)
            continue;
        u->received += stack_datagram_count(&d);
        u->bytes_received += d.data.len;
        *ret_slice = d.data;
        if (d.data.len)
            return (int)d.data.len;
        buf_unref(d.data.buf);
    }
    return -EAGAIN;
}

int64_t udpcat_turn(struct udpcat *u, struct stack *st, int64_t now)
{
    bool held = u->held.len > 0;

    if (u->done)
        return TIME_NEVER;
    flush(u, st);
    if (u->sent + u->received != u->seen || u->quiet_at == 0) {
        u->seen = u->sent + u->received;
        u->quiet_at = now;
    }
    u->done =
        u->refused || (u->input_ended && u->held.len == 0 && now >= u->quiet_at + u->how.wait);
    if (u->done || held)
        return now;
    return u->input_ended ? u->quiet_at + u->how.wait : TIME_NEVER;
}

void udpcat_finish(struct udpcat *u, struct stack *st)
{
    if (u->held.len)
        buf_unref(u->held.buf);
    u->held.len = 0;
    u->done = true;
    stack_udp_close(st, u->udp);
    u->udp = -1;
}

int udpcat_start(struct udpcat *u, struct stack *st, const struct udpcat_how *how)
{
    static const struct app_ops app = {"udpcat", udpcat_event};
    static const struct console_ops console = {udpcat_wants, udpcat_push, udpcat_end, udpcat_pull};
    struct stack_udp open = {.remote = &how->remote, .remote_port = how->port, .user = &u->app};
    int r;

    memset(u, 0, sizeof(*u));
    u->app.ops = &app;
    u->console.ops = &console;
    u->how = *how;
    u->udp = stack_udp_open(st, &open);
    if (u->udp < 0)
        return u->udp;
    r = stack_udp_set(st, u->udp, &how->settings);
    if (r < 0)
        stack_udp_close(st, u->udp);
    return r;
}
