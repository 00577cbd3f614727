/*
 * Fragments through a whole node, both ways: a packet that came in pieces is as good as one that
 * did not, and what is larger than the MTU leaves in pieces that anyone can put together.
 */
#include "tcp_kit.h"

#include "packet_kit.h"

enum {
    LARGEST = 65535,
    ECHO_MAX = LARGEST - 28,
};

/* A packet of any size, put together by hand: 20 bytes and `options`, and what is behind. */
static uint8_t sent[LARGEST];
static uint32_t sent_len, sent_header;

static void header(uint8_t proto, uint32_t options, uint32_t len)
{
    static uint16_t id = 100;

    sent_header = 20 + options;
    sent_len = sent_header + len;
    assert_true(sent_len <= LARGEST);
    memset(sent, 0, sent_header);
    sent[0] = (uint8_t)(0x40 | sent_header / 4);
    put16(sent + 4, id++);
    sent[8] = 64;
    sent[9] = proto;
    put32(sent + 12, KIT_HOST);
    put32(sent + 16, KIT_PEER);
    memset(sent + 20, IP_OPT_NOP, options);
}

/* A request to echo `len` bytes of the pattern. */
static void echo(uint32_t options, uint32_t len)
{
    uint8_t *b;

    header(IP_PROTO_ICMP, options, 8 + len);
    b = sent + sent_header;
    memset(b, 0, 8);
    b[0] = ICMP_ECHO;
    put32(b + 4, 0x12340000 + (len & 0xffff));
    pattern_fill(b + 8, 0, len);
    put16(b + 2, checksum_finish(checksum_add(0, b, 8 + len)));
}

/* A datagram from port 5000 with `len` bytes of the pattern. */
static void datagram(uint16_t port, uint32_t len)
{
    struct addr src = addr_v4(KIT_HOST), dst = addr_v4(KIT_PEER);
    struct udp_hdr udp = {.sport = 5000, .dport = port};
    struct slice data;

    header(IP_PROTO_UDP, 0, 8 + len);
    pattern_fill(sent + 28, 0, len);
    data = (struct slice){NULL, sent + 28, len};
    udp_build(sent + 20, &src, &dst, &udp, &data, 1);
}

/* The bytes off .. off + len - 1 of it, as a fragment of their own. */
static enum reason piece(uint32_t off, uint32_t len)
{
    uint8_t b[DEVICE_BUF];
    bool more = sent_header + off + len < sent_len;

    memcpy(b, sent, sent_header);
    put16(b + 2, (uint16_t)(sent_header + len));
    put16(b + 6, (uint16_t)((more ? 0x2000 : 0) | off / 8));
    put16(b + 10, 0);
    put16(b + 10, checksum_finish(checksum_add(0, b, sent_header)));
    memcpy(b + sent_header, sent + sent_header + off, len);
    return rig_input(b, sent_header + len);
}

/* All of it, `step` bytes in each fragment; returns the verdict on the last one. */
static enum reason pieces(uint32_t step)
{
    uint32_t len = sent_len - sent_header, off = 0;

    for (; off + step < len; off += step)
        rig_reason("a fragment", piece(off, step), REASON_NONE);
    return piece(off, len - off);
}

/* ---- what leaves, put together again ---- */

static uint8_t got[LARGEST];
static uint32_t got_len; /* bytes behind the IP header */
static unsigned got_pieces;
static struct ip_hdr got_ip; /* of the first fragment */

/* One packet as the remote node would see it, out of all its fragments, which come in order. */
static void take_in_pieces(enum reason why)
{
    got_len = got_pieces = 0;
    do {
        if (!rig_take())
            fail_msg("%s: a fragment is missing", rig_where());
        rig_reason("its reason", rig.why, got_pieces ? REASON_SEND_FRAGMENT : why);
        if (got_pieces == 0)
            got_ip = rig.ip;
        rig_same("its offset", rig.ip.frag_off, got_len);
        rig_same("its identification", rig.ip.id, got_ip.id);
        rig_same("DF", rig.ip.df, false);
        assert_true(rig.ip.total_len <= rig.cfg.mtu);
        assert_true(!rig.ip.mf || rig.len % 8 == 0);
        memcpy(got + got_len, rig.data, rig.len);
        got_len += rig.len;
        got_pieces++;
    } while (rig.ip.mf);
}

