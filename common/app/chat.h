/*
 * Chat: an operator and any number of clients. What a client sends is shown to the operator, each
 * line behind the client's address; what the operator types goes to every client. A client that
 * closes its side is closed, and the end of the operator's input closes all of them.
 *
 * Typed bytes are shared by reference among the clients. A client that does not read must not stop
 * the others: what its send queue cannot take is lost to it, and counted. What clients send is
 * shown on a terminal, so bytes that could steer a terminal are shown as dots.
 */
#ifndef APP_CHAT_H
#define APP_CHAT_H

#include "app/app.h"
#include "app/console.h"

enum {
    CHAT_NAME = ADDR_PORT_TEXT_MAX,          /* bytes of "10.0.0.7:49152" and its zero */
    CHAT_READ = 256,                         /* bytes of a client that one pull shows at most */
    CHAT_SHOW = CHAT_READ * (CHAT_NAME + 4), /* every one of them might begin a line */
};

/* What the operator should know besides what clients say. */
enum chat_notice {
    CHAT_JOINED,  /* a client came */
    CHAT_LEFT,    /* its connection is over */
    CHAT_FULL,    /* a client was let go because there was no place */
    CHAT_UNHEARD, /* something was typed and there was no client, the first time since one was */
};

struct chat_client {
    struct app app;
    struct chat *chat;
    struct conn_id conn;
    bool live;
    bool readable;  /* there may be bytes to show */
    bool mid_line;  /* the last byte shown was not the end of a line */
    uint8_t last;   /* byte shown */
    uint8_t behind; /* bytes that UTF-8 has still to come */
    char name[CHAT_NAME];
};

struct chat {
    struct app app; /* what a listener is given */
    struct console console;
    struct chat_client *client;
    uint32_t clients;             /* places in client[] */
    uint32_t next;                /* whose turn it is to be shown */
    struct chat_client *mid_line; /* whose unfinished line stands last on the operator's screen */
    bool input_ended;
    bool unheard; /* CHAT_UNHEARD was told, and nobody has come since */
    uint32_t live;
    /*
     * Called with each notice, the name of the client or NULL, and how many clients there are now;
     * NULL for nobody.
     */
    void (*notice)(void *arg, enum chat_notice what, const char *name, uint32_t clients);
    void *notice_arg;
    uint64_t full; /* clients let go because there was no place */
    uint64_t lost; /* slices that a client's full send queue did not take */
    char show[CHAT_SHOW + 1];
};

size_t chat_bytes(uint32_t clients);
/* Keep the clients in mem[mem_size], aligned to 16 bytes. */
void chat_init(struct chat *c, void *mem, size_t mem_size);

#endif
