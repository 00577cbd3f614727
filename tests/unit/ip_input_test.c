/*
 * IP, ICMP and UDP of one node: what is for it, what it answers, and what it passes over in
 * silence. Packets are put together by packet_kit.h, byte by byte, from 10.0.0.7 unless a test
 * says otherwise.
 */
#include "tcp_kit.h"

#include "packet_kit.h"

static void begin_node(void)
{
    defaults();
    begin();
}

static enum reason rig_packet(const struct kit_packet *p)
{
    return rig_input(p->b, p->len);
}

/* An ICMP message to us; `data` as in kit_icmp. */
static struct kit_packet icmp_to_us(uint8_t type, uint8_t code, uint32_t rest, const void *data,
                                    uint32_t len)
{
    struct kit_packet p = kit_icmp(type, code, rest, data, len);

    put32(p.b + 12, KIT_HOST);
    put32(p.b + 16, KIT_PEER);
    kit_ip4_fix(&p);
    return p;
}

/* ---- addresses ---- */

/*
 * RFC 1122 3.2.1.3-c, 3.2.1.3-d, 3.2.1.3-f, 3.2.2.6-c, 3.3.6-a, 3.3.6-b: who may speak to us, and
 * to whom we listen (RFC 1122 3.2.1.3), asked with an echo request.
 */
static void martians(void **state)
{
    static const struct {
        uint32_t src, dst;
        enum reason why;
    } cases[] = {
        {KIT_HOST, KIT_PEER, REASON_NONE},
        {0x0a0001fe, KIT_PEER, REASON_NONE}, /* 10.0.1.254, our own subnet's last host */
        {0x0a000106, KIT_PEER, REASON_NONE},
        {0xdfffffff, KIT_PEER, REASON_NONE}, /* 223.255.255.255, the last unicast address */
        {0x7effffff, KIT_PEER, REASON_NONE}, /* 126.255.255.255 and 128.0.0.0 beside loopback */
        {0x80000000, KIT_PEER, REASON_NONE},
        {0x0a0000ff, KIT_PEER, REASON_NONE}, /* somebody else's subnet: we do not know its length */
        {KIT_PEER, KIT_PEER, REASON_IP_LAND},
        {0x00000000, KIT_PEER, REASON_IP_SOURCE},
        {0x7f000000, KIT_PEER, REASON_IP_SOURCE},
        {0x7f000001, KIT_PEER, REASON_IP_SOURCE},
        {0x7fffffff, KIT_PEER, REASON_IP_SOURCE},
        {0xe0000000, KIT_PEER, REASON_IP_SOURCE},
        {0xefffffff, KIT_PEER, REASON_IP_SOURCE},
        {0xf0000000, KIT_PEER, REASON_IP_SOURCE},
        {0xfffffffe, KIT_PEER, REASON_IP_SOURCE},
        {0xffffffff, KIT_PEER, REASON_IP_SOURCE},
        {0x0a0001ff, KIT_PEER, REASON_IP_SOURCE}, /* our subnet's broadcast address */
        {0x0a000100, KIT_PEER, REASON_IP_SOURCE}, /* ... and its number */
        {KIT_HOST, 0x0a000104, REASON_IP_NOT_OURS},
        {KIT_HOST, KIT_HOST, REASON_IP_NOT_OURS},
        {KIT_HOST, 0x0a0001ff, REASON_IP_BROADCAST},
        {KIT_HOST, 0x0a000100, REASON_IP_BROADCAST},
        {KIT_HOST, 0xffffffff, REASON_IP_BROADCAST},
        {KIT_HOST, 0xe0000001, REASON_IP_BROADCAST},
        {KIT_HOST, 0x7f000001, REASON_IP_BROADCAST},
        {KIT_HOST, 0x00000000, REASON_IP_BROADCAST},
    };

    (void)state;
    begin_node();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct kit_packet p = icmp_to_us(ICMP_ECHO, 0, 1, NULL, 0);

        put32(p.b + 12, cases[i].src);
        put32(p.b + 16, cases[i].dst);
        kit_ip4_fix(&p);
        rig.line = (int)i;
        rig_reason("the verdict", rig_packet(&p), cases[i].why);
        if (cases[i].why)
            rig_expect_nothing();
        else
            assert_true(rig_take());
    }
    end();
}

