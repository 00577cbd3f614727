/* Who asks a running node: what is answered, to whom, and that nobody can hold it up. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "accept_kit.h"
#include "base/time.h"
#include "fake_stack.h"
#include "run/seldom.h"
#include "run/teller.h"

enum {
    ANSWER_MAX = 32 << 20, /* bytes */
    NOBODY = 65534,        /* a user who does not run this test */
};

static struct teller teller;
static struct seldom door; /* tells once of each who comes */
static int64_t now;
static char tun[32];
static char *answer;

static int setup(void **state)
{
    struct addr node = addr_v4(0x0a000105);

    (void)state;
    fake_reset();
    now = SEC;
    snprintf(tun, sizeof(tun), "test%ld", (long)getpid());
    assert_int_equal(teller_open(&teller, "peer", tun, &node, &fake), 0);
    assert_int_equal(seldom_open(&door), 0);
    return seldom_add_news(&door, teller.fd, 0);
}

static int teardown(void **state)
{
    (void)state;
    teller_close(&teller);
    seldom_close(&door);
    return 0;
}

/* One turn of a loop that does not sleep. */
static void turn(void)
{
    struct pollfd fds[TELLER_FDS];
    unsigned n = teller_wait(&teller, fds);

    assert_int_equal(poll(fds, n, 0) >= 0, 1);
    if (seldom_ready(&door))
        teller_asked(&teller);
    teller_woken(&teller, fds, n);
    teller_act(&teller, now);
}

static void turns(unsigned n)
{
    while (n--)
        turn();
}

static int visitor(void)
{
    struct sockaddr_un name;
    socklen_t len = teller_name(tun, &name);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&name, len), 0);
    return fd;
}

static int client(const char *question)
{
    int fd = visitor();

    assert_int_equal(send(fd, question, strlen(question), 0), strlen(question));
    return fd;
}

/* Take turns and read until the answer ends. Returns it; it lives until the next. */
static const char *read_all(int fd)
{
    size_t n = 0;
    ssize_t r;

    answer = realloc(answer, ANSWER_MAX);
    assert_non_null(answer);
    for (;;) {
        turn();
        r = recv(fd, answer + n, ANSWER_MAX - 1 - n, MSG_DONTWAIT);
        if (r < 0 && errno == EAGAIN)
            continue;
        if (r <= 0)
            break;
        n += (size_t)r;
    }
    answer[n] = '\0';
    close(fd);
    return answer;
}

static const char *ask(const char *question)
{
    return read_all(client(question));
}

/* ---- What is answered ---- */

