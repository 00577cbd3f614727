/*
 * rtnetlink through libnl-3.
 *
 * Requests are written as the messages they are and sent by transact(), which reads answers until
 * the kernel acknowledges or refuses: libnl's own wrappers fold errno values together (EPERM and
 * EACCES, ENODEV and ENOENT), and the programs above tell the user the difference. A link is parsed
 * here as well, because libnl-route does not know what a TUN says about its owner. Addresses and
 * routes are read through libnl-route's caches.
 */
#include "run/netlink.h"

#include <errno.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/route.h>
#include <stdlib.h>

#include "base/bytes.h"

struct netlink {
    struct nl_sock *sock;
};

/* libnl's error as an errno: only for its caches and its own failures. */
static int errno_of(int nl_error)
{
    switch (-nl_error) {
    case NLE_NOMEM:
        return -ENOMEM;
    case NLE_PERM:
    case NLE_NOACCESS:
        return -EPERM;
    case NLE_NODEV:
    case NLE_OBJ_NOTFOUND:
        return -ENODEV;
    case NLE_AF_NOSUPPORT:
        return -EAFNOSUPPORT;
    default:
        return -EIO;
    }
}

int netlink_open(struct netlink **ret)
{
    struct netlink *nl = calloc(1, sizeof(*nl));
    int r = -ENOMEM;

    if (!nl)
        return r;
    nl->sock = nl_socket_alloc();
    if (!nl->sock)
        goto err0;
    r = nl_connect(nl->sock, NETLINK_ROUTE);
    if (r < 0) {
        r = errno_of(r);
        goto err1;
    }
    *ret = nl;
    return 0;

err1:
    nl_socket_free(nl->sock);
err0:
    free(nl);
    return r;
}

void netlink_close(struct netlink *nl)
{
    if (!nl)
        return;
    nl_socket_free(nl->sock);
    free(nl);
}

/* ---- one request and its answer ---- */

enum {
    WAITING = 1, /* no answer yet: 0 and negative errno values are answers */
};

static int on_error(struct sockaddr_nl *from, struct nlmsgerr *err, void *arg)
{
    (void)from;
    *(int *)arg = err->error;
    return NL_STOP;
}

static int on_ack(struct nl_msg *msg, void *arg)
{
    (void)msg;
    *(int *)arg = 0;
    return NL_STOP;
}

/*
 * Send `msg`, free it, and wait for the kernel's word on it; `on_valid` (may be NULL) sees each
 * message of the answer. A NULL message, and `built` < 0 for one that did not fit, are -ENOMEM.
 */
static int transact(struct netlink *nl, struct nl_msg *msg, int built, nl_recvmsg_msg_cb_t on_valid,
                    void *arg)
{
    struct nl_cb *cb = nl_cb_alloc(NL_CB_DEFAULT);
    int answer = WAITING, r = -ENOMEM;

    if (!msg || built < 0 || !cb)
        goto out;
    nlmsg_hdr(msg)->nlmsg_flags |= NLM_F_ACK;
    nl_cb_err(cb, NL_CB_CUSTOM, on_error, &answer);
    nl_cb_set(cb, NL_CB_ACK, NL_CB_CUSTOM, on_ack, &answer);
    if (on_valid)
        nl_cb_set(cb, NL_CB_VALID, NL_CB_CUSTOM, on_valid, arg);
    r = nl_send_auto(nl->sock, msg);
    if (r < 0) {
        r = errno_of(r);
        goto out;
    }
    while (answer == WAITING) {
        r = nl_recvmsgs(nl->sock, cb);
        if (r < 0 && answer == WAITING)
            answer = errno_of(r);
    }
    r = answer;
out:
    nlmsg_free(msg);
    nl_cb_put(cb);
    return r;
}

/* ---- links ---- */

static struct nl_msg *link_request(int type, int flags, struct ifinfomsg info)
{
    struct nl_msg *msg = nlmsg_alloc_simple(type, NLM_F_REQUEST | flags);

    if (msg && nlmsg_append(msg, &info, sizeof(info), NLMSG_ALIGNTO) < 0) {
        nlmsg_free(msg);
        return NULL;
    }
    return msg;
}