/* RFC 1122 3.2.1.3-a: with prefixes of 31 and 32 bits there is no broadcast address (RFC 3021). */
static void short_subnets(void **state)
{
    (void)state;
    for (uint8_t len = 29; len <= 32; len++) {
        struct kit_packet p = icmp_to_us(ICMP_ECHO, 0, 1, NULL, 0);

        defaults();
        rig.cfg.prefix_len[0] = len;
        rig.cfg.local[0] = addr_v4(0x0a000104);
        begin();
        put32(p.b + 12, 0x0a000107);
        put32(p.b + 16, 0x0a000104);
        kit_ip4_fix(&p);
        /* 10.0.1.4 is the number, 10.0.1.7 the broadcast address of 10.0.1.4/30; and so on */
        rig_reason("the verdict", rig_packet(&p), len < 31 ? REASON_IP_SOURCE : REASON_NONE);
        drain();
        end();
    }
}

/*
 * RFC 1122 3.2.1.3-b, 3.2.2.6-d, 3.3.4.2-a: each of several addresses is ours, and answers as
 * itself.
 */
static void several_addresses(void **state)
{
    struct kit_packet p = icmp_to_us(ICMP_ECHO, 0, 1, NULL, 0);

    (void)state;
    defaults();
    for (uint32_t i = 0; i < STACK_LOCALS_MAX; i++)
        rig.cfg.local[i] = addr_v4(0x0a000105 + i);
    rig.cfg.locals = STACK_LOCALS_MAX;
    begin();
    for (uint32_t i = 0; i < STACK_LOCALS_MAX; i++) {
        put32(p.b + 16, 0x0a000105 + i);
        kit_ip4_fix(&p);
        assert_int_equal(rig_packet(&p), REASON_NONE);
        assert_true(rig_take());
        assert_true(addr_eq(&rig.ip.src, &rig.cfg.local[i]));
    }
    end();
}

/* ---- headers ---- */

/* RFC 1122 3.2.1.1-a, 3.2.1.2-a. */
static void headers(void **state)
{
    struct kit_packet good = icmp_to_us(ICMP_ECHO, 0, 1, NULL, 8), p;

    (void)state;
    begin_node();
    for (uint32_t len = 0; len < 20; len++) {
        p = good;
        p.len = len;
        rig_reason("a short packet", rig_packet(&p), REASON_IP_EMPTY);
    }
    for (uint32_t len = 20; len < good.len; len++) {
        p = good;
        p.len = len;
        rig_reason("a cut packet", rig_packet(&p), REASON_IP_TOTAL_LENGTH);
    }
    p = good;
    p.len += 7; /* a device may pad: what lies behind the total length does not count */
    rig_reason("a padded packet", rig_packet(&p), REASON_NONE);
    assert_true(rig_take());
    assert_int_equal(rig.ip.total_len, good.len);
    p = good;
    p.b[10] ^= 1;
    rig_reason("a bad checksum", rig_packet(&p), REASON_IP_CHECKSUM);
    p = good;
    p.b[0] = 0x65;
    rig_reason("version 6", rig_packet(&p), REASON_IP_EMPTY);
    p.b[0] = 0x55;
    rig_reason("version 5", rig_packet(&p), REASON_IP_VERSION);
    p = good;
    put16(p.b + 6, 0x2000); /* MF */
    kit_ip4_fix(&p);
    rig_reason("a first fragment", rig_packet(&p), REASON_NONE);
    put16(p.b + 6, 1);
    kit_ip4_fix(&p);
    rig_reason("a last fragment", rig_packet(&p), REASON_FRAGMENT_OVERLAP);
    put16(p.b + 6, 0x4000); /* DF is no fragment */
    kit_ip4_fix(&p);
    rig_reason("DF", rig_packet(&p), REASON_NONE);
    drain();
    end();
}

/* ---- echo (RFC 1122 3.2.2.6) ---- */

