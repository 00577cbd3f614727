/*
 * ksock listen|connect ADDRESS PORT [WORD]...: the kernel's end of one TCP connection, so that its
 * TCP can be the judge of ours. Standard input is sent and our side closed behind it; what comes is
 * printed; both sides closed in order is exit code 0. Words ask for more:
 *
 *   after         send only when the remote node has closed its side
 *   hold=N        ... or after N seconds
 *   keepalive=N   SO_KEEPALIVE after N s of silence, then each second, given up after 3
 *   urgent=N      the Nth byte of the input is sent with MSG_OOB
 *   inline        urgent data stays in the stream; where its mark is passed is told
 *   cc=NAME       the congestion control, of those that this kernel has
 *
 * On standard error: "listening"; "connected"; "options WORDS", what the kernel negotiated
 * (TCP_INFO); "mark N", N bytes having been read before it; when all is over "sent again N", the
 * segments that were, and "took N", the microseconds since it was connected; and what went wrong.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    PIECE = 256 * 1024, /* bytes at a time */
    PROBES = 3,
    USAGE = 2,
};

static struct {
    bool after, in_line;
    int hold, keepalive, urgent; /* 0: not asked for */
    char cc[16];                 /* TCP_CA_NAME_MAX; empty: the system's choice */
} ask;

static struct {
    int fd;
    char out[PIECE];
    size_t have, gone; /* bytes of out read from the input, and sent */
    long long sent, read;
    bool input_ended, shut, eof;
    time_t began;
    long long began_us;
} end;

static int fail(const char *what)
{
    fprintf(stderr, "ksock: %s: %s\n", what, strerror(errno));
    return EXIT_FAILURE;
}

static void set(int level, int option, int value)
{
    if (setsockopt(end.fd, level, option, &value, sizeof(value)) < 0)
        exit(fail("setsockopt"));
}

static void apply(void)
{
    if (ask.in_line)
        set(SOL_SOCKET, SO_OOBINLINE, 1);
    if (!ask.keepalive)
        return;
    set(SOL_SOCKET, SO_KEEPALIVE, 1);
    set(IPPROTO_TCP, TCP_KEEPIDLE, ask.keepalive);
    set(IPPROTO_TCP, TCP_KEEPINTVL, 1);
    set(IPPROTO_TCP, TCP_KEEPCNT, PROBES);
}

/* A connected socket in end.fd. */
static void open_end(const char *how, const char *address, const char *port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

    if (fd < 0 || inet_pton(AF_INET, address, &a.sin_addr) != 1)
        exit(fail(address));
    if (ask.cc[0] &&
        setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, ask.cc, (socklen_t)strlen(ask.cc)) < 0)
        exit(fail(ask.cc));
    end.fd = fd;
    if (strcmp(how, "connect") == 0) {
        if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
            exit(fail("connect"));
        return;
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 1) < 0)
        exit(fail("listen"));
    fprintf(stderr, "listening\n");
    end.fd = accept(fd, NULL, NULL);
    if (end.fd < 0)
        exit(fail("accept"));
    close(fd);
}

static struct tcp_info get_info(void)
{
    struct tcp_info info;
    socklen_t len = sizeof(info);

