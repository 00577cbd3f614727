/*
 * live DEVICE CLIENT NODE PORT: strike at a connection that is alive. Listens on DEVICE until NODE
 * sends data from PORT to CLIENT, learns from that the connection's ports and sequence numbers, and
 * then writes segments into it, as the kernel would send them there: all that a connection must
 * drop, with nothing wrong but what the row says, and some that it must take without harm.
 *
 * "listening" on standard error says that the data may be sent. For each reason the program prints
 * one line, "NAME COUNT": how often the node must have counted it because of this run.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
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

enum {
    FAR = 0x40000000,  /* bytes: in no window, on either side */
    OPTIONS_MAX = 16,  /* bytes in a row */
    DATA = 8,          /* bytes that a row with data carries; none of them may arrive */
    QUIET = 100,       /* ms without a packet after which everything has been learned */
    PATIENCE = 10000,  /* ms to wait for the first */
    PACKET_MAX = 2048, /* bytes */
};

/* What is changed in a segment that would be next, acknowledging everything. */
struct row {
    const char *what;
    enum reason reason; /* REASON_NONE: it is taken, and does no harm */
    uint8_t flags;
    uint32_t seq, ack; /* added to the right numbers */
    bool data;
    uint16_t urg;
    uint8_t option[OPTIONS_MAX]; /* in multiples of 4 bytes, the first not 0 */
    uint8_t option_len;
    bool bad_checksum;
    uint8_t offset; /* the data offset in words; 0: the right one */
    bool unstamped; /* no timestamp, where the connection speaks them */
    uint32_t older; /* ms: so much before the last timestamp */
};

