/*
 * ICMP and UDP at a node, broken or made up: cut errors, errors about errors, errors about the
 * honest connection by somebody who does not know its numbers, datagrams that lie about themselves.
 */
#include "hostile_kit.h"

enum {
    QUOTE = 28, /* bytes: a header and 8 of what was in it */
};

/* What a router would quote of the honest connection, at `seq` behind what is in flight. */
static struct kit_packet quoted(uint32_t seq, const char *opt, uint32_t opt_len)
{
    uint8_t b[60 + 8] = {0};
    struct kit_packet p;

    memcpy(b, opt ? opt : "", opt_len);
    put16(b + opt_len, hostile.honest.local_port);
    put16(b + opt_len + 2, hostile.honest.remote_port);
    put32(b + opt_len + 4, hostile.honest.iss + hostile.snd + seq);
    p = kit_ip4(KIT_PEER, KIT_HOST, IP_PROTO_TCP, b, opt_len + 8);
    p.b[0] = (uint8_t)(0x45 + opt_len / 4);
    put16(p.b + 2, 1500);
    kit_ip4_fix(&p);
    return p;
}

/* BAD: ICMP headers of 0 to 7 bytes, of every type; a wrong checksum. */
static void short_headers(void **state)
{
    (void)state;
    begin_hostile();
    for (unsigned type = 0; type < 256; type++) {
        struct kit_packet p = icmp_to_node((uint8_t)type, 0, 0, NULL, 40);

        p.b[22] ^= 0x10;
        strike(&p, REASON_ICMP_CHECKSUM);
        for (uint32_t len = 0; len < 8; len++) {
            p = kit_ip4(KIT_HOST, KIT_PEER, IP_PROTO_ICMP, "\x08\x00\xf7\xff\x00\x00\x00", len);
            p.b[20] = (uint8_t)type;
            strike(&p, REASON_ICMP_SHORT);
        }
    }
    still_well();
    end();
}

/* BAD: errors whose quote is cut inside the quoted header, its options, or what it carried. */
static void cut_quotes(void **state)
{
    static const uint8_t types[] = {ICMP_UNREACHABLE, ICMP_TIME_EXCEEDED, ICMP_PARAM_PROBLEM};
    static const char options[] = "\x83\x07\x04\x0a\x00\x00\x01\x89\xff\x04\x07\x00";

    (void)state;
    begin_hostile();
    for (unsigned i = 0; i < 3; i++)
        for (uint32_t opt = 0; opt <= 12; opt += 4) {
            struct kit_packet q = quoted(0, options, opt), p;

            for (uint32_t len = 0; len < QUOTE + opt; len++) {
                p = icmp_to_node(types[i], 0, 0, q.b, len);
                strike(&p, REASON_ICMP_QUOTE);
            }
            for (unsigned words = 0; words < 16; words++) {
                q.b[0] = (uint8_t)(0x40 | words);
                if (words >= 5 && words * 4 <= 20 + opt)
                    continue; /* another connection's ports, perhaps: not cut */
                p = icmp_to_node(types[i], 0, 0, q.b, QUOTE + opt);
                strike(&p, REASON_ICMP_QUOTE);
            }
        }
    expect_nothing();
    still_well();
    end();
}

/* BAD: source routes and broken options in a quote are walked over by nobody. */
static void options_inside_quotes(void **state)
{
    static const char *const options[] = {
        "\x83\x00\x89\x00", "\x83\x01\x89\x01", "\x83\xff\x89\xff",
        "\x89\x03\x04\x83", "\x07\x27\x04\x00", "\x01\x01\x01\x83",
    };

    (void)state;
    begin_hostile();
    for (unsigned i = 0; i < 6; i++) {
        struct kit_packet q = quoted(IN_FLIGHT, options[i], 4), p;

        p = icmp_to_node(ICMP_UNREACHABLE, ICMP_UNREACH_PORT, 0, q.b, q.len);
        strike(&p, REASON_ICMP_SEQUENCE); /* its ports and number were found behind the options */
        still_well();
    }
    end();
}

/* BAD: errors of each type and code for a live connection, whose number is not in flight. */
static void numbers_not_in_flight(void **state)
{
    static const uint32_t seqs[] = {(uint32_t)-1, IN_FLIGHT, 0x40000000, 0x80000000};

    (void)state;
    begin_hostile();
    for (unsigned type = 0; type < 256; type++)
        for (unsigned code = 0; code < 20; code++)
            for (unsigned i = 0; i < 4; i++) {
                struct kit_packet q = quoted(seqs[i], NULL, 0), p;

                if (type == ICMP_ECHO)
                    continue;
                p = icmp_to_node((uint8_t)type, (uint8_t)code, 68, q.b, q.len);
                assert_int_not_equal(hostile_input(&p), REASON_NONE);
            }
    expect_nothing();
    still_well();
    end();
}

