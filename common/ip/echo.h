/*
 * Echo requests that we send, and their replies (RFC 1122 section 3.2.2.6, RFC 4443 section 4), by
 * sockets as those of UDP: opened for protocol IP_PROTO_ICMP, of both versions of IP, with the
 * requests' identifier for a port. The sequence number stands in a datagram's remote_port.
 */
#ifndef IP_ECHO_H
#define IP_ECHO_H

#include "ip/udp.h"

/* As udp_send, to d->remote, which may be unspecified on a connected socket. */
int echo_send(struct udp *u, struct ip_node *n, int socket, const struct udp_dgram *d);

/* Is this message, of a packet with this header, an echo reply? Then echo_input takes it. */
bool echo_is_reply(const struct ip_hdr *ip, struct slice message);

/*
 * An echo reply for us. On success *ret_socket is the socket whose queue grew. Returns REASON_NONE
 * or the reason for the drop.
 */
enum reason echo_input(struct udp *u, struct ip_node *n, const struct ip_hdr *ip,
                       struct slice message, uint16_t marks, int *ret_socket);

#endif
