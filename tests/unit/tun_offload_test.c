/*
 * Offload at the TUN, through the kernel: what is written at one TUN is forwarded to another. In a
 * network namespace of the test's own; where none can be made, or no TUN, the tests are skipped.
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
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/bytes.h"
#include "link/tun.h"
#include "tests/unit/tun_kit.h"
#include "wire/ip.h"
#include "wire/tcp.h"
#include "wire/udp.h"

enum {
    BUF_SIZE = 65536,
    BUFS = 8,
    PATIENCE = 2000, /* ms for the kernel to forward */
    MSS = 1000,      /* bytes of text */
    PORT = 4000,
    SEQ = 77,
    SEGMENTS = DEVICE_CSUM | DEVICE_TSO4 | DEVICE_TSO6,
    ALL = SEGMENTS | DEVICE_USO,
    EACH = 1000,      /* bytes of a datagram */
    SRC = 0x0a000007, /* behind tun0 */
    DST = 0x0a000105, /* behind tun1 */
};

static struct buf_pool pool;
static unsigned long refused;    /* of TUNSETOFFLOAD, by the kernel of a test */
static uint8_t text[64 * 1024];  /* what is sent */
static uint8_t heard[64 * 1024]; /* and what of it has arrived */

/* The C library's, but for a kernel that is older than this one. */
int ioctl(int fd, unsigned long what, ...)
{
    va_list ap;
    unsigned long arg;

    va_start(ap, what);
    arg = va_arg(ap, unsigned long);
    va_end(ap);
    if (what == TUNSETOFFLOAD && arg & refused)
        return -1;
    return (int)syscall(SYS_ioctl, fd, what, arg);
}

static bool write_setting(const char *path, const char *value)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool good = fd >= 0 && write(fd, value, strlen(value)) == (ssize_t)strlen(value);

    if (fd >= 0)
        close(fd);
    return good;
}

static void enter_router(void)
{
    enter_namespace();
    if (!no_tun && !write_setting("/proc/sys/net/ipv4/ip_forward", "1"))
        no_tun = "forwarding cannot be switched on here";
}

/* The text is there and nothing of it has arrived; the kernel refuses nothing. */
static void begin(void)
{
    static _Alignas(16) uint8_t mem[BUFS * (BUF_SIZE + 64)];

    need_tun();
    refused = 0;
    assert_in_range(buf_pool_init(&pool, mem, sizeof(mem), BUF_SIZE), 4, BUFS);
    for (uint32_t i = 0; i < sizeof(text); i++)
        text[i] = (uint8_t)(i * 31 + (i >> 8));
    memset(heard, 0, sizeof(heard));
}

/* A TUN whose kernel side has this address with a /24, and is up. */
static void open_at(struct tun *t, const char *name, unsigned offload, uint32_t address)
{
    assert_int_equal(tun_open(t, name, offload, &pool), 0);
    configure(name, address);
}

/* A segment of `len` bytes of text to DST, to be cut into segments of MSS where it is longer. */
static void segment(struct pkt *p, uint32_t len, uint16_t marks)
{
    struct addr src = addr_v4(SRC), dst = addr_v4(DST);
    struct ip_hdr ip = {
        .src = src, .dst = dst, .version = 4, .ttl = 9, .proto = IP_PROTO_TCP, .df = true};
    struct tcp_hdr tcp = {.sport = PORT,
                          .dport = PORT,
                          .seq = SEQ,
                          .ack = 5,
                          .wnd = 99,
                          .flags = TCP_ACK | TCP_PSH | TCP_FIN};
    size_t tcp_len;

    pkt_begin(p, 0);
    pkt_add(p, (struct slice){NULL, text, len / 2});
    pkt_add(p, (struct slice){NULL, text + len / 2, len - len / 2});
    tcp_len = tcp_build(p->room + IPV4_HEADER_MIN, &src, &dst, &tcp, marks, p->part + 1, 2);
    ip_build(p->room, &ip, tcp_len + len);
    pkt_set_header_len(p, IPV4_HEADER_MIN + (uint32_t)tcp_len);
    p->marks = marks;
    p->csum_start = IPV4_HEADER_MIN;
    p->gso_size = len > MSS ? MSS : 0;
}