/* The answer to an echo of `len` bytes is there, in as many fragments as it has to be. */
static void rig_echoed(uint32_t len)
{
    uint32_t room = (rig.cfg.mtu - 20) / 8 * 8, all = 8 + len;
    struct icmp_hdr icmp;

    take_in_pieces(REASON_SEND_ECHO_REPLY);
    rig_same("its length", got_len, all);
    rig_same("fragments", got_pieces, all <= rig.cfg.mtu - 20 ? 1 : (all + room - 1) / room);
    rig_reason("the answer", icmp_parse(got, got_len, &icmp), REASON_NONE);
    rig_same("its type", icmp.type, ICMP_ECHO_REPLY);
    rig_same("its number", icmp.rest, 0x12340000 + (len & 0xffff));
    pattern_check(got + 8, 0, len);
    rig_expect_nothing();
}

#define echoed(len) AT(rig_echoed(len))

/* RFC 1122 3.3.2, RFC 1122 3.2.2.6: what came in pieces is answered, around the MTU and up to the
 * largest there can be.
 * RFC 1122 3.2.2.6-e, 3.3.2-a, 3.3.3-b. */
static void echo_of_large_sizes(void **state)
{
    static const uint32_t sizes[] = {0, 1, 1471, 1472, 1473, 1480, 1500, 2952, 2953, 9000, 65000};

    (void)state;
    defaults();
    begin();
    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        echo(0, sizes[i]);
        rig_reason("the last one", pieces(1480), REASON_NONE);
        echoed(sizes[i]);
    }
    echo(0, ECHO_MAX);
    rig_reason("the last one", pieces(8), REASON_NONE);
    echoed(ECHO_MAX);
    counted(FRAGMENT_WHOLE, 8);
    counted(FRAGMENT_EVICTED, 0);
    assert_int_equal(rig.st->fragments.bufs.in_use, 0);
    end();
}

/* RFC 791 3.2: the smallest MTU there is. */
static void the_smallest_mtu(void **state)
{
    (void)state;
    defaults();
    rig.cfg.mtu = 68;
    begin();
    for (uint32_t len = 0; len < 200; len++) {
        echo(0, len);
        rig_reason("the last one", pieces(48), REASON_NONE);
        echoed(len);
    }
    end();
}

/* Pieces backwards, with another packet's between them. */
static void two_at_a_time(void **state)
{
    struct stack_datagram d;
    int s;

    (void)state;
    defaults();
    begin();
    s = stack_udp_bind(rig.st, 9, NULL);
    for (uint32_t off = 3000; off > 0; off -= 1000) {
        echo(0, 3000 - 8);
        put16(sent + 4, 7);
        rig_reason("an echo's", piece(off - 1000, 1000), REASON_NONE);
        if (off > 1000)
            expect_nothing();
        datagram(9, 3000 - 8);
        put16(sent + 4, 7);
        rig_reason("a datagram's", piece(off - 1000, 1000), REASON_NONE);
    }
    echoed(3000 - 8);
    assert_int_equal(stack_udp_receive(rig.st, s, &d), 0);
    assert_int_equal(d.data.len, 3000 - 8);
    pattern_check(d.data.base, 0, d.data.len);
    buf_unref(d.data.buf);
    end();
}

/* Somebody who asks for echoes of fragments sees them once each, however large the answers. */
static void the_ring_is_full_of_large_ones(void **state)
{
    (void)state;
    defaults();
    begin();
    for (unsigned i = 0; i < 2; i++) { /* with four places, two are kept by answers */
        echo(0, 20000);
        rig_reason("the last one", pieces(1480), REASON_NONE);
    }
    assert_int_equal(rig.st->fragments.bufs.in_use, 2);
    take_in_pieces(REASON_SEND_ECHO_REPLY);
    pattern_check(got + 8, 0, 20000);
    take_in_pieces(REASON_SEND_ECHO_REPLY);
    pattern_check(got + 8, 0, 20000);
    expect_nothing();
    assert_int_equal(rig.st->fragments.bufs.in_use, 0);
    end();
}

