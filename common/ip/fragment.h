/*
 * Fragments that arrive (RFC 791 section 3.2, RFC 1122 section 3.3.2, RFC 8200 section 4.5): put
 * together in a fixed number of places, whatever comes.
 *
 *     fragment_expire    gives up what did not come in time, one datagram with each call
 *     fragment_input     puts a fragment in its place, and hands out what is whole now
 *     fragment_deadline  when fragment_expire has something to do
 *
 * What is handed out is a packet that looks as if it had never been taken apart. It lies in one
 * buffer of ours, which whoever is concerned may keep by a reference; while all of those are kept,
 * no new datagram can begin.
 */
#ifndef IP_FRAGMENT_H
#define IP_FRAGMENT_H

#include <stddef.h>

#include "base/buf.h"
#include "base/list.h"
#include "base/pool.h"
#include "wire/ip.h"

/* How long fragments wait (RFC 8200 section 4.5; RFC 1122 section 3.3.2: 60 to 120 s). */
#define FRAGMENT_TIMEOUT (60 * SEC)

enum {
    FRAGMENT_HEADERS_MAX = 256, /* bytes of headers in front of the fragments' data */
};

/* The datagrams of one node that are being put together. */
struct fragments {
    struct buf_pool bufs;
    struct pool partials;
    struct list waiting; /* the oldest first */
    uint32_t share;      /* datagrams of one source that need not make room for others */
    uint64_t *counts;    /* by enum reason */
};

/* Bytes of memory for `max` datagrams; 16 of alignment, mapped when it is used. */
size_t fragment_bytes(uint32_t max);
void fragment_init(struct fragments *f, void *mem, uint32_t max, uint64_t *counts);

/*
 * The fragment with the header `ip`, which was accepted, is `packet`. Returns REASON_NONE or the
 * reason for the drop. If it was the last that was missing, *ret_whole is the packet, its reference
 * the caller's; else ret_whole->base is NULL.
 */
enum reason fragment_input(struct fragments *f, int64_t now, const struct ip_hdr *ip,
                           struct slice packet, struct slice *ret_whole);

/*
 * What the sender of a fragment is owed that fragment_input has dropped for this reason: in IPv6
 * two lengths that cannot be are worth a parameter problem (RFC 8200 section 4.5).
 */
struct ip_problem fragment_problem(const struct ip_hdr *ip, enum reason why);

/*
 * Give up a datagram whose time is over at `now`; false if there is none. If its first fragment has
 * come, its sender is owed an ICMP error: *ret_first is that fragment then, as it arrived, its
 * reference the caller's; else ret_first->base is NULL.
 */
bool fragment_expire(struct fragments *f, int64_t now, struct slice *ret_first);

/* Never late, or TIME_NEVER. */
int64_t fragment_deadline(const struct fragments *f);

#endif
