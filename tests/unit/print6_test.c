/* Lines of IPv6 packets; like those of IPv4, as tcpdump -n prints them. */
#include "print_kit.h"

#include "packet6_kit.h"

#define PAIR "fd00:0:0:1::5 > fd00::7: "
#define BACK "IP6 fd00::7 > fd00:0:0:1::5: "

/* An error from the peer about the packet `of`. */
static struct kit_packet error(uint8_t type, uint8_t code, uint32_t rest, struct kit_packet of)
{
    return kit6_icmp(KIT6_PEER, KIT6_HOST, type, code, rest, of.b, of.len);
}

static struct kit_packet hello(void)
{
    return kit6_udp(KIT6_HOST, KIT6_PEER, 5000, 9, "hello", 5);
}

static struct kit_packet syn(void)
{
    static const uint8_t segment[20] = {0xc0, 0, 0x1f, 0x40, 0, 0,    0,    17, 0,
                                        0,    0, 0,    0x50, 2, 0xfa, 0xf0, 0,  0};
    struct kit_packet p = kit6(KIT6_HOST, KIT6_PEER, 6, segment, sizeof(segment));

    kit6_l4_fix(&p, 6, 0, 16);
    return p;
}

static void test_transports(void **state)
{
    (void)state;
    expect(syn(), "IP6 fd00::7.49152 > fd00:0:0:1::5.8000: Flags [S], seq 17, win 64240, length 0");
    expect(hello(), "IP6 fd00::7.5000 > fd00:0:0:1::5.9: UDP, length 5");
    expect(kit6_icmp(KIT6_HOST, KIT6_PEER, 128, 0, 0x70001, "abcd", 4),
           BACK "ICMP6, echo request, id 7, seq 1, length 12");
    expect(kit6_icmp(KIT6_HOST, KIT6_PEER, 129, 0, 0x70001, "abcd", 4),
           BACK "ICMP6, echo reply, id 7, seq 1, length 12");
    expect(kit6(KIT6_HOST, KIT6_PEER, 59, NULL, 0), BACK "no next header");
    expect(kit6(KIT6_HOST, KIT6_PEER, 99, NULL, 8), BACK " ip-proto-99 8");
}

/* What the kernel sends by itself when an interface comes up, and other talk between neighbours. */
static void test_neighbourhood(void **state)
{
    static const uint8_t alert[8] = {58, 0, 5, 2}, group_record[20] = {4, [4] = 0xff, 2};
    struct addr group = kit6_addr(0xff02, 0, 0x16), two[2] = {KIT6_PEER, KIT6_HOST};
    struct kit_packet p = kit6_icmp(KIT6_NONE, group, 143, 0, 1, group_record, 20);

    (void)state;
    expect(kit6_icmp(KIT6_LINK_LOCAL, KIT6_ALL_ROUTERS, 133, 0, 0, "\1\1\0\0\0\0\0", 8),
           "IP6 fe80::1 > ff02::2: ICMP6, router solicitation, length 16");
    kit6_insert(&p, 0, alert, 8);
    expect(p, "IP6 :: > ff02::16: HBH ICMP6, multicast listener report v2, 1 group record(s), "
              "length 28");
    expect(kit6_icmp(KIT6_NONE, KIT6_ALL_ROUTERS, 135, 0, 0, two, 16),
           "IP6 :: > ff02::2: ICMP6, neighbor solicitation, who has fd00:0:0:1::5, length 24");
    expect(kit6_icmp(KIT6_PEER, KIT6_HOST, 136, 0, 0, two, 16),
           "IP6 " PAIR "ICMP6, neighbor advertisement, tgt is fd00:0:0:1::5, length 24");
    expect(kit6_icmp(KIT6_LINK_LOCAL, KIT6_HOST, 137, 0, 0, two, 32),
           "IP6 fe80::1 > fd00::7: ICMP6, redirect, fd00::7 to fd00:0:0:1::5, length 40");
    expect(kit6_icmp(KIT6_LINK_LOCAL, group, 131, 0, 0, two, 16),
           "IP6 fe80::1 > ff02::16: ICMP6, multicast listener reportmax resp delay: 0 addr: "
           "fd00:0:0:1::5, length 24");
    expect_ours(kit6_icmp(KIT6_LINK_LOCAL, group, 130, 0, 0, two, 15),
                "IP6 fe80::1 > ff02::16: ICMP6,  [|icmp6]");
    expect_ours(kit6_icmp(KIT6_LINK_LOCAL, group, 200, 0, 0, two, 0),
                "IP6 fe80::1 > ff02::16: ICMP6, type-#200, length 8");
}

#define UNREACHABLE "IP6 " PAIR "ICMP6, destination unreachable, "

