/*
 * A packet as a line of text, as tcpdump -n writes it: whoever can read the one can read the other,
 * and scripts made for tcpdump's lines work on ours.
 *
 *   IP 10.0.0.7.49152 > 10.0.1.5.8000: Flags [S], seq 17, win 64240, options [mss 1460], length 0
 *
 * Headers are printed, the contents of application protocols are not. A packet that is malformed
 * gets, behind what can be said about it, the reason for which a node drops it:
 *
 *   IP 10.0.0.7.49152 > 10.0.1.5.8000: Flags [S], ... length 0 [bad: the TCP checksum is wrong]
 *
 * Sequence numbers are absolute in a connection's first two packets and relative to them
 * afterwards. For that the flows that were seen are remembered, in a table of fixed size. Of a flow
 * that is not in it the first packet gives the base, and is printed with absolute numbers.
 */
#ifndef WIRE_PRINT_H
#define WIRE_PRINT_H

#include <stddef.h>
#include <stdint.h>

#include "wire/addr.h"

enum {
    PRINT_LINE_MAX = 512,  /* bytes that hold every line, with its final zero */
    PRINT_FLOW_SETS = 512, /* the table of flows: sets ... */
    PRINT_FLOW_WAYS = 8,   /* ... and flows in each; in a full set the oldest makes room */
    PRINT_HEX_ROW = 16,    /* bytes of a packet in one row of print_hex */
    PRINT_HEX_MAX = 80,    /* bytes that hold every row, with its final zero */
};

struct print_flow {
    struct addr lo, hi; /* the end with the lower port, and the other */
    uint16_t lo_port, hi_port;
    uint32_t lo_seq, hi_seq; /* each end's base */
    uint32_t age;            /* value of the clock below when it was last seen; 0: empty */
};

struct print_flows {
    struct print_flow flow[PRINT_FLOW_SETS][PRINT_FLOW_WAYS];
    uint32_t clock; /* one more for each packet that looks a flow up */
};

/*
 * Write the line for the packet b[0..len), without a newline and always terminated, into
 * out[size]; a longer line is cut off. `marks` are the packet's enum pkt_marks: a checksum that a
 * device vouches for or that is still to be filled in is not called wrong. `flows` begins as all
 * zeros and belongs to one observer. Returns the line's length in bytes.
 */
size_t print_packet(struct print_flows *flows, const uint8_t *b, size_t len, uint16_t marks,
                    char *out, size_t size);

/*
 * Write one row of b[0..len) as tcpdump -X does, from byte `offset` on: a tab, the offset, up to 16
 * bytes in hex, the same as text; no newline, always terminated. Returns its length in bytes, 0 at
 * the end of the packet.
 */
size_t print_hex(const uint8_t *b, size_t len, size_t offset, char out[PRINT_HEX_MAX]);

#endif
