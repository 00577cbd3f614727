/*
 * Datagram sockets, as an application has them: addresses, connecting, ports, errors, and limits.
 * What IP does for them is in udp_ip_test.c.
 */
#include "udp_kit.h"

static bool same(struct addr a, struct addr b)
{
    return addr_eq(&a, &b);
}

/*
 * RFC 1122 4.1.3.5-a, 4.1.3.5-c: an application learns where a datagram came to, and which address
 * it would leave with; and the answer to it leaves from there.
 */
static void rfc1122_4_1_3_5_addresses(void **state)
{
    struct stack_datagram d;
    struct kit_packet p;
    struct addr far;
    int udp;

    (void)state;
    for (int v6 = 0; v6 <= 1; v6++) {
        udp = udp_begin_bound(v6, &far);
        p = udp_from_to(far, UDP_SECOND, 5000, 6000, "hello", 5);
        rig_reason("the verdict", udp_packet(&p), REASON_NONE);
        udp_event_is(EV_DATAGRAM, udp);
        udp_reads(udp, "hello", &d);
        assert_true(same(d.local, UDP_SECOND) && same(d.addr, far) && d.port == 5000);
        assert_int_equal(d.ttl, 64);
        d.data = (struct slice){0};
        assert_int_equal(stack_udp_send(rig.st, udp, &d), 0);
        assert_true(rig_take());
        assert_true(same(rig.ip.src, UDP_SECOND) && same(rig.ip.dst, far));
        assert_true(same(*stack_udp_source(rig.st, udp, &far), LOCAL_ADDR));
        assert_int_equal(udp_sends(udp, &far, 5000, "x"), 0);
        assert_true(rig_take());
        assert_true(same(rig.ip.src, LOCAL_ADDR));
        far = v6 ? addr_v4(KIT_HOST) : KIT6_HOST;
        assert_null(stack_udp_source(rig.st, udp, &far));
        assert_int_equal(udp_sends(udp, &far, 5000, "x"), -EADDRNOTAVAIL);
        end();
    }
}

/* RFC 1122 3.3.4.2-b, 4.1.3.5-b, 4.1.3.6-b: each datagram, or all of a socket, from an address of
 * the application's choice; which must be ours. */
static void rfc1122_4_1_3_5_choice(void **state)
{
    struct stack_datagram d = {.port = 5000};
    struct stack_udp how = {0};
    struct addr second;
    int any, one;

    (void)state;
    for (int v6 = 0; v6 <= 1; v6++) {
        udp_begin_node(v6);
        second = UDP_SECOND;
        how.local = &second;
        any = stack_udp_open(rig.st, &(struct stack_udp){0});
        one = stack_udp_open(rig.st, &how);
        assert_true(any >= 0 && one >= 0);
        d.addr = REMOTE_ADDR;
        d.local = second;
        assert_int_equal(stack_udp_send(rig.st, any, &d), 0);
        d.local = (struct addr){{0}};
        assert_int_equal(stack_udp_send(rig.st, one, &d), 0);
        for (unsigned i = 0; i < 2; i++) {
            assert_true(rig_take());
            assert_true(same(rig.ip.src, second));
        }
        d.local = UDP_OTHER;
        assert_int_equal(stack_udp_send(rig.st, any, &d), -EADDRNOTAVAIL);
        second = UDP_OTHER;
        assert_int_equal(stack_udp_open(rig.st, &how), -EADDRNOTAVAIL);
        expect_nothing();
        end();
    }
}

