/* netcat over UDP on a real stack; and the options of host's tools. */
#include <fcntl.h>
#include <unistd.h>

#include "run/exit.h"
#include "run/tool.h"

#include "udp_kit.h"

/* ---- UDP ---- */

static struct udpcat cat;

static uint32_t size; /* of datagrams; 0: what is typed at once is one */

static void begin_cat(bool v6)
{
    struct udpcat_how how = {.port = 7, .wait = SEC, .size = size};

    udp_begin_node(v6);
    how.remote = REMOTE_ADDR;
    assert_int_equal(udpcat_start(&cat, rig.st, &how), 0);
}

static void type(const char *words)
{
    assert_true(cat.console.ops->wants(&cat.console));
    cat.console.ops->push(&cat.console, rig.st,
                          (struct slice){NULL, (const uint8_t *)words, (uint32_t)strlen(words)});
}

static int64_t turn(void)
{
    struct stack_event e;

    while (stack_event(rig.st, &e))
        ((struct app *)e.user)->ops->event(e.user, rig.st, &e);
    return udpcat_turn(&cat, rig.st, rig.now);
}

static void shows(const char *words)
{
    struct slice s;

    if (!words) {
        assert_int_equal(cat.console.ops->pull(&cat.console, rig.st, &s), -EAGAIN);
        return;
    }
    assert_int_equal(cat.console.ops->pull(&cat.console, rig.st, &s), (int)strlen(words));
    assert_memory_equal(s.base, words, s.len);
    buf_unref(s.buf);
}

/* The remote node's service says this to the port that the last packet came from. */
static void answers(const char *words)
{
    rig_reason("it", udp_comes(REMOTE_ADDR, 7, get16(rig.data), words), REASON_NONE);
}

static void there_and_back(void **state)
{
    (void)state;
    for (int v6 = 0; v6 <= 1; v6++) {
        begin_cat(v6);
        assert_int_equal(turn(), TIME_NEVER);
        type("hello");
        assert_true(rig_take());
        assert_int_equal(get16(rig.data + 2), 7);
        assert_memory_equal(rig.data + 8, "hello", 5);
        answers("olleh");
        answers(""); /* shows nothing, and is passed over */
        answers("more");
        shows("olleh");
        shows("more");
        shows(NULL);
        assert_true(cat.sent == 1 && cat.received == 3 && cat.bytes_received == 9);
        udpcat_finish(&cat, rig.st);
        end();
    }
}

/* Behind the end of the input it lasts until nothing has come for a second. */
static void the_end_of_the_input(void **state)
{
    (void)state;
    begin_cat(false);
    type("x");
    assert_true(rig_take());
    (void)turn();
    cat.console.ops->end(&cat.console, rig.st);
    assert_false(cat.console.ops->wants(&cat.console));
    assert_int_equal(turn(), rig.now + SEC);
    advance(900 * MSEC);
    answers("late");
    shows("late");
    assert_int_equal(turn(), rig.now + SEC);
    rig.now += SEC - 1;
    (void)turn();
    assert_false(cat.done);
    rig.now++;
    (void)turn();
    assert_true(cat.done && !cat.refused);
    udpcat_finish(&cat, rig.st);
    end();
}

/* A port that nobody serves is the end, whether it is found out by sending or by reading. */
static void refused(void **state)
{
    (void)state;
    for (int sending = 0; sending <= 1; sending++) {
        begin_cat(false);
        type("x");
        assert_true(rig_take());
        rig_reason("soft", udp_error_about(ICMP_UNREACHABLE, ICMP_UNREACH_HOST, 0), REASON_NONE);
        (void)turn();
        assert_true(!cat.done && cat.errors == 1 && cat.last.why == REASON_ICMP_SOFT_HOST);
        rig_reason("hard", udp_error_about(ICMP_UNREACHABLE, ICMP_UNREACH_PORT, 0), REASON_NONE);
        if (sending)
            type("y");
        else
            shows(NULL);
        (void)turn();
        assert_true(cat.done);
        assert_int_equal(cat.refused, -ECONNREFUSED);
        udpcat_finish(&cat, rig.st);
        end();
    }
}

/* When no more can leave, one piece is held, and nothing more is wanted until it has left. */
static void a_full_ring(void **state)
{
    (void)state;
    begin_cat(false);
    for (unsigned i = 0; i < STACK_REPLIES; i++)
        type("x");
    type("held");
    assert_false(cat.console.ops->wants(&cat.console));
    assert_int_equal(turn(), rig.now);
    cat.console.ops->end(&cat.console, rig.st);
    advance(2 * SEC);
    (void)turn();
    assert_false(cat.done); /* though all is quiet */
    cat.input_ended = false;
    assert_false(cat.console.ops->wants(&cat.console));
    while (rig_take())
        continue;
    (void)turn();
    assert_true(cat.console.ops->wants(&cat.console));
    assert_true(rig_take());
    assert_memory_equal(rig.data + 8, "held", 4);
    udpcat_finish(&cat, rig.st);
    end();
}