/* The next TCP packet that the device reads; its marks are in *ret_pkt. False if none comes. */
static bool hear(struct tun *t, struct pkt *ret_pkt, struct ip_hdr *ret_ip, struct tcp_hdr *ret_tcp)
{
    for (;;) {
        struct pollfd fd = {.fd = device_fd(&t->dev), .events = POLLIN};
        int got = device_read(&t->dev, 0, ret_pkt);
        const uint8_t *b = ret_pkt->part[0].base;

        assert_true(got >= 0);
        if (got == 0 && poll(&fd, 1, PATIENCE) <= 0)
            return false;
        if (got == 0)
            continue;
        if (ip_parse(b, ret_pkt->len, ret_ip) == REASON_NONE && ret_ip->proto == IP_PROTO_TCP) {
            /* unless the device says otherwise, the sum must be right */
            assert_int_equal(tcp_parse(ret_ip, b + ret_ip->header_len,
                                       (size_t)(ret_ip->total_len - ret_ip->header_len),
                                       ret_pkt->marks, ret_tcp),
                             REASON_NONE);
            return true;
        }
        buf_unref(ret_pkt->part[0].buf);
    }
}

/* Read until `len` bytes of text have come, and compare; returns how many packets they were. */
static unsigned hear_text(struct tun *t, uint32_t len)
{
    unsigned packets = 0;
    uint32_t have = 0;

    while (have < len) {
        struct tcp_hdr tcp;
        struct ip_hdr ip;
        struct pkt p;
        uint32_t headers, n, at;

        assert_true(hear(t, &p, &ip, &tcp));
        headers = (uint32_t)ip.header_len + tcp.header_len;
        n = ip.total_len - headers;
        at = tcp.seq - SEQ;
        assert_int_equal(ip.total_len, p.len);
        assert_int_equal(ip.ttl, 8);
        assert_in_range(at + n, 1, len);
        memcpy(heard + at, p.part[0].base + headers, n);
        assert_int_equal(p.gso_size, n > MSS ? MSS : 0);
        assert_int_equal(!!(tcp.flags & TCP_FIN), at + n == len); /* on the last alone */
        assert_int_equal(!!(tcp.flags & TCP_PSH), at + n == len);
        have += n;
        packets++;
        buf_unref(p.part[0].buf);
    }
    assert_memory_equal(heard, text, len);
    return packets;
}

static void close_both(struct tun *a, struct tun *b)
{
    device_close(&a->dev);
    device_close(&b->dev);
    assert_int_equal(pool.in_use, 0);
}

static void what_is_agreed(void **state)
{
    static const struct {
        unsigned wanted;
        unsigned long refused;
        unsigned agreed;
    } cases[] = {
        {ALL, 0, ALL},
        {DEVICE_CSUM, 0, DEVICE_CSUM},
        {DEVICE_CSUM | DEVICE_TSO4, 0, DEVICE_CSUM | DEVICE_TSO4},
        {0, 0, 0},
        {DEVICE_CSUM | DEVICE_USO, 0, DEVICE_CSUM | DEVICE_USO},
        {ALL | DEVICE_JOIN, 0, ALL | DEVICE_JOIN},
        {ALL | DEVICE_JOIN, ~0UL, 0},
        {ALL, 0x20 | 0x40, SEGMENTS}, /* TUN_F_USO4, TUN_F_USO6: older than Linux 6.2 */
        {ALL, TUN_F_TSO6, DEVICE_CSUM | DEVICE_TSO4},
        {ALL, TUN_F_TSO4, DEVICE_CSUM},
        {ALL, TUN_F_CSUM, 0},
        {ALL, ~0UL, 0},
    };

    (void)state;
    begin();
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct tun t;

        refused = cases[i].refused;
        assert_int_equal(tun_open(&t, "tun0", cases[i].wanted, &pool), 0);
        assert_int_equal(t.dev.offload, cases[i].agreed);
        device_close(&t.dev);
    }
}

/* A super-segment has to fit into a buffer. */
static void small_buffers(void **state)
{
    static _Alignas(16) uint8_t mem[8 * 2048];
    struct buf_pool small;
    struct tun t;

    (void)state;
    begin();
    buf_pool_init(&small, mem, sizeof(mem), 1500);
    assert_int_equal(tun_open(&t, "tun0", ALL, &small), -EMSGSIZE);
    assert_int_equal(tun_open(&t, "tun0", DEVICE_CSUM, &small), 0);
    device_close(&t.dev);
}

/* It crosses the kernel in one piece, unsummed. */
static void whole_to_a_reader_who_takes_it(void **state)
{
    static struct pkt p;
    struct tun a, b;

    (void)state;
    begin();
    open_at(&a, "tun0", ALL, 0x0a000001);
    open_at(&b, "tun1", ALL, 0x0a000101);
    segment(&p, 60500, PKT_CSUM_PARTIAL);
    assert_int_equal(device_write(&a.dev, 0, &p), 0);
    assert_int_equal(hear_text(&b, 60500), 1);
    close_both(&a, &b);
}

