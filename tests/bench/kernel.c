/*
 * The kernel's TCP, as a program uses it, for comparison.
 *
 *   kernel serve ADDRESS PORT sink|echo|echo-spin
 *                                           take connections, one after the other: read all and
 *                                           close, or send each byte back
 *   kernel bulk ADDRESS PORT SECONDS        send for so long, close, wait for the other side's end
 *   kernel rr|rr-spin ADDRESS PORT SECONDS  one byte there and back, again and again
 *   kernel conn ADDRESS PORT COUNT FLIGHT   so many connections, opened and closed in order, so
 *                                           many handshakes at a time (1: one after the other)
 *
 * Who spins asks the socket again and again for what comes, and never sleeps in recv. Plain sends,
 * without MSG_ZEROCOPY, of 128 KiB each. `serve` says "listening" and runs until it is ended. Which
 * processor a client or server is on is the caller's business. Prints "gbps", "us" or "per_s".
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "tests/bench/kit.h"

enum {
    PIECE = 128 * 1024, /* bytes */
    FLIGHT_MAX = 1024,
    BACKLOG = 4096,
};

static uint8_t piece[PIECE];
static bool spin;

static struct sockaddr_in name_of(const char *address, const char *port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};

    if (inet_pton(AF_INET, address, &a.sin_addr) != 1)
        kit_fail(address);
    return a;
}

static int new_socket(int flags)
{
    int fd = socket(AF_INET, SOCK_STREAM | flags, 0), one = 1;

    if (fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) < 0)
        kit_fail("socket");
    return fd;
}

static int connected(const struct sockaddr_in *to)
{
    int fd = new_socket(0);

    if (connect(fd, (const struct sockaddr *)to, sizeof(*to)) < 0)
        kit_fail("connect");
    return fd;
}

/* As recv, or again and again until there is something. */
static ssize_t receive(int fd, size_t room)
{
    ssize_t n;

    do
        n = recv(fd, piece, room, spin ? MSG_DONTWAIT : 0);
    while (n < 0 && spin && errno == EAGAIN);
    return n;
}

static void serve_one(int fd, bool echo)
{
    ssize_t n;

    while ((n = receive(fd, sizeof(piece))) > 0) {
        if (echo && send(fd, piece, (size_t)n, MSG_NOSIGNAL) != n)
            break;
    }
    close(fd);
}

static void serve(const struct sockaddr_in *at, bool echo)
{
    int fd = new_socket(0), one = 1;

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(fd, (const struct sockaddr *)at, sizeof(*at)) < 0 || listen(fd, BACKLOG) < 0)
        kit_fail("listen");
    printf("listening\n");
    fflush(stdout);
    for (;;) {
        int conn = accept(fd, NULL, NULL);

        if (conn < 0)
            kit_fail("accept");
        setsockopt(conn, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        serve_one(conn, echo);
    }
}

static void bulk(const struct sockaddr_in *to, int64_t ns)
{
    int fd = connected(to);
    int64_t began = clock_now(), until = began + ns;
    uint64_t bytes = 0;

    while (clock_now() < until) {
        ssize_t n = send(fd, piece, sizeof(piece), MSG_NOSIGNAL);

        if (n < 0)
            kit_fail("send");
        bytes += (uint64_t)n;
    }
    shutdown(fd, SHUT_WR);
    if (recv(fd, piece, sizeof(piece), 0) != 0)
        kit_fail("the other side's end");
    kit_say_rate(bytes, clock_now() - began);
    close(fd);
}

static void round_trips(const struct sockaddr_in *to, int64_t ns)
{
    int fd = connected(to);
    int64_t began = clock_now(), now = began;
    uint64_t n = 0;

    for (; now < began + ns; n++) {
        if (send(fd, piece, 1, MSG_NOSIGNAL) != 1 || receive(fd, 1) != 1)
            kit_fail("round trip");
        now = clock_now();
    }
    printf("us %.3f\n", (double)(now - began) / (double)n / 1000.0);
    close(fd);
}

static void in_sequence(const struct sockaddr_in *to, long count)
{
    for (long i = 0; i < count; i++)
        close(connected(to));
}

/* Begin one handshake; its end is told by `ep`. */
static void begin(int ep, const struct sockaddr_in *to)
{
    struct epoll_event ev = {.events = EPOLLOUT};
    int fd = new_socket(SOCK_NONBLOCK);

    if (connect(fd, (const struct sockaddr *)to, sizeof(*to)) < 0 && errno != EINPROGRESS)
        kit_fail("connect");
    ev.data.fd = fd;
    if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) < 0)
        kit_fail("epoll_ctl");
}

static void in_flight(const struct sockaddr_in *to, long count, int flight)
{
    struct epoll_event ev[FLIGHT_MAX];
    long begun = 0, done = 0;
    int ep = epoll_create1(0);

    while (done < count) {
        int n;

        for (; begun < count && begun < done + flight; begun++)
            begin(ep, to);
        n = epoll_wait(ep, ev, FLIGHT_MAX, -1);
        for (int i = 0; i < n; i++) {
            if (ev[i].events & (EPOLLERR | EPOLLHUP))
                kit_fail("a handshake");
            close(ev[i].data.fd);
            done++;
        }
    }
    close(ep);
}

static void conns(const struct sockaddr_in *to, long count, int flight)
{
    int64_t began = clock_now();

    if (flight == 1)
        in_sequence(to, count);
    else
        in_flight(to, count, flight);
    printf("per_s %.0f\n", (double)count * (double)SEC / (double)(clock_now() - began));
}

int main(int argc, char **argv)
{
    struct sockaddr_in at;

    if (argc < 5) {
        fprintf(stderr, "bench: see the comment at the top of tests/bench/kernel.c\n");
        return EXIT_USAGE;
    }
    at = name_of(argv[2], argv[3]);
    spin = strcmp(argv[1], "rr-spin") == 0 || strcmp(argv[4], "echo-spin") == 0;
    if (strcmp(argv[1], "serve") == 0)
        serve(&at, strcmp(argv[4], "sink") != 0);
    alarm(KIT_LIFE);
    if (strcmp(argv[1], "bulk") == 0)
        bulk(&at, kit_seconds(argv[4]));
    else if (strcmp(argv[1], "rr") == 0 || strcmp(argv[1], "rr-spin") == 0)
        round_trips(&at, kit_seconds(argv[4]));
    else if (strcmp(argv[1], "conn") == 0 && argc == 6 && atoi(argv[5]) > 0 &&
             atoi(argv[5]) <= FLIGHT_MAX)
        conns(&at, atol(argv[4]), atoi(argv[5]));
    else
        return EXIT_USAGE;
    return EXIT_DONE;
}
