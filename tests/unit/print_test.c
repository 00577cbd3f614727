/*
 * Packet lines: against stored lines that tcpdump -n printed, and, where tcpdump is installed,
 * against what it prints now. Malformed packets have lines of our own.
 */
#include "print_kit.h"

/* ---- TCP ---- */

static void test_handshake_and_data(void **state)
{
    static const char syn[] = "\x02\x04\x05\xb4\x01\x03\x03\x07";
    uint32_t i = 0xfffffff0, r = 500; /* across the wrap */

    (void)state;
    expect(kit_tcp((struct kit_tcp){.flags = TCP_SYN, .seq = i, .wnd = 64240, OPT(syn)}),
           "IP 10.0.0.7.49152 > 10.0.1.5.8000: Flags [S], seq 4294967280, win 64240, "
           "options [mss 1460,nop,wscale 7], length 0");
    expect(kit_tcp((struct kit_tcp){.src = KIT_PEER,
                                    .dst = KIT_HOST,
                                    .sport = 8000,
                                    .dport = 49152,
                                    .flags = TCP_SYN | TCP_ACK,
                                    .seq = r,
                                    .ack = i + 1}),
           "IP 10.0.1.5.8000 > 10.0.0.7.49152: Flags [S.], seq 500, ack 4294967281, win 512, "
           "length 0");
    expect(kit_tcp((struct kit_tcp){.flags = TCP_ACK, .seq = i + 1, .ack = r + 1}),
           "IP 10.0.0.7.49152 > 10.0.1.5.8000: Flags [.], ack 1, win 512, length 0");
    expect(kit_tcp((struct kit_tcp){
               .flags = TCP_ACK | TCP_PSH, .seq = i + 1, .ack = r + 1, .data = 100}),
           "IP 10.0.0.7.49152 > 10.0.1.5.8000: Flags [P.], seq 1:101, ack 1, win 512, length 100");
    expect(kit_tcp((struct kit_tcp){.src = KIT_PEER,
                                    .dst = KIT_HOST,
                                    .sport = 8000,
                                    .dport = 49152,
                                    .flags = TCP_FIN | TCP_ACK,
                                    .seq = r + 1,
                                    .ack = i + 101}),
           "IP 10.0.1.5.8000 > 10.0.0.7.49152: Flags [F.], seq 1, ack 101, win 512, length 0");
    /* a new connection between the same ports begins with numbers of its own */
    expect(kit_tcp((struct kit_tcp){.src = KIT_PEER,
                                    .dst = KIT_HOST,
                                    .sport = 8000,
                                    .dport = 49152,
                                    .flags = TCP_SYN | TCP_ACK,
                                    .seq = 7000,
                                    .ack = 9001}),
           "IP 10.0.1.5.8000 > 10.0.0.7.49152: Flags [S.], seq 7000, ack 9001, win 512, length 0");
    expect(kit_tcp((struct kit_tcp){.flags = TCP_ACK, .seq = 9001, .ack = 7003}),
           "IP 10.0.0.7.49152 > 10.0.1.5.8000: Flags [.], ack 3, win 512, length 0");
}

static void test_seen_from_the_middle(void **state)
{
    (void)state;
    expect(kit_tcp((struct kit_tcp){.flags = TCP_ACK, .seq = 1000, .ack = 2000, .data = 10}),
           "IP 10.0.0.7.49152 > 10.0.1.5.8000: Flags [.], seq 1000:1010, ack 2000, win 512, "
           "length 10");
    expect(kit_tcp((struct kit_tcp){.flags = TCP_ACK, .seq = 1010, .ack = 2000, .data = 10}),
           "IP 10.0.0.7.49152 > 10.0.1.5.8000: Flags [.], seq 10:20, ack 1, win 512, length 10");
    /* both ports alike: the addresses tell the directions apart */
    expect(kit_tcp(
               (struct kit_tcp){.sport = 7, .dport = 7, .flags = TCP_ACK, .seq = 100, .ack = 501}),
           "IP 10.0.0.7.7 > 10.0.1.5.7: Flags [.], ack 501, win 512, length 0");
    expect(kit_tcp((struct kit_tcp){.src = KIT_PEER,
                                    .dst = KIT_HOST,
                                    .sport = 7,
                                    .dport = 7,
                                    .flags = TCP_ACK,
                                    .seq = 501,
                                    .ack = 101,
                                    .data = 1}),
           "IP 10.0.1.5.7 > 10.0.0.7.7: Flags [.], seq 1:2, ack 1, win 512, length 1");
}

