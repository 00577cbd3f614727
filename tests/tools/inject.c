/*
 * inject DEVICE SOURCE DESTINATION: write malformed packets to a device, as the kernel would send
 * them there, so that the node behind a TUN reads them.
 *
 * Each row of the table begins with a packet in which everything is right, changes some of its
 * bytes, then mends the checksums that are not the row's subject. For each reason the program
 * prints one line, "NAME COUNT": how often the node must have counted it because of this run.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "run/address.h"
#include "run/exit.h"
#include "wire/checksum.h"
#include "wire/icmp.h"
#include "wire/ip.h"
#include "wire/tcp.h"
#include "wire/udp.h"

enum base {
    IP_TCP,     /* 20 + 20 bytes, a SYN to port 8000 */
    IP_TCP_OPT, /* 20 + 24 bytes, with four bytes of NOP */
    IPO_TCP,    /* 24 + 20 bytes, with four bytes of IP NOP */
    IPO8_TCP,   /* 28 + 20 bytes, with eight */
    IP_UDP,     /* 20 + 8 + 8 bytes, to port 7 */
    IP_ICMP,    /* 20 + 8 + 8 bytes, an echo request */
    IP_ERROR, /* 20 + 8 + 28 bytes, "port unreachable" about an ICMP message of the destination's */
};

enum mend {
    IP = 1, /* the IP header's checksum */
    L4 = 2, /* the checksum of what is behind */
};

enum {
    EDITS = 3,
    WHOLE = -1, /* not cut short */
};

