/*
 * The TUN device against the kernel, in a network namespace of the test's own. Where none can be
 * made, or no TUN, the tests that need them are skipped.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "link/tun.h"
#include "run/netlink.h"
#include "tests/unit/packet_kit.h"
#include "tests/unit/tun_kit.h"
#include "wire/ip.h"

enum {
    BUF_SIZE = 2048,
    PATIENCE = 2000, /* ms for the kernel to answer */
};

static struct buf_pool pool;

static int writev_error; /* what the next writev is told, or 0: the kernel decides */
static unsigned pieces;  /* of the latest writev */

/* The C library's, but for what a test wants to hear. */
ssize_t writev(int fd, const struct iovec *iov, int n)
{
    pieces = (unsigned)n;
    if (!writev_error)
        return syscall(SYS_writev, fd, iov, n);
    errno = writev_error;
    return -1;
}

/* An open TUN, and so many bufs of this size. */
static void opened(struct tun *t, uint32_t bufs, uint32_t size)
{
    need_tun();
    kit_pool(&pool, bufs, size);
    assert_int_equal(tun_open(t, "tun0", 0, &pool), 0);
}

static int udp_socket(uint16_t port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
    int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int pmtu = IP_PMTUDISC_DONT;

    a.sin_addr.s_addr = htonl(0x0a000001);
    assert_int_equal(bind(sock, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(setsockopt(sock, IPPROTO_IP, IP_MTU_DISCOVER, &pmtu, sizeof(pmtu)), 0);
    return sock;
}

/* The same, with 10.0.0.1/24 of the kernel's, and a socket there. */
static int begin(struct tun *t, uint32_t bufs, uint32_t size)
{
    opened(t, bufs, size);
    configure("tun0", 0x0a000001);
    return udp_socket(9000);
}

/* The kernel sends `len` bytes to the node's port 7000. */
static void kernel_sends(int sock, size_t len)
{
    static const char zeros[4096];
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(7000)};

    a.sin_addr.s_addr = htonl(KIT_HOST);
    assert_int_equal(sendto(sock, zeros, len, 0, (struct sockaddr *)&a, sizeof(a)), len);
}

static void release(struct pkt *p)
{
    for (unsigned i = 0; i < p->parts; i++)
        buf_unref(p->part[i].buf);
}

/* Read until a UDP datagram for the node comes; what the kernel sends by itself is skipped. */
static int read_udp(struct tun *t, struct pkt *ret_pkt)
{
    for (;;) {
        struct pollfd p = {.fd = device_fd(&t->dev), .events = POLLIN};
        int got = device_read(&t->dev, 0, ret_pkt);

        if (got < 0)
            return got;
        if (got == 1 && ret_pkt->part[0].base[0] == 0x45 && ret_pkt->part[0].base[9] == 17)
            return 1;
        if (got == 1)
            release(ret_pkt);
        else if (poll(&p, 1, PATIENCE) <= 0)
            return 0;
    }
}

static void test_names(void **state)
{
    struct tun t;

    (void)state;
    kit_pool(&pool, 4, BUF_SIZE);
    assert_int_equal(tun_open(&t, "sixteen-letters-", 0, &pool), -ENAMETOOLONG);
    assert_int_equal(tun_open(&t, "", 0, &pool), -EILSEQ);
    assert_int_equal(tun_open(&t, "a/b", 0, &pool), -EILSEQ);
    assert_int_equal(tun_open(&t, "tun%d", 0, &pool), -EILSEQ);
    assert_int_equal(tun_open(&t, "..", 0, &pool), -EILSEQ);
    for (int e = 1; e < 133; e++)
        assert_true(strlen(tun_explain(-e)) > 0);
}

/* The lowest that is free; who has started this test may have left it some. */
static int next_descriptor(void)
{
    int fd = open("/", O_RDONLY | O_DIRECTORY);

    assert_true(fd >= 0);
    close(fd);
    return fd;
}

static void test_created_or_attached(void **state)
{
    struct tun t, second;
    int next;

    (void)state;
    need_tun();
    kit_pool(&pool, 4, BUF_SIZE);
    next = next_descriptor();
    assert_int_equal(tun_open(&t, "fifteen-letters", 0, &pool), 0);
    assert_true(t.created);
    assert_string_equal(t.dev.name, "fifteen-letters");
    assert_int_equal(t.dev.mtu, 1500);
    assert_true(fcntl(t.fd, F_GETFD) & FD_CLOEXEC);
    assert_true(fcntl(t.fd, F_GETFL) & O_NONBLOCK);
    assert_int_equal(tun_open(&second, "fifteen-letters", 0, &pool), -EBUSY);
    assert_int_equal(device_fd(&second.dev), -1);
    assert_int_equal(ioctl(t.fd, TUNSETPERSIST, 1), 0);
    device_close(&t.dev);

    assert_int_equal(tun_open(&t, "fifteen-letters", 0, &pool), 0);
    assert_false(t.created);
    assert_int_equal(ioctl(t.fd, TUNSETPERSIST, 0), 0);
    device_close(&t.dev);
    assert_int_equal(if_nametoindex("fifteen-letters"), 0);

    assert_int_equal(next_descriptor(), next); /* none was left behind */
}

/* Several queues: each is opened so; one alone is had of such a TUN, and several of no other. */
static void test_several_queues(void **state)
{
    struct tun t[3];

    (void)state;
    need_tun();
    kit_pool(&pool, 8, BUF_SIZE);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(tun_open_queue(&t[i], "tun0", 0, &pool), 0);
        assert_int_equal(t[i].created, i == 0);
        assert_true(t[i].several);
    }
    assert_int_equal(tun_open(&t[2], "tun0", 0, &pool), 0);
    assert_true(t[2].several);
    for (unsigned i = 0; i < 3; i++)
        device_close(&t[i].dev);
    assert_int_equal(if_nametoindex("tun0"), 0);
    assert_int_equal(tun_open(&t[0], "tun0", 0, &pool), 0);
    assert_false(t[0].several);
    assert_int_equal(tun_open_queue(&t[1], "tun0", 0, &pool), -EINVAL);
    device_close(&t[0].dev);
}