/* RFC 1122 3.1-a, 3.2.2.6-a, 3.2.2.6-e. */
static void echo_of_every_size(void **state)
{
    uint8_t data[1472];

    (void)state;
    begin_node();
    for (uint32_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)(i * 31);
    for (uint32_t len = 0; len <= 1472; len++) {
        struct kit_packet p = icmp_to_us(ICMP_ECHO, 0, 0x12340000 + len, data, len);
        struct icmp_hdr icmp;

        rig_reason("the verdict", rig_packet(&p), REASON_NONE);
        assert_true(rig_take());
        expect_why(REASON_SEND_ECHO_REPLY);
        assert_int_equal(icmp_parse(rig.data, rig.len, &icmp), REASON_NONE);
        assert_int_equal(icmp.type, ICMP_ECHO_REPLY);
        assert_int_equal(icmp.rest, 0x12340000 + len);
        assert_int_equal(rig.len, 8 + len);
        assert_memory_equal(rig.data + 8, data, len);
        assert_int_equal(addr_v4_value(&rig.ip.src), KIT_PEER);
        assert_int_equal(addr_v4_value(&rig.ip.dst), KIT_HOST);
        assert_int_equal(rig.ip.ttl, 64);
    }
    expect_nothing();
    end();
}

/* The bytes stand where the device put them until the reply has been written. */
static void echo_copies_nothing(void **state)
{
    struct kit_packet p = icmp_to_us(ICMP_ECHO, 0, 1, NULL, 1000);
    static struct pkt out;

    (void)state;
    begin_node();
    rig_packet(&p);
    assert_int_equal(rig.device.in_use, 1);
    assert_int_equal(rig.small.in_use, 0);
    assert_true(stack_output(rig.st, rig.now, &out));
    assert_int_equal(rig.device.in_use, 1); /* the caller may be writing it */
    assert_false(stack_output(rig.st, rig.now, &out));
    assert_int_equal(rig.device.in_use, 0);
    end();
}

/* A full ring drops further answers; each drop is counted once. */
static void more_answers_than_the_ring_holds(void **state)
{
    struct kit_packet p = icmp_to_us(ICMP_ECHO, 0, 1, NULL, 1000);

    (void)state;
    begin_node();
    for (unsigned i = 0; i < STACK_REPLIES; i++)
        rig_reason("the verdict", rig_packet(&p), REASON_NONE);
    rig_reason("the verdict", rig_packet(&p), REASON_IP_OUT_FULL);
    rig_reason("the verdict", rig_packet(&p), REASON_IP_OUT_FULL);
    counted(IP_OUT_FULL, 2);
    assert_int_equal(rig.device.in_use, STACK_REPLIES);
    for (unsigned i = 0; i < STACK_REPLIES; i++)
        assert_true(rig_take());
    expect_nothing();
    rig_reason("the verdict", rig_packet(&p), REASON_NONE);
    assert_true(rig_take());
    end();
}

/*
 * RFC 1122 3.2.2-a, 3.2.2.7-a, 3.2.2.9-b: ICMP that is broken, or that a host has no use for, is
 * dropped in silence.
 */
static void icmp_that_is_ignored(void **state)
{
    static const uint8_t types[] = {ICMP_REDIRECT, 9, 10, 13, 15, 17, 40, 255};
    struct kit_packet p;

    (void)state;
    begin_node();
    for (unsigned i = 0; i < sizeof(types); i++) {
        uint8_t quote[28] = {0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17};

        p = icmp_to_us(types[i], 0, 0, quote, sizeof(quote));
        rig_reason("the verdict", rig_packet(&p), REASON_ICMP_TYPE);
    }
    p = icmp_to_us(ICMP_ECHO_REPLY, 0, 1, NULL, 10);
    rig_reason("the verdict", rig_packet(&p), REASON_ICMP_REPLY_STRAY);
    p = icmp_to_us(ICMP_ECHO, 0, 1, NULL, 10);
    p.b[30] ^= 1;
    rig_reason("the verdict", rig_packet(&p), REASON_ICMP_CHECKSUM);
    for (uint32_t len = 0; len < 8; len++) {
        p = kit_ip4(KIT_HOST, KIT_PEER, IP_PROTO_ICMP, NULL, len);
        rig_reason("the verdict", rig_packet(&p), REASON_ICMP_SHORT);
    }
    expect_nothing();
    end();
}

/* ---- unreachable (RFC 1122 3.2.2.1, RFC 792) ---- */