/* What a TUN says about itself (IFLA_INFO_DATA). */
static void read_tun(struct nlattr *data, struct netlink_link *l)
{
    struct nlattr *a[IFLA_TUN_MAX + 1];

    if (nla_parse_nested(a, IFLA_TUN_MAX, data, NULL) < 0)
        return;
    l->is_tun = a[IFLA_TUN_TYPE] && nla_get_u8(a[IFLA_TUN_TYPE]) == IFF_TUN;
    l->queues = a[IFLA_TUN_MULTI_QUEUE] && nla_get_u8(a[IFLA_TUN_MULTI_QUEUE]);
    l->persist = a[IFLA_TUN_PERSIST] && nla_get_u8(a[IFLA_TUN_PERSIST]);
    if (a[IFLA_TUN_OWNER])
        l->owner = nla_get_u32(a[IFLA_TUN_OWNER]);
    if (a[IFLA_TUN_GROUP])
        l->group = nla_get_u32(a[IFLA_TUN_GROUP]);
}

static void read_kind(struct nlattr *info, struct netlink_link *l)
{
    struct nlattr *a[IFLA_INFO_MAX + 1];

    if (nla_parse_nested(a, IFLA_INFO_MAX, info, NULL) < 0 || !a[IFLA_INFO_KIND])
        return;
    nla_strlcpy(l->kind, a[IFLA_INFO_KIND], sizeof(l->kind));
    if (strcmp(l->kind, "tun") == 0 && a[IFLA_INFO_DATA])
        read_tun(a[IFLA_INFO_DATA], l);
}

static int on_link(struct nl_msg *msg, void *arg)
{
    struct netlink_link *l = arg;
    const struct ifinfomsg *info = nlmsg_data(nlmsg_hdr(msg));
    struct nlattr *a[IFLA_MAX + 1];
    struct rtnl_link_stats64 stats;

    if (nlmsg_parse(nlmsg_hdr(msg), sizeof(*info), a, IFLA_MAX, NULL) < 0)
        return NL_SKIP;
    l->index = info->ifi_index;
    l->up = info->ifi_flags & IFF_UP;
    l->carrier = a[IFLA_CARRIER] && nla_get_u8(a[IFLA_CARRIER]);
    if (a[IFLA_IFNAME])
        nla_strlcpy(l->name, a[IFLA_IFNAME], sizeof(l->name));
    if (a[IFLA_MTU])
        l->mtu = nla_get_u32(a[IFLA_MTU]);
    if (a[IFLA_LINKINFO])
        read_kind(a[IFLA_LINKINFO], l);
    if (a[IFLA_STATS64] && nla_memcpy(&stats, a[IFLA_STATS64], sizeof(stats)) > 0) {
        l->rx_packets = stats.rx_packets;
        l->rx_bytes = stats.rx_bytes;
        l->tx_packets = stats.tx_packets;
        l->tx_bytes = stats.tx_bytes;
        l->tx_dropped = stats.tx_dropped;
    }
    return NL_OK;
}

int netlink_link_get(struct netlink *nl, const char *name, struct netlink_link *ret)
{
    struct netlink_link l = {.owner = -1, .group = -1};
    struct nl_msg *msg;
    int built, r;

    if (strlen(name) >= NETLINK_NAME_MAX)
        return -ENODEV; /* the kernel would say -ERANGE; no link can have such a name */
    msg = link_request(RTM_GETLINK, 0, (struct ifinfomsg){.ifi_family = AF_UNSPEC});
    built = msg ? nla_put_string(msg, IFLA_IFNAME, name) : -1;
    r = transact(nl, msg, built, on_link, &l);
    if (r == 0)
        *ret = l;
    return r;
}

static int link_set_flags(struct netlink *nl, int index, unsigned flags)
{
    struct ifinfomsg info = {.ifi_family = AF_UNSPEC,
                             .ifi_index = index,
                             .ifi_flags = flags,
                             .ifi_change = IFF_UP};

    return transact(nl, link_request(RTM_NEWLINK, 0, info), 0, NULL, NULL);
}

int netlink_link_set_up(struct netlink *nl, int index)
{
    return link_set_flags(nl, index, IFF_UP);
}

