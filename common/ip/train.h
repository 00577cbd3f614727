/*
 * A train: datagrams of one size that an application gives to UDP at once, for one remote end. Only
 * the last may be shorter.
 *
 * Where the device cuts datagrams (struct ip_node's super_udp), as many as one packet holds leave
 * as one super-datagram: one IP header, one UDP header over all the data, and in gso_size the data
 * of each. Where it does not, or where one of them is larger than its path takes, or has IP
 * options, they leave one by one, and the bytes on the wire are the same.
 *
 * Cutting gives the packets identifications in a row, which are not ours to keep apart from others.
 * So what fits its path is atomic: DF, which makes the identification mean nothing (RFC 6864
 * section 4.1); cut here or by the device.
 */
#ifndef IP_TRAIN_H
#define IP_TRAIN_H

#include "ip/ip.h"

enum {
    TRAIN_SUPER_MAX = 64,  /* datagrams in one packet that leaves: as many as all kernels take */
    TRAIN_INPUT_MAX = 128, /* ... and in one that comes: as many as any kernel makes */
};

/* How many datagrams of `each` bytes `len` bytes are; 0: they are one. */
static inline uint32_t train_count(uint32_t len, uint32_t each)
{
    return each && len > each ? (len - 1) / each + 1 : 1;
}

/*
 * What of the train in o leaves next, from o->done on: o->now, and its UDP header in o->l4. True:
 * it is several, and a super-datagram.
 */
bool train_next(const struct ip_node *n, struct ip_out *o);

/* Each of its datagrams leaves whole on its path, so that it may be atomic. */
bool train_fits(const struct ip_node *n, const struct ip_out *o);

/* The marks of a super-datagram: what the device has to do with it. Its headers are in place. */
void train_mark(struct pkt *p, const struct ip_out *o);

#endif