static const struct bad {
    const char *what;
    enum reason reason;
    enum base base;
    int cut; /* bytes of it that are sent, or WHOLE */
    unsigned mend;
    struct {
        unsigned at, width; /* byte offset; 1, 2 or 4 bytes; a width of 0 ends the list */
        uint32_t value;
    } edit[EDITS];
} bads[] = {
    {"one byte", REASON_IP_EMPTY, IP_TCP, 1, 0, {{0}}},
    {"ten bytes", REASON_IP_EMPTY, IP_TCP, 10, 0, {{0}}},
    {"19 bytes", REASON_IP_EMPTY, IP_TCP, 19, 0, {{0}}},
    {"version 0", REASON_IP_VERSION, IP_TCP, WHOLE, IP, {{0, 1, 0x05}}},
    {"version 5", REASON_IP_VERSION, IP_TCP, WHOLE, IP, {{0, 1, 0x55}}},
    {"version 15", REASON_IP_VERSION, IP_TCP, WHOLE, IP, {{0, 1, 0xf5}}},
    {"version 6", REASON_IP6_CHAIN, IP_TCP, WHOLE, IP, {{0, 1, 0x65}}},
    {"header of 4 words", REASON_IP_HEADER_LENGTH, IP_TCP, WHOLE, IP, {{0, 1, 0x44}}},
    {"header of 0 words", REASON_IP_HEADER_LENGTH, IP_TCP, WHOLE, IP, {{0, 1, 0x40}}},
    {"header beyond the packet", REASON_IP_HEADER_LENGTH, IP_TCP, WHOLE, IP, {{0, 1, 0x4f}}},
    {"total length under the header", REASON_IP_TOTAL_LENGTH, IP_TCP, WHOLE, IP, {{2, 2, 19}}},
    {"total length 0", REASON_IP_TOTAL_LENGTH, IP_TCP, WHOLE, IP, {{2, 2, 0}}},
    {"total length beyond", REASON_IP_TOTAL_LENGTH, IP_TCP, WHOLE, IP, {{2, 2, 41}}},
    {"bad header checksum", REASON_IP_CHECKSUM, IP_TCP, WHOLE, L4, {{10, 2, 0x1234}}},
    {"IP option of length 0", REASON_IP_OPTION, IPO_TCP, WHOLE, IP, {{20, 2, 0x0700}}},
    {"IP option of length 1", REASON_IP_OPTION, IPO_TCP, WHOLE, IP, {{20, 2, 0x0701}}},
    {"IP option beyond", REASON_IP_OPTION, IPO_TCP, WHOLE, IP, {{20, 2, 0x0705}}},
    {"loose source route", REASON_IP_SOURCE_ROUTE, IPO_TCP, WHOLE, IP, {{20, 4, 0x83030400}}},
    {"strict source route", REASON_IP_SOURCE_ROUTE, IPO_TCP, WHOLE, IP, {{20, 4, 0x89030400}}},
    {"route of length 2", REASON_IP_ROUTE, IPO_TCP, WHOLE, IP, {{20, 4, 0x83020000}}},
    {"route, odd pointer", REASON_IP_ROUTE, IPO_TCP, WHOLE, IP, {{20, 4, 0x89030500}}},
    {"route, pointer 0", REASON_IP_ROUTE, IPO_TCP, WHOLE, IP, {{20, 4, 0x83030000}}},
    {"route cut short", REASON_IP_OPTION, IPO_TCP, WHOLE, IP, {{20, 4, 0x83070400}}},
    {"loose and strict",
     REASON_IP_ROUTE,
     IPO8_TCP,
     WHOLE,
     IP,
     {{20, 4, 0x83030489}, {24, 4, 0x03040000}}},
    {"two loose ones",
     REASON_IP_ROUTE,
     IPO8_TCP,
     WHOLE,
     IP,
     {{20, 4, 0x83030483}, {24, 4, 0x03040000}}},
    {"route that goes on",
     REASON_IP_SOURCE_ROUTE,
     IPO8_TCP,
     WHOLE,
     IP,
     {{20, 4, 0x8307040a}, {24, 4, 0x00020100}}},
    {"finished route",
     REASON_IP_SOURCE_ROUTE,
     IPO8_TCP,
     WHOLE,
     IP,
     {{20, 4, 0x8907080a}, {24, 4, 0x00020100}}},
    {"source loopback", REASON_IP_SOURCE, IP_TCP, WHOLE, IP | L4, {{12, 4, 0x7f000001}}},
    {"source multicast", REASON_IP_SOURCE, IP_TCP, WHOLE, IP | L4, {{12, 4, 0xe0000001}}},
    {"source broadcast", REASON_IP_SOURCE, IP_TCP, WHOLE, IP | L4, {{12, 4, 0xffffffff}}},
    {"source class E", REASON_IP_SOURCE, IP_TCP, WHOLE, IP | L4, {{12, 4, 0xf0000001}}},
    {"source 0.0.0.0", REASON_IP_SOURCE, IP_TCP, WHOLE, IP | L4, {{12, 4, 0}}},
    {"source equal to destination", REASON_IP_LAND, IP_TCP, WHOLE, IP | L4, {{12, 4, 0x0a000105}}},
    {"not ours", REASON_IP_NOT_OURS, IP_TCP, WHOLE, IP | L4, {{16, 4, 0x0a000106}}},
    {"to broadcast", REASON_IP_BROADCAST, IP_TCP, WHOLE, IP | L4, {{16, 4, 0xffffffff}}},
    {"to the subnet's broadcast",
     REASON_IP_BROADCAST,
     IP_TCP,
     WHOLE,
     IP | L4,
     {{16, 4, 0x0a0001ff}}},
    {"to multicast", REASON_IP_BROADCAST, IP_TCP, WHOLE, IP | L4, {{16, 4, 0xe0000001}}},
    {"20 bytes of many", REASON_FRAGMENT_LENGTH, IP_TCP, WHOLE, IP, {{6, 2, 0x2000}}},
    {"first, tiny", REASON_FRAGMENT_TINY, IP_TCP, 36, IP, {{2, 2, 36}, {6, 2, 0x2000}}},
    {"second, in the header", REASON_FRAGMENT_TINY, IP_TCP, WHOLE, IP, {{6, 2, 0x0001}}},
    {"last beyond 65,535", REASON_FRAGMENT_TOO_LARGE, IP_TCP, WHOLE, IP, {{6, 2, 0x1fff}}},
    {"IP in IP", REASON_IP_PROTOCOL, IP_TCP, WHOLE, IP, {{9, 1, 4}}},

    {"ICMP of 0 bytes", REASON_ICMP_SHORT, IP_ICMP, 20, IP, {{2, 2, 20}}},
    {"ICMP of 7 bytes", REASON_ICMP_SHORT, IP_ICMP, 27, IP, {{2, 2, 27}}},
    {"bad ICMP checksum", REASON_ICMP_CHECKSUM, IP_ICMP, WHOLE, 0, {{22, 2, 0x1234}}},
    {"an error that quotes 8 bytes", REASON_ICMP_QUOTE, IP_ICMP, WHOLE, L4, {{20, 2, 0x0301}}},
    {"an error about an error", REASON_ICMP_QUOTE, IP_ERROR, WHOLE, L4, {{0}}},
    {"an error about nobody's segment", REASON_ICMP_QUOTE, IP_ERROR, WHOLE, L4, {{37, 1, 6}}},
    {"MTU 0 for nobody's segment",
     REASON_ICMP_QUOTE,
     IP_ERROR,
     WHOLE,
     L4,
     {{21, 1, 4}, {37, 1, 6}}},
    {"an error about others",
     REASON_ICMP_QUOTE,
     IP_ERROR,
     WHOLE,
     L4,
     {{37, 1, 6}, {40, 4, 0x0a000106}}},
    {"a quote with broken options",
     REASON_ICMP_QUOTE,
     IP_ERROR,
     WHOLE,
     L4,
     {{28, 1, 0x46}, {48, 4, 0x83000000}}},
    {"a quoted header beyond", REASON_ICMP_QUOTE, IP_ERROR, WHOLE, L4, {{28, 1, 0x4f}}},
    {"a quoted fragment", REASON_ICMP_QUOTE, IP_ERROR, WHOLE, L4, {{34, 2, 1}, {37, 1, 6}}},
    {"an unknown code", REASON_ICMP_TYPE, IP_ERROR, WHOLE, L4, {{21, 1, 77}}},
    {"source quench", REASON_ICMP_SOURCE_QUENCH, IP_ERROR, WHOLE, L4, {{20, 2, 0x0400}}},
    {"redirect", REASON_ICMP_TYPE, IP_ERROR, WHOLE, L4, {{20, 2, 0x0501}}},
    {"echo to broadcast", REASON_IP_BROADCAST, IP_ICMP, WHOLE, IP, {{16, 4, 0x0a0001ff}}},

    {"UDP of length 7", REASON_UDP_LENGTH, IP_UDP, WHOLE, 0, {{24, 2, 7}}},
    {"UDP beyond the packet", REASON_UDP_LENGTH, IP_UDP, WHOLE, 0, {{24, 2, 17}}},
    {"UDP of 7 bytes", REASON_UDP_LENGTH, IP_UDP, 27, IP, {{2, 2, 27}}},
    {"bad UDP checksum", REASON_UDP_CHECKSUM, IP_UDP, WHOLE, 0, {{26, 2, 0x1234}}},
    {"UDP from port 0", REASON_UDP_PORT_ZERO, IP_UDP, WHOLE, L4, {{20, 2, 0}}},
    {"UDP to port 0", REASON_UDP_PORT_ZERO, IP_UDP, WHOLE, L4, {{22, 2, 0}}},
    {"UDP to nobody", REASON_UDP_NO_SOCKET, IP_UDP, WHOLE, L4, {{22, 2, 4444}}},

    {"TCP of 0 bytes", REASON_TCP_SHORT, IP_TCP, 20, IP, {{2, 2, 20}}},
    {"TCP of 19 bytes", REASON_TCP_SHORT, IP_TCP, 39, IP, {{2, 2, 39}}},
    {"data offset 4", REASON_TCP_DATA_OFFSET, IP_TCP, WHOLE, L4, {{32, 1, 0x40}}},
    {"data offset 0", REASON_TCP_DATA_OFFSET, IP_TCP, WHOLE, L4, {{32, 1, 0}}},
    {"data offset beyond", REASON_TCP_DATA_OFFSET, IP_TCP, WHOLE, L4, {{32, 1, 0x60}}},
    {"bad TCP checksum", REASON_TCP_CHECKSUM, IP_TCP, WHOLE, 0, {{36, 2, 0x1234}}},
    {"TCP option of length 0", REASON_TCP_OPTION, IP_TCP_OPT, WHOLE, L4, {{40, 2, 0x0200}}},
    {"TCP option of length 1", REASON_TCP_OPTION, IP_TCP_OPT, WHOLE, L4, {{40, 2, 0x0201}}},
    {"TCP option beyond", REASON_TCP_OPTION, IP_TCP_OPT, WHOLE, L4, {{40, 2, 0xfd05}}},
    {"TCP option without length", REASON_TCP_OPTION, IP_TCP_OPT, WHOLE, L4, {{43, 1, 2}}},
    {"no flags", REASON_TCP_FLAGS, IP_TCP, WHOLE, L4, {{33, 1, 0}}},
    {"SYN+FIN", REASON_TCP_FLAGS, IP_TCP, WHOLE, L4, {{33, 1, TCP_SYN | TCP_FIN}}},
    {"SYN+RST", REASON_TCP_FLAGS, IP_TCP, WHOLE, L4, {{33, 1, TCP_SYN | TCP_RST}}},
    {"all flags", REASON_TCP_FLAGS, IP_TCP, WHOLE, L4, {{33, 1, 0xff}}},
    {"from port 0", REASON_TCP_PORT_ZERO, IP_TCP, WHOLE, L4, {{20, 2, 0}}},
    {"to port 0", REASON_TCP_PORT_ZERO, IP_TCP, WHOLE, L4, {{22, 2, 0}}},
    {"a stray RST",
     REASON_TCP_RST_NO_CONNECTION,
     IP_TCP,
     WHOLE,
     L4,
     {{33, 1, TCP_RST}, {22, 2, 4444}}},
    {"a SYN to nobody", REASON_TCP_NO_CONNECTION, IP_TCP, WHOLE, L4, {{22, 2, 4444}}},
    {"an ACK to nobody",
     REASON_TCP_NO_CONNECTION,
     IP_TCP,
     WHOLE,
     L4,
     {{33, 1, TCP_ACK}, {22, 2, 4444}}},
    {"an ACK for a listener", REASON_TCP_LISTEN_ACK, IP_TCP, WHOLE, L4, {{33, 1, TCP_ACK}}},
    {"FIN alone for a listener", REASON_TCP_LISTEN_OTHER, IP_TCP, WHOLE, L4, {{33, 1, TCP_FIN}}},
    {"PSH+URG for a listener",
     REASON_TCP_LISTEN_OTHER,
     IP_TCP,
     WHOLE,
     L4,
     {{33, 1, TCP_PSH | TCP_URG}, {38, 2, 0xffff}}},
};