/* The socket that knows most about a datagram gets it; with none, its sender is told. */
static void who_gets_it(void **state)
{
    struct addr first, far;
    struct stack_datagram d;
    int any, one, conn;

    (void)state;
    for (int v6 = 0; v6 <= 1; v6++) {
        struct stack_udp how = {.port = 6000};

        udp_begin_node(v6);
        first = LOCAL_ADDR;
        far = REMOTE_ADDR;
        how.remote = &far;
        how.remote_port = 5000;
        conn = stack_udp_open(rig.st, &how);
        rig_reason("the verdict", udp_comes(far, 5001, 6000, "not it"), REASON_UDP_NO_SOCKET);
        assert_true(rig_take());
        expect_why(REASON_SEND_UNREACHABLE);
        any = stack_udp_bind(rig.st, 6000, NULL);
        assert_true(conn >= 0 && any >= 0);
        how = (struct stack_udp){.port = 6000, .local = &first};
        assert_int_equal(stack_udp_open(rig.st, &how), -EADDRINUSE); /* conn's, by connecting */
        assert_int_equal(stack_udp_close(rig.st, conn), 0);
        one = stack_udp_open(rig.st, &how);
        assert_int_equal(stack_udp_connect(rig.st, any, &far, 5000), -EADDRINUSE);
        assert_int_equal(stack_udp_connect(rig.st, one, &far, 5000), 0);
        rig_reason("connected", udp_comes(far, 5000, 6000, "a"), REASON_NONE);
        rig_reason("another port", udp_comes(far, 5001, 6000, "b"), REASON_NONE);
        rig_reason("another node", udp_comes(UDP_OTHER, 5000, 6000, "c"), REASON_NONE);
        udp_reads(one, "a", &d);
        udp_reads(any, "b", &d);
        udp_reads(any, "c", &d);
        assert_int_equal(stack_udp_connect(rig.st, one, NULL, 0), 0);
        rig_reason("bound to it", udp_comes(far, 5001, 6000, "d"), REASON_NONE);
        udp_reads(one, "d", &d);
        assert_int_equal(stack_udp_receive(rig.st, any, &d), -EAGAIN);
        expect_nothing();
        end();
    }
}

/* A connected socket needs no address to send to, and a socket that is not connected does. */
static void connecting(void **state)
{
    struct udp_status s;
    struct addr far, none = {{0}};
    int udp;

    (void)state;
    for (int v6 = 0; v6 <= 1; v6++) {
        udp = udp_begin_bound(v6, &far);
        assert_int_equal(udp_sends(udp, NULL, 0, "x"), -EDESTADDRREQ);
        assert_int_equal(stack_udp_connect(rig.st, udp, &far, 0), -EINVAL);
        assert_int_equal(stack_udp_connect(rig.st, udp, &none, 9), -EINVAL);
        assert_int_equal(stack_udp_connect(rig.st, udp + 1, &far, 9), -EBADF);
        assert_int_equal(stack_udp_connect(rig.st, udp, &far, 9), 0);
        assert_int_equal(udp_sends(udp, NULL, 0, "x"), 0);
        assert_true(rig_take());
        assert_true(same(rig.ip.dst, far) && get16(rig.data + 2) == 9);
        assert_int_equal(stack_udp_status(rig.st, udp, &s), 0);
        assert_true(same(s.local, LOCAL_ADDR) && same(s.remote, far));
        assert_true(s.port == 6000 && s.remote_port == 9 && s.sent == 1);
        far = v6 ? addr_v4(KIT_HOST) : KIT6_HOST;
        assert_int_equal(stack_udp_connect(rig.st, udp, &far, 9), -EADDRNOTAVAIL);
        assert_int_equal(stack_udp_status(rig.st, udp + 1, &s), -EBADF);
        end();
    }
}

/* [RFC 6056 3.3.1]: ports that are left open are chosen at random among the ephemeral ones. */
static void rfc6056_3_3_1_ports(void **state)
{
    static bool seen[65536];
    unsigned close = 0, again = 0;
    struct udp_status s;
    uint16_t last = 0;

    (void)state;
    memset(seen, 0, sizeof(seen));
    udp_begin_node(false);
    for (unsigned i = 0; i < 512; i++) {
        int udp = stack_udp_open(rig.st, &(struct stack_udp){0});

        assert_true(udp >= 0);
        assert_int_equal(stack_udp_status(rig.st, udp, &s), 0);
        assert_true(s.port >= 49152);
        again += seen[s.port];
        seen[s.port] = true;
        close += (uint16_t)(s.port - last + 8) <= 16;
        last = s.port;
        if (i >= STACK_UDP_MAX - 1)
            assert_int_equal(stack_udp_close(rig.st, udp), 0);
    }
    assert_true(close < 8);
    assert_true(again < 32);
    end();
}

/* ---- errors ---- */

/*
 * RFC 1122 4.1.3.3-a: whatever ICMP error comes about a datagram, the socket that sent it hears of
 * it: of what, from whom, and what it means.
 */
