/*
 * Addresses are 16 bytes everywhere above the wire. An IPv4 address is held in its mapped form
 * ::ffff:a.b.c.d (RFC 4291 section 2.5.5.2), so that IPv4 and IPv6 are one path, not two.
 */
#ifndef WIRE_ADDR_H
#define WIRE_ADDR_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/bytes.h"

struct addr {
    uint8_t b[16];
};

enum {
    ADDR_TEXT_MAX = 46,      /* bytes for the longest text form, with its final zero */
    ADDR_PORT_TEXT_MAX = 56, /* the same with a port */
};

enum {
    ADDR_V4_AT = 12, /* where the IPv4 address stands in its mapped form */
};

/* What stands before it. */
static const uint8_t addr_v4_prefix[ADDR_V4_AT] = {[10] = 0xff, [11] = 0xff};

/* The mapped form of an IPv4 address given as a number in host order: 10.0.0.1 is 0x0a000001. */
struct addr addr_v4(uint32_t host_order);

/* These three are asked several times for each packet, and so stand here. */

/* The mapped form of the 4 bytes of an IPv4 address as they stand in a packet. */
static inline struct addr addr_v4_bytes(const uint8_t b[4])
{
    struct addr a;

    memcpy(a.b, addr_v4_prefix, ADDR_V4_AT);
    memcpy(a.b + ADDR_V4_AT, b, 4);
    return a;
}

static inline bool addr_is_v4(const struct addr *a)
{
    return memcmp(a->b, addr_v4_prefix, ADDR_V4_AT) == 0;
}

/* The IPv4 address as a number in host order; `a` must hold one. */
static inline uint32_t addr_v4_value(const struct addr *a)
{
    assert(addr_is_v4(a));
    return get32(a->b + ADDR_V4_AT);
}

static inline bool addr_eq(const struct addr *a, const struct addr *b)
{
    return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

/* 0.0.0.0 (mapped) or :: */
bool addr_is_unspecified(const struct addr *a);
/* 127.0.0.0/8 or ::1 */
bool addr_is_loopback(const struct addr *a);
/* 224.0.0.0/4 or ff00::/8 */
bool addr_is_multicast(const struct addr *a);
/* fe80::/10: good on one link only; IPv4's 169.254.0.0/16 is no such address to us */
bool addr_is_link_local6(const struct addr *a);
/* 255.255.255.255; a directed broadcast needs the subnet's length and is the IP floor's affair */
bool addr_is_limited_broadcast(const struct addr *a);

/*
 * Write the text form, "10.0.0.7" or RFC 5952's for IPv6, always terminated.
 * Returns out, so that it can stand in an argument list.
 */
const char *addr_format(const struct addr *a, char out[ADDR_TEXT_MAX]);

/* The same with a port behind it: "10.0.0.7:80" or "[fd00::7]:80" (RFC 5952 section 6). */
const char *addr_port_format(const struct addr *a, uint16_t port, char out[ADDR_PORT_TEXT_MAX]);

#endif
