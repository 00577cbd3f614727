/* ping on a real stack: its beat, its patience, its figures, and what it prints. */
#include "app/ping.h"

#include "lines_kit.h"

static struct ping ping;

/* All that is there to be shown. */
static const char *shown(void)
{
    return lines_shown(&ping.lines);
}

static void shows(const char *part)
{
    if (!strstr(text, part))
        fail_msg("%s: '%s' is not in: %s", rig_where(), part, text);
}

static void begin_ping(bool v6, struct ping_how how)
{
    udp_begin_node(v6);
    how.remote = REMOTE_ADDR;
    if (!how.interval)
        how.interval = SEC;
    assert_int_equal(ping_start(&ping, rig.st, &how), 0);
}

static int64_t turn(void)
{
    return ping_turn(&ping, rig.st, rig.now);
}

/* The next request has left, with this sequence number and so many bytes of data. */
static void request(uint16_t seq, uint32_t size)
{
    assert_true(rig_take());
    expect_why(REASON_SEND_ECHO);
    assert_int_equal(get16(rig.data + 6), seq);
    assert_int_equal(rig.len, 8 + size);
}

/* The reply to the request that was taken last, but for what `wrong` turns. */
static enum reason reply(uint8_t wrong)
{
    uint8_t data[1500];
    uint32_t rest = get32(rig.data + 4), len = rig.len - 8;

    memcpy(data, rig.data + 8, len);
    if (len)
        data[len - 1] ^= wrong;
    return udp_icmp(REMOTE_ADDR, rig.v6 ? ICMP6_ECHO_REPLY : ICMP_ECHO_REPLY, 0, rest, data, len);
}

static void rtt_figures(void **state)
{
    (void)state;
    for (int v6 = 0; v6 <= 1; v6++) {
        begin_ping(v6, (struct ping_how){.count = 3, .size = 56});
        for (int i = 1; i <= 3; i++) {
            assert_int_equal(turn(), i < 3 ? rig.now + SEC : rig.now + SEC);
            request((uint16_t)i, 56);
            advance(i * 10 * MSEC);
            rig_reason("the reply", reply(0), REASON_NONE);
            (void)turn();
            assert_int_equal(ping.done, i == 3); /* not a moment later */
            advance(SEC - i * 10 * MSEC);
        }
        (void)shown();
        shows(v6 ? "PING fd00::7 from fd00:0:0:1::5: 56 data bytes\n"
                 : "PING 10.0.0.7 from 10.0.1.5: 56 data bytes\n");
        shows(v6 ? "64 bytes from fd00::7: icmp_seq=2 ttl=64 time=20.000 ms\n"
                 : "64 bytes from 10.0.0.7: icmp_seq=2 ttl=64 time=20.000 ms\n");
        shows("\n3 packets transmitted, 3 received, 0% packet loss, time 2030ms\n");
        shows("rtt min/avg/max/mdev = 10.000/20.000/30.000/8.165 ms\n");
        assert_int_equal(turn(), TIME_NEVER);
        end();
    }
}

/* Requests leave on the beat, not a tick before it, whatever comes back. */
static void the_beat(void **state)
{
    (void)state;
    begin_ping(false, (struct ping_how){.interval = 200 * MSEC});
    for (uint16_t i = 1; i <= 5; i++) {
        int64_t next = turn();

        request(i, 0);
        assert_int_equal(next, rig.now + 200 * MSEC);
        rig.now = next - 1;
        assert_int_equal(turn(), next);
        expect_nothing();
        rig.now = next;
    }
    rig.now += 10 * SEC; /* the machine slept: no burst makes up for it */
    assert_int_equal(turn(), rig.now + 200 * MSEC);
    request(6, 0);
    assert_int_equal(turn(), rig.now + 200 * MSEC);
    expect_nothing();
    ping_stop(&ping);
    (void)turn();
    assert_true(ping.done);
    (void)shown();
    shows("6 packets transmitted, 0 received, 100% packet loss");
    end();
}