int netlink_link_set_down(struct netlink *nl, int index)
{
    return link_set_flags(nl, index, 0);
}

int netlink_link_set_mtu(struct netlink *nl, int index, uint32_t mtu)
{
    struct ifinfomsg info = {.ifi_family = AF_UNSPEC, .ifi_index = index};
    struct nl_msg *msg = link_request(RTM_NEWLINK, 0, info);

    return transact(nl, msg, msg ? nla_put_u32(msg, IFLA_MTU, mtu) : -1, NULL, NULL);
}

int netlink_link_delete(struct netlink *nl, int index)
{
    struct ifinfomsg info = {.ifi_family = AF_UNSPEC, .ifi_index = index};

    return transact(nl, link_request(RTM_DELLINK, 0, info), 0, NULL, NULL);
}

/* ---- addresses ---- */

/* The bytes of `a` as netlink wants them: 4 for IPv4, 16 for IPv6. */
static const uint8_t *addr_bytes(const struct addr *a, int *ret_len)
{
    *ret_len = addr_is_v4(a) ? 4 : 16;
    return a->b + 16 - *ret_len;
}

static struct addr addr_of_nl(const struct nl_addr *from)
{
    struct addr a = {0};

    if (nl_addr_get_len(from) == 4)
        return addr_v4_bytes(nl_addr_get_binary_addr(from));
    if (nl_addr_get_len(from) == 16)
        memcpy(a.b, nl_addr_get_binary_addr(from), 16);
    else if (nl_addr_get_family(from) == AF_INET)
        return addr_v4(0);
    return a;
}

/* RTM_NEWADDR or RTM_DELADDR for one address; the far end's is the same if there is none. */
static int addr_change(struct netlink *nl, int type, int flags, int index,
                       const struct netlink_addr *a)
{
    int len, built = -1;
    const uint8_t *bytes = addr_bytes(&a->addr, &len);
    const uint8_t *far = a->has_peer ? addr_bytes(&a->peer, &len) : bytes;
    struct ifaddrmsg info = {.ifa_family = len == 4 ? AF_INET : AF_INET6,
                             .ifa_prefixlen = a->prefix_len,
                             .ifa_scope = RT_SCOPE_UNIVERSE,
                             .ifa_index = (uint32_t)index};
    struct nl_msg *msg = nlmsg_alloc_simple(type, NLM_F_REQUEST | flags);

    if (msg && nlmsg_append(msg, &info, sizeof(info), NLMSG_ALIGNTO) == 0 &&
        nla_put(msg, IFA_LOCAL, len, bytes) == 0 && nla_put(msg, IFA_ADDRESS, len, far) == 0 &&
        (a->flags == 0 || nla_put_u32(msg, IFA_FLAGS, a->flags) == 0))
        built = 0;
    return transact(nl, msg, built, NULL, NULL);
}

int netlink_addr_add(struct netlink *nl, int index, const struct netlink_addr *a)
{
    return addr_change(nl, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, index, a);
}

int netlink_addr_delete(struct netlink *nl, int index, const struct netlink_addr *a)
{
    return addr_change(nl, RTM_DELADDR, 0, index, a);
}

int netlink_addr_list(struct netlink *nl, int index, struct netlink_addr *out, size_t max,
                      size_t *ret_count)
{
    struct nl_cache *cache;
    size_t n = 0;
    int r = rtnl_addr_alloc_cache(nl->sock, &cache);

    if (r < 0)
        return errno_of(r);
    for (struct nl_object *o = nl_cache_get_first(cache); o; o = nl_cache_get_next(o)) {
        struct rtnl_addr *ra = (struct rtnl_addr *)o;
        struct nl_addr *local = rtnl_addr_get_local(ra), *far = rtnl_addr_get_peer(ra);

        if ((index && rtnl_addr_get_ifindex(ra) != index) || !local)
            continue;
        if (n < max)
            out[n] = (struct netlink_addr){.addr = addr_of_nl(local),
                                           .prefix_len = (uint8_t)rtnl_addr_get_prefixlen(ra),
                                           .has_peer = far != NULL,
                                           .peer = far ? addr_of_nl(far) : (struct addr){.b = {0}},
                                           .flags = rtnl_addr_get_flags(ra),
                                           .index = rtnl_addr_get_ifindex(ra)};
        n++;
    }
    nl_cache_free(cache);
    *ret_count = n;
    return 0;
}