static void test_flags(void **state)
{
    (void)state;
    expect(kit_tcp((struct kit_tcp){.flags = TCP_RST, .seq = 5}),
           "IP 10.0.0.7.49152 > 10.0.1.5.8000: Flags [R], seq 5, win 512, length 0");
    expect(kit_tcp((struct kit_tcp){.flags = TCP_RST | TCP_ACK, .seq = 0, .ack = 6}),
           "IP 10.0.0.7.49152 > 10.0.1.5.8000: Flags [R.], seq 0, ack 6, win 512, length 0");
    expect(kit_tcp((struct kit_tcp){.flags = TCP_ACK | TCP_URG | TCP_ECE | TCP_CWR,
                                    .seq = 0,
                                    .ack = 6,
                                    .urg = 3,
                                    .data = 8}),
           "IP 10.0.0.7.49152 > 10.0.1.5.8000: Flags [.UEW], seq 0:8, ack 1, win 512, urg 3, "
           "length 8");
    expect(kit_tcp((struct kit_tcp){.flags = TCP_FIN, .seq = 9}),
           "IP 10.0.0.7.49152 > 10.0.1.5.8000: Flags [F], seq 9, win 512, length 0");
}

static void test_options(void **state)
{
    static const char linux_syn[] = "\x02\x04\x05\xb4\x04\x02\x08\x0a\0\0\0\1\0\0\0\0\1\3\3\7";
    static const char sack[] = "\1\1\5\x12\0\0\x07\xd0\0\0\x07\xe4\0\0\x0b\xb8\0\0\x0b\xc2";
    static const char unknown[] = "\xfd\4\xab\xcd\xfd\2\1\0";

    (void)state;
    expect(kit_tcp((struct kit_tcp){.flags = TCP_SYN, .seq = 1, OPT(linux_syn)}),
           "IP 10.0.0.7.49152 > 10.0.1.5.8000: Flags [S], seq 1, win 512, options "
           "[mss 1460,sackOK,TS val 1 ecr 0,nop,wscale 7], length 0");
    expect(kit_tcp((struct kit_tcp){.flags = TCP_ACK, .seq = 1, .ack = 2000, OPT(sack)}),
           "IP 10.0.0.7.49152 > 10.0.1.5.8000: Flags [.], ack 2000, win 512, options "
           "[nop,nop,sack 2 {1:21}{1001:1011}], length 0");
    expect(kit_tcp((struct kit_tcp){.flags = TCP_ACK, .seq = 1, .ack = 2000, OPT(unknown)}),
           "IP 10.0.0.7.49152 > 10.0.1.5.8000: Flags [.], ack 1, win 512, options "
           "[unknown-253 0xabcd,unknown-253,nop,eol], length 0");
}

/* A flow that was pushed out of its full set starts again with absolute numbers. */
static void test_table_is_bounded(void **state)
{
    struct kit_tcp f = {.flags = TCP_ACK, .seq = 100, .ack = 200};
    char got[PRINT_LINE_MAX];
    struct kit_packet p;
    unsigned relative = 0, n = 2 * PRINT_FLOW_SETS * PRINT_FLOW_WAYS;

    (void)state;
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < n; i++) {
            f.sport = (uint16_t)(10000 + i);
            p = kit_tcp(f);
            print_packet(&flows, p.b, p.len, 0, got, sizeof(got));
            relative += strstr(got, "ack 1,") != NULL;
        }
    }
    assert_in_range(relative, 0, n / 4);
    p = kit_tcp(f); /* the last one is still known */
    print_packet(&flows, p.b, p.len, 0, got, sizeof(got));
    assert_non_null(strstr(got, "ack 1,"));
}

