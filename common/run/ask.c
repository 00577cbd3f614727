/*
 * The answer is printed as it comes, because it may be long. It is another process's word, so
 * characters that a terminal would obey are not passed on.
 */
#include "run/ask.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "run/exit.h"
#include "run/self.h"
#include "run/teller.h"

enum {
    ASK_WAIT = 5,         /* s for each step, so that a node that hangs does not hang us */
    ASK_READ = 64 * 1024, /* bytes at a time */
    ASK_NAME = 32,        /* bytes of a TUN's name with the number of a queue */
    VERDICT_MAX = 160,    /* bytes of the answer's first line */
};

static void say_nobody(const struct report *r, const char *tun)
{
    bool second = strcmp(tun, "tun1") == 0;
    char call[SELF_MAX];

    /* Of a TUN that is not the lab's nobody knows the addresses. */
    if (!second && strcmp(tun, "tun0") != 0) {
        report_error(r, "no node runs on %s in this network namespace", tun);
        return;
    }
    report_error(r, "no node runs on %s in this network namespace; start one, say: %s %s", tun,
                 self_call(second ? "peer" : "host", call),
                 second ? "tun1 10.0.1.1/24 10.0.0.7" : "tun0 10.0.0.1/24 10.0.1.5");
}

/* A descriptor, or a negative errno. */
static int try_connect(const char *name)
{
    const struct timeval wait = {.tv_sec = ASK_WAIT};
    struct sockaddr_un at;
    socklen_t len = teller_name(name, &at);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), error;

    if (fd < 0)
        return -errno;
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
    if (connect(fd, (struct sockaddr *)&at, len) == 0)
        return fd;
    error = -errno;
    close(fd);
    return error;
}

static int ask_connect(const struct report *r, const char *tun)
{
    int fd = try_connect(tun);

    if (fd >= 0)
        return fd;
    errno = -fd;
    if (errno == ECONNREFUSED)
        say_nobody(r, tun);
    else if (errno == EAGAIN)
        report_error(r, "the node on %s is there but does not answer", tun);
    else
        report_error(r, "cannot ask the node on %s: %s", tun, strerror(errno));
    return -1;
}

/* Read the first line. True if it is "ok"; otherwise what is wrong is said. */
static bool ask_verdict(const struct report *r, const char *tun, int fd)
{
    char line[VERDICT_MAX];
    size_t n = 0;

    while (n + 1 < sizeof(line) && recv(fd, line + n, 1, 0) == 1 && line[n] != '\n')
        n++;
    line[n] = '\0';
    if (strcmp(line, "ok") == 0)
        return true;
    for (size_t i = 0; i < n; i++)
        line[i] = line[i] < ' ' ? '?' : line[i];
    if (strncmp(line, "no ", 3) == 0)
        report_error(r, "%s: %s", tun, line + 3);
    else
        report_error(r, "the node on %s is there but does not answer", tun);
    return false;
}

static void defuse(char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char ch = (unsigned char)text[i];

        if ((ch < ' ' && ch != '\n') || ch > '~')
            text[i] = '?';
    }
}

/* Print the rest. */
static int ask_print(const struct report *r, const char *tun, int fd)
{
    static char text[ASK_READ];
    ssize_t n;

    while ((n = recv(fd, text, sizeof(text), 0)) > 0) {
        defuse(text, (size_t)n);
        if (fwrite(text, 1, (size_t)n, stdout) != (size_t)n)
            break;
    }
    if (n < 0) {
        report_error(r, "the answer of the node on %s is not whole: %s", tun,
                     errno == EAGAIN ? "it said no more" : strerror(errno));
        return EXIT_FAILED;
    }
    if (fflush(stdout) || n > 0) {
        report_error(r, "writing standard output failed: %s", strerror(errno));
        return EXIT_FAILED;
    }
    return EXIT_DONE;
}

/* Ask the one at the other end of fd, and close it. */
static int ask_one(const struct report *r, const char *tun, int fd)
{
    const char *question = r->json ? "json\n" : r->verbose ? "counters\n" : "text\n";
    int code = EXIT_FAILED;

    /* who is refused may find the door shut before the question is out; the reason can be read */
    (void)!send(fd, question, strlen(question), MSG_NOSIGNAL);
    if (ask_verdict(r, tun, fd))
        code = ask_print(r, tun, fd);
    close(fd);
    return code;
}

/* Whoever answers gives us little time to ask, so nobody is kept waiting for his turn. */
static bool is_there(const char *name)
{
    int fd = try_connect(name);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

/* A node of several threads answers thread by thread; as JSON that is a list of objects. */
int ask_status(const struct report *r, const char *tun)
{
    int fd = ask_connect(r, tun), code;
    char name[ASK_NAME];
    bool list;

    if (fd < 0)
        return EXIT_FAILED;
    snprintf(name, sizeof(name), "%s/1", tun);
    list = r->json && is_there(name);
    if (list)
        printf("{\"queues\":[\n");
    code = ask_one(r, tun, fd);
    for (unsigned i = 1; code == EXIT_DONE; i++) {
        snprintf(name, sizeof(name), "%s/%u", tun, i);
        fd = try_connect(name);
        if (fd < 0)
            break;
        printf(list ? "," : "\n");
        code = ask_one(r, name, fd);
    }
    if (list)
        printf("]}\n");
    return fflush(stdout) ? EXIT_FAILED : code;
}
