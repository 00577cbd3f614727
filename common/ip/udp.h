/*
 * UDP of one node (RFC 768, RFC 1122 section 4.1): sockets are bound to a port of all our
 * addresses; each has a bounded queue of datagrams that wait to be read.
 */
#ifndef IP_UDP_H
#define IP_UDP_H

#include "base/buf.h"
#include "ip/ip.h"
#include "wire/udp.h"

enum {
    UDP_SOCKETS_MAX = 64,
    UDP_QUEUE = 64, /* datagrams per socket; a power of two */
    UDP_DATA_MAX = IPV4_PACKET_MAX - IPV4_HEADER_MIN - UDP_HEADER, /* bytes */
};

struct udp_dgram {
    struct addr local, remote;
    uint16_t remote_port;
    struct slice data; /* the reference is the holder's */
};

struct udp_socket {
    uint16_t port; /* 0: free */
    void *user;
    uint32_t head, tail; /* free-running */
    struct udp_dgram queue[UDP_QUEUE];
};

struct udp {
    struct udp_socket socket[UDP_SOCKETS_MAX];
};

/* A socket number, or -EINVAL (port 0), -EADDRINUSE, -ENFILE. */
int udp_bind(struct udp *u, uint16_t port, void *user);
/* Drops what waits. -EBADF if the number is not a socket's. */
int udp_close(struct udp *u, int socket);

/*
 * A datagram for us. On success *ret_socket is the socket whose queue grew. Returns REASON_NONE or
 * the reason for the drop; REASON_UDP_NO_SOCKET is worth an ICMP error.
 */
enum reason udp_input(struct udp *u, struct ip_node *n, const struct ip_hdr *ip,
                      struct slice segment, uint16_t marks, int *ret_socket);

/* The next datagram, its reference with it: 0, -EAGAIN, -EBADF. */
int udp_receive(struct udp *u, int socket, struct udp_dgram *ret_dgram);

/*
 * Send from the socket's port; d->local may be unspecified (all zeros): then one of ours of the
 * receiver's version. On success the reference on d->data.buf passes on; what is larger than the
 * MTU leaves in fragments. -EMSGSIZE: over UDP_DATA_MAX; -ENOBUFS: the output ring is full;
 * -EINVAL: no address or port that could be a receiver; -EADDRNOTAVAIL: none of our addresses is of
 * the receiver's version; -EBADF.
 */
int udp_send(struct udp *u, struct ip_node *n, int socket, const struct udp_dgram *d);

#endif