static void test_other_kinds(void **state)
{
    struct ifreq req = {.ifr_flags = IFF_TAP | IFF_NO_PI};
    struct tun t;
    int fd;

    (void)state;
    need_tun();
    kit_pool(&pool, 4, BUF_SIZE);
    assert_int_equal(tun_open(&t, "lo", 0, &pool), -EINVAL);
    fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    strcpy(req.ifr_name, "tap0");
    assert_int_equal(ioctl(fd, TUNSETIFF, &req), 0);
    assert_int_equal(tun_open(&t, "tap0", 0, &pool), -EINVAL);
    close(fd);
}

static void test_mtu_beyond_a_buffer(void **state)
{
    struct tun t, again;

    (void)state;
    need_tun();
    kit_pool(&pool, 4, 1000);
    assert_int_equal(tun_open(&t, "tun0", 0, &pool), -EMSGSIZE);
    assert_int_equal(if_nametoindex("tun0"), 0);
    kit_pool(&pool, 4, 1500);
    assert_int_equal(tun_open(&again, "tun0", 0, &pool), 0);
    device_close(&again.dev);
}

static void test_packets_both_ways(void **state)
{
    struct kit_packet p = kit_udp(7000, 9000, "from the node", 13);
    struct pkt in, out;
    char got[64];
    struct tun t;
    int sock;

    (void)state;
    sock = begin(&t, 4, BUF_SIZE);
    kernel_sends(sock, 100);
    kernel_sends(sock, 200);
    assert_int_equal(read_udp(&t, &in), 1);
    assert_int_equal(in.len, 128);
    assert_int_equal(in.parts, 1);
    assert_ptr_equal(in.part[0].buf, t.intake.cur);
    release(&in);
    assert_int_equal(read_udp(&t, &in), 1);
    assert_int_equal(in.len, 228);
    release(&in);

    put32(p.b + 16, 0x0a000001);
    kit_ip4_fix(&p);
    kit_l4_fix(&p, 6);
    kit_pkt(&p, &out);
    assert_int_equal(device_write(&t.dev, 0, &out), 0);
    assert_int_equal(recv(sock, got, sizeof(got), 0), 13);
    assert_memory_equal(got, "from the node", 13);
    close(sock);
    device_close(&t.dev);
    assert_int_equal(pool.in_use, 0);
}

/* Small packets leave in one piece, for which their data is copied and that is counted; larger ones
 * as they lie; both leave whole. */
static void test_small_packets_are_put_together(void **state)
{
    static const uint32_t len[] = {1, 256 - 28, 257 - 28, 1400};
    uint8_t data[1400], got[1500];
    uint64_t copied = 0;
    struct kit_packet p;
    struct pkt out;
    struct tun t;
    int sock;

    (void)state;
    sock = begin(&t, 4, BUF_SIZE);
    for (unsigned i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)(i * 7);
    for (unsigned i = 0; i < sizeof(len) / sizeof(len[0]); i++) {
        p = kit_udp(7000, 9000, data, len[i]);
        put32(p.b + 16, 0x0a000001);
        kit_ip4_fix(&p);
        kit_l4_fix(&p, 6);
        kit_pkt(&p, &out);
        pieces = 0;
        assert_int_equal(device_write(&t.dev, 0, &out), 0);
        assert_int_equal(pieces, out.len <= 256 ? 0 : 2);
        copied += out.len <= 256 ? out.len - out.part[0].len : 0;
        assert_int_equal(pool.copied, copied);
        assert_int_equal(recv(sock, got, sizeof(got), 0), len[i]);
        assert_memory_equal(got, data, len[i]);
    }
    close(sock);
    device_close(&t.dev);
}