/* BAD: "fragmentation needed" with an MTU of 0 to 68, by somebody who does not know a number. */
static void tiny_path_mtus(void **state)
{
    uint16_t mss;

    (void)state;
    begin_hostile();
    flow = hostile.honest;
    mss = tcb()->snd_mss;
    for (uint32_t mtu = 0; mtu <= 68; mtu++) {
        struct kit_packet q = quoted(IN_FLIGHT, NULL, 0), p;

        q.b[6] = 0x40; /* don't fragment */
        p = icmp_to_node(ICMP_UNREACHABLE, ICMP_UNREACH_NEEDFRAG, mtu, q.b, q.len);
        strike(&p, REASON_ICMP_SEQUENCE);
    }
    assert_int_equal(tcb()->snd_mss, mss);
    still_well();
    end();
}

/* BAD: an error about an error, or about any ICMP message of ours, is neither believed nor
 * answered.
 * RFC 1122 3.2.2-f. */
static void errors_about_errors(void **state)
{
    (void)state;
    begin_hostile();
    for (unsigned inner = 0; inner < 20; inner++)
        for (unsigned outer = 0; outer < 20; outer++) {
            struct kit_packet q = kit_icmp((uint8_t)inner, 3, 0, NULL, QUOTE), p;

            if (outer == ICMP_ECHO)
                continue;
            p = icmp_to_node((uint8_t)outer, 1, 0, q.b, QUOTE);
            assert_int_not_equal(hostile_input(&p), REASON_NONE);
            expect_nothing();
        }
    still_well();
    end();
}

/* BAD: an echo to a broadcast or multicast address has no answer, as an amplifier would give.
 * RFC 1122 3.2.2.6-c, 3.2.2-g. */
static void echo_to_everybody(void **state)
{
    static const uint32_t to[] = {0xffffffff, 0x0a0001ff, 0x0a000100, 0xe0000001, 0xefffffff};

    (void)state;
    begin_hostile();
    for (unsigned i = 0; i < 5; i++) {
        struct kit_packet p = icmp_to_node(ICMP_ECHO, 0, 1, NULL, 64);

        put32(p.b + 16, to[i]);
        kit_ip4_fix(&p);
        strike(&p, REASON_IP_BROADCAST);
        expect_nothing();
    }
    still_well();
    end();
}

/* ---- UDP ---- */

static void nothing_waits(int udp)
{
    struct stack_datagram d;

    assert_int_equal(stack_udp_receive(rig.st, udp, &d), -EAGAIN);
}

/* BAD: lengths under 8 and beyond the packet, a wrong checksum, port 0: the socket sees nothing. */
static void lying_datagrams(void **state)
{
    struct kit_packet good = kit_udp(5000, 6000, "hello", 5), p;
    struct stack_datagram d;
    struct stack_event e;
    int udp;

    (void)state;
    begin_hostile();
    udp = stack_udp_bind(rig.st, 6000, NULL);
    for (uint32_t len = 0; len < 65536; len += len < 40 ? 1 : 991) {
        p = good;
        put16(p.b + 24, (uint16_t)len);
        if (len >= 8 && len <= 13)
            continue;
        kit_l4_fix(&p, 6);
        strike(&p, REASON_UDP_LENGTH);
    }
    for (uint32_t len = 0; len < 8; len++) {
        p = kit_ip4(KIT_HOST, KIT_PEER, IP_PROTO_UDP, good.b + 20, len);
        strike(&p, REASON_UDP_LENGTH);
    }
    for (unsigned bit = 0; bit < 13 * 8; bit++) {
        p = good;
        p.b[20 + bit / 8] ^= (uint8_t)(1 << bit % 8);
        if (get16(p.b + 24) == 13 && get16(p.b + 26) != 0)
            strike(&p, REASON_UDP_CHECKSUM);
    }
    p = kit_udp(0, 6000, "hello", 5);
    strike(&p, REASON_UDP_PORT_ZERO);
    p = kit_udp(5000, 0, "hello", 5);
    strike(&p, REASON_UDP_PORT_ZERO);
    expect_nothing();
    nothing_waits(udp);
    still_well();
    p = good; /* no checksum at all is the sender's right in IPv4 */
    put16(p.b + 26, 0);
    strike(&p, REASON_NONE);
    assert_true(stack_event(rig.st, &e));
    assert_int_equal(stack_udp_receive(rig.st, udp, &d), 0);
    assert_int_equal(d.data.len, 5);
    assert_memory_equal(d.data.base, "hello", 5);
    buf_unref(d.data.buf);
    still_well();
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(short_headers),         cmocka_unit_test(cut_quotes),
        cmocka_unit_test(options_inside_quotes), cmocka_unit_test(numbers_not_in_flight),
        cmocka_unit_test(tiny_path_mtus),        cmocka_unit_test(errors_about_errors),
        cmocka_unit_test(echo_to_everybody),     cmocka_unit_test(lying_datagrams),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
