/*
 * What IP does for datagram sockets (RFC 1122 section 4.1.4), and echo requests, which are sent by
 * such sockets, too.
 */
#include "udp_kit.h"

static void set(int udp, struct udp_settings s)
{
    assert_int_equal(stack_udp_set(rig.st, udp, &s), 0);
}

/*
 * RFC 1122 3.4-a, 4.1.4-a, 4.1.4-b, 4.1.4-c: TTL, DSCP and DF of what is sent, TTL and TOS of what
 * comes, sizes, and advice.
 */
static void rfc1122_4_1_4_ip(void **state)
{
    struct udp_settings s;
    struct stack_datagram d;
    struct kit_packet p;
    struct addr far;
    int udp;

    (void)state;
    for (int v6 = 0; v6 <= 1; v6++) {
        udp = udp_begin_bound(v6, &far);
        assert_int_equal(udp_sends(udp, &far, 5000, "x"), 0);
        assert_true(rig_take());
        assert_true(rig.ip.ttl == 64 && rig.ip.tos == 0 && rig.ip.df == v6);
        assert_int_equal(stack_udp_settings(rig.st, udp, &s), 0);
        s.ttl = 3;
        s.dscp = 46;
        s.df = true;
        set(udp, s);
        assert_int_equal(udp_sends(udp, &far, 5000, "x"), 0);
        assert_true(rig_take());
        assert_true(rig.ip.ttl == 3 && rig.ip.tos == 46 << 2 && rig.ip.df);
        s.dscp = 64;
        assert_int_equal(stack_udp_set(rig.st, udp, &s), -EINVAL);
        assert_int_equal(stack_udp_set(rig.st, udp + 1, &s), -EBADF);
        assert_int_equal(stack_udp_settings(rig.st, udp + 1, &s), -EBADF);
        p = udp_from_to(far, LOCAL_ADDR, 5000, 6000, "hello", 5);
        p.b[v6 ? 7 : 8] = 77;
        if (v6)
            p.b[0] = 0x6b, p.b[1] = 0xa0;
        else
            p.b[1] = 0xba;
        if (!v6)
            kit_ip4_fix(&p);
        rig_reason("the verdict", udp_packet(&p), REASON_NONE);
        udp_reads(udp, "hello", &d);
        assert_true(d.ttl == 77 && d.tos == 0xba);
        assert_int_equal(stack_udp_room(rig.st, udp, &far), v6 ? 1452 : 1472);
        assert_int_equal(stack_udp_room(rig.st, udp + 1, &far), -EBADF);
        stack_udp_advise(rig.st);
        assert_int_equal(stack_count(rig.st, REASON_ADVICE), 1);
        end();
    }
}

/* With DF, what the path does not take is refused; without it leaves in fragments. */
static void datagrams_that_are_too_large(void **state)
{
    static uint8_t big[65536];
    struct stack_datagram d = {.port = 5000};
    uint32_t room, most, parts;
    int udp;

    (void)state;
    for (int v6 = 0; v6 <= 1; v6++) {
        udp_begin_node(v6);
        d.addr = REMOTE_ADDR;
        room = v6 ? 1452 : 1472;
        most = v6 ? 65527 : 65507;
        udp = stack_udp_bind(rig.st, 6000, NULL);
        for (int df = 0; df <= 1; df++) {
            set(udp, (struct udp_settings){.df = df});
            d.data = (struct slice){NULL, big, room};
            assert_int_equal(stack_udp_send(rig.st, udp, &d), 0);
            assert_true(rig_take());
            assert_false(ip_is_fragment(&rig.ip));
            d.data.len = room + 1;
            assert_int_equal(stack_udp_send(rig.st, udp, &d), df ? -EMSGSIZE : 0);
            if (!df) {
                assert_true(rig_take() && rig.ip.mf);
                assert_true(rig_take() && !rig.ip.mf && rig.ip.frag_off > 0);
            }
            expect_nothing();
        }
        set(udp, (struct udp_settings){0});
        d.data.len = most + 1;
        assert_int_equal(stack_udp_send(rig.st, udp, &d), -EMSGSIZE);
        d.data.len = most;
        assert_int_equal(stack_udp_send(rig.st, udp, &d), 0);
        for (parts = 0; rig_take(); parts++)
            assert_true(rig.ip.total_len <= 1500);
        assert_int_equal(rig.ip.frag_off + rig.len, most + 8);
        assert_int_equal(parts, (most + 8 + (v6 ? 1447 : 1479)) / (v6 ? 1448 : 1480));
        end();
    }
}

/*
 * RFC 1122 4.1.3.3-a, RFC 4443 3.2-a: a path that takes less is told of, with its MTU; with DF it
 * is the next call's error, and without it what is too large leaves in fragments that fit.
 */
