/*
 * For tests of TUNs against the kernel: a network namespace of the test's own. Where none can be
 * made, or no TUN, the tests that need them are skipped.
 */
#ifndef TESTS_UNIT_TUN_KIT_H
#define TESTS_UNIT_TUN_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *no_tun; /* why there can be no TUN here, or NULL */

/* Become root of a network namespace, through a user namespace if that is what it takes. */
static inline void enter_namespace(void)
{
    if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
        no_tun = "no network namespace may be made here";
    else if (access("/dev/net/tun", R_OK | W_OK) < 0)
        no_tun = "there is no /dev/net/tun that can be opened";
}

static inline void need_tun(void)
{
    if (no_tun) {
        print_message("[  note  ] %s\n", no_tun);
        skip();
    }
}

static inline void set_ifreq(unsigned long what, struct ifreq *req, const char *name)
{
    int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    assert_true(sock >= 0);
    snprintf(req->ifr_name, sizeof(req->ifr_name), "%s", name);
    assert_int_equal(ioctl(sock, what, req), 0);
    close(sock);
}

/* The kernel has this address with a /24 on the interface, which is up. */
static inline void configure(const char *name, uint32_t address)
{
    struct ifreq req = {0};
    struct sockaddr_in *a = (struct sockaddr_in *)(void *)&req.ifr_addr;

    a->sin_family = AF_INET;
    a->sin_addr.s_addr = htonl(address);
    set_ifreq(SIOCSIFADDR, &req, name);
    a->sin_addr.s_addr = htonl(0xffffff00);
    set_ifreq(SIOCSIFNETMASK, &req, name);
    memset(&req, 0, sizeof(req));
    req.ifr_flags = IFF_UP;
    set_ifreq(SIOCSIFFLAGS, &req, name);
}

static inline void set_mtu(const char *name, int mtu)
{
    struct ifreq req = {.ifr_mtu = mtu};

    set_ifreq(SIOCSIFMTU, &req, name);
}

#endif
