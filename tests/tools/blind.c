/*
 * blind DEVICE PEER NODE PORT MS: strike at a connection while it carries a transfer. Listens on
 * DEVICE for packets between the two addresses in which one port is PORT; from those it knows the
 * ports, what NODE expects next and what NODE has sent. For so long it writes segments to DEVICE as
 * if PEER had sent them: resets and SYNs in NODE's window and around it, and data whose
 * acknowledgment is out of range. That is more than a blind attacker could know; each is to be
 * dropped all the same.
 *
 * NODE has to be the one that sends: then what it expects stands still, and no strike is right by
 * accident. "listening" on standard error says that the transfer may begin. Prints how many strikes
 * of each kind there were: "RST n SYN n DATA n".
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

#include "base/rng.h"
#include "base/seq.h"
#include "base/time.h"
#include "run/address.h"
#include "run/clock.h"
#include "run/exit.h"
#include "wire/ip.h"
#include "wire/tcp.h"

enum {
    PACKET_MAX = 2048, /* bytes */
    PATIENCE = 10000,  /* ms to wait for the transfer */
    PAUSE = 1,         /* ms between two rounds */
    DATA = 10,         /* bytes of it in a strike; none of them may arrive */
    INSIDE = 20000,    /* bytes: certainly in the window */
    FAR = 0x40000000,  /* bytes: in no window */
    MS_MAX = 60000,
};

/* The connection as PEER sees it. */
struct conn {
    struct addr peer, node;
    uint16_t port, peer_port, node_port;
    uint32_t rcv_nxt; /* what NODE expects */
    uint32_t snd_nxt; /* what NODE sends next */
    uint32_t sent;    /* bytes of NODE's that were seen */
    bool has_timestamps;
    uint32_t ts_val, ts_ecr; /* of PEER's last */
};

static int device; /* a packet socket */
static struct sockaddr_ll to = {.sll_family = AF_PACKET};

static void learn(struct conn *c, const uint8_t *b, size_t n)
{
    struct ip_hdr ip;
    struct tcp_hdr tcp;
    uint32_t len;

    if (ip_parse(b, n, &ip) || ip.proto != IP_PROTO_TCP ||
        tcp_parse(&ip, b + ip.header_len, (size_t)(ip.total_len - ip.header_len), PKT_CSUM_VALID,
                  &tcp) ||
        (tcp.sport != c->port && tcp.dport != c->port))
        return;
    len = (uint32_t)(ip.total_len - ip.header_len) - tcp.header_len;
    if (addr_eq(&ip.src, &c->node) && addr_eq(&ip.dst, &c->peer)) {
        c->peer_port = tcp.dport;
        c->node_port = tcp.sport;
        c->rcv_nxt = tcp.ack;
        if (c->sent == 0 || seq_gt(tcp.seq + len, c->snd_nxt))
            c->snd_nxt = tcp.seq + len;
        c->sent += len;
    } else if (addr_eq(&ip.src, &c->peer) && tcp.opt.has_timestamp) {
        c->has_timestamps = true;
        c->ts_val = tcp.opt.ts_val;
        c->ts_ecr = tcp.opt.ts_ecr;
    }
}

/* All that was seen meanwhile; our own strikes, too, which say nothing new. */
static void listen_for(struct conn *c, int ms)
{
    struct pollfd p = {.fd = device, .events = POLLIN};

    while (poll(&p, 1, ms) > 0) {
        uint8_t b[PACKET_MAX];
        struct sockaddr_ll from;
        socklen_t from_len = sizeof(from);
        ssize_t n = recvfrom(device, b, sizeof(b), 0, (struct sockaddr *)&from, &from_len);

        if (n > 0)
            learn(c, b, (size_t)n);
        ms = 0;
    }
}

