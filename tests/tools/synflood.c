/*
 * synflood DEVICE ADDRESS PORT SECONDS [VICTIM]: open connections for so long, from 4 million
 * forged addresses (10.64.0.0/10), and complete none of them. Makes the TUN DEVICE and writes the
 * SYNs there; "flooding" on standard error says that the device is there and waits for its address,
 * and a line on standard input starts it. In the end it prints how many SYNs there were, and in how
 * many milliseconds.
 *
 * With VICTIM, the device that leads to ADDRESS, it floods at that device's rate: so fast that the
 * device's queue is full, and about one packet in five finds no room. Without, it is as fast as the
 * kernel forwards, which may be several times what the device takes.
 *
 * At most 60 seconds, and no more than 20 million packets: this is for a private network namespace.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/rng.h"
#include "base/time.h"
#include "run/address.h"
#include "run/clock.h"
#include "run/exit.h"
#include "wire/ip.h"
#include "wire/tcp.h"

enum {
    FORGED = 0x0a400000, /* 10.64.0.0/10 */
    FORGED_BITS = 22,
    SECONDS_MAX = 60,
    PACKETS_MAX = 20000000,
    BATCH = 64,     /* packets between two looks at the clock */
    TICK = 1,       /* ms: what is due leaves at once */
    LOOK = 20,      /* ms between two looks at the victim */
    SLOWEST = 1000, /* packets in a second */
    FASTEST = 2000000,
};

/* What is sent, and how fast. */
struct pace {
    const char *victim; /* or NULL: without pause */
    unsigned long sent, sent_before, dropped_before;
    double rate; /* packets in a second */
    int64_t looked_at;
};

static int make_device(const char *name)
{
    struct ifreq r = {.ifr_flags = IFF_TUN | IFF_NO_PI};
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0 || strlen(name) >= sizeof(r.ifr_name))
        return -1;
    memcpy(r.ifr_name, name, strlen(name) + 1);
    return ioctl(fd, TUNSETIFF, &r) < 0 ? -1 : fd;
}

/* One SYN as a client's would be, from anywhere. */
static size_t make_syn(uint8_t *b, struct rng *rng, const struct addr *to, uint16_t port)
{
    struct ip_hdr ip = {
        .src = addr_v4(FORGED + rng_below(rng, 1u << FORGED_BITS)),
        .dst = *to,
        .version = 4,
        .ttl = 64,
        .proto = IP_PROTO_TCP,
        .df = true,
    };
    struct tcp_hdr syn = {
        .sport = (uint16_t)(1024 + rng_below(rng, 64000)),
        .dport = port,
        .seq = (uint32_t)rng_next(rng),
        .wnd = 64240,
        .flags = TCP_SYN,
        .opt = {.has_mss = true,
                .mss = 1460,
                .has_wscale = true,
                .wscale = 7,
                .sack_ok = true,
                .has_timestamp = true,
                .ts_val = (uint32_t)rng_next(rng)},
    };
    size_t len = tcp_build(b + IPV4_HEADER_MIN, &ip.src, to, &syn, 0, NULL, 0);

    return ip_build(b, &ip, len) + len;
}

/* How many packets found no room in a device's queue; /proc shows our own namespace's devices. */
static unsigned long dropped(const char *device)
{
    FILE *f = fopen("/proc/net/dev", "r");
    char line[512];
    unsigned long n = 0;

    while (f && fgets(line, sizeof(line), f)) {
        char *name = line + strspn(line, " "), *colon = strchr(line, ':');

        if (!colon || (size_t)(colon - name) != strlen(device) ||
            strncmp(name, device, strlen(device)) != 0)
            continue;
        if (sscanf(colon + 1, "%*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %lu", &n) != 1)
            n = 0;
    }
    if (f)
        fclose(f);
    return n;
}

/* Too many found no room: slower; else faster. */
static void adapt(struct pace *p, int64_t now)
{
    unsigned long lost, sent = p->sent - p->sent_before;

    if (now - p->looked_at < LOOK * MSEC)
        return;
    lost = dropped(p->victim) - p->dropped_before;
    p->rate *= lost * 5 > sent ? 0.8 : 1.1;
    p->rate = p->rate < SLOWEST ? SLOWEST : p->rate > FASTEST ? FASTEST : p->rate;
    p->dropped_before += lost;
    p->sent_before = p->sent;
    p->looked_at = now;
}

static bool send_some(int fd, const struct addr *to, uint16_t port, struct rng *rng, struct pace *p,
                      unsigned count)
{
    uint8_t b[128];

    for (unsigned i = 0; i < count; i++) {
        size_t n = make_syn(b, rng, to, port);

        if (write(fd, b, n) == (ssize_t)n)
            p->sent++;
        else if (errno != EAGAIN && errno != ENOBUFS && errno != ENOMEM)
            return false;
    }
    return true;
}

static bool flood(int fd, const struct addr *to, uint16_t port, int64_t ns, struct pace *p)
{
    const struct timespec tick = {.tv_nsec = TICK * MSEC};
    int64_t start = clock_now(), now = start, before = start;
    struct rng rng = {.state = (uint64_t)start};

    while (now - start < ns && p->sent < PACKETS_MAX) {
        unsigned count = BATCH;

        if (p->victim) {
            nanosleep(&tick, NULL);
            now = clock_now();
            count = (unsigned)(p->rate * (double)(now - before) / SEC);
            before = now;
            adapt(p, now);
        }
        if (!send_some(fd, to, port, &rng, p, count))
            return false;
        now = clock_now();
    }
    printf("%lu %lld\n", p->sent, (long long)((now - start) / MSEC));
    return true;
}

int main(int argc, char **argv)
{
    struct addr to;
    struct pace p = {.rate = 20000};
    int port = argc > 4 ? atoi(argv[3]) : 0, seconds = argc > 4 ? atoi(argv[4]) : 0, fd;

    if (argc < 5 || argc > 6 || parse_addr4(argv[2], &to) < 0 || port < 1 || port > 65535 ||
        seconds < 1 || seconds > SECONDS_MAX) {
        fprintf(stderr, "synflood: usage: synflood DEVICE ADDRESS PORT SECONDS [VICTIM]\n");
        return EXIT_USAGE;
    }
    fd = make_device(argv[1]);
    if (fd < 0) {
        fprintf(stderr, "synflood: %s: %s\n", argv[1], strerror(errno));
        return EXIT_FAILED;
    }
    fprintf(stderr, "flooding\n");
    if (getchar() == EOF)
        return EXIT_FAILED;
    if (argc > 5) {
        p.victim = argv[5];
        p.dropped_before = dropped(p.victim);
        p.looked_at = clock_now();
    }
    if (!flood(fd, &to, (uint16_t)port, seconds * SEC, &p)) {
        fprintf(stderr, "synflood: %s\n", strerror(errno));
        return EXIT_FAILED;
    }
    return EXIT_DONE;
}
