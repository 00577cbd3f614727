/* What programs of a node share: the command line, words for people, the list of services. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "run/exit.h"
#include "run/node.h"
#include "run/report.h"
#include "run/services.h"

static const struct option_spec options[] = {NODE_OPTIONS("7"), {.name = NULL}};
static const struct program program = {
    .name = "node", .synopsis = "node", .summary = "", .epilogue = "", .options = options};

/* Parse these words, with what is said about mistakes thrown away. */
static int parse(struct node_options *opt, uint32_t host_number, const char *tun, const char *cidr,
                 const char *remote, const char *extra)
{
    static char words[5][64];
    char *argv[6] = {NULL};
    const char *given[5] = {"node", tun, cidr, remote, extra};
    int argc = 0, code, saved = dup(STDERR_FILENO);

    for (int i = 0; i < 5; i++) {
        if (!given[i])
            continue;
        snprintf(words[argc], sizeof(words[argc]), "%s", given[i]);
        argv[argc] = words[argc];
        argc++;
    }
    node_options_default(opt);
    assert_non_null(freopen("/dev/null", "w", stderr));
    code = node_options_parse(&program, opt, host_number, argc, argv);
    fflush(stderr);
    dup2(saved, STDERR_FILENO);
    close(saved);
    return code;
}

static void the_nodes_own_address_is_its_number_in_the_subnet(void **state)
{
    struct node_options opt;

    (void)state;
    assert_int_equal(parse(&opt, 7, "tun0", "10.0.0.1/24", "10.0.1.5", NULL), NODE_GO_ON);
    assert_int_equal(addr_v4_value(&opt.local), 0x0a000007);
    assert_int_equal(addr_v4_value(&opt.net.addr), 0x0a000001);
    assert_int_equal(addr_v4_value(&opt.remote), 0x0a000105);
    assert_string_equal(opt.tun, "tun0");
    assert_int_equal(opt.net.prefix_len, 24);
    assert_int_equal(opt.port, 8000);
    assert_int_equal(parse(&opt, 5, "tun1", "172.16.5.9/20", "10.0.1.5", NULL), NODE_GO_ON);
    assert_int_equal(addr_v4_value(&opt.local), 0xac100005);
}

static void a_small_subnet_has_room_up_to_its_broadcast_address(void **state)
{
    struct node_options opt;

    (void)state;
    assert_int_equal(parse(&opt, 6, "tun0", "10.0.0.1/29", "10.0.1.5", NULL), NODE_GO_ON);
    assert_int_equal(parse(&opt, 7, "tun0", "10.0.0.1/29", "10.0.1.5", NULL), EXIT_USAGE);
    assert_int_equal(parse(&opt, 7, "tun0", "10.0.0.1/30", "10.0.1.5", NULL), EXIT_USAGE);
    assert_int_equal(parse(&opt, 7, "tun0", "10.0.0.7/24", "10.0.1.5", NULL), EXIT_USAGE);
}

static void an_address_of_ones_own_may_be_given(void **state)
{
    struct node_options opt;

    (void)state;
    assert_int_equal(parse(&opt, 7, "tun0", "10.0.0.1/30", "10.0.1.5", "--local=10.0.0.2"),
                     NODE_GO_ON);
    assert_int_equal(addr_v4_value(&opt.local), 0x0a000002);
    assert_int_equal(parse(&opt, 7, "tun0", "10.0.0.1/24", "10.0.1.5", "--local=10.0.0.1"),
                     EXIT_USAGE);
    assert_int_equal(parse(&opt, 7, "tun0", "10.0.0.1/24", "10.0.1.5", "--local=10.0.1.5"),
                     EXIT_USAGE);
}

static bool is(const struct addr *a, const char *text)
{
    char got[ADDR_TEXT_MAX];

    return strcmp(addr_format(a, got), text) == 0;
}