static bool put(const struct conn *c, uint8_t flags, uint32_t seq, uint32_t ack, uint32_t len)
{
    uint8_t b[PACKET_MAX], text[DATA];
    struct slice data = {NULL, text, len};
    struct ip_hdr ip = {
        .src = c->peer, .dst = c->node, .version = 4, .ttl = 64, .proto = IP_PROTO_TCP, .df = true};
    struct tcp_hdr tcp = {
        .sport = c->peer_port,
        .dport = c->node_port,
        .seq = seq,
        .ack = flags & TCP_ACK ? ack : 0,
        .flags = flags,
        .opt = {.has_timestamp = c->has_timestamps && !(flags & TCP_SYN),
                .ts_val = c->ts_val,
                .ts_ecr = c->ts_ecr},
    };
    size_t n, header;

    memset(text, 'X', sizeof(text));
    header = tcp_build(b + IPV4_HEADER_MIN, &c->peer, &c->node, &tcp, 0, &data, len ? 1 : 0);
    n = ip_build(b, &ip, header + len) + header;
    memcpy(b + n, text, len);
    n += len;
    return sendto(device, b, n, 0, (const struct sockaddr *)&to, sizeof(to)) == (ssize_t)n ||
           errno == ENOBUFS;
}

static bool strike(const struct conn *c, struct rng *rng)
{
    uint32_t inside = c->rcv_nxt + 1 + rng_below(rng, INSIDE);

    return put(c, TCP_RST, inside, 0, 0) && put(c, TCP_RST | TCP_ACK, inside, c->snd_nxt, 0) &&
           put(c, TCP_RST, c->rcv_nxt - 1, 0, 0) && put(c, TCP_SYN, inside, 0, 0) &&
           put(c, TCP_SYN, c->rcv_nxt, 0, 0) && put(c, TCP_SYN | TCP_ACK, inside, c->snd_nxt, 0) &&
           put(c, TCP_ACK, c->rcv_nxt, c->snd_nxt + FAR, DATA) &&
           put(c, TCP_ACK, c->rcv_nxt, c->snd_nxt - FAR, DATA) &&
           put(c, TCP_ACK | TCP_FIN, c->rcv_nxt, c->snd_nxt + FAR, DATA);
}

static bool open_device(const char *name)
{
    to.sll_ifindex = (int)if_nametoindex(name);
    to.sll_protocol = htons(ETH_P_ALL);
    device = socket(AF_PACKET, SOCK_RAW, 0);
    if (to.sll_ifindex == 0 || device < 0 ||
        bind(device, (const struct sockaddr *)&to, sizeof(to)) < 0)
        return false;
    to.sll_protocol = htons(ETH_P_IP);
    return true;
}

int main(int argc, char **argv)
{
    int port = argc == 6 ? atoi(argv[4]) : 0, ms = argc == 6 ? atoi(argv[5]) : 0;
    struct conn c = {.port = (uint16_t)port};
    struct rng rng = {.state = 1};
    unsigned long rounds = 0;
    int64_t until;

    if (argc != 6 || parse_addr4(argv[2], &c.peer) < 0 || parse_addr4(argv[3], &c.node) < 0 ||
        port < 1 || port > 65535 || ms < 1 || ms > MS_MAX) {
        fprintf(stderr, "blind: usage: blind DEVICE PEER NODE PORT MS\n");
        return EXIT_USAGE;
    }
    if (!open_device(argv[1])) {
        fprintf(stderr, "blind: %s: %s\n", argv[1], strerror(errno));
        return EXIT_FAILED;
    }
    fprintf(stderr, "listening\n");
    until = clock_now() + PATIENCE * MSEC;
    while (c.sent < DATA && clock_now() < until)
        listen_for(&c, 100);
    if (c.sent < DATA) {
        fprintf(stderr, "blind: there was no transfer\n");
        return EXIT_FAILED;
    }
    until = clock_now() + ms * MSEC;
    for (; clock_now() < until; rounds++) {
        if (!strike(&c, &rng)) {
            fprintf(stderr, "blind: %s\n", strerror(errno));
            return EXIT_FAILED;
        }
        listen_for(&c, PAUSE);
    }
    printf("RST %lu SYN %lu DATA %lu\n", 3 * rounds, 3 * rounds, 3 * rounds);
    close(device);
    return EXIT_DONE;
}
