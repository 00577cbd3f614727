/* The protocol; the pages themselves are in http_page.c. */
#include "app/http.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

enum {
    HTTP_READ = 4096, /* bytes at a time */
    HTTP_SEND = 8192,
};

enum http_status {
    HTTP_OK = 200,
    HTTP_BAD_REQUEST = 400,
    HTTP_NOT_FOUND = 404,
    HTTP_NOT_ALLOWED = 405,
};

struct http_request {
    enum http_status status; /* the answer's */
    bool head;               /* HEAD: the answer has no body */
    bool json;
};

/* ---- The request ---- */

/* Does the request's header end within it? */
static bool http_is_whole(const struct http_conn *c)
{
    return strstr(c->request, "\r\n\r\n") || strstr(c->request, "\n\n");
}

static bool http_lower_is(const char *p, const char *lower, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char ch = p[i] >= 'A' && p[i] <= 'Z' ? (char)(p[i] - 'A' + 'a') : p[i];
        if (ch != lower[i])
            return false;
    }
    return true;
}

/* Is there a Host field? (RFC 9112 section 3.2: HTTP/1.1 requests without one are bad) */
static bool http_has_host(const char *request)
{
    for (const char *p = strchr(request, '\n'); p; p = strchr(p + 1, '\n')) {
        if (strlen(p) > 6 && http_lower_is(p + 1, "host:", 5))
            return true;
    }
    return false;
}

/* The word at *p, up to a blank or the line's end; *p moves behind it and one blank. */
static size_t http_word(const char **p, const char **ret_word)
{
    size_t n = strcspn(*p, " \r\n");

    *ret_word = *p;
    *p += n;
    if (**p == ' ')
        (*p)++;
    return n;
}

static bool http_is(const char *word, size_t n, const char *literal)
{
    return n == strlen(literal) && memcmp(word, literal, n) == 0;
}

/* The path without its query: what stands behind '?' asks for nothing here. */
static enum http_status http_find(const char *path, size_t n, bool *ret_json)
{
    const char *query = memchr(path, '?', n);

    if (query)
        n = (size_t)(query - path);
    *ret_json = http_is(path, n, "/status.json");
    if (*ret_json || http_is(path, n, "/") || http_is(path, n, "/index.html"))
        return HTTP_OK;
    return HTTP_NOT_FOUND;
}

/* RFC 9112 section 3: the request line, and what must come with it. */
static void http_parse(const char *request, struct http_request *ret)
{
    const char *p = request, *method, *path, *version;
    size_t method_n, path_n, version_n;

    *ret = (struct http_request){.status = HTTP_BAD_REQUEST};
    p += strspn(p, "\r\n"); /* RFC 9112 2.2: empty lines in front are ignored */
    method_n = http_word(&p, &method);
    path_n = http_word(&p, &path);
    version_n = http_word(&p, &version);
    if (method_n == 0 || path_n == 0 || path[0] != '/' || (*p != '\r' && *p != '\n'))
        return;
    if (!http_is(version, version_n, "HTTP/1.0") &&
        !(http_is(version, version_n, "HTTP/1.1") && http_has_host(request)))
        return;
    ret->head = http_is(method, method_n, "HEAD");
    if (!ret->head && !http_is(method, method_n, "GET"))
        ret->status = HTTP_NOT_ALLOWED;
    else
        ret->status = http_find(path, path_n, &ret->json);
}

/* ---- The answer ---- */

static const char *http_status_text(enum http_status s)
{
    switch (s) {
    case HTTP_OK:
        return "OK";
    case HTTP_BAD_REQUEST:
        return "Bad Request";
    case HTTP_NOT_FOUND:
        return "Not Found";
    case HTTP_NOT_ALLOWED:
        return "Method Not Allowed";
    }
    return "";
}

static const char *http_type(const struct http_request *req)
{
    if (req->status != HTTP_OK)
        return "text/plain; charset=utf-8";
    return req->json ? "application/json" : "text/html; charset=utf-8";
}

static void http_body(struct text *t, const struct http *h, const struct stack *st,
                      const struct http_request *req)
{
    if (req->status != HTTP_OK)
        text_add(t, "%d %s\nThis node serves / and /status.json.\n", (int)req->status,
                 http_status_text(req->status));
    else if (req->json)
        http_page_json(t, h->node, st);
    else
        http_page_html(t, h->node, st);
}

/*
 * Write the answer into b. The body is written first, behind the place of the header, because the
 * header tells its length; the header then ends where the body begins. Returns the slice of both.
 */
static struct slice http_compose(const struct http *h, const struct stack *st,
                                 const struct http_request *req, struct buf *b)
{
    struct text head, body;
    char head_out[HTTP_HEAD];
    size_t start, len;

    text_init(&body, (char *)b->data + HTTP_HEAD, b->size - HTTP_HEAD);
    http_body(&body, h, st, req);
    text_init(&head, head_out, sizeof(head_out));
    text_add(&head, "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n",
             (int)req->status, http_status_text(req->status), http_type(req), body.len);
    text_add(&head, "Cache-Control: no-store\r\nConnection: close\r\n%s\r\n",
             req->status == HTTP_NOT_ALLOWED ? "Allow: GET, HEAD\r\n" : "");
    assert(!head.cut);
    start = HTTP_HEAD - head.len;
    memcpy(b->data + start, head_out, head.len);
    len = head.len + (req->head ? 0 : body.len);
    return (struct slice){b, b->data + start, (uint32_t)len};
}

/* All that can be said without a buffer. */
static struct slice http_busy(void)
{
    static const char text[] = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n"
                               "Retry-After: 1\r\nConnection: close\r\n\r\n";