static void a_node_of_ipv6(void **state)
{
    struct node_options opt;

    (void)state;
    assert_int_equal(parse(&opt, 7, "tun0", "fd00::1/64", "fd00:1::5", NULL), NODE_GO_ON);
    assert_true(is(&opt.local, "fd00::7") && is(&opt.remote, "fd00:1::5"));
    assert_int_equal(opt.locals.n, 1);
    assert_int_equal(opt.locals.at[0].prefix_len, 64);
    assert_int_equal(parse(&opt, 7, "tun0", "fd00::7/64", "fd00:1::5", NULL), EXIT_USAGE);
    assert_int_equal(parse(&opt, 7, "tun0", "fd00::1/64", "fd00::7", NULL), EXIT_USAGE);
    assert_int_equal(parse(&opt, 7, "tun0", "fd00::1/64", "10.0.1.5", NULL), EXIT_USAGE);
    assert_int_equal(parse(&opt, 7, "tun0", "fd00::1/64", "fd00:1::5", "--via=10.0.0.1"),
                     EXIT_USAGE);
}

/* Of both versions; the one by which the remote node is reached is the node's own. */
static void a_node_of_both_versions(void **state)
{
    struct node_options opt;

    (void)state;
    assert_int_equal(parse(&opt, 7, "tun0", "10.0.0.1/16", "fd00:1::5", "--local=fd00::9"),
                     NODE_GO_ON);
    assert_int_equal(opt.locals.n, 2);
    assert_true(is(&opt.local, "fd00::9") && is(&opt.locals.at[0].addr, "fd00::9"));
    assert_true(is(&opt.locals.at[1].addr, "10.0.0.7"));
    assert_int_equal(opt.locals.at[0].prefix_len, 64);
    assert_int_equal(opt.locals.at[1].prefix_len, 16);
    assert_int_equal(parse(&opt, 7, "tun0", "fd00::1/56", "10.0.1.5", "--local=10.0.0.9/20"),
                     NODE_GO_ON);
    assert_true(is(&opt.local, "10.0.0.9") && is(&opt.locals.at[1].addr, "fd00::7"));
    assert_int_equal(opt.locals.at[0].prefix_len, 20);
    assert_int_equal(opt.locals.at[1].prefix_len, 56);
}

static void operands_are_three(void **state)
{
    struct node_options opt;

    (void)state;
    assert_int_equal(parse(&opt, 7, "tun0", NULL, NULL, NULL), EXIT_USAGE);
    assert_int_equal(parse(&opt, 7, "tun0", "10.0.0.1/24", NULL, NULL), EXIT_USAGE);
    assert_int_equal(parse(&opt, 7, "tun0", "10.0.0.1/24", "10.0.1.5", "more"), EXIT_USAGE);
    assert_int_equal(parse(&opt, 7, "tun0", "10.0.0.1", "10.0.1.5", NULL), EXIT_USAGE);
    assert_int_equal(parse(&opt, 7, "tun0", "10.0.0.1/24", "nowhere", NULL), EXIT_USAGE);
    assert_int_equal(parse(&opt, 7, "tun0", "10.0.0.1/24", "10.0.0.7", NULL), EXIT_USAGE);
}

static void durations_are_for_people(void **state)
{
    char out[REPORT_DURATION];

    (void)state;
    assert_string_equal(report_duration(0, out), "0.00 ms");
    assert_string_equal(report_duration(210 * USEC, out), "0.21 ms");
    assert_string_equal(report_duration(12345 * USEC, out), "12.3 ms");
    assert_string_equal(report_duration(SEC + 230 * MSEC, out), "1.23 s");
    assert_string_equal(report_duration(180 * SEC, out), "180.00 s");
}

static void sessions_have_names(void **state)
{
    enum session_kind kind;

    (void)state;
    assert_int_equal(session_parse("echo", &kind), 0);
    assert_int_equal(kind, SESSION_ECHO);
    assert_int_equal(session_parse("chat", &kind), 0);
    assert_int_equal(kind, SESSION_CHAT);
    assert_int_equal(session_parse("Echo", &kind), -EINVAL);
    assert_int_equal(session_parse("", &kind), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_nodes_own_address_is_its_number_in_the_subnet),
        cmocka_unit_test(a_small_subnet_has_room_up_to_its_broadcast_address),
        cmocka_unit_test(an_address_of_ones_own_may_be_given),
        cmocka_unit_test(a_node_of_ipv6),
        cmocka_unit_test(a_node_of_both_versions),
        cmocka_unit_test(operands_are_three),
        cmocka_unit_test(durations_are_for_people),
        cmocka_unit_test(sessions_have_names),
    };

    return cmocka_run_group_tests_name("node", tests, NULL, NULL);
}