/* ---- UDP, ICMP, others ---- */

static void test_udp(void **state)
{
    struct kit_packet p = kit_udp(5000, 7, "hello", 5);

    (void)state;
    expect(p, "IP 10.0.0.7.5000 > 10.0.1.5.7: UDP, length 5");
    expect(kit_udp(5000, 6969, "", 0), "IP 10.0.0.7.5000 > 10.0.1.5.6969: UDP, length 0");
    put16(p.b + 6, 0x2000); /* the first fragment of a longer datagram */
    put16(p.b + 24, 1000);
    kit_ip4_fix(&p);
    expect(p, "IP 10.0.0.7.5000 > 10.0.1.5.7: UDP, length 992");
    put16(p.b + 6, 0x0003); /* a later one */
    kit_ip4_fix(&p);
    expect(p, "IP 10.0.0.7 > 10.0.1.5: ip-proto-17");
    expect(kit_ip4(KIT_HOST, KIT_PEER, 253, "12345", 5), "IP 10.0.0.7 > 10.0.1.5:  ip-proto-253 5");
}

static void test_icmp(void **state)
{
    struct kit_packet udp = kit_udp(5000, 9, "hello", 5);
    struct kit_packet tcp = kit_tcp((struct kit_tcp){.flags = TCP_SYN});

    (void)state;
    expect(kit_icmp(8, 0, 0x00010002, NULL, 56),
           "IP 10.0.1.5 > 10.0.0.7: ICMP echo request, id 1, seq 2, length 64");
    expect(kit_icmp(0, 0, 0x00010002, NULL, 0),
           "IP 10.0.1.5 > 10.0.0.7: ICMP echo reply, id 1, seq 2, length 8");
    expect(kit_icmp(3, 0, 0, udp.b, 28),
           "IP 10.0.1.5 > 10.0.0.7: ICMP net 10.0.1.5 unreachable, length 36");
    expect(kit_icmp(3, 1, 0, udp.b, 28),
           "IP 10.0.1.5 > 10.0.0.7: ICMP host 10.0.1.5 unreachable, length 36");
    expect(kit_icmp(3, 2, 0, udp.b, 28),
           "IP 10.0.1.5 > 10.0.0.7: ICMP 10.0.1.5 protocol 17 unreachable, length 36");
    expect(kit_icmp(3, 3, 0, udp.b, 28),
           "IP 10.0.1.5 > 10.0.0.7: ICMP 10.0.1.5 udp port 9 unreachable, length 36");
    expect(kit_icmp(3, 3, 0, tcp.b, 28),
           "IP 10.0.1.5 > 10.0.0.7: ICMP 10.0.1.5 tcp port 8000 unreachable, length 36");
    expect(
        kit_icmp(3, 4, 1400, udp.b, 28),
        "IP 10.0.1.5 > 10.0.0.7: ICMP 10.0.1.5 unreachable - need to frag (mtu 1400), length 36");
    expect(kit_icmp(3, 13, 0, udp.b, 28),
           "IP 10.0.1.5 > 10.0.0.7: ICMP host 10.0.1.5 unreachable - admin prohibited filter, "
           "length 36");
    expect(kit_icmp(3, 99, 0, udp.b, 28),
           "IP 10.0.1.5 > 10.0.0.7: ICMP 10.0.1.5 unreachable - #99, length 36");
    expect(kit_icmp(5, 1, 0x0a000001, udp.b, 28),
           "IP 10.0.1.5 > 10.0.0.7: ICMP redirect 10.0.1.5 to host 10.0.0.1, length 36");
    expect(kit_icmp(11, 0, 0, udp.b, 28),
           "IP 10.0.1.5 > 10.0.0.7: ICMP time exceeded in-transit, length 36");
    expect(kit_icmp(12, 0, 0x08000000, udp.b, 28),
           "IP 10.0.1.5 > 10.0.0.7: ICMP parameter problem - octet 8, length 36");
    expect(kit_icmp(200, 0, 0, NULL, 0), "IP 10.0.1.5 > 10.0.0.7: ICMP type-#200, length 8");
}