static void rig_unreachable(const struct kit_packet *p, uint8_t code, uint32_t quoted)
{
    struct icmp_hdr icmp;

    if (!rig_take())
        fail_msg("%s: no error was sent", rig_where());
    expect_why(REASON_SEND_UNREACHABLE);
    rig_reason("the error", icmp_parse(rig.data, rig.len, &icmp), REASON_NONE);
    rig_same("type", icmp.type, ICMP_UNREACHABLE);
    rig_same("code", icmp.code, code);
    rig_same("length", rig.len, 8 + quoted);
    assert_memory_equal(rig.data + 8, p->b, quoted);
    assert_int_equal(addr_v4_value(&rig.ip.src), KIT_PEER);
    assert_int_equal(addr_v4_value(&rig.ip.dst), KIT_HOST);
    assert_int_equal(rig.ip.tos & 0x1f, 0); /* TOS as RFC 1122 has it: without the precedence */
}

/* RFC 1122 3.2.2-c, 3.2.2-e, 3.2.2.1-a, 3.3.8-a, 3.4-c, 4.1.3.1-a. */
static void unreachable(void **state)
{
    struct kit_packet udp = kit_udp(5000, 6000, "hello, world", 12), other, empty;

    (void)state;
    begin_node();
    udp.b[1] = 46 << 2; /* what it is about may be urgent, the error is not */
    kit_ip4_fix(&udp);
    rig_reason("the verdict", rig_packet(&udp), REASON_UDP_NO_SOCKET);
    rig_unreachable(&udp, ICMP_UNREACH_PORT, 28);
    empty = kit_udp(5000, 6000, NULL, 0);
    rig_reason("the verdict", rig_packet(&empty), REASON_UDP_NO_SOCKET);
    rig_unreachable(&empty, ICMP_UNREACH_PORT, 28);
    other = kit_ip4(KIT_HOST, KIT_PEER, 132, "0123456789", 10);
    rig_reason("the verdict", rig_packet(&other), REASON_IP_PROTOCOL);
    rig_unreachable(&other, ICMP_UNREACH_PROTOCOL, 28);
    other = kit_ip4(KIT_HOST, KIT_PEER, 132, NULL, 0); /* less than 8 bytes to quote */
    rig_reason("the verdict", rig_packet(&other), REASON_IP_PROTOCOL);
    rig_unreachable(&other, ICMP_UNREACH_PROTOCOL, 20);
    expect_nothing();
    assert_int_equal(rig.small.in_use, 0);
    end();
}

/*
 * RFC 1122 3.2.2-f, 3.2.2-g, 3.2.2-i, 3.2.2-j: never about ICMP, broadcasts, fragments, packets
 * that are broken: RFC 1122 3.2.2.
 */
static void no_errors_about(void **state)
{
    struct kit_packet p = kit_udp(5000, 6000, "hello", 5), quote = p;

    (void)state;
    begin_node();
    put32(p.b + 16, 0x0a0001ff);
    kit_ip4_fix(&p);
    rig_reason("a broadcast", rig_packet(&p), REASON_IP_BROADCAST);
    put32(p.b + 16, KIT_PEER);
    put32(p.b + 12, 0xe0000001);
    kit_ip4_fix(&p);
    rig_reason("a multicast source", rig_packet(&p), REASON_IP_SOURCE);
    p = quote;
    put16(p.b + 6, 2);
    kit_ip4_fix(&p);
    rig_reason("a fragment", rig_packet(&p), REASON_NONE);
    p = quote;
    p.b[26] ^= 1;
    rig_reason("a bad checksum", rig_packet(&p), REASON_UDP_CHECKSUM);
    p = icmp_to_us(ICMP_UNREACHABLE, ICMP_UNREACH_PORT, 0, quote.b, 28);
    rig_reason("an error about others", rig_packet(&p), REASON_ICMP_QUOTE);
    p = icmp_to_us(200, 0, 0, NULL, 20);
    rig_reason("an unknown type", rig_packet(&p), REASON_ICMP_TYPE);
    expect_nothing();
    end();
}

/* A hundred errors in a second, and a new hundred in the next. */
static void errors_are_limited(void **state)
{
    struct kit_packet p = kit_udp(5000, 6000, "hello", 5);
    unsigned n;

    (void)state;
    begin_node();
    for (unsigned second = 0; second < 3; second++) {
        n = 0;
        for (unsigned i = 0; i < 150; i++) {
            rig_packet(&p);
            n += rig_take();
        }
        assert_int_equal(n, 100);
        advance(SEC - 1);
        rig_packet(&p);
        expect_nothing();
        advance(1);
    }
    end();
}

