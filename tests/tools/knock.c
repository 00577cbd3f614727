/*
 * knock ADDRESS PORT COUNT PER_SECOND SECONDS: COUNT honest clients, the kernel's own TCP, that
 * come PER_SECOND to an echo. Each connects, sends its number, and is content when that comes back;
 * then it closes. SECONDS after the start it is over for all.
 *
 * Prints "COUNT SERVED REFUSED LATE MEDIAN WORST": how many came, were served, were refused (by a
 * reset or an error), or were not served in time; and how long the served ones took, in
 * milliseconds, from the connect to the echo.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/time.h"
#include "run/clock.h"
#include "run/exit.h"

enum {
    CLIENTS_MAX = 1000,
    TEXT = 8, /* bytes that each sends */
    TURN = 2, /* ms, at most */
};

enum state {
    NOT_YET,
    CONNECTING,
    WAITING, /* for the echo */
    SERVED,
    REFUSED,
};

static struct client {
    enum state state;
    int64_t began, took; /* ns */
    char text[TEXT + 1];
} client[CLIENTS_MAX];

static struct pollfd fds[CLIENTS_MAX];

static void leave(unsigned i, enum state how, int64_t now)
{
    client[i].state = how;
    client[i].took = now - client[i].began;
    if (fds[i].fd >= 0)
        close(fds[i].fd);
    fds[i].fd = -1;
}

static void come(unsigned i, const struct sockaddr_in *to, int64_t now)
{
    struct client *c = &client[i];

    c->state = CONNECTING;
    c->began = now;
    snprintf(c->text, sizeof(c->text), "%0*u", TEXT, i);
    fds[i] =
        (struct pollfd){.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), .events = POLLOUT};
    if (fds[i].fd < 0 ||
        (connect(fds[i].fd, (const struct sockaddr *)to, sizeof(*to)) < 0 && errno != EINPROGRESS))
        leave(i, REFUSED, now);
}

static void look(unsigned i, int64_t now)
{
    struct client *c = &client[i];
    char got[TEXT];
    ssize_t n;

    if (c->state == CONNECTING) {
        int error = 0;
        socklen_t len = sizeof(error);

        getsockopt(fds[i].fd, SOL_SOCKET, SO_ERROR, &error, &len);
        if (error || write(fds[i].fd, c->text, TEXT) != TEXT) {
            leave(i, REFUSED, now);
            return;
        }
        c->state = WAITING;
        fds[i].events = POLLIN;
        return;
    }
    n = read(fds[i].fd, got, TEXT);
    if (n < 0 && errno == EAGAIN)
        return;
    leave(i, n == TEXT && memcmp(got, c->text, TEXT) == 0 ? SERVED : REFUSED, now);
}

static void run(const struct sockaddr_in *to, unsigned count, unsigned per_second, int64_t ns)
{
    int64_t start = clock_now(), now = start;
    unsigned came = 0, over = 0;

    while (now - start < ns && over < count) {
        poll(fds, came, TURN);
        now = clock_now();
        while (came < count && came < (now - start) * per_second / SEC)
            come(came++, to, now);
        over = 0;
        for (unsigned i = 0; i < came; i++) {
            if (fds[i].fd >= 0 && fds[i].revents)
                look(i, now);
            over += fds[i].fd < 0;
        }
    }
}

static int by_time(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static void print(unsigned count)
{
    static int64_t took[CLIENTS_MAX];
    unsigned served = 0, refused = 0;

    for (unsigned i = 0; i < count; i++) {
        if (client[i].state == SERVED)
            took[served++] = client[i].took;
        refused += client[i].state == REFUSED;
    }
    qsort(took, served, sizeof(took[0]), by_time);
    printf("%u %u %u %u %lld %lld\n", count, served, refused, count - served - refused,
           served ? (long long)(took[served / 2] / MSEC) : 0,
           served ? (long long)(took[served - 1] / MSEC) : 0);
}

int main(int argc, char **argv)
{
    struct sockaddr_in to = {.sin_family = AF_INET};
    int n[4] = {0};

    for (int i = 2; i < argc && i < 6; i++)
        n[i - 2] = atoi(argv[i]);
    if (argc != 6 || inet_pton(AF_INET, argv[1], &to.sin_addr) != 1 || n[0] < 1 || n[0] > 65535 ||
        n[1] < 1 || n[1] > CLIENTS_MAX || n[2] < 1 || n[3] < 1 || n[3] > 120) {
        fprintf(stderr, "knock: usage: knock ADDRESS PORT COUNT PER_SECOND SECONDS\n");
        return EXIT_USAGE;
    }
    to.sin_port = htons((uint16_t)n[0]);
    run(&to, (unsigned)n[1], (unsigned)n[2], n[3] * SEC);
    print((unsigned)n[1]);
    return EXIT_DONE;
}