enum {
    BADS = sizeof(bads) / sizeof(bads[0]),
    PACKET_MAX = 128, /* bytes */
};

struct ends {
    struct addr src, dst;
};

static const uint8_t zeros[8];
static const struct slice eight = {NULL, zeros, sizeof(zeros)};

static size_t build_l4(uint8_t *at, const struct ends *ends, enum base base)
{
    struct tcp_hdr tcp = {.sport = 40000, .dport = 8000, .seq = 1, .flags = TCP_SYN, .wnd = 1000};
    struct udp_hdr udp = {.sport = 40000, .dport = 7, .len = UDP_HEADER + sizeof(zeros)};
    struct ip_hdr quoted = {.version = 4, .ttl = 64, .proto = IP_PROTO_ICMP, .df = true};
    struct slice quote;
    size_t n;

    switch (base) {
    case IP_TCP:
    case IPO_TCP:
    case IPO8_TCP:
        return tcp_build(at, &ends->src, &ends->dst, &tcp, 0, NULL, 0);
    case IP_TCP_OPT:
        n = tcp_build(at, &ends->src, &ends->dst, &tcp, 0, NULL, 0);
        memset(at + n, TCP_OPT_NOP, 4);
        at[12] = (uint8_t)((n + 4) / 4 << 4);
        return n + 4;
    case IP_UDP:
        udp_build(at, &ends->src, &ends->dst, &udp, &eight, 1);
        memcpy(at + UDP_HEADER, zeros, sizeof(zeros));
        return UDP_HEADER + sizeof(zeros);
    case IP_ICMP:
        icmp_build(at, ICMP_ECHO, 0, 1, &eight, 1);
        memcpy(at + ICMP_HEADER, zeros, sizeof(zeros));
        return ICMP_HEADER + sizeof(zeros);
    case IP_ERROR:
        quoted.src = ends->dst;
        quoted.dst = ends->src;
        n = ICMP_HEADER + ip_build(at + ICMP_HEADER, &quoted, sizeof(zeros));
        memcpy(at + n, zeros, sizeof(zeros));
        n += sizeof(zeros);
        quote = (struct slice){NULL, at + ICMP_HEADER, (uint32_t)n - ICMP_HEADER};
        icmp_build(at, ICMP_UNREACHABLE, ICMP_UNREACH_PORT, 0, &quote, 1);
        return n;
    }
    return 0;
}