/* A quote that ends before what has to be named. */
static void test_icmp_cut_quotes(void **state)
{
    struct kit_packet udp = kit_udp(5000, 9, "hello", 5);

    (void)state;
    expect(kit_icmp(3, 3, 0, udp.b, 20), "IP 10.0.1.5 > 10.0.0.7:  [|icmp]");
    expect(kit_icmp(3, 3, 0, udp.b, 23), "IP 10.0.1.5 > 10.0.0.7:  [|icmp]");
    expect(kit_icmp(3, 1, 0, udp.b, 19), "IP 10.0.1.5 > 10.0.0.7:  [|icmp]");
    expect(kit_icmp(3, 1, 0, NULL, 0), "IP 10.0.1.5 > 10.0.0.7:  [|icmp]");
    expect(kit_icmp(5, 1, 0, NULL, 0), "IP 10.0.1.5 > 10.0.0.7:  [|icmp]");
}

/* ---- what is wrong ---- */

static void test_malformed_ip(void **state)
{
    struct kit_packet p = kit_udp(5000, 7, "hello", 5), q = p;

    (void)state;
    q.len = 0;
    expect_ours(q, "IP, 0 bytes [bad: shorter than an IP header]");
    q.len = 19;
    expect_ours(q, "IP, 19 bytes [bad: shorter than an IP header]");
    q = p;
    q.b[0] = 0x55;
    expect_ours(q, "IP, 33 bytes [bad: the version is neither 4 nor 6]");
    q.b[0] = 0x44;
    expect_ours(q, "IP, 33 bytes [bad: the header length is under 5 words or beyond the packet]");
    q = p;
    q.b[3] = 34;
    expect_ours(q, "IP 10.0.0.7 > 10.0.1.5: 33 bytes, 34 said "
                   "[bad: the total length is under the header or beyond the packet]");
    q.b[3] = 19;
    expect_ours(q, "IP 10.0.0.7 > 10.0.1.5: 33 bytes, 19 said "
                   "[bad: the total length is under the header or beyond the packet]");
    q = p;
    q.b[10] ^= 1;
    expect_ours(q, "IP 10.0.0.7.5000 > 10.0.1.5.7: UDP, length 5 "
                   "[bad: the header checksum is wrong]");
}

static void test_malformed_inside(void **state)
{
    static const char zero_len[] = "\2\0\1\1", at_the_end[] = "\1\1\1\2", odd_mss[] = "\2\3\5\1";
    struct kit_packet p = kit_tcp((struct kit_tcp){.flags = TCP_SYN, .seq = 1});

    (void)state;
    p.b[36] ^= 1;
    expect_ours(p, "IP 10.0.0.7.49152 > 10.0.1.5.8000: Flags [S], seq 1, win 512, length 0 "
                   "[bad: the TCP checksum is wrong]");
    p.b[32] = 0x40;
    expect_ours(p, "IP 10.0.0.7.49152 > 10.0.1.5.8000: TCP, 20 bytes "
                   "[bad: the data offset is under 5 words or beyond the segment]");
    p.b[32] = 0x60;
    expect_ours(p, "IP 10.0.0.7.49152 > 10.0.1.5.8000: TCP, 20 bytes "
                   "[bad: the data offset is under 5 words or beyond the segment]");
    expect_ours(kit_ip4(KIT_HOST, KIT_PEER, 6, "\0\7\0", 3),
                "IP 10.0.0.7 > 10.0.1.5: TCP, 3 bytes [bad: shorter than a TCP header]");
    expect_ours(kit_tcp((struct kit_tcp){.flags = TCP_SYN, .seq = 1, OPT(zero_len)}),
                "IP 10.0.0.7.49152 > 10.0.1.5.8000: Flags [S], seq 1, win 512, options [bad opt], "
                "length 0 [bad: an option's length is illegal]");
    expect_ours(kit_tcp((struct kit_tcp){.flags = TCP_SYN, .seq = 1, OPT(at_the_end)}),
                "IP 10.0.0.7.49152 > 10.0.1.5.8000: Flags [S], seq 1, win 512, options "
                "[nop,nop,nop,bad opt], length 0 [bad: an option's length is illegal]");
    expect_ours(kit_tcp((struct kit_tcp){.flags = TCP_SYN, .seq = 1, OPT(odd_mss)}),
                "IP 10.0.0.7.49152 > 10.0.1.5.8000: Flags [S], seq 1, win 512, options "
                "[mss[len 3],nop], length 0 [bad: an option's length is illegal]");
    expect_ours(kit_ip4(KIT_HOST, KIT_PEER, 17, "\0\7\0\7\0\7\0", 7),
                "IP 10.0.0.7 > 10.0.1.5: UDP, 7 bytes "
                "[bad: the length is under 8 or beyond the packet]");
    expect_ours(kit_ip4(KIT_HOST, KIT_PEER, 1, "\10\0\0", 3),
                "IP 10.0.0.7 > 10.0.1.5: ICMP, 3 bytes [bad: shorter than an ICMP header]");
}

