#include "app/chat.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

static struct chat *of_console(struct console *c)
{
    return (struct chat *)(void *)((char *)c - offsetof(struct chat, console));
}

static void chat_tell(struct chat *c, enum chat_notice what, const char *name)
{
    if (c->notice)
        c->notice(c->notice_arg, what, name, c->live);
}

static void chat_client_event(struct app *a, struct stack *st, const struct stack_event *ev)
{
    struct chat_client *cl = (struct chat_client *)a;

    switch (ev->kind) {
    case EV_CONNECTED:
    case EV_ACCEPTED:
    case EV_READABLE:
    case EV_PEER_CLOSED:
        cl->readable = true;
        break;
    case EV_CLOSED:
        cl->live = false;
        cl->chat->live--;
        chat_tell(cl->chat, CHAT_LEFT, cl->name);
        break;
    case EV_WRITABLE:
    case EV_URGENT:
    case EV_ERROR:
    case EV_DATAGRAM:
    case EV_DATAGRAM_ERROR:
        break;
    }
    (void)st;
}

static struct chat_client *chat_place(struct chat *c)
{
    for (uint32_t i = 0; i < c->clients; i++) {
        if (!c->client[i].live)
            return &c->client[i];
    }
    return NULL;
}

static void chat_name(const struct stack *st, struct conn_id conn, char out[CHAT_NAME])
{
    struct stack_conn_status status;

    if (stack_status(st, conn, &status) < 0)
        snprintf(out, CHAT_NAME, "?");
    else
        addr_port_format(&status.remote, status.remote_port, out);
}

static void chat_event(struct app *a, struct stack *st, const struct stack_event *ev)
{
    static const struct app_ops ops = {"chat", chat_client_event};
    struct chat *c = (struct chat *)a;
    struct chat_client *cl;
    char name[CHAT_NAME];

    if (ev->kind != EV_ACCEPTED)
        return;
    chat_name(st, ev->conn, name);
    cl = chat_place(c);
    if (!cl) {
        c->full++;
        chat_tell(c, CHAT_FULL, name);
        stack_release(st, ev->conn);
        return;
    }
    if (c->mid_line == cl) /* the place's last owner */
        c->mid_line = NULL;
    *cl = (struct chat_client){
        .app = {&ops}, .chat = c, .conn = ev->conn, .live = true, .readable = true};
    memcpy(cl->name, name, sizeof(name));
    c->live++;
    c->unheard = false;
    chat_tell(c, CHAT_JOINED, name);
    stack_set_user(st, ev->conn, cl);
    if (c->input_ended)
        stack_close(st, ev->conn);
}

static bool chat_wants(struct console *console)
{
    return !of_console(console)->input_ended;
}

static void chat_push(struct console *console, struct stack *st, struct slice s)
{
    struct chat *c = of_console(console);

    if (c->live == 0 && !c->unheard) {
        c->unheard = true;
        chat_tell(c, CHAT_UNHEARD, NULL);
    }
    for (uint32_t i = 0; i < c->clients; i++) {
        struct chat_client *cl = &c->client[i];

        if (!cl->live)
            continue;
        buf_ref(s.buf);
        if (stack_send(st, cl->conn, s) < 0) {
            c->lost++;
            buf_unref(s.buf);
        }
    }
    buf_unref(s.buf);
}

static void chat_end(struct console *console, struct stack *st)
{
    struct chat *c = of_console(console);

    c->input_ended = true;
    for (uint32_t i = 0; i < c->clients; i++) {
        if (c->client[i].live)
            stack_close(st, c->client[i].conn);
    }
}

/* How many bytes UTF-8 has behind this one; 0 too for bytes that begin nothing. */
static uint8_t chat_behind(uint8_t b)
{
    if (b >= 0xf0 && b <= 0xf4)
        return 3;
    if (b >= 0xe0 && b <= 0xef)
        return 2;
    return b >= 0xc2 && b <= 0xdf ? 1 : 0;
}

/*
 * What a terminal may be shown for byte `b`: printable ones, tabs, line ends and UTF-8, but neither
 * control codes, among them what UTF-8 writes as c2 80 to c2 9f, nor bytes that are no UTF-8.
 */
static char chat_safe(struct chat_client *cl, uint8_t b)
{
    bool in_place = cl->behind > 0 && b >= 0x80 && b < 0xc0;
    bool c1 = cl->last == 0xc2 && b < 0xa0;

    cl->last = b;
    if (in_place) {
        cl->behind--;
        return c1 ? '.' : (char)b;
    }
    cl->behind = chat_behind(b);
    if (cl->behind || b == '\n' || b == '\t')
        return (char)b;
    return b < ' ' || b >= 0x7f ? '.' : (char)b;
}

/* Write s into c->show, line by line behind the client's name. Returns the length. */
static uint32_t chat_show(struct chat *c, struct chat_client *cl, struct slice s)
{
    uint32_t n = 0;

    if (c->mid_line && c->mid_line != cl) {
        c->show[n++] = '\n';
        c->mid_line->mid_line = false;
    }
    for (uint32_t i = 0; i < s.len; i++) {
        if (s.base[i] == '\r')
            continue;
        if (!cl->mid_line)
            n += (uint32_t)snprintf(c->show + n, sizeof(c->show) - n, "%s: ", cl->name);
        c->show[n++] = chat_safe(cl, s.base[i]);
        cl->mid_line = s.base[i] != '\n';
    }
    c->mid_line = cl->mid_line ? cl : NULL;
    return n;
}

/* Show some of what one client sent. Returns how many bytes there are to show, or -EAGAIN. */
static int chat_pull_client(struct chat *c, struct chat_client *cl, struct stack *st)
{
    struct slice s;
    uint32_t n;
    int r = stack_receive(st, cl->conn, CHAT_READ, &s);

    if (r <= 0) {
        cl->readable = false;
        if (r == 0)
            stack_close(st, cl->conn);
        return -EAGAIN;
    }
    n = chat_show(c, cl, s);
    buf_unref(s.buf);
    return n ? (int)n : -EAGAIN;
}

static int chat_pull(struct console *console, struct stack *st, struct slice *ret_slice)
{
    struct chat *c = of_console(console);

    for (uint32_t i = 0; i < c->clients; i++) {
        struct chat_client *cl = &c->client[(c->next + i) % c->clients];

        while (cl->live && cl->readable) {
            int n = chat_pull_client(c, cl, st);

            if (n <= 0)
                continue;
            c->next = (uint32_t)(cl - c->client + 1) % c->clients;
            *ret_slice = (struct slice){NULL, (const uint8_t *)c->show, (uint32_t)n};
            return n;
        }
    }
    return -EAGAIN;
}

size_t chat_bytes(uint32_t clients)
{
    return (size_t)clients * sizeof(struct chat_client);
}

void chat_init(struct chat *c, void *mem, size_t mem_size)
{
    static const struct app_ops app = {"chat", chat_event};
    static const struct console_ops console = {chat_wants, chat_push, chat_end, chat_pull};

    c->app.ops = &app;
    c->console.ops = &console;
    c->client = mem;
    c->clients = (uint32_t)(mem_size / sizeof(struct chat_client));
    c->next = 0;
    c->mid_line = NULL;
    c->input_ended = c->unheard = false;
    c->live = 0;
    c->notice = NULL;
    c->full = c->lost = 0;
    for (uint32_t i = 0; i < c->clients; i++)
        c->client[i].live = false;
}