/* RFC 791 3.1: an option goes into every fragment, or into the first only, as it says itself. */
static void options_of_fragments(void **state)
{
    uint32_t hop = 0x0a00fe01; /* 10.0.254.1 */
    unsigned n = 0;

    (void)state;
    defaults();
    rig.cfg.accept_source_routes = true;
    begin();
    echo(20, 4000);
    sent[20] = IP_OPT_RECORD;
    sent[21] = 7;
    sent[22] = 4;
    put32(sent + 23, 0);
    sent[27] = IP_OPT_LOOSE_ROUTE; /* which it has passed */
    sent[28] = 7;
    sent[29] = 8;
    put32(sent + 30, hop);
    rig_reason("the last one", pieces(1400), REASON_NONE);
    do {
        assert_true(rig_take());
        rig_same("the first hop of the way back", addr_v4_value(&rig.ip.dst), hop);
        assert_int_not_equal(rig.ip.at.route, 0);
        rig_same("Record Route", rig.ip.at.record != 0, n == 0);
        rig_same("the header", rig.ip.header_len, n == 0 ? 36 : 28);
        assert_true(rig.ip.total_len <= 1500);
        n++;
    } while (rig.ip.mf);
    assert_int_equal(n, 3);
    end();
}

/* ---- UDP ---- */

/* RFC 1122 4.1.1: the largest datagram, each way; one byte more is no datagram. */
static void the_largest_datagram(void **state)
{
    static uint8_t data[LARGEST];
    struct stack_datagram d;
    struct udp_hdr udp;
    int s;

    (void)state;
    defaults();
    begin();
    s = stack_udp_bind(rig.st, 6000, NULL);
    datagram(6000, ECHO_MAX);
    rig_reason("the last one", pieces(1480), REASON_NONE);
    assert_int_equal(stack_udp_receive(rig.st, s, &d), 0);
    assert_int_equal(d.data.len, ECHO_MAX);
    pattern_check(d.data.base, 0, ECHO_MAX);
    assert_int_equal(rig.st->fragments.bufs.in_use, 1);
    assert_int_equal(stack_udp_send(rig.st, s, &d), 0); /* back, by the same reference */
    take_in_pieces(REASON_SEND_UDP);
    assert_int_equal(got_len, 8 + ECHO_MAX);
    rig_reason("it", udp_parse(&got_ip, got, got_len, 0, &udp), REASON_NONE);
    assert_true(udp.sport == 6000 && udp.dport == 5000 && udp.len == got_len);
    pattern_check(got + 8, 0, ECHO_MAX);
    expect_nothing();
    assert_int_equal(rig.st->fragments.bufs.in_use, 0);
    d.data = (struct slice){NULL, data, ECHO_MAX + 1};
    assert_int_equal(stack_udp_send(rig.st, s, &d), -EMSGSIZE);
    end();
}

/* RFC 6864 4: no identification comes twice within 65,536, and none follows from another. */
static void identifications(void **state)
{
    static uint8_t seen[65536], data[1473];
    struct stack_datagram d = {.addr = REMOTE_ADDR, .port = 5000, .data = {NULL, data, 1473}};
    unsigned close = 0;
    uint16_t last = 0;
    int s;

    (void)state;
    defaults();
    begin();
    s = stack_udp_bind(rig.st, 6000, NULL);
    for (unsigned i = 0; i < 65536; i++) {
        d.data.len = i % 8 ? 0 : 1473;
        assert_int_equal(stack_udp_send(rig.st, s, &d), 0);
        take_in_pieces(REASON_SEND_UDP);
        assert_int_equal(got_pieces, i % 8 ? 1 : 2);
        if (seen[got_ip.id]++)
            fail_msg("identification %u comes twice", got_ip.id);
        close += (uint16_t)(got_ip.id - last) < 256;
        last = (uint16_t)got_ip.id;
    }
    assert_true(close < 400); /* of 65,536, one in 256 is chance */
    end();
}

/* ---- errors, and TCP ---- */

/* RFC 1122 3.2.2: about a packet that came in pieces there is one error, and it quotes its head. */
static void errors_about_wholes(void **state)
{
    struct icmp_hdr icmp;

    (void)state;
    defaults();
    begin();
    datagram(6000, 4000);
    rig_reason("the last one", pieces(1480), REASON_UDP_NO_SOCKET);
    assert_true(rig_take());
    expect_why(REASON_SEND_UNREACHABLE);
    rig_reason("the error", icmp_parse(rig.data, rig.len, &icmp), REASON_NONE);
    assert_int_equal(icmp.code, ICMP_UNREACH_PORT);
    assert_true(icmp.has_quote);
    assert_int_equal(get16(icmp.quote_l4 + 2), 6000);
    expect_nothing();
    header(132, 0, 4000);
    rig_reason("the last one", pieces(1480), REASON_IP_PROTOCOL);
    assert_true(rig_take());
    expect_why(REASON_SEND_UNREACHABLE);
    expect_nothing();
    end();
}