static void test_write_errors(void **state)
{
    struct kit_packet p = kit_udp(7000, 9000, "x", 1);
    struct pkt out;
    struct tun t;

    (void)state;
    opened(&t, 4, BUF_SIZE);
    kit_pkt(&p, &out);
    assert_int_equal(device_write(&t.dev, 0, &out), -ENETDOWN);
    configure("tun0", 0x0a000001);
    assert_int_equal(device_write(&t.dev, 0, &out), 0);
    out.room[0] = 0x75;
    assert_int_equal(device_write(&t.dev, 0, &out), -EINVAL);
    device_close(&t.dev);
}

/* What the kernel says when it is short of something: the packet waits, and is not lost. */
static void test_a_kernel_short_of_memory(void **state)
{
    static const struct {
        int error, want;
    } words[] = {{EAGAIN, -EAGAIN}, {ENOBUFS, -EAGAIN}, {ENOMEM, -EAGAIN},
                 {EINTR, -EAGAIN},  {EIO, -ENETDOWN},   {EINVAL, -EINVAL}};
    struct kit_packet p = kit_udp(7000, 9000, NULL, 1000); /* a small one leaves by write */
    struct pkt out;
    struct tun t;

    (void)state;
    opened(&t, 4, BUF_SIZE);
    kit_pkt(&p, &out);
    for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        writev_error = words[i].error;
        assert_int_equal(device_write(&t.dev, 0, &out), words[i].want);
    }
    writev_error = 0;
    device_close(&t.dev);
}

/* Somebody deletes the interface while it is open. */
static void test_deleted_while_open(void **state)
{
    struct kit_packet p = kit_udp(7000, 9000, "x", 1);
    struct netlink *nl;
    struct pkt in, out;
    struct tun t;

    (void)state;
    opened(&t, 4, BUF_SIZE);
    configure("tun0", 0x0a000001);
    assert_int_equal(netlink_open(&nl), 0);
    assert_int_equal(netlink_link_delete(nl, (int)if_nametoindex("tun0")), 0);
    netlink_close(nl);
    kit_pkt(&p, &out);
    assert_int_equal(device_write(&t.dev, 0, &out), -ENODEV);
    assert_int_equal(device_read(&t.dev, 0, &in), -ENODEV);
    device_close(&t.dev);
}

/* With an empty pool packets are still read, and their bytes lent. */
static void test_no_buffers(void **state)
{
    struct buf *rest;
    struct tun t;
    struct pkt in;
    int sock;

    (void)state;
    sock = begin(&t, 2, BUF_SIZE);
    rest = buf_get(&pool); /* the other one is the device's spare */
    assert_non_null(rest);
    kernel_sends(sock, 10);
    assert_int_equal(read_udp(&t, &in), 1);
    assert_null(in.part[0].buf);
    assert_int_equal(in.len, 38);
    assert_in_range(t.intake.lent, 1, 10);
    buf_unref(rest);
    kernel_sends(sock, 20);
    assert_int_equal(read_udp(&t, &in), 1);
    assert_non_null(in.part[0].buf);
    assert_int_equal(in.len, 48);
    release(&in);
    close(sock);
    device_close(&t.dev);
}

/* The MTU was raised while the device was open: the first such packet is followed. */
static void test_mtu_raised(void **state)
{
    struct tun t;
    struct pkt in;
    int sock;

    (void)state;
    sock = begin(&t, 8, 4096);
    set_mtu("tun0", 3000);
    kernel_sends(sock, 2900);
    assert_int_equal(read_udp(&t, &in), 1);
    assert_int_equal(in.len, 2928);
    assert_int_equal(t.dev.mtu, 3000);
    release(&in);
    close(sock);
    device_close(&t.dev);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_created_or_attached),
        cmocka_unit_test(test_several_queues),
        cmocka_unit_test(test_other_kinds),
        cmocka_unit_test(test_mtu_beyond_a_buffer),
        cmocka_unit_test(test_packets_both_ways),
        cmocka_unit_test(test_small_packets_are_put_together),
        cmocka_unit_test(test_write_errors),
        cmocka_unit_test(test_a_kernel_short_of_memory),
        cmocka_unit_test(test_deleted_while_open),
        cmocka_unit_test(test_no_buffers),
        cmocka_unit_test(test_mtu_raised),
    };

    enter_namespace();
    return cmocka_run_group_tests_name("tun", tests, NULL, NULL);
}
