/*
 * Addresses on a command line, of both versions of IP. A node knows no zones, and an IPv4 address
 * has one form: neither "fe80::1%tun0" nor "::ffff:10.0.0.1" is taken.
 */
#ifndef RUN_ADDRESS_H
#define RUN_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/addr.h"

enum {
    CIDRS_MAX = 32,
};

struct cidr {
    struct addr addr;
    uint8_t prefix_len; /* of its subnet, bits of an address of its version; 0: was not given */
};

struct cidr_list {
    struct cidr at[CIDRS_MAX];
    unsigned n;
};

/* "10.0.1.5". Returns 0 or -EINVAL. */
int parse_addr4(const char *text, struct addr *ret_addr);
/* "10.0.1.5" or "fd00:1::5". Returns 0 or -EINVAL. */
int parse_addr(const char *text, struct addr *ret_addr);

/*
 * "10.0.0.1/24" or "fd00::1/64": the address of a host with a prefix length of 1 to 30, or of 1 to
 * 126. Returns 0, or -EINVAL with *ret_why set to a phrase that completes "ADDRESS/PREFIX ...".
 */
int parse_cidr(const char *text, struct cidr *ret_cidr, const char **ret_why);

/*
 * The address with `number` in the subnet of `net`; false if the subnet has no such host, or it is
 * `net` itself.
 */
bool cidr_host_number(const struct cidr *net, uint32_t number, struct addr *ret_addr);

/* How many of them are of a's version of IP. */
unsigned cidrs_like(const struct cidr_list *list, const struct addr *a);
/* They take turns, those of a's version; *turn, 0 at first, says whose it is. NULL: there is none.
 */
const struct addr *cidrs_next(const struct cidr_list *list, const struct addr *a, uint32_t *turn);

#endif