/* ---- routes ---- */

/* Whether `route` is in the main table and leads to link `index`; then it is read into *ret. */
static bool read_route(struct rtnl_route *route, int index, struct netlink_route *ret)
{
    struct rtnl_nexthop *hop;
    struct nl_addr *gateway, *dst = rtnl_route_get_dst(route);

    if (rtnl_route_get_table(route) != RT_TABLE_MAIN || rtnl_route_get_nnexthops(route) < 1)
        return false;
    hop = rtnl_route_nexthop_n(route, 0);
    if (rtnl_route_nh_get_ifindex(hop) != index)
        return false;
    gateway = rtnl_route_nh_get_gateway(hop);
    *ret = (struct netlink_route){.index = index, .metric = rtnl_route_get_priority(route)};
    ret->dst = rtnl_route_get_family(route) == AF_INET ? addr_v4(0) : (struct addr){.b = {0}};
    if (dst && nl_addr_get_len(dst) > 0)
        ret->dst = addr_of_nl(dst);
    ret->prefix_len = dst ? (uint8_t)nl_addr_get_prefixlen(dst) : 0;
    ret->has_gateway = gateway != NULL;
    if (gateway)
        ret->gateway = addr_of_nl(gateway);
    return true;
}

int netlink_route_list(struct netlink *nl, int index, struct netlink_route *out, size_t max,
                       size_t *ret_count)
{
    struct nl_cache *cache;
    struct netlink_route route;
    size_t n = 0;
    int r = rtnl_route_alloc_cache(nl->sock, AF_UNSPEC, 0, &cache);

    if (r < 0)
        return errno_of(r);
    for (struct nl_object *o = nl_cache_get_first(cache); o; o = nl_cache_get_next(o)) {
        if (!read_route((struct rtnl_route *)o, index, &route))
            continue;
        if (n < max)
            out[n] = route;
        n++;
    }
    nl_cache_free(cache);
    *ret_count = n;
    return 0;
}

static bool is_mroute(struct rtnl_route *r, int index)
{
    return rtnl_route_get_table(r) == RT_TABLE_LOCAL && rtnl_route_get_type(r) == RTN_MULTICAST &&
           nl_addr_get_prefixlen(rtnl_route_get_dst(r)) == 8 && rtnl_route_get_nnexthops(r) == 1 &&
           rtnl_route_nh_get_ifindex(rtnl_route_nexthop_n(r, 0)) == index;
}

int netlink_mroute_present(struct netlink *nl, int index)
{
    struct nl_cache *cache;
    int found = 0, r = rtnl_route_alloc_cache(nl->sock, AF_INET6, 0, &cache);

    if (r < 0)
        return errno_of(r);
    for (struct nl_object *o = nl_cache_get_first(cache); o && !found; o = nl_cache_get_next(o))
        found = is_mroute((struct rtnl_route *)o, index);
    nl_cache_free(cache);
    return found;
}

int netlink_mroute_delete(struct netlink *nl, int index)
{
    const uint8_t all_multicast[16] = {0xff};
    struct rtmsg info = {.rtm_family = AF_INET6,
                         .rtm_dst_len = 8,
                         .rtm_table = RT_TABLE_LOCAL,
                         .rtm_type = RTN_MULTICAST};
    struct nl_msg *msg = nlmsg_alloc_simple(RTM_DELROUTE, NLM_F_REQUEST);
    int built = -1;

    if (msg && nlmsg_append(msg, &info, sizeof(info), NLMSG_ALIGNTO) == 0 &&
        nla_put(msg, RTA_DST, sizeof(all_multicast), all_multicast) == 0 &&
        nla_put_u32(msg, RTA_OIF, (uint32_t)index) == 0)
        built = 0;
    return transact(nl, msg, built, NULL, NULL);
}

/* ---- what came from a router ---- */