/* The kernel cuts and sums. */
static void in_segments_to_one_who_does_not(void **state)
{
    static struct pkt p;
    struct tun a, b;

    (void)state;
    begin();
    open_at(&a, "tun0", ALL, 0x0a000001);
    open_at(&b, "tun1", 0, 0x0a000101);
    segment(&p, 20500, PKT_CSUM_PARTIAL);
    assert_int_equal(device_write(&a.dev, 0, &p), 0);
    assert_int_equal(hear_text(&b, 20500), 21);
    close_both(&a, &b);
}

/* ---- Datagrams ---- */

/* Some of EACH bytes, and a rest, as one. */
static void datagrams(struct pkt *p, uint32_t len)
{
    struct addr src = addr_v4(SRC), dst = addr_v4(DST);
    struct slice data = {NULL, text, len};
    struct ip_hdr ip = {
        .src = src, .dst = dst, .version = 4, .ttl = 9, .proto = IP_PROTO_UDP, .df = true};

    pkt_begin(p, 0);
    pkt_add(p, data);
    put16(p->room + IPV4_HEADER_MIN, PORT);
    put16(p->room + IPV4_HEADER_MIN + 2, PORT);
    udp_finish(p->room + IPV4_HEADER_MIN, ip_pseudo_sum(&src, &dst, IP_PROTO_UDP, 0),
               PKT_CSUM_PARTIAL, &data, 1);
    ip_build(p->room, &ip, UDP_HEADER + len);
    pkt_set_header_len(p, IPV4_HEADER_MIN + UDP_HEADER);
    p->marks = PKT_CSUM_PARTIAL | PKT_DATAGRAMS;
    p->csum_start = IPV4_HEADER_MIN;
    p->gso_size = EACH;
}

/* The next packet of UDP has these bytes of the text, and is to be cut every `size`; 0: it is not.
 */
static void hear_datagrams(struct tun *t, uint32_t at, uint32_t len, uint32_t size)
{
    for (;;) {
        struct pollfd fd = {.fd = device_fd(&t->dev), .events = POLLIN};
        struct udp_hdr udp;
        struct ip_hdr ip;
        struct pkt p;
        const uint8_t *b;

        assert_int_equal(poll(&fd, 1, PATIENCE), 1);
        if (device_read(&t->dev, 0, &p) != 1)
            continue;
        b = p.part[0].base;
        if (ip_parse(b, p.len, &ip) == REASON_NONE && ip.proto == IP_PROTO_UDP) {
            b += ip.header_len;
            assert_int_equal(udp_parse(&ip, b, p.len - ip.header_len, p.marks, &udp), REASON_NONE);
            assert_int_equal(udp.len, UDP_HEADER + len);
            assert_memory_equal(b + UDP_HEADER, text + at, len);
            assert_int_equal(p.gso_size, size);
            assert_int_equal(p.marks, size ? PKT_CSUM_PARTIAL | PKT_DATAGRAMS : 0);
            buf_unref(p.part[0].buf);
            return;
        }
        buf_unref(p.part[0].buf);
    }
}

/* A reader who takes them so is given all of them at once, another one gets each, summed. */
static void datagrams_whole_and_cut(void **state)
{
    static struct pkt p;
    struct tun a, b;

    (void)state;
    begin();
    open_at(&a, "tun0", ALL, 0x0a000001);
    if (!(a.dev.offload & DEVICE_USO)) {
        device_close(&a.dev);
        skip(); /* a kernel before 6.2 */
    }
    open_at(&b, "tun1", ALL, 0x0a000101);
    datagrams(&p, 60 * EACH + 1);
    assert_int_equal(device_write(&a.dev, 0, &p), 0);
    hear_datagrams(&b, 0, 60 * EACH + 1, EACH);
    close_both(&a, &b);
    open_at(&a, "tun0", ALL, 0x0a000001);
    open_at(&b, "tun1", 0, 0x0a000101);
    datagrams(&p, 60 * EACH + 1);
    assert_int_equal(device_write(&a.dev, 0, &p), 0);
    for (uint32_t at = 0; at <= 60 * EACH; at += EACH)
        hear_datagrams(&b, at, at < 60 * EACH ? EACH : 1, 0);
    close_both(&a, &b);
}

/* ---- What is joined as it is read ---- */

