/*
 * The TCP header and its options as values (RFC 9293 section 3.1): read in one pass from the bytes,
 * and then they can only be legal.
 */
#ifndef WIRE_TCP_H
#define WIRE_TCP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "wire/ip.h"

enum tcp_flag {
    TCP_FIN = 0x01,
    TCP_SYN = 0x02,
    TCP_RST = 0x04,
    TCP_PSH = 0x08,
    TCP_ACK = 0x10,
    TCP_URG = 0x20,
    TCP_ECE = 0x40,
    TCP_CWR = 0x80,
};

enum {
    TCP_HEADER_MIN = 20, /* bytes */
    TCP_HEADER_MAX = 60,
    TCP_HEADER_PLAIN = 32,   /* with timestamps and no other option, as nearly all have */
    TCP_SACK_MAX = 4,        /* blocks that fit into 40 bytes of options */
    TCP_WSCALE_MAX = 14,     /* RFC 7323 section 2.3: larger shifts count as 14 */
    TCP_MSS_DEFAULT4 = 536,  /* bytes, RFC 9293 MUST-15 */
    TCP_MSS_DEFAULT6 = 1220, /* bytes */
};

enum tcp_option_kind {
    TCP_OPT_EOL = 0,
    TCP_OPT_NOP = 1,
    TCP_OPT_MSS = 2,
    TCP_OPT_WSCALE = 3,
    TCP_OPT_SACK_OK = 4,
    TCP_OPT_SACK = 5,
    TCP_OPT_TIMESTAMP = 8,
};

struct tcp_sack_block {
    uint32_t start, end; /* sequence numbers, end is the first one not covered */
};

struct tcp_options {
    bool has_mss, has_wscale, has_timestamp, sack_ok;
    uint16_t mss;   /* bytes */
    uint8_t wscale; /* shift, already limited to 14 */
    uint8_t sack_n; /* blocks */
    uint32_t ts_val, ts_ecr;
    struct tcp_sack_block sack[TCP_SACK_MAX];
};

struct tcp_hdr {
    uint16_t sport, dport;
    uint32_t seq, ack;
    uint16_t wnd;       /* as it stands in the header, not scaled */
    uint16_t urg;       /* urgent pointer */
    uint8_t flags;      /* of enum tcp_flag */
    uint8_t header_len; /* bytes, options included */
    uint8_t ecn;        /* the two ECN bits of the IP header that it came with */
    uint16_t seg_size;  /* not in the header: bytes of text in each of the segments that the device
                         * has made into this one; 0: it is one */
    struct tcp_options opt;
};

/*
 * Parse the segment b[0..len) that came in `ip`; `marks` are the packet's enum pkt_marks. Checks
 * the data offset, the ports (neither is 0), the checksum (unless the device vouches for it or it
 * is partial), flag combinations that no state admits (none; SYN+FIN; SYN+RST) and every option's
 * length. Unknown options are skipped by their length (MUST-6), options need no alignment
 * (MUST-64), bytes behind end-of-list are ignored.
 * Returns REASON_NONE or the reason for the drop, *ret_tcp untouched.
 */
enum reason tcp_parse(const struct ip_hdr *ip, const uint8_t *b, size_t len, uint16_t marks,
                      struct tcp_hdr *ret_tcp);

/*
 * Has the header at b, of which TCP_HEADER_PLAIN bytes are there, timestamps and no other option?
 * Then tcp_read_plain reads its options, numbers, flags and window, and nothing else; what
 * tcp_parse checks beside the form has not been checked by that.
 */
bool tcp_is_plain(const uint8_t *b);
void tcp_read_plain(const uint8_t *b, uint8_t ecn, struct tcp_hdr *ret_tcp);

/* The length in bytes of the header with these options, a multiple of 4. */
size_t tcp_header_len(const struct tcp_options *opt);

/*
 * Write the header (header_len in *tcp is not read) with options and checksum over n slices of
 * payload; with PKT_CSUM_PARTIAL in `marks` the field gets the folded pseudo-header sum instead.
 * room must have tcp_header_len bytes. Returns the header's length in bytes.
 */
size_t tcp_build(uint8_t *room, const struct addr *src, const struct addr *dst,
                 const struct tcp_hdr *tcp, uint16_t marks, const struct slice *payload,
                 unsigned n);

#endif