/* Bytes of IP options. */
static size_t options_of(enum base base)
{
    return base == IPO8_TCP ? 8 : base == IPO_TCP ? 4 : 0;
}

static bool is_icmp(enum base base)
{
    return base == IP_ICMP || base == IP_ERROR;
}

static size_t build(uint8_t out[PACKET_MAX], const struct ends *ends, enum base base)
{
    static const uint8_t nops[8] = {1, 1, 1, 1, 1, 1, 1, 1};
    struct ip_hdr ip = {.version = 4, .ttl = 64, .src = ends->src, .dst = ends->dst};
    uint8_t l4[PACKET_MAX];
    size_t l4_len = build_l4(l4, ends, base);
    size_t n;

    ip.proto = base == IP_UDP ? IP_PROTO_UDP : is_icmp(base) ? IP_PROTO_ICMP : IP_PROTO_TCP;
    ip.options = nops;
    ip.options_len = (uint8_t)options_of(base);
    n = ip_build(out, &ip, l4_len);
    memcpy(out + n, l4, l4_len);
    return n + l4_len;
}

/* Sum up again what a row has changed: the header of `base`, or what is behind it. */
static void mend(uint8_t *b, size_t len, const struct bad *bad)
{
    size_t ip_len = 20 + options_of(bad->base), l4_len = len - ip_len;
    struct addr src = addr_v4_bytes(b + 12), dst = addr_v4_bytes(b + 16);
    uint8_t *l4 = b + ip_len;
    size_t field = is_icmp(bad->base) ? 2 : bad->base == IP_UDP ? 6 : 16;
    uint32_t sum = is_icmp(bad->base) ? 0 : ip_pseudo_sum(&src, &dst, b[9], (uint32_t)l4_len);

    if (bad->mend & L4) {
        put16(l4 + field, 0);
        put16(l4 + field, checksum_finish(checksum_add(sum, l4, l4_len)));
    }
    if (bad->mend & IP) {
        put16(b + 10, 0);
        put16(b + 10, checksum_finish(checksum_add(0, b, ip_len)));
    }
}

