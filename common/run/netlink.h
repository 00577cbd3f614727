/*
 * The machine's links, addresses and routes, over rtnetlink.
 *
 * One `struct netlink` is one socket. It belongs to the network namespace in which it was opened
 * and to one thread; requests are sent one at a time and answered before the call returns.
 *
 * Everything returns 0 or a negative errno, which is the kernel's own: -EPERM without
 * CAP_NET_ADMIN, -ENODEV for a link that is not there, -EEXIST for what is there already.
 */
#ifndef RUN_NETLINK_H
#define RUN_NETLINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/addr.h"

enum {
    NETLINK_NAME_MAX = 16, /* bytes of an interface's name with its final zero (IFNAMSIZ) */
    NETLINK_KIND_MAX = 16, /* bytes of a link's kind with its final zero: "tun", "veth" */
};

struct netlink;

struct netlink_link {
    char name[NETLINK_NAME_MAX];
    char kind[NETLINK_KIND_MAX]; /* "" for hardware and loopback */
    int index;
    uint32_t mtu;  /* bytes of an IP packet */
    bool up;       /* somebody set it up */
    bool carrier;  /* for a TUN: a program is attached */
    bool is_tun;   /* carries IP packets (IFF_TUN), as opposed to a TAP */
    bool queues;   /* a TUN that several descriptors may be attached to at once */
    bool persist;  /* a TUN that stays without a program attached */
    int64_t owner; /* a TUN's user id; -1: nobody's in particular */
    int64_t group; /* a TUN's group id; -1: no group's */
    uint64_t rx_packets, rx_bytes;
    uint64_t tx_packets, tx_bytes;
    uint64_t tx_dropped;
};

struct netlink_addr {
    struct addr addr;
    uint8_t prefix_len; /* 0 to 32 of an IPv4 address, to 128 of an IPv6 one */
    bool has_peer;      /* point to point: the prefix is that of the far end's address */
    struct addr peer;
    uint32_t flags; /* of linux/if_addr.h: IFA_F_NODAD and others */
    int index;      /* of its link; only said by netlink_addr_list */
};

struct netlink_route {
    struct addr dst; /* the unspecified address with prefix length 0: the default route */
    uint8_t prefix_len;
    bool has_gateway;
    struct addr gateway;
    int index; /* the link that it leads to */
    uint32_t metric;
};

int netlink_open(struct netlink **ret);
void netlink_close(struct netlink *nl); /* NULL is allowed */

/* The link called `name`, or -ENODEV. */
int netlink_link_get(struct netlink *nl, const char *name, struct netlink_link *ret);
int netlink_link_set_up(struct netlink *nl, int index);
int netlink_link_set_down(struct netlink *nl, int index);
int netlink_link_set_mtu(struct netlink *nl, int index, uint32_t mtu);
/* Deletes a persistent TUN, too, and under a program that is attached to it. */
int netlink_link_delete(struct netlink *nl, int index);

int netlink_addr_add(struct netlink *nl, int index, const struct netlink_addr *a);
int netlink_addr_delete(struct netlink *nl, int index, const struct netlink_addr *a);

/*
 * The addresses of link `index`, or of all links with index 0: fills out[max], and *ret_count with
 * how many there are in all.
 */
int netlink_addr_list(struct netlink *nl, int index, struct netlink_addr *out, size_t max,
                      size_t *ret_count);

/* The routes of the main table, both families, that lead to link `index`; counts as above. */
int netlink_route_list(struct netlink *nl, int index, struct netlink_route *out, size_t max,
                       size_t *ret_count);

/*
 * The route ff00::/8 in the local table, which the kernel adds to link `index` with its first IPv6
 * address and leaves there when the address goes. 1 when it is there, 0 when not, or an error; and
 * its removal, which is -ESRCH when it is not there.
 */
int netlink_mroute_present(struct netlink *nl, int index);
int netlink_mroute_delete(struct netlink *nl, int index);

/*
 * The links that have an IPv6 route or address from a router's advertisement; counts as above. A
 * link stands in out[] once.
 */
int netlink_advertised_links(struct netlink *nl, int *out, size_t max, size_t *ret_count);

/* ---- without a handle, for programs that ask once ---- */

/* 1 when there is a link called `name`, 0 when not, or an error. */
int netlink_link_exists(const char *name);

/* 1 when link `name` carries exactly this address and prefix length, 0 when not, or an error. */
int netlink_addr_present(const char *name, const struct addr *addr, uint8_t prefix_len);

/*
 * Give link `name` the address, unless it has it, and set it up. What was done remains when a later
 * step fails.
 */
int netlink_configure(const char *name, const struct addr *addr, uint8_t prefix_len);

#endif
