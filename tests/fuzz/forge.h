/*
 * Packets put together field by field, and not by the code under test, so that each can be anything
 * but for its checksums, which are right. What is wrong on purpose is made wrong afterwards.
 */
#ifndef FUZZ_FORGE_H
#define FUZZ_FORGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    FORGE_MAX = 2048,       /* bytes of a packet */
    FORGE_OPTIONS_MAX = 40, /* bytes of options, of IP and of TCP */
    FORGE_TCP_SUM = 16,     /* where the checksum stands in each header */
    FORGE_UDP_SUM = 6,
    FORGE_ICMP_SUM = 2,
};

struct forge {
    uint8_t b[FORGE_MAX];
    uint32_t len;
    uint32_t l4;   /* where the IP header ends */
    bool v6;       /* packets are of IPv6 */
    uint8_t proto; /* IPv6: behind all its headers */
};

struct forge_tcp {
    uint16_t sport, dport;
    uint32_t seq, ack;
    uint8_t flags;
    uint16_t wnd, urg;
    uint8_t opt[FORGE_OPTIONS_MAX];
    unsigned opt_len; /* any; filled up with zeros to a multiple of 4 */
    uint32_t data;    /* bytes that stand at their sequence numbers (subject_byte) */
};

/* Begin with an IP header; addresses as numbers, see subject_addr. */
void forge_ip(struct forge *f, uint32_t src, uint32_t dst, uint8_t proto);
/* Options for the IP header that was just begun; in IPv6 destination options. */
void forge_ip_options(struct forge *f, const uint8_t *opt, size_t len);
void forge_tcp(struct forge *f, const struct forge_tcp *t);
/* A UDP header and `len` bytes behind it. */
void forge_udp(struct forge *f, uint16_t sport, uint16_t dport, const uint8_t *data, size_t len);
/* An ICMP header and `len` bytes behind it. */
void forge_icmp(struct forge *f, uint8_t type, uint8_t code, uint32_t rest, const uint8_t *data,
                size_t len);
void forge_bytes(struct forge *f, const uint8_t *data, size_t len);

/*
 * The fragment with the bytes off .. off + len - 1 behind the IP header of `whole`, which was
 * ended; off is a multiple of 8.
 */
void forge_piece(struct forge *f, const struct forge *whole, uint32_t off, uint32_t len,
                 uint16_t id);

/* Lengths and checksums, as far as the protocol has some; the last step. */
void forge_end(struct forge *f);

/* The checksum behind the IP header again, after something there was changed. */
void forge_sum(struct forge *f);

#endif
