/*
 * raw bulk|bulk-spin|mss|small|rr|rr-spin SECONDS: what the device itself carries, tun0 -> the
 * kernel, which forwards -> tun1, without any TCP. Nobody who speaks through these devices can be
 * faster for long.
 *
 *   bulk       super-segments of 65,000 bytes through the virtio-net header, as fast as they go;
 *              who reads sleeps in poll whenever there is nothing
 *   bulk-spin  ... and it never sleeps
 *   mss        packets of 1,500 bytes with 1,448 of data, on a plain TUN
 *   small      packets of 40 bytes, on a plain TUN
 *   rr         one packet with a byte of data there and back, again and again; both ends sleep in
 *              poll
 *   rr-spin    ... and neither ever sleeps
 *
 * Two processes, each on a processor of its own; counted is what arrives, and the time goes from
 * the first packet that does. The kernel looks at the IP header and no further, as long as nothing
 * tracks connections, so the rest may be zeros where no checksum is left to the device. Prints
 * "gbps" (of data), "mpps" or "us".
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "base/bytes.h"
#include "tests/bench/kit.h"
#include "wire/checksum.h"

enum {
    HEADERS = 40, /* bytes of IPv4 and TCP */
    STAMPED = 52, /* ... with timestamps, as a bulk transfer has them */
    SUPER = 65000,
    MTU = 1500,
    PROTO_TCP = 6,
    CSUM_OFFSET = 16, /* of the checksum in a TCP header */
    VNET = sizeof(struct virtio_net_hdr),
    LINE = 64,       /* bytes; what lies behind the headers is copied faster from a line's begin */
    SETTLE = 30,     /* ms until the kernel has noticed that somebody reads what tun1 sends */
    GONE = 20,       /* ms without a packet after which the writer has ended */
    PATIENCE = 2000, /* ms for one that must come, however busy the machine is */
};

static const uint8_t near_end[4] = {10, 0, 0, 7}, far_end[4] = {10, 0, 1, 5};

/* What the reader tells the writer, its parent. */
struct found {
    uint64_t packets, bytes; /* behind the first */
    int64_t first, last;     /* ns */
};

static int open_tun(const char *name, bool vnet)
{
    struct ifreq req = {.ifr_flags = (short)(IFF_TUN | IFF_NO_PI | (vnet ? IFF_VNET_HDR : 0))};
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

    snprintf(req.ifr_name, sizeof(req.ifr_name), "%s", name);
    if (fd < 0 || ioctl(fd, TUNSETIFF, &req) < 0)
        kit_fail(name);
    if (vnet && ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6) < 0)
        kit_fail("TUNSETOFFLOAD");
    return fd;
}

/* An IPv4 packet of `len` bytes with the bare bones of a TCP segment. */
static void make_packet(uint8_t *p, uint32_t len, bool back)
{
    memset(p, 0, HEADERS);
    p[0] = 0x45;
    put16(p + 2, (uint16_t)len);
    p[8] = 64;
    p[9] = PROTO_TCP;
    memcpy(p + 12, back ? far_end : near_end, 4);
    memcpy(p + 16, back ? near_end : far_end, 4);
    put16(p + 10, checksum_finish(checksum_add(0, p, 20)));
    put16(p + 20, 4000);
    put16(p + 22, 4000);
    p[32] = 0x50; /* five words of header */
    p[33] = 0x10; /* ACK */
}

static void wait_for(int fd, short events)
{
    struct pollfd p = {.fd = fd, .events = events};

    poll(&p, 1, GONE);
}

/* Read until nothing comes any more. */
static void count(int fd, bool spin, int64_t until, struct found *f)
{
    static uint8_t in[VNET + UINT16_MAX];

    for (;;) {
        ssize_t n = read(fd, in, sizeof(in));

        if (n < 0 && errno != EAGAIN)
            kit_fail("read");
        if (n < 0) {
            if (!spin)
                wait_for(fd, POLLIN);
            if (clock_now() > until + (f->packets ? GONE : PATIENCE) * MSEC)
                return;
            continue;
        }
        f->last = clock_now();
        if (f->first == 0) {
            f->first = f->last;
            continue;
        }
        f->packets++;
        f->bytes += (uint64_t)n;
    }
}

static void pour(int fd, const uint8_t *p, uint32_t len, int64_t until)
{
    do {
        for (int i = 0; i < 16; i++) {
            if (write(fd, p, len) < 0) {
                if (errno != EAGAIN && errno != ENOBUFS)
                    kit_fail("write");
                wait_for(fd, POLLOUT);
            }
        }
    } while (clock_now() < until);
}

static struct found *shared(void)
{
    void *p =
        mmap(NULL, sizeof(struct found), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED)
        kit_fail("mmap");
    return p;
}