/* Add link `index` to out[max], which holds the first of *count, unless it is there already. */
static void note_index(int index, int *out, size_t max, size_t *count)
{
    for (size_t i = 0; i < *count && i < max; i++)
        if (out[i] == index)
            return;
    if (*count < max)
        out[*count] = index;
    (*count)++;
}

/* An IPv6 address that is not for ever came from a router, or from DHCP on the same link. */
static void note_addresses(struct nl_cache *cache, int *out, size_t max, size_t *count)
{
    for (struct nl_object *o = nl_cache_get_first(cache); o; o = nl_cache_get_next(o)) {
        struct rtnl_addr *a = (struct rtnl_addr *)o;

        if (rtnl_addr_get_family(a) == AF_INET6 && !(rtnl_addr_get_flags(a) & IFA_F_PERMANENT))
            note_index(rtnl_addr_get_ifindex(a), out, max, count);
    }
}

static void note_routes(struct nl_cache *cache, int *out, size_t max, size_t *count)
{
    for (struct nl_object *o = nl_cache_get_first(cache); o; o = nl_cache_get_next(o)) {
        struct rtnl_route *r = (struct rtnl_route *)o;

        for (int i = 0; rtnl_route_get_protocol(r) == RTPROT_RA && i < rtnl_route_get_nnexthops(r);
             i++)
            note_index(rtnl_route_nh_get_ifindex(rtnl_route_nexthop_n(r, i)), out, max, count);
    }
}

int netlink_advertised_links(struct netlink *nl, int *out, size_t max, size_t *ret_count)
{
    struct nl_cache *cache;
    size_t n = 0;
    int r = rtnl_addr_alloc_cache(nl->sock, &cache);

    if (r < 0)
        return errno_of(r);
    note_addresses(cache, out, max, &n);
    nl_cache_free(cache);
    r = rtnl_route_alloc_cache(nl->sock, AF_INET6, 0, &cache);
    if (r < 0)
        return errno_of(r);
    note_routes(cache, out, max, &n);
    nl_cache_free(cache);
    *ret_count = n;
    return 0;
}

/* ---- in one call ---- */

int netlink_link_exists(const char *name)
{
    struct netlink_link link;
    struct netlink *nl;
    int r = netlink_open(&nl);

    if (r < 0)
        return r;
    r = netlink_link_get(nl, name, &link);
    netlink_close(nl);
    return r == -ENODEV ? 0 : r < 0 ? r : 1;
}

/* 1 when link `index` has address `a`, 0 when not, or an error. */
static int has_addr(struct netlink *nl, int index, const struct netlink_addr *a)
{
    struct netlink_addr list[64];
    size_t n;
    int r = netlink_addr_list(nl, index, list, sizeof(list) / sizeof(list[0]), &n);

    if (r < 0)
        return r;
    for (size_t i = 0; i < n && i < sizeof(list) / sizeof(list[0]); i++)
        if (addr_eq(&list[i].addr, &a->addr) && list[i].prefix_len == a->prefix_len)
            return 1;
    return 0;
}

int netlink_addr_present(const char *name, const struct addr *addr, uint8_t prefix_len)
{
    struct netlink_addr a = {.addr = *addr, .prefix_len = prefix_len};
    struct netlink_link link;
    struct netlink *nl;
    int r = netlink_open(&nl);

    if (r < 0)
        return r;
    r = netlink_link_get(nl, name, &link);
    if (r == 0)
        r = has_addr(nl, link.index, &a);
    netlink_close(nl);
    return r;
}

int netlink_configure(const char *name, const struct addr *addr, uint8_t prefix_len)
{
    /* nobody answers on a TUN: an IPv6 address there is unique without asking */
    struct netlink_addr a = {.addr = *addr,
                             .prefix_len = prefix_len,
                             .flags = addr_is_v4(addr) ? 0 : IFA_F_NODAD};
    struct netlink_link link;
    struct netlink *nl;
    int r = netlink_open(&nl);

    if (r < 0)
        return r;
    r = netlink_link_get(nl, name, &link);
    if (r == 0) {
        r = netlink_addr_add(nl, link.index, &a);
        if (r == -EEXIST)
            r = 0;
    }
    if (r == 0 && !link.up)
        r = netlink_link_set_up(nl, link.index);
    netlink_close(nl);
    return r;
}