/* What is typed at once leaves in datagrams of one size, and the last one with the rest. */
static void of_one_size(void **state)
{
    static const char *const pieces[] = {"abc", "def", "g"};

    (void)state;
    size = 3;
    begin_cat(false);
    type("abcdefg");
    for (unsigned i = 0; i < 3; i++) {
        assert_true(rig_take());
        assert_int_equal(rig.len, 8 + strlen(pieces[i]));
        assert_memory_equal(rig.data + 8, pieces[i], strlen(pieces[i]));
    }
    expect_nothing();
    assert_true(cat.sent == 3 && cat.bytes_sent == 7);
    udpcat_finish(&cat, rig.st);
    end();
    size = 0;
}

/* ---- options ---- */

static const struct program program = {.name = "host"};

/* Are these options understood? What is said about mistakes is thrown away. */
static bool good_at(struct tool_options o, bool v6, uint32_t ttl, uint32_t port)
{
    struct node_options node = {.ttl = ttl, .port = port};
    int saved = dup(STDERR_FILENO), null = open("/dev/null", O_WRONLY), code;

    node.remote = v6 ? KIT6_HOST : addr_v4(KIT_HOST);
    dup2(null, STDERR_FILENO);
    code = tool_options_check(&program, &node, &o);
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(null);
    assert_true(code == NODE_GO_ON || code == EXIT_USAGE);
    return code == NODE_GO_ON;
}

static bool good(struct tool_options o, bool v6, uint32_t ttl)
{
    return good_at(o, v6, ttl, NODE_PORT);
}

#define GOOD(...) good((struct tool_options){.size = TOOL_NOT_GIVEN, __VA_ARGS__}, false, 0)

static void options(void **state)
{
    struct tool_options o = {.ping = true, .size = 65508};

    (void)state;
    assert_true(GOOD(.ping = false));
    assert_true(GOOD(.ping = true, .count = 1, .interval = 1, .wait = 1, .df = true));
    assert_true(GOOD(.traceroute = true, .max_hops = 1, .queries = 1, .wait = 1, .df = true));
    assert_true(GOOD(.traceroute = true, .method = "icmp"));
    assert_true(GOOD(.traceroute = true, .method = "udp"));
    assert_true(GOOD(.udp = true, .wait = 1, .df = true));
    assert_true(good((struct tool_options){.udp = true, .size = 1}, false, 0));
    assert_false(good((struct tool_options){.udp = true, .size = 0}, false, 0));
    assert_false(good((struct tool_options){.udp = true, .size = 65508}, false, 0));
    assert_false(GOOD(.traceroute = true, .method = "pigeon"));
    assert_false(GOOD(.ping = true, .udp = true));
    assert_false(GOOD(.ping = true, .traceroute = true));
    assert_false(GOOD(.count = 1));
    assert_false(GOOD(.wait = 1));
    assert_false(GOOD(.df = true));
    assert_false(GOOD(.udp = true, .count = 1));
    assert_false(GOOD(.udp = true, .interval = 1));
    assert_false(GOOD(.traceroute = true, .count = 1));
    assert_false(GOOD(.ping = true, .max_hops = 1));
    assert_false(GOOD(.ping = true, .queries = 1));
    assert_false(GOOD(.ping = true, .method = "icmp"));
    assert_false(good(o, false, 0));
    assert_true(good(o, true, 0));
    o.size--;
    assert_true(good(o, false, 0));
    o.ping = false;
    assert_false(good(o, false, 0));
    o = (struct tool_options){.traceroute = true, .max_hops = 3, .size = 0};
    assert_true(good(o, false, 3));
    assert_false(good(o, false, 4));
    assert_true(good_at(o, false, 3, 7));
    o.method = "icmp"; /* which has no ports */
    assert_false(good_at(o, false, 3, 7));
    o = (struct tool_options){.ping = true};
    assert_false(good_at(o, false, 0, 7));
    o = (struct tool_options){.udp = true, .size = TOOL_NOT_GIVEN};
    assert_true(good_at(o, false, 0, 7));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_and_back), cmocka_unit_test(the_end_of_the_input),
        cmocka_unit_test(refused),        cmocka_unit_test(a_full_ring),
        cmocka_unit_test(of_one_size),    cmocka_unit_test(options),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
