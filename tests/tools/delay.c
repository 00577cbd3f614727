/*
 * delay TUN TUN MS: joins two TUNs of this network namespace or of two, and keeps every packet for
 * MS milliseconds on the way from one to the other. What comes out is what went in, in the same
 * order.
 *
 *   delay [NAMESPACE/]TUN [NAMESPACE/]TUN MS
 *
 * It is a long cable, made of what every kernel has: netem is a module that many systems lack.
 * "joined" on standard error says that it is ready; it ends when it is told to. It holds HOLD
 * packets each way and then drops, which it says at the end.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum {
    HOLD = 8192, /* packets */
    MTU = 1500,
    LOOK = 100000000, /* ns between two looks whether to stop */
    USAGE = 2,
};

struct held {
    int64_t due; /* ns */
    size_t len;
    uint8_t bytes[MTU];
};

/* One direction: read from one descriptor, written to the other; a ring. */
static struct way {
    int from, to;
    unsigned head, count;
    unsigned long dropped;
    struct held held[HOLD];
} ways[2];

static volatile sig_atomic_t stopped;

static void on_signal(int n)
{
    (void)n;
    stopped = 1;
}

static int64_t now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void fail(const char *what)
{
    fprintf(stderr, "delay: %s: %s\n", what, strerror(errno));
    exit(EXIT_FAILURE);
}

static void enter(const char *space)
{
    char path[64];
    int fd;

    snprintf(path, sizeof(path), "/run/netns/%s", space);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || setns(fd, CLONE_NEWNET) < 0)
        fail(path);
    close(fd);
}

/* A TUN, made if it is not there, of the namespace before the slash, or of this one. */
static int open_tun(const char *name)
{
    struct ifreq r = {.ifr_flags = IFF_TUN | IFF_NO_PI};
    const char *slash = strchr(name, '/');
    int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), fd;
    char space[32];

    if (slash) {
        snprintf(space, sizeof(space), "%.*s", (int)(slash - name), name);
        enter(space);
        name = slash + 1;
    }
    snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
    fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || ioctl(fd, TUNSETIFF, &r) < 0)
        fail(name);
    if (home < 0 || setns(home, CLONE_NEWNET) < 0)
        fail("/proc/self/ns/net");
    close(home);
    return fd;
}

/* Take in what has come; it is due `ns` later. */
static void take(struct way *w, int64_t ns)
{
    for (;;) {
        static uint8_t spare[MTU];
        struct held *h = &w->held[(w->head + w->count) % HOLD];
        ssize_t n = read(w->from, w->count < HOLD ? h->bytes : spare, MTU);

        if (n < 0 && errno != EAGAIN && errno != EINTR)
            fail("read");
        if (n <= 0)
            return;
        if (w->count == HOLD) {
            w->dropped++;
            continue;
        }
        h->due = now() + ns;
        h->len = (size_t)n;
        w->count++;
    }
}

/* Pass on what is due; the time when the next one is, or INT64_MAX. */
static int64_t pass(struct way *w)
{
    for (; w->count; w->count--, w->head = (w->head + 1) % HOLD) {
        const struct held *h = &w->held[w->head];

        if (h->due > now())
            return h->due;
        if (write(w->to, h->bytes, h->len) < 0)
            w->dropped++;
    }
    return INT64_MAX;
}

static void run(int64_t ns)
{
    struct pollfd fds[2] = {{.fd = ways[0].from, .events = POLLIN},
                            {.fd = ways[1].from, .events = POLLIN}};

    while (!stopped) {
        int64_t a = pass(&ways[0]), b = pass(&ways[1]), wait = (a < b ? a : b) - now();
        struct timespec t = {.tv_nsec = wait < 0 ? 0 : wait < LOOK ? (long)wait : LOOK};

        if (ppoll(fds, 2, &t, NULL) < 0 && errno != EINTR)
            fail("poll");
        take(&ways[0], ns);
        take(&ways[1], ns);
    }
}

int main(int argc, char **argv)
{
    struct sigaction stop = {.sa_handler = on_signal};

    if (argc != 4) {
        fprintf(stderr, "delay: see the comment at the top of tests/tools/delay.c\n");
        return USAGE;
    }
    sigaction(SIGTERM, &stop, NULL);
    sigaction(SIGINT, &stop, NULL);
    ways[0].from = ways[1].to = open_tun(argv[1]);
    ways[1].from = ways[0].to = open_tun(argv[2]);
    fprintf(stderr, "joined\n");
    run((int64_t)(strtod(argv[3], NULL) * 1e6));
    fprintf(stderr, "dropped %lu %lu\n", ways[0].dropped, ways[1].dropped);
    return EXIT_SUCCESS;
}