static void a_path_that_takes_less(void **state)
{
    static uint8_t big[1400];
    struct stack_datagram d = {.data = {NULL, big, sizeof(big)}};
    struct udp_error e;
    struct addr far;
    int udp;

    (void)state;
    for (int v6 = 0; v6 <= 1; v6++) {
        uint32_t room = 1280 - (v6 ? 48U : 28U);

        udp_begin_node(v6);
        far = REMOTE_ADDR;
        udp = stack_udp_open(rig.st, &(struct stack_udp){.remote = &far, .remote_port = 5000});
        set(udp, (struct udp_settings){.df = true});
        assert_int_equal(stack_udp_send(rig.st, udp, &d), 0);
        assert_true(rig_take());
        rig_reason("too big", udp_error_about(v6 ? 2 : 3, v6 ? 0 : 4, 1280), REASON_NONE);
        udp_event_is(EV_DATAGRAM_ERROR, udp);
        assert_int_equal(stack_udp_error(rig.st, udp, &e), 0);
        assert_true(e.mtu == 1280 && e.why == REASON_ICMP_PMTU && !e.hard);
        assert_int_equal(stack_udp_receive(rig.st, udp, &d), -EMSGSIZE);
        assert_int_equal(stack_udp_receive(rig.st, udp, &d), -EAGAIN);
        assert_int_equal(stack_udp_room(rig.st, udp, &far), room);
        assert_int_equal(stack_udp_send(rig.st, udp, &d), -EMSGSIZE);
        d.data.len = room;
        assert_int_equal(stack_udp_send(rig.st, udp, &d), 0);
        assert_true(rig_take() && rig.ip.total_len == 1280);
        d.data.len = sizeof(big);
        set(udp, (struct udp_settings){0});
        assert_int_equal(stack_udp_send(rig.st, udp, &d), 0);
        assert_true(rig_take() && rig.ip.mf && rig.ip.total_len <= 1280);
        assert_true(rig_take() && !rig.ip.mf && rig.ip.frag_off > 0);
        expect_nothing();
        end();
    }
}

/* RFC 8200 8.1-b, 4.5-j: the largest datagram of IPv6 comes and goes; its length just fits. */
static void the_largest_datagram_of_ipv6(void **state)
{
    static uint8_t big[65535];
    uint8_t part[1500] = {0};
    struct addr src, dst;
    struct stack_datagram d;
    struct kit_packet p;
    int udp;

    (void)state;
    udp_begin_node(true);
    udp = stack_udp_bind(rig.st, 6000, NULL);
    src = REMOTE_ADDR;
    dst = LOCAL_ADDR;
    pattern_fill(big + 8, 0, 65527);
    put16(big, 5000);
    put16(big + 2, 6000);
    put16(big + 4, 65535);
    put16(big + 6, 0);
    put16(big + 6, checksum_residue(ip_pseudo_sum(&src, &dst, 17, 65535), big, 65535));
    for (uint32_t at = 0; at < 65535; at += 1440) {
        uint32_t len = at + 1440 < 65535 ? 1440 : 65535 - at;

        part[0] = 17;
        put16(part + 2, (uint16_t)(at | (at + len < 65535)));
        put32(part + 4, 7);
        memcpy(part + 8, big + at, len);
        p = kit6(src, dst, 44, part, 8 + len);
        rig_reason("a piece", udp_packet(&p), REASON_NONE);
    }
    assert_int_equal(stack_udp_receive(rig.st, udp, &d), 0);
    assert_int_equal(d.data.len, 65527);
    pattern_check(d.data.base, 0, 65527);
    assert_int_equal(stack_udp_send(rig.st, udp, &d), 0); /* and back, by the same reference */
    while (rig_take())
        assert_memory_equal(rig.data + (rig.ip.frag_off ? 0 : 8),
                            big + rig.ip.frag_off + (rig.ip.frag_off ? 0 : 8),
                            rig.len - (rig.ip.frag_off ? 0 : 8));
    assert_int_equal(rig.ip.frag_off + rig.len, 65535);
    end();
}

/* RFC 1122 4.1.3.4-e: an application may refuse what has no checksum. */
static void rfc1122_4_1_3_4_no_checksum(void **state)
{
    struct kit_packet p;
    struct stack_datagram d;
    int udp;

    (void)state;
    udp_begin_node(false);
    udp = stack_udp_bind(rig.st, 6000, NULL);
    p = udp_from_to(REMOTE_ADDR, LOCAL_ADDR, 5000, 6000, "hello", 5);
    p.b[26] = p.b[27] = 0;
    rig_reason("allowed", udp_packet(&p), REASON_NONE);
    udp_reads(udp, "hello", &d);
    set(udp, (struct udp_settings){.checksum_needed = true});
    rig_reason("refused", udp_packet(&p), REASON_UDP_NO_CHECKSUM);
    rig_reason("with one", udp_comes(REMOTE_ADDR, 5000, 6000, "hello"), REASON_NONE);
    udp_reads(udp, "hello", &d);
    expect_nothing();
    end();
}