static void json_tells_everything(void **state)
{
    const char *a;
    json_t *o, *c;

    (void)state;
    fake.listed = 2;
    fake.totals.packets_in = 17;
    fake.copied = 9;
    fake.counts[REASON_IP_CHECKSUM] = 3;
    a = ask("json\n");
    assert_memory_equal(a, "ok\n", 3);
    o = json_loads(a + 3, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(o);
    assert_string_equal(json_string_value(json_object_get(o, "program")), "peer");
    assert_string_equal(json_string_value(json_object_get(o, "node")), "10.0.1.5");
    assert_string_equal(json_string_value(json_object_get(o, "tun")), tun);
    assert_int_equal(json_integer_value(json_object_get(o, "pid")), getpid());
    assert_int_equal(json_integer_value(
                         json_object_get(json_object_get(o, "totals"), "packets_in")),
                     17);
    assert_int_equal(json_integer_value(
                         json_object_get(json_object_get(o, "totals"), "bytes_copied")),
                     9);
    c = json_object_get(o, "counters");
    assert_int_equal(json_object_size(c), 1);
    assert_int_equal(json_integer_value(json_object_get(c, "drop.ip.checksum")), 3);
    c = json_object_get(o, "connections");
    assert_int_equal(json_array_size(c), 2);
    assert_int_equal(json_integer_value(json_object_get(json_array_get(c, 1), "remote_port")),
                     50001);
    json_decref(o);
}

static void text_tells_counters_when_asked(void **state)
{
    (void)state;
    fake.listed = 1;
    fake.totals.conns = 1;
    fake.counts[REASON_IP_CHECKSUM] = 3;
    assert_non_null(strstr(ask("text\n"), "ESTABLISHED"));
    assert_non_null(strstr(answer, "peer 10.0.1.5 on test"));
    assert_null(strstr(answer, "drop.ip.checksum"));
    assert_non_null(strstr(ask("counters\n"), "3  drop.ip.checksum\n"));
    assert_non_null(strstr(answer, "ESTABLISHED"));
}

/* Both directions of an impaired path; null where there is none. */
static void an_impaired_path_is_told(void **state)
{
    static struct impair path;
    json_t *o, *way;

    (void)state;
    o = json_loads(ask("json\n") + 3, 0, NULL);
    assert_true(json_is_null(json_object_get(o, "impaired")));
    json_decref(o);
    path.side[IMPAIR_OUT].packets = 12;
    path.side[IMPAIR_OUT].count[REASON_IMPAIR_LOST] = 2;
    path.side[IMPAIR_OUT].count[REASON_IMPAIR_DELAYED] = 10;
    path.side[IMPAIR_IN].packets = 1;
    teller.impair = &path;
    assert_non_null(strstr(ask("text\n"), " packets: 0 in, 0 out\n"
                                          "bytes: 0 in, 0 out, 0 copied\n"
                                          "impaired, out: 12 packets, 2 impair.lost, "
                                          "10 impair.delayed\n"
                                          "impaired, in: 1 packet\n"));
    o = json_loads(ask("json\n") + 3, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(o);
    way = json_object_get(json_object_get(o, "impaired"), "out");
    assert_int_equal(json_integer_value(json_object_get(way, "packets")), 12);
    way = json_object_get(way, "counters");
    assert_int_equal(json_object_size(way), 2);
    assert_int_equal(json_integer_value(json_object_get(way, "impair.lost")), 2);
    way = json_object_get(json_object_get(o, "impaired"), "in");
    assert_int_equal(json_object_size(json_object_get(way, "counters")), 0);
    json_decref(o);
    teller.impair = NULL;
}

/* How long the node waits awake is told where it does. */
static void a_wait_awake_is_told(void **state)
{
    json_t *o;

    (void)state;
    teller.busy_poll = 0;
    assert_null(strstr(ask("text\n"), "awake"));
    teller.busy_poll = 10 * MSEC + 500 * USEC;
    assert_non_null(strstr(ask("text\n"), "waits awake for 10.5 ms after a packet\n"));
    o = json_loads(ask("json\n") + 3, JSON_REJECT_DUPLICATES, NULL);
    assert_float_equal(json_real_value(json_object_get(o, "busy_poll")), 0.0105, 1e-9);
    json_decref(o);
    teller.busy_poll = 0;
}

static void nothing_to_tell_is_told(void **state)
{
    (void)state;
    assert_non_null(strstr(ask("text\n"), ": 0 connections; packets: 0 in, 0 out\n"));
    assert_non_null(strstr(ask("counters\n"), ": 0 connections"));
    assert_memory_equal(ask("json\n"), "ok\n{", 4);
}

static void what_is_not_understood_is_refused(void **state)
{
    (void)state;
    assert_memory_equal(ask("sesame\n"), "no the question", 15);
    assert_memory_equal(ask("json json json json json json json"), "no the question", 15);
    assert_memory_equal(ask("json\n"), "ok\n", 3);
}

/* All counters and ten thousand connections: whole, whatever the reader's speed. */
static void a_long_answer_is_whole(void **state)
{
    static struct impair path;
    json_t *o;

    (void)state;
    fake.listed = 10000;
    for (int r = 1; r < REASON_COUNT; r++)
        fake.counts[r] = path.side[IMPAIR_OUT].count[r] = path.side[IMPAIR_IN].count[r] =
            UINT64_MAX / 2;
    teller.impair = &path; /* more than it can count */
    o = json_loads(ask("json\n") + 3, 0, NULL);
    assert_non_null(o);
    assert_int_equal(json_array_size(json_object_get(o, "connections")), 10000);
    assert_int_equal(json_object_size(json_object_get(o, "counters")), REASON_COUNT - 1);
    json_decref(o);
    ask("counters\n");
    teller.impair = NULL;
    for (int r = 1; r < REASON_COUNT; r++)
        assert_non_null(strstr(answer, reason_text((enum reason)r)->sentence));
}

/* People are told of the first thousand, and how many more there are; the end is not lost. */
static void a_crowd_is_counted(void **state)
{
    unsigned rows = 0;

    (void)state;
    fake.listed = 10000;
    fake.counts[REASON_IP_CHECKSUM] = 3;
    ask("counters\n");
    for (const char *at = answer; (at = strstr(at, "\nESTABLISHED")); at++)
        rows++;
    assert_int_equal(rows, 1000);
    assert_non_null(strstr(answer, "\nand 9000 more: 9000 ESTABLISHED; --json lists them all\n"));
    assert_non_null(strstr(answer, "3  drop.ip.checksum\n"));
    fake.listed = 1000;
    assert_null(strstr(ask("text\n"), " more: "));
    fake.listed = 1001;
    assert_non_null(strstr(ask("text\n"), "\nand 1 more: 1 ESTABLISHED;"));
}

/* ---- That nobody can hold it up ---- */

/* Counting is bounded, too, and the asker is not taken for one who does not read. */
static void a_turn_counts_some(void **state)
{
    int fd = client("text\n");
    uint32_t before;

    (void)state;
    fake.listed = 100000;
    while (teller.stage != TELLER_REST) {
        static char some[65536];

        turn();
        (void)!recv(fd, some, sizeof(some), MSG_DONTWAIT);
    }
    for (unsigned i = 0; i < 100; i++) {
        before = teller.cursor;
        now += SEC;
        turn();
        assert_in_range(teller.cursor - before, 1, 1024);
    }
    assert_non_null(strstr(read_all(fd), "\nand 99000 more: 99000 ESTABLISHED; "));
}

/* However much there is to tell, a turn composes one page. */
static void a_turn_does_one_page(void **state)
{
    int fd = client("json\n");
    uint32_t before = 0;

    (void)state;
    fake.listed = 10000;
    turns(3);
    assert_int_equal(teller.stage, TELLER_CONNS);
    for (unsigned i = 0; i < 3; i++) {
        turn();
        assert_true(teller.cursor - before <= TELLER_PAGE / 256);
        before = teller.cursor;
    }
    assert_true(teller.cursor < 10000);
    close(fd);
}

static void one_who_reads_nothing_is_dropped(void **state)
{
    int slow = client("json\n"), next = client("text\n");

    (void)state;
    fake.listed = 10000;
    turns(50);
    assert_true(teller.client >= 0);
    assert_int_equal(teller_deadline(&teller), now + 2 * SEC);
    now += 2 * SEC - 1;
    turn();
    assert_true(teller.client >= 0);
    now += 1;
    fake.listed = 0;
    assert_memory_equal(read_all(next), "ok\npeer", 7);
    close(slow);
    turn();
    assert_int_equal(teller_deadline(&teller), TIME_NEVER);
}

static void one_who_asks_nothing_is_dropped(void **state)
{
    int dumb = client(""), half = client("te"), next;

    (void)state;
    next = client("text\n");
    turns(10);
    now += SEC / 2 - 1;
    turns(10);
    assert_int_equal(teller_deadline(&teller), now + 1);
    now += 1;
    turns(10);
    assert_int_equal(teller_deadline(&teller), now + SEC / 2);
    now += SEC / 2;
    assert_memory_equal(read_all(next), "ok\npeer", 7);
    close(dumb);
    close(half);
}

static void one_who_leaves_is_forgotten(void **state)
{
    (void)state;
    close(client("json\n"));
    close(client(""));
    fake.listed = 10000;
    for (unsigned i = 0; i < 2; i++) {
        int fd = client("json\n");

        turns(4);
        close(fd);
    }
    turns(20);
    assert_int_equal(teller.client, -1);
}

/* Nobody asks: there is nothing to wait for but the door, and no deadline. */
static void at_rest_it_costs_nothing(void **state)
{
    struct pollfd fds[TELLER_FDS];

    (void)state;
    turns(3);
    assert_int_equal(teller_wait(&teller, fds), 0);
    assert_int_equal(teller_deadline(&teller), TIME_NEVER);
}

/* Behind one who has gone it looks for the next at once, and then no more. */
static void nobody_waits_for_ever(void **state)
{
    int fd = client("text\n"), next = client("text\n"), last = client("text\n");

    (void)state;
    assert_memory_equal(read_all(fd), "ok\npeer", 7);
    assert_int_equal(teller_deadline(&teller), 0);
    assert_memory_equal(read_all(next), "ok\npeer", 7);
    assert_memory_equal(read_all(last), "ok\npeer", 7);
    assert_int_equal(teller_deadline(&teller), 0);
    turn();
    assert_int_equal(teller_deadline(&teller), TIME_NEVER);
}

/* Who cannot be let in is tried again, not at once; and another one is not in his way. */
static void without_a_descriptor_it_tries_again_later(void **state)
{
    int fd = client("text\n"), next = client("text\n");

    (void)state;
    accept_full = true;
    turns(3);
    accept_full = false;
    turns(3);
    assert_int_equal(teller.client, -1);
    assert_int_equal(teller_deadline(&teller), now + 2 * SEC);
    now += 2 * SEC;
    assert_memory_equal(read_all(fd), "ok\npeer", 7);
    assert_memory_equal(read_all(next), "ok\npeer", 7);
}

/* ---- To whom ---- */

/*
 * Ask as another user, before the answer can be there or after it: then the door is shut, which
 * is no matter. True if we are refused.
 */
static bool is_refused_as_nobody(bool late)
{
    char line[3];
    struct pollfd hung_up = {.fd = visitor()};
    int fd = hung_up.fd;

    if (late)
        assert_int_equal(poll(&hung_up, 1, -1), 1);
    (void)!send(fd, "json\n", 5, MSG_NOSIGNAL);
    return recv(fd, line, 3, MSG_WAITALL) == 3 && memcmp(line, "no ", 3) == 0;
}

static void another_user_is_refused(void **state)
{
    int status;

    (void)state;
    if (geteuid() != 0)
        skip();
    for (int late = 0; late < 2; late++) {
        pid_t child = fork();

        assert_true(child >= 0);
        if (child == 0)
            _exit(setuid(NOBODY) < 0 ? 77 : is_refused_as_nobody(late) ? 0 : 1);
        while (waitpid(child, &status, WNOHANG) == 0)
            turn();
        assert_true(WIFEXITED(status));
        if (WEXITSTATUS(status) == 77)
            skip(); /* a namespace of one user */
        assert_int_equal(WEXITSTATUS(status), 0);
    }
}

static void a_name_that_is_taken_is_told(void **state)
{
    static struct teller second;
    struct addr node = addr_v4(0x0a000105);

    (void)state;
    assert_int_equal(teller_open(&second, "peer", tun, &node, &fake), -EADDRINUSE);
    assert_int_equal(second.fd, -1);
    assert_int_equal(teller_wait(&second, NULL), 0);
    teller_act(&second, now);
    assert_int_equal(teller_deadline(&second), TIME_NEVER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(json_tells_everything, setup, teardown),
        cmocka_unit_test_setup_teardown(text_tells_counters_when_asked, setup, teardown),
        cmocka_unit_test_setup_teardown(an_impaired_path_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(a_wait_awake_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_to_tell_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_not_understood_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_long_answer_is_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(a_crowd_is_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(a_turn_counts_some, setup, teardown),
        cmocka_unit_test_setup_teardown(a_turn_does_one_page, setup, teardown),
        cmocka_unit_test_setup_teardown(one_who_reads_nothing_is_dropped, setup, teardown),
        cmocka_unit_test_setup_teardown(one_who_asks_nothing_is_dropped, setup, teardown),
        cmocka_unit_test_setup_teardown(one_who_leaves_is_forgotten, setup, teardown),
        cmocka_unit_test_setup_teardown(at_rest_it_costs_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(nobody_waits_for_ever, setup, teardown),
        cmocka_unit_test_setup_teardown(without_a_descriptor_it_tries_again_later, setup, teardown),
        cmocka_unit_test_setup_teardown(another_user_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_name_that_is_taken_is_told, setup, teardown),
    };
    int r = cmocka_run_group_tests_name("teller", tests, NULL, NULL);

    free(answer);
    return r;
}