/* How long the last replies are waited for: as given, by the round trips, or ten seconds. */
static void patience(void **state)
{
    static const struct {
        int64_t wait, rtt, interval, want;
    } cases[] = {
        {0, 0, SEC, 10 * SEC},
        {0, 5 * MSEC, SEC, SEC},
        {0, 900 * MSEC, SEC, 1800 * MSEC},
        {300 * MSEC, 0, SEC, 300 * MSEC},
        {300 * MSEC, 900 * MSEC, SEC, 300 * MSEC},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t last;

        begin_ping(false, (struct ping_how){.count = 2,
                                            .interval = cases[i].interval,
                                            .wait = cases[i].wait});
        (void)turn();
        request(1, 0);
        if (cases[i].rtt) {
            advance(cases[i].rtt);
            rig_reason("the reply", reply(0), REASON_NONE);
            (void)turn();
        }
        advance(SEC - cases[i].rtt);
        last = rig.now;
        assert_int_equal(turn(), last + cases[i].want);
        request(2, 0);
        rig.now = last + cases[i].want - 1;
        (void)turn();
        assert_false(ping.done);
        rig.now++;
        (void)turn();
        assert_true(ping.done);
        (void)shown();
        shows(cases[i].rtt ? "2 packets transmitted, 1 received, 50% packet loss"
                           : "2 packets transmitted, 0 received, 100% packet loss");
        end();
    }
}

/* Twice the same reply counts once; other data, and what was never asked for, is no good answer. */
static void odd_replies(void **state)
{
    (void)state;
    begin_ping(false, (struct ping_how){.count = 2, .size = 8});
    (void)turn();
    request(1, 8);
    rig_reason("the reply", reply(0), REASON_NONE);
    rig_reason("again", reply(0), REASON_NONE);
    put16(rig.bytes + 26, 7);
    rig_reason("of no request", reply(0), REASON_NONE);
    advance(SEC);
    (void)turn();
    request(2, 8);
    rig_reason("wrong data", reply(1), REASON_NONE);
    (void)turn();
    assert_true(ping.done);
    (void)shown();
    shows("icmp_seq=1 ttl=64 time=1000.000 ms\n");
    shows("icmp_seq=1 ttl=64 time=1000.000 ms (DUP!)\n");
    shows("icmp_seq=2 ttl=64 time=0.000 ms (wrong data)\n");
    assert_null(strstr(text, "icmp_seq=7"));
    shows("2 packets transmitted, 2 received, +1 duplicates, +1 with wrong data, 0% packet loss");
    end();
}

/* What routers say is shown, and nothing more is expected of that request. */
static void errors(void **state)
{
    (void)state;
    for (int v6 = 0; v6 <= 1; v6++) {
        begin_ping(v6, (struct ping_how){.count = 2, .size = 8});
        (void)turn();
        request(1, 8);
        rig_reason("time exceeded", udp_error_about(v6 ? 3 : 11, 0, 0), REASON_NONE);
        advance(SEC);
        (void)turn();
        request(2, 8);
        rig_reason("forbidden", udp_error_about(v6 ? 1 : 3, v6 ? 1 : 13, 0), REASON_NONE);
        (void)turn();
        assert_true(ping.done);
        (void)shown();
        shows(v6 ? "From fd00:0:0:9::1 icmp_seq=1: a packet's time to live ran out on its way\n"
                 : "From 10.0.9.1 icmp_seq=1: a packet's time to live ran out on its way\n");
        shows(v6 ? "icmp_seq=2: the way is administratively closed\n"
                 : "icmp_seq=2: a router's rules forbid it\n");
        shows("2 packets transmitted, 0 received, +2 errors, 100% packet loss");
        assert_null(strstr(text, "rtt min"));
        end();
    }
}

/* A hard error comes back from the next send, too; it must not cost a request. */
static void after_a_hard_error(void **state)
{
    (void)state;
    begin_ping(true, (struct ping_how){.size = 8});
    (void)turn();
    request(1, 8);
    rig_reason("it", udp_error_about(ICMP6_UNREACHABLE, ICMP6_UNREACH_PROHIBITED, 0), REASON_NONE);
    advance(SEC);
    (void)turn();
    request(2, 8);
    end();
}

