/* traceroute on a real stack: its probes, what answers mean, and what it prints. */
#include "app/traceroute.h"

#include "lines_kit.h"

static struct traceroute route;

/* The probes that have left, in their order. */
static struct {
    uint8_t b[200], ttl;
    uint32_t header, len;
} probe[64];
static unsigned probes;

static const char *shown(void)
{
    return lines_shown(&route.lines);
}

static void begin_route(bool v6, struct traceroute_how how)
{
    udp_begin_node(v6);
    how.remote = REMOTE_ADDR;
    how.first = how.first ? how.first : 1;
    how.max = how.max ? how.max : 30;
    how.queries = how.queries ? how.queries : 3;
    how.port = TRACEROUTE_PORT;
    how.wait = SEC;
    probes = 0;
    assert_int_equal(traceroute_start(&route, rig.st, &how), 0);
}

/* One turn, and what it sends. */
static int64_t turn_once(void)
{
    int64_t next = traceroute_turn(&route, rig.st, rig.now);

    for (; rig_take(); probes++) {
        probe[probes].ttl = rig.ip.ttl;
        probe[probes].header = rig.ip.header_len;
        probe[probes].len = rig.ip.total_len;
        memcpy(probe[probes].b, rig.bytes, 60);
    }
    return next;
}

/* All that want to be at once. */
static int64_t turn(void)
{
    int64_t next;

    do {
        next = turn_once();
    } while (next == rig.now && !route.done);
    return next;
}

/* Somebody says this about probe number i. */
static void says(unsigned i, struct addr who, uint8_t type, uint8_t code)
{
    uint32_t mtu = rig.v6 && type == ICMP6_TOO_BIG ? 1280 : 0;

    rig_reason("the error", udp_icmp(who, type, code, mtu, probe[i].b, probe[i].header + 8),
               REASON_NONE);
}

/* The router on the way where that probe's time runs out: its hop's number is in the address. */
static void runs_out(unsigned i)
{
    says(i, rig.v6 ? kit6_addr(0xfd00, 9, probe[i].ttl) : addr_v4(0x0a000900U + probe[i].ttl),
         rig.v6 ? 3 : 11, 0);
}

/* The echo reply to probe number i. */
static void echoes(unsigned i)
{
    const uint8_t *icmp = probe[i].b + probe[i].header;

    rig_reason("the reply",
               udp_icmp(REMOTE_ADDR, rig.v6 ? ICMP6_ECHO_REPLY : ICMP_ECHO_REPLY, 0,
                        get32(icmp + 4), NULL, 0),
               REASON_NONE);
}

/* Two routers and then the end, by both methods and both versions. */
static void the_way(void **state)
{
    (void)state;
    for (int kind = 0; kind < 4; kind++) {
        bool v6 = kind & 1, icmp = kind & 2;

        begin_route(v6, (struct traceroute_how){.icmp = icmp, .size = 32});
        (void)turn();
        assert_int_equal(probes, TRACEROUTE_AHEAD);
        for (unsigned i = 0; i < probes; i++) {
            assert_int_equal(probe[i].ttl, 1 + i / 3);
            assert_int_equal(probe[i].len, (v6 ? 40 : 20) + 8 + 32);
            if (!icmp)
                assert_int_equal(get16(probe[i].b + probe[i].header + 2), 33434 + i);
        }
        for (unsigned i = 0; i < 9; i++) {
            advance(MSEC);
            if (i < 6)
                runs_out(i);
            else if (icmp)
                echoes(i);
            else
                says(i, REMOTE_ADDR, UDP_UNREACHABLE, UDP_NO_PORT);
            (void)turn();
        }
        assert_true(route.done && route.reached);
        assert_int_equal(traceroute_hops(&route), 3);
        (void)shown();
        assert_string_equal(strchr(text, '\n') + 1,
                            v6 ? " 1  fd00:0:0:9::1  1.000 ms  2.000 ms  3.000 ms\n"
                                 " 2  fd00:0:0:9::2  4.000 ms  5.000 ms  6.000 ms\n"
                                 " 3  fd00::7  7.000 ms  8.000 ms  9.000 ms\n"
                               : " 1  10.0.9.1  1.000 ms  2.000 ms  3.000 ms\n"
                                 " 2  10.0.9.2  4.000 ms  5.000 ms  6.000 ms\n"
                                 " 3  10.0.0.7  7.000 ms  8.000 ms  9.000 ms\n");
        assert_int_equal(memcmp(text, "traceroute to ", 14), 0);
        end();
    }
}

/* A hop that says nothing is a row of stars when its time is over, not a tick before. */
static void silence(void **state)
{
    int64_t sent;

    (void)state;
    begin_route(false, (struct traceroute_how){.max = 2});
    sent = rig.now;
    assert_int_equal(turn(), sent + SEC);
    assert_int_equal(probes, 6);
    advance(10 * MSEC);
    runs_out(3);
    runs_out(5);
    assert_int_equal(turn(), sent + SEC);
    rig.now = sent + SEC - 1;
    assert_int_equal(turn(), sent + SEC);
    assert_int_equal(route.shown, 0);
    rig.now = sent + SEC;
    (void)turn();
    assert_true(route.done && !route.reached);
    (void)shown();
    assert_string_equal(strchr(text, '\n') + 1, " 1  * * *\n"
                                                " 2  10.0.9.2  10.000 ms *  10.000 ms\n");
    assert_int_equal(stack_udp_close(rig.st, route.udp), -EBADF); /* done already */
    end();
}

