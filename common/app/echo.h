/*
 * Echo (RFC 862): sends back what arrives, without copying it. A received slice goes to the send
 * queue with its reference; the buffer that the device read is the one that the device writes.
 *
 * When the send queue is full the connection holds the one slice that did not fit and stops reading
 * until EV_WRITABLE, so that a remote node which sends and never reads finds our window closed.
 * When the remote node has closed and everything is on its way back, the connection is closed here
 * too.
 */
#ifndef APP_ECHO_H
#define APP_ECHO_H

#include "app/app.h"
#include "base/pool.h"

struct echo {
    struct app app;    /* what a listener is given */
    struct pool conns; /* of struct echo_conn */
    uint64_t accepted; /* connections */
    uint64_t full;     /* connections let go because the pool was used up */
    uint64_t bytes;    /* sent back in all connections together */
};

/* Bytes of memory for so many connections at once. */
size_t echo_bytes(uint32_t conns);

/* Keep the connections' state in mem[mem_size], aligned to 16 bytes. */
void echo_init(struct echo *e, void *mem, size_t mem_size);

#endif