static void too_large(void **state)
{
    (void)state;
    begin_ping(false, (struct ping_how){.count = 1, .size = 1473, .settings = {.df = true}});
    (void)turn();
    expect_nothing();
    assert_true(ping.done);
    (void)shown();
    shows("icmp_seq=1: not sent: longer than the path takes in one piece, which is 1472 bytes\n");
    end();
    begin_ping(false, (struct ping_how){.count = 1, .size = 65507});
    (void)turn();
    for (unsigned n = 0; rig_take(); n++)
        assert_int_equal(rig.ip.frag_off, 1480 * n);
    assert_int_equal(rig.ip.frag_off + rig.len, 65515);
    end();
}

/* The 65,537th request has the first one's number, and is not taken for it. */
static void many_requests(void **state)
{
    (void)state;
    begin_ping(false, (struct ping_how){.interval = MSEC});
    for (uint32_t i = 1; i <= 65540; i++) {
        (void)turn();
        request((uint16_t)i, 0);
        if (i == 1 || i == 65537)
            rig_reason("the reply", reply(0), REASON_NONE);
        advance(MSEC);
    }
    assert_int_equal(ping.received, 2);
    assert_int_equal(ping.duplicates, 0);
    put16(rig.bytes + 26,
          (uint16_t)(ping.sent - PING_WINDOW)); /* so late that nobody knows of it */
    rig_reason("the reply", reply(0), REASON_NONE);
    (void)turn();
    assert_int_equal(ping.received, 2);
    (void)shown();
    shows("icmp_seq=65537 ttl=64 time=1.000 ms\n");
    end();
}

/* While nobody reads what is said, no more is asked. */
static void a_slow_reader(void **state)
{
    (void)state;
    begin_ping(false, (struct ping_how){.interval = MSEC});
    for (unsigned i = 0; i < 1000; i++) {
        (void)turn();
        if (rig_take())
            (void)reply(0);
        advance(MSEC);
    }
    assert_true(ping.sent < 300);
    assert_int_equal(ping.received, ping.sent);
    assert_int_equal(ping.lines.lost, 0);
    (void)shown();
    (void)turn();
    assert_true(rig_take());
    end();
}

/* What was pulled stays as it is until the next pull, whatever is added meanwhile. */
static void lines_stay(void **state)
{
    static struct lines l;
    struct slice s;

    (void)state;
    lines_init(&l);
    for (char c = 'a'; c <= 'e'; c++) {
        lines_add(&l, "%c", c);
        assert_int_equal(l.console.ops->pull(&l.console, NULL, &s), 1);
        lines_add(&l, "z");
        assert_int_equal(s.base[0], c);
        assert_int_equal(l.console.ops->pull(&l.console, NULL, &s), 1);
        assert_int_equal(l.console.ops->pull(&l.console, NULL, &s), -EAGAIN);
    }
    for (unsigned i = 0; i < LINES_MAX / 512; i++) /* each of 511 characters and a zero */
        lines_add(&l, "%511d", 0);
    assert_int_equal(l.lost, 0);
    lines_add(&l, "%511d", 0);
    lines_add(&l, "%512d", 0); /* longer than a piece can be */
    assert_int_equal(l.lost, 2);
    assert_int_equal(l.console.ops->pull(&l.console, NULL, &s), LINES_MAX / 512 * 511);
}

static void who_cannot_be_asked(void **state)
{
    struct ping_how how = {.remote = addr_v4(0xe0000001), .interval = SEC};

    (void)state;
    udp_begin_node(false);
    assert_int_equal(ping_start(&ping, rig.st, &how), -EINVAL);
    how.remote = KIT6_HOST;
    assert_int_equal(ping_start(&ping, rig.st, &how), -EADDRNOTAVAIL);
    how.remote = REMOTE_ADDR;
    how.settings.dscp = 64;
    assert_int_equal(ping_start(&ping, rig.st, &how), -EINVAL);
    for (int i = 0; i < STACK_UDP_MAX; i++) /* none of them has left a socket behind */
        assert_int_equal(stack_udp_close(rig.st, i), -EBADF);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rtt_figures),   cmocka_unit_test(the_beat),
        cmocka_unit_test(patience),      cmocka_unit_test(odd_replies),
        cmocka_unit_test(errors),        cmocka_unit_test(after_a_hard_error),
        cmocka_unit_test(too_large),     cmocka_unit_test(many_requests),
        cmocka_unit_test(a_slow_reader), cmocka_unit_test(who_cannot_be_asked),
        cmocka_unit_test(lines_stay),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
