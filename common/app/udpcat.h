/*
 * netcat over UDP: each piece that is typed leaves as a datagram, or as several of one size, and
 * each datagram that comes from the remote node is shown.
 *
 * UDP has no end. Once the operator's input has ended, it is over when nothing has gone or come for
 * a while. A port that nobody serves ends it at once, when the network says so; what the network
 * says besides is noted, and it goes on.
 */
#ifndef APP_UDPCAT_H
#define APP_UDPCAT_H

#include "app/app.h"
#include "app/console.h"

struct udpcat_how {
    struct addr remote;
    uint16_t port;
    int64_t wait;  /* ns of quiet behind the end of the input */
    uint32_t size; /* bytes of data of each datagram; 0: each piece that is typed is one */
    struct udp_settings settings;
};

struct udpcat {
    struct app app;
    struct console console;
    struct udpcat_how how;
    int udp;
    bool input_ended, done;
    struct slice held;     /* typed, and not sent yet; len 0: none */
    int refused;           /* negative errno: the remote node takes none; or -EMSGSIZE, ... */
    struct udp_error last; /* what the network said, if `errors` */
    uint64_t errors;
    uint64_t sent, received, bytes_sent, bytes_received;
    uint64_t seen;    /* of all datagrams, in the last turn */
    int64_t quiet_at; /* ns: since then */
};

/* Open its socket, connected. 0, or what stack_udp_open and stack_udp_set say. */
int udpcat_start(struct udpcat *u, struct stack *st, const struct udpcat_how *how);

/* Once per turn. Returns when to call again; `done` says that it is over. */
int64_t udpcat_turn(struct udpcat *u, struct stack *st, int64_t now);

/* It is over, however it ended: what is held, and the socket. */
void udpcat_finish(struct udpcat *u, struct stack *st);

#endif