    return (struct slice){NULL, (const uint8_t *)text, sizeof(text) - 1};
}

static void http_answer(struct http_conn *c, struct stack *st)
{
    struct http *h = c->service;
    struct http_request req = {.status = HTTP_BAD_REQUEST};
    struct buf *b = buf_get(h->pages);

    if (http_is_whole(c))
        http_parse(c->request, &req);
    c->answered = true;
    if (!b || req.status != HTTP_OK)
        h->refused++;
    else
        h->served++;
    c->left = b ? http_compose(h, st, &req, b) : http_busy();
}

/* ---- The connection ---- */

static void http_free(struct http_conn *c)
{
    if (c->left.len)
        buf_unref(c->left.buf);
    c->left.len = 0;
    c->live = false;
}

/* Hand the answer to the stack, piece by piece. True when all of it is there. */
static bool http_send(struct http_conn *c, struct stack *st)
{
    while (c->left.len) {
        uint32_t n = c->left.len < HTTP_SEND ? c->left.len : HTTP_SEND;
        struct slice piece = slice_sub(c->left, 0, n);
        int r;

        buf_ref(piece.buf);
        r = stack_send(st, c->conn, piece);
        if (r < 0) {
            buf_unref(piece.buf);
            if (r == -EAGAIN || r == -ENOBUFS)
                return false;
            n = c->left.len; /* closed under us: the rest has nowhere to go */
        }
        if (n == c->left.len)
            buf_unref(c->left.buf);
        c->left = slice_sub(c->left, n, c->left.len - n);
    }
    return true;
}

/* Collect the request. True when it is whole, too long, or as long as it will ever be. */
static bool http_collect(struct http_conn *c, struct stack *st)
{
    struct slice s;
    int n;

    while (!http_is_whole(c)) {
        uint32_t room = HTTP_REQUEST_MAX - c->got;

        if (room == 0)
            return true;
        n = stack_receive(st, c->conn, room < HTTP_READ ? room : HTTP_READ, &s);
        if (n <= 0)
            return n == 0;
        for (uint32_t i = 0; i < s.len; i++) /* a zero byte would end the text early */
            c->request[c->got + i] = s.base[i] ? (char)s.base[i] : '\x01';
        c->got += s.len;
        c->request[c->got] = '\0';
        buf_unref(s.buf);
    }
    return true;
}

/* Throw away what comes behind the request. False if it is too much to be a slip. */
static bool http_drain(struct http_conn *c, struct stack *st)
{
    struct slice s;
    int n;

    while ((n = stack_receive(st, c->conn, HTTP_READ, &s)) > 0) {
        c->drained += (uint32_t)n;
        buf_unref(s.buf);
    }
    return c->drained < HTTP_LINGER;
}

static void http_advance(struct http_conn *c, struct stack *st)
{
    if (!c->answered) {
        if (!http_collect(c, st))
            return;
        http_answer(c, st);
    }
    if (!http_send(c, st))
        return;
    stack_close(st, c->conn);
    if (http_drain(c, st))
        return; /* until both sides have closed, or the place is needed: the answer holds a buffer
                 */
    stack_abort(st, c->conn);
    stack_release(st, c->conn);
    http_free(c);
}

static void http_conn_event(struct app *a, struct stack *st, const struct stack_event *ev)
{
    struct http_conn *c = (struct http_conn *)a;

    switch (ev->kind) {
    case EV_CONNECTED:
    case EV_ACCEPTED:
    case EV_READABLE:
    case EV_WRITABLE:
    case EV_PEER_CLOSED:
        http_advance(c, st);
        break;
    case EV_CLOSED:
        http_free(c);
        break;
    case EV_URGENT:
    case EV_ERROR:
    case EV_DATAGRAM:
    case EV_DATAGRAM_ERROR:
        break;
    }
}

/* A free place, or that of the oldest connection, which is let go. */
static struct http_conn *http_place(struct http *h, struct stack *st)
{
    struct http_conn *oldest = &h->conn[0];

    for (uint32_t i = 0; i < h->conns; i++) {
        if (!h->conn[i].live)
            return &h->conn[i];
        if (h->conn[i].order < oldest->order)
            oldest = &h->conn[i];
    }
    h->evicted++;
    stack_abort(st, oldest->conn); /* a client that reads nothing would hold its page for long */
    stack_release(st, oldest->conn);
    http_free(oldest);
    return oldest;
}

static void http_event(struct app *a, struct stack *st, const struct stack_event *ev)
{
    static const struct app_ops ops = {"http", http_conn_event};
    struct http *h = (struct http *)a;
    struct http_conn *c;

    if (ev->kind != EV_ACCEPTED)
        return;
    c = http_place(h, st);
    c->app.ops = &ops;
    c->service = h;
    c->conn = ev->conn;
    c->live = true;
    c->answered = false;
    c->order = ++h->accepted;
    c->got = c->drained = 0;
    c->left = (struct slice){NULL, NULL, 0};
    c->request[0] = '\0';
    stack_set_user(st, ev->conn, c);
    http_advance(c, st);
}

size_t http_bytes(uint32_t conns)
{
    return (size_t)conns * sizeof(struct http_conn);
}

void http_init(struct http *h, const char *node, struct buf_pool *pages, void *mem, size_t mem_size)
{
    static const struct app_ops ops = {"http", http_event};

    *h = (struct http){.app = {&ops}, .node = node, .conn = mem, .pages = pages};
    h->conns = (uint32_t)(mem_size / sizeof(struct http_conn));
    assert(h->conns);
    for (uint32_t i = 0; i < h->conns; i++)
        h->conn[i].live = false;
}