/* The first fragment of `what` came 60 s ago. */
static void give_up(void)
{
    rig_reason("a first fragment", piece(0, 1480), REASON_NONE);
    advance(FRAGMENT_TIMEOUT);
}

/* RFC 1122 3.3.2, RFC 1122 3.2.2.4: the sender of the first fragment is told, after a minute.
 * RFC 1122 3.3.2-d, 3.3.8-a. */
static void time_exceeded(void **state)
{
    struct icmp_hdr icmp;

    (void)state;
    defaults();
    begin();
    datagram(6000, 4000);
    rig_reason("a first fragment", piece(0, 1480), REASON_NONE);
    expect_silence(60 * SEC);
    assert_true(rig_take());
    expect_why(REASON_SEND_TIME_EXCEEDED);
    rig_reason("the error", icmp_parse(rig.data, rig.len, &icmp), REASON_NONE);
    assert_true(icmp.type == ICMP_TIME_EXCEEDED && icmp.code == ICMP_EXCEEDED_REASSEMBLY);
    assert_int_equal(rig.len, 8 + 28);
    assert_int_equal(icmp.quote.total_len, 1500);
    assert_true(icmp.quote.mf);
    expect_nothing();
    rig_reason("the second one, late", piece(1480, 1480), REASON_NONE); /* begins anew */
    expect_silence(60 * SEC);
    expect_nothing();
    counted(FRAGMENT_EXPIRED, 2);
    counted(SEND_TIME_EXCEEDED, 1);
    piece(0, 1480);
    rig.now += 60 * SEC; /* what comes too late begins anew, though no timer has run yet */
    rig_reason("all the others, late", pieces(1480), REASON_UDP_NO_SOCKET);
    assert_true(rig_take());
    expect_why(REASON_SEND_TIME_EXCEEDED);
    assert_true(rig_take());
    expect_why(REASON_SEND_UNREACHABLE);
    echo(0, 4000);
    give_up();
    assert_true(rig_take()); /* a request is no error */
    expect_why(REASON_SEND_TIME_EXCEEDED);
    sent[20] = ICMP_UNREACHABLE;
    give_up();
    expect_nothing(); /* never about an error */
    sent[20] = ICMP_ECHO_REPLY;
    give_up();
    expect_nothing();
    end();
}

/* A segment that some router has cut is a segment. */
static void a_segment_in_pieces(void **state)
{
    struct kit_packet p;

    (void)state;
    defaults();
    begin();
    open_passive();
    p = kit_tcp((struct kit_tcp){.sport = flow.remote_port,
                                 .dport = flow.local_port,
                                 .flags = ACK,
                                 .seq = flow.irs + 1,
                                 .ack = flow.iss + 1,
                                 .data = 1000});
    memcpy(sent, p.b, p.len);
    sent_len = p.len;
    sent_header = 20;
    pattern_fill(sent + 40, 1, 1000);
    memcpy(p.b + 40, sent + 40, 1000);
    kit_l4_fix(&p, 16);
    memcpy(sent + 36, p.b + 36, 2);
    rig_reason("the second half", piece(504, 516), REASON_NONE);
    expect_no_event();
    rig_reason("the first half", piece(0, 504), REASON_NONE);
    expect_event(EV_READABLE);
    app_read(1000);
    advance(SEC);
    expect(ACK, 1, 1001, 0);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(echo_of_large_sizes),  cmocka_unit_test(the_smallest_mtu),
        cmocka_unit_test(two_at_a_time),        cmocka_unit_test(the_ring_is_full_of_large_ones),
        cmocka_unit_test(options_of_fragments), cmocka_unit_test(the_largest_datagram),
        cmocka_unit_test(identifications),      cmocka_unit_test(errors_about_wholes),
        cmocka_unit_test(time_exceeded),        cmocka_unit_test(a_segment_in_pieces),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
