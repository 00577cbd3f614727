/* What the tests of the TCP header share: a parsed IP header, a checked parse, a right checksum. */
#ifndef TESTS_UNIT_TCP_WIRE_KIT_H
#define TESTS_UNIT_TCP_WIRE_KIT_H

#include "wire/tcp.h"
#include "wire_check.h"

/* 10.0.0.7:50000 to 10.0.1.5:8000, a SYN with every option of a handshake, checked with tcpdump. */
static const uint8_t syn[40] = {
    0xc3, 0x50, 0x1f, 0x40, 0xff, 0xff, 0xff, 0xf0, 0x00, 0x00, 0x00, 0x00, 0xa0, 0x02,
    0xfa, 0xf0, 0x11, 0x1c, 0x00, 0x00, 0x02, 0x04, 0x05, 0xb4, 0x04, 0x02, 0x08, 0x0a,
    0x11, 0x22, 0x33, 0x44, 0x00, 0x00, 0x00, 0x00, 0x01, 0x03, 0x03, 0x07,
};

static inline struct ip_hdr lab(void)
{
    return (struct ip_hdr){.src = addr_v4(0x0a000007),
                           .dst = addr_v4(0x0a000105),
                           .version = 4,
                           .proto = IP_PROTO_TCP};
}

static inline enum reason parse(const char *step, const uint8_t *b, size_t len, uint16_t marks,
                                struct tcp_hdr *ret_tcp)
{
    struct ip_hdr ip = lab();
    enum reason why;

    memset(ret_tcp, UNTOUCHED, sizeof(*ret_tcp));
    why = tcp_parse(&ip, exact_copy(b, len), len, marks, ret_tcp);
    if (why != REASON_NONE)
        expect_untouched(step, ret_tcp, sizeof(*ret_tcp));
    return why;
}

static inline void fix_checksum(uint8_t *b, size_t len)
{
    struct ip_hdr ip = lab();
    uint32_t pseudo = ip_pseudo_sum(&ip.src, &ip.dst, IP_PROTO_TCP, (uint32_t)len);

    put16(b + 16, 0);
    put16(b + 16, checksum_residue(pseudo, b, len));
}

#endif
