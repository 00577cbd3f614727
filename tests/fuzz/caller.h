/*
 * The application of a subject: it makes user calls as a script says, keeps the handles, also those
 * that died, and the slices it was given, and compares every byte that it reads.
 */
#ifndef FUZZ_CALLER_H
#define FUZZ_CALLER_H

#include "tests/fuzz/subject.h"

enum {
    CALLER_HANDLES = 16, /* more than there are connections, so that dead ones are known, too */
    CALLER_SLICES = 4,   /* held back for a while */
    CALLER_UDP_PORT = 7, /* the first of CALLER_SOCKETS */
    CALLER_SOCKETS = 2,
    CALLER_LISTENERS = 2,
    CALLER_PORT = 8000, /* of the listeners, one behind the other */
};

struct handle {
    struct conn_id id;
    bool used, over;    /* over: EV_CLOSED was told, or it was released */
    bool opened, ended; /* connected or accepted; read to the end of the stream */
    bool hung_up;       /* aborted or released by us */
    bool closed;        /* CLOSE was called */
    uint16_t local_port, remote_port;
    uint32_t iss, irs;      /* irs: once it is opened */
    uint32_t written, read; /* bytes */
    enum reason why;        /* told by EV_CLOSED */
};

struct caller {
    struct subject *n;
    struct handle handle[CALLER_HANDLES];
    unsigned next_handle;
    struct slice held[CALLER_SLICES];
    uint32_t held_seq[CALLER_SLICES]; /* the sequence number of the first byte */
    unsigned next_held;
    int listener[CALLER_LISTENERS]; /* or -1 */
    int udp[CALLER_SOCKETS];        /* or -1 */
    bool forged;                    /* bytes were sent that do not stand at their numbers */
};

void caller_start(struct caller *a, struct subject *n);

/* The handle that a byte of a script means. */
static inline struct handle *caller_handle(struct caller *a, unsigned i)
{
    return &a->handle[i % CALLER_HANDLES];
}

/* Pull at most `most` events. */
void caller_events(struct caller *a, unsigned most);

void caller_open(struct caller *a, uint16_t local_port, const struct addr *remote,
                 uint16_t remote_port);
void caller_listen(struct caller *a, unsigned i, uint32_t backlog, bool one_address);
void caller_unlisten(struct caller *a, unsigned i);

/* Send `len` bytes, by copy or out of a buffer that is given away. */
void caller_send(struct caller *a, struct handle *h, uint32_t len, bool copy);
/* Read up to `most` bytes at a time until there are no more, at most `times`. */
void caller_receive(struct caller *a, struct handle *h, uint32_t most, unsigned times, bool hold);
void caller_close(struct caller *a, struct handle *h);
void caller_release(struct caller *a, struct handle *h);
void caller_abort(struct caller *a, struct handle *h);
void caller_urgent(struct caller *a, struct handle *h);
/* Change some settings, with values as the script says. */
void caller_set(struct caller *a, struct handle *h, struct script *s);
/* Ask for everything that can be asked. */
void caller_ask(struct caller *a);

void caller_bind(struct caller *a, unsigned i);
void caller_unbind(struct caller *a, unsigned i);
void caller_datagram(struct caller *a, unsigned i, const struct addr *to, uint16_t port,
                     uint32_t len);

/* Look at the slices that were held back, and drop them. */
void caller_let_go(struct caller *a);
/* Give everything up: by abort, or by release. */
void caller_give_up(struct caller *a, bool abort);

#endif