/* An error about a datagram of ours is understood, and is nobody's connection. */
static void errors_about_our_datagrams(void **state)
{
    struct kit_packet quote = kit_udp(9, 5000, "hello", 5), p;

    (void)state;
    begin_node();
    put32(quote.b + 12, KIT_PEER);
    put32(quote.b + 16, KIT_HOST);
    p = icmp_to_us(ICMP_UNREACHABLE, ICMP_UNREACH_PORT, 0, quote.b, 28);
    rig_reason("nobody has sent it", rig_packet(&p), REASON_UDP_ERROR_STRAY);
    for (uint32_t len = 0; len < 28; len++) { /* cut inside the quote */
        p = icmp_to_us(ICMP_UNREACHABLE, ICMP_UNREACH_PORT, 0, quote.b, len);
        rig_reason("the verdict", rig_packet(&p), REASON_ICMP_QUOTE);
    }
    expect_nothing();
    end();
}

/* ---- UDP ---- */

static void rig_datagram(int udp, const void *bytes, uint32_t len)
{
    struct stack_datagram d;

    rig_same("receive", stack_udp_receive(rig.st, udp, &d), 0);
    rig_same("length", d.data.len, len);
    if (len)
        assert_memory_equal(d.data.base, bytes, len);
    assert_int_equal(addr_v4_value(&d.addr), KIT_HOST);
    assert_int_equal(d.port, 5000);
    buf_unref(d.data.buf);
}

static void udp_sockets(void **state)
{
    int a;

    (void)state;
    begin_node();
    a = stack_udp_bind(rig.st, 7, NULL);
    assert_true(a >= 0);
    assert_int_equal(stack_udp_bind(rig.st, 7, NULL), -EADDRINUSE);
    assert_int_equal(stack_udp_bind(rig.st, 0, NULL), -EINVAL);
    assert_int_equal(stack_udp_close(rig.st, a), 0);
    assert_int_equal(stack_udp_close(rig.st, a), -EBADF);
    assert_int_equal(stack_udp_close(rig.st, -1), -EBADF);
    assert_int_equal(stack_udp_close(rig.st, STACK_UDP_MAX), -EBADF);
    for (uint16_t i = 0; i < STACK_UDP_MAX; i++)
        assert_true(stack_udp_bind(rig.st, (uint16_t)(100 + i), NULL) >= 0);
    assert_int_equal(stack_udp_bind(rig.st, 99, NULL), -ENFILE);
    end();
}

static void receiving_datagrams(void **state)
{
    static uint8_t big[1472];
    struct stack_datagram d;
    struct stack_event e;
    struct kit_packet p;
    int udp, user;

    (void)state;
    begin_node();
    memset(big, 0x5a, sizeof(big));
    udp = stack_udp_bind(rig.st, 6000, &user);
    assert_int_equal(stack_udp_receive(rig.st, udp, &d), -EAGAIN);
    p = kit_udp(5000, 6000, NULL, 0); /* empty datagrams are datagrams */
    rig_reason("the verdict", rig_packet(&p), REASON_NONE);
    p = kit_udp(5000, 6000, "hello", 5);
    rig_reason("the verdict", rig_packet(&p), REASON_NONE);
    p = kit_udp(5000, 6000, big, sizeof(big));
    rig_reason("the verdict", rig_packet(&p), REASON_NONE);
    assert_int_equal(rig.device.in_use, 1); /* the large one by reference */
    assert_true(stack_event(rig.st, &e));
    assert_int_equal(e.kind, EV_DATAGRAM);
    assert_int_equal(e.udp, udp);
    assert_ptr_equal(e.user, &user);
    assert_false(stack_event(rig.st, &e));
    rig_datagram(udp, "", 0);
    rig_datagram(udp, "hello", 5);
    rig_datagram(udp, big, sizeof(big));
    assert_int_equal(stack_udp_receive(rig.st, udp, &d), -EAGAIN);
    p.b[26] = p.b[27] = 0; /* no checksum: legal in IPv4 */
    rig_reason("the verdict", rig_packet(&p), REASON_NONE);
    p.b[24] = 0xff;
    rig_reason("a length beyond the packet", rig_packet(&p), REASON_UDP_LENGTH);
    p = kit_udp(0, 6000, NULL, 0);
    rig_reason("port 0", rig_packet(&p), REASON_UDP_PORT_ZERO);
    assert_int_equal(stack_udp_close(rig.st, udp), 0); /* what waits is dropped */
    assert_int_equal(rig.device.in_use, 0);
    assert_false(stack_event(rig.st, &e));
    end();
}

