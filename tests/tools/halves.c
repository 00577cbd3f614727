/*
 * halves DEVICE SOURCE DESTINATION COUNT PER_SECOND [second]: write COUNT fragments to a device, as
 * the kernel would send them there, so that the node behind a TUN reads them: each the first half
 * of a datagram whose second half never comes; or, with "second", the other half of one whose first
 * was sent by an earlier run. Both addresses are IPv4's, or both are IPv6's.
 *
 * At most 100,000 of them, 20,000 in a second: this is for a private network namespace.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/time.h"
#include "run/exit.h"
#include "wire/ip.h"

enum {
    HALF = 1400, /* bytes */
    COUNT_MAX = 100000,
    RATE_MAX = 20000,
    TICKS = 100, /* in a second */
};

static bool read_addr(const char *text, struct addr *ret)
{
    struct in_addr v4;

    if (inet_pton(AF_INET6, text, ret->b) == 1)
        return true;
    if (inet_pton(AF_INET, text, &v4) != 1)
        return false;
    *ret = addr_v4(ntohl(v4.s_addr));
    return true;
}

static int complain(const char *what)
{
    fprintf(stderr, "halves: %s: %s\n", what, strerror(errno));
    return EXIT_FAILED;
}

int main(int argc, char **argv)
{
    static uint8_t b[IPV6_HEADER + IPV6_FRAGMENT_HEADER + HALF];
    struct ip_hdr ip = {.ttl = 64, .proto = IP_PROTO_UDP, .mf = true};
    struct sockaddr_ll to = {.sll_family = AF_PACKET};
    const struct timespec tick = {.tv_nsec = SEC / TICKS};
    bool second = argc == 7 && strcmp(argv[6], "second") == 0;
    long count = argc > 5 ? atol(argv[4]) : 0, rate = argc > 5 ? atol(argv[5]) : 0;
    int fd;

    if ((argc != 6 && !second) || !read_addr(argv[2], &ip.src) || !read_addr(argv[3], &ip.dst) ||
        addr_is_v4(&ip.src) != addr_is_v4(&ip.dst) || count < 1 || count > COUNT_MAX ||
        rate < TICKS || rate > RATE_MAX) {
        fprintf(stderr, "halves: usage: halves DEVICE SOURCE DESTINATION COUNT PER_SECOND "
                        "[second]\n");
        return EXIT_USAGE;
    }
    ip.version = addr_is_v4(&ip.src) ? 4 : 6;
    if (second) {
        ip.frag_off = HALF;
        ip.mf = false;
    }
    to.sll_protocol = htons(ip.version == 4 ? ETH_P_IP : ETH_P_IPV6);
    to.sll_ifindex = (int)if_nametoindex(argv[1]);
    fd = socket(AF_PACKET, SOCK_RAW, 0);
    if (to.sll_ifindex == 0 || fd < 0)
        return complain(argv[1]);
    for (long i = 0; i < count; i++) {
        size_t len;

        ip.id = (uint32_t)i;
        len = ip_build(b, &ip, HALF) + HALF;
        if (sendto(fd, b, len, 0, (const struct sockaddr *)&to, sizeof(to)) != (ssize_t)len)
            return complain("cannot send");
        if (i % (rate / TICKS) == 0)
            nanosleep(&tick, NULL);
    }
    close(fd);
    return EXIT_DONE;
}