/* A checksum that a device vouches for, or that is still to be filled in, is not called wrong. */
static void test_marks(void **state)
{
    struct kit_packet p = kit_tcp((struct kit_tcp){.flags = TCP_SYN, .seq = 1});
    char got[PRINT_LINE_MAX];

    (void)state;
    p.b[36] ^= 1;
    print_packet(&flows, p.b, p.len, PKT_CSUM_PARTIAL, got, sizeof(got));
    assert_null(strstr(got, "bad"));
    print_packet(&flows, p.b, p.len, PKT_CSUM_VALID, got, sizeof(got));
    assert_null(strstr(got, "bad"));
}

/* No bytes make it read beyond the packet (a sanitizer's affair) or write beyond the line. */
static void test_any_bytes(void **state)
{
    static const uint8_t protos[] = {1, 6, 17, 58, 0, 253};
    uint32_t seed = 1;

    (void)state;
    for (unsigned round = 0; round < 20000; round++) {
        struct kit_packet p = kit_tcp((struct kit_tcp){.flags = TCP_ACK, .data = 40});
        uint32_t len = round % 101;
        uint8_t *exact;
        char got[81];

        p.b[9] = protos[round % sizeof(protos)];
        for (unsigned i = 0; i < 6; i++) {
            seed = seed * 1664525 + 1013904223;
            p.b[(seed >> 8) % 100] = (uint8_t)(seed >> 24);
        }
        if (round % 7 == 0)
            p.b[0] = 0x60;
        else
            put16(p.b + 2, (uint16_t)len);
        if (round % 7 && round % 3)
            kit_ip4_fix(&p);
        exact = malloc(len + 1);
        assert_non_null(exact);
        memcpy(exact + 1, p.b, len);
        got[80] = '!';
        assert_in_range(print_packet(&flows, exact + 1, len, 0, got, 80), 1, 79);
        assert_int_equal(got[80], '!');
        free(exact);
    }
}

static void test_hex(void **state)
{
    static const uint8_t b[] = "E\0\0(~ \x7f\xff"
                               "0123456789abcde";
    char row[PRINT_HEX_MAX];
    size_t n = print_hex(b, 23, 0, row);

    (void)state;
    assert_int_equal(n, strlen(row));
    assert_string_equal(row,
                        "\t0x0000:  4500 0028 7e20 7fff 3031 3233 3435 3637  E..(~...01234567");
    print_hex(b, 23, 16, row);
    assert_string_equal(row, "\t0x0010:  3839 6162 6364 65                        89abcde");
    assert_int_equal(print_hex(b, 23, 23, row), 0);
    assert_int_equal(print_hex(b, 0, 0, row), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LINES(test_handshake_and_data),
        LINES(test_seen_from_the_middle),
        LINES(test_flags),
        LINES(test_options),
        LINES(test_table_is_bounded),
        LINES(test_udp),
        LINES(test_icmp),
        LINES(test_icmp_cut_quotes),
        LINES(test_malformed_ip),
        LINES(test_malformed_inside),
        LINES(test_marks),
        LINES(test_any_bytes),
        LINES(test_hex),
    };

    return cmocka_run_group_tests_name("print", tests, NULL, NULL);
}