/* A full queue drops what comes later, and is counted; others are not concerned. */
static void udp_queue_full(void **state)
{
    struct kit_packet p = kit_udp(5000, 6000, "x", 1), q = kit_udp(5000, 6001, "y", 1);
    int full, other;

    (void)state;
    begin_node();
    full = stack_udp_bind(rig.st, 6000, NULL);
    other = stack_udp_bind(rig.st, 6001, NULL);
    for (unsigned i = 0; i < STACK_UDP_QUEUE; i++)
        rig_reason("the verdict", rig_packet(&p), REASON_NONE);
    rig_reason("the verdict", rig_packet(&p), REASON_UDP_QUEUE_FULL);
    rig_reason("the verdict", rig_packet(&q), REASON_NONE);
    rig_datagram(other, "y", 1);
    rig_datagram(full, "x", 1);
    rig_reason("the verdict", rig_packet(&p), REASON_NONE);
    rig_reason("the verdict", rig_packet(&p), REASON_UDP_QUEUE_FULL);
    expect_nothing();
    assert_int_equal(stack_udp_close(rig.st, full), 0);
    end();
}

/* RFC 1122 4.1.3.4-a, 4.1.3.4-d. */
static void sending_datagrams(void **state)
{
    struct stack_datagram d = {.addr = addr_v4(KIT_HOST), .port = 5000};
    static uint8_t big[1473];
    struct udp_hdr hdr;
    int udp;

    (void)state;
    begin_node();
    udp = stack_udp_bind(rig.st, 6000, NULL);
    for (uint32_t len = 0; len <= 1472; len += 736) {
        d.data = (struct slice){NULL, big, len};
        assert_int_equal(stack_udp_send(rig.st, udp, &d), 0);
        assert_true(rig_take());
        expect_why(REASON_SEND_UDP);
        assert_int_equal(udp_parse(&rig.ip, rig.data, rig.len, 0, &hdr), REASON_NONE);
        assert_int_equal(hdr.sport, 6000);
        assert_int_equal(hdr.dport, 5000);
        assert_int_equal(hdr.len, 8 + len);
        assert_int_not_equal(get16(rig.data + 6), 0);
    }
    d.data = (struct slice){NULL, big, 65508};
    assert_int_equal(stack_udp_send(rig.st, udp, &d), -EMSGSIZE);
    d.data.len = 1;
    d.port = 0;
    assert_int_equal(stack_udp_send(rig.st, udp, &d), -EINVAL);
    d.port = 5000;
    d.addr = addr_v4(0xe0000001);
    assert_int_equal(stack_udp_send(rig.st, udp, &d), -EINVAL);
    d.addr = addr_v4(KIT_HOST);
    assert_int_equal(stack_udp_send(rig.st, udp + 1, &d), -EBADF);
    for (unsigned i = 0; i < STACK_REPLIES; i++)
        assert_int_equal(stack_udp_send(rig.st, udp, &d), 0);
    assert_int_equal(stack_udp_send(rig.st, udp, &d), -ENOBUFS);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(martians),
        cmocka_unit_test(short_subnets),
        cmocka_unit_test(several_addresses),
        cmocka_unit_test(headers),
        cmocka_unit_test(echo_of_every_size),
        cmocka_unit_test(echo_copies_nothing),
        cmocka_unit_test(more_answers_than_the_ring_holds),
        cmocka_unit_test(icmp_that_is_ignored),
        cmocka_unit_test(unreachable),
        cmocka_unit_test(no_errors_about),
        cmocka_unit_test(errors_are_limited),
        cmocka_unit_test(errors_about_our_datagrams),
        cmocka_unit_test(udp_sockets),
        cmocka_unit_test(receiving_datagrams),
        cmocka_unit_test(udp_queue_full),
        cmocka_unit_test(sending_datagrams),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