static const struct row rows[] = {
    /* RFC 5961 section 3: a reset must hit RCV.NXT exactly */
    {.what = "RST just in the window", REASON_TCP_RST_CHALLENGED, TCP_RST, .seq = 1},
    {.what = "RST deep in the window", REASON_TCP_RST_CHALLENGED, TCP_RST, .seq = 60000},
    {.what = "RST+ACK in the window", REASON_TCP_RST_CHALLENGED, TCP_RST | TCP_ACK, .seq = 100},
    {.what = "RST with data", REASON_TCP_RST_CHALLENGED, TCP_RST, .seq = 7, .data = true},
    {.what = "RST just before the window", REASON_TCP_SEQUENCE, TCP_RST, .seq = -1u},
    {.what = "RST far away", REASON_TCP_SEQUENCE, TCP_RST, .seq = FAR},
    {.what = "RST far behind", REASON_TCP_SEQUENCE, TCP_RST | TCP_ACK, .seq = -(uint32_t)FAR},
    /* section 4: a SYN never does anything */
    {.what = "SYN in place", REASON_TCP_SYN_CHALLENGED, TCP_SYN},
    {.what = "SYN in the window", REASON_TCP_SYN_CHALLENGED, TCP_SYN, .seq = 1000},
    {.what = "SYN far away", REASON_TCP_SYN_CHALLENGED, TCP_SYN, .seq = FAR},
    {.what = "SYN+ACK in place", REASON_TCP_SYN_CHALLENGED, TCP_SYN | TCP_ACK},
    {.what = "SYN+URG with data", REASON_TCP_SYN_CHALLENGED, TCP_SYN | TCP_URG, 1, .data = true},
    /* RFC 7323 sections 3.2 and 5.3, if the connection speaks timestamps: both judge before the
     * sequence number */
    {.what = "data without a timestamp",
     REASON_TCP_NO_TIMESTAMP,
     TCP_ACK,
     .data = true,
     .unstamped = true},
    {.what = "FIN without one", REASON_TCP_NO_TIMESTAMP, TCP_ACK | TCP_FIN, FAR, .unstamped = true},
    {.what = "an old timestamp", REASON_TCP_PAWS, TCP_ACK, .data = true, .older = 1},
    {.what = "a very old one", REASON_TCP_PAWS, TCP_ACK | TCP_FIN, FAR, .older = FAR},
    {.what = "RST in the window, without one",
     REASON_TCP_RST_CHALLENGED,
     TCP_RST,
     .seq = 2,
     .unstamped = true},
    /* the sequence number */
    {.what = "data far ahead", REASON_TCP_SEQUENCE, TCP_ACK | TCP_PSH, FAR, .data = true},
    {.what = "data far behind", REASON_TCP_SEQUENCE, TCP_ACK, -(uint32_t)FAR, .data = true},
    {.what = "data just behind", REASON_TCP_SEQUENCE, TCP_ACK, -(uint32_t)DATA, .data = true},
    {.what = "an ACK far ahead", REASON_TCP_SEQUENCE, TCP_ACK, .seq = FAR},
    {.what = "FIN far ahead", REASON_TCP_SEQUENCE, TCP_ACK | TCP_FIN, .seq = FAR},
    {.what = "FIN far behind", REASON_TCP_SEQUENCE, TCP_ACK | TCP_FIN, .seq = -(uint32_t)FAR},
    {.what = "FIN+URG far ahead", REASON_TCP_SEQUENCE, TCP_ACK | TCP_FIN | TCP_URG, FAR, .urg = 1},
    /* RFC 5961 section 5: the acknowledgment of data that lies in place */
    {.what = "ACK of one byte never sent", REASON_TCP_ACK_FUTURE, TCP_ACK, .ack = 1},
    {.what = "ACK of much never sent", REASON_TCP_ACK_FUTURE, TCP_ACK, 0, FAR, .data = true},
    {.what = "FIN with such an ACK", REASON_TCP_ACK_FUTURE, TCP_ACK | TCP_FIN, .ack = 1},
    {.what = "ACK too old", REASON_TCP_ACK_OLD, TCP_ACK, 0, -(uint32_t)FAR, .data = true},
    {.what = "FIN with such an ACK", REASON_TCP_ACK_OLD, TCP_ACK | TCP_FIN, 0, -(uint32_t)FAR},
    /* flags */
    {.what = "data without ACK", REASON_TCP_NO_ACK, TCP_PSH, .data = true},
    {.what = "FIN alone", REASON_TCP_NO_ACK, TCP_FIN},
    {.what = "URG alone", REASON_TCP_NO_ACK, TCP_URG, .urg = 65535},
    {.what = "FIN+URG", REASON_TCP_NO_ACK, TCP_FIN | TCP_URG, .urg = 1},
    {.what = "FIN+PSH+URG with data", REASON_TCP_NO_ACK, TCP_FIN | TCP_PSH | TCP_URG, .data = true},
    {.what = "no flags", REASON_TCP_FLAGS, 0},
    {.what = "no flags, data", REASON_TCP_FLAGS, 0, .data = true},
    {.what = "SYN+FIN", REASON_TCP_FLAGS, TCP_SYN | TCP_FIN | TCP_ACK},
    {.what = "SYN+RST", REASON_TCP_FLAGS, TCP_SYN | TCP_RST},
    {.what = "all flags", REASON_TCP_FLAGS, 0xff},
    /* options and other parts of the header */
    {.what = "option of length 0",
     REASON_TCP_OPTION,
     TCP_ACK,
     .data = true,
     .option = {2, 0, 5, 0},
     .option_len = 4},
    {.what = "option of length 1",
     REASON_TCP_OPTION,
     TCP_ACK | TCP_FIN,
     .option = {253, 1, 1, 1},
     .option_len = 4},
    {.what = "option beyond",
     REASON_TCP_OPTION,
     TCP_ACK,
     .data = true,
     .option = {1, 1, 8, 10},
     .option_len = 4},
    {.what = "MSS of 3 bytes with a RST in place",
     REASON_TCP_OPTION,
     TCP_RST,
     .option = {2, 3, 1, 1},
     .option_len = 4},
    {.what = "bad checksum", REASON_TCP_CHECKSUM, TCP_ACK, .data = true, .bad_checksum = true},
    {.what = "bad checksum, RST in place", REASON_TCP_CHECKSUM, TCP_RST, .bad_checksum = true},
    {.what = "data offset 4", REASON_TCP_DATA_OFFSET, TCP_RST, .offset = 4},
    {.what = "data offset beyond", REASON_TCP_DATA_OFFSET, TCP_ACK, .data = true, .offset = 15},
    /* what is odd and legal: an ACK that says nothing new */
    {.what = "unknown options",
     REASON_NONE,
     TCP_ACK,
     .option = {253, 3, 0, 254, 4, 1, 2, 1},
     .option_len = 8},
    {.what = "options of a SYN",
     REASON_NONE,
     TCP_ACK,
     .option = {2, 4, 0, 0, 3, 3, 255, 0},
     .option_len = 8},
    {.what = "SACK of nothing, reversed",
     REASON_NONE,
     TCP_ACK,
     .option = {1, 1, 5, 10, 0, 0, 0, 9, 0, 0, 0, 1},
     .option_len = 12},
    {.what = "URG beyond everything", REASON_NONE, TCP_ACK | TCP_URG, .urg = 65535},
    {.what = "ECE and CWR", REASON_NONE, TCP_ACK | TCP_ECE | TCP_CWR},
};