static void test_errors(void **state)
{
    struct kit_packet cut = hello();

    (void)state;
    expect(error(1, 0, 0, hello()), UNREACHABLE "unreachable route fd00:0:0:1::5, length 61");
    expect(error(1, 1, 0, hello()), UNREACHABLE " unreachable prohibited fd00:0:0:1::5, length 61");
    expect(error(1, 2, 0, hello()),
           UNREACHABLE "beyond scope fd00:0:0:1::5, source address fd00::7, length 61");
    expect(error(1, 3, 0, hello()), UNREACHABLE "unreachable address fd00:0:0:1::5, length 61");
    expect(error(1, 4, 0, hello()),
           UNREACHABLE "unreachable port, fd00:0:0:1::5 udp port 9, length 61");
    expect(error(1, 4, 0, syn()),
           UNREACHABLE "unreachable port, fd00:0:0:1::5 tcp port 8000, length 68");
    expect_ours(error(1, 5, 0, hello()), UNREACHABLE "unknown unreach code (5), length 61");
    expect(error(2, 0, 1280, syn()), "IP6 " PAIR "ICMP6, packet too big, mtu 1280, length 68");
    expect(error(3, 0, 0, hello()),
           "IP6 " PAIR "ICMP6, time exceeded in-transit for fd00:0:0:1::5, length 61");
    expect(error(3, 1, 0, hello()),
           "IP6 " PAIR "ICMP6, time exceeded in-transit (reassembly), length 61");
    expect(error(4, 0, 40, hello()),
           "IP6 " PAIR "ICMP6, parameter problem, erroneous - octet 40, length 61");
    expect(error(4, 1, 6, hello()),
           "IP6 " PAIR "ICMP6, parameter problem, next header - octet 6, length 61");
    expect(error(4, 2, 42, hello()),
           "IP6 " PAIR "ICMP6, parameter problem, option - octet 42, length 61");
    expect(error(4, 3, 0, hello()),
           "IP6 " PAIR "ICMP6, parameter problem, incomplete header chain - octet 0, length 61");
    expect(error(4, 4, 0, hello()), "IP6 " PAIR "ICMP6, parameter problem, code-#4, length 61");
    cut.len = 42;
    expect_ours(error(1, 4, 0, cut), UNREACHABLE "unreachable port [|icmp6]");
    cut.len = 39;
    expect_ours(error(1, 0, 0, cut), UNREACHABLE "unreachable route [|icmp6]");
}

static void test_extension_headers(void **state)
{
    static const uint8_t pad[8] = {0, 0, 1, 4}, routing[8] = {0},
                         routed[24] = {0, 2, 0, 1, [8] = 0xfd, [23] = 7};
    struct kit_packet p = hello();

    (void)state;
    kit6_insert(&p, 60, pad, 8);
    expect(p, BACK "DSTOPT 5000 > 9: UDP, length 5");
    kit6_insert(&p, 0, pad, 8);
    expect(p, BACK "HBH DSTOPT 5000 > 9: UDP, length 5");
    p = hello();
    kit6_insert(&p, 43, routing, 8);
    expect_ours(p, BACK "RT6 (len=0, type=0, segleft=0) 5000 > 9: UDP, length 5");
    p = hello();
    kit6_insert(&p, 43, routed, 24);
    expect_ours(p, BACK "RT6 (len=2, type=0, segleft=1, [0]fd00::7) 5000 > 9: UDP, length 5 [bad: "
                        "a routing header that leads on from here; answered by a parameter "
                        "problem]");
    p = hello();
    p.b[6] = 60;
    expect_ours(p, BACK " ip-proto-60 13 [bad: an extension header that is cut short, too many of "
                        "them, or a second fragment header]");
}

static void test_fragments(void **state)
{
    uint8_t ext[8] = {0, 0, 0, 1, 0, 1, 0x23, 0x45};
    struct kit_packet p = hello();

    (void)state;
    kit6_insert(&p, 44, ext, 8);
    expect(p, BACK "frag (0|13) 5000 > 9: UDP, length 5");
    ext[3] = 0;
    p = hello();
    kit6_insert(&p, 44, ext, 8);
    expect(p, BACK "frag (0|13) 5000 > 9: UDP, length 5");
    put16(ext + 2, 1480);
    p = kit6(KIT6_HOST, KIT6_PEER, 17, NULL, 8);
    kit6_insert(&p, 44, ext, 8);
    expect(p, BACK "frag (1480|8)");
}

static void test_malformed(void **state)
{
    struct kit_packet p = hello();

    (void)state;
    p.len = 39;
    expect_ours(p, "IP6, 39 bytes [bad: shorter than an IP header]");
    p.len = 52;
    expect_ours(p, BACK "52 bytes, 53 said "
                        "[bad: the total length is under the header or beyond the packet]");
    p = hello();
    p.b[52] ^= 1;
    expect_ours(p, "IP6 fd00::7.5000 > fd00:0:0:1::5.9: UDP, length 5 "
                   "[bad: the UDP checksum is wrong]");
    put16(p.b + 46, 0);
    expect_ours(p, "IP6 fd00::7.5000 > fd00:0:0:1::5.9: UDP, length 5 "
                   "[bad: the UDP checksum is wrong]");
    p = kit6_icmp(KIT6_HOST, KIT6_PEER, 128, 0, 0x70001, "abcd", 4);
    p.b[50] ^= 1;
    expect_ours(p, BACK "ICMP6, echo request, id 7, seq 1, length 12 "
                        "[bad: the ICMP checksum is wrong]");
    expect_ours(kit6(KIT6_HOST, KIT6_PEER, 58, NULL, 7),
                BACK "ICMP6, 7 bytes [bad: shorter than an ICMP header]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LINES(test_transports),        LINES(test_neighbourhood), LINES(test_errors),
        LINES(test_extension_headers), LINES(test_fragments),     LINES(test_malformed),
    };

    return cmocka_run_group_tests_name("print6", tests, NULL, NULL);
}
