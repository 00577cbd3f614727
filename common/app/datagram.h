/*
 * The small services over UDP: echo (RFC 862), discard (RFC 863), chargen (RFC 864), and reverse,
 * an echo whose payload comes back with its bytes in reverse order.
 *
 * A service that answers whatever it is sent must not answer another such service, or one forged
 * datagram makes two nodes answer each other for ever. So a datagram from a port at which such a
 * service lives is taken and counted, and not answered.
 */
#ifndef APP_DATAGRAM_H
#define APP_DATAGRAM_H

#include "app/app.h"
#include "app/chargen.h"

enum datagram_kind {
    DATAGRAM_ECHO,
    DATAGRAM_DISCARD,
    DATAGRAM_CHARGEN,
    DATAGRAM_REVERSE,
};

enum {
    DATAGRAM_REVERSE_PORT = 6969,
};

struct datagram {
    struct app app; /* what stack_udp_bind is given */
    enum datagram_kind kind;
    struct buf_pool *pool;  /* reverse: where its answers are written */
    const uint8_t *pattern; /* chargen: CHARGEN_PATTERN bytes that outlive all use */
    uint32_t turn;          /* chargen: so that answers differ in length */
    uint64_t received;      /* datagrams */
    uint64_t answered;
    uint64_t loops;   /* not answered: they came from a service like this */
    uint64_t dropped; /* not answered: no buffer, or the stack would not take the answer */
};

/* `pool` serves DATAGRAM_REVERSE, `pattern` serves DATAGRAM_CHARGEN; else they may be NULL. */
void datagram_init(struct datagram *d, enum datagram_kind kind, struct buf_pool *pool,
                   const uint8_t *pattern);

/* Is this the port of a service that answers whatever it is sent? */
bool datagram_answers_anyone(uint16_t port);

#endif