/* ICMP errors for the connection, while nothing is in flight; the last is one that is counted. */
struct error {
    enum reason reason;
    uint8_t type, code;
    uint32_t seq; /* added to the number of what comes next */
    uint32_t mtu; /* bytes */
    uint16_t port;
    uint8_t proto; /* of the quoted packet; 0: TCP */
    bool others;   /* not sent by the node */
};

static const struct error errors[] = {
    {REASON_ICMP_QUOTE, ICMP_UNREACHABLE, ICMP_UNREACH_PORT, .seq = -1u, .port = 1},
    {REASON_ICMP_QUOTE, ICMP_UNREACHABLE, ICMP_UNREACH_NEEDFRAG, .mtu = 576, .port = 1},
    {REASON_ICMP_QUOTE, ICMP_UNREACHABLE, ICMP_UNREACH_PROTOCOL, .seq = -1u, .others = true},
    {REASON_ICMP_QUOTE, ICMP_UNREACHABLE, ICMP_UNREACH_PORT, .proto = IP_PROTO_ICMP},
    {REASON_ICMP_SOURCE_QUENCH, ICMP_SOURCE_QUENCH, .seq = 0},
    {REASON_ICMP_TYPE, ICMP_REDIRECT, .code = 1},
    {REASON_ICMP_TYPE, ICMP_UNREACHABLE, .code = 16},
    {REASON_ICMP_SEQUENCE, ICMP_UNREACHABLE, ICMP_UNREACH_HOST, .seq = 0},
    {REASON_ICMP_SEQUENCE, ICMP_UNREACHABLE, ICMP_UNREACH_PROTOCOL, .seq = -1u},
    {REASON_ICMP_SEQUENCE, ICMP_UNREACHABLE, ICMP_UNREACH_PORT, .seq = 0},
    {REASON_ICMP_SEQUENCE, ICMP_UNREACHABLE, ICMP_UNREACH_PORT, .seq = -1u},
    {REASON_ICMP_SEQUENCE, ICMP_UNREACHABLE, ICMP_UNREACH_PORT, .seq = FAR},
    {REASON_ICMP_SEQUENCE, ICMP_UNREACHABLE, ICMP_UNREACH_NEEDFRAG, .seq = -1u, .mtu = 0},
    {REASON_ICMP_SEQUENCE, ICMP_UNREACHABLE, ICMP_UNREACH_NEEDFRAG, .seq = -1u, .mtu = 68},
    {REASON_ICMP_SEQUENCE, ICMP_UNREACHABLE, ICMP_UNREACH_NEEDFRAG, .seq = 0, .mtu = 576},
    {REASON_ICMP_SEQUENCE, ICMP_UNREACHABLE, ICMP_UNREACH_NEEDFRAG, .seq = -(uint32_t)FAR,
     .mtu = 1},
    {REASON_ICMP_SEQUENCE, ICMP_TIME_EXCEEDED, .seq = FAR},
    {REASON_ICMP_SEQUENCE, ICMP_PARAM_PROBLEM, .seq = -1u},
};