/* ---- options ---- */

/* Our datagram with these options, which are as long as a header wants them. */
static struct kit_packet with_options(const char *options, uint32_t len)
{
    struct kit_packet p = udp_from_to(REMOTE_ADDR, LOCAL_ADDR, 5000, 6000, "hello", 5);

    memmove(p.b + 20 + len, p.b + 20, p.len - 20);
    memcpy(p.b + 20, options, len);
    p.len += len;
    p.b[0] = (uint8_t)(0x40 | (20 + len) / 4);
    put16(p.b + 2, (uint16_t)p.len);
    kit_ip4_fix(&p);
    return p;
}

/* RFC 1122 3.2.1.8-b, 4.1.3.2-a: the application gets all options, also what nobody knows. */
static void rfc1122_4_1_3_2_options_come(void **state)
{
    static const char options[12] = "\x07\x07\x04\0\0\0\0\x99\x04xy";
    struct kit_packet p;
    struct stack_datagram d;
    int udp;

    (void)state;
    udp_begin_node(false);
    udp = stack_udp_bind(rig.st, 6000, NULL);
    p = with_options(options, 12);
    rig_reason("the verdict", udp_packet(&p), REASON_NONE);
    udp_reads(udp, "hello", &d);
    assert_int_equal(d.options.len, 12);
    assert_memory_equal(d.options.b, options, 12);
    rig_reason("none", udp_comes(REMOTE_ADDR, 5000, 6000, "bare"), REASON_NONE);
    udp_reads(udp, "bare", &d);
    assert_int_equal(d.options.len, 0);
    end();
}

/* RFC 1122 3.2.1.8-a, 4.1.3.2-b, 4.1.4-b: and its own leave in each datagram. */
static void rfc1122_4_1_3_2_options_go(void **state)
{
    struct udp_settings s = {.options = {.b = "\x07\x07\x04\0\0\0\0", .len = 7}};
    struct addr far;
    int udp;

    (void)state;
    udp_begin_node(false);
    far = REMOTE_ADDR;
    udp = stack_udp_bind(rig.st, 6000, NULL);
    set(udp, s);
    assert_int_equal(stack_udp_room(rig.st, udp, &far), 1464);
    assert_int_equal(udp_sends(udp, &far, 5000, "hello"), 0);
    assert_true(rig_take());
    assert_true(rig.ip.options_len == 8 && rig.ip.at.record == 1);
    assert_memory_equal(rig.ip.options, s.options.b, 7);
    s.route = (struct ip_route){.hops = 1, .hop = {0x0a000901}};
    set(udp, s);
    assert_int_equal(udp_sends(udp, &far, 5000, "hello"), 0);
    assert_true(rig_take());
    assert_int_equal(addr_v4_value(&rig.ip.dst), 0x0a000901);
    assert_true(rig.ip.at.route == 1 && rig.ip.at.record == 8);
    s.options.b[1] = 1;
    assert_int_equal(stack_udp_set(rig.st, udp, &s), -EINVAL);
    s.options.b[1] = 7;
    s.route.hops = 9;
    assert_int_equal(stack_udp_set(rig.st, udp, &s), -EINVAL);
    s = (struct udp_settings){.options = {.b = "\x83\x07\x04\x0a\0\x09\x01", .len = 7}};
    assert_int_equal(stack_udp_set(rig.st, udp, &s), -EINVAL); /* a route goes by its own name */
    end();
}

/* RFC 1122 3.2.1.8c-b: what came by a source route is answered by the way back. */
static void the_way_back(void **state)
{
    struct stack_datagram d;
    struct kit_packet p;
    struct udp_hdr udp;
    struct addr hop;
    int s;

    (void)state;
    defaults();
    over_ipv6(false);
    rig.cfg.accept_source_routes = true;
    begin();
    s = stack_udp_bind(rig.st, 6000, NULL);
    p = with_options("\x83\x07\x08\x0a\0\x09\x01\0", 8);
    rig_reason("the verdict", udp_packet(&p), REASON_NONE);
    udp_reads(s, "hello", &d);
    assert_true(d.route.hops == 1 && d.route.hop[0] == 0x0a000901);
    d.data = (struct slice){NULL, (const uint8_t *)"back", 4};
    assert_int_equal(stack_udp_send(rig.st, s, &d), 0);
    assert_true(rig_take());
    assert_int_equal(addr_v4_value(&rig.ip.dst), 0x0a000901);
    hop = ip_route_end(&rig.ip);
    assert_true(addr_eq(&hop, &d.addr));
    rig.ip.dst = hop; /* whom the checksum is for */
    rig_reason("it", udp_parse(&rig.ip, rig.data, rig.len, 0, &udp), REASON_NONE);
    end();
}

