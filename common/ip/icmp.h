/*
 * ICMP of one node (RFC 792, RFC 1122 section 3.2.2, RFC 4443): echo requests are answered, errors
 * are checked and handed up, and errors are sent where a host owes them.
 */
#ifndef IP_ICMP_H
#define IP_ICMP_H

#include "base/buf.h"
#include "ip/ip.h"
#include "wire/icmp.h"

/*
 * An ICMP message for us. An echo request leaves its reply in the output ring. An error that quotes
 * a packet of ours fills *ret_error and sets *ret_has_error. Returns REASON_NONE or the reason for
 * the drop.
 */
enum reason icmp_input(struct ip_node *n, int64_t now, const struct ip_hdr *ip,
                       struct slice message, bool *ret_has_error, struct icmp_error *ret_error);

/*
 * Tell the sender of `packet` (a whole IP packet, its header parsed in `ip`) that it could not be
 * delivered: at most 100 errors in a second, and never about an ICMP error (RFC 1122 3.2.2, RFC
 * 4443 2.4). An unknown protocol is a parameter problem in IPv6.
 */
void icmp_send_unreachable(struct ip_node *n, int64_t now, const struct ip_hdr *ip,
                           struct slice packet, enum icmp_unreachable_code code);

/*
 * Tell the sender of a packet what is wrong with its headers, within the same limits; `ip` is
 * what ip_problem gave.
 */
void icmp_send_problem(struct ip_node *n, int64_t now, const struct ip_hdr *ip, struct slice packet,
                       const struct ip_problem *problem);

/*
 * Tell the sender of the first fragment `first` that the others did not come in time (RFC 1122
 * section 3.3.2), within the same limits.
 */
void icmp_send_fragment_timeout(struct ip_node *n, int64_t now, const struct ip_hdr *ip,
                                struct slice first);

#endif
