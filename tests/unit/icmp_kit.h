/*
 * ICMP errors for a connection of tcp_kit.h, as a router sends them, in the version that the test
 * speaks: what they quote is a segment of `flow`, unless the test says otherwise.
 */
#ifndef TESTS_UNIT_ICMP_KIT_H
#define TESTS_UNIT_ICMP_KIT_H

#include "tcp_kit.h"
#include "wire/icmp.h"

enum {
    REMOTE_V4 = 0x0a000007,
    SILENT = 40, /* bytes of a packet without text */
};

/* What an error says and quotes; zeros are a true quote of what this flow sends. */
struct err {
    uint8_t type, code;
    uint32_t seq;  /* relative */
    uint32_t mtu;  /* bytes */
    uint32_t size; /* bytes of the quoted packet; 0: SILENT */
    uint16_t other_port;
    uint32_t other_addr;
    bool fragments; /* the quoted packet allowed them */
    uint8_t proto;  /* of the quoted packet; 0: TCP */
};

static inline enum reason rig_icmp(struct err e)
{
    uint8_t b[128] = {0};
    struct addr router = rig.v6 ? (struct addr){.b = {0xfd, [15] = 1}} : addr_v4(0x0a000001);
    struct ip_hdr ip = {.src = router,
                        .dst = LOCAL_ADDR,
                        .version = rig.v6 ? 6 : 4,
                        .ttl = 64,
                        .proto = rig.v6 ? IP_PROTO_ICMP6 : IP_PROTO_ICMP};
    struct ip_hdr quoted = {.src = LOCAL_ADDR,
                            .dst = e.other_addr ? addr_v4(e.other_addr) : REMOTE_ADDR,
                            .version = ip.version,
                            .ttl = 63,
                            .proto = e.proto ? e.proto : IP_PROTO_TCP,
                            .df = !e.fragments};
    uint32_t header = (uint32_t)ip_build_len(&ip);
    uint8_t *icmp = b + header, *quote = icmp + ICMP_HEADER;
    struct slice s = {NULL, quote, header + ICMP_QUOTE_MIN};

    ip_build(quote, &quoted, (e.size ? e.size : SILENT) - header);
    put16(quote + header, flow.local_port);
    put16(quote + header + 2, e.other_port ? e.other_port : flow.remote_port);
    put32(quote + header + 4, flow.iss + e.seq);
    if (rig.v6)
        icmp6_build(icmp, &ip.src, &ip.dst, e.type, e.code, e.mtu, &s, 1);
    else
        icmp_build(icmp, e.type, e.code, e.mtu, &s, 1);
    ip_build(b, &ip, ICMP_HEADER + s.len);
    return rig_input(b, header + ICMP_HEADER + s.len);
}

/* An error arrives, and does its work, or is dropped for a reason. */
#define icmp(...)           AT(rig_reason("the error", rig_icmp((struct err){__VA_ARGS__}), REASON_NONE))
#define icmp_drop(why, ...) AT(rig_reason("the error", rig_icmp((struct err){__VA_ARGS__}), why))

/* "Fragmentation needed", or "packet too big". */
static inline struct err rig_too_big(uint32_t seq, uint32_t mtu, uint32_t size)
{
    struct err e = {.type = ICMP_UNREACHABLE,
                    .code = ICMP_UNREACH_NEEDFRAG,
                    .seq = seq,
                    .mtu = mtu,
                    .size = size};

    if (rig.v6)
        e.type = ICMP6_TOO_BIG, e.code = 0;
    return e;
}

#define too_big(seq, mtu, size)                                                                    \
    AT(rig_reason("the error", rig_icmp(rig_too_big(seq, mtu, size)), REASON_NONE))
#define too_big_drop(why, seq, mtu, size)                                                          \
    AT(rig_reason("the error", rig_icmp(rig_too_big(seq, mtu, size)), why))

#endif