/* Segment number i of the text, summed. */
static void single(struct tun *t, uint32_t i, uint32_t len, uint8_t flags)
{
    static struct pkt p;
    struct addr src = addr_v4(SRC), dst = addr_v4(DST);
    struct slice data = {NULL, text + i * EACH, len};
    struct ip_hdr ip = {
        .src = src, .dst = dst, .version = 4, .ttl = 9, .proto = IP_PROTO_TCP, .df = true};
    struct tcp_hdr tcp = {
        .sport = PORT, .dport = PORT, .seq = SEQ + i * EACH, .ack = 5, .wnd = 99, .flags = flags};
    size_t tcp_len;

    pkt_begin(&p, 0);
    pkt_add(&p, data);
    tcp_len = tcp_build(p.room + IPV4_HEADER_MIN, &src, &dst, &tcp, 0, &data, 1);
    ip_build(p.room, &ip, tcp_len + len);
    pkt_set_header_len(&p, IPV4_HEADER_MIN + (uint32_t)tcp_len);
    assert_int_equal(device_write(&t->dev, 0, &p), 0);
}

/* Where much else runs, the kernel passes on later what was written; what is joined has to be
 * there. */
static void let_all_come(void)
{
    poll(NULL, 0, 50);
}

/* The next packet of TCP has the text from `at` on, of segments of `size` bytes; 0: of one. */
static void hear_joined(struct tun *t, uint32_t at, uint32_t len, uint32_t size)
{
    struct tcp_hdr tcp;
    struct ip_hdr ip;
    struct pkt p;

    assert_true(hear(t, &p, &ip, &tcp));
    assert_int_equal(ip.total_len, p.len);
    assert_int_equal(tcp.seq - SEQ, at);
    assert_int_equal(p.gso_size, size);
    assert_int_equal(ip.total_len - ip.header_len - tcp.header_len, len);
    assert_memory_equal(p.part[0].base + ip.header_len + tcp.header_len, text + at, len);
    buf_unref(p.part[0].buf);
}

/*
 * What waits there is one, up to eight of them; what was read behind them and is none of
 * theirs comes next, and is due at once.
 */
static void single_ones_are_joined(void **state)
{
    static const unsigned sides[] = {0, DEVICE_CSUM};
    struct tun a, b;

    (void)state;
    begin();
    for (unsigned i = 0; i < 2; i++) {
        open_at(&a, "tun0", sides[i], 0x0a000001);
        open_at(&b, "tun1", DEVICE_CSUM | DEVICE_JOIN, 0x0a000101);
        for (uint32_t k = 0; k < 11; k++)
            single(&a, k, EACH, TCP_ACK);
        single(&a, 20, EACH, TCP_ACK); /* behind a gap */
        single(&a, 30, EACH, TCP_ACK);
        let_all_come();
        hear_joined(&b, 0, 8 * EACH, EACH);
        assert_int_equal(device_deadline(&b.dev), TIME_NEVER);
        hear_joined(&b, 8 * EACH, 3 * EACH, EACH);
        assert_int_equal(device_deadline(&b.dev), 0);
        assert_int_equal(pool.copied, EACH + 40);
        hear_joined(&b, 20 * EACH, EACH, 0);
        assert_int_equal(device_deadline(&b.dev), TIME_NEVER);
        hear_joined(&b, 30 * EACH, EACH, 0);
        for (uint32_t k = 0; k < 3; k++)
            single(&a, k, EACH, TCP_ACK);
        single(&a, 9, 7, TCP_ACK);
        let_all_come();
        hear_joined(&b, 0, EACH, 0); /* behind a try in vain */
        hear_joined(&b, EACH, 2 * EACH, EACH);
        close_both(&a, &b); /* with one that nobody has asked for */
        pool.copied = 0;
    }
}

/* The MTU was raised while the device was open: that is followed, also by one that is joined. */
static void a_raised_mtu_is_followed(void **state)
{
    struct tun a, b;

    (void)state;
    begin();
    open_at(&a, "tun0", 0, 0x0a000001);
    open_at(&b, "tun1", DEVICE_CSUM | DEVICE_JOIN, 0x0a000101);
    set_mtu("tun1", 3000);
    single(&a, 0, 2 * EACH, TCP_ACK);
    single(&a, 2, 2 * EACH, TCP_ACK);
    let_all_come();
    hear_joined(&b, 0, 4 * EACH, 2 * EACH);
    assert_int_equal(b.dev.mtu, 3000);
    close_both(&a, &b);
}

