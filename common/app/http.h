/*
 * A status page over HTTP/1.0 and 1.1 (RFC 9112): the node's connections and its counters, as a
 * page for people at / and as JSON at /status.json. One request per connection, then it is closed.
 *
 * A request is collected in the connection's own 4 KiB; a longer one is refused. The answer is
 * written into one buffer with references and sent from there, our side is closed, and the
 * connection keeps its place until the client has closed its side: as long as that may hold the
 * buffer. Input behind the request is read and thrown away up to a limit, because closing with
 * unread input resets the connection and may destroy the answer on its way.
 *
 * There are no timers here. A client that says nothing, reads nothing or does not close keeps its
 * place until all are taken; then the oldest one makes room, and is reset.
 */
#ifndef APP_HTTP_H
#define APP_HTTP_H

#include "app/app.h"
#include "base/text.h"

enum {
    HTTP_REQUEST_MAX = 4096, /* bytes, request line and header together */
    HTTP_PAGE = 96 * 1024,   /* bytes of the largest answer */
    HTTP_HEAD = 256,         /* of them for the header */
    HTTP_LINGER = 64 * 1024, /* bytes thrown away behind a request, at most */
    HTTP_TABLE_TAIL = 256,   /* bytes of an answer behind the table of connections, at most */
};

struct http_conn {
    struct app app;
    struct http *service;
    struct conn_id conn;
    bool live;
    bool answered;     /* all of the answer is with the stack */
    uint64_t order;    /* the lowest is the oldest */
    uint32_t got;      /* bytes of request */
    uint32_t drained;  /* bytes thrown away */
    struct slice left; /* of the answer, not yet with the stack */
    char request[HTTP_REQUEST_MAX + 1];
};

struct http {
    struct app app;   /* what a listener is given */
    const char *node; /* the node's name, for the title */
    struct http_conn *conn;
    uint32_t conns;
    struct buf_pool *pages; /* bufs of at least HTTP_PAGE bytes */
    uint64_t accepted;      /* connections */
    uint64_t served;        /* requests answered with 200 */
    uint64_t refused;       /* with anything else */
    uint64_t evicted;       /* connections that made room for younger ones */
};

size_t http_bytes(uint32_t conns);
/* Keep the connections in mem[mem_size], aligned to 16 bytes; `node` outlives the service. */
void http_init(struct http *h, const char *node, struct buf_pool *pages, void *mem,
               size_t mem_size);

/* The bodies, see http_page.c. What does not fit is left out: connections first. */
void http_page_html(struct text *t, const char *node, const struct stack *st);
void http_page_json(struct text *t, const char *node, const struct stack *st);

#endif