static void rfc1122_4_1_3_3_errors(void **state)
{
    static const struct {
        uint8_t type, code, type6, code6;
        enum reason why, why6;
        bool hard;
    } cases[] = {
        {3, 0, 1, 0, REASON_ICMP_SOFT_NET, REASON_ICMP_SOFT_NET, false},
        {3, 1, 1, 3, REASON_ICMP_SOFT_HOST, REASON_ICMP_SOFT_HOST, false},
        {3, 3, 1, 4, REASON_ICMP_HARD_PORT, REASON_ICMP_HARD_PORT, true},
        {3, 5, 1, 2, REASON_ICMP_SOFT_SOURCE_ROUTE, REASON_ICMP_SOFT_OTHER, false},
        {11, 0, 3, 0, REASON_ICMP_SOFT_TTL, REASON_ICMP_SOFT_TTL, false},
        {11, 1, 3, 1, REASON_ICMP_SOFT_REASSEMBLY, REASON_ICMP_SOFT_REASSEMBLY, false},
        {12, 0, 4, 0, REASON_ICMP_SOFT_PARAMETER, REASON_ICMP_SOFT_PARAMETER, false},
    };
    struct udp_error e;
    struct addr far;
    int udp, other;

    (void)state;
    for (int v6 = 0; v6 <= 1; v6++) {
        udp = udp_begin_bound(v6, &far);
        other = stack_udp_bind(rig.st, 6001, NULL);
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
            uint8_t type = v6 ? cases[i].type6 : cases[i].type;
            uint8_t code = v6 ? cases[i].code6 : cases[i].code;

            assert_int_equal(udp_sends(udp, &far, 5000, "hello"), 0);
            assert_true(rig_take());
            rig_reason("the verdict", udp_error_about(type, code, 0), REASON_NONE);
            udp_event_is(EV_DATAGRAM_ERROR, udp);
            expect_no_event();
            assert_int_equal(stack_udp_error(rig.st, other, &e), -EAGAIN);
            assert_int_equal(stack_udp_error(rig.st, udp, &e), 0);
            assert_true(same(e.remote, far) && same(e.local, LOCAL_ADDR) && e.remote_port == 5000);
            assert_true(same(e.from, UDP_ROUTER) && e.type == type && e.code == code);
            rig_reason("its meaning", (enum reason)e.why, v6 ? cases[i].why6 : cases[i].why);
            assert_int_equal(e.hard, cases[i].hard);
            assert_int_equal(stack_udp_error(rig.st, udp, &e), -EAGAIN);
            assert_int_equal(udp_sends(udp, &far, 5000, "on"), 0); /* it is not connected */
            assert_true(rig_take());
        }
        expect_nothing();
        end();
    }
}

/*
 * RFC 1122 4.1.3.3-a: a hard error is what the next call of a connected socket returns, once; and a
 * soft one does not disturb it.
 */
static void connected_sockets_are_refused(void **state)
{
    struct stack_datagram d;
    struct addr far;
    int udp;

    (void)state;
    for (int v6 = 0; v6 <= 1; v6++) {
        udp_begin_node(v6);
        far = REMOTE_ADDR;
        udp = stack_udp_open(rig.st, &(struct stack_udp){.remote = &far, .remote_port = 5000});
        for (int receive = 0; receive <= 1; receive++) {
            assert_int_equal(udp_sends(udp, NULL, 0, "x"), 0);
            assert_true(rig_take());
            rig_reason("soft", udp_error_about(UDP_UNREACHABLE, 0, 0), REASON_NONE);
            assert_int_equal(stack_udp_receive(rig.st, udp, &d), -EAGAIN);
            rig_reason("hard", udp_error_about(UDP_UNREACHABLE, UDP_NO_PORT, 0), REASON_NONE);
            assert_int_equal(receive ? stack_udp_receive(rig.st, udp, &d)
                                     : udp_sends(udp, NULL, 0, "x"),
                             -ECONNREFUSED);
            expect_nothing();
            assert_int_equal(stack_udp_receive(rig.st, udp, &d), -EAGAIN);
        }
        rig_reason("filtered", udp_error_about(UDP_UNREACHABLE, v6 ? 1 : 2, 0), REASON_NONE);
        assert_int_equal(stack_udp_receive(rig.st, udp, &d), v6 ? -EACCES : -ENOPROTOOPT);
        end();
    }
}