/* One that takes unsummed packets, but none to be cut. */
static void in_segments_without_sums(void **state)
{
    static struct pkt p;
    struct tun a, b;

    (void)state;
    begin();
    open_at(&a, "tun0", ALL, 0x0a000001);
    open_at(&b, "tun1", DEVICE_CSUM, 0x0a000101);
    segment(&p, 3000, PKT_CSUM_PARTIAL);
    assert_int_equal(device_write(&a.dev, 0, &p), 0);
    assert_int_equal(hear_text(&b, 3000), 3);
    segment(&p, 500, PKT_CSUM_PARTIAL); /* an ordinary packet */
    assert_int_equal(device_write(&a.dev, 0, &p), 0);
    assert_int_equal(hear_text(&b, 500), 1);
    close_both(&a, &b);
}

static void ordinary_packets_between_all_kinds(void **state)
{
    static const unsigned kinds[] = {0, DEVICE_CSUM, ALL};
    static struct pkt p;
    struct tun a, b;

    (void)state;
    begin();
    for (unsigned i = 0; i < 9; i++) {
        open_at(&a, "tun0", kinds[i / 3], 0x0a000001);
        open_at(&b, "tun1", kinds[i % 3], 0x0a000101);
        segment(&p, 700, 0);
        assert_int_equal(device_write(&a.dev, 0, &p), 0);
        assert_int_equal(hear_text(&b, 700), 1);
        close_both(&a, &b);
    }
}

/* A reader who was killed could take back nothing; a TUN that outlives it must not go on so. */
static void nothing_is_inherited(void **state)
{
    static struct pkt p;
    struct tun a, b;

    (void)state;
    begin();
    for (unsigned killed = 0; killed < 2; killed++) {
        open_at(&a, "tun0", ALL, 0x0a000001);
        open_at(&b, "tun1", ALL, 0x0a000101);
        assert_int_equal(ioctl(b.fd, TUNSETPERSIST, 1), 0);
        if (killed) {
            close(b.fd);
            b.fd = -1;
        }
        device_close(&b.dev);
        open_at(&b, "tun1", 0, 0x0a000101);
        assert_false(b.created);
        segment(&p, 5000, PKT_CSUM_PARTIAL);
        assert_int_equal(device_write(&a.dev, 0, &p), 0);
        assert_int_equal(hear_text(&b, 5000), 5);
        assert_int_equal(ioctl(b.fd, TUNSETPERSIST, 0), 0);
        close_both(&a, &b);
    }
}

/* Others attach to it without a word about offload, as programs do: it must be off by then. */
static void a_close_takes_it_back(void **state)
{
    struct ifreq req = {.ifr_name = "tun1", .ifr_flags = IFF_TUN | IFF_NO_PI};
    static struct pkt p;
    struct tun a, b;
    uint8_t got[2048];
    int fd;

    (void)state;
    begin();
    open_at(&a, "tun0", ALL, 0x0a000001);
    open_at(&b, "tun1", ALL, 0x0a000101);
    assert_int_equal(ioctl(b.fd, TUNSETPERSIST, 1), 0);
    device_close(&b.dev);
    fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    assert_int_equal(ioctl(fd, TUNSETIFF, &req), 0);
    segment(&p, 3000, PKT_CSUM_PARTIAL);
    assert_int_equal(device_write(&a.dev, 0, &p), 0);
    for (unsigned tcp = 0; tcp < 3;) {
        struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

        assert_int_equal(poll(&poll_fd, 1, PATIENCE), 1);
        assert_true(read(fd, got, sizeof(got)) > 0);
        if (got[0] >> 4 != 4 || got[9] != IP_PROTO_TCP)
            continue;
        assert_int_equal(get16(got + 2), 40 + MSS);
        tcp++;
    }
    assert_int_equal(ioctl(fd, TUNSETPERSIST, 0), 0);
    close(fd);
    device_close(&a.dev);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_agreed),
        cmocka_unit_test(small_buffers),
        cmocka_unit_test(whole_to_a_reader_who_takes_it),
        cmocka_unit_test(in_segments_to_one_who_does_not),
        cmocka_unit_test(datagrams_whole_and_cut),
        cmocka_unit_test(single_ones_are_joined),
        cmocka_unit_test(a_raised_mtu_is_followed),
        cmocka_unit_test(in_segments_without_sums),
        cmocka_unit_test(ordinary_packets_between_all_kinds),
        cmocka_unit_test(nothing_is_inherited),
        cmocka_unit_test(a_close_takes_it_back),
    };

    enter_router();
    return cmocka_run_group_tests_name("tun_offload", tests, NULL, NULL);
}