enum {
    ROWS = sizeof(rows) / sizeof(rows[0]),
    ERRORS = sizeof(errors) / sizeof(errors[0]),
    SEGMENT = 1500, /* bytes of the packets that errors quote */
};

/* The connection as its next segment from the client would have it. */
struct conn {
    struct addr client, node;
    uint16_t client_port, node_port;
    uint32_t seq, ack;
    uint16_t wnd;
    bool known, stamped;
    uint32_t client_clock, node_clock; /* the last timestamps of both */
};

static int device; /* a packet socket */
static struct sockaddr_ll to = {.sll_family = AF_PACKET};

/* ---- learning ---- */

static void learn_segment(struct conn *c, const struct ip_hdr *ip, const struct tcp_hdr *tcp,
                          uint32_t data_len)
{
    if (addr_eq(&ip->src, &c->node) && tcp->sport == c->node_port) {
        c->known = c->known || data_len > 0;
        c->client_port = tcp->dport;
        c->seq = tcp->ack;
        c->ack = tcp->seq + data_len;
        c->node_clock = tcp->opt.ts_val;
    } else if (addr_eq(&ip->src, &c->client) && tcp->dport == c->node_port) {
        c->wnd = tcp->wnd;
        c->stamped = tcp->opt.has_timestamp;
        c->client_clock = tcp->opt.ts_val;
    }
}

static void learn_packet(struct conn *c, const uint8_t *b, size_t len)
{
    struct ip_hdr ip;
    struct tcp_hdr tcp;
    uint32_t l4_len;

    if (ip_parse(b, len, &ip) || ip.proto != IP_PROTO_TCP)
        return;
    l4_len = (uint32_t)ip.total_len - ip.header_len;
    /* the sender's checksum may not be filled in yet */
    if (tcp_parse(&ip, b + ip.header_len, l4_len, PKT_CSUM_VALID, &tcp))
        return;
    learn_segment(c, &ip, &tcp, l4_len - tcp.header_len);
}

/* Listen until data came from the node and then nothing more for a while. */
static bool learn(struct conn *c)
{
    struct pollfd p = {.fd = device, .events = POLLIN};

    fprintf(stderr, "listening\n");
    while (poll(&p, 1, c->known ? QUIET : PATIENCE) > 0) {
        uint8_t b[PACKET_MAX];
        ssize_t n = recv(device, b, sizeof(b), 0);

        if (n > 0)
            learn_packet(c, b, (size_t)n);
    }
    return c->known;
}

/* ---- striking ---- */

static bool put(const struct conn *c, uint8_t proto, const uint8_t *l4, size_t l4_len)
{
    struct ip_hdr ip = {.version = 4, .ttl = 64, .proto = proto, .src = c->client, .dst = c->node};
    uint8_t b[PACKET_MAX];
    size_t n = ip_build(b, &ip, l4_len);

    memcpy(b + n, l4, l4_len);
    n += l4_len;
    if (sendto(device, b, n, 0, (const struct sockaddr *)&to, sizeof(to)) == (ssize_t)n)
        return true;
    fprintf(stderr, "live: %s\n", strerror(errno));
    return false;
}

/* The row's options, behind a timestamp where one belongs. Returns their length. */
static size_t put_row_options(uint8_t *b, const struct conn *c, const struct row *row)
{
    static const uint8_t stamp[4] = {TCP_OPT_NOP, TCP_OPT_NOP, TCP_OPT_TIMESTAMP, 10};
    size_t len = 0;

    if (c->stamped && !row->unstamped) {
        memcpy(b, stamp, sizeof(stamp));
        put32(b + 4, c->client_clock - row->older);
        put32(b + 8, c->node_clock);
        len = 12;
    }
    memcpy(b + len, row->option, row->option_len);
    return len + row->option_len;
}

