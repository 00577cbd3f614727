/*
 * Sockets for datagrams of one node (RFC 768, RFC 1122 section 4.1): of UDP, and for echo requests
 * of ICMP, which have an identifier for a port and a sequence number for the remote one (see
 * ip/echo.h).
 *
 * A socket is bound to a port of all our addresses or of one, and may be connected to one remote
 * end: then nothing else reaches it. Each has a bounded queue of datagrams that wait to be read,
 * and another of errors.
 */
#ifndef IP_UDP_H
#define IP_UDP_H

#include "base/buf.h"
#include "ip/datagram.h"
#include "ip/ip.h"
#include "wire/icmp.h"
#include "wire/udp.h"

enum {
    UDP_SOCKETS_MAX = 64,
    UDP_QUEUE = 64,  /* datagrams, or trains of them, per socket; a power of two */
    UDP_ERRORS = 16, /* errors per socket; a power of two */
    UDP_DATA_MAX = IPV4_PACKET_MAX - IPV4_HEADER_MIN - UDP_HEADER, /* bytes, IPv4 */
    UDP6_DATA_MAX = IPV6_PAYLOAD_MAX - UDP_HEADER,
};

struct udp_dgram {
    struct addr local, remote;
    uint16_t remote_port;
    struct slice data;     /* the reference is the holder's */
    uint32_t each;         /* a train (ip/train.h): data are datagrams of so many bytes; or 0 */
    struct ip_route route; /* IPv4: by which it goes, or back to where it came from */
    /* of one that came */
    uint8_t ttl, tos;
    struct ip_options options;
};

struct udp_socket {
    bool in_use;
    uint8_t proto;      /* of UDP, or of ICMP: both versions of it */
    struct addr local;  /* unspecified: all of ours */
    uint16_t port;      /* in host order */
    struct addr remote; /* where it is connected to, ... */
    uint16_t remote_port;
    bool connected; /* ... if it is */
    int error;      /* what its next call returns, negative errno; 0: nothing */
    void *user;
    struct udp_settings set;
    uint64_t sent, received, dropped, erred;
    uint32_t head, tail; /* free-running */
    uint32_t error_head, error_tail;
    struct udp_dgram queue[UDP_QUEUE];
    struct udp_error errors[UDP_ERRORS];
};

struct udp {
    struct udp_socket socket[UDP_SOCKETS_MAX];
};

/* ---- Sockets ---- */

/* A socket number, or -EINVAL (port 0), -EADDRINUSE, -ENFILE. For all addresses. */
int udp_bind(struct udp *u, uint16_t port, void *user);

/*
 * The same for protocol `proto` (of UDP or ICMP), for one address of ours or, with NULL, for all.
 * Port 0 chooses one at random that is free (RFC 6056). -EADDRNOTAVAIL: the address is not ours.
 */
int udp_open(struct udp *u, struct ip_node *n, uint8_t proto, const struct addr *local,
             uint16_t port, void *user);

/*
 * From now on nothing but this remote end's datagrams, and errors about those to it, reach the
 * socket; what waits already stays. Its own address is chosen, if it has none. NULL: no more.
 * -EINVAL: no address or port that could be one; -EADDRNOTAVAIL: we have no address of that
 * version, or the socket's is of the other; -EBADF.
 */
int udp_connect(struct udp *u, const struct ip_node *n, int socket, const struct addr *remote,
                uint16_t port);

/* Drops what waits. -EBADF if the number is not a socket's. */
int udp_close(struct udp *u, int socket);

/* -EBADF; -EINVAL: a value is out of its range, or options that make no sense or have no room. */
int udp_set(struct udp *u, const struct ip_node *n, int socket, const struct udp_settings *set);
int udp_settings(const struct udp *u, int socket, struct udp_settings *ret_set);
int udp_status(const struct udp *u, int socket, struct udp_status *ret_status);

/* The socket of this number, or NULL. */
struct udp_socket *udp_lookup(struct udp *u, int socket);

/* The socket that a datagram of `proto` between these ends is for, or NULL. */
struct udp_socket *udp_find(struct udp *u, uint8_t proto, const struct addr *local, uint16_t port,
                            const struct addr *remote, uint16_t remote_port);

/* ---- In ---- */

/*
 * A datagram for us, or several that the device has left in one piece: p's marks and gso_size say
 * so. On success *ret_socket is the socket whose queue grew. Returns REASON_NONE or the reason for
 * the drop; REASON_UDP_NO_SOCKET is worth an ICMP error.
 */
enum reason udp_input(struct udp *u, struct ip_node *n, const struct ip_hdr *ip,
                      struct slice segment, const struct pkt *p, int *ret_socket);

/*
 * Queue `data`, which came for s in a packet with this header, as datagrams of `each` bytes or,
 * with 0, as one. It is kept by reference as long as that pool's buffers that are in use (but for
 * those that make room for others) are no more than half of it, and those in this queue no more
 * than the rest of that half; then copied, if it fits into a small buffer.
 */
enum reason udp_keep(struct udp_socket *s, struct ip_node *n, const struct ip_hdr *ip,
                     struct slice data, uint32_t each, uint16_t remote_port);

/*
 * An ICMP error about a datagram of ours. On success *ret_socket is the socket that hears of it; a
 * hard one is what the next call of a connected socket returns. Returns REASON_NONE or the reason
 * for the drop.
 */
enum reason udp_icmp_error(struct udp *u, const struct icmp_error *e, int *ret_socket);

/*
 * The next datagram, its reference with it, or with `several` all that have come as one train and
 * are left of it: 0, -EAGAIN, -EBADF. A connected socket returns first,
 * and once, what udp_icmp_error left: -ECONNREFUSED, -ENOPROTOOPT, -EACCES, -EMSGSIZE.
 */
int udp_receive(struct udp *u, int socket, bool several, struct udp_dgram *ret_dgram);
/* The next error: 0, -EAGAIN, -EBADF. */
int udp_error(struct udp *u, int socket, struct udp_error *ret_error);

/* ---- Out ---- */

/*
 * Send from the socket's port. d->local may be unspecified (all zeros): then the socket's, or one
 * of ours of the receiver's version; so may d->remote with port 0, of a connected socket. d->route,
 * if it has hops, goes before that of the settings. On success the reference on d->data.buf passes
 * on; what is larger than the MTU leaves in fragments, if the settings do not forbid that. With
 * d->each it is a train: so many bytes make a datagram.
 * -EMSGSIZE: more than the version's packets hold, or than the path takes; -ENOBUFS: the output
 * ring is full; -EINVAL: no address or port that could be a receiver; -EDESTADDRREQ: nobody is
 * given; -EADDRNOTAVAIL: none of our addresses is of the receiver's version, or d->local is not
 * ours; -EBADF; and once what udp_receive returns after an error.
 */
int udp_send(struct udp *u, struct ip_node *n, int socket, const struct udp_dgram *d);

/*
 * A place in the output ring for what socket `s` sends: addresses, options and settings are in it;
 * what is left is the header of l4_len bytes. Returns 0 or what udp_send says.
 */
int udp_begin(struct udp_socket *s, struct ip_node *n, const struct udp_dgram *d, uint8_t l4_len,
              struct ip_out **ret_out);

/*
 * Bytes of data that go to `remote` from this socket without being fragmented, as far as is known
 * of the path (RFC 1122 section 3.3.3); negative errno: -EBADF, -EINVAL.
 */
int udp_room(struct udp *u, const struct ip_node *n, int socket, const struct addr *remote);

#endif
