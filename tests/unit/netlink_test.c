/* Links and addresses of the real kernel, in a network namespace of this test's own. */
#include "run/netlink.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

static bool have_namespace;

/* Make a TUN or TAP that lasts as long as the descriptor. */
static int make_device(const char *name, int flags)
{
    struct ifreq ifr = {.ifr_flags = (short)(flags | IFF_NO_PI)};
    int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

    memcpy(ifr.ifr_name, name, strlen(name));
    if (fd >= 0 && ioctl(fd, TUNSETIFF, &ifr) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static int enter_namespace(void **state)
{
    int fd;

    (void)state;
    if (unshare(CLONE_NEWNET) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0) {
        fd = make_device("probe0", IFF_TUN);
        have_namespace = fd >= 0;
        if (fd >= 0)
            close(fd);
    }
    return 0;
}

static void need_namespace(void)
{
    if (have_namespace)
        return;
    print_message("skipped: no namespace, or no TUN in it\n");
    skip();
}

static struct netlink_link link_of(struct netlink *nl, const char *name)
{
    struct netlink_link l;

    assert_int_equal(netlink_link_get(nl, name, &l), 0);
    return l;
}

static void what_is_not_there(void **state)
{
    struct addr a = addr_v4(0x0a000001);

    (void)state;
    assert_int_equal(netlink_link_exists("nothing0"), 0);
    assert_int_equal(netlink_link_exists("a-name-that-is-too-long-for-a-link"), 0);
    assert_int_equal(netlink_addr_present("nothing0", &a, 24), -ENODEV);
    assert_int_equal(netlink_configure("nothing0", &a, 24), -ENODEV);
    assert_int_equal(netlink_link_exists("lo"), 1);
}

static void configure(void **state)
{
    struct addr a = addr_v4(0x0a000001), b = addr_v4(0x0a000002);
    struct netlink_route routes[4];
    struct netlink_link l;
    struct netlink *nl;
    size_t n = 99;
    int fd;

    (void)state;
    need_namespace();
    fd = make_device("tun0", IFF_TUN);
    assert_true(fd >= 0);
    assert_int_equal(netlink_open(&nl), 0);
    l = link_of(nl, "tun0");
    assert_string_equal(l.kind, "tun");
    assert_true(l.is_tun && l.carrier && !l.up && !l.persist);
    assert_int_equal(l.mtu, 1500);
    assert_int_equal(l.owner, -1);
    assert_int_equal(l.group, -1);
    assert_int_equal(netlink_addr_present("tun0", &a, 24), 0);
    assert_int_equal(netlink_configure("tun0", &a, 24), 0);
    assert_int_equal(netlink_configure("tun0", &a, 24), 0); /* twice changes nothing */
    assert_int_equal(netlink_addr_present("tun0", &a, 24), 1);
    assert_int_equal(netlink_addr_present("tun0", &a, 25), 0);
    assert_int_equal(netlink_addr_present("tun0", &b, 24), 0);
    assert_true(link_of(nl, "tun0").up);
    assert_int_equal(netlink_route_list(nl, l.index, routes, 4, &n), 0);
    assert_true(n >= 1);
    assert_int_equal(addr_v4_value(&routes[0].dst), 0x0a000000);
    assert_int_equal(routes[0].prefix_len, 24);
    assert_false(routes[0].has_gateway);
    assert_int_equal(netlink_link_set_down(nl, l.index), 0);
    assert_false(link_of(nl, "tun0").up);
    netlink_close(nl);
    close(fd);
    assert_int_equal(netlink_link_exists("tun0"), 0);
}

static void addresses_and_owners(void **state)
{
    struct netlink_addr a = {.addr = addr_v4(0xc0a80101), .prefix_len = 28}, list[1];
    struct netlink_link l;
    struct netlink *nl;
    size_t n;
    int fd;

    (void)state;
    need_namespace();
    fd = make_device("tap7", IFF_TAP);
    assert_true(fd >= 0);
    assert_int_equal(ioctl(fd, TUNSETPERSIST, 1UL), 0);
    if (ioctl(fd, TUNSETOWNER, (unsigned long)geteuid()) == 0) {
        assert_int_equal(netlink_open(&nl), 0);
        assert_int_equal(link_of(nl, "tap7").owner, geteuid());
        netlink_close(nl);
    }
    close(fd);
    assert_int_equal(netlink_open(&nl), 0);
    l = link_of(nl, "tap7");
    assert_true(!l.is_tun && l.persist && !l.carrier);
    assert_int_equal(netlink_addr_add(nl, l.index, &a), 0);
    assert_int_equal(netlink_addr_add(nl, l.index, &a), -EEXIST);
    a.prefix_len = 29;
    assert_int_equal(netlink_addr_add(nl, l.index, &a), 0);
    assert_int_equal(netlink_addr_list(nl, l.index, list, 1, &n), 0);
    assert_int_equal(n, 2); /* more than there was room for */
    assert_int_equal(list[0].index, l.index);
    assert_int_equal(addr_v4_value(&list[0].addr), 0xc0a80101);
    assert_int_equal(netlink_addr_delete(nl, l.index, &a), 0);
    assert_int_equal(netlink_addr_delete(nl, l.index, &a), -EADDRNOTAVAIL);
    assert_int_equal(netlink_addr_list(nl, 0, NULL, 0, &n), 0);
    assert_int_equal(n, 1); /* of all links: loopback is down and has none */
    assert_int_equal(netlink_link_delete(nl, l.index), 0);
    assert_int_equal(netlink_link_delete(nl, l.index), -ENODEV);
    assert_int_equal(netlink_link_set_up(nl, l.index), -ENODEV);
    netlink_close(nl);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_there),
        cmocka_unit_test(configure),
        cmocka_unit_test(addresses_and_owners),
    };

    return cmocka_run_group_tests(tests, enter_namespace, NULL);
}