static bool put_row(const struct conn *c, const struct row *row)
{
    uint8_t b[TCP_HEADER_MAX + DATA] = {0};
    size_t header = TCP_HEADER_MIN + put_row_options(b + TCP_HEADER_MIN, c, row);
    size_t len = header + (row->data ? DATA : 0);
    uint32_t sum = ip_pseudo_sum(&c->client, &c->node, IP_PROTO_TCP, (uint32_t)len);

    put16(b, c->client_port);
    put16(b + 2, c->node_port);
    put32(b + 4, c->seq + row->seq);
    put32(b + 8, c->ack + row->ack);
    b[12] = (uint8_t)((row->offset ? row->offset : header / 4) << 4);
    b[13] = row->flags;
    put16(b + 14, row->reason == REASON_NONE ? c->wnd : 0); /* a closed window would be noticed */
    put16(b + 18, row->urg);
    memset(b + header, 'X', len - header);
    put16(b + 16, checksum_finish(checksum_add(sum, b, len)) ^ (row->bad_checksum ? 1 : 0));
    return put(c, IP_PROTO_TCP, b, len);
}

/*
 * An error about a segment of the node's, which would be believed if what it quotes were in flight,
 * or were the connection's at all (RFC 5927 section 4).
 */
static bool put_icmp(const struct conn *c, const struct error *e)
{
    struct ip_hdr ip = {.version = 4,
                        .ttl = 64,
                        .proto = e->proto ? e->proto : IP_PROTO_TCP,
                        .df = true,
                        .src = e->others ? c->client : c->node,
                        .dst = c->client};
    uint8_t b[ICMP_HEADER + IPV4_HEADER_MIN + ICMP_QUOTE_MIN];
    uint8_t *quote = b + ICMP_HEADER,
            *tcp = quote + ip_build(quote, &ip, SEGMENT - IPV4_HEADER_MIN);
    struct slice message = {NULL, quote, sizeof(b) - ICMP_HEADER};

    put16(tcp, c->node_port);
    put16(tcp + 2, (uint16_t)(c->client_port + e->port));
    put32(tcp + 4, c->ack + e->seq);
    icmp_build(b, e->type, e->code, e->mtu, &message, 1);
    return put(c, IP_PROTO_ICMP, b, sizeof(b));
}

static bool strike(const struct conn *c, unsigned expected[REASON_COUNT])
{
    for (unsigned i = 0; i < ROWS; i++) {
        if (!c->stamped && (rows[i].unstamped || rows[i].older))
            continue;
        if (!put_row(c, &rows[i]))
            return false;
        expected[rows[i].reason]++;
    }
    for (unsigned i = 0; i < ERRORS; i++) {
        if (!put_icmp(c, &errors[i]))
            return false;
        expected[errors[i].reason]++;
    }
    return true;
}

static bool open_device(const char *name)
{
    to.sll_ifindex = (int)if_nametoindex(name);
    to.sll_protocol = htons(ETH_P_IP);
    device = socket(AF_PACKET, SOCK_RAW, 0);
    if (to.sll_ifindex == 0 || device < 0)
        return false;
    to.sll_protocol = htons(ETH_P_ALL); /* to hear what is sent, too */
    if (bind(device, (const struct sockaddr *)&to, sizeof(to)) < 0)
        return false;
    to.sll_protocol = htons(ETH_P_IP);
    return true;
}

int main(int argc, char **argv)
{
    unsigned expected[REASON_COUNT] = {0};
    struct conn c = {0};
    int port = argc == 5 ? atoi(argv[4]) : 0;

    if (argc != 5 || parse_addr4(argv[2], &c.client) < 0 || parse_addr4(argv[3], &c.node) < 0 ||
        port < 1 || port > 65535) {
        fprintf(stderr, "live: usage: live DEVICE CLIENT NODE PORT\n");
        return EXIT_USAGE;
    }
    c.node_port = (uint16_t)port;
    if (!open_device(argv[1])) {
        fprintf(stderr, "live: %s: %s\n", argv[1], strerror(errno));
        return EXIT_FAILED;
    }
    if (!learn(&c)) {
        fprintf(stderr, "live: no data from port %d\n", port);
        return EXIT_FAILED;
    }
    if (!strike(&c, expected))
        return EXIT_FAILED;
    for (unsigned r = REASON_NONE + 1; r < REASON_COUNT; r++)
        if (expected[r])
            printf("%s %u\n", reason_text((enum reason)r)->name, expected[r]);
    close(device);
    return EXIT_DONE;
}