static size_t spoil(uint8_t b[PACKET_MAX], const struct ends *ends, const struct bad *bad)
{
    size_t len = build(b, ends, bad->base);

    for (unsigned i = 0; i < EDITS && bad->edit[i].width; i++) {
        uint8_t *at = b + bad->edit[i].at;
        if (bad->edit[i].width == 1)
            *at = (uint8_t)bad->edit[i].value;
        else if (bad->edit[i].width == 2)
            put16(at, (uint16_t)bad->edit[i].value);
        else
            put32(at, bad->edit[i].value);
    }
    mend(b, len, bad);
    return bad->cut == WHOLE ? len : (size_t)bad->cut;
}

int main(int argc, char **argv)
{
    unsigned expected[REASON_COUNT] = {0};
    struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP)};
    struct ends ends;
    int fd;

    if (argc != 4 || parse_addr4(argv[2], &ends.src) < 0 || parse_addr4(argv[3], &ends.dst) < 0) {
        fprintf(stderr, "inject: usage: inject DEVICE SOURCE DESTINATION\n");
        return EXIT_USAGE;
    }
    to.sll_ifindex = (int)if_nametoindex(argv[1]);
    fd = socket(AF_PACKET, SOCK_RAW, 0);
    if (to.sll_ifindex == 0 || fd < 0) {
        fprintf(stderr, "inject: %s: %s\n", argv[1], strerror(errno));
        return EXIT_FAILED;
    }
    for (unsigned i = 0; i < BADS; i++) {
        uint8_t b[PACKET_MAX];
        size_t len = spoil(b, &ends, &bads[i]);

        if (sendto(fd, b, len, 0, (const struct sockaddr *)&to, sizeof(to)) != (ssize_t)len) {
            fprintf(stderr, "inject: %s: %s\n", bads[i].what, strerror(errno));
            return EXIT_FAILED;
        }
        expected[bads[i].reason]++;
    }
    for (unsigned r = 0; r < REASON_COUNT; r++)
        if (expected[r])
            printf("%s %u\n", reason_text((enum reason)r)->name, expected[r]);
    close(fd);
    return EXIT_DONE;
}