/* An error about what no socket has sent, or a connected one to somebody else, is nobody's. */
static void errors_of_nobody(void **state)
{
    struct addr far, other;
    struct udp_status s;
    struct udp_error e;
    int udp;

    (void)state;
    for (int v6 = 0; v6 <= 1; v6++) {
        udp_begin_node(v6);
        far = REMOTE_ADDR;
        other = UDP_OTHER;
        udp = stack_udp_bind(rig.st, 6000, NULL);
        assert_int_equal(udp_sends(udp, &far, 5000, "hello"), 0);
        assert_true(rig_take());
        assert_int_equal(stack_udp_connect(rig.st, udp, &other, 5000), 0);
        rig_reason("to another", udp_error_about(UDP_UNREACHABLE, UDP_NO_PORT, 0),
                   REASON_UDP_ERROR_STRAY);
        assert_int_equal(stack_udp_connect(rig.st, udp, NULL, 0), 0);
        for (unsigned i = 0; i < UDP_ERRORS; i++)
            rig_reason("one more", udp_error_about(UDP_UNREACHABLE, 0, 0), REASON_NONE);
        rig_reason("too many", udp_error_about(UDP_UNREACHABLE, 0, 0), REASON_UDP_ERRORS_FULL);
        assert_int_equal(stack_udp_status(rig.st, udp, &s), 0);
        assert_int_equal(s.errors, UDP_ERRORS + 1);
        for (unsigned i = 0; i < UDP_ERRORS; i++)
            assert_int_equal(stack_udp_error(rig.st, udp, &e), 0);
        assert_int_equal(stack_udp_error(rig.st, udp, &e), -EAGAIN);
        assert_int_equal(stack_udp_close(rig.st, udp), 0);
        rig_reason("closed", udp_error_about(UDP_UNREACHABLE, 0, 0), REASON_UDP_ERROR_STRAY);
        assert_int_equal(stack_udp_error(rig.st, udp, &e), -EBADF);
        expect_no_event();
        end();
    }
}

/* ---- limits ---- */

/* However many wait to be read: half of the device's buffers stay free, and each drop is counted.
 */
static void a_flood_for_sockets_that_do_not_read(void **state)
{
    static uint8_t big[1400];
    uint64_t dropped = 0;
    struct udp_status s;

    (void)state;
    for (int v6 = 0; v6 <= 1; v6++) {
        udp_begin_node(v6);
        dropped = 0;
        for (uint16_t i = 0; i < STACK_UDP_MAX; i++)
            assert_true(stack_udp_bind(rig.st, (uint16_t)(6000 + i), NULL) >= 0);
        for (unsigned i = 0; i < STACK_UDP_MAX * (STACK_UDP_QUEUE + 1); i++) {
            struct kit_packet p =
                udp_from_to(REMOTE_ADDR, LOCAL_ADDR, 5000, (uint16_t)(6000 + i % STACK_UDP_MAX),
                            big, i % 2 ? 1400 : 400);

            (void)udp_packet(&p);
            assert_true(rig.device.in_use <= DEVICE_BUFS / 2 + 1);
        }
        for (int i = 0; i < STACK_UDP_MAX; i++) {
            assert_int_equal(stack_udp_status(rig.st, i, &s), 0);
            assert_int_equal(s.received + s.dropped, STACK_UDP_QUEUE + 1);
            dropped += s.dropped;
        }
        assert_true(stack_count(rig.st, REASON_NO_BUFFER) > 0);
        assert_true(stack_count(rig.st, REASON_UDP_QUEUE_FULL) > 0);
        assert_int_equal(dropped, stack_count(rig.st, REASON_NO_BUFFER) +
                                      stack_count(rig.st, REASON_UDP_QUEUE_FULL));
        for (int i = 0; i < STACK_UDP_MAX; i++)
            assert_int_equal(stack_udp_close(rig.st, i), 0);
        end();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc1122_4_1_3_5_addresses),
        cmocka_unit_test(rfc1122_4_1_3_5_choice),
        cmocka_unit_test(who_gets_it),
        cmocka_unit_test(connecting),
        cmocka_unit_test(rfc6056_3_3_1_ports),
        cmocka_unit_test(rfc1122_4_1_3_3_errors),
        cmocka_unit_test(connected_sockets_are_refused),
        cmocka_unit_test(errors_of_nobody),
        cmocka_unit_test(a_flood_for_sockets_that_do_not_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