    if (getsockopt(end.fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0)
        exit(fail("TCP_INFO"));
    return info;
}

static void tell_options(void)
{
    unsigned o = get_info().tcpi_options;

    fprintf(stderr, "options%s%s%s%s\n", o & TCPI_OPT_TIMESTAMPS ? " timestamps" : "",
            o & TCPI_OPT_SACK ? " sack" : "", o & TCPI_OPT_WSCALE ? " wscale" : "",
            o & TCPI_OPT_ECN ? " ecn" : "");
}

static long long now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

static bool may_send(void)
{
    if (ask.after && !end.eof)
        return false;
    return !ask.hold || time(NULL) - end.began >= ask.hold;
}

/* How many bytes to send now, and with which flags: the urgent one goes alone. */
static size_t piece(int *ret_flags)
{
    size_t n = end.have - end.gone;
    long long before = ask.urgent - 1 - end.sent;

    *ret_flags = MSG_DONTWAIT | MSG_NOSIGNAL;
    if (!ask.urgent || before < 0)
        return n;
    if (before > 0)
        return n < (size_t)before ? n : (size_t)before;
    *ret_flags |= MSG_OOB;
    return 1;
}

static void send_some(void)
{
    int flags;
    ssize_t n;

    if (end.gone == end.have && !end.input_ended) {
        n = read(STDIN_FILENO, end.out, sizeof(end.out));
        if (n < 0)
            exit(fail("standard input"));
        end.input_ended = n == 0;
        end.have = (size_t)n;
        end.gone = 0;
    }
    if (end.gone < end.have) {
        size_t want = piece(&flags);

        n = send(end.fd, end.out + end.gone, want, flags);
        if (n < 0 && errno != EAGAIN)
            exit(fail("send"));
        if (n > 0) {
            end.gone += (size_t)n;
            end.sent += n;
        }
    } else if (end.input_ended) {
        if (shutdown(end.fd, SHUT_WR) < 0)
            exit(fail("shutdown"));
        end.shut = true;
    }
}

static void read_some(void)
{
    static char in[PIECE];
    static long long told = -1;
    int at_mark = 0;
    ssize_t n;

    if (ask.in_line && ioctl(end.fd, SIOCATMARK, &at_mark) == 0 && at_mark && told != end.read) {
        told = end.read;
        fprintf(stderr, "mark %lld\n", end.read);
    }
    n = recv(end.fd, in, sizeof(in), MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n < 0)
        exit(fail("recv"));
    end.eof = n == 0;
    end.read += n;
    for (ssize_t at = 0, w; at < n; at += w) {
        w = write(STDOUT_FILENO, in + at, (size_t)(n - at));
        if (w < 0)
            exit(fail("standard output"));
    }
}

static void serve(void)
{
    while (!end.shut || !end.eof) {
        bool sending = !end.shut && may_send();
        struct pollfd p = {.fd = end.fd, .events = POLLERR};

        if (!end.eof)
            p.events |= POLLIN;
        if (sending && (end.gone < end.have || end.input_ended))
            p.events |= POLLOUT;
        if (sending && end.gone == end.have && !end.input_ended)
            send_some(); /* the input is a file, or what a pipe brings soon */
        else if (poll(&p, 1, 100) < 0)
            exit(fail("poll"));
        if (p.revents & POLLOUT)
            send_some();
        if (p.revents & (POLLIN | POLLERR | POLLHUP) && !end.eof)
            read_some();
        else if (p.revents & POLLERR && recv(end.fd, &p, 1, MSG_DONTWAIT) < 0 && errno != EAGAIN)
            exit(fail("connection"));
    }
}

static void word(const char *w)
{
    ask.after |= strcmp(w, "after") == 0;
    ask.in_line |= strcmp(w, "inline") == 0;
    sscanf(w, "hold=%d", &ask.hold);
    sscanf(w, "keepalive=%d", &ask.keepalive);
    sscanf(w, "urgent=%d", &ask.urgent);
    sscanf(w, "cc=%15s", ask.cc);
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "ksock: see the comment at the top of tests/tools/ksock.c\n");
        return USAGE;
    }
    for (int i = 4; i < argc; i++)
        word(argv[i]);
    open_end(argv[1], argv[2], argv[3]);
    apply();
    fprintf(stderr, "connected\n");
    tell_options();
    end.began = time(NULL);
    end.began_us = now_us();
    serve();
    fprintf(stderr, "sent again %u\ntook %lld\n", get_info().tcpi_total_retrans,
            now_us() - end.began_us);
    return close(end.fd) < 0 ? fail("close") : EXIT_SUCCESS;
}