/* Packets of `len` bytes in one direction; `data` of them are what a transfer would carry. */
static void flow(uint32_t len, uint32_t data, bool vnet, bool spin, int64_t ns)
{
    static _Alignas(LINE) uint8_t room[LINE + UINT16_MAX];
    uint8_t *packet = room + LINE - VNET - HEADERS;
    const struct virtio_net_hdr offload = {
        .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
        .gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
        .hdr_len = HEADERS,
        .gso_size = MTU - STAMPED,
        .csum_start = HEADERS - 20,
        .csum_offset = CSUM_OFFSET,
    };
    int in = open_tun("tun1", vnet), out = open_tun("tun0", vnet);
    uint32_t front = vnet ? VNET : 0;
    struct found *f = shared();
    int64_t until;
    pid_t reader;

    poll(NULL, 0,
         SETTLE); /* by a process of its own, which those who spin would keep from running */
    until = clock_now() + ns;
    reader = fork();
    if (reader < 0)
        kit_fail("fork");
    kit_pin(reader ? 0 : 1);
    if (reader == 0) {
        count(in, spin, until, f);
        exit(EXIT_DONE);
    }
    memcpy(packet, &offload, front);
    make_packet(packet + front, len, false);
    pour(out, packet, len + front, until);
    waitpid(reader, NULL, 0);
    if (f->packets == 0 || f->last <= f->first) {
        fprintf(stderr, "bench: nothing came through the kernel\n");
        exit(EXIT_FAILED);
    }
    kit_say_rate(f->packets * data, f->last - f->first);
    printf("mpps %.4f\n", 1000.0 * (double)f->packets / (double)(f->last - f->first));
}

/*
 * The other end's next packet, however long it takes; false if it never comes. The kernel has
 * packets of its own to say, which are no answer: who took one for that would have two in flight
 * from then on, and never sleep again.
 */
static bool next(int fd, bool spin, int64_t until)
{
    uint8_t in[MTU];

    for (;;) {
        ssize_t n = read(fd, in, sizeof(in));

        if (n == HEADERS + 1 && in[0] == 0x45 && in[9] == PROTO_TCP)
            return true;
        if (n < 0 && errno != EAGAIN)
            kit_fail("read");
        if (n < 0 && !spin)
            wait_for(fd, POLLIN);
        if (clock_now() > until + PATIENCE * MSEC)
            return false;
    }
}

static void answer(int fd, bool spin, int64_t until)
{
    uint8_t packet[HEADERS + 1] = {0};

    make_packet(packet, sizeof(packet), true);
    while (next(fd, spin, until)) {
        if (write(fd, packet, sizeof(packet)) < 0)
            kit_fail("write");
    }
}

/*
 * Exchange a packet before anything counts. The first ones may be lost: a TUN that was attached to
 * sends when the kernel has noticed, which it does in a process of its own.
 */
static void meet(int fd, const uint8_t *packet)
{
    uint8_t in[MTU];

    for (int tries = PATIENCE / GONE; tries > 0; tries--) {
        if (write(fd, packet, HEADERS + 1) < 0)
            kit_fail("write");
        wait_for(fd, POLLIN);
        if (read(fd, in, sizeof(in)) == HEADERS + 1)
            break;
    }
    do
        wait_for(fd, POLLIN);
    while (read(fd, in, sizeof(in)) > 0);
}

static void ping_pong(bool spin, int64_t ns)
{
    uint8_t packet[HEADERS + 1] = {0};
    int in = open_tun("tun1", false), out = open_tun("tun0", false);
    int64_t began, until, now;
    uint64_t n = 0;
    pid_t far = fork();

    if (far < 0)
        kit_fail("fork");
    kit_pin(far ? 0 : 1);
    if (far == 0) {
        answer(in, spin, clock_now() + ns + PATIENCE * MSEC);
        exit(EXIT_DONE);
    }
    make_packet(packet, sizeof(packet), false);
    meet(out, packet);
    began = now = clock_now();
    until = began + ns;
    for (; now < until; n++) {
        if (write(out, packet, sizeof(packet)) < 0)
            kit_fail("write");
        if (!next(out, spin, until)) {
            fprintf(stderr, "bench: packet %llu did not come back\n", (unsigned long long)n);
            exit(EXIT_FAILED);
        }
        now = clock_now();
    }
    printf("us %.3f\n", (double)(now - began) / (double)n / 1000.0);
    kill(far, SIGKILL);
    waitpid(far, NULL, 0);
}

int main(int argc, char **argv)
{
    int64_t ns = argc == 3 ? kit_seconds(argv[2]) : 0;

    alarm(KIT_LIFE);
    if (ns && strcmp(argv[1], "bulk") == 0)
        flow(SUPER, SUPER - STAMPED, true, false, ns);
    else if (ns && strcmp(argv[1], "bulk-spin") == 0)
        flow(SUPER, SUPER - STAMPED, true, true, ns);
    else if (ns && strcmp(argv[1], "mss") == 0)
        flow(MTU, MTU - STAMPED, false, false, ns);
    else if (ns && strcmp(argv[1], "small") == 0)
        flow(HEADERS, 0, false, false, ns);
    else if (ns && strcmp(argv[1], "rr") == 0)
        ping_pong(false, ns);
    else if (ns && strcmp(argv[1], "rr-spin") == 0)
        ping_pong(true, ns);
    else {
        fprintf(stderr, "bench: raw bulk|bulk-spin|mss|small|rr|rr-spin SECONDS\n");
        return EXIT_USAGE;
    }
    return EXIT_DONE;
}