/* Hops come in their order, whoever answers first; nothing goes beyond the end once it is known. */
static void out_of_order(void **state)
{
    (void)state;
    begin_route(false, (struct traceroute_how){0});
    (void)turn();
    for (unsigned i = 12; i-- > 6;) /* of hops 3 and 4 */
        says(i, REMOTE_ADDR, UDP_UNREACHABLE, UDP_NO_PORT);
    (void)turn();
    assert_int_equal(route.total, 9);
    (void)shown();
    for (unsigned i = 0; i < 6; i++)
        runs_out(5 - i);
    (void)turn();
    assert_int_equal(probes, TRACEROUTE_AHEAD);
    assert_true(route.done && route.reached);
    assert_string_equal(shown(), " 1  10.0.9.1  0.000 ms  0.000 ms  0.000 ms\n"
                                 " 2  10.0.9.2  0.000 ms  0.000 ms  0.000 ms\n"
                                 " 3  10.0.0.7  0.000 ms  0.000 ms  0.000 ms\n");
    end();
}

/* A probe leaves in a turn of its own, and an answer is waited for from that turn on. */
static void each_probe_has_its_time(void **state)
{
    (void)state;
    begin_route(false, (struct traceroute_how){.max = 1});
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(turn_once(), rig.now); /* which is the next */
        assert_int_equal(probes, i + 1);
        advance(MSEC);
    }
    assert_int_equal(turn_once(), rig.now - 3 * MSEC + SEC);
    for (unsigned i = 0; i < 3; i++)
        runs_out(i);
    (void)turn_once();
    (void)shown();
    assert_string_equal(strchr(text, '\n') + 1, " 1  10.0.9.1  3.000 ms  2.000 ms  1.000 ms\n");
    end();
}

/* What routers refuse stands behind the probe, and ends the way. */
static void marks(void **state)
{
    static const struct {
        uint8_t type, code;
        const char *mark;
        uint8_t type6, code6;
        const char *mark6;
    } cases[] = {
        {3, 0, " !N\n", 1, 0, " !N\n"},       {3, 1, " !H\n", 1, 3, " !H\n"},
        {3, 2, " !P\n", 4, 1, " !P\n"},       {3, 4, " !F\n", 2, 0, " !F\n"},
        {3, 5, " !S\n", 1, 2, " !S\n"},       {3, 9, " !X\n", 1, 1, " !X\n"},
        {3, 10, " !X\n", 1, 1, " !X\n"},      {3, 13, " !X\n", 1, 1, " !X\n"},
        {3, 12, " !<12>\n", 1, 6, " !<6>\n"},
    };

    (void)state;
    for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
        bool v6 = i & 1;

        begin_route(v6, (struct traceroute_how){.queries = 1});
        (void)turn();
        says(0, UDP_ROUTER, v6 ? cases[i / 2].type6 : cases[i / 2].type,
             v6 ? cases[i / 2].code6 : cases[i / 2].code);
        (void)turn();
        assert_true(route.done && !route.reached);
        (void)shown();
        if (!strstr(text, v6 ? cases[i / 2].mark6 : cases[i / 2].mark))
            fail_msg("case %zu: %s", i, text);
        end();
    }
}

/* Several routers at one hop are each named; an answer that repeats itself counts once. */
static void several_routers(void **state)
{
    (void)state;
    begin_route(false, (struct traceroute_how){.max = 1});
    (void)turn();
    says(0, UDP_ROUTER, 11, 0);
    says(1, UDP_OTHER, 11, 0);
    says(1, UDP_ROUTER, 11, 0);
    says(2, UDP_OTHER, 11, 0);
    (void)turn();
    (void)shown();
    assert_string_equal(strchr(text, '\n') + 1,
                        " 1  10.0.9.1  0.000 ms 10.0.0.8  0.000 ms  0.000 ms\n");
    end();
}

static void stopped(void **state)
{
    (void)state;
    begin_route(false, (struct traceroute_how){.first = 4});
    (void)turn();
    assert_int_equal(probe[0].ttl, 4);
    runs_out(0);
    (void)turn();
    traceroute_stop(&route);
    (void)turn();
    assert_true(route.done);
    (void)shown();
    assert_string_equal(strchr(text, '\n') + 1, " 4  10.0.9.4  0.000 ms\n");
    end();
}

static void what_cannot_be_asked(void **state)
{
    struct traceroute_how how = {.first = 1, .max = 30, .queries = 3, .port = 33434, .wait = SEC};

    (void)state;
    udp_begin_node(false);
    how.remote = addr_v4(0xe0000001);
    assert_int_equal(traceroute_start(&route, rig.st, &how), -EINVAL);
    how.remote = KIT6_HOST;
    assert_int_equal(traceroute_start(&route, rig.st, &how), -EADDRNOTAVAIL);
    how.remote = REMOTE_ADDR;
    how.settings.df = true;
    how.size = 1473;
    assert_int_equal(traceroute_start(&route, rig.st, &how), -EMSGSIZE);
    for (int i = 0; i < STACK_UDP_MAX; i++)
        assert_int_equal(stack_udp_close(rig.st, i), -EBADF);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_way),
        cmocka_unit_test(silence),
        cmocka_unit_test(each_probe_has_its_time),
        cmocka_unit_test(out_of_order),
        cmocka_unit_test(marks),
        cmocka_unit_test(several_routers),
        cmocka_unit_test(stopped),
        cmocka_unit_test(what_cannot_be_asked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