/* ---- echo ---- */

/*
 * RFC 1122 3.2.2.6-b, 3.2.2.6-f, RFC 4443 4.2-b: an application sends echo requests, and gets the
 * replies to them, and nobody else's.
 */
static void rfc1122_3_2_2_6_echo(void **state)
{
    struct stack_udp how = {.echo = true};
    struct stack_datagram d;
    struct udp_status s;
    struct addr far;
    int a, b;

    (void)state;
    for (int v6 = 0; v6 <= 1; v6++) {
        uint8_t reply = v6 ? ICMP6_ECHO_REPLY : ICMP_ECHO_REPLY;
        uint32_t rest;

        udp_begin_node(v6);
        far = REMOTE_ADDR;
        how.remote = &far;
        a = stack_udp_open(rig.st, &how);
        b = stack_udp_open(rig.st, &how);
        assert_true(a >= 0 && b >= 0);
        assert_int_equal(stack_udp_status(rig.st, a, &s), 0);
        assert_int_equal(udp_sends(a, NULL, 3, "marco"), 0);
        assert_true(rig_take());
        expect_why(REASON_SEND_ECHO);
        assert_int_equal(rig.data[0], v6 ? ICMP6_ECHO : ICMP_ECHO);
        rest = (uint32_t)s.port << 16 | 3;
        assert_int_equal(get32(rig.data + 4), rest);
        assert_memory_equal(rig.data + 8, "marco", 5);
        assert_int_equal(checksum_residue(v6 ? ip_pseudo_sum(&rig.ip.src, &rig.ip.dst, 58, rig.len)
                                             : 0,
                                          rig.data, rig.len),
                         0);
        rig_reason("it", udp_icmp(far, reply, 0, rest, "marco", 5), REASON_NONE);
        udp_event_is(EV_DATAGRAM, a);
        udp_reads(a, "marco", &d);
        assert_true(d.port == 3 && addr_eq(&d.addr, &far) && d.ttl == 64);
        assert_int_equal(stack_udp_receive(rig.st, b, &d), -EAGAIN);
        rig_reason("another node's", udp_icmp(UDP_OTHER, reply, 0, rest, "marco", 5),
                   REASON_ICMP_REPLY_STRAY);
        assert_int_equal(stack_udp_close(rig.st, a), 0);
        rig_reason("too late", udp_icmp(far, reply, 0, rest, "marco", 5), REASON_ICMP_REPLY_STRAY);
        expect_nothing();
        end();
    }
}

/* RFC 4443 2.4a-a: errors about echo requests reach who sent them; others' are nobody's. */
static void errors_about_echo_requests(void **state)
{
    struct stack_udp how = {.echo = true};
    struct udp_error e;
    struct addr far;
    int udp;

    (void)state;
    for (int v6 = 0; v6 <= 1; v6++) {
        udp_begin_node(v6);
        far = REMOTE_ADDR;
        how.remote = &far;
        udp = stack_udp_open(rig.st, &how);
        assert_int_equal(udp_sends(udp, NULL, 513, "x"), 0);
        assert_true(rig_take());
        rig_reason("it", udp_error_about(v6 ? 3 : 11, 0, 0), REASON_NONE);
        udp_event_is(EV_DATAGRAM_ERROR, udp);
        assert_int_equal(stack_udp_error(rig.st, udp, &e), 0);
        assert_true(e.remote_port == 513 && addr_eq(&e.remote, &far));
        rig.bytes[rig.ip.header_len + 5] ^= 1;
        rig_reason("another identifier", udp_error_about(v6 ? 3 : 11, 0, 0),
                   REASON_UDP_ERROR_STRAY);
        rig.bytes[rig.ip.header_len] = v6 ? ICMP6_ECHO_REPLY : ICMP_ECHO_REPLY;
        rig_reason("about a reply", udp_error_about(v6 ? 3 : 11, 0, 0), REASON_ICMP_QUOTE);
        end();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc1122_4_1_4_ip),
        cmocka_unit_test(datagrams_that_are_too_large),
        cmocka_unit_test(a_path_that_takes_less),
        cmocka_unit_test(the_largest_datagram_of_ipv6),
        cmocka_unit_test(rfc1122_4_1_3_4_no_checksum),
        cmocka_unit_test(rfc1122_4_1_3_2_options_come),
        cmocka_unit_test(rfc1122_4_1_3_2_options_go),
        cmocka_unit_test(the_way_back),
        cmocka_unit_test(rfc1122_3_2_2_6_echo),
        cmocka_unit_test(errors_about_echo_requests),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
